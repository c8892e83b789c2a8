//! The kinds of Services, each with the Pods or Endpoints that make it interesting.

use serde_json::{Value, json};

use super::draw::{Draw, SELECTOR_REMOVED, TERMINATING};
use crate::support::pods::{Object, endpoints, service, service_without_selector};

/// What a Service of some kind consists of: collections and objects.
type Objects = Vec<(&'static str, Object)>;
type Make = fn(&mut Draw, &str) -> Objects;

/// Every kind by its name.
pub const KINDS: &[(&str, Make)] = &[
    ("cluster-ip", |draw, name| with_pods(draw, web(name), name)),
    ("headless", |draw, name| with_pods(draw, web(name).headless(), name)),
    ("headless-without-ports", |draw, name| with_pods(draw, service(name, name).headless(), name)),
    ("dual-stack", dual_stack),
    ("ipv6-single", ipv6_single),
    ("node-port", |draw, name| with_pods(draw, web(name).with("/spec/type", json!("NodePort")), name)),
    ("load-balancer", |draw, name| {
        with_pods(draw, web(name).with("/spec/type", json!("LoadBalancer")), name)
    }),
    ("external-name", external_name),
    ("no-selector-mirrored", mirrored),
    ("no-selector-without-endpoints", |_, name| {
        vec![("services", service_without_selector(name).port("", 80, "80"))]
    }),
    ("no-selector-skip-mirror", skip_mirror),
    ("empty-selector", empty_selector),
    ("selector-removed", selector_removed),
    ("publish-not-ready", publish_not_ready),
    ("named-ports-in-layouts", named_ports),
    ("sidecar-ports", sidecar_ports),
    ("protocols-and-app-protocols", protocols),
    ("prefer-close", |draw, name| traffic(draw, name, "PreferClose")),
    ("prefer-same-zone", |draw, name| traffic(draw, name, "PreferSameZone")),
    ("prefer-same-node", |draw, name| traffic(draw, name, "PreferSameNode")),
    ("topology-auto", topology_auto),
    ("reserved-labels", reserved_labels),
    ("over-100-endpoints", over_100),
    ("pods-in-every-state", every_state),
    ("hostname-and-subdomain", hostname),
    ("without-pods", |_, name| vec![("services", web(name))]),
    ("long-name", |draw, name| with_pods(draw, web(name), "long")),
];

fn web(name: &str) -> Object {
    service(name, name).port("http", 80, "8080").label("team", "web")
}

fn all_pods(pods: Vec<Object>) -> impl Iterator<Item = (&'static str, Object)> {
    pods.into_iter().map(|pod| ("pods", pod))
}

fn with_pods(draw: &mut Draw, service: Object, app: &str) -> Objects {
    // The label may be shorter than the name.
    let app = if app == "long" { format!("long-{}", draw.word(6)) } else { app.to_string() };
    let mut objects = vec![("services", service.with("/spec/selector", json!({"app": app})))];
    objects.extend(all_pods(draw.usual_pods(&app, 1, 6)));
    objects
}

fn dual_stack(draw: &mut Draw, name: &str) -> Objects {
    let families = if draw.one_in(2) { ["IPv4", "IPv6"] } else { ["IPv6", "IPv4"] };
    let mut objects = vec![("services", web(name).families(&families))];
    for _ in 0..draw.between(2, 5) {
        let (v4, v6) = draw.addresses();
        let addresses: &[&str] = match draw.between(0, 3) {
            0 => &[&v4],
            1 => &[&v6],
            _ => &[&v4, &v6],
        };
        objects.push(("pods", draw.pod_at(name, addresses)));
    }
    objects
}

fn ipv6_single(draw: &mut Draw, name: &str) -> Objects {
    let mut objects = vec![("services", web(name).families(&["IPv6"]))];
    for _ in 0..draw.between(1, 4) {
        let (v4, v6) = draw.addresses();
        objects.push(("pods", draw.pod_at(name, &[&v4, &v6])));
    }
    objects
}

/// With a selector (and Pods that it must not publish), or with Endpoints, which are mirrored.
fn external_name(draw: &mut Draw, name: &str) -> Objects {
    let external = |object: Object| {
        object.with("/spec/type", json!("ExternalName")).with("/spec/externalName", json!("db.example.org"))
    };
    if draw.one_in(2) {
        let mut objects = vec![("services", external(service(name, name)))];
        objects.extend(all_pods(draw.usual_pods(name, 1, 2)));
        return objects;
    }
    let subsets = json!([{"addresses": [{"ip": draw.addresses().0}], "ports": [{"port": 5432}]}]);
    vec![("services", external(service_without_selector(name))), ("endpoints", endpoints(name, subsets))]
}

fn mirrored(draw: &mut Draw, name: &str) -> Objects {
    let mut subsets = Vec::new();
    for subset in 0..draw.between(1, 3) {
        let ready: Vec<Value> = (0..draw.between(1, 3)).map(|_| endpoint_address(draw)).collect();
        let not_ready: Vec<Value> = (0..draw.between(0, 2)).map(|_| endpoint_address(draw)).collect();
        // The peer takes ports with appProtocol in two subsets for different ones (it compares the
        // pointers), so only a port that no other subset has bears one.
        let http = json!({"name": "http", "port": 8080 + subset, "protocol": "TCP", "appProtocol": "http"});
        let mut ports = vec![http];
        if draw.one_in(2) {
            ports.push(json!({"name": "dns", "port": 53, "protocol": "UDP"}));
        }
        subsets.push(json!({"addresses": ready, "notReadyAddresses": not_ready, "ports": ports}));
    }
    let object = endpoints(name, json!(subsets))
        .label("example.org/owner", &draw.word(5))
        .annotation("example.org/note", &draw.word(12))
        .annotation("kubectl.kubernetes.io/last-applied-configuration", "{}");
    vec![("services", service_without_selector(name).port("http", 80, "8080")), ("endpoints", object)]
}

/// Of either family, with or without the optional fields.
fn endpoint_address(draw: &mut Draw) -> Value {
    let (v4, v6) = draw.addresses();
    let mut address = json!({"ip": if draw.one_in(3) { v6 } else { v4 }});
    if draw.one_in(2) {
        address["hostname"] = json!(format!("host-{}", draw.word(3)));
    }
    if draw.one_in(2) {
        address["nodeName"] = json!(draw.node());
    }
    if draw.one_in(3) {
        address["targetRef"] =
            json!({"kind": "Pod", "name": draw.word(5), "namespace": "elsewhere", "uid": draw.word(8)});
    }
    address
}

fn skip_mirror(draw: &mut Draw, name: &str) -> Objects {
    let mut objects = mirrored(draw, name);
    objects[1].1 = objects[1].1.clone().label("endpointslice.kubernetes.io/skip-mirror", "true");
    objects
}

fn empty_selector(draw: &mut Draw, name: &str) -> Objects {
    let mut objects = mirrored(draw, name);
    objects[0].1 = objects[0].1.clone().with("/spec/selector", json!({}));
    objects
}

/// Its slices stay as they were when the selector goes.
fn selector_removed(draw: &mut Draw, name: &str) -> Objects {
    with_pods(draw, web(name).annotation(SELECTOR_REMOVED, "true"), name)
}

fn publish_not_ready(draw: &mut Draw, name: &str) -> Objects {
    let service = web(name).headless().with("/spec/publishNotReadyAddresses", json!(true));
    let mut objects = vec![("services", service)];
    for _ in 0..draw.between(2, 5) {
        let ready = draw.one_in(2);
        let pod = draw.pod(name).ready(ready);
        objects.push(("pods", if draw.one_in(4) { pod.annotation(TERMINATING, "true") } else { pod }));
    }
    objects
}

/// The same port name is another number in other Pods, and missing in some.
fn named_ports(draw: &mut Draw, name: &str) -> Objects {
    let service = service(name, name).port("http", 80, "web").port("metrics", 9090, "metrics");
    let mut objects = vec![("services", service)];
    for _ in 0..draw.between(4, 9) {
        let pod = draw.usual_pod(name);
        let pod = match draw.between(0, 3) {
            0 => pod.container_port("web", 8080).container_port("metrics", 9090),
            1 => pod.container_port("web", 8081).container_port("metrics", 9090),
            2 => pod.container_port("web", 8080),
            _ => pod,
        };
        objects.push(("pods", pod));
    }
    objects
}

fn sidecar_ports(draw: &mut Draw, name: &str) -> Objects {
    let mut objects =
        vec![("services", service(name, name).port("http", 80, "8080").port("proxy", 15001, "proxy"))];
    for _ in 0..draw.between(2, 5) {
        let ports = json!([{"name": "proxy", "containerPort": 15001, "protocol": "TCP"}]);
        let sidecar = json!([{"name": "proxy", "image": "example.org/proxy:1", "restartPolicy": "Always", "ports": ports}]);
        objects.push(("pods", draw.usual_pod(name).with("/spec/initContainers", sidecar)));
    }
    objects
}

fn protocols(draw: &mut Draw, name: &str) -> Objects {
    let ports = json!([
        {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP", "appProtocol": "http"},
        {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"},
        {"name": "signal", "port": 2905, "protocol": "SCTP"},
        {"name": "grpc", "port": 443, "targetPort": 8443, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
    ]);
    with_pods(draw, service(name, name).with("/spec/ports", ports), name)
}

fn traffic(draw: &mut Draw, name: &str, value: &str) -> Objects {
    with_pods(draw, web(name).with("/spec/trafficDistribution", json!(value)), name)
}

fn topology_auto(draw: &mut Draw, name: &str) -> Objects {
    let service = web(name).annotation("service.kubernetes.io/topology-mode", "Auto");
    let mut objects = vec![("services", service)];
    for _ in 0..draw.between(8, 14) {
        let node = draw.node_with_zone();
        objects.push(("pods", draw.pod(name).on(&node)));
    }
    objects
}

/// A tenant sets labels that belong to the controller.
fn reserved_labels(draw: &mut Draw, name: &str) -> Objects {
    let service = web(name)
        .label("kubernetes.io/service-name", "somebody-else")
        .label("endpointslice.kubernetes.io/managed-by", "somebody-else");
    let headless = draw.one_in(2);
    with_pods(draw, if headless { service.headless() } else { service }, name)
}

fn over_100(draw: &mut Draw, name: &str) -> Objects {
    let mut objects = vec![("services", web(name))];
    objects.extend(all_pods(draw.usual_pods(name, 101, 115)));
    objects
}

fn every_state(draw: &mut Draw, name: &str) -> Objects {
    let states: [fn(Object) -> Object; 9] = [
        |pod| pod,
        |pod| pod.ready(false),
        |pod| pod.annotation(TERMINATING, "true"),
        |pod| pod.ready(false).annotation(TERMINATING, "true"),
        |pod| pod.with("/status/phase", json!("Succeeded")).ready(false),
        |pod| pod.with("/status/phase", json!("Failed")).ready(false),
        |pod| pod.with("/spec/nodeName", Value::Null),
        |pod| pod.on("node-that-never-was"),
        |pod| pod.with("/status", json!({"phase": "Pending"})),
    ];
    let mut objects = vec![("services", web(name))];
    for state in states {
        let pod = draw.pod(name);
        objects.push(("pods", state(pod)));
    }
    objects
}

fn hostname(draw: &mut Draw, name: &str) -> Objects {
    let mut objects = vec![("services", web(name).headless())];
    for number in 0..draw.between(2, 4) {
        let subdomain = if draw.one_in(4) { "another" } else { name };
        let pod = draw.usual_pod(name).with("/spec/hostname", json!(format!("db-{number}")));
        objects.push(("pods", pod.with("/spec/subdomain", json!(subdomain))));
    }
    objects
}
