//! What is said of the hints of topology mode Auto, as Events on the Service, when it changes.

use std::collections::BTreeSet;

use super::ratios::Off;
use crate::model::snapshot::Memory;
use crate::model::{AddressType, Service};
use crate::plan::Report;

const ENABLED: &str = "TopologyAwareHintsEnabled";
const DISABLED: &str = "TopologyAwareHintsDisabled";

/// What mode Auto came to for one address type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The address type.
    pub address_type: AddressType,
    /// Whether there are hints, else why not.
    pub state: Result<(), Off>,
    /// Whether slices bore hints before.
    pub hinted_before: bool,
}

/// What is new to say of these outcomes (none when the Service is not in mode Auto), and what is
/// then known to have been said. States are told apart by their kind, not by their numbers, which
/// change with every Pod.
pub fn reports(service: &Service, outcomes: &[Outcome], memory: &Memory) -> (Vec<Report>, BTreeSet<String>) {
    let mut new = Vec::new();
    let mut reported = BTreeSet::new();
    for Outcome { address_type, state, hinted_before } in outcomes {
        let (said, report) = match state {
            Ok(()) => (enabled(address_type), on(service, address_type)),
            Err(off) => {
                (format!("{DISABLED}: {address_type}: {}", kind(off)), why_off(service, address_type, off))
            }
        };
        // A process that starts finds the hints that the one before it gave: nothing changed.
        let found = state.is_ok() && *hinted_before && memory.trigger.is_none();
        if !found && !memory.reported.contains(&said) {
            new.push(report);
        }
        reported.insert(said);
    }
    if outcomes.is_empty() {
        let types = [AddressType::IPv4, AddressType::IPv6];
        let were_on = types.iter().filter(|one| memory.reported.contains(&enabled(one)));
        new.extend(were_on.map(|one| annotation_removed(service, one)));
    }
    (new, reported)
}

fn enabled(address_type: &AddressType) -> String {
    format!("{ENABLED}: {address_type}")
}

fn on(service: &Service, address_type: &AddressType) -> Report {
    let message = format!(
        "Service {}: topology mode Auto is in force, {address_type} endpoints are shared out among the zones",
        service.key
    );
    Report { warning: false, reason: ENABLED, message }
}

fn annotation_removed(service: &Service, address_type: &AddressType) -> Report {
    let message = format!(
        "Service {}: hints of topology mode Auto are removed from {address_type} endpoints: \
         the annotation no longer asks for them",
        service.key
    );
    Report { warning: true, reason: DISABLED, message }
}

fn why_off(service: &Service, address_type: &AddressType, off: &Off) -> Report {
    let why = match off {
        Off::Node(name) => {
            format!("Node {name:?} has no zone or no allocatable CPU, expected both of every ready Node")
        }
        Off::Zones(zones) => format!("zones with ready Nodes: {zones}, expected at least 2"),
        Off::Endpoints { ready, zones } => {
            format!("{ready} ready endpoints, expected at least one for each of {zones} zones")
        }
        Off::Minimum { ready, needed } => format!(
            "{ready} ready endpoints, expected at least {needed} so that none gets more than 1.2 times its share"
        ),
        Off::Endpoint(address) => format!("endpoint {address:?} has no zone, expected one of every endpoint"),
    };
    let message =
        format!("Service {}: no topology-aware hints for {address_type} endpoints: {why}", service.key);
    Report { warning: true, reason: DISABLED, message }
}

fn kind(off: &Off) -> &'static str {
    match off {
        Off::Node(_) => "a Node without zone or CPU",
        Off::Zones(_) => "fewer than two zones",
        Off::Endpoints { .. } => "fewer endpoints than zones",
        Off::Minimum { .. } => "minimum not possible",
        Off::Endpoint(_) => "an endpoint without zone",
    }
}
