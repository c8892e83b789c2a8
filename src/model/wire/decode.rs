//! Pods, Services, Nodes and Endpoints from JSON.

use serde::Deserialize;
use smol_str::SmolStr;

use super::DecodeError;
use super::lenient::{Identity, List, Moment, Pairs, Str};
use super::quantity::milli;
use crate::model::address::{parse_ip, publishable};
use crate::model::labels::{LAST_APPLIED, TOPOLOGY_AWARE_HINTS, TOPOLOGY_MODE, ZONE};
use crate::model::pod::{Ips, PodIp, intern_ports};
use crate::model::{
    AddressType, ContainerPort, Endpoints, EndpointsAddress, EndpointsPort, Meta, Node, Pod, Protocol,
    Service, ServicePort, Subset, TargetPort, TargetReference, Text, TopologyMode, Uid,
};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireMeta<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) namespace: Str<'a>,
    #[serde(borrow)]
    pub(super) uid: Str<'a>,
    #[serde(borrow)]
    pub(super) resource_version: Str<'a>,
    #[serde(borrow)]
    pub(super) labels: Pairs<'a>,
    #[serde(borrow)]
    pub(super) deletion_timestamp: Moment<'a>,
}

/// Metadata with annotations: only for the kinds whose annotations are read, because skipping them is cheaper.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireAnnotatedMeta<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) namespace: Str<'a>,
    #[serde(borrow)]
    pub(super) uid: Str<'a>,
    #[serde(borrow)]
    pub(super) resource_version: Str<'a>,
    #[serde(borrow)]
    pub(super) labels: Pairs<'a>,
    #[serde(borrow)]
    pub(super) annotations: Pairs<'a>,
    #[serde(borrow)]
    pub(super) deletion_timestamp: Moment<'a>,
    #[serde(borrow)]
    pub(super) creation_timestamp: Moment<'a>,
}

macro_rules! identity {
    ($meta:expr) => {
        Identity {
            name: &$meta.name,
            namespace: &$meta.namespace,
            uid: &$meta.uid,
            version: &$meta.resource_version,
        }
        .read()
    };
}

fn wrong(kind: &'static str, message: impl ToString) -> DecodeError {
    DecodeError { kind, message: message.to_string() }
}

/// Reads key, uid and version of any object, and nothing else of it.
///
/// # Errors
/// When the text is not JSON, has no name, or its version is not a number.
pub fn read_meta(json: &[u8]) -> Result<Meta, DecodeError> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Only<'a> {
        #[serde(borrow)]
        name: Str<'a>,
        #[serde(borrow)]
        namespace: Str<'a>,
        #[serde(borrow)]
        uid: Str<'a>,
        #[serde(borrow)]
        resource_version: Str<'a>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Object<'a> {
        #[serde(borrow)]
        metadata: Option<Only<'a>>,
    }
    let object: Object = serde_json::from_slice(json).map_err(|e| wrong("object", e))?;
    let meta = object.metadata.unwrap_or_default();
    let (key, uid, version) = identity!(meta).map_err(|e| wrong("object", e))?;
    Ok(Meta { key, uid, version })
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WirePod<'a> {
    #[serde(borrow)]
    pub(super) metadata: WireMeta<'a>,
    #[serde(borrow)]
    pub(super) spec: Option<WirePodSpec<'a>>,
    #[serde(borrow)]
    pub(super) status: Option<WirePodStatus<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WirePodSpec<'a> {
    #[serde(borrow)]
    pub(super) node_name: Str<'a>,
    #[serde(borrow)]
    pub(super) hostname: Str<'a>,
    #[serde(borrow)]
    pub(super) subdomain: Str<'a>,
    #[serde(borrow)]
    pub(super) containers: List<WireContainer<'a>>,
    #[serde(borrow)]
    pub(super) init_containers: List<WireContainer<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireContainer<'a> {
    #[serde(borrow)]
    pub(super) restart_policy: Str<'a>,
    #[serde(borrow)]
    pub(super) ports: List<WireContainerPort<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireContainerPort<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    pub(super) container_port: Option<i32>,
    #[serde(borrow)]
    pub(super) protocol: Str<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WirePodStatus<'a> {
    #[serde(borrow)]
    pub(super) phase: Str<'a>,
    #[serde(borrow, rename = "podIP")]
    pub(super) pod_ip: Str<'a>,
    #[serde(borrow, rename = "podIPs")]
    pub(super) pod_ips: List<WirePodIp<'a>>,
    #[serde(borrow)]
    pub(super) conditions: List<WireCondition<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WirePodIp<'a> {
    #[serde(borrow)]
    pub(super) ip: Str<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireCondition<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) status: Str<'a>,
    #[serde(borrow)]
    pub(super) last_transition_time: Moment<'a>,
}

