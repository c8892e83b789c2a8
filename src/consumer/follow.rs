//! Slices that come one after another, as a watch tells them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use super::merge::{Merged, add_targets};
use super::reading::{AddressKey, Content, PortKey, Reading, State};
use crate::model::{Key, Slice};

/// What one step changed for a consumer. An address that only changed its slice is in neither list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Addresses that were in no slice before.
    pub gained: Vec<AddressKey>,
    /// Addresses that are in no slice any more.
    pub lost: Vec<AddressKey>,
}

impl Change {
    /// Whether nothing was gained or lost.
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// The slices that hold an address under a port, and what each says of it. Nearly always one.
type Holders = Vec<(Arc<Key>, State)>;

/// The merged view of slices, kept from event to event. A step costs as much as the slice is large,
/// whatever else is followed.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    reading: Reading,
    slices: BTreeMap<Arc<Key>, Content>,
    ports: BTreeMap<PortKey, HashMap<SmolStr, Holders, RandomState>>,
}

impl Follower {
    /// One that has seen no slice yet.
    pub fn new(reading: Reading) -> Follower {
        Follower { reading, ..Follower::default() }
    }

    /// A slice was added or changed; it replaces the one of its namespace and name.
    pub fn put(&mut self, slice: &Slice) -> Change {
        let content = Content::of(slice, self.reading);
        self.set(&slice.key, content)
    }

    /// A slice is gone.
    pub fn remove(&mut self, slice: &Key) -> Change {
        self.set(slice, None)
    }

    /// A new list: as one step, so that what is in another slice now was never lost.
    pub fn replace<'a>(&mut self, slices: impl IntoIterator<Item = &'a Slice>) -> Change {
        let mut vanished: BTreeSet<Arc<Key>> = self.slices.keys().cloned().collect();
        let (mut gained, mut lost) = (BTreeSet::new(), BTreeSet::new());
        let mut add = |change: Change| {
            for key in change.gained {
                if !lost.remove(&key) {
                    gained.insert(key);
                }
            }
            for key in change.lost {
                if !gained.remove(&key) {
                    lost.insert(key);
                }
            }
        };
        for slice in slices {
            vanished.remove(&slice.key);
            add(self.put(slice));
        }
        for slice in vanished {
            add(self.remove(&slice));
        }
        Change { gained: gained.into_iter().collect(), lost: lost.into_iter().collect() }
    }

    fn set(&mut self, slice: &Key, content: Option<Content>) -> Change {
        let mut change = Change::default();
        let (name, before) = match self.slices.remove_entry(slice) {
            Some((name, before)) => (name, Some(before)),
            None => (Arc::new(slice.clone()), None),
        };
        if before != content {
            // What the slice holds now comes first: what stays in it is never taken out.
            if let Some(content) = &content {
                self.hold(&name, content, &mut change.gained);
            }
            if let Some(before) = &before {
                self.let_go(&name, before, content.as_ref(), &mut change.lost);
            }
        }
        if let Some(content) = content {
            self.slices.insert(name, content);
        }
        change
    }

    fn hold(&mut self, name: &Arc<Key>, content: &Content, gained: &mut Vec<AddressKey>) {
        if content.addresses.is_empty() {
            return;
        }
        for port in content.port_keys() {
            let addresses = self.ports.entry(port.clone()).or_default();
            for (address, state) in &content.addresses {
                let holders = addresses.entry(address.clone()).or_default();
                if holders.is_empty() {
                    gained.push(AddressKey { port: port.clone(), address: address.clone() });
                }
                match holders.iter_mut().find(|(holder, _)| holder == name) {
                    Some((_, held)) => *held = *state,
                    None => holders.push((Arc::clone(name), *state)),
                }
            }
        }
    }

    fn let_go(&mut self, name: &Key, before: &Content, after: Option<&Content>, lost: &mut Vec<AddressKey>) {
        let ports_after = after.map(Content::port_keys).unwrap_or_default();
        for port in before.port_keys() {
            let Some(addresses) = self.ports.get_mut(&port) else { continue };
            let after = after.filter(|_| ports_after.contains(&port));
            for (address, _) in &before.addresses {
                if after.is_some_and(|after| after.has_address(address)) {
                    continue;
                }
                let Some(holders) = addresses.get_mut(address) else { continue };
                holders.retain(|(holder, _)| **holder != *name);
                if holders.is_empty() {
                    addresses.remove(address);
                    lost.push(AddressKey { port: port.clone(), address: address.clone() });
                }
            }
            if addresses.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    /// Whether the address is in any slice under the port.
    pub fn has(&self, port: &PortKey, address: &str) -> bool {
        self.ports.get(port).is_some_and(|addresses| addresses.contains_key(address))
    }

    /// The slices that hold the address under the port, in the order in which they came to it, and
    /// what each says of it.
    pub fn holders(&self, port: &PortKey, address: &str) -> impl Iterator<Item = (&Key, State)> {
        let holders = self.ports.get(port).and_then(|addresses| addresses.get(address));
        holders.into_iter().flatten().map(|(slice, state)| (&**slice, *state))
    }

    /// The state of the address under the port; `None` when it is in no slice.
    pub fn state(&self, port: &PortKey, address: &str) -> Option<State> {
        self.holders(port, address).map(|(_, state)| state).reduce(State::merged)
    }

    /// All addresses under all ports, in no order.
    pub fn addresses(&self) -> impl Iterator<Item = (&PortKey, &SmolStr)> {
        self.ports.iter().flat_map(|(port, addresses)| addresses.keys().map(move |address| (port, address)))
    }

    /// The slices that are followed (those that are used and belong to a Service), by namespace and
    /// name.
    pub fn slices(&self) -> impl Iterator<Item = (&Key, &Content)> {
        self.slices.iter().map(|(key, content)| (&**key, content))
    }

    /// What [`merge`](super::merge) says of the slices that stand now.
    pub fn merged(&self) -> Merged {
        let mut merged = Merged::new();
        self.slices.values().for_each(|content| add_targets(&mut merged, content));
        for (port, addresses) in &self.ports {
            let view = merged.entry(port.clone()).or_default();
            for (address, holders) in addresses {
                let states = holders.iter().map(|(_, state)| *state);
                view.addresses.extend(states.reduce(State::merged).map(|state| (address.clone(), state)));
            }
        }
        merged
    }
}
