//! What the API server refuses, and how little else suffers: full quotas, policies, namespaces that
//! are being deleted; and the Events that tell of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::play::{Play, ips, lines, name_of, text, web};
use crate::support::pods::{endpoints, pod, service_without_selector};
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, Stage, World, eventually, real};

/// A cluster and a controller of its own, as what is tested here is told in metrics and Events.
async fn begin(name: &str) -> Option<(real::RealStage, World, Controller)> {
    let stage = real::exclusive().await?;
    let controller = Controller::start(&stage, &[]).await;
    let world = World::new(&stage, name).await;
    Some((stage, world, controller))
}

async fn see(world: &World, service: &str, wanted: &[&str]) {
    let mut wanted: Vec<String> = wanted.iter().map(|line| line.to_string()).collect();
    wanted.sort();
    world
        .wait_slices(&format!("slices of {service}: {wanted:#?}"), service, SOON, |slices| {
            let found = lines(slices);
            if found == wanted { Ok(()) } else { Err(format!("{found:#?}")) }
        })
        .await;
}

/// Two Pods in one slice, whose port of the name `http` is another number each.
async fn two_layouts(world: &World) {
    let node = world.node_name("node");
    world.node(crate::support::pods::node(&node, "zone-a")).await;
    world.pod(pod("a", "web", "10.1.0.1").on(&node).container_port("http", 7070)).await;
    world.pod(pod("b", "web", "10.1.0.2").on(&node).container_port("http", 9090)).await;
    world.service(web("web")).await;
    see(world, "web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
}

/// The port goes by its name now: one slice must be created, before another may lose its member.
async fn split(world: &World) {
    let ports = json!([{"name": "http", "port": 80, "targetPort": "http"}]);
    world.patch("services", "web", json!({"spec": {"ports": ports}})).await;
}

/// Makes a Pod not ready, and waits until that is published.
async fn not_ready(world: &World, pod: &str, address: &str) {
    world.set_ready(pod, false).await;
    world
        .wait_slices("not ready, though creates are refused", "web", SOON, |slices| {
            let right = lines(slices).iter().any(|line| line.contains(&format!("{address} rst")));
            if right { Ok(()) } else { Err(format!("{:#?}", lines(slices))) }
        })
        .await;
}

/// The Events of the namespace with this reason, once there is one.
async fn events(world: &World, reason: &str) -> Vec<Value> {
    eventually(&format!("an Event {reason}"), SOON, || async {
        let mut events = world.api().list(&world.path("events")).await.expect("list Events");
        let all: Vec<String> = events.iter().map(|event| text(&event["reason"]).to_string()).collect();
        events.retain(|event| event["reason"] == reason);
        if events.is_empty() { Err(format!("{all:?}")) } else { Ok(events) }
    })
    .await
}

/// A quota without room: creates are refused, what stands is kept and updated.
#[tokio::test]
async fn a_full_quota_stops_creates_and_no_live_address_is_lost() {
    let Some((_stage, world, controller)) = begin("quota").await else { return };
    two_layouts(&world).await;
    let consumer = Consumer::follow(&world).await;
    let hard = json!({"count/endpointslices.discovery.k8s.io": "1"});
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"},
                       "spec": {"hard": hard}});
    world.api().create(&world.path("resourcequotas"), &quota).await.expect("make a quota");
    let used = json!({"status": {"hard": hard, "used": hard}});
    let path = format!("{}/full", world.path("resourcequotas"));
    world.api().patch(&format!("{path}/status"), &used).await.expect("use the quota up");
    consumer.promise("web", &ips(&["10.1.0.1", "10.1.0.2"]), &[Some("http")]);
    // The quota may take a moment to be known: what is refused decides.
    eventually("a create is refused", SOON, || async {
        let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                           "metadata": {"generateName": "probe-"}, "addressType": "IPv4", "endpoints": []});
        match world.api().create(&world.path("endpointslices"), &slice).await {
            Err(refusal) if refusal.code == 403 => Ok(()),
            answer => {
                let name = name_of(&answer.expect("a slice"));
                world.delete("endpointslices", &name).await;
                Err("the quota is not known yet".to_string())
            }
        }
    })
    .await;
    consumer.caught_up().await;
    consumer.forget_writes();
    split(&world).await;
    let event = events(&world, "FailedToUpdateEndpointSlices").await.remove(0);
    assert_eq!(
        (&event["type"], &event["involvedObject"]["kind"], &event["involvedObject"]["name"]),
        (&json!("Warning"), &json!("Service"), &json!("web"))
    );
    assert_eq!(event["source"]["component"], "endpoint-slice-controller");
    assert!(text(&event["message"]).contains("exceeded quota"), "{}", event["message"]);
    // Changes go on where nothing has to be created.
    not_ready(&world, "b", "10.1.0.2").await;
    let metrics = controller.metrics().await;
    assert!(metrics.sum("endpoint_slice_controller_syncs", &[("result", "error")]) >= 1.0);
    assert_eq!(metrics.sum("endpointslice_services_in_backoff", &[("loop", "selector")]), 1.0);
    assert!(consumer.counts_of("web").total() <= 4, "{:?}", consumer.writes());
    world.api().delete(&path).await.expect("delete the quota");
    see(&world, "web", &["IPv4 http:7070/TCP = 10.1.0.1 RSt", "IPv4 http:9090/TCP = 10.1.0.2 rst"]).await;
    consumer.assert_never_absent();
    eventually("no backoff any more", SOON, || async {
        let metrics = controller.metrics().await;
        let waiting = metrics.sum("endpointslice_services_in_backoff", &[("loop", "selector")]);
        if waiting == 0.0 { Ok(()) } else { Err(waiting.to_string()) }
    })
    .await;
}

