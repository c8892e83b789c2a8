//! Pods: the dozen fields that endpoints are made of.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::text::Table;
use super::{Key, Labels, Refusal, Text, Time, Uid, Version};

/// A transport protocol. An absent one is TCP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub enum Protocol {
    /// TCP.
    #[default]
    TCP,
    /// UDP.
    UDP,
    /// SCTP.
    SCTP,
    /// A value that this program does not know.
    #[serde(untagged)]
    Other(SmolStr),
}

impl Protocol {
    /// The API's text.
    pub fn as_str(&self) -> &str {
        match self {
            Protocol::TCP => "TCP",
            Protocol::UDP => "UDP",
            Protocol::SCTP => "SCTP",
            Protocol::Other(text) => text,
        }
    }

    /// The protocol with this text; the empty text is TCP.
    pub fn new(text: &str) -> Protocol {
        match text {
            "" | "TCP" => Protocol::TCP,
            "UDP" => Protocol::UDP,
            "SCTP" => Protocol::SCTP,
            other => Protocol::Other(SmolStr::new(other)),
        }
    }
}

/// A named container port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerPort {
    /// Name; never empty here (a port without a name cannot be looked up).
    pub name: Text,
    /// Port number.
    pub number: i32,
    /// Protocol.
    pub protocol: Protocol,
}

/// One of a Pod's IPs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PodIp {
    /// An IP that can be published.
    Ip(IpAddr),
    /// One that cannot: its text and why. The family is known where it could be parsed.
    Refused(SmolStr, Refusal),
}

/// A Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Namespace and name.
    pub key: Key,
    /// Uid.
    pub uid: Uid,
    /// resourceVersion.
    pub version: Version,
    /// Labels.
    pub labels: Labels,
    /// `spec.nodeName`; `None` when empty.
    pub node: Option<Text>,
    /// `status.podIPs`, in order.
    pub ips: Arc<[PodIp]>,
    /// Whether `status.podIP` or `status.podIPs` is not empty.
    pub has_ip: bool,
    /// `spec.hostname`; `None` when empty.
    pub hostname: Option<SmolStr>,
    /// `spec.subdomain`; `None` when empty.
    pub subdomain: Option<SmolStr>,
    /// Whether it has a deletionTimestamp.
    pub terminating: bool,
    /// Whether the phase is Succeeded or Failed.
    pub terminal: bool,
    /// Whether the Ready condition is True.
    pub ready: bool,
    /// Transition time of the Ready condition, whatever its status.
    pub ready_since: Option<Time>,
    /// Named ports of the containers, then of the restartable init containers, in order.
    pub ports: Arc<[ContainerPort]>,
}

static PORTS: LazyLock<Table<[ContainerPort]>> = LazyLock::new(Table::new);

/// Shares equal lists of container ports: the Pods of a ReplicaSet have the same.
pub fn intern_ports(ports: &[ContainerPort]) -> Arc<[ContainerPort]> {
    PORTS.intern(ports, || Arc::from(ports))
}
