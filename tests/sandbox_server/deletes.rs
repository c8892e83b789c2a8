//! Deletes: what is answered, what is left, and what watches see of it.

use serde_json::{Value, json};

use crate::http::{DEPLOYMENTS, ENDPOINTS, PODS, SERVICES, Scene, names, summary, version};

async fn pod(scene: &Scene, name: &str, node: bool) -> u64 {
    let spec = json!({"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 30});
    scene.post(PODS, json!({"metadata": {"name": name}, "spec": spec})).await.ok();
    if node {
        let binding = json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": "n1"}});
        scene.post(&format!("{PODS}/{name}/binding"), binding).await.ok();
    }
    scene.sandbox.store().version()
}

#[tokio::test]
async fn what_a_delete_answers_depends_on_the_kind() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    let uid = scene.get(&format!("{ENDPOINTS}/a")).await.ok()["metadata"]["uid"].clone();
    let gone = scene.delete(&format!("{ENDPOINTS}/a"), Value::Null).await.ok();
    assert_eq!(
        gone,
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": "a", "kind": "endpoints", "uid": uid},
        })
    );
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template});
    scene.post(DEPLOYMENTS, json!({"metadata": {"name": "d"}, "spec": spec})).await.ok();
    let gone = scene.delete(&format!("{DEPLOYMENTS}/d"), Value::Null).await.ok();
    assert_eq!(
        (&gone["details"]["group"], &gone["details"]["kind"]),
        (&json!("apps"), &json!("deployments"))
    );
    scene.post(SERVICES, json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}})).await.ok();
    let gone = scene.delete(&format!("{SERVICES}/s"), Value::Null).await.ok();
    assert_eq!((&gone["kind"], version(&gone)), (&json!("Service"), scene.sandbox.store().version()));
    scene.delete(&format!("{ENDPOINTS}/a"), Value::Null).await.refused(404, "endpoints \"a\" not found");
}

#[tokio::test]
async fn the_endpoints_of_a_deleted_service_go_with_it() {
    let scene = Scene::start().await;
    scene.post(SERVICES, json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}})).await.ok();
    scene.endpoints("s", json!({})).await;
    scene.endpoints("other", json!({})).await;
    scene.delete(&format!("{SERVICES}/s"), Value::Null).await.ok();
    assert_eq!(names(&scene.get(ENDPOINTS).await.ok()), ["other"]);
}

#[tokio::test]
async fn a_pod_on_a_node_has_its_grace() {
    let scene = Scene::start().await;
    let path = format!("{PODS}/p");
    let before = pod(&scene, "p", true).await;
    let mut watch = scene.watch(PODS, &format!("resourceVersion={before}")).await;
    let going = scene.delete(&path, Value::Null).await.ok();
    assert_eq!(going["kind"], "Pod");
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 30);
    assert_eq!(going["metadata"]["generation"], 2);
    let end = |object: &Value| {
        let text = object["metadata"]["deletionTimestamp"].as_str().expect("a time").to_owned();
        text.parse::<jiff::Timestamp>().expect("a time").as_second()
    };
    let first = end(&going);
    let again = scene.delete(&path, Value::Null).await.ok();
    assert_eq!(version(&again), version(&going), "a second delete changes nothing");
    let longer = scene.delete(&format!("{path}?gracePeriodSeconds=60"), Value::Null).await.ok();
    assert_eq!(version(&longer), version(&going), "and cannot make it longer");
    let shorter = scene.delete(&format!("{path}?gracePeriodSeconds=5"), Value::Null).await.ok();
    assert_eq!((first - end(&shorter), &shorter["metadata"]["deletionGracePeriodSeconds"]), (25, &json!(5)));
    let negative = scene.delete(&path, json!({"gracePeriodSeconds": -1})).await.ok();
    assert_eq!(negative["metadata"]["deletionGracePeriodSeconds"], 1);
    let gone = scene.delete(&path, json!({"gracePeriodSeconds": 0})).await.ok();
    assert_eq!(gone["metadata"]["deletionGracePeriodSeconds"], 0);
    scene.get(&path).await.refused(404, "pods \"p\" not found");
    let events = watch.events(5).await;
    let all = ["MODIFIED p", "MODIFIED p", "MODIFIED p", "MODIFIED p", "DELETED p"];
    assert_eq!(summary(&events), all);
    assert_eq!(version(&events[4]["object"]), version(&gone));
}

#[tokio::test]
async fn a_pod_without_a_node_or_that_has_finished_goes_at_once() {
    let scene = Scene::start().await;
    let before = pod(&scene, "unscheduled", false).await;
    let mut watch = scene.watch(PODS, &format!("resourceVersion={before}")).await;
    scene.delete(&format!("{PODS}/unscheduled"), json!({"gracePeriodSeconds": 30})).await.ok();
    assert_eq!(summary(&watch.events(2).await), ["MODIFIED unscheduled", "DELETED unscheduled"]);
    for phase in ["Succeeded", "Failed"] {
        pod(&scene, "finished", true).await;
        let path = format!("{PODS}/finished");
        scene.merge(&format!("{path}/status"), json!({"status": {"phase": phase}})).await.ok();
        scene.delete(&path, Value::Null).await.ok();
        assert_eq!(scene.get(&path).await.code, 404, "{phase}");
    }
}

