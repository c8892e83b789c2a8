//! Endpoints and slices in few words, and an API server that is only a list of slices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use endpointslice_controller::model::snapshot::Memory;
use endpointslice_controller::model::{
    Endpoint, Endpoints, EndpointsAddress, EndpointsPort, Key, Labels, MirrorSnapshot, Port, Protocol,
    Service, Settings, Slice, Subset, TargetPort, TargetReference, Text, TopologyMode, Uid,
};
use endpointslice_controller::model::{ServicePort, labels};
use endpointslice_controller::plan::mirror::plan;
use endpointslice_controller::plan::{Operation, Plan, Write};

pub const ENDPOINTS_UID: &str = "11111111-1111-4111-8111-111111111111";

pub fn key() -> Key {
    Key::new("ns", "web")
}

pub fn address(ip: &str) -> EndpointsAddress {
    EndpointsAddress { ip: ip.into(), hostname: None, node_name: None, target_ref: None }
}

pub fn pod(ip: &str, name: &str, uid: &str) -> EndpointsAddress {
    let target = TargetReference {
        kind: Text::new("Pod"),
        namespace: Text::new("ns"),
        name: name.into(),
        uid: Uid::new(uid),
        ..TargetReference::default()
    };
    EndpointsAddress { target_ref: Some(target), ..address(ip) }
}

pub fn port(name: &str, number: i32) -> EndpointsPort {
    EndpointsPort { name: Text::new(name), port: number, protocol: Protocol::TCP, app_protocol: None }
}

pub fn subset(ready: &[&str], not_ready: &[&str], ports: &[(&str, i32)]) -> Subset {
    Subset {
        addresses: ready.iter().map(|ip| address(ip)).collect(),
        not_ready: not_ready.iter().map(|ip| address(ip)).collect(),
        ports: ports.iter().map(|(name, number)| port(name, *number)).collect(),
    }
}

pub fn endpoints(subsets: Vec<Subset>) -> Endpoints {
    Endpoints {
        key: key(),
        uid: Uid::new(ENDPOINTS_UID),
        version: 1,
        labels: Labels::default(),
        annotations: Labels::default(),
        deleting: false,
        subsets,
    }
}

pub fn service() -> Service {
    Service {
        key: key(),
        uid: Uid::new("service-uid"),
        version: 1,
        created: None,
        labels: Labels::default(),
        deleting: false,
        external_name: false,
        selector: None,
        cluster_ip: "10.96.0.1".into(),
        ip_families: vec![],
        publish_not_ready: false,
        ports: vec![ServicePort {
            name: Text::new(""),
            protocol: Protocol::TCP,
            app_protocol: None,
            port: 80,
            target: TargetPort::Number(0),
        }],
        traffic_distribution: None,
        topology_mode: TopologyMode::Disabled,
        topology_annotated: false,
    }
}

pub fn snapshot(endpoints: Endpoints, slices: Vec<Slice>) -> MirrorSnapshot {
    MirrorSnapshot {
        key: key(),
        endpoints: Some(Arc::new(endpoints)),
        service: Some(Arc::new(service())),
        names: slices.iter().map(|slice| slice.key.name.clone()).collect(),
        slices: slices.into_iter().map(Arc::new).collect(),
        memory: Memory::default(),
        salt: None,
        settings: Arc::new(Settings::default()),
    }
}

pub fn with_max(mut snapshot: MirrorSnapshot, max: usize) -> MirrorSnapshot {
    snapshot.settings = Arc::new(Settings { mirroring_max_endpoints_per_subset: max, ..Settings::default() });
    snapshot
}

