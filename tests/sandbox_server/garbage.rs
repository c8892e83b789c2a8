//! Garbage collection by owner references, and Namespaces that end.

use endpointslice_controller::sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::http::{ENDPOINTS, SERVICES, Scene, loopback, names};
use crate::support::wait::{SOON, eventually};

/// Endpoints that own or are owned: no other rule touches them.
async fn owned(scene: &Scene, name: &str, owners: &[(&str, &str, bool)]) -> String {
    let owners: Vec<Value> = owners
        .iter()
        .map(|(name, uid, blocks)| {
            json!({"apiVersion": "v1", "kind": "Endpoints", "name": name, "uid": uid, "blockOwnerDeletion": blocks})
        })
        .collect();
    let body = json!({"metadata": {"name": name, "ownerReferences": owners}});
    let made = scene.post(ENDPOINTS, body).await.ok();
    made["metadata"]["uid"].as_str().expect("a uid").to_owned()
}

async fn left(scene: &Scene, expected: &[&str]) {
    eventually("what is left", SOON, || async {
        let found = names(&scene.get(ENDPOINTS).await.ok());
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test]
async fn dependents_follow_their_owner_and_theirs_follow_them() {
    let scene = Scene::start().await;
    let owner = owned(&scene, "owner", &[]).await;
    let child = owned(&scene, "child", &[("owner", &owner, false)]).await;
    owned(&scene, "grandchild", &[("child", &child, true)]).await;
    owned(&scene, "stranger", &[]).await;
    left(&scene, &["child", "grandchild", "owner", "stranger"]).await;
    scene.delete(&format!("{ENDPOINTS}/owner"), Value::Null).await.ok();
    left(&scene, &["stranger"]).await;
}

#[tokio::test]
async fn an_owner_is_known_by_its_uid() {
    let scene = Scene::start().await;
    let owner = owned(&scene, "owner", &[]).await;
    owned(&scene, "dead", &[("owner", "11111111-1111-1111-1111-111111111111", false)]).await;
    owned(&scene, "other-name", &[("nobody", &owner, false)]).await;
    owned(&scene, "alive", &[("owner", &owner, false)]).await;
    left(&scene, &["alive", "owner"]).await;
}

#[tokio::test]
async fn an_owner_in_another_namespace_is_none() {
    let scene = Scene::start().await;
    let owner = owned(&scene, "owner", &[]).await;
    let reference = json!({"apiVersion": "v1", "kind": "Endpoints", "name": "owner", "uid": owner});
    let body = json!({"metadata": {"name": "far", "ownerReferences": [reference]}});
    scene.post("/api/v1/namespaces/kube-system/endpoints", body).await.ok();
    eventually("the far dependent is removed", SOON, || async {
        let answer = scene.get("/api/v1/namespaces/kube-system/endpoints/far").await;
        if answer.code == 404 { Ok(()) } else { Err(answer.body) }
    })
    .await;
}

#[tokio::test]
async fn an_owner_of_an_unknown_kind_is_left_alone() {
    let scene = Scene::start().await;
    let reference = json!({"apiVersion": "example.com/v1", "kind": "Thing", "name": "x", "uid": "u"});
    scene.post(ENDPOINTS, json!({"metadata": {"name": "a", "ownerReferences": [reference]}})).await.ok();
    owned(&scene, "dead", &[("nobody", "22222222-2222-2222-2222-222222222222", false)]).await;
    left(&scene, &["a"]).await;
}

#[tokio::test]
async fn one_owner_that_stays_keeps_a_dependent() {
    let scene = Scene::start().await;
    let one = owned(&scene, "one", &[]).await;
    let two = owned(&scene, "two", &[]).await;
    owned(&scene, "child", &[("one", &one, false), ("two", &two, false)]).await;
    scene.delete(&format!("{ENDPOINTS}/one"), Value::Null).await.ok();
    eventually("the lost owner is forgotten", SOON, || async {
        let child = scene.get(&format!("{ENDPOINTS}/child")).await.ok();
        let owners = child["metadata"]["ownerReferences"].clone();
        if owners.as_array().map(Vec::len) == Some(1) { Ok(()) } else { Err(owners.to_string()) }
    })
    .await;
    let child = scene.get(&format!("{ENDPOINTS}/child")).await.ok();
    assert_eq!(child["metadata"]["ownerReferences"][0]["uid"], two);
    scene.delete(&format!("{ENDPOINTS}/two"), Value::Null).await.ok();
    left(&scene, &[]).await;
}

#[tokio::test]
async fn orphans_lose_their_owner_and_stay() {
    let scene = Scene::start().await;
    let owner = owned(&scene, "owner", &[]).await;
    owned(&scene, "child", &[("owner", &owner, true)]).await;
    let going =
        scene.delete(&format!("{ENDPOINTS}/owner"), json!({"propagationPolicy": "Orphan"})).await.ok();
    assert_eq!(going["metadata"]["finalizers"], json!(["orphan"]));
    left(&scene, &["child"]).await;
    let child = scene.get(&format!("{ENDPOINTS}/child")).await.ok();
    assert_eq!(child["metadata"].get("ownerReferences"), None);
}

#[tokio::test]
async fn an_owner_deleted_in_the_foreground_waits_for_those_that_block_it() {
    let scene = Scene::start().await;
    let owner = owned(&scene, "owner", &[]).await;
    let child = owned(&scene, "child", &[("owner", &owner, true)]).await;
    owned(&scene, "grandchild", &[("child", &child, true)]).await;
    owned(&scene, "free", &[("owner", &owner, false)]).await;
    let hold = |list: Value| json!({"metadata": {"finalizers": list}});
    scene.merge(&format!("{ENDPOINTS}/grandchild"), hold(json!(["example.com/held"]))).await.ok();
    let going =
        scene.delete(&format!("{ENDPOINTS}/owner"), json!({"propagationPolicy": "Foreground"})).await.ok();
    assert_eq!(going["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    left(&scene, &["child", "grandchild", "owner"]).await;
    eventually("all are going", SOON, || async {
        let list = scene.get(ENDPOINTS).await.ok();
        let going = |item: &Value| item["metadata"]["deletionTimestamp"].is_string();
        if list["items"].as_array().expect("items").iter().all(going) {
            Ok(())
        } else {
            Err(list.to_string())
        }
    })
    .await;
    scene.merge(&format!("{ENDPOINTS}/grandchild"), hold(Value::Null)).await.ok();
    left(&scene, &[]).await;
}

#[tokio::test]
async fn a_deleted_namespace_takes_nothing_new_and_goes_when_it_is_empty() {
    let scene = Scene::start().await;
    scene.post("/api/v1/namespaces", json!({"metadata": {"name": "ns1"}})).await.ok();
    let path = "/api/v1/namespaces/ns1/endpoints";
    let held = json!({"metadata": {"name": "x", "finalizers": ["example.com/held"]}});
    scene.post(path, held).await.ok();
    scene
        .post(
            "/api/v1/namespaces/ns1/services",
            json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}}),
        )
        .await
        .ok();
    let going = scene.delete("/api/v1/namespaces/ns1", Value::Null).await.ok();
    assert_eq!((&going["kind"], &going["status"]["phase"]), (&json!("Namespace"), &json!("Terminating")));
    let answer = scene.post(path, json!({"metadata": {"name": "y"}})).await;
    answer.refused(
        403,
        "endpoints \"y\" is forbidden: unable to create new content in namespace ns1 because it is being terminated",
    );
    assert_eq!(
        answer.json()["details"]["causes"],
        json!([{
            "reason": "NamespaceTerminating", "message": "namespace ns1 is being terminated",
            "field": "metadata.namespace",
        }])
    );
    eventually("the Service is removed", SOON, || async {
        let answer = scene.get("/api/v1/namespaces/ns1/services/s").await;
        if answer.code == 404 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    assert_eq!(scene.get("/api/v1/namespaces/ns1").await.code, 200, "something is left");
    scene.merge(&format!("{path}/x"), json!({"metadata": {"finalizers": null}})).await.ok();
    eventually("the namespace is gone", SOON, || async {
        let answer = scene.get("/api/v1/namespaces/ns1").await;
        if answer.code == 404 { Ok(()) } else { Err(answer.body) }
    })
    .await;
}

#[tokio::test]
async fn the_namespaces_of_the_system_stay() {
    let scene = Scene::start().await;
    for name in ["default", "kube-system", "kube-public"] {
        scene
            .delete(&format!("/api/v1/namespaces/{name}"), Value::Null)
            .await
            .refused(403, &format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted"));
    }
    let service = scene.get(&format!("{SERVICES}/kubernetes")).await.ok();
    assert_eq!(service["spec"]["clusterIP"], "10.0.0.1");
}

#[tokio::test]
async fn a_namespace_waits_for_what_it_is_told_to() {
    let options = Options { garbage_collection: false };
    let scene = Scene { sandbox: Sandbox::start_with(loopback(), options).await.expect("start a sandbox") };
    let path = "/api/v1/namespaces/ns1";
    scene.post("/api/v1/namespaces", json!({"metadata": {"name": "ns1"}})).await.ok();
    let finalize = |list: Value| json!({"metadata": {"name": "ns1"}, "spec": {"finalizers": list}});
    let told = scene.put(&format!("{path}/finalize"), finalize(json!(["example.com/mine"]))).await.ok();
    assert_eq!(told["spec"]["finalizers"], json!(["example.com/mine"]));
    let first = scene.delete(path, Value::Null).await.ok();
    let second = scene.delete(path, Value::Null).await.ok();
    assert_eq!(first, second);
    let last = scene.put(&format!("{path}/finalize"), finalize(json!([]))).await.ok();
    assert_eq!(last["spec"], json!({}));
    assert_eq!(scene.get(path).await.code, 404);
}

#[tokio::test]
async fn without_garbage_collection_dependents_stay() {
    let options = Options { garbage_collection: false };
    let scene = Scene { sandbox: Sandbox::start_with(loopback(), options).await.expect("start a sandbox") };
    let owner = owned(&scene, "owner", &[]).await;
    owned(&scene, "child", &[("owner", &owner, true)]).await;
    let foreground = json!({"propagationPolicy": "Foreground"});
    scene.delete(&format!("{ENDPOINTS}/owner"), foreground).await.ok();
    assert_eq!(names(&scene.get(ENDPOINTS).await.ok()), ["child", "owner"]);
}
