//! What happens to Pods and Nodes, and what the slices say of it, on a real API server.

use serde_json::{Value, json};

use crate::play::{Play, SETTLED, ips, uid_of, web};
use crate::support::pods::{condition, node, pod, service};
use crate::support::wait::SOON;
use crate::support::{Stage, World, eventually};

const EMPTY: &str = "IPv4 - = -";
/// A group with a Pod that has no address (yet) is desired, but no slice is made for no endpoint.
const ONE: &str = "IPv4 http:8080/TCP = 10.1.0.1 RSt";

/// What is said of one address: the whole endpoint.
async fn said(world: &World, service: &str, address: &str) -> Value {
    let slices = world.slices(service).await;
    let mut endpoints = slices.iter().flat_map(|s| s["endpoints"].as_array().cloned().unwrap_or_default());
    endpoints.find(|endpoint| endpoint["addresses"][0] == address).unwrap_or_default()
}

#[tokio::test]
async fn a_pod_is_followed_from_creation_to_its_end() {
    let Some(play) = Play::begin("life").await else { return };
    let node = play.node_in("node", "zone-a").await;
    play.service(web("web")).await;
    play.see("web", &[EMPTY]).await;
    let uid = uid_of(&play.only("web").await);
    // Created without an address: nothing.
    let mut created = pod("web-0", "web", "10.1.0.1").on(&node);
    created.0["status"] = Value::Null;
    let made = play.pod(created).await;
    play.patch_status("pods", "web-0", json!({"phase": "Pending"})).await;
    play.settle(SETTLED).await;
    play.see("web", &[EMPTY]).await;
    // An address, but not ready.
    let status = json!({"phase": "Running", "podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}],
                        "conditions": [condition("Ready", false)]});
    play.patch_status("pods", "web-0", status).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst"]).await;
    play.promise("web", &ips(&["10.1.0.1"]), &[Some("http")]).await;
    let endpoint = said(&play, "web", "10.1.0.1").await;
    assert_eq!(
        endpoint["targetRef"],
        json!({"kind": "Pod", "namespace": play.namespace(), "name": "web-0", "uid": made["metadata"]["uid"]})
    );
    assert_eq!((&endpoint["nodeName"], &endpoint["zone"]), (&json!(node), &json!("zone-a")));
    assert!(endpoint["deprecatedTopology"].is_null());
    // Ready, and not.
    assert_eq!(play.writes("web", async { drop(play.set_ready("web-0", true).await) }).await, (0, 1, 0));
    play.see("web", &[ONE]).await;
    play.set_ready("web-0", false).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst"]).await;
    play.set_ready("web-0", true).await;
    play.see("web", &[ONE]).await;
    // What does not matter to slices writes nothing.
    let note = async {
        play.patch(
            "pods",
            "web-0",
            json!({"metadata": {"annotations": {"note": "x"}, "labels": {"more": "y"}}}),
        )
        .await;
        play.patch_status("pods", "web-0", json!({"message": "x"})).await;
    };
    assert_eq!(play.writes("web", note).await, (0, 0, 0));
    // Terminating: it serves on and is not ready; then it is gone.
    play.begin_termination("web-0").await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rST"]).await;
    play.set_ready("web-0", false).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rsT"]).await;
    play.consumer.release("web", &ips(&["10.1.0.1"]));
    play.delete("pods", "web-0").await;
    play.see("web", &[EMPTY]).await;
    assert_eq!(uid_of(&play.only("web").await), uid, "one slice from the first to the last");
    play.end().await;
}

#[tokio::test]
async fn pods_that_have_ended_are_not_published() {
    let Some(play) = Play::begin("phases").await else { return };
    play.pods("web", 3, 1).await;
    play.service(web("web")).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt, 10.1.0.3 RSt"]).await;
    play.promise("web", &ips(&["10.1.0.3"]), &[Some("http")]).await;
    // Only the phase changes.
    play.set_phase("web-0", "Succeeded").await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.2 RSt, 10.1.0.3 RSt"]).await;
    play.set_phase("web-1", "Failed").await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.3 RSt"]).await;
    play.set_phase("web-2", "Unknown").await;
    assert_eq!(play.writes("web", async {}).await, (0, 0, 0));
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.3 RSt"]).await;
    play.end().await;
}

