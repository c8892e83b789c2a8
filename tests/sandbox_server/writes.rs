//! Creates, updates and patches.

use serde_json::{Value, json};

use crate::http::{DEPLOYMENTS, ENDPOINTS, LEASES, PODS, SERVICES, Scene, version};

#[tokio::test]
async fn a_new_object_gets_what_the_server_gives() {
    let scene = Scene::start().await;
    let body = json!({"metadata": {
        "name": "a", "uid": "mine", "creationTimestamp": "2020-01-01T00:00:00Z", "selfLink": "x",
        "deletionTimestamp": "2020-01-01T00:00:00Z", "managedFields": [{"manager": "me"}], "labels": {"a": "b"},
    }});
    let answer = scene.post(ENDPOINTS, body).await;
    assert_eq!(answer.code, 201);
    let metadata = &answer.json()["metadata"];
    assert_eq!(metadata["namespace"], "default");
    assert_eq!(metadata["uid"].as_str().map(str::len), Some(36));
    assert_ne!(metadata["creationTimestamp"], "2020-01-01T00:00:00Z");
    for gone in ["selfLink", "deletionTimestamp", "managedFields"] {
        assert_eq!(metadata.get(gone), None, "{gone}");
    }
    assert_eq!(version(&answer.json()), scene.sandbox.store().version());
    scene
        .post(ENDPOINTS, json!({"metadata": {"name": "a"}}))
        .await
        .refused(409, "endpoints \"a\" already exists");
    scene
        .post(ENDPOINTS, json!({"metadata": {"name": "b", "resourceVersion": "4"}}))
        .await
        .refused(500, "resourceVersion should not be set on objects to be created");
}

