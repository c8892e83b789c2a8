//! Whether what consumers see is what Pods ask for, judged apart from the controller: from the objects as
//! they are stored and the slices merged as consumers must ([`crate::consumer`]). And how long it took.
//!
//! What is wanted of one address of a Service is kept beside when that was asked for; it is shown once
//! every port under which the address stands says the same of it. A change that comes before the last one of its
//! address was shown takes its place: only the newest state has to be seen.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use foldhash::fast::RandomState;
use hdrhistogram::{CreationError, Histogram};
use smol_str::SmolStr;

use crate::consumer::{AddressKey, Content, Follower, PortKey, Reading, State};
use crate::model::{AddressType, Key, Slice};

type Map<K, V> = HashMap<K, V, RandomState>;
/// The addresses of a Service in one family.
pub type Family = (Key, AddressType);

/// Longest latency that is told apart, in microseconds.
const LONGEST: u64 = 600_000_000;

/// What is wanted of an address.
#[derive(Clone, Debug)]
struct Wanted {
    /// The uid of the Pod that has the address.
    pod: SmolStr,
    /// `None`: it is to be in no slice.
    state: Option<State>,
    /// Since when, as long as it is not shown.
    since: Option<Instant>,
}

/// An address of which slices do not say what they should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unshown {
    /// The Service.
    pub service: Key,
    /// The address.
    pub address: SmolStr,
    /// What it should be; `None`: absent.
    pub wanted: Option<State>,
    /// What it is, merged over all ports; `None`: absent.
    pub found: Option<State>,
}

/// See the module's text.
#[derive(Debug)]
pub struct Oracle {
    follower: Follower,
    ports: Map<Family, BTreeSet<PortKey>>,
    wanted: Map<Family, Map<SmolStr, Wanted>>,
    waiting: Map<Family, BTreeSet<SmolStr>>,
    changes: u64,
    superseded: u64,
    /// Microseconds.
    latency: Histogram<u64>,
    /// Of the last changes, newest last, with the time at which they were shown.
    recent: VecDeque<(Instant, u64)>,
}

/// How many latencies are kept for the numbers of the last minute.
const RECENT: usize = 10_000;

impl Oracle {
    /// One that has seen nothing yet.
    ///
    /// # Errors
    /// Bounds that a histogram cannot have: not with these.
    pub fn new() -> Result<Oracle, CreationError> {
        Ok(Oracle {
            follower: Follower::new(Reading::Everything),
            ports: Map::default(),
            wanted: Map::default(),
            waiting: Map::default(),
            changes: 0,
            superseded: 0,
            latency: Histogram::new_with_bounds(1, LONGEST, 3)?,
            recent: VecDeque::new(),
        })
    }

    /// From now on an address of a Pod is to be seen in this state (`None`: not at all).
    pub fn want(&mut self, family: &Family, address: &SmolStr, pod: &str, state: Option<State>, at: Instant) {
        let all = self.wanted.entry(family.clone()).or_default();
        match all.get_mut(address) {
            // An address that went over to another Pod is not taken by the end of the one that had it.
            Some(held) if state.is_none() && held.pod != pod => return,
            Some(held) if held.state == state => {
                held.pod = pod.into();
                return;
            }
            Some(held) => {
                self.superseded += u64::from(held.since.is_some());
                *held = Wanted { pod: pod.into(), state, since: Some(at) };
            }
            None if state.is_none() => return,
            None => {
                all.insert(address.clone(), Wanted { pod: pod.into(), state, since: Some(at) });
            }
        }
        self.changes += 1;
        if self.shows(family, address, state) {
            // Back to what is still shown: nobody has to do anything, and nothing took any time.
            self.superseded += 1;
            self.settle(family, address, state);
            return;
        }
        self.waiting.entry(family.clone()).or_default().insert(address.clone());
    }

    /// A slice was stored.
    pub fn slice(&mut self, slice: &Slice, at: Instant) {
        let Some(content) = Content::of(slice, Reading::Everything) else {
            return self.slice_gone(&slice.key, at);
        };
        let family = (content.service.clone(), content.address_type.clone());
        self.ports.entry(family.clone()).or_default().extend(content.port_keys());
        self.follower.put(slice);
        self.look_at_all(&family, at);
    }

    /// A slice was removed.
    pub fn slice_gone(&mut self, slice: &Key, at: Instant) {
        let change = self.follower.remove(slice);
        let family = |lost: &AddressKey| (lost.port.service.clone(), lost.port.address_type.clone());
        let families: BTreeSet<Family> = change.lost.iter().map(family).collect();
        families.iter().for_each(|family| self.look_at_all(family, at));
    }

