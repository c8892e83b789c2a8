//! EndpointSlices: what is refused, what is not, when the generation moves.

use serde_json::{Value, json};

use super::Scene;
use super::objects::*;
use crate::step::{Script, version};

pub const SCENES: &[Scene] = &[
    ("addresses of a slice", addresses),
    ("endpoints of a slice", endpoints_of),
    ("ports of a slice", ports),
    ("limits of a slice", limits),
    ("the address type stays", address_type),
    ("generation and what moves it", generation),
    ("endpoints that were wrong before", unchanged_errors),
    ("empty lists come back as null", empty_lists),
    ("slices as the controller writes them", as_written),
    ("labels that the API server sets", labels),
    ("node names follow the caller", node_names),
];

fn typed(name: &str, kind: &str, addresses: Value) -> Value {
    with(with(slice(name), "/addressType", json!(kind)), "/endpoints/0/addresses", addresses)
}

fn addresses(s: &mut Script) {
    let four = [
        "192.0.2.1",
        "192.0.2.01",
        "256.0.0.1",
        "0.0.0.0",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "224.0.1.1",
        "255.255.255.255",
        "::ffff:192.0.2.1",
        "fd00::1",
        "",
        "a.example.org",
        "192.0.2.1/24",
        " 192.0.2.1",
    ];
    let six = [
        "fd00::1",
        "FD00::1",
        "fd00:0::1",
        "fd00:0:0:0:0:0:0:1",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "ff12::1",
        "ff05::1",
        "::ffff:192.0.2.1",
        "192.0.2.1",
        "fd00::1%eth0",
        "64:ff9b::1.2.3.4",
    ];
    let names = ["a.example.org", "A.example.org", "-a", "192.0.2.1", "", "a..b", "localhost"];
    let mut number = 0;
    for (kind, list) in [
        ("IPv4", &four[..]),
        ("IPv6", &six[..]),
        ("FQDN", &names[..]),
        ("Nonsense", &four[..1]),
        ("", &four[..1]),
    ] {
        for address in list {
            number += 1;
            s.create("endpointslices", typed(&format!("s{number}"), kind, json!([address])));
        }
    }
    s.create("endpointslices", typed("two", "IPv4", json!(["192.0.2.1", "192.0.2.2"])));
    s.create("endpointslices", typed("same", "IPv4", json!(["192.0.2.1", "192.0.2.1"])));
    s.create("endpointslices", typed("none", "IPv4", json!([])));
    s.create("endpointslices", typed("null", "IPv4", json!(null)));
    s.create(
        "endpointslices",
        with(
            slice("bad-two"),
            "/endpoints",
            json!([{"addresses": ["x"]}, {"addresses": ["y"]}, {"addresses": ["192.0.2.1"]}]),
        ),
    );
}

