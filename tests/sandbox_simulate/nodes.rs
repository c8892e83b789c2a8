//! Nodes: the simulation's own, those of a person, cordoned ones and such as go.

use std::collections::BTreeSet;
use std::time::Duration;

use endpointslice_controller::sandbox::Kind;
use endpointslice_controller::sandbox::simulate::Options;
use serde_json::json;

use crate::stage::{Stage, condition, deployment, is_ready, pod, text};

fn five() -> Options {
    Options { nodes: 5, zones: 2, ..Options::default() }
}

#[tokio::test(start_paused = true)]
async fn the_simulations_nodes_are_named_labelled_and_spread_over_zones() {
    let stage = Stage::start(five()).await;
    let nodes = stage.all(Kind::Node);
    let names: Vec<String> = nodes.iter().map(|node| text(&node["metadata"]["name"])).collect();
    assert_eq!(names, ["node-0001", "node-0002", "node-0003", "node-0004", "node-0005"]);
    let zones: Vec<String> =
        nodes.iter().map(|node| text(&node["metadata"]["labels"]["topology.kubernetes.io/zone"])).collect();
    assert_eq!(zones, ["zone-a", "zone-b", "zone-a", "zone-b", "zone-a"]);
    for (node, name) in nodes.iter().zip(&names) {
        let labels = &node["metadata"]["labels"];
        assert_eq!(labels["kubernetes.io/hostname"], name.as_str());
        assert_eq!(labels["kubernetes.io/os"], "linux");
        assert_eq!(labels["kubernetes.io/arch"], "amd64");
        assert!(!labels["topology.kubernetes.io/region"].is_null());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_reports_capacity_addresses_conditions_and_what_it_runs() {
    let stage = Stage::start(five()).await;
    let node = stage.get(Kind::Node, "node-0002").expect("the Node");
    let status = &node["status"];
    assert_eq!(status["capacity"]["pods"], "250");
    assert_eq!(status["allocatable"]["pods"], "250");
    let addresses: Vec<(String, String)> = status["addresses"]
        .as_array()
        .expect("addresses")
        .iter()
        .map(|address| (text(&address["type"]), text(&address["address"])))
        .collect();
    let internal = |address: &str| ("InternalIP".to_owned(), address.to_owned());
    let host = ("Hostname".to_owned(), "node-0002".to_owned());
    assert_eq!(addresses, [internal("172.16.0.2"), internal("fd00:172:16::2"), host]);
    let conditions: Vec<(String, String)> = status["conditions"]
        .as_array()
        .expect("conditions")
        .iter()
        .map(|condition| (text(&condition["type"]), text(&condition["status"])))
        .collect();
    let expected =
        [("MemoryPressure", "False"), ("DiskPressure", "False"), ("PIDPressure", "False"), ("Ready", "True")];
    assert_eq!(conditions, expected.map(|(name, status)| (name.to_owned(), status.to_owned())));
    assert_eq!(status["nodeInfo"]["kubeletVersion"], "v1.36.3");
    assert_eq!(node["spec"]["podCIDRs"], json!(["10.128.2.0/24", "fd00:10:128:2::/64"]));
    assert_eq!(node["spec"]["podCIDR"], "10.128.2.0/24");
}

#[tokio::test(start_paused = true)]
async fn ranges_suffice_for_five_thousand_nodes_and_do_not_overlap() {
    let stage = Stage::start(Options { nodes: 5000, ..Options::default() }).await;
    let mut ranges = BTreeSet::new();
    for node in stage.all(Kind::Node) {
        for range in node["spec"]["podCIDRs"].as_array().expect("ranges") {
            let range = text(range);
            let v4 = range.strip_suffix(".0/24").is_some_and(|base| base.starts_with("10."));
            let v6 = range.strip_suffix("::/64").is_some_and(|base| base.starts_with("fd00:10:128:"));
            assert!(v4 || v6, "{range} holds less than 250 addresses, or is of another plan");
            assert!(ranges.insert(range), "a range was given twice");
        }
    }
    assert_eq!(ranges.len(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_node_is_renewed_every_five_minutes_and_not_more_often() {
    let stage = Stage::usual().await;
    let before = stage.history(Kind::Node).len();
    stage.pass(Duration::from_secs(3000)).await;
    let renewals = stage.history(Kind::Node).len() - before;
    assert!((3 * 9..=3 * 11).contains(&renewals), "{renewals} renewals of 3 Nodes in 3,000 s");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_a_person_adds_gets_a_range_and_reports_and_takes_pods() {
    let stage = Stage::start(Options { nodes: 1, ..Options::default() }).await;
    let node = json!({"metadata": {"name": "mine", "labels": {"disk": "fast"}}});
    stage.create(Kind::Node, node);
    stage.create(Kind::Pod, pod("one", |pod| pod["spec"]["nodeSelector"] = json!({"disk": "fast"})));
    stage.ready_are(1).await;
    let node = stage.get(Kind::Node, "mine").expect("the Node");
    assert_eq!(node["spec"]["podCIDRs"], json!(["10.128.2.0/24", "fd00:10:128:2::/64"]));
    assert_eq!(node["metadata"]["labels"]["disk"], "fast");
    assert_eq!(node["metadata"]["labels"]["kubernetes.io/hostname"], "mine");
    assert_eq!(condition(&node, "Ready").expect("Ready")["status"], "True");
    assert_eq!(stage.pod("one")["spec"]["nodeName"], "mine");
    assert_eq!(stage.pod("one")["status"]["podIP"], "10.128.2.1");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_said_of_a_node_stays() {
    let stage = Stage::start(Options { nodes: 0, ..Options::default() }).await;
    let node = json!({
        "metadata": {"name": "mine"},
        "spec": {"podCIDR": "192.168.7.0/28", "podCIDRs": ["192.168.7.0/28"]},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.7"}]},
    });
    stage.create(Kind::Node, node.clone());
    stage.change_part(Kind::Node, "mine", Some("status"), |value| value["status"] = node["status"].clone());
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.ready_are(1).await;
    assert_eq!(
        stage.get(Kind::Node, "mine").expect("the Node")["spec"]["podCIDRs"],
        json!(["192.168.7.0/28"])
    );
    let status = &stage.pod("one")["status"];
    assert_eq!(status["hostIP"], "192.168.0.7");
    assert_eq!(status["podIPs"], json!([{"ip": "192.168.7.1"}]), "the only family of the Node");
}

#[tokio::test(start_paused = true)]
async fn a_cordoned_node_gets_the_taint_and_loses_it_again() {
    let stage = Stage::usual().await;
    stage.change(Kind::Node, "node-0001", |node| node["spec"]["unschedulable"] = true.into());
    let taints =
        |stage: &Stage| stage.get(Kind::Node, "node-0001").expect("the Node")["spec"]["taints"].clone();
    stage.until("tainted", |stage| !taints(stage).is_null()).await;
    let taint = taints(&stage)[0].clone();
    assert_eq!(taint["key"], "node.kubernetes.io/unschedulable");
    assert_eq!(taint["effect"], "NoSchedule");
    assert!(!taint["timeAdded"].is_null());
    stage.change(Kind::Node, "node-0001", |node| {
        node["spec"].as_object_mut().expect("a spec").remove("unschedulable");
    });
    stage.until("clean", |stage| taints(stage).is_null()).await;
}

#[tokio::test(start_paused = true)]
async fn other_taints_stay_when_a_node_is_cordoned_and_uncordoned() {
    let stage = Stage::usual().await;
    let own = json!({"key": "own", "effect": "PreferNoSchedule"});
    stage.change(Kind::Node, "node-0001", |node| {
        node["spec"]["taints"] = json!([own]);
        node["spec"]["unschedulable"] = true.into();
    });
    let taints = |stage: &Stage| {
        let node = stage.get(Kind::Node, "node-0001").expect("the Node");
        node["spec"]["taints"].as_array().map_or(0, Vec::len)
    };
    stage.until("tainted", |stage| taints(stage) == 2).await;
    stage.change(Kind::Node, "node-0001", |node| node["spec"]["unschedulable"] = false.into());
    stage.until("clean", |stage| taints(stage) == 1).await;
    let node = stage.get(Kind::Node, "node-0001").expect("the Node");
    assert_eq!(node["spec"]["taints"][0]["key"], "own");
}

#[tokio::test(start_paused = true)]
async fn a_drained_nodes_pods_come_back_elsewhere() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 6, |_| {}));
    stage.rolled_out("web").await;
    stage.change(Kind::Node, "node-0001", |node| node["spec"]["unschedulable"] = true.into());
    let here = |stage: &Stage| {
        let pods = stage.all(Kind::Pod).into_iter().filter(|pod| pod["spec"]["nodeName"] == "node-0001");
        pods.map(|pod| text(&pod["metadata"]["name"])).collect::<Vec<_>>()
    };
    let drained = here(&stage);
    assert_eq!(drained.len(), 2);
    for name in &drained {
        stage.delete(Kind::Pod, name, 30);
    }
    stage.until("six elsewhere", |stage| here(stage).is_empty() && stage.ready() == 6).await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_nodes_pods_go_and_are_replaced() {
    let stage = Stage::usual().await;
    stage.create(Kind::Deployment, deployment("web", 3, |_| {}));
    stage.rolled_out("web").await;
    stage.delete(Kind::Node, "node-0002", 0);
    let elsewhere = |stage: &Stage| {
        stage.all(Kind::Pod).iter().all(|pod| pod["spec"]["nodeName"] != "node-0002" && is_ready(pod))
    };
    stage.until("three elsewhere", |stage| stage.ready() == 3 && elsewhere(stage)).await;
    stage.pass(Duration::from_secs(600)).await;
    assert!(stage.get(Kind::Node, "node-0002").is_none(), "it came back");
}

#[tokio::test(start_paused = true)]
async fn a_range_of_a_deleted_node_is_given_again() {
    let stage = Stage::usual().await;
    stage.delete(Kind::Node, "node-0002", 0);
    stage.until("gone", |stage| stage.get(Kind::Node, "node-0002").is_none()).await;
    stage.create(Kind::Node, json!({"metadata": {"name": "mine"}}));
    let range = |stage: &Stage| stage.get(Kind::Node, "mine").expect("the Node")["spec"]["podCIDR"].clone();
    stage.until("a range", |stage| range(stage) == "10.128.2.0/24").await;
}
