//! Rollouts: what may be missing and what may be too much at every moment, and how they end.

use std::collections::BTreeMap;
use std::time::Duration;

use endpointslice_controller::sandbox::simulate::Options;
use endpointslice_controller::sandbox::store::Happened;
use endpointslice_controller::sandbox::{Key, Kind};
use serde_json::{Value, json};

use crate::stage::{Stage, condition, deployment, is_ready, restart, rollout_status, text};

/// The least Pods that were ready and not ending, and the most that were not ending, at any moment after
/// `from`.
fn extremes(stage: &Stage, from: u64) -> (usize, usize) {
    let mut pods: BTreeMap<Key, Value> = BTreeMap::new();
    let (mut least, mut most) = (usize::MAX, 0);
    for change in stage.history(Kind::Pod) {
        match change.happened {
            Happened::Deleted => pods.remove(&change.object.key),
            _ => pods.insert(change.object.key.clone(), change.object.value()),
        };
        if change.object.version <= from {
            continue;
        }
        let active = || pods.values().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        least = least.min(active().filter(|pod| is_ready(pod)).count());
        most = most.max(active().count());
    }
    (least, most)
}

fn uids(stage: &Stage) -> Vec<String> {
    stage.all(Kind::Pod).iter().map(|pod| text(&pod["metadata"]["uid"])).collect()
}

async fn rolled(replicas: usize, surge: Value, unavailable: Value) -> (usize, usize) {
    let stage = Stage::usual().await;
    stage.create(
        Kind::Deployment,
        deployment("web", replicas, |deployment| {
            deployment["spec"]["strategy"]["rollingUpdate"] =
                json!({"maxSurge": surge, "maxUnavailable": unavailable});
        }),
    );
    stage.rolled_out("web").await;
    stage.ready_are(replicas).await;
    let (before, from) = (uids(&stage), stage.store.version());
    stage.change(Kind::Deployment, "web", |deployment| restart(deployment, "2026-01-01T00:00:00Z"));
    stage.until("observed", |stage| stage.all(Kind::ReplicaSet).len() == 2).await;
    stage.rolled_out("web").await;
    stage.ready_are(replicas).await;
    assert!(uids(&stage).iter().all(|uid| !before.contains(uid)), "an old Pod is left");
    extremes(&stage, from)
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_all_pods_are_new_and_there_were_always_enough_and_never_too_many() {
    for (replicas, surge, unavailable, least, most) in [
        (8, json!("25%"), json!("25%"), 6, 10),
        (3, json!("25%"), json!("25%"), 3, 4), // rounded up, and down
        (4, json!(1), json!(0), 4, 5),
        (4, json!(0), json!(1), 3, 4),
        (4, json!(0), json!("10%"), 3, 4), // neither: one may be missing
        (10, json!("100%"), json!(0), 10, 20),
        (5, json!(0), json!("100%"), 0, 5),
        (1, json!("25%"), json!("25%"), 1, 2),
    ] {
        let (saw_least, saw_most) = rolled(replicas, surge.clone(), unavailable.clone()).await;
        let what = format!("{replicas} replicas, maxSurge {surge}, maxUnavailable {unavailable}");
        assert!(saw_least >= least, "{what}: {saw_least} available");
        assert!(saw_most <= most, "{what}: {saw_most} Pods");
        assert!(saw_most > replicas || surge == json!(0), "{what}: the surge was not used");
    }
}

#[tokio::test(start_paused = true)]
async fn unready_old_pods_go_first() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 4, |_| {}));
    stage.rolled_out("web").await;
    stage.ready_are(4).await;
    let unready = text(&stage.all(Kind::Pod)[1]["metadata"]["name"]);
    stage.simulation.set_ready(&crate::stage::key(&unready), false).expect("said");
    stage.until("noticed", |stage| stage.deployment("web")["status"]["availableReplicas"] == 3).await;
    stage.change(Kind::Deployment, "web", |deployment| restart(deployment, "2026-01-01T00:00:00Z"));
    stage.rolled_out("web").await;
    stage.ready_are(4).await;
    let history = stage.history(Kind::Pod);
    let going = |change: &&endpointslice_controller::sandbox::store::Change| {
        change.happened == Happened::Deleted
            || !change.object.value()["metadata"]["deletionTimestamp"].is_null()
    };
    assert_eq!(history.iter().find(going).expect("one went").object.key.name, unready.as_str());
}

