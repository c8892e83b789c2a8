//! The Deployment controller: ReplicaSets, revisions, status, scaling and pauses.

use std::time::Duration;

use endpointslice_controller::sandbox::Kind;
use serde_json::{Value, json};

use crate::stage::{Stage, condition, deployment, pod, restart, text};

/// The ReplicaSets of a Deployment with Pods, by revision.
fn sets(stage: &Stage) -> Vec<Value> {
    let mut sets = stage.all(Kind::ReplicaSet);
    sets.sort_by_key(|set| revision(set).parse::<u32>().unwrap_or(0));
    sets
}

fn revision(object: &Value) -> String {
    text(&object["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
}

#[tokio::test(start_paused = true)]
async fn a_deployment_makes_a_replicaset_with_the_templates_hash() {
    let stage = Stage::usual().await;
    let made = stage.create(
        Kind::Deployment,
        deployment("web", 3, |deployment| deployment["metadata"]["annotations"]["note"] = "kept".into()),
    );
    stage.rolled_out("web").await;
    let sets = sets(&stage);
    assert_eq!(sets.len(), 1);
    let set = &sets[0];
    let hash = text(&set["metadata"]["labels"]["pod-template-hash"]);
    assert!(!hash.is_empty());
    assert_eq!(set["metadata"]["name"], format!("web-{hash}"));
    let labels = json!({"app": "web", "pod-template-hash": hash});
    assert_eq!(set["metadata"]["labels"], labels);
    assert_eq!(set["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(set["spec"]["template"]["metadata"]["labels"], labels);
    let annotations = json!({
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
        "deployment.kubernetes.io/revision": "1",
        "note": "kept",
    });
    assert_eq!(set["metadata"]["annotations"], annotations);
    let owner = &set["metadata"]["ownerReferences"][0];
    assert_eq!(owner["kind"], "Deployment");
    assert_eq!(owner["uid"], made.uid.as_str());
    assert_eq!(owner["controller"], true);
    assert_eq!(owner["blockOwnerDeletion"], true);
    for pod in stage.all(Kind::Pod) {
        assert_eq!(pod["metadata"]["labels"]["pod-template-hash"], hash.as_str());
    }
    assert_eq!(revision(&stage.deployment("web")), "1");
    let said = format!("Scaled up replica set web-{hash} from 0 to 3");
    assert!(stage.events("web").contains(&("ScalingReplicaSet".to_owned(), said)));
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_finished_rollout_is_the_one_of_a_real_cluster() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 3, |_| {}));
    stage.rolled_out("web").await;
    stage
        .until("progressed", |stage| {
            let deployment = stage.deployment("web");
            condition(&deployment, "Progressing").is_some_and(|one| one["reason"] == "NewReplicaSetAvailable")
        })
        .await;
    let mut status = stage.deployment("web")["status"].clone();
    let name = text(&sets(&stage)[0]["metadata"]["name"]);
    for condition in status["conditions"].as_array_mut().expect("conditions") {
        for time in ["lastUpdateTime", "lastTransitionTime"] {
            assert!(text(&condition[time]).ends_with('Z'));
            condition.as_object_mut().expect("a condition").remove(time);
        }
    }
    let expected = json!({
        "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
        "terminatingReplicas": 0,
        "conditions": [
            {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                "message": "Deployment has minimum availability."},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
                "message": format!("ReplicaSet \"{name}\" has successfully progressed.")},
        ],
    });
    assert_eq!(status, expected);
}

#[tokio::test(start_paused = true)]
async fn conditions_tell_the_way_of_a_rollout() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 3, |_| {}));
    stage.rolled_out("web").await;
    stage.pass(Duration::from_secs(5)).await;
    let mut told = Vec::new();
    for change in stage.history(Kind::Deployment) {
        let deployment = change.object.value();
        for name in ["Available", "Progressing"] {
            let Some(condition) = condition(&deployment, name) else { continue };
            let one = (name, text(&condition["status"]), text(&condition["reason"]));
            if !told.contains(&one) {
                told.push(one);
            }
        }
    }
    let expected = [
        ("Available", "False", "MinimumReplicasUnavailable"),
        ("Progressing", "True", "NewReplicaSetCreated"),
        ("Progressing", "True", "ReplicaSetUpdated"),
        ("Available", "True", "MinimumReplicasAvailable"),
        ("Progressing", "True", "NewReplicaSetAvailable"),
    ];
    assert_eq!(told, expected.map(|(name, status, reason)| (name, status.to_owned(), reason.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn scaling_changes_the_replicaset_and_no_template() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 2, |_| {}));
    stage.rolled_out("web").await;
    for replicas in [7_usize, 0, 3] {
        stage.change(Kind::Deployment, "web", |deployment| deployment["spec"]["replicas"] = replicas.into());
        stage.ready_are(replicas).await;
        stage.rolled_out("web").await;
    }
    let sets = sets(&stage);
    assert_eq!(sets.len(), 1);
    assert_eq!(revision(&sets[0]), "1");
    assert_eq!(sets[0]["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"], "3");
    let name = text(&sets[0]["metadata"]["name"]);
    let events = stage.events("web");
    for said in
        ["up replica set * from 2 to 7", "down replica set * from 7 to 0", "up replica set * from 0 to 3"]
    {
        let said = format!("Scaled {}", said.replace('*', &name));
        assert!(events.contains(&("ScalingReplicaSet".to_owned(), said.clone())), "{said}: {events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_deployment_is_scaled_but_not_rolled_until_it_is_resumed() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 2, |_| {}));
    stage.rolled_out("web").await;
    stage.change(Kind::Deployment, "web", |deployment| deployment["spec"]["paused"] = true.into());
    let reason = |stage: &Stage| {
        condition(&stage.deployment("web"), "Progressing").map_or(Value::Null, |one| one["reason"].clone())
    };
    stage.until("it says so", |stage| reason(stage) == "DeploymentPaused").await;
    stage.change(Kind::Deployment, "web", |deployment| {
        restart(deployment, "2026-01-01T00:00:00Z");
        deployment["spec"]["replicas"] = 4.into();
    });
    stage.ready_are(4).await;
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!(sets(&stage).len(), 1, "nothing is rolled");
    stage.change(Kind::Deployment, "web", |deployment| deployment["spec"]["paused"] = false.into());
    stage.rolled_out("web").await;
    stage.ready_are(4).await;
    assert_eq!(sets(&stage).len(), 2);
    let resumed = stage.history(Kind::Deployment).iter().any(|change| {
        let deployment = change.object.value();
        condition(&deployment, "Progressing").is_some_and(|one| one["reason"] == "DeploymentResumed")
            || condition(&deployment, "Progressing")
                .is_some_and(|one| one["reason"] == "NewReplicaSetCreated")
    });
    assert!(resumed);
}

#[tokio::test(start_paused = true)]
async fn going_back_takes_the_old_replicaset_with_a_new_revision() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 2, |_| {}));
    stage.rolled_out("web").await;
    let first = stage.deployment("web")["spec"]["template"].clone();
    stage.change(Kind::Deployment, "web", |deployment| {
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2".into();
    });
    stage.rolled_out("web").await;
    stage.ready_are(2).await;
    assert_eq!(sets(&stage).iter().map(revision).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(revision(&stage.deployment("web")), "2");
    let name = sets(&stage)[0]["metadata"]["name"].clone();
    // what `kubectl rollout undo` does: the template of the old ReplicaSet, without the hash
    stage.change(Kind::Deployment, "web", |deployment| deployment["spec"]["template"] = first);
    stage.rolled_out("web").await;
    stage.ready_are(2).await;
    let sets = sets(&stage);
    assert_eq!(sets.iter().map(revision).collect::<Vec<_>>(), ["2", "3"]);
    assert_eq!(sets[1]["metadata"]["name"], name);
    assert_eq!(sets[1]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"], "1");
    assert_eq!(revision(&stage.deployment("web")), "3");
}

#[tokio::test(start_paused = true)]
async fn no_more_old_replicasets_are_kept_than_the_history_limit() {
    let stage = Stage::usual().await;
    stage.create(
        Kind::Deployment,
        deployment("web", 1, |deployment| deployment["spec"]["revisionHistoryLimit"] = 2.into()),
    );
    stage.rolled_out("web").await;
    for round in 1..=5 {
        stage.change(Kind::Deployment, "web", |deployment| {
            restart(deployment, &format!("2026-01-0{round}T00:00:00Z"));
        });
        stage.rolled_out("web").await;
        stage.ready_are(1).await;
    }
    stage.until("three are left", |stage| sets(stage).len() == 3).await;
    assert_eq!(sets(&stage).iter().map(revision).collect::<Vec<_>>(), ["4", "5", "6"]);
}

#[tokio::test(start_paused = true)]
async fn a_replicaset_that_belongs_to_nobody_is_adopted() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 2, |_| {}));
    stage.rolled_out("web").await;
    let set = text(&sets(&stage)[0]["metadata"]["name"]);
    let pods = |stage: &Stage| {
        stage.all(Kind::Pod).iter().map(|pod| text(&pod["metadata"]["uid"])).collect::<Vec<_>>()
    };
    let before = pods(&stage);
    // deleted with its dependents orphaned, and made again
    stage.delete(Kind::Deployment, "web", 0);
    stage.change(Kind::ReplicaSet, &set, |set| {
        set["metadata"].as_object_mut().expect("metadata").remove("ownerReferences");
    });
    let again = stage.create(Kind::Deployment, deployment("web", 2, |_| {}));
    stage.rolled_out("web").await;
    assert_eq!(sets(&stage).len(), 1);
    assert_eq!(sets(&stage)[0]["metadata"]["ownerReferences"][0]["uid"], again.uid.as_str());
    assert_eq!(pods(&stage), before, "no Pod was replaced");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_leads_to_another_hash() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 1, |_| {}));
    stage.rolled_out("web").await;
    let name = text(&sets(&stage)[0]["metadata"]["name"]);
    stage.delete(Kind::Deployment, "web", 0);
    stage.delete(Kind::ReplicaSet, &name, 0);
    stage.until("gone", |stage| sets(stage).is_empty()).await;
    let labels = json!({"app": "theirs"});
    stage.create(
        Kind::ReplicaSet,
        json!({"metadata": {"name": name, "labels": labels}, "spec": {"replicas": 0, "selector": {"matchLabels":
            labels}, "template": {"metadata": {"labels": labels}, "spec": crate::stage::spec()}}}),
    );
    stage.create(Kind::Deployment, deployment("web", 1, |_| {}));
    stage.rolled_out("web").await;
    assert_eq!(stage.deployment("web")["status"]["collisionCount"], 1);
    assert_eq!(sets(&stage).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn pods_of_nobody_that_look_alike_are_not_taken_by_a_deployment() {
    // its ReplicaSet asks for the hash, too
    let stage = Stage::usual().await;
    stage.create(Kind::Pod, pod("web", |_| {}));
    stage.create(Kind::Deployment, deployment("web", 1, |_| {}));
    stage.ready_are(2).await;
    assert!(stage.pod("web")["metadata"]["ownerReferences"].is_null());
}
