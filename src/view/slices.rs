//! EndpointSlices of both loops, with our own writes laid over what the stream has shown.
//!
//! Versions decide (architecture.md, decision 6). A row is replaced only by a newer one; the answer
//! of a write is newer than the stream or it is ignored. A uid that we know to be gone for good
//! stays hidden until the stream has shown that, too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use smol_str::SmolStr;

use super::{After, Change, Listed, Map, Set, View, Wake};
use crate::model::{Key, Loop, Meta, Slice, Text, Uid, Version};

/// Characters that a computed name has behind its base (`<service>-`, cut).
const SUFFIX: usize = 5;

/// A write that is on its way.
struct Flight {
    writes: usize,
    // Versions that the stream showed meanwhile: ours among them, when the answer comes.
    shown: Vec<Version>,
}

/// All slices that bear one of our two managed-by values.
#[derive(Default)]
pub struct SlicesView {
    rows: Map<Key, Arc<Slice>>,
    by_service: [Map<Key, BTreeMap<SmolStr, Arc<Slice>>>; 2],
    // Names by namespace and what stands before their suffix: the ones that computed names can meet.
    names: Map<(Text, SmolStr), BTreeSet<SmolStr>>,
    undecodable: Map<Key, Uid>,
    gone: Set<Uid>,
    flights: Map<Key, Flight>,
    // Deleted by this process lately, with the second of it; the queue is in order of time.
    deleted: Map<Key, u64>,
    deletions: VecDeque<(u64, Key)>,
    pub(crate) version: Version,
    restored: bool,
}

/// The part of a name before its suffix; the whole name where it is shorter.
fn base(name: &str) -> SmolStr {
    let cut = name.len().saturating_sub(SUFFIX);
    SmolStr::new(name.get(..cut).unwrap_or(name))
}

