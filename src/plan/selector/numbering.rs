//! Endpoints, addresses and port names as numbers, so that slices can be arranged without looking at
//! text again.

use std::collections::HashMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::model::{Addresses, Endpoint, Port};
use crate::plan::arrange::{Address, Identity, NO_PORTS, PortName};
use crate::plan::endpoint::Candidate;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Who an endpoint is: its addresses whatever their order, hostname, and the Pod behind it.
#[derive(PartialEq, Eq, Hash)]
struct Who<'a> {
    addresses: Set<'a>,
    hostname: &'a str,
    namespace: &'a str,
    name: &'a str,
}

#[derive(PartialEq, Eq, Hash)]
enum Set<'a> {
    One(&'a str),
    Several(Vec<&'a str>),
}

/// The numbers of one address type.
#[derive(Default)]
pub struct Numbering<'a> {
    known: Map<Who<'a>, Identity>,
    addresses: Map<&'a str, Address>,
    port_names: Map<&'a str, PortName>,
    /// By identity: its addresses.
    of: Vec<Vec<Address>>,
    /// By identity: the first endpoint of a standing slice that is it.
    holders: Vec<Option<&'a Arc<Endpoint>>>,
}

impl<'a> Numbering<'a> {
    /// Room for this many identities.
    pub fn with_capacity(count: usize) -> Numbering<'a> {
        Numbering {
            known: Map::with_capacity_and_hasher(count, Default::default()),
            addresses: Map::with_capacity_and_hasher(count, Default::default()),
            port_names: Map::default(),
            of: Vec::with_capacity(count),
            holders: Vec::with_capacity(count),
        }
    }

    /// The number of a desired endpoint: 0, 1, 2… in the order of the calls when these come first and
    /// each Pod comes once.
    pub fn desired(&mut self, candidate: &Candidate<'a>, addresses: &'a Addresses) -> Identity {
        let who = Who {
            addresses: set(addresses),
            hostname: candidate.hostname.map_or("", SmolStr::as_str),
            namespace: &candidate.pod.key.namespace,
            name: &candidate.pod.key.name,
        };
        self.number(who, addresses)
    }

    /// The number of an endpoint that stands in a slice.
    pub fn held(&mut self, endpoint: &'a Arc<Endpoint>) -> Identity {
        let target = endpoint.target_ref.as_deref();
        let who = Who {
            addresses: set(&endpoint.addresses),
            hostname: endpoint.hostname.as_deref().unwrap_or_default(),
            namespace: target.map_or("", |target| target.namespace.as_str()),
            name: target.map_or("", |target| target.name.as_str()),
        };
        let identity = self.number(who, &endpoint.addresses);
        if let Some(holder) = self.holders.get_mut(identity as usize) {
            holder.get_or_insert(endpoint);
        }
        identity
    }

    /// The addresses of this identity.
    pub fn addresses(&self, identity: Identity) -> &[Address] {
        self.of.get(identity as usize).map_or(&[], Vec::as_slice)
    }

    /// The first endpoint of a standing slice that is this identity.
    pub fn holder(&self, identity: Identity) -> Option<&'a Arc<Endpoint>> {
        self.holders.get(identity as usize).copied().flatten()
    }

    /// The numbers of the names of these ports.
    pub fn port_names(&mut self, ports: &'a [Port]) -> Vec<PortName> {
        if ports.is_empty() {
            return vec![NO_PORTS];
        }
        let mut numbers: Vec<PortName> = ports
            .iter()
            .map(|port| {
                let next = NO_PORTS + 1 + self.port_names.len() as PortName;
                *self.port_names.entry(port.name.as_deref().unwrap_or_default()).or_insert(next)
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn number(&mut self, who: Who<'a>, addresses: &'a Addresses) -> Identity {
        let next = self.of.len() as Identity;
        let identity = *self.known.entry(who).or_insert(next);
        if identity == next {
            let numbers = addresses.as_slice().iter().map(|text| {
                let next = self.addresses.len() as Address;
                *self.addresses.entry(text.as_str()).or_insert(next)
            });
            self.of.push(numbers.collect());
            self.holders.push(None);
        }
        identity
    }
}

fn set(addresses: &Addresses) -> Set<'_> {
    match addresses.as_slice() {
        [one] => Set::One(one),
        several => {
            let mut sorted: Vec<&str> = several.iter().map(SmolStr::as_str).collect();
            sorted.sort_unstable();
            sorted.dedup();
            match sorted.as_slice() {
                [one] => Set::One(one),
                _ => Set::Several(sorted),
            }
        }
    }
}
