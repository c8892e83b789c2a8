//! Patches of every kind.

use serde_json::json;

use super::Scene;
use super::objects::*;
use crate::step::{JSON, JSON_PATCH, MERGE, STRATEGIC, Script, version};

pub const SCENES: &[Scene] = &[
    ("merge patches", merge),
    ("JSON patches", json_patches),
    ("JSON patches that fail", bad_json_patches),
    ("strategic merge patches of a Service", strategic_service),
    ("strategic merge patches of a Pod", strategic_pod),
    ("strategic merge patches of a Deployment", strategic_deployment),
    ("strategic merge patches of a Node", strategic_node),
    ("strategic merge patches of other kinds", strategic_others),
    ("directives that make no sense", bad_directives),
    ("patches that cannot be read", unreadable),
    ("patches and versions", versions),
    ("apply-patch", apply),
    ("patches of status", status),
];

fn merge(s: &mut Script) {
    s.create("services", service("a"));
    s.merge(
        "services/a",
        json!({"metadata": {"labels": {"app": null, "b": "c"}, "annotations": {"x": "y"}}}),
    );
    s.merge(
        "services/a",
        json!({"spec": {"ports": [{"name": "web", "port": 81}, {"name": "two", "port": 82}]}}),
    );
    s.merge("services/a", json!({"spec": {"selector": null}}));
    s.merge("services/a", json!({"spec": {"selector": {"x": "y"}}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}));
    s.merge("services/a", json!({"spec": null}));
    s.merge("services/a", json!({"spec": {"ports": []}}));
    s.merge("services/a", json!({"spec": {"ports": [{"port": 0}]}}));
    s.merge("services/a", json!({"spec": {"ports": "x"}}));
    s.create("endpointslices", slice("a"));
    s.merge("endpointslices/a", json!({"endpoints": null, "ports": null}));
    s.merge("endpointslices/a", json!({"endpoints": [{"addresses": ["192.0.2.7"]}]}));
    s.merge("endpointslices/a", json!({"addressType": "IPv6"}));
    s.merge("endpointslices/a", json!({"addressType": null}));
}

fn json_patches(s: &mut Script) {
    s.create("services", service("a"));
    for operations in [
        json!([{"op": "add", "path": "/metadata/labels/x", "value": "y"}]),
        json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]),
        json!([{"op": "add", "path": "/spec/ports/0/name", "value": "one"}, {"op": "add", "path": "/spec/ports/-", "value": {"name": "two", "port": 82}}]),
        json!([{"op": "add", "path": "/spec/ports/0", "value": {"name": "zero", "port": 83}}]),
        json!([{"op": "remove", "path": "/spec/ports/0"}]),
        json!([{"op": "test", "path": "/spec/ports/0/name", "value": "one"}, {"op": "copy", "from": "/metadata/labels", "path": "/metadata/annotations"}]),
        json!([{"op": "move", "from": "/metadata/annotations/x", "path": "/metadata/annotations/moved~1to"}]),
        json!([{"op": "remove", "path": "/metadata/annotations"}]),
        json!([]),
        json!([{"op": "add", "path": "/spec/selector", "value": {"a": "b"}}]),
        json!([{"op": "replace", "path": "/metadata/labels", "value": {}}]),
    ] {
        s.json_patch("services/a", operations);
    }
}

fn bad_json_patches(s: &mut Script) {
    s.create("services", service("a"));
    for operations in [
        json!([{"op": "remove", "path": "/metadata/labels/none"}]),
        json!([{"op": "replace", "path": "/metadata/labels/none", "value": 1}]),
        json!([{"op": "test", "path": "/metadata/name", "value": "b"}]),
        json!([{"op": "test", "path": "/metadata/none", "value": "b"}]),
        json!([{"op": "add", "path": "/none/deep", "value": 1}]),
        json!([{"op": "add", "path": "/spec/ports/7", "value": {"port": 1}}]),
        json!([{"op": "remove", "path": "/spec/ports/7"}]),
        json!([{"op": "nonsense", "path": "/metadata/name"}]),
        json!([{"op": "add", "path": "/metadata/labels/x"}]),
        json!([{"op": "add", "value": 1}]),
        json!([{"path": "/metadata/labels/x", "value": 1}]),
        json!([{"op": "copy", "from": "/none", "path": "/metadata/labels/x"}]),
        json!([{"op": "move", "from": "/none", "path": "/metadata/labels/x"}]),
        json!([{"op": "replace", "path": "/metadata/name", "value": "b"}]),
        json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 70000}]),
        json!([{"op": "replace", "path": "/spec/ports/0/port", "value": "x"}]),
        json!([{"op": "add", "path": "/metadata/labels/x", "value": "y"}, {"op": "remove", "path": "/none"}]),
        json!({"op": "add"}),
        json!("text"),
        json!([5]),
        json!([{"op": "add", "path": "metadata/labels/x", "value": "y"}]),
        json!([{"op": "replace", "path": "", "value": {}}]),
    ] {
        s.json_patch("services/a", operations);
    }
    s.get("services/a");
}

