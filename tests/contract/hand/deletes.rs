//! Deletes: preconditions, propagation, finalizers, grace, collections.

use serde_json::json;

use super::Scene;
use super::objects::*;
use crate::step::{JSON, Script, uid, version};

pub const SCENES: &[Scene] = &[
    ("what a delete answers", answers),
    ("preconditions", preconditions),
    ("finalizers keep an object", finalizers),
    ("finalizers while it goes", finalizers_while_going),
    ("propagation policies", propagation),
    ("graceful deletion of Pods", grace),
    ("graceful deletion of Pods on Nodes", grace_bound),
    ("options that make no sense", bad_options),
    ("deletecollection", collection),
    ("deletecollection with selectors and options", collection_with),
    ("a Service takes its Endpoints along", service_and_endpoints),
];

fn answers(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.create(resource, object.clone());
        s.delete(&format!("{resource}/a"));
        s.create(resource, object);
        s.delete_with(
            &format!("{resource}/a"),
            json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}),
        );
        s.delete(&format!("{resource}/a"));
    }
    s.create("nodes", node("a"));
    s.delete("nodes/{ns}-a");
}

fn preconditions(s: &mut Script) {
    let made = s.create("endpointslices", slice("a"));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": "y"}}}));
    let path = "endpointslices/a";
    s.delete_with(path, json!({"preconditions": {"uid": "33333333-c0de-4000-8000-000000000000"}}));
    s.delete_with(path, json!({"preconditions": {"resourceVersion": version(&made)}}));
    s.delete_with(path, json!({"preconditions": {"resourceVersion": "77777777", "uid": uid(&made)}}));
    s.delete_with(path, json!({"preconditions": {"resourceVersion": "", "uid": ""}}));
    s.get(path);
    s.create("endpointslices", slice("b"));
    s.delete_with("endpointslices/b", json!({"preconditions": {"resourceVersion": version("endpointslices/b"), "uid": uid("endpointslices/b")}}));
    s.get("endpointslices/b");
    let pod_ = s.create("pods", pod("p"));
    s.delete_with("pods/p", json!({"preconditions": {"uid": "33333333-c0de-4000-8000-000000000000"}}));
    s.delete_with("pods/p", json!({"preconditions": {"uid": uid(&pod_)}, "gracePeriodSeconds": 0}));
}

fn finalizers(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        let path = format!("{resource}/a");
        s.create(
            resource,
            with(object.clone(), "/metadata/finalizers", json!(["example.org/one", "example.org/two"])),
        );
        s.delete(&path);
        s.get(&path);
        s.delete(&path);
        s.create(resource, object);
        s.merge(&path, json!({"metadata": {"finalizers": ["example.org/two"]}}));
        s.merge(&path, json!({"metadata": {"finalizers": null}}));
        s.get(&path);
    }
}

fn finalizers_while_going(s: &mut Script) {
    s.create("endpointslices", with(slice("a"), "/metadata/finalizers", json!(["example.org/one"])));
    s.delete("endpointslices/a");
    s.merge("endpointslices/a", json!({"metadata": {"finalizers": ["example.org/one", "example.org/new"]}}));
    s.merge("endpointslices/a", json!({"metadata": {"finalizers": ["example.org/other"]}}));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": "y"}}, "endpoints": []}));
    s.merge("endpointslices/a", json!({"metadata": {"deletionTimestamp": null}}));
    s.update("endpointslices/a", slice("a"));
    s.get("endpointslices/a");
}

fn propagation(s: &mut Script) {
    for policy in ["Background", "Foreground", "Orphan"] {
        for (resource, object) in
            [("services", service("a")), ("deployments", deployment("a")), ("pods", pod("a"))]
        {
            s.create(resource, object);
            s.delete_with(
                &format!("{resource}/a"),
                json!({"propagationPolicy": policy, "gracePeriodSeconds": 0}),
            );
            s.get(&format!("{resource}/a"));
            s.merge(&format!("{resource}/a"), json!({"metadata": {"finalizers": null}}));
        }
    }
    s.create("services", service("b"));
    s.delete_with("services/b", json!({"orphanDependents": true}));
    s.merge("services/b", json!({"metadata": {"finalizers": null}}));
    s.create("services", service("b"));
    s.delete_with("services/b", json!({"orphanDependents": false}));
    s.create("services", service("b"));
    s.delete_with("services/b", json!({"orphanDependents": false, "propagationPolicy": "Orphan"}));
    s.delete_with("services/b", json!({"propagationPolicy": "Nonsense"}));
    s.create("services", with(service("c"), "/metadata/finalizers", json!(["orphan"])));
    s.delete_with("services/c", json!({"propagationPolicy": "Background"}));
    s.create("services", with(service("d"), "/metadata/finalizers", json!(["foregroundDeletion"])));
    s.delete_with("services/d", json!({"propagationPolicy": "Orphan"}));
    s.delete_with("services/d", json!({"propagationPolicy": "Foreground"}));
    s.delete_with("services/d", json!({"propagationPolicy": "Background"}));
}