#[tokio::test]
async fn a_finalizer_keeps_a_terminating_pod_published() {
    let Some(play) = Play::begin("finalizer").await else { return };
    play.pods("web", 1, 1).await;
    play.patch("pods", "web-0", json!({"metadata": {"finalizers": ["example.org/wait"]}})).await;
    play.service(web("web")).await;
    play.see("web", &[ONE]).await;
    play.promise("web", &ips(&["10.1.0.1"]), &[Some("http")]).await;
    play.delete("pods", "web-0").await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rST"]).await;
    play.settle(SETTLED).await;
    play.consumer.release("web", &ips(&["10.1.0.1"]));
    play.patch("pods", "web-0", json!({"metadata": {"finalizers": null}})).await;
    play.see("web", &[EMPTY]).await;
    play.end().await;
}

#[tokio::test]
async fn a_label_moves_a_pod_from_one_service_to_another() {
    let Some(play) = Play::begin("moves").await else { return };
    play.pods("one", 1, 1).await;
    for name in ["one", "two"] {
        play.service(web(name)).await;
    }
    let all = service("all", "").with("/spec/selector", json!({"tier": "front"})).port("http", 80, "8080");
    play.service(all).await;
    play.see("one", &[ONE]).await;
    play.see("two", &[EMPTY]).await;
    let label = async |labels: Value| {
        play.patch("pods", "one-0", json!({"metadata": {"labels": labels}})).await;
    };
    label(json!({"app": "two"})).await;
    play.see("two", &[ONE]).await;
    play.see("one", &[EMPTY]).await;
    label(json!({"tier": "front"})).await;
    play.see("all", &[ONE]).await;
    play.see("two", &[ONE]).await;
    label(json!({"app": null})).await;
    play.see("two", &[EMPTY]).await;
    play.see("all", &[ONE]).await;
    play.end().await;
}

/// #107927, #110639: left out, the others are written, and it wakes when the Node appears.
#[tokio::test]
async fn issue_107927_a_pod_on_an_unknown_node_is_left_out_until_the_node_appears() {
    let Some(play) = Play::begin("unknown").await else { return };
    play.pods("web", 1, 1).await;
    let late = play.node_name("late");
    play.pod(pod("web-late", "web", "10.1.0.2").on(&late)).await;
    play.pod(pod("web-none", "web", "10.1.0.3")).await;
    play.service(web("web")).await;
    play.see("web", &[ONE]).await;
    play.promise("web", &ips(&["10.1.0.1"]), &[Some("http")]).await;
    play.settle(SETTLED).await;
    play.see("web", &[ONE]).await;
    // The Node appears: at once, not by backoff.
    play.node(node(&late, "")).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    assert!(said(&play, "web", "10.1.0.2").await["zone"].is_null());
    play.promise("web", &ips(&["10.1.0.2"]), &[Some("http")]).await;
    // It gets its zone late.
    let zone = |zone: Value| json!({"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}});
    let path = format!("/api/v1/nodes/{late}");
    let in_zone = async |wanted: Value| {
        play.until("the zone of the Node", async || {
            let endpoint = said(&play, "web", "10.1.0.2").await;
            endpoint["nodeName"] == late && endpoint["zone"] == wanted
        })
        .await;
    };
    play.api().patch(&path, &zone(json!("zone-b"))).await.expect("label a Node");
    in_zone(json!("zone-b")).await;
    play.api().patch(&path, &zone(json!("zone-c"))).await.expect("label a Node");
    in_zone(json!("zone-c")).await;
    // Replaced by one of the same name elsewhere.
    play.api().delete(&path).await.expect("delete a Node");
    play.node(node(&late, "zone-d")).await;
    in_zone(json!("zone-d")).await;
    // The Pod that has no Node is bound to one at last.
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web-none"},
                         "target": {"kind": "Node", "name": late}});
    let bindings = format!("{}/web-none/binding", play.path("pods"));
    play.api().create(&bindings, &binding).await.expect("bind a Pod");
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt, 10.1.0.3 RSt"]).await;
    play.end().await;
}

