//! The cells of each kind, in the order of its columns.

use jiff::Timestamp;
use serde_json::Value;

use super::super::kinds::Kind;
use super::{age, list, pod, text};

/// How many endpoints or ports are shown before the rest is only counted.
const SHOWN: usize = 3;

pub(super) fn of(kind: Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    let name = text(&object["metadata"]["name"]);
    let age = age::since(object["metadata"]["creationTimestamp"].as_str(), now);
    match kind {
        Kind::Namespace => vec![name.into(), text(&object["status"]["phase"]).into(), age.into()],
        Kind::Node => node(object, name, age),
        Kind::Pod => pod::cells(object, now),
        Kind::Service => service(object, name, age),
        Kind::Endpoints => vec![name.into(), endpoints(object).into(), age.into()],
        Kind::EndpointSlice => {
            let ports = list(&object["ports"]).iter().map(|port| match port["port"].as_i64() {
                Some(number) => number.to_string(),
                None => port["name"].as_str().unwrap_or("*").to_owned(),
            });
            let addresses =
                list(&object["endpoints"]).iter().flat_map(|endpoint| list(&endpoint["addresses"])).map(text);
            let addresses = addresses.map(str::to_owned);
            let (ports, addresses) = (some_of(ports, "<unset>"), some_of(addresses, "<unset>"));
            vec![name.into(), text(&object["addressType"]).into(), ports.into(), addresses.into(), age.into()]
        }
        Kind::Event => event(object, name, now),
        Kind::Lease => vec![name.into(), text(&object["spec"]["holderIdentity"]).into(), age.into()],
        Kind::Deployment => deployment(object, name, age),
        Kind::ReplicaSet => replica_set(object, name, age),
    }
}

pub(super) fn scale(scale: &Value, now: Timestamp) -> Vec<Value> {
    let age = age::since(scale["metadata"]["creationTimestamp"].as_str(), now);
    vec![
        text(&scale["metadata"]["name"]).into(),
        count(&scale["spec"]["replicas"]).into(),
        count(&scale["status"]["replicas"]).into(),
        age.into(),
    ]
}

fn node(node: &Value, name: &str, age: String) -> Vec<Value> {
    let (spec, status) = (&node["spec"], &node["status"]);
    let ready = list(&status["conditions"]).iter().rfind(|condition| condition["type"] == "Ready");
    let mut state = match ready.map(|condition| condition["status"] == "True") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if spec["unschedulable"] == true {
        state.push_str(",SchedulingDisabled");
    }
    let info = &status["nodeInfo"];
    let known = |value: &Value| match text(value) {
        "" => "<unknown>".to_owned(),
        text => text.to_owned(),
    };
    let mut kernel = known(&info["kernelVersion"]);
    let architecture = text(&info["architecture"]);
    if !architecture.is_empty() {
        kernel = format!("{kernel} ({architecture})");
    }
    let address = |kind: &str| {
        let address = list(&status["addresses"]).iter().find(|address| address["type"] == kind);
        address.map_or("<none>", |address| text(&address["address"])).to_owned()
    };
    vec![
        name.into(),
        state.into(),
        roles(node).into(),
        age.into(),
        text(&info["kubeletVersion"]).into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        known(&info["osImage"]).into(),
        kernel.into(),
        known(&info["containerRuntimeVersion"]).into(),
    ]
}

