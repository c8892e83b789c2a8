//! Nodes.

use serde_json::json;

use super::Scene;
use super::objects::*;
use crate::step::Script;

pub const SCENES: &[Scene] = &[("a Node's life", life), ("what a Node may not be", invalid)];

fn life(s: &mut Script) {
    let watch = s.watch("nodes?labelSelector=of%3D{ns}");
    s.create("nodes", node("a"));
    s.create("nodes", node("a"));
    s.get("nodes/{ns}-a");
    s.merge("nodes/{ns}-a", json!({"metadata": {"labels": {"topology.kubernetes.io/zone": "zone-a"}}}));
    s.merge("nodes/{ns}-a", json!({"spec": {"unschedulable": true}}));
    s.merge("nodes/{ns}-a", json!({"spec": {"unschedulable": false}}));
    s.merge("nodes/{ns}-a", json!({"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}));
    s.merge("nodes/{ns}-a", json!({"spec": {"podCIDR": "10.99.1.0/24", "podCIDRs": ["10.99.1.0/24"]}}));
    s.merge("nodes/{ns}-a", json!({"spec": {"podCIDR": "10.99.2.0/24", "podCIDRs": ["10.99.2.0/24"]}}));
    s.merge("nodes/{ns}-a", json!({"spec": {"providerID": "x"}}));
    s.merge("nodes/{ns}-a", json!({"spec": {"providerID": "y"}}));
    s.merge("nodes/{ns}-a/status", json!({"status": {"capacity": {"cpu": "4", "memory": "1Gi", "pods": "110"}, "allocatable": {"cpu": "3900m"},
        "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2024-01-02T03:04:05Z", "lastTransitionTime": "2024-01-02T03:04:05Z"}],
        "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}}));
    s.merge("nodes/{ns}-a", json!({"status": {"capacity": {"cpu": "8"}}}));
    s.merge("nodes/{ns}-a/status", json!({"status": {"capacity": {"cpu": "x"}}}));
    s.get("nodes?labelSelector=of%3D{ns}");
    s.delete("nodes/{ns}-a");
    s.get("nodes/{ns}-a");
    s.create("nodes", with(node("b"), "/status", json!({"phase": "Running", "capacity": {"cpu": "1"}})));
    s.create("nodes", node("zz"));
    s.events(&watch, "ADDED", "zz");
}

fn invalid(s: &mut Script) {
    for (number, (pointer, value)) in [
        ("/spec/taints", json!([{"key": "a"}])),
        ("/spec/taints", json!([{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}])),
        ("/spec/taints", json!([{"key": "bad key", "effect": "NoSchedule"}])),
        ("/spec/taints", json!([{"key": "a", "effect": "Nonsense"}])),
        ("/spec/podCIDRs", json!(["nonsense"])),
        ("/spec/podCIDR", json!("10.99.0.0/24")),
        ("/spec/podCIDRs", json!(["10.99.0.0/24", "10.98.0.0/24"])),
        ("/spec/unschedulable", json!("x")),
        ("/metadata/name", json!("{ns}-UPPER")),
        ("/metadata/name", json!("{ns}-a.b")),
        ("/metadata/namespace", json!("default")),
        ("/metadata/labels/bad key", json!("x")),
    ]
    .into_iter()
    .enumerate()
    {
        s.create("nodes", with(node(&format!("s{number}")), pointer, value));
    }
}
