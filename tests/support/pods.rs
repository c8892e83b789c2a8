//! Descriptions of Pods, Nodes, Services and Endpoints, short to write and complete enough for the
//! API server. Each is JSON underneath: `with` changes whatever has no method of its own.

use serde_json::{Value, json};

/// An object to be made. The namespace is set by the world that makes it.
#[derive(Debug, Clone)]
pub struct Object(pub Value);

impl Object {
    /// Changes anything: `.with("/spec/subdomain", json!("db"))`. Objects on the way are made; `~1`
    /// in a segment stands for `/`.
    pub fn with(mut self, pointer: &str, value: Value) -> Object {
        set(&mut self.0, pointer, value);
        self
    }

    pub fn label(self, key: &str, value: &str) -> Object {
        self.with(&format!("/metadata/labels/{}", key.replace('/', "~1")), json!(value))
    }

    pub fn annotation(self, key: &str, value: &str) -> Object {
        self.with(&format!("/metadata/annotations/{}", key.replace('/', "~1")), json!(value))
    }

    pub fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }
}

/// Sets the value at a JSON pointer, making objects on the way and appending to lists with `-`.
pub fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut place = object;
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        place = match place {
            Value::Array(list) => {
                let index = segment.parse().unwrap_or(list.len());
                if index >= list.len() {
                    list.push(Value::Null);
                }
                let last = list.len() - 1;
                &mut list[index.min(last)]
            }
            other => &mut other[segment.as_str()],
        };
    }
    *place = value;
}

/// A running, ready Pod with one container and no named ports; `app` is its label `app`.
pub fn pod(name: &str, app: &str, ip: &str) -> Object {
    Object(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {
            "containers": [{"name": "main", "image": "example.org/app:1", "ports": []}],
            "terminationGracePeriodSeconds": 30,
        },
        "status": {
            "phase": "Running",
            "conditions": [
                condition("Ready", true),
                condition("ContainersReady", true),
            ],
            "podIP": ip,
            "podIPs": [{"ip": ip}],
        },
    }))
}

/// A condition of a Pod or Node that changed now.
pub fn condition(kind: &str, status: bool) -> Value {
    json!({
        "type": kind,
        "status": if status { "True" } else { "False" },
        "lastTransitionTime": now(),
    })
}

/// The present second as Kubernetes writes it.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

impl Object {
    /// Pods: on this node.
    pub fn on(self, node: &str) -> Object {
        self.with("/spec/nodeName", json!(node))
    }

    /// Pods: these addresses and no others.
    pub fn ips(self, ips: &[&str]) -> Object {
        let all: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
        self.with("/status/podIP", json!(ips.first())).with("/status/podIPs", json!(all))
    }

    /// Pods: whether the Ready condition is True.
    pub fn ready(self, ready: bool) -> Object {
        self.with(
            "/status/conditions",
            json!([condition("Ready", ready), condition("ContainersReady", ready)]),
        )
    }

    /// Pods: one more port of the first container.
    pub fn container_port(self, name: &str, number: u16) -> Object {
        self.with(
            "/spec/containers/0/ports/-",
            json!({"name": name, "containerPort": number, "protocol": "TCP"}),
        )
    }

    /// Services: one more port; a target that is digits is a number, else a name.
    pub fn port(self, name: &str, number: u16, target: &str) -> Object {
        let target = target.parse::<u16>().map_or_else(|_| json!(target), |number| json!(number));
        let mut port = json!({"port": number, "targetPort": target, "protocol": "TCP"});
        if !name.is_empty() {
            port["name"] = json!(name);
        }
        let mut object = self;
        if !object.0["spec"]["ports"].is_array() {
            object.0["spec"]["ports"] = json!([]);
        }
        object.with("/spec/ports/-", port)
    }

    /// Services: no cluster IP.
    pub fn headless(self) -> Object {
        self.with("/spec/clusterIP", json!("None"))
    }

    /// Services: these families, in this order (`IPv4`, `IPv6`).
    pub fn families(self, families: &[&str]) -> Object {
        let policy = if families.len() == 2 { "RequireDualStack" } else { "SingleStack" };
        self.with("/spec/ipFamilies", json!(families)).with("/spec/ipFamilyPolicy", json!(policy))
    }
}

/// A Service of type ClusterIP that selects the label `app`; ports are added by [`Object::port`].
pub fn service(name: &str, app: &str) -> Object {
    service_without_selector(name).with("/spec/selector", json!({"app": app}))
}

/// A Service without a selector.
pub fn service_without_selector(name: &str) -> Object {
    Object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {}}))
}

/// An Endpoints object with the given subsets.
pub fn endpoints(name: &str, subsets: Value) -> Object {
    Object(json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name}, "subsets": subsets}))
}

/// A ready node with 4 CPUs in `zone` (none when empty).
pub fn node(name: &str, zone: &str) -> Object {
    let node = Object(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {},
        "status": {
            "capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"},
            "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
            "conditions": [condition("Ready", true)],
        },
    }));
    if zone.is_empty() { node } else { node.label("topology.kubernetes.io/zone", zone) }
}