fn endpoints_of(s: &mut Script) {
    for (number, (pointer, value)) in [
        ("/endpoints/0/hostname", json!("a")),
        ("/endpoints/0/hostname", json!("A")),
        ("/endpoints/0/hostname", json!("a.b")),
        ("/endpoints/0/hostname", json!("")),
        ("/endpoints/0/hostname", json!("a".repeat(64))),
        ("/endpoints/0/nodeName", json!("node-1")),
        ("/endpoints/0/nodeName", json!("Node")),
        ("/endpoints/0/nodeName", json!("")),
        ("/endpoints/0/zone", json!("zone a")),
        ("/endpoints/0/zone", json!("zone-a")),
        ("/endpoints/0/conditions", json!(null)),
        ("/endpoints/0/conditions", json!({"ready": null, "serving": true, "terminating": false})),
        ("/endpoints/0/conditions", json!({"ready": false, "serving": true, "terminating": true})),
        ("/endpoints/0/hints", json!({"forZones": [{"name": "a"}]})),
        ("/endpoints/0/hints", json!({"forZones": []})),
        ("/endpoints/0/hints", json!({})),
        ("/endpoints/0/hints", json!({"forZones": [{"name": "a"}, {"name": "a"}]})),
        ("/endpoints/0/hints", json!({"forZones": [{"name": "bad zone"}]})),
        ("/endpoints/0/hints", json!({"forZones": [{"name": ""}]})),
        (
            "/endpoints/0/hints",
            json!({"forZones": (0..9).map(|n| json!({"name": format!("z{n}")})).collect::<Vec<_>>()}),
        ),
        ("/endpoints/0/hints", json!({"forNodes": [{"name": "n"}]})),
        ("/endpoints/0/hints", json!({"forNodes": [{"name": "n"}, {"name": "n"}]})),
        ("/endpoints/0/hints", json!({"forNodes": [{"name": "Bad"}]})),
        (
            "/endpoints/0/hints",
            json!({"forNodes": (0..9).map(|n| json!({"name": format!("n{n}")})).collect::<Vec<_>>()}),
        ),
        ("/endpoints/0/targetRef", json!({"kind": "Pod", "name": "a", "namespace": "{ns}", "uid": "c0de"})),
        ("/endpoints/0/targetRef", json!({})),
        ("/endpoints/0/deprecatedTopology", json!({"a": "b"})),
        ("/endpoints/1", json!({"addresses": ["192.0.2.1"]})),
        ("/endpoints/0", json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        s.create("endpointslices", with(slice(&format!("s{number}")), pointer, value));
    }
}

fn ports(s: &mut Script) {
    for (number, ports) in [
        json!(null),
        json!([]),
        json!([{}]),
        json!([{}, {}]),
        json!([{"name": "", "port": 1}, {"name": "a", "port": 1}]),
        json!([{"name": "a"}, {"name": "a", "port": 2}]),
        json!([{"name": "A", "port": 1}]),
        json!([{"name": "a.b", "port": 1}]),
        json!([{"name": "a".repeat(64), "port": 1}]),
        json!([{"name": "a", "port": 0}]),
        json!([{"name": "a", "port": -5}]),
        json!([{"name": "a", "port": 70000}]),
        json!([{"name": "a", "port": 1, "protocol": "HTTP"}]),
        json!([{"name": "a", "port": 1, "protocol": ""}]),
        json!([{"name": "a", "port": 1, "protocol": "UDP"}, {"name": "b", "port": 1, "protocol": "SCTP"}]),
        json!([{"name": "a", "port": 1, "appProtocol": "http"}]),
        json!([{"name": "a", "port": 1, "appProtocol": "kubernetes.io/h2c"}]),
        json!([{"name": "a", "port": 1, "appProtocol": "bad protocol"}]),
        json!([{"name": "a", "port": 1, "appProtocol": ""}]),
        json!([{"port": 99999999999u64}]),
    ]
    .into_iter()
    .enumerate()
    {
        s.create("endpointslices", with(slice(&format!("s{number}")), "/ports", ports));
    }
}

fn limits(s: &mut Script) {
    let many = |count: usize| -> Value {
        (0..count).map(|n| json!({"addresses": [format!("10.20.{}.{}", n / 250, n % 250 + 1)]})).collect()
    };
    let addresses =
        |count: usize| -> Value { (0..count).map(|n| json!(format!("10.21.0.{}", n + 1))).collect() };
    s.create("endpointslices", with(slice("thousand"), "/endpoints", many(1000)));
    s.create("endpointslices", with(slice("one-more"), "/endpoints", many(1001)));
    s.create("endpointslices", typed("hundred", "IPv4", addresses(100)));
    s.create("endpointslices", typed("hundred-and-one", "IPv4", addresses(101)));
    let ports: Value = (0..20_001).map(|n| json!({"name": format!("p{n}"), "port": n})).collect();
    s.create("endpointslices", with(slice("ports"), "/ports", ports));
}

fn address_type(s: &mut Script) {
    s.create("endpointslices", slice("a"));
    s.update("endpointslices/a", typed("a", "IPv6", json!(["fd00::1"])));
    s.update("endpointslices/a", typed("a", "FQDN", json!(["a.example.org"])));
    s.update("endpointslices/a", typed("a", "IPv6", json!(["192.0.2.1"])));
    s.update("endpointslices/a", with(slice("a"), "/addressType", json!(null)));
}

fn generation(s: &mut Script) {
    let made = s.create("endpointslices", slice("a"));
    for patch in [
        json!({"metadata": {"annotations": {"x": "y"}}}),
        json!({"metadata": {"labels": {"x": "y"}}}),
        json!({"metadata": {"finalizers": ["example.org/x"]}}),
        json!({"metadata": {"finalizers": null}}),
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "x", "uid": "c0de"}]}}),
        json!({"endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": false}}]}),
        json!({"ports": []}),
        json!({"endpoints": []}),
        json!({"endpoints": null}),
        json!({"metadata": {"generation": 50}}),
        json!({}),
    ] {
        s.merge("endpointslices/a", patch);
    }
    s.update("endpointslices/a", with(slice("a"), "/metadata/resourceVersion", json!(version(&made))));
    s.update("endpointslices/a", slice("a"));
}

