//! Deployment and PodDisruptionBudget.

use serde_json::{Value, json};

use super::{NAME, has, only};
use crate::support::helm::Helm;

fn pod(objects: &[Value]) -> &Value {
    &only(objects, "Deployment")["spec"]["template"]["spec"]
}

#[test]
fn deployment_has_two_replicas_that_are_replaced_without_a_gap() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("");
    let spec = &only(&objects, "Deployment")["spec"];
    assert_eq!(spec["replicas"], 2);
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    assert_eq!(spec["strategy"], rolling);
    // Without an election two must never run at once, not even during a roll.
    let objects = helm.objects("{replicas: 1, leaderElection: {enabled: false}}");
    assert_eq!(only(&objects, "Deployment")["spec"]["strategy"], json!({"type": "Recreate"}));
}

#[test]
fn deployment_is_restricted() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("");
    let pod = pod(&objects);
    let security = &pod["securityContext"];
    assert_eq!((&security["runAsNonRoot"], &security["runAsUser"]), (&json!(true), &json!(65532)));
    assert_eq!(security["seccompProfile"], json!({"type": "RuntimeDefault"}));
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(
        *container,
        json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
    );
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
}

#[test]
fn deployment_tolerates_a_cluster_that_is_coming_up() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("");
    let tolerations = pod(&objects)["tolerations"].as_array().expect("tolerations");
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/network-unavailable",
        "node-role.kubernetes.io/control-plane",
    ] {
        assert!(tolerations.iter().any(|t| t["key"] == key && t["operator"] == "Exists"), "{key}");
    }
    let objects = helm.objects("hostNetwork: true");
    let pod = pod(&objects);
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&json!(true), &json!("Default")));
}

#[test]
fn deployment_is_probed_as_kubeadm_probes() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("");
    let container = &pod(&objects)["containers"][0];
    let probe = |path: &str| {
        json!({"httpGet": {"path": path, "port": "metrics", "scheme": "HTTP"},
               "periodSeconds": 10, "timeoutSeconds": 15, "failureThreshold": 8})
    };
    assert_eq!(
        (&container["livenessProbe"], &container["readinessProbe"]),
        (&probe("/livez"), &probe("/readyz"))
    );
    let objects = helm.objects("metrics: {secure: {enabled: true}}");
    assert_eq!(pod(&objects)["containers"][0]["livenessProbe"]["httpGet"]["scheme"], "HTTPS");
    let objects = helm.objects("{hostNetwork: true, metrics: {host: '[::1]', port: 10290}}");
    let container = &pod(&objects)["containers"][0];
    assert_eq!(container["readinessProbe"]["httpGet"]["host"], "::1");
    assert!(
        container["args"]
            .as_array()
            .expect("arguments")
            .contains(&json!("--metrics-bind-address=[::1]:10290"))
    );
    let objects = helm.objects("metrics: {enabled: false}");
    let container = &pod(&objects)["containers"][0];
    assert!(container["livenessProbe"].is_null() && container["ports"].is_null());
    assert!(container["args"].as_array().expect("arguments").contains(&json!("--metrics-bind-address=0")));
}

#[test]
fn deployment_runs_the_image_that_is_named() {
    let Some(helm) = Helm::new() else { return };
    let image = |values: &str| pod(&helm.objects(values))["containers"][0]["image"].clone();
    assert_eq!(image("image: {repository: r/e}"), concat!("r/e:", env!("CARGO_PKG_VERSION")));
    assert_eq!(image("image: {repository: r/e, tag: v9}"), "r/e:v9");
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(
        image(&format!("image: {{repository: r/e, digest: '{digest}'}}")),
        format!("r/e:{}@{digest}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn deployment_spreads_its_own_pods() {
    let Some(helm) = Helm::new() else { return };
    let objects =
        helm.objects("topologySpreadConstraints: [{topologyKey: a}, {topologyKey: b, labelSelector: {}}]");
    let spread = &pod(&objects)["topologySpreadConstraints"];
    let own = &only(&objects, "Deployment")["spec"]["selector"];
    assert_eq!(
        spread[0],
        json!({"topologyKey": "a", "labelSelector": own, "matchLabelKeys": ["pod-template-hash"]})
    );
    assert_eq!(spread[1], json!({"topologyKey": "b", "labelSelector": {}}));
}

#[test]
fn deployment_mounts_the_certificate_it_is_told_to_show() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("metrics: {secure: {enabled: true, certificateSecret: shown}}");
    let pod = pod(&objects);
    assert_eq!(pod["volumes"][0]["secret"]["secretName"], "shown");
    let place = pod["containers"][0]["volumeMounts"][0]["mountPath"].as_str().expect("a path");
    let arguments = pod["containers"][0]["args"].as_array().expect("arguments");
    for argument in
        [format!("--tls-cert-file={place}/tls.crt"), format!("--tls-private-key-file={place}/tls.key")]
    {
        assert!(arguments.contains(&json!(argument)), "{argument}");
    }
}

#[test]
fn poddisruptionbudget_has_one_bound_and_selects_the_pods() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("");
    let budget = &only(&objects, "PodDisruptionBudget")["spec"];
    assert_eq!((&budget["maxUnavailable"], &budget["minAvailable"]), (&json!(1), &Value::Null));
    assert_eq!(budget["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    assert_eq!(budget["selector"], only(&objects, "Deployment")["spec"]["selector"]);
    let objects = helm.objects("podDisruptionBudget: {minAvailable: 0}");
    let budget = &only(&objects, "PodDisruptionBudget")["spec"];
    assert_eq!((&budget["minAvailable"], &budget["maxUnavailable"]), (&json!(0), &Value::Null));
    assert!(!has(&helm.objects("podDisruptionBudget: {enabled: false}"), "PodDisruptionBudget"));
    assert_eq!(only(&objects, "PodDisruptionBudget")["metadata"]["name"], NAME);
}
