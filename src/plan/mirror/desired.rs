//! The slices that an Endpoints object asks for: one for each set of ports and address type.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smol_str::SmolStr;

use super::refused::LeftOut;
use super::subsets::{CanonicalSubset, canonical};
use crate::model::address;
use crate::model::{
    AddressType, Addresses, Conditions, Endpoint, Endpoints, EndpointsAddress, EndpointsPort, Port, Text,
};

/// Ports that a slice may have.
const MAX_PORTS: usize = 20_000;

/// What makes an endpoint the same one in two slices: addresses in any order, host name, and
/// namespace and name of its target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    addresses: Addresses,
    hostname: SmolStr,
    namespace: Text,
    name: SmolStr,
}

impl Identity {
    pub fn of(endpoint: &Endpoint) -> Identity {
        let target = endpoint.target_ref.as_deref();
        Identity {
            addresses: endpoint.addresses.sorted(),
            hostname: endpoint.hostname.clone().unwrap_or_default(),
            namespace: target.map(|t| t.namespace.clone()).unwrap_or_default(),
            name: target.map(|t| t.name.clone()).unwrap_or_default(),
        }
    }
}

/// A slice that is desired.
#[derive(Debug)]
pub(super) struct Group {
    /// Its address type.
    pub address_type: AddressType,
    /// Its ports, sorted.
    pub ports: Arc<[Port]>,
    /// Its endpoints in canonical order; never empty.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// Where each of them is.
    pub positions: HashMap<Identity, usize, foldhash::fast::RandomState>,
}

/// What an Endpoints object asks for.
#[derive(Debug, Default)]
pub(super) struct Desired {
    /// The slices, by address type and then ports.
    pub groups: Vec<Group>,
    /// What could not be mirrored.
    pub left_out: LeftOut,
}

/// The slices that this object asks for, with at most `max` addresses of each canonical subset,
/// both families together.
pub(super) fn desired(endpoints: &Endpoints, max: usize) -> Desired {
    let mut left_out = LeftOut::default();
    let subsets = canonical(&endpoints.subsets, |port| left_out.port(port));
    let mut groups = Vec::new();
    for subset in subsets {
        let ports = compatible_ports(&subset.ports);
        for (address_type, endpoints) in endpoints_of(&subset, max, &mut left_out) {
            for ports in &ports {
                groups.push(Group::new(address_type.clone(), Arc::clone(ports), endpoints.clone()));
            }
        }
    }
    groups.sort_by(|a, b| (&a.address_type, &a.ports).cmp(&(&b.address_type, &b.ports)));
    Desired { groups, left_out }
}

impl Group {
    fn new(address_type: AddressType, ports: Arc<[Port]>, all: Vec<Arc<Endpoint>>) -> Group {
        let mut endpoints: Vec<Arc<Endpoint>> = Vec::with_capacity(all.len());
        let mut positions = HashMap::with_capacity_and_hasher(all.len(), Default::default());
        for endpoint in all {
            // Different texts of one IP: the later one counts, so not ready wins.
            match *positions.entry(Identity::of(&endpoint)).or_insert(endpoints.len()) {
                at if at < endpoints.len() => endpoints[at] = endpoint,
                _ => endpoints.push(endpoint),
            }
        }
        Group { address_type, ports, endpoints, positions }
    }
}

fn endpoints_of(
    subset: &CanonicalSubset<'_>,
    max: usize,
    left_out: &mut LeftOut,
) -> BTreeMap<AddressType, Vec<Arc<Endpoint>>> {
    let mut families: BTreeMap<AddressType, Vec<Arc<Endpoint>>> = BTreeMap::new();
    let mut mirrored = 0;
    for (address, ready) in &subset.addresses {
        let Some(ip) = left_out.ip(&address.ip) else { continue };
        if mirrored == max {
            left_out.too_many += 1;
            continue;
        }
        mirrored += 1;
        let endpoint = endpoint(address, address::canonical(ip), *ready, left_out);
        families.entry(AddressType::of(ip)).or_default().push(Arc::new(endpoint));
    }
    families
}

fn endpoint(address: &EndpointsAddress, ip: SmolStr, ready: bool, left_out: &mut LeftOut) -> Endpoint {
    Endpoint {
        addresses: Addresses::One(ip),
        conditions: Conditions { ready: Some(ready), serving: None, terminating: None },
        hostname: left_out.hostname(address.hostname.clone()),
        target_ref: address.target_ref.clone().map(Box::new),
        node_name: left_out.node_name(address.node_name.clone()),
        zone: None,
        hints: None,
        foreign: None,
    }
}

/// The ports as sets that the API server accepts in one slice: no name twice in a set. The n-th
/// port of a name is in the n-th set.
fn compatible_ports(ports: &[EndpointsPort]) -> Vec<Arc<[Port]>> {
    if ports.is_empty() {
        return vec![Arc::from([])];
    }
    let mut sets: Vec<Vec<Port>> = Vec::new();
    let mut met: BTreeMap<&Text, usize> = BTreeMap::new();
    for port in ports {
        let nth = met.entry(&port.name).or_default();
        if *nth == sets.len() {
            sets.push(Vec::new());
        }
        sets[*nth].push(Port {
            name: Some(port.name.clone()),
            protocol: port.protocol.clone(),
            port: Some(port.port),
            app_protocol: port.app_protocol.clone(),
        });
        *nth += 1;
    }
    sets.iter().flat_map(|set| set.chunks(MAX_PORTS)).map(sorted).collect()
}

/// Ports in the order in which they are compared and first written.
pub(super) fn sorted(ports: &[Port]) -> Arc<[Port]> {
    let mut ports = ports.to_vec();
    ports.sort();
    Arc::from(ports)
}
