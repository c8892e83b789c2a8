//! Pods: defaults, what may change, status, bindings.

use serde_json::{Value, json};

use super::Scene;
use super::objects::*;
use crate::step::{Script, of};

pub const SCENES: &[Scene] = &[
    ("defaults of a Pod", defaults),
    ("a Pod with much in it", full),
    ("what a Pod may not be", invalid),
    ("what a Pod may not become", immutable),
    ("the status of a Pod", status),
    ("bindings", bindings),
    ("a Pod gets the labels of its Node", node_labels),
];

fn defaults(s: &mut Script) {
    s.create("pods", pod("a"));
    s.create("pods", with(pod("b"), "/spec/containers/0/image", json!("app:latest")));
    s.create("pods", with(pod("c"), "/spec/containers/0/image", json!("example.org:5000/app")));
    s.create(
        "pods",
        with(
            pod("d"),
            "/spec/containers/0/image",
            json!("app@sha256:0123456789012345678901234567890123456789012345678901234567890123"),
        ),
    );
    s.create("pods", with(pod("e"), "/status", json!({"phase": "Running", "podIP": "192.0.2.1"})));
    s.create("pods", with(pod("f"), "/spec/hostNetwork", json!(true)));
    s.create(
        "pods",
        with(
            with(pod("g"), "/spec/hostNetwork", json!(true)),
            "/spec/containers/0/ports",
            json!([{"containerPort": 80}]),
        ),
    );
    s.create(
        "pods",
        with(pod("h"), "/spec/containers/0/resources", json!({"limits": {"cpu": "1", "memory": "1Gi"}})),
    );
    s.create(
        "pods",
        with(
            pod("i"),
            "/spec/containers/0/resources",
            json!({"requests": {"cpu": "0.5"}, "limits": {"cpu": "1000m", "memory": "1024Mi"}}),
        ),
    );
}

fn full(s: &mut Script) {
    let mut object = pod("a");
    object["spec"] = json!({
        "hostname": "web-0", "subdomain": "web", "nodeSelector": {"a": "b"}, "readinessGates": [{"conditionType": "example.org/ready"}],
        "initContainers": [{"name": "init", "image": "init", "restartPolicy": "Always"}],
        "containers": [{
            "name": "main", "image": "example.org/app:1", "command": ["a"], "args": ["b"],
            "ports": [{"name": "http", "containerPort": 8080}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "livenessProbe": {"httpGet": {"path": "/", "port": 8080}}, "readinessProbe": {"tcpSocket": {"port": "http"}},
            "startupProbe": {"exec": {"command": ["x"]}}, "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "lifecycle": {"preStop": {"httpGet": {"port": 80}}}, "securityContext": {"runAsNonRoot": true},
        }],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "config", "configMap": {"name": "x"}}, {"name": "secret", "secret": {"secretName": "y"}},
            {"name": "host", "hostPath": {"path": "/x"}}, {"name": "down", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"name": "all", "projected": {"sources": [{"configMap": {"name": "z"}}]}}],
        "tolerations": [{"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}, {"operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "web"}}}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {"topologyKey": "zone"}}]}},
        "serviceAccountName": "me", "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 5, "priority": 0,
    });
    s.create("pods", object);
}

fn invalid(s: &mut Script) {
    for (number, (pointer, value)) in [
        ("/spec/containers", json!([])),
        ("/spec/containers", json!(null)),
        ("/spec/containers/0/name", json!("")),
        ("/spec/containers/0/name", json!("A")),
        ("/spec/containers/0/image", json!("")),
        ("/spec/containers/0/image", json!(" x")),
        ("/spec/containers/1", json!({"name": "main", "image": "x"})),
        ("/spec/containers/0/ports", json!([{"containerPort": 0}])),
        ("/spec/containers/0/ports", json!([{"containerPort": 70000}])),
        ("/spec/containers/0/ports", json!([{"name": "UPPER", "containerPort": 1}])),
        ("/spec/containers/0/ports", json!([{"name": "a-name-that-is-too-long", "containerPort": 1}])),
        (
            "/spec/containers/0/ports",
            json!([{"name": "a", "containerPort": 1}, {"name": "a", "containerPort": 2}]),
        ),
        ("/spec/containers/0/ports", json!([{"containerPort": 1, "protocol": "X"}])),
        ("/spec/containers/0/ports", json!([{"containerPort": 1, "hostPort": 70000}])),
        ("/spec/restartPolicy", json!("Sometimes")),
        ("/spec/dnsPolicy", json!("Nonsense")),
        ("/spec/hostname", json!("A.b")),
        ("/spec/subdomain", json!("A")),
        ("/spec/nodeName", json!("Bad Name")),
        ("/spec/terminationGracePeriodSeconds", json!(-1)),
        ("/spec/activeDeadlineSeconds", json!(0)),
        ("/spec/readinessGates", json!([{"conditionType": "bad gate"}])),
        ("/spec/tolerations", json!([{"operator": "Nonsense"}])),
        ("/spec/volumes", json!([{"name": "a"}])),
        ("/spec/containers/0/volumeMounts", json!([{"name": "none", "mountPath": "/x"}])),
        ("/spec/containers/0/resources", json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})),
        ("/spec/containers/0/resources", json!({"requests": {"cpu": "x"}})),
        ("/spec/containers/0/imagePullPolicy", json!("Never mind")),
        ("/spec/containers/0/readinessProbe", json!({})),
        ("/spec/containers/0/readinessProbe", json!({"tcpSocket": {"port": 0}})),
        ("/spec/schedulingGates", json!([{"name": "a"}])),
        ("/spec/hostNetwork", json!("x")),
        ("/spec", json!(null)),
        ("/spec", json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        s.create("pods", with(pod(&format!("s{number}")), pointer, value));
    }
}

