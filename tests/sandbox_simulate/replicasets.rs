//! The ReplicaSet controller.

use std::time::Duration;

use endpointslice_controller::sandbox::Kind;
use endpointslice_controller::sandbox::simulate::Options;
use serde_json::{Value, json};

use crate::stage::{Stage, is_ready, pod, replicaset, text};

fn status(stage: &Stage, name: &str) -> Value {
    stage.get(Kind::ReplicaSet, name).expect("the ReplicaSet")["status"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_replicaset_makes_its_pods_and_owns_them() {
    let stage = Stage::usual().await;
    let set = stage.create(Kind::ReplicaSet, replicaset("web", 3));
    stage.ready_are(3).await;
    for pod in stage.all(Kind::Pod) {
        let name = text(&pod["metadata"]["name"]);
        assert!(name.starts_with("web-") && name.len() == 9, "{name}");
        assert_eq!(pod["metadata"]["generateName"], "web-");
        assert_eq!(pod["metadata"]["labels"]["app"], "web");
        let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": set.uid.as_str(),
            "controller": true, "blockOwnerDeletion": true}]);
        assert_eq!(pod["metadata"]["ownerReferences"], owner);
        let made = ("SuccessfulCreate".to_owned(), format!("Created pod: {name}"));
        assert!(stage.events("web").contains(&made));
    }
    stage.until("the status follows", |stage| status(stage, "web")["availableReplicas"] == 3).await;
    let expected = json!({"replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
        "terminatingReplicas": 0, "observedGeneration": 1});
    assert_eq!(status(&stage, "web"), expected);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_goes_is_replaced_at_once() {
    let stage = Stage::usual().await;
    stage.create(Kind::ReplicaSet, replicaset("web", 2));
    stage.ready_are(2).await;
    let gone = text(&stage.all(Kind::Pod)[0]["metadata"]["name"]);
    stage.delete(Kind::Pod, &gone, 30);
    stage.until("a third was made while it ends", |stage| stage.all(Kind::Pod).len() == 3).await;
    stage.until("counted", |stage| status(stage, "web")["terminatingReplicas"] == 1).await;
    stage.ready_are(2).await;
    assert!(stage.get(Kind::Pod, &gone).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_failed_pod_is_replaced_and_stands() {
    let stage = Stage::usual().await;
    stage.create(Kind::ReplicaSet, replicaset("web", 1));
    stage.ready_are(1).await;
    let failed = text(&stage.all(Kind::Pod)[0]["metadata"]["name"]);
    stage.change_part(Kind::Pod, &failed, Some("status"), |pod| pod["status"]["phase"] = "Failed".into());
    stage.until("another runs", |stage| stage.ready() == 1 && stage.all(Kind::Pod).len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn orphans_that_match_are_adopted_and_count() {
    let stage = Stage::usual().await;
    stage.create(Kind::Pod, pod("web", |_| {}));
    stage.create(Kind::Pod, pod("other", |_| {}));
    stage.ready_are(2).await;
    stage.create(Kind::ReplicaSet, replicaset("web", 2));
    stage.ready_are(3).await;
    assert_eq!(stage.pod("web")["metadata"]["ownerReferences"][0]["name"], "web");
    assert!(stage.pod("other")["metadata"]["ownerReferences"].is_null());
    // one that comes later is one too many
    stage.create(Kind::Pod, pod("late", |pod| pod["metadata"]["labels"]["app"] = "web".into()));
    stage.until("it went", |stage| stage.all(Kind::Pod).len() == 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_no_longer_matches_is_released_and_replaced() {
    let stage = Stage::usual().await;
    stage.create(Kind::ReplicaSet, replicaset("web", 2));
    stage.ready_are(2).await;
    let name = text(&stage.all(Kind::Pod)[0]["metadata"]["name"]);
    stage.change(Kind::Pod, &name, |pod| pod["metadata"]["labels"]["app"] = "debug".into());
    stage.ready_are(3).await;
    assert!(stage.pod(&name)["metadata"]["ownerReferences"].is_null());
    // and taken back when it matches again: one too many
    stage.change(Kind::Pod, &name, |pod| pod["metadata"]["labels"]["app"] = "web".into());
    stage.ready_are(2).await;
}

#[tokio::test(start_paused = true)]
async fn scaling_down_deletes_pods_without_node_first_then_those_not_ready_then_cheap_ones() {
    let stage = Stage::start(Options { nodes: 4, zones: 1, ..Options::default() }).await;
    stage.create(Kind::ReplicaSet, replicaset("web", 4));
    stage.ready_are(4).await;
    let names: Vec<String> = stage.all(Kind::Pod).iter().map(|pod| text(&pod["metadata"]["name"])).collect();
    // the fifth finds no Node
    for number in 1..=4 {
        stage.change(Kind::Node, &format!("node-000{number}"), |node| {
            node["spec"]["unschedulable"] = true.into()
        });
    }
    stage.change(Kind::ReplicaSet, "web", |set| set["spec"]["replicas"] = 5.into());
    stage.until("a fifth", |stage| stage.all(Kind::Pod).len() == 5).await;
    stage.change(Kind::Pod, &names[1], |pod| {
        pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] = "-10".into();
    });
    stage.simulation.set_ready(&crate::stage::key(&names[2]), false).expect("said");
    let left =
        |stage: &Stage| stage.active().iter().map(|pod| text(&pod["metadata"]["name"])).collect::<Vec<_>>();
    let without = |gone: &[usize]| {
        let kept = names.iter().enumerate().filter(|(at, _)| !gone.contains(at));
        kept.map(|(_, name)| name.clone()).collect::<Vec<_>>()
    };
    for (replicas, gone) in [(4, &[][..]), (3, &[2]), (2, &[2, 1])] {
        stage.change(Kind::ReplicaSet, "web", |set| set["spec"]["replicas"] = replicas.into());
        stage.until("fewer", |stage| left(stage).len() == replicas).await;
        assert_eq!(left(&stage), without(gone), "{replicas} replicas");
    }
    let deleted = ("SuccessfulDelete".to_owned(), format!("Deleted pod: {}", names[2]));
    assert!(stage.events("web").contains(&deleted));
}

#[tokio::test(start_paused = true)]
async fn scaling_down_deletes_younger_pods_first() {
    let stage = Stage::start(Options { nodes: 4, zones: 1, ..Options::default() }).await;
    stage.create(Kind::ReplicaSet, replicaset("web", 2));
    stage.ready_are(2).await;
    let old: Vec<Value> = stage.all(Kind::Pod).iter().map(|pod| pod["metadata"]["name"].clone()).collect();
    stage.pass(Duration::from_secs(600)).await;
    stage.change(Kind::ReplicaSet, "web", |set| set["spec"]["replicas"] = 4.into());
    stage.ready_are(4).await;
    stage.change(Kind::ReplicaSet, "web", |set| set["spec"]["replicas"] = 2.into());
    stage.ready_are(2).await;
    let left: Vec<Value> = stage.all(Kind::Pod).iter().map(|pod| pod["metadata"]["name"].clone()).collect();
    assert_eq!(left, old);
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_available_only_after_min_ready_seconds() {
    let stage = Stage::usual().await;
    let mut set = replicaset("web", 1);
    set["spec"]["minReadySeconds"] = 20.into();
    stage.create(Kind::ReplicaSet, set);
    stage.ready_are(1).await;
    let ready = tokio::time::Instant::now();
    stage.until("counted as ready", |stage| status(stage, "web")["readyReplicas"] == 1).await;
    assert!(status(&stage, "web")["availableReplicas"].is_null());
    stage.until("available", |stage| status(stage, "web")["availableReplicas"] == 1).await;
    let took = ready.elapsed().as_secs_f64();
    assert!((18.9..=22.0).contains(&took), "{took} s");
}

#[tokio::test(start_paused = true)]
async fn a_replicaset_that_is_being_deleted_makes_no_pods() {
    let stage = Stage::usual().await;
    let mut set = replicaset("web", 1);
    set["metadata"]["finalizers"] = json!(["ours/keep"]);
    stage.create(Kind::ReplicaSet, set);
    stage.ready_are(1).await;
    stage.delete(Kind::ReplicaSet, "web", 0);
    let name = text(&stage.all(Kind::Pod)[0]["metadata"]["name"]);
    stage.delete(Kind::Pod, &name, 5);
    stage.until("gone", |stage| stage.all(Kind::Pod).is_empty()).await;
    stage.pass(Duration::from_secs(30)).await;
    assert!(stage.all(Kind::Pod).is_empty());
}

#[tokio::test(start_paused = true)]
async fn many_pods_are_made_and_taken_away() {
    let stage = Stage::start(Options { nodes: 4, zones: 2, events: false, ..Options::default() }).await;
    stage.create(Kind::ReplicaSet, replicaset("web", 250));
    stage.ready_are(250).await;
    stage.change(Kind::ReplicaSet, "web", |set| set["spec"]["replicas"] = 0.into());
    stage.ready_are(0).await;
    assert!(stage.history(Kind::Pod).iter().all(|change| !is_ready(&change.object.value())
        || change.object.value()["status"]["podIPs"].as_array().is_some_and(|list| list.len() == 2)));
}
