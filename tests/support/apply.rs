//! The slices of a namespace, and writes made to them as the API server would make them: versions and
//! uids given, names taken, refusals as in tables.md.

#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use endpointslice_controller::model::address::{canonical, parse_ip, publishable};
use endpointslice_controller::model::*;
use endpointslice_controller::plan::{Operation, Plan, Write};
use smol_str::SmolStr;

/// Slices by name.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub slices: BTreeMap<SmolStr, Arc<Slice>>,
    version: Version,
    created: u64,
}

/// Why a write was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    AlreadyExists,
    NotFound,
    Conflict,
    Invalid(String),
}

impl Standing {
    pub fn new(slices: impl IntoIterator<Item = Arc<Slice>>) -> Standing {
        let slices: BTreeMap<SmolStr, Arc<Slice>> =
            slices.into_iter().map(|slice| (slice.key.name.clone(), slice)).collect();
        let version = slices.values().map(|slice| slice.version).max().unwrap_or(0) + 1000;
        Standing { slices, version, created: 0 }
    }

    /// Makes all writes; `seen` looks at what stands before the first and after each of them.
    ///
    /// # Panics
    /// When a write is refused.
    pub fn apply(&mut self, plan: &Plan, mut seen: impl FnMut(&Standing)) {
        seen(self);
        for write in &plan.writes {
            let outcome = self.write(write);
            assert_eq!(outcome.err(), None, "{} {}", write.operation.as_str(), write.slice.key);
            seen(self);
        }
    }

    /// Makes one write. Its version is checked against the one that stood when the plan was made, or,
    /// for the second write of a slice, against what the first left.
    pub fn write(&mut self, write: &Write) -> Result<Option<Arc<Slice>>, Refused> {
        self.version += 1;
        let name = &write.slice.key.name;
        let before = self.slices.get(name);
        let Some(base) = &write.base else {
            if before.is_some() {
                return Err(Refused::AlreadyExists);
            }
            assert_eq!(write.operation, Operation::Create);
            assert!(write.slice.uid.is_empty() && write.slice.version == 0);
            self.created += 1;
            let uid = Uid::new(&format!("0000000f-0000-4000-8000-{:012x}", self.created));
            return self.store(Slice { uid, ..write.slice.clone() }).map(Some);
        };
        let Some(before) = before.cloned() else { return Err(Refused::NotFound) };
        let written_by_us = before.version > base.version && before.uid == base.uid;
        if before.version != base.version && !written_by_us {
            return Err(Refused::Conflict);
        }
        assert_eq!((&write.slice.uid, write.slice.version), (&base.uid, base.version));
        match write.operation {
            Operation::Create => Err(Refused::Invalid("a create with a base".into())),
            Operation::Delete => Ok(self.slices.remove(name).and(None)),
            Operation::Update if write.slice.address_type != before.address_type => {
                Err(Refused::Invalid("addressType is immutable".into()))
            }
            Operation::Update => self.store(write.slice.clone()).map(Some),
        }
    }

    /// Somebody else's write, whatever it says: a new version, as every stored write gets.
    pub fn tamper(&mut self, slice: Slice) {
        self.version += 1;
        self.slices.insert(slice.key.name.clone(), Arc::new(Slice { version: self.version, ..slice }));
    }

    fn store(&mut self, slice: Slice) -> Result<Arc<Slice>, Refused> {
        validate(&slice).map_err(Refused::Invalid)?;
        let stored = Arc::new(Slice { version: self.version, ..slice });
        self.slices.insert(stored.key.name.clone(), Arc::clone(&stored));
        Ok(stored)
    }

    pub fn all(&self) -> Vec<Arc<Slice>> {
        self.slices.values().cloned().collect()
    }

    /// The snapshot as it is after the plan: what stands, and the plan's memory.
    pub fn next(&self, before: &SelectorSnapshot, plan: &Plan) -> SelectorSnapshot {
        SelectorSnapshot { slices: self.all(), memory: plan.memory.clone(), ..before.clone() }
    }

    /// What a consumer that merges slices sees: (address, port name) of those that are not being deleted.
    pub fn merged(&self) -> BTreeSet<(SmolStr, SmolStr)> {
        self.slices.values().flat_map(|slice| pairs(slice)).collect()
    }
}

/// The (address, port name) pairs of a slice; one without ports has the one name `<none>`.
pub fn pairs(slice: &Slice) -> BTreeSet<(SmolStr, SmolStr)> {
    let mut names: Vec<SmolStr> =
        slice.ports.iter().map(|port| SmolStr::new(port.name.as_deref().unwrap_or_default())).collect();
    if names.is_empty() {
        names.push(SmolStr::new("<none>"));
    }
    let addresses = slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.as_slice());
    addresses.flat_map(|address| names.iter().map(move |name| (address.clone(), name.clone()))).collect()
}

/// Whether the API server would take the slice.
fn validate(slice: &Slice) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for port in slice.ports.iter() {
        if !names.insert(port.name.clone().unwrap_or_default()) {
            return Err(format!("port name {:?} comes twice", port.name));
        }
        if matches!(port.protocol, Protocol::Other(_)) {
            return Err(format!("protocol {:?}", port.protocol));
        }
    }
    if slice.endpoints.len() > 1000 || slice.key.name.len() > 63 {
        return Err(format!("{}: {} endpoints", slice.key.name, slice.endpoints.len()));
    }
    for endpoint in &slice.endpoints {
        let addresses = endpoint.addresses.as_slice();
        if addresses.is_empty() || addresses.len() > 100 {
            return Err(format!("{} addresses", addresses.len()));
        }
        for text in addresses {
            let ip = parse_ip(text).and_then(publishable).map_err(|refusal| format!("{text}: {refusal}"))?;
            if canonical(ip) != *text || AddressType::of(ip) != slice.address_type {
                return Err(format!("{text}: not a canonical {} address", slice.address_type));
            }
        }
        let hints = endpoint.hints.as_deref();
        if hints.is_some_and(|hints| hints.for_zones.len() > 8 || hints.for_nodes.len() > 8) {
            return Err(format!("{hints:?}"));
        }
    }
    Ok(())
}
