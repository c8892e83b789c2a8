//! Kubelets: a Pod's way from its binding to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use endpointslice_controller::sandbox::Kind;
use endpointslice_controller::sandbox::simulate::Options;
use endpointslice_controller::sandbox::store::Happened;
use serde_json::{Value, json};

use crate::stage::{Stage, condition, is_ready, key, pod, text};

async fn one_node() -> Stage {
    Stage::start(Options { nodes: 1, zones: 1, ..Options::default() }).await
}

/// The states of a Pod, without those in which only its version differs.
fn states(stage: &Stage, name: &str) -> Vec<Value> {
    let history = stage.history(Kind::Pod);
    history
        .iter()
        .filter(|change| change.object.key.name == name)
        .map(|change| change.object.value())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_running_pod_has_addresses_of_both_families_from_its_nodes_range() {
    let stage = Stage::usual().await;
    for name in ["a", "b", "c", "d"] {
        stage.create(Kind::Pod, pod(name, |_| {}));
    }
    stage.ready_are(4).await;
    for name in ["a", "b", "c", "d"] {
        let pod = stage.pod(name);
        let number =
            text(&pod["spec"]["nodeName"]).trim_start_matches("node-").parse::<u32>().expect("a number");
        let status = &pod["status"];
        assert_eq!(status["hostIP"], format!("172.16.0.{number}"));
        assert_eq!(
            status["hostIPs"],
            json!([{"ip": format!("172.16.0.{number}")}, {"ip": format!("fd00:172:16::{number}")}])
        );
        assert_eq!(status["podIP"], status["podIPs"][0]["ip"]);
        assert!(text(&status["podIPs"][0]["ip"]).starts_with(&format!("10.128.{number}.")));
        assert!(text(&status["podIPs"][1]["ip"]).starts_with(&format!("fd00:10:128:{number}::")));
    }
}

#[tokio::test(start_paused = true)]
async fn conditions_stand_in_the_kubelets_order_with_times() {
    let stage = one_node().await;
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.ready_are(1).await;
    let pod = stage.pod("one");
    let conditions = pod["status"]["conditions"].as_array().expect("conditions");
    let names: Vec<String> = conditions.iter().map(|condition| text(&condition["type"])).collect();
    let expected = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    assert_eq!(names, expected);
    for condition in conditions {
        assert_eq!(condition["status"], "True");
        assert!(text(&condition["lastTransitionTime"]).ends_with('Z'));
    }
    assert_eq!(pod["status"]["phase"], "Running");
    assert!(!pod["status"]["startTime"].is_null());
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!(status["name"], "web");
    assert_eq!(status["ready"], true);
    assert_eq!(status["started"], true);
    assert_eq!(status["restartCount"], 0);
    assert_eq!(status["image"], "docker.io/library/nginx:latest");
    assert!(text(&status["imageID"]).starts_with("docker.io/library/nginx@sha256:"));
    assert!(!status["state"]["running"]["startedAt"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_created_then_runs_then_becomes_ready() {
    let stage = one_node().await;
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.ready_are(1).await;
    let states = states(&stage, "one");
    let creating =
        states.iter().find(|pod| !pod["status"]["containerStatuses"].is_null()).expect("a kubelet's word");
    assert_eq!(creating["status"]["phase"], "Pending");
    assert_eq!(creating["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
    let ready = condition(creating, "Ready").expect("the condition");
    assert_eq!(ready["status"], "False");
    assert_eq!(ready["reason"], "ContainersNotReady");
    assert_eq!(ready["message"], "containers with unready status: [web]");
    let running = states.iter().find(|pod| pod["status"]["phase"] == "Running").expect("it runs");
    assert!(!is_ready(running), "it is ready only later");
    assert_eq!(running["status"]["containerStatuses"][0]["ready"], false);
    assert!(is_ready(states.last().expect("a state")));
}

#[tokio::test(start_paused = true)]
async fn readiness_takes_about_a_second_and_speed_divides_it() {
    for (speed, least, most) in [(1.0, 700, 1350), (10.0, 70, 180)] {
        let stage = Stage::start(Options { nodes: 1, speed, ..Options::default() }).await;
        let started = tokio::time::Instant::now();
        stage.create(Kind::Pod, pod("one", |_| {}));
        stage.ready_are(1).await;
        let took = started.elapsed().as_millis();
        assert!((least..=most).contains(&took), "{took} ms at speed {speed}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_a_pod_becomes_ready_in_one_write() {
    let options = Options { nodes: 1, ready_after: Duration::ZERO, events: false, ..Options::default() };
    let stage = Stage::start(options).await;
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.ready_are(1).await;
    assert_eq!(states(&stage, "one").len(), 3, "made, bound, ready");
    assert!(stage.all(Kind::Event).is_empty());
}

#[tokio::test(start_paused = true)]
async fn addresses_are_never_those_of_a_live_pod() {
    let stage = Stage::start(Options { nodes: 0, ready_after: Duration::ZERO, ..Options::default() }).await;
    let ranges = ["10.9.0.0/28", "fd00:9::/64"];
    let spec = json!({"podCIDR": ranges[0], "podCIDRs": ranges});
    stage.create(Kind::Node, json!({"metadata": {"name": "mine"}, "spec": spec}));
    stage.pass(Duration::from_secs(1)).await;
    // somebody else's, with an address of the range
    stage.create(
        Kind::Pod,
        pod("theirs", |pod| {
            pod["spec"]["nodeName"] = "mine".into();
            pod["spec"]["containers"][0]["name"] = "theirs".into();
        }),
    );
    stage.change_part(Kind::Pod, "theirs", Some("status"), |pod| {
        pod["status"]["phase"] = "Running".into();
        pod["status"]["podIP"] = "10.9.0.2".into();
        pod["status"]["podIPs"] = json!([{"ip": "10.9.0.2"}, {"ip": "fd00:9::2"}]);
    });
    for round in 0..5 {
        for number in 0..10 {
            stage.create(Kind::Pod, pod(&format!("pod-{round}-{number}"), |_| {}));
        }
        stage.until("ten run", |stage| stage.ready() == 10).await;
        let addresses: BTreeSet<String> =
            stage.all(Kind::Pod).iter().map(|pod| text(&pod["status"]["podIP"])).collect();
        assert_eq!(addresses.len(), 11, "an address was given twice: {addresses:?}");
        for number in 0..10 {
            stage.delete(Kind::Pod, &format!("pod-{round}-{number}"), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_an_address_when_the_range_is_used_up() {
    let stage = Stage::start(Options { nodes: 0, ..Options::default() }).await;
    let spec = json!({"podCIDR": "10.9.0.0/30", "podCIDRs": ["10.9.0.0/30"]});
    stage.create(Kind::Node, json!({"metadata": {"name": "mine"}, "spec": spec}));
    for name in ["a", "b", "c"] {
        stage.create(Kind::Pod, pod(name, |_| {}));
    }
    stage.until("two run", |stage| stage.ready() == 2).await;
    let third = ["a", "b", "c"].into_iter().find(|name| !is_ready(&stage.pod(name))).expect("one waits");
    let said =
        |stage: &Stage| stage.events(third).iter().any(|(reason, _)| reason == "FailedCreatePodSandBox");
    stage.until("said", said).await;
    assert_eq!(stage.pod(third)["status"]["phase"], "Pending");
    stage.delete(Kind::Pod, if third == "a" { "b" } else { "a" }, 5);
    stage.until("the third runs", |stage| is_ready(&stage.pod(third))).await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_the_hosts_network_has_the_nodes_addresses() {
    let stage = one_node().await;
    for name in ["a", "b"] {
        stage.create(Kind::Pod, pod(name, |pod| pod["spec"]["hostNetwork"] = true.into()));
    }
    stage.ready_are(2).await;
    for name in ["a", "b"] {
        let pod = stage.pod(name);
        assert_eq!(pod["status"]["podIPs"], json!([{"ip": "172.16.0.1"}, {"ip": "fd00:172:16::1"}]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_readiness_gate_keeps_a_pod_from_being_ready_until_it_opens() {
    let stage = one_node().await;
    stage.create(
        Kind::Pod,
        pod("one", |pod| pod["spec"]["readinessGates"] = json!([{"conditionType": "ours/gate"}])),
    );
    stage
        .until("its containers are ready", |stage| {
            condition(&stage.pod("one"), "ContainersReady")
                .is_some_and(|condition| condition["status"] == "True")
        })
        .await;
    let pod = stage.pod("one");
    let ready = condition(&pod, "Ready").expect("the condition");
    assert_eq!(ready["reason"], "ReadinessGatesNotReady");
    let message = "corresponding condition of pod readiness gate \"ours/gate\" does not exist.";
    assert_eq!(ready["message"], message);
    let gate = |status: &'static str| {
        move |pod: &mut Value| {
            let conditions = pod["status"]["conditions"].as_array_mut().expect("conditions");
            conditions.retain(|condition| condition["type"] != "ours/gate");
            conditions.push(
                json!({"type": "ours/gate", "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"}),
            );
        }
    };
    stage.change_part(Kind::Pod, "one", Some("status"), gate("True"));
    stage.until("ready", |stage| is_ready(&stage.pod("one"))).await;
    stage.change_part(Kind::Pod, "one", Some("status"), gate("False"));
    stage.until("not ready", |stage| !is_ready(&stage.pod("one"))).await;
    let pod = stage.pod("one");
    let message = "the status of pod readiness gate \"ours/gate\" is not \"True\", but False";
    assert_eq!(condition(&pod, "Ready").expect("the condition")["message"], message);
    assert!(condition(&pod, "ours/gate").is_some(), "the kubelet left it alone");
}

#[tokio::test(start_paused = true)]
async fn init_containers_have_ended_and_sidecars_run_beside_the_others() {
    let stage = one_node().await;
    stage.create(
        Kind::Pod,
        pod("one", |pod| {
            pod["spec"]["initContainers"] = json!([
                {"name": "first", "image": "busybox:1.37"},
                {"name": "beside", "image": "registry.example:5000/proxy", "restartPolicy": "Always"},
            ]);
        }),
    );
    stage.until("creating", |stage| !stage.pod("one")["status"]["initContainerStatuses"].is_null()).await;
    let pod = stage.pod("one");
    let initialized = condition(&pod, "Initialized").expect("the condition");
    assert_eq!(initialized["status"], "False");
    assert_eq!(initialized["message"], "containers with incomplete status: [first beside]");
    stage.ready_are(1).await;
    let statuses = stage.pod("one")["status"]["initContainerStatuses"].clone();
    assert_eq!(statuses[0]["state"]["terminated"]["reason"], "Completed");
    assert_eq!(statuses[0]["ready"], true);
    assert!(!statuses[1]["state"]["running"].is_null());
    assert_eq!(statuses[1]["image"], "registry.example:5000/proxy:latest");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_first_not_ready_then_gone_within_its_grace() {
    let stage = one_node().await;
    for grace in [1, 2, 30] {
        stage.create(Kind::Pod, pod("one", |_| {}));
        stage.ready_are(1).await;
        let from = stage.store.version();
        let started = tokio::time::Instant::now();
        stage.delete(Kind::Pod, "one", grace);
        stage.until("gone", |stage| stage.all(Kind::Pod).is_empty()).await;
        let took = started.elapsed();
        let grace = Duration::from_secs(u64::try_from(grace).expect("positive"));
        assert!(took <= grace + Duration::from_millis(300) && took < Duration::from_secs(3), "{took:?}");
        let changes = stage.store.changes(Kind::Pod, from, usize::MAX).expect("remembered");
        let mut seen: Vec<(bool, bool)> = changes
            .iter()
            .map(|change| (is_ready(&change.object.value()), change.happened == Happened::Deleted))
            .collect();
        seen.dedup();
        assert_eq!(seen, [(true, false), (false, false), (false, true)], "going, not ready, gone");
        let over = changes[1].object.value();
        assert_eq!(over["status"]["phase"], "Succeeded");
        let terminated = &over["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(terminated["exitCode"], 0);
        assert_eq!(condition(&over, "Ready").expect("the condition")["reason"], "PodCompleted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_with_a_finalizer_stands_until_it_is_taken_away() {
    let stage = one_node().await;
    stage.create(Kind::Pod, pod("one", |pod| pod["metadata"]["finalizers"] = json!(["ours/keep"])));
    stage.ready_are(1).await;
    stage.delete(Kind::Pod, "one", 5);
    stage.pass(Duration::from_secs(60)).await;
    assert!(!is_ready(&stage.pod("one")));
    stage.change(Kind::Pod, "one", |pod| pod["metadata"]["finalizers"] = json!([]));
    stage.until("gone", |stage| stage.all(Kind::Pod).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn the_events_are_those_of_a_kubelet() {
    let stage = one_node().await;
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.ready_are(1).await;
    stage.delete(Kind::Pod, "one", 5);
    stage.until("gone", |stage| stage.all(Kind::Pod).is_empty()).await;
    let said = [
        ("Scheduled", "Successfully assigned default/one to node-0001"),
        ("Pulled", "Container image \"nginx\" already present on machine and can be accessed by the pod"),
        ("Created", "Container created"),
        ("Started", "Container started"),
        ("Killing", "Stopping container web"),
    ];
    let said: BTreeSet<(String, String)> =
        said.iter().map(|(reason, message)| ((*reason).to_owned(), (*message).to_owned())).collect();
    assert_eq!(stage.events("one"), said);
    let started = stage.all(Kind::Event).into_iter().find(|event| event["reason"] == "Started").expect("it");
    assert_eq!(started["source"], json!({"component": "kubelet", "host": "node-0001"}));
    assert_eq!(started["involvedObject"]["fieldPath"], "spec.containers{web}");
    assert_eq!(started["count"], 1);
    assert_eq!(started["type"], "Normal");
}

#[tokio::test(start_paused = true)]
async fn readiness_can_be_said_for_a_pod_before_and_after_it_runs() {
    let stage = one_node().await;
    stage.create(Kind::Pod, pod("one", |_| {}));
    stage.simulation.set_ready(&key("one"), false).expect("said");
    stage.until("it runs", |stage| stage.pod("one")["status"]["phase"] == "Running").await;
    stage.pass(Duration::from_secs(30)).await;
    assert!(!is_ready(&stage.pod("one")), "it was said not to be");
    for ready in [true, false, true] {
        stage.simulation.set_ready(&key("one"), ready).expect("said");
        let pod = stage.pod("one");
        assert_eq!(is_ready(&pod), ready);
        assert_eq!(pod["status"]["containerStatuses"][0]["ready"], ready);
        stage.pass(Duration::from_secs(5)).await;
        assert_eq!(is_ready(&stage.pod("one")), ready, "it stays as it was said");
    }
    assert_eq!(stage.simulation.set_ready(&key("other"), true).expect_err("there is none").code, 404);
}

#[tokio::test(start_paused = true)]
async fn readiness_flaps_at_the_wanted_rate_and_comes_back() {
    let options = Options { nodes: 3, events: false, flap: 4.0, ..Options::default() };
    let stage = Stage::start(options).await;
    for number in 0..100 {
        stage.create(Kind::Pod, pod(&format!("pod-{number}"), |_| {}));
    }
    stage.pass(Duration::from_secs(10)).await;
    let from = stage.store.version();
    stage.pass(Duration::from_secs(100)).await;
    let changes = stage.store.changes(Kind::Pod, from, usize::MAX).expect("remembered");
    let away = changes.iter().filter(|change| !is_ready(&change.object.value())).count();
    let back = changes.len() - away;
    assert!((320..=480).contains(&changes.len()), "{} changes in 100 s at 4 a second", changes.len());
    assert!(away.abs_diff(back) < 20, "{away} went, {back} came back");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_has_ended_by_itself_is_left_alone_and_can_be_deleted() {
    let stage = one_node().await;
    stage.create(Kind::Pod, pod("one", |pod| pod["spec"]["restartPolicy"] = "Never".into()));
    stage.ready_are(1).await;
    stage.change_part(Kind::Pod, "one", Some("status"), |pod| pod["status"]["phase"] = "Succeeded".into());
    let version = stage.store.version();
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!(stage.history(Kind::Pod).last().expect("a change").object.version, version);
    stage.delete(Kind::Pod, "one", 30);
    stage.until("gone", |stage| stage.all(Kind::Pod).is_empty()).await;
}
