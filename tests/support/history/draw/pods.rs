//! Pods: several layouts of container ports, sidecars, hostnames, both families, finalizers, and every
//! transition from the first address to the end.

use serde_json::{Value, json};

use super::super::{Kind, Operation};
use super::Draw;

/// Containers and init containers.
fn layout(number: usize) -> (Value, Value) {
    let port = |name: &str, number: u16| json!({"name": name, "containerPort": number, "protocol": "TCP"});
    let container =
        |name: &str, ports: Value| json!({"name": name, "image": "example.org/app:1", "ports": ports});
    let sidecar = |ports: Value| {
        let mut sidecar = container("proxy", ports);
        sidecar["restartPolicy"] = json!("Always");
        sidecar
    };
    let web = json!([port("web", 8080), port("metrics", 9090)]);
    match number % 8 {
        0 | 1 => (json!([container("main", web)]), json!([])),
        2 => (json!([container("main", json!([port("web", 8081), port("metrics", 9090)]))]), json!([])),
        3 => (json!([container("main", json!([port("web", 8080)]))]), json!([])),
        4 => (json!([container("main", json!([]))]), json!([])),
        5 => (json!([container("main", web)]), json!([sidecar(json!([port("proxy", 15001)]))])),
        // The first of two with the same name wins; an ordinary init container has no say.
        6 => {
            let second = container("second", json!([port("web", 8090), port("proxy", 15002)]));
            (
                json!([container("main", json!([port("web", 8080)])), second]),
                json!([container("once", json!([port("metrics", 1)]))]),
            )
        }
        _ => {
            // The same name with either protocol, in two containers.
            let dns = container("dns", json!([{"name": "web", "containerPort": 8053, "protocol": "UDP"}]));
            let main = container("main", json!([port("web", 8082)]));
            (json!([dns, main]), json!([sidecar(json!([port("metrics", 9091)]))]))
        }
    }
}

fn statuses(ips: &[String]) -> Value {
    let all: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
    json!({"podIP": ips.first(), "podIPs": all})
}

impl Draw {
    /// A Pod that the Service selects, in some state.
    pub(super) fn make_pod(&mut self, why: &str, service: &str) {
        self.next_pod += 1;
        let name = format!("p-{}", self.next_pod);
        let pod = self.pod(&name, service);
        self.push(why, Operation::Create(Kind::Pod, pod));
    }

