//! What went wrong in the selector loop upstream, played from its first step to its last against an
//! API server in memory: a stream that is late, a garbage collector that is quick, a cluster that is
//! large. The table of all of it is `tests/corpus.md`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use endpointslice_controller::control::write::WriteError;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::Operation;
use tokio::time::{Instant, sleep};

use crate::api::{Api, Fault};
use crate::build::{by_name, container_ports, node, pod, pods, service, service_port};
use crate::selector::ips;
use crate::world::{World, config, world, world_with};

fn ready_at(n: usize, ready: bool, second: i64) -> Pod {
    Pod { ready, ready_since: Some(Time::from_secs(second)), ..pod(n) }
}

/// A Service with these Pods, published, and the stream is up to date.
async fn published(numbers: std::ops::Range<usize>) -> World {
    let world = world();
    pods(numbers).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    world
}

/// The step that upstream stumbled over: the answer of a write comes when its Service has been deleted,
/// its slice collected and shown as deleted, and the Service made again.
#[tokio::test(start_paused = true)]
async fn issue_141592_an_answer_that_comes_after_its_slice_was_collected_holds_up_nobody() {
    let world = published(0..3).await;
    let old = world.slices("web").remove(0);
    world.api.state.lock().late = Some(Duration::from_secs(2));
    world.pod(ready_at(1, false, 3000));
    sleep(Duration::from_millis(10)).await;
    assert!(world.slices("web")[0].version > old.version, "stored and shown, not yet answered");
    world.no_service(&service());
    pods(0..3).iter().for_each(|pod| world.no_pod(pod));
    world.api.edit(&old.key, |_| None);
    pods(0..3).into_iter().for_each(|pod| world.pod(Pod { uid: Uid::new(&pod.key.name), ..pod }));
    let again = Service { uid: Uid::new("again"), ..service() };
    world.service(again.clone());
    sleep(Duration::from_secs(3)).await;
    let slices = world.slices("web");
    assert_eq!(slices.len(), 1);
    assert!(slices[0].owners.iter().all(|owner| owner.uid == again.uid) && slices[0].uid != old.uid);
    assert_eq!(world.addresses("web"), ips(0..3));
    world.pod(pod(7));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.addresses("web"), ips([0, 1, 2, 7]), "and so it goes on");
    world.assert_no_friction();
}

/// The Service is recreated before the garbage collector has seen to its slices; the collector then
/// comes first, second or last, and each time its events are late.
#[tokio::test(start_paused = true)]
async fn issue_94720_a_service_recreated_before_its_slices_are_collected_gets_new_ones() {
    for collector in ["before the Service is back", "before our first sync of it", "afterwards"] {
        let world = published(0..3).await;
        let old = world.slices("web").remove(0);
        world.api.state.lock().hold = true;
        world.no_service(&service());
        if collector == "before the Service is back" {
            world.api.edit(&old.key, |_| None);
        }
        let again = Service { uid: Uid::new("again"), ..service() };
        world.service(again.clone());
        if collector == "before our first sync of it" {
            world.api.edit(&old.key, |_| None);
        }
        sleep(Duration::from_millis(100)).await;
        let orphan = |slice: &Slice| slice.owners.iter().all(|owner| owner.uid != again.uid);
        if collector == "afterwards" && world.api.slices().iter().any(|s| s.key == old.key && orphan(s)) {
            world.api.edit(&old.key, |_| None);
        }
        world.api.state.lock().hold = false;
        world.api.deliver(usize::MAX);
        world.settle().await;
        let slices = world.slices("web");
        assert_eq!(slices.len(), 1, "{collector}");
        assert!(slices[0].owners.iter().all(|owner| owner.uid == again.uid), "{collector}");
        assert_ne!(slices[0].uid, old.uid, "{collector}: not adopted");
        assert_eq!(world.addresses("web"), ips(0..3), "{collector}");
        assert_eq!(world.syncs("error"), 0.0, "{collector}");
    }
}

/// Create, then another change of the same Service before the stream has shown what was created.
#[tokio::test(start_paused = true)]
async fn issue_100033_a_change_before_the_stream_shows_the_first_create_makes_no_second_slice() {
    let world = world();
    world.api.state.lock().hold = true;
    world.pod(pod(1));
    world.service(service());
    sleep(Duration::from_millis(10)).await;
    assert_eq!(world.api.slices().len(), 1, "the first sync has created");
    world.service(Service { labels: Labels::new([("a", "b")]), ..service() });
    sleep(Duration::from_millis(10)).await;
    world.pod(pod(2));
    sleep(Duration::from_millis(10)).await;
    assert_eq!(world.addresses("web"), ips(1..3), "the later syncs have updated what was created");
    let log: Vec<Operation> = world.api.state.lock().log.iter().map(|(operation, _)| *operation).collect();
    assert_eq!(log, [Operation::Create, Operation::Update, Operation::Update]);
    world.api.deliver(usize::MAX);
    world.settle().await;
    assert_eq!(world.api.writes(), 3, "what the stream shows late is no news");
    world.assert_no_friction();
}

