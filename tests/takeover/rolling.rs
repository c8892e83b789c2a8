//! A rolling update of ours: two replicas, a new one comes before an old one goes. While Pods change all
//! the time, the pause that whoever reads slices notices stays under half a second.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::scene::leads;
use crate::support::pods::{pod, service};
use crate::support::wait::SOON;
use crate::support::world::SERVICE_NAME;
use crate::support::{Consumer, Controller, World, eventually, real};

/// Each with a Pod of its own, so that every change is a write.
const SERVICES: usize = 20;
const CHURN: Duration = Duration::from_millis(25);
const ROLLS: usize = 3;
const NOTICED: Duration = Duration::from_millis(500);
const DEFAULTS: [&str; 1] = ["--leader-elect=true"];

/// What happened to the slice of which Service, and when.
#[derive(Default)]
struct Seen {
    /// A change was answered: the number of the Service, when it was sent, when the answer came.
    changed: Vec<(usize, Instant, Instant)>,
    /// A consumer saw its slice written.
    written: Vec<(usize, Instant)>,
}

impl Seen {
    /// The longest time from the answer of a change after `from` to the slice that a consumer sees; a
    /// change that it has not seen yet counts with the time that it waits already.
    fn longest_wait(&self, from: Instant) -> Duration {
        let waits =
            self.changed.iter().filter(|(_, sent, _)| *sent > from).map(|(service, sent, answered)| {
                let seen = self.written.iter().find(|(written, at)| written == service && at > sent);
                seen.map_or_else(Instant::now, |(_, at)| *at).saturating_duration_since(*answered)
            });
        waits.max().unwrap_or_default()
    }
}

type Shared = Arc<Mutex<Seen>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Seen> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Changes one Pod after the other, for ever.
async fn churn(world: World, shared: Shared) {
    let mut ready = false;
    loop {
        for number in 0..SERVICES {
            let sent = Instant::now();
            world.set_ready(&format!("app-{number}"), ready).await;
            lock(&shared).changed.push((number, sent, Instant::now()));
            tokio::time::sleep(CHURN).await;
        }
        ready = !ready;
    }
}

/// Follows the slices as a consumer does, for ever.
async fn follow(world: World, shared: Shared) {
    let path = world.path("endpointslices");
    let (_, version) = world.api().list_at(&path).await.expect("list slices");
    let mut events = world.api().watch(&path, &version, "").await.expect("watch slices");
    while let Some(Ok(event)) = events.next().await {
        let service = event.object["metadata"]["labels"][SERVICE_NAME].as_str().unwrap_or_default();
        let number = service.strip_prefix("app-").and_then(|number| number.parse().ok());
        if let Some(number) = number {
            lock(&shared).written.push((number, Instant::now()));
        }
    }
}

#[tokio::test]
async fn a_rolling_update_amid_changes_makes_no_pause_that_a_consumer_would_notice() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "rolling").await;
    world.pods("first", 1, 9).await;
    for number in 0..SERVICES {
        let app = format!("app-{number}");
        let address = format!("10.1.0.{}", number + 1);
        world.pod(pod(&app, &app, &address).on(&world.node_name("node"))).await;
        world.service(service(&app, &app).port("http", 80, "8080")).await;
    }
    let first = Controller::start(&stage, &DEFAULTS).await;
    eventually("the first replica leads", SOON, || async {
        if leads(&first) { Ok(()) } else { Err(first.log()) }
    })
    .await;
    first.settled().await;
    let mut replicas = vec![first, Controller::start(&stage, &DEFAULTS).await];
    let consumer = Consumer::follow(&world).await;
    for number in 0..SERVICES {
        consumer.promise(&format!("app-{number}"), &[format!("10.1.0.{}", number + 1)], &[Some("http")]);
    }
    let shared = Shared::default();
    let reader = tokio::spawn(follow(world.clone(), shared.clone()));
    let writer = tokio::spawn(churn(world.clone(), shared.clone()));
    eventually("changes are written", SOON, || async {
        if lock(&shared).written.is_empty() { Err("none yet".to_string()) } else { Ok(()) }
    })
    .await;

    let mut waits = Vec::new();
    for _ in 0..ROLLS {
        // A new one, then an old one goes, and the same again for the other: as with maxSurge 1 and
        // maxUnavailable 0.
        for _ in 0..2 {
            replicas.push(Controller::start(&stage, &DEFAULTS).await);
            let old = replicas.remove(0);
            let led = leads(&old);
            let told = Instant::now();
            assert_eq!(old.terminate(Duration::from_secs(1)).await, 0);
            // Changes go on, and those of the hand-over are behind us.
            eventually("every Service was changed and written after the hand-over", SOON, || async {
                let seen = lock(&shared);
                let after = |at: &Instant| *at > told + NOTICED;
                let written: BTreeSet<usize> =
                    seen.written.iter().filter(|(_, at)| after(at)).map(|(service, _)| *service).collect();
                if written.len() == SERVICES { Ok(()) } else { Err(format!("{} of them", written.len())) }
            })
            .await;
            let longest = lock(&shared).longest_wait(told);
            println!(
                "an old replica ends, it led: {led}; longest wait of a change {} ms",
                longest.as_millis()
            );
            waits.push((led, longest));
        }
    }
    assert!(!writer.is_finished() && !reader.is_finished());
    writer.abort();
    reader.abort();
    let mut noticed: Vec<Duration> = waits.iter().filter(|(led, _)| *led).map(|(_, wait)| *wait).collect();
    assert!(noticed.len() >= ROLLS, "too few of them led: {waits:?}");
    noticed.sort();
    // One of them may fall into a moment in which the machine has other things to do.
    assert!(noticed[noticed.len() / 2] <= NOTICED, "{waits:?}");
    assert!(waits.iter().all(|(_, wait)| *wait <= NOTICED * 4), "{waits:?}");
    consumer.assert_never_absent();
}
