//! Endpoints objects: whole ones of those that people write, only key, uid and version of those
//! that the control plane's Endpoints controller writes (they may be large and change often, and
//! only those of Services without a selector are mirrored: these are read one by one).

use std::sync::Arc;

use super::bytes::Bytes;
use super::{After, Change, Listed, Map, Set, View, Wake, in_order, is_another};
use crate::model::{Endpoints, Key, Loop, Meta, Version};

/// All Endpoints.
#[derive(Default)]
pub struct EndpointsView {
    rows: Map<Key, Arc<Endpoints>>,
    marked: Map<Key, Meta>,
    // Read one by one because their Service has no selector.
    read: Map<Key, Arc<Endpoints>>,
    pub(crate) version: Version,
    pub(crate) marked_version: Version,
    // Versions went back: no row is what the next list shows, whatever its version.
    restored: bool,
    marked_restored: bool,
}

/// What is known of the Endpoints of a key.
pub(crate) enum Known {
    /// The newest row.
    Row(Arc<Endpoints>),
    /// There is one that the control plane writes, and its content is not known: read it.
    Unread,
    /// None in any stream.
    Nothing,
}

impl EndpointsView {
    /// Keys of all Endpoints, of both streams.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.rows.keys().chain(self.marked.keys())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len() + self.marked.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.marked.is_empty()
    }

    /// The row of this key in the stream of whole objects.
    pub fn get(&self, key: &Key) -> Option<&Arc<Endpoints>> {
        self.rows.get(key)
    }

    /// Whether exactly this uid and version is held.
    pub fn holds(&self, meta: &Meta) -> bool {
        !self.restored
            && self
                .rows
                .get(&meta.key)
                .is_some_and(|held| held.uid == meta.uid && held.version == meta.version)
    }

    /// Whether exactly this uid and version is held of those that the control plane writes.
    pub fn holds_marked(&self, meta: &Meta) -> bool {
        !self.marked_restored && self.marked.get(&meta.key) == Some(meta)
    }

    /// Whether the control plane writes the Endpoints of this key.
    pub fn has_marked(&self, key: &Key) -> bool {
        self.marked.contains_key(key)
    }

    /// How many whole objects are held.
    pub fn rows_len(&self) -> usize {
        self.rows.len()
    }

    /// How many of those that the control plane writes.
    pub fn marked_len(&self) -> usize {
        self.marked.len()
    }

    /// Bytes that the rows of both streams take, estimated.
    pub fn bytes(&self) -> usize {
        let mut bytes = Bytes::default();
        for rows in [&self.rows, &self.read] {
            bytes.map(rows);
            rows.values().for_each(|endpoints| bytes.endpoints(endpoints));
        }
        bytes.map(&self.marked);
        self.marked.values().for_each(|meta| bytes.meta(meta));
        bytes.sum()
    }

    pub(crate) fn known(&self, key: &Key) -> Known {
        let newest = [self.rows.get(key), self.read.get(key)].into_iter().flatten().max_by_key(|e| e.version);
        match (newest, self.marked.get(key)) {
            (Some(row), Some(marked)) if row.version >= marked.version => Known::Row(Arc::clone(row)),
            (_, Some(_)) => Known::Unread,
            // What was once read counts only as long as a stream shows the object.
            (_, None) => self.rows.get(key).map_or(Known::Nothing, |row| Known::Row(Arc::clone(row))),
        }
    }
}

impl View {
    /// A change of Endpoints that the control plane's Endpoints controller did not write.
    pub fn endpoints(&mut self, change: Change<Endpoints>, wakes: &mut Vec<Wake>) {
        let from = wakes.len();
        match change {
            Change::Replaced(listed, version) => {
                self.endpoints.version = version;
                self.endpoints.restored = false;
                let mut vanished: Set<Key> = self.endpoints.rows.keys().cloned().collect();
                for (meta, listed) in listed {
                    vanished.remove(&meta.key);
                    match listed {
                        Listed::Row(row) => self.put_endpoints(row, wakes),
                        Listed::Undecodable => self.endpoints_are_undecodable(&meta, wakes),
                        Listed::Unchanged => {}
                    }
                }
                vanished.into_iter().for_each(|key| self.drop_endpoints(&key, wakes));
            }
            Change::Upserted(meta, row) => {
                self.endpoints.version = self.endpoints.version.max(meta.version);
                self.put_endpoints(row, wakes);
            }
            Change::Deleted(meta) => {
                self.endpoints.version = self.endpoints.version.max(meta.version);
                if self.endpoints.rows.get(&meta.key).is_some_and(|held| held.uid == meta.uid) {
                    self.drop_endpoints(&meta.key, wakes);
                }
            }
            Change::Undecodable(meta) => {
                self.endpoints.version = self.endpoints.version.max(meta.version);
                self.endpoints_are_undecodable(&meta, wakes);
            }
            Change::Bookmark(version) => self.endpoints.version = self.endpoints.version.max(version),
            Change::Restored => {
                self.endpoints.restored = true;
                self.endpoints.read.clear();
            }
        }
        in_order(wakes, from);
    }