fn roles(node: &Value) -> String {
    let mut roles: Vec<&str> = node["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(label, value)| match label.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if label == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    joined_or_none(&roles)
}

fn service(service: &Value, name: &str, age: String) -> Vec<Value> {
    let spec = &service["spec"];
    let ports: Vec<String> = list(&spec["ports"])
        .iter()
        .map(|port| {
            let (number, protocol) = (count(&port["port"]), text(&port["protocol"]));
            match count(&port["nodePort"]) {
                node_port if node_port > 0 => format!("{number}:{node_port}/{protocol}"),
                _ => format!("{number}/{protocol}"),
            }
        })
        .collect();
    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    let selector: Vec<String> = spec["selector"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(label, value)| format!("{label}={}", text(value)))
        .collect();
    let selector: Vec<&str> = selector.iter().map(String::as_str).collect();
    vec![
        name.into(),
        text(&spec["type"]).into(),
        list(&spec["clusterIPs"]).first().map_or("<none>", text).into(),
        external(service).into(),
        joined_or_none(&ports).into(),
        age.into(),
        joined_or_none(&selector).into(),
    ]
}

/// The addresses by which a Service is reached from outside.
fn external(service: &Value) -> String {
    let spec = &service["spec"];
    let external: Vec<&str> = list(&spec["externalIPs"]).iter().map(text).collect();
    match text(&spec["type"]) {
        "ClusterIP" | "NodePort" => joined_or_none(&external),
        "LoadBalancer" => {
            let mut balanced: Vec<&str> = list(&service["status"]["loadBalancer"]["ingress"])
                .iter()
                .filter_map(|ingress| {
                    [text(&ingress["ip"]), text(&ingress["hostname"])]
                        .into_iter()
                        .find(|text| !text.is_empty())
                })
                .collect();
            balanced.sort_unstable();
            balanced.dedup();
            balanced.extend(external);
            if balanced.is_empty() { "<pending>".to_owned() } else { balanced.join(",") }
        }
        "ExternalName" => text(&spec["externalName"]).to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

fn endpoints(endpoints: &Value) -> String {
    let subsets = list(&endpoints["subsets"]);
    if subsets.is_empty() {
        return "<none>".to_owned();
    }
    let pairs = subsets.iter().flat_map(|subset| {
        let (ports, addresses) = (list(&subset["ports"]), list(&subset["addresses"]));
        let without_port =
            addresses.iter().filter(|_| ports.is_empty()).map(|address| text(&address["ip"]).to_owned());
        let with_port = ports.iter().flat_map(move |port| {
            addresses.iter().map(move |address| host_port(text(&address["ip"]), count(&port["port"])))
        });
        without_port.chain(with_port)
    });
    some_of(pairs, "")
}

fn host_port(address: &str, port: i64) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn event(event: &Value, name: &str, now: Timestamp) -> Vec<Value> {
    let since = |value: &Value| age::since(value.as_str(), now);
    let is_set = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let first = if is_set(&event["firstTimestamp"]) { &event["firstTimestamp"] } else { &event["eventTime"] };
    let mut last = if is_set(&event["lastTimestamp"]) { &event["lastTimestamp"] } else { first };
    let mut times = count(&event["count"]);
    if event["series"].is_object() {
        last = &event["series"]["lastObservedTime"];
        times = count(&event["series"]["count"]);
    } else if times == 0 {
        times = 1;
    }
    let about = &event["involvedObject"];
    let kind = text(&about["kind"]).to_lowercase();
    let object = match text(&about["name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let either =
        |one: &Value, other: &Value| if is_set(one) { text(one).to_owned() } else { text(other).to_owned() };
    let mut source = either(&event["source"]["component"], &event["reportingComponent"]);
    let host = either(&event["source"]["host"], &event["reportingInstance"]);
    if !host.is_empty() {
        source = format!("{source}, {host}");
    }
    vec![
        since(last).into(),
        text(&event["type"]).into(),
        text(&event["reason"]).into(),
        object.into(),
        text(&about["fieldPath"]).into(),
        source.into(),
        text(&event["message"]).trim().into(),
        since(first).into(),
        times.into(),
        name.into(),
    ]
}

fn deployment(deployment: &Value, name: &str, age: String) -> Vec<Value> {
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    let (containers, images) = containers(spec);
    vec![
        name.into(),
        format!("{}/{}", count(&status["readyReplicas"]), count(&spec["replicas"])).into(),
        count(&status["updatedReplicas"]).into(),
        count(&status["availableReplicas"]).into(),
        age.into(),
        containers.into(),
        images.into(),
        selector(&spec["selector"]).into(),
    ]
}

fn replica_set(replica_set: &Value, name: &str, age: String) -> Vec<Value> {
    let (spec, status) = (&replica_set["spec"], &replica_set["status"]);
    let (containers, images) = containers(spec);
    let selector = match selector(&spec["selector"]) {
        selector if selector.is_empty() => "<none>".to_owned(),
        selector => selector,
    };
    vec![
        name.into(),
        count(&spec["replicas"]).into(),
        count(&status["replicas"]).into(),
        count(&status["readyReplicas"]).into(),
        age.into(),
        containers.into(),
        images.into(),
        selector.into(),
    ]
}

/// The names of a template's containers, and their images.
fn containers(spec: &Value) -> (String, String) {
    let containers = list(&spec["template"]["spec"]["containers"]);
    let all = |field: &str| {
        containers.iter().map(|container| text(&container[field])).collect::<Vec<_>>().join(",")
    };
    (all("name"), all("image"))
}

/// A `metav1.LabelSelector` in one line, its conditions sorted by label.
fn selector(selector: &Value) -> String {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut conditions: Vec<(String, String)> =
        equal.map(|(label, value)| (label.clone(), format!("{label}={}", text(value)))).collect();
    for expression in list(&selector["matchExpressions"]) {
        let label = text(&expression["key"]);
        let mut values: Vec<&str> = list(&expression["values"]).iter().map(text).collect();
        values.sort_unstable();
        let values = values.join(",");
        let condition = match text(&expression["operator"]) {
            "In" => format!("{label} in ({values})"),
            "NotIn" => format!("{label} notin ({values})"),
            "DoesNotExist" => format!("!{label}"),
            _ => label.to_owned(),
        };
        conditions.push((label.to_owned(), condition));
    }
    conditions.sort_by(|one, other| one.0.cmp(&other.0));
    conditions.into_iter().map(|(_, condition)| condition).collect::<Vec<_>>().join(",")
}

/// The first three, and how many more there are; `none` when there is nothing.
fn some_of(all: impl Iterator<Item = String>, none: &str) -> String {
    let mut shown = Vec::with_capacity(SHOWN);
    let mut more = 0_usize;
    for text in all {
        if shown.len() < SHOWN {
            shown.push(text);
        } else {
            more += 1;
        }
    }
    let shown = shown.join(",");
    match more {
        0 if shown.is_empty() => none.to_owned(),
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn joined_or_none(texts: &[&str]) -> String {
    if texts.is_empty() { "<none>".to_owned() } else { texts.join(",") }
}

fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}