#[tokio::test]
async fn names_are_made_of_a_prefix_and_five_characters() {
    let scene = Scene::start().await;
    let long = "x".repeat(70);
    for (prefix, kept) in [("web-", "web-"), (long.as_str(), &long[..58])] {
        let made = scene.post(ENDPOINTS, json!({"metadata": {"generateName": prefix}})).await.ok();
        let name = made["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        assert!(name.starts_with(kept), "{name}");
        assert_eq!(name.len(), kept.len() + 5);
        assert_eq!(made["metadata"]["generateName"], prefix);
    }
    scene.post(ENDPOINTS, json!({"metadata": {}})).await.refused(
        422,
        "Endpoints \"\" is invalid: metadata.name: Required value: name or generateName is required",
    );
}

#[tokio::test]
async fn the_namespace_must_be_there_and_the_same_everywhere() {
    let scene = Scene::start().await;
    let body = json!({"metadata": {"name": "a"}});
    let answer = scene.post("/api/v1/namespaces/none/endpoints", body).await;
    answer.refused(404, "namespaces \"none\" not found");
    assert_eq!(answer.json()["details"], json!({"name": "none", "kind": "namespaces"}));
    let other = "the namespace of the provided object does not match the namespace sent on the request";
    let body = json!({"metadata": {"name": "a", "namespace": "b"}});
    scene.post(ENDPOINTS, body.clone()).await.refused(400, other);
    scene.endpoints("a", json!({})).await;
    scene.put(&format!("{ENDPOINTS}/a"), body).await.refused(400, other);
}

#[tokio::test]
async fn an_update_of_an_old_version_is_a_conflict() {
    let scene = Scene::start().await;
    let path = format!("{ENDPOINTS}/a");
    let first = scene.endpoints("a", json!({})).await;
    let with = |version: &str, n: &str| json!({"metadata": {"name": "a", "resourceVersion": version, "labels": {"n": n}}});
    let second = scene.put(&path, with(&first.to_string(), "1")).await.ok();
    let answer = scene.put(&path, with(&first.to_string(), "2")).await;
    answer.refused(
        409,
        "Operation cannot be fulfilled on endpoints \"a\": the object has been modified; please apply your changes \
         to the latest version and try again",
    );
    assert_eq!(answer.json()["reason"], "Conflict");
    assert_eq!(answer.json()["details"], json!({"name": "a", "kind": "endpoints"}));
    scene
        .put(&path, with("abc", "2"))
        .await
        .refused(500, "strconv.ParseUint: parsing \"abc\": invalid syntax");
    let third = scene.put(&path, with("0", "3")).await.ok();
    assert!(version(&third) > version(&second));
    scene.put(&path, json!({"metadata": {"name": "a"}})).await.ok();
}

#[tokio::test]
async fn an_update_that_changes_nothing_is_not_stored() {
    let scene = Scene::start().await;
    let path = format!("{ENDPOINTS}/a");
    let first = scene.endpoints("a", json!({"n": "1"})).await;
    let same = scene.put(&path, json!({"metadata": {"name": "a", "labels": {"n": "1"}}})).await.ok();
    assert_eq!(version(&same), first);
    let same = scene.merge(&path, json!({"metadata": {"uid": null, "creationTimestamp": null}})).await.ok();
    assert_eq!(version(&same), first);
    assert_eq!(scene.sandbox.store().version(), first);
}

#[tokio::test]
async fn an_update_names_its_object_and_may_name_its_uid() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    let path = format!("{ENDPOINTS}/a");
    let uid = scene.get(&path).await.ok()["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    scene
        .put(&path, json!({"metadata": {"name": "b"}}))
        .await
        .refused(400, "the name of the object (b) does not match the name on the URL (a)");
    scene
        .put(&path, json!({"metadata": {}}))
        .await
        .refused(400, "the name of the object (a based on URL) was undeterminable: name must be provided");
    let answer = scene.put(&path, json!({"metadata": {"name": "a", "uid": "x"}})).await;
    assert_eq!(answer.code, 409);
    let end = format!("Precondition failed: UID in precondition: x, UID in object meta: {uid}");
    assert!(answer.json()["message"].as_str().unwrap_or_default().ends_with(&end), "{}", answer.body);
    scene.put(&path, json!({"metadata": {"name": "a", "uid": uid}})).await.ok();
}

#[tokio::test]
async fn an_update_makes_what_does_not_exist_of_four_kinds_only() {
    let scene = Scene::start().await;
    let named = |rest: Value| {
        let mut body = json!({"metadata": {"name": "new"}});
        for (field, value) in rest.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        body
    };
    let service = named(json!({"spec": {"ports": [{"port": 1}]}}));
    let event = named(json!({"involvedObject": {"namespace": "default"}}));
    for (path, body) in [
        (ENDPOINTS, named(json!({}))),
        (SERVICES, service),
        (LEASES, named(json!({"spec": {}}))),
        ("/api/v1/namespaces/default/events", event),
    ] {
        let answer = scene.put(&format!("{path}/new"), body).await;
        assert_eq!(answer.code, 201, "{}", answer.body);
    }
    let slice = named(json!({"addressType": "IPv4", "endpoints": []}));
    scene
        .put("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/new", slice)
        .await
        .refused(404, "endpointslices.discovery.k8s.io \"new\" not found");
    scene.put("/api/v1/nodes/new", named(json!({}))).await.refused(404, "nodes \"new\" not found");
    let answer = scene.put(&format!("{LEASES}/new"), named(json!({"spec": {}}))).await;
    answer.refused(
        422,
        "leases.coordination.k8s.io \"new\" is invalid: metadata.resourceVersion: Invalid value: 0: must be \
         specified for an update",
    );
}

#[tokio::test]
async fn nothing_is_stored_of_a_dry_run() {
    let scene = Scene::start().await;
    let before = scene.sandbox.store().version();
    let body = json!({"metadata": {"name": "a"}});
    let answer = scene.post(&format!("{ENDPOINTS}?dryRun=All"), body.clone()).await;
    assert_eq!(answer.code, 201);
    assert_eq!(answer.json()["metadata"].get("resourceVersion"), None);
    scene.get(&format!("{ENDPOINTS}/a")).await.refused(404, "endpoints \"a\" not found");
    assert_eq!(scene.sandbox.store().version(), before);
    let path = format!("{ENDPOINTS}/a");
    let stored = scene.endpoints("a", json!({"n": "1"})).await;
    let changed =
        scene.merge(&format!("{path}?dryRun=All"), json!({"metadata": {"labels": {"n": "2"}}})).await.ok();
    assert_eq!((&changed["metadata"]["labels"]["n"], version(&changed)), (&json!("2"), stored));
    scene.delete(&format!("{path}?dryRun=All"), Value::Null).await.ok();
    scene.delete(&path, json!({"dryRun": ["All"]})).await.ok();
    assert_eq!(scene.get(&path).await.ok()["metadata"]["labels"]["n"], "1");
    scene.post(&format!("{ENDPOINTS}?dryRun=x"), body).await.refused(
        422,
        "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"x\"]: supported values: \"All\"",
    );
}

#[tokio::test]
async fn unknown_fields_are_refused_or_warned_of_or_passed_over() {
    let scene = Scene::start().await;
    let body = r#"{"metadata": {"name": "a", "foo": 1}, "bar": 2}"#;
    let path = |validation: &str| format!("{ENDPOINTS}?fieldValidation={validation}");
    scene.ask("POST", &path("Strict"), body).await.refused(
        400,
        "Endpoints in version \"v1\" cannot be handled as a Endpoints: strict decoding error: unknown field \
         \"metadata.foo\", unknown field \"bar\"",
    );
    let warned = scene.ask("POST", &path("Warn"), body).await;
    assert_eq!(warned.code, 201);
    assert_eq!(
        warned.headers("warning"),
        [
            "299 - \"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\"",
            "299 - \"unknown field \\\"metadata.foo\\\"\"",
            "299 - \"unknown field \\\"bar\\\"\"",
        ]
    );
    assert_eq!(warned.json().get("bar"), None);
    let ignored = scene.ask("PUT", &format!("{ENDPOINTS}/a?fieldValidation=Ignore"), body).await;
    assert_eq!((ignored.code, ignored.headers("warning").len()), (200, 1));
    scene.ask("POST", &path("Nope"), body).await.refused(
        422,
        "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Nope\": supported values: \
         \"\", \"Ignore\", \"Strict\", \"Warn\"",
    );
    let merged = scene.merge(&format!("{ENDPOINTS}/a?fieldValidation=Strict"), json!({"foo": "x"})).await;
    assert_eq!(merged.code, 422);
    let message = merged.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with(" \"\" is invalid: patch: Invalid value: "), "{message}");
    assert!(message.ends_with("strict decoding error: unknown field \"foo\""), "{message}");
}

