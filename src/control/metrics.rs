//! What the two loops count: the metrics of kube-controller-manager under its names, and our own.
//!
//! Every label child is made once and kept. Gauges that are sums over Services follow each Service's
//! share ([`shares`]), and exist only while this process leads.

mod shares;
mod workqueue;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{
    DEFAULT_BUCKETS, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts,
    Registry, Result, exponential_buckets,
};

use self::shares::{LoopShares, SyncState};
use self::workqueue::WorkqueueFamilies;
pub use self::workqueue::{QueueFigures, QueueMetrics, SampleQueue};
use crate::model::{Key, Loop, Refusal};
use crate::plan::{Figures, Operation};

/// How a sync ended: the label `result` of `endpoint_slice_controller_syncs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SyncResult {
    /// All is as it should be, or there was nothing to do.
    Success,
    /// The view was behind: planned again as soon as it has caught up.
    Stale,
    /// A write failed, or a Pod names a Node that is unknown.
    Error,
}

impl SyncResult {
    /// `success`, `stale` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            SyncResult::Success => "success",
            SyncResult::Stale => "stale",
            SyncResult::Error => "error",
        }
    }
}

/// All metrics of the control room.
pub struct ControlMetrics {
    selector: LoopMetrics,
    mirroring: LoopMetrics,
    queues: WorkqueueFamilies,
    state: SyncState,
    cache_objects: IntGaugeVec,
    cache_bytes: IntGaugeVec,
}

/// The metrics of one loop.
pub struct LoopMetrics {
    which: Loop,
    added: Histogram,
    removed: Histogram,
    changes: [IntCounter; 3],
    change_to_write: Histogram,
    failures: IntCounter,
    refused: [IntCounter; Refusals::ALL.len()],
    shares: LoopShares,
    own: OfOneLoop,
}

// The families in which each loop has a label of its own.
struct Shared<'a> {
    state: &'a SyncState,
    change_to_write: HistogramVec,
    failures: IntCounterVec,
    refused: IntCounterVec,
}

// What only one of the two loops has.
enum OfOneLoop {
    Selector { syncs: [IntCounter; 3], changed: ChangedPerSync },
    Mirroring { updated: Histogram, skipped: Histogram, duration: Histogram },
}

// `endpointslices_changed_per_sync`. Values of trafficDistribution come from the API server, which
// accepts three; children are made as they are seen.
struct ChangedPerSync {
    family: HistogramVec,
    children: Mutex<HashMap<(bool, String), Histogram>>,
}

struct Refusals;

impl Refusals {
    const ALL: [Refusal; 6] = [
        Refusal::Unparsable,
        Refusal::Zoned,
        Refusal::Unspecified,
        Refusal::Loopback,
        Refusal::LinkLocal,
        Refusal::LinkLocalMulticast,
    ];
}

// From the first unseen change to the acknowledged write, in seconds: from what a loopback write
// takes to what five minutes of an API server's absence make of it.
const CHANGE_TO_WRITE: [f64; 17] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

