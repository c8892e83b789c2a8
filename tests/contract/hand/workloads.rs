//! Deployments, ReplicaSets and their scale: as objects. What they do is no matter of the API server.

use serde_json::json;

use super::Scene;
use super::objects::*;
use crate::step::{Script, version};

pub const SCENES: &[Scene] = &[
    ("defaults of a Deployment", deployments),
    ("defaults of a ReplicaSet", replica_sets),
    ("what a Deployment may not be", invalid),
    ("scale", scale),
    ("generation of a Deployment", generation),
];

fn deployments(s: &mut Script) {
    s.create("deployments", deployment("a"));
    s.create("deployments", with(deployment("b"), "/spec/replicas", json!(null)));
    s.create("deployments", with(deployment("c"), "/spec/strategy", json!({"type": "Recreate"})));
    s.create(
        "deployments",
        with(deployment("d"), "/spec/strategy", json!({"rollingUpdate": {"maxSurge": 1}})),
    );
    s.create("deployments", with(deployment("e"), "/spec/paused", json!(true)));
    s.create("deployments", with(deployment("f"), "/status", json!({"replicas": 5})));
    s.create(
        "deployments",
        with(deployment("g"), "/spec/template/spec/containers/0/ports", json!([{"containerPort": 80}])),
    );
    s.get("deployments");
}

fn replica_sets(s: &mut Script) {
    s.create("replicasets", replica_set("a"));
    s.create("replicasets", with(replica_set("b"), "/spec/replicas", json!(null)));
    s.merge("replicasets/a/status", json!({"status": {"replicas": 1, "readyReplicas": 2}}));
    s.merge("replicasets/a/status", json!({"status": {"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}}));
    s.get("replicasets");
}

fn invalid(s: &mut Script) {
    for (number, (pointer, value)) in [
        ("/spec/replicas", json!(-1)),
        ("/spec/selector", json!(null)),
        ("/spec/selector", json!({})),
        ("/spec/selector/matchLabels", json!({"app": "other"})),
        ("/spec/selector/matchExpressions", json!([{"key": "app", "operator": "Nonsense"}])),
        ("/spec/template/metadata/labels", json!(null)),
        ("/spec/template/spec/containers", json!([])),
        ("/spec/template/spec/restartPolicy", json!("Never")),
        ("/spec/strategy", json!({"type": "Nonsense"})),
        ("/spec/strategy", json!({"type": "Recreate", "rollingUpdate": {}})),
        ("/spec/strategy", json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})),
        ("/spec/strategy", json!({"rollingUpdate": {"maxSurge": "x"}})),
        ("/spec/strategy", json!({"rollingUpdate": {"maxUnavailable": "150%"}})),
        ("/spec/minReadySeconds", json!(-1)),
        ("/spec/revisionHistoryLimit", json!(-1)),
        ("/spec/progressDeadlineSeconds", json!(0)),
        ("/spec", json!(null)),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("s{number}");
        s.create("deployments", with(deployment(&name), pointer, value.clone()));
        if pointer.starts_with("/spec/selector")
            || pointer.starts_with("/spec/template")
            || pointer == "/spec/replicas"
        {
            s.create("replicasets", with(replica_set(&name), pointer, value));
        }
    }
}

fn scale(s: &mut Script) {
    for (resource, object) in [("deployments", deployment("a")), ("replicasets", replica_set("a"))] {
        let path = format!("{resource}/a/scale");
        let made = s.create(resource, object);
        let seen = s.get(&path);
        let scale = |replicas: i64, version: &str| {
            json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
            "metadata": {"name": "a", "namespace": "{ns}", "resourceVersion": version}, "spec": {"replicas": replicas}})
        };
        s.update(&path, scale(5, &version(&seen)));
        s.update(&path, scale(6, &version(&made)));
        s.update(&path, scale(7, ""));
        s.update(&path, scale(-1, ""));
        s.merge(&path, json!({"spec": {"replicas": 3}}));
        s.merge(&path, json!({"spec": {"replicas": "x"}}));
        s.merge(&path, json!({"spec": {"replicas": 3}}));
        s.json_patch(&path, json!([{"op": "replace", "path": "/spec/replicas", "value": 0}]));
        s.get(&format!("{resource}/a"));
        s.get(&format!("{resource}/none/scale"));
        s.delete(&path);
    }
}

fn generation(s: &mut Script) {
    s.create("deployments", deployment("a"));
    s.merge("deployments/a", json!({"metadata": {"annotations": {"x": "y"}}}));
    s.merge("deployments/a", json!({"spec": {"replicas": 4}}));
    s.merge("deployments/a", json!({"spec": {"replicas": 4}}));
    s.merge("deployments/a/status", json!({"status": {"observedGeneration": 2}}));
    s.merge("deployments/a", json!({"spec": {"paused": true}}));
    s.merge("deployments/a", json!({"spec": {"template": {"metadata": {"annotations": {"r": "1"}}}}}));
}
