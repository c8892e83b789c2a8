//! Labels and annotations: sorted pairs, shared between the rows that carry the same ones.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Text;
use super::text::Table;

/// Label that names a slice's Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Label that names the controller which owns a slice.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Label of the slices (and Endpoints) of a headless Service.
pub const HEADLESS: &str = "service.kubernetes.io/headless";
/// Label of the slices (and the Service) that another service proxy than kube-proxy serves.
pub const SERVICE_PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";
/// Label on Endpoints that must not be mirrored when its value is exactly `true`.
pub const SKIP_MIRROR: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Label on Endpoints that the Endpoints controller of the control plane wrote.
pub const ENDPOINTS_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
/// Annotation of Endpoints that are an old leader election lock.
pub const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
/// Annotation with the time of the change that a slice's last write answered.
pub const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// Annotation of kubectl, never mirrored.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Annotation that asks for topology hints; wins over [`TOPOLOGY_MODE`] when present.
pub const TOPOLOGY_AWARE_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
/// Annotation that asks for topology hints.
pub const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
/// Label of a Node with its zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";

static SETS: LazyLock<Table<[(Text, Text)]>> = LazyLock::new(Table::new);

/// A set of labels, sorted by key, each key once. Equal sets are one allocation: the Pods of a
/// ReplicaSet share theirs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Text, Text)]>);

/// Annotations have the shape of labels.
pub type Annotations = Labels;

impl Labels {
    /// The set of these pairs; of a key that comes twice the last value counts.
    pub fn new<K: Into<Text>, V: Into<Text>>(pairs: impl IntoIterator<Item = (K, V)>) -> Labels {
        let mut pairs: Vec<(Text, Text)> = pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            let map: BTreeMap<Text, Text> = pairs.into_iter().collect();
            pairs = map.into_iter().collect();
        }
        Labels(SETS.intern(pairs.as_slice(), || Arc::from(pairs.as_slice())))
    }

    /// The value of this key.
    pub fn get(&self, key: &str) -> Option<&Text> {
        self.0.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok().map(|at| &self.0[at].1)
    }

    /// Whether the key has this value.
    pub fn has(&self, key: &str, value: &str) -> bool {
        self.get(key).is_some_and(|v| v == value)
    }

    /// The pairs, sorted by key.
    pub fn iter(&self) -> std::slice::Iter<'_, (Text, Text)> {
        self.0.iter()
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every pair of `selector` is one of ours.
    pub fn contains_all(&self, selector: &Labels) -> bool {
        selector.len() <= self.len()
            && selector.iter().all(|(k, v)| self.get(k).is_some_and(|mine| mine == v))
    }

    /// Whether both are the very same allocation; equal sets nearly always are.
    pub fn same(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// This set without the pairs whose key is refused by `keep`.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Labels {
        if self.0.iter().all(|(k, _)| keep(k)) {
            return self.clone();
        }
        Labels::new(self.0.iter().filter(|(k, _)| keep(k)).cloned())
    }
}

impl Default for Labels {
    fn default() -> Labels {
        Labels::new(std::iter::empty::<(Text, Text)>())
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a (Text, Text);
    type IntoIter = std::slice::Iter<'a, (Text, Text)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl std::fmt::Debug for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(k, v)| (k, v))).finish()
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_matches_when_every_pair_is_there() {
        let labels = Labels::new([("app", "web"), ("tier", "front")]);
        assert!(labels.contains_all(&Labels::new([("app", "web")])));
        assert!(!labels.contains_all(&Labels::new([("app", "db")])));
        assert!(!labels.contains_all(&Labels::new([("app", "web"), ("x", "")])));
        assert!(labels.same(&Labels::new([("tier", "front"), ("app", "web")])));
    }
}
