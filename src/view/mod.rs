//! What the cluster looks like to us: the rows of every stream, indexed so that a change finds what
//! it concerns without a search, and our own writes laid over what the streams have shown.
//!
//! Synchronous and without a clock: each change returns the keys that it wakes, a snapshot is a
//! handful of shared pointers. One lock round the whole view is enough: nothing here takes longer
//! than the members of one Service, but a relist, which is one swap.

mod endpoints;
mod pods;
mod services;
mod slices;
mod snapshot;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use crate::model::snapshot::Memory;
use crate::model::{Key, Loop, Meta, Node, Nodes, Settings, Text, Time, Version};

pub use endpoints::EndpointsView;
pub use pods::PodsView;
pub use services::ServicesView;
pub use slices::{Answered, SlicesView};
pub use snapshot::{MirrorState, NoPlan};

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

    /// A change of a Node. A Service hears of a Node that appears or changes its zone, since its
    /// endpoints are made with it, but not of one that vanishes: its Pods may well be alive.
    pub fn node(&mut self, change: Change<Node>, wakes: &mut Vec<Wake>) {
        match change {
            Change::Replaced(listed, version) => {
                self.nodes_version = version;
                self.replace_nodes(listed, wakes);
            }
            Change::Upserted(meta, node) => {
                self.nodes_version = self.nodes_version.max(meta.version);
                let name = Text::new(&node.key.name);
                let old = self.nodes.get(&name);
                if old.is_some_and(|old| old.same_row(&node)) {
                    return;
                }
                let placement_changed = old.is_none_or(|old| old.zone != node.zone);
                Arc::make_mut(&mut self.nodes).insert(name.clone(), Arc::new(node));
                if placement_changed {
                    self.wake_node(&name, wakes);
                }
            }
            Change::Deleted(meta) => {
                self.nodes_version = self.nodes_version.max(meta.version);
                let name = Text::new(&meta.key.name);
                if self.nodes.get(&name).is_some_and(|held| held.uid == meta.uid) {
                    Arc::make_mut(&mut self.nodes).remove(&name);
                }
            }
            Change::Bookmark(version) => self.nodes_version = self.nodes_version.max(version),
            Change::Undecodable(_) | Change::Restored => {}
        }
    }

    fn replace_nodes(&mut self, listed: Vec<(Meta, Listed<Node>)>, wakes: &mut Vec<Wake>) {
        let old = std::mem::take(&mut self.nodes);
        let mut new = Nodes::default();
        for (meta, listed) in listed {
            let name = Text::new(&meta.key.name);
            let held = old.get(&name);
            let row = match listed {
                Listed::Row(node) => match held {
                    Some(held) if held.same_row(&node) => Arc::clone(held),
                    _ => Arc::new(node),
                },
                Listed::Undecodable | Listed::Unchanged => match held {
                    Some(held) => Arc::clone(held),
                    None => continue,
                },
            };
            new.insert(name, row);
        }
        let changed: BTreeSet<Text> = new
            .iter()
            .filter(|(name, node)| old.get(*name).is_none_or(|held| held.zone != node.zone))
            .map(|(name, _)| name.clone())
            .collect();
        self.nodes = Arc::new(new);
        if self.started {
            changed.iter().for_each(|name| self.wake_node(name, wakes));
        }
    }

    fn wake_node(&self, name: &Text, wakes: &mut Vec<Wake>) {
        if !self.started {
            return;
        }
        let mut keys = BTreeSet::new();
        for pod in self.pods.on_node(name) {
            self.services.matching(&pod.key.namespace, &pod.labels, |key| {
                keys.insert(key.clone());
            });
        }
        wakes.extend(keys.into_iter().map(|key| Wake { which: Loop::Selector, key, after: After::Now }));
    }
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
