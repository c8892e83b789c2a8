//! Services: defaults, cluster IPs of both families, node ports, what may change.

use serde_json::{Value, json};

use super::Scene;
use super::objects::*;
use crate::step::{Script, of};

pub const SCENES: &[Scene] = &[
    ("defaults of every type of Service", types),
    ("families and policies", families),
    ("families change", families_change),
    ("headless Services", headless),
    ("the type changes", type_changes),
    ("cluster IPs that are asked for", asked_for),
    ("addresses are given back", given_back),
    ("node ports", node_ports),
    ("what a Service may not be", invalid),
    ("what a Service may not become", immutable),
    ("ports of a Service", ports),
    ("session affinity and policies of traffic", policies),
];

fn of_spec(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
}

fn types(s: &mut Script) {
    for kind in ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "Nonsense", ""] {
        let mut spec = json!({"type": kind, "ports": [{"port": 80}]});
        s.create("services", of_spec(&format!("a{}", kind.to_lowercase()), spec.clone()));
        spec["externalName"] = json!("example.org");
        s.create("services", of_spec(&format!("b{}", kind.to_lowercase()), spec));
    }
    s.create("services", of_spec("none", json!({})));
    s.create("services", json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "specless"}}));
    s.get("services");
}

fn families(s: &mut Script) {
    let mut number = 0;
    for policy in [
        json!(null),
        json!("SingleStack"),
        json!("PreferDualStack"),
        json!("RequireDualStack"),
        json!("Nonsense"),
    ] {
        for families in [
            json!(null),
            json!([]),
            json!(["IPv4"]),
            json!(["IPv6"]),
            json!(["IPv4", "IPv6"]),
            json!(["IPv6", "IPv4"]),
            json!(["IPv4", "IPv4"]),
            json!(["Nonsense"]),
            json!(["IPv4", "IPv6", "IPv4"]),
        ] {
            number += 1;
            s.create(
                "services",
                of_spec(
                    &format!("f{number}"),
                    json!({"ipFamilyPolicy": policy, "ipFamilies": families, "ports": [{"port": 80}]}),
                ),
            );
        }
    }
}

