//! What the cluster looks like to us: the rows of every stream, indexed so that a change finds what
//! it concerns without a search, and our own writes laid over what the streams have shown.
//!
//! Synchronous and without a clock: each change returns the keys that it wakes, a snapshot is a
//! handful of shared pointers. One lock round the whole view is enough: nothing here takes longer
//! than the members of one Service, but a relist, which is one swap.

mod bytes;
mod endpoints;
mod nodes;
mod overlay;
mod pods;
mod services;
mod slices;
mod snapshot;
mod track;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use crate::model::snapshot::Memory;
use crate::model::{Key, Loop, Meta, Nodes, Settings, Time, Uid, Version};

use bytes::Bytes;

pub use endpoints::EndpointsView;
pub use overlay::Answered;
pub use pods::PodsView;
pub use services::ServicesView;
pub use slices::SlicesView;
pub use snapshot::{MirrorState, NoPlan};
pub use track::Delta;

/// A map whose keys belong to tenants: seeded.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
/// A set whose members belong to tenants: seeded.
pub(crate) type Set<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// How soon a woken key is to be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum After {
    /// At once.
    Now,
    /// After the batch period (a Pod changed).
    PodBatch,
    /// After the batch period of slices, for the selector loop at least a second: somebody else wrote.
    SliceBatch,
}

/// A key that a change wakes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wake {
    /// Which loop.
    pub which: Loop,
    /// Which key of it.
    pub key: Key,
    /// How soon.
    pub after: After,
}

/// One element of a complete list.
#[derive(Clone, Debug)]
pub enum Listed<R> {
    /// Its row.
    Row(R),
    /// It could not be decoded: the old row stays.
    Undecodable,
    /// It is the very version that is held already.
    Unchanged,
}

/// What a stream shows. The same for every resource.
#[derive(Clone, Debug)]
pub enum Change<R> {
    /// A complete list at this version: one swap, what is missing was deleted.
    Replaced(Vec<(Meta, Listed<R>)>, Version),
    /// Added or modified.
    Upserted(Meta, R),
    /// Deleted; the version is that of the deletion.
    Deleted(Meta),
    /// Added or modified, but it cannot be decoded: the old row stays.
    Undecodable(Meta),
    /// Nothing changed up to this version.
    Bookmark(Version),
    /// Versions went back for good: nothing that was remembered counts; a list follows.
    Restored,
}

/// The whole view. Wakes are appended to the vector that each method is given; before
/// [`View::start`] nothing is woken, since all keys are then queued at once.
pub struct View {
    /// Services and who they select.
    pub services: ServicesView,
    /// Pods and their indexes.
    pub pods: PodsView,
    /// All Nodes; shared with snapshots, copied when one changes.
    pub nodes: Arc<Nodes>,
    /// Endpoints.
    pub endpoints: EndpointsView,
    /// EndpointSlices of both loops.
    pub slices: SlicesView,
    nodes_version: Version,
    memories: [Map<Key, Memory>; 2],
    settings: Arc<Settings>,
    started: bool,
    epoch: Option<Time>,
    // Counts changes of what endpoints take from Nodes.
    placements: u64,
}

impl View {
    /// An empty view.
    pub fn new(settings: Settings) -> View {
        View {
            services: ServicesView::default(),
            pods: PodsView::default(),
            nodes: Arc::default(),
            endpoints: EndpointsView::default(),
            slices: SlicesView::default(),
            nodes_version: 0,
            memories: Default::default(),
            settings: Arc::new(settings),
            started: false,
            epoch: None,
            placements: 0,
        }
    }

    /// From now on changes wake keys. Returns all keys of both loops, for the first round.
    /// `epoch`: see [`crate::model::SelectorSnapshot::epoch`]. What was remembered of earlier plans is dropped.
    pub fn start(&mut self, epoch: Option<Time>) -> Vec<(Loop, Key)> {
        self.started = true;
        self.epoch = epoch;
        self.memories = Default::default();
        self.all_keys()
    }

    /// All keys that a loop has to look at: for the first round and for the resync.
    pub fn all_keys(&self) -> Vec<(Loop, Key)> {
        let mut keys: BTreeSet<(Loop, Key)> = BTreeSet::new();
        keys.extend(self.services.selecting().map(|key| (Loop::Selector, key.clone())));
        let concerned = self.endpoints.keys().chain(self.slices.keys_of(Loop::Mirroring));
        keys.extend(
            concerned.filter(|key| self.concerns_mirroring(key)).map(|key| (Loop::Mirroring, key.clone())),
        );
        keys.into_iter().collect()
    }

    /// Whether the mirroring loop has anything to do with this key: a Service of that name that
    /// selects its Pods itself concerns it only as long as mirrored slices are left.
    pub(crate) fn concerns_mirroring(&self, key: &Key) -> bool {
        self.slices.any(Loop::Mirroring, key)
            || self.services.get(key).is_none_or(|service| service.selector.is_none())
    }

    /// Slices of the selector loop whose Service is there but is not worked on: it has no selector (any
    /// more), or is an ExternalName. They stay by design until somebody deletes them.
    pub fn orphaned_slices(&self) -> usize {
        let orphaned = |key: &Key| self.services.get(key).is_some_and(|service| !service.selects());
        let counted = self.slices.counted(Loop::Selector);
        counted.filter(|(key, _)| orphaned(key)).map(|(_, count)| count).sum()
    }

    /// Bytes that the Nodes take, estimated.
    pub fn nodes_bytes(&self) -> usize {
        let mut bytes = Bytes::default();
        bytes.map(&self.nodes);
        self.nodes.values().for_each(|node| bytes.node(node));
        bytes.sum()
    }

    /// Which memory belongs to the loop.
    fn memory_of(&mut self, which: Loop) -> &mut Map<Key, Memory> {
        &mut self.memories[which as usize]
    }

    /// What this key remembers.
    pub fn memory(&self, which: Loop, key: &Key) -> Memory {
        self.memories[which as usize].get(key).cloned().unwrap_or_default()
    }

    /// Keeps what a plan left to be remembered.
    pub fn remember(&mut self, which: Loop, key: &Key, memory: Memory) {
        self.memory_of(which).insert(key.clone(), memory);
    }

    /// Forgets everything about a key.
    pub fn forget(&mut self, which: Loop, key: &Key) {
        self.memory_of(which).remove(key);
    }
}

/// Puts the wakes of one change in a fixed order, each once: hash maps have none.
pub(crate) fn in_order(wakes: &mut Vec<Wake>, from: usize) {
    if wakes.len() > from + 1 {
        let mut new = wakes.split_off(from);
        new.sort();
        new.dedup();
        wakes.append(&mut new);
    }
}

/// Whether what cannot be decoded is another object than the one that is held under its name: that
/// one is gone then, and its row must not stay.
pub(crate) fn is_another(undecodable: &Meta, held: &Uid) -> bool {
    !undecodable.uid.is_empty() && undecodable.uid != *held
}

/// Removes a member from an index and the index line with its last member.
pub(crate) fn unfile<K: Eq + Hash, M: Eq + Hash>(index: &mut Map<K, Set<M>>, at: &K, member: &M) {
    if let Some(members) = index.get_mut(at) {
        members.remove(member);
        if members.is_empty() {
            index.remove(at);
        }
    }
}

#[cfg(test)]
mod tests;
