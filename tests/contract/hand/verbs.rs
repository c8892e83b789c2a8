//! Create, read, update: what every kind has in common.

use serde_json::json;

use super::Scene;
use super::objects::*;
use crate::step::{Script, uid, version};

pub const SCENES: &[Scene] = &[
    ("every kind is created, read, updated and deleted", life),
    ("what is not there", missing),
    ("what is there already", twice),
    ("an update with an old version is a conflict", conflicts),
    ("an update without a version", unconditional),
    ("an update that changes nothing is not stored", unchanged),
    ("an update with another uid, name or namespace", mismatched),
    ("generateName", generate_name),
    ("names that are not allowed", bad_names),
    ("metadata that is not allowed", bad_metadata),
    ("bodies that cannot be read", bad_bodies),
    ("unknown fields", unknown_fields),
    ("dry runs store nothing", dry_run),
    ("an update of something that is not there", update_missing),
    ("methods and paths that do not exist", wrong_paths),
    ("labels and annotations are dropped and kept", empty_maps),
    ("what the client sets and may not", server_fields),
    ("content that is not JSON", content_types),
];

fn life(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        let made = s.create(resource, object.clone());
        s.get(&format!("{resource}/a"));
        let changed = with(object, "/metadata/labels/changed", json!("yes"));
        let changed = with(changed, "/metadata/resourceVersion", json!(version(&made)));
        s.update(&format!("{resource}/a"), changed);
        s.get(resource);
        s.delete(&format!("{resource}/a?gracePeriodSeconds=0&propagationPolicy=Background"));
        s.get(&format!("{resource}/a"));
    }
}

fn missing(s: &mut Script) {
    for (resource, object) in one_of_each("none") {
        s.get(&format!("{resource}/none"));
        s.delete(&format!("{resource}/none"));
        s.merge(&format!("{resource}/none"), json!({"metadata": {"labels": {"a": "b"}}}));
        s.update(&format!("{resource}/none"), with(object, "/metadata/resourceVersion", json!("7")));
    }
    s.get("nodes/{ns}-none");
    s.get("namespaces/{ns}-none");
    s.get("services/none/status");
    s.create("/api/v1/namespaces/{ns}-none/services", service("web"));
    s.get("/api/v1/namespaces/{ns}-none/services");
    s.get("/api/v1/namespaces/{ns}-none/services/web");
}

fn twice(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.create(resource, object.clone());
        s.create(resource, object);
    }
}

fn conflicts(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        let made = s.create(resource, object.clone());
        s.merge(&format!("{resource}/a"), json!({"metadata": {"labels": {"a": "b"}}}));
        let stale = with(object.clone(), "/metadata/resourceVersion", json!(version(&made)));
        s.update(&format!("{resource}/a"), stale.clone());
        s.merge(&format!("{resource}/a"), json!({"metadata": {"resourceVersion": version(&made)}}));
        s.update(&format!("{resource}/a"), with(object, "/metadata/resourceVersion", json!("nonsense")));
        s.update(&format!("{resource}/a"), with(stale, "/metadata/resourceVersion", json!("99999999")));
    }
}

fn unconditional(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.create(resource, object.clone());
        s.update(&format!("{resource}/a"), with(object.clone(), "/metadata/labels/l", json!("1")));
        s.update(&format!("{resource}/a"), with(object, "/metadata/resourceVersion", json!("0")));
    }
}

fn unchanged(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.create(resource, object.clone());
        s.merge(&format!("{resource}/a"), json!({}));
        s.merge(&format!("{resource}/a"), json!({"metadata": {"labels": object["metadata"]["labels"]}}));
        s.get(&format!("{resource}/a"));
    }
    s.update("endpointslices/a", slice("a"));
    s.update("endpoints/a", endpoints("a"));
}

