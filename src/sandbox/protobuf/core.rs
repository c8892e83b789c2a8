//! Field numbers of k8s.io/api/core/v1 (v0.36.3): Nodes, Services and the rest.

use super::core_pods::{CORE_CONTAINER_IMAGE, CORE_RESOURCE_FIELD_SELECTOR};
use super::core_volumes::{CORE_EVENT_SOURCE, CORE_NODE_CONFIG_SOURCE};
use super::meta::{META_CONDITION, META_OBJECT_META};
use super::shape::Type::{IntOrString, Message, MicroTime, Number, Quantity, Text, Time, Truth};
use super::shape::{Shape, kept, list, map, one};

pub(super) static CORE_ATTACHED_VOLUME: Shape = Shape(&[kept(1, "name", Text), kept(2, "devicePath", Text)]);

pub(super) static CORE_BINDING: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    kept(2, "target", Message(&CORE_OBJECT_REFERENCE)),
]);

pub(super) static CORE_CLIENT_IP_CONFIG: Shape = Shape(&[kept(1, "timeoutSeconds", Number)]);

pub(super) static CORE_DAEMON_ENDPOINT: Shape = Shape(&[kept(1, "Port", Number)]);

pub(super) static CORE_DOWNWARD_API_VOLUME_FILE: Shape = Shape(&[
    kept(1, "path", Text),
    kept(2, "fieldRef", Message(&CORE_OBJECT_FIELD_SELECTOR)),
    kept(3, "resourceFieldRef", Message(&CORE_RESOURCE_FIELD_SELECTOR)),
    kept(4, "mode", Number),
]);

pub(super) static CORE_ENDPOINT_ADDRESS: Shape = Shape(&[
    kept(1, "ip", Text),
    one(3, "hostname", Text),
    kept(4, "nodeName", Text),
    kept(2, "targetRef", Message(&CORE_OBJECT_REFERENCE)),
]);

pub(super) static CORE_ENDPOINT_PORT: Shape = Shape(&[
    one(1, "name", Text),
    kept(2, "port", Number),
    one(3, "protocol", Text),
    kept(4, "appProtocol", Text),
]);

pub(super) static CORE_ENDPOINT_SUBSET: Shape = Shape(&[
    list(1, "addresses", Message(&CORE_ENDPOINT_ADDRESS)),
    list(2, "notReadyAddresses", Message(&CORE_ENDPOINT_ADDRESS)),
    list(3, "ports", Message(&CORE_ENDPOINT_PORT)),
]);

pub(super) static CORE_ENDPOINTS: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    list(2, "subsets", Message(&CORE_ENDPOINT_SUBSET)),
]);

pub(super) static CORE_EVENT: Shape = Shape(&[
    kept(1, "metadata", Message(&META_OBJECT_META)),
    kept(2, "involvedObject", Message(&CORE_OBJECT_REFERENCE)),
    one(3, "reason", Text),
    one(4, "message", Text),
    one(5, "source", Message(&CORE_EVENT_SOURCE)),
    one(6, "firstTimestamp", Time),
    one(7, "lastTimestamp", Time),
    one(8, "count", Number),
    one(9, "type", Text),
    one(10, "eventTime", MicroTime),
    kept(11, "series", Message(&CORE_EVENT_SERIES)),
    one(12, "action", Text),
    kept(13, "related", Message(&CORE_OBJECT_REFERENCE)),
    kept(14, "reportingComponent", Text),
    kept(15, "reportingInstance", Text),
]);

pub(super) static CORE_EVENT_SERIES: Shape =
    Shape(&[one(1, "count", Number), one(2, "lastObservedTime", MicroTime)]);

pub(super) static CORE_IMAGE_VOLUME_STATUS: Shape = Shape(&[one(1, "imageRef", Text)]);

pub(super) static CORE_LINUX_CONTAINER_USER: Shape =
    Shape(&[kept(1, "uid", Number), kept(2, "gid", Number), list(3, "supplementalGroups", Number)]);

pub(super) static CORE_LOAD_BALANCER_INGRESS: Shape = Shape(&[
    one(1, "ip", Text),
    one(2, "hostname", Text),
    kept(3, "ipMode", Text),
    list(4, "ports", Message(&CORE_PORT_STATUS)),
]);

pub(super) static CORE_LOAD_BALANCER_STATUS: Shape =
    Shape(&[list(1, "ingress", Message(&CORE_LOAD_BALANCER_INGRESS))]);

