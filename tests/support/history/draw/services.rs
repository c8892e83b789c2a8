//! Services: every kind and the changes from kind to kind, selectors, ports, labels, families and
//! topology.

use serde_json::{Value, json};

use super::super::{Kind, Operation};
use super::Draw;

const MODE: &str = "service.kubernetes.io/topology-mode";
const OLD_MODE: &str = "service.kubernetes.io/topology-aware-hints";

fn ports(number: usize) -> Value {
    let port = |name: &str, number: u16, target: Value| json!({"name": name, "port": number, "targetPort": target, "protocol": "TCP"});
    match number % 12 {
        0 => json!([port("http", 80, json!(8080))]),
        1 => json!([{"port": 80, "targetPort": "web", "protocol": "TCP"}]),
        2 => json!([port("http", 80, json!("web")), port("metrics", 9090, json!("metrics"))]),
        3 => json!([port("http", 80, json!("metrics")), port("metrics", 9090, json!("web"))]),
        4 => json!([port("www", 80, json!("web"))]),
        5 => json!([port("http", 80, json!("web")), port("proxy", 15001, json!("proxy"))]),
        6 => {
            let dns = json!({"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"});
            json!([{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP", "appProtocol": "http"}, dns])
        }
        7 => json!([
            {"name": "grpc", "port": 443, "targetPort": 8443, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
            {"name": "signal", "port": 2905, "targetPort": 2905, "protocol": "SCTP"},
        ]),
        8 => {
            json!([{"name": "http", "port": 80, "targetPort": "web", "protocol": "UDP"}, port("tcp", 81, json!("web"))])
        }
        9 => json!([{"name": "plain", "port": 8080, "protocol": "TCP"}]),
        10 => json!([port("http", 80, json!("nothing"))]),
        _ => json!([port("metrics", 9090, json!("metrics")), port("http", 80, json!("web"))]),
    }
}

fn external(service: &Value) -> bool {
    service["spec"]["type"] == "ExternalName"
}

fn headless(service: &Value) -> bool {
    service["spec"]["clusterIP"] == "None"
}

impl Draw {
    pub(super) fn service_name(&mut self, number: usize) -> String {
        match self.between(0, 19) {
            0 => format!("{:x<63}", format!("s{number}-")),
            1 => format!("{number}-digit"),
            _ => format!("s{number}"),
        }
    }

    /// The label `app` of the Service's Pods.
    pub(super) fn app_of(&self, service: &str) -> String {
        service.to_string()
    }

    /// One that the controllers work on, so that slices of an earlier one of that name do not stay as
    /// they happen to be.
    fn make_working_service(&mut self, why: &str, name: &str) {
        let mut service = self.service(name);
        let spec = &mut service["spec"];
        if spec["type"] == "ExternalName" {
            *spec = json!({"ports": spec["ports"], "type": "ClusterIP", "ipFamilies": ["IPv4"],
                           "ipFamilyPolicy": "SingleStack"});
        }
        if spec["selector"].as_object().is_none_or(|pairs| pairs.is_empty()) {
            spec["selector"] = json!({"app": self.app_of(name)});
        }
        self.push(why, Operation::Create(Kind::Service, service));
    }

    pub(super) fn make_service(&mut self, why: &str, name: &str) {
        let service = self.service(name);
        self.push(why, Operation::Create(Kind::Service, service));
    }

    fn service(&mut self, name: &str) -> Value {
        let layout = self.between(0, 11);
        let mut spec = json!({"ports": ports(layout)});
        match self.between(0, 19) {
            0..9 => spec["type"] = json!("ClusterIP"),
            9..14 => {
                spec["clusterIP"] = json!("None");
                if self.one_in(4) {
                    spec["ports"] = Value::Null;
                }
            }
            14..16 => spec["type"] = json!("NodePort"),
            16..18 => spec["type"] = json!("LoadBalancer"),
            _ => {
                spec["type"] = json!("ExternalName");
                spec["externalName"] = json!("db.example.org");
            }
        }
        match self.between(0, 19) {
            0..13 => spec["selector"] = json!({"app": self.app_of(name)}),
            13 => spec["selector"] = json!({"app": self.app_of(name), "tier": "front"}),
            14 => spec["selector"] = json!({"group": self.of(&["red", "blue"])}),
            15 => spec["selector"] = json!({}),
            _ => {}
        }
        if spec["type"] != "ExternalName" {
            let (families, policy) = self.families();
            spec["ipFamilies"] = families;
            spec["ipFamilyPolicy"] = policy;
        }
        if self.one_in(7) {
            spec["publishNotReadyAddresses"] = json!(true);
        }
        if self.one_in(4) {
            let distribution = self.distribution();
            spec["trafficDistribution"] = distribution;
        }
        let mut metadata = json!({"name": name, "labels": {"team": self.of(&["a", "b", "c"])}});
        if self.one_in(10) {
            metadata["labels"]["kubernetes.io/service-name"] = json!("somebody-else");
            metadata["labels"]["endpointslice.kubernetes.io/managed-by"] = json!("somebody-else");
        }
        if self.one_in(20) {
            metadata["labels"]["service.kubernetes.io/headless"] = json!("");
        }
        if self.one_in(if self.auto { 2 } else { 12 }) {
            let key = self.of(&[MODE, MODE, OLD_MODE]);
            metadata["annotations"] = json!({key: self.mode()});
        }
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    }

    fn families(&mut self) -> (Value, Value) {
        let (single, dual) = (json!("SingleStack"), json!("RequireDualStack"));
        match self.between(0, 9) {
            0..5 => (json!(["IPv4"]), single),
            5..7 => (json!(["IPv6"]), single),
            7..9 => (json!(["IPv4", "IPv6"]), dual),
            _ => (json!(["IPv6", "IPv4"]), dual),
        }
    }

    /// Auto depends on all Nodes of the cluster, so only histories that have them to themselves ask for it.
    fn mode(&mut self) -> &'static str {
        if self.auto {
            self.of(&["Auto", "Auto", "auto", "Disabled"])
        } else {
            self.of(&["Disabled", "auto-ish"])
        }
    }

    fn distribution(&mut self) -> Value {
        json!(self.of(&["PreferClose", "PreferSameZone", "PreferSameNode"]))
    }

    pub(super) fn change_a_service(&mut self) {
        if self.one_in(6) && !self.large.is_empty() {
            let name = self.of(&self.large.clone());
            return self.change_ports(&name);
        }
        let name = self.of(&self.services.clone());
        let Some(service) = self.state.get(Kind::Service, &name).cloned() else {
            return self.make_working_service("service: back again", &name);
        };
        let spec = |spec: Value| json!({"spec": spec});
        match self.between(0, 23) {
            0..3 => self.change_selector(&name, &service),
            3..9 => self.change_ports(&name),
            9..12 => self.change_labels(&name, &service),
            12..14 => self.change_families(&name, &service),
            14 => {
                let publish = service["spec"]["publishNotReadyAddresses"] != true;
                let patch = spec(json!({"publishNotReadyAddresses": publish}));
                self.patch("service: publishNotReadyAddresses", Kind::Service, &name, patch);
            }
            15..17 => {
                let value = if self.one_in(3) { Value::Null } else { self.distribution() };
                let patch = spec(json!({"trafficDistribution": value}));
                self.patch("service: trafficDistribution", Kind::Service, &name, patch);
            }
            17..19 => self.change_topology(&name, &service),
            19 | 20 => self.change_kind(&name, &service),
            21 => {
                self.push("service: recreated", Operation::Delete(Kind::Service, name.clone()));
                self.make_working_service("service: recreated", &name);
            }
            22 => self.push("service: deleted", Operation::Delete(Kind::Service, name)),
            _ => self.change_many(&name),
        }
    }

    fn change_ports(&mut self, name: &str) {
        let Some(service) = self.state.get(Kind::Service, name).cloned() else { return };
        let layout = self.between(0, 11);
        let list = if headless(&service) && self.one_in(5) { Value::Null } else { ports(layout) };
        self.patch("service: ports", Kind::Service, name, json!({"spec": {"ports": list}}));
    }

    /// A release: ports and labels together.
    fn change_many(&mut self, name: &str) {
        let layout = self.between(0, 11);
        let team = self.of(&["a", "b", "c"]);
        let patch = json!({"metadata": {"labels": {"team": team}}, "spec": {"ports": ports(layout)}});
        self.patch("service: ports and labels", Kind::Service, name, patch);
    }

    fn change_selector(&mut self, name: &str, service: &Value) {
        let mut selector = json!({});
        for key in service["spec"]["selector"].as_object().into_iter().flatten().map(|(key, _)| key) {
            selector[key] = Value::Null;
        }
        let had = self.selector_of(name).is_some();
        let why = match self.between(0, 4) {
            0..2 => {
                selector["group"] = json!(self.of(&["red", "blue", "green"]));
                "service: other selector"
            }
            2 => {
                selector["app"] = json!(self.app_of(name));
                selector["tier"] = json!("front");
                "service: other selector"
            }
            4 if had => {
                // Null takes all of it away; the empty map comes with a later write.
                self.patch(
                    "service: selector emptied",
                    Kind::Service,
                    name,
                    json!({"spec": {"selector": null}}),
                );
                return self.patch(
                    "service: selector emptied",
                    Kind::Service,
                    name,
                    json!({"spec": {"selector": {}}}),
                );
            }
            _ => {
                selector["app"] = json!(self.app_of(name));
                if had { "service: other selector" } else { "service: selector added" }
            }
        };
        self.patch(why, Kind::Service, name, json!({"spec": {"selector": selector}}));
    }

    fn change_labels(&mut self, name: &str, service: &Value) {
        let labels = &service["metadata"]["labels"];
        let toggled =
            |key: &str, value: &str| if labels[key].is_string() { Value::Null } else { json!(value) };
        let patch = match self.between(0, 5) {
            0..3 => json!({"team": self.of(&["a", "b", "c", "d"])}),
            3 => json!({"extra": toggled("extra", "yes")}),
            4 => json!({"service.kubernetes.io/headless": toggled("service.kubernetes.io/headless", "")}),
            _ => {
                json!({"kubernetes.io/service-name": toggled("kubernetes.io/service-name", "somebody-else")})
            }
        };
        self.patch("service: labels", Kind::Service, name, json!({"metadata": {"labels": patch}}));
    }

    /// A second family more, or one less; the first cannot change.
    fn change_families(&mut self, name: &str, service: &Value) {
        if external(service) {
            return;
        }
        let families = service["spec"]["ipFamilies"].as_array().cloned().unwrap_or_default();
        let first = families.first().cloned().unwrap_or_else(|| json!("IPv4"));
        let second = if first == "IPv4" { "IPv6" } else { "IPv4" };
        let spec = match families.len() {
            2 => json!({"ipFamilyPolicy": "SingleStack", "ipFamilies": [first]}),
            _ => json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": [first, second]}),
        };
        let why = if families.len() == 2 { "service: one family less" } else { "service: one family more" };
        self.patch(why, Kind::Service, name, json!({"spec": spec}));
    }

    fn change_topology(&mut self, name: &str, service: &Value) {
        let annotations = &service["metadata"]["annotations"];
        // Both at once must be equal; only one is ever set here.
        let key = match (annotations[OLD_MODE].is_string(), annotations[MODE].is_string()) {
            (true, _) => OLD_MODE,
            (false, true) => MODE,
            (false, false) => self.of(&[MODE, MODE, OLD_MODE]),
        };
        let value = match annotations[key].is_string() {
            true => Value::Null,
            false => json!(self.mode()),
        };
        self.patch(
            "service: topology annotation",
            Kind::Service,
            name,
            json!({"metadata": {"annotations": {key: value}}}),
        );
    }

    /// From now on no controller touches its slices: its selector goes, or it is somebody else's name.
    pub(super) fn retire_a_service(&mut self) {
        let name = self.of(&self.services.clone());
        let Some(service) = self.state.get(Kind::Service, &name).cloned() else { return };
        if external(&service) || self.selector_of(&name).is_none() {
            return;
        }
        match self.between(0, 4) {
            4 => {
                self.push("service: recreated", Operation::Delete(Kind::Service, name.clone()));
                self.make_service("service: recreated", &name);
            }
            0 | 1 => {
                let patch = json!({"spec": {"selector": null}});
                self.patch("service: selector removed", Kind::Service, &name, patch);
            }
            2 => {
                // Null takes all of it away; the empty map comes with a later write.
                for selector in [Value::Null, json!({})] {
                    let patch = json!({"spec": {"selector": selector}});
                    self.patch("service: selector emptied", Kind::Service, &name, patch);
                }
            }
            _ => {
                let nothing = Value::Null;
                let spec = json!({"type": "ExternalName", "externalName": "db.example.org", "clusterIP": nothing,
                                  "clusterIPs": nothing, "ipFamilies": nothing, "ipFamilyPolicy": nothing});
                self.patch("service: another's name", Kind::Service, &name, json!({"spec": spec}));
            }
        }
    }

    fn change_kind(&mut self, name: &str, service: &Value) {
        let old = service["spec"]["type"].as_str().unwrap_or("ClusterIP");
        if external(service) {
            let (families, policy) = self.families();
            let mut spec = json!({"type": "ClusterIP", "externalName": null, "ipFamilies": families, "ipFamilyPolicy": policy});
            if self.one_in(2) {
                spec["clusterIP"] = json!("None");
            }
            return self.patch("service: kind", Kind::Service, name, json!({"spec": spec}));
        }
        let kind = self.of(&["ClusterIP", "NodePort", "LoadBalancer"]);
        if kind != old && !headless(service) {
            self.patch("service: kind", Kind::Service, name, json!({"spec": {"type": kind}}));
        }
    }
}
