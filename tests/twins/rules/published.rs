//! What slices publish, beside what should be published: where a rule does not look at the peer's
//! slices, it looks at ours so much the closer.

use std::collections::BTreeSet;

use super::super::compare::Said;
use super::super::desired::{self, Pair};
use super::Facts;
use crate::support::history::Kind;
use crate::support::world::{MIRRORING_LOOP, SELECTOR_LOOP};

/// The peer's slices of a loop (and of one type) become ours, if ours publish what is desired.
pub(super) fn replace(
    facts: &Facts<'_>,
    ours: &[Said],
    peer: &mut Vec<Said>,
    manager: &str,
    address_type: Option<&str>,
) {
    let which = |said: &Said| {
        said.manager == manager && address_type.is_none_or(|wanted| wanted == said.address_type)
    };
    let mine: Vec<Said> = ours.iter().filter(|said| which(said)).cloned().collect();
    if astray(facts, &mine, manager, address_type).is_empty() {
        peer.retain(|said| !which(said));
        peer.extend(mine);
    }
}

/// What these slices of a loop publish and should not, or do not and should.
pub fn astray(
    facts: &Facts<'_>,
    slices: &[Said],
    manager: &str,
    address_type: Option<&str>,
) -> BTreeSet<Pair> {
    let of_type = |address: &str| {
        address_type.is_none_or(|wanted| wanted == if address.contains(':') { "IPv6" } else { "IPv4" })
    };
    let published: BTreeSet<Pair> =
        slices.iter().filter(|said| said.manager == manager).flat_map(pairs).collect();
    let mut desired = desired::desired(facts.state, facts.service);
    desired.retain(|(address, _)| of_type(address));
    let selects = facts.object(Kind::Service).is_some_and(desired::has_selector);
    if selects != (manager == SELECTOR_LOOP) {
        desired.clear();
    }
    let mut astray: BTreeSet<Pair> = published.symmetric_difference(&desired).cloned().collect();
    // An address without ports may give way to one with them, which `desired` leaves open.
    if manager == MIRRORING_LOOP && !selects {
        let known = facts.object(Kind::Endpoints).map(desired::addresses).unwrap_or_default();
        astray.retain(|(address, port)| port.is_some() || !known.contains(address.as_str()));
    }
    astray
}

/// The names of its ports; no name where it has none.
pub(super) fn names(said: &Said) -> Vec<Option<String>> {
    match said.ports.is_empty() {
        true => vec![None],
        false => said
            .ports
            .iter()
            .map(|port| Some(port["name"].as_str().unwrap_or_default().to_string()))
            .collect(),
    }
}

fn pairs(said: &Said) -> Vec<Pair> {
    let names = names(said);
    let addresses = said.endpoints.iter().flat_map(|endpoint| endpoint["addresses"].as_array()).flatten();
    addresses
        .flat_map(|ip| names.iter().map(|name| (ip.as_str().unwrap_or_default().to_string(), name.clone())))
        .collect()
}
