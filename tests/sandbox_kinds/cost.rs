//! What grows with the number of Services must not grow with its square.

use endpointslice_controller::sandbox::{Kind, Store};
use serde_json::json;

/// Each address is given once, and one that is given back can be taken again.
#[test]
fn ten_thousand_services_have_ten_thousand_addresses() {
    let store = Store::new();
    store.create(Kind::Namespace, "", json!({"metadata": {"name": "default"}}), false).expect("a namespace");
    let mut seen = std::collections::HashSet::new();
    for number in 0..10_000 {
        let body = json!({"metadata": {"name": format!("s{number}")},
                          "spec": {"ipFamilyPolicy": "RequireDualStack", "ports": [{"port": 80}]}});
        let stored = store.create(Kind::Service, "default", body, false).expect("a Service").value();
        for ip in stored["spec"]["clusterIPs"].as_array().expect("addresses") {
            assert!(seen.insert(ip.to_string()), "{ip} twice");
        }
    }
    assert_eq!(seen.len(), 20_000);
}