fn unchanged_errors(s: &mut Script) {
    s.create("endpointslices", slice("a"));
    s.merge("endpointslices/a", json!({"endpoints": [{"addresses": ["127.0.0.1"]}]}));
    s.merge(
        "endpointslices/a",
        json!({"endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"name": "BAD"}]}),
    );
    s.merge("endpointslices/a", json!({"ports": [{"name": "BAD"}], "metadata": {"labels": {"bad key": ""}}}));
}

fn empty_lists(s: &mut Script) {
    for (number, (endpoints, ports)) in
        [(json!([]), json!([])), (json!(null), json!(null)), (json!([]), json!(null))].into_iter().enumerate()
    {
        let name = format!("s{number}");
        s.create("endpointslices", with(with(slice(&name), "/endpoints", endpoints), "/ports", ports));
        s.get(&format!("endpointslices/{name}"));
    }
    let mut bare = slice("bare");
    let map = bare.as_object_mut().expect("a slice");
    map.remove("endpoints");
    map.remove("ports");
    s.create("endpointslices", bare);
    s.create("endpointslices", with(slice("inner"), "/endpoints/0/hints", json!({"forZones": null})));
    s.get("endpointslices");
    s.create("endpoints", with(endpoints("a"), "/subsets", json!([])));
    s.create("endpoints", with(endpoints("b"), "/subsets", json!([{}])));
    s.create("endpoints", with(endpoints("c"), "/subsets", json!([{"addresses": [], "ports": []}])));
}

fn as_written(s: &mut Script) {
    let owner = s.create("services", service("web"));
    let mut object = slice("web-abcde");
    object["metadata"]["generateName"] = json!("web-");
    object["metadata"]["annotations"] =
        json!({"endpoints.kubernetes.io/last-change-trigger-time": "2024-01-02T03:04:05Z"});
    object["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Service", "name": "web",
        "uid": crate::step::uid(&owner), "controller": true, "blockOwnerDeletion": true}]);
    object["endpoints"] = json!([{"addresses": ["192.0.2.1"], "conditions": {"ready": true, "serving": true, "terminating": false},
        "nodeName": "n", "zone": "z", "targetRef": {"kind": "Pod", "name": "p", "namespace": "{ns}", "uid": "c0de"}, "hints": {"forZones": [{"name": "z"}]}}]);
    s.create("endpointslices", object.clone());
    s.create("endpointslices", object.clone());
    object["metadata"]["resourceVersion"] = json!(version("endpointslices/web-abcde"));
    object["endpoints"][0]["conditions"]["ready"] = json!(false);
    s.update("endpointslices/web-abcde", object.clone());
    s.update("endpointslices/web-abcde", object);
    s.delete_with("endpointslices/web-abcde", json!({"preconditions": {"uid": crate::step::uid("endpointslices/web-abcde"), "resourceVersion": version("endpointslices/web-abcde")}}));
    s.get("endpointslices?labelSelector=endpointslice.kubernetes.io/managed-by%20in%20(endpointslice-controller.k8s.io,endpointslicemirroring-controller.k8s.io)");
}

fn labels(s: &mut Script) {
    s.create(
        "endpointslices",
        with(
            slice("a"),
            "/metadata/labels",
            json!({"service.kubernetes.io/headless": "", "kubernetes.io/service-name": "not a name"}),
        ),
    );
    s.create(
        "endpointslices",
        with(
            slice("b"),
            "/metadata/labels",
            json!({"kubernetes.io/service-name": "web", "service.kubernetes.io/headless": ""}),
        ),
    );
    s.create("endpointslices", with(slice("c"), "/metadata/labels", json!(null)));
}

fn node_names(s: &mut Script) {
    s.create("endpointslices", with(slice("a"), "/endpoints/0/nodeName", json!("one")));
    s.merge("endpointslices/a", json!({"endpoints": [{"addresses": ["192.0.2.1"], "nodeName": "two"}]}));
    s.merge("endpointslices/a", json!({"endpoints": [{"addresses": ["192.0.2.1"], "nodeName": null}]}));
}