impl ControlMetrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// A family of the same name is registered already.
    pub fn new(registry: &Registry) -> Result<ControlMetrics> {
        let state = SyncState::new(registry)?;
        let change_to_write = HistogramVec::new(
            HistogramOpts::new(
                "endpointslice_change_to_write_seconds",
                "From the first change that no sync had seen to the acknowledged write that it led to",
            )
            .buckets(CHANGE_TO_WRITE.to_vec()),
            &["loop"],
        )?;
        registry.register(Box::new(change_to_write.clone()))?;
        let failures = IntCounterVec::new(
            Opts::new(
                "endpointslice_sync_failures_total",
                "Syncs after which something was left to write, and that are tried again",
            ),
            &["loop"],
        )?;
        registry.register(Box::new(failures.clone()))?;
        let refused = IntCounterVec::new(
            Opts::new(
                "endpointslice_addresses_refused_total",
                "Addresses left out, at each sync, because the API server would refuse them in an EndpointSlice",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(refused.clone()))?;
        let gauge = |name, help| -> Result<IntGaugeVec> {
            let family = IntGaugeVec::new(Opts::new(name, help), &["resource"])?;
            registry.register(Box::new(family.clone()))?;
            Ok(family)
        };
        let shared = Shared { state: &state, change_to_write, failures, refused };
        let selector = LoopMetrics::new(registry, Loop::Selector, &shared)?;
        let mirroring = LoopMetrics::new(registry, Loop::Mirroring, &shared)?;
        Ok(ControlMetrics {
            selector,
            mirroring,
            queues: WorkqueueFamilies::new(registry)?,
            state,
            cache_objects: gauge("endpointslice_cache_objects", "Objects that are kept in memory")?,
            cache_bytes: gauge(
                "endpointslice_cache_bytes",
                "Bytes of memory that kept objects take, estimated",
            )?,
        })
    }

    /// The metrics of this loop.
    pub fn of(&self, which: Loop) -> &LoopMetrics {
        match which {
            Loop::Selector => &self.selector,
            Loop::Mirroring => &self.mirroring,
        }
    }

    /// What the queue of this loop counts (`workqueue_*{name}`).
    pub fn queue(&self, which: Loop) -> QueueMetrics {
        self.queues.queue(queue_name(which))
    }

    /// Samples this queue at each scrape: work in hand and Services in backoff.
    pub fn sample_queue(&self, which: Loop, sample: SampleQueue) {
        let sample = Arc::new(sample);
        self.queues.sample(queue_name(which), Arc::clone(&sample));
        self.state.sample(which, sample);
    }

    /// Gauges of sync state are exported from now on, or no longer.
    pub fn set_leading(&self, leading: bool) {
        self.state.set_leading(leading);
    }

    /// How many objects of this resource (`pods`, `endpointslices`, …) are kept, and in how many bytes.
    pub fn set_cache(&self, resource: &str, objects: usize, bytes: usize) {
        self.cache_objects.with_label_values(&[resource]).set(objects as i64);
        self.cache_bytes.with_label_values(&[resource]).set(bytes as i64);
    }

    /// How many slices of ours have no Service with a selector (or no Endpoints) any more that this
    /// program would keep them for.
    pub fn set_orphaned(&self, slices: usize) {
        self.state.set_orphaned(slices);
    }
}

/// The name under which kube-controller-manager's queue of this loop is known in metrics.
pub fn queue_name(which: Loop) -> &'static str {
    match which {
        Loop::Selector => "endpoint_slice",
        Loop::Mirroring => "endpoint_slice_mirroring",
    }
}

impl LoopMetrics {
    fn new(registry: &Registry, which: Loop, shared: &Shared<'_>) -> Result<LoopMetrics> {
        let names = Names::of(which);
        let added = names.counts(registry, "endpoints_added_per_sync", "Endpoints added in one sync")?;
        let removed =
            names.counts(registry, "endpoints_removed_per_sync", "Endpoints removed in one sync")?;
        let changes = names.counters(registry, "changes", "Writes of EndpointSlices", "operation")?;
        let own = match which {
            Loop::Selector => {
                let syncs = names.counters(registry, "syncs", "Syncs by their result", "result")?;
                OfOneLoop::Selector {
                    syncs: [SyncResult::Success, SyncResult::Stale, SyncResult::Error]
                        .map(|result| syncs.with_label_values(&[result.as_str()])),
                    changed: ChangedPerSync::new(registry, &names)?,
                }
            }
            Loop::Mirroring => OfOneLoop::Mirroring {
                updated: names.counts(registry, "endpoints_updated_per_sync", "Endpoints updated in one sync")?,
                skipped: names.counts(
                    registry,
                    "addresses_skipped_per_sync",
                    "Addresses left out in one sync: invalid, or beyond the most that are mirrored of a subset",
                )?,
                duration: names.histogram(
                    registry,
                    "endpoints_sync_duration",
                    "Seconds that one sync took",
                    exponential_buckets(0.001, 2.0, 15)?,
                )?,
            },
        };
        Ok(LoopMetrics {
            which,
            added,
            removed,
            changes: [Operation::Create, Operation::Update, Operation::Delete]
                .map(|operation| changes.with_label_values(&[operation.as_str()])),
            change_to_write: shared.change_to_write.with_label_values(&[which.as_str()]),
            failures: shared.failures.with_label_values(&[which.as_str()]),
            refused: Refusals::ALL.map(|refusal| shared.refused.with_label_values(&[refusal.as_str()])),
            shares: shared.state.of(which),
            own,
        })
    }

