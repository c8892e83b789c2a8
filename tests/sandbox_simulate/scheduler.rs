//! The scheduler: which Node a Pod gets, and what is said when there is none.

use std::collections::BTreeMap;
use std::time::Duration;

use endpointslice_controller::sandbox::Kind;
use endpointslice_controller::sandbox::simulate::Options;
use serde_json::{Value, json};

use crate::stage::{Stage, condition, deployment, pod, text};

async fn with(nodes: u32, zones: usize) -> Stage {
    Stage::start(Options { nodes, zones, ..Options::default() }).await
}

fn counts(stage: &Stage, of: impl Fn(&Value) -> String) -> Vec<usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for pod in stage.all(Kind::Pod) {
        *counts.entry(of(&pod)).or_default() += 1;
    }
    counts.into_values().collect()
}

#[tokio::test(start_paused = true)]
async fn pods_go_to_the_emptiest_nodes() {
    let stage = with(4, 1).await;
    for number in 0..8 {
        stage.create(Kind::Pod, pod(&format!("pod-{number}"), |_| {}));
    }
    stage.ready_are(8).await;
    assert_eq!(counts(&stage, |pod| text(&pod["spec"]["nodeName"])), [2, 2, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_deployment_are_spread_over_zones_even_where_one_has_more_nodes() {
    // two Nodes in zone-a, one in zone-b
    let stage = with(3, 2).await;
    stage.create(Kind::Deployment, deployment("web", 6, |_| {}));
    stage.rolled_out("web").await;
    let zone = |pod: &Value| if pod["spec"]["nodeName"] == "node-0002" { "b" } else { "a" }.to_owned();
    assert_eq!(counts(&stage, zone), [3, 3]);
    assert_eq!(counts(&stage, |pod| text(&pod["spec"]["nodeName"])), [2, 3, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_bound_pod_says_so() {
    let stage = with(1, 1).await;
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.until("bound", |stage| !stage.pod("one")["spec"]["nodeName"].is_null()).await;
    let history = stage.history(Kind::Pod);
    let bound = history.iter().map(|change| change.object.value());
    let bound = bound.clone().find(|pod| pod["spec"]["nodeName"] == "node-0001").expect("a binding");
    assert_eq!(condition(&bound, "PodScheduled").expect("the condition")["status"], "True");
    let said = "Successfully assigned default/one to node-0001";
    assert!(stage.events("one").contains(&("Scheduled".to_owned(), said.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_selector_and_a_required_affinity_are_respected() {
    let stage = with(3, 3).await;
    stage.create(
        Kind::Pod,
        pod("by-selector", |pod| {
            pod["spec"]["nodeSelector"] = json!({"topology.kubernetes.io/zone": "zone-b"});
        }),
    );
    stage.create(
        Kind::Pod,
        pod("by-affinity", |pod| {
            let expression =
                json!({"key": "topology.kubernetes.io/zone", "operator": "NotIn", "values": ["zone-a", "zone-b"]});
            pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
                json!({"nodeSelectorTerms": [{"matchExpressions": [expression]}]});
        }),
    );
    stage.ready_are(2).await;
    assert_eq!(stage.pod("by-selector")["spec"]["nodeName"], "node-0002");
    assert_eq!(stage.pod("by-affinity")["spec"]["nodeName"], "node-0003");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_fits_nowhere_waits_with_a_condition_and_an_event() {
    let stage = with(3, 3).await;
    stage.change(Kind::Node, "node-0001", |node| node["spec"]["unschedulable"] = true.into());
    stage.create(Kind::Pod, pod("one", |pod| pod["spec"]["nodeSelector"] = json!({"disk": "fast"})));
    stage.until("said", |stage| condition(&stage.pod("one"), "PodScheduled").is_some()).await;
    let said = "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node \
                affinity/selector. no new claims to deallocate, preemption: 0/3 nodes are available: 3 \
                Preemption is not helpful for scheduling.";
    let one = stage.pod("one");
    let scheduled = condition(&one, "PodScheduled").expect("the condition");
    assert_eq!(scheduled["status"], "False");
    assert_eq!(scheduled["reason"], "Unschedulable");
    assert_eq!(scheduled["message"], said);
    assert!(stage.events("one").contains(&("FailedScheduling".to_owned(), said.to_owned())));
    assert!(one["spec"]["nodeName"].is_null());
    // a label on a Node changes that
    stage.change(Kind::Node, "node-0003", |node| node["metadata"]["labels"]["disk"] = "fast".into());
    stage.ready_are(1).await;
    assert_eq!(stage.pod("one")["spec"]["nodeName"], "node-0003");
    assert_eq!(condition(&stage.pod("one"), "PodScheduled").expect("the condition")["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn without_nodes_a_pod_waits_for_one() {
    let stage = with(0, 1).await;
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.until("said", |stage| condition(&stage.pod("one"), "PodScheduled").is_some()).await;
    let message = text(&condition(&stage.pod("one"), "PodScheduled").expect("the condition")["message"]);
    assert_eq!(message, "no nodes available to schedule pods");
    stage.create(Kind::Node, json!({"metadata": {"name": "mine"}}));
    stage.ready_are(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_cordoned_node_gets_no_pods_but_those_that_tolerate_it() {
    let stage = with(1, 1).await;
    stage.change(Kind::Node, "node-0001", |node| node["spec"]["unschedulable"] = true.into());
    let toleration = json!({"key": "node.kubernetes.io/unschedulable", "operator": "Exists"});
    stage.create(Kind::Pod, pod("tolerant", |pod| pod["spec"]["tolerations"] = json!([toleration])));
    stage.create(Kind::Pod, pod("other", |_| {}));
    stage.until("one runs", |stage| stage.ready() == 1).await;
    stage.pass(Duration::from_secs(60)).await;
    assert_eq!(stage.pod("tolerant")["spec"]["nodeName"], "node-0001");
    assert!(stage.pod("other")["spec"]["nodeName"].is_null());
    stage.change(Kind::Node, "node-0001", |node| node["spec"]["unschedulable"] = false.into());
    stage.ready_are(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_node_takes_a_pod_when_another_went() {
    let stage = with(1, 1).await;
    stage.change_part(Kind::Node, "node-0001", Some("status"), |node| {
        node["status"]["allocatable"]["pods"] = "1".into();
    });
    stage.create(Kind::Pod, pod("first", |_| {}));
    stage.ready_are(1).await;
    stage.create(Kind::Pod, pod("second", |_| {}));
    stage.until("said", |stage| condition(&stage.pod("second"), "PodScheduled").is_some()).await;
    let message = text(&condition(&stage.pod("second"), "PodScheduled").expect("the condition")["message"]);
    assert!(message.starts_with("0/1 nodes are available: 1 Too many pods."), "{message}");
    stage.delete(Kind::Pod, "first", 5);
    stage.until("the second runs", |stage| stage.ready() == 1 && stage.all(Kind::Pod).len() == 1).await;
    assert_eq!(stage.pod("second")["spec"]["nodeName"], "node-0001");
}

#[tokio::test(start_paused = true)]
async fn a_pod_with_scheduling_gates_is_left_alone() {
    let stage = with(1, 1).await;
    stage.create(Kind::Pod, pod("one", |pod| pod["spec"]["schedulingGates"] = json!([{"name": "wait"}])));
    stage.pass(Duration::from_secs(30)).await;
    assert!(stage.pod("one")["spec"]["nodeName"].is_null());
    stage.change(Kind::Pod, "one", |pod| {
        pod["spec"].as_object_mut().expect("a spec").remove("schedulingGates");
    });
    stage.ready_are(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_nodes_at_the_same_times() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let stage = Stage::start(Options { nodes: 5, zones: 2, seed: 7, ..Options::default() }).await;
        let started = tokio::time::Instant::now();
        for number in 0..10 {
            stage.create(Kind::Pod, pod(&format!("pod-{number}"), |_| {}));
        }
        stage.ready_are(10).await;
        let nodes: Vec<Value> =
            stage.all(Kind::Pod).iter().map(|pod| pod["spec"]["nodeName"].clone()).collect();
        runs.push((nodes, started.elapsed()));
    }
    assert_eq!(runs[0], runs[1]);
}
