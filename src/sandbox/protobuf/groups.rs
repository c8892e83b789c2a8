//! Field numbers of the other groups of k8s.io/api (v0.36.3).

use super::core::CORE_OBJECT_REFERENCE;
use super::core_pods::CORE_POD_TEMPLATE_SPEC;
use super::core_volumes::CORE_EVENT_SOURCE;
use super::meta::{META_LABEL_SELECTOR, META_OBJECT_META};
use super::shape::Type::{IntOrString, Message, MicroTime, Number, Text, Time, Truth};
use super::shape::{Shape, kept, list, map, one};

pub(super) static APPS_DEPLOYMENT: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    one(2, "spec", Message(&APPS_DEPLOYMENT_SPEC)),
    one(3, "status", Message(&APPS_DEPLOYMENT_STATUS)),
]);

pub(super) static APPS_DEPLOYMENT_CONDITION: Shape = Shape(&[
    kept(1, "type", Text),
    kept(2, "status", Text),
    one(6, "lastUpdateTime", Time),
    one(7, "lastTransitionTime", Time),
    one(4, "reason", Text),
    one(5, "message", Text),
]);

pub(super) static APPS_DEPLOYMENT_SPEC: Shape = Shape(&[
    kept(1, "replicas", Number),
    kept(2, "selector", Message(&META_LABEL_SELECTOR)),
    kept(3, "template", Message(&CORE_POD_TEMPLATE_SPEC)),
    one(4, "strategy", Message(&APPS_DEPLOYMENT_STRATEGY)),
    one(5, "minReadySeconds", Number),
    kept(6, "revisionHistoryLimit", Number),
    one(7, "paused", Truth),
    kept(9, "progressDeadlineSeconds", Number),
]);

pub(super) static APPS_DEPLOYMENT_STATUS: Shape = Shape(&[
    one(1, "observedGeneration", Number),
    one(2, "replicas", Number),
    one(3, "updatedReplicas", Number),
    one(7, "readyReplicas", Number),
    one(4, "availableReplicas", Number),
    one(5, "unavailableReplicas", Number),
    kept(9, "terminatingReplicas", Number),
    list(6, "conditions", Message(&APPS_DEPLOYMENT_CONDITION)),
    kept(8, "collisionCount", Number),
]);

pub(super) static APPS_DEPLOYMENT_STRATEGY: Shape =
    Shape(&[one(1, "type", Text), kept(2, "rollingUpdate", Message(&APPS_ROLLING_UPDATE_DEPLOYMENT))]);

pub(super) static APPS_REPLICA_SET: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    one(2, "spec", Message(&APPS_REPLICA_SET_SPEC)),
    one(3, "status", Message(&APPS_REPLICA_SET_STATUS)),
]);

pub(super) static APPS_REPLICA_SET_CONDITION: Shape = Shape(&[
    kept(1, "type", Text),
    kept(2, "status", Text),
    one(3, "lastTransitionTime", Time),
    one(4, "reason", Text),
    one(5, "message", Text),
]);

pub(super) static APPS_REPLICA_SET_SPEC: Shape = Shape(&[
    kept(1, "replicas", Number),
    one(4, "minReadySeconds", Number),
    kept(2, "selector", Message(&META_LABEL_SELECTOR)),
    one(3, "template", Message(&CORE_POD_TEMPLATE_SPEC)),
]);

pub(super) static APPS_REPLICA_SET_STATUS: Shape = Shape(&[
    kept(1, "replicas", Number),
    one(2, "fullyLabeledReplicas", Number),
    one(4, "readyReplicas", Number),
    one(5, "availableReplicas", Number),
    kept(7, "terminatingReplicas", Number),
    one(3, "observedGeneration", Number),
    list(6, "conditions", Message(&APPS_REPLICA_SET_CONDITION)),
]);

pub(super) static APPS_ROLLING_UPDATE_DEPLOYMENT: Shape =
    Shape(&[kept(1, "maxUnavailable", IntOrString), kept(2, "maxSurge", IntOrString)]);

