//! The status of a Pod as the kubelet writes it.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::super::schedule::set_condition;
use super::containers;

/// The conditions that the kubelet owns, in its order.
const OWN: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// The Pod has come to its Node; its containers are being made.
pub(super) fn creating(pod: &mut Value, hosts: &[IpAddr], now: &str) {
    pod["status"]["phase"] = "Pending".into();
    came(pod, hosts, now);
    containers::waiting(pod);
    conditions(pod, now);
}

/// The containers run.
pub(super) fn running(pod: &mut Value, hosts: &[IpAddr], addresses: &[IpAddr], now: &str) {
    pod["status"]["phase"] = "Running".into();
    came(pod, hosts, now);
    if let Some(first) = addresses.first() {
        pod["status"]["podIP"] = first.to_string().into();
    }
    pod["status"]["podIPs"] = list(addresses);
    containers::running(pod, now);
}

/// The containers have ended.
pub(super) fn ended(pod: &mut Value, now: &str) {
    pod["status"]["phase"] = "Succeeded".into();
    containers::ended(pod, now);
    conditions(pod, now);
}

fn came(pod: &mut Value, hosts: &[IpAddr], now: &str) {
    if let Some(first) = hosts.first() {
        pod["status"]["hostIP"] = first.to_string().into();
        pod["status"]["hostIPs"] = list(hosts);
    }
    if pod["status"]["startTime"].is_null() {
        pod["status"]["startTime"] = now.into();
    }
}

fn list(addresses: &[IpAddr]) -> Value {
    addresses.iter().map(|address| json!({"ip": address.to_string()})).collect()
}

/// A condition before its times are known.
struct Verdict {
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Verdict {
    fn yes() -> Verdict {
        Verdict { holds: true, reason: "", message: String::new() }
    }

    fn no(reason: &'static str, message: String) -> Verdict {
        Verdict { holds: false, reason, message }
    }
}

/// Sets the kubelet's conditions from the phase, the containers and the readiness gates. Those of others
/// stand before them, untouched.
pub(super) fn conditions(pod: &mut Value, now: &str) {
    let old: Vec<Value> = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let generation = pod["metadata"]["generation"].clone();
    let ready = match containers_ready(pod) {
        Verdict { holds: true, .. } => gates(pod, &old),
        not_ready => not_ready,
    };
    let verdicts = [sandbox(pod), initialized(pod), ready, containers_ready(pod), Verdict::yes()];
    let mut all: Vec<Value> =
        old.iter().filter(|condition| !OWN.iter().any(|own| condition["type"] == *own)).cloned().collect();
    for (name, verdict) in OWN.into_iter().zip(verdicts) {
        let status = if verdict.holds { "True" } else { "False" };
        let before = old.iter().find(|condition| condition["type"] == name);
        let since = match before {
            Some(before) if before["status"] == status => before["lastTransitionTime"].clone(),
            _ => now.into(),
        };
        let mut condition = json!({"type": name, "status": status, "lastProbeTime": null,
            "lastTransitionTime": since});
        if !generation.is_null() {
            condition["observedGeneration"] = generation.clone();
        }
        if !verdict.reason.is_empty() {
            condition["reason"] = verdict.reason.into();
        }
        if !verdict.message.is_empty() {
            condition["message"] = verdict.message.into();
        }
        all.push(condition);
    }
    pod["status"]["conditions"] = all.into();
    if !generation.is_null() {
        pod["status"]["observedGeneration"] = generation;
    }
}

/// Sets the two conditions of readiness, whatever the containers.
pub(super) fn say_ready(pod: &mut Value, ready: bool, now: &str) {
    let status = if ready { "True" } else { "False" };
    for name in ["Ready", "ContainersReady"] {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let before = conditions.clone().find(|condition| condition["type"] == name);
        if before.is_none_or(|before| before["status"] != status) {
            let condition = json!({"type": name, "status": status, "lastProbeTime": null,
                "lastTransitionTime": now});
            set_condition(pod, condition);
        }
    }
}

fn succeeded(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded"
}

fn sandbox(pod: &Value) -> Verdict {
    if pod["status"]["phase"] == "Running" { Verdict::yes() } else { Verdict::no("", String::new()) }
}

fn initialized(pod: &Value) -> Verdict {
    let statuses = pod["status"]["initContainerStatuses"].as_array().into_iter().flatten();
    let waiting = statuses.filter(|status| !status["state"]["waiting"].is_null());
    let names: Vec<&str> = waiting.filter_map(|status| status["name"].as_str()).collect();
    if succeeded(pod) {
        return Verdict { reason: "PodCompleted", ..Verdict::yes() };
    }
    if names.is_empty() {
        return Verdict::yes();
    }
    Verdict::no(
        "ContainersNotInitialized",
        format!("containers with incomplete status: [{}]", names.join(" ")),
    )
}

fn containers_ready(pod: &Value) -> Verdict {
    if succeeded(pod) {
        return Verdict::no("PodCompleted", String::new());
    }
    let none = Map::new();
    let of = |list: &str| pod["status"][list].as_array().into_iter().flatten();
    let sidecars: Vec<&Value> = pod["spec"]["initContainers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|container| containers::is_sidecar(container))
        .map(|container| &container["name"])
        .collect();
    let counted = of("initContainerStatuses")
        .filter(|status| sidecars.contains(&&status["name"]))
        .chain(of("containerStatuses"));
    let unready: Vec<&str> = counted
        .filter(|status| status.as_object().unwrap_or(&none).get("ready") != Some(&Value::Bool(true)))
        .filter_map(|status| status["name"].as_str())
        .collect();
    if unready.is_empty() {
        return Verdict::yes();
    }
    Verdict::no("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" ")))
}

fn gates(pod: &Value, conditions: &[Value]) -> Verdict {
    let mut messages = Vec::new();
    for gate in pod["spec"]["readinessGates"].as_array().into_iter().flatten() {
        let name = gate["conditionType"].as_str().unwrap_or_default();
        match conditions.iter().find(|condition| condition["type"] == name) {
            None => messages
                .push(format!("corresponding condition of pod readiness gate \"{name}\" does not exist.")),
            Some(condition) if condition["status"] != "True" => messages.push(format!(
                "the status of pod readiness gate \"{name}\" is not \"True\", but {}",
                condition["status"].as_str().unwrap_or_default()
            )),
            Some(_) => {}
        }
    }
    if messages.is_empty() {
        Verdict::yes()
    } else {
        Verdict::no("ReadinessGatesNotReady", messages.join(", "))
    }
}
