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

/// The IPs of a Pod; one or two, nearly always all good.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Ips {
    /// None.
    #[default]
    None,
    /// One good IP.
    One(IpAddr),
    /// Anything else.
    Several(Box<[PodIp]>),
}

impl Ips {
    /// From the list as it stands in the status.
    pub fn new(ips: Vec<PodIp>) -> Ips {
        match ips.as_slice() {
            [] => Ips::None,
            [PodIp::Ip(ip)] => Ips::One(*ip),
            _ => Ips::Several(ips.into_boxed_slice()),
        }
    }

    /// The IPs that can be published, in order.
    pub fn good(&self) -> impl Iterator<Item = IpAddr> {
        let (one, several) = match self {
            Ips::None => (None, &[][..]),
            Ips::One(ip) => (Some(*ip), &[][..]),
            Ips::Several(ips) => (None, &ips[..]),
        };
        one.into_iter().chain(several.iter().filter_map(|ip| match ip {
            PodIp::Ip(ip) => Some(*ip),
            PodIp::Refused(..) => None,
        }))
    }

    /// Those that cannot, with the reason.
    pub fn refused(&self) -> impl Iterator<Item = (&SmolStr, Refusal)> {
        let several = if let Ips::Several(ips) = self { &ips[..] } else { &[] };
        several.iter().filter_map(|ip| match ip {
            PodIp::Ip(_) => None,
            PodIp::Refused(text, refusal) => Some((text, *refusal)),
        })
    }
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
    pub ips: Ips,
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

impl Pod {
    /// Whether nothing that any decision uses differs.
    pub fn same_row(&self, other: &Pod) -> bool {
        self.key == other.key
            && self.uid == other.uid
            && self.labels == other.labels
            && self.node == other.node
            && self.ips == other.ips
            && self.has_ip == other.has_ip
            && self.hostname == other.hostname
            && self.subdomain == other.subdomain
            && self.terminating == other.terminating
            && self.terminal == other.terminal
            && self.ready == other.ready
            && self.ready_since == other.ready_since
            && self.ports == other.ports
    }
}
