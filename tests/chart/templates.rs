//! One suite a template: what it promises, on what is rendered.

mod access;
mod monitoring;
mod network;
mod pods;

use serde_json::Value;

use crate::support::helm::Helm;

const NAME: &str = "endpointslice-controller";

/// Whether an object of this kind is among them.
fn has(objects: &[Value], kind: &str) -> bool {
    objects.iter().any(|object| object["kind"] == kind)
}

/// The only object of this kind.
fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<&Value> = objects.iter().filter(|object| object["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "objects of kind {kind}");
    found[0]
}

#[test]
fn names_and_labels_follow_the_release_and_can_be_set() {
    let Some(helm) = Helm::new() else { return };
    let values = "{fullnameOverride: slices, namespaceOverride: apart, commonLabels: {a: b}, commonAnnotations: {c: d}}";
    let objects = helm.objects(values);
    for object in &objects {
        let metadata = &object["metadata"];
        assert!(metadata["name"].as_str().is_some_and(|name| name.starts_with("slices")), "{metadata}");
        assert!(metadata["namespace"].is_null() || metadata["namespace"] == "apart", "{metadata}");
        assert_eq!((&metadata["labels"]["a"], &metadata["annotations"]["c"]), (&"b".into(), &"d".into()));
    }
    let pod = &only(&objects, "Deployment")["spec"]["template"]["metadata"];
    assert_eq!((&pod["labels"]["a"], &pod["annotations"]["c"]), (&"b".into(), &"d".into()));
    // Labels of the chart's own cannot be taken away: selectors need them.
    let objects = helm.objects(
        "{commonLabels: {app.kubernetes.io/name: other}, podLabels: {app.kubernetes.io/instance: x}}",
    );
    let pod = &only(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(pod["app.kubernetes.io/name"], NAME);
    assert_eq!(pod["app.kubernetes.io/instance"], NAME);
}
