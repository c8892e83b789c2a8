//! Services.

use serde_json::{Value, json};

use super::Draw;

impl Draw {
    pub fn service(&mut self, name: &str) -> Value {
        let mut spec = json!({"ports": self.service_ports()});
        if !self.one_in(5) {
            spec["selector"] = self.selector();
        }
        for _ in 0..self.random_below(3) {
            let change = self.service_change();
            super::merge_into(&mut spec, &change["spec"]);
        }
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
    }

    pub fn service_change(&mut self) -> Value {
        let spec = match self.random_below(14) {
            0 | 1 => json!({"ports": self.service_ports()}),
            2 => json!({"selector": self.selector()}),
            3 => {
                json!({"type": self.pick(&["ClusterIP", "NodePort", "LoadBalancer", "NodePort", "Nonsense"])})
            }
            4 => {
                json!({"ipFamilyPolicy": self.pick(&["SingleStack", "PreferDualStack", "RequireDualStack"])})
            }
            5 => {
                json!({"ipFamilies": self.pick(&[json!(["IPv4"]), json!(["IPv6"]), json!(["IPv4", "IPv6"]), json!(["IPv6", "IPv4"]), json!(["IPv9"])])})
            }
            6 => json!({"publishNotReadyAddresses": self.pick(&[true, false])}),
            7 => {
                json!({"trafficDistribution": self.pick(&[json!("PreferClose"), json!("PreferSameNode"), json!("PreferSameZone"), json!(null), json!("Nonsense")])})
            }
            8 => json!({"sessionAffinity": self.pick(&["ClientIP", "None"])}),
            9 => json!({"internalTrafficPolicy": self.pick(&["Local", "Cluster"])}),
            10 => json!({"clusterIP": "None"}),
            11 => json!({"externalIPs": self.pick(&[json!(["192.0.2.50"]), json!([]), json!(["nonsense"])])}),
            12 => json!({"type": "ExternalName", "externalName": self.pick(&["example.org", "-bad-"])}),
            _ => json!({"selector": null}),
        };
        json!({"spec": spec})
    }

    fn selector(&mut self) -> Value {
        self.pick(&[
            json!({"app": "web"}),
            json!({"app": "web", "tier": "front"}),
            json!({}),
            json!({"app": "db"}),
            json!({"bad key": "x"}),
        ])
    }

    fn service_ports(&mut self) -> Value {
        let count = self.pick(&[1, 1, 1, 1, 2, 2, 3, 0]);
        (0..count)
            .map(|number| {
                let mut port = json!({"port": self.pick(&[80, 81, 443, 8080, 80, 81, 443, 0])});
                if count > 1 || self.one_in(3) {
                    port["name"] = json!(["one", "two", "three"][number % 3]);
                }
                if self.one_in(12) {
                    port["name"] = json!("one");
                }
                if self.one_in(2) {
                    port["targetPort"] = self.pick(&[
                        json!(8080),
                        json!("http"),
                        json!(9376),
                        json!("8080"),
                        json!("BAD"),
                        json!(70000),
                    ]);
                }
                if self.one_in(4) {
                    port["protocol"] = self.pick(&[json!("TCP"), json!("UDP"), json!("SCTP"), json!("X")]);
                }
                if self.one_in(6) {
                    port["appProtocol"] = json!(self.pick(&["http", "example.org/x", "bad one"]));
                }
                port
            })
            .collect()
    }
}