/// `kubectl rollout restart`: every Pod is replaced one by one, and the stream of slices is always
/// some events behind.
#[tokio::test(start_paused = true)]
async fn issue_92928_a_rollout_while_the_stream_lags_meets_no_conflict_and_warns_nobody() {
    let world = published(0..20).await;
    world.api.state.lock().hold = true;
    for n in 0..20 {
        let (old, new) = (pod(n), ready_at(100 + n, false, 3000 + n as i64));
        world.pod(new.clone());
        sleep(Duration::from_millis(3)).await;
        world.pod(Pod { ready: true, ..new });
        world.pod(Pod { terminating: true, ..old.clone() });
        sleep(Duration::from_millis(3)).await;
        world.no_pod(&old);
        if n % 5 == 0 {
            world.api.deliver(2);
        }
    }
    sleep(Duration::from_millis(100)).await;
    assert!(world.api.state.lock().pending.len() > 20, "the stream is far behind");
    assert_eq!(world.addresses("web"), ips(100..120));
    world.assert_no_friction();
    world.api.deliver(usize::MAX);
    world.settle().await;
    assert_eq!(world.addresses("web"), ips(100..120));
    world.assert_no_friction();
}

/// Two Pods whose named port is at different numbers become ready one just after the other: upstream
/// made a slice for the first of them twice.
#[tokio::test(start_paused = true)]
async fn issue_93374_pods_that_become_ready_together_are_in_one_slice_each() {
    let world = world();
    world.api.state.lock().hold = true;
    let mut named = service();
    named.ports = vec![service_port("http", 80, by_name("example"))];
    let at = |n: usize, number: i32, has_ip: bool| Pod {
        ports: container_ports(&[("example", number, Protocol::TCP)]),
        ips: if has_ip { pod(n).ips } else { Default::default() },
        has_ip,
        ready: has_ip,
        ..pod(n)
    };
    world.service(named);
    world.pod(at(1, 3000, false));
    world.pod(at(2, 3001, false));
    sleep(Duration::from_millis(5)).await;
    world.pod(at(1, 3000, true));
    sleep(Duration::from_millis(1)).await;
    world.pod(at(2, 3001, true));
    sleep(Duration::from_millis(1)).await;
    world.pod(Pod { ready_since: Some(Time::from_secs(3000)), ..at(1, 3000, true) });
    sleep(Duration::from_millis(5)).await;
    world.api.deliver(1);
    sleep(Duration::from_millis(5)).await;
    world.api.deliver(usize::MAX);
    world.settle().await;
    assert_eq!(world.addresses("web"), ips(1..3));
    assert_eq!(world.slices("web").len(), 2);
    world.assert_no_friction();
}

/// A slice is in the view that is not there any more: for the delete of a whole slice that is what
/// was wanted, and no reason to try again.
#[tokio::test(start_paused = true)]
async fn issue_141304_a_delete_that_finds_nothing_is_a_success() {
    let world = published(0..150).await;
    let leaving = world.slices("web").into_iter().find(|slice| slice.endpoints.len() == 50).unwrap();
    let gone: Vec<Arc<Endpoint>> = leaving.endpoints.clone();
    world.api.state.lock().hold = true;
    world.api.edit(&leaving.key, |_| None);
    let (synced, writes) = (world.syncs("success"), world.api.writes());
    for pod in pods(0..150) {
        let name = &pod.key.name;
        if gone.iter().any(|e| e.target_ref.as_ref().is_some_and(|target| target.name == *name)) {
            world.no_pod(&pod);
        }
    }
    sleep(Duration::from_secs(120)).await;
    let log = world.api.state.lock().log[writes..].to_vec();
    let deletes = log.iter().filter(|(operation, _)| *operation == Operation::Delete).count();
    assert_eq!(deletes, 1, "it was sent, met nothing, and was not sent again: {log:?}");
    assert!(world.syncs("success") > synced);
    assert_eq!((world.syncs("error"), world.syncs("stale")), (0.0, 0.0));
    assert_eq!(*world.events.0.lock(), Vec::<String>::new());
    world.api.deliver(usize::MAX);
    world.settle().await;
    assert_eq!(world.addresses("web").len(), 100);
}

