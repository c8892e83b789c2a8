//! The state of the work queue, without clock, lock or task: every call is told what time it is.
//!
//! A key stands in at most one lane (`live`, or `low` for start-up and resync work), or waits
//! *behind* itself while it is being worked on. Besides, and independently of that, it may be due
//! again at a later moment.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::control::metrics::QueueMetrics;

/// Time since the queue was made.
pub(crate) type Moment = Duration;

/// The longest that a key of low priority waits behind live ones, in time during which keys are
/// handed out at all.
pub const LOW_WAITS_AT_MOST: Duration = Duration::from_secs(30);

/// The first backoff of a key, without jitter.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// The longest backoff, jitter included.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

// A backoff is stretched by up to a quarter, so that keys that failed together do not come back
// together. Growth ends below the longest, else the jitter would be cut off just where most keys are.
const JITTER: f64 = 0.25;
const LAST_STEP: Duration = Duration::from_secs(48);

/// What is worked on first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Start-up and periodic resync: after live changes, though never more than
    /// [`LOW_WAITS_AT_MOST`].
    Low,
    /// Something changed in the cluster.
    Live,
}

/// A key that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handed<K> {
    pub(crate) key: K,
    pub(crate) priority: Priority,
    /// When the first live change came that no finished work has seen.
    pub(crate) changed: Option<Moment>,
}

/// The state of the queue.
pub(crate) struct Core<K> {
    standings: HashMap<K, Standing, foldhash::fast::RandomState>,
    running: HashMap<K, Running, foldhash::fast::RandomState>,
    live: VecDeque<K>,
    low: BTreeMap<u64, (Moment, K)>,
    delayed: BTreeMap<(Moment, u64), K>,
    drawn: u64,
    depth: usize,
    in_backoff: usize,
    paused: bool,
    resumed: Moment,
    stopped: bool,
    metrics: Option<QueueMetrics>,
}

/// All that is known of a key that is wanted, or that failed.
#[derive(Default)]
struct Standing {
    waiting: Option<Waiting>,
    delayed: Option<Delayed>,
    changed: Option<Moment>,
    // Present while the key is in backoff: how often it failed in a row.
    failures: Option<u32>,
}

struct Waiting {
    added: Moment,
    priority: Priority,
    place: Place,
}

enum Place {
    Behind,
    Live,
    Low(u64),
}

struct Delayed {
    due: Moment,
    ticket: u64,
    priority: Priority,
}

struct Running {
    since: Moment,
    priority: Priority,
    changed: Option<Moment>,
}

impl Standing {
    fn is_empty(&self) -> bool {
        self.waiting.is_none() && self.delayed.is_none() && self.failures.is_none()
    }
}

impl<K: Clone + Eq + Hash + Ord> Core<K> {
    pub(crate) fn new(metrics: Option<QueueMetrics>) -> Core<K> {
        Core {
            standings: HashMap::default(),
            running: HashMap::default(),
            live: VecDeque::new(),
            low: BTreeMap::new(),
            delayed: BTreeMap::new(),
            drawn: 0,
            depth: 0,
            in_backoff: 0,
            paused: true,
            resumed: Moment::ZERO,
            stopped: false,
            metrics,
        }
    }

    pub(crate) fn add(&mut self, key: K, priority: Priority, now: Moment) {
        if self.stopped {
            return;
        }
        self.advance(now);
        self.note_change(&key, priority, now);
        self.want(key, priority, now);
    }

    pub(crate) fn add_after(&mut self, key: K, delay: Duration, priority: Priority, now: Moment) {
        if self.stopped {
            return;
        }
        self.advance(now);
        if let Some(metrics) = &self.metrics {
            metrics.retried();
        }
        self.note_change(&key, priority, now);
        if delay.is_zero() {
            self.want(key, priority, now);
        } else {
            self.want_at(key, priority, now.saturating_add(delay));
        }
    }

    /// Wants the key again after its next backoff, and gives that. `jitter` is in 0..=1.
    pub(crate) fn retry(&mut self, key: &K, jitter: f64, now: Moment) -> Duration {
        let failures = self.failed(key, 1);
        let delay = backoff(failures, jitter);
        self.again(key, delay, now);
        delay
    }

