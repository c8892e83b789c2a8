//! What `kubectl get` prints.

use serde_json::json;

use super::Scene;
use super::objects::*;
use crate::step::{PARTIAL, PARTIAL_LIST, Script, TABLE};

pub const SCENES: &[Scene] = &[
    ("tables of every kind", every_kind),
    ("tables of Services", services),
    ("tables of slices and Endpoints", slices),
    ("tables of Pods", pods),
    ("tables of Nodes", nodes),
    ("tables of workloads", workloads),
    ("tables of Leases, Events and Namespaces", others),
    ("tables without objects, and with whole ones", include),
    ("only metadata", metadata),
    ("refusals as tables", refusals),
];

fn every_kind(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.get_as(TABLE, resource);
        s.create(resource, object);
        s.get_as(TABLE, resource);
        s.get_as(TABLE, &format!("{resource}/a"));
    }
}

fn services(s: &mut Script) {
    for (name, pointer, value) in [
        ("a", "/spec/type", json!("NodePort")),
        ("b", "/spec/type", json!("LoadBalancer")),
        ("c", "/spec/clusterIP", json!("None")),
        ("d", "/spec/externalIPs", json!(["192.0.2.1", "192.0.2.2"])),
        ("e", "/spec/ports", json!([{"name": "x", "port": 1}, {"name": "y", "port": 2, "protocol": "UDP"}])),
        ("f", "/spec/selector", json!({"b": "1", "a": "2"})),
        ("g", "/spec/selector", json!(null)),
    ] {
        s.create("services", with(service(name), pointer, value));
    }
    s.create(
        "services",
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "h"},
        "spec": {"type": "ExternalName", "externalName": "example.org"}}),
    );
    s.merge("services/b/status", json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}, {"hostname": "lb.example.org"}]}}}));
    s.get_as(TABLE, "services");
    s.get_as(TABLE, "services?limit=2");
}

