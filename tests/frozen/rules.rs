//! Numbers that differ because ours are meant to: one rule for each reason, as narrow as it can be
//! said. A rule never sets a number aside because it differs: it says what the number would be without
//! its reason, and then both must be equal. Only where the peer fails, and its own log says so, or
//! where it has other groups, the part in question is left out.

use serde_json::{Value, json};

use super::numbers::{Part, Verb, Write, key_of};
use crate::support::world::{MANAGED_BY, MIRRORING_LOOP, SELECTOR_LOOP, TRIGGER_TIME};

const HEADLESS: &str = "service.kubernetes.io/headless";

/// What a rule may know of a Service.
pub struct Facts<'a> {
    pub service: &'a Value,
    pub endpoints: Option<&'a Value>,
    /// The lines in which the peer says that it failed to sync this key.
    pub failures: Vec<&'a str>,
}

/// How a rule shows that its reason is all that is behind a difference.
pub enum How {
    /// The slice without that reason: `plan` says the peer's numbers when it stands like this in the
    /// dump. False: there is no such reason in this slice.
    Without(fn(&Facts<'_>, &mut Value) -> bool),
    /// An update of this side leaves the slice (as it was before) as it was in all that counts. It is not
    /// counted.
    Nothing(Side, fn(&Facts<'_>, &Value, &Write) -> bool),
    /// Our extra write is taken together with the one that it goes with.
    Together,
    /// A placeholder that the peer keeps or makes is gone.
    NoPlaceholder(fn(&Facts<'_>) -> bool),
    /// The writes are equally many, and the slices that stand then are on either side some of those that
    /// there would be if it did not go.
    Drawn(fn(&Facts<'_>, &Part) -> bool),
    /// The peer fails for ever, or has other groups: there is nothing to compare.
    LeftOut(fn(&Facts<'_>, &Part) -> bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Ours,
    Peer,
    Both,
}

pub struct Rule {
    pub name: &'static str,
    pub reason: &'static str,
    pub how: How,
}

impl Rule {
    /// Whether it rests on what upstream draws, which may come out like ours.
    pub fn by_chance(&self) -> bool {
        matches!(self.how, How::Drawn(_) | How::Nothing(Side::Both, _))
    }
}

/// All rules, in the order of the table.
pub const RULES: [Rule; 13] = [
    Rule {
        name: "extra write",
        reason: "a slice cannot be written or recycled first without an address in no slice: one write more",
        how: How::Together,
    },
    Rule {
        name: "headless label",
        reason: "a slice with a wrong headless label is updated; upstream does so for placeholders only",
        how: How::Without(headless),
    },
    Rule {
        name: "placeholder not owned",
        reason: "a slice that the Service does not own is replaced, however right it looks; upstream adopts an empty one by its labels",
        how: How::Without(placeholder_not_owned),
    },
    Rule {
        name: "hint on a mirrored slice",
        reason: "mirrored endpoints have no hints, so that one is removed; upstream does not look at it",
        how: How::Without(mirrored_hint),
    },
    Rule {
        name: "placeholder written again",
        reason: "only what changed is written; upstream recycles a right placeholder into a placeholder when another slice goes",
        how: How::Nothing(Side::Peer, placeholder_again),
    },
    Rule {
        name: "mirrored slice written again",
        reason: "only what changed is written; upstream takes our two labels on Endpoints for a change at every sync, and syncs again before its cache has seen its own write",
        how: How::Nothing(Side::Peer, mirrored_again),
    },
    Rule {
        name: "hints of mode Auto",
        reason: "an update of hints alone is not counted in mode Auto; upstream draws which endpoints' hints move, from another draw at each sync",
        how: How::Nothing(Side::Both, hints_of_auto),
    },
    Rule {
        name: "placeholder of a Service that goes",
        reason: "a Service with a deletionTimestamp needs no placeholder; upstream keeps one, or recycles a slice into one",
        how: How::NoPlaceholder(goes),
    },
    Rule {
        name: "recycling for one that goes",
        reason: "with a deletionTimestamp there are no creates; which new slices take over those that would go is drawn upstream",
        how: How::Drawn(no_creates),
    },
    Rule {
        name: "recycling of mirrored slices",
        reason: "slices are recycled within their address type; upstream takes creates of the other one off its list, and its create fails",
        how: How::LeftOut(recycled_wrongly),
    },
    Rule {
        name: "address refused",
        reason: "an address that the API server refuses costs only itself; upstream fails with that family for ever",
        how: How::LeftOut(address_refused),
    },
    Rule {
        name: "ports of one name",
        reason: "ports of one name stay in separate slices; upstream joins them, and the API server refuses that slice for ever",
        how: How::LeftOut(one_name),
    },
    Rule {
        name: "ports by value",
        reason: "equal ports of two subsets are one port; upstream tells them apart when they have an appProtocol, and so has other groups",
        how: How::LeftOut(equal_ports),
    },
];

/// Whether a slice that goes could take over another content instead.
pub fn recyclable(facts: &Facts<'_>, slice: &Value) -> bool {
    managed(slice, MIRRORING_LOOP) || owned(facts, slice)
}

/// Whether the Service owns the slice.
fn owned(facts: &Facts<'_>, slice: &Value) -> bool {
    let owners = slice["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|owner| owner["uid"] == facts.service["metadata"]["uid"])
}

fn managed(slice: &Value, by: &str) -> bool {
    slice["metadata"]["labels"][MANAGED_BY] == by
}

fn empty(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

fn headless(facts: &Facts<'_>, slice: &mut Value) -> bool {
    let wanted = facts.service["spec"]["clusterIP"] == "None";
    let right = if wanted { json!("") } else { Value::Null };
    if !managed(slice, SELECTOR_LOOP) || slice["metadata"]["labels"][HEADLESS] == right {
        return false;
    }
    let Some(labels) = slice["metadata"]["labels"].as_object_mut() else { return false };
    if wanted {
        labels.insert(HEADLESS.to_string(), right)
    } else {
        labels.remove(HEADLESS)
    };
    true
}

fn placeholder_not_owned(facts: &Facts<'_>, slice: &mut Value) -> bool {
    let metadata = &facts.service["metadata"];
    let placeholder = empty(&slice["endpoints"]) && empty(&slice["ports"]);
    if !managed(slice, SELECTOR_LOOP) || !placeholder || owned(facts, slice) {
        return false;
    }
    slice["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }]);
    true
}

fn mirrored_hint(_: &Facts<'_>, slice: &mut Value) -> bool {
    if !managed(slice, MIRRORING_LOOP) {
        return false;
    }
    let endpoints = slice["endpoints"].as_array_mut().into_iter().flatten();
    let hints = endpoints.filter_map(|endpoint| endpoint.as_object_mut()?.remove("hints"));
    hints.count() > 0
}

fn placeholder_again(_: &Facts<'_>, before: &Value, write: &Write) -> bool {
    let placeholder = empty(&before["endpoints"]) && empty(&before["ports"]);
    managed(before, SELECTOR_LOOP) && placeholder && changes_nothing(before, write)
}

fn mirrored_again(_: &Facts<'_>, before: &Value, write: &Write) -> bool {
    managed(before, MIRRORING_LOOP) && changes_nothing(before, write)
}

pub fn hints_of_auto(facts: &Facts<'_>, before: &Value, write: &Write) -> bool {
    let annotations = &facts.service["metadata"]["annotations"];
    let mode = ["topology-aware-hints", "topology-mode"]
        .map(|name| &annotations[format!("service.kubernetes.io/{name}")])
        .into_iter()
        .find(|mode| mode.is_string());
    let auto = mode.is_some_and(|mode| mode == "Auto" || mode == "auto");
    let without = |slice: &Value| {
        let mut slice = slice.clone();
        let endpoints = slice["endpoints"].as_array_mut().into_iter().flatten();
        endpoints.filter_map(Value::as_object_mut).for_each(|endpoint| drop(endpoint.remove("hints")));
        slice
    };
    let write = Write { verb: write.verb, slice: without(&write.slice) };
    auto && managed(before, SELECTOR_LOOP) && changes_nothing(&without(before), &write)
}

/// Whether an update changes nothing that a consumer could see.
pub fn changes_nothing(before: &Value, write: &Write) -> bool {
    write.verb == Verb::Update && seen(before) == seen(&write.slice)
}

/// What counts of a slice, whether the API server or `plan` prints it: all but its version, its trigger
/// time and the order of its endpoints.
fn seen(slice: &Value) -> Value {
    let metadata = &slice["metadata"];
    let map = |field: &str| metadata[field].as_object().cloned().unwrap_or_default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut annotations = map("annotations");
    annotations.remove(TRIGGER_TIME);
    let mut endpoints = list(&slice["endpoints"]);
    endpoints.sort_by_key(Value::to_string);
    json!([
        key_of(slice),
        map("labels"),
        annotations,
        list(&metadata["ownerReferences"]),
        list(&metadata["finalizers"]),
        slice["addressType"],
        list(&slice["ports"]),
        endpoints,
    ])
}

fn goes(facts: &Facts<'_>) -> bool {
    facts.service["metadata"]["deletionTimestamp"].is_string()
}

fn no_creates(facts: &Facts<'_>, (manager, _): &Part) -> bool {
    let source = if manager == MIRRORING_LOOP { facts.endpoints } else { Some(facts.service) };
    source.is_some_and(|source| source["metadata"]["deletionTimestamp"].is_string())
}

/// The name of a recycled slice shows on a create only when another create was taken off the list.
fn recycled_wrongly(facts: &Facts<'_>, (manager, _): &Part) -> bool {
    let failed =
        |line: &&str| line.contains("failed to create EndpointSlice") && line.contains("already exists");
    manager == MIRRORING_LOOP && facts.failures.iter().any(failed)
}

fn address_refused(facts: &Facts<'_>, (manager, address_type): &Part) -> bool {
    let refused = facts.failures.iter().filter(|line| line.contains("may not be in the link-local range"));
    let mut values = refused.flat_map(|line| line.split("Invalid value: \\\"").skip(1));
    let of_type = |value: &str| {
        let address = value.split('\\').next().unwrap_or_default();
        (address_type == "IPv6") == address.contains(':')
    };
    manager == SELECTOR_LOOP && values.any(of_type)
}

fn one_name(facts: &Facts<'_>, (manager, _): &Part) -> bool {
    manager == MIRRORING_LOOP && facts.failures.iter().any(|line| line.contains(".name: Duplicate value"))
}

/// Whether two subsets have an equal port with an appProtocol.
fn equal_ports(facts: &Facts<'_>, (manager, _): &Part) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let subsets = facts.endpoints.map(|endpoints| list(&endpoints["subsets"])).unwrap_or_default();
    let all: Vec<Vec<Value>> = subsets.iter().map(|subset| list(&subset["ports"])).collect();
    let twice = |at: usize, port: &Value| all[at + 1..].iter().any(|ports| ports.contains(port));
    let mut ports = all.iter().enumerate().flat_map(|(at, ports)| ports.iter().map(move |port| (at, port)));
    manager == MIRRORING_LOOP && ports.any(|(at, port)| port["appProtocol"].is_string() && twice(at, port))
}
