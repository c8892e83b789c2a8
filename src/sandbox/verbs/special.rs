//! Subresources that change one thing of an object.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{found, is_over, now, remove, store};
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, Object, Store};

impl Store {
    /// Gives a Pod its Node, as `binding` (core/v1) says.
    ///
    /// # Errors
    /// The refusal that kube-apiserver would give.
    pub fn bind(&self, key: &Key, binding: &Value, dry_run: bool) -> Result<Arc<Object>, Status> {
        let kind = Kind::Pod;
        let target = &binding["target"];
        match target["kind"].as_str().unwrap_or_default() {
            "" | "Node" => {}
            other => {
                let error = format!(
                    "target.kind: Unsupported value: {other:?}: supported values: \"Node\", \"<empty>\""
                );
                return Err(Status::new(500, "", error));
            }
        }
        let node = target["name"].as_str().unwrap_or_default();
        if node.is_empty() {
            return Err(Status::new(500, "", "target.name: Required value"));
        }
        self.transact(|state| {
            let old = found(state, kind, key)?;
            let mut value = old.value();
            let refused = |why: String| {
                let name = &key.name;
                let message = format!("Operation cannot be fulfilled on pods/binding \"{name}\": {why}");
                let details = json!({"name": name.as_str(), "kind": "pods/binding"});
                Status { details, ..Status::new(409, "Conflict", message) }
            };
            let given = binding["metadata"]["uid"].as_str().unwrap_or_default();
            if !given.is_empty() && given != old.uid {
                return Err(Status::other_uid(kind, key, given, &old.uid, dry_run));
            }
            if old.deleting {
                return Err(refused(format!(
                    "pod {} is being deleted, cannot be assigned to a host",
                    key.name
                )));
            }
            let before = value["spec"]["nodeName"].as_str().unwrap_or_default();
            if !before.is_empty() {
                return Err(refused(format!("pod {} is already assigned to node {before:?}", key.name)));
            }
            if value["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
                return Err(refused(format!("pod {} has non-empty .spec.schedulingGates", key.name)));
            }
            if let Some(node) = state.get(Kind::Node, &Key::new("", node)) {
                for label in ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"] {
                    if let Some(place) = node.label(label) {
                        value["metadata"]["labels"][label] = place.into();
                    }
                }
            }
            value["spec"]["nodeName"] = node.into();
            let scheduled = json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now(),
            });
            let mut conditions: Vec<Value> =
                value["status"]["conditions"].as_array().cloned().unwrap_or_default();
            match conditions.iter_mut().find(|condition| condition["type"] == "PodScheduled") {
                Some(condition) => *condition = scheduled,
                None => conditions.push(scheduled),
            }
            value["status"]["conditions"] = conditions.into();
            Ok(store(state, kind, value, old.version, dry_run))
        })
    }

    /// Sets what a Namespace waits for (`spec.finalizers`); one that was deleted and waits for nothing goes.
    ///
    /// # Errors
    /// The refusal that kube-apiserver would give.
    pub fn finalize(&self, key: &Key, wanted: &Value, dry_run: bool) -> Result<Arc<Object>, Status> {
        let kind = Kind::Namespace;
        self.transact(|state| {
            let old = found(state, kind, key)?;
            let given = wanted["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            if !matches!(given, "" | "0") && given != old.version.to_string() {
                return Err(Status::stale(kind, &key.name));
            }
            let before = old.value();
            let mut value = before.clone();
            match wanted["spec"]["finalizers"].as_array().filter(|list| !list.is_empty()) {
                Some(list) => value["spec"] = json!({"finalizers": list}),
                None => value["spec"] = json!({}),
            }
            if is_over(kind, &value, &before) {
                let answer = Arc::new(Object::new(kind, value, old.version));
                if !dry_run {
                    remove(state, kind, key);
                }
                return Ok(answer);
            }
            if value == before {
                return Ok(old);
            }
            Ok(store(state, kind, value, old.version, dry_run))
        })
    }
}
