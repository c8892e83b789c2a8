//! Lists: pages, versions, selectors.

use serde_json::{Value, json};

use crate::http::{ENDPOINTS, PODS, Scene, names, version};

async fn five(scene: &Scene) {
    for number in 1..=5 {
        scene.endpoints(&format!("e{number}"), json!({"n": number.to_string()})).await;
    }
}

#[tokio::test]
async fn a_list_is_joined_of_objects_without_their_type() {
    let scene = Scene::start().await;
    let empty = scene.get(PODS).await;
    assert!(
        empty.body.starts_with("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":"),
        "{}",
        empty.body
    );
    assert_eq!(empty.ok()["items"], json!([]));
    five(&scene).await;
    let list = scene.get(ENDPOINTS).await.ok();
    assert_eq!(names(&list), ["e1", "e2", "e3", "e4", "e5"]);
    assert_eq!(version(&list), scene.sandbox.store().version());
    assert_eq!((&list["items"][0]["kind"], &list["items"][0]["apiVersion"]), (&Value::Null, &Value::Null));
    let one = scene.get(&format!("{ENDPOINTS}/e1")).await.ok();
    assert_eq!((&one["kind"], &one["apiVersion"]), (&json!("Endpoints"), &json!("v1")));
}

#[tokio::test]
async fn pages_show_one_version_whatever_changes_between_them() {
    let scene = Scene::start().await;
    five(&scene).await;
    let first = scene.get(&format!("{ENDPOINTS}?limit=2")).await.ok();
    assert_eq!(names(&first), ["e1", "e2"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    scene.delete(&format!("{ENDPOINTS}/e3"), Value::Null).await.ok();
    scene.endpoints("e31", json!({})).await;
    scene.merge(&format!("{ENDPOINTS}/e4"), json!({"metadata": {"labels": {"n": "new"}}})).await.ok();
    let token = first["metadata"]["continue"].as_str().expect("a token");
    let second = scene.get(&format!("{ENDPOINTS}?limit=2&continue={token}")).await.ok();
    assert_eq!(names(&second), ["e3", "e4"]);
    assert_eq!(second["items"][1]["metadata"]["labels"]["n"], "4");
    assert_eq!(version(&second), version(&first));
    let token = second["metadata"]["continue"].as_str().expect("a token");
    let third = scene.get(&format!("{ENDPOINTS}?limit=2&continue={token}")).await.ok();
    assert_eq!(names(&third), ["e5"]);
    assert_eq!(third["metadata"].get("continue"), None);
    assert_eq!(names(&scene.get(ENDPOINTS).await.ok()), ["e1", "e2", "e31", "e4", "e5"]);
}

#[tokio::test]
async fn pages_of_a_selection_and_of_all_namespaces() {
    let scene = Scene::start().await;
    five(&scene).await;
    let other = "/api/v1/namespaces/kube-system/endpoints";
    scene.post(other, json!({"metadata": {"name": "a", "labels": {"n": "1"}}})).await.ok();
    let first = scene.get(&format!("{ENDPOINTS}?limit=2&labelSelector=n")).await.ok();
    assert_eq!(first["metadata"].get("remainingItemCount"), None);
    assert!(first["metadata"]["continue"].is_string());
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("/api/v1/endpoints?limit=1&labelSelector=n+in+(1,4)&continue={token}");
        let page = scene.get(&path).await.ok();
        seen.extend(names(&page));
        match page["metadata"]["continue"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["e1", "e4", "a"]);
}

#[tokio::test]
async fn a_token_that_is_too_old_is_expired_and_can_go_on_without_its_version() {
    let scene = Scene::start().await;
    five(&scene).await;
    let first = scene.get(&format!("{ENDPOINTS}?limit=2")).await.ok();
    let token = first["metadata"]["continue"].as_str().expect("a token");
    scene.endpoints("e6", json!({})).await;
    scene.sandbox.forget_history();
    let refused = scene.get(&format!("{ENDPOINTS}?limit=2&continue={token}")).await;
    assert_eq!((refused.code, &refused.json()["reason"]), (410, &json!("Expired")));
    let message = refused.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with("The provided continue parameter is too old to display"), "{message}");
    let on = refused.json()["metadata"]["continue"].as_str().expect("a token").to_owned();
    let rest = scene.get(&format!("{ENDPOINTS}?continue={on}")).await.ok();
    assert_eq!(names(&rest), ["e3", "e4", "e5", "e6"]);
}

#[tokio::test]
async fn versions_are_asked_for_by_the_rules() {
    let scene = Scene::start().await;
    five(&scene).await;
    let now = scene.sandbox.store().version();
    let at = |version: u64, rest: &str| format!("{ENDPOINTS}?resourceVersion={version}{rest}");
    scene.delete(&format!("{ENDPOINTS}/e5"), Value::Null).await.ok();
    assert_eq!(names(&scene.get(&at(now, "")).await.ok()).len(), 4, "not older is newest");
    assert_eq!(names(&scene.get(&at(now, "&resourceVersionMatch=NotOlderThan")).await.ok()).len(), 4);
    let exact = scene.get(&at(now, "&resourceVersionMatch=Exact")).await.ok();
    assert_eq!((names(&exact).len(), version(&exact)), (5, now));
    let legacy = scene.get(&at(now, "&limit=2")).await.ok();
    assert_eq!((version(&legacy), legacy["metadata"]["remainingItemCount"].as_u64()), (now, Some(3)));
    assert_eq!(names(&scene.get(&at(0, "")).await.ok()).len(), 4);
    scene.sandbox.forget_history();
    scene
        .get(&at(now, "&resourceVersionMatch=Exact"))
        .await
        .refused(410, "The resourceVersion for the provided list is too old.");
    let current = scene.sandbox.store().version();
    for path in [at(999, ""), format!("{ENDPOINTS}/e1?resourceVersion=999")] {
        let answer = scene.get(&path).await;
        answer.refused(504, &format!("Timeout: Too large resource version: 999, current: {current}"));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(
            answer.json()["details"],
            json!({
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            })
        );
    }
}

#[tokio::test]
async fn parameters_that_do_not_fit_together_are_refused() {
    let scene = Scene::start().await;
    let cases = [
        (
            "resourceVersionMatch=Exact",
            422,
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            "resourceVersion=0&resourceVersionMatch=Exact",
            422,
            "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        ),
        (
            "resourceVersion=1&resourceVersionMatch=Foo",
            422,
            "resourceVersionMatch: Unsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
        ),
        (
            "sendInitialEvents=true",
            422,
            "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
        ),
        (
            "watch=1&sendInitialEvents=true",
            422,
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            "watch=1&resourceVersionMatch=NotOlderThan",
            422,
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
    ];
    for (query, code, message) in cases {
        let message = format!("ListOptions.meta.k8s.io \"\" is invalid: {message}");
        scene.get(&format!("{PODS}?{query}")).await.refused(code, &message);
    }
    let cases = [
        (
            "resourceVersion=abc",
            "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
        ),
        ("limit=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        (
            "continue=abc",
            "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value",
        ),
        (
            "limit=1&resourceVersion=1&continue=abc",
            "specifying resource version is not allowed when using continue",
        ),
    ];
    for (query, message) in cases {
        scene.get(&format!("{PODS}?{query}")).await.refused(400, message);
    }
}

#[tokio::test]
async fn label_selectors_select() {
    let scene = Scene::start().await;
    for (name, labels) in [
        ("a", json!({"app": "web", "tier": "front", "rank": "3"})),
        ("b", json!({"app": "web", "rank": "10"})),
        ("c", json!({"app": "db", "empty": ""})),
        ("d", json!({})),
    ] {
        scene.endpoints(name, labels).await;
    }
    let cases: [(&str, &[&str]); 14] = [
        ("app=web", &["a", "b"]),
        ("app==web,tier=front", &["a"]),
        ("app!=web", &["c", "d"]),
        ("app", &["a", "b", "c"]),
        ("!app", &["d"]),
        ("app in (web, db)", &["a", "b", "c"]),
        ("app notin (web)", &["c", "d"]),
        ("app in (web),!tier", &["b"]),
        ("rank>3", &["b"]),
        ("rank<4", &["a"]),
        ("empty=", &["c"]),
        ("empty in ()", &["c"]),
        ("app in (db,)", &["c"]),
        ("", &["a", "b", "c", "d"]),
    ];
    for (selector, expected) in cases {
        let escaped =
            selector.replace(' ', "%20").replace('>', "%3E").replace('<', "%3C").replace('=', "%3D");
        let list = scene.get(&format!("{ENDPOINTS}?labelSelector={escaped}")).await.ok();
        assert_eq!(names(&list), expected, "{selector}");
    }
}

#[tokio::test]
async fn label_selectors_that_cannot_be_read_are_refused_with_the_words_of_the_real_server() {
    let scene = Scene::start().await;
    let cases = [
        ("a===", "unable to parse requirement: found '=', expected: identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a notin b", "unable to parse requirement: found 'b' expected: '('"),
        ("a,", "found '', expected: identifier after ','"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a in", "unable to parse requirement: found '' expected: '('"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a!b", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt"),
        (
            "a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must \
             be an integer",
        ),
    ];
    for (selector, message) in cases {
        let escaped = selector.replace(' ', "%20").replace('=', "%3D").replace('>', "%3E");
        scene.get(&format!("{PODS}?labelSelector={escaped}")).await.refused(400, message);
    }
}

#[tokio::test]
async fn field_selectors_select_by_what_a_kind_has() {
    let scene = Scene::start().await;
    five(&scene).await;
    let list = scene.get(&format!("{ENDPOINTS}?fieldSelector=metadata.name%3De2")).await.ok();
    assert_eq!(names(&list), ["e2"]);
    let query = "fieldSelector=metadata.name!%3De2,metadata.namespace%3D%3Ddefault";
    assert_eq!(names(&scene.get(&format!("/api/v1/endpoints?{query}")).await.ok()), ["e1", "e3", "e4", "e5"]);
    scene.get(&format!("{ENDPOINTS}?fieldSelector=foo%3D1")).await.refused(
        400,
        "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
    );
    scene.get(&format!("{PODS}?fieldSelector=foo%3D1")).await.refused(400, "field label not supported: foo");
    scene
        .get(&format!("{ENDPOINTS}?fieldSelector=foo"))
        .await
        .refused(400, "invalid selector: 'foo'; can't understand 'foo'");
}

#[tokio::test]
async fn tables_and_metadata_are_given_to_those_who_ask() {
    let scene = Scene::start().await;
    five(&scene).await;
    let table =
        scene.accept(ENDPOINTS, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json").await;
    assert_eq!(table.ok()["kind"], "Table");
    assert_eq!(table.json()["rows"][4]["cells"][0], "e5");
    let of_one =
        scene.accept(&format!("{ENDPOINTS}/e1"), "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    assert_eq!(of_one.ok()["rows"].as_array().map(Vec::len), Some(1));
    let metadata = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let one = scene.accept(&format!("{ENDPOINTS}/e1"), metadata).await.ok();
    assert_eq!((&one["kind"], &one["metadata"]["name"]), (&json!("PartialObjectMetadata"), &json!("e1")));
    scene.accept(ENDPOINTS, metadata).await.refused(
        406,
        "you requested PartialObjectMetadata, but the requested object is a list (*core.EndpointsList)",
    );
    let list =
        scene.accept(ENDPOINTS, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").await;
    assert_eq!(list.ok()["items"][0]["kind"], "PartialObjectMetadata");
}
