//! What hints of topology mode Auto must be, said a second time and without choosing any: whether there
//! are some, and that no zone has fewer endpoints than keep its load within the bound.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compare::Said;
use crate::support::history::{Kind, State};

/// How much more than its fair share an endpoint may get.
const OVERLOAD: f64 = 1.2;
const ROLES: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// Whether the Service asks for mode Auto.
pub fn asked(service: &Value) -> bool {
    let annotations = &service["metadata"]["annotations"];
    let old = &annotations["service.kubernetes.io/topology-aware-hints"];
    let mode = if old.is_string() { old } else { &annotations["service.kubernetes.io/topology-mode"] };
    mode == "Auto" || mode == "auto"
}

fn ready<'a>(slices: &[&'a Said]) -> Vec<&'a Value> {
    let endpoints = slices.iter().flat_map(|said| &said.endpoints);
    endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).collect()
}

/// Whether any ready endpoint has hints.
pub fn hinted(slices: &[&Said]) -> bool {
    ready(slices).iter().any(|endpoint| endpoint["hints"].is_object())
}

/// Whether the hints of these slices of one address type are as they must be.
pub fn right(state: &State, slices: &[&Said]) -> bool {
    let ready = ready(slices);
    let minimums = minimums(state, &ready);
    let hints: Vec<&Value> = ready.iter().map(|endpoint| &endpoint["hints"]).collect();
    let Some(minimums) = minimums else { return hints.iter().all(|hints| hints.is_null()) };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for endpoint in &ready {
        let zones = endpoint["hints"]["forZones"].as_array().map_or(&[][..], |zones| zones);
        let [zone] = zones else { return false };
        let zone = zone["name"].as_str().unwrap_or_default();
        if !minimums.contains_key(zone) && endpoint["zone"] != zone {
            return false;
        }
        *counts.entry(zone).or_default() += 1;
    }
    minimums.iter().all(|(zone, minimum)| counts.get(zone.as_str()).copied().unwrap_or(0) >= *minimum)
}

/// How many of the ready endpoints each zone needs; `None` where there are to be no hints.
fn minimums(state: &State, ready: &[&Value]) -> Option<BTreeMap<String, usize>> {
    let mut zones: BTreeMap<String, u64> = BTreeMap::new();
    for (_, node) in state.all(Kind::Node) {
        let labels = &node["metadata"]["labels"];
        let is_ready = node["status"]["conditions"][0]["status"] == "True";
        if !is_ready || ROLES.iter().any(|role| labels[*role].is_string()) {
            continue;
        }
        let zone = labels["topology.kubernetes.io/zone"].as_str().filter(|zone| !zone.is_empty())?;
        *zones.entry(zone.to_string()).or_default() += milli(&node["status"]["allocatable"]["cpu"])?;
    }
    let total: u64 = zones.values().sum();
    if zones.len() < 2 || zones.len() > ready.len() || ready.iter().any(|endpoint| endpoint["zone"].is_null())
    {
        return None;
    }
    let count = ready.len() as f64;
    let minimum = |cpu: u64| ((cpu as f64 / total as f64) * count * (1.0 / OVERLOAD)).ceil() as usize;
    let minimums: BTreeMap<String, usize> =
        zones.into_iter().map(|(zone, cpu)| (zone, minimum(cpu))).collect();
    (minimums.values().sum::<usize>() <= ready.len()).then_some(minimums)
}

/// Thousandths of a CPU.
fn milli(quantity: &Value) -> Option<u64> {
    let text = quantity.as_str()?;
    let cpu = match text.strip_suffix('m') {
        Some(milli) => milli.parse().ok()?,
        None => text.parse::<u64>().ok()? * 1000,
    };
    (cpu > 0).then_some(cpu)
}