#[tokio::test]
async fn fields_of_a_wrong_type_are_refused() {
    let scene = Scene::start().await;
    scene.post(SERVICES, json!({"metadata": {"name": "a"}, "spec": {"ports": "x"}})).await.refused(
        400,
        "Service in version \"v1\" cannot be handled as a Service: json: cannot unmarshal string into Go struct field \
         ServiceSpec.spec.ports of type []v1.ServicePort",
    );
}

#[tokio::test]
async fn patches_come_in_three_forms() {
    let scene = Scene::start().await;
    let path = format!("{ENDPOINTS}/a");
    scene.endpoints("a", json!({"n": "1", "m": "1"})).await;
    let patch = async |media: &str, body: Value| {
        let answer = scene.try_ask("PATCH", &path, &[("content-type", media)], &body.to_string()).await;
        answer.expect("an answer")
    };
    let labels = |answer: &Value| answer["metadata"]["labels"].clone();
    let merged =
        patch("application/merge-patch+json", json!({"metadata": {"labels": {"m": null}}})).await.ok();
    assert_eq!(labels(&merged), json!({"n": "1"}));
    let operations = json!([{"op": "add", "path": "/metadata/labels/k", "value": "2"}]);
    let patched = patch("application/json-patch+json", operations).await.ok();
    assert_eq!(labels(&patched), json!({"n": "1", "k": "2"}));
    let strategic = patch(
        "application/strategic-merge-patch+json; charset=utf-8",
        json!({"metadata": {"labels": {"$patch": "replace", "z": "3"}}}),
    );
    assert_eq!(labels(&strategic.await.ok()), json!({"z": "3"}));
    for media in ["application/foo", "application/json", "application/apply-patch+cbor"] {
        patch(media, json!({})).await.refused(415, "415: Unsupported Media Type");
    }
    let apply = patch("application/apply-patch+yaml", json!({})).await;
    assert_eq!(apply.code, 415);
    assert!(apply.body.contains("server-side apply is not supported by the sandbox"), "{}", apply.body);
    scene.merge(&format!("{ENDPOINTS}/none"), json!({})).await.refused(404, "endpoints \"none\" not found");
    scene.merge(&format!("{path}?force=true"), json!({})).await.refused(
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
    );
}

