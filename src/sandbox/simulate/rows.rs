//! What is kept of each object: the few fields that decide what happens next. The rest is read from
//! the store when something is written.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::addresses::Ranges;
use super::clock::seconds_of;
use super::selector::Selector;
use crate::sandbox::store::Object;

/// A Pod's phase, in the order in which a ReplicaSet prefers to delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum Phase {
    #[default]
    Pending,
    Unknown,
    Running,
    Succeeded,
    Failed,
}

/// What the kubelet has begun to do with a Pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing.
    #[default]
    Idle,
    /// Its containers are being made.
    Starting,
    /// It was told to end.
    Ending,
}

/// A Pod.
#[derive(Debug)]
pub(super) struct PodRow {
    pub(super) object: Arc<Object>,
    /// Empty: not bound.
    pub(super) node: SmolStr,
    pub(super) host_network: bool,
    /// Scheduling waits until somebody takes the gates away.
    pub(super) gated: bool,
    pub(super) phase: Phase,
    /// The grace of a deletion, in seconds.
    pub(super) going: Option<i64>,
    pub(super) ready: bool,
    /// When its readiness last changed, in seconds since 1970.
    pub(super) ready_since: i64,
    pub(super) containers_ready: bool,
    pub(super) has_gates: bool,
    /// Whether all readiness gates are open.
    pub(super) gates_open: bool,
    pub(super) restarts: i64,
    pub(super) created: i64,
    /// `controller.kubernetes.io/pod-deletion-cost`.
    pub(super) cost: i64,
    /// The uid of its controller.
    pub(super) owner: Option<SmolStr>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) stage: Stage,
}

impl PodRow {
    /// Neither ended nor ending.
    pub(super) fn is_active(&self) -> bool {
        self.going.is_none() && !self.is_over()
    }

    /// Succeeded or failed.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Reads a Pod. What cannot be read is taken as absent: the API refused it before.
    pub(super) fn read(object: &Arc<Object>) -> PodRow {
        let pod: Pod = serde_json::from_slice(&object.json()).unwrap_or_default();
        let condition = |name: &str| pod.status.conditions.iter().flatten().find(|one| one.r#type == name);
        let is_true = |name: &str| condition(name).is_some_and(|condition| condition.status == "True");
        let gates = pod.spec.readiness_gates.iter().flatten();
        let addresses = pod.status.pod_ips.iter().flatten();
        let restarts = pod.status.container_statuses.iter().flatten().map(|status| status.restart_count);
        PodRow {
            object: Arc::clone(object),
            host_network: pod.spec.host_network,
            gated: pod.spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()),
            phase: pod.status.phase.unwrap_or_default(),
            going: pod
                .metadata
                .deletion_timestamp
                .as_ref()
                .map(|_| pod.metadata.deletion_grace_period_seconds.unwrap_or(0)),
            ready: is_true("Ready"),
            ready_since: condition("Ready")
                .map_or(0, |condition| seconds_of(condition.last_transition_time.as_deref().unwrap_or(""))),
            containers_ready: is_true("ContainersReady"),
            has_gates: pod.spec.readiness_gates.as_ref().is_some_and(|gates| !gates.is_empty()),
            gates_open: gates.into_iter().all(|gate| is_true(&gate.condition_type)),
            restarts: restarts.max().unwrap_or(0),
            created: seconds_of(pod.metadata.creation_timestamp.as_deref().unwrap_or("")),
            cost: pod
                .metadata
                .annotations
                .as_ref()
                .and_then(|annotations| annotations.cost.as_deref()?.parse().ok())
                .unwrap_or(0),
            owner: controller_of(pod.metadata.owner_references.as_deref()),
            addresses: addresses.filter_map(|address| address.ip.parse().ok()).collect(),
            node: pod.spec.node_name.unwrap_or_default(),
            stage: Stage::Idle,
        }
    }
}