/// A Pod from JSON.
///
/// # Errors
/// When the text is not JSON of that shape; see [`read_meta`] for the metadata.
pub fn decode_pod(json: &[u8]) -> Result<Pod, DecodeError> {
    pod_row(serde_json::from_slice(json).map_err(|e| wrong("Pod", e))?)
}

/// The row of a Pod, whatever it was read from.
pub(super) fn pod_row(pod: WirePod<'_>) -> Result<Pod, DecodeError> {
    let (key, uid, version) = identity!(pod.metadata).map_err(|e| wrong("Pod", e))?;
    let spec = pod.spec.unwrap_or_default();
    let status = pod.status.unwrap_or_default();
    let ready = status.conditions.iter().find(|c| &*c.kind == "Ready");
    let ips: Vec<PodIp> = status.pod_ips.iter().map(|ip| pod_ip(&ip.ip)).collect();
    Ok(Pod {
        key,
        uid,
        version,
        labels: pod.metadata.labels.labels(),
        node: spec.node_name.non_empty().map(Text::new),
        has_ip: !ips.is_empty() || !status.pod_ip.is_empty(),
        ips: Ips::new(ips),
        hostname: spec.hostname.non_empty().map(SmolStr::new),
        subdomain: spec.subdomain.non_empty().map(SmolStr::new),
        terminating: pod.metadata.deletion_timestamp.is_set(),
        terminal: matches!(&*status.phase, "Succeeded" | "Failed"),
        ready: ready.is_some_and(|c| &*c.status == "True"),
        ready_since: ready.and_then(|c| c.last_transition_time.time()),
        ports: named_ports(&spec),
    })
}

fn pod_ip(text: &str) -> PodIp {
    match parse_ip(text).and_then(publishable) {
        Ok(ip) => PodIp::Ip(ip),
        Err(refusal) => PodIp::Refused(SmolStr::new(text), refusal),
    }
}

fn named_ports(spec: &WirePodSpec<'_>) -> std::sync::Arc<[ContainerPort]> {
    let sidecars = spec.init_containers.iter().filter(|c| &*c.restart_policy == "Always");
    let ports: Vec<ContainerPort> = spec
        .containers
        .iter()
        .chain(sidecars)
        .flat_map(|c| c.ports.iter())
        .filter(|p| !p.name.is_empty())
        .map(|p| ContainerPort {
            name: p.name.text(),
            number: p.container_port.unwrap_or_default(),
            protocol: Protocol::new(&p.protocol),
        })
        .collect();
    intern_ports(&ports)
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireService<'a> {
    #[serde(borrow)]
    pub(super) metadata: WireAnnotatedMeta<'a>,
    #[serde(borrow)]
    pub(super) spec: Option<WireServiceSpec<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireServiceSpec<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) selector: Pairs<'a>,
    #[serde(borrow, rename = "clusterIP")]
    pub(super) cluster_ip: Str<'a>,
    #[serde(borrow)]
    pub(super) ip_families: List<Str<'a>>,
    pub(super) publish_not_ready_addresses: Option<bool>,
    #[serde(borrow)]
    pub(super) ports: List<WireServicePort<'a>>,
    #[serde(borrow)]
    pub(super) traffic_distribution: Option<Str<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireServicePort<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) protocol: Str<'a>,
    #[serde(borrow)]
    pub(super) app_protocol: Option<Str<'a>>,
    pub(super) port: Option<i32>,
    #[serde(borrow)]
    pub(super) target_port: Option<IntOrString<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum IntOrString<'a> {
    Int(i32),
    #[serde(borrow)]
    Text(Str<'a>),
}