#[tokio::test]
async fn a_patch_changes_neither_name_nor_type_nor_version() {
    let scene = Scene::start().await;
    let path = format!("{ENDPOINTS}/a");
    scene.endpoints("a", json!({})).await;
    scene
        .merge(&path, json!({"metadata": {"name": "b"}}))
        .await
        .refused(400, "the name of the object (b) does not match the name on the URL (a)");
    let conflict = scene.merge(&path, json!({"metadata": {"resourceVersion": "1"}})).await;
    assert_eq!((conflict.code, &conflict.json()["reason"]), (409, &json!("Conflict")));
    let other = scene.merge(&path, json!({"kind": "Pod"})).await;
    assert_eq!(other.code, 422);
    let message = other.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.ends_with("converting (v1.Pod) to (core.Endpoints): unknown conversion"), "{message}");
    scene
        .merge(&path, json!({"metadata": {"uid": "x"}}))
        .await
        .refused(422, "Endpoints \"a\" is invalid: metadata.uid: Invalid value: \"x\": field is immutable");
}

#[tokio::test]
async fn generations_count_changes_of_what_is_wanted() {
    let scene = Scene::start().await;
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    let body = json!({"metadata": {"name": "d", "generation": 7}, "spec": spec});
    let made = scene.post(DEPLOYMENTS, body).await.ok();
    assert_eq!(made["metadata"]["generation"], 1);
    let path = format!("{DEPLOYMENTS}/d");
    let labelled = scene.merge(&path, json!({"metadata": {"labels": {"x": "y"}}})).await.ok();
    assert_eq!(labelled["metadata"]["generation"], 1);
    let scaled = scene.merge(&path, json!({"spec": {"replicas": 2}})).await.ok();
    assert_eq!(scaled["metadata"]["generation"], 2);
    let status =
        scene.merge(&format!("{path}/status"), json!({"status": {"observedGeneration": 2}})).await.ok();
    assert_eq!(
        (&status["metadata"]["generation"], &status["status"]["observedGeneration"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(scene.get(&format!("{path}/status")).await.ok(), status);
    assert_eq!(scene.get(PODS).await.ok()["items"], json!([]), "nobody here makes Pods");
}

#[tokio::test]
async fn what_lies_in_no_namespace_drops_the_one_it_names() {
    let scene = Scene::start().await;
    let node = scene.post("/api/v1/nodes", json!({"metadata": {"name": "n", "namespace": "x"}})).await.ok();
    assert_eq!(node["metadata"].get("namespace"), None);
    let body = json!({"metadata": {"name": "n", "namespace": "y", "labels": {"a": "b"}}});
    let node = scene.put("/api/v1/nodes/n", body).await.ok();
    assert_eq!((node["metadata"].get("namespace"), &node["metadata"]["labels"]["a"]), (None, &json!("b")));
}

#[tokio::test]
async fn a_name_that_is_taken_says_by_whom() {
    let scene = Scene::start().await;
    let body = json!({"metadata": {"name": "a", "generateName": "a", "finalizers": ["example.com/held"]}});
    scene.post(ENDPOINTS, body.clone()).await.ok();
    let answer = scene.post(ENDPOINTS, body).await;
    answer.refused(
        409,
        "endpoints \"a\" already exists, the server was not able to generate a unique name for the object",
    );
    assert_eq!(answer.json()["details"]["retryAfterSeconds"], 1);
    scene.delete(&format!("{ENDPOINTS}/a"), Value::Null).await.ok();
    let plain = json!({"metadata": {"name": "a"}});
    scene
        .post(ENDPOINTS, plain)
        .await
        .refused(409, "object is being deleted: endpoints \"a\" already exists");
}

#[tokio::test]
async fn a_refusal_of_the_second_view_names_its_group() {
    let scene = Scene::start().await;
    let answer = scene.get("/apis/events.k8s.io/v1/namespaces/default/events/none").await;
    answer.refused(404, "events.events.k8s.io \"none\" not found");
    assert_eq!(answer.json()["details"]["group"], "events.k8s.io");
}
