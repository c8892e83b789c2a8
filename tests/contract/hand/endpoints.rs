//! Endpoints: how subsets are regrouped, what is refused, the warning.

use serde_json::{Value, json};

use super::Scene;
use super::objects::*;
use crate::step::{Script, version};

pub const SCENES: &[Scene] = &[
    ("subsets are regrouped", regrouped),
    ("what Endpoints may not hold", invalid),
    ("an update of Endpoints", updates),
    ("the leader mark of old", leader),
];

fn of_subsets(name: &str, subsets: Value) -> Value {
    with(endpoints(name), "/subsets", subsets)
}

fn regrouped(s: &mut Script) {
    let ip = |text: &str| json!({"ip": text});
    for (number, subsets) in [
        json!([{"addresses": [ip("192.0.2.2"), ip("192.0.2.1")], "ports": [{"name": "b", "port": 2}, {"name": "a", "port": 1}]}]),
        json!([{"addresses": [ip("192.0.2.1")], "ports": [{"name": "a", "port": 1}]}, {"addresses": [ip("192.0.2.1")], "ports": [{"name": "b", "port": 2}]}]),
        json!([{"addresses": [ip("192.0.2.1")], "ports": [{"name": "a", "port": 1}]}, {"addresses": [ip("192.0.2.2")], "ports": [{"name": "a", "port": 1}]}]),
        json!([{"addresses": [ip("192.0.2.1"), ip("192.0.2.1")], "ports": [{"port": 1}]}]),
        json!([{"addresses": [ip("192.0.2.1")], "notReadyAddresses": [ip("192.0.2.1"), ip("192.0.2.3")], "ports": [{"port": 1}]}]),
        json!([{"notReadyAddresses": [ip("192.0.2.1")], "ports": [{"port": 1}]}, {"addresses": [ip("192.0.2.1")], "ports": [{"port": 1}]}]),
        json!([{"addresses": [ip("192.0.2.1")]}]),
        json!([{"addresses": [ip("fd00::1"), ip("192.0.2.1")], "ports": [{"port": 1}]}]),
        json!([{"addresses": [{"ip": "192.0.2.1", "hostname": "a", "nodeName": "n", "targetRef": {"kind": "Pod", "name": "p"}}, ip("192.0.2.1")], "ports": [{"port": 1}]}]),
        json!([{"ports": [{"port": 1}]}]),
        json!([]),
    ].into_iter().enumerate() {
        s.create("endpoints", of_subsets(&format!("s{number}"), subsets));
    }
    s.get("endpoints");
}

fn invalid(s: &mut Script) {
    for (number, subset) in [
        json!({"addresses": [{"ip": "nonsense"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": ""}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "192.0.2.01"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "0.0.0.0"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "169.254.0.1"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "224.0.0.1"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "fe80::1"}, {"ip": "::1"}, {"ip": "::"}, {"ip": "ff02::1"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "FD00::1"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "192.0.2.1", "hostname": "A"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "192.0.2.1", "nodeName": "A b"}], "ports": [{"port": 1}]}),
        json!({"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 0}]}),
        json!({"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 70000}]}),
        json!({"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1}, {"port": 2}]}),
        json!({"addresses": [{"ip": "192.0.2.1"}], "ports": [{"name": "A", "port": 1}]}),
        json!({"addresses": [{"ip": "192.0.2.1"}], "ports": [{"name": "a", "port": 1}, {"name": "a", "port": 2}]}),
        json!({"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1, "protocol": "X"}]}),
        json!({"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1, "appProtocol": "bad one"}]}),
        json!({"addresses": [], "notReadyAddresses": [], "ports": [{"port": 1}]}),
        json!({"notReadyAddresses": [{"ip": "x"}], "ports": [{"name": "", "port": 1}]}),
    ].into_iter().enumerate() {
        s.create("endpoints", of_subsets(&format!("s{number}"), json!([subset])));
    }
}

fn updates(s: &mut Script) {
    let made = s.create("endpoints", endpoints("a"));
    s.merge("endpoints/a", json!({"subsets": [{"addresses": [{"ip": "192.0.2.3"}, {"ip": "192.0.2.2"}], "ports": [{"name": "http", "port": 8080}]}]}));
    s.update("endpoints/a", with(endpoints("a"), "/metadata/resourceVersion", json!(version(&made))));
    s.merge("endpoints/a", json!({"subsets": [{"addresses": [{"ip": "192.0.2.2", "nodeName": "n"}]}]}));
    s.merge("endpoints/a", json!({"subsets": [{"addresses": [{"ip": "192.0.2.2", "nodeName": "m"}]}]}));
    s.merge("endpoints/a", json!({"subsets": null}));
    s.merge("endpoints/a", json!({"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]}));
    s.json_patch(
        "endpoints/a",
        json!([{"op": "add", "path": "/subsets", "value": [{"addresses": [{"ip": "192.0.2.1"}]}]}]),
    );
}

fn leader(s: &mut Script) {
    let mark = json!({"control-plane.alpha.kubernetes.io/leader": "{}"});
    s.create("endpoints", with(with(endpoints("a"), "/metadata/annotations", mark), "/subsets", json!(null)));
    s.create(
        "endpoints",
        with(
            endpoints("b"),
            "/metadata/labels",
            json!({"endpoints.kubernetes.io/managed-by": "endpoint-controller",
        "endpointslice.kubernetes.io/skip-mirror": "true", "endpoints.kubernetes.io/over-capacity": "x"}),
        ),
    );
    s.get("endpoints?labelSelector=endpoints.kubernetes.io/managed-by!%3Dendpoint-controller");
}
