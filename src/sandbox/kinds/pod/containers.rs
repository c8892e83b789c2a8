//! What the containers of a Pod must be.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::sandbox::status::FieldError;

use super::super::endpointslice::PROTOCOLS;
use super::super::field::{self, Path};
use super::super::formats;
use super::super::schema::compare_quantities;
use super::list;

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const HANDLERS: [&str; 5] = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

/// What is wrong with the containers of a `spec`.
pub(super) fn check(spec: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let at = path.child("containers");
    let mut names: Vec<&str> = Vec::new();
    if spec["containers"].is_null() {
        wrong.push(field::required(&at, ""));
    }
    for (index, container) in list(&spec["containers"]).enumerate() {
        let at = at.index(index);
        common(container, spec, &at, wrong);
        let name = container["name"].as_str().unwrap_or_default();
        if names.contains(&name) {
            wrong.push(field::duplicate(&at.child("name"), &json!(name)));
        }
        names.push(name);
        for name in PROBES {
            probe(&container[name], name, &at.child(name), wrong);
        }
    }
    let mut taken = Vec::new();
    for (index, container) in list(&spec["containers"]).enumerate() {
        host_port_conflicts(container, &at.index(index), &mut taken, wrong);
    }
    let at = path.child("initContainers");
    for (index, container) in list(&spec["initContainers"]).enumerate() {
        let at = at.index(index);
        common(container, spec, &at, wrong);
        let name = container["name"].as_str().unwrap_or_default();
        if names.contains(&name) {
            wrong.push(field::duplicate(&at.child("name"), &json!(name)));
        }
        if !name.is_empty() {
            names.push(name);
        }
        let sidecar = container["restartPolicy"] == "Always";
        for name in PROBES {
            if sidecar {
                probe(&container[name], name, &at.child(name), wrong);
            } else if !container[name].is_null() {
                let detail = "may not be set for init containers without restartPolicy=Always";
                wrong.push(field::forbidden(&at.child(name), detail));
            }
        }
    }
}

fn common(container: &Value, spec: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let text = |name: &str| container[name].as_str().unwrap_or_default();
    if text("name").is_empty() {
        wrong.push(field::required(&path.child("name"), ""));
    } else {
        wrong.extend(formats::all(&path.child("name"), text("name"), formats::dns_label));
    }
    if text("image").is_empty() {
        wrong.push(field::required(&path.child("image"), ""));
    }
    let policies = ["File", "FallbackToLogsOnError"];
    let policy = text("terminationMessagePolicy");
    if !policies.contains(&policy) {
        wrong.push(field::not_supported(&path.child("terminationMessagePolicy"), policy, &policies));
    }
    ports(&container["ports"], &path.child("ports"), wrong);
    let at = path.child("env");
    for (index, variable) in list(&container["env"]).enumerate() {
        let at = at.index(index);
        environment(variable, &at, wrong);
    }
    mounts(container, spec, &path.child("volumeMounts"), wrong);
    let policies = ["Always", "IfNotPresent", "Never"];
    if !policies.contains(&text("imagePullPolicy")) {
        wrong.push(field::not_supported(&path.child("imagePullPolicy"), text("imagePullPolicy"), &policies));
    }
    resources(&container["resources"], &path.child("resources"), wrong);
}

fn ports(value: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let mut names = Vec::new();
    for (index, port) in list(value).enumerate() {
        let path = path.index(index);
        let name = port["name"].as_str().unwrap_or_default();
        if !name.is_empty() {
            let found = formats::all(&path.child("name"), name, formats::port_name);
            if found.is_empty() {
                if names.contains(&name) {
                    wrong.push(field::duplicate(&path.child("name"), &port["name"]));
                }
                names.push(name);
            }
            wrong.extend(found);
        }
        let number = port["containerPort"].as_i64().unwrap_or(0);
        if number == 0 {
            wrong.push(field::required(&path.child("containerPort"), ""));
        } else if let Some(detail) = formats::port_number(number) {
            wrong.push(field::invalid(&path.child("containerPort"), &port["containerPort"], &detail));
        }
        if let Some(detail) = port["hostPort"].as_i64().and_then(formats::port_number) {
            wrong.push(field::invalid(&path.child("hostPort"), &port["hostPort"], &detail));
        }
        let protocol = port["protocol"].as_str().unwrap_or_default();
        if !PROTOCOLS.contains(&protocol) {
            wrong.push(field::not_supported(&path.child("protocol"), protocol, &PROTOCOLS));
        }
    }
}