pub(super) static AUTOSCALING_SCALE: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    one(2, "spec", Message(&AUTOSCALING_SCALE_SPEC)),
    one(3, "status", Message(&AUTOSCALING_SCALE_STATUS)),
]);

pub(super) static AUTOSCALING_SCALE_SPEC: Shape = Shape(&[one(1, "replicas", Number)]);

pub(super) static AUTOSCALING_SCALE_STATUS: Shape =
    Shape(&[kept(1, "replicas", Number), one(2, "selector", Text)]);

pub(super) static COORDINATION_LEASE: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    one(2, "spec", Message(&COORDINATION_LEASE_SPEC)),
]);

pub(super) static COORDINATION_LEASE_SPEC: Shape = Shape(&[
    kept(1, "holderIdentity", Text),
    kept(2, "leaseDurationSeconds", Number),
    kept(3, "acquireTime", MicroTime),
    kept(4, "renewTime", MicroTime),
    kept(5, "leaseTransitions", Number),
    kept(6, "strategy", Text),
    kept(7, "preferredHolder", Text),
]);

pub(super) static DISCOVERY_ENDPOINT: Shape = Shape(&[
    list(1, "addresses", Text),
    one(2, "conditions", Message(&DISCOVERY_ENDPOINT_CONDITIONS)),
    kept(3, "hostname", Text),
    kept(4, "targetRef", Message(&CORE_OBJECT_REFERENCE)),
    map(5, "deprecatedTopology", Text),
    kept(6, "nodeName", Text),
    kept(7, "zone", Text),
    kept(8, "hints", Message(&DISCOVERY_ENDPOINT_HINTS)),
]);

pub(super) static DISCOVERY_ENDPOINT_CONDITIONS: Shape =
    Shape(&[kept(1, "ready", Truth), kept(2, "serving", Truth), kept(3, "terminating", Truth)]);

pub(super) static DISCOVERY_ENDPOINT_HINTS: Shape = Shape(&[
    list(1, "forZones", Message(&DISCOVERY_FOR_ZONE)),
    list(2, "forNodes", Message(&DISCOVERY_FOR_NODE)),
]);

pub(super) static DISCOVERY_ENDPOINT_PORT: Shape = Shape(&[
    kept(1, "name", Text),
    kept(2, "protocol", Text),
    kept(3, "port", Number),
    kept(4, "appProtocol", Text),
]);

pub(super) static DISCOVERY_ENDPOINT_SLICE: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    kept(4, "addressType", Text),
    list(2, "endpoints", Message(&DISCOVERY_ENDPOINT)),
    list(3, "ports", Message(&DISCOVERY_ENDPOINT_PORT)),
]);

pub(super) static DISCOVERY_FOR_NODE: Shape = Shape(&[kept(1, "name", Text)]);

pub(super) static DISCOVERY_FOR_ZONE: Shape = Shape(&[kept(1, "name", Text)]);

pub(super) static EVENTS_EVENT: Shape = Shape(&[
    kept(1, "metadata", Message(&META_OBJECT_META)),
    kept(2, "eventTime", MicroTime),
    kept(3, "series", Message(&EVENTS_EVENT_SERIES)),
    one(4, "reportingController", Text),
    one(5, "reportingInstance", Text),
    one(6, "action", Text),
    one(7, "reason", Text),
    one(8, "regarding", Message(&CORE_OBJECT_REFERENCE)),
    kept(9, "related", Message(&CORE_OBJECT_REFERENCE)),
    one(10, "note", Text),
    one(11, "type", Text),
    one(12, "deprecatedSource", Message(&CORE_EVENT_SOURCE)),
    one(13, "deprecatedFirstTimestamp", Time),
    one(14, "deprecatedLastTimestamp", Time),
    one(15, "deprecatedCount", Number),
]);

pub(super) static EVENTS_EVENT_SERIES: Shape =
    Shape(&[kept(1, "count", Number), kept(2, "lastObservedTime", MicroTime)]);
