//! What the objects are after some operations: as the API server would store them, in everything that
//! decides about slices. Names of Nodes are without the namespace.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Kind, Operation};

/// Objects by kind and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    objects: BTreeMap<(Kind, String), Value>,
}

impl State {
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Value> {
        self.objects.get(&(kind, name.to_string()))
    }

    /// All objects of a kind with their names, in order.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = (&str, &Value)> {
        let of_kind = move |(key, object)| {
            let (found, name): &(Kind, String) = key;
            (*found == kind).then_some((name.as_str(), object))
        };
        self.objects.iter().filter_map(of_kind)
    }

    pub fn names(&self, kind: Kind) -> Vec<String> {
        self.all(kind).map(|(name, _)| name.to_string()).collect()
    }

    pub fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Create(kind, object) => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_string();
                self.objects.entry((*kind, name)).or_insert_with(|| object.clone());
            }
            Operation::Patch(kind, name, patch) => {
                let key = (*kind, name.clone());
                let Some(object) = self.objects.get_mut(&key) else { return };
                merge(object, patch);
                let metadata = &object["metadata"];
                if metadata["deletionTimestamp"].is_string() && !held(object) && at_once(object) {
                    self.objects.remove(&key);
                }
            }
            Operation::PatchStatus(kind, name, patch) => {
                if let Some(object) = self.objects.get_mut(&(*kind, name.clone())) {
                    merge(object, &json!({"status": patch}));
                }
            }
            Operation::Delete(kind, name) => self.delete(*kind, name, 0),
            Operation::Terminate(name) => {
                let Some(pod) = self.get(Kind::Pod, name) else { return };
                let ended = ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
                let unbound = pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty);
                self.delete(Kind::Pod, name, if ended || unbound { 0 } else { TERMINATION });
            }
            Operation::Bind(name, node) => {
                if let Some(pod) = self.objects.get_mut(&(Kind::Pod, name.clone()))
                    && pod["spec"]["nodeName"].is_null()
                    && !pod["metadata"]["deletionTimestamp"].is_string()
                {
                    pod["spec"]["nodeName"] = json!(node);
                }
            }
            Operation::Tamper { .. } | Operation::Restart(_) => {}
        }
    }

    fn delete(&mut self, kind: Kind, name: &str, grace: u64) {
        let key = (kind, name.to_string());
        let Some(object) = self.objects.get_mut(&key) else { return };
        if grace == 0 && !held(object) {
            self.objects.remove(&key);
            if kind == Kind::Service {
                // The API server takes these along.
                self.objects.remove(&(Kind::Endpoints, name.to_string()));
            }
            return;
        }
        let metadata = &mut object["metadata"];
        metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        metadata["deletionGracePeriodSeconds"] = json!(grace);
    }
}

/// Longer than any history.
pub const TERMINATION: u64 = 36000;

fn held(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

fn at_once(object: &Value) -> bool {
    object["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(0) == 0
}

/// A JSON merge patch.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().map(|object| object.remove(key));
        } else {
            merge(&mut target[key], value);
        }
    }
}
