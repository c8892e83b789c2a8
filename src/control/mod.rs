//! The loops: which change wakes which key, the work queues, workers, retry, apply, Events.
//!
//! One sync of one key is four steps ([`sync`]): take a snapshot of the view, let `plan` decide, make
//! the writes ([`apply`]), remember. Everything that waits, retries or counts is here; nothing that
//! decides what a slice looks like is.

pub mod apply;
pub mod events;
pub mod feed;
pub mod metrics;
pub mod queue;
pub mod sync;
pub mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::model::{Key, Loop, Settings, Time};
use crate::plan::kept::Kept;
use crate::view::{Map, View};

use events::EventRecorder;
use metrics::ControlMetrics;
use queue::{Priority, Queue};
use write::Writer;

/// How long a name that this process deleted is not given again: consumers cache by name.
const NAMES_REST: Duration = Duration::from_secs(600);

/// A sync that takes longer than this is stuck: each of its requests ends within 30 s.
const STUCK: Duration = Duration::from_secs(600);

/// How the loops work, from the flags.
#[derive(Clone, Debug)]
pub struct ControlConfig {
    /// What plans need.
    pub settings: Settings,
    /// Which loops run.
    pub loops: Vec<Loop>,
    /// Workers of the selector loop.
    pub workers: usize,
    /// Workers of the mirroring loop.
    pub mirroring_workers: usize,
    /// `--endpointslice-updates-batch-period`.
    pub batch_period: Duration,
    /// `--mirroring-endpointslice-updates-batch-period`.
    pub mirroring_batch_period: Duration,
}

/// What control keeps of one key between two syncs, beside the memory of its plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyState {
    /// Stale answers in a row.
    stale: u32,
    /// Whether the next try reads every slice live first: its failure may be a view that is wrong.
    read_first: bool,
    /// Where the endpoints of a large Service stand that changes in place.
    kept: Option<Box<Kept>>,
}

/// Both loops. Cheap to share: everything is behind one pointer.
pub struct Controller {
    /// The view. The lock is held for one change or one snapshot, never across an await.
    pub(crate) view: Mutex<View>,
    queues: [Queue<Key>; 2],
    // One lock for the little that control itself keeps of a key; held for one look-up.
    states: [Mutex<Map<Key, KeyState>>; 2],
    pub(crate) writer: Arc<dyn Writer>,
    pub(crate) recorder: EventRecorder,
    pub(crate) metrics: Arc<ControlMetrics>,
    pub(crate) config: ControlConfig,
    stopping: AtomicBool,
    born: Instant,
}

impl Controller {
    /// Both loops, at rest: nothing is planned before [`Controller::start`].
    pub fn new(
        config: ControlConfig,
        writer: Arc<dyn Writer>,
        recorder: EventRecorder,
        metrics: Arc<ControlMetrics>,
    ) -> Arc<Controller> {
        let queues = [Loop::Selector, Loop::Mirroring].map(|which| {
            let queue = Queue::new(Some(metrics.queue(which)));
            metrics.sample_queue(which, queue.sample());
            queue
        });
        Arc::new(Controller {
            view: Mutex::new(View::new(config.settings.clone())),
            queues,
            states: Default::default(),
            writer,
            recorder,
            metrics,
            config,
            stopping: AtomicBool::new(false),
            born: Instant::now(),
        })
    }

    /// The work queue of a loop.
    pub fn queue(&self, which: Loop) -> &Queue<Key> {
        &self.queues[which as usize]
    }

    /// Whether the loop runs at all.
    pub fn runs(&self, which: Loop) -> bool {
        self.config.loops.contains(&which)
    }

    /// Every stream has reached the version at which the slices were read: from now on changes wake
    /// keys, and all keys are queued once, behind live changes. Loops start to work when
    /// [`Controller::let_plan`] says so.
    ///
    /// `epoch`: the time the lease was taken (without one: the process start), less a lease duration.
    pub fn start(&self, epoch: Option<Time>) {
        let keys = self.view.lock().start(epoch);
        self.metrics.set_leading(true);
        for (which, key) in keys {
            if self.runs(which) {
                self.queue(which).add(key, Priority::Low);
            }
        }
    }

    /// Queues every key again, behind live changes: the periodic resync.
    pub fn resync(&self) {
        let keys = self.view.lock().all_keys();
        for (which, key) in keys {
            if self.runs(which) {
                self.queue(which).add(key, Priority::Low);
            }
        }
    }

    /// Looks at the view, for as short as a change takes.
    pub fn with_view<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&self.view.lock())
    }

    /// Lets a loop plan, or keeps it from planning while one of its streams is dead or listing.
    pub fn let_plan(&self, which: Loop, allowed: bool) {
        if allowed && self.runs(which) && !self.stopping() {
            self.queue(which).resume();
        } else {
            self.queue(which).pause();
        }
    }

    /// Starts the workers. Each ends when its queue is shut down.
    pub fn spawn_workers(self: &Arc<Self>) -> Vec<tokio::task::JoinHandle<()>> {
        let mut tasks = Vec::new();
        for (which, count) in
            [(Loop::Selector, self.config.workers), (Loop::Mirroring, self.config.mirroring_workers)]
        {
            for _ in 0..if self.runs(which) { count } else { 0 } {
                tasks.push(tokio::spawn(sync::work(Arc::clone(self), which)));
            }
        }
        tasks
    }

    /// Brings the metrics of what is held up to date.
    pub fn measure(&self) {
        let view = self.view.lock();
        for (resource, objects, bytes) in [
            ("services", view.services.len(), view.services.bytes()),
            ("pods", view.pods.len(), view.pods.bytes()),
            ("nodes", view.nodes.len(), view.nodes_bytes()),
            ("endpoints", view.endpoints.len(), view.endpoints.bytes()),
            ("endpointslices", view.slices.len(), view.slices.bytes()),
        ] {
            self.metrics.set_cache(resource, objects, bytes);
        }
        self.metrics.set_orphaned(view.orphaned_slices());
    }

    /// Whether the workers move: fails when one has been busy with a key for far longer than any
    /// request may take.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        for which in [Loop::Selector, Loop::Mirroring] {
            let longest = self.queue(which).longest_running().unwrap_or_default();
            if longest > STUCK {
                return Err(format!("a sync of the {} loop takes {} s", which.as_str(), longest.as_secs()));
            }
        }
        Ok(())
    }

    /// From now on nothing new is written; writes on their way are awaited by whoever called.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.queues.iter().for_each(Queue::stop);
    }

    /// Whether [`Controller::stop`] was called.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn state<T>(&self, which: Loop, key: &Key, with: impl FnOnce(&mut KeyState) -> T) -> T {
        with(self.states[which as usize].lock().entry(key.clone()).or_default())
    }

    pub(crate) fn forget_state(&self, which: Loop, key: &Key) {
        self.states[which as usize].lock().remove(key);
    }

    /// Seconds on a clock that only grows.
    pub(crate) fn seconds(&self) -> u64 {
        self.born.elapsed().as_secs()
    }
}
