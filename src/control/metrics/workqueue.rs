//! Metrics of the work queues, as every client-go controller has them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, Result, exponential_buckets,
};

/// What is asked of a queue when metrics are scraped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct QueueFigures {
    /// Sum over the keys in hand of the time that each has been there.
    pub unfinished: Duration,
    /// The longest of these.
    pub longest: Duration,
    /// Keys in backoff.
    pub in_backoff: usize,
}

/// Asks a queue for its figures; `None` once the queue is gone.
pub type SampleQueue = Box<dyn Fn() -> Option<QueueFigures> + Send + Sync>;

/// What one queue counts, with its label children at hand.
#[derive(Clone)]
pub struct QueueMetrics {
    depth: IntGauge,
    adds: IntCounter,
    retries: IntCounter,
    waited: Histogram,
    worked: Histogram,
}

impl QueueMetrics {
    /// So many keys wait.
    pub fn depth(&self, keys: usize) {
        self.depth.set(keys as i64);
    }

    /// A key that did not wait yet is wanted.
    pub fn added(&self) {
        self.adds.inc();
    }

    /// A key is wanted later.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// A key was handed out after having waited so long.
    pub fn handed_out(&self, waited: Duration) {
        self.waited.observe(waited.as_secs_f64());
    }

    /// A key was given back after so long.
    pub fn finished(&self, worked: Duration) {
        self.worked.observe(worked.as_secs_f64());
    }
}

/// The `workqueue_*` families.
pub(crate) struct WorkqueueFamilies {
    depth: IntGaugeVec,
    adds: IntCounterVec,
    retries: IntCounterVec,
    waited: HistogramVec,
    worked: HistogramVec,
    in_hand: InHand,
}

impl WorkqueueFamilies {
    pub(crate) fn new(registry: &Registry) -> Result<WorkqueueFamilies> {
        let label = ["name"];
        let buckets = exponential_buckets(1e-8, 10.0, 10)?;
        let seconds = |name, help| HistogramOpts::new(name, help).buckets(buckets.clone());
        let families = WorkqueueFamilies {
            depth: IntGaugeVec::new(
                Opts::new("workqueue_depth", "Keys that wait in the work queue"),
                &label,
            )?,
            adds: IntCounterVec::new(
                Opts::new("workqueue_adds_total", "Keys that were added to the work queue"),
                &label,
            )?,
            retries: IntCounterVec::new(
                Opts::new("workqueue_retries_total", "Delayed adds to the work queue, retries among them"),
                &label,
            )?,
            waited: HistogramVec::new(
                seconds("workqueue_queue_duration_seconds", "How long a key waited in the work queue"),
                &label,
            )?,
            worked: HistogramVec::new(
                seconds("workqueue_work_duration_seconds", "How long the work on a key took"),
                &label,
            )?,
            in_hand: InHand::new(&label)?,
        };
        registry.register(Box::new(families.depth.clone()))?;
        registry.register(Box::new(families.adds.clone()))?;
        registry.register(Box::new(families.retries.clone()))?;
        registry.register(Box::new(families.waited.clone()))?;
        registry.register(Box::new(families.worked.clone()))?;
        registry.register(Box::new(families.in_hand.clone()))?;
        Ok(families)
    }

    pub(crate) fn queue(&self, name: &str) -> QueueMetrics {
        QueueMetrics {
            depth: self.depth.with_label_values(&[name]),
            adds: self.adds.with_label_values(&[name]),
            retries: self.retries.with_label_values(&[name]),
            waited: self.waited.with_label_values(&[name]),
            worked: self.worked.with_label_values(&[name]),
        }
    }

    pub(crate) fn sample(&self, name: &str, sample: Arc<SampleQueue>) {
        self.in_hand.queues.lock().push(Sampled {
            sample,
            unfinished: self.in_hand.unfinished.with_label_values(&[name]),
            longest: self.in_hand.longest.with_label_values(&[name]),
        });
    }
}

// The two gauges of work in progress are computed when they are asked for, where client-go sets
// them twice a second.
#[derive(Clone)]
struct InHand {
    unfinished: GaugeVec,
    longest: GaugeVec,
    queues: Arc<Mutex<Vec<Sampled>>>,
}

struct Sampled {
    sample: Arc<SampleQueue>,
    unfinished: Gauge,
    longest: Gauge,
}

impl InHand {
    fn new(label: &[&str]) -> Result<InHand> {
        Ok(InHand {
            unfinished: GaugeVec::new(
                Opts::new(
                    "workqueue_unfinished_work_seconds",
                    "Seconds that the keys in hand have been worked on, summed up; what grows without end is stuck",
                ),
                label,
            )?,
            longest: GaugeVec::new(
                Opts::new(
                    "workqueue_longest_running_processor_seconds",
                    "Seconds that the longest of the keys in hand has been worked on",
                ),
                label,
            )?,
            queues: Arc::default(),
        })
    }
}

impl Collector for InHand {
    fn desc(&self) -> Vec<&Desc> {
        self.unfinished.desc().into_iter().chain(self.longest.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for queue in self.queues.lock().iter() {
            let figures = (queue.sample)().unwrap_or_default();
            queue.unfinished.set(figures.unfinished.as_secs_f64());
            queue.longest.set(figures.longest.as_secs_f64());
        }
        self.unfinished.collect().into_iter().chain(self.longest.collect()).collect()
    }
}
