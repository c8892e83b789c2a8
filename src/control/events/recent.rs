//! A map that keeps only what was used last: memory stays bounded however many objects have Events.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most `capacity` values; the one that was not used for longest gives way.
pub(super) struct Recent<K, V> {
    capacity: usize,
    ticks: u64,
    values: HashMap<K, (u64, V), foldhash::fast::RandomState>,
    order: BTreeMap<u64, K>,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(capacity: usize) -> Recent<K, V> {
        Recent { capacity, ticks: 0, values: HashMap::default(), order: BTreeMap::new() }
    }

    /// The value of this key, made if it is not there; it is now the one used last.
    pub(super) fn touch(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V {
        self.ticks += 1;
        match self.values.get(key) {
            Some((tick, _)) => {
                self.order.remove(tick);
            }
            None if self.values.len() >= self.capacity => {
                if let Some((_, oldest)) = self.order.pop_first() {
                    self.values.remove(&oldest);
                }
            }
            None => {}
        }
        self.order.insert(self.ticks, key.clone());
        let (tick, value) = self.values.entry(key.clone()).or_insert_with(|| (0, make()));
        *tick = self.ticks;
        value
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some((tick, _)) = self.values.remove(key) {
            self.order.remove(&tick);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_gives_way() {
        let mut recent = Recent::new(2);
        *recent.touch(&"a", || 1) += 10;
        recent.touch(&"b", || 2);
        recent.touch(&"a", || 100);
        recent.touch(&"c", || 3);
        assert_eq!(*recent.touch(&"a", || 100), 11);
        assert_eq!(*recent.touch(&"b", || 100), 100, "b had given way");
        recent.remove(&"a");
        assert_eq!(*recent.touch(&"a", || 5), 5);
        assert_eq!((recent.values.len(), recent.order.len()), (2, 2));
    }
}