    /// Wants the key again after this delay. It is in backoff, which does not grow by that.
    pub(crate) fn retry_after(&mut self, key: &K, delay: Duration, now: Moment) {
        self.failed(key, 0);
        self.again(key, delay, now);
    }

    /// The key is no longer in backoff; its next one is the first again.
    pub(crate) fn forget(&mut self, key: &K) {
        if let Some(standing) = self.standings.get_mut(key) {
            if standing.failures.take().is_some() {
                self.in_backoff -= 1;
            }
            self.tidy(key);
        }
    }

    /// The next key, which is then in hand until `done`.
    pub(crate) fn take(&mut self, now: Moment) -> Option<Handed<K>> {
        self.advance(now);
        if self.paused || self.stopped {
            return None;
        }
        let key = self.live.pop_front().or_else(|| self.low.pop_first().map(|(_, (_, key))| key))?;
        let standing = self.standings.get_mut(&key)?;
        let waiting = standing.waiting.take()?;
        let changed = standing.changed.take();
        self.depth -= 1;
        if let Some(metrics) = &self.metrics {
            metrics.depth(self.depth);
            metrics.handed_out(now.saturating_sub(waiting.added.max(self.resumed)));
        }
        self.running.insert(key.clone(), Running { since: now, priority: waiting.priority, changed });
        self.tidy(&key);
        Some(Handed { key, priority: waiting.priority, changed })
    }

    /// The key is no longer in hand. If it was added meanwhile, it takes its place in the lane.
    pub(crate) fn done(&mut self, key: &K, now: Moment) {
        self.advance(now);
        let Some(running) = self.running.remove(key) else { return };
        if let Some(metrics) = &self.metrics {
            metrics.finished(now.saturating_sub(running.since));
        }
        if self.standings.get(key).is_some_and(|standing| standing.waiting.is_some()) {
            self.line_up(key, now);
        }
    }

    pub(crate) fn pause(&mut self, now: Moment) {
        self.advance(now);
        self.paused = true;
    }

    pub(crate) fn resume(&mut self, now: Moment) {
        if self.paused {
            self.paused = false;
            self.resumed = now;
        }
    }

