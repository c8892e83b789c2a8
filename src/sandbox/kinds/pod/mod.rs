//! Pods, and what their templates share with them.

mod check;
mod containers;
mod defaults;
mod quality;
mod updates;
mod warnings;

use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::sandbox::Kind;
use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::{Key, Transaction};

use super::field::{self, Path};
use super::{Strategy, list, metadata, set};

pub(super) use check::{check_metadata as check_template_metadata, check_spec};
pub(super) use defaults::default_spec;

/// How Pods are treated.
pub struct Pods;

/// What a Pod takes over from the labels of its Node.
const TOPOLOGY: [&str; 2] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

impl Strategy for Pods {
    fn go_type(&self) -> &'static str {
        "core.Pod"
    }

    fn default(&self, value: &mut Value) {
        defaults::default_pod(value);
    }

    fn on_create(&self, state: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
        defaults::at_least_a_second(value);
        defaults::tolerate(value);
        value["status"] = json!({"phase": "Pending", "qosClass": quality::class(&value["spec"])});
        if !value["spec"]["schedulingGates"].is_null() {
            value["status"]["conditions"] = json!([{
                "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
                "lastProbeTime": null, "lastTransitionTime": crate::sandbox::verbs::now(),
            }]);
        }
        copy_topology(state, value);
        Ok(())
    }

    fn on_update(
        &self,
        state: &Transaction<'_>,
        new: &mut Value,
        old: &Value,
        subresource: Option<&str>,
    ) -> Result<(), Status> {
        match subresource {
            Some("status") => {
                updates::status(new, old);
                Ok(())
            }
            Some("binding") => bind(state, new, old),
            _ => {
                defaults::tolerate(new);
                new["status"] = old["status"].clone();
                let wrong = updates::check_spec(new, old);
                if wrong.is_empty() {
                    return Ok(());
                }
                let mut all = self.check(new, Some(old));
                all.extend(wrong);
                Err(Status::invalid(Kind::Pod, new["metadata"]["name"].as_str().unwrap_or_default(), &all))
            }
        }
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let Some(old) = old else {
            let mut wrong = check::check(new);
            if !new["spec"]["ephemeralContainers"].is_null() {
                let path = Path::new("spec");
                wrong.push(field::forbidden(&path.child("ephemeralContainers"), "cannot be set on create"));
            }
            return wrong;
        };
        let mut wrong = metadata::check_common_update(new, old, true);
        if new["status"] != old["status"] {
            wrong.extend(metadata::check_update(new, old));
            updates::check_status(new, old, &mut wrong);
            return wrong;
        }
        // What is stored was checked, and most updates leave it as it is.
        if new["spec"] != old["spec"] || new["metadata"] != old["metadata"] {
            wrong.extend(check::check(new));
        }
        wrong.extend(metadata::check_update(new, old));
        wrong
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        warnings::of(new, old)
    }

    fn fields(&self, value: &Value) -> Vec<(&'static str, SmolStr)> {
        let (spec, status) = (&value["spec"], &value["status"]);
        let text = |value: &Value| SmolStr::from(value.as_str().unwrap_or_default());
        let network = if spec["hostNetwork"] == true { "true" } else { "false" };
        vec![
            ("spec.nodeName", text(&spec["nodeName"])),
            ("spec.restartPolicy", text(&spec["restartPolicy"])),
            ("spec.schedulerName", text(&spec["schedulerName"])),
            ("spec.serviceAccountName", text(&spec["serviceAccountName"])),
            ("spec.hostNetwork", network.into()),
            ("status.phase", text(&status["phase"])),
            ("status.podIP", text(&status["podIPs"][0]["ip"])),
            // It may be asked for, and is never filled.
            ("status.podIPs", SmolStr::default()),
            ("status.nominatedNodeName", text(&status["nominatedNodeName"])),
        ]
    }
}

/// The topology labels of the Node that a Pod is on.
fn copy_topology(state: &Transaction<'_>, value: &mut Value) {
    let Some(node) = value["spec"]["nodeName"].as_str() else { return };
    let Some(node) = state.get(Kind::Node, &Key::new("", node)) else { return };
    for name in TOPOLOGY {
        if let Some(label) = node.label(name) {
            value["metadata"]["labels"][name] = label.into();
        }
    }
}

/// A Pod gets its Node. Whatever else `new` changes but labels and annotations is dropped.
fn bind(state: &Transaction<'_>, new: &mut Value, old: &Value) -> Result<(), Status> {
    let name = old["metadata"]["name"].as_str().unwrap_or_default();
    let refuse = |why: String| {
        // It speaks of the subresource.
        let mut status = Status::conflict(Kind::Pod, name, &why);
        status.message = format!("Operation cannot be fulfilled on pods/binding \"{name}\": {why}");
        status.details["kind"] = "pods/binding".into();
        Err(status)
    };
    if !old["metadata"]["deletionTimestamp"].is_null() {
        return refuse(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    if let Some(node) = old["spec"]["nodeName"].as_str() {
        return refuse(format!("pod {name} is already assigned to node {}", field::quoted(node)));
    }
    if !old["spec"]["schedulingGates"].is_null() {
        return refuse(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let node = new["spec"]["nodeName"].take();
    new["spec"] = old["spec"].clone();
    set(&mut new["spec"], "nodeName", node);
    new["status"] = old["status"].clone();
    set(&mut new["status"], "nominatedNodeName", Value::Null);
    updates::set_scheduled(&mut new["status"]);
    copy_topology(state, new);
    Ok(())
}
