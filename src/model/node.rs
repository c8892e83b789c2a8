//! Nodes: what placement and topology need of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Key, Text, Uid, Version};

/// A Node. Heartbeats change nothing here but the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Name (the namespace is empty).
    pub key: Key,
    /// Uid.
    pub uid: Uid,
    /// resourceVersion.
    pub version: Version,
    /// Label `topology.kubernetes.io/zone`; `None` when absent or empty.
    pub zone: Option<Text>,
    /// Whether the condition Ready is True.
    pub ready: bool,
    /// Allocatable CPU in thousandths of a core; `None` when absent, not readable or zero.
    pub cpu_milli: Option<u64>,
    /// Whether the Node bears `node-role.kubernetes.io/control-plane` or `…/master`, whatever the value.
    pub control_plane: bool,
}

impl Node {
    /// Whether nothing that any decision uses differs.
    pub fn same_row(&self, other: &Node) -> bool {
        self.key == other.key
            && self.uid == other.uid
            && self.zone == other.zone
            && self.ready == other.ready
            && self.cpu_milli == other.cpu_milli
            && self.control_plane == other.control_plane
    }
}

/// All Nodes by name.
pub type Nodes = HashMap<Text, Arc<Node>, foldhash::fast::RandomState>;