    fn endpoints_are_undecodable(&mut self, meta: &Meta, wakes: &mut Vec<Wake>) {
        if self.endpoints.rows.get(&meta.key).is_some_and(|held| is_another(meta, &held.uid)) {
            self.drop_endpoints(&meta.key, wakes);
        }
    }

    /// A change of Endpoints that the control plane's Endpoints controller writes: their metadata.
    pub fn marked_endpoints(&mut self, change: Change<Meta>, wakes: &mut Vec<Wake>) {
        let from = wakes.len();
        match change {
            Change::Replaced(listed, version) => {
                self.endpoints.marked_version = version;
                self.endpoints.marked_restored = false;
                let mut vanished: Set<Key> = self.endpoints.marked.keys().cloned().collect();
                for (meta, _) in listed {
                    vanished.remove(&meta.key);
                    self.put_marked(meta, wakes);
                }
                vanished.into_iter().for_each(|key| self.drop_marked(&key, wakes));
            }
            Change::Upserted(meta, _) | Change::Undecodable(meta) => {
                self.endpoints.marked_version = self.endpoints.marked_version.max(meta.version);
                self.put_marked(meta, wakes);
            }
            Change::Deleted(meta) => {
                self.endpoints.marked_version = self.endpoints.marked_version.max(meta.version);
                if self.endpoints.marked.get(&meta.key).is_some_and(|held| held.uid == meta.uid) {
                    self.drop_marked(&meta.key, wakes);
                }
            }
            Change::Bookmark(version) => {
                self.endpoints.marked_version = self.endpoints.marked_version.max(version);
            }
            Change::Restored => {
                self.endpoints.marked_restored = true;
                self.endpoints.read.clear();
            }
        }
        in_order(wakes, from);
    }

    /// Endpoints that were read one by one. Older ones than what is known are ignored, and those that
    /// the stream of metadata does not show: nothing would tell when they change.
    pub fn endpoints_were_read(&mut self, row: Endpoints) {
        let held = self.endpoints.read.get(&row.key);
        if self.endpoints.marked.contains_key(&row.key) && held.is_none_or(|held| held.version < row.version)
        {
            self.endpoints.read.insert(row.key.clone(), Arc::new(row));
        }
    }

    fn put_endpoints(&mut self, row: Endpoints, wakes: &mut Vec<Wake>) {
        let key = row.key.clone();
        let concerned = row.may_be_mirrored();
        let old = self.endpoints.rows.insert(key.clone(), Arc::new(row));
        let unchanged = old.as_ref().is_some_and(|old| {
            self.endpoints
                .rows
                .get(&key)
                .is_some_and(|new| Endpoints { version: new.version, ..(**old).clone() } == **new)
        });
        if !unchanged && (concerned || old.is_some_and(|old| old.may_be_mirrored())) {
            self.wake_endpoints(key, wakes);
        }
    }

    fn drop_endpoints(&mut self, key: &Key, wakes: &mut Vec<Wake>) {
        let old = self.endpoints.rows.remove(key);
        if old.is_some_and(|old| old.may_be_mirrored()) {
            self.wake_endpoints(key.clone(), wakes);
        }
    }

    fn put_marked(&mut self, meta: Meta, wakes: &mut Vec<Wake>) {
        let key = meta.key.clone();
        let old = self.endpoints.marked.insert(key.clone(), meta);
        if old.as_ref() != self.endpoints.marked.get(&key) {
            self.wake_endpoints(key, wakes);
        }
    }

    fn drop_marked(&mut self, key: &Key, wakes: &mut Vec<Wake>) {
        if self.endpoints.marked.remove(key).is_some() {
            self.endpoints.read.remove(key);
            self.wake_endpoints(key.clone(), wakes);
        }
    }

    fn wake_endpoints(&self, key: Key, wakes: &mut Vec<Wake>) {
        if self.started && self.concerns_mirroring(&key) {
            wakes.push(Wake { which: Loop::Mirroring, key, after: After::Now });
        }
    }
}
