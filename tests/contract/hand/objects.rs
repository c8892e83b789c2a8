//! The objects that sequences are about.

use serde_json::{Value, json};

pub fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    })
}

pub fn slice(name: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }},
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true}}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    })
}

pub fn endpoints(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name, "labels": {"app": "web"}},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"name": "http", "port": 8080}]}],
    })
}

pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "example.org/app:1"}]},
    })
}

/// Its name begins with the namespace, since Nodes have none; its label `of` is what to select it by.
pub fn node(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("{{ns}}-{name}"), "labels": {"of": "{ns}"}},
    })
}

pub fn lease(name: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name},
        "spec": {
            "holderIdentity": "one", "leaseDurationSeconds": 15, "leaseTransitions": 0,
            "acquireTime": "2024-01-02T03:04:05.000000Z", "renewTime": "2024-01-02T03:04:06.789012Z",
        },
    })
}

pub fn event(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name},
        "involvedObject": {"kind": "Service", "name": "web", "namespace": "{ns}", "apiVersion": "v1"},
        "reason": "FailedToUpdateEndpointSlices", "message": "it failed", "type": "Warning",
        "source": {"component": "endpoint-slice-controller"},
        "firstTimestamp": "2024-01-02T03:04:05Z", "lastTimestamp": "2024-01-02T03:04:05Z", "count": 1,
    })
}

pub fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "example.org/app:1"}]},
            },
        },
    })
}

pub fn replica_set(name: &str) -> Value {
    let mut object = deployment(name);
    object["kind"] = json!("ReplicaSet");
    object
}

/// The object with one place changed; objects and lists on the way are made, `~1` is a slash.
pub fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    crate::support::pods::set(&mut object, pointer, value);
    object
}

/// One of each kind that is in a namespace, by its resource.
pub fn one_of_each(name: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("services", service(name)),
        ("endpoints", endpoints(name)),
        ("endpointslices", slice(name)),
        ("pods", pod(name)),
        ("leases", lease(name)),
        ("events", event(name)),
        ("deployments", deployment(name)),
        ("replicasets", replica_set(name)),
    ]
}