    /// Counts a plan, before its writes are made.
    pub fn observe_sync(&self, key: &Key, figures: &Figures) {
        match &self.own {
            OfOneLoop::Selector { .. } => {
                for family in &figures.families {
                    self.added.observe(family.added as f64);
                    self.removed.observe(family.removed as f64);
                }
            }
            // The mirroring loop of kube-controller-manager observes both families in one.
            OfOneLoop::Mirroring { updated, skipped, .. } => {
                let sum = |of: fn(&crate::plan::FamilyFigures) -> usize| {
                    figures.families.iter().map(of).sum::<usize>() as f64
                };
                self.added.observe(sum(|family| family.added));
                updated.observe(sum(|family| family.updated));
                self.removed.observe(sum(|family| family.removed));
                skipped.observe(figures.skipped as f64);
            }
        }
        for (refusal, count) in &figures.refused {
            if let Some(at) = Refusals::ALL.iter().position(|known| known == refusal) {
                self.refused[at].inc_by(*count as u64);
            }
        }
        self.shares.set(key, figures);
    }

    /// The Service (or its Endpoints) is gone: it no longer counts in any sum.
    pub fn forget(&self, key: &Key) {
        self.shares.forget(key);
    }

    /// A write was acknowledged.
    pub fn wrote(&self, operation: Operation) {
        self.changes[operation as usize].inc();
    }

    /// All writes of one address type were acknowledged; so many slices were changed by them. Not to
    /// be called when one failed. The mirroring loop has no such metric.
    pub fn slices_changed(&self, figures: &Figures, slices: usize) {
        if let OfOneLoop::Selector { changed, .. } = &self.own {
            changed.observe(figures, slices);
        }
    }

    /// A sync ended, after so long. Each loop counts of this what kube-controller-manager does.
    pub fn synced(&self, result: SyncResult, took: Duration) {
        match &self.own {
            OfOneLoop::Selector { syncs, .. } => syncs[result as usize].inc(),
            OfOneLoop::Mirroring { duration, .. } => duration.observe(took.as_secs_f64()),
        }
    }

    /// A sync left something to write and is to be tried again. Unlike the result `error`, which
    /// kube-controller-manager counts for one loop only, and for Pods on unknown Nodes too.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// A change led to an acknowledged write after so long.
    pub fn change_written(&self, after: Duration) {
        self.change_to_write.observe(after.as_secs_f64());
    }

    /// The loop that is counted here.
    pub fn which(&self) -> Loop {
        self.which
    }
}

impl ChangedPerSync {
    fn new(registry: &Registry, names: &Names) -> Result<ChangedPerSync> {
        let family = HistogramVec::new(
            HistogramOpts::new(
                names.full("endpointslices_changed_per_sync"),
                "EndpointSlices changed in one sync of one address type",
            )
            .buckets(DEFAULT_BUCKETS.to_vec()),
            &["topology", "traffic_distribution"],
        )?;
        registry.register(Box::new(family.clone()))?;
        Ok(ChangedPerSync { family, children: Mutex::default() })
    }

    fn observe(&self, figures: &Figures, slices: usize) {
        let distribution = figures.traffic_distribution.as_deref().unwrap_or_default();
        let topology = if figures.topology_auto { "Auto" } else { "Disabled" };
        self.children
            .lock()
            .entry((figures.topology_auto, distribution.to_owned()))
            .or_insert_with(|| self.family.with_label_values(&[topology, distribution]))
            .observe(slices as f64);
    }
}

// Makes families under the subsystem of one loop.
struct Names(&'static str);

impl Names {
    fn of(which: Loop) -> Names {
        Names(match which {
            Loop::Selector => "endpoint_slice_controller",
            Loop::Mirroring => "endpoint_slice_mirroring_controller",
        })
    }

    fn full(&self, name: &str) -> String {
        format!("{}_{name}", self.0)
    }

    fn counts(&self, registry: &Registry, name: &str, help: &str) -> Result<Histogram> {
        self.histogram(registry, name, help, exponential_buckets(2.0, 2.0, 15)?)
    }

    fn histogram(&self, registry: &Registry, name: &str, help: &str, buckets: Vec<f64>) -> Result<Histogram> {
        let histogram = Histogram::with_opts(HistogramOpts::new(self.full(name), help).buckets(buckets))?;
        registry.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }

    fn counters(&self, registry: &Registry, name: &str, help: &str, label: &str) -> Result<IntCounterVec> {
        let family = IntCounterVec::new(Opts::new(self.full(name), help), &[label])?;
        registry.register(Box::new(family.clone()))?;
        Ok(family)
    }
}
