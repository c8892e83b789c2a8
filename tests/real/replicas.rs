//! Two replicas and one Lease: the other one takes over when the leader ends, dies or freezes, and
//! there are never two that write.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::Value;

use crate::stage;
use crate::support::pods::service;
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, Stage, World, eventually};

const SERVICES: usize = 500;
const A_SECOND: Duration = Duration::from_secs(1);
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/endpointslice-controller";
/// Short, so that tests are; as the flags say it.
const SHORT: [&str; 3] = [
    "--leader-elect-lease-duration=3s",
    "--leader-elect-renew-deadline=2s",
    "--leader-elect-retry-period=500ms",
];
/// From the death of a leader on: its lease runs out, and the other one tries again.
const SHORT_LEASE: Duration = Duration::from_millis(3500);
const DEFAULTS: [&str; 1] = ["--leader-elect=true"];
const DEFAULT_LEASE: Duration = Duration::from_secs(17);
/// For a machine that is busy with other tests.
const TOLERANCE: Duration = Duration::from_secs(3);

/// A leader and a standby with synced caches, and a namespace that the leader has filled.
struct Replicas {
    world: World,
    consumer: Consumer,
    leader: Controller,
    standby: Controller,
}

impl Replicas {
    async fn start(stage: &dyn Stage, flags: &[&str]) -> Replicas {
        let world = World::new(stage, "replicas").await;
        let addresses = world.pods("web", 3, 1).await;
        stream::iter(0..SERVICES)
            .for_each_concurrent(12, |number| {
                let world = &world;
                let app = if number == 0 { "web" } else { "nobody" };
                let new = service(&format!("web-{number}"), app).port("http", 80, "8080");
                async move { drop(world.service(new).await) }
            })
            .await;
        let leader = Controller::launch(stage, flags);
        eventually("the first replica leads", SOON, || async {
            if leads(&leader) { Ok(()) } else { Err(leader.log()) }
        })
        .await;
        leader.ready().await;
        let standby = Controller::start(stage, flags).await;
        leader.settled().await;
        world.wait_addresses("web-0", &addresses).await;
        assert_eq!(world.all_slices().await.len(), SERVICES);
        let consumer = Consumer::follow(&world).await;
        consumer.promise("web-0", &addresses, &[Some("http")]);
        assert!(!leads(&standby), "{}", standby.log());
        Replicas { world, consumer, leader, standby }
    }

