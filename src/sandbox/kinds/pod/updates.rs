//! What an update of a Pod may change.

use serde_json::{Value, json};

use crate::sandbox::status::FieldError;

use super::super::field::{self, Path};
use super::super::{formats, list_mut};
use super::{check::tolerations, list, set};

const SPEC: Path<'_> = Path::new("spec");

/// What is wrong with a changed `spec`.
pub(super) fn check_spec(new: &Value, old: &Value) -> Vec<FieldError> {
    let (new, old) = (&new["spec"], &old["spec"]);
    let mut wrong = Vec::new();
    for name in ["containers", "initContainers"] {
        let path = SPEC.child(name);
        if list(&new[name]).count() != list(&old[name]).count() {
            wrong.push(field::forbidden(&path, "pod updates may not add or remove containers"));
            return wrong;
        }
        for (index, container) in list(&new[name]).enumerate() {
            let image = container["image"].as_str().unwrap_or_default();
            let path = path.index(index);
            if image.is_empty() {
                wrong.push(field::required(&path.child("image"), ""));
            } else if image.trim() != image {
                let detail = "must not have leading or trailing whitespace";
                wrong.push(field::invalid_text(&path.child("image"), image, detail));
            }
        }
    }
    if deadline(new, old, &mut wrong) {
        return wrong;
    }
    added_tolerations(new, old, &mut wrong);
    let path = SPEC.child("schedulingGates");
    for (index, gate) in list(&new["schedulingGates"]).enumerate() {
        if !list(&old["schedulingGates"]).any(|old| old == gate) {
            let name = gate["name"].as_str().unwrap_or_default();
            let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            let path = path.index(index);
            wrong.push(field::forbidden(&path.child("name"), &detail));
        }
    }
    if new != old && fixed(new, old) != *old {
        let detail = "pod updates may not change fields other than `spec.containers[*].image`,\
                      `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions \
                      to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it \
                      was previously negative)\n";
        wrong.push(field::forbidden(&SPEC, detail));
    }
    wrong
}

/// Whether nothing else needs to be looked at.
fn deadline(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) -> bool {
    let path = SPEC.child("activeDeadlineSeconds");
    let (now, before) = (&new["activeDeadlineSeconds"], &old["activeDeadlineSeconds"]);
    match (now.as_i64(), before.as_i64()) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            wrong.push(field::invalid(&path, now, "must be between 0 and 2147483647, inclusive"));
            true
        }
        (Some(seconds), Some(before)) if before < seconds => {
            wrong.push(field::invalid(&path, now, "must be less than or equal to previous value"));
            true
        }
        (None, Some(_)) => {
            wrong.push(field::invalid(&path, now, "must not update from a positive integer to nil value"));
            false
        }
        _ => false,
    }
}

fn added_tolerations(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) {
    let path = SPEC.child("tolerations");
    let but_seconds = |value: &Value| {
        let mut value = value.clone();
        set(&mut value, "tolerationSeconds", Value::Null);
        value
    };
    let now: Vec<Value> = list(&new["tolerations"]).map(but_seconds).collect();
    if list(&old["tolerations"]).any(|old| !now.contains(&but_seconds(old))) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        wrong.push(field::forbidden(&path, detail));
        return;
    }
    tolerations(&new["tolerations"], &path, wrong);
}

/// The new `spec` with what may change put back.
fn fixed(new: &Value, old: &Value) -> Value {
    let mut fixed = new.clone();
    for name in ["containers", "initContainers"] {
        let before: Vec<Value> = list(&old[name]).map(|container| container["image"].clone()).collect();
        for (container, image) in list_mut(&mut fixed, &format!("/{name}")).zip(before) {
            set(container, "image", image);
        }
    }
    for name in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        set(&mut fixed, name, old[name].clone());
    }
    let grace = "terminationGracePeriodSeconds";
    if old[grace].as_i64().is_some_and(|seconds| seconds < 0) && fixed[grace] == 1 {
        set(&mut fixed, grace, old[grace].clone());
    }
    if !old["schedulingGates"].is_null() {
        // A Pod that waits may still be told where to go, if nothing is taken back.
        let kept = old["nodeSelector"]
            .as_object()
            .into_iter()
            .flatten()
            .all(|(name, value)| new["nodeSelector"][name] == *value);
        if kept {
            set(&mut fixed, "nodeSelector", old["nodeSelector"].clone());
        }
    }
    fixed
}

