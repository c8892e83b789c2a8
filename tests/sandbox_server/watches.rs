//! Watches.

use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{ENDPOINTS, Scene, summary, version};

const INITIAL: &str = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

#[tokio::test]
async fn a_watch_from_a_version_shows_every_change_after_it_in_order() {
    let scene = Scene::start().await;
    let first = scene.endpoints("a", json!({})).await;
    let path = format!("{ENDPOINTS}/b");
    let mut watch = scene.watch(ENDPOINTS, &format!("resourceVersion={first}")).await;
    scene.endpoints("b", json!({"n": "1"})).await;
    scene.merge(&path, json!({"metadata": {"labels": {"n": "2"}}})).await.ok();
    let last = version(&scene.get(&path).await.ok());
    scene.delete(&path, Value::Null).await.ok();
    let events = watch.events(3).await;
    assert_eq!(summary(&events), ["ADDED b", "MODIFIED b", "DELETED b"]);
    let labels: Vec<&Value> =
        events.iter().map(|event| &event["object"]["metadata"]["labels"]["n"]).collect();
    assert_eq!(labels, ["1", "2", "2"]);
    assert_eq!(version(&events[2]["object"]), last + 1, "a deletion has a version of its own");
    assert_eq!(events[0]["object"]["kind"], "Endpoints");
}

#[tokio::test]
async fn the_type_stands_before_the_object() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    let whole = scene.get(&format!("{ENDPOINTS}?watch=1&timeoutSeconds=1")).await;
    let start = "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",";
    assert!(whole.body.starts_with(start), "{}", whole.body);
    assert!(whole.body.ends_with("}}\n"));
}

#[tokio::test]
async fn without_a_version_or_at_zero_a_watch_begins_with_what_stands() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    scene.endpoints("b", json!({})).await;
    for query in ["", "resourceVersion=0"] {
        let mut watch = scene.watch(ENDPOINTS, query).await;
        assert_eq!(summary(&watch.events(2).await), ["ADDED a", "ADDED b"]);
    }
    let mut watch = scene.watch(ENDPOINTS, "allowWatchBookmarks=true").await;
    let events = watch.events(2).await;
    assert_eq!(summary(&events), ["ADDED a", "ADDED b"]);
    let end = watch.events(1).await;
    assert_eq!(end[0]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn a_streaming_list_ends_with_a_bookmark_and_goes_on() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    let asked = scene.endpoints("b", json!({})).await;
    let mut watch = scene.watch(ENDPOINTS, &format!("{INITIAL}&resourceVersion={asked}")).await;
    let current = scene.sandbox.store().version();
    assert_eq!(summary(&watch.events(2).await), ["ADDED a", "ADDED b"]);
    assert_eq!(
        watch.events(1).await,
        [json!({
            "type": "BOOKMARK",
            "object": {
                "kind": "Endpoints", "apiVersion": "v1",
                "metadata": {
                    "resourceVersion": current.to_string(),
                    "annotations": {"k8s.io/initial-events-end": "true"},
                },
            },
        })]
    );
    scene.endpoints("c", json!({})).await;
    assert_eq!(summary(&watch.events(1).await), ["ADDED c"]);
}

#[tokio::test]
async fn without_initial_events_a_watch_begins_now() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    let query = "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = scene.watch(ENDPOINTS, query).await;
    scene.endpoints("b", json!({})).await;
    assert_eq!(summary(&watch.events(1).await), ["ADDED b"]);
}

#[tokio::test]
async fn a_version_that_is_not_reached_is_waited_for_or_refused() {
    let scene = Scene::start().await;
    let current = scene.sandbox.store().version();
    let (events, end) = scene.watch(ENDPOINTS, "resourceVersion=999&timeoutSeconds=1").await.rest().await;
    assert_eq!((events.len(), end.is_ok()), (0, true));
    let (events, _) = scene.watch(ENDPOINTS, &format!("{INITIAL}&resourceVersion=999")).await.rest().await;
    assert_eq!(events[0]["type"], "ERROR");
    let status = &events[0]["object"];
    assert_eq!(status["code"], 504);
    assert_eq!(status["message"], format!("Timeout: Too large resource version: 999, current: {current}"));
    let answer = scene.get(&format!("{ENDPOINTS}?watch=1&resourceVersion=abc")).await;
    answer.refused(
        500,
        "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
    );
}