fn strategic_service(s: &mut Script) {
    s.create(
        "services",
        with(service("a"), "/spec/ports", json!([{"name": "a", "port": 80}, {"name": "b", "port": 81}])),
    );
    for patch in [
        json!({"metadata": {"labels": {"x": "y", "app": null}}}),
        json!({"spec": {"ports": [{"port": 81, "name": "renamed"}]}}),
        json!({"spec": {"ports": [{"port": 82, "name": "c"}]}}),
        json!({"spec": {"ports": [{"port": 80, "$patch": "delete"}]}}),
        json!({"spec": {"$setElementOrder/ports": [{"port": 82}, {"port": 81}], "ports": [{"port": 82, "targetPort": 9}]}}),
        json!({"spec": {"selector": {"$patch": "replace", "only": "this"}}}),
        json!({"spec": {"$retainKeys": ["selector", "ports"], "selector": {"k": "v"}}}),
        json!({"spec": {"ports": [{"$patch": "replace"}, {"port": 99}]}}),
        json!({"metadata": {"finalizers": ["example.org/a"]}}),
        json!({"metadata": {"finalizers": ["example.org/b"]}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.org/a"]}}),
        json!({"spec": {"externalIPs": ["192.0.2.1"]}}),
        json!({"spec": {"externalIPs": ["192.0.2.2"]}}),
        json!({"spec": {"ports": [{"name": "nameless"}]}}),
        json!({"spec": {"selector": null}}),
    ] {
        s.strategic("services/a", patch);
    }
}

fn strategic_pod(s: &mut Script) {
    s.create("pods", pod("a"));
    for patch in [
        json!({"spec": {"containers": [{"name": "main", "image": "example.org/app:2"}]}}),
        json!({"spec": {"containers": [{"name": "other", "image": "example.org/app:2"}]}}),
        json!({"spec": {"tolerations": [{"key": "k", "operator": "Exists"}]}}),
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "x", "uid": "c0de-1"}]}}),
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "y", "uid": "c0de-2"}]}}),
        json!({"metadata": {"ownerReferences": [{"uid": "c0de-1", "$patch": "delete"}]}}),
        json!({"spec": {"activeDeadlineSeconds": 60}}),
    ] {
        s.strategic("pods/a", patch);
    }
    for patch in [
        json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
        json!({"status": {"conditions": [{"type": "ContainersReady", "status": "True"}], "podIP": "192.0.2.4", "podIPs": [{"ip": "192.0.2.4"}]}}),
        json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}),
        json!({"status": {"$setElementOrder/conditions": [{"type": "ContainersReady"}, {"type": "Ready"}], "conditions": [{"type": "Ready", "status": "True"}]}}),
        json!({"status": {"podIPs": [{"ip": "192.0.2.4"}, {"ip": "fd00::4"}]}}),
    ] {
        s.strategic("pods/a/status", patch);
    }
}

fn strategic_deployment(s: &mut Script) {
    s.create("deployments", deployment("a"));
    for patch in [
        json!({"spec": {"replicas": 0}}),
        json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2024-01-02T03:04:05Z"}}}}}),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "example.org/app:3"}]}}}}),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}}}}),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}], "ports": [{"containerPort": 80}]}]}}}}),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "example.org/side"}]}}}}),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        json!({"spec": {"selector": {"matchLabels": {"x": "y"}}}}),
    ] {
        s.strategic("deployments/a", patch);
    }
}

