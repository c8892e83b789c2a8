//! Pods and the indexes that find them: by label pair for a new Service, by Node for a Node that
//! appears.

use std::sync::Arc;

use smol_str::SmolStr;

use super::bytes::Bytes;
use super::services::Pair;
use super::{After, Change, Listed, Map, Set, View, Wake, in_order, is_another, unfile};
use crate::model::{Key, Labels, Loop, Meta, Pod, Text, Version};

/// A place in the table of Pods: four bytes in every index instead of a name.
pub(crate) type PodId = u32;

/// All Pods.
#[derive(Default)]
pub struct PodsView {
    rows: Vec<Option<Arc<Pod>>>,
    free: Vec<PodId>,
    by_key: Map<Text, Map<SmolStr, PodId>>,
    by_pair: Map<Pair, Set<PodId>>,
    by_node: Map<Text, Set<PodId>>,
    count: usize,
    pub(crate) version: Version,
    // Versions went back: no row is what the next list shows, whatever its version.
    restored: bool,
}

impl PodsView {
    /// The place of this key's Pod.
    pub(crate) fn place(&self, key: &Key) -> Option<PodId> {
        self.by_key.get(&key.namespace)?.get(&key.name).copied()
    }

    /// The Pod of this key.
    pub fn get(&self, key: &Key) -> Option<&Arc<Pod>> {
        self.row(self.place(key)?)
    }

    pub(crate) fn row(&self, id: PodId) -> Option<&Arc<Pod>> {
        self.rows.get(id as usize)?.as_ref()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether exactly this uid and version is held.
    pub fn holds(&self, meta: &Meta) -> bool {
        !self.restored
            && self.get(&meta.key).is_some_and(|held| held.uid == meta.uid && held.version == meta.version)
    }

    /// Bytes that the rows and their indexes take, estimated.
    pub fn bytes(&self) -> usize {
        let mut bytes = Bytes::default();
        bytes.vec::<Option<Arc<Pod>>>(self.rows.capacity());
        bytes.vec::<PodId>(self.free.capacity());
        self.rows.iter().flatten().for_each(|pod| bytes.pod(pod));
        bytes.map(&self.by_key);
        self.by_key.values().for_each(|names| bytes.map(names));
        bytes.map(&self.by_pair);
        self.by_pair.values().for_each(|pods| bytes.set(pods));
        bytes.map(&self.by_node);
        self.by_node.values().for_each(|pods| bytes.set(pods));
        bytes.sum()
    }

    pub(crate) fn with_pair(&self, pair: &Pair) -> impl ExactSizeIterator<Item = &PodId> {
        static NONE: std::sync::LazyLock<Set<PodId>> = std::sync::LazyLock::new(Set::default);
        self.by_pair.get(pair).unwrap_or(&NONE).iter()
    }

    /// The Pods that a selector matches: the members of its rarest pair, filtered.
    pub(crate) fn matching(&self, namespace: &Text, selector: &Labels) -> Set<PodId> {
        let pairs = selector.iter().map(|(k, v)| (namespace.clone(), k.clone(), v.clone()));
        let Some(rarest) = pairs.min_by_key(|pair| self.with_pair(pair).len()) else { return Set::default() };
        self.with_pair(&rarest)
            .copied()
            .filter(|id| self.row(*id).is_some_and(|pod| pod.labels.contains_all(selector)))
            .collect()
    }

    /// The Pods on a Node.
    pub(crate) fn on_node(&self, node: &Text) -> impl Iterator<Item = &Arc<Pod>> {
        self.by_node.get(node).into_iter().flatten().filter_map(|id| self.row(*id))
    }

    fn file(&mut self, id: PodId, pod: &Pod) {
        for (k, v) in &pod.labels {
            self.by_pair.entry((pod.key.namespace.clone(), k.clone(), v.clone())).or_default().insert(id);
        }
        if let Some(node) = &pod.node {
            self.by_node.entry(node.clone()).or_default().insert(id);
        }
    }

    fn unfile(&mut self, id: PodId, pod: &Pod) {
        for (k, v) in &pod.labels {
            unfile(&mut self.by_pair, &(pod.key.namespace.clone(), k.clone(), v.clone()), &id);
        }
        if let Some(node) = &pod.node {
            unfile(&mut self.by_node, node, &id);
        }
    }

    fn insert(&mut self, pod: Arc<Pod>) -> PodId {
        self.count += 1;
        let id = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            (self.rows.len() - 1) as PodId
        });
        self.file(id, &pod);
        self.by_key.entry(pod.key.namespace.clone()).or_default().insert(pod.key.name.clone(), id);
        self.rows[id as usize] = Some(pod);
        id
    }

    fn replace(&mut self, id: PodId, pod: Arc<Pod>) -> Option<Arc<Pod>> {
        let old = self.rows[id as usize].take()?;
        if !old.labels.same(&pod.labels) || old.node != pod.node {
            self.unfile(id, &old);
            self.file(id, &pod);
        }
        self.rows[id as usize] = Some(pod);
        Some(old)
    }

    fn remove(&mut self, id: PodId) -> Option<Arc<Pod>> {
        let old = self.rows[id as usize].take()?;
        self.count -= 1;
        self.unfile(id, &old);
        self.free.push(id);
        if let Some(names) = self.by_key.get_mut(&old.key.namespace) {
            names.remove(&old.key.name);
            if names.is_empty() {
                self.by_key.remove(&old.key.namespace);
            }
        }
        Some(old)
    }
}