fn mismatched(s: &mut Script) {
    let made = s.create("services", service("a"));
    s.create("services", service("b"));
    let base = with(service("a"), "/metadata/resourceVersion", json!(version(&made)));
    let other = "11111111-c0de-4000-8000-000000000000";
    s.update("services/a", with(base.clone(), "/metadata/uid", json!(other)));
    s.update("services/b", base.clone());
    s.update("services/a", with(base.clone(), "/metadata/namespace", json!("else")));
    s.update("services/a", with(base.clone(), "/metadata/name", json!(null)));
    s.update("services/a", with(base.clone(), "/kind", json!("Pod")));
    s.update("services/a", with(base.clone(), "/apiVersion", json!("v2")));
    s.update("services/a", with(base, "/metadata/uid", json!(uid(&made))));
    s.create("services", with(service("c"), "/metadata/namespace", json!("else")));
    s.create("services", with(service("d"), "/metadata/resourceVersion", json!("5")));
    s.create("services", with(service("d2"), "/metadata/resourceVersion", json!("0")));
    s.create("services", with(service("e"), "/kind", json!("Endpoints")));
    s.create("services", with(service("f"), "/apiVersion", json!("discovery.k8s.io/v1")));
    s.create("endpointslices", with(slice("g"), "/apiVersion", json!("discovery.k8s.io/v1beta1")));
    s.create("services", with(service("h"), "/apiVersion", json!(null)));
    s.create("services", with(service("i"), "/kind", json!(null)));
    s.create("services/a", service("a"));
    s.merge("services/a", json!({"metadata": {"name": "z"}}));
    s.merge("services/a", json!({"metadata": {"uid": other}}));
    s.merge("services/a", json!({"metadata": {"namespace": "else"}}));
    s.merge("services/a", json!({"kind": "Pod"}));
}

fn generate_name(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        let object = with(object, "/metadata/generateName", json!("web-"));
        let mut nameless = object.clone();
        nameless["metadata"].as_object_mut().expect("metadata").remove("name");
        s.create(resource, nameless.clone());
        s.create(resource, object.clone());
        s.create(resource, with(nameless.clone(), "/metadata/generateName", json!("Bad_")));
        s.create(resource, with(nameless, "/metadata/generateName", json!("")));
    }
    let long = "a".repeat(70);
    let mut object = with(slice("a"), "/metadata/generateName", json!(long));
    object["metadata"].as_object_mut().expect("metadata").remove("name");
    let made = s.create("endpointslices", object);
    s.delete(&format!("endpointslices/{}", crate::step::of(&made, "/metadata/name")));
    s.get("endpointslices");
}

fn bad_names(s: &mut Script) {
    let long = "a".repeat(260);
    for name in ["", "A", "a.b", "a_b", "-a", "a/b", ".", "1a", "a..b", &"a".repeat(64), &long] {
        for (resource, object) in one_of_each(name) {
            s.create(resource, object);
        }
    }
    s.get("services/A");
    s.get("services/..");
}