/// A policy that refuses one family, for ever: the other goes on.
#[tokio::test]
async fn an_address_type_that_is_refused_does_not_stop_the_other() {
    let Some((_stage, world, _controller)) = begin("policy").await else { return };
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-six"},
        "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": ["discovery.k8s.io"], "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"], "resources": ["endpointslices"]}]},
            "validations": [{"expression": "object.addressType != 'IPv6'", "message": "no six here"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-six"}, "spec": {"policyName": "no-six", "validationActions": ["Deny"]},
    });
    let root = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic";
    world.api().create(&format!("{root}ies"), &policy).await.expect("make a policy");
    world.api().create(&format!("{root}ybindings"), &binding).await.expect("bind the policy");
    eventually("the policy is in force", SOON, || async {
        let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                           "metadata": {"generateName": "probe-"}, "addressType": "IPv6", "endpoints": []});
        match world.api().create(&world.path("endpointslices"), &slice).await {
            Err(_) => Ok(()),
            Ok(slice) => {
                world.delete("endpointslices", &name_of(&slice)).await;
                Err("not yet".to_string())
            }
        }
    })
    .await;
    let node = world.node_name("node");
    world.pods("other", 1, 9).await;
    world.pod(pod("web-0", "web", "10.1.0.1").ips(&["10.1.0.1", "fd00::1"]).on(&node)).await;
    world.service(web("web").families(&["IPv6", "IPv4"])).await;
    see(&world, "web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt"]).await;
    let event = events(&world, "FailedToUpdateEndpointSlices").await.remove(0);
    assert!(text(&event["message"]).contains("no six here"), "{}", event["message"]);
    world.set_ready("web-0", false).await;
    see(&world, "web", &["IPv4 http:8080/TCP = 10.1.0.1 rst"]).await;
    for path in [format!("{root}ybindings/no-six"), format!("{root}ies/no-six")] {
        world.api().delete(&path).await.expect("lift the policy");
    }
    see(&world, "web", &["IPv4 http:8080/TCP = 10.1.0.1 rst", "IPv6 http:8080/TCP = fd00::1 rst"]).await;
}

