//! Paths, methods, media types, and what is told of the server itself.

use serde_json::json;

use crate::http::{ENDPOINTS, PODS, Scene};

const NO_RESOURCE: &str = "the server could not find the requested resource";
const NO_METHOD: &str = "the server does not allow this method on the requested resource";

#[tokio::test]
async fn paths_that_are_not_served_are_answered_as_the_real_server_does() {
    let scene = Scene::start().await;
    for path in ["/nope", "/apis/nope.io/v1", "/apis/nope.io/v1/things"] {
        let answer = scene.get(path).await;
        assert_eq!((answer.code, answer.body.as_str()), (404, "404 page not found\n"), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    for path in [
        "/api/nope",
        "/api/v1/nope",
        "/apis/apps/v9",
        "/apis/apps/v9/deployments",
        "/api/v1/namespaces/default/nope/x",
        "/api/v1/namespaces/default/pods/x/nope",
        "/api/v1/namespaces/default/endpoints/x/status",
        "/api/v1/namespaces/default/nodes",
        "/api/v1/pods/x",
    ] {
        let answer = scene.get(path).await;
        answer.refused(404, NO_RESOURCE);
        assert_eq!(answer.json()["details"], json!({}), "{path}");
        assert_eq!(answer.json()["reason"], "NotFound");
    }
}

#[tokio::test]
async fn methods_that_a_path_does_not_take_are_refused() {
    let scene = Scene::start().await;
    for (method, path) in [
        ("POST", "/api/v1/namespaces/default/pods/x"),
        ("PUT", PODS),
        ("POST", "/api/v1/pods"),
        ("DELETE", "/api/v1/pods"),
        ("DELETE", "/api/v1/namespaces"),
        ("POST", "/version"),
        ("OPTIONS", "/api/v1/pods"),
        ("GET", "/api/v1/namespaces/default/pods/x/binding"),
        ("DELETE", "/api/v1/namespaces/default/pods/x/status"),
    ] {
        let answer = scene.ask(method, path, "").await;
        assert_eq!(answer.code, 405, "{method} {path}: {}", answer.body);
        answer.refused(405, NO_METHOD);
    }
}

#[tokio::test]
async fn media_types_that_nobody_speaks_are_refused() {
    let scene = Scene::start().await;
    assert_eq!(scene.accept("/api/v1/pods", "text/html").await.code, 406);
    assert_eq!(scene.accept("/api/v1/pods", "application/vnd.kubernetes.protobuf").await.code, 406);
    let both = "application/vnd.kubernetes.protobuf,application/json";
    assert_eq!(scene.accept("/api/v1/pods", both).await.ok()["kind"], "PodList");
    let headers = [("content-type", "text/plain")];
    let answer = scene.try_ask("POST", ENDPOINTS, &headers, "a: b").await.expect("an answer");
    assert_eq!((answer.code, &answer.json()["reason"]), (415, &json!("UnsupportedMediaType")));
    let headers = [("content-type", "application/yaml")];
    let answer = scene.try_ask("POST", ENDPOINTS, &headers, "metadata: {name: a}").await.expect("an answer");
    assert_eq!(answer.ok()["metadata"]["name"], "a");
}

#[tokio::test]
async fn bodies_that_are_no_objects_are_refused_with_the_words_of_the_real_server() {
    let scene = Scene::start().await;
    let unknown = "the object provided is unrecognized (must be of type Endpoints): couldn't get version/kind; \
                   json parse error: ";
    scene
        .ask("POST", ENDPOINTS, "hello")
        .await
        .refused(400, &format!("{unknown}invalid character 'h' looking for beginning of value (68656c6c6f)"));
    scene
        .ask("POST", ENDPOINTS, "")
        .await
        .refused(400, &format!("{unknown}unexpected end of JSON input (<empty>)"));
    scene.post(ENDPOINTS, json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}})).await.refused(
        400,
        "Pod in version \"v1\" cannot be handled as a Endpoints: converting (v1.Pod) to (core.Endpoints): unknown \
         conversion",
    );
    scene.post(ENDPOINTS, json!({"kind": "Endpoints", "apiVersion": "v2"})).await.refused(
        400,
        "Endpoints in version \"v2\" cannot be handled as a Endpoints: no kind \"Endpoints\" is registered for \
         version \"v2\" in scheme \"pkg/runtime/scheme.go:111\"",
    );
    scene.ask("POST", ENDPOINTS, "[]").await.refused(
        400,
        &format!(
            "{unknown}json: cannot unmarshal array into Go value of type struct {{ APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }} (5b5d)"
        ),
    );
    let large = "x".repeat(3 * 1024 * 1024);
    let body = json!({"metadata": {"name": "a", "annotations": {"large": large}}});
    scene.post(ENDPOINTS, body).await.refused(413, "Request entity too large: limit is 3145728");
}

#[tokio::test]
async fn the_server_tells_what_it_serves() {
    let scene = Scene::start().await;
    for path in ["/healthz", "/livez", "/readyz", "/readyz/etcd"] {
        assert_eq!(scene.get(path).await.body, "ok");
    }
    assert_eq!(scene.get("/version").await.ok()["minor"], "36");
    assert_eq!(scene.get("/api").await.ok()["versions"], json!(["v1"]));
    let groups = scene.get("/apis").await.ok();
    let names: Vec<&str> = groups["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .filter_map(|group| group["name"].as_str())
        .collect();
    assert_eq!(names, ["apps", "events.k8s.io", "coordination.k8s.io", "discovery.k8s.io"]);
    let slices = scene.get("/apis/discovery.k8s.io/v1").await.ok();
    assert_eq!(
        slices,
        json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "discovery.k8s.io/v1",
            "resources": [{
                "name": "endpointslices", "singularName": "endpointslice", "namespaced": true,
                "kind": "EndpointSlice",
                "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            }],
        })
    );
    let apps = scene.get("/apis/apps/v1").await.ok();
    let scale = &apps["resources"][1];
    assert_eq!((&scale["name"], &scale["group"]), (&json!("deployments/scale"), &json!("autoscaling")));
    let wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let answer = scene.accept("/apis", wanted).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
    );
    let items = answer.ok()["items"].as_array().map(Vec::len);
    assert_eq!(items, Some(4));
    let core = scene.accept("/api", wanted).await.ok();
    let resources = core["items"][0]["versions"][0]["resources"].as_array().expect("resources").len();
    assert_eq!(resources, 6);
}

#[tokio::test]
async fn a_person_with_curl_gets_many_lines_and_a_program_one() {
    let scene = Scene::start().await;
    let path = "/api/v1/namespaces/default";
    assert_eq!(scene.get(path).await.body.lines().count(), 1);
    assert!(scene.get(&format!("{path}?pretty=true")).await.body.lines().count() > 5);
    let curl = scene.try_ask("GET", path, &[("user-agent", "curl/8")], "").await.expect("an answer");
    assert!(curl.body.lines().count() > 5);
    let curl = [("user-agent", "curl/8")];
    let plain = scene.try_ask("GET", &format!("{path}?pretty=false"), &curl, "").await.expect("an answer");
    assert_eq!(plain.body.lines().count(), 1);
}
