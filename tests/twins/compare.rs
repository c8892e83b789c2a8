//! What stands on one twin, in words that are the same on both: slices without names, versions and
//! times, with uids resolved to live objects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::support::World;
use crate::support::world::{MANAGED_BY, SERVICE_NAME, TRIGGER_TIME};

/// What a slice says. How endpoints spread over the slices of a group is not compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub manager: String,
    pub address_type: String,
    pub ports: Vec<Value>,
    pub labels: Map<String, Value>,
    pub annotations: Map<String, Value>,
    pub owners: Vec<Value>,
    pub generate_name: Value,
    pub finalizers: Value,
    /// It has a deletionTimestamp.
    pub going: bool,
    pub endpoints: Vec<Value>,
}

/// The slices of each Service.
pub type Standing = BTreeMap<String, Vec<Said>>;

/// The uids of all objects that slices may speak of.
pub async fn uids(world: &World) -> BTreeSet<String> {
    let mut uids = BTreeSet::new();
    for collection in ["services", "endpoints", "pods"] {
        for object in world.api().list(&world.path(collection)).await.expect("list objects") {
            uids.insert(object["metadata"]["uid"].to_string());
        }
    }
    uids
}

/// Reads what stands in the namespace.
pub async fn standing(world: &World, uids: &BTreeSet<String>) -> Standing {
    let mut standing = Standing::new();
    for slice in world.all_slices().await {
        let service = slice["metadata"]["labels"][SERVICE_NAME].as_str().unwrap_or_default().to_string();
        standing.entry(service).or_default().push(said(&slice, uids));
    }
    standing
}

/// The uids that the API server gave are `live` or `dead`; those that a history made up stay.
fn resolve(uid: &mut Value, live: &BTreeSet<String>) {
    let given = uid.as_str().is_some_and(|uid| uid.len() == 36);
    if given {
        *uid = json!(if live.contains(&uid.to_string()) { "live" } else { "dead" });
    }
}

fn said(slice: &Value, live: &BTreeSet<String>) -> Said {
    let metadata = &slice["metadata"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut ports = list(&slice["ports"]);
    ports.sort_by_key(Value::to_string);
    let mut annotations = map(&metadata["annotations"]);
    annotations.remove(TRIGGER_TIME);
    let mut owners = list(&metadata["ownerReferences"]);
    owners.iter_mut().for_each(|owner| resolve(&mut owner["uid"], live));
    let mut endpoints = list(&slice["endpoints"]);
    for endpoint in &mut endpoints {
        if let Some(target) = endpoint.get_mut("targetRef") {
            resolve(&mut target["uid"], live);
        }
    }
    Said {
        manager: metadata["labels"][MANAGED_BY].as_str().unwrap_or_default().to_string(),
        address_type: slice["addressType"].as_str().unwrap_or_default().to_string(),
        ports,
        labels: map(&metadata["labels"]),
        annotations,
        owners,
        generate_name: metadata["generateName"].clone(),
        finalizers: metadata["finalizers"].clone(),
        going: metadata["deletionTimestamp"].is_string(),
        endpoints,
    }
}

/// Slices that say the same but for their endpoints, and the set of these.
pub type Groups = BTreeMap<String, BTreeSet<String>>;

pub fn groups(slices: &[Said]) -> Groups {
    let mut groups = Groups::new();
    for said in slices {
        let key = json!({
            "managedBy": said.manager, "type": said.address_type, "ports": said.ports, "labels": said.labels,
            "annotations": said.annotations, "owners": said.owners, "generateName": said.generate_name,
            "finalizers": said.finalizers, "going": said.going,
        });
        let group = groups.entry(key.to_string()).or_default();
        group.extend(said.endpoints.iter().map(Value::to_string));
    }
    groups
}

/// What only one of two has, as lines for people; empty when they are equal.
pub fn difference(ours: &Groups, peer: &Groups) -> String {
    let mut text = String::new();
    let keys: BTreeSet<&String> = ours.keys().chain(peer.keys()).collect();
    for key in keys {
        let (one, two) = (ours.get(key), peer.get(key));
        if one == two {
            continue;
        }
        let word = match (one, two) {
            (Some(_), None) => "only ours has",
            (None, Some(_)) => "only kube-controller-manager has",
            _ => "both have, with different endpoints,",
        };
        let _ = writeln!(text, "  {word} {key}");
        let none = BTreeSet::new();
        let (one, two) = (one.unwrap_or(&none), two.unwrap_or(&none));
        for endpoint in one.difference(two).take(8) {
            let _ = writeln!(text, "    ours: {endpoint}");
        }
        for endpoint in two.difference(one).take(8) {
            let _ = writeln!(text, "    kube-controller-manager: {endpoint}");
        }
    }
    text
}
