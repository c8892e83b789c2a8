//! ServiceMonitor, PodMonitor, PrometheusRule and dashboards.

use serde_json::{Value, json};

use super::{NAME, has, only};
use crate::every_value::{DASHBOARD, RULES};
use crate::support::helm::{Helm, one};

#[test]
fn servicemonitor_finds_the_service_and_its_port() {
    let Some(helm) = Helm::new() else { return };
    assert!(!has(&helm.objects(""), "ServiceMonitor"));
    let objects =
        helm.objects("serviceMonitor: {enabled: true, namespace: m, labels: {release: p}, interval: 7s}");
    let monitor = only(&objects, "ServiceMonitor");
    let service = only(&objects, "Service");
    assert_eq!(
        (&monitor["metadata"]["namespace"], &monitor["metadata"]["labels"]["release"]),
        (&json!("m"), &json!("p"))
    );
    let selected = monitor["spec"]["selector"]["matchLabels"].as_object().expect("labels");
    for (label, value) in selected {
        assert_eq!(service["metadata"]["labels"][label], *value);
    }
    assert_eq!(monitor["spec"]["namespaceSelector"]["matchNames"], json!(["kube-system"]));
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert_eq!(
        (&endpoint["port"], &endpoint["interval"]),
        (&service["spec"]["ports"][0]["name"], &json!("7s"))
    );
    assert!(endpoint["scheme"].is_null() && endpoint["tlsConfig"].is_null());
    // The job that the alerts name.
    assert_eq!(service["metadata"]["labels"][monitor["spec"]["jobLabel"].as_str().expect("a label")], NAME);
}

#[test]
fn servicemonitor_and_podmonitor_scrape_over_tls_when_metrics_are_secure() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("{metrics: {secure: {enabled: true}}, serviceMonitor: {enabled: true}}");
    let endpoint = &only(&objects, "ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(
        (&endpoint["scheme"], &endpoint["tlsConfig"]),
        (&json!("https"), &json!({"insecureSkipVerify": true}))
    );
    assert!(endpoint["bearerTokenFile"].is_string());
    let values = "{metrics: {secure: {enabled: true}}, podMonitor: {enabled: true, tlsConfig: {serverName: a}, \
                  bearerTokenSecret: {name: scraper, key: token}}}";
    let objects = helm.objects(values);
    let endpoint = &only(&objects, "PodMonitor")["spec"]["podMetricsEndpoints"][0];
    assert_eq!((&endpoint["scheme"], &endpoint["tlsConfig"]), (&json!("https"), &json!({"serverName": "a"})));
    assert_eq!(endpoint["authorization"]["credentials"], json!({"name": "scraper", "key": "token"}));
}

#[test]
fn podmonitor_finds_the_pods_and_their_port_without_a_service() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("{service: {enabled: false}, podMonitor: {enabled: true}}");
    let spec = &only(&objects, "PodMonitor")["spec"];
    let deployment = &only(&objects, "Deployment")["spec"];
    assert_eq!(spec["selector"], deployment["selector"]);
    let port = &deployment["template"]["spec"]["containers"][0]["ports"][0]["name"];
    assert_eq!(spec["podMetricsEndpoints"][0]["port"], *port);
    assert!(!has(&objects, "ServiceMonitor"));
}

fn alert<'a>(rule: &'a Value, name: &str) -> Option<&'a Value> {
    let groups = rule["spec"]["groups"].as_array().expect("groups");
    groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"))
        .find(|rule| rule["alert"] == name)
}

#[test]
fn prometheusrule_holds_the_rule_files_and_each_alert_can_be_left_out() {
    let Some(helm) = Helm::with_files(&[RULES]) else { return };
    let objects = helm.objects("prometheusRule: {enabled: true, labels: {release: p}}");
    let rule = only(&objects, "PrometheusRule");
    assert_eq!(rule["metadata"]["labels"]["release"], "p");
    let found = alert(rule, "OfATest").expect("the alert");
    assert_eq!(
        *found,
        json!({
            "alert": "OfATest", "expr": "up{job=\"endpointslice-controller\"} == 0", "for": "5m",
            "labels": {"severity": "critical"},
            "annotations": {"summary": "{{ $labels.instance }} is down", "runbook_url": "docs/runbooks/OfATest.md"},
        })
    );
    let objects = helm.objects("prometheusRule: {enabled: true, disabled: [OfATest]}");
    assert!(alert(only(&objects, "PrometheusRule"), "OfATest").is_none());
    let text = only(&objects, "PrometheusRule").to_string();
    assert!(text.contains("a:b"), "recorded series stay: {text}");
}

#[test]
fn prometheusrule_takes_labels_runbooks_and_the_job_from_the_values() {
    let Some(helm) = Helm::with_files(&[RULES]) else { return };
    let values = "{nameOverride: mine, prometheusRule: {enabled: true, runbookUrl: 'https://example.com/r/', \
                  alertLabels: {team: network, severity: page}}}";
    let objects = helm.objects(values);
    let found = alert(only(&objects, "PrometheusRule"), "OfATest").expect("the alert");
    assert_eq!(found["labels"], json!({"severity": "page", "team": "network"}));
    assert_eq!(found["annotations"]["runbook_url"], "https://example.com/r/OfATest.md");
    assert_eq!(found["expr"], "up{job=\"mine\"} == 0");
}

#[test]
fn dashboards_are_configmaps_with_the_label_that_grafana_looks_for() {
    let Some(helm) = Helm::with_files(&[DASHBOARD]) else { return };
    assert!(!has(&helm.objects(""), "ConfigMap"));
    let objects = helm.objects("dashboards: {enabled: true, namespace: g, annotations: {folder: f}}");
    let map = one(&objects, "ConfigMap", "endpointslice-controller-of-a-test");
    assert_eq!(
        (&map["metadata"]["namespace"], &map["metadata"]["labels"]["grafana_dashboard"]),
        (&json!("g"), &json!("1"))
    );
    assert_eq!(map["metadata"]["annotations"], json!({"folder": "f"}));
    // As it is: what looks like a template in it is Grafana's.
    assert_eq!(map["data"]["of-a-test.json"].as_str().map(str::trim_end), Some(DASHBOARD.1));
}
