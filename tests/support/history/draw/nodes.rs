//! Nodes: they change zone, readiness, CPU and role, come and go. Those named `late` are on Pods
//! before they exist.

use serde_json::{Value, json};

use super::super::{Kind, Operation};
use super::Draw;

const FIRST: usize = 5;
const LATE: usize = 3;
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
const ZONE: &str = "topology.kubernetes.io/zone";
/// Either of these keeps a Node out of the shares of mode Auto.
const ROLES: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

impl Draw {
    pub(super) fn first_nodes(&mut self) {
        for number in 0..FIRST {
            // In a history for mode Auto all Nodes have a zone at first, else it would be off.
            let zone = if number == 0 && !self.auto { "" } else { ZONES[number % ZONES.len()] };
            self.make_node("start", &format!("node-{number}"), zone);
        }
    }

    /// Where a new Pod is put: on a Node, on one that is unknown as yet, or on none.
    pub(super) fn node_for_pod(&mut self) -> Option<String> {
        match self.between(0, 59) {
            0 => None,
            1..4 => Some(format!("late-{}", self.between(0, LATE - 1))),
            _ => self.existing(Kind::Node),
        }
    }

    fn make_node(&mut self, why: &str, name: &str, zone: &str) {
        let cpu = self.of(&["2", "4", "4", "8", "3500m"]);
        let mut node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}},
            "spec": {},
            "status": {
                "capacity": {"cpu": "16", "memory": "16Gi", "pods": "110"},
                "allocatable": {"cpu": cpu, "memory": "16Gi", "pods": "110"},
                "conditions": [self.node_condition(true)],
            },
        });
        if !zone.is_empty() {
            node["metadata"]["labels"][ZONE] = json!(zone);
        }
        if !self.auto {
            let role = self.of(&ROLES);
            node["metadata"]["labels"][role] = json!("");
        }
        self.push(why, Operation::Create(Kind::Node, node));
    }

    fn node_condition(&self, ready: bool) -> Value {
        let status = if ready { "True" } else { "False" };
        json!({"type": "Ready", "status": status, "lastTransitionTime": self.time(), "reason": "Drawn"})
    }

    pub(super) fn change_a_node(&mut self) {
        let Some(name) = self.existing(Kind::Node) else { return };
        let node = self.state.get(Kind::Node, &name).cloned().unwrap_or_default();
        match self.between(0, 9) {
            0..2 => self.change_zone(&name, &node),
            2..4 => {
                let ready = node["status"]["conditions"][0]["status"] == "True";
                let status = json!({"conditions": [self.node_condition(!ready)]});
                self.push("node: readiness", Operation::PatchStatus(Kind::Node, name, status));
            }
            4 => {
                let cpu = self.of(&["1", "2", "4", "8", "500m"]);
                let status = json!({"allocatable": {"cpu": cpu}});
                self.push("node: CPU", Operation::PatchStatus(Kind::Node, name, status));
            }
            5 => self.change_role(&name, &node),
            6 => self.push("node: removed", Operation::Delete(Kind::Node, name)),
            7 => {
                // Replaced: the same name, perhaps elsewhere.
                let zone = self.of(&ZONES);
                self.push("node: replaced", Operation::Delete(Kind::Node, name.clone()));
                self.make_node("node: replaced", &name, zone);
            }
            _ => self.bring_a_node(),
        }
    }

    fn change_zone(&mut self, name: &str, node: &Value) {
        let zone = &node["metadata"]["labels"][ZONE];
        if zone.is_string() && !self.auto && self.one_in(4) {
            return self.patch(
                "node: zone removed",
                Kind::Node,
                name,
                json!({"metadata": {"labels": {ZONE: null}}}),
            );
        }
        let why = if zone.is_string() { "node: zone changed" } else { "node: zone comes late" };
        let zone = self.of(&ZONES);
        self.patch(why, Kind::Node, name, json!({"metadata": {"labels": {ZONE: zone}}}));
    }

    fn change_role(&mut self, name: &str, node: &Value) {
        let [one, two] = ROLES;
        let has = |role: &str| node["metadata"]["labels"][role].is_string();
        let labels = match (has(one), has(two)) {
            (false, false) => json!({one: ""}),
            (true, true) => json!({two: null}),
            (true, false) if self.auto => json!({one: null}),
            (true, false) => json!({two: ""}),
            (false, true) => json!({one: "", two: null}),
        };
        self.patch("node: role", Kind::Node, name, json!({"metadata": {"labels": labels}}));
    }

    /// One that was removed, or that Pods waited for.
    fn bring_a_node(&mut self) {
        let first = (0..FIRST).map(|number| format!("node-{number}"));
        let late = (0..LATE).map(|number| format!("late-{number}"));
        let missing: Vec<String> =
            first.chain(late).filter(|name| self.state.get(Kind::Node, name).is_none()).collect();
        if missing.is_empty() {
            return;
        }
        let name = self.of(&missing);
        let zone = if self.auto { self.of(&ZONES) } else { self.of(&["", "zone-a", "zone-b", "zone-c"]) };
        self.make_node("node: appears", &name, zone);
    }
}
