//! What is sent instead of a write that may not be sent as it was planned: the slice keeps its
//! ports and the members that are still needed there, and loses only what is not desired.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{Names, PortName, addresses, port_names};
use crate::model::labels::TRIGGER_TIME;
use crate::model::{Addresses, Endpoint, Port, Slice};
use crate::plan::arrange::LARGEST;
use crate::plan::{Operation, Stage, Write};

/// Who an endpoint is.
type Identity<'a> = (Addresses, &'a str, &'a str, &'a str);

/// The reduced write; `None` when it would change nothing, or when the slice is not ours to update.
/// `desired`: the contents that the plan leads to, for the conditions of members that stay.
pub(super) fn reduced<'a>(
    write: &Write,
    names: &Names,
    desired: impl Iterator<Item = &'a Slice>,
) -> Option<Write> {
    let base = write.base.as_deref()?;
    if write.stage == Stage::Leftovers {
        return None;
    }
    let mut slice = match write.operation {
        Operation::Delete => base.clone(),
        _ => write.slice.clone(),
    };
    let planned = match write.operation {
        Operation::Update if same_ports(&base.ports, &write.slice.ports) => Some(&write.slice),
        _ => None,
    };
    let needed = needed(base, write, names);
    slice.ports = base.ports.clone();
    slice.endpoints = match planned.and_then(|planned| joined(base, planned, &needed)) {
        Some(joined) => joined,
        None => refreshed(&needed, desired),
    };
    (!is_same(&slice, base)).then(|| Write { operation: Operation::Update, slice, ..write.clone() })
}

/// The members that bear a desired name.
fn needed(base: &Slice, write: &Write, names: &Names) -> Vec<Arc<Endpoint>> {
    let ports = port_names(base);
    // A name that the planned content has too is not at stake; with other ports it would be.
    let (shared_ports, planned): (Vec<PortName>, _) = match write.operation {
        Operation::Delete => (Vec::new(), Default::default()),
        _ => {
            let planned = port_names(&write.slice);
            (ports.iter().filter(|port| planned.contains(port)).cloned().collect(), addresses(&write.slice))
        }
    };
    let is_planned = |endpoint: &Endpoint| {
        !shared_ports.is_empty()
            && endpoint.addresses.as_slice().iter().any(|address| planned.contains(address.as_str()))
    };
    base.endpoints
        .iter()
        .filter(|endpoint| is_planned(endpoint) || names.of(endpoint, &ports).next().is_some())
        .cloned()
        .collect()
}

/// The planned content and the members that are needed besides, those of the base in their place;
/// `None` if the slice grew too large.
fn joined(base: &Slice, planned: &Slice, needed: &[Arc<Endpoint>]) -> Option<Vec<Arc<Endpoint>>> {
    let mut open: BTreeMap<Identity<'_>, &Arc<Endpoint>> =
        planned.endpoints.iter().map(|endpoint| (identity(endpoint), endpoint)).collect();
    let mut needed: BTreeMap<Identity<'_>, &Arc<Endpoint>> =
        needed.iter().map(|endpoint| (identity(endpoint), endpoint)).collect();
    let mut joined = Vec::with_capacity(planned.endpoints.len() + needed.len());
    for endpoint in &base.endpoints {
        let who = identity(endpoint);
        let needed = needed.remove(&who);
        joined.extend(open.remove(&who).or(needed).cloned());
    }
    joined
        .extend(planned.endpoints.iter().filter(|endpoint| open.contains_key(&identity(endpoint))).cloned());
    (joined.len() <= LARGEST.max(base.endpoints.len())).then_some(joined)
}

/// The members with the fields that the plan gives them elsewhere.
fn refreshed<'a>(members: &[Arc<Endpoint>], desired: impl Iterator<Item = &'a Slice>) -> Vec<Arc<Endpoint>> {
    let mut fresh: BTreeMap<Identity<'_>, &Arc<Endpoint>> =
        members.iter().map(|member| (identity(member), member)).collect();
    for endpoint in desired.flat_map(|slice| &slice.endpoints) {
        if let Some(found) = fresh.get_mut(&identity(endpoint)) {
            *found = endpoint;
        }
    }
    members.iter().map(|member| fresh.get(&identity(member)).map_or(member, |found| *found).clone()).collect()
}

fn identity(endpoint: &Endpoint) -> Identity<'_> {
    let target = endpoint.target_ref.as_deref();
    (
        endpoint.addresses.sorted(),
        endpoint.hostname.as_deref().unwrap_or(""),
        target.map_or("", |target| target.namespace.as_str()),
        target.map_or("", |target| target.name.as_str()),
    )
}

fn same_ports(a: &[Port], b: &[Port]) -> bool {
    let sorted = |ports: &[Port]| {
        let mut ports = ports.to_vec();
        ports.sort_unstable();
        ports
    };
    a == b || sorted(a) == sorted(b)
}

/// Whether nothing differs; a trigger time alone is no reason to write.
fn is_same(a: &Slice, b: &Slice) -> bool {
    let annotations = |slice: &Slice| slice.annotations.filtered(|key| key != TRIGGER_TIME);
    a.ports == b.ports
        && a.endpoints == b.endpoints
        && a.labels == b.labels
        && a.owners == b.owners
        && annotations(a) == annotations(b)
}
