//! The queue's state against a naive model of the contract, over random histories.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::Priority;
use super::core::{Core, LOW_WAITS_AT_MOST};

/// The contract, told second by second.
#[derive(Default)]
struct Naive {
    now: u64,
    keys: BTreeMap<u8, Known>,
    // Ready keys in the order in which they came into their lane: since when, and whether in the
    // lane of live keys.
    lanes: Vec<(u8, u64, bool)>,
    orders: u64,
    paused: bool,
    resumed: u64,
}

#[derive(Default, Clone)]
struct Known {
    wanted: Option<Priority>,
    // Due when, ordered when, at which priority.
    delayed: Option<(u64, u64, Priority)>,
    running: Option<(Priority, Option<u64>)>,
    failures: Option<u32>,
    changed: Option<u64>,
}

impl Naive {
    fn new() -> Naive {
        Naive { paused: true, ..Naive::default() }
    }

    fn known(&mut self, key: u8) -> &mut Known {
        self.keys.entry(key).or_default()
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1;
            let mut due: Vec<(u64, u8, Priority)> = Vec::new();
            for (key, known) in &mut self.keys {
                if let Some((at, order, priority)) = known.delayed
                    && at == self.now
                {
                    due.push((order, *key, priority));
                    known.delayed = None;
                }
            }
            due.sort();
            for (_, key, priority) in due {
                self.want(key, priority);
            }
            let aged =
                |now: u64, resumed: u64, since: u64| now >= since.max(resumed) + LOW_WAITS_AT_MOST.as_secs();
            while !self.paused
                && let Some(at) = self
                    .lanes
                    .iter()
                    .position(|(_, since, live)| !live && aged(self.now, self.resumed, *since))
            {
                let (key, since, _) = self.lanes.remove(at);
                self.lanes.push((key, since, true));
            }
        }
    }

    fn want(&mut self, key: u8, priority: Priority) {
        let known = self.known(key);
        let before = known.wanted;
        known.wanted = before.max(Some(priority));
        let running = known.running.is_some();
        if before.is_none() && !running {
            self.lanes.push((key, self.now, priority == Priority::Live));
        } else if before < Some(priority)
            && let Some(at) = self.lanes.iter().position(|(lined, _, live)| *lined == key && !live)
        {
            let (key, since, _) = self.lanes.remove(at);
            self.lanes.push((key, since, true));
        }
    }

    fn want_in(&mut self, key: u8, seconds: u64, priority: Priority) {
        self.orders += 1;
        let (due, order) = (self.now + seconds, self.orders);
        let known = self.known(key);
        known.delayed = Some(match known.delayed {
            Some((at, order, known)) if at <= due => (at, order, known.max(priority)),
            Some((_, _, known)) => (due, order, known.max(priority)),
            None => (due, order, priority),
        });
    }

    fn changed(&mut self, key: u8, priority: Priority) {
        if priority == Priority::Live {
            let now = self.now;
            self.known(key).changed.get_or_insert(now);
        }
    }

    fn again(&mut self, key: u8, seconds: u64) {
        let known = self.known(key);
        let priority = known.running.map_or(Priority::Live, |(priority, _)| priority);
        let unseen = known.running.and_then(|(_, changed)| changed);
        known.changed = known.changed.into_iter().chain(unseen).min();
        self.want_in(key, seconds, priority);
    }

    fn take(&mut self) -> Option<(u8, Priority, Option<u64>)> {
        if self.paused {
            return None;
        }
        let at = self.lanes.iter().position(|(_, _, live)| *live).or((!self.lanes.is_empty()).then_some(0))?;
        let (key, _, _) = self.lanes.remove(at);
        let known = self.known(key);
        let (priority, changed) = (known.wanted.take()?, known.changed.take());
        known.running = Some((priority, changed));
        Some((key, priority, changed))
    }

    fn done(&mut self, key: u8) {
        let now = self.now;
        let known = self.known(key);
        known.running = None;
        if let Some(priority) = known.wanted {
            self.lanes.push((key, now, priority == Priority::Live));
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Add(u8, Priority),
    AddAfter(u8, u64, Priority),
    Retry(u8),
    RetryAfter(u8, u64),
    Forget(u8),
    Take,
    Done(usize),
    Hold(bool),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let key = || 0..5u8;
    let priority = || prop_oneof![Just(Priority::Low), Just(Priority::Live)];
    prop_oneof![
        4 => (key(), priority()).prop_map(|(key, priority)| Act::Add(key, priority)),
        4 => (key(), 0..8u64, priority()).prop_map(|(key, after, priority)| Act::AddAfter(key, after, priority)),
        2 => key().prop_map(Act::Retry),
        1 => (key(), 1..40u64).prop_map(|(key, after)| Act::RetryAfter(key, after)),
        1 => key().prop_map(Act::Forget),
        6 => Just(Act::Take),
        4 => (0..4usize).prop_map(Act::Done),
        1 => any::<bool>().prop_map(Act::Hold),
        4 => prop_oneof![0..4u64, 0..40u64].prop_map(Act::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_a_naive_model_of_the_contract_does(acts in prop::collection::vec(act(), 1..80)) {
        let mut core = Core::new(None);
        let mut naive = Naive::new();
        core.resume(Duration::ZERO);
        naive.paused = false;
        let mut in_hand: Vec<u8> = Vec::new();
        for act in acts {
            let now = Duration::from_secs(naive.now);
            match act {
                Act::Add(key, priority) => {
                    core.add(key, priority, now);
                    naive.changed(key, priority);
                    naive.want(key, priority);
                }
                Act::AddAfter(key, after, priority) => {
                    core.add_after(key, Duration::from_secs(after), priority, now);
                    naive.changed(key, priority);
                    if after == 0 {
                        naive.want(key, priority);
                    } else {
                        naive.want_in(key, after, priority);
                    }
                }
                Act::Retry(key) => {
                    let failures = naive.known(key).failures.unwrap_or(0) + 1;
                    naive.known(key).failures = Some(failures);
                    let expected = [1, 2, 4, 8, 16, 32].get(failures as usize - 1).copied().unwrap_or(48);
                    prop_assert_eq!(core.retry(&key, 0.0, now), Duration::from_secs(expected));
                    naive.again(key, expected);
                }
                Act::RetryAfter(key, after) => {
                    core.retry_after(&key, Duration::from_secs(after), now);
                    naive.known(key).failures.get_or_insert(0);
                    naive.again(key, after);
                }
                Act::Forget(key) => {
                    core.forget(&key);
                    naive.known(key).failures = None;
                }
                Act::Take => {
                    let taken = core.take(now).map(|handed| {
                        (handed.key, handed.priority, handed.changed.map(|at| at.as_secs()))
                    });
                    prop_assert_eq!(taken, naive.take());
                    if let Some((key, _, _)) = taken {
                        prop_assert!(!in_hand.contains(&key), "{} is in two hands", key);
                        in_hand.push(key);
                    }
                }
                Act::Done(at) if at < in_hand.len() => {
                    let key = in_hand.remove(at);
                    core.done(&key, now);
                    naive.done(key);
                }
                Act::Done(_) => {}
                Act::Hold(true) => {
                    core.pause(now);
                    naive.paused = true;
                }
                Act::Hold(false) => {
                    core.resume(now);
                    if naive.paused {
                        naive.resumed = naive.now;
                    }
                    naive.paused = false;
                }
                Act::Pass(seconds) => {
                    naive.pass(seconds);
                    // Time that passes is seen with the next call; this one changes nothing else.
                    core.done(&u8::MAX, Duration::from_secs(naive.now));
                }
            }
            prop_assert_eq!(core.depth(), naive.keys.values().filter(|known| known.wanted.is_some()).count());
            prop_assert_eq!(core.in_backoff(), naive.keys.values().filter(|known| known.failures.is_some()).count());
            prop_assert_eq!(core.is_ready(), !naive.paused && !naive.lanes.is_empty());
            let due = naive.keys.values().filter_map(|known| known.delayed).map(|(due, _, _)| due).min();
            prop_assert_eq!(core.next_due().map(|due| due.as_secs()), due.filter(|_| !naive.paused));
        }
    }
}