/// An update of the status changes nothing else.
pub(super) fn status(new: &mut Value, old: &Value) {
    new["spec"] = old["spec"].clone();
    let owners = old["metadata"]["ownerReferences"].clone();
    set(&mut new["metadata"], "ownerReferences", owners);
    for name in ["qosClass", "observedGeneration"] {
        if new["status"][name].is_null() {
            set(&mut new["status"], name, old["status"][name].clone());
        }
    }
    let mut before: Vec<(Value, Value)> = list(&old["status"]["conditions"])
        .map(|condition| (condition["type"].clone(), condition["observedGeneration"].clone()))
        .collect();
    for condition in list_mut(&mut new["status"], "/conditions") {
        let Some(at) = before.iter().position(|(kind, _)| *kind == condition["type"]) else { continue };
        let (_, generation) = before.remove(at);
        if condition["observedGeneration"].is_null() {
            set(condition, "observedGeneration", generation);
        }
    }
}

/// The Pod has a Node.
pub(super) fn set_scheduled(status: &mut Value) {
    let now = crate::sandbox::verbs::now();
    let mut condition = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null});
    let Some(list) = status["conditions"].as_array_mut() else {
        condition["lastTransitionTime"] = now.into();
        status["conditions"] = json!([condition]);
        return;
    };
    match list.iter_mut().find(|condition| condition["type"] == "PodScheduled") {
        Some(before) => {
            let same = before["status"] == "True";
            condition["lastTransitionTime"] =
                if same { before["lastTransitionTime"].clone() } else { now.into() };
            *before = condition;
        }
        None => {
            condition["lastTransitionTime"] = now.into();
            list.push(condition);
        }
    }
}

/// What is wrong with a changed status.
pub(super) fn check_status(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) {
    let path = Path::new("status");
    let (now, before) = (&new["status"], &old["status"]);
    let at = path.child("conditions");
    for (index, condition) in list(&now["conditions"]).enumerate() {
        let name = condition["type"].as_str().unwrap_or_default();
        if !["PodScheduled", "Ready", "Initialized"].contains(&name) {
            let at = at.index(index);
            wrong.extend(formats::all(&at.child("Type"), name, formats::qualified_name));
        }
    }
    let nominated = &now["nominatedNodeName"];
    let at = path.child("nominatedNodeName");
    if let Some(name) = nominated.as_str()
        && *nominated != before["nominatedNodeName"]
    {
        wrong.extend(formats::all(&at, name, formats::dns_subdomain));
        if !old["spec"]["nodeName"].is_null() {
            wrong.push(field::forbidden(&at, "may not be set on pods that are already bound to a node"));
        }
    }
    wrong.extend(field::immutable(&path.child("qosClass"), &now["qosClass"], &before["qosClass"]));
    addresses(&now["podIPs"], &before["podIPs"], &path.child("podIPs"), wrong);
    if let Some(first) = now["hostIPs"][0]["ip"].as_str()
        && now["hostIP"] != first
    {
        let at = path.child("hostIPs");
        let at = at.index(0);
        wrong.push(field::invalid_text(&at.child("ip"), first, "must be equal to `hostIP`"));
    }
    addresses(&now["hostIPs"], &before["hostIPs"], &path.child("hostIPs"), wrong);
}

fn addresses(now: &Value, before: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let ips: Vec<&str> = list(now).filter_map(|each| each["ip"].as_str()).collect();
    for (index, ip) in ips.iter().enumerate() {
        if !list(before).any(|old| old["ip"] == *ip) {
            wrong.extend(formats::legacy_ip(&path.index(index), ip));
        }
    }
    let six = ips.iter().filter(|ip| ip.contains(':')).count();
    if ips.len() > 2 || six > 1 || ips.len() - six > 1 {
        // The Go type has no names in JSON.
        let shown: Vec<String> = ips.iter().map(|ip| format!("{{\"IP\":\"{ip}\"}}")).collect();
        let detail = "may specify no more than one IP for each IP family";
        wrong.push(field::invalid_shown(path, &format!("[{}]", shown.join(",")), detail));
    }
}