/// hypershift met one refused address that ended the work on every Service behind it: here one
/// Service is refused for ever, and the other, whose key came later, does not wait.
#[tokio::test(start_paused = true)]
async fn hypershift_8264_a_service_that_is_refused_for_ever_does_not_stop_the_next() {
    let mut one_worker = config();
    one_worker.workers = 1;
    let world = world_with(Arc::new(Api::default()), one_worker);
    let message = "endpoints[0].addresses[0]: may not be in the link-local range".into();
    world.api.fail(Operation::Create, 1, Fault::Refuse(WriteError::Invalid { message }));
    world.pod(pod(1));
    world.service(service());
    let other = Service { key: Key::new("ns", "other"), uid: Uid::new("other"), ..service() };
    world.service(other);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(world.addresses("web"), ips([]), "refused");
    assert_eq!(world.addresses("other"), ips([1]));
    world.settle().await;
    assert_eq!(world.addresses("web"), ips([1]), "tried again");
}

/// The slices of a Service whose selector goes stay by design, and a metric says so.
#[tokio::test(start_paused = true)]
async fn issues_118376_and_91072_slices_of_a_removed_selector_stay_are_counted_and_used_again() {
    let world = published(0..3).await;
    let before = world.slices("web");
    let orphaned = || {
        world.controller.measure();
        world.metric("endpointslice_orphaned_slices", &[])
    };
    assert_eq!(orphaned(), 0.0);
    world.service(Service { selector: None, ..service() });
    world.no_pod(&pod(2));
    world.settle().await;
    assert_eq!(world.slices("web"), before, "untouched");
    assert_eq!(orphaned(), 1.0);
    world.service(service());
    world.settle().await;
    let after = world.slices("web");
    assert_eq!((after.len(), &after[0].uid), (1, &before[0].uid), "used again");
    assert_eq!(world.addresses("web"), ips(0..2));
    assert_eq!(orphaned(), 0.0);
}

/// Upstream the cloud controller sets the zone label after the Node, its Pods and their slices are there.
#[tokio::test(start_paused = true)]
async fn a_late_zone_label_reaches_the_endpoints_of_its_pods_and_their_hints() {
    let world = world();
    world.node(node("young", None));
    world.pod(Pod { node: Some("young".into()), ..pod(1) });
    world.pod(pod(2));
    world.service(Service { traffic_distribution: Some("PreferClose".into()), ..service() });
    world.settle().await;
    let of = |n: usize| {
        let slice = world.slices("web").remove(0);
        let mut all = slice.endpoints.iter();
        let found = all.find(|e| e.addresses.as_slice()[0] == crate::build::ipv4(n)).unwrap();
        let zones = found.hints.as_ref().map(|hints| hints.for_zones.clone()).unwrap_or_default();
        (found.zone.clone(), zones)
    };
    assert_eq!(of(1), (None, vec![]));
    let writes = world.api.writes();
    world.node(node("young", Some("zone-z")));
    sleep(Duration::from_millis(10)).await;
    assert_eq!(of(1), (Some("zone-z".into()), vec!["zone-z".into()]), "at once");
    assert_eq!(of(2), (Some("zone-a".into()), vec!["zone-a".into()]));
    assert_eq!(world.api.writes(), writes + 1);
    world.settle().await;
    assert_eq!(world.api.writes(), writes + 1);
}

/// A Node that is replaced under its name by one in another zone, with or without a moment without it.
#[tokio::test(start_paused = true)]
async fn a_replaced_node_has_the_endpoints_of_its_pods_planned_again() {
    for missed in [false, true] {
        let world = world();
        world.node(Node { uid: Uid::new("first"), ..node("spot", Some("zone-y")) });
        world.pod(Pod { node: Some("spot".into()), ..pod(1) });
        world.service(service());
        world.settle().await;
        let zone = || world.slices("web")[0].endpoints.iter().map(|e| e.zone.clone()).collect::<Vec<_>>();
        assert_eq!(zone(), [Some("zone-y".into())]);
        if !missed {
            world.no_node(&Node { uid: Uid::new("first"), ..node("spot", Some("zone-y")) });
            sleep(Duration::from_secs(1)).await;
            assert_eq!(zone(), [Some("zone-y".into())], "its Pods may well be alive");
        }
        let writes = world.api.writes();
        world.node(Node { uid: Uid::new("second"), ..node("spot", Some("zone-z")) });
        sleep(Duration::from_millis(10)).await;
        assert_eq!(zone(), [Some("zone-z".into())]);
        world.settle().await;
        assert_eq!(world.api.writes(), writes + 1);
    }
}