impl View {
    /// A change of a Pod.
    pub fn pod(&mut self, change: Change<Pod>, wakes: &mut Vec<Wake>) {
        let from = wakes.len();
        match change {
            Change::Replaced(listed, version) => {
                self.pods.version = version;
                self.pods.restored = false;
                self.replace_pods(listed, wakes);
            }
            Change::Upserted(meta, pod) => {
                self.pods.version = self.pods.version.max(meta.version);
                self.put_pod(pod, wakes);
            }
            Change::Deleted(meta) => {
                self.pods.version = self.pods.version.max(meta.version);
                if let Some(id) = self.pods.place(&meta.key)
                    && self.pods.row(id).is_some_and(|held| held.uid == meta.uid)
                {
                    self.drop_pod(id, wakes);
                }
            }
            Change::Undecodable(meta) => {
                self.pods.version = self.pods.version.max(meta.version);
                self.pod_is_undecodable(&meta, wakes);
            }
            Change::Bookmark(version) => self.pods.version = self.pods.version.max(version),
            Change::Restored => self.pods.restored = true,
        }
        in_order(wakes, from);
    }

    fn replace_pods(&mut self, listed: Vec<(Meta, Listed<Pod>)>, wakes: &mut Vec<Wake>) {
        let mut vanished: Set<PodId> = (0..self.pods.rows.len() as PodId).collect();
        for (meta, _) in &listed {
            if let Some(id) = self.pods.place(&meta.key) {
                vanished.remove(&id);
            }
        }
        vanished.into_iter().for_each(|id| self.drop_pod(id, wakes));
        for (meta, listed) in listed {
            match listed {
                Listed::Row(pod) => self.put_pod(pod, wakes),
                Listed::Undecodable => self.pod_is_undecodable(&meta, wakes),
                Listed::Unchanged => {}
            }
        }
    }

    fn pod_is_undecodable(&mut self, meta: &Meta, wakes: &mut Vec<Wake>) {
        if let Some(id) = self.pods.place(&meta.key)
            && self.pods.row(id).is_some_and(|held| is_another(meta, &held.uid))
        {
            self.drop_pod(id, wakes);
        }
    }

    fn put_pod(&mut self, pod: Pod, wakes: &mut Vec<Wake>) {
        let pod = Arc::new(pod);
        let Some(id) = self.pods.place(&pod.key) else {
            let id = self.pods.insert(Arc::clone(&pod));
            for key in self.selecting(&pod) {
                self.services.join(&key, id);
                self.wake_pod(&key, &pod, wakes);
            }
            return;
        };
        let Some(old) = self.pods.replace(id, Arc::clone(&pod)) else { return };
        if old.same_row(&pod) {
            return;
        }
        let changed = endpoint_changed(&old, &pod);
        if old.labels.same(&pod.labels) {
            for key in self.selecting(&pod) {
                self.touch(&key, &pod.key.name);
                if changed {
                    self.wake_pod(&key, &pod, wakes);
                }
            }
            return;
        }
        let before: Set<Key> = self.selecting(&old).into_iter().collect();
        let after: Set<Key> = self.selecting(&pod).into_iter().collect();
        for key in before.difference(&after) {
            self.services.leave(key, id);
            self.wake_pod(key, &pod, wakes);
        }
        for key in after.difference(&before) {
            self.services.join(key, id);
            self.wake_pod(key, &pod, wakes);
        }
        for key in before.intersection(&after) {
            self.touch(key, &pod.key.name);
            if changed {
                self.wake_pod(key, &pod, wakes);
            }
        }
    }

    fn drop_pod(&mut self, id: PodId, wakes: &mut Vec<Wake>) {
        let Some(old) = self.pods.remove(id) else { return };
        for key in self.selecting(&old) {
            self.services.leave(&key, id);
            self.wake_pod(&key, &old, wakes);
        }
    }

    /// The Services that select a Pod.
    fn selecting(&self, pod: &Pod) -> Vec<Key> {
        let mut keys = Vec::new();
        self.services.matching(&pod.key.namespace, &pod.labels, |key| keys.push(key.clone()));
        keys
    }

    fn wake_pod(&mut self, key: &Key, pod: &Pod, wakes: &mut Vec<Wake>) {
        self.touch(key, &pod.key.name);
        if self.started {
            wakes.push(Wake { which: Loop::Selector, key: key.clone(), after: After::PodBatch });
        }
    }
}

/// Whether an endpoint made from the Pod may differ. The time of a readiness change alone is no
/// reason to wake anybody.
fn endpoint_changed(old: &Pod, new: &Pod) -> bool {
    old.uid != new.uid
        || old.hostname != new.hostname
        || old.subdomain != new.subdomain
        || old.terminating != new.terminating
        || old.ready != new.ready
        || old.ips != new.ips
        || old.has_ip != new.has_ip
        || old.terminal != new.terminal
        || old.node != new.node
}
