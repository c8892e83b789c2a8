//! Makes readiness changes at a steady rate and checks each one that the API server acknowledged:
//! when did a slice event show it, and was any lost?

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::json;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::observer::Observer;
use crate::support::api::Api;
use crate::support::bulk::BulkPod;
use crate::support::pods::condition;

/// How many requests may be unanswered at once.
const IN_FLIGHT: usize = 64;
/// How long a change may take to be seen before it counts as lost.
const SEEN_WITHIN: Duration = Duration::from_secs(180);
/// What is not seen so soon is counted apart.
const SOON: Duration = Duration::from_secs(30);

/// The rate and the time.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub per_second: u32,
    pub seconds: u64,
    pub seed: u64,
}

/// What became of the changes.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Changes that the API server acknowledged.
    pub answered: usize,
    /// Of these, how many no slice ever showed.
    pub lost: usize,
    /// From the answered change to the slice event, sorted.
    pub latencies: Vec<Duration>,
    /// How long making them took: longer than asked for means that the API server is the bottleneck.
    pub took: Duration,
}

impl Outcome {
    /// One change more: when it was answered, and when it was seen.
    pub fn add(&mut self, answered: Instant, seen: Option<Instant>) {
        self.answered += 1;
        match seen {
            Some(at) => self.latencies.push(at.saturating_duration_since(answered)),
            None => self.lost += 1,
        }
    }

    /// The latency that this share of the changes did not exceed.
    pub fn percentile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }

    /// How many were not seen within half a minute.
    pub fn late(&self) -> usize {
        self.lost + self.latencies.iter().filter(|latency| **latency > SOON).count()
    }
}

/// Makes the changes, each on the Pod whose last change is longest ago and was seen. The Pods are ready
/// before.
pub async fn make_changes(api: &Api, observer: &Arc<Observer>, pods: &[&BulkPod], rate: Rate) -> Outcome {
    let mut pods: Vec<(BulkPod, Arc<Mutex<bool>>)> =
        pods.iter().map(|pod| ((*pod).clone(), Arc::new(Mutex::new(true)))).collect();
    pods.shuffle(&mut StdRng::seed_from_u64(rate.seed));
    let total = (u64::from(rate.per_second) * rate.seconds) as usize;
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut changes = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.per_second.max(1));
    let started = Instant::now();
    for number in 0..total {
        ticks.tick().await;
        let (pod, ready) = pods[number % pods.len()].clone();
        let (api, observer, slots) = (api.clone(), Arc::clone(observer), Arc::clone(&slots));
        changes.spawn(async move {
            // Two changes of one Pod at once could not be told apart.
            let mut ready = ready.lock().await;
            let slot = slots.acquire_owned().await.expect("the semaphore stays open");
            set_ready(&api, &pod, !*ready).await?;
            let answered = Instant::now();
            drop(slot);
            *ready = !*ready;
            Some((answered, seen(&observer, &pod.address, Some(*ready)).await))
        });
    }
    let took = started.elapsed();
    let mut outcome = Outcome { took, ..Outcome::default() };
    while let Some(change) = changes.join_next().await {
        // Refused: such a change promises nothing.
        if let Some((answered, seen)) = change.expect("the task of a change") {
            outcome.add(answered, seen);
        }
    }
    outcome.latencies.sort();
    // Whoever measures next finds all Pods ready.
    let mut back = JoinSet::new();
    for (pod, ready) in pods {
        if !*ready.lock().await {
            let (api, observer) = (api.clone(), Arc::clone(observer));
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore stays open");
            back.spawn(async move {
                let _slot = slot;
                set_ready(&api, &pod, true).await.expect("a Pod is made ready again");
                seen(&observer, &pod.address, Some(true)).await
            });
        }
    }
    while let Some(seen) = back.join_next().await {
        seen.expect("the task of a change").expect("a Pod that is ready again is published so");
    }
    outcome
}

/// Waits until the address is published with this readiness, or (`None`) nowhere; since when it is.
pub async fn seen(observer: &Observer, address: &str, wanted: Option<bool>) -> Option<Instant> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        match (observer.ready(address), wanted) {
            (Some((ready, since)), Some(wanted)) if ready == wanted => return Some(since),
            (None, None) => return Some(Instant::now()),
            _ => {}
        }
        if started.elapsed() > SEEN_WITHIN {
            return None;
        }
        // When it was seen is the observer's to know: asking seldom costs no precision.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// `None` when the API server refused.
pub async fn set_ready(api: &Api, pod: &BulkPod, ready: bool) -> Option<()> {
    let path = format!("/api/v1/namespaces/{}/pods/{}/status", pod.namespace, pod.name);
    let conditions = json!([condition("Ready", ready), condition("ContainersReady", ready)]);
    api.patch(&path, &json!({"status": {"conditions": conditions}})).await.ok().map(drop)
}
