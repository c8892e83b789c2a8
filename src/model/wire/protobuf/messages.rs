//! The messages of the Kubernetes API, with just the fields that become part of a row: prost skips
//! all others by their length. Names and numbers are those of the `generated.proto` files of
//! `k8s.io/api` (core/v1, discovery/v1) and `k8s.io/apimachinery` (meta/v1, util/intstr).
//!
//! Go writes plain strings even when they are empty, and pointers only when they are set: the first
//! are fields of prost without presence, the second with it. A map is a list of its entries.

// What each is, the API documents.
#![allow(missing_docs)]

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `meta/v1.Time`; Go's zero time is an empty message.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Time {
    #[prost(int64, optional, tag = "1")]
    pub seconds: Option<i64>,
}

/// Of any object.
#[derive(Clone, PartialEq, Message)]
pub struct Identity {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
    #[prost(string, tag = "5")]
    pub uid: String,
    #[prost(string, tag = "6")]
    pub resource_version: String,
}

/// Any object, of which nothing but its identity is read.
#[derive(Clone, PartialEq, Message)]
pub struct Identified {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<Identity>,
}

/// Of kinds whose annotations are not read.
#[derive(Clone, PartialEq, Message)]
pub struct Meta {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
    #[prost(string, tag = "5")]
    pub uid: String,
    #[prost(string, tag = "6")]
    pub resource_version: String,
    #[prost(message, optional, tag = "9")]
    pub deletion_timestamp: Option<Time>,
    #[prost(message, repeated, tag = "11")]
    pub labels: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AnnotatedMeta {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
    #[prost(string, tag = "5")]
    pub uid: String,
    #[prost(string, tag = "6")]
    pub resource_version: String,
    #[prost(message, optional, tag = "8")]
    pub creation_timestamp: Option<Time>,
    #[prost(message, optional, tag = "9")]
    pub deletion_timestamp: Option<Time>,
    #[prost(message, repeated, tag = "11")]
    pub labels: Vec<Entry>,
    #[prost(message, repeated, tag = "12")]
    pub annotations: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SliceMeta {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub generate_name: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
    #[prost(string, tag = "5")]
    pub uid: String,
    #[prost(string, tag = "6")]
    pub resource_version: String,
    #[prost(message, optional, tag = "9")]
    pub deletion_timestamp: Option<Time>,
    #[prost(message, repeated, tag = "11")]
    pub labels: Vec<Entry>,
    #[prost(message, repeated, tag = "12")]
    pub annotations: Vec<Entry>,
    #[prost(message, repeated, tag = "13")]
    pub owner_references: Vec<OwnerReference>,
    #[prost(string, repeated, tag = "14")]
    pub finalizers: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct OwnerReference {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub uid: String,
    #[prost(string, tag = "5")]
    pub api_version: String,
    #[prost(bool, optional, tag = "6")]
    pub controller: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub block_owner_deletion: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Pod {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<Meta>,
    #[prost(message, optional, tag = "2")]
    pub spec: Option<PodSpec>,
    #[prost(message, optional, tag = "3")]
    pub status: Option<PodStatus>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PodSpec {
    #[prost(message, repeated, tag = "2")]
    pub containers: Vec<Container>,
    #[prost(string, tag = "10")]
    pub node_name: String,
    #[prost(string, tag = "16")]
    pub hostname: String,
    #[prost(string, tag = "17")]
    pub subdomain: String,
    #[prost(message, repeated, tag = "20")]
    pub init_containers: Vec<Container>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Container {
    #[prost(message, repeated, tag = "6")]
    pub ports: Vec<ContainerPort>,
    #[prost(string, tag = "24")]
    pub restart_policy: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct ContainerPort {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "3")]
    pub container_port: i32,
    #[prost(string, tag = "4")]
    pub protocol: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct PodStatus {
    #[prost(string, tag = "1")]
    pub phase: String,
    #[prost(message, repeated, tag = "2")]
    pub conditions: Vec<Condition>,
    #[prost(string, tag = "6")]
    pub pod_ip: String,
    #[prost(message, repeated, tag = "12")]
    pub pod_ips: Vec<PodIp>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PodIp {
    #[prost(string, tag = "1")]
    pub ip: String,
}

/// Of a Pod or a Node.
#[derive(Clone, PartialEq, Message)]
pub struct Condition {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(string, tag = "2")]
    pub status: String,
    #[prost(message, optional, tag = "4")]
    pub last_transition_time: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Service {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<AnnotatedMeta>,
    #[prost(message, optional, tag = "2")]
    pub spec: Option<ServiceSpec>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ServiceSpec {
    #[prost(message, repeated, tag = "1")]
    pub ports: Vec<ServicePort>,
    #[prost(message, repeated, tag = "2")]
    pub selector: Vec<Entry>,
    #[prost(string, tag = "3")]
    pub cluster_ip: String,
    #[prost(string, tag = "4")]
    pub kind: String,
    #[prost(bool, tag = "13")]
    pub publish_not_ready_addresses: bool,
    #[prost(string, repeated, tag = "19")]
    pub ip_families: Vec<String>,
    #[prost(string, optional, tag = "23")]
    pub traffic_distribution: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ServicePort {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub protocol: String,
    #[prost(int32, tag = "3")]
    pub port: i32,
    #[prost(message, optional, tag = "4")]
    pub target_port: Option<IntOrString>,
    #[prost(string, optional, tag = "6")]
    pub app_protocol: Option<String>,
}

/// `type` 0 is a number, 1 a string.
#[derive(Clone, PartialEq, Message)]
pub struct IntOrString {
    #[prost(int64, tag = "1")]
    pub kind: i64,
    #[prost(int32, tag = "2")]
    pub number: i32,
    #[prost(string, tag = "3")]
    pub text: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Node {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<Meta>,
    #[prost(message, optional, tag = "3")]
    pub status: Option<NodeStatus>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NodeStatus {
    #[prost(message, repeated, tag = "2")]
    pub allocatable: Vec<Resource>,
    #[prost(message, repeated, tag = "4")]
    pub conditions: Vec<Condition>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Resource {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub quantity: Option<Quantity>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Quantity {
    #[prost(string, tag = "1")]
    pub text: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Endpoints {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<AnnotatedMeta>,
    #[prost(message, repeated, tag = "2")]
    pub subsets: Vec<Subset>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Subset {
    #[prost(message, repeated, tag = "1")]
    pub addresses: Vec<Address>,
    #[prost(message, repeated, tag = "2")]
    pub not_ready_addresses: Vec<Address>,
    #[prost(message, repeated, tag = "3")]
    pub ports: Vec<EndpointsPort>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Address {
    #[prost(string, tag = "1")]
    pub ip: String,
    #[prost(message, optional, tag = "2")]
    pub target_ref: Option<ObjectReference>,
    #[prost(string, tag = "3")]
    pub hostname: String,
    #[prost(string, optional, tag = "4")]
    pub node_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct EndpointsPort {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub port: i32,
    #[prost(string, tag = "3")]
    pub protocol: String,
    #[prost(string, optional, tag = "4")]
    pub app_protocol: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ObjectReference {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(string, tag = "2")]
    pub namespace: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub uid: String,
    #[prost(string, tag = "5")]
    pub api_version: String,
    #[prost(string, tag = "6")]
    pub resource_version: String,
    #[prost(string, tag = "7")]
    pub field_path: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct EndpointSlice {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<SliceMeta>,
    #[prost(message, repeated, tag = "2")]
    pub endpoints: Vec<Endpoint>,
    #[prost(message, repeated, tag = "3")]
    pub ports: Vec<SlicePort>,
    #[prost(string, tag = "4")]
    pub address_type: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Endpoint {
    #[prost(string, repeated, tag = "1")]
    pub addresses: Vec<String>,
    #[prost(message, optional, tag = "2")]
    pub conditions: Option<Conditions>,
    #[prost(string, optional, tag = "3")]
    pub hostname: Option<String>,
    #[prost(message, optional, tag = "4")]
    pub target_ref: Option<ObjectReference>,
    #[prost(message, repeated, tag = "5")]
    pub deprecated_topology: Vec<Entry>,
    #[prost(string, optional, tag = "6")]
    pub node_name: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub zone: Option<String>,
    #[prost(message, optional, tag = "8")]
    pub hints: Option<Hints>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Conditions {
    #[prost(bool, optional, tag = "1")]
    pub ready: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub serving: Option<bool>,
    #[prost(bool, optional, tag = "3")]
    pub terminating: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Hints {
    #[prost(message, repeated, tag = "1")]
    pub for_zones: Vec<Hint>,
    #[prost(message, repeated, tag = "2")]
    pub for_nodes: Vec<Hint>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Hint {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct SlicePort {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub protocol: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub port: Option<i32>,
    #[prost(string, optional, tag = "4")]
    pub app_protocol: Option<String>,
}
