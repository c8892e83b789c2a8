//! scale, binding, finalize, and the second view of Events.

use serde_json::{Value, json};

use crate::http::{DEPLOYMENTS, PODS, Scene, summary, version};

async fn deployment(scene: &Scene) -> Value {
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    scene.post(DEPLOYMENTS, json!({"metadata": {"name": "d"}, "spec": spec})).await.ok()
}

#[tokio::test]
async fn a_scale_says_and_sets_the_replicas() {
    let scene = Scene::start().await;
    let made = deployment(&scene).await;
    let path = format!("{DEPLOYMENTS}/d/scale");
    let scale = scene.get(&path).await.ok();
    let metadata = &made["metadata"];
    assert_eq!(
        scale,
        json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1",
            "metadata": {
                "name": "d", "namespace": "default", "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
                "creationTimestamp": metadata["creationTimestamp"],
            },
            "spec": {"replicas": 1}, "status": {"replicas": 0, "selector": "a=b"},
        })
    );
    let body = |replicas: i64| json!({"metadata": {"name": "d", "namespace": "default"}, "spec": {"replicas": replicas}});
    assert_eq!(scene.put(&path, body(3)).await.ok()["spec"]["replicas"], 3);
    let stored = scene.get(&format!("{DEPLOYMENTS}/d")).await.ok();
    assert_eq!((&stored["spec"]["replicas"], &stored["metadata"]["generation"]), (&json!(3), &json!(2)));
    assert_eq!(scene.merge(&path, json!({"spec": {"replicas": 4}})).await.ok()["spec"]["replicas"], 4);
    assert_eq!(scene.put(&path, body(0)).await.ok()["spec"], json!({}));
    scene.put(&path, body(-3)).await.refused(
        422,
        "Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -3: must be greater than or equal to 0",
    );
    let mut stale = body(5);
    stale["metadata"]["resourceVersion"] = "1".into();
    scene.put(&path, stale).await.refused(
        409,
        "Operation cannot be fulfilled on deployments.apps \"d\": the object has been modified; please apply your \
         changes to the latest version and try again",
    );
    scene.get(&format!("{DEPLOYMENTS}/none/scale")).await.refused(404, "deployments.apps \"none\" not found");
}

#[tokio::test]
async fn a_binding_gives_a_pod_its_node_once() {
    let scene = Scene::start().await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    scene.post(PODS, pod).await.ok();
    let path = format!("{PODS}/p/binding");
    let binding = |name: &str, target: Value| json!({"metadata": {"name": name}, "target": target});
    scene
        .post(&path, binding("q", json!({"name": "n1"})))
        .await
        .refused(400, "name in URL does not match name in Binding object");
    scene.post(&path, binding("p", json!({}))).await.refused(500, "target.name: Required value");
    scene
        .post(&path, binding("p", json!({"kind": "Foo", "name": "n1"})))
        .await
        .refused(500, "target.kind: Unsupported value: \"Foo\": supported values: \"Node\", \"<empty>\"");
    let bound = scene.post(&path, binding("p", json!({"kind": "Node", "name": "n1"}))).await;
    let success =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    assert_eq!((bound.code, bound.json()), (201, success));
    let pod = scene.get(&format!("{PODS}/p")).await.ok();
    assert_eq!(pod["spec"]["nodeName"], "n1");
    let condition = &pod["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["status"]), (&json!("PodScheduled"), &json!("True")));
    let again = scene.post(&path, binding("p", json!({"name": "n2"}))).await;
    again.refused(
        409,
        "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\"",
    );
    assert_eq!(again.json()["details"], json!({"name": "p", "kind": "pods/binding"}));
}

#[tokio::test]
async fn events_are_seen_in_two_ways() {
    let scene = Scene::start().await;
    let (core, second) =
        ("/api/v1/namespaces/default/events", "/apis/events.k8s.io/v1/namespaces/default/events");
    let time = "2026-11-27T11:23:45Z";
    let event = json!({
        "metadata": {"name": "one"}, "reason": "r", "message": "m", "type": "Normal", "count": 3,
        "firstTimestamp": time, "lastTimestamp": time, "source": {"component": "c", "host": "h"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
    });
    let made = scene.post(core, event).await.ok();
    let shown = scene.get(&format!("{second}/one")).await.ok();
    assert_eq!(shown["apiVersion"], "events.k8s.io/v1");
    assert_eq!((&shown["note"], &shown["deprecatedCount"]), (&json!("m"), &json!(3)));
    assert_eq!(shown["regarding"], made["involvedObject"]);
    assert_eq!(shown["deprecatedSource"], json!({"component": "c", "host": "h"}));
    assert_eq!(shown["deprecatedFirstTimestamp"], time);
    assert_eq!((shown.get("message"), shown.get("count")), (None, None));
    let mut watch = scene.watch(second, &format!("resourceVersion={}", version(&made))).await;
    let event = json!({
        "metadata": {"name": "two"}, "eventTime": "2026-11-27T11:23:45.000000Z", "reason": "r", "action": "a",
        "type": "Normal", "note": "n", "reportingController": "c", "reportingInstance": "i",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
    });
    let made = scene.post(second, event).await;
    assert_eq!((made.code, &made.json()["apiVersion"]), (201, &json!("events.k8s.io/v1")));
    let stored = scene.get(&format!("{core}/two")).await.ok();
    assert_eq!((&stored["apiVersion"], &stored["kind"]), (&json!("v1"), &json!("Event")));
    assert_eq!((&stored["message"], &stored["reportingComponent"]), (&json!("n"), &json!("c")));
    assert_eq!(stored["involvedObject"]["name"], "p");
    let events = watch.events(1).await;
    assert_eq!(summary(&events), ["ADDED two"]);
    assert_eq!(events[0]["object"]["note"], "n");
    let list = scene.get(second).await.ok();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("EventList"), &json!("events.k8s.io/v1")));
    assert_eq!(list["items"][0]["note"], "m");
    let refused = scene.merge(&format!("{second}/two"), json!({"note": "changed"})).await;
    assert_eq!(refused.code, 422, "what an Event of this kind says is immutable");
    let series = json!({"count": 2, "lastObservedTime": "2026-11-27T11:23:46.000000Z"});
    let patched = scene.merge(&format!("{second}/two"), json!({"series": series})).await.ok();
    assert_eq!((&patched["note"], &patched["series"]["count"]), (&json!("n"), &json!(2)));
    assert_eq!(scene.get(&format!("{core}/two")).await.ok()["series"], series);
    let gone = scene.delete(&format!("{second}/two"), Value::Null).await.ok();
    assert_eq!(gone["details"]["group"], "events.k8s.io");
}
