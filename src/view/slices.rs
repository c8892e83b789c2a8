//! EndpointSlices of both loops: the rows, by Service and by name, and what the stream changes in
//! them. Our own writes lie over it in [`super::overlay`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use super::bytes::Bytes;
use super::overlay::{Overlay, owner};
use super::{After, Change, Listed, Map, Set, View, Wake, in_order, is_another};
use crate::model::{Key, Loop, Meta, Slice, Text, Uid, Version};

/// Characters that a computed name has behind its base (`<service>-`, cut).
const SUFFIX: usize = 5;

/// All slices that bear one of our two managed-by values.
#[derive(Default)]
pub struct SlicesView {
    rows: Map<Key, Arc<Slice>>,
    by_service: [Map<Key, BTreeMap<SmolStr, Arc<Slice>>>; 2],
    // Names by namespace and what stands before their suffix: the ones that computed names can meet.
    names: Map<(Text, SmolStr), BTreeSet<SmolStr>>,
    undecodable: Map<Key, Uid>,
    pub(crate) overlay: Overlay,
    pub(crate) version: Version,
    // Versions went back: no row is what the next list shows, whatever its version.
    restored: bool,
}

/// The part of a name before its suffix.
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

    /// Whether this uid is held at this version or a newer one, or known to have ended: an echo that
    /// needs no decoding and changes nothing.
    pub fn holds(&self, meta: &Meta) -> bool {
        if self.restored {
            return false;
        }
        let held = self.rows.get(&meta.key).filter(|held| held.uid == meta.uid);
        self.overlay.hides(&meta.uid, meta.version)
            || held.is_some_and(|held| {
                held.version > meta.version
                    || held.version == meta.version && !self.overlay.awaits_echo(&meta.key)
            })
    }

    /// Whether the Service has slices of this loop.
    pub fn any(&self, which: Loop, key: &Key) -> bool {
        self.by_service[which as usize].contains_key(key)
    }

    /// Keys of the Services that have slices of this loop.
    pub fn keys_of(&self, which: Loop) -> impl Iterator<Item = &Key> {
        self.by_service[which as usize].keys()
    }

    /// How many slices of this loop each Service has.
    pub(crate) fn counted(&self, which: Loop) -> impl Iterator<Item = (&Key, usize)> {
        self.by_service[which as usize].iter().map(|(key, slices)| (key, slices.len()))
    }

    pub(crate) fn by_name(&self, which: Loop, key: &Key) -> Option<&BTreeMap<SmolStr, Arc<Slice>>> {
        self.by_service[which as usize].get(key)
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

    /// Bytes that the rows and their indexes take, estimated.
    pub fn bytes(&self) -> usize {
        let mut bytes = Bytes::default();
        bytes.map(&self.rows);
        self.rows.values().for_each(|slice| bytes.slice(slice));
        for index in &self.by_service {
            bytes.map(index);
            index.values().for_each(|slices| bytes.vec::<(SmolStr, Arc<Slice>)>(slices.len()));
        }
        bytes.map(&self.names);
        for ((_, base), names) in &self.names {
            bytes.name(base);
            bytes.vec::<SmolStr>(names.len());
        }
        bytes.sum()
    }

    /// Whether an answer tells something that neither the stream nor an earlier answer has told.
    pub(crate) fn is_news(&self, slice: &Slice) -> bool {
        slice.version > self.version
            && !self.overlay.hides(&slice.uid, slice.version)
            && self.rows.get(&slice.key).is_none_or(|held| held.version < slice.version)
    }

    pub(crate) fn name_taken(&mut self, key: &Key) {
        self.names.entry((key.namespace.clone(), base(&key.name))).or_default().insert(key.name.clone());
    }

    fn name_free(&mut self, key: &Key) {
        if self.rows.contains_key(key)
            || self.undecodable.contains_key(key)
            || self.overlay.deleted_lately(key)
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

    pub(crate) fn insert(&mut self, slice: Arc<Slice>) -> Option<Arc<Slice>> {
        let key = slice.key.clone();
        let old = self.rows.insert(key.clone(), Arc::clone(&slice));
        if let Some(old) = &old {
            self.unfile(old);
        } else {
            self.name_taken(&key);
        }
        if let Some((which, service)) = owner(&slice) {
            self.by_service[which as usize].entry(service).or_default().insert(key.name.clone(), slice);
        }
        old
    }

    fn unfile(&mut self, slice: &Slice) {
        let Some((which, service)) = owner(slice) else { return };
        let index = &mut self.by_service[which as usize];
        if let Some(all) = index.get_mut(&service) {
            all.remove(&slice.key.name);
            if all.is_empty() {
                index.remove(&service);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Slice>> {
        let old = self.rows.remove(key)?;
        self.unfile(&old);
        self.name_free(key);
        Some(old)
    }

    /// Gives the row another version.
    fn set_version(&mut self, key: &Key, version: Version) {
        if let Some(held) = self.rows.get(key) {
            let moved = Slice { version, ..(**held).clone() };
            self.insert(Arc::new(moved));
        }
    }

    /// A write of this slice is being sent: until it is answered, what the stream shows of it may be ours.
    pub fn write_begins(&mut self, key: &Key) {
        let writer = self.rows.get(key).and_then(|held| owner(held));
        self.overlay.write_begins(key, writer);
    }

    /// Names deleted before `now − keep` may be given again. Seconds on any clock that only grows.
    pub fn forget_deleted(&mut self, now: u64, keep: u64) {
        while let Some(key) = self.overlay.rested(now, keep) {
            self.name_free(&key);
        }
    }

    /// Whether nothing of our own writes lies over the stream any more.
    #[cfg(test)]
    pub(crate) fn at_rest(&self) -> bool {
        self.overlay.at_rest()
    }
}

impl View {
    /// A change of a slice, as its stream shows it.
    pub fn slice(&mut self, change: Change<Slice>, wakes: &mut Vec<Wake>) {
        let from = wakes.len();
        match change {
            Change::Replaced(listed, version) => self.replace_slices(listed, version, wakes),
            Change::Upserted(meta, slice) => {
                self.slices.version = self.slices.version.max(meta.version);
                self.put_slice(slice, wakes);
            }
            Change::Deleted(meta) => {
                self.slices.version = self.slices.version.max(meta.version);
                self.slice_was_deleted(&meta, wakes);
            }
            Change::Undecodable(meta) => {
                self.slices.version = self.slices.version.max(meta.version);
                self.slice_is_undecodable(meta, wakes);
            }
            Change::Bookmark(version) => {
                self.slices.version = self.slices.version.max(version);
                let owners = self.slices.overlay.reached(self.slices.version, None);
                self.wake_owners(owners, After::SliceBatch, wakes);
            }
            Change::Restored => {
                self.slices.overlay.void();
                self.slices.restored = true;
                self.memories = Default::default();
            }
        }
        in_order(wakes, from);
    }

    fn replace_slices(
        &mut self,
        listed: Vec<(Meta, Listed<Slice>)>,
        version: Version,
        wakes: &mut Vec<Wake>,
    ) {
        let mut vanished: Set<Key> = self.slices.rows.keys().cloned().collect();
        if std::mem::take(&mut self.slices.restored) {
            // Of another history: every version that is listed is newer.
            vanished.iter().for_each(|key| self.slices.set_version(key, 0));
            self.slices.version = version;
        }
        self.slices.version = self.slices.version.max(version);
        let mut uids: Set<Uid> = Set::default();
        let undecodable: Vec<Key> = self.slices.undecodable.drain().map(|(key, _)| key).collect();
        for (meta, listed) in listed {
            uids.insert(meta.uid.clone());
            vanished.remove(&meta.key);
            match listed {
                Listed::Row(slice) => self.put_slice(slice, wakes),
                Listed::Undecodable => self.slice_is_undecodable(meta, wakes),
                Listed::Unchanged => {}
            }
        }
        undecodable.iter().for_each(|key| self.slices.name_free(key));
        let owners = self.slices.overlay.reached(version, Some(&uids));
        self.wake_owners(owners, After::SliceBatch, wakes);
        for key in vanished {
            // One that was written after this list stays: the stream has yet to show it.
            if self.slices.rows.get(&key).is_some_and(|held| held.version <= version) {
                self.drop_slice(&key, version, wakes);
            }
        }
    }

    fn put_slice(&mut self, slice: Slice, wakes: &mut Vec<Wake>) {
        if self.slices.overlay.hides(&slice.uid, slice.version) {
            return;
        }
        let held = self.slices.rows.get(&slice.key).map(|held| held.version);
        if held.is_some_and(|held| held > slice.version) {
            return;
        }
        self.slices.undecodable.remove(&slice.key);
        let mut owners = self.slices.overlay.echoed(&slice.key);
        if held == Some(slice.version) {
            self.slice_changed(&slice.key, &slice.uid, slice.version, owners, After::SliceBatch, wakes);
            return;
        }
        owners.append(&mut self.slices.overlay.revived(&slice.uid));
        let slice = Arc::new(slice);
        let old = self.slices.insert(Arc::clone(&slice));
        let changed = |old: &Arc<Slice>| Slice { version: slice.version, ..(**old).clone() } != *slice;
        let mut after = After::SliceBatch;
        if old.as_ref().is_none_or(changed) {
            owners.extend(old.as_deref().and_then(owner));
            owners.extend(owner(&slice));
        }
        if old.is_some_and(|old| old.service() != slice.service()) {
            after = After::Now;
        }
        self.slice_changed(&slice.key, &slice.uid, slice.version, owners, after, wakes);
    }

    fn slice_was_deleted(&mut self, meta: &Meta, wakes: &mut Vec<Wake>) {
        let owners = self.slices.overlay.end_shown(&meta.uid, meta.version);
        self.wake_owners(owners, After::SliceBatch, wakes);
        if self.slices.undecodable.get(&meta.key).is_some_and(|uid| *uid == meta.uid) {
            self.slices.undecodable.remove(&meta.key);
            self.slices.name_free(&meta.key);
        }
        let held = self.slices.rows.get(&meta.key);
        if held.is_some_and(|held| held.uid == meta.uid && held.version <= meta.version) {
            self.drop_slice(&meta.key, meta.version, wakes);
        }
    }

    /// The old row stays, if it is one of the same object; the name is taken in any case.
    fn slice_is_undecodable(&mut self, meta: Meta, wakes: &mut Vec<Wake>) {
        self.slices.name_taken(&meta.key);
        self.slices.undecodable.insert(meta.key.clone(), meta.uid.clone());
        let Some(held) = self.slices.rows.get(&meta.key) else { return };
        if is_another(&meta, &held.uid) && held.version <= meta.version {
            self.drop_slice(&meta.key, meta.version, wakes);
        } else if held.version == 0 {
            self.slices.set_version(&meta.key, meta.version);
        }
    }

    fn drop_slice(&mut self, key: &Key, version: Version, wakes: &mut Vec<Wake>) {
        let Some(old) = self.slices.remove(key) else { return };
        let mut owners = self.slices.overlay.echoed(key);
        owners.extend(owner(&old));
        self.slice_changed(key, &old.uid, version, owners, After::SliceBatch, wakes);
    }
}
