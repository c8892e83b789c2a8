//! Slices.

use serde_json::{Value, json};

use super::Draw;
use crate::step::uid;

impl Draw {
    pub fn slice(&mut self, name: &str) -> Value {
        let kind = self.pick(&["IPv4", "IPv4", "IPv4", "IPv4", "IPv6", "FQDN"]);
        let kind = if self.one_in(30) { "Nonsense" } else { kind };
        let endpoints = self.slice_endpoints(kind);
        let ports = self.slice_ports();
        let managed =
            self.pick(&["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"]);
        let mut slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": kind,
            "metadata": {"name": name, "labels": {
                "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": managed}},
            "endpoints": endpoints, "ports": ports,
        });
        if self.one_in(3) {
            slice["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Service", "name": "web",
                "uid": uid("services/web"), "controller": true, "blockOwnerDeletion": true}]);
        }
        if self.one_in(4) {
            slice["metadata"]["annotations"] =
                json!({"endpoints.kubernetes.io/last-change-trigger-time": "2024-01-02T03:04:05Z"});
        }
        slice
    }

    pub fn slice_change(&mut self) -> Value {
        match self.random_below(6) {
            0 => json!({"endpoints": null}),
            1 => json!({"ports": self.slice_ports()}),
            2 => json!({"addressType": self.pick(&["IPv4", "IPv6"])}),
            _ => json!({"endpoints": self.slice_endpoints("IPv4")}),
        }
    }

    fn slice_endpoints(&mut self, kind: &str) -> Value {
        let count = self.random_below(5);
        if count == 0 {
            return self.pick(&[json!([]), json!(null)]);
        }
        (0..count).map(|_| self.slice_endpoint(kind)).collect()
    }

    fn slice_endpoint(&mut self, kind: &str) -> Value {
        let mut endpoint = json!({"addresses": [self.address(kind)]});
        if !self.one_in(4) {
            let mut conditions = json!({});
            for condition in ["ready", "serving", "terminating"] {
                if !self.one_in(4) {
                    conditions[condition] = self.pick(&[json!(true), json!(false), json!(true), json!(null)]);
                }
            }
            endpoint["conditions"] = conditions;
        }
        if self.one_in(2) {
            endpoint["nodeName"] = json!(self.pick(&["n1", "n2", "n1", "Bad"]));
            endpoint["zone"] = json!(self.pick(&["zone-a", "zone-b", ""]));
        }
        if self.one_in(3) {
            endpoint["targetRef"] =
                json!({"kind": "Pod", "namespace": "{ns}", "name": "a", "uid": uid("pods/a")});
        }
        if self.one_in(5) {
            endpoint["hostname"] = json!(self.pick(&["web-0", "web-1", "web-2", "BAD", "a.b"]));
        }
        if self.one_in(4) {
            let zones = [
                json!([{"name": "zone-a"}]),
                json!([]),
                json!([{"name": "a"}, {"name": "a"}]),
                json!(null),
                json!([{"name": "bad zone"}]),
            ];
            endpoint["hints"] = json!({"forZones": self.pick(&zones)});
            if self.one_in(3) {
                endpoint["hints"]["forNodes"] = json!([{"name": "n1"}]);
            }
        }
        if self.one_in(60) {
            endpoint["addresses"] = self.pick(&[json!([]), json!(null), json!("192.0.2.1"), json!([5])]);
        }
        if self.one_in(60) {
            endpoint["nonsense"] = json!(true);
        }
        endpoint
    }

    fn address(&mut self, kind: &str) -> String {
        let number = self.random_below(20) + 1;
        if self.one_in(25) {
            let bad = [
                "127.0.0.1",
                "0.0.0.0",
                "169.254.1.1",
                "224.0.0.1",
                "nonsense",
                "",
                "192.0.2.01",
                "::ffff:192.0.2.1",
                "FD00::1",
                "fe80::1",
            ];
            return self.pick(&bad).to_string();
        }
        match kind {
            "IPv6" => format!("fd00::{number:x}"),
            "FQDN" => format!("host-{number}.example.org"),
            _ => format!("192.0.2.{number}"),
        }
    }

    fn slice_ports(&mut self) -> Value {
        let count = self.random_below(4);
        if count == 0 {
            return self.pick(&[json!([]), json!(null)]);
        }
        (0..count)
            .map(|_| {
                let mut port = json!({"name": self.pick(&["http", "https", "metrics", "dns", "", "BAD_"])});
                if !self.one_in(6) {
                    port["port"] = self.pick(&[json!(80), json!(8080), json!(9090), json!(0), json!(70000)]);
                }
                if self.one_in(2) {
                    port["protocol"] =
                        self.pick(&[json!("TCP"), json!("UDP"), json!("SCTP"), json!("TCP"), json!("HTTP")]);
                }
                if self.one_in(4) {
                    port["appProtocol"] =
                        self.pick(&[json!("http"), json!("kubernetes.io/h2c"), json!("bad one")]);
                }
                port
            })
            .collect()
    }

    pub fn random_below(&mut self, count: u32) -> u32 {
        use rand::Rng;
        self.random.random_range(0..count)
    }
}
