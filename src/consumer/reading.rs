//! What one slice says to a consumer.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::model::address::{canonical, parse_ip};
use crate::model::labels::{HEADLESS, SERVICE_PROXY_NAME};
use crate::model::{AddressType, Conditions, Key, Protocol, Slice, Text};

/// Which slices, ports and addresses are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// All that is published. A port without a name has the name "" (its default), a slice without
    /// ports publishes its addresses under no name, a port without a number stands for all ports.
    #[default]
    Everything,
    /// What kube-proxy 1.36 balances to: of slices of IPv4 and IPv6 that bear neither the label
    /// `service.kubernetes.io/headless` nor `service.kubernetes.io/service-proxy-name`, the ports that
    /// have a name (even an empty one) and a number other than 0, and of each endpoint the first
    /// address.
    KubeProxy,
}

/// A port of a Service, in one address type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortKey {
    /// Namespace and name of the Service.
    pub service: Key,
    /// Address type.
    pub address_type: AddressType,
    /// Name of the port; `None` for the addresses of slices without ports.
    pub port: Option<Text>,
}

/// An address of a Service under one of its ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey {
    /// The port.
    pub port: PortKey,
    /// The address; an IP in its canonical text.
    pub address: SmolStr,
}

/// The conditions of an address. What is absent is read as discovery.k8s.io/v1 documents it:
/// `ready` and `serving` as true, `terminating` as false. (Its text before Kubernetes 1.33 let an
/// absent `serving` follow `ready`; kube-proxy reads it as true.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Takes new connections.
    pub ready: bool,
    /// Answers, terminating or not.
    pub serving: bool,
    /// Is about to go.
    pub terminating: bool,
}

impl From<Conditions> for State {
    fn from(conditions: Conditions) -> State {
        State {
            ready: conditions.ready.unwrap_or(true),
            serving: conditions.serving.unwrap_or(true),
            terminating: conditions.terminating.unwrap_or(false),
        }
    }
}

impl State {
    /// The state of an address that stands twice, in whatever order. One that is not terminating
    /// wins (the IP of a Pod that terminates may belong to a new Pod already), then the ready one,
    /// then the serving one.
    pub fn merged(self, other: State) -> State {
        let rank = |state: &State| (Reverse(state.terminating), state.ready, state.serving);
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// What a slice publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The Service, by label.
    pub service: Key,
    /// Address type.
    pub address_type: AddressType,
    /// Names of ports with protocol and number, sorted; never empty: a slice without ports has the
    /// one name `None`.
    pub ports: Vec<PublishedPort>,
    /// Each address once, sorted.
    pub addresses: Vec<(SmolStr, State)>,
}

/// A port name, and where behind it the endpoints answer; no target in a slice without ports.
pub type PublishedPort = (Option<Text>, Option<(Protocol, Option<i32>)>);

impl Content {
    /// What the slice publishes; `None` when it belongs to no Service or is not used at all.
    pub fn of(slice: &Slice, reading: Reading) -> Option<Content> {
        let proxied = reading == Reading::KubeProxy;
        let service = slice.service_key().filter(|service| !service.name.is_empty())?;
        if proxied && not_proxied(slice) {
            return None;
        }
        let mut ports: BTreeSet<PublishedPort> = BTreeSet::new();
        for port in slice.ports.iter() {
            if proxied && (port.name.is_none() || port.port.unwrap_or(0) == 0) {
                continue;
            }
            let name = port.name.clone().unwrap_or_default();
            ports.insert((Some(name), Some((port.protocol.clone(), port.port))));
        }
        if ports.is_empty() {
            if proxied {
                return None;
            }
            ports.insert((None, None));
        }
        let used = if proxied { 1 } else { usize::MAX };
        let mut addresses = Vec::with_capacity(slice.endpoints.len());
        for endpoint in &slice.endpoints {
            let state = State::from(endpoint.conditions);
            let of_endpoint = endpoint.addresses.as_slice().iter().take(used);
            addresses.extend(of_endpoint.map(|address| (one_text(address, &slice.address_type), state)));
        }
        addresses.sort_by(|(a, _), (b, _)| a.cmp(b));
        addresses.dedup_by(|(next, state), (kept, merged)| {
            let same = next == kept;
            if same {
                *merged = merged.merged(*state);
            }
            same
        });
        let address_type = slice.address_type.clone();
        Some(Content { service, address_type, ports: ports.into_iter().collect(), addresses })
    }

    /// The ports under which the addresses stand, each once, sorted.
    pub fn port_keys(&self) -> Vec<PortKey> {
        let mut names: Vec<&Option<Text>> = self.ports.iter().map(|(name, _)| name).collect();
        names.dedup();
        let key = |name: &Option<Text>| PortKey {
            service: self.service.clone(),
            address_type: self.address_type.clone(),
            port: name.clone(),
        };
        names.into_iter().map(key).collect()
    }

    /// Whether the address stands in the slice; found by bisection.
    pub fn has_address(&self, address: &SmolStr) -> bool {
        self.addresses.binary_search_by(|(held, _)| held.cmp(address)).is_ok()
    }
}

fn not_proxied(slice: &Slice) -> bool {
    matches!(slice.address_type, AddressType::Other(_))
        || slice.labels.get(HEADLESS).is_some()
        || slice.labels.get(SERVICE_PROXY_NAME).is_some()
}

/// One text for one IP. Whatever is no IP stays as it is.
fn one_text(address: &SmolStr, address_type: &AddressType) -> SmolStr {
    match address_type {
        AddressType::IPv4 | AddressType::IPv6 => {
            parse_ip(address).map_or_else(|_| address.clone(), canonical)
        }
        AddressType::Other(_) => address.clone(),
    }
}
