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
    /// The longest time from a change that was sent in this time to the slice that a consumer sees: from
    /// its answer, and with the request itself. A change that it has not seen yet counts with the time
    /// that it waits already.
    fn longest(&self, from: Instant, until: Instant) -> (Duration, Duration) {
        let within = |sent: &Instant| *sent > from && *sent < until;
        let (mut wait, mut whole) = (Duration::ZERO, Duration::ZERO);
        for (service, sent, answered) in self.changed.iter().filter(|(_, sent, _)| within(sent)) {
            let seen = self.written.iter().find(|(written, at)| written == service && at > sent);
            let seen = seen.map_or_else(Instant::now, |(_, at)| *at);
            wait = wait.max(seen.saturating_duration_since(*answered));
            whole = whole.max(seen.saturating_duration_since(*sent));
        }
        (wait, whole)
    }
}

type Shared = Arc<Mutex<Seen>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Seen> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Waits until the slice of each Service was written after `start`.
async fn all_written(shared: &Shared, start: Instant) {
    eventually("every Service was changed and written", SOON, || async {
        let seen = lock(shared);
        let after = seen.written.iter().filter(|(_, at)| *at > start);
        let services: BTreeSet<usize> = after.map(|(service, _)| *service).collect();
        if services.len() == SERVICES { Ok(()) } else { Err(format!("{} of them", services.len())) }
    })
    .await;
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

    let mut waits = Vec::new();
    for _ in 0..ROLLS {
        // A new one, then an old one goes, and the same again for the other: as with maxSurge 1 and
        // maxUnavailable 0.
        for _ in 0..2 {
            replicas.push(Controller::start(&stage, &DEFAULTS).await);
            let start = Instant::now();
            all_written(&shared, start).await;
            let (_, calm) = lock(&shared).longest(start, Instant::now());
            let old = replicas.remove(0);
            let led = leads(&old);
            let told = Instant::now();
            assert_eq!(old.terminate(Duration::from_secs(1)).await, 0);
            all_written(&shared, told + NOTICED).await;
            let (longest, _) = lock(&shared).longest(told - NOTICED, Instant::now());
            println!(
                "an old replica ends, it led: {led}; longest wait of a change {} ms; before, with its request: {} ms",
                longest.as_millis(),
                calm.as_millis()
            );
            waits.push((led, longest, calm));
        }
    }
    assert!(!writer.is_finished() && !reader.is_finished());
    writer.abort();
    reader.abort();
    let led = waits.iter().filter(|(led, ..)| *led).count();
    assert!(led >= ROLLS, "too few of them led: {waits:?}");
    // A hand-over is a row of requests, some four times as many as a change needs. On a machine that is
    // busy with other things each of them takes longer, and the changes before show by how much.
    let too_long = waits.iter().filter(|(_, wait, calm)| *wait > NOTICED + *calm * 4).count();
    assert!(too_long <= 1, "{waits:?}");
    assert!(waits.iter().all(|(_, wait, _)| *wait <= NOTICED * 6), "{waits:?}");
    consumer.assert_never_absent();
}