    /// Changes a Pod, and answers how long it took until a slice was written.
    async fn written_after(&self, pod: &str, ready: bool, deadline: Duration) -> Duration {
        self.consumer.forget_writes();
        self.world.set_ready(pod, ready).await;
        let started = Instant::now();
        while self.consumer.writes().is_empty() {
            assert!(started.elapsed() < deadline, "not written by the other one within {deadline:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        started.elapsed()
    }

    /// Exactly one slice was updated once, and the address is as it should be.
    async fn right(&self, address: &str, ready: bool) {
        self.consumer.quiet(A_SECOND, SOON).await;
        let counts = self.consumer.counts();
        assert_eq!(
            (counts.created, counts.updated, counts.deleted),
            (0, 1, 0),
            "{:?}",
            self.consumer.writes()
        );
        let published = self.world.published("web-0").await;
        assert!(published.iter().any(|p| p.address == address && p.ready == ready), "{published:?}");
        self.consumer.assert_never_absent();
    }
}

fn leads(controller: &Controller) -> bool {
    controller.log().contains("took the lease, leading")
}

async fn lease(stage: &dyn Stage) -> Value {
    stage.api().get(LEASE).await.expect("the Lease")["spec"].clone()
}

#[tokio::test]
async fn a_leader_that_is_told_to_end_hands_over_at_once() {
    let Some(stage) = stage::exclusive().await else { return };
    let Replicas { world, consumer, mut leader, standby } = Replicas::start(&stage, &DEFAULTS).await;
    let first = lease(&stage).await;
    leader.process().signal("TERM");
    let replicas =
        Replicas { world, consumer, leader: standby, standby: Controller::start(&stage, &DEFAULTS).await };
    assert_eq!(leader.exit(A_SECOND).await, 0);
    drop(leader);

    // Again, now with a change at that moment.
    eventually("the second replica leads", SOON, || async {
        if leads(&replicas.leader) { Ok(()) } else { Err(replicas.leader.log()) }
    })
    .await;
    replicas.leader.settled().await;
    replicas.leader.process().signal("TERM");
    let took = replicas.written_after("web-0", false, Duration::from_secs(3)).await;
    println!("SIGTERM: written by the other one after {} ms", took.as_millis());
    replicas.right("10.1.0.1", false).await;
    let last = lease(&stage).await;
    assert_ne!(first["holderIdentity"], last["holderIdentity"]);
    assert_eq!(last["leaseTransitions"].as_u64(), first["leaseTransitions"].as_u64().map(|n| n + 2));
    let Replicas { mut leader, .. } = replicas;
    assert_eq!(leader.exit(A_SECOND).await, 0);
}

#[tokio::test]
async fn a_leader_that_is_killed_is_replaced_when_its_lease_has_run_out() {
    let Some(stage) = stage::exclusive().await else { return };
    let Replicas { world, consumer, leader, standby } = Replicas::start(&stage, &DEFAULTS).await;
    leader.kill();
    let again = Controller::start(&stage, &DEFAULTS).await;
    let replicas = Replicas { world, consumer, leader: standby, standby: again };
    let took = replicas.written_after("web-1", false, DEFAULT_LEASE + TOLERANCE).await;
    println!("SIGKILL, default durations: written by the other one after {:.2} s", took.as_secs_f64());
    assert!(leads(&replicas.leader) != leads(&replicas.standby), "exactly one of them leads");
    replicas.right("10.1.0.2", false).await;
}

#[tokio::test]
async fn a_leader_that_is_killed_is_replaced_within_short_durations_too() {
    let Some(stage) = stage::exclusive().await else { return };
    let Replicas { world, consumer, leader, standby } = Replicas::start(&stage, &SHORT).await;
    let killed = Instant::now();
    leader.kill();
    let replicas = Replicas { world, consumer, leader: standby, standby: Controller::launch(&stage, &SHORT) };
    replicas.written_after("web-1", false, SHORT_LEASE + TOLERANCE).await;
    println!("SIGKILL, lease of 3 s: written by the other one after {:.2} s", killed.elapsed().as_secs_f64());
    replicas.right("10.1.0.2", false).await;
}

#[tokio::test]
async fn a_leader_that_froze_is_replaced_and_ends_without_a_write_when_it_thaws() {
    let Some(stage) = stage::exclusive().await else { return };
    let mut replicas = Replicas::start(&stage, &SHORT).await;
    replicas.leader.freeze();
    // The frozen one finds this change, and the next, in its streams when it thaws.
    let took = replicas.written_after("web-0", false, SHORT_LEASE + TOLERANCE).await;
    println!("SIGSTOP, lease of 3 s: written by the other one after {:.2} s", took.as_secs_f64());
    assert!(leads(&replicas.standby));
    replicas.right("10.1.0.1", false).await;
    // A state that the frozen one would write back if it could: it has not seen this slice change.
    let slice = replicas.world.slices("web-0").await.remove(0);
    replicas.consumer.release("web-0", &["10.1.0.3".to_string()]);
    replicas.world.delete("pods", "web-2").await;
    replicas.world.wait_addresses("web-0", &["10.1.0.1".to_string(), "10.1.0.2".to_string()]).await;
    let standing = replicas.world.versions().await;
    assert_ne!(standing.get(slice["metadata"]["name"].as_str().unwrap_or_default()), None);
    let holder = lease(&stage).await["holderIdentity"].clone();

    replicas.consumer.caught_up().await;
    replicas.consumer.forget_writes();
    let asked = stage::writes_asked(&stage).await;
    replicas.leader.thaw();
    assert_eq!(replicas.leader.exit(Duration::from_secs(5)).await, 1, "{}", replicas.leader.log());
    replicas.consumer.caught_up().await;
    assert_eq!(replicas.consumer.writes(), [], "the frozen one wrote");
    assert_eq!(stage::writes_asked(&stage).await, asked, "the frozen one tried to write");
    assert_eq!(replicas.world.versions().await, standing);
    assert_eq!(lease(&stage).await["holderIdentity"], holder);
    let log = replicas.leader.log();
    assert!(log.contains("the lease is lost"), "{log}");
    assert!(replicas.standby.process_mut().exited().is_none());

    // The one that leads goes on.
    replicas.written_after("web-1", false, SOON).await;
    replicas.right("10.1.0.2", false).await;
}
