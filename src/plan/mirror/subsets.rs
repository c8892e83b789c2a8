//! Canonical subsets of an Endpoints object: each port with the addresses that bear it, ports with
//! equal collections of addresses together.
//!
//! People write the same state in many ways (an address in two subsets, a port in two subsets); all
//! of them give the same canonical subsets, so that the same state gives the same slices.

use std::collections::BTreeMap;

use crate::model::{EndpointsAddress, EndpointsPort, Subset};

/// Ports that the same addresses bear.
#[derive(Debug, PartialEq)]
pub(super) struct CanonicalSubset<'a> {
    /// The ports, sorted, each once; none for addresses without any port.
    pub ports: Vec<EndpointsPort>,
    /// The addresses with their readiness: ready ones first, then by IP text, then by uid.
    pub addresses: Vec<(&'a EndpointsAddress, bool)>,
}

/// The addresses of one port: position in the sorted addresses, and whether ready.
type Collection = BTreeMap<usize, bool>;

/// The canonical subsets, in a fixed order. `publishable` gives a port as it may be written, or
/// none when it must be left out.
///
/// An address is known by its IP text and the uid of its target; where it occurs first in the
/// object it supplies the other fields. An address that is both ready and not ready for one port is
/// not ready.
pub(super) fn canonical<'a>(
    subsets: &'a [Subset],
    mut publishable: impl FnMut(&EndpointsPort) -> Option<EndpointsPort>,
) -> Vec<CanonicalSubset<'a>> {
    // 1. Every address once, sorted.
    let mut first: BTreeMap<(&str, String), &EndpointsAddress> = BTreeMap::new();
    for address in subsets.iter().flat_map(|s| s.addresses.iter().chain(&s.not_ready)) {
        first.entry(identity(address)).or_insert(address);
    }
    let addresses: Vec<&EndpointsAddress> = first.values().copied().collect();
    let positions: BTreeMap<(&str, String), usize> = first.into_keys().zip(0..).collect();

    // 2. Each port with its addresses. No port is one special port.
    let mut by_port: BTreeMap<Option<EndpointsPort>, Collection> = BTreeMap::new();
    for subset in subsets {
        let ready = subset.addresses.iter().map(|a| (a, true));
        let members: Vec<(usize, bool)> = ready
            .chain(subset.not_ready.iter().map(|a| (a, false)))
            .filter_map(|(address, ready)| Some((*positions.get(&identity(address))?, ready)))
            .collect();
        for port in ports_of(subset, &mut publishable) {
            let collection = by_port.entry(port).or_default();
            for (at, ready) in &members {
                *collection.entry(*at).or_insert(true) &= *ready;
            }
        }
    }

    // 3. Ports with equal collections together. The special port gives way to a real one.
    let mut by_collection: BTreeMap<Collection, Vec<EndpointsPort>> = BTreeMap::new();
    for (port, collection) in by_port.into_iter().filter(|(_, collection)| !collection.is_empty()) {
        by_collection.entry(collection).or_default().extend(port);
    }
    let mut canonical: Vec<CanonicalSubset> = by_collection
        .into_iter()
        .map(|(collection, ports)| CanonicalSubset {
            ports,
            addresses: ready_first(&collection).map(|(at, ready)| (addresses[at], ready)).collect(),
        })
        .collect();
    canonical.sort_by(|a, b| a.ports.cmp(&b.ports));
    canonical
}

fn identity(address: &EndpointsAddress) -> (&str, String) {
    (&address.ip, address.target_ref.as_ref().map(|target| target.uid.to_string()).unwrap_or_default())
}

fn ports_of(
    subset: &Subset,
    publishable: &mut impl FnMut(&EndpointsPort) -> Option<EndpointsPort>,
) -> Vec<Option<EndpointsPort>> {
    if subset.ports.is_empty() {
        return vec![None];
    }
    // Upstream takes a port without a number for no port, too.
    let number = |port: EndpointsPort| (port.port > 0).then_some(port);
    subset.ports.iter().filter_map(publishable).map(number).collect()
}

fn ready_first(collection: &Collection) -> impl Iterator<Item = (usize, bool)> {
    let with = |wanted: bool| collection.iter().filter(move |(_, ready)| **ready == wanted);
    with(true).chain(with(false)).map(|(at, ready)| (*at, *ready))
}