pub(super) static CORE_LOCAL_OBJECT_REFERENCE: Shape = Shape(&[one(1, "name", Text)]);

pub(super) static CORE_NAMESPACE: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    one(2, "spec", Message(&CORE_NAMESPACE_SPEC)),
    one(3, "status", Message(&CORE_NAMESPACE_STATUS)),
]);

pub(super) static CORE_NAMESPACE_CONDITION: Shape = Shape(&[
    kept(1, "type", Text),
    kept(2, "status", Text),
    one(4, "lastTransitionTime", Time),
    one(5, "reason", Text),
    one(6, "message", Text),
]);

pub(super) static CORE_NAMESPACE_SPEC: Shape = Shape(&[list(1, "finalizers", Text)]);

pub(super) static CORE_NAMESPACE_STATUS: Shape =
    Shape(&[one(1, "phase", Text), list(2, "conditions", Message(&CORE_NAMESPACE_CONDITION))]);

pub(super) static CORE_NODE: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    one(2, "spec", Message(&CORE_NODE_SPEC)),
    one(3, "status", Message(&CORE_NODE_STATUS)),
]);

pub(super) static CORE_NODE_ADDRESS: Shape = Shape(&[kept(1, "type", Text), kept(2, "address", Text)]);

pub(super) static CORE_NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS: Shape =
    Shape(&[kept(1, "resourceClaimName", Text), list(2, "containers", Text), map(3, "resources", Quantity)]);

pub(super) static CORE_NODE_CONDITION: Shape = Shape(&[
    kept(1, "type", Text),
    kept(2, "status", Text),
    one(3, "lastHeartbeatTime", Time),
    one(4, "lastTransitionTime", Time),
    one(5, "reason", Text),
    one(6, "message", Text),
]);

pub(super) static CORE_NODE_CONFIG_STATUS: Shape = Shape(&[
    kept(1, "assigned", Message(&CORE_NODE_CONFIG_SOURCE)),
    kept(2, "active", Message(&CORE_NODE_CONFIG_SOURCE)),
    kept(3, "lastKnownGood", Message(&CORE_NODE_CONFIG_SOURCE)),
    one(4, "error", Text),
]);

pub(super) static CORE_NODE_DAEMON_ENDPOINTS: Shape =
    Shape(&[one(1, "kubeletEndpoint", Message(&CORE_DAEMON_ENDPOINT))]);

pub(super) static CORE_NODE_FEATURES: Shape = Shape(&[kept(1, "supplementalGroupsPolicy", Truth)]);

pub(super) static CORE_NODE_RUNTIME_HANDLER: Shape =
    Shape(&[kept(1, "name", Text), kept(2, "features", Message(&CORE_NODE_RUNTIME_HANDLER_FEATURES))]);

pub(super) static CORE_NODE_RUNTIME_HANDLER_FEATURES: Shape =
    Shape(&[kept(1, "recursiveReadOnlyMounts", Truth), kept(2, "userNamespaces", Truth)]);

pub(super) static CORE_NODE_SPEC: Shape = Shape(&[
    one(1, "podCIDR", Text),
    list(7, "podCIDRs", Text),
    one(3, "providerID", Text),
    one(4, "unschedulable", Truth),
    list(5, "taints", Message(&CORE_TAINT)),
    kept(6, "configSource", Message(&CORE_NODE_CONFIG_SOURCE)),
    one(2, "externalID", Text),
]);

pub(super) static CORE_NODE_STATUS: Shape = Shape(&[
    map(1, "capacity", Quantity),
    map(2, "allocatable", Quantity),
    one(3, "phase", Text),
    list(4, "conditions", Message(&CORE_NODE_CONDITION)),
    list(5, "addresses", Message(&CORE_NODE_ADDRESS)),
    one(6, "daemonEndpoints", Message(&CORE_NODE_DAEMON_ENDPOINTS)),
    one(7, "nodeInfo", Message(&CORE_NODE_SYSTEM_INFO)),
    list(8, "images", Message(&CORE_CONTAINER_IMAGE)),
    list(9, "volumesInUse", Text),
    list(10, "volumesAttached", Message(&CORE_ATTACHED_VOLUME)),
    kept(11, "config", Message(&CORE_NODE_CONFIG_STATUS)),
    list(12, "runtimeHandlers", Message(&CORE_NODE_RUNTIME_HANDLER)),
    kept(13, "features", Message(&CORE_NODE_FEATURES)),
    list(14, "declaredFeatures", Text),
]);