#[tokio::test(start_paused = true)]
async fn recreate_ends_all_old_pods_before_it_makes_new_ones() {
    let stage = Stage::usual().await;
    stage.create(
        Kind::Deployment,
        deployment("web", 3, |deployment| deployment["spec"]["strategy"] = json!({"type": "Recreate"})),
    );
    stage.rolled_out("web").await;
    stage.ready_are(3).await;
    let (before, from) = (uids(&stage), stage.store.version());
    stage.change(Kind::Deployment, "web", |deployment| restart(deployment, "2026-01-01T00:00:00Z"));
    stage.until("the old ones go", |stage| stage.ready() < 3).await;
    stage.rolled_out("web").await;
    stage.ready_are(3).await;
    let changes = stage.store.changes(Kind::Pod, from, usize::MAX).expect("remembered");
    let first_new = changes.iter().position(|change| change.happened == Happened::Added).expect("new ones");
    let last_old = changes
        .iter()
        .rposition(|change| {
            let over = change.object.value()["status"]["phase"] == "Succeeded";
            before.contains(&change.object.uid.to_string()) && !over
        })
        .expect("old ones");
    assert!(last_old < first_new, "a new Pod was made while an old one ran");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_waits_for_min_ready_seconds() {
    let stage = Stage::usual().await;
    stage.create(
        Kind::Deployment,
        deployment("web", 2, |deployment| deployment["spec"]["minReadySeconds"] = 10.into()),
    );
    let started = tokio::time::Instant::now();
    stage.rolled_out("web").await;
    assert!(started.elapsed() >= Duration::from_secs(9));
    assert_eq!(stage.all(Kind::ReplicaSet)[0]["spec"]["minReadySeconds"], 10);
    stage.change(Kind::Deployment, "web", |deployment| restart(deployment, "2026-01-01T00:00:00Z"));
    let started = tokio::time::Instant::now();
    stage.until("observed", |stage| stage.all(Kind::ReplicaSet).len() == 2).await;
    stage.rolled_out("web").await;
    assert!(started.elapsed() >= Duration::from_secs(18), "two Pods, one after the other");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_gets_no_further_says_so_and_goes_on_when_it_can() {
    let stage = Stage::usual().await;
    stage.create(
        Kind::Deployment,
        deployment("web", 2, |deployment| {
            deployment["spec"]["progressDeadlineSeconds"] = 30.into();
            deployment["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "fast"});
        }),
    );
    let reason = |stage: &Stage| {
        condition(&stage.deployment("web"), "Progressing").map_or(Value::Null, |one| one["reason"].clone())
    };
    let started = tokio::time::Instant::now();
    stage.until("late", |stage| reason(stage) == "ProgressDeadlineExceeded").await;
    assert!(started.elapsed() >= Duration::from_secs(29));
    let late = stage.deployment("web");
    assert_eq!(rollout_status(&late).1, "deployment \"web\" exceeded its progress deadline");
    assert_eq!(condition(&late, "Progressing").expect("the condition")["status"], "False");
    stage.change(Kind::Node, "node-0001", |node| node["metadata"]["labels"]["disk"] = "fast".into());
    stage.rolled_out("web").await;
    stage.until("progressed", |stage| reason(stage) == "NewReplicaSetAvailable").await;
}

#[tokio::test(start_paused = true)]
async fn rollout_status_tells_its_way_in_kubectls_words() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 4, |_| {}));
    stage.rolled_out("web").await;
    let from = stage.store.version();
    stage.change(Kind::Deployment, "web", |deployment| restart(deployment, "2026-01-01T00:00:00Z"));
    stage.until("observed", |stage| stage.all(Kind::ReplicaSet).len() == 2).await;
    stage.rolled_out("web").await;
    let changes = stage.store.changes(Kind::Deployment, from, usize::MAX).expect("remembered");
    let mut told: Vec<String> = Vec::new();
    for change in changes {
        let (_, said) = rollout_status(&change.object.value());
        let said = said.replace(|letter: char| letter.is_ascii_digit(), "N");
        if told.last() != Some(&said) {
            told.push(said);
        }
    }
    let waiting = "Waiting for deployment \"web\" rollout to finish:";
    assert_eq!(told.first().expect("something"), "Waiting for deployment spec update to be observed...\n");
    assert!(told.contains(&format!("{waiting} N out of N new replicas have been updated...\n")), "{told:?}");
    assert!(told.contains(&format!("{waiting} N old replicas are pending termination...\n")), "{told:?}");
    assert_eq!(told.last().expect("something"), "deployment \"web\" successfully rolled out\n");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_scaled_on_its_way_keeps_its_bounds() {
    let stage = Stage::start(Options { nodes: 6, ..Options::default() }).await;
    stage.create(Kind::Deployment, deployment("web", 8, |_| {}));
    stage.rolled_out("web").await;
    stage.ready_are(8).await;
    stage.change(Kind::Deployment, "web", |deployment| restart(deployment, "2026-01-01T00:00:00Z"));
    stage
        .until("on its way", |stage| {
            let status = &stage.deployment("web")["status"];
            status["updatedReplicas"].as_i64().is_some_and(|updated| updated > 2)
        })
        .await;
    let from = stage.store.version();
    stage.change(Kind::Deployment, "web", |deployment| deployment["spec"]["replicas"] = 16.into());
    stage.until("scaled", |stage| stage.active().len() >= 16).await;
    stage.rolled_out("web").await;
    stage.ready_are(16).await;
    let (least, most) = extremes(&stage, from);
    assert!(least >= 6, "{least} were available");
    assert!(most <= 20, "{most} Pods of 16 and a surge of 4");
}

#[tokio::test(start_paused = true)]
async fn a_second_change_on_the_way_leaves_the_first_behind() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 4, |_| {}));
    stage.rolled_out("web").await;
    stage.ready_are(4).await;
    let from = stage.store.version();
    for round in 1..=3 {
        stage.change(Kind::Deployment, "web", |deployment| {
            restart(deployment, &format!("2026-01-0{round}T00:00:00Z"));
        });
        stage.until("begun", |stage| stage.all(Kind::ReplicaSet).len() == round + 1).await;
    }
    stage.rolled_out("web").await;
    stage.ready_are(4).await;
    let (least, most) = extremes(&stage, from);
    assert!(least >= 3 && most <= 5, "{least} available, {most} Pods");
    let with_pods = stage.all(Kind::ReplicaSet).iter().filter(|set| set["spec"]["replicas"] != 0).count();
    assert_eq!(with_pods, 1);
}
