//! The trigger-time annotation.

use endpointslice_controller::model::labels::TRIGGER_TIME;
use endpointslice_controller::model::snapshot::Memory;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::trigger::after_failure;
use endpointslice_controller::plan::{Plan, selector};

use crate::build::*;
use crate::only;

fn at(secs: i64) -> Option<Time> {
    Some(Time::from_secs(secs))
}

fn since(n: usize, secs: i64) -> Pod {
    Pod { ready_since: at(secs), ..pod(n) }
}

/// The annotation of the slices of this plan that are written.
#[track_caller]
fn written(plan: &Plan) -> Option<Time> {
    let times: Vec<_> = plan.writes.iter().map(|write| write.slice.trigger_time()).collect();
    assert!(!times.is_empty() && times.iter().all(|time| *time == times[0]), "{times:?}");
    times[0]
}

/// The memory after a first sync with these Pods and no slices before.
fn memory(pods: Vec<Pod>) -> Memory {
    selector::plan(&snapshot(service(), pods)).memory
}

/// A sync with this memory, in which one endpoint is gone, so that its slice is written.
fn sync(memory: Memory, pods: Vec<Pod>) -> Plan {
    let before = Slice {
        annotations: Annotations::new([(TRIGGER_TIME, "1970-01-01T00:00:07Z")]),
        ..slice("web-a", pods.iter().chain([&pod(900)]))
    };
    selector::plan(&SelectorSnapshot { memory, ..with_slices([before], snapshot(service(), pods)) })
}

#[test]
fn the_first_sync_of_a_service_writes_its_creation_time() {
    let plan = selector::plan(&snapshot(service(), vec![since(1, 400)]));
    assert_eq!(written(&plan), service().created);
    assert!(only(&plan).annotations.has(TRIGGER_TIME, "1970-01-01T00:08:20Z"));
}

#[test]
fn the_fraction_is_written_where_it_is_not_zero() {
    let created = Some(Time::from_nanos(500_120_000_000));
    let plan = selector::plan(&snapshot(Service { created, ..service() }, vec![]));
    assert!(only(&plan).annotations.has(TRIGGER_TIME, "1970-01-01T00:08:20.12Z"));
}

#[test]
fn then_the_earliest_that_is_newer_than_what_the_last_sync_had_seen() {
    let seen = || memory(vec![since(1, 1000), since(2, 1000)]);
    assert_eq!(written(&sync(seen(), vec![since(1, 1000), since(2, 1000)])), None, "none new");
    assert_eq!(written(&sync(seen(), vec![since(1, 1030), since(2, 1020)])), at(1020));
    assert_eq!(written(&sync(seen(), vec![since(1, 900), since(2, 1020)])), at(1020), "older is not newer");
    assert_eq!(written(&sync(seen(), vec![since(1, 1000), since(3, 50)])), at(50), "a new Pod counts as new");
    let terminal = Pod { terminal: true, has_ip: false, ..since(4, 1010) };
    assert_eq!(written(&sync(seen(), vec![since(1, 1000), terminal])), at(1010), "terminal ones too");
    let unready = Pod { ready: false, ..since(1, 1010) };
    assert_eq!(written(&sync(seen(), vec![unready])), at(1010), "whatever its status");
}

#[test]
fn a_pod_that_went_and_came_back_is_new() {
    let first = memory(vec![since(1, 1000)]);
    let without = sync(first, vec![since(2, 1000)]);
    assert_eq!(written(&sync(without.memory, vec![since(1, 1000), since(2, 1000)])), at(1000));
}

#[test]
fn a_service_recreated_triggers_with_its_new_creation_time() {
    let seen = memory(vec![since(1, 1000)]);
    let newer = Service { created: at(2000), uid: uid(2, 2), ..service() };
    let plan = selector::plan(&SelectorSnapshot { memory: seen, ..snapshot(newer, vec![since(1, 1000)]) });
    assert_eq!(written(&plan), at(2000));
}

