//! Services, filed under one pair of their selector, so that a Pod finds the Services that select
//! it by its own labels.

use std::sync::Arc;

use super::bytes::Bytes;
use super::pods::PodId;
use super::track::Track;
use super::{After, Change, Listed, Map, Set, View, Wake, in_order, is_another, unfile};
use crate::model::{Key, Labels, Loop, Meta, Service, Text, TopologyMode, Version};

/// A label pair in a namespace.
pub(crate) type Pair = (Text, Text, Text);

/// A Service and who it selects.
pub struct Selected {
    pub(crate) service: Arc<Service>,
    pub(crate) members: Set<PodId>,
    filed_under: Option<Pair>,
    pub(crate) track: Option<Box<Track>>,
}

/// All Services.
#[derive(Default)]
pub struct ServicesView {
    all: Map<Key, Selected>,
    // A Service stands under the pair of its selector with the fewest Services and Pods when it came.
    by_pair: Map<Pair, Set<Key>>,
    in_mode_auto: Set<Key>,
    pub(crate) version: Version,
    // Versions went back: no row is what the next list shows, whatever its version.
    restored: bool,
}

impl ServicesView {
    /// The Service of this key.
    pub fn get(&self, key: &Key) -> Option<&Arc<Service>> {
        self.all.get(key).map(|held| &held.service)
    }

    /// The Service with its members.
    pub(crate) fn selected(&self, key: &Key) -> Option<&Selected> {
        self.all.get(key)
    }

    pub(crate) fn selected_mut(&mut self, key: &Key) -> Option<&mut Selected> {
        self.all.get_mut(key)
    }