/// A Service from JSON.
///
/// # Errors
/// As [`decode_pod`].
pub fn decode_service(json: &[u8]) -> Result<Service, DecodeError> {
    service_row(serde_json::from_slice(json).map_err(|e| wrong("Service", e))?)
}

/// The row of a Service, whatever it was read from.
pub(super) fn service_row(service: WireService<'_>) -> Result<Service, DecodeError> {
    let meta = &service.metadata;
    let (key, uid, version) = identity!(meta).map_err(|e| wrong("Service", e))?;
    let spec = service.spec.unwrap_or_default();
    let annotation =
        meta.annotations.get(TOPOLOGY_AWARE_HINTS).or_else(|| meta.annotations.get(TOPOLOGY_MODE));
    Ok(Service {
        key,
        uid,
        version,
        created: meta.creation_timestamp.time(),
        labels: meta.labels.labels(),
        deleting: meta.deletion_timestamp.is_set(),
        external_name: &*spec.kind == "ExternalName",
        selector: (!spec.selector.0.is_empty()).then(|| spec.selector.labels()),
        cluster_ip: spec.cluster_ip.smol(),
        ip_families: spec
            .ip_families
            .iter()
            .map(|f| AddressType::new(f))
            .filter(|f| !matches!(f, AddressType::Other(_)))
            .collect(),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or_default(),
        ports: spec.ports.iter().map(service_port).collect(),
        traffic_distribution: spec.traffic_distribution.map(|t| t.smol()),
        topology_mode: match annotation {
            Some("Auto" | "auto") => TopologyMode::Auto,
            _ => TopologyMode::Disabled,
        },
        topology_annotated: annotation.is_some(),
    })
}

fn service_port(port: &WireServicePort<'_>) -> ServicePort {
    ServicePort {
        name: port.name.text(),
        protocol: Protocol::new(&port.protocol),
        app_protocol: port.app_protocol.as_ref().map(|p| p.text()),
        port: port.port.unwrap_or_default(),
        target: match &port.target_port {
            None => TargetPort::Number(0),
            Some(IntOrString::Int(number)) => TargetPort::Number(*number),
            Some(IntOrString::Text(name)) => TargetPort::Name(name.text()),
        },
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireNode<'a> {
    #[serde(borrow)]
    pub(super) metadata: WireMeta<'a>,
    #[serde(borrow)]
    pub(super) status: Option<WireNodeStatus<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireNodeStatus<'a> {
    #[serde(borrow)]
    pub(super) conditions: List<WireCondition<'a>>,
    #[serde(borrow)]
    pub(super) allocatable: Option<WireAllocatable<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireAllocatable<'a> {
    #[serde(borrow)]
    pub(super) cpu: Str<'a>,
}

/// A Node from JSON.
///
/// # Errors
/// As [`decode_pod`].
pub fn decode_node(json: &[u8]) -> Result<Node, DecodeError> {
    node_row(serde_json::from_slice(json).map_err(|e| wrong("Node", e))?)
}

/// The row of a Node, whatever it was read from.
pub(super) fn node_row(node: WireNode<'_>) -> Result<Node, DecodeError> {
    let (key, uid, version) = identity!(node.metadata).map_err(|e| wrong("Node", e))?;
    let status = node.status.unwrap_or_default();
    let labels = &node.metadata.labels;
    Ok(Node {
        key,
        uid,
        version,
        zone: labels.get(ZONE).filter(|z| !z.is_empty()).map(Text::new),
        ready: status.conditions.iter().any(|c| &*c.kind == "Ready" && &*c.status == "True"),
        cpu_milli: status.allocatable.and_then(|a| milli(&a.cpu)).filter(|cpu| *cpu > 0),
        control_plane: labels.get("node-role.kubernetes.io/control-plane").is_some()
            || labels.get("node-role.kubernetes.io/master").is_some(),
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireEndpoints<'a> {
    #[serde(borrow)]
    pub(super) metadata: WireAnnotatedMeta<'a>,
    #[serde(borrow)]
    pub(super) subsets: List<WireSubset<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireSubset<'a> {
    #[serde(borrow)]
    pub(super) addresses: List<WireAddress<'a>>,
    #[serde(borrow)]
    pub(super) not_ready_addresses: List<WireAddress<'a>>,
    #[serde(borrow)]
    pub(super) ports: List<WireEndpointsPort<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireAddress<'a> {
    #[serde(borrow)]
    pub(super) ip: Str<'a>,
    #[serde(borrow)]
    pub(super) hostname: Str<'a>,
    #[serde(borrow)]
    pub(super) node_name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) target_ref: Option<WireReference<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireEndpointsPort<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    pub(super) port: Option<i32>,
    #[serde(borrow)]
    pub(super) protocol: Str<'a>,
    #[serde(borrow)]
    pub(super) app_protocol: Option<Str<'a>>,
}

/// A core/v1 ObjectReference.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireReference<'a> {
    #[serde(borrow)]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) namespace: Str<'a>,
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) uid: Str<'a>,
    #[serde(borrow)]
    pub(super) api_version: Str<'a>,
    #[serde(borrow)]
    pub(super) resource_version: Str<'a>,
    #[serde(borrow)]
    pub(super) field_path: Str<'a>,
}

