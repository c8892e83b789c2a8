//! Endpoints objects, the source of the mirroring loop.

use smol_str::SmolStr;

use super::{Annotations, Key, Labels, Protocol, TargetReference, Text, Uid, Version};

/// One address of a subset.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointsAddress {
    /// The IP as it was written, valid or not.
    pub ip: SmolStr,
    /// Hostname; `None` when empty.
    pub hostname: Option<SmolStr>,
    /// Node name: absent differs from empty (it is a pointer in the API).
    pub node_name: Option<Text>,
    /// The whole target reference.
    pub target_ref: Option<TargetReference>,
}

/// One port of a subset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointsPort {
    /// Name; may be empty.
    pub name: Text,
    /// Number.
    pub port: i32,
    /// Protocol.
    pub protocol: Protocol,
    /// `appProtocol`: absent differs from empty.
    pub app_protocol: Option<Text>,
}

/// One subset.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Subset {
    /// Ready addresses.
    pub addresses: Vec<EndpointsAddress>,
    /// Addresses that are not ready.
    pub not_ready: Vec<EndpointsAddress>,
    /// Ports.
    pub ports: Vec<EndpointsPort>,
}

/// An Endpoints object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Namespace and name.
    pub key: Key,
    /// Uid.
    pub uid: Uid,
    /// resourceVersion.
    pub version: Version,
    /// Labels.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Annotations,
    /// Whether it has a deletionTimestamp.
    pub deleting: bool,
    /// Subsets, in order.
    pub subsets: Vec<Subset>,
}

impl Endpoints {
    /// Whether the object itself allows mirroring: no skip label that is exactly `true`, no leader
    /// annotation. Whether its Service does is decided with the Service.
    pub fn may_be_mirrored(&self) -> bool {
        !self.labels.has(super::labels::SKIP_MIRROR, "true")
            && self.annotations.get(super::labels::LEADER).is_none()
    }
}