pub(super) static CORE_NODE_SWAP_STATUS: Shape = Shape(&[kept(1, "capacity", Number)]);

pub(super) static CORE_NODE_SYSTEM_INFO: Shape = Shape(&[
    kept(1, "machineID", Text),
    kept(2, "systemUUID", Text),
    kept(3, "bootID", Text),
    kept(4, "kernelVersion", Text),
    kept(5, "osImage", Text),
    kept(6, "containerRuntimeVersion", Text),
    kept(7, "kubeletVersion", Text),
    kept(8, "kubeProxyVersion", Text),
    kept(9, "operatingSystem", Text),
    kept(10, "architecture", Text),
    kept(11, "swap", Message(&CORE_NODE_SWAP_STATUS)),
]);

pub(super) static CORE_OBJECT_FIELD_SELECTOR: Shape =
    Shape(&[one(1, "apiVersion", Text), kept(2, "fieldPath", Text)]);

pub(super) static CORE_OBJECT_REFERENCE: Shape = Shape(&[
    one(1, "kind", Text),
    one(2, "namespace", Text),
    one(3, "name", Text),
    one(4, "uid", Text),
    one(5, "apiVersion", Text),
    one(6, "resourceVersion", Text),
    one(7, "fieldPath", Text),
]);

pub(super) static CORE_PORT_STATUS: Shape =
    Shape(&[kept(1, "port", Number), kept(2, "protocol", Text), kept(3, "error", Text)]);

pub(super) static CORE_SE_LINUX_OPTIONS: Shape =
    Shape(&[one(1, "user", Text), one(2, "role", Text), one(3, "type", Text), one(4, "level", Text)]);

pub(super) static CORE_SERVICE: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    one(2, "spec", Message(&CORE_SERVICE_SPEC)),
    one(3, "status", Message(&CORE_SERVICE_STATUS)),
]);

pub(super) static CORE_SERVICE_PORT: Shape = Shape(&[
    one(1, "name", Text),
    one(2, "protocol", Text),
    kept(6, "appProtocol", Text),
    kept(3, "port", Number),
    one(4, "targetPort", IntOrString),
    one(5, "nodePort", Number),
]);

pub(super) static CORE_SERVICE_SPEC: Shape = Shape(&[
    list(1, "ports", Message(&CORE_SERVICE_PORT)),
    map(2, "selector", Text),
    one(3, "clusterIP", Text),
    list(18, "clusterIPs", Text),
    one(4, "type", Text),
    list(5, "externalIPs", Text),
    one(7, "sessionAffinity", Text),
    one(8, "loadBalancerIP", Text),
    list(9, "loadBalancerSourceRanges", Text),
    one(10, "externalName", Text),
    one(11, "externalTrafficPolicy", Text),
    one(12, "healthCheckNodePort", Number),
    one(13, "publishNotReadyAddresses", Truth),
    kept(14, "sessionAffinityConfig", Message(&CORE_SESSION_AFFINITY_CONFIG)),
    list(19, "ipFamilies", Text),
    kept(17, "ipFamilyPolicy", Text),
    kept(20, "allocateLoadBalancerNodePorts", Truth),
    kept(21, "loadBalancerClass", Text),
    kept(22, "internalTrafficPolicy", Text),
    kept(23, "trafficDistribution", Text),
]);

pub(super) static CORE_SERVICE_STATUS: Shape = Shape(&[
    one(1, "loadBalancer", Message(&CORE_LOAD_BALANCER_STATUS)),
    list(2, "conditions", Message(&META_CONDITION)),
]);

pub(super) static CORE_SESSION_AFFINITY_CONFIG: Shape =
    Shape(&[kept(1, "clientIP", Message(&CORE_CLIENT_IP_CONFIG))]);

pub(super) static CORE_SYSCTL: Shape = Shape(&[kept(1, "name", Text), kept(2, "value", Text)]);

pub(super) static CORE_TAINT: Shape = Shape(&[
    kept(1, "key", Text),
    one(2, "value", Text),
    kept(3, "effect", Text),
    kept(4, "timeAdded", Time),
]);

pub(super) static CORE_TYPED_LOCAL_OBJECT_REFERENCE: Shape =
    Shape(&[kept(1, "apiGroup", Text), kept(2, "kind", Text), kept(3, "name", Text)]);

pub(super) static CORE_TYPED_OBJECT_REFERENCE: Shape = Shape(&[
    kept(1, "apiGroup", Text),
    kept(2, "kind", Text),
    kept(3, "name", Text),
    kept(4, "namespace", Text),
]);