fn families_change(s: &mut Script) {
    s.create("services", service("a"));
    s.merge("services/a", json!({"spec": {"ipFamilyPolicy": "PreferDualStack"}}));
    s.merge("services/a", json!({"spec": {"ipFamilyPolicy": "RequireDualStack"}}));
    s.merge("services/a", json!({"spec": {"ipFamilies": ["IPv6", "IPv4"]}}));
    s.merge("services/a", json!({"spec": {"ipFamilyPolicy": "SingleStack"}}));
    s.merge("services/a", json!({"spec": {"ipFamilies": ["IPv4", "IPv6"]}}));
    s.merge(
        "services/a",
        json!({"spec": {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack"}}),
    );
    s.merge("services/a", json!({"spec": {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}}));
    s.merge("services/a", json!({"spec": {"ipFamilies": ["IPv6"]}}));
    s.merge("services/a", json!({"spec": {"ipFamilyPolicy": null}}));
    s.merge("services/a", json!({"spec": {"ipFamilies": null}}));
    s.create("services", with(service("b"), "/spec/ipFamilies", json!(["IPv6"])));
    s.merge("services/b", json!({"spec": {"ipFamilyPolicy": "PreferDualStack"}}));
    s.update("services/b", with(service("b"), "/spec/ports/0/port", json!(81)));
}

fn headless(s: &mut Script) {
    let base = |name: &str| with(service(name), "/spec/clusterIP", json!("None"));
    s.create("services", base("a"));
    s.create("services", with(base("b"), "/spec/selector", json!(null)));
    s.create("services", with(base("c"), "/spec/ipFamilyPolicy", json!("PreferDualStack")));
    s.create("services", with(base("d"), "/spec/ipFamilies", json!(["IPv6"])));
    s.create(
        "services",
        with(with(base("e"), "/spec/selector", json!(null)), "/spec/ipFamilies", json!(["IPv6"])),
    );
    s.create(
        "services",
        with(with(base("f"), "/spec/selector", json!(null)), "/spec/ipFamilyPolicy", json!("SingleStack")),
    );
    s.create("services", with(base("g"), "/spec/ports", json!([])));
    s.create("services", with(base("h"), "/spec/type", json!("NodePort")));
    s.create("services", with(base("i"), "/spec/clusterIPs", json!(["None"])));
    s.create("services", with(base("j"), "/spec/clusterIPs", json!(["None", "None"])));
    s.create("services", with(base("k"), "/spec/publishNotReadyAddresses", json!(true)));
    s.merge("services/a", json!({"spec": {"clusterIP": ""}}));
    s.merge("services/a", json!({"spec": {"ipFamilyPolicy": "RequireDualStack"}}));
    s.merge("services/a", json!({"spec": {"ports": []}}));
}

fn type_changes(s: &mut Script) {
    s.create("services", service("a"));
    let kinds = [
        "NodePort",
        "LoadBalancer",
        "ClusterIP",
        "ExternalName",
        "ClusterIP",
        "LoadBalancer",
        "NodePort",
        "ExternalName",
    ];
    for kind in kinds {
        s.merge("services/a", json!({"spec": {"type": kind}}));
        s.merge("services/a", json!({"spec": {"type": kind, "externalName": if kind == "ExternalName" { json!("example.org") } else { json!(null) }}}));
        s.merge("services/a", json!({"spec": {"type": kind, "externalName": "example.org", "clusterIP": null, "clusterIPs": null}}));
    }
    s.create("services", with(service("b"), "/spec/type", json!("LoadBalancer")));
    s.merge("services/b/status", json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}));
    s.merge("services/b", json!({"spec": {"type": "ClusterIP"}}));
    s.create(
        "services",
        with(
            with(service("c"), "/spec/type", json!("LoadBalancer")),
            "/spec/allocateLoadBalancerNodePorts",
            json!(false),
        ),
    );
    s.create(
        "services",
        with(
            with(service("d"), "/spec/type", json!("LoadBalancer")),
            "/spec/loadBalancerClass",
            json!("example.org/lb"),
        ),
    );
    s.create(
        "services",
        with(
            with(service("e"), "/spec/type", json!("LoadBalancer")),
            "/spec/externalTrafficPolicy",
            json!("Local"),
        ),
    );
    s.merge("services/e", json!({"spec": {"externalTrafficPolicy": "Cluster"}}));
}

fn asked_for(s: &mut Script) {
    let made = s.create("services", service("a"));
    let address = of(&made, "/spec/clusterIP");
    s.create("services", with(service("b"), "/spec/clusterIP", json!(address)));
    for address in [
        "192.0.2.1",
        "nonsense",
        "10.0.0.0",
        "{ip6}",
        "{odd ip6}",
        "10.9.0.01",
        "{ip}",
        "::ffff:10.8.0.9",
        "None ",
        "",
    ] {
        s.create("services", with(service("c"), "/spec/clusterIP", json!(address)));
        s.delete("services/c");
    }
    s.create("services", with(service("d"), "/spec/clusterIPs", json!(["None", "{ip}"])));
    s.create(
        "services",
        with(with(service("e"), "/spec/clusterIP", json!("None")), "/spec/clusterIPs", json!([""])),
    );
    s.merge("services/a", json!({"spec": {"clusterIP": "{ip}"}}));
    s.merge("services/a", json!({"spec": {"clusterIP": null}}));
    s.merge("services/a", json!({"spec": {"clusterIP": null, "clusterIPs": null}}));
    s.merge("services/a", json!({"spec": {"clusterIPs": ["{ip}"]}}));
    s.update("services/a", service("a"));
}

fn given_back(s: &mut Script) {
    let made = s.create("services", service("a"));
    let address = of(&made, "/spec/clusterIP");
    s.create("services?dryRun=All", with(service("b"), "/spec/clusterIP", json!(address)));
    s.delete("services/a");
    s.create("services", with(service("b"), "/spec/clusterIP", json!(address)));
    s.create("services", with(service("c"), "/spec/clusterIP", json!(address)));
}

fn node_ports(s: &mut Script) {
    let nodes = |name: &str, ports: Value| of_spec(name, json!({"type": "NodePort", "ports": ports}));
    let made =
        s.create("services", nodes("a", json!([{"name": "x", "port": 80}, {"name": "y", "port": 81}])));
    let port = of(&made, "/spec/ports/0/nodePort");
    let raw = nodes("b", json!([{"port": 80, "nodePort": 4321}])).to_string().replace("4321", &port);
    s.raw("POST", "services", crate::step::JSON, crate::step::JSON, Some(raw));
    s.create("services", nodes("c", json!([{"port": 80, "nodePort": 80}])));
    s.create("services", nodes("d", json!([{"port": 80, "nodePort": -1}])));
    s.create("services", nodes("e", json!([{"name": "x", "port": 80, "nodePort": "{port}"}, {"name": "y", "port": 81, "nodePort": "{port}"}])));
    s.create("services", nodes("f", json!([{"name": "x", "port": 53, "protocol": "TCP"}, {"name": "y", "port": 53, "protocol": "UDP"}])));
    s.create("services", of_spec("g", json!({"ports": [{"port": 80, "nodePort": 30085}]})));
    s.merge("services/a", json!({"spec": {"ports": [{"name": "x", "port": 80}]}}));
    s.merge("services/a", json!({"spec": {"type": "ClusterIP"}}));
    s.update("services/a", nodes("a", json!([{"name": "x", "port": 80}])));
}

fn invalid(s: &mut Script) {
    for (number, (pointer, value)) in [
        ("/spec/ports", json!([])),
        ("/spec/ports", json!([{"port": 0}])),
        ("/spec/ports", json!([{"port": 65536}])),
        ("/spec/ports", json!([{"port": -1}])),
        ("/spec/ports", json!([{"port": 80}, {"port": 81}])),
        ("/spec/ports", json!([{"name": "a", "port": 80}, {"name": "a", "port": 81}])),
        ("/spec/ports", json!([{"name": "a", "port": 80}, {"name": "b", "port": 80}])),
        ("/spec/ports", json!([{"name": "A", "port": 80}])),
        ("/spec/ports", json!([{"port": 80, "protocol": "HTTP"}])),
        ("/spec/ports", json!([{"port": 80, "protocol": ""}])),
        ("/spec/ports", json!([{"port": 80, "targetPort": 0}])),
        ("/spec/ports", json!([{"port": 80, "targetPort": 70000}])),
        ("/spec/ports", json!([{"port": 80, "targetPort": ""}])),
        ("/spec/ports", json!([{"port": 80, "targetPort": "UPPER"}])),
        ("/spec/ports", json!([{"port": 80, "targetPort": "a-name-that-is-much-too-long"}])),
        ("/spec/ports", json!([{"port": 80, "appProtocol": "bad protocol"}])),
        ("/spec/selector", json!({"bad key": "x"})),
        ("/spec/selector", json!({"a": "bad value"})),
        ("/spec/sessionAffinity", json!("Nonsense")),
        ("/spec/sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 5}})),
        ("/spec/externalIPs", json!(["nonsense"])),
        ("/spec/externalIPs", json!(["127.0.0.1", "0.0.0.0"])),
        ("/spec/externalTrafficPolicy", json!("Local")),
        ("/spec/internalTrafficPolicy", json!("Nonsense")),
        ("/spec/trafficDistribution", json!("Nonsense")),
        ("/spec/trafficDistribution", json!("PreferSameNode")),
        ("/spec/trafficDistribution", json!("PreferClose")),
        ("/spec/healthCheckNodePort", json!(32123)),
        ("/spec/loadBalancerSourceRanges", json!(["10.0.0.0/8"])),
        ("/spec/loadBalancerIP", json!("192.0.2.1")),
        ("/spec/loadBalancerClass", json!("x")),
        ("/spec/allocateLoadBalancerNodePorts", json!(true)),
        ("/spec/externalName", json!("example.org")),
        ("/spec/publishNotReadyAddresses", json!(true)),
        ("/metadata/annotations", json!({"service.kubernetes.io/topology-mode": "Auto"})),
    ]
    .into_iter()
    .enumerate()
    {
        s.create("services", with(service(&format!("s{number}")), pointer, value));
    }
    for (number, spec) in [
        json!({"type": "ExternalName"}),
        json!({"type": "ExternalName", "externalName": "-bad-"}),
        json!({"type": "ExternalName", "externalName": "example.org."}),
        json!({"type": "ExternalName", "externalName": "example.org", "clusterIP": "None"}),
        json!({"type": "ExternalName", "externalName": "example.org", "ports": [{"port": 80}], "selector": {"a": "b"}}),
        json!({"type": "ExternalName", "externalName": "example.org", "sessionAffinity": "ClientIP"}),
        json!({"type": "LoadBalancer", "ports": []}),
        json!({"type": "LoadBalancer", "ports": [{"port": 10250}], "loadBalancerSourceRanges": ["nonsense"]}),
    ].into_iter().enumerate() {
        s.create("services", of_spec(&format!("e{number}"), spec));
    }
}

fn immutable(s: &mut Script) {
    s.create("services", with(service("a"), "/spec/type", json!("LoadBalancer")));
    s.merge("services/a", json!({"spec": {"loadBalancerClass": "example.org/x"}}));
    s.merge("services/a", json!({"spec": {"ports": [{"port": 0}]}}));
    s.merge("services/a", json!({"spec": {"clusterIPs": ["{ip}", "{ip6}"]}}));
    s.merge("services/a", json!({"metadata": {"name": "b"}}));
    s.merge("services/a", json!({"metadata": {"uid": "44444444-c0de-4000-8000-000000000000"}}));
    s.merge("services/a", json!({"metadata": {"labels": {"bad key": "x"}}}));
    s.merge("services/a", json!({"spec": {"selector": {"other": "one"}, "publishNotReadyAddresses": true}}));
    s.merge("services/a", json!({"spec": {"healthCheckNodePort": 32555}}));
}

fn ports(s: &mut Script) {
    s.create("services", with(service("a"), "/spec/ports", json!([
        {"name": "a", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
        {"name": "b", "port": 80, "targetPort": 9376, "protocol": "UDP"},
        {"name": "c", "port": 81, "protocol": "SCTP"},
    ])));
    s.merge(
        "services/a",
        json!({"spec": {"ports": [{"name": "b", "port": 80, "protocol": "UDP"}, {"name": "a", "port": 80}]}}),
    );
    s.update("services/a", with(service("a"), "/spec/ports", json!([{"port": 8080, "targetPort": "9376"}])));
}

fn policies(s: &mut Script) {
    s.create("services", with(service("a"), "/spec/sessionAffinity", json!("ClientIP")));
    s.merge("services/a", json!({"spec": {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}}}));
    s.merge("services/a", json!({"spec": {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}}}));
    s.merge("services/a", json!({"spec": {"sessionAffinity": "None"}}));
    s.merge("services/a", json!({"spec": {"sessionAffinity": "None", "sessionAffinityConfig": null}}));
    s.merge("services/a", json!({"spec": {"internalTrafficPolicy": "Local"}}));
    s.merge("services/a", json!({"spec": {"internalTrafficPolicy": null}}));
    s.merge("services/a", json!({"spec": {"trafficDistribution": "PreferClose"}}));
    s.merge("services/a", json!({"spec": {"trafficDistribution": "PreferSameZone"}}));
    s.merge("services/a", json!({"spec": {"trafficDistribution": null}}));
}
