//! What should be published, said a second time and simply: which (address, port name) a Service has,
//! from the objects alone. It knows nothing of slices, and is meant to promise too little rather than
//! too much.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::history::{Change, Kind, Operation, State};

/// An address with a port name; no name in a slice without ports.
pub type Pair = (String, Option<String>);

/// More addresses than this are cut off when Endpoints are mirrored.
const MIRRORED: usize = 1000;

/// The pairs of each Service in one state.
pub fn desired(state: &State) -> BTreeMap<String, BTreeSet<Pair>> {
    live(state, &[])
}

/// The pairs of each Service that are desired before, between and after the changes, in whatever order
/// a controller sees the changes of different objects. Services whose slices are tampered with
/// have none: it is not the controller who takes an address away there.
pub fn live(before: &State, changes: &[Change]) -> BTreeMap<String, BTreeSet<Pair>> {
    let mut versions: Vec<State> = vec![before.clone()];
    let mut state = before.clone();
    let mut tampered = BTreeSet::new();
    for change in changes {
        state.apply(&change.operation);
        versions.push(state.clone());
        if let Operation::Tamper { service, how, .. } = &change.operation {
            tampered.insert(service.clone());
            if let crate::support::history::Tampering::ServiceName(other) = how {
                tampered.insert(other.clone());
            }
        }
    }
    let pods: Vec<Vec<Option<&Value>>> =
        before.all(Kind::Pod).map(|(name, _)| seen(&versions, Kind::Pod, name)).collect();
    let known = |name: &str| versions.iter().all(|state| state.get(Kind::Node, name).is_some());
    let mut result = BTreeMap::new();
    for (name, _) in before.all(Kind::Service).filter(|(name, _)| !tampered.contains(*name)) {
        let services = seen(&versions, Kind::Service, name);
        let endpoints = seen(&versions, Kind::Endpoints, name);
        let mut pairs = common(
            services
                .iter()
                .flat_map(|service| endpoints.iter().map(|endpoints| mirrored(*service, *endpoints))),
        );
        for pods in &pods {
            let on_known_node = |pod: &Value| pod["spec"]["nodeName"].as_str().is_some_and(known);
            let of_pod = services.iter().flat_map(|service| {
                pods.iter().map(|pod| selected(*service, *pod, pod.is_some_and(on_known_node)))
            });
            pairs.extend(common(of_pod));
        }
        result.insert(name.to_string(), pairs);
    }
    result
}

/// The different versions of one object; `None` is absent.
fn seen<'a>(versions: &'a [State], kind: Kind, name: &str) -> Vec<Option<&'a Value>> {
    let mut all: Vec<Option<&Value>> = versions.iter().map(|state| state.get(kind, name)).collect();
    all.dedup();
    all
}

fn common(sets: impl Iterator<Item = BTreeSet<Pair>>) -> BTreeSet<Pair> {
    sets.reduce(|one, other| one.intersection(&other).cloned().collect()).unwrap_or_default()
}

fn selector(service: &Value) -> Option<&serde_json::Map<String, Value>> {
    service["spec"]["selector"].as_object().filter(|pairs| !pairs.is_empty())
}

fn going(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Whether the Service selects the Pod by its labels.
pub fn selects(service: &Value, pod: &Value) -> bool {
    let labels = &pod["metadata"]["labels"];
    selector(service).is_some_and(|pairs| pairs.iter().all(|(key, value)| labels[key] == *value))
}

/// An address that no slice may hold.
pub fn refused(ip: &str) -> bool {
    ip.starts_with("169.254.") || ip.starts_with("fe80:")
}

/// What a Service has of a Pod.
fn selected(service: Option<&Value>, pod: Option<&Value>, on_known_node: bool) -> BTreeSet<Pair> {
    let (Some(service), Some(pod)) = (service, pod) else { return BTreeSet::new() };
    let spec = &service["spec"];
    let ended = ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
    let known = on_known_node || spec["publishNotReadyAddresses"] == true;
    if spec["type"] == "ExternalName" || going(service) || ended || !known || !selects(service, pod) {
        return BTreeSet::new();
    }
    let ports = ports(spec, pod);
    let ips = pod["status"]["podIPs"].as_array().into_iter().flatten().filter_map(|one| one["ip"].as_str());
    let has =
        |family: &str| spec["ipFamilies"].as_array().is_some_and(|all| all.iter().any(|one| one == family));
    let of_family = ips.filter(|ip| has(if ip.contains(':') { "IPv6" } else { "IPv4" }) && !refused(ip));
    of_family.flat_map(|ip| ports.iter().map(|port| (ip.to_string(), port.clone()))).collect()
}

/// The names of those ports of the Service that the Pod has; no name when it has none.
pub fn ports(spec: &Value, pod: &Value) -> Vec<Option<String>> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let sidecars = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let sidecars = sidecars.filter(|container| container["restartPolicy"] == "Always");
    let bare: Vec<&Value> = containers
        .chain(sidecars)
        .flat_map(|container| container["ports"].as_array().into_iter().flatten())
        .collect();
    let resolves = |port: &&Value| match port["targetPort"].as_str() {
        None => true,
        Some(name) => bare.iter().any(|found| found["name"] == name && found["protocol"] == port["protocol"]),
    };
    let named = spec["ports"].as_array().into_iter().flatten().filter(resolves);
    let names: Vec<Option<String>> =
        named.map(|port| Some(port["name"].as_str().unwrap_or_default().to_string())).collect();
    if names.is_empty() { vec![None] } else { names }
}

/// What a Service without a selector has of its Endpoints.
fn mirrored(service: Option<&Value>, endpoints: Option<&Value>) -> BTreeSet<Pair> {
    let (Some(service), Some(endpoints)) = (service, endpoints) else { return BTreeSet::new() };
    let metadata = &endpoints["metadata"];
    let forbidden = metadata["labels"]["endpointslice.kubernetes.io/skip-mirror"] == "true"
        || metadata["annotations"]["control-plane.alpha.kubernetes.io/leader"].is_string();
    if selector(service).is_some() || going(service) || going(endpoints) || forbidden {
        return BTreeSet::new();
    }
    let subsets: Vec<&Value> = endpoints["subsets"].as_array().into_iter().flatten().collect();
    let any_port =
        subsets.iter().any(|subset| subset["ports"].as_array().is_some_and(|ports| !ports.is_empty()));
    let mut pairs = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for subset in subsets {
        let ports: Vec<&Value> = subset["ports"].as_array().into_iter().flatten().collect();
        for list in ["addresses", "notReadyAddresses"] {
            for ip in subset[list].as_array().into_iter().flatten().filter_map(|one| one["ip"].as_str()) {
                addresses.insert(ip);
                // An address without ports gives way to one with them.
                if ports.is_empty() && !any_port {
                    pairs.insert((ip.to_string(), None));
                }
                for port in &ports {
                    pairs.insert((
                        ip.to_string(),
                        Some(port["name"].as_str().unwrap_or_default().to_string()),
                    ));
                }
            }
        }
    }
    if addresses.len() > MIRRORED { BTreeSet::new() } else { pairs }
}
