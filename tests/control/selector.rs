//! The selector loop.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use endpointslice_controller::control::write::WriteError;
use endpointslice_controller::model::labels::MANAGED_BY;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::Operation;
use endpointslice_controller::view::Change;

use crate::api::{Api, Fault};
use crate::build::{pod, pods, service};
use crate::world::{config, not_started, world, world_with};

pub fn ips(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut all: Vec<String> = numbers.into_iter().map(crate::build::ipv4).collect();
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn a_service_gets_its_slices_and_then_there_is_silence() {
    let world = world();
    pods(0..250).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    assert_eq!(world.addresses("web"), ips(0..250));
    assert_eq!(world.api.slices().len(), 3);
    assert_eq!(world.api.writes(), 3);
    assert_eq!(world.metric("endpoint_slice_controller_changes", &[("operation", "create")]), 3.0);
    assert_eq!(world.metric("endpoint_slice_controller_syncs", &[("result", "error")]), 0.0);
    world.settle().await;
    assert_eq!(world.api.writes(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_readiness_change_is_one_update_in_place() {
    let world = world();
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    world.pod(Pod { ready: false, ready_since: Some(Time::from_secs(2000)), ..pod(1) });
    world.settle().await;
    let log = world.api.state.lock().log.clone();
    assert_eq!(log.iter().map(|(o, _)| *o).collect::<Vec<_>>(), [Operation::Create, Operation::Update]);
    let slice = world.api.slices().remove(0);
    assert_eq!(slice.endpoints.iter().filter(|e| e.conditions.ready == Some(true)).count(), 2);
    assert_eq!(slice.trigger_time(), Some(Time::from_secs(2000)));
}

#[tokio::test(start_paused = true)]
async fn issue_141592_a_service_that_is_recreated_quickly_gets_its_slices() {
    let world = world();
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    for round in 0..5 {
        let uid = Uid::new(&format!("service-{round}"));
        let service = Service { uid, ..service() };
        world.service(service.clone());
        if round % 2 == 0 {
            // Long enough for a sync.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if round < 4 {
            // Its slices are collected some time later, or not before the next round.
            world.no_service(&service);
        }
        if round % 3 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    world.settle().await;
    let slices = world.api.slices();
    let owned = slices.iter().filter(|s| s.owners.iter().any(|o| o.uid == Uid::new("service-4"))).count();
    assert_eq!((owned, slices.len()), (1, 1));
    assert_eq!(world.addresses("web"), ips(0..3));
}

#[tokio::test(start_paused = true)]
async fn issue_94720_slices_of_an_earlier_service_of_the_name_go_after_the_new_ones_came() {
    let world = world();
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    world.service(Service { uid: Uid::new("another"), ..service() });
    world.settle().await;
    let log: Vec<Operation> = world.api.state.lock().log.iter().map(|(o, _)| *o).collect();
    assert_eq!(log, [Operation::Create, Operation::Create, Operation::Delete]);
    assert_eq!(world.addresses("web"), ips(0..3));
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_leaves_no_twin() {
    let world = world();
    world.api.state.lock().hold = true;
    world.api.fail(Operation::Create, 1, Fault::LoseAnswer);
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    assert_eq!(world.api.slices().len(), 1);
    world.api.deliver(usize::MAX);
    world.settle().await;
    assert_eq!(world.api.slices().len(), 1);
    assert_eq!(world.addresses("web"), ips(0..3));
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_is_retried_for_ever_with_backoff_up_to_a_minute() {
    let world = world();
    let refused = WriteError::Refused { code: 500, reason: "InternalError".into(), message: "no".into() };
    world.api.fail(Operation::Create, 40, Fault::Refuse(refused));
    world.pod(pod(1));
    world.service(service());
    let began = tokio::time::Instant::now();
    while world.api.slices().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(began.elapsed() < Duration::from_secs(3600), "{} writes", world.api.writes());
    }
    assert_eq!(world.api.writes(), 41);
    assert!(began.elapsed() > Duration::from_secs(30 * 50), "{:?}", began.elapsed());
    assert_eq!(world.metric("endpoint_slice_controller_syncs", &[("result", "error")]), 40.0);
    assert_eq!(world.metric("endpointslice_sync_failures_total", &[("loop", "selector")]), 40.0);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_planned_again_at_once_from_what_stands() {
    let world = world();
    world.pod(pod(1));
    world.service(service());
    world.settle().await;
    // Somebody edits the slice, and the stream is late.
    world.api.state.lock().hold = true;
    let key = world.api.slices()[0].key.clone();
    world.api.edit(&key, |slice| Some(Slice { endpoints: Vec::new(), ..slice }));
    let began = tokio::time::Instant::now();
    world.pod(pod(2));
    while world.addresses("web") != ips([1, 2]) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", world.api.state.lock().log);
    }
    assert_eq!(world.metric("endpoint_slice_controller_syncs", &[("result", "stale")]), 1.0);
    assert_eq!(world.metric("endpoint_slice_controller_syncs", &[("result", "error")]), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_at_the_version_that_stands_is_an_ordinary_failure() {
    let world = world();
    world.pod(pod(1));
    world.service(service());
    world.settle().await;
    world.api.fail(Operation::Update, 6, Fault::Refuse(WriteError::Conflict));
    world.pod(pod(2));
    world.settle().await;
    assert_eq!(world.addresses("web"), ips([1, 2]));
    assert_eq!(world.api.writes(), 1 + 7, "no hot loop");
    assert_eq!(world.metric("endpoint_slice_controller_syncs", &[("result", "error")]), 6.0);
}

#[tokio::test(start_paused = true)]
async fn a_slice_deleted_by_hand_is_made_again_after_a_second() {
    let world = world();
    world.pod(pod(1));
    world.service(service());
    world.settle().await;
    let key = world.api.slices()[0].key.clone();
    world.api.edit(&key, |_| None);
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(world.api.slices().is_empty(), "not in a hot loop");
    world.settle().await;
    assert_eq!(world.addresses("web"), ips([1]));
}

#[tokio::test(start_paused = true)]
async fn a_slice_whose_managed_by_was_changed_stays_and_new_ones_are_made_beside_it() {
    let world = world();
    world.pod(pod(1));
    world.service(service());
    world.settle().await;
    let old = world.api.slices().remove(0);
    // Our watch is filtered by that label: it shows the change as a delete.
    {
        let mut state = world.api.state.lock();
        state.version += 1;
        let version = state.version;
        let labels = old.labels.iter().filter(|(k, _)| k != MANAGED_BY).cloned();
        let labels = Labels::new(labels.chain([(MANAGED_BY.into(), "somebody".into())]));
        state.slices.insert(old.key.clone(), Slice { version, labels, ..old.clone() });
        state.pending.push_back(Change::Deleted(Meta {
            key: old.key.clone(),
            uid: old.uid.clone(),
            version,
        }));
    }
    world.api.deliver(1);
    world.settle().await;
    let slices = world.api.slices();
    assert_eq!(slices.len(), 2);
    let theirs = slices.iter().find(|s| s.key == old.key).unwrap();
    assert!(theirs.labels.has(MANAGED_BY, "somebody"));
    assert_eq!(theirs.endpoints, old.endpoints);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_bears_is_refused_and_the_next_one_taken() {
    let api = Arc::new(Api::default());
    let first = {
        let world = world();
        world.pod(pod(1));
        world.service(service());
        world.settle().await;
        world.api.slices().remove(0)
    };
    // A slice of that very name, not ours and so in no stream of ours.
    api.put(Slice { labels: Labels::default(), ..first.clone() });
    api.state.lock().pending.clear();
    let world = not_started(Arc::clone(&api), config());
    // The stream does not show what is not ours.
    world.controller.slice(Change::Replaced(Vec::new(), api.state.lock().version));
    world.start();
    world.pod(pod(1));
    world.service(service());
    world.settle().await;
    let ours: Vec<Slice> = api.slices().into_iter().filter(|s| s.managed_by().is_some()).collect();
    assert_eq!(ours.len(), 1);
    assert_ne!(ours[0].key, first.key);
    assert_eq!(world.metric("endpoint_slice_controller_syncs", &[("result", "error")]), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_terminating_namespace_is_no_error_and_not_retried() {
    let world = world();
    world.api.fail(Operation::Create, 100, Fault::Refuse(WriteError::NamespaceTerminating));
    world.pod(pod(1));
    world.service(service());
    world.settle().await;
    assert_eq!(world.api.writes(), 1);
    assert_eq!(world.metric("endpoint_slice_controller_syncs", &[("result", "error")]), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_what_stands_writes_nothing() {
    let api = {
        let world = world();
        pods(0..250).into_iter().for_each(|pod| world.pod(pod));
        world.service(service());
        world.settle().await;
        world.controller.stop();
        Arc::clone(&world.api)
    };
    let before = api.writes();
    let world = not_started(Arc::clone(&api), config());
    pods(0..250).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.start();
    world.settle().await;
    assert_eq!(api.writes(), before);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_before_the_start_or_while_a_loop_is_held() {
    let world = not_started(Arc::new(Api::default()), config());
    world.pod(pod(1));
    world.service(service());
    world.settle().await;
    assert_eq!(world.api.writes(), 0);
    world.start();
    world.settle().await;
    assert_eq!(world.api.writes(), 1);
    world.controller.let_plan(Loop::Selector, false);
    world.pod(pod(2));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.api.writes(), 1);
    world.controller.let_plan(Loop::Selector, true);
    world.settle().await;
    assert_eq!(world.addresses("web"), ips([1, 2]));
}

#[tokio::test(start_paused = true)]
async fn issue_88745_changes_within_the_batch_period_are_one_write() {
    let mut config = config();
    config.batch_period = Duration::from_millis(500);
    let world = world_with(Arc::new(Api::default()), config);
    world.service(service());
    world.settle().await;
    let before = world.api.writes();
    for n in 0..20 {
        world.pod(pod(n));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.settle().await;
    assert_eq!(world.addresses("web"), ips(0..20));
    assert_eq!(world.api.writes() - before, 1);
}

#[tokio::test(start_paused = true)]
async fn issue_107927_a_pod_on_a_node_that_is_unknown_is_published_when_the_node_appears() {
    let world = world();
    world.service(service());
    world.pod(pod(1));
    world.pod(Pod { node: Some("later".into()), ..pod(2) });
    world.settle().await;
    assert_eq!(world.addresses("web"), ips([1]));
    assert_eq!(world.metric("endpoint_slice_controller_syncs", &[("result", "error")]).min(1.0), 1.0);
    // Nothing is left to write before the Node comes, so there is nothing for an operator to do.
    assert_eq!(world.metric("endpointslice_sync_failures_total", &[]), 0.0);
    let writes = world.api.writes();
    let node = crate::build::node("later", Some("zone-z"));
    world.controller.node(Change::Upserted(crate::world::meta(&node.key, &node.uid, 9), node));
    world.settle().await;
    assert_eq!(world.addresses("web"), ips([1, 2]));
    assert_eq!(world.api.writes(), writes + 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_the_api_server_refuses_is_told_by_one_event_and_harms_only_itself() {
    let world = world();
    let refused = WriteError::Invalid { message: "not this one".into() };
    world.api.fail(Operation::Create, 1, Fault::Refuse(refused));
    pods(0..250).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.api.slices().len(), 2, "the other creates went on");
    world.settle().await;
    assert_eq!(world.addresses("web"), ips(0..250));
    let events = world.events.0.lock().clone();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].contains("FailedToUpdateEndpointSlices") && events[0].contains("not this one"),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_create_in_a_terminating_namespace_is_no_hot_loop() {
    let world = world();
    pods(0..150).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    let before = world.api.writes();
    world.api.fail(Operation::Create, 1000, Fault::Refuse(WriteError::NamespaceTerminating));
    // All keep their port name, some get another number: what moves to a slice that cannot be made stays.
    let other = crate::build::container_ports(&[("http", 9090, Protocol::TCP)]);
    for n in 100..150 {
        world.pod(Pod { ports: other.clone(), ready: false, ..pod(n) });
    }
    let mut moved = service();
    moved.ports[0].target = TargetPort::Name("http".into());
    world.service(moved);
    world.settle().await;
    let writes = world.api.writes() - before;
    assert!((1..30).contains(&writes), "{writes}");
    assert_eq!(world.addresses("web"), ips(0..150));
}