#[tokio::test]
async fn a_version_that_is_forgotten_is_answered_with_one_error_and_the_end() {
    let scene = Scene::start().await;
    let first = scene.endpoints("a", json!({})).await;
    scene.endpoints("b", json!({})).await;
    scene.sandbox.forget_history();
    let (events, end) = scene.watch(ENDPOINTS, &format!("resourceVersion={first}")).await.rest().await;
    assert_eq!((events.len(), end.is_ok()), (1, true));
    let status = &events[0]["object"];
    assert_eq!((&events[0]["type"], &status["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(status["reason"], "Expired");
    let message = status["message"].as_str().unwrap_or_default();
    assert!(message.starts_with(&format!("too old resource version: {first} (")), "{message}");
}

#[tokio::test]
async fn an_open_watch_survives_that_history_is_forgotten() {
    let scene = Scene::start().await;
    let first = scene.endpoints("a", json!({})).await;
    let mut watch = scene.watch(ENDPOINTS, &format!("resourceVersion={first}")).await;
    scene.endpoints("b", json!({})).await;
    assert_eq!(summary(&watch.events(1).await), ["ADDED b"]);
    scene.sandbox.forget_history();
    scene.endpoints("c", json!({})).await;
    assert_eq!(summary(&watch.events(1).await), ["ADDED c"]);
}

#[tokio::test]
async fn what_leaves_a_selection_is_deleted_with_its_old_content_and_what_enters_is_added() {
    let scene = Scene::start().await;
    let first = scene.endpoints("a", json!({"app": "web", "n": "1"})).await;
    let path = format!("{ENDPOINTS}/a");
    let query = format!("resourceVersion={first}&labelSelector=app%3Dweb");
    let mut watch = scene.watch(ENDPOINTS, &query).await;
    scene.endpoints("other", json!({"app": "db"})).await;
    let left = scene.merge(&path, json!({"metadata": {"labels": {"app": "db", "n": "2"}}})).await.ok();
    scene.merge(&path, json!({"metadata": {"labels": {"n": "3"}}})).await.ok();
    scene.merge(&path, json!({"metadata": {"labels": {"app": "web"}}})).await.ok();
    scene.merge(&path, json!({"metadata": {"labels": {"n": "4"}}})).await.ok();
    let events = watch.events(3).await;
    assert_eq!(summary(&events), ["DELETED a", "ADDED a", "MODIFIED a"]);
    assert_eq!(events[0]["object"]["metadata"]["labels"], json!({"app": "web", "n": "1"}));
    assert_eq!(version(&events[0]["object"]), version(&left));
    assert_eq!(events[1]["object"]["metadata"]["labels"], json!({"app": "web", "n": "3"}));
}

#[tokio::test]
async fn a_watch_of_one_name_or_namespace_sees_nothing_else() {
    let scene = Scene::start().await;
    let first = scene.endpoints("a", json!({})).await;
    let mut by_field =
        scene.watch(ENDPOINTS, &format!("resourceVersion={first}&fieldSelector=metadata.name%3Dc")).await;
    let legacy = format!("/api/v1/watch/namespaces/default/endpoints/c?resourceVersion={first}");
    let mut by_path = scene.open("GET", &legacy, &[], "").await.expect("a watch");
    let mut everywhere = scene.watch("/api/v1/endpoints", &format!("resourceVersion={first}")).await;
    let mut here = scene.watch(ENDPOINTS, &format!("resourceVersion={first}")).await;
    scene.post("/api/v1/namespaces/kube-system/endpoints", json!({"metadata": {"name": "c"}})).await.ok();
    scene.endpoints("b", json!({})).await;
    scene.endpoints("c", json!({})).await;
    let namespace = |event: &Value| event["object"]["metadata"]["namespace"].clone();
    for watch in [&mut by_field, &mut by_path] {
        let events = watch.events(1).await;
        assert_eq!((summary(&events), namespace(&events[0])), (vec!["ADDED c".to_owned()], json!("default")));
    }
    assert_eq!(summary(&everywhere.events(3).await), ["ADDED c", "ADDED b", "ADDED c"]);
    assert_eq!(summary(&here.events(2).await), ["ADDED b", "ADDED c"]);
}

#[tokio::test]
async fn a_watch_ends_with_its_time_and_says_before_how_far_it_came() {
    let scene = Scene::start().await;
    let first = scene.endpoints("a", json!({})).await;
    let query = format!("resourceVersion={first}&timeoutSeconds=3&allowWatchBookmarks=true");
    let watch = scene.watch(ENDPOINTS, &query).await;
    let lease = json!({"metadata": {"name": "elsewhere"}, "spec": {}});
    scene.post(crate::http::LEASES, lease).await.ok();
    let current = scene.sandbox.store().version();
    let (events, end) = watch.rest().await;
    assert!(end.is_ok());
    assert_eq!(summary(&events), ["BOOKMARK"]);
    assert_eq!(version(&events[0]["object"]), current, "changes of other kinds count, too");
    let query = format!("resourceVersion={first}&timeoutSeconds=1");
    let (events, end) = scene.watch(ENDPOINTS, &query).await.rest().await;
    assert_eq!((events.len(), end.is_ok()), (0, true));
}

#[tokio::test]
async fn a_watch_of_tables_tells_the_columns_once() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    scene.endpoints("b", json!({})).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let path = format!("{ENDPOINTS}?watch=1&timeoutSeconds=1");
    let text = scene.accept(&path, accept).await.body;
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["object"]["kind"], "Table");
    assert!(events[0]["object"]["columnDefinitions"].is_array());
    assert_eq!(events[1]["object"]["columnDefinitions"], Value::Null);
    assert_eq!(events[1]["object"]["rows"][0]["cells"][0], "b");
}

#[tokio::test]
async fn many_changes_and_objects_arrive_all() {
    let scene = Scene::start().await;
    let store = scene.sandbox.store();
    for number in 0..700 {
        let body = json!({"metadata": {"name": format!("e{number:03}"), "labels": {"half": (number % 2).to_string()}}});
        store
            .create(endpointslice_controller::sandbox::Kind::Endpoints, "default", body, false)
            .expect("stored");
    }
    let mut watch = scene.watch(ENDPOINTS, "labelSelector=half%3D1").await;
    assert_eq!(watch.events(350).await.len(), 350);
    let from = version(&scene.get(&format!("{ENDPOINTS}/e000")).await.ok());
    let mut watch = scene.watch(ENDPOINTS, &format!("resourceVersion={from}&labelSelector=half%3D0")).await;
    let events = watch.events(349).await;
    assert_eq!(events[348]["object"]["metadata"]["name"], "e698");
    assert!(watch.silent(Duration::from_millis(50)).await);
}
