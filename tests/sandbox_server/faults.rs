//! Each fault does what it says, as often as it is asked to, and nothing else.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use endpointslice_controller::sandbox::Kind;
use endpointslice_controller::sandbox::api::Verb;
use endpointslice_controller::sandbox::faults::{Fault, Refusal, Rule};
use endpointslice_controller::sandbox::store::Happened;
use serde_json::{Value, json};

use crate::http::{ENDPOINTS, SERVICES, Scene, names, summary, version};

fn refuse(code: u16) -> Fault {
    Fault::Refuse(Refusal::new(code))
}

#[tokio::test]
async fn a_refusal_meets_those_that_fit_so_often_and_is_not_stored() {
    let scene = Scene::start().await;
    let rule = Rule {
        after: 1,
        times: Some(2),
        fault: Fault::Refuse(Refusal { code: 429, retry_after: Some(7) }),
        ..Rule::once(Verb::Create, Kind::Endpoints, refuse(429))
    };
    let met = scene.sandbox.faults().add(rule);
    let mut codes = Vec::new();
    for number in 0..4 {
        let answer = scene.post(ENDPOINTS, json!({"metadata": {"name": format!("e{number}")}})).await;
        if answer.code == 429 {
            assert_eq!(answer.header("retry-after"), Some("7"));
            assert_eq!(answer.json()["details"]["retryAfterSeconds"], 7);
        }
        codes.push(answer.code);
    }
    assert_eq!(codes, [201, 429, 429, 201]);
    assert_eq!(met.times(), 2);
    assert_eq!(names(&scene.get(ENDPOINTS).await.ok()), ["e0", "e3"]);
}

#[tokio::test]
async fn a_rule_is_for_its_verb_kind_and_name() {
    let scene = Scene::start().await;
    scene.endpoints("a", json!({})).await;
    scene.endpoints("b", json!({})).await;
    let rule = Rule { name: Some("a".to_owned()), ..Rule::always(Verb::Patch, Kind::Endpoints, refuse(500)) };
    scene.sandbox.faults().add(rule);
    let patch = || json!({"metadata": {"labels": {"x": "y"}}});
    assert_eq!(scene.merge(&format!("{ENDPOINTS}/b"), patch()).await.code, 200);
    assert_eq!(scene.get(&format!("{ENDPOINTS}/a")).await.code, 200);
    for _ in 0..3 {
        let answer = scene.merge(&format!("{ENDPOINTS}/a"), patch()).await;
        assert_eq!((answer.code, &answer.json()["reason"]), (500, &json!("InternalError")));
    }
    scene.sandbox.faults().clear();
    assert_eq!(scene.merge(&format!("{ENDPOINTS}/a"), patch()).await.code, 200);
    scene.sandbox.faults().add(Rule {
        verb: None,
        kind: None,
        ..Rule::once(Verb::Get, Kind::Pod, refuse(503))
    });
    assert_eq!(scene.get(SERVICES).await.code, 503);
    assert_eq!(scene.get(SERVICES).await.code, 200);
}

#[tokio::test]
async fn stored_and_then_refused() {
    let scene = Scene::start().await;
    let fault = Fault::StoreThenRefuse(Refusal::new(504));
    scene.sandbox.faults().add(Rule::once(Verb::Create, Kind::Endpoints, fault));
    let body = json!({"metadata": {"name": "a"}});
    let answer = scene.post(ENDPOINTS, body.clone()).await;
    assert_eq!((answer.code, &answer.json()["reason"]), (504, &json!("Timeout")));
    assert_eq!(scene.post(ENDPOINTS, body).await.code, 409);
}

#[tokio::test]
async fn resets_come_before_or_after_the_write() {
    let scene = Scene::start().await;
    for (fault, stored) in [(Fault::ResetBefore, false), (Fault::ResetAfter, true)] {
        let name = format!("stored-{stored}");
        scene.sandbox.faults().add(Rule::once(Verb::Create, Kind::Endpoints, fault));
        let body = json!({"metadata": {"name": name}}).to_string();
        let headers = [("content-type", "application/json")];
        let error = scene.try_ask("POST", ENDPOINTS, &headers, &body).await.expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        assert_eq!(scene.get(&format!("{ENDPOINTS}/{name}")).await.code == 200, stored);
    }
}

#[tokio::test]
async fn a_half_open_watch_begins_and_shows_nothing() {
    let scene = Scene::start().await;
    let stored = scene.endpoints("a", json!({})).await;
    scene.sandbox.faults().add(Rule::once(Verb::Watch, Kind::Endpoints, Fault::HalfOpen));
    let query = format!("resourceVersion={stored}");
    let mut dead = scene.watch(ENDPOINTS, &query).await;
    let mut alive = scene.watch(ENDPOINTS, &query).await;
    scene.endpoints("b", json!({})).await;
    assert_eq!(summary(&alive.events(1).await), ["ADDED b"]);
    assert!(dead.silent(Duration::from_millis(50)).await);
}

