//! What a Pod must be, as far as people run into it. Security contexts, affinities, topology spread and most
//! sources of volumes are stored as they come.

use serde_json::Value;

use crate::sandbox::status::FieldError;

use super::super::field::{self, Path};
use super::super::{formats, metadata};
use super::{containers, list};

/// What is wrong with a Pod, alone.
pub(super) fn check(value: &Value) -> Vec<FieldError> {
    let mut wrong = metadata::check(value, true, formats::dns_subdomain);
    let path = Path::new("spec");
    check_spec(&value["spec"], &path, true, &mut wrong);
    // Templates may have such images.
    for name in ["containers", "initContainers"] {
        let at = path.child(name);
        for (index, container) in list(&value["spec"][name]).enumerate() {
            let image = container["image"].as_str().unwrap_or_default();
            if image.trim() != image {
                let detail = "must not have leading or trailing whitespace";
                wrong.push(field::invalid_text(&at.index(index).child("image"), image, detail));
            }
        }
    }
    wrong
}

/// What is wrong with the metadata of a template.
pub(in super::super) fn check_metadata(value: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    wrong.extend(metadata::check_labels(&value["labels"], &path.child("labels")));
    wrong.extend(metadata::check_annotations(&value["annotations"], &path.child("annotations")));
}

/// What is wrong with the `spec` of a Pod (`alone`) or a template.
pub(in super::super) fn check_spec(spec: &Value, path: &Path<'_>, alone: bool, wrong: &mut Vec<FieldError>) {
    let text = |name: &str| spec[name].as_str().unwrap_or_default();
    volumes(spec, path, wrong);
    containers::check(spec, path, wrong);
    if spec["hostNetwork"] == true {
        host_ports(spec, path, alone, wrong);
    }
    let policies = ["Always", "OnFailure", "Never"];
    if !policies.contains(&text("restartPolicy")) {
        wrong.push(field::not_supported(&path.child("restartPolicy"), text("restartPolicy"), &policies));
    }
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    if !policies.contains(&text("dnsPolicy")) {
        wrong.push(field::not_supported(&path.child("dnsPolicy"), text("dnsPolicy"), &policies));
    }
    wrong.extend(metadata::check_labels(&spec["nodeSelector"], &path.child("nodeSelector")));
    gates(spec, path, wrong);
    host_name(spec, path, wrong);
    for name in ["serviceAccountName", "nodeName"] {
        if !text(name).is_empty() {
            wrong.extend(formats::all(&path.child(name), text(name), formats::dns_subdomain));
        }
    }
    if let Some(seconds) = spec["activeDeadlineSeconds"].as_i64()
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = "must be between 1 and 2147483647, inclusive";
        wrong.push(field::invalid(
            &path.child("activeDeadlineSeconds"),
            &spec["activeDeadlineSeconds"],
            detail,
        ));
    }
    for name in ["hostname", "subdomain"] {
        if !text(name).is_empty() {
            wrong.extend(formats::all(&path.child(name), text(name), formats::dns_label));
        }
    }
    tolerations(&spec["tolerations"], &path.child("tolerations"), wrong);
    if !text("priorityClassName").is_empty() {
        let path = path.child("priorityClassName");
        wrong.extend(formats::all(&path, text("priorityClassName"), formats::dns_subdomain));
    }
    if let Some(name) = spec["runtimeClassName"].as_str() {
        wrong.extend(formats::all(&path.child("runtimeClassName"), name, formats::dns_subdomain));
    }
    if let Some(policy) = spec["preemptionPolicy"].as_str() {
        let policies = ["PreemptLowerPriority", "Never"];
        if !policies.contains(&policy) {
            wrong.push(field::not_supported(&path.child("preemptionPolicy"), policy, &policies));
        }
    }
}

