//! Service and NetworkPolicy.

use serde_json::json;

use super::{has, only};
use crate::support::helm::Helm;

#[test]
fn service_leads_to_the_metrics_port() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm
        .objects("service: {port: 9090, labels: {a: b}, annotations: {c: d}, ipFamilyPolicy: SingleStack}");
    let service = only(&objects, "Service");
    assert_eq!(
        service["spec"]["ports"],
        json!([{"name": "metrics", "port": 9090, "targetPort": "metrics", "protocol": "TCP"}])
    );
    assert_eq!(service["spec"]["ipFamilyPolicy"], "SingleStack");
    assert_eq!(service["spec"]["selector"], only(&objects, "Deployment")["spec"]["selector"]["matchLabels"]);
    assert_eq!(
        (&service["metadata"]["labels"]["a"], &service["metadata"]["annotations"]["c"]),
        (&json!("b"), &json!("d"))
    );
    for values in ["service: {enabled: false}", "metrics: {enabled: false}"] {
        assert!(!has(&helm.objects(values), "Service"), "{values}");
    }
}

#[test]
fn networkpolicy_lets_metrics_in_and_the_api_server_and_dns_out() {
    let Some(helm) = Helm::new() else { return };
    assert!(!has(&helm.objects(""), "NetworkPolicy"));
    let objects = helm
        .objects("networkPolicy: {enabled: true, from: [{podSelector: {}}], apiServerCidrs: [192.0.2.1/32]}");
    let policy = &only(&objects, "NetworkPolicy")["spec"];
    assert_eq!(policy["podSelector"], only(&objects, "Deployment")["spec"]["selector"]);
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(
        policy["ingress"],
        json!([{"ports": [{"port": 8080, "protocol": "TCP"}], "from": [{"podSelector": {}}]}])
    );
    assert_eq!(
        policy["egress"],
        json!([
            {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}],
             "to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]},
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
        ])
    );
    let objects = helm.objects("{networkPolicy: {enabled: true, dns: false}, metrics: {enabled: false}}");
    let policy = &only(&objects, "NetworkPolicy")["spec"];
    assert_eq!(policy["ingress"], json!([]));
    assert_eq!(policy["egress"].as_array().map(Vec::len), Some(1));
}
