//! The protobuf of the Kubernetes API: the same rows as from JSON, at a third of the cost. Each
//! function takes one object as its own message, without the envelope of lists and watches.
//!
//! A message says less than JSON in one respect: a field that this program does not know has no
//! name. Where nothing may be lost, on slices, such a field is an error, and whoever reads has to
//! ask for JSON (see [`decode_slice`]).

mod encode;
mod fields;
mod messages;

pub use self::encode::encode_slice;
pub use self::fields::field;

use std::sync::Arc;

use prost::Message;
use serde_json::Value;

use self::messages as pb;
use super::DecodeError;
use super::decode::{
    IntOrString, WireAddress, WireAllocatable, WireAnnotatedMeta, WireCondition, WireContainer,
    WireContainerPort, WireEndpoints, WireEndpointsPort, WireMeta, WireNode, WireNodeStatus, WirePod,
    WirePodIp, WirePodSpec, WirePodStatus, WireReference, WireService, WireServicePort, WireServiceSpec,
    WireSubset, endpoints_row, node_row, pod_row, service_row,
};
use super::lenient::{Identity, List, Moment, Pairs, Str};
use super::slice::{WireOwner, WirePort, WireSlice, WireSliceMeta, slice_row};
use crate::model::{
    Addresses, Conditions, Endpoint, Endpoints, Hints, Key, Meta, Node, Pod, Service, Slice, Text, Time, Uid,
};

fn read<M: Message + Default>(kind: &'static str, object: &[u8]) -> Result<M, DecodeError> {
    M::decode(object).map_err(|error| DecodeError { kind, message: error.to_string() })
}

/// Key, uid and version of any object; a version that cannot be read is 0.
///
/// # Errors
/// When it is not a message, or has no name.
pub fn peek_meta(object: &[u8]) -> Result<Meta, DecodeError> {
    let metadata = read::<pb::Identified>("object", object)?.metadata.unwrap_or_default();
    if metadata.name.is_empty() {
        return Err(DecodeError { kind: "object", message: "metadata.name is missing".to_owned() });
    }
    Ok(Meta {
        key: Key::new(&*metadata.namespace, &*metadata.name),
        uid: Uid::new(&metadata.uid),
        version: metadata.resource_version.parse().unwrap_or(0),
    })
}

/// Key, uid and version of any object, as a row of their own.
///
/// # Errors
/// When it is not a message, has no name, or its version is not a number.
pub fn read_meta(object: &[u8]) -> Result<Meta, DecodeError> {
    let metadata = read::<pb::Identified>("object", object)?.metadata.unwrap_or_default();
    let identity = Identity {
        name: &metadata.name,
        namespace: &metadata.namespace,
        uid: &metadata.uid,
        version: &metadata.resource_version,
    };
    let (key, uid, version) = identity.read().map_err(|message| DecodeError { kind: "object", message })?;
    Ok(Meta { key, uid, version })
}

/// A Pod.
///
/// # Errors
/// When it is not the message of a Pod, has no name, or its version is not a number.
pub fn decode_pod(object: &[u8]) -> Result<Pod, DecodeError> {
    let pod: pb::Pod = read("Pod", object)?;
    let status = pod.status.as_ref();
    pod_row(WirePod {
        metadata: meta(pod.metadata.as_ref()),
        spec: pod.spec.as_ref().map(|spec| WirePodSpec {
            node_name: text(&spec.node_name),
            hostname: text(&spec.hostname),
            subdomain: text(&spec.subdomain),
            containers: list(&spec.containers, container),
            init_containers: list(&spec.init_containers, container),
        }),
        status: status.map(|status| WirePodStatus {
            phase: text(&status.phase),
            pod_ip: text(&status.pod_ip),
            pod_ips: list(&status.pod_ips, |ip| WirePodIp { ip: text(&ip.ip) }),
            conditions: list(&status.conditions, condition),
        }),
    })
}

/// A Service.
///
/// # Errors
/// As [`decode_pod`].
pub fn decode_service(object: &[u8]) -> Result<Service, DecodeError> {
    let service: pb::Service = read("Service", object)?;
    service_row(WireService {
        metadata: annotated(service.metadata.as_ref()),
        spec: service.spec.as_ref().map(|spec| WireServiceSpec {
            kind: text(&spec.kind),
            selector: pairs(&spec.selector),
            cluster_ip: text(&spec.cluster_ip),
            ip_families: list(&spec.ip_families, |family| text(family)),
            publish_not_ready_addresses: Some(spec.publish_not_ready_addresses),
            ports: list(&spec.ports, service_port),
            traffic_distribution: optional(&spec.traffic_distribution),
        }),
    })
}