    /// Keys of all Services that the selector loop works on.
    pub fn selecting(&self) -> impl Iterator<Item = &Key> {
        self.all.iter().filter(|(_, held)| held.service.selects()).map(|(key, _)| key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether exactly this uid and version is held.
    pub fn holds(&self, meta: &Meta) -> bool {
        !self.restored
            && self.get(&meta.key).is_some_and(|held| held.uid == meta.uid && held.version == meta.version)
    }

    /// Bytes that the rows, their members and indexes take, estimated.
    pub fn bytes(&self) -> usize {
        let mut bytes = Bytes::default();
        bytes.map(&self.all);
        for held in self.all.values() {
            bytes.service(&held.service);
            bytes.set(&held.members);
        }
        bytes.map(&self.by_pair);
        self.by_pair.values().for_each(|keys| bytes.set(keys));
        bytes.sum()
    }

    /// Calls `found` with every Service that selects these labels.
    pub(crate) fn matching(&self, namespace: &Text, labels: &Labels, mut found: impl FnMut(&Key)) {
        for (name, value) in labels {
            let Some(keys) = self.by_pair.get(&(namespace.clone(), name.clone(), value.clone())) else {
                continue;
            };
            for key in keys {
                let selector = self.all.get(key).and_then(|held| held.service.selector.as_ref());
                if selector.is_some_and(|selector| labels.contains_all(selector)) {
                    found(key);
                }
            }
        }
    }

    /// Services whose hints depend on all Nodes.
    pub(crate) fn in_mode_auto(&self) -> impl Iterator<Item = &Key> {
        self.in_mode_auto.iter()
    }

    fn note_mode(&mut self, service: &Service) {
        if service.selects() && service.topology_mode == TopologyMode::Auto {
            self.in_mode_auto.insert(service.key.clone());
        } else {
            self.in_mode_auto.remove(&service.key);
        }
    }

    pub(crate) fn join(&mut self, key: &Key, pod: PodId) {
        if let Some(held) = self.all.get_mut(key) {
            held.members.insert(pod);
        }
    }

    pub(crate) fn leave(&mut self, key: &Key, pod: PodId) {
        if let Some(held) = self.all.get_mut(key) {
            held.members.remove(&pod);
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<Service>> {
        let held = self.all.remove(key)?;
        self.in_mode_auto.remove(key);
        if let Some(pair) = &held.filed_under {
            unfile(&mut self.by_pair, pair, key);
        }
        Some(held.service)
    }
}

impl View {
    /// A change of a Service.
    pub fn service(&mut self, change: Change<Service>, wakes: &mut Vec<Wake>) {
        let from = wakes.len();
        match change {
            Change::Replaced(listed, version) => {
                self.services.version = version;
                self.services.restored = false;
                let mut vanished: Set<Key> = self.services.all.keys().cloned().collect();
                for (meta, listed) in listed {
                    vanished.remove(&meta.key);
                    match listed {
                        Listed::Row(service) => self.put_service(service, wakes),
                        Listed::Undecodable => self.service_is_undecodable(&meta, wakes),
                        Listed::Unchanged => {}
                    }
                }
                for key in vanished {
                    self.drop_service(&key, wakes);
                }
            }
            Change::Upserted(meta, service) => {
                self.services.version = self.services.version.max(meta.version);
                self.put_service(service, wakes);
            }
            Change::Deleted(meta) => {
                self.services.version = self.services.version.max(meta.version);
                if self.services.get(&meta.key).is_some_and(|held| held.uid == meta.uid) {
                    self.drop_service(&meta.key, wakes);
                }
            }
            Change::Undecodable(meta) => {
                self.services.version = self.services.version.max(meta.version);
                self.service_is_undecodable(&meta, wakes);
            }
            Change::Bookmark(version) => self.services.version = self.services.version.max(version),
            Change::Restored => self.services.restored = true,
        }
        in_order(wakes, from);
    }

    fn service_is_undecodable(&mut self, meta: &Meta, wakes: &mut Vec<Wake>) {
        if self.services.get(&meta.key).is_some_and(|held| is_another(meta, &held.uid)) {
            self.drop_service(&meta.key, wakes);
        }
    }

    fn put_service(&mut self, service: Service, wakes: &mut Vec<Wake>) {
        let key = service.key.clone();
        let service = Arc::new(service);
        if self.services.get(&key).is_some_and(|held| held.uid != service.uid) {
            // What is remembered was of another Service.
            self.forget(Loop::Selector, &key);
        }
        let old = match self.services.all.get_mut(&key) {
            Some(held) if held.service.same_row(&service) => {
                held.service = service;
                return;
            }
            Some(held) if selection(&held.service) == selection(&service) => {
                let old = std::mem::replace(&mut held.service, Arc::clone(&service));
                self.services.note_mode(&service);
                self.wake_service(&key, Some(&old), Some(&service), wakes);
                return;
            }
            _ => self.services.remove(&key),
        };
        let mut members = Set::default();
        let mut filed_under = None;
        if let Some(selector) = selection(&service) {
            let pairs = selector.iter().map(|(k, v)| (key.namespace.clone(), k.clone(), v.clone()));
            filed_under = pairs.min_by_key(|pair| {
                (
                    self.services.by_pair.get(pair).map_or(0, |keys| keys.len()),
                    self.pods.with_pair(pair).len(),
                )
            });
            members = self.pods.matching(&key.namespace, selector);
        }
        if let Some(pair) = &filed_under {
            self.services.by_pair.entry(pair.clone()).or_default().insert(key.clone());
        }
        self.services.all.insert(
            key.clone(),
            Selected { service: Arc::clone(&service), members, filed_under, track: None },
        );
        self.services.note_mode(&service);
        self.wake_service(&key, old.as_deref(), Some(&service), wakes);
    }

    fn drop_service(&mut self, key: &Key, wakes: &mut Vec<Wake>) {
        if let Some(old) = self.services.remove(key) {
            self.forget(Loop::Selector, key);
            self.wake_service(key, Some(&old), None, wakes);
        }
    }

    fn wake_service(&self, key: &Key, old: Option<&Service>, new: Option<&Service>, wakes: &mut Vec<Wake>) {
        if !self.started {
            return;
        }
        wakes.push(Wake { which: Loop::Selector, key: key.clone(), after: After::Now });
        let has_selector = |service: &Service| service.selector.is_some();
        let mirroring = match (old, new) {
            (Some(old), Some(new)) => {
                has_selector(old) != has_selector(new) || !has_selector(new) && old.uid != new.uid
            }
            // Also where mirrored slices are left: a sync that saw no Service, but read this one live,
            // has left them to this event.
            (None, Some(new)) => !has_selector(new) || self.slices.any(Loop::Mirroring, key),
            (Some(old), None) => !has_selector(old),
            (None, None) => false,
        };
        if mirroring {
            wakes.push(Wake { which: Loop::Mirroring, key: key.clone(), after: After::Now });
        }
    }
}

/// The selector by which a Service has members: none for one that the loop does not work on.
fn selection(service: &Service) -> Option<&Labels> {
    service.selector.as_ref().filter(|_| service.selects())
}
