//! What a plan means to those who read slices: for each Service that is written to, what they see of
//! each port today and after the writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::table::{NONE, addresses, port_text};
use super::{Cluster, PlannedWrite};
use crate::consumer::{Merged, PortKey, PortView, Reading, merge};
use crate::model::{Key, Slice};
use crate::plan::Operation;

/// The columns of [`rows`].
pub(super) const HEADS: [&str; 10] = [
    "NAMESPACE",
    "SERVICE",
    "ADDRESSTYPE",
    "PORT",
    "ADDRESSES",
    "READY",
    "SERVING",
    "TERMINATING",
    "GAINED",
    "LOST",
];

/// One row for each port of the Services written to, sorted; a port without an address today and
/// afterwards has none.
pub(super) fn rows(writes: &[PlannedWrite], cluster: &Cluster) -> Vec<[String; 10]> {
    let (today, after) = views(writes, cluster);
    let ports: BTreeSet<&PortKey> = today.keys().chain(after.keys()).collect();
    let nothing = PortView::default();
    let seen = |port| (today.get(port).unwrap_or(&nothing), after.get(port).unwrap_or(&nothing));
    ports.into_iter().map(|port| row(port, seen(port))).collect()
}

/// The slices of the Services written to, of any manager, merged as they stand and as they will.
fn views(writes: &[PlannedWrite], cluster: &Cluster) -> (Merged, Merged) {
    let written: BTreeSet<&Key> = writes.iter().map(|planned| &planned.key).collect();
    let concerned = |slice: &&Slice| slice.service_key().is_some_and(|service| written.contains(&service));
    let slices = cluster.slices.values().map(|slice| &**slice).filter(concerned);
    let mut standing: BTreeMap<&Key, &Slice> = slices.map(|slice| (&slice.key, slice)).collect();
    let today = merge(standing.values().copied(), Reading::Everything);
    for PlannedWrite { write, .. } in writes {
        match write.operation {
            Operation::Delete => standing.remove(&write.slice.key),
            Operation::Create | Operation::Update => standing.insert(&write.slice.key, &write.slice),
        };
    }
    (today, merge(standing.into_values(), Reading::Everything))
}

fn row(port: &PortKey, (today, after): (&PortView, &PortView)) -> [String; 10] {
    let (had, has) = (today.counts(), after.counts());
    let missing = |of: &PortView, from: &PortView| {
        addresses(of.addresses.keys().filter(|address| !from.addresses.contains_key(*address)))
    };
    [
        port.service.namespace.to_string(),
        port.service.name.to_string(),
        port.address_type.to_string(),
        ports(port, today, after),
        turn(had.addresses, has.addresses),
        turn(had.ready, has.ready),
        turn(had.serving, has.serving),
        turn(had.terminating, has.terminating),
        missing(after, today),
        missing(today, after),
    ]
}

fn ports(port: &PortKey, today: &PortView, after: &PortView) -> String {
    let texts = |view: &PortView| {
        let all = view
            .targets
            .iter()
            .map(|(protocol, number)| port_text(port.port.as_deref().unwrap_or_default(), *number, protocol));
        all.collect::<Vec<_>>().join(",")
    };
    if port.port.is_none() {
        return NONE.to_owned();
    }
    // A port that is only there today, or only afterwards, has one text.
    match (texts(today), texts(after)) {
        (had, has) if had.is_empty() => has,
        (had, has) if has.is_empty() => had,
        (had, has) => turn(had, has),
    }
}

fn turn<T: Display + PartialEq>(had: T, has: T) -> String {
    if had == has { has.to_string() } else { format!("{had} → {has}") }
}