/// A Node.
///
/// # Errors
/// As [`decode_pod`].
pub fn decode_node(object: &[u8]) -> Result<Node, DecodeError> {
    let node: pb::Node = read("Node", object)?;
    node_row(WireNode {
        metadata: meta(node.metadata.as_ref()),
        status: node.status.as_ref().map(|status| WireNodeStatus {
            conditions: list(&status.conditions, condition),
            allocatable: Some(WireAllocatable {
                cpu: status
                    .allocatable
                    .iter()
                    .rfind(|resource| resource.name == "cpu")
                    .and_then(|resource| resource.quantity.as_ref())
                    .map(|quantity| text(&quantity.text))
                    .unwrap_or_default(),
            }),
        }),
    })
}

/// An Endpoints object. The annotation of kubectl is left out: it is large and never mirrored.
///
/// # Errors
/// As [`decode_pod`].
pub fn decode_endpoints(object: &[u8]) -> Result<Endpoints, DecodeError> {
    let endpoints: pb::Endpoints = read("Endpoints", object)?;
    endpoints_row(WireEndpoints {
        metadata: annotated(endpoints.metadata.as_ref()),
        subsets: list(&endpoints.subsets, |subset| WireSubset {
            addresses: list(&subset.addresses, address),
            not_ready_addresses: list(&subset.not_ready_addresses, address),
            ports: list(&subset.ports, |port| WireEndpointsPort {
                name: text(&port.name),
                port: Some(port.port),
                protocol: text(&port.protocol),
                app_protocol: optional(&port.app_protocol),
            }),
        }),
    })
}

/// An EndpointSlice.
///
/// # Errors
/// As [`decode_pod`]; and when it has a field that is not known, which a rewrite would lose: JSON
/// keeps it.
pub fn decode_slice(object: &[u8]) -> Result<Slice, DecodeError> {
    if let Some(unknown) = fields::unknown_of_slice(object) {
        let message = format!("{unknown} is not known; expected the fields of discovery.k8s.io/v1");
        return Err(DecodeError { kind: "EndpointSlice", message });
    }
    let slice: pb::EndpointSlice = read("EndpointSlice", object)?;
    slice_row(WireSlice {
        metadata: slice.metadata.as_ref().map(slice_meta).unwrap_or_default(),
        address_type: text(&slice.address_type),
        ports: list(&slice.ports, |port| WirePort {
            name: optional(&port.name),
            protocol: optional(&port.protocol).unwrap_or_default(),
            port: port.port,
            app_protocol: optional(&port.app_protocol),
        }),
        endpoints: slice.endpoints.iter().map(|row| Arc::new(endpoint(row))).collect(),
        fields: Default::default(),
    })
}

fn text(text: &str) -> Str<'_> {
    Str::from(text)
}

fn optional(text: &Option<String>) -> Option<Str<'_>> {
    text.as_deref().map(Str::from)
}

fn list<'a, T, W>(all: &'a [T], one: impl Fn(&'a T) -> W) -> List<W> {
    List(all.iter().map(one).collect())
}

fn pairs(entries: &[pb::Entry]) -> Pairs<'_> {
    Pairs(entries.iter().map(|entry| (text(&entry.key), text(&entry.value))).collect())
}

/// Go's zero time is an empty message: it is set, and is no time.
fn moment(time: Option<&pb::Time>) -> Moment<'static> {
    match time {
        None => Moment::None,
        Some(pb::Time { seconds: Some(seconds) }) => Moment::Time(Time::from_secs(*seconds)),
        Some(pb::Time { seconds: None }) => Moment::Text(Str::default()),
    }
}

fn meta(meta: Option<&pb::Meta>) -> WireMeta<'_> {
    let Some(meta) = meta else { return WireMeta::default() };
    WireMeta {
        name: text(&meta.name),
        namespace: text(&meta.namespace),
        uid: text(&meta.uid),
        resource_version: text(&meta.resource_version),
        labels: pairs(&meta.labels),
        deletion_timestamp: moment(meta.deletion_timestamp.as_ref()),
    }
}