fn immutable(s: &mut Script) {
    s.create("pods", pod("a"));
    for patch in [
        json!({"spec": {"nodeName": "x"}}),
        json!({"spec": {"hostname": "x"}}),
        json!({"spec": {"restartPolicy": "Never"}}),
        json!({"spec": {"containers": [{"name": "main", "image": "example.org/app:2"}]}}),
        json!({"spec": {"containers": [{"name": "other", "image": "example.org/app:2"}]}}),
        json!({"spec": {"containers": []}}),
        json!({"spec": {"terminationGracePeriodSeconds": 1}}),
        json!({"spec": {"terminationGracePeriodSeconds": null}}),
        json!({"spec": {"activeDeadlineSeconds": 50}}),
        json!({"spec": {"activeDeadlineSeconds": 60}}),
        json!({"spec": {"tolerations": []}}),
        json!({"spec": {"readinessGates": [{"conditionType": "x"}]}}),
        json!({"spec": {"nodeSelector": {"a": "b"}}}),
        json!({"metadata": {"labels": {"app": "other"}}}),
    ] {
        s.merge("pods/a", patch);
    }
}

fn statuses() -> Vec<Value> {
    vec![
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2024-01-02T03:04:05Z"}], "podIP": "192.0.2.1", "podIPs": [{"ip": "192.0.2.1"}]}),
        json!({"podIPs": [{"ip": "192.0.2.1"}, {"ip": "fd00::1"}]}),
        json!({"podIPs": [{"ip": "192.0.2.2"}]}),
        json!({"podIP": "192.0.2.3"}),
        json!({"podIP": "192.0.2.3", "podIPs": []}),
        json!({"podIP": "192.0.2.3", "podIPs": [{"ip": "192.0.2.4"}]}),
        json!({"podIPs": [{"ip": "192.0.2.4"}, {"ip": "192.0.2.5"}]}),
        json!({"podIPs": [{"ip": "nonsense"}]}),
        json!({"podIP": "nonsense", "podIPs": null}),
        json!({"podIP": "127.0.0.1", "podIPs": null}),
        json!({"podIP": "", "podIPs": null}),
        json!({"podIP": null, "podIPs": null}),
        json!({"phase": "Nonsense"}),
        json!({"conditions": [{"type": "Ready", "status": "Perhaps"}]}),
        json!({"conditions": [{"status": "True"}]}),
        json!({"conditions": null, "hostIP": "192.0.2.99", "hostIPs": [{"ip": "192.0.2.99"}]}),
        json!({"startTime": "2024-01-02T03:04:05Z", "qosClass": "Guaranteed", "message": "m", "reason": "r"}),
        json!({"containerStatuses": [{"name": "main", "ready": true, "restartCount": 0, "image": "x", "imageID": "y", "started": true}]}),
        json!({"observedGeneration": 1}),
        json!({"phase": "Succeeded"}),
        json!({"phase": "Running"}),
    ]
}

fn status(s: &mut Script) {
    s.create("pods", pod("a"));
    for status in statuses() {
        s.merge("pods/a/status", json!({"status": status}));
    }
    s.update("pods/a/status", with(pod("a"), "/status", json!({"phase": "Failed"})));
    s.update("pods/a/status", with(pod("a"), "/spec", json!(null)));
    s.get("pods/a/status");
    s.get("pods/a");
}

fn bindings(s: &mut Script) {
    s.create("nodes", node("n"));
    let made = s.create("pods", pod("a"));
    let bind = |name: &str, target: Value| json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target});
    let target = json!({"apiVersion": "v1", "kind": "Node", "name": "{ns}-n"});
    s.create("pods/none/binding", bind("none", target.clone()));
    s.create("pods/a/binding", bind("b", target.clone()));
    s.create("pods/a/binding", bind("a", json!({"kind": "Service", "name": "x"})));
    s.create("pods/a/binding", bind("a", json!({"kind": "Node", "name": ""})));
    s.create(
        "pods/a/binding",
        with(bind("a", target.clone()), "/metadata/uid", json!("55555555-c0de-4000-8000-000000000000")),
    );
    s.create(
        "pods/a/binding",
        with(bind("a", target.clone()), "/metadata/uid", json!(of(&made, "/metadata/uid"))),
    );
    s.create("pods/a/binding", bind("a", target.clone()));
    s.get("pods/a");
    s.create("pods", with(pod("g"), "/spec/schedulingGates", json!([{"name": "example.org/gate"}])));
    s.create("pods/g/binding", bind("g", target.clone()));
    s.create("pods", with(pod("d"), "/metadata/finalizers", json!(["example.org/x"])));
    s.delete("pods/d");
    s.create("pods/d/binding", bind("d", target));
    s.get("pods/a/binding");
}

fn node_labels(s: &mut Script) {
    s.create("nodes", with(node("n"), "/metadata/labels", json!({"of": "{ns}", "topology.kubernetes.io/zone": "zone-a", "topology.kubernetes.io/region": "r", "other": "x"})));
    s.create("pods", with(pod("a"), "/spec/nodeName", json!("{ns}-n")));
    s.create("pods", pod("b"));
    s.create("pods/b/binding", json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "b"}, "target": {"kind": "Node", "name": "{ns}-n"}}));
    s.get("pods");
    s.create("pods", with(pod("c"), "/spec/nodeName", json!("{ns}-none")));
}