#[tokio::test]
async fn heartbeats_of_a_node_write_nothing() {
    let Some(play) = Play::begin("heartbeat").await else { return };
    play.pods("web", 2, 1).await;
    play.service(web("web")).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    let path = format!("/api/v1/nodes/{}", play.node_name("node"));
    let beats = async {
        for ready in [true, false, true] {
            let status = json!({"status": {"conditions": [condition("Ready", ready)]}});
            play.api().patch(&format!("{path}/status"), &status).await.expect("a heartbeat");
        }
        let labels = json!({"metadata": {"labels": {"note": "x"}}, "spec": {"unschedulable": true}});
        play.api().patch(&path, &labels).await.expect("label a Node");
    };
    assert_eq!(play.writes("web", beats).await, (0, 0, 0));
    play.end().await;
}

#[tokio::test]
async fn addresses_of_a_pod_are_those_of_the_families_and_follow_changes() {
    let Some(play) = Play::begin("addresses").await else { return };
    let node = play.node_in("node", "zone-a").await;
    play.service(web("web").families(&["IPv4", "IPv6"])).await;
    play.pod(pod("web-0", "web", "10.1.0.1").ips(&["10.1.0.1", "fd00::1"]).on(&node)).await;
    play.pod(pod("web-1", "web", "fd00::2").on(&node)).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt", "IPv6 http:8080/TCP = fd00::1 RSt, fd00::2 RSt"])
        .await;
    let status = json!({"podIP": "10.1.0.9", "podIPs": [{"ip": "10.1.0.9"}]});
    play.patch_status("pods", "web-0", status).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.9 RSt", "IPv6 http:8080/TCP = fd00::2 RSt"]).await;
    play.end().await;
}

/// hypershift#8264: one refused address must not stop the others.
#[tokio::test]
async fn hypershift_8264_an_address_that_the_api_server_refuses_in_slices_does_not_stop_the_others() {
    let Some(play) = Play::begin("refused").await else { return };
    let node = play.node_in("node", "zone-a").await;
    play.service(web("web").families(&["IPv4", "IPv6"])).await;
    for (number, ip) in ["169.254.7.7", "127.0.0.1", "0.0.0.0", "224.0.0.9", "fe80::1", "::1", "ff02::1"]
        .into_iter()
        .enumerate()
    {
        play.pod(pod(&format!("bad-{number}"), "web", ip).on(&node)).await;
    }
    play.pod(pod("web-0", "web", "10.1.0.1").on(&node)).await;
    play.pod(pod("web-1", "web", "fd00::1").on(&node)).await;
    // Other multicast is accepted.
    play.pod(pod("web-2", "web", "239.1.1.1").on(&node)).await;
    play.see(
        "web",
        &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 239.1.1.1 RSt", "IPv6 http:8080/TCP = fd00::1 RSt"],
    )
    .await;
    play.set_ready("web-0", false).await;
    play.see(
        "web",
        &["IPv4 http:8080/TCP = 10.1.0.1 rst, 239.1.1.1 RSt", "IPv6 http:8080/TCP = fd00::1 RSt"],
    )
    .await;
    play.end().await;
}

/// Stored by an older API server, past today's validation.
#[tokio::test]
async fn kep_4858_addresses_of_old_objects_are_written_in_canonical_text_or_left_out() {
    let Some(play) = Play::begin("canonical").await else { return };
    let node = play.node_in("node", "zone-a").await;
    play.service(web("web").families(&["IPv4", "IPv6"])).await;
    let stored = ["010.001.000.002", "::ffff:10.1.0.3", "FD00:0:0::0001", "10.1.0.256", "fd00::5%eth0"];
    for (number, ip) in stored.into_iter().enumerate() {
        let name = format!("old-{number}");
        let made = play.pod(pod(&name, "web", "192.0.2.200").on(&node)).await;
        let mut old = made.clone();
        old["status"]["podIP"] = json!(ip);
        old["status"]["podIPs"] = json!([{"ip": ip}]);
        play.stage.put_unchecked("pods", &old).await;
    }
    play.pod(pod("new", "web", "10.1.0.1").on(&node)).await;
    play.see(
        "web",
        &[
            "IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt, 10.1.0.3 RSt",
            "IPv6 http:8080/TCP = fd00::1 RSt",
        ],
    )
    .await;
    play.end().await;
}

