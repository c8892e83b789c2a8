//! Services.

use smol_str::SmolStr;

use super::{AddressType, Key, Labels, Protocol, Text, Time, Uid, Version};

/// The target of a Service port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetPort {
    /// A number; 0 (or absent) means the Service port's own number.
    Number(i32),
    /// A name, digits or not, looked up in each Pod.
    Name(Text),
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServicePort {
    /// Name; may be empty.
    pub name: Text,
    /// Protocol.
    pub protocol: Protocol,
    /// `appProtocol`: absent differs from empty.
    pub app_protocol: Option<Text>,
    /// Number.
    pub port: i32,
    /// Target.
    pub target: TargetPort,
}

/// What the topology annotations ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TopologyMode {
    /// No annotation, or another value.
    #[default]
    Disabled,
    /// `Auto` or `auto`.
    Auto,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Namespace and name.
    pub key: Key,
    /// Uid.
    pub uid: Uid,
    /// resourceVersion.
    pub version: Version,
    /// Creation time.
    pub created: Option<Time>,
    /// Labels.
    pub labels: Labels,
    /// Whether it has a deletionTimestamp.
    pub deleting: bool,
    /// Whether its type is ExternalName.
    pub external_name: bool,
    /// `spec.selector`; `None` when absent or empty.
    pub selector: Option<Labels>,
    /// `spec.clusterIP`: empty, `None` or an IP.
    pub cluster_ip: SmolStr,
    /// `spec.ipFamilies` as it stands (unknown values left out); may be empty.
    pub ip_families: Vec<AddressType>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// Ports, in order.
    pub ports: Vec<ServicePort>,
    /// `spec.trafficDistribution`.
    pub traffic_distribution: Option<SmolStr>,
    /// What the topology annotations ask for.
    pub topology_mode: TopologyMode,
    /// Whether the annotation that decides is present at all.
    pub topology_annotated: bool,
}

impl Service {
    /// Whether the selector loop works on it: it has a selector and is not an ExternalName.
    pub fn selects(&self) -> bool {
        self.selector.is_some() && !self.external_name
    }

    /// Whether it is headless, as upstream decides it for the slice label: no ClusterIP, or `None`.
    pub fn headless(&self) -> bool {
        self.cluster_ip.is_empty() || self.cluster_ip == "None"
    }

    /// Whether nothing differs but the version.
    pub fn same_row(&self, other: &Service) -> bool {
        let mut other = other.clone();
        other.version = self.version;
        *self == other
    }
}
