//! Leases and Events.

use serde_json::{Value, json};

use super::Draw;

const REASONS: [&str; 3] = ["FailedToUpdateEndpointSlices", "LeaderElection", ""];

impl Draw {
    pub fn lease(&mut self, name: &str) -> Value {
        let mut lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": {}});
        for _ in 0..3 {
            let change = self.lease_change();
            super::merge_into(&mut lease, &change);
        }
        lease
    }

    pub fn lease_change(&mut self) -> Value {
        let spec = match self.random_below(5) {
            0 => json!({"holderIdentity": self.pick(&["one", "two", ""])}),
            1 => json!({"leaseDurationSeconds": self.pick(&[15, 1, 0, 15, 15])}),
            2 => json!({"leaseTransitions": self.pick(&[0, 1, 2, 3, -1])}),
            3 => json!({"acquireTime": "2024-01-02T03:04:05.000001Z"}),
            _ => {
                json!({"renewTime": self.pick(&["2024-01-02T03:04:05.123456Z", "2024-01-02T03:04:06.000000Z", "2024-01-02T03:04:07Z", "x"])})
            }
        };
        json!({"spec": spec})
    }

    pub fn event(&mut self, name: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name},
            "involvedObject": {"kind": "Service", "name": "web", "namespace": self.pick(&["{ns}", "{ns}", "{ns}", "else"])},
            "reason": self.pick(&REASONS), "message": "it failed", "type": self.pick(&["Warning", "Normal", "Nonsense"]),
            "source": {"component": "endpoint-slice-controller"}, "reportingComponent": "endpoint-slice-controller",
            "firstTimestamp": "2024-01-02T03:04:05Z", "lastTimestamp": "2024-01-02T03:04:05Z", "count": 1,
        })
    }

    pub fn event_change(&mut self) -> Value {
        match self.random_below(3) {
            0 => json!({"count": self.random_below(9), "lastTimestamp": "2024-01-02T03:05:05Z"}),
            1 => json!({"message": "other"}),
            _ => json!({"reason": self.pick(&REASONS)}),
        }
    }

    pub fn new_event(&mut self, name: &str) -> Value {
        let mut event = plain_new_event(name);
        if self.one_in(3) {
            event["note"] = json!(self.pick(&["", "long"]));
        }
        if self.one_in(6) {
            event["type"] = json!(self.pick(&["", "Normal", "Nonsense"]));
        }
        if self.one_in(6) {
            event[self.pick(&["action", "reason", "reportingController", "reportingInstance"])] = json!("");
        }
        event
    }

    pub fn new_event_change(&mut self) -> Value {
        match self.random_below(3) {
            0 => {
                json!({"series": {"count": 2 + self.random_below(3), "lastObservedTime": "2024-01-02T03:06:05.000000Z"}})
            }
            1 => json!({"note": "other"}),
            _ => json!({"deprecatedCount": self.random_below(3)}),
        }
    }
}

pub fn plain_new_event(name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name}, "type": "Warning",
        "eventTime": "2024-01-02T03:04:05.000000Z", "reason": "Failed", "action": "Sync", "note": "it failed",
        "reportingController": "example.org/controller", "reportingInstance": "one",
        "regarding": {"apiVersion": "v1", "kind": "Service", "name": "web", "namespace": "{ns}"},
    })
}
