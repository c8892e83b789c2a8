//! The handle of a running sandbox.

use std::time::Duration;

use endpointslice_controller::sandbox::Sandbox;
use serde_json::json;
use tokio::time::timeout;

use crate::http::{ENDPOINTS, Scene, summary};
use crate::support::wait::SOON;

#[tokio::test]
async fn it_serves_on_loopback_only_and_says_why() {
    let everywhere = "0.0.0.0:0".parse().expect("an address");
    let refused = Sandbox::start(everywhere).await.err().map(|failure| failure.to_string());
    assert_eq!(
        refused.as_deref(),
        Some("the sandbox serves on loopback only, not on 0.0.0.0:0: it asks nobody who they are")
    );
    let scene = Scene::start().await;
    assert_ne!(scene.sandbox.address().port(), 0);
    let taken = Sandbox::start(scene.sandbox.address()).await.err().map(|failure| failure.to_string());
    assert!(taken.is_some_and(|text| text.starts_with(&scene.sandbox.address().to_string())));
}

#[tokio::test]
async fn its_kubeconfig_leads_to_it() {
    let scene = Scene::start().await;
    let config: serde_json::Value = serde_saphyr::from_str(&scene.sandbox.kubeconfig()).expect("YAML");
    assert_eq!(config["clusters"][0]["cluster"]["server"], scene.sandbox.url());
    assert_eq!(config["current-context"], config["contexts"][0]["name"]);
}

#[tokio::test]
async fn the_furniture_of_a_cluster_is_there_from_the_start() {
    let scene = Scene::start().await;
    let list = scene.get("/api/v1/namespaces").await.ok();
    assert_eq!(crate::http::names(&list), ["default", "kube-node-lease", "kube-public", "kube-system"]);
}

#[tokio::test]
async fn stopped_it_refuses_connections_and_restarted_it_has_its_state() {
    let scene = Scene::start().await;
    let stored = scene.endpoints("a", json!({})).await;
    let watch = scene.watch(ENDPOINTS, &format!("resourceVersion={stored}")).await;
    let address = scene.sandbox.address();
    scene.sandbox.stop().await;
    let (events, end) = watch.rest().await;
    assert_eq!((events.len(), end.is_ok()), (0, true), "watches end");
    assert!(scene.try_ask("GET", "/healthz", &[], "").await.is_err());
    scene.sandbox.stop().await;
    scene.sandbox.restart().await.expect("restart");
    assert_eq!(scene.sandbox.address(), address);
    assert_eq!(crate::http::version(&scene.get(&format!("{ENDPOINTS}/a")).await.ok()), stored);
    let mut watch = scene.watch(ENDPOINTS, &format!("resourceVersion={stored}")).await;
    scene.endpoints("b", json!({})).await;
    assert_eq!(summary(&watch.events(1).await), ["ADDED b"]);
    scene.sandbox.restart().await.expect("restart while it runs");
    assert_eq!(scene.get("/healthz").await.body, "ok");
}

#[tokio::test]
async fn paused_it_takes_connections_and_answers_later() {
    let scene = Scene::start().await;
    let stored = scene.endpoints("a", json!({})).await;
    let mut watch = scene.watch(ENDPOINTS, &format!("resourceVersion={stored}")).await;
    scene.sandbox.pause();
    let body = json!({"metadata": {"name": "b"}});
    let mut asked = Box::pin(scene.post(ENDPOINTS, body));
    assert!(timeout(Duration::from_millis(100), &mut asked).await.is_err());
    let store = scene.sandbox.store();
    store
        .create(
            endpointslice_controller::sandbox::Kind::Endpoints,
            "default",
            json!({"metadata": {"name": "c"}}),
            false,
        )
        .expect("stored");
    assert!(watch.silent(Duration::from_millis(100)).await);
    scene.sandbox.resume();
    assert_eq!(timeout(SOON, asked).await.expect("an answer").code, 201);
    let mut seen = summary(&watch.events(2).await);
    seen.sort();
    assert_eq!(seen, ["ADDED b", "ADDED c"]);
}

#[tokio::test]
async fn a_paused_one_can_be_stopped() {
    let scene = Scene::start().await;
    scene.sandbox.pause();
    let asked = scene.try_ask("GET", "/healthz", &[], "");
    let (_, answer) = tokio::join!(scene.sandbox.stop(), asked);
    drop(answer); // it came too late or in time: what counts is that the stop ended
    scene.sandbox.restart().await.expect("restart");
    assert_eq!(scene.get("/healthz").await.body, "ok");
}

#[tokio::test]
async fn dropped_it_is_gone() {
    let scene = Scene::start().await;
    let address = scene.sandbox.address();
    drop(scene);
    crate::support::wait::eventually("the port is free", SOON, || async {
        let bound = tokio::net::TcpListener::bind(address).await;
        bound.map(drop).map_err(|error| error.to_string())
    })
    .await;
}
