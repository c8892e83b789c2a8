//! The simulation itself: its end, a second one on the same store, and changes that were forgotten.

use std::sync::Arc;
use std::time::Duration;

use endpointslice_controller::sandbox::Kind;
use endpointslice_controller::sandbox::simulate::{Options, Simulation};
use serde_json::json;

use crate::stage::{Stage, deployment, pod, store, text};

#[tokio::test(start_paused = true)]
async fn nothing_happens_after_it_was_stopped_or_dropped() {
    for stop in [true, false] {
        let stage = Stage::usual().await;
        stage.create(Kind::Deployment, deployment("web", 2, |_| {}));
        stage.rolled_out("web").await;
        let Stage { store, simulation } = stage;
        if stop {
            simulation.stop().await;
        } else {
            drop(simulation);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        store.create(Kind::Pod, "default", pod("late", |_| {}), false).expect("created");
        let version = store.version();
        tokio::time::sleep(Duration::from_secs(1000)).await;
        assert_eq!(store.version(), version);
        // a stopped one gives its store back
        assert_eq!(Arc::strong_count(&store), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_simulation_goes_on_where_the_first_was() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 3, |_| {}));
    stage
        .until("on its way", |stage| {
            let mut pods = stage.all(Kind::Pod).into_iter();
            pods.any(|pod| pod["status"]["phase"] == "Running")
        })
        .await;
    let ending = text(&stage.all(Kind::Pod)[0]["metadata"]["name"]);
    let Stage { store, simulation } = stage;
    simulation.stop().await;
    let stage = Stage { simulation: Simulation::start(Arc::clone(&store), Options::default()), store };
    stage.delete(Kind::Pod, &ending, 30);
    stage.rolled_out("web").await;
    stage.ready_are(3).await;
    assert_eq!(stage.all(Kind::Node).len(), 3);
    let addresses: std::collections::BTreeSet<String> =
        stage.all(Kind::Pod).iter().map(|pod| text(&pod["status"]["podIP"])).collect();
    assert_eq!(addresses.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn objects_that_stood_before_the_start_are_served() {
    let store = store();
    store.create(Kind::Deployment, "default", deployment("web", 2, |_| {}), false).expect("created");
    store.create(Kind::Pod, "default", pod("one", |_| {}), false).expect("created");
    let stage = Stage { simulation: Simulation::start(Arc::clone(&store), Options::default()), store };
    stage.ready_are(3).await;
}

#[tokio::test(start_paused = true)]
async fn changes_that_were_forgotten_are_made_up_for_by_a_list() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 3, |_| {}));
    stage.rolled_out("web").await;
    stage.ready_are(3).await;
    // all of it between two turns of the simulation: it never sees these changes
    let gone = text(&stage.all(Kind::Pod)[0]["metadata"]["name"]);
    stage.delete(Kind::Pod, &gone, 0);
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.change(Kind::Deployment, "web", |deployment| deployment["spec"]["replicas"] = 5.into());
    stage.create(Kind::Node, json!({"metadata": {"name": "mine"}}));
    stage.store.compact();
    stage.ready_are(6).await;
    stage.rolled_out("web").await;
    let node = stage.get(Kind::Node, "mine").expect("the Node");
    assert!(!node["spec"]["podCIDRs"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_the_same_name_is_another() {
    let stage = Stage::usual().await;
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.until("bound", |stage| !stage.pod("one")["spec"]["nodeName"].is_null()).await;
    for _ in 0..3 {
        stage.delete(Kind::Pod, "one", 0);
        stage.create(Kind::Pod, pod("one", |_| {}));
        stage.pass(Duration::from_millis(300)).await;
    }
    stage.ready_are(1).await;
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_written_but_the_nodes_times() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 5, |_| {}));
    stage.rolled_out("web").await;
    stage.pass(Duration::from_secs(10)).await;
    let counts = |stage: &Stage| {
        [Kind::Pod, Kind::ReplicaSet, Kind::Deployment, Kind::Event].map(|kind| stage.history(kind).len())
    };
    let before = counts(&stage);
    stage.pass(Duration::from_secs(3000)).await;
    assert_eq!(counts(&stage), before);
}

#[tokio::test(start_paused = true)]
async fn a_readiness_change_costs_the_pod_its_replicaset_and_its_deployment_one_write_each() {
    let stage = Stage::usual().await;
    for number in 0..20 {
        stage.create(Kind::Deployment, deployment(&format!("web-{number}"), 4, |_| {}));
    }
    stage.ready_are(80).await;
    stage.pass(Duration::from_secs(5)).await;
    let version = stage.store.version();
    let key = stage.store.list(Kind::Pod, None).1[7].key.clone();
    stage.simulation.set_ready(&key, false).expect("said");
    stage.pass(Duration::from_secs(5)).await;
    assert_eq!(stage.store.version() - version, 3);
}