/// One changed Pod among a thousand Services is one sync, and one write where it matters.
#[tokio::test(start_paused = true)]
async fn issue_134739_one_pod_event_is_one_sync_however_many_services_there_are() {
    let world = world();
    for n in 0..1000 {
        let app = format!("app-{n}");
        let selector = Some(Labels::new([("app", app.as_str()), ("tier", "x")]));
        let key = Key::new("ns", format!("service-{n}"));
        world.service(Service { key, uid: Uid::new(&app), selector, ..service() });
    }
    world.settle().await;
    let syncs = || ["success", "stale", "error"].iter().map(|result| world.syncs(result)).sum::<f64>();
    let (before, writes) = (syncs(), world.api.writes());
    world.pod(Pod { labels: Labels::new([("app", "app-7"), ("tier", "x")]), ..pod(1) });
    sleep(Duration::from_secs(5)).await;
    assert_eq!((syncs() - before, world.api.writes() - writes), (1.0, 1));
    world.pod(Pod { labels: Labels::new([("app", "nobody"), ("tier", "x")]), ..pod(2) });
    sleep(Duration::from_secs(5)).await;
    assert_eq!(
        (syncs() - before, world.api.writes() - writes),
        (1.0, 1),
        "who is selected by nobody wakes nobody"
    );
}

/// Upstream two delays were used, each in some places. Here: what changes a Service is answered at
/// once, what changes a Pod after the batch period, what others do to slices after that, too, but not
/// before a second (the mirroring loop: after its own batch period).
#[tokio::test(start_paused = true)]
async fn issue_116011_each_kind_of_change_waits_as_long_as_the_flags_say() {
    let ms = Duration::from_millis;
    for (batch, pod_after, slice_after) in
        [(ms(0), ms(0), ms(1000)), (ms(500), ms(500), ms(1000)), (ms(3000), ms(3000), ms(3000))]
    {
        let mut config = config();
        config.batch_period = batch;
        config.mirroring_batch_period = batch;
        let world = world_with(Arc::new(Api::default()), config);
        world.service(service());
        assert_eq!(waited(&world).await, ms(0), "a Service");
        world.settle().await;
        world.pod(pod(1));
        assert_eq!(waited(&world).await, pod_after, "a Pod, {batch:?}");
        world.settle().await;
        let slice = world.slices("web").remove(0);
        world.api.edit(&slice.key, |slice| Some(Slice { endpoints: Vec::new(), ..slice }));
        assert_eq!(waited(&world).await, slice_after, "a slice, {batch:?}");
        world.settle().await;
        world.pod(pod(2));
        world.service(Service { labels: Labels::new([("a", "b")]), ..service() });
        assert_eq!(waited(&world).await, ms(0), "a Service whose Pod is still waiting");

        let by_hand = crate::mirroring::by_hand();
        let other = Key::new("ns", "other");
        world.service(Service { key: other.clone(), uid: Uid::new("other"), ..by_hand });
        world.endpoints(Endpoints { key: other, ..crate::mirroring::endpoints(&["10.1.0.1"]) });
        assert_eq!(waited(&world).await, ms(0), "Endpoints");
        world.settle().await;
        let slice = world.slices("other").remove(0);
        world.api.edit(&slice.key, |slice| Some(Slice { endpoints: Vec::new(), ..slice }));
        assert_eq!(waited(&world).await, batch, "a mirrored slice, {batch:?}");
    }
}

/// A tenant whose every write is refused, and who changes without end, beside one that is well: no
/// worker waits for the first, however many Services he has.
#[tokio::test(start_paused = true)]
async fn one_tenant_whose_services_all_fail_does_not_hold_up_another() {
    let mut one_worker = config();
    one_worker.workers = 1;
    let world = world_with(Arc::new(Api::default()), one_worker);
    let refused = WriteError::Refused { code: 403, reason: "Forbidden".into(), message: "quota".into() };
    world.api.fail_in("bad", Fault::Refuse(refused));
    for n in 0..100 {
        let key = Key::new("bad", format!("service-{n}"));
        world.service(Service { key, uid: Uid::new(&format!("bad-{n}")), ..service() });
    }
    for n in 0..50 {
        world.pod(Pod { key: Key::new("bad", format!("pod-{n}")), ..pod(1000 + n) });
    }
    world.service(service());
    sleep(Duration::from_secs(300)).await;
    for round in 0..4 {
        for n in 0..50 {
            let key = Key::new("bad", format!("pod-{n}"));
            world.pod(Pod { key, ready: round % 2 == 0, ..pod(1000 + n) });
        }
        world.pod(pod(round));
        let began = Instant::now();
        while !world.addresses("web").contains(&crate::build::ipv4(round)) {
            assert!(began.elapsed() < Duration::from_secs(1), "round {round}");
            sleep(Duration::from_millis(1)).await;
        }
    }
    let failed = world.api.state.lock().log.iter().filter(|(_, key)| *key.namespace == *"bad").count();
    assert!(failed > 100 && world.syncs("error") > 100.0, "the others did fail: {failed}");
}

/// How long it takes until the next write, to the tenth of a second.
async fn waited(world: &World) -> Duration {
    let (began, before) = (Instant::now(), world.api.writes());
    while world.api.writes() == before {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is written");
        sleep(Duration::from_millis(1)).await;
    }
    let tenths = (began.elapsed().as_millis() as u64 + 50) / 100;
    Duration::from_millis(tenths * 100)
}