impl SlicesView {
    /// The slice of this key.
    pub fn get(&self, key: &Key) -> Option<&Arc<Slice>> {
        self.rows.get(key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All slices, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Slice>> {
        self.rows.values()
    }

    /// Whether this uid is held at this version or a newer one: an echo that needs no decoding.
    pub fn holds(&self, meta: &Meta) -> bool {
        self.gone.contains(&meta.uid)
            || self
                .rows
                .get(&meta.key)
                .is_some_and(|held| held.uid == meta.uid && held.version >= meta.version)
    }

    /// Whether the Service has slices of this loop.
    pub fn any(&self, which: Loop, key: &Key) -> bool {
        self.by_service[which as usize].contains_key(key)
    }

    /// Keys of the Services that have slices of this loop.
    pub fn keys_of(&self, which: Loop) -> impl Iterator<Item = &Key> {
        self.by_service[which as usize].keys()
    }

    /// The Service's slices of this loop, by name.
    pub fn of(&self, which: Loop, key: &Key) -> Vec<Arc<Slice>> {
        self.by_service[which as usize]
            .get(key)
            .map(|all| all.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Names that a computed name of this Service must not take.
    pub(crate) fn names(&self, namespace: &Text, base: &str) -> BTreeSet<SmolStr> {
        self.names.get(&(namespace.clone(), SmolStr::new(base))).cloned().unwrap_or_default()
    }

    fn name_taken(&mut self, key: &Key) {
        self.names.entry((key.namespace.clone(), base(&key.name))).or_default().insert(key.name.clone());
    }

    fn name_free(&mut self, key: &Key) {
        if self.rows.contains_key(key) || self.undecodable.contains_key(key) || self.deleted.contains_key(key)
        {
            return;
        }
        let at = (key.namespace.clone(), base(&key.name));
        if let Some(names) = self.names.get_mut(&at) {
            names.remove(&key.name);
            if names.is_empty() {
                self.names.remove(&at);
            }
        }
    }

    fn insert(&mut self, slice: Arc<Slice>) -> Option<Arc<Slice>> {
        let key = slice.key.clone();
        let old = self.rows.insert(key.clone(), Arc::clone(&slice));
        if let Some(old) = &old {
            self.unfile(old);
        } else {
            self.name_taken(&key);
        }
        if let (Some(which), Some(service)) = (slice.managed_by(), slice.service_key()) {
            self.by_service[which as usize].entry(service).or_default().insert(key.name.clone(), slice);
        }
        old
    }

    fn unfile(&mut self, slice: &Slice) {
        let (Some(which), Some(service)) = (slice.managed_by(), slice.service_key()) else { return };
        let index = &mut self.by_service[which as usize];
        if let Some(all) = index.get_mut(&service) {
            all.remove(&slice.key.name);
            if all.is_empty() {
                index.remove(&service);
            }
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<Slice>> {
        let old = self.rows.remove(key)?;
        self.unfile(&old);
        self.name_free(key);
        Some(old)
    }

    /// A write of this slice is being sent: until it is answered, what the stream shows of it may be ours.
    pub fn write_begins(&mut self, key: &Key) {
        self.flights.entry(key.clone()).or_insert(Flight { writes: 0, shown: Vec::new() }).writes += 1;
    }

    /// Names deleted before `now − keep` may be given again. Seconds on any clock that only grows.
    pub fn forget_deleted(&mut self, now: u64, keep: u64) {
        while let Some((at, key)) = self.deletions.pop_front() {
            if at + keep > now {
                self.deletions.push_front((at, key));
                break;
            }
            if self.deleted.get(&key) == Some(&at) {
                self.deleted.remove(&key);
                self.name_free(&key);
            }
        }
    }
}

/// How a write ended, as far as the view is concerned.
#[derive(Clone, Debug)]
pub enum Answered {
    /// The object as the API server returned it.
    Stored(Slice),
    /// Deleted, no finalizer holds it.
    Deleted(Uid),
    /// The API server does not have it any more (404).
    Gone(Uid),
    /// Nothing was written, or it is not known whether.
    Nothing,
}

impl View {
    /// A change of a slice, as its stream shows it.
    pub fn slice(&mut self, change: Change<Slice>, wakes: &mut Vec<Wake>) {
        match change {
            Change::Replaced(listed, version) => self.replace_slices(listed, version, wakes),
            Change::Upserted(meta, slice) => {
                self.slices.version = self.slices.version.max(meta.version);
                self.put_slice(slice, wakes);
            }
            Change::Deleted(meta) => {
                self.slices.version = self.slices.version.max(meta.version);
                self.slices.gone.remove(&meta.uid);
                self.slices.undecodable.remove(&meta.key);
                let held = self.slices.rows.get(&meta.key);
                if held.is_some_and(|held| held.uid == meta.uid && held.version <= meta.version) {
                    self.drop_slice(&meta.key, meta.version, wakes);
                } else {
                    self.slices.name_free(&meta.key);
                }
            }
            Change::Undecodable(meta) => {
                self.slices.version = self.slices.version.max(meta.version);
                self.slices.undecodable.insert(meta.key.clone(), meta.uid);
                self.slices.name_taken(&meta.key);
            }
            Change::Bookmark(version) => self.slices.version = self.slices.version.max(version),
            Change::Restored => {
                self.slices.gone.clear();
                self.slices.flights.values_mut().for_each(|flight| flight.shown.clear());
                self.slices.restored = true;
                self.memories = Default::default();
            }
        }
    }

    /// The answer of a write (or of a live read) enters at once. `now`: seconds on a clock that only
    /// grows, for names that must not be given again too soon.
    pub fn write_ends(&mut self, key: &Key, answered: Answered, now: u64, wakes: &mut Vec<Wake>) {
        let mut ours = 0;
        match answered {
            Answered::Stored(slice) => {
                ours = slice.version;
                self.slice_was_answered(slice);
            }
            Answered::Deleted(uid) | Answered::Gone(uid) => {
                // Only while the stream has not shown the end of it: an entry is held exactly that long.
                if self.slices.rows.get(key).is_some_and(|held| held.uid == uid) {
                    self.slices.deleted.insert(key.clone(), now);
                    self.slices.deletions.push_back((now, key.clone()));
                    self.slices.remove(key);
                    self.slices.gone.insert(uid);
                }
            }
            Answered::Nothing => {}
        }
        let Some(flight) = self.slices.flights.get_mut(key) else { return };
        flight.writes -= 1;
        if flight.writes > 0 {
            return;
        }
        let foreign =
            self.slices.flights.remove(key).is_some_and(|f| f.shown.iter().any(|version| *version != ours));
        if foreign && let Some(slice) = self.slices.rows.get(key).cloned() {
            self.wake_slice(&slice, wakes);
        }
    }

    /// A slice that a write or a live read returned: it counts unless the stream is already past it.
    pub fn slice_was_answered(&mut self, slice: Slice) {
        if slice.version <= self.slices.version
            || self.slices.gone.contains(&slice.uid)
            || slice.managed_by().is_none()
        {
            return;
        }
        if self.slices.rows.get(&slice.key).is_none_or(|held| held.version < slice.version) {
            self.slices.insert(Arc::new(slice));
        }
    }

    fn replace_slices(
        &mut self,
        listed: Vec<(Meta, Listed<Slice>)>,
        version: Version,
        wakes: &mut Vec<Wake>,
    ) {
        let restored = std::mem::take(&mut self.slices.restored);
        self.slices.version = if restored { version } else { self.slices.version.max(version) };
        if restored {
            let all: Vec<Key> = self.slices.rows.keys().cloned().collect();
            all.iter().for_each(|key| drop(self.slices.remove(key)));
        }
        let mut vanished: Set<Key> = self.slices.rows.keys().cloned().collect();
        let mut uids: Set<Uid> = Set::default();
        let undecodable: Vec<Key> = self.slices.undecodable.drain().map(|(key, _)| key).collect();
        for (meta, listed) in listed {
            uids.insert(meta.uid.clone());
            vanished.remove(&meta.key);
            match listed {
                Listed::Row(slice) => self.put_slice(slice, wakes),
                Listed::Undecodable => {
                    self.slices.name_taken(&meta.key);
                    self.slices.undecodable.insert(meta.key, meta.uid);
                }
                Listed::Unchanged => {}
            }
        }
        undecodable.iter().for_each(|key| self.slices.name_free(key));
        self.slices.gone.retain(|uid| uids.contains(uid));
        for key in vanished {
            // One that was written after this list stays: the stream has yet to show it.
            if self.slices.rows.get(&key).is_some_and(|held| held.version <= version) {
                self.drop_slice(&key, version, wakes);
            }
        }
    }

    fn put_slice(&mut self, slice: Slice, wakes: &mut Vec<Wake>) {
        if self.slices.gone.contains(&slice.uid) {
            return;
        }
        let held = self.slices.rows.get(&slice.key);
        if held.is_some_and(|held| held.version >= slice.version) {
            return;
        }
        self.slices.undecodable.remove(&slice.key);
        let slice = Arc::new(slice);
        let old = self.slices.insert(Arc::clone(&slice));
        if let Some(flight) = self.slices.flights.get_mut(&slice.key) {
            flight.shown.push(slice.version);
            return;
        }
        if let Some(old) = &old
            && old.service() != slice.service()
        {
            self.wake_slice_now(old, wakes);
            self.wake_slice_now(&slice, wakes);
            return;
        }
        if old.is_none_or(|old| Slice { version: slice.version, ..(*old).clone() } != *slice) {
            self.wake_slice(&slice, wakes);
        }
    }

    fn drop_slice(&mut self, key: &Key, version: Version, wakes: &mut Vec<Wake>) {
        let Some(old) = self.slices.remove(key) else { return };
        match self.slices.flights.get_mut(key) {
            // A delete of ours is on its way: who was faster does not matter.
            Some(flight) => flight.shown.push(version),
            None => self.wake_slice(&old, wakes),
        }
    }

    fn wake_slice(&self, slice: &Slice, wakes: &mut Vec<Wake>) {
        self.wake_owner(slice, After::SliceBatch, wakes);
    }

    fn wake_slice_now(&self, slice: &Slice, wakes: &mut Vec<Wake>) {
        self.wake_owner(slice, After::Now, wakes);
    }

    fn wake_owner(&self, slice: &Slice, after: After, wakes: &mut Vec<Wake>) {
        if let (true, Some(which), Some(key)) = (self.started, slice.managed_by(), slice.service_key()) {
            wakes.push(Wake { which, key, after });
        }
    }
}