fn bad_metadata(s: &mut Script) {
    let cases = [
        ("/metadata/labels", json!({"bad key": "x"})),
        ("/metadata/labels", json!({"a/b/c": "x"})),
        ("/metadata/labels", json!({"": "x"})),
        ("/metadata/labels", json!({"a": "bad value"})),
        ("/metadata/labels", json!({"a": "x".repeat(64)})),
        ("/metadata/labels", json!({"x".repeat(64): "a"})),
        ("/metadata/labels", json!({"A.example/a": "a"})),
        ("/metadata/labels", json!({"a": 1})),
        ("/metadata/labels", json!(["a"])),
        ("/metadata/annotations", json!({"bad key": "x"})),
        ("/metadata/annotations", json!({"UPPER/x": "x"})),
        ("/metadata/annotations", json!({"a": "x".repeat(262_145)})),
        ("/metadata/finalizers", json!(["nonsense"])),
        ("/metadata/finalizers", json!(["example.org/x", "bad value"])),
        ("/metadata/finalizers", json!(["foregroundDeletion", "orphan"])),
        ("/metadata/finalizers", json!(["example.org/x", "example.org/x"])),
        ("/metadata/ownerReferences", json!([{"apiVersion": "v1", "kind": "Service", "name": "x"}])),
        (
            "/metadata/ownerReferences",
            json!([{"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "c0de"}]),
        ),
        ("/metadata/ownerReferences", json!([{"kind": "Service", "uid": "c0de"}])),
        (
            "/metadata/ownerReferences",
            json!([
                {"apiVersion": "v1", "kind": "Service", "name": "x", "uid": "c0de-1", "controller": true},
                {"apiVersion": "v1", "kind": "Service", "name": "y", "uid": "c0de-2", "controller": true},
            ]),
        ),
        (
            "/metadata/ownerReferences",
            json!([
                {"apiVersion": "v1", "kind": "Service", "name": "x", "uid": "c0de-1"},
                {"apiVersion": "v1", "kind": "Service", "name": "x", "uid": "c0de-1"},
            ]),
        ),
        ("/metadata", json!("text")),
        ("/metadata", json!(null)),
        ("/metadata/generation", json!(-1)),
        ("/metadata/deletionGracePeriodSeconds", json!(5)),
        ("/metadata/deletionTimestamp", json!("2024-01-02T03:04:05Z")),
        ("/metadata/creationTimestamp", json!("yesterday")),
        ("/metadata/selfLink", json!("/here")),
    ];
    for (number, (pointer, value)) in cases.into_iter().enumerate() {
        let name = format!("n-{number}");
        s.create("endpointslices", with(slice(&name), pointer, value.clone()));
        s.create("services", with(service(&name), pointer, value));
    }
}

fn bad_bodies(s: &mut Script) {
    use crate::step::JSON;
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "\"text\"",
        "5",
        "{}",
        "{\"kind\":\"Service\"}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\"}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},\"spec\":5}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":{}}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":\"http\"}]}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":5},\"spec\":{\"ports\":[{\"port\":80}]}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":80.5}]}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":80}]}} trailing",
        "{\"apiVersion\":\"v1\",\"kind\":\"Nonsense\",\"metadata\":{\"name\":\"a\"}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"selector\":{\"a\":null},\"ports\":[{\"port\":80}]}}",
    ];
    for body in bodies {
        s.raw("POST", "services", JSON, JSON, Some(body.to_string()));
    }
    s.raw("POST", "services", JSON, JSON, None);
    s.create("endpointslices", with(slice("a"), "/endpoints", json!("x")));
    s.create("endpointslices", with(slice("a"), "/endpoints/0/conditions/ready", json!("yes")));
    s.create("endpointslices", with(slice("a"), "/ports/0/port", json!("http")));
    s.create("pods", with(pod("a"), "/spec/containers", json!({})));
    s.create("leases", with(lease("a"), "/spec/renewTime", json!("never")));
}

fn unknown_fields(s: &mut Script) {
    for validation in [
        "",
        "?fieldValidation=Ignore",
        "?fieldValidation=Warn",
        "?fieldValidation=Strict",
        "?fieldValidation=Never",
    ] {
        for (resource, object) in one_of_each("a") {
            let object = with(object, "/metadata/nonsense", json!(1));
            let object = with(object, "/spec/sense", json!({"of": "nothing"}));
            s.create(&format!("{resource}{validation}"), object);
            s.delete(&format!("{resource}/a?gracePeriodSeconds=0"));
        }
    }
    let double = "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\",\"name\":\"b\"},\
                  \"spec\":{\"ports\":[{\"port\":80,\"Port\":81}]}}";
    use crate::step::JSON;
    for validation in ["Warn", "Strict"] {
        s.raw(
            "POST",
            &format!("services?fieldValidation={validation}"),
            JSON,
            JSON,
            Some(double.to_string()),
        );
    }
    s.create("services", service("c"));
    s.merge("services/c", json!({"spec": {"nonsense": true}}));
    s.merge("services/c?fieldValidation=Strict", json!({"spec": {"nonsense": true}}));
    s.strategic("services/c?fieldValidation=Strict", json!({"spec": {"nonsense": true}}));
    s.json_patch(
        "services/c?fieldValidation=Strict",
        json!([{"op": "add", "path": "/spec/nonsense", "value": 1}]),
    );
    s.update("services/c?fieldValidation=Strict", with(service("c"), "/spec/nonsense", json!(1)));
}