fn grace(s: &mut Script) {
    s.create("pods", pod("a"));
    s.delete("pods/a");
    s.get("pods/a");
    s.create("pods", with(pod("b"), "/spec/terminationGracePeriodSeconds", json!(0)));
    s.delete("pods/b");
    s.create("pods", with(pod("c"), "/metadata/finalizers", json!(["example.org/x"])));
    s.delete("pods/c");
    s.delete("pods/c?gracePeriodSeconds=5");
    s.merge("pods/c", json!({"metadata": {"finalizers": null}}));
}

fn grace_bound(s: &mut Script) {
    s.create("nodes", node("n"));
    for name in ["a", "b", "c", "d"] {
        s.create("pods", with(pod(name), "/spec/nodeName", json!("{ns}-n")));
    }
    let watch = s.watch("pods");
    s.delete("pods/a");
    s.get("pods/a");
    s.delete("pods/a?gracePeriodSeconds=60");
    s.delete("pods/a?gracePeriodSeconds=5");
    s.delete_with("pods/a", json!({"gracePeriodSeconds": 10}));
    s.merge("pods/a/status", json!({"status": {"phase": "Succeeded"}}));
    s.delete("pods/a?gracePeriodSeconds=0");
    s.get("pods/a");
    s.delete("pods/b?gracePeriodSeconds=1");
    s.merge("pods/b", json!({"metadata": {"labels": {"late": "yes"}}}));
    s.delete("pods/b?gracePeriodSeconds=0");
    s.merge("pods/c/status", json!({"status": {"phase": "Failed"}}));
    s.delete("pods/c");
    s.get("pods/c");
    s.merge("pods/d", json!({"metadata": {"finalizers": ["example.org/x"]}}));
    s.delete("pods/d");
    s.delete("pods/d?gracePeriodSeconds=0");
    s.get("pods/d");
    s.merge("pods/d", json!({"metadata": {"finalizers": null}}));
    s.get("pods/d");
    s.create("pods", pod("zz"));
    s.events(&watch, "ADDED", "zz");
}

fn bad_options(s: &mut Script) {
    s.create("services", service("a"));
    for body in [
        "{",
        "[]",
        "5",
        "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}",
        "{\"gracePeriodSeconds\":\"x\"}",
        "{\"gracePeriodSeconds\":-1}",
        "{\"propagationPolicy\":5}",
        "{\"preconditions\":5}",
        "{\"dryRun\":[\"Some\"]}",
        "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"nonsense/v1\"}",
        "{\"nonsense\":1}",
    ] {
        s.raw("DELETE", "services/a", JSON, JSON, Some(body.to_string()));
        s.create("services?fieldValidation=Ignore", service("a"));
    }
    s.delete("services/a?gracePeriodSeconds=x");
    s.delete("services/a?propagationPolicy=Nonsense");
    s.delete("services/a?orphanDependents=x");
    s.delete("services/a?dryRun=Some");
}

fn collection(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        let b = with(object.clone(), "/metadata/name", json!("b"));
        s.create(resource, object);
        s.create(resource, with(b, "/metadata/finalizers", json!(["example.org/x"])));
        s.delete(resource);
        s.get(resource);
        s.merge(&format!("{resource}/b"), json!({"metadata": {"finalizers": null}}));
        s.get(resource);
        s.delete(resource);
    }
    s.delete("nodes?labelSelector=of%3D{ns}");
}

fn collection_with(s: &mut Script) {
    for name in ["a", "b", "c", "d"] {
        s.create("endpointslices", with(slice(name), "/metadata/labels/n", json!(name)));
    }
    s.delete("endpointslices?labelSelector=n%3Da");
    s.delete("endpointslices?fieldSelector=metadata.name%3Db");
    s.get("endpointslices");
    s.delete_with(
        "endpointslices",
        json!({"preconditions": {"uid": "33333333-c0de-4000-8000-000000000000"}}),
    );
    s.delete("endpointslices?labelSelector=a%20b");
    s.delete("endpointslices?limit=1");
    s.get("endpointslices");
    s.delete("endpointslices?dryRun=All");
    s.get("endpointslices");
    s.create("pods", pod("a"));
    s.create("pods", pod("b"));
    s.delete("pods?gracePeriodSeconds=0");
    s.get("pods");
    s.delete("/apis/discovery.k8s.io/v1/endpointslices?labelSelector=of%3D{ns}");
}

fn service_and_endpoints(s: &mut Script) {
    let watch = s.watch("endpoints");
    s.create("services", service("a"));
    s.create("endpoints", endpoints("a"));
    s.create("endpoints", endpoints("b"));
    s.delete("services/a");
    s.get("endpoints");
    s.create("services", with(service("b"), "/metadata/finalizers", json!(["example.org/x"])));
    s.delete("services/b");
    s.get("endpoints");
    s.merge("services/b", json!({"metadata": {"finalizers": null}}));
    s.get("endpoints");
    s.create("endpoints", endpoints("zz"));
    s.events(&watch, "ADDED", "zz");
}