fn slices(s: &mut Script) {
    let many: Vec<_> = (1..6).map(|n| json!({"addresses": [format!("192.0.2.{n}")]})).collect();
    let ports: Vec<_> = (1..6).map(|n| json!({"name": format!("p{n}"), "port": n})).collect();
    s.create("endpointslices", with(with(slice("a"), "/endpoints", json!(many)), "/ports", json!(ports)));
    s.create("endpointslices", with(with(slice("b"), "/endpoints", json!([])), "/ports", json!([])));
    s.create(
        "endpointslices",
        with(slice("c"), "/ports", json!([{"name": "", "port": null}, {"name": "x"}])),
    );
    s.create(
        "endpointslices",
        with(
            with(slice("d"), "/addressType", json!("FQDN")),
            "/endpoints",
            json!([{"addresses": ["a.example.org", "b.example.org"]}]),
        ),
    );
    s.get_as(TABLE, "endpointslices");
    let addresses: Vec<_> = (1..6).map(|n| json!({"ip": format!("192.0.2.{n}")})).collect();
    s.create("endpoints", json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "a"},
        "subsets": [{"addresses": addresses, "ports": [{"name": "x", "port": 1}, {"name": "y", "port": 2}]}]}));
    s.create("endpoints", with(endpoints("b"), "/subsets", json!([])));
    s.create(
        "endpoints",
        with(
            endpoints("c"),
            "/subsets",
            json!([{"notReadyAddresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1}]}]),
        ),
    );
    s.create("endpoints", with(endpoints("d"), "/subsets", json!([{"addresses": [{"ip": "192.0.2.1"}]}])));
    s.get_as(TABLE, "endpoints");
}

fn pods(s: &mut Script) {
    s.create("nodes", node("n"));
    for (name, status) in [
        ("a", json!({"phase": "Pending"})),
        (
            "b",
            json!({"phase": "Running", "podIP": "192.0.2.1", "podIPs": [{"ip": "192.0.2.1"}, {"ip": "fd00::1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "main", "ready": true, "restartCount": 2, "image": "x", "imageID": "", "state": {"running": {"startedAt": "2024-01-02T03:04:05Z"}}}]}),
        ),
        (
            "c",
            json!({"phase": "Running",
            "containerStatuses": [{"name": "main", "ready": false, "restartCount": 0, "image": "x", "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
        ),
        (
            "d",
            json!({"phase": "Succeeded",
            "containerStatuses": [{"name": "main", "ready": false, "restartCount": 0, "image": "x", "imageID": "", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}]}),
        ),
        ("e", json!({"phase": "Failed", "reason": "Evicted"})),
        (
            "f",
            json!({"phase": "Failed",
            "containerStatuses": [{"name": "main", "ready": false, "restartCount": 0, "image": "x", "imageID": "", "state": {"terminated": {"exitCode": 3}}}]}),
        ),
        (
            "g",
            json!({"phase": "Unknown", "nominatedNodeName": "x", "conditions": [{"type": "ready-gate", "status": "True"}]}),
        ),
    ] {
        let object = with(pod(name), "/spec/nodeName", json!("{ns}-n"));
        let object = if name == "g" {
            with(object, "/spec/readinessGates", json!([{"conditionType": "ready-gate"}]))
        } else {
            object
        };
        s.create("pods", object);
        s.merge(&format!("pods/{name}/status"), json!({"status": status}));
    }
    s.delete("pods/b");
    s.get_as(TABLE, "pods");
}

fn nodes(s: &mut Script) {
    s.create("nodes", node("a"));
    s.create("nodes", with(node("b"), "/metadata/labels/node-role.kubernetes.io~1control-plane", json!("")));
    s.create(
        "nodes",
        with(
            node("c"),
            "/spec",
            json!({"unschedulable": true, "podCIDR": "10.99.0.0/24", "podCIDRs": ["10.99.0.0/24"]}),
        ),
    );
    s.merge("nodes/{ns}-a/status", json!({"status": {"conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "ExternalIP", "address": "192.0.2.2"}],
        "nodeInfo": {"kubeletVersion": "v1.36.3", "osImage": "Linux", "kernelVersion": "6", "containerRuntimeVersion": "c://1", "machineID": "",
            "systemUUID": "", "bootID": "", "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64"}}}));
    s.merge("nodes/{ns}-b/status", json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}));
    s.merge(
        "nodes/{ns}-c/status",
        json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}),
    );
    s.get_as(TABLE, "nodes?labelSelector=of%3D{ns}");
}

fn workloads(s: &mut Script) {
    s.create("deployments", deployment("a"));
    s.create("replicasets", replica_set("a"));
    s.merge("deployments/a/status", json!({"status": {"replicas": 2, "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1, "observedGeneration": 1}}));
    s.merge(
        "replicasets/a/status",
        json!({"status": {"replicas": 2, "readyReplicas": 1, "observedGeneration": 1}}),
    );
    s.get_as(TABLE, "deployments");
    s.get_as(TABLE, "replicasets");
    s.get_as(TABLE, "deployments/a/scale");
}

fn others(s: &mut Script) {
    s.create("leases", lease("a"));
    s.create("leases", json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "b"}, "spec": {}}));
    s.get_as(TABLE, "leases");
    s.create("events", event("a"));
    s.create("newevents", json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "b"}, "type": "Normal",
        "eventTime": "2024-01-02T03:04:05.000000Z", "reason": "Done", "action": "do", "note": "well", "reportingController": "example.org/c",
        "reportingInstance": "i", "regarding": {"kind": "Pod", "name": "p", "namespace": "{ns}"}}));
    s.get_as(TABLE, "events");
    s.get_as(TABLE, "newevents");
    s.get_as(TABLE, "namespaces/{ns}");
}

fn include(s: &mut Script) {
    s.create("services", service("a"));
    for policy in ["None", "Object", "Metadata", "Nonsense"] {
        s.get_as(TABLE, &format!("services?includeObject={policy}"));
        s.get_as(TABLE, &format!("services/a?includeObject={policy}"));
    }
    s.get_as("application/json;as=Table;v=v1beta1;g=meta.k8s.io", "services");
    s.get_as("application/json;as=Table;v=v9;g=meta.k8s.io", "services");
    s.get_as("application/json;as=Nonsense;v=v1;g=meta.k8s.io", "services");
    s.get_as("application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", "services");
}

fn metadata(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.create(resource, object);
        s.get_as(PARTIAL, &format!("{resource}/a"));
        s.get_as(PARTIAL_LIST, resource);
        s.get_as(PARTIAL, resource);
        s.get_as(PARTIAL_LIST, &format!("{resource}/a"));
    }
}

fn refusals(s: &mut Script) {
    s.get_as(TABLE, "services/none");
    s.get_as(PARTIAL, "services/none");
    s.get_as(TABLE, "nonsense");
    s.get_as(TABLE, "services?labelSelector=a%20b");
}