#[tokio::test]
async fn hostnames_are_published_where_the_subdomain_is_the_service() {
    let Some(play) = Play::begin("hostnames").await else { return };
    let node = play.node_in("node", "zone-a").await;
    play.service(web("db").headless()).await;
    play.service(service("other", "db").port("http", 80, "8080").headless()).await;
    let named = |name: &str, ip: &str, subdomain: &str| {
        let pod = pod(name, "db", ip).on(&node).with("/spec/hostname", json!(name));
        if subdomain.is_empty() { pod } else { pod.with("/spec/subdomain", json!(subdomain)) }
    };
    play.pod(named("db-0", "10.1.0.1", "db")).await;
    play.pod(named("db-1", "10.1.0.2", "other")).await;
    play.pod(named("db-2", "10.1.0.3", "")).await;
    play.see("db", &["IPv4 http:8080/TCP = 10.1.0.1 RSt host=db-0, 10.1.0.2 RSt, 10.1.0.3 RSt"]).await;
    play.see("other", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt host=db-1, 10.1.0.3 RSt"]).await;
    play.end().await;
}

/// Two Pods of the host network share an address: two endpoints, one goes without the other.
#[tokio::test]
async fn pods_that_share_an_address_are_endpoints_of_their_own() {
    let Some(play) = Play::begin("shared").await else { return };
    let node = play.node_in("node", "zone-a").await;
    play.service(web("web")).await;
    for name in ["web-0", "web-1"] {
        play.pod(pod(name, "web", "10.1.0.1").on(&node)).await;
    }
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.1 RSt"]).await;
    play.promise("web", &ips(&["10.1.0.1"]), &[Some("http")]).await;
    play.set_ready("web-0", false).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.1 rst"]).await;
    play.delete("pods", "web-0").await;
    play.see("web", &[ONE]).await;
    play.end().await;
}

/// #81360: the time of the Pod's change, then none, on the slices that are written.
#[tokio::test]
async fn issue_81360_the_trigger_time_is_when_the_pod_changed() {
    let Some(play) = Play::begin("trigger").await else { return };
    let time = async || {
        let slice = play.only("web").await;
        slice["metadata"]["annotations"][crate::support::world::TRIGGER_TIME].clone()
    };
    let made = play.service(web("web")).await;
    play.see("web", &[EMPTY]).await;
    assert_eq!(time().await, made["metadata"]["creationTimestamp"]);
    let node = play.node_in("node", "zone-a").await;
    let later = |seconds: i64| {
        let created: jiff::Timestamp =
            crate::play::text(&made["metadata"]["creationTimestamp"]).parse().expect("a time");
        (created + jiff::SignedDuration::from_secs(seconds)).to_string()
    };
    let ready = |ready: bool, at: &str| {
        let mut condition = condition("Ready", ready);
        condition["lastTransitionTime"] = json!(at);
        json!([condition])
    };
    play.pod(pod("web-0", "web", "10.1.0.1").on(&node).with("/status/conditions", ready(true, &later(5))))
        .await;
    play.see("web", &[ONE]).await;
    eventually("the time of the Pod", SOON, || async {
        let found = time().await;
        if found == later(5) { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
    play.patch_status("pods", "web-0", json!({"conditions": ready(false, &later(9))})).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst"]).await;
    assert_eq!(time().await, later(9));
    // A write that no new time has caused carries none.
    play.patch("services", "web", json!({"metadata": {"labels": {"team": "a"}}})).await;
    play.all("the label", "web", |slice| slice["metadata"]["labels"]["team"] == "a").await;
    assert_eq!(time().await, Value::Null);
    play.end().await;
}