fn controller_of(owners: Option<&[Owner]>) -> Option<SmolStr> {
    owners?.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    metadata: Metadata,
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    deletion_timestamp: Option<SmolStr>,
    deletion_grace_period_seconds: Option<i64>,
    creation_timestamp: Option<SmolStr>,
    owner_references: Option<Vec<Owner>>,
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Owner {
    uid: SmolStr,
    controller: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "controller.kubernetes.io/pod-deletion-cost")]
    cost: Option<SmolStr>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    node_name: Option<SmolStr>,
    host_network: bool,
    readiness_gates: Option<Vec<Gate>>,
    scheduling_gates: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gate {
    condition_type: SmolStr,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    phase: Option<Phase>,
    conditions: Option<Vec<Condition>>,
    #[serde(rename = "podIPs")]
    pod_ips: Option<Vec<Address>>,
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    r#type: SmolStr,
    status: SmolStr,
    last_transition_time: Option<SmolStr>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    ip: SmolStr,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    #[serde(default)]
    restart_count: i64,
}

/// A Node.
#[derive(Debug)]
pub(super) struct NodeRow {
    pub(super) object: Arc<Object>,
    pub(super) unschedulable: bool,
    pub(super) going: bool,
    pub(super) taints: Vec<Taint>,
    /// `status.allocatable.pods`.
    pub(super) room: usize,
    pub(super) pod_cidrs: Vec<SmolStr>,
    /// The number of its range, when it is one of ours.
    pub(super) number: Option<u32>,
    /// Whether it has addresses and conditions.
    pub(super) reports: bool,
    pub(super) ranges: Ranges,
    /// Its own addresses.
    pub(super) addresses: Vec<IpAddr>,
}

/// `v1.Taint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taint {
    pub(super) key: SmolStr,
    pub(super) value: SmolStr,
    pub(super) effect: SmolStr,
}

/// The zone of Nodes that say none.
pub(super) const NO_ZONE: &str = "";

impl NodeRow {
    pub(super) fn read(object: &Arc<Object>) -> NodeRow {
        let node = object.value();
        let text = |value: &Value| SmolStr::from(value.as_str().unwrap_or_default());
        let taints = node["spec"]["taints"].as_array().into_iter().flatten();
        let mut pod_cidrs: Vec<SmolStr> =
            node["spec"]["podCIDRs"].as_array().into_iter().flatten().map(text).collect();
        if pod_cidrs.is_empty() {
            pod_cidrs.extend(node["spec"]["podCIDR"].as_str().map(SmolStr::from));
        }
        let pods = &node["status"]["allocatable"]["pods"];
        let filled = |field: &str| node["status"][field].as_array().is_some_and(|list| !list.is_empty());
        let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
        let internal = addresses.filter(|one| one["type"] == "InternalIP");
        NodeRow {
            unschedulable: node["spec"]["unschedulable"].as_bool().unwrap_or(false),
            going: !node["metadata"]["deletionTimestamp"].is_null(),
            taints: taints
                .map(|taint| Taint {
                    key: text(&taint["key"]),
                    value: text(&taint["value"]),
                    effect: text(&taint["effect"]),
                })
                .collect(),
            room: pods.as_str().and_then(|pods| pods.parse().ok()).unwrap_or(usize::MAX),
            number: pod_cidrs.iter().find_map(|range| super::addresses::number_of(range)),
            reports: filled("addresses") && filled("conditions"),
            ranges: Ranges::new(pod_cidrs.iter().map(SmolStr::as_str)),
            pod_cidrs,
            addresses: internal.filter_map(|one| one["address"].as_str()?.parse().ok()).collect(),
            object: Arc::clone(object),
        }
    }

    pub(super) fn zone(&self) -> SmolStr {
        self.object.label("topology.kubernetes.io/zone").unwrap_or(NO_ZONE).into()
    }
}

/// A ReplicaSet.
#[derive(Debug)]
pub(super) struct SetRow {
    pub(super) object: Arc<Object>,
    pub(super) selector: Selector,
    /// The uid of its controller.
    pub(super) owner: Option<SmolStr>,
}

/// A Deployment.
#[derive(Debug)]
pub(super) struct DeploymentRow {
    pub(super) object: Arc<Object>,
    pub(super) selector: Selector,
}

/// The uid of an object's controller.
pub(super) fn controller_in(value: &Value) -> Option<SmolStr> {
    let owners = value["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    owner["uid"].as_str().map(SmolStr::from)
}