    /// Nothing is handed out or taken in from now on.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        self.live.clear();
        self.low.clear();
        self.delayed.clear();
        self.standings.clear();
        self.depth = 0;
        self.in_backoff = 0;
        if let Some(metrics) = &self.metrics {
            metrics.depth(0);
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether `take` would give a key.
    pub(crate) fn is_ready(&self) -> bool {
        let waits = !self.live.is_empty() || !self.low.is_empty();
        waits && !self.paused && !self.stopped
    }

    /// When the next delayed key is due; `None` while that would change nothing.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        if self.paused {
            return None;
        }
        self.delayed.first_key_value().map(|((due, _), _)| *due)
    }

    /// Keys that wait, those behind themselves included.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn in_backoff(&self) -> usize {
        self.in_backoff
    }

    /// How long each key in hand has been there, in no order.
    pub(crate) fn running(&self, now: Moment) -> impl Iterator<Item = Duration> {
        self.running.values().map(move |running| now.saturating_sub(running.since))
    }

    // Delayed keys that are due enter their lane, and low keys that waited long enough become live,
    // in the order of the moments at which that was to happen.
    fn advance(&mut self, now: Moment) {
        loop {
            let due = self.delayed.first_key_value().map(|((due, _), _)| *due);
            let aged = match self.low.first_key_value() {
                Some((_, (since, _))) if !self.paused => Some(*since.max(&self.resumed) + LOW_WAITS_AT_MOST),
                _ => None,
            };
            match (due, aged) {
                (Some(due), aged) if due <= now && aged.is_none_or(|aged| due <= aged) => self.fall_due(),
                (_, Some(aged)) if aged <= now => self.age(),
                _ => return,
            }
        }
    }

    fn fall_due(&mut self) {
        let Some(((due, _), key)) = self.delayed.pop_first() else { return };
        let Some(delayed) = self.standings.get_mut(&key).and_then(|s| s.delayed.take()) else { return };
        self.want(key, delayed.priority, due);
    }

    fn age(&mut self) {
        let Some((_, (_, key))) = self.low.pop_first() else { return };
        if let Some(waiting) = self.standings.get_mut(&key).and_then(|s| s.waiting.as_mut()) {
            waiting.place = Place::Live;
            self.live.push_back(key);
        }
    }

    fn note_change(&mut self, key: &K, priority: Priority, now: Moment) {
        if priority == Priority::Live {
            self.standings.entry(key.clone()).or_default().changed.get_or_insert(now);
        }
    }

    fn want(&mut self, key: K, priority: Priority, now: Moment) {
        let standing = self.standings.entry(key.clone()).or_default();
        let Some(waiting) = &mut standing.waiting else {
            standing.waiting = Some(Waiting { added: now, priority, place: Place::Behind });
            self.depth += 1;
            if let Some(metrics) = &self.metrics {
                metrics.added();
                metrics.depth(self.depth);
            }
            if !self.running.contains_key(&key) {
                self.line_up(&key, now);
            }
            return;
        };
        if priority > waiting.priority {
            waiting.priority = priority;
            if let Place::Low(ticket) = waiting.place {
                waiting.place = Place::Live;
                self.low.remove(&ticket);
                self.live.push_back(key);
            }
        }
    }

    fn line_up(&mut self, key: &K, now: Moment) {
        let ticket = self.draw();
        let Some(waiting) = self.standings.get_mut(key).and_then(|s| s.waiting.as_mut()) else { return };
        match waiting.priority {
            Priority::Live => {
                waiting.place = Place::Live;
                self.live.push_back(key.clone());
            }
            Priority::Low => {
                waiting.place = Place::Low(ticket);
                self.low.insert(ticket, (now, key.clone()));
            }
        }
    }

    // The earlier of two due times wins, and the higher of two priorities.
    fn want_at(&mut self, key: K, priority: Priority, due: Moment) {
        let ticket = self.draw();
        let standing = self.standings.entry(key.clone()).or_default();
        match &mut standing.delayed {
            Some(sooner) if sooner.due <= due => sooner.priority = sooner.priority.max(priority),
            slot => {
                let mut priority = priority;
                if let Some(later) = slot.take() {
                    self.delayed.remove(&(later.due, later.ticket));
                    priority = priority.max(later.priority);
                }
                *slot = Some(Delayed { due, ticket, priority });
                self.delayed.insert((due, ticket), key);
            }
        }
    }

    fn failed(&mut self, key: &K, times: u32) -> u32 {
        if self.stopped {
            return times;
        }
        let standing = self.standings.entry(key.clone()).or_default();
        if standing.failures.is_none() {
            self.in_backoff += 1;
        }
        let failures = standing.failures.unwrap_or(0).saturating_add(times);
        standing.failures = Some(failures);
        failures
    }

    // A key that is retried keeps the priority that it was handed out with, and what it has not
    // brought to an end stays unseen.
    fn again(&mut self, key: &K, delay: Duration, now: Moment) {
        if self.stopped {
            return;
        }
        self.advance(now);
        if let Some(metrics) = &self.metrics {
            metrics.retried();
        }
        let (priority, unseen) = match self.running.get(key) {
            Some(running) => (running.priority, running.changed),
            None => (Priority::Live, None),
        };
        if let Some(unseen) = unseen {
            let changed = &mut self.standings.entry(key.clone()).or_default().changed;
            *changed = Some(changed.map_or(unseen, |known| known.min(unseen)));
        }
        self.want_at(key.clone(), priority, now.saturating_add(delay));
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    fn tidy(&mut self, key: &K) {
        if self.standings.get(key).is_some_and(Standing::is_empty) {
            self.standings.remove(key);
        }
    }
}

/// The backoff after this many failures in a row (1 or more), stretched by `jitter` in 0..=1.
fn backoff(failures: u32, jitter: f64) -> Duration {
    let doubled =
        FIRST_BACKOFF.saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(LAST_STEP).mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0)).min(LONGEST_BACKOFF)
}
