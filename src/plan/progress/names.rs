//! The names at stake in a plan: each (address, port name) that a write takes out of its slice and
//! that is desired. Nothing else can be lost, so nothing else is counted.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use crate::model::{Endpoint, Slice, Text};

/// A port as consumers look it up: by name, which may be absent. `None` for a slice without ports.
pub(super) type PortName = Option<Option<Text>>;

/// The port names of a slice, each once.
pub(super) fn port_names(slice: &Slice) -> Vec<PortName> {
    let mut names: Vec<PortName> = slice.ports.iter().map(|port| Some(port.name.clone())).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { vec![None] } else { names }
}

/// Names as numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    of_address: HashMap<SmolStr, Vec<(PortName, usize)>, RandomState>,
    /// By number: whether it is desired. Those that are not are never listed.
    desired: Vec<bool>,
}

impl Names {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.desired.is_empty()
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.desired.len()
    }

    /// Says which are desired.
    pub(super) fn set_desired(&mut self, desired: Vec<bool>) {
        self.desired = desired;
    }

    /// Adds what is in one content of a slice and not in the next; `None`: the slice is deleted.
    pub(super) fn add_taken_out(&mut self, before: &Slice, after: Option<&Slice>) {
        let before_ports = port_names(before);
        let Some(after) = after else {
            self.add(before, &before_ports, |_, _| true);
            return;
        };
        let after_ports = port_names(after);
        if before_ports == after_ports && same_addresses(before, after) {
            return;
        }
        let addresses = addresses(after);
        self.add(before, &before_ports, |address, port| {
            !addresses.contains(address) || !after_ports.contains(port)
        });
    }

    fn add(&mut self, slice: &Slice, ports: &[PortName], taken: impl Fn(&str, &PortName) -> bool) {
        for address in slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.as_slice()) {
            for port in ports.iter().filter(|port| taken(address, port)) {
                let known = self.of_address.entry(address.clone()).or_default();
                if !known.iter().any(|(name, _)| name == port) {
                    known.push((port.clone(), self.desired.len()));
                    self.desired.push(true);
                }
            }
        }
    }

    /// The numbers of the desired names that a slice holds, ascending.
    pub(super) fn held(&self, slice: &Slice) -> Vec<usize> {
        if self.is_empty() {
            return Vec::new();
        }
        let ports = port_names(slice);
        let mut held: Vec<usize> =
            slice.endpoints.iter().flat_map(|endpoint| self.of(endpoint, &ports)).collect();
        held.sort_unstable();
        held.dedup();
        held
    }

    /// The numbers of the desired names that an endpoint of a slice with these ports bears.
    pub(super) fn of<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        ports: &'a [PortName],
    ) -> impl Iterator<Item = usize> + 'a {
        let known = endpoint.addresses.as_slice().iter().filter_map(|address| self.of_address.get(address));
        known
            .flatten()
            .filter(|(port, number)| self.desired[*number] && ports.contains(port))
            .map(|(_, number)| *number)
    }
}

/// All addresses of a slice.
pub(super) fn addresses(slice: &Slice) -> HashSet<&str, RandomState> {
    slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.as_slice()).map(SmolStr::as_str).collect()
}

fn same_addresses(a: &Slice, b: &Slice) -> bool {
    a.endpoints.len() == b.endpoints.len()
        && a.endpoints.iter().zip(&b.endpoints).all(|(a, b)| a.addresses == b.addresses)
}
