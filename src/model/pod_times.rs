//! The Ready transition time last seen of each Pod of a Service: shared between memories, so that
//! remembering one Pod's change does not copy ten thousand others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use super::Time;

/// Changes that are kept beside the settled list before they are folded into it.
const FOLD_AT: usize = 256;

/// Times by Pod name. Cloning shares; [`with`](PodTimes::with) costs O(changes), on average.
#[derive(Clone, Default)]
pub struct PodTimes {
    /// Sorted by name, each name once.
    settled: Arc<[(SmolStr, Time)]>,
    /// Laid over the settled list; `None` means no longer there.
    recent: Arc<BTreeMap<SmolStr, Option<Time>>>,
}

/// Looks names up in ascending order, in one walk over all.
#[derive(Debug)]
pub struct Walk<'a> {
    settled: &'a [(SmolStr, Time)],
    recent: &'a BTreeMap<SmolStr, Option<Time>>,
}

impl PodTimes {
    /// These times, sorted by name, each name once.
    pub fn from_sorted(times: Vec<(SmolStr, Time)>) -> PodTimes {
        debug_assert!(times.is_sorted_by(|a, b| a.0 < b.0));
        PodTimes { settled: Arc::from(times), recent: Arc::default() }
    }

    /// The time of this Pod.
    pub fn get(&self, name: &str) -> Option<Time> {
        match self.recent.get(name) {
            Some(time) => *time,
            None => {
                let at = self.settled.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
                self.settled.get(at).map(|(_, time)| *time)
            }
        }
    }

    /// All times, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&SmolStr, Time)> {
        let settled = self.settled.iter().filter(|(name, _)| !self.recent.contains_key(name));
        let recent = self.recent.iter().filter_map(|(name, time)| time.map(|time| (name, time)));
        settled.map(|(name, time)| (name, *time)).chain(recent)
    }

    /// Number of Pods.
    pub fn len(&self) -> usize {
        if self.recent.is_empty() { self.settled.len() } else { self.iter().count() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Look-ups in ascending order of name.
    pub fn walk(&self) -> Walk<'_> {
        Walk { settled: &self.settled, recent: &self.recent }
    }

    /// These times with some changed; `None` takes a Pod out.
    pub fn with(&self, changes: impl IntoIterator<Item = (SmolStr, Option<Time>)>) -> PodTimes {
        let mut changes = changes.into_iter().filter(|(name, time)| self.get(name) != *time).peekable();
        if changes.peek().is_none() {
            return self.clone();
        }
        let mut recent = BTreeMap::clone(&self.recent);
        recent.extend(changes);
        let changed = PodTimes { settled: Arc::clone(&self.settled), recent: Arc::new(recent) };
        if changed.recent.len() < FOLD_AT {
            return changed;
        }
        let mut all: Vec<(SmolStr, Time)> = changed.iter().map(|(name, time)| (name.clone(), time)).collect();
        all.sort_unstable();
        PodTimes::from_sorted(all)
    }
}

impl Walk<'_> {
    /// The time of this Pod. Names must not come in descending order.
    pub fn seek(&mut self, name: &str) -> Option<Time> {
        while let Some(((known, _), rest)) = self.settled.split_first()
            && known.as_str() < name
        {
            self.settled = rest;
        }
        if !self.recent.is_empty()
            && let Some(time) = self.recent.get(name)
        {
            return *time;
        }
        self.settled.first().filter(|(known, _)| known == name).map(|(_, time)| *time)
    }
}

impl FromIterator<(SmolStr, Time)> for PodTimes {
    fn from_iter<I: IntoIterator<Item = (SmolStr, Time)>>(times: I) -> PodTimes {
        let sorted: BTreeMap<SmolStr, Time> = times.into_iter().collect();
        PodTimes::from_sorted(sorted.into_iter().collect())
    }
}

impl PartialEq for PodTimes {
    fn eq(&self, other: &PodTimes) -> bool {
        let same = Arc::ptr_eq(&self.settled, &other.settled) && Arc::ptr_eq(&self.recent, &other.recent);
        same || (self.len() == other.len() && self.iter().all(|(name, time)| other.get(name) == Some(time)))
    }
}

impl Eq for PodTimes {}

impl fmt::Debug for PodTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted: BTreeMap<&SmolStr, Time> = self.iter().collect();
        f.debug_map().entries(sorted).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> SmolStr {
        SmolStr::new(format!("pod-{n:05}"))
    }

    #[test]
    fn changes_lie_over_what_was_and_are_folded_in_the_end() {
        let mut times: PodTimes = (0..1000).map(|n| (name(n), Time::from_secs(n as i64))).collect();
        for n in 0..600 {
            times = times.with([(name(n), None), (name(n + 5000), Some(Time::from_secs(7)))]);
            assert_eq!(times.len(), 1000);
            assert_eq!(times.get(&name(n)), None);
            assert_eq!(times.get(&name(n + 1)), Some(Time::from_secs(n as i64 + 1)));
        }
        assert!(times.recent.len() < FOLD_AT);
        let again: PodTimes = times.iter().map(|(name, time)| (name.clone(), time)).collect();
        assert_eq!(times, again);
        assert_ne!(times, times.with([(name(999), None)]));
    }

    #[test]
    fn a_walk_finds_what_get_finds() {
        let times: PodTimes = (0..50).map(|n| (name(2 * n), Time::from_secs(n as i64))).collect();
        let times = times.with([
            (name(4), None),
            (name(5), Some(Time::from_secs(1))),
            (name(6), Some(Time::from_secs(99))),
        ]);
        let mut walk = times.walk();
        for n in 0..120 {
            assert_eq!(walk.seek(&name(n)), times.get(&name(n)), "{n}");
        }
    }
}
