//! The API server takes all that is shipped, field by field, and Pod Security lets the Pods run.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::kubectl::{apply, kubectl};
use crate::rendering::sets;
use crate::support::helm::{Helm, copy_folder, fresh, objects, one};
use crate::support::real::{judge, programs};
use crate::support::{Stage, real};

/// The definitions of the Prometheus operator's kinds.
fn operator_kinds() -> Option<String> {
    let read = |kind: &str| {
        let path = judge(&format!("prometheus-operator-kinds/{kind}.yaml"))?;
        Some(std::fs::read_to_string(path).expect("read the definition of a kind"))
    };
    let kinds: Option<Vec<String>> =
        ["servicemonitors", "podmonitors", "prometheusrules"].into_iter().map(read).collect();
    Some(kinds?.join("\n---\n"))
}

/// What `kubectl kustomize` makes of these folders of `manifests/`, the first of which is a base or an overlay and the
/// others components.
fn kustomized(folders: &[&str]) -> String {
    let copy = fresh("manifests");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"), &copy);
    let place = copy.join("overlays/of-a-test");
    std::fs::create_dir_all(&place).expect("make a folder");
    let path = |folder: &&str| format!("../../{folder}");
    let kustomization = json!({
        "resources": [path(&folders[0])],
        "components": folders[1..].iter().map(path).collect::<Vec<_>>(),
    });
    std::fs::write(place.join("kustomization.yaml"), kustomization.to_string())
        .expect("write a kustomization");
    let output = Command::new(programs().expect("the programs are there").path("kubectl"))
        .arg("kustomize")
        .arg(&place)
        .output()
        .expect("run kubectl kustomize");
    assert!(output.status.success(), "{folders:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn folders(under: &str) -> Vec<String> {
    let all = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(under));
    let mut all: Vec<String> = all
        .expect("read a folder of manifests")
        .map(|found| found.expect("a folder").path())
        // A file for others than kustomize may lie there, too.
        .filter(|path| path.join("kustomization.yaml").is_file())
        .map(|path| format!("{under}/{}", path.file_name().expect("a name").to_string_lossy()))
        .collect();
    all.sort();
    assert!(all.len() > 1, "{under}: {all:?}");
    all
}

#[tokio::test]
async fn the_api_server_takes_every_set_of_values_and_every_manifest_strictly() {
    let (Some(kinds), Some(helm)) = (operator_kinds(), Helm::new()) else { return };
    let Some(stage) = real::exclusive().await else { return };
    apply(&stage, &kinds, &[]).expect("the kinds of the Prometheus operator");
    kubectl(&stage, &["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])
        .expect("they are served");
    kubectl(&stage, &["create", "namespace", "slices"]).expect("the namespace of a set of values");
    let mut texts: Vec<(String, String)> = sets()
        .into_iter()
        .map(|(set, values)| (set, helm.text(&values).unwrap_or_else(|refusal| panic!("{refusal}"))))
        .collect();
    let components = folders("components");
    for component in &components {
        texts.push((component.clone(), kustomized(&["base", component])));
    }
    for overlay in folders("overlays") {
        texts.push((overlay.clone(), kustomized(&[&overlay])));
    }
    for (what, text) in &texts {
        apply(&stage, text, &["--dry-run=server"]).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
    }
    // A field that nobody knows would have been refused.
    let all = helm.text("serviceMonitor: {enabled: true}").expect("rendered");
    for field in ["revisionHistoryLimit", "scrapeTimeout", "matchingPrecedence"] {
        let wrong = all.replace(&format!("{field}:"), &format!("{field}s:"));
        let refusal = apply(&stage, &wrong, &["--dry-run=server"]).expect_err("an unknown field");
        assert!(refusal.contains(&format!("{field}s")), "{refusal}");
    }

    // And for good: the base, then components on top of it.
    apply(&stage, &kustomized(&["base"]), &[]).expect("the base");
    for component in &components {
        let text = kustomized(&["base", component]);
        apply(&stage, &text, &[]).unwrap_or_else(|refusal| panic!("{component}: {refusal}"));
    }
    let deployment =
        stage.api().get("/apis/apps/v1/namespaces/kube-system/deployments/endpointslice-controller").await;
    assert!(deployment.expect("the Deployment stands")["spec"]["template"].is_object());
}

#[tokio::test]
async fn high_availability_is_what_the_chart_installs_by_default() {
    let (Some(helm), Some(_)) = (Helm::new(), programs()) else { return };
    let ours = objects(&kustomized(&["overlays/high-availability"]));
    let charts = helm.objects("");
    assert_eq!(ours.len(), charts.len());
    for object in &charts {
        let (kind, name) =
            (object["kind"].as_str().expect("a kind"), object["metadata"]["name"].as_str().expect("a name"));
        assert_eq!(
            without_helm(one(&ours, kind, name).clone()),
            without_helm(object.clone()),
            "{kind} {name}"
        );
    }
}

/// Without the two labels that only Helm's own objects have.
fn without_helm(mut object: Value) -> Value {
    for place in ["/metadata/labels", "/spec/template/metadata/labels"] {
        if let Some(labels) = object.pointer_mut(place).and_then(Value::as_object_mut) {
            labels.retain(|label, _| {
                !["helm.sh/chart", "app.kubernetes.io/managed-by"].contains(&label.as_str())
            });
        }
    }
    object
}

#[tokio::test]
async fn pod_security_at_its_restricted_level_lets_the_pods_run() {
    let (Some(stage), Some(helm)) = (real::exclusive().await, Helm::new()) else { return };
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    stage.api().create("/api/v1/namespaces", &namespace).await.expect("make a namespace");
    for (set, values) in sets() {
        let objects = helm.objects(&values);
        let template = &objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment")["spec"]
            ["template"];
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
        pod["metadata"]["name"] = json!("controller");
        let made = stage
            .api()
            .create("/api/v1/namespaces/restricted/pods?dryRun=All&fieldValidation=Strict", &pod)
            .await;
        match made {
            Ok(_) => assert_ne!(set, "host-network-values.yaml", "the level is not enforced"),
            // No level but the most privileged allows the host's network: that is for kube-system.
            Err(refusal) => {
                assert_eq!((set.as_str(), refusal.code), ("host-network-values.yaml", 403), "{refusal}");
                assert!(refusal.message.contains("hostNetwork=true"), "{refusal}");
                for other in ["privileged", "capabilities", "runAsNonRoot", "seccompProfile"] {
                    assert!(!refusal.message.contains(other), "{refusal}");
                }
            }
        }
    }
}