fn strategic_node(s: &mut Script) {
    s.create("nodes", node("a"));
    for patch in [
        json!({"spec": {"unschedulable": true}}),
        json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}),
        json!({"spec": {"unschedulable": null}}),
        json!({"metadata": {"labels": {"topology.kubernetes.io/zone": "a"}}}),
    ] {
        s.strategic("nodes/{ns}-a", patch);
    }
    for patch in [
        json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
        json!({"status": {"conditions": [{"type": "DiskPressure", "status": "False"}], "allocatable": {"cpu": "4"}}}),
        json!({"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}}),
        json!({"status": {"addresses": [{"type": "Hostname", "address": "a"}]}}),
    ] {
        s.strategic("nodes/{ns}-a/status", patch);
    }
}

fn strategic_others(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.create(resource, object);
        s.strategic(
            &format!("{resource}/a"),
            json!({"metadata": {"labels": {"x": "y"}, "annotations": {"n": "1"}}}),
        );
        s.strategic(&format!("{resource}/a"), json!({"metadata": {"labels": null}}));
    }
    s.strategic("endpointslices/a", json!({"endpoints": [{"addresses": ["192.0.2.9"]}]}));
    s.strategic("endpointslices/a", json!({"ports": [{"name": "x", "port": 1}]}));
    s.strategic("endpoints/a", json!({"subsets": [{"addresses": [{"ip": "192.0.2.9"}]}]}));
    s.strategic("leases/a", json!({"spec": {"holderIdentity": "x"}}));
    s.strategic("events/a", json!({"count": 2, "lastTimestamp": "2024-01-02T03:04:06Z"}));
    s.strategic("newevents/a", json!({"deprecatedCount": 3}));
}

fn bad_directives(s: &mut Script) {
    s.create("services", service("a"));
    for patch in [
        json!({"spec": {"$patch": "nonsense"}}),
        json!({"spec": {"ports": [{"$patch": "delete"}]}}),
        json!({"spec": {"ports": [{"$patch": "nonsense", "port": 80}]}}),
        json!({"spec": {"ports": {"port": 80}}}),
        json!({"spec": {"ports": [5]}}),
        json!({"spec": {"$retainKeys": "x"}}),
        json!({"spec": {"$setElementOrder/ports": [{"port": 80}], "ports": [{"port": 90}]}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}}),
        json!({"$patch": "delete"}),
        json!({"$patch": "replace"}),
    ] {
        s.strategic("services/a", patch);
    }
    s.get("services/a");
}

fn unreadable(s: &mut Script) {
    s.create("services", service("a"));
    for content in [MERGE, JSON_PATCH, STRATEGIC] {
        for body in ["", "{", "[]", "5", "null", "\"x\"", "{}"] {
            s.raw("PATCH", "services/a", JSON, content, Some(body.to_string()));
        }
    }
    s.raw("PATCH", "services/a", JSON, MERGE, None);
    s.raw("PATCH", "services/a?force=true", JSON, MERGE, Some("{}".to_string()));
    s.raw("PATCH", "services/a?fieldManager=me", JSON, MERGE, Some("{}".to_string()));
}

fn versions(s: &mut Script) {
    let made = s.create("endpointslices", slice("a"));
    let current = s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": "1"}}}));
    for label in [&current, &made] {
        let metadata = json!({"metadata": {"resourceVersion": version(label), "labels": {"x": "2"}}});
        s.merge("endpointslices/a", metadata.clone());
        s.strategic("endpointslices/a", metadata);
        s.json_patch(
            "endpointslices/a",
            json!([{"op": "test", "path": "/metadata/resourceVersion", "value": version(label)},
            {"op": "replace", "path": "/metadata/labels/x", "value": "3"}]),
        );
    }
}

fn apply(s: &mut Script) {
    const APPLY: &str = "application/apply-patch+yaml";
    s.raw("PATCH", "services/a?fieldManager=me", JSON, APPLY, Some(service("a").to_string()));
    s.raw("PATCH", "services/a?fieldManager=me&force=true", JSON, APPLY, Some(service("a").to_string()));
}

fn status(s: &mut Script) {
    s.create("services", service("a"));
    s.merge("services/a/status", json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}, "spec": {"selector": {"x": "y"}}}));
    s.merge("services/a/status", json!({"metadata": {"labels": {"x": "y"}, "annotations": {"x": "y"}, "finalizers": ["example.org/x"]}}));
    s.get("services/a/status");
    s.create("pods", pod("a"));
    s.merge("pods/a/status", json!({"status": {"phase": "Running"}, "spec": {"nodeName": "x"}, "metadata": {"labels": {"l": "m"}}}));
    s.merge("pods/a", json!({"status": {"phase": "Failed"}}));
    s.create("deployments", deployment("a"));
    s.merge("deployments/a/status", json!({"status": {"replicas": 2, "readyReplicas": 1, "observedGeneration": 1}, "spec": {"replicas": 9}}));
    s.create("nodes", node("a"));
    s.merge(
        "nodes/{ns}-a/status",
        json!({"status": {"capacity": {"cpu": "4"}}, "spec": {"unschedulable": true}}),
    );
}