/// Creates are refused there for good: no error, no retry; updates go on.
#[tokio::test]
async fn a_namespace_that_is_being_deleted_gets_updates_and_no_retries() {
    let Some((_stage, world, controller)) = begin("ending").await else { return };
    two_layouts(&world).await;
    world.service(web("other").with("/spec/selector", json!({"app": "web"}))).await;
    see(&world, "other", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    // No namespace controller runs here: it stays in this state.
    let path = format!("/api/v1/namespaces/{}", world.namespace());
    world.api().delete(&path).await.expect("delete the namespace");
    let slice = name_of(&world.slices("other").await[0]);
    world.delete("endpointslices", &slice).await;
    // This one needs a create, on which an update depends that would take live addresses away.
    let consumer = Consumer::follow(&world).await;
    consumer.promise("web", &ips(&["10.1.0.1", "10.1.0.2"]), &[Some("http")]);
    split(&world).await;
    not_ready(&world, "a", "10.1.0.1").await;
    not_ready(&world, "b", "10.1.0.2").await;
    assert_eq!(world.slices("other").await.len(), 0);
    // Another namespace tells when what was queued is done; then requests stand still.
    let requests = async || {
        let metrics = controller.metrics().await;
        metrics.sum("rest_client_requests_total", &[("method", "POST")])
            + metrics.sum("rest_client_requests_total", &[("method", "PUT")])
    };
    let elsewhere = Consumer::follow(&World::named(world.api(), "elsewhere").await).await;
    elsewhere.quiet(Duration::from_millis(1500), SOON).await;
    let before = requests().await;
    tokio::time::timeout(Duration::from_secs(3), std::future::pending::<()>())
        .await
        .expect_err("time passes");
    assert_eq!(requests().await, before, "creates are tried again in a namespace that refuses them");
    let metrics = controller.metrics().await;
    assert_eq!(metrics.sum("endpoint_slice_controller_syncs", &[("result", "error")]), 0.0);
    assert_eq!(metrics.sum("endpointslice_services_in_backoff", &[]), 0.0);
    assert!(controller.log().is_empty(), "{}", controller.log());
    consumer.caught_up().await;
    consumer.assert_never_absent();
}

#[tokio::test]
async fn addresses_that_are_left_out_are_told_once_in_events_on_the_endpoints() {
    let Some(play) = Play::begin("told").await else { return };
    play.service(service_without_selector("ext").port("", 80, "80")).await;
    let all: Vec<Value> =
        (0..1003).map(|n| json!({"ip": format!("10.7.{}.{}", n / 200, n % 200 + 1)})).collect();
    let made = play.endpoints(endpoints("ext", json!([{"addresses": all, "ports": [{"port": 80}]}]))).await;
    let told = events(&play, "TooManyAddressesToMirror").await;
    assert_eq!(told[0]["involvedObject"]["uid"], made["metadata"]["uid"]);
    assert_eq!(told[0]["involvedObject"]["kind"], "Endpoints");
    assert_eq!(told[0]["type"], "Warning");
    assert_eq!(told[0]["source"]["component"], "endpoint-slice-mirroring-controller");
    assert!(text(&told[0]["message"]).contains('3'), "{}", told[0]["message"]);
    // Another sync of the same is no news.
    play.patch("endpoints", "ext", json!({"metadata": {"labels": {"team": "a"}}})).await;
    play.all("the label", "ext", |slice| slice["metadata"]["labels"]["team"] == "a").await;
    let mut old = play.get("endpoints", "ext").await;
    old["subsets"] = json!([{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.999"}],
                             "ports": [{"port": 80, "protocol": "TCP"}]}]);
    play.stage.put_unchecked("endpoints", &old).await;
    let told = events(&play, "InvalidIPAddress").await;
    assert!(text(&told[0]["message"]).contains("10.0.0.999"), "{}", told[0]["message"]);
    let counts: Vec<Value> =
        events(&play, "TooManyAddressesToMirror").await.iter().map(|e| e["count"].clone()).collect();
    assert_eq!(counts, [json!(1)]);
    play.end().await;
}
