//! Rows for tests, right in every field, to be changed with struct update syntax:
//! `Pod { ready: false, ..pod(1) }`.

#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;

use endpointslice_controller::model::address::{parse_ip, publishable};
use endpointslice_controller::model::labels::{MANAGED_BY, SERVICE_NAME};
use endpointslice_controller::model::pod::{Ips, PodIp, intern_ports};
use endpointslice_controller::model::snapshot::Memory;
use endpointslice_controller::model::*;
use smol_str::{SmolStr, format_smolstr};

pub const NAMESPACE: &str = "ns";
pub const SERVICE: &str = "web";

/// A ready Pod number `n` with one IPv4 address on Node `n1`, and the named port `http` 8080.
pub fn pod(n: usize) -> Pod {
    Pod {
        key: Key::new(NAMESPACE, format!("pod-{n:05}")),
        uid: uid(1, n),
        version: 1000 + n as u64,
        labels: Labels::new([("app", SERVICE)]),
        node: Some(Text::new("n1")),
        ips: ips(&[&ipv4(n)]),
        has_ip: true,
        hostname: None,
        subdomain: None,
        terminating: false,
        terminal: false,
        ready: true,
        ready_since: Some(Time::from_secs(1000)),
        ports: container_ports(&[("http", 8080, Protocol::TCP)]),
    }
}

/// Pods with these numbers.
pub fn pods(numbers: impl IntoIterator<Item = usize>) -> Vec<Pod> {
    numbers.into_iter().map(pod).collect()
}

pub fn ipv4(n: usize) -> String {
    format!("10.{}.{}.{}", n / 60_000, n / 250 % 240, n % 250 + 1)
}

pub fn ipv6(n: usize) -> String {
    format!("fd00::{:x}", n + 1)
}

/// IPs as the decoder reads them.
pub fn ips(texts: &[&str]) -> Ips {
    let read = |text: &&str| match parse_ip(text).and_then(publishable) {
        Ok(ip) => PodIp::Ip(ip),
        Err(refusal) => PodIp::Refused(SmolStr::new(text), refusal),
    };
    Ips::new(texts.iter().map(read).collect())
}

pub fn container_ports(ports: &[(&str, i32, Protocol)]) -> Arc<[ContainerPort]> {
    let port = |(name, number, protocol): &(&str, i32, Protocol)| ContainerPort {
        name: Text::new(name),
        number: *number,
        protocol: protocol.clone(),
    };
    intern_ports(&ports.iter().map(port).collect::<Vec<_>>())
}

/// A uid; `kind` keeps those of different kinds of object apart.
pub fn uid(kind: u8, n: usize) -> Uid {
    Uid::new(&format!("{kind:08x}-0000-4000-8000-{n:012x}"))
}

/// A single-stack IPv4 Service with a ClusterIP and the one unnamed port 80 -> 8080.
pub fn service() -> Service {
    Service {
        key: Key::new(NAMESPACE, SERVICE),
        uid: uid(2, 1),
        version: 100,
        created: Some(Time::from_secs(500)),
        labels: Labels::default(),
        deleting: false,
        external_name: false,
        selector: Some(Labels::new([("app", SERVICE)])),
        cluster_ip: SmolStr::new("10.96.0.1"),
        ip_families: vec![AddressType::IPv4],
        publish_not_ready: false,
        ports: vec![service_port("", 80, TargetPort::Number(8080))],
        traffic_distribution: None,
        topology_mode: TopologyMode::Disabled,
        topology_annotated: false,
    }
}

pub fn service_port(name: &str, port: i32, target: TargetPort) -> ServicePort {
    ServicePort { name: Text::new(name), protocol: Protocol::TCP, app_protocol: None, port, target }
}

pub fn by_name(name: &str) -> TargetPort {
    TargetPort::Name(Text::new(name))
}

/// A port as this program writes it.
pub fn port(name: &str, number: i32) -> Port {
    Port { name: Some(Text::new(name)), protocol: Protocol::TCP, port: Some(number), app_protocol: None }
}

/// A ready Node with 4 cores.
pub fn node(name: &str, zone: Option<&str>) -> Node {
    Node {
        key: Key::new("", name),
        uid: Uid::new(name),
        version: 1,
        zone: zone.map(Text::new),
        ready: true,
        cpu_milli: Some(4000),
        control_plane: false,
    }
}