#[tokio::test]
async fn answers_are_cut_after_so_many_bytes() {
    let scene = Scene::start().await;
    let stored = scene.endpoints("a", json!({})).await;
    let faults = scene.sandbox.faults();
    faults.add(Rule::once(Verb::List, Kind::Endpoints, Fault::Truncate(40)));
    let error = scene.try_ask("GET", ENDPOINTS, &[], "").await.expect_err("half an answer");
    assert!(matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset), "{error}");
    assert_eq!(scene.get(ENDPOINTS).await.code, 200);
    faults.add(Rule::once(Verb::Watch, Kind::Endpoints, Fault::Truncate(10)));
    let watch = scene.watch(ENDPOINTS, &format!("resourceVersion={stored}")).await;
    scene.endpoints("b", json!({})).await;
    let (events, end) = watch.rest().await;
    assert_eq!((events.len(), end.is_err()), (0, true));
}

#[tokio::test]
async fn an_object_is_shown_so_that_nobody_can_decode_it() {
    let scene = Scene::start().await;
    let service = |name: &str| json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 1}]}});
    for name in ["a", "b"] {
        scene.post(SERVICES, service(name)).await.ok();
    }
    let faults = scene.sandbox.faults();
    let fault = Fault::Undecodable("b".to_owned());
    for verb in [Verb::List, Verb::Watch, Verb::Get] {
        faults.add(Rule::once(verb, Kind::Service, fault.clone()));
    }
    let broken = |object: &Value| object["spec"].is_string() && object["metadata"]["name"].is_string();
    let list = scene.get(SERVICES).await.ok();
    let items: Vec<bool> = list["items"].as_array().expect("items").iter().map(broken).collect();
    assert_eq!(items, [false, true, false]);
    let mut watch = scene.watch(SERVICES, "").await;
    let events = watch.events(3).await;
    let items: Vec<bool> = events.iter().map(|event| broken(&event["object"])).collect();
    assert_eq!(items, [false, true, false]);
    assert!(broken(&scene.get(&format!("{SERVICES}/b")).await.ok()));
    assert!(!broken(&scene.get(&format!("{SERVICES}/b")).await.ok()));
}

#[tokio::test]
async fn a_delay_comes_before_the_answer() {
    let scene = Scene::start().await;
    let delay = Duration::from_millis(120);
    scene.sandbox.faults().add(Rule::once(Verb::List, Kind::Endpoints, Fault::Delay(delay)));
    let begun = Instant::now();
    scene.get(ENDPOINTS).await.ok();
    assert!(begun.elapsed() >= delay);
}

#[tokio::test]
async fn a_frozen_watch_goes_on_where_it_stopped() {
    let scene = Scene::start().await;
    let stored = scene.endpoints("a", json!({})).await;
    let mut watch = scene.watch(ENDPOINTS, &format!("resourceVersion={stored}")).await;
    let shown = scene.endpoints("b", json!({})).await;
    scene.sandbox.faults().freeze(Kind::Endpoints, shown);
    scene.endpoints("c", json!({})).await;
    assert_eq!(summary(&watch.events(1).await), ["ADDED b"]);
    let mut from_state = scene.watch(ENDPOINTS, "").await;
    assert_eq!(summary(&from_state.events(2).await), ["ADDED a", "ADDED b"], "new watches are frozen, too");
    assert!(watch.silent(Duration::from_millis(50)).await);
    assert_eq!(names(&scene.get(ENDPOINTS).await.ok()), ["a", "b", "c"], "lists are not");
    scene.sandbox.faults().thaw(Kind::Endpoints);
    assert_eq!(summary(&watch.events(1).await), ["ADDED c"]);
    assert_eq!(summary(&from_state.events(1).await), ["ADDED c"]);
}

#[tokio::test]
async fn a_hidden_change_is_hidden_from_every_watch() {
    let scene = Scene::start().await;
    let stored = scene.endpoints("a", json!({})).await;
    let faults = scene.sandbox.faults();
    let met = faults.hide(Kind::Endpoints, Some("a"), Some(Happened::Modified), stored, 1);
    let query = format!("resourceVersion={stored}");
    let mut watches = [scene.watch(ENDPOINTS, &query).await, scene.watch(ENDPOINTS, &query).await];
    for number in ["1", "2"] {
        let labels = json!({"metadata": {"labels": {"n": number}}});
        scene.merge(&format!("{ENDPOINTS}/a"), labels).await.ok();
    }
    for watch in &mut watches {
        let events = watch.events(1).await;
        assert_eq!(events[0]["object"]["metadata"]["labels"]["n"], "2");
    }
    assert_eq!(met.times(), 1);
}

#[tokio::test]
async fn a_stale_list_shows_what_stood() {
    let scene = Scene::start().await;
    let stored = scene.endpoints("a", json!({})).await;
    scene.endpoints("b", json!({})).await;
    scene.sandbox.faults().add(Rule::once(Verb::List, Kind::Endpoints, Fault::Stale(stored)));
    let list = scene.get(ENDPOINTS).await.ok();
    assert_eq!((names(&list), version(&list)), (vec!["a".to_owned()], stored));
    assert_eq!(names(&scene.get(ENDPOINTS).await.ok()), ["a", "b"]);
}
