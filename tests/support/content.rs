//! What slices say, without what differs between two runs of the same history: names, uids,
//! versions and times.

use serde_json::{Value, json};

use super::world::{TRIGGER_TIME, World};

/// The slices of a namespace in a fixed order, each reduced to what it says.
pub async fn content(world: &World) -> Vec<Value> {
    let mut all: Vec<Value> = world.all_slices().await.iter().map(reduced).collect();
    all.sort_by_key(Value::to_string);
    all
}

fn reduced(slice: &Value) -> Value {
    let metadata = &slice["metadata"];
    let mut annotations = metadata["annotations"].as_object().cloned().unwrap_or_default();
    annotations.remove(TRIGGER_TIME);
    let owners = metadata["ownerReferences"].as_array().cloned().unwrap_or_default();
    let owners: Vec<Value> = owners.iter().map(|owner| json!([owner["kind"], owner["name"]])).collect();
    let mut endpoints = slice["endpoints"].as_array().cloned().unwrap_or_default();
    for endpoint in &mut endpoints {
        if let Some(target) = endpoint["targetRef"].as_object_mut() {
            target.remove("uid");
        }
    }
    endpoints.sort_by_key(Value::to_string);
    json!({
        "labels": metadata["labels"],
        "annotations": annotations,
        "owners": owners,
        "addressType": slice["addressType"],
        "ports": slice["ports"],
        "endpoints": endpoints,
    })
}
