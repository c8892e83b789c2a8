//! Helm installs the chart, changes it, goes back and takes it away again, on a real API server.

use serde_json::Value;

use super::kubectl::kubectl;
use crate::support::helm::{Helm, objects};
use crate::support::{Stage, User, real};

const NAMESPACE: &str = "installed";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/installed/deployments/installed";

#[tokio::test]
async fn helm_installs_upgrades_rolls_back_and_leaves_nothing_behind() {
    let (Some(stage), Some(helm)) = (real::exclusive().await, Helm::new()) else { return };
    let kubeconfig = stage.kubeconfig(User::Admin);
    let run = |words: &[&str], values: &str| helm.on(&kubeconfig, NAMESPACE, words, values);
    let image = async || {
        let deployment = stage.api().get(DEPLOYMENT).await.expect("the Deployment");
        deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let told = run(&["install", "--create-namespace"], "{fullnameOverride: installed, image: {tag: one}}")
        .expect("installed");
    // What the operator must know next. (The name is another one than that of the roles which every stage grants.)
    assert!(
        told.contains("--controllers=*,-endpointslice-mirroring-controller,-endpointslice-controller"),
        "{told}"
    );
    assert_eq!(image().await, "endpointslice-controller:one");
    let all = "{fullnameOverride: installed, image: {tag: two}, validatingAdmissionPolicy: {enabled: true}, networkPolicy: {enabled: true}, \
               metrics: {secure: {enabled: true}}}";
    run(&["upgrade"], all).expect("upgraded");
    assert_eq!(image().await, "endpointslice-controller:two");
    run(&["rollback"], "").expect("rolled back");
    assert_eq!(image().await, "endpointslice-controller:one");
    // What the second had on top is gone.
    stage
        .api()
        .get("/apis/networking.k8s.io/v1/namespaces/installed/networkpolicies/installed")
        .await
        .expect_err("rolled back");
    let manifest = run(&["get", "manifest"], "").expect("its manifest");
    assert!(objects(&manifest).len() > 10);
    run(&["uninstall"], "").expect("uninstalled");
    for object in objects(&manifest) {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let (kind, name) = (word(&object["kind"]), word(&object["metadata"]["name"]));
        let found = kubectl(
            &stage,
            &["get", &kind, &name, "--namespace", NAMESPACE, "--ignore-not-found", "-o=name"],
        );
        assert_eq!(found.expect("asked").trim(), "", "{kind} {name} is left");
    }
}
