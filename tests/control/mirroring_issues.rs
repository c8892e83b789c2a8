//! What went wrong in the mirroring loop upstream, played against an API server in memory.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use endpointslice_controller::model::labels::{
    ENDPOINTS_MANAGED_BY, LAST_APPLIED, SERVICE_NAME, TRIGGER_TIME,
};
use endpointslice_controller::model::*;
use endpointslice_controller::plan::Operation;
use tokio::time::sleep;

use crate::build::{pod, pods, service};
use crate::mirroring::{by_hand, endpoints};
use crate::selector::ips;
use crate::world::{World, world};

async fn mirrored() -> World {
    let world = world();
    world.service(by_hand());
    world.endpoints(endpoints(&["10.1.0.1", "10.1.0.2"]));
    world.settle().await;
    assert_eq!(world.addresses("web"), ["10.1.0.1", "10.1.0.2"]);
    world
}

/// Custom Endpoints are there before their Service.
#[tokio::test(start_paused = true)]
async fn issue_94171_endpoints_that_are_there_before_their_service_are_mirrored_when_it_comes() {
    let world = world();
    world.endpoints(endpoints(&["10.1.0.1"]));
    world.settle().await;
    assert_eq!(world.api.writes(), 0);
    world.service(by_hand());
    sleep(Duration::from_millis(10)).await;
    assert_eq!(world.addresses("web"), ["10.1.0.1"], "at once");
}

/// Upstream compared a changed slice with itself: an edit of a mirrored slice was never noticed.
#[tokio::test(start_paused = true)]
async fn issue_124131_a_mirrored_slice_that_somebody_edits_is_repaired() {
    let world = mirrored().await;
    let right = world.slices("web").remove(0);
    type Edit = fn(&mut Slice);
    let edits: [(&str, Edit); 5] = [
        ("an address taken away", |slice| drop(slice.endpoints.pop())),
        ("all addresses taken away", |slice| slice.endpoints.clear()),
        ("the ports", |slice| slice.ports = [].into()),
        ("a label", |slice| {
            let more = slice.labels.iter().cloned().chain([("a".into(), "b".into())]);
            slice.labels = Labels::new(more.collect::<Vec<_>>());
        }),
        ("the Service's name", |slice| {
            let others = slice.labels.iter().filter(|(key, _)| key != SERVICE_NAME).cloned();
            slice.labels =
                Labels::new(others.chain([(SERVICE_NAME.into(), "other".into())]).collect::<Vec<_>>());
        }),
    ];
    for (what, edit) in edits {
        world.api.edit(&right.key, |mut slice| {
            edit(&mut slice);
            Some(slice)
        });
        world.settle().await;
        let slices = world.api.slices();
        assert_eq!(slices.len(), 1, "{what}");
        let versionless =
            |slice: &Slice| (slice.labels.clone(), slice.ports.clone(), slice.endpoints.clone());
        assert_eq!(versionless(&slices[0]), versionless(&right), "{what}");
        if what == "the Service's name" {
            break;
        }
        assert_eq!(slices[0].uid, right.uid, "{what}: in place");
    }
}

