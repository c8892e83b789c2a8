//! Endpoints.

use serde_json::{Value, json};

use super::Draw;

impl Draw {
    pub fn endpoints(&mut self, name: &str) -> Value {
        let mut object = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name}, "subsets": self.subsets()});
        if self.one_in(5) {
            object["metadata"]["annotations"] =
                json!({"endpoints.kubernetes.io/last-change-trigger-time": "2024-01-02T03:04:05Z"});
        }
        object
    }

    pub fn endpoints_change(&mut self) -> Value {
        match self.one_in(6) {
            true => json!({"metadata": {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}}),
            false => json!({"subsets": self.subsets()}),
        }
    }

    fn subsets(&mut self) -> Value {
        let count = self.random_below(4);
        if count == 0 {
            return self.pick(&[json!([]), json!(null)]);
        }
        (0..count)
            .map(|_| {
                let mut subset = json!({});
                for list in ["addresses", "notReadyAddresses"] {
                    let count = self.random_below(3);
                    if count > 0 {
                        subset[list] = (0..count).map(|_| self.endpoint_address()).collect();
                    }
                }
                let count = self.random_below(3);
                if count > 0 {
                    subset["ports"] = (0..count).map(|number| self.endpoint_port(number, count)).collect();
                }
                subset
            })
            .collect()
    }

    fn endpoint_address(&mut self) -> Value {
        let number = self.random_below(6) + 1;
        let mut address = json!({"ip": format!("192.0.2.{number}")});
        if self.one_in(5) {
            address["ip"] = json!(format!("fd00::{number}"));
        }
        if self.one_in(30) {
            address["ip"] = json!(self.pick(&["127.0.0.1", "nonsense", "", "224.0.0.5", "fe80::1"]));
        }
        if self.one_in(5) {
            address["hostname"] = json!(self.pick(&["h1", "h2", "h3", "BAD"]));
        }
        if self.one_in(5) {
            address["nodeName"] = json!(self.pick(&["n1", "n2"]));
        }
        if self.one_in(5) {
            address["targetRef"] =
                json!({"kind": "Pod", "name": self.pick(&["a", "b"]), "namespace": "{ns}"});
        }
        address
    }

    fn endpoint_port(&mut self, number: u32, count: u32) -> Value {
        let mut port = json!({"port": self.pick(&[80, 81, 8080, 80, 81, 8080, 0])});
        if count > 1 || self.one_in(2) {
            port["name"] = json!(["http", "dns"][number as usize % 2]);
        }
        if self.one_in(4) {
            port["protocol"] = json!(self.pick(&["TCP", "UDP", "SCTP", "X"]));
        }
        if self.one_in(6) {
            port["appProtocol"] = json!("http");
        }
        port
    }
}
