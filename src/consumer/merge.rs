//! A set of slices, merged at once.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use super::reading::{Content, PortKey, Reading, State};
use crate::model::{Protocol, Slice};

/// What is published, by port. A port without any address is not there.
pub type Merged = BTreeMap<PortKey, PortView>;

/// What is published under one port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortView {
    /// Protocols and numbers at which the endpoints answer: several where Pods give one name to
    /// different container ports, none for slices without ports, no number for all ports.
    pub targets: BTreeSet<(Protocol, Option<i32>)>,
    /// Each address once.
    pub addresses: BTreeMap<SmolStr, State>,
}

/// How many addresses there are, and of how many each condition is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Addresses.
    pub addresses: usize,
    /// Of these, ready.
    pub ready: usize,
    /// Of these, serving.
    pub serving: usize,
    /// Of these, terminating.
    pub terminating: usize,
}

impl PortView {
    /// The counts of the addresses.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { addresses: self.addresses.len(), ..Counts::default() };
        for state in self.addresses.values() {
            counts.ready += usize::from(state.ready);
            counts.serving += usize::from(state.serving);
            counts.terminating += usize::from(state.terminating);
        }
        counts
    }
}

/// Merges slices, of one Service or of many, in any order.
pub fn merge<'a>(slices: impl IntoIterator<Item = &'a Slice>, reading: Reading) -> Merged {
    let mut merged = Merged::new();
    for content in slices.into_iter().filter_map(|slice| Content::of(slice, reading)) {
        add_targets(&mut merged, &content);
        for key in content.port_keys() {
            let Some(view) = merged.get_mut(&key) else { continue };
            for (address, state) in &content.addresses {
                let held = view.addresses.entry(address.clone()).or_insert(*state);
                *held = held.merged(*state);
            }
        }
    }
    merged
}

/// Puts the ports of a slice in, unless it has no addresses.
pub(super) fn add_targets(merged: &mut Merged, content: &Content) {
    if content.addresses.is_empty() {
        return;
    }
    for (port, target) in &content.ports {
        let (service, address_type) = (content.service.clone(), content.address_type.clone());
        let view = merged.entry(PortKey { service, address_type, port: port.clone() }).or_default();
        view.targets.extend(target.clone());
    }
}
