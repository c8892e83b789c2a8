//! Rules for slices of the selector loop.

// All rules look alike, though some only change what is in the lists.
#![allow(clippy::ptr_arg)]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::compare::Said;
use super::super::desired::{self, refused};
use super::published::{names, replace};
use super::{Facts, auto, owner};
use crate::support::history::{Change, Kind, Operation, Tampering};
use crate::support::world::{MIRRORING_LOOP, SELECTOR_LOOP};

const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// Empty slices beside others of their type are taken out of both, if a Pod has exactly their ports.
pub(super) fn empty(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let Some(service) = facts.object(Kind::Service) else { return };
    let wanted: BTreeSet<Vec<Option<String>>> =
        facts.pods().map(|(_, pod)| desired::ports(&service["spec"], pod)).collect();
    for slices in [ours, peer] {
        let types: Vec<String> = slices.iter().map(|said| said.address_type.clone()).collect();
        slices.retain(|said| {
            let beside_others = types.iter().filter(|found| **found == said.address_type).count() > 1;
            let mut names = names(said);
            names.sort();
            let desired =
                wanted.iter().any(|wanted| wanted.iter().collect::<BTreeSet<_>>() == names.iter().collect());
            !(said.manager == SELECTOR_LOOP && said.endpoints.is_empty() && beside_others && desired)
        });
    }
}

/// In mode Auto the hints of a family's ready endpoints are not compared, if both have some or none, and
/// ours are as they must be.
pub(super) fn auto_hints(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    if !facts.object(Kind::Service).is_some_and(auto::asked) {
        return;
    }
    for address_type in ["IPv4", "IPv6"] {
        let of_type = |said: &&Said| said.manager == SELECTOR_LOOP && said.address_type == address_type;
        let mine: Vec<&Said> = ours.iter().filter(of_type).collect();
        let theirs: Vec<&Said> = peer.iter().filter(of_type).collect();
        if auto::hinted(&mine) != auto::hinted(&theirs) || !auto::right(facts.state, &mine) {
            continue;
        }
        let all = ours.iter_mut().chain(peer.iter_mut());
        let of_type = |said: &&mut Said| said.manager == SELECTOR_LOOP && said.address_type == address_type;
        for endpoint in all.filter(of_type).flat_map(|said| &mut said.endpoints) {
            if let Some(endpoint) = endpoint.as_object_mut() {
                endpoint.remove("hints");
            }
        }
    }
}

/// A placeholder of the peer that belongs to nobody who lives becomes the Service's.
pub(super) fn placeholder(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let is_placeholder = |said: &&mut Said| {
        said.manager == SELECTOR_LOOP && said.ports.is_empty() && said.endpoints.is_empty()
    };
    for said in peer.iter_mut().filter(is_placeholder) {
        if !said.owners.iter().any(|owner| owner["uid"] == "live") {
            said.owners = vec![owner("Service", facts.service)];
        }
    }
}

/// The peer says that it will not sync this Service: ours must hold exactly what is desired.
pub(super) fn stuck(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let recreated = || {
        let deleted = |change: &&Change| matches!(&change.operation, Operation::Delete(Kind::Service, name) if name == facts.service);
        facts.past.iter().any(|change| deleted(&change))
    };
    let left = |how: &Tampering| matches!(how, Tampering::TakeOver(_) | Tampering::ServiceName(_));
    if facts.peer.stuck && (facts.tampered(left) || recreated()) {
        replace(facts, ours, peer, SELECTOR_LOOP, None);
        replace(facts, ours, peer, MIRRORING_LOOP, None);
    }
}

/// The peer's slices of the selector loop get the label as it should be.
pub(super) fn headless(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let Some(service) = facts.object(Kind::Service) else { return };
    let headless = service["spec"]["clusterIP"] == "None";
    for said in peer.iter_mut().filter(|said| said.manager == SELECTOR_LOOP) {
        match headless {
            true => said.labels.insert(HEADLESS_LABEL.to_string(), json!("")),
            false => said.labels.remove(HEADLESS_LABEL),
        };
    }
}

/// The annotation that histories put on slices is taken off where somebody put it.
pub(super) fn annotation(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    for said in ours.iter_mut().chain(peer.iter_mut()).filter(|said| said.manager == SELECTOR_LOOP) {
        for change in facts.past {
            if let Operation::Tamper { how: Tampering::Annotate(key, _), service, .. } = &change.operation
                && service == facts.service
            {
                said.annotations.remove(key);
            }
        }
    }
}

/// While a Pod has an address of a family that the API server refuses, the peer's slices of that
/// family are not looked at; ours must hold exactly what is desired.
pub(super) fn refused_address(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    if !facts.peer.failed {
        return;
    }
    let ended = |pod: &Value| ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
    let addresses =
        facts.pods().filter(|(_, pod)| !ended(pod)).flat_map(|(_, pod)| pod["status"]["podIPs"].as_array());
    let bad = addresses.flatten().filter_map(|one| one["ip"].as_str()).filter(|ip| refused(ip));
    let types: BTreeSet<&str> = bad.map(|ip| if ip.contains(':') { "IPv6" } else { "IPv4" }).collect();
    for address_type in types {
        replace(facts, ours, peer, SELECTOR_LOOP, Some(address_type));
    }
}
