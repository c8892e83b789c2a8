//! Endpoints objects: overlapping subsets, duplicates, both families, labels and annotations, marks
//! that forbid mirroring, and rarely more addresses than are mirrored.

use serde_json::{Value, json};

use super::super::{Kind, Operation};
use super::Draw;

const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
/// More than are mirrored.
const MANY: usize = 1010;

impl Draw {
    pub(super) fn make_endpoints(&mut self, why: &str, name: &str) {
        let mut labels = json!({"team": self.of(&["a", "b"])});
        if self.one_in(10) {
            labels[SKIP] = json!(self.of(&["true", "false"]));
        }
        if self.one_in(8) {
            // As the Endpoints controller marks what it makes.
            labels["endpoints.kubernetes.io/managed-by"] = json!("endpoint-controller");
        }
        if self.one_in(12) {
            labels["kubernetes.io/service-name"] = json!("somebody-else");
        }
        let mut annotations = json!({"history.example.org/note": "first"});
        if self.one_in(14) {
            annotations[LEADER] = json!("{}");
        }
        let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
        let subsets = self.subsets();
        let object =
            json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets});
        self.push(why, Operation::Create(Kind::Endpoints, object));
    }

    fn subsets(&mut self) -> Value {
        if self.large_endpoints_left > 0 && self.one_in(3) {
            self.large_endpoints_left -= 1;
            let addresses: Vec<Value> = (0..MANY).map(|_| json!({"ip": self.addresses().0})).collect();
            return json!([{"addresses": addresses, "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}]);
        }
        // A few addresses for all subsets, so that subsets overlap.
        let pool: Vec<Value> = (0..self.between(1, 6)).map(|_| self.endpoint_address()).collect();
        let subsets = (0..self.between(0, 3)).map(|_| self.subset(&pool)).collect();
        Value::Array(subsets)
    }

    fn subset(&mut self, pool: &[Value]) -> Value {
        let mut ready: Vec<Value> = (0..self.between(0, 3)).map(|_| self.of(pool)).collect();
        let mut not_ready: Vec<Value> = (0..self.between(0, 1)).map(|_| self.of(pool)).collect();
        if self.one_in(3) {
            ready.push(self.endpoint_address());
        }
        if ready.is_empty() && not_ready.is_empty() {
            not_ready.push(self.of(pool));
        }
        let mut subset = json!({"ports": self.endpoint_ports()});
        for (list, addresses) in [("addresses", ready), ("notReadyAddresses", not_ready)] {
            if !addresses.is_empty() {
                subset[list] = Value::Array(addresses);
            }
        }
        subset
    }

    fn endpoint_ports(&mut self) -> Value {
        let http = json!({"name": "http", "port": 80, "protocol": "TCP"});
        let other_http = json!({"name": "http", "port": 8080, "protocol": "TCP"});
        let https = json!({"name": "https", "port": 443, "protocol": "TCP"});
        let dns = json!({"name": "dns", "port": 53, "protocol": "UDP"});
        let grpc = json!({"name": "grpc", "port": 90, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"});
        match self.between(0, 13) {
            0..4 => json!([http]),
            4..7 => json!([http, https]),
            7 => json!([https, dns]),
            8 => json!([dns, http]),
            9 => json!([{"port": 80, "protocol": "TCP"}]),
            10 => json!([other_http, https]),
            11 => json!([grpc, https]),
            12 => json!([]),
            _ => json!([grpc]),
        }
    }

    fn endpoint_address(&mut self) -> Value {
        let (v4, v6) = self.addresses();
        let mut address = json!({"ip": if self.one_in(3) { v6 } else { v4 }});
        if self.one_in(4) {
            address["hostname"] = json!(format!("host-{}", self.between(0, 3)));
        }
        if self.one_in(4) {
            address["nodeName"] = json!("node-1");
        }
        if self.one_in(4)
            && let Some(pod) = self.existing(Kind::Pod)
        {
            address["targetRef"] =
                json!({"kind": "Pod", "name": pod, "namespace": "elsewhere", "uid": format!("uid-{pod}")});
        }
        address
    }

    pub(super) fn change_endpoints(&mut self) {
        let Some(name) = self.existing(Kind::Endpoints).filter(|_| !self.one_in(5)) else {
            let name = self.of(&self.services.clone());
            return self.make_endpoints("endpoints: new", &name);
        };
        let object = self.state.get(Kind::Endpoints, &name).cloned().unwrap_or_default();
        let metadata = &object["metadata"];
        let labels = |labels: Value| json!({"metadata": {"labels": labels}});
        let annotations = |annotations: Value| json!({"metadata": {"annotations": annotations}});
        match self.between(0, 15) {
            0..5 => {
                let subsets = self.subsets();
                self.patch("endpoints: subsets", Kind::Endpoints, &name, json!({"subsets": subsets}));
            }
            5..7 => self.flip_an_address(&name, &object),
            7 => {
                let team = self.of(&["a", "b", "c"]);
                self.patch("endpoints: labels", Kind::Endpoints, &name, labels(json!({"team": team})));
            }
            8 => {
                let note = self.time();
                let patch = annotations(json!({"history.example.org/note": note}));
                self.patch("endpoints: annotations", Kind::Endpoints, &name, patch);
            }
            9 => {
                let patch =
                    annotations(json!({"kubectl.kubernetes.io/last-applied-configuration": self.time()}));
                self.patch("endpoints: applied again", Kind::Endpoints, &name, patch);
            }
            10 => {
                let skip = if metadata["labels"][SKIP] == "true" { Value::Null } else { json!("true") };
                self.patch("endpoints: skip mark", Kind::Endpoints, &name, labels(json!({SKIP: skip})));
            }
            11 => {
                let leader =
                    if metadata["annotations"][LEADER].is_string() { Value::Null } else { json!("{}") };
                self.patch(
                    "endpoints: leader mark",
                    Kind::Endpoints,
                    &name,
                    annotations(json!({LEADER: leader})),
                );
            }
            12 => {
                self.push("endpoints: recreated", Operation::Delete(Kind::Endpoints, name.clone()));
                self.make_endpoints("endpoints: recreated", &name);
            }
            13 => self.patch("endpoints: no subsets", Kind::Endpoints, &name, json!({"subsets": null})),
            _ => self.push("endpoints: deleted", Operation::Delete(Kind::Endpoints, name)),
        }
    }

    /// The first address of the first subset becomes ready, or not.
    fn flip_an_address(&mut self, name: &str, object: &Value) {
        let mut subsets = object["subsets"].clone();
        let Some(first) = subsets.get_mut(0) else { return };
        let ready = first["addresses"].as_array().is_some_and(|list| !list.is_empty());
        let (from, to) =
            if ready { ("addresses", "notReadyAddresses") } else { ("notReadyAddresses", "addresses") };
        let mut left = first[from].as_array().cloned().unwrap_or_default();
        let mut more = first[to].as_array().cloned().unwrap_or_default();
        if left.is_empty() {
            return;
        }
        more.push(left.remove(0));
        first[to] = json!(more);
        if left.is_empty() {
            first.as_object_mut().map(|subset| subset.remove(from));
        } else {
            first[from] = json!(left);
        }
        self.patch("endpoints: readiness", Kind::Endpoints, name, json!({"subsets": subsets}));
    }
}