fn volumes(spec: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let path = path.child("volumes");
    let mut names = Vec::new();
    for (index, volume) in list(&spec["volumes"]).enumerate() {
        let path = path.index(index);
        let sources = volume.as_object().map_or(0, |map| map.keys().filter(|name| *name != "name").count());
        if sources > 1 {
            // The first that is given in the order of the API counts; all others are one too many.
            for name in
                volume.as_object().into_iter().flat_map(|map| map.keys()).filter(|n| *n != "name").skip(1)
            {
                wrong.push(field::forbidden(&path.child(name), "may not specify more than 1 volume type"));
            }
        }
        let name = volume["name"].as_str().unwrap_or_default();
        let path = path.child("name");
        if name.is_empty() {
            wrong.push(field::required(&path, ""));
            continue;
        }
        let found = formats::all(&path, name, formats::dns_label);
        let fine = found.is_empty();
        wrong.extend(found);
        if names.contains(&name) {
            wrong.push(field::duplicate(&path, &volume["name"]));
        }
        if fine {
            names.push(name);
        }
    }
}

fn host_ports(spec: &Value, path: &Path<'_>, alone: bool, wrong: &mut Vec<FieldError>) {
    let path = path.child("containers");
    for (index, container) in list(&spec["containers"]).enumerate() {
        let path = path.index(index);
        let path = path.child("ports");
        for (index, port) in list(&container["ports"]).enumerate() {
            let host = port["hostPort"].as_i64().unwrap_or(0);
            if (alone || host != 0) && Some(host) != port["containerPort"].as_i64() {
                let path = path.index(index);
                let detail = "must match `containerPort` when `hostNetwork` is true";
                wrong.push(field::invalid(&path.child("hostPort"), &host.into(), detail));
            }
        }
    }
}

fn gates(spec: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let at = path.child("readinessGates");
    for (index, gate) in list(&spec["readinessGates"]).enumerate() {
        let at = at.index(index);
        let name = gate["conditionType"].as_str().unwrap_or_default();
        wrong.extend(formats::all(&at.child("conditionType"), name, formats::qualified_name));
    }
    let at = path.child("schedulingGates");
    let mut seen = Vec::new();
    for (index, gate) in list(&spec["schedulingGates"]).enumerate() {
        let name = gate["name"].as_str().unwrap_or_default();
        wrong.extend(formats::all(&at.index(index), name, formats::qualified_name));
        if seen.contains(&name) {
            wrong.push(field::duplicate(&at.index(index), &gate["name"]));
        }
        seen.push(name);
    }
}

fn host_name(spec: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let Some(name) = spec["hostnameOverride"].as_str() else { return };
    let path = path.child("hostnameOverride");
    if spec["setHostnameAsFQDN"] == true {
        wrong.push(field::forbidden(&path, "may not be specified when setHostnameAsFQDN is true"));
    }
    if spec["hostNetwork"] == true {
        wrong.push(field::forbidden(&path, "may not be specified when hostNetwork is true"));
    }
    if name.len() > 64 {
        wrong.push(field::too_long(&path, 64));
    }
    wrong.extend(formats::all(&path, name, formats::dns_subdomain));
}

/// What is wrong with tolerations.
pub(super) fn tolerations(value: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    for (index, toleration) in list(value).enumerate() {
        let path = path.index(index);
        let text = |name: &str| toleration[name].as_str().unwrap_or_default();
        let operator = path.child("operator");
        if !text("key").is_empty() {
            wrong.extend(formats::all(&path.child("key"), text("key"), formats::qualified_name));
        } else if text("operator") != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all \
                          keys\"";
            wrong.push(field::invalid_text(&operator, text("operator"), detail));
        }
        if !toleration["tolerationSeconds"].is_null() && text("effect") != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            wrong.push(field::invalid_text(&path.child("effect"), text("effect"), detail));
        }
        match text("operator") {
            "" | "Equal" => {
                let found = formats::label_value(text("value"));
                if !found.is_empty() {
                    wrong.push(field::invalid_text(&operator, text("value"), &found.join(";")));
                }
            }
            "Exists" => {
                if !text("value").is_empty() {
                    let detail = "value must be empty when `operator` is 'Exists'";
                    wrong.push(field::invalid_text(&operator, text("value"), detail));
                }
            }
            "Lt" | "Gt" => {
                let all = ["Equal", "Exists", "Lt", "Gt"];
                wrong.push(field::not_supported(&operator, text("operator"), &all));
            }
            other => wrong.push(field::not_supported(&operator, other, &["Equal", "Exists"])),
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if !text("effect").is_empty() && !effects.contains(&text("effect")) {
            wrong.push(field::not_supported(&path.child("effect"), text("effect"), &effects));
        }
    }
}