#[tokio::test]
async fn a_pod_with_finalizers_waits_for_both() {
    let scene = Scene::start().await;
    let path = format!("{PODS}/p");
    pod(&scene, "p", true).await;
    scene.merge(&path, json!({"metadata": {"finalizers": ["example.com/a"]}})).await.ok();
    scene.delete(&path, Value::Null).await.ok();
    let held = scene.delete(&path, json!({"gracePeriodSeconds": 0})).await.ok();
    assert_eq!(held["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(scene.get(&path).await.code, 200);
    scene.merge(&path, json!({"metadata": {"finalizers": null}})).await.ok();
    assert_eq!(scene.get(&path).await.code, 404);
}

#[tokio::test]
async fn preconditions_hold_or_nothing_is_deleted() {
    let scene = Scene::start().await;
    let path = format!("{ENDPOINTS}/a");
    let stored = scene.endpoints("a", json!({})).await;
    let uid = scene.get(&path).await.ok()["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let answer = scene.delete(&path, json!({"preconditions": {"uid": "x"}})).await;
    answer.refused(
        409,
        &format!(
            "Operation cannot be fulfilled on Endpoints \"a\": the UID in the precondition (x) does not match the UID \
             in record ({uid}). The object might have been deleted and then recreated"
        ),
    );
    assert_eq!(answer.json()["details"], json!({"name": "a", "kind": "Endpoints"}));
    scene.delete(&path, json!({"preconditions": {"resourceVersion": "1"}})).await.refused(
        409,
        &format!(
            "Operation cannot be fulfilled on Endpoints \"a\": the ResourceVersion in the precondition (1) does not \
             match the ResourceVersion in record ({stored}). The object might have been modified"
        ),
    );
    let both = json!({"uid": uid, "resourceVersion": stored.to_string()});
    scene.delete(&path, json!({"preconditions": both})).await.ok();
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_one_is_removed() {
    let scene = Scene::start().await;
    let path = format!("{ENDPOINTS}/a");
    scene.endpoints("a", json!({})).await;
    scene.merge(&path, json!({"metadata": {"finalizers": ["example.com/a", "example.com/b"]}})).await.ok();
    let going = scene.delete(&path, Value::Null).await.ok();
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 0);
    let again = scene.delete(&path, Value::Null).await.ok();
    assert_eq!(version(&again), version(&going));
    let added =
        scene.merge(&path, json!({"metadata": {"finalizers": ["example.com/a", "example.com/c"]}})).await;
    added.refused(
        422,
        "Endpoints \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is \
         being deleted, found new finalizers []string{\"example.com/c\"}",
    );
    let one = scene.merge(&path, json!({"metadata": {"finalizers": ["example.com/b"]}})).await.ok();
    assert_eq!(one["metadata"]["finalizers"], json!(["example.com/b"]));
    let mut watch = scene.watch(ENDPOINTS, &format!("resourceVersion={}", version(&one))).await;
    let last = scene.merge(&path, json!({"metadata": {"finalizers": []}})).await.ok();
    assert_eq!(version(&last), version(&one), "the last change is not stored");
    let events = watch.events(1).await;
    assert_eq!(summary(&events), ["DELETED a"]);
    assert_eq!(events[0]["object"]["metadata"]["finalizers"], json!(["example.com/b"]));
    assert!(version(&events[0]["object"]) > version(&one));
}

#[tokio::test]
async fn the_options_of_a_delete_are_checked() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    let path = format!("{ENDPOINTS}/a");
    scene.delete(&path, json!({"propagationPolicy": "Foo"})).await.refused(
        422,
        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Foo\": supported values: \
         \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
    );
    scene.delete(&path, json!({"propagationPolicy": "Orphan", "orphanDependents": true})).await.refused(
        422,
        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"Orphan\": orphanDependents and \
         deletionPropagation cannot be both set",
    );
    scene.delete(&path, json!({"kind": "Foo", "apiVersion": "v1"})).await.refused(
        400,
        "no kind \"Foo\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:111\"",
    );
    scene.ask("DELETE", &path, "xx").await.refused(
        400,
        "couldn't get version/kind; json parse error: invalid character 'x' looking for beginning of value",
    );
    assert_eq!(scene.get(&path).await.code, 200);
}

#[tokio::test]
async fn a_collection_is_deleted_as_far_as_it_is_selected() {
    let scene = Scene::start().await;
    for (name, app) in [("a", "web"), ("b", "web"), ("c", "db")] {
        scene.endpoints(name, json!({"app": app})).await;
    }
    scene
        .post(
            "/api/v1/namespaces/kube-system/endpoints",
            json!({"metadata": {"name": "d", "labels": {"app": "web"}}}),
        )
        .await
        .ok();
    let answer = scene.delete(&format!("{ENDPOINTS}?labelSelector=app%3Dweb"), Value::Null).await.ok();
    assert_eq!(
        (&answer["kind"], names(&answer)),
        (&json!("EndpointsList"), vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(names(&scene.get("/api/v1/endpoints").await.ok()), ["c", "d"]);
    let dry = scene.delete(&format!("{ENDPOINTS}?dryRun=All"), Value::Null).await.ok();
    assert_eq!(
        (names(&dry), names(&scene.get(ENDPOINTS).await.ok())),
        (vec!["c".to_owned()], vec!["c".to_owned()])
    );
}
