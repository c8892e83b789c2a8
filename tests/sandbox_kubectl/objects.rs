//! One rich object of each kind.

use endpointslice_controller::sandbox::Kind;
use serde_json::{Value, json};

/// One of each kind.
pub fn all() -> [(Kind, Value); 10] {
    [
        (Kind::Pod, pod()),
        (Kind::Deployment, deployment()),
        (Kind::ReplicaSet, replica_set()),
        (Kind::Service, service()),
        (Kind::Node, node()),
        (Kind::Namespace, namespace()),
        (Kind::EndpointSlice, endpoint_slice()),
        (Kind::Endpoints, endpoints()),
        (Kind::Lease, lease()),
        (Kind::Event, event()),
    ]
}

pub fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "rich", "namespace": "default", "labels": {"app": "example", "tier": "front"},
            "finalizers": ["example.com/a", "example.com/b"],
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": "one", "uid": "u1"},
                {"apiVersion": "v1", "kind": "Node", "name": "two", "uid": "u2"},
            ],
        },
        "spec": {
            "containers": [container("a"), container("b")],
            "initContainers": [{"name": "i", "image": "i"}],
            "volumes": [{"name": "v1", "emptyDir": {}}, {"name": "v2", "hostPath": {"path": "/tmp"}}],
            "tolerations": [{"key": "k", "operator": "Exists"}],
            "imagePullSecrets": [{"name": "s1"}, {"name": "s2"}],
            "hostAliases": [{"ip": "10.1.1.1", "hostnames": ["x"]}],
            "readinessGates": [{"conditionType": "example.com/gate"}],
            "nodeSelector": {"disk": "ssd"},
        },
    })
}

pub fn container(name: &str) -> Value {
    json!({
        "name": name, "image": format!("image/{name}"), "args": ["one", "two"],
        "ports": [{"containerPort": 80, "name": format!("{name}-http")}, {"containerPort": 443}],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "volumeMounts": [{"name": "v1", "mountPath": "/m1"}, {"name": "v2", "mountPath": "/m2"}],
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
    })
}

pub fn deployment() -> Value {
    let mut template = pod();
    let metadata = json!({"labels": template["metadata"]["labels"]});
    template["metadata"] = metadata;
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "rich", "namespace": "default", "labels": {"app": "example"},
                     "annotations": {"note": "one"}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "example"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": template["metadata"], "spec": template["spec"]},
        },
    })
}

pub fn replica_set() -> Value {
    let mut replica_set = deployment();
    replica_set["kind"] = "ReplicaSet".into();
    if let Some(spec) = replica_set["spec"].as_object_mut() {
        spec.remove("strategy");
    }
    replica_set
}

pub fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "rich", "namespace": "default", "finalizers": ["example.com/a"]},
        "spec": {
            "selector": {"app": "example"}, "externalIPs": ["192.0.2.1", "192.0.2.2"],
            "ports": [
                {"name": "http", "port": 80, "targetPort": 9376},
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            ],
        },
    })
}

pub fn node() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "rich", "labels": {
            "topology.kubernetes.io/zone": "a", "node-role.kubernetes.io/worker": "", "kubernetes.io/role": "extra",
        }},
        "spec": {
            "podCIDR": "10.2.0.0/24", "podCIDRs": ["10.2.0.0/24", "fd00:2::/64"],
            "taints": [{"key": "one", "effect": "NoSchedule"}, {"key": "two", "effect": "NoExecute"}],
        },
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.3.0.1"}, {"type": "Hostname", "address": "rich"}],
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady"},
                {"type": "MemoryPressure", "status": "False"},
            ],
            "nodeInfo": {
                "kubeletVersion": "v1.36.3", "osImage": "Some Linux", "kernelVersion": "6.1", "architecture": "amd64",
                "containerRuntimeVersion": "containerd://2", "bootID": "", "machineID": "", "systemUUID": "",
                "operatingSystem": "linux", "kubeProxyVersion": "",
            },
        },
    })
}

pub fn namespace() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "rich"}})
}

pub fn endpoints() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "rich", "namespace": "default"},
        "subsets": [
            {"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]},
            {"addresses": [{"ip": "2001:db8::1"}], "ports": [{"port": 80}]},
        ],
    })
}

pub fn endpoint_slice() -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "rich", "namespace": "default", "labels": {"kubernetes.io/service-name": "rich"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": true}}, {"addresses": ["10.0.0.2"]},
            {"addresses": ["10.0.0.3"]}, {"addresses": ["10.0.0.4"]}, {"addresses": ["10.0.0.5"]},
        ],
        "ports": [{"name": "a", "port": 80, "protocol": "TCP"}, {"name": "b", "port": 81, "protocol": "TCP"}],
    })
}

pub fn lease() -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "rich", "namespace": "default"},
        "spec": {"holderIdentity": "somebody"},
    })
}

pub fn event() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "rich", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "rich", "fieldPath": "spec.containers{a}"},
        "type": "Normal", "reason": "Started", "message": " Started it\n", "count": 3,
        "source": {"component": "kubelet", "host": "rich"},
        "firstTimestamp": "2026-01-02T03:04:05Z", "lastTimestamp": "2026-02-02T03:04:05Z",
    })
}