#[test]
fn without_a_trigger_the_annotation_is_removed_from_slices_that_are_written_and_others_keep_theirs() {
    let pods = vec![since(1, 1000), since(2, 1000)];
    let annotations = Annotations::new([(TRIGGER_TIME, "1970-01-01T00:00:07Z"), ("other", "x")]);
    let before = [
        Slice { annotations: annotations.clone(), ..slice("web-a", [&pods[0], &pod(900)]) },
        Slice { annotations, ..slice("web-b", [&pods[1]]) },
    ];
    let memory = memory(pods.clone());
    let plan = selector::plan(&SelectorSnapshot { memory, ..with_slices(before, snapshot(service(), pods)) });
    assert_eq!(only(&plan).key.name, "web-a");
    assert_eq!(only(&plan).annotations, Annotations::new([("other", "x")]));
}

#[test]
fn after_a_failed_write_the_trigger_is_kept_for_the_retry_even_if_the_pod_changes_again() {
    let seen = memory(vec![since(1, 1000)]);
    let failed = sync(seen, vec![since(1, 1010)]);
    assert_eq!(written(&failed), at(1010));
    let retry = sync(after_failure(&failed), vec![since(1, 1500)]);
    assert_eq!(written(&retry), at(1010));
    assert_eq!(written(&sync(after_failure(&retry), vec![since(1, 1500)])), at(1010), "and again");
    assert_eq!(written(&sync(retry.memory, vec![since(1, 1500)])), None, "until it succeeded");
}

#[test]
fn a_first_sync_that_failed_half_way_is_retried_with_the_creation_time() {
    let both = || with_max(1, snapshot(service(), vec![since(1, 400), since(2, 400)]));
    let first = selector::plan(&both());
    let half = Slice { uid: Uid::new("x"), version: 5, ..first.writes[0].slice.clone() };
    let retry =
        selector::plan(&SelectorSnapshot { memory: after_failure(&first), ..with_slices([half], both()) });
    assert_eq!(written(&retry), service().created);
}

/// A sync with nothing remembered: one slice stands, stamped at 2000, whose last endpoint but one goes.
fn taken_over(epoch: Option<Time>, pods: Vec<Pod>) -> Option<Time> {
    let before = Slice {
        annotations: Annotations::new([(TRIGGER_TIME, "1970-01-01T00:33:20Z")]),
        ..slice("web-a", pods.iter().chain([&pod(900)]))
    };
    let snapshot = SelectorSnapshot { epoch, ..with_slices([before], snapshot(service(), pods)) };
    written(&selector::plan(&snapshot))
}

#[test]
fn issue_81360_after_a_start_what_the_process_before_has_answered_is_no_trigger() {
    let pods = |secs: i64| vec![since(1, 100), since(2, secs)];
    assert_eq!(taken_over(at(1500), pods(100)), None, "its creation time is no trigger, nor old times");
    assert_eq!(taken_over(at(1500), pods(1900)), None, "not newer than the newest on its slices");
    assert_eq!(taken_over(at(1500), pods(2000)), None);
    assert_eq!(taken_over(at(1500), pods(2001)), at(2001));
    assert_eq!(taken_over(at(3000), pods(2001)), None, "before the epoch");
    assert_eq!(taken_over(at(3000), pods(3000)), at(3000));
    assert_eq!(taken_over(None, pods(9000)), None, "everything counts as seen");
}

#[test]
fn slices_of_an_earlier_service_do_not_make_the_new_one_old() {
    let earlier = Slice { owners: std::sync::Arc::from([]), ..slice("web-a", [&pod(1)]) };
    let plan = selector::plan(&with_slices([earlier], snapshot(service(), vec![since(1, 400)])));
    assert_eq!(plan.writes[0].slice.trigger_time(), service().created);
}

#[test]
fn other_annotations_stay_beside_the_time() {
    let annotations = Annotations::new([("team", "a"), (TRIGGER_TIME, "1970-01-01T00:00:07Z")]);
    let before = Slice { annotations, ..slice("web-a", [&pod(1)]) };
    let all = with_slices([before], snapshot(service(), vec![since(1, 1000), since(2, 1010)]));
    let plan = selector::plan(&SelectorSnapshot { memory: memory(vec![since(1, 1000)]), ..all });
    let expected = [("team", "a"), (TRIGGER_TIME, "1970-01-01T00:16:50Z")];
    assert_eq!(only(&plan).annotations, Annotations::new(expected));
}