fn host_port_conflicts(
    container: &Value,
    path: &Path<'_>,
    taken: &mut Vec<String>,
    wrong: &mut Vec<FieldError>,
) {
    let path = path.child("ports");
    for (index, port) in list(&container["ports"]).enumerate() {
        let Some(number) = port["hostPort"].as_i64() else { continue };
        let text = |name: &str| port[name].as_str().unwrap_or_default();
        let this = format!("{}/{}/{number}", text("protocol"), text("hostIP"));
        if taken.contains(&this) {
            let path = path.index(index);
            wrong.push(field::duplicate(&path.child("hostPort"), &json!(this)));
        }
        taken.push(this);
    }
}

fn environment(variable: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let name = variable["name"].as_str().unwrap_or_default();
    let at = path.child("name");
    if name.is_empty() {
        wrong.push(field::required(&at, ""));
    } else if name.contains(|letter: char| !(' '..='~').contains(&letter) || letter == '=') {
        let detail = "a valid environment variable name must consist only of printable ASCII characters other \
                      than '='";
        wrong.push(field::invalid_text(&at, name, detail));
    }
    if !variable["value"].is_null() && !variable["valueFrom"].is_null() {
        let detail = "may not be specified when `value` is not empty";
        wrong.push(field::invalid_text(&path.child("valueFrom"), "", detail));
    }
}

fn mounts(container: &Value, spec: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let mut paths = Vec::new();
    for (index, mount) in list(&container["volumeMounts"]).enumerate() {
        let at = path.index(index);
        let text = |name: &str| mount[name].as_str().unwrap_or_default();
        if text("name").is_empty() {
            wrong.push(field::required(&at.child("name"), ""));
        }
        if !list(&spec["volumes"]).any(|volume| volume["name"] == text("name")) {
            wrong.push(field::not_found(&at.child("name"), text("name")));
        }
        if text("mountPath").is_empty() {
            wrong.push(field::required(&at.child("mountPath"), ""));
        }
        if paths.contains(&text("mountPath")) {
            wrong.push(field::invalid_text(&at.child("mountPath"), text("mountPath"), "must be unique"));
        }
        paths.push(text("mountPath"));
    }
}

fn resources(value: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    for name in ["limits", "requests"] {
        let at = path.child(name);
        for (resource, quantity) in value[name].as_object().into_iter().flatten() {
            let quantity = quantity.as_str().unwrap_or_default();
            if compare_quantities(quantity, "0") == Some(Ordering::Less) {
                let detail = "must be greater than or equal to 0";
                wrong.push(field::invalid_text(&at.key(resource), quantity, detail));
            }
            let limit = value["limits"][resource].as_str();
            if let ("requests", Some(limit)) = (name, limit)
                && compare_quantities(quantity, limit) == Some(Ordering::Greater)
            {
                let detail = format!("must be less than or equal to {resource} limit of {limit}");
                wrong.push(field::invalid_text(&at, quantity, &detail));
            }
        }
    }
}

fn probe(value: &Value, name: &str, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    if value.is_null() {
        return;
    }
    let mut given = HANDLERS.into_iter().filter(|name| !value[*name].is_null());
    match given.next() {
        None => wrong.push(field::required(path, "must specify a handler type")),
        Some(first) => handler(&value[first], first, &path.child(first), wrong),
    }
    for name in given {
        wrong.push(field::forbidden(&path.child(name), "may not specify more than 1 handler type"));
    }
    for name in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        if value[name].as_i64().is_some_and(|number| number < 0) {
            wrong.push(field::invalid(&path.child(name), &value[name], "must be greater than or equal to 0"));
        }
    }
    if name != "readinessProbe" && value["successThreshold"].as_i64() != Some(1) {
        wrong.push(field::invalid(&path.child("successThreshold"), &value["successThreshold"], "must be 1"));
    }
}

fn handler(value: &Value, name: &str, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    if name == "exec" && value["command"].is_null() {
        wrong.push(field::required(&path.child("command"), ""));
    }
    if matches!(name, "httpGet" | "tcpSocket") {
        wrong.extend(formats::port_number_or_name(&value["port"], &path.child("port")));
    }
    if name == "httpGet" {
        let scheme = value["scheme"].as_str().unwrap_or_default();
        if !["HTTP", "HTTPS"].contains(&scheme) {
            wrong.push(field::not_supported(&path.child("scheme"), scheme, &["HTTP", "HTTPS"]));
        }
    }
}
