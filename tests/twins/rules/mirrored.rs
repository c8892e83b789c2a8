//! Rules for mirrored slices.

// All rules look alike, though some only change what is in the lists.
#![allow(clippy::ptr_arg)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::compare::Said;
use super::published::replace;
use super::{Facts, owner};
use crate::support::history::{Kind, Tampering};
use crate::support::world::MIRRORING_LOOP;

/// Mirrored slices of the peer that somebody took the owner from get it back.
pub(super) fn owner_lost(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    if !facts.tampered(|how| *how == Tampering::NoOwner) {
        return;
    }
    for said in peer.iter_mut().filter(|said| said.manager == MIRRORING_LOOP && said.owners.is_empty()) {
        said.owners = vec![owner("Endpoints", facts.service)];
    }
}

/// Hints that somebody put into the peer's mirrored slices are taken off.
pub(super) fn hint(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    if !facts.tampered(|how| *how == Tampering::WrongHint) {
        return;
    }
    for said in peer.iter_mut().filter(|said| said.manager == MIRRORING_LOOP) {
        for endpoint in said.endpoints.iter_mut().filter_map(Value::as_object_mut) {
            endpoint.remove("hints");
        }
    }
}

/// A mirrored slice of the peer that has lost its generateName gets it back.
pub(super) fn generate_name(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    for said in peer.iter_mut().filter(|said| said.manager == MIRRORING_LOOP && said.generate_name.is_null())
    {
        said.generate_name = json!(format!("{}-", facts.service));
    }
}

/// The ports of each subset of the Service's Endpoints.
fn subsets<'a>(facts: &Facts<'a>) -> Vec<Vec<&'a Value>> {
    let subsets = facts.object(Kind::Endpoints).and_then(|object| object["subsets"].as_array());
    let ports = |subset: &'a Value| subset["ports"].as_array().into_iter().flatten().collect();
    subsets.into_iter().flatten().map(ports).collect()
}

/// Where a port with appProtocol stands in more than one subset, mirrored slices are compared port
/// by port; an address that is not ready in one of them is not ready.
pub(super) fn by_value(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let with = subsets(facts)
        .iter()
        .filter(|ports| ports.iter().any(|port| port["appProtocol"].is_string()))
        .count();
    if with > 1 {
        *ours = port_by_port(ours);
        *peer = port_by_port(peer);
        both_ways(facts, peer);
    }
}

/// An address that is ready and not ready for a port with appProtocol is what came last in the peer;
/// it is not ready.
fn both_ways(facts: &Facts<'_>, peer: &mut [Said]) {
    let subsets = facts.object(Kind::Endpoints).and_then(|object| object["subsets"].as_array());
    let has = |list: &str, port: &Value, address: &Value| {
        subsets.into_iter().flatten().any(|subset| {
            let ports = subset["ports"].as_array().into_iter().flatten();
            let addresses = subset[list].as_array().into_iter().flatten();
            ports.clone().any(|found| found == port) && addresses.clone().any(|found| found["ip"] == *address)
        })
    };
    for said in peer.iter_mut().filter(|said| said.manager == MIRRORING_LOOP) {
        let [port] = said.ports.as_slice() else { continue };
        for endpoint in said.endpoints.iter_mut().filter(|_| port["appProtocol"].is_string()) {
            let address = &endpoint["addresses"][0];
            if has("addresses", port, address) && has("notReadyAddresses", port, address) {
                endpoint["conditions"]["ready"] = json!(false);
            }
        }
    }
}

fn port_by_port(slices: &[Said]) -> Vec<Said> {
    let (mirrored, mut result): (Vec<&Said>, Vec<&Said>) =
        slices.iter().partition(|said| said.manager == MIRRORING_LOOP && !said.ports.is_empty());
    let mut singles: Vec<Said> = Vec::new();
    for said in mirrored {
        for port in &said.ports {
            let single = Said { ports: vec![port.clone()], endpoints: Vec::new(), ..said.clone() };
            let at =
                singles.iter().position(|known| Said { endpoints: Vec::new(), ..known.clone() } == single);
            let at = at.unwrap_or_else(|| {
                singles.push(single);
                singles.len() - 1
            });
            for endpoint in &said.endpoints {
                let known = singles[at]
                    .endpoints
                    .iter_mut()
                    .find(|known| known["addresses"] == endpoint["addresses"]);
                match known {
                    Some(known) if endpoint["conditions"]["ready"] == false => *known = endpoint.clone(),
                    Some(_) => {}
                    None => singles[at].endpoints.push(endpoint.clone()),
                }
            }
        }
    }
    let mut all: Vec<Said> = result.drain(..).cloned().collect();
    all.extend(singles);
    all
}

/// Where an address has two ports of one name, the peer's mirrored slices are not looked at; ours must
/// hold exactly what is desired.
pub(super) fn same_name(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let subsets = subsets(facts);
    let mut numbers: BTreeMap<&str, Vec<(usize, &Value)>> = BTreeMap::new();
    for (at, ports) in subsets.iter().enumerate() {
        for port in ports {
            numbers.entry(port["name"].as_str().unwrap_or_default()).or_default().push((at, port));
        }
    }
    // By value, or by the pointer of appProtocol.
    let twice = |found: &Vec<(usize, &Value)>| {
        found.iter().any(|(_, one)| found.iter().any(|(_, two)| one["port"] != two["port"]))
            || found.len() > 1 && found.iter().any(|(_, one)| one["appProtocol"].is_string())
    };
    if facts.peer.failed && numbers.values().any(twice) {
        replace(facts, ours, peer, MIRRORING_LOOP, None);
    }
}

/// The peer says that it asks for a name that is taken: its mirrored slices are not looked at; ours must
/// hold exactly what is desired.
pub(super) fn name_exists(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    if facts.peer.exists {
        replace(facts, ours, peer, MIRRORING_LOOP, None);
    }
}
