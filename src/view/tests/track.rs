//! Tracking: a plan that looks at the Pods that changed, and at nothing else, misses nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::walk::{Walk, World, any_change, owner_of, selects};
use super::*;

/// All that a plan of this Service reads, but for Pods, without versions.
fn rest(world: &World, key: &Key) -> impl PartialEq + std::fmt::Debug + use<> {
    let service = world.services.get(key).map(|service| service.clone().at(0));
    let mine = |slice: &&Slice| owner_of(slice) == Some((Loop::Selector, key.clone()));
    let slices: Vec<Slice> = world.slices.values().filter(mine).map(|slice| slice.clone().at(0)).collect();
    let zones: Vec<_> = world.nodes.values().map(|node| (node.uid.clone(), node.zone.clone())).collect();
    (service, slices, zones)
}

fn members(world: &World, key: &Key) -> BTreeMap<String, Pod> {
    let Some(service) = world.services.get(key) else { return BTreeMap::new() };
    let members = world.pods.values().filter(|pod| selects(service, pod));
    members.map(|pod| (pod.key.name.to_string(), pod.clone())).collect()
}

struct Tracked {
    key: Key,
    // The world when tracking began, or at the last look.
    then: Option<World>,
}

impl Tracked {
    fn begin(&mut self, walk: &mut Walk) {
        walk.view.remember(Loop::Selector, &self.key, Memory::default());
        self.then = walk.view.track(&self.key).map(|_| walk.world.clone());
    }

    fn look(&mut self, walk: &mut Walk) {
        let now = &walk.world;
        let (Some(then), Some(delta)) = (self.then.take(), walk.view.delta(&self.key)) else {
            return self.begin(walk);
        };
        assert_eq!(rest(&then, &self.key), rest(now, &self.key), "else tracking had ended");
        let (before, after) = (members(&then, &self.key), members(now, &self.key));
        for (name, pod) in &delta.pods {
            assert_eq!(pod.as_deref(), after.get(name.as_str()));
        }
        for name in before.keys().chain(after.keys()) {
            let same = match (before.get(name), after.get(name)) {
                (Some(before), Some(after)) => before.same_row(after),
                _ => false,
            };
            assert!(same || delta.pods.contains_key(name.as_str()), "{name} changed untold");
        }
        self.then = Some(now.clone());
    }
}

#[test]
fn a_tracked_service_tells_its_changed_pods_once_until_anything_else_changes() {
    let mut stage = Stage::started();
    let web = key("web");
    let told = |stage: &mut Stage| {
        let delta = stage.view.delta(&web)?;
        Some(delta.pods.iter().map(|(name, pod)| (name.to_string(), pod.is_some())).collect::<Vec<_>>())
    };
    stage.put_service(service("web", "app=web"));
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    stage.put_pod(pod("p", "app=web"));
    stage.put_pod(pod("q", "app=web"));
    stage.view.remember(Loop::Selector, &web, Memory::default());
    assert_eq!(told(&mut stage), None, "not tracked yet");
    assert_eq!(stage.view.track(&web).unwrap().pods.len(), 2);
    assert_eq!(told(&mut stage), Some(vec![]));
    stage.put_pod(Pod { ready: false, ..pod("p", "app=web") });
    stage.gone(pod("q", "app=web"), View::pod);
    stage.put_pod(pod("r", "app=other"));
    assert_eq!(told(&mut stage), Some(vec![("p".to_owned(), true), ("q".to_owned(), false)]));
    stage.put_pod(Pod { ready_since: Some(Time::from_secs(1)), ..pod("p", "app=web") });
    assert_eq!(
        told(&mut stage),
        Some(vec![("p".to_owned(), true)]),
        "a trigger time, though it wakes nobody"
    );
    stage.put_node(node("n9", "z"));
    assert_eq!(told(&mut stage), None, "endpoints are made with Nodes");
    stage.view.track(&web);
    stage.put_service(Service { deleting: true, ..service("web", "app=web") });
    stage.view.end_tracks(&[Wake { which: Loop::Selector, key: web.clone(), after: After::Now }]);
    assert_eq!(told(&mut stage), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_changed_of_a_tracked_service_is_told_or_its_tracking_has_ended(
        changes in prop::collection::vec((any_change(), any::<bool>()), 1..80)
    ) {
        let mut walk = Walk::new();
        let mut tracked = Tracked { key: key("s0"), then: None };
        for (change, look) in changes {
            let wakes = walk.take(change);
            walk.view.end_tracks(&wakes);
            if look {
                tracked.look(&mut walk);
            }
        }
    }
}
