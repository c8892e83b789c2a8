//! What a change costs, counted in comparisons of labels with a selector: as much in a large
//! namespace as in a small one.

use super::*;
use crate::model::labels::COMPARED;

/// How many comparisons this takes.
fn compared<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = COMPARED.get();
    let done = act();
    (COMPARED.get() - before, done)
}

fn of(n: usize) -> String {
    format!("a-common=x,app=app-{n}")
}

/// A namespace of so many Services, each with two Pods and a slice, that have one label in common.
fn namespace(services: usize, pods_first: bool) -> Stage {
    let mut stage = Stage::started();
    stage.put_node(node("n1", "zone-a"));
    let pods = |stage: &mut Stage| {
        for n in 0..services {
            stage.put_pod(pod(&format!("{n}-0"), &of(n)));
            stage.put_pod(Pod { node: None, ..pod(&format!("{n}-1"), &of(n)) });
        }
    };
    if pods_first {
        pods(&mut stage);
    }
    for n in 0..services {
        stage.put_service(service(&format!("service-{n}"), &of(n)));
        stage.put_slice(slice(&format!("service-{n}-aaaaa"), Loop::Selector, &format!("service-{n}")));
    }
    if !pods_first {
        pods(&mut stage);
    }
    stage
}

/// Upstream went through all Services of the namespace for each event of a Pod: 350 ms an event.
#[test]
fn issue_134739_a_pod_event_looks_at_no_service_that_it_does_not_concern() {
    for pods_first in [false, true] {
        let costs = |services: usize| {
            let mut stage = namespace(services, pods_first);
            let n = services / 2;
            let held = pod(&format!("{n}-0"), &of(n));
            let woken = [format!("selector service-{n} PodBatch")];
            let mut costs = Vec::new();
            let mut cost = |(count, wakes): (usize, Vec<String>), expected: &[String]| {
                assert_eq!(wakes, expected);
                costs.push(count);
            };
            cost(compared(|| stage.put_pod(Pod { ready: false, ..held.clone() })), &woken);
            cost(compared(|| stage.put_pod(pod("another", &of(n)))), &woken);
            cost(compared(|| stage.put_pod(pod("nobody's", "a-common=x,app=none"))), &[]);
            let gone = |view: &mut View, change, wakes: &mut Vec<Wake>| view.pod(change, wakes);
            cost(compared(|| stage.gone(pod("another", &of(n)), gone)), &woken);
            costs
        };
        let (small, large) = (costs(10), costs(3000));
        assert_eq!(small, large, "as much among 10 as among 3,000");
        assert!(small.iter().all(|count| *count <= 4), "{small:?}");
        assert!(small.iter().any(|count| *count > 0), "the counter counts");
    }
}

/// Upstream built the selector of every Service anew for each event, and searched all Pods at each
/// sync. Members are kept: a snapshot for a plan compares nothing, and holds what is the Service's.
#[test]
fn issue_84280_a_sync_searches_for_neither_pods_nor_slices() {
    for services in [10, 3000] {
        let stage = namespace(services, false);
        let (count, snapshot) = compared(|| stage.view.selector_snapshot(&key("service-7"), None).unwrap());
        assert_eq!(count, 0);
        assert_eq!((snapshot.pods.len(), snapshot.slices.len(), snapshot.names.len()), (2, 1, 1));
        assert!(Arc::ptr_eq(&snapshot.nodes, &stage.view.nodes), "shared, not copied");
    }
}

/// A Service that comes looks at the Pods of its rarest label, not at all of them.
#[test]
fn issue_84280_a_new_service_compares_the_pods_of_its_rarest_label_alone() {
    let costs = |services: usize| {
        let mut stage = namespace(services, true);
        let (count, _) = compared(|| stage.put_service(service("new", &of(3))));
        assert_eq!(stage.view.selector_snapshot(&key("new"), None).unwrap().pods.len(), 2);
        count
    };
    assert_eq!((costs(10), costs(3000)), (2, 2));
}