/// A selector, none, one again: the Endpoints that the control plane left are mirrored meanwhile,
/// and when the Pods change afterwards no mirrored slice still names the old ones.
#[tokio::test(start_paused = true)]
async fn issues_103576_and_105987_no_mirrored_slice_outlives_the_return_of_the_selector() {
    let world = world();
    pods(1..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    let addresses = [crate::build::ipv4(1), crate::build::ipv4(2)];
    let mark = Labels::new([(ENDPOINTS_MANAGED_BY, "endpoint-controller")]);
    let left = Endpoints { labels: mark, ..endpoints(&[&addresses[0], &addresses[1]]) };
    world.marked(left.clone());
    world.settle().await;
    let managers = || {
        let mut all: Vec<Loop> = world.slices("web").iter().filter_map(Slice::managed_by).collect();
        all.sort();
        all
    };
    assert_eq!(managers(), [Loop::Selector], "not mirrored: it has a selector");

    world.service(by_hand());
    world.settle().await;
    assert_eq!(managers(), [Loop::Selector, Loop::Mirroring], "both by design");
    // People use them from here on: they edit the Endpoints, and the mirrored slice follows.
    world.marked(Endpoints { subsets: endpoints(&["192.0.2.7"]).subsets, ..left.clone() });
    world.settle().await;
    assert!(world.addresses("web").contains(&"192.0.2.7".to_owned()));

    world.service(service());
    world.no_pod(&pod(1));
    world.pod(pod(3));
    world.settle().await;
    assert_eq!(managers(), [Loop::Selector]);
    assert_eq!(world.addresses("web"), ips([2, 3]), "none of the old ones");
}

/// Labels and annotations of the Endpoints that change alone; and those that are never mirrored.
#[tokio::test(start_paused = true)]
async fn issues_98116_and_102731_metadata_is_mirrored_alone_and_never_what_is_kubectls() {
    let world = mirrored().await;
    let edit = |labels: &[(&str, &str)], annotations: &[(&str, &str)]| {
        let of = |pairs: &[(&str, &str)]| Labels::new(pairs.iter().copied());
        let standing = endpoints(&["10.1.0.1", "10.1.0.2"]);
        world.endpoints(Endpoints { labels: of(labels), annotations: of(annotations), ..standing });
    };
    edit(&[("team", "a")], &[]);
    world.settle().await;
    assert!(world.slices("web")[0].labels.has("team", "a"));
    edit(&[("team", "a")], &[("idled", "yes")]);
    world.settle().await;
    assert!(world.slices("web")[0].annotations.has("idled", "yes"));
    edit(&[], &[("idled", "yes")]);
    world.settle().await;
    let slice = world.slices("web").remove(0);
    assert!(slice.annotations.has("idled", "yes") && slice.labels.get("team").is_none());
    let writes = world.api.writes();
    edit(&[], &[("idled", "yes"), (LAST_APPLIED, "{}"), (TRIGGER_TIME, "2026-11-25T00:00:00Z")]);
    world.settle().await;
    assert_eq!(world.slices("web"), [slice]);
    assert_eq!(world.api.writes(), writes, "nor is anything written for them");
}

/// One address in two subsets: one slice with both ports, not two that some consumers take one of.
#[tokio::test(start_paused = true)]
async fn issue_114155_one_address_in_two_subsets_is_in_one_slice_with_both_ports() {
    let world = mirrored().await;
    let mut twice = endpoints(&["10.40.0.2"]);
    let mut second = twice.subsets[0].clone();
    second.ports[0].name = "metrics".into();
    second.ports[0].port = 8082;
    twice.subsets.push(second);
    world.endpoints(twice);
    world.settle().await;
    let slices = world.slices("web");
    assert_eq!((slices.len(), slices[0].ports.len()), (1, 2));
    assert_eq!(world.addresses("web"), ["10.40.0.2"]);
}

/// An address that was not ready was mirrored as ready.
#[tokio::test(start_paused = true)]
async fn issue_102683_an_address_that_stops_being_ready_is_mirrored_as_not_ready() {
    let world = mirrored().await;
    let mut half = endpoints(&["10.1.0.1", "10.1.0.2"]);
    let down = half.subsets[0].addresses.pop().unwrap();
    half.subsets[0].not_ready.push(down);
    world.endpoints(half);
    world.settle().await;
    let slice = world.slices("web").remove(0);
    let ready: Vec<(String, Option<bool>)> =
        slice.endpoints.iter().map(|e| (e.addresses.as_slice()[0].to_string(), e.conditions.ready)).collect();
    assert_eq!(ready, [("10.1.0.1".into(), Some(true)), ("10.1.0.2".into(), Some(false))]);
}

/// 404 is what a delete wants, in this loop too.
#[tokio::test(start_paused = true)]
async fn issue_141304_a_delete_of_a_mirrored_slice_that_finds_nothing_is_a_success() {
    let world = mirrored().await;
    let slice = world.slices("web").remove(0);
    world.api.state.lock().hold = true;
    world.api.edit(&slice.key, |_| None);
    let syncs = || world.metric("endpoint_slice_mirroring_controller_endpoints_sync_duration", &[]);
    let (writes, before) = (world.api.writes(), syncs());
    world.no_endpoints(&endpoints(&[]));
    sleep(Duration::from_secs(120)).await;
    assert_eq!(syncs() - before, 1.0, "done at the first try");
    let log = world.api.state.lock().log[writes..].to_vec();
    assert_eq!(log, [(Operation::Delete, slice.key)], "sent once, met nothing, not sent again");
    assert_eq!(*world.events.0.lock(), Vec::<String>::new());
}

/// As the selector loop's: a second change before the stream shows the first create.
#[tokio::test(start_paused = true)]
async fn issue_100033_a_second_change_of_endpoints_makes_no_second_slice() {
    let world = world();
    world.api.state.lock().hold = true;
    world.service(by_hand());
    world.endpoints(endpoints(&["10.1.0.1"]));
    sleep(Duration::from_millis(10)).await;
    world.endpoints(endpoints(&["10.1.0.1", "10.1.0.2"]));
    sleep(Duration::from_millis(10)).await;
    world.endpoints(endpoints(&["10.1.0.2"]));
    sleep(Duration::from_millis(10)).await;
    assert_eq!(world.addresses("web"), ["10.1.0.2"]);
    let log: Vec<Operation> = world.api.state.lock().log.iter().map(|(operation, _)| *operation).collect();
    assert_eq!(log, [Operation::Create, Operation::Update, Operation::Update]);
    world.api.deliver(usize::MAX);
    world.settle().await;
    world.assert_no_friction();
}
