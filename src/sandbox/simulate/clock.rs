//! Time as the simulation sees it: tokio's, so that a test may pause it, and what is due when.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use jiff::Timestamp;
use smol_str::SmolStr;
use tokio::time::Instant;

use crate::sandbox::kinds::Kind;
use crate::sandbox::store::Key;

/// Wall time that moves with tokio's clock.
pub(super) struct Clock {
    wall: Timestamp,
    started: Instant,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { wall: Timestamp::now(), started: Instant::now() }
    }

    fn wall(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_microsecond(self.wall.as_microsecond().saturating_add(passed)).unwrap_or(self.wall)
    }

    /// The time as Kubernetes prints it, in whole seconds.
    pub(super) fn now(&self) -> String {
        self.wall().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The time as Kubernetes prints a `MicroTime`.
    pub(super) fn now_exactly(&self) -> String {
        self.wall().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
    }

    /// Seconds since 1970.
    pub(super) fn seconds(&self) -> i64 {
        self.wall().as_second()
    }

    /// The moment when that second of wall time begins; now, when it has passed.
    pub(super) fn moment(&self, second: i64) -> Instant {
        let to_go = second.saturating_mul(1_000_000).saturating_sub(self.wall().as_microsecond());
        Instant::now() + Duration::from_micros(u64::try_from(to_go).unwrap_or(0))
    }
}

/// A time that Kubernetes printed, in seconds since 1970; 0 for none.
pub(super) fn seconds_of(text: &str) -> i64 {
    text.parse::<Timestamp>().map_or(0, Timestamp::as_second)
}

/// What is to be done at some time. A Pod is named with its uid: another of the same name is another.
#[derive(Debug)]
pub(super) enum Due {
    /// The Pod's containers start.
    Start(Key, SmolStr),
    /// The Pod's containers become ready.
    Ready(Key, SmolStr),
    /// The Pod's containers have ended.
    Ended(Key, SmolStr),
    /// The Pod is removed.
    Remove(Key, SmolStr),
    /// The Pod's Node is looked for once more.
    Homeless(Key, SmolStr),
    /// The Pod's readiness returns.
    FlapBack(Key, SmolStr),
    /// The next Pod loses its readiness.
    Flap,
    /// The Node's conditions are renewed.
    Heartbeat(SmolStr, SmolStr),
    /// The ReplicaSet or Deployment is looked at again.
    Check(Kind, Key),
}

/// What is due, earliest first.
#[derive(Default)]
pub(super) struct Timers {
    waiting: BTreeMap<(Instant, u64), Due>,
    set: u64,
}

impl Timers {
    pub(super) fn at(&mut self, moment: Instant, due: Due) {
        self.set += 1;
        self.waiting.insert((moment, self.set), due);
    }

    pub(super) fn after(&mut self, delay: Duration, due: Due) {
        self.at(Instant::now() + delay, due);
    }

    /// When the first is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((moment, _), _)| *moment)
    }

    /// Takes the first that is due.
    pub(super) fn take(&mut self) -> Option<Due> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }
}

/// Keys that wait for their turn, each once, in the order in which they came.
pub(super) struct Line<K> {
    order: VecDeque<K>,
    waiting: HashSet<K, foldhash::fast::RandomState>,
}

impl<K> Default for Line<K> {
    fn default() -> Self {
        Line { order: VecDeque::new(), waiting: HashSet::default() }
    }
}

impl<K: Clone + Eq + Hash> Line<K> {
    pub(super) fn push(&mut self, key: &K) {
        if self.waiting.insert(key.clone()) {
            self.order.push_back(key.clone());
        }
    }

    pub(super) fn pop(&mut self) -> Option<K> {
        let key = self.order.pop_front()?;
        self.waiting.remove(&key);
        Some(key)
    }
}