    fn pod(&mut self, name: &str, service: &str) -> Value {
        let (containers, sidecars) = match self.between(0, 2) {
            0 => layout(0),
            _ => {
                let number = self.between(0, 7);
                layout(number)
            }
        };
        let group = self.of(&["red", "blue", "green", "grey"]);
        let mut labels = json!({"app": self.app_of(service), "group": group});
        for (key, value) in self.selector_of(service).unwrap_or_default().as_object().into_iter().flatten() {
            labels[key] = value.clone();
        }
        let mut spec = json!({"containers": containers, "initContainers": sidecars, "terminationGracePeriodSeconds": 30});
        if let Some(node) = self.node_for_pod() {
            spec["nodeName"] = json!(node);
        }
        if self.one_in(6) {
            spec["hostname"] = json!(format!("host-{}", self.between(0, 9)));
        }
        if self.one_in(6) {
            let other = self.of(&self.services.clone());
            // A subdomain is a DNS label: no Service whose name is none.
            spec["subdomain"] = json!(if self.one_in(3) { &other } else { service });
        }
        let mut metadata = json!({"name": name, "labels": labels});
        if self.one_in(12) {
            metadata["finalizers"] = json!(["history.example.org/hold"]);
        }
        let status = self.first_status();
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status})
    }

    fn first_status(&mut self) -> Value {
        if self.one_in(14) {
            return json!({"phase": "Pending"});
        }
        let ips = self.pod_ips();
        let mut status = statuses(&ips);
        let phase = if self.one_in(25) { self.of(&["Succeeded", "Failed"]) } else { "Running" };
        status["phase"] = json!(phase);
        let ready = phase == "Running" && !self.one_in(5);
        status["conditions"] = self.pod_conditions(ready);
        status
    }

    fn pod_ips(&mut self) -> Vec<String> {
        let (v4, v6) = self.addresses();
        match self.between(0, 79) {
            0..40 => vec![v4],
            40..56 => vec![v4, v6],
            56..64 => vec![v6, v4],
            64..78 => vec![v6],
            // One that no slice may hold.
            78 => vec![format!("169.254.1.{}", self.between(1, 200))],
            _ => vec![v4, "fe80::1".to_string()],
        }
    }

    fn pod_conditions(&self, ready: bool) -> Value {
        let status = if ready { "True" } else { "False" };
        let one = |kind: &str| json!({"type": kind, "status": status, "lastTransitionTime": self.time()});
        json!([one("Ready"), one("ContainersReady")])
    }

    pub(super) fn change_a_pod(&mut self) {
        if self.one_in(6) {
            return self.change_many_pods();
        }
        let Some(name) = self.existing(Kind::Pod) else { return };
        let pod = self.state.get(Kind::Pod, &name).cloned().unwrap_or_default();
        let going = pod["metadata"]["deletionTimestamp"].is_string();
        match self.between(0, 19) {
            0..3 => {
                let service = self.of(&self.services.clone());
                self.make_pod("pod: new", &service);
            }
            3..6 => self.flip_ready(&name, &pod),
            6 => self.set_phase(&name),
            7..9 => self.readdress(&name, &pod),
            9 => self.take_over_an_address(&name, &pod),
            10 => self.relabel(&name, &pod),
            11 => self.touch(&name),
            12..14 if !going => self.push("pod: terminating", Operation::Terminate(name)),
            14 => self.recreate(&name, &pod),
            15 if pod["metadata"]["finalizers"].is_array() => {
                let patch = json!({"metadata": {"finalizers": null}});
                self.patch("pod: finalizer removed", Kind::Pod, &name, patch);
            }
            16 if pod["spec"]["nodeName"].is_null() && !going => {
                if let Some(node) = self.existing(Kind::Node) {
                    self.push("pod: bound late", Operation::Bind(name, node));
                }
            }
            _ => self.push("pod: deleted", Operation::Delete(Kind::Pod, name)),
        }
    }

    /// A rollout or an outage: the same happens to several Pods of a Service.
    fn change_many_pods(&mut self) {
        let service = self.of(&self.services.clone());
        let app = self.app_of(&service);
        let of_app =
            |(name, pod): (&str, &Value)| (pod["metadata"]["labels"]["app"] == app).then(|| name.to_string());
        let names: Vec<String> = self.state.all(Kind::Pod).filter_map(of_app).take(6).collect();
        let what = self.between(0, 2);
        for name in names {
            let pod = self.state.get(Kind::Pod, &name).cloned().unwrap_or_default();
            match what {
                0 => self.flip_ready(&name, &pod),
                1 => {
                    self.make_pod("pod: rolled", &service);
                    self.push("pod: rolled", Operation::Delete(Kind::Pod, name));
                }
                _ => self.readdress(&name, &pod),
            }
        }
        if what == 2 {
            self.make_pod("pod: new", &service);
        }
    }

    fn status(&mut self, why: &str, name: &str, status: Value) {
        self.push(why, Operation::PatchStatus(Kind::Pod, name.to_string(), status));
    }

    fn flip_ready(&mut self, name: &str, pod: &Value) {
        let ready = pod["status"]["conditions"][0]["status"] == "True";
        let conditions = self.pod_conditions(!ready);
        self.status(
            if ready { "pod: not ready" } else { "pod: ready" },
            name,
            json!({"conditions": conditions}),
        );
    }

    /// The kubelet says both in one write; others may not.
    fn set_phase(&mut self, name: &str) {
        let phase = self.of(&["Succeeded", "Failed", "Running"]);
        let mut status = json!({"phase": phase});
        if !self.one_in(4) {
            status["conditions"] = self.pod_conditions(false);
        }
        self.status("pod: phase", name, status);
    }

    fn readdress(&mut self, name: &str, pod: &Value) {
        let none = pod["status"]["podIP"].is_null();
        let ips = self.pod_ips();
        let mut status = statuses(&ips);
        if none {
            status["phase"] = json!("Running");
            status["conditions"] = self.pod_conditions(true);
        }
        self.status(if none { "pod: first address" } else { "pod: other address" }, name, status);
    }

    /// One Pod gives up its address, another gets it: in either order of events.
    fn take_over_an_address(&mut self, name: &str, pod: &Value) {
        let ips = pod["status"]["podIPs"].clone();
        let Some(other) = self.existing(Kind::Pod).filter(|other| other != name && ips.is_array()) else {
            return;
        };
        let status = json!({"podIP": pod["status"]["podIP"], "podIPs": ips});
        if self.one_in(2) {
            self.push("pod: address reused", Operation::Delete(Kind::Pod, name.to_string()));
        } else {
            let fresh = statuses(&self.pod_ips());
            self.status("pod: address reused", name, fresh);
        }
        self.status("pod: address reused", &other, status);
    }

    fn relabel(&mut self, name: &str, pod: &Value) {
        let other = self.of(&self.services.clone());
        let app = if self.one_in(3) { "nobody".to_string() } else { self.app_of(&other) };
        let group = self.of(&["red", "blue", "green", "grey"]);
        let had = pod["metadata"]["labels"]["tier"].is_string();
        let tier = if had { Value::Null } else { json!("front") };
        let labels = match self.between(0, 2) {
            0 => json!({"app": app}),
            1 => json!({"group": group}),
            _ => json!({"tier": tier}),
        };
        self.patch("pod: labels", Kind::Pod, name, json!({"metadata": {"labels": labels}}));
    }

    /// A change that decides about no slice.
    fn touch(&mut self, name: &str) {
        let patch = json!({"metadata": {"annotations": {"history.example.org/note": self.time()}}});
        self.patch("pod: touched", Kind::Pod, name, patch);
    }

    /// The same name again, as a StatefulSet does; perhaps with the same address.
    fn recreate(&mut self, name: &str, pod: &Value) {
        if pod["metadata"]["finalizers"].is_array() {
            return;
        }
        self.push("pod: recreated", Operation::Delete(Kind::Pod, name.to_string()));
        let service = self.of(&self.services.clone());
        let mut again = self.pod(name, &service);
        if !self.one_in(3) {
            again["metadata"]["labels"] = pod["metadata"]["labels"].clone();
            again["spec"]["hostname"] = pod["spec"]["hostname"].clone();
            again["spec"]["subdomain"] = pod["spec"]["subdomain"].clone();
        }
        if self.one_in(2) && pod["status"]["podIP"].is_string() {
            again["status"] = pod["status"].clone();
        }
        self.push("pod: recreated", Operation::Create(Kind::Pod, again));
    }
}
