//! The work queue: client-go's contract, with two priorities and a hold.
//!
//! - A key is never in two hands. One that is added while it is worked on runs once more after.
//! - Of several delayed adds the earliest wins. An immediate add does not cancel a delayed one.
//! - A failed key comes back after 1 s to 60 s, for ever, until it is forgotten.
//! - Live changes go before start-up and resync work, which waits at most 30 s; within a priority
//!   first come, first served, so one tenant's Service does not starve the others.
//! - While the queue is paused (from its birth, until the caches are synced and this process leads)
//!   it collects keys and hands out none.

mod core;
#[cfg(test)]
mod model_check;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use self::core::{Core, Handed, Moment};
pub use self::core::{FIRST_BACKOFF, LONGEST_BACKOFF, LOW_WAITS_AT_MOST, Priority};
use super::metrics::{QueueFigures, QueueMetrics, SampleQueue};

/// A work queue. Clones are the same queue.
pub struct Queue<K: Clone + Eq + Hash + Ord> {
    shared: Arc<Shared<K>>,
}

/// A key in hand. Dropping it is client-go's `Done`: the key may be handed out again.
pub struct Taken<K: Clone + Eq + Hash + Ord> {
    handed: Handed<K>,
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    core: Mutex<Core<K>>,
    // One permit for each key that becomes ready; all waiters when the earliest due time moves
    // forward and at the end. So each idle worker sleeps until the due time that is the earliest.
    wake: Notify,
    born: Instant,
}

impl<K: Clone + Eq + Hash + Ord> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Queue { shared: Arc::clone(&self.shared) }
    }
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// An empty queue, paused.
    pub fn new(metrics: Option<QueueMetrics>) -> Queue<K> {
        Queue {
            shared: Arc::new(Shared {
                core: Mutex::new(Core::new(metrics)),
                wake: Notify::new(),
                born: Instant::now(),
            }),
        }
    }

    /// Wants this key to be worked on now. A live add promotes a key that waits at low priority.
    pub fn add(&self, key: K, priority: Priority) {
        self.shared.change(|core, now| core.add(key, priority, now));
    }

    /// Wants this key to be worked on after `delay`, or at the earlier time for which it is wanted
    /// already. Counts in `workqueue_retries_total`, as client-go's `AddAfter` does.
    pub fn add_after(&self, key: K, delay: Duration, priority: Priority) {
        self.shared.change(|core, now| core.add_after(key, delay, priority, now));
    }

    /// Wants this key again after its backoff, which doubles with each call until `forget`.
    /// Returns the backoff.
    pub fn retry(&self, key: &K) -> Duration {
        let jitter = rand::random::<f64>();
        self.shared.change(|core, now| core.retry(key, jitter, now))
    }

    /// Wants this key again after the time that the API server asked for (`Retry-After`). Its own
    /// backoff neither grows nor ends by that.
    pub fn retry_after(&self, key: &K, delay: Duration) {
        self.shared.change(|core, now| core.retry_after(key, delay, now));
    }

    /// The key succeeded (or was given up): its next backoff is the first again.
    pub fn forget(&self, key: &K) {
        self.shared.core.lock().forget(key);
    }

    /// The next key; waits for one. `None` once the queue is stopped. May be cancelled at any time
    /// without losing a key.
    pub async fn get(&self) -> Option<Taken<K>> {
        loop {
            // Made before looking, so that a change after the look is not missed.
            let woken = self.shared.wake.notified();
            let next_due = {
                let mut core = self.shared.core.lock();
                match core.take(self.shared.now()) {
                    Some(handed) => {
                        let more = core.is_ready();
                        drop(core);
                        if more {
                            self.shared.wake.notify_one();
                        }
                        return Some(Taken { handed, shared: Arc::clone(&self.shared) });
                    }
                    None if core.is_stopped() => return None,
                    None => core.next_due(),
                }
            };
            switch_point();
            match next_due.and_then(|due| self.shared.born.checked_add(due)) {
                None => woken.await,
                // Woken or due: either way it is time to look again.
                Some(due) => timeout_at(due, woken).await.unwrap_or_default(),
            }
        }
    }

    /// Hands out nothing from now on, until `resume`. Keys in hand are not affected.
    pub fn pause(&self) {
        self.shared.change(|core, now| core.pause(now));
    }

    /// Ends the pause. Keys of low priority begin to age only now.
    pub fn resume(&self) {
        self.shared.change(|core, now| core.resume(now));
        self.shared.wake.notify_waiters();
    }

    /// Ends the queue: every `get` returns `None`, keys that wait are dropped, adds do nothing.
    pub fn stop(&self) {
        self.shared.core.lock().stop();
        switch_point();
        self.shared.wake.notify_waiters();
    }

    /// How many keys wait to be handed out (delayed ones that are not due do not count).
    pub fn depth(&self) -> usize {
        self.shared.core.lock().depth()
    }

    /// How many keys failed, or were told to wait, and have not been forgotten since.
    pub fn in_backoff(&self) -> usize {
        self.shared.core.lock().in_backoff()
    }

    /// How long the key that has been in hand longest has been there; `None` when no key is in hand.
    pub fn longest_running(&self) -> Option<Duration> {
        let core = self.shared.core.lock();
        core.running(self.shared.now()).max()
    }

    /// What metrics sample of this queue when they are scraped. Does not keep the queue alive.
    pub fn sample(&self) -> SampleQueue
    where
        K: Send + Sync + 'static,
    {
        let shared = Arc::downgrade(&self.shared);
        Box::new(move || {
            let shared = shared.upgrade()?;
            let core = shared.core.lock();
            let mut figures = QueueFigures { in_backoff: core.in_backoff(), ..QueueFigures::default() };
            for age in core.running(shared.now()) {
                figures.unfinished += age;
                figures.longest = figures.longest.max(age);
            }
            Some(figures)
        })
    }
}

impl<K: Clone + Eq + Hash + Ord> Shared<K> {
    fn now(&self) -> Moment {
        self.born.elapsed()
    }

    fn change<T>(&self, act: impl FnOnce(&mut Core<K>, Moment) -> T) -> T {
        let mut core = self.core.lock();
        let due_before = core.next_due();
        let outcome = act(&mut core, self.now());
        let ready = core.is_ready();
        let sooner = core.next_due().is_some_and(|due| due_before.is_none_or(|before| due < before));
        drop(core);
        switch_point();
        if sooner {
            self.wake.notify_waiters();
        }
        if ready {
            self.wake.notify_one();
        }
        outcome
    }
}

impl<K: Clone + Eq + Hash + Ord> Taken<K> {
    /// The key.
    pub fn key(&self) -> &K {
        &self.handed.key
    }

    /// The priority at which it waited.
    pub fn priority(&self) -> Priority {
        self.handed.priority
    }

    /// When the first live change came that no finished work has seen: the start of
    /// `endpointslice_change_to_write_seconds`. `None` for start-up and resync work. A retry keeps it.
    pub fn changed(&self) -> Option<Instant> {
        self.handed.changed.and_then(|at| self.shared.born.checked_add(at))
    }
}

impl<K: Clone + Eq + Hash + Ord> Drop for Taken<K> {
    fn drop(&mut self) {
        self.shared.change(|core, now| core.done(&self.handed.key, now));
    }
}

// Where the model check may switch to another task: between what is done under the lock and the
// wake-up that goes with it, or the sleep.
#[cfg(test)]
use model_check::switch_point;
#[cfg(not(test))]
fn switch_point() {}
