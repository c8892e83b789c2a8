//! Makes readiness changes at a steady rate and checks each one that the API server acknowledged:
//! when did a slice event show it, and was any lost?

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::observer::Observer;
use crate::support::api::Api;
use crate::support::bulk::{Bulk, BulkPod};
use crate::support::pods::condition;

/// How many requests may be unanswered at once.
const IN_FLIGHT: usize = 64;
/// How long a change may take to be seen before it counts as lost.
const SEEN_WITHIN: Duration = Duration::from_secs(120);

/// The rate and the time.
#[derive(Debug, Clone, Copy)]
pub struct Changes {
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
    /// The latency that this share of the changes did not exceed.
    pub fn percentile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }
}

struct Acknowledged {
    address: String,
    ready: bool,
    at: Instant,
}

/// Makes the changes, each on the Pod whose last change is longest ago.
pub async fn make_changes(api: &Api, observer: &Observer, bulk: &Bulk, rate: Changes) -> Outcome {
    let mut pods: Vec<&BulkPod> = bulk.pods.iter().collect();
    pods.shuffle(&mut StdRng::seed_from_u64(rate.seed));
    let total = (u64::from(rate.per_second) * rate.seconds) as usize;
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut requests = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.per_second.max(1));
    let started = Instant::now();
    for number in 0..total {
        ticks.tick().await;
        let pod = pods[number % pods.len()].clone();
        if number >= pods.len() {
            // This Pod had a change before: two at once could not be told apart.
            seen(observer, &pod.address, ready_after(number - pods.len(), pods.len())).await;
        }
        let ready = ready_after(number, pods.len());
        let slot = slots.clone().acquire_owned().await.expect("the semaphore stays open");
        let api = api.clone();
        requests.spawn(async move {
            let answer = set_ready(&api, &pod, ready).await;
            drop(slot);
            answer.map(|()| Acknowledged { address: pod.address, ready, at: Instant::now() })
        });
    }
    let mut outcome = Outcome::default();
    let mut acknowledged = Vec::with_capacity(total);
    while let Some(answer) = requests.join_next().await {
        acknowledged.extend(answer.expect("the task of a change"));
    }
    outcome.took = started.elapsed();
    outcome.answered = acknowledged.len();
    for change in &acknowledged {
        judge(observer, change, &mut outcome).await;
    }
    outcome.latencies.sort();
    outcome
}

/// A Pod starts ready, and each round over all Pods turns it.
fn ready_after(number: usize, pods: usize) -> bool {
    (number / pods) % 2 == 1
}

async fn judge(observer: &Observer, change: &Acknowledged, outcome: &mut Outcome) {
    match seen(observer, &change.address, change.ready).await {
        Some(at) => outcome.latencies.push(at.saturating_duration_since(change.at)),
        None => outcome.lost += 1,
    }
}

/// Waits until the address is published with this readiness; since when it is.
async fn seen(observer: &Observer, address: &str, ready: bool) -> Option<Instant> {
    let started = Instant::now();
    loop {
        if let Some((now, since)) = observer.ready(address)
            && now == ready
        {
            return Some(since);
        }
        if started.elapsed() > SEEN_WITHIN {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// `None` when the API server refused: such a change promises nothing.
async fn set_ready(api: &Api, pod: &BulkPod, ready: bool) -> Option<()> {
    let path = format!("/api/v1/namespaces/{}/pods/{}/status", pod.namespace, pod.name);
    let conditions = json!([condition("Ready", ready), condition("ContainersReady", ready)]);
    api.patch(&path, &json!({"status": {"conditions": conditions}})).await.ok().map(drop)
}