impl WireReference<'_> {
    pub(super) fn row(&self) -> TargetReference {
        TargetReference {
            kind: self.kind.text(),
            namespace: self.namespace.text(),
            name: self.name.smol(),
            uid: Uid::new(&self.uid),
            api_version: self.api_version.text(),
            resource_version: self.resource_version.smol(),
            field_path: self.field_path.smol(),
        }
    }
}

/// An Endpoints object from JSON. The annotation of kubectl is left out: it is large and never mirrored.
///
/// # Errors
/// As [`decode_pod`].
pub fn decode_endpoints(json: &[u8]) -> Result<Endpoints, DecodeError> {
    endpoints_row(serde_json::from_slice(json).map_err(|e| wrong("Endpoints", e))?)
}

/// The row of a Endpoints, whatever it was read from.
pub(super) fn endpoints_row(endpoints: WireEndpoints<'_>) -> Result<Endpoints, DecodeError> {
    let meta = &endpoints.metadata;
    let (key, uid, version) = identity!(meta).map_err(|e| wrong("Endpoints", e))?;
    Ok(Endpoints {
        key,
        uid,
        version,
        labels: meta.labels.labels(),
        annotations: meta.annotations.labels_where(|key| key != LAST_APPLIED),
        deleting: meta.deletion_timestamp.is_set(),
        subsets: endpoints.subsets.iter().map(subset).collect(),
    })
}

fn subset(subset: &WireSubset<'_>) -> Subset {
    Subset {
        addresses: subset.addresses.iter().map(address).collect(),
        not_ready: subset.not_ready_addresses.iter().map(address).collect(),
        ports: subset
            .ports
            .iter()
            .map(|p| EndpointsPort {
                name: p.name.text(),
                port: p.port.unwrap_or_default(),
                protocol: Protocol::new(&p.protocol),
                app_protocol: p.app_protocol.as_ref().map(|a| a.text()),
            })
            .collect(),
    }
}

fn address(address: &WireAddress<'_>) -> EndpointsAddress {
    EndpointsAddress {
        ip: address.ip.smol(),
        hostname: address.hostname.non_empty().map(SmolStr::new),
        node_name: address.node_name.as_ref().map(|n| n.text()),
        target_ref: address.target_ref.as_ref().map(WireReference::row),
    }
}