fn dry_run(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.create(&format!("{resource}?dryRun=All"), object.clone());
        s.get(&format!("{resource}/a"));
        s.create(resource, object.clone());
        let changed = with(object, "/metadata/labels/changed", json!("yes"));
        s.update(&format!("{resource}/a?dryRun=All"), changed);
        s.merge(&format!("{resource}/a?dryRun=All"), json!({"metadata": {"labels": {"p": "q"}}}));
        s.delete(&format!("{resource}/a?dryRun=All"));
        s.delete_with(&format!("{resource}/a"), json!({"dryRun": ["All"]}));
        s.get(&format!("{resource}/a"));
    }
    s.create("services?dryRun=Some", service("b"));
    s.delete("services?dryRun=All");
    s.get("services");
}

fn update_missing(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        s.update(&format!("{resource}/a"), object);
        s.get(&format!("{resource}/a"));
    }
}

fn wrong_paths(s: &mut Script) {
    for what in [
        "/api/v1/nonsense",
        "/apis/discovery.k8s.io/v1/nonsense",
        "/apis/nonsense.k8s.io/v1",
        "/nonsense",
        "/api/v2",
        "/apis/apps/v2/deployments",
        "/api/v1/namespaces/{ns}/nonsense",
        "/api/v1/namespaces/{ns}/services/a/nonsense",
    ] {
        s.get(what);
    }
    s.raw("PUT", "services", crate::step::JSON, crate::step::JSON, Some(service("a").to_string()));
    s.raw("PATCH", "services", crate::step::JSON, crate::step::MERGE, Some("{}".to_string()));
    s.create("/api/v1/services", service("a"));
    s.delete("/api/v1/services");
    s.create("endpoints/a/status", endpoints("a"));
    s.get("endpointslices/a/status");
    s.get("leases/a/status");
    s.get("/healthz");
    s.get("/readyz");
    s.get("/livez");
}

fn empty_maps(s: &mut Script) {
    let object = with(slice("a"), "/metadata/labels", json!({}));
    s.create("endpointslices", with(object, "/metadata/annotations", json!({})));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": "1"}, "annotations": {"n": "2"}}}));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": null}, "annotations": null}}));
    s.merge("endpointslices/a", json!({"metadata": {"finalizers": []}}));
    s.merge("endpointslices/a", json!({"metadata": {"ownerReferences": []}}));
    s.create("services", with(service("a"), "/spec/selector", json!({})));
    s.create("endpoints", with(endpoints("a"), "/subsets", json!([])));
    s.create("endpoints", with(endpoints("b"), "/subsets", json!(null)));
}

fn server_fields(s: &mut Script) {
    let uid = "22222222-c0de-4000-8000-000000000000";
    for (resource, object) in one_of_each("a") {
        let object = with(object, "/metadata/uid", json!(uid));
        let object = with(object, "/metadata/creationTimestamp", json!("2001-02-03T04:05:06Z"));
        let object = with(object, "/metadata/generation", json!(42));
        let object = with(object, "/metadata/selfLink", json!("/x"));
        s.create(resource, object);
        s.merge(
            &format!("{resource}/a"),
            json!({"metadata": {"creationTimestamp": "2001-02-03T04:05:06Z", "generation": 7,
                "deletionTimestamp": "2030-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3}}),
        );
    }
}

fn content_types(s: &mut Script) {
    s.raw("POST", "services", "application/json", "text/plain", Some(service("a").to_string()));
    s.raw("POST", "services", "application/json", "application/xml", Some("<a/>".to_string()));
    s.raw("GET", "services", "application/xml", "application/json", None);
    s.raw("GET", "services", "*/*", "application/json", None);
    s.raw("GET", "services", "application/xml,application/json;q=0.5", "application/json", None);
    s.raw("GET", "services", "application/nonsense, */*", "application/json", None);
    let yaml = "apiVersion: v1\nkind: Service\nmetadata:\n  name: y\nspec:\n  ports:\n  - port: 80\n";
    s.raw("POST", "services", "application/json", "application/yaml", Some(yaml.to_string()));
    s.raw("PATCH", "services/y", "application/json", "application/json", Some("{}".to_string()));
    s.raw("PATCH", "services/y", "application/json", "text/plain", Some("{}".to_string()));
}