    /// How many changes asked for something else than before.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many of them had nothing of their own to be shown: they were followed by another of the same
    /// address before that, or went back to what was still shown.
    #[must_use]
    pub fn superseded(&self) -> u64 {
        self.superseded
    }

    /// How many addresses are not yet seen as they should be.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(BTreeSet::len).sum()
    }

    /// How many addresses there should be.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.wanted.values().map(|all| all.values().filter(|wanted| wanted.state.is_some()).count()).sum()
    }

    /// Microseconds from each change to the slice that shows it.
    #[must_use]
    pub fn latency(&self) -> &Histogram<u64> {
        &self.latency
    }

    /// Counts and latencies begin anew; what is waited for stays so.
    pub fn reset(&mut self) {
        self.latency.reset();
        self.recent.clear();
        self.changes = 0;
        self.superseded = 0;
    }

    /// Percentiles of what was shown since `from`, in microseconds; `None` when nothing was.
    #[must_use]
    pub fn recent<const N: usize>(&self, from: Instant, percentiles: [f64; N]) -> Option<[u64; N]> {
        let shown = self.recent.iter().rev().take_while(|(at, _)| *at >= from);
        let mut all: Vec<u64> = shown.map(|(_, took)| *took).collect();
        all.sort_unstable();
        let last = all.len().checked_sub(1)?;
        Some(percentiles.map(|percentile| all[((last as f64) * percentile / 100.0).round() as usize]))
    }

    /// Every address that is not seen as it should be: those waited for, and any other that went wrong
    /// without a change. Sorted.
    #[must_use]
    pub fn unshown(&self) -> Vec<Unshown> {
        let mut all = Vec::new();
        for (family, addresses) in &self.wanted {
            for (address, wanted) in addresses {
                if !self.shows(family, address, wanted.state) {
                    let states = self.states(family, address).flatten();
                    let found = states.reduce(State::merged);
                    let (service, wanted) = (family.0.clone(), wanted.state);
                    all.push(Unshown { service, address: address.clone(), wanted, found });
                }
            }
        }
        all.sort_by(|a, b| (&a.service, &a.address).cmp(&(&b.service, &b.address)));
        all
    }

    /// Addresses that are in slices although nothing asks for them.
    #[must_use]
    pub fn unwanted(&self, services: impl Fn(&Key) -> bool) -> usize {
        let of_nobody = |port: &PortKey, address: &SmolStr| {
            let family = (port.service.clone(), port.address_type.clone());
            services(&port.service) && !self.wanted.get(&family).is_some_and(|all| all.contains_key(address))
        };
        self.follower.addresses().filter(|(port, address)| of_nobody(port, address)).count()
    }

    /// What the ports of a family say of an address.
    fn states<'a>(&'a self, family: &Family, address: &'a str) -> impl Iterator<Item = Option<State>> + 'a {
        let ports = self.ports.get(family).into_iter().flatten();
        ports.map(move |port| self.follower.state(port, address))
    }

    fn shows(&self, family: &Family, address: &str, state: Option<State>) -> bool {
        let mut somewhere = false;
        for found in self.states(family, address) {
            somewhere |= found.is_some();
            if found.is_some() && found != state {
                return false;
            }
        }
        somewhere == state.is_some()
    }

    fn look_at_all(&mut self, family: &Family, at: Instant) {
        let Some(waiting) = self.waiting.get(family) else { return };
        for address in waiting.clone() {
            self.look(family, &address, at);
        }
    }

    /// Looks whether what is wanted of an address is seen by now.
    fn look(&mut self, family: &Family, address: &SmolStr, at: Instant) {
        let Some(wanted) = self.wanted.get(family).and_then(|all| all.get(address)) else { return };
        let (state, Some(since)) = (wanted.state, wanted.since) else { return };
        if !self.shows(family, address, state) {
            return;
        }
        let took = u64::try_from(at.saturating_duration_since(since).as_micros()).unwrap_or(LONGEST);
        let took = took.clamp(1, LONGEST);
        self.latency.saturating_record(took);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((at, took));
        self.settle(family, address, state);
    }

    /// What is wanted of an address is seen.
    fn settle(&mut self, family: &Family, address: &SmolStr, state: Option<State>) {
        if let Some(waiting) = self.waiting.get_mut(family) {
            waiting.remove(address);
            if waiting.is_empty() {
                self.waiting.remove(family);
            }
        }
        if let Some(all) = self.wanted.get_mut(family) {
            match state {
                None => drop(all.remove(address)),
                Some(_) => {
                    if let Some(wanted) = all.get_mut(address) {
                        wanted.since = None;
                    }
                }
            }
        }
    }
}
