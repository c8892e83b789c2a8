//! EndpointSlices as rows, exact enough to be rebuilt for writing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use smol_str::SmolStr;

use super::labels::{MANAGED_BY, SERVICE_NAME, TRIGGER_TIME};
use super::{
    AddressType, Addresses, Annotations, Foreign, Key, Labels, Loop, OwnerReference, Protocol, Text, Time,
    Uid, Version,
};

/// A reference from an endpoint to the object behind it (core/v1 ObjectReference). Absent fields
/// are empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TargetReference {
    /// Kind: `Pod`.
    pub kind: Text,
    /// Namespace.
    pub namespace: Text,
    /// Name.
    pub name: SmolStr,
    /// Uid.
    pub uid: Uid,
    /// API version.
    pub api_version: Text,
    /// resourceVersion; ignored when comparing endpoints.
    pub resource_version: SmolStr,
    /// Field path.
    pub field_path: SmolStr,
}

/// The conditions of an endpoint. Absent differs from false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Conditions {
    /// Takes new connections.
    pub ready: Option<bool>,
    /// Answers, terminating or not.
    pub serving: Option<bool>,
    /// Has a deletionTimestamp.
    pub terminating: Option<bool>,
}

/// Topology hints of an endpoint. An object without zones and nodes differs from no object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hints {
    /// Names of zones.
    pub for_zones: Vec<Text>,
    /// Names of nodes.
    pub for_nodes: Vec<Text>,
}

/// An endpoint of a slice. Shared between a Service's desired endpoints and its slices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Addresses.
    pub addresses: Addresses,
    /// Conditions.
    pub conditions: Conditions,
    /// Host name; absent and empty are the same for identity.
    pub hostname: Option<SmolStr>,
    /// The object behind it. Boxed: a third of the row.
    pub target_ref: Option<Box<TargetReference>>,
    /// Node name.
    pub node_name: Option<Text>,
    /// Zone.
    pub zone: Option<Text>,
    /// Hints.
    pub hints: Option<Box<Hints>>,
    /// Fields that this program does not set (`deprecatedTopology`, fields of a newer API). An
    /// endpoint that is left as it is keeps them; one that is desired anew has none.
    pub foreign: Option<Box<BTreeMap<String, Value>>>,
}

/// A port of a slice. Absent name and appProtocol differ from empty ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// Name.
    pub name: Option<Text>,
    /// Protocol; an absent one reads as TCP.
    pub protocol: Protocol,
    /// Number.
    pub port: Option<i32>,
    /// Application protocol.
    pub app_protocol: Option<Text>,
}

/// An EndpointSlice: our row of it, and what on it is foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Namespace and name.
    pub key: Key,
    /// Uid; empty for one that is to be created.
    pub uid: Uid,
    /// resourceVersion; 0 for one that is to be created.
    pub version: Version,
    /// `metadata.generateName`, or empty.
    pub generate_name: SmolStr,
    /// Labels, all of them.
    pub labels: Labels,
    /// Annotations, all of them, the trigger time too.
    pub annotations: Annotations,
    /// Whether it has a deletionTimestamp.
    pub deleting: bool,
    /// Owner references, ours and others.
    pub owners: Arc<[OwnerReference]>,
    /// Address type.
    pub address_type: AddressType,
    /// Ports, in order; `null`, absent and empty are the same.
    pub ports: Arc<[Port]>,
    /// Endpoints, in order; `null` and absent are empty.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// What this program does not set.
    pub foreign: Option<Box<Foreign>>,
}

impl Slice {
    /// Name of the Service by label; `None` when the label is absent.
    pub fn service(&self) -> Option<&Text> {
        self.labels.get(SERVICE_NAME)
    }

    /// The loop whose managed-by label it bears.
    pub fn managed_by(&self) -> Option<Loop> {
        self.labels.get(MANAGED_BY).and_then(|value| Loop::of(value))
    }

    /// The trigger time annotation, where it can be read.
    pub fn trigger_time(&self) -> Option<Time> {
        self.annotations.get(TRIGGER_TIME).and_then(|text| Time::parse(text))
    }

    /// The key of the Service (or Endpoints) that this slice's labels file it under.
    pub fn service_key(&self) -> Option<Key> {
        self.service().map(|name| Key { namespace: self.key.namespace.clone(), name: SmolStr::new(name) })
    }
}