/// The slices that stand after each write, the first element being those before all.
pub fn walk(slices: &[Arc<Slice>], writes: &[Write]) -> Vec<BTreeMap<String, Slice>> {
    let mut standing: BTreeMap<String, Slice> =
        slices.iter().map(|slice| (slice.key.name.to_string(), Slice::clone(slice))).collect();
    let mut states = vec![standing.clone()];
    for (version, write) in (1001..).zip(writes) {
        let name = write.slice.key.name.to_string();
        match write.operation {
            Operation::Create => {
                assert!(write.base.is_none() && write.slice.uid.is_empty() && write.slice.version == 0);
                accept(&write.slice);
                let made = Slice { uid: Uid::new(&format!("uid-{name}")), version, ..write.slice.clone() };
                assert!(standing.insert(name, made).is_none(), "a create met a slice of that name");
            }
            Operation::Update => {
                let base = write.base.as_ref().expect("an update has a base");
                let held = standing.get(&name).expect("what is updated stands");
                assert!(base.uid == held.uid && held.uid == write.slice.uid);
                assert_eq!(held.address_type, write.slice.address_type, "the address type is immutable");
                // The second write of a slice gets the version that the first one brought.
                assert!(base.version == held.version || held.version > 1000);
                accept(&write.slice);
                standing.insert(name, Slice { version, ..write.slice.clone() });
            }
            Operation::Delete => {
                assert!(standing.remove(&name).is_some(), "what is deleted stands");
            }
        }
        states.push(standing.clone());
    }
    states
}

/// What the API server asks of a slice.
fn accept(slice: &Slice) {
    assert!(slice.endpoints.len() <= 1000);
    let names: BTreeSet<&Option<Text>> = slice.ports.iter().map(|port| &port.name).collect();
    assert_eq!(names.len(), slice.ports.len(), "a port name twice");
    assert!(slice.owners.iter().filter(|owner| owner.controller == Some(true)).count() <= 1);
}

/// Plans, writes, and checks that a second plan finds nothing to do or to say.
pub fn settle(snapshot: &MirrorSnapshot) -> (Plan, Vec<Slice>) {
    let first = plan(snapshot);
    let slices: Vec<Slice> = walk(&snapshot.slices, &first.writes).pop().unwrap().into_values().collect();
    let mut again = snapshot.clone();
    again.names = slices.iter().map(|slice| slice.key.name.clone()).collect();
    again.slices = slices.iter().cloned().map(Arc::new).collect();
    again.memory = first.memory.clone();
    let second = plan(&again);
    assert_eq!(second.writes, [], "a second plan writes");
    assert_eq!(second.reports, [], "a second plan reports");
    (first, slices)
}

/// The slices that these Endpoints get where there are none.
pub fn mirrored(endpoints: Endpoints) -> Vec<Slice> {
    settle(&snapshot(endpoints, vec![])).1
}

/// One line a slice, without names, sorted.
pub fn shape<'a>(slices: impl IntoIterator<Item = &'a Slice>) -> Vec<String> {
    let mut lines: Vec<String> = slices.into_iter().map(line).collect();
    lines.sort();
    lines
}

fn line(slice: &Slice) -> String {
    let mut ports: Vec<String> = slice.ports.iter().map(port_text).collect();
    ports.sort();
    let endpoints: Vec<String> = slice.endpoints.iter().map(|endpoint| endpoint_text(endpoint)).collect();
    format!("{} [{}] {}", slice.address_type, ports.join(" "), endpoints.join(" "))
}

fn port_text(port: &Port) -> String {
    format!("{}:{}", port.name.as_deref().unwrap_or("-"), port.port.unwrap_or_default())
}

fn endpoint_text(endpoint: &Endpoint) -> String {
    let ready = if endpoint.conditions.ready == Some(true) { "" } else { "!" };
    let uid = endpoint.target_ref.as_ref().map(|t| t.uid.to_string()).unwrap_or_default();
    let uid = if uid.is_empty() { uid } else { format!("@{uid}") };
    format!("{ready}{}{uid}", endpoint.addresses.as_slice().join(","))
}

/// What a plan does, one line a write, in order.
pub fn operations(plan: &Plan) -> Vec<String> {
    let text = |write: &Write| format!("{} {}", write.operation.as_str(), line(&write.slice));
    plan.writes.iter().map(text).collect()
}

/// A slice as somebody may have made it: of this loop, with these ports and addresses.
pub fn slice(name: &str, ports: &[(&str, i32)], ips: &[&str]) -> Slice {
    let made = mirrored(endpoints(vec![subset(ips, &[], ports)]));
    let mut slice = made.into_iter().next().unwrap();
    slice.key = Key::new("ns", name);
    slice.uid = Uid::new(&format!("uid-{name}"));
    slice.version = 7;
    slice
}

pub fn managed_by_us(slice: &Slice) -> bool {
    slice.labels.has(labels::MANAGED_BY, "endpointslicemirroring-controller.k8s.io")
        && slice.labels.has(labels::SERVICE_NAME, "web")
}