fn annotated(meta: Option<&pb::AnnotatedMeta>) -> WireAnnotatedMeta<'_> {
    let Some(meta) = meta else { return WireAnnotatedMeta::default() };
    WireAnnotatedMeta {
        name: text(&meta.name),
        namespace: text(&meta.namespace),
        uid: text(&meta.uid),
        resource_version: text(&meta.resource_version),
        labels: pairs(&meta.labels),
        annotations: pairs(&meta.annotations),
        deletion_timestamp: moment(meta.deletion_timestamp.as_ref()),
        creation_timestamp: moment(meta.creation_timestamp.as_ref()),
    }
}

fn slice_meta(meta: &pb::SliceMeta) -> WireSliceMeta<'_> {
    WireSliceMeta {
        name: text(&meta.name),
        generate_name: text(&meta.generate_name),
        namespace: text(&meta.namespace),
        uid: text(&meta.uid),
        resource_version: text(&meta.resource_version),
        labels: pairs(&meta.labels),
        annotations: pairs(&meta.annotations),
        deletion_timestamp: moment(meta.deletion_timestamp.as_ref()),
        owner_references: list(&meta.owner_references, |owner| WireOwner {
            api_version: text(&owner.api_version),
            kind: text(&owner.kind),
            name: text(&owner.name),
            uid: text(&owner.uid),
            controller: owner.controller,
            block_owner_deletion: owner.block_owner_deletion,
        }),
        finalizers: list(&meta.finalizers, |finalizer| text(finalizer)),
    }
}

fn container(container: &pb::Container) -> WireContainer<'_> {
    WireContainer {
        restart_policy: text(&container.restart_policy),
        ports: list(&container.ports, |port| WireContainerPort {
            name: text(&port.name),
            container_port: Some(port.container_port),
            protocol: text(&port.protocol),
        }),
    }
}

fn condition(condition: &pb::Condition) -> WireCondition<'_> {
    WireCondition {
        kind: text(&condition.kind),
        status: text(&condition.status),
        last_transition_time: moment(condition.last_transition_time.as_ref()),
    }
}

fn service_port(port: &pb::ServicePort) -> WireServicePort<'_> {
    WireServicePort {
        name: text(&port.name),
        protocol: text(&port.protocol),
        app_protocol: optional(&port.app_protocol),
        port: Some(port.port),
        target_port: port.target_port.as_ref().map(|target| match target.kind {
            0 => IntOrString::Int(target.number),
            _ => IntOrString::Text(text(&target.text)),
        }),
    }
}

fn address(address: &pb::Address) -> WireAddress<'_> {
    WireAddress {
        ip: text(&address.ip),
        hostname: text(&address.hostname),
        node_name: optional(&address.node_name),
        target_ref: address.target_ref.as_ref().map(reference),
    }
}

fn reference(reference: &pb::ObjectReference) -> WireReference<'_> {
    WireReference {
        kind: text(&reference.kind),
        namespace: text(&reference.namespace),
        name: text(&reference.name),
        uid: text(&reference.uid),
        api_version: text(&reference.api_version),
        resource_version: text(&reference.resource_version),
        field_path: text(&reference.field_path),
    }
}

fn endpoint(endpoint: &pb::Endpoint) -> Endpoint {
    let conditions = endpoint.conditions.unwrap_or_default();
    let topology = endpoint.deprecated_topology.iter();
    let topology: serde_json::Map<String, Value> =
        topology.map(|entry| (entry.key.clone(), Value::String(entry.value.clone()))).collect();
    Endpoint {
        addresses: Addresses::new(endpoint.addresses.iter().map(|address| text(address).smol())),
        conditions: Conditions {
            ready: conditions.ready,
            serving: conditions.serving,
            terminating: conditions.terminating,
        },
        hostname: optional(&endpoint.hostname).map(|hostname| hostname.smol()),
        target_ref: endpoint.target_ref.as_ref().map(|target| Box::new(reference(target).row())),
        node_name: optional(&endpoint.node_name).map(|node| node.text()),
        zone: optional(&endpoint.zone).map(|zone| zone.text()),
        hints: endpoint.hints.as_ref().map(|hints| {
            let names = |hints: &[pb::Hint]| hints.iter().map(|hint| Text::new(&hint.name)).collect();
            Box::new(Hints { for_zones: names(&hints.for_zones), for_nodes: names(&hints.for_nodes) })
        }),
        foreign: (!topology.is_empty()).then(|| {
            Box::new([("deprecatedTopology".to_owned(), Value::Object(topology))].into_iter().collect())
        }),
    }
}

#[cfg(test)]
mod tests;
