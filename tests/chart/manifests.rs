//! The kustomize manifests, made from the chart: `manifests/base` and the parts of its components that
//! are more than a few words. What is written by hand there are the `kustomization.yaml` files.

use serde_json::Value;

use crate::drift;
use crate::support::helm::{Helm, objects, one};

/// The base is one replica alone; components add the rest.
const BASE: &str = "{replicas: 1, podDisruptionBudget: {enabled: false}, topologySpreadConstraints: []}";

#[test]
fn the_manifests_are_made_from_the_chart() {
    let Some(helm) = Helm::new() else { return };
    let base = documents(&helm, BASE);
    write(
        "base/rbac.yaml",
        &base,
        &["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    );
    write("base/deployment.yaml", &base, &["Deployment"]);
    write("base/service.yaml", &base, &["Service"]);
    write("base/flowschemas.yaml", &base, &["FlowSchema"]);
    let written = ["ServiceAccount", "Cluster", "Role", "Deployment", "Service", "FlowSchema"];
    for (kind, _, text) in &base {
        assert!(written.iter().any(|start| kind.starts_with(start)), "in no file of the base:\n{text}");
    }

    let available = documents(&helm, "");
    write("components/high-availability/poddisruptionbudget.yaml", &available, &["PodDisruptionBudget"]);
    patch("components/high-availability/deployment.yaml", &helm, "");

    let values =
        "{serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboards: {enabled: true}}";
    let watched = documents(&helm, values);
    write(
        "components/monitoring/monitoring.yaml",
        &watched,
        &["ServiceMonitor", "PrometheusRule", "ConfigMap"],
    );

    let fenced = documents(&helm, "networkPolicy: {enabled: true}");
    write("components/network-policy/networkpolicy.yaml", &fenced, &["NetworkPolicy"]);

    let judged = documents(&helm, "validatingAdmissionPolicy: {enabled: true}");
    let kinds = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    write("components/admission-policy/validatingadmissionpolicy.yaml", &judged, &kinds);

    let values = "{metrics: {secure: {enabled: true}}, serviceMonitor: {enabled: true}}";
    let secure: Vec<Document> = documents(&helm, values)
        .into_iter()
        .filter(|(_, name, _)| name.ends_with("-metrics-secure"))
        .collect();
    write("components/metrics-secure/rbac.yaml", &secure, &["ClusterRole", "ClusterRoleBinding"]);
    patch(
        "components/metrics-secure/deployment.yaml",
        &helm,
        &format!("{}, metrics: {{secure: {{enabled: true}}}}}}", &BASE[..BASE.len() - 1]),
    );
}

/// Kind, name and text of one object.
type Document = (String, String, String);

/// What the chart renders, without what only Helm knows.
fn documents(helm: &Helm, values: &str) -> Vec<Document> {
    let text = helm.text(values).unwrap_or_else(|refusal| panic!("{refusal}"));
    text.split("---\n")
        .map(|document| {
            let helms = |line: &str| {
                line.starts_with("# Source:")
                    || line.trim_start().starts_with("helm.sh/chart:")
                    || line.trim() == "app.kubernetes.io/managed-by: Helm"
            };
            document
                .trim()
                .lines()
                .filter(|line| !helms(line))
                .fold(String::new(), |text, line| text + line + "\n")
        })
        .filter(|document| !document.trim().is_empty())
        .map(|document| {
            let object = objects(&document).pop().expect("an object");
            let word = |value: &Value| value.as_str().unwrap_or_default().to_string();
            (word(&object["kind"]), word(&object["metadata"]["name"]), document)
        })
        .collect()
}

/// Checks that a file holds the documents of these kinds.
fn write(path: &str, documents: &[Document], kinds: &[&str]) {
    let chosen: Vec<&str> = documents
        .iter()
        .filter(|(kind, ..)| kinds.contains(&kind.as_str()))
        .map(|(.., text)| text.as_str())
        .collect();
    assert!(!chosen.is_empty(), "{path} would be empty");
    drift::check(&format!("manifests/{path}"), &format!("{MADE}{}", chosen.join("---\n")));
}

/// Checks that a file holds the JSON patch from the Deployment of the base to that of these values. Each change
/// first tests what it replaces, so that patches of several components never undo each other unseen.
fn patch(path: &str, helm: &Helm, values: &str) {
    let deployment =
        |values: &str| one(&helm.objects(values), "Deployment", "endpointslice-controller").clone();
    let mut lines = Vec::new();
    differences("", &deployment(BASE), &deployment(values), &mut lines);
    assert!(!lines.is_empty(), "{path} would change nothing");
    drift::check(&format!("manifests/{path}"), &format!("{MADE}{}\n", lines.join("\n")));
}

fn differences(at: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    let line = |operation: &str, at: &str, value: &Value| {
        format!("- {{op: {operation}, path: {}, value: {value}}}", Value::from(at))
    };
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match old.get(name) {
                    Some(before) => differences(&at, before, value, lines),
                    None => lines.push(line("add", &at, value)),
                }
            }
            assert!(
                old.keys().all(|name| new.contains_key(name)),
                "{at} loses a field: patches only add and replace"
            );
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (number, (old, new)) in old.iter().zip(new).enumerate() {
                differences(&format!("{at}/{number}"), old, new, lines);
            }
        }
        _ => lines.extend([line("test", at, old), line("replace", at, new)]),
    }
}

const MADE: &str = "# Made from the chart: `UPDATE=1 cargo test --test chart`.\n";
