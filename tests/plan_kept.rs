//! The cheap plan for Pods that change in place answers what the full plan would.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/apply.rs"]
mod apply;
#[path = "support/build.rs"]
mod build;
#[path = "support/random.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use apply::Standing;
use build::*;
use endpointslice_controller::model::{Labels, Pod, SelectorSnapshot, Service, Slice, Text, Time};
use endpointslice_controller::plan::kept::{Kept, SelectorDelta, plan_changed};
use endpointslice_controller::plan::{Plan, selector};
use proptest::prelude::*;
use smol_str::SmolStr;
use world::World;

type Changed = BTreeMap<SmolStr, Option<Arc<Pod>>>;

/// The Pods that differ between two snapshots.
fn changed(before: &SelectorSnapshot, after: &SelectorSnapshot) -> Changed {
    let by_name = |snapshot: &SelectorSnapshot| -> BTreeMap<SmolStr, Arc<Pod>> {
        snapshot.pods.iter().map(|pod| (pod.key.name.clone(), Arc::clone(pod))).collect()
    };
    let (before, after) = (by_name(before), by_name(after));
    let mut changed = Changed::new();
    for (name, pod) in &after {
        if before.get(name) != Some(pod) {
            changed.insert(name.clone(), Some(Arc::clone(pod)));
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        changed.insert(name.clone(), None);
    }
    changed
}

fn cheap(kept: &Kept, before: &SelectorSnapshot, after: &SelectorSnapshot) -> Option<Plan> {
    let slices: BTreeMap<SmolStr, Arc<Slice>> =
        after.slices.iter().map(|slice| (slice.key.name.clone(), Arc::clone(slice))).collect();
    plan_changed(&SelectorDelta {
        kept,
        service: &after.service,
        pods: &changed(before, after),
        nodes: &after.nodes,
        slices: &slices,
        memory: &after.memory,
    })
}

/// A snapshot at rest: its slices are as desired.
fn at_rest(snapshot: SelectorSnapshot) -> SelectorSnapshot {
    let plan = selector::plan(&snapshot);
    let mut standing = Standing::new(snapshot.slices.iter().cloned());
    standing.apply(&plan, |_| {});
    standing.next(&snapshot, &plan)
}

fn with_pods(snapshot: &SelectorSnapshot, pods: Vec<Pod>) -> SelectorSnapshot {
    SelectorSnapshot { pods: pods.into_iter().map(Arc::new).collect(), ..snapshot.clone() }
}

/// What the cheap plan answers to this change of five Pods at rest; the full plan must agree.
fn answer(service: Service, change: impl FnOnce(&mut Vec<Pod>)) -> Option<Plan> {
    let before = at_rest(with_max(3, snapshot(service, pods(0..5))));
    let kept = Kept::of(&before).expect("at rest");
    let mut all = pods(0..5);
    change(&mut all);
    let after = with_pods(&before, all);
    let plan = cheap(&kept, &before, &after);
    if let Some(plan) = &plan {
        assert_eq!(*plan, selector::plan(&after));
    }
    plan
}

#[test]
fn changes_in_place_are_answered() {
    let named = Service { ports: vec![service_port("", 80, by_name("http"))], ..service() };
    let close = Service { traffic_distribution: Some("PreferSameNode".into()), ..service() };
    for service in [service(), named, close] {
        for change in [
            |pod: &mut Pod| pod.ready = false,
            |pod: &mut Pod| pod.terminating = true,
            |pod: &mut Pod| pod.uid = uid(1, 700),
            |pod: &mut Pod| pod.node = Some(Text::new("n2")),
            |pod: &mut Pod| {
                pod.ready = false;
                pod.ready_since = Some(Time::from_secs(5000));
            },
        ] {
            let plan = answer(service.clone(), |pods| change(&mut pods[2])).expect("an answer");
            assert_eq!(plan.writes.len(), 1);
            let plan = answer(service.clone(), |pods| pods.iter_mut().for_each(change)).expect("an answer");
            assert_eq!(plan.writes.len(), 2);
        }
    }
}

#[test]
fn changes_that_no_endpoint_shows_are_answered_with_no_writes_but_their_time_is_remembered() {
    let later = Some(Time::from_secs(7000));
    let plan = answer(service(), |pods| pods[1].ready_since = later).expect("an answer");
    assert_eq!(plan.writes, []);
    assert_eq!(plan.memory.trigger.unwrap().pods.get("pod-00001"), later);
    let unborn = Pod { has_ip: false, ips: ips(&[]), ready_since: later, ..pod(9) };
    let plan = answer(service(), |pods| pods.push(unborn)).expect("an answer");
    assert_eq!((plan.writes.len(), plan.memory.trigger.unwrap().pods.len()), (0, 6));
}

#[test]
fn container_ports_matter_only_where_they_are_looked_up_and_differ() {
    let plan = answer(service(), |pods| pods[0].ports = container_ports(&[])).expect("an answer");
    assert_eq!(plan.writes, []);
    let named = Service { ports: vec![service_port("", 80, by_name("http"))], ..service() };
    let plan = answer(named, |pods| {
        pods[0].ports = pods[0].ports.iter().cloned().collect();
        pods[0].ready = false;
    });
    assert_eq!(plan.expect("an answer").writes.len(), 1);
}

#[test]
fn all_else_is_left_to_the_full_plan() {
    let named = Service { ports: vec![service_port("", 80, by_name("http"))], ..service() };
    let none = |change: fn(&mut Vec<Pod>)| assert_eq!(answer(named.clone(), change), None);
    none(|pods| drop(pods.pop()));
    none(|pods| pods.push(pod(9)));
    none(|pods| pods[0].terminal = true);
    none(|pods| pods[0].ips = ips(&["10.9.9.9"]));
    none(|pods| pods[0].ips = ips(&["127.0.0.1"]));
    none(|pods| pods[0].node = Some(Text::new("gone")));
    none(|pods| pods[0].ports = container_ports(&[]));
    none(|pods| {
        pods[0].hostname = Some("h".into());
        pods[0].subdomain = Some("web".into());
    });
}

#[test]
fn another_service_and_one_with_something_to_say_are_left_to_the_full_plan() {
    let before = at_rest(snapshot(service(), pods(0..3)));
    let kept = Kept::of(&before).expect("at rest");
    let mut after = with_pods(&before, vec![Pod { ready: false, ..pod(0) }, pod(1), pod(2)]);
    assert!(cheap(&kept, &before, &after).is_some());
    after.service = Arc::new(Service { version: 101, ..service() });
    assert!(cheap(&kept, &before, &after).is_some(), "the same in all that counts");
    after.memory.reported.insert("something".into());
    assert_eq!(cheap(&kept, &before, &after), None);
    let mut after = with_pods(&before, pods(0..3));
    after.service = Arc::new(Service { publish_not_ready: true, ..service() });
    assert_eq!(cheap(&kept, &before, &after), None);
}

#[test]
fn nothing_is_kept_of_a_service_that_is_not_at_rest() {
    let before = snapshot(service(), pods(0..3));
    assert!(Kept::of(&before).is_none(), "slices to be created");
    assert!(Kept::of(&at_rest(snapshot(service(), vec![]))).is_none(), "no endpoints");
    let lost = Pod { node: Some(Text::new("gone")), ..pod(1) };
    assert!(Kept::of(&at_rest(snapshot(service(), vec![pod(0), lost]))).is_none(), "a missing Node");
    assert!(Kept::of(&at_rest(before)).is_some());
}

#[test]
fn a_slice_that_somebody_changed_is_left_to_the_full_plan() {
    let before = at_rest(snapshot(service(), pods(0..3)));
    let kept = Kept::of(&before).expect("at rest");
    let mut after = with_pods(&before, vec![Pod { ready: false, ..pod(0) }, pod(1), pod(2)]);
    Arc::make_mut(&mut after.slices[0]).version += 1;
    assert_eq!(cheap(&kept, &before, &after), None);
}

#[test]
fn after_its_own_writes_it_goes_on() {
    let mut before = at_rest(snapshot(service(), pods(0..3)));
    let mut kept = Kept::of(&before).expect("at rest");
    for round in 0..5i64 {
        let flipped =
            Pod { ready: round % 2 == 1, ready_since: Some(Time::from_secs(3000 + round)), ..pod(0) };
        let after = with_pods(&before, vec![flipped, pod(1), pod(2)]);
        let plan = cheap(&kept, &before, &after).expect("an answer");
        assert_eq!(plan, selector::plan(&after));
        assert_eq!(plan.writes.len(), 1);
        let mut standing = Standing::new(after.slices.iter().cloned());
        standing.apply(&plan, |_| {});
        assert!(kept.written(&plan, &standing.slices));
        before = standing.next(&after, &plan);
    }
}

#[test]
fn an_answer_that_is_not_what_was_sent_ends_it() {
    let before = at_rest(snapshot(service(), pods(0..3)));
    let kept = Kept::of(&before).expect("at rest");
    let after = with_pods(&before, vec![Pod { ready: false, ..pod(0) }, pod(1), pod(2)]);
    let plan = cheap(&kept, &before, &after).expect("an answer");
    let mut standing = Standing::new(after.slices.iter().cloned());
    standing.apply(&plan, |_| {});
    assert!(kept.clone().written(&plan, &standing.slices));
    for change in [
        |slice: &mut Slice| drop(slice.endpoints.pop()),
        |slice: &mut Slice| slice.labels = Labels::default(),
        |slice: &mut Slice| slice.ports = Arc::from([]),
    ] {
        let mut other = standing.slices.clone();
        other.values_mut().for_each(|slice| change(Arc::make_mut(slice)));
        assert!(!kept.clone().written(&plan, &other));
    }
}

/// Plans of random histories; how many were answered cheaply with writes.
fn compare(
    max: usize,
    pods: usize,
    rounds: &[Vec<world::Operation>],
    pod_changes: &[world::Operation],
) -> usize {
    let mut world = World::new(max, pods);
    let mut answered = 0;
    for round in [&[][..]].into_iter().chain(rounds.iter().map(Vec::as_slice)) {
        round.iter().for_each(|operation| world.change(*operation));
        let before = at_rest(world.snapshot());
        let Some(mut kept) = Kept::of(&before) else { continue };
        let mut now = before;
        for operation in pod_changes {
            let mut other = world.clone();
            other.change(*operation);
            let after = SelectorSnapshot { pods: other.snapshot().pods, ..now.clone() };
            let full = selector::plan(&after);
            let Some(plan) = cheap(&kept, &now, &after) else { break };
            assert_eq!(plan, full);
            answered += usize::from(!plan.writes.is_empty());
            let mut standing = Standing::new(after.slices.iter().cloned());
            standing.apply(&plan, |_| {});
            assert!(kept.written(&plan, &standing.slices));
            now = standing.next(&after, &plan);
            world = other;
        }
        let standing = Standing::new(now.slices.iter().cloned());
        world.standing = standing;
        world.memory = now.memory.clone();
    }
    answered
}

/// Changes of Pods only, most of them in place.
fn pod_changes() -> impl Strategy<Value = Vec<world::Operation>> {
    prop::collection::vec((0..15u8, 0..=u8::MAX, 0..=u8::MAX), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_answered_is_the_full_plan(
        max in 1usize..6, pods in 1usize..20, rounds in world::rounds(), changes in pod_changes()
    ) {
        compare(max, pods, &rounds, &changes);
    }
}

#[test]
fn a_good_part_of_random_changes_is_answered() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut answered = 0;
    for _ in 0..100 {
        let tree = (1usize..6, 1usize..20, world::rounds(), pod_changes()).new_tree(&mut runner).unwrap();
        let (max, pods, rounds, changes) = proptest::strategy::ValueTree::current(&tree);
        answered += compare(max, pods, &rounds, &changes);
    }
    assert!(answered > 50, "{answered}");
}