pub fn nodes(all: impl IntoIterator<Item = Node>) -> Arc<Nodes> {
    Arc::new(all.into_iter().map(|node| (Text::new(&node.key.name), Arc::new(node))).collect())
}

/// The zone of each of the Nodes that snapshots have.
pub fn zone_of(node: &str) -> Option<&'static str> {
    match node {
        "n1" => Some("zone-a"),
        "n2" => Some("zone-b"),
        _ => None,
    }
}

/// A snapshot with the Nodes `n1` (zone-a), `n2` (zone-b) and `n3` (no zone), no slices, no memory.
pub fn snapshot(service: Service, pods: Vec<Pod>) -> SelectorSnapshot {
    SelectorSnapshot {
        service: Arc::new(service),
        pods: pods.into_iter().map(Arc::new).collect(),
        nodes: nodes(["n1", "n2", "n3"].map(|name| node(name, zone_of(name)))),
        slices: Vec::new(),
        names: BTreeSet::new(),
        memory: Memory::default(),
        epoch: None,
        salt: None,
        settings: Arc::new(Settings::default()),
    }
}

/// The same with slices of at most `max` endpoints.
pub fn with_max(max: usize, snapshot: SelectorSnapshot) -> SelectorSnapshot {
    let settings = Settings { max_endpoints_per_slice: max, ..Settings::default() };
    SelectorSnapshot { settings: Arc::new(settings), ..snapshot }
}

/// The same with these slices.
pub fn with_slices(slices: impl IntoIterator<Item = Slice>, snapshot: SelectorSnapshot) -> SelectorSnapshot {
    SelectorSnapshot { slices: slices.into_iter().map(Arc::new).collect(), ..snapshot }
}

/// The endpoint that a Pod is in an IPv4 slice of [`service`].
pub fn endpoint(pod: &Pod) -> Endpoint {
    endpoint_of(pod, &AddressType::IPv4)
}

/// The endpoint that a Pod is in a slice of this type.
pub fn endpoint_of(pod: &Pod, address_type: &AddressType) -> Endpoint {
    let of_type = pod.ips.good().filter(|ip| AddressType::of(*ip) == *address_type);
    Endpoint {
        addresses: Addresses::new(of_type.map(|ip| format_smolstr!("{ip}"))),
        conditions: Conditions {
            ready: Some(pod.ready && !pod.terminating),
            serving: Some(pod.ready),
            terminating: Some(pod.terminating),
        },
        hostname: None,
        target_ref: Some(Box::new(TargetReference {
            kind: Text::new("Pod"),
            namespace: pod.key.namespace.clone(),
            name: pod.key.name.clone(),
            uid: pod.uid.clone(),
            ..TargetReference::default()
        })),
        node_name: pod.node.clone(),
        zone: pod.node.as_ref().and_then(|node| zone_of(node)).map(Text::new),
        hints: None,
        foreign: None,
    }
}

/// The labels of the slices of a Service without labels and with a ClusterIP.
pub fn slice_labels(service: &str) -> Labels {
    Labels::new([(SERVICE_NAME, service), (MANAGED_BY, Loop::Selector.managed_by())])
}

pub fn owner(service: &Service) -> OwnerReference {
    OwnerReference {
        api_version: Text::new("v1"),
        kind: Text::new("Service"),
        name: service.key.name.clone(),
        uid: service.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// A slice of [`service`] that is right in all: IPv4, port 8080, these Pods.
pub fn slice<'a>(name: &str, pods: impl IntoIterator<Item = &'a Pod>) -> Slice {
    let service = service();
    Slice {
        key: Key::new(NAMESPACE, name),
        uid: Uid::new(name),
        version: 10,
        generate_name: SmolStr::new("web-"),
        labels: slice_labels(SERVICE),
        annotations: Annotations::default(),
        deleting: false,
        owners: Arc::from([owner(&service)]),
        address_type: AddressType::IPv4,
        ports: Arc::from([port("", 8080)]),
        endpoints: pods.into_iter().map(|pod| Arc::new(endpoint(pod))).collect(),
        foreign: None,
    }
}

/// The same slice as one of IPv6.
pub fn slice_v6<'a>(name: &str, pods: impl IntoIterator<Item = &'a Pod>) -> Slice {
    let endpoints = pods.into_iter().map(|pod| Arc::new(endpoint_of(pod, &AddressType::IPv6))).collect();
    Slice { address_type: AddressType::IPv6, endpoints, ..slice(name, []) }
}
