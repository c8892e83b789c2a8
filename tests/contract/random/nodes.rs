//! Nodes.

use serde_json::{Value, json};

use super::Draw;

impl Draw {
    pub fn node(&mut self, name: &str) -> Value {
        let zone = self.pick(&["zone-a", "zone-b"]);
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": format!("{{ns}}-{name}"), "labels": {"of": "{ns}", "topology.kubernetes.io/zone": zone}},
        })
    }

    pub fn node_change(&mut self) -> Value {
        match self.random_below(5) {
            0 => {
                json!({"metadata": {"labels": {"topology.kubernetes.io/zone": self.pick(&[json!("zone-c"), json!(null)])}}})
            }
            1 => json!({"spec": {"unschedulable": self.pick(&[true, false])}}),
            2 => {
                json!({"spec": {"taints": self.pick(&[json!([{"key": "a", "effect": "NoSchedule"}]), json!([]), json!([{"key": "a", "effect": "X"}])])}})
            }
            3 => json!({"spec": {"podCIDR": "10.99.0.0/24", "podCIDRs": ["10.99.0.0/24"]}}),
            _ => json!({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}),
        }
    }

    pub fn node_status(&mut self) -> Value {
        match self.random_below(3) {
            0 => {
                json!({"conditions": [{"type": "Ready", "status": self.pick(&["True", "False", "Unknown"])}]})
            }
            1 => {
                json!({"allocatable": {"cpu": self.pick(&[json!("4"), json!("3900m"), json!(2), json!("0.1"), json!("x")])}})
            }
            _ => json!({"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}),
        }
    }
}
