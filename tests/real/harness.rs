//! The harness keeps what it promises: tested with kube-controller-manager, whose behaviour is known.

use std::time::Duration;

use serde_json::json;

use crate::support::api::Api;
use crate::support::pods::{endpoints, pod, service, service_without_selector};
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, Peer, Stage, User, World, eventually, real};

#[tokio::test]
async fn a_world_is_published_and_the_consumer_sees_every_write() {
    let Some(stage) = real::served_by_peer().await else { return };
    let world = World::new(&stage, "seen").await;
    let consumer = Consumer::follow(&world).await;
    let addresses = world.pods("web", 3, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    world.wait_addresses("web", &addresses).await;
    consumer.quiet(Duration::from_millis(300), SOON).await;
    assert!(consumer.counts_of("web").created == 1, "{:?}", consumer.writes());

    consumer.promise("web", &addresses, &[Some("http")]);
    let writes = consumer.writes_of(async { drop(world.set_ready("web-1", false).await) }).await;
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert!(world.published("web").await.iter().any(|p| p.address == addresses[1] && !p.ready));
    consumer.assert_never_absent();
    let none = consumer.writes_of(async {}).await;
    assert_eq!(none, []);
}

#[tokio::test]
async fn an_address_that_is_in_no_slice_for_a_moment_is_a_loss() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "loss").await;
    let slice = |name: &str| {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"name": "http", "port": 80}],
        })
    };
    world.slice(slice("a")).await;
    let consumer = Consumer::follow(&world).await;
    consumer.promise("web", &["10.0.0.1".to_string()], &[Some("http")]);
    // Create before delete: present throughout.
    world.slice(slice("b")).await;
    world.delete("endpointslices", "a").await;
    consumer.caught_up().await;
    consumer.assert_never_absent();
    // Delete before create: absent for a moment.
    world.delete("endpointslices", "b").await;
    world.slice(slice("c")).await;
    consumer.caught_up().await;
    assert_eq!(consumer.losses().len(), 1);
    assert!(consumer.losses()[0].after.starts_with("DELETED b"));
}

#[tokio::test]
async fn a_lent_cluster_is_empty_and_knows_its_users() {
    let Some(stage) = real::exclusive().await else { return };
    for path in ["/api/v1/pods", "/api/v1/nodes", "/apis/discovery.k8s.io/v1/endpointslices"] {
        assert_eq!(stage.api().list(path).await.expect("list"), Vec::<serde_json::Value>::new());
    }
    let world = World::new(&stage, "users").await;
    world.pods("web", 1, 2).await;
    let controller = stage.as_user(User::Controller).await;
    let pods = world.path("pods");
    assert_eq!(controller.list(&pods).await.expect("the controller may list Pods").len(), 1);
    let refused = controller.delete(&format!("{pods}/web-0")).await.expect_err("it may not delete them");
    assert_eq!(refused.code, 403);
    let nobody = stage.as_user(User::Nobody).await;
    assert_eq!(nobody.list(&pods).await.expect_err("nobody may not list Pods").code, 403);
}

/// Every (group, resource, name, verb) of tables.md, and what is next to it.
#[tokio::test]
async fn least_rbac_the_shipped_manifest_gives_the_permissions_of_the_table_and_no_others() {
    let Some(stage) = real::exclusive().await else { return };
    let controller = stage.as_user(User::Controller).await;
    let verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    let slices = "get list watch create update delete";
    let table = [
        ("", "services", "", "get list watch"),
        ("", "pods", "", "get list watch"),
        ("", "nodes", "", "get list watch"),
        ("", "endpoints", "", "get list watch"),
        ("", "services/finalizers", "", "update"),
        ("", "endpoints/finalizers", "", "update"),
        ("", "services/status", "", ""),
        ("", "secrets", "", ""),
        ("", "configmaps", "", ""),
        ("discovery.k8s.io", "endpointslices", "", slices),
        ("", "events", "", "create update patch"),
        ("events.k8s.io", "events", "", "create update patch"),
        ("coordination.k8s.io", "leases", "", "create"),
        ("coordination.k8s.io", "leases", "endpointslice-controller", "get list watch create update"),
        ("coordination.k8s.io", "leases", "kube-controller-manager", "create"),
        ("authentication.k8s.io", "tokenreviews", "", ""),
        ("authorization.k8s.io", "subjectaccessreviews", "", ""),
    ];
    for (group, resource, name, allowed) in table {
        for verb in verbs {
            let wanted = allowed.split(' ').any(|word| word == verb);
            let found = may(&controller, group, resource, name, verb).await;
            assert_eq!(found, wanted, "{verb} {resource} {name:?} in {group:?}");
        }
    }
}

async fn may(api: &Api, group: &str, resource: &str, name: &str, verb: &str) -> bool {
    let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": "kube-system", "group": group, "resource": resource, "subresource": part,
            "name": name, "verb": verb,
        }},
    });
    let answer = api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await;
    answer.expect("a review")["status"]["allowed"] == true
}

#[tokio::test]
async fn a_stage_restarts_at_its_address_and_the_consumer_and_peer_go_on() {
    let Some(stage) = real::exclusive().await else { return };
    let peer = Peer::start(&stage, &[]).await;
    let world = World::new(&stage, "restart").await;
    let consumer = Consumer::follow(&world).await;
    let addresses = world.pods("web", 2, 3).await;
    world.service(service("web", "web").port("", 80, "8080")).await;
    world.wait_addresses("web", &addresses).await;
    // The slices are there; the consumer's watch may not have told yet.
    consumer.caught_up().await;
    consumer.promise("web", &addresses, &[Some("")]);
    stage.restart().await;
    world.set_ready("web-0", false).await;
    eventually("the peer goes on after the restart", Duration::from_secs(60), || async {
        let published = world.published("web").await;
        if published.iter().any(|p| !p.ready) { Ok(()) } else { Err(format!("{published:?}")) }
    })
    .await;
    consumer.caught_up().await;
    consumer.assert_never_absent();
    assert!(consumer.restarts() > 0);
    peer.kill();
}

#[tokio::test]
async fn a_paused_stage_does_not_answer_until_it_is_resumed() {
    let Some(stage) = real::exclusive().await else { return };
    stage.pause();
    let asked = tokio::time::timeout(Duration::from_millis(500), stage.api().get("/api/v1/nodes")).await;
    assert!(asked.is_err(), "a paused API server answered");
    stage.resume();
    stage.api().get("/api/v1/nodes").await.expect("a resumed API server answers");
}

#[tokio::test]
async fn an_old_version_is_gone_after_history_is_forgotten() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "history").await;
    let path = world.path("services");
    let (_, old) = stage.api().list_at(&path).await.expect("list");
    world.service(service("a", "a").port("", 80, "80")).await;
    stage.forget_history().await;
    stage.restart().await;
    let mut events = stage.api().watch(&path, &old, "").await.expect("a watch");
    let first = futures::StreamExt::next(&mut events).await.expect("an event").expect("JSON");
    assert_eq!((first.kind.as_str(), &first.object["code"]), ("ERROR", &json!(410)));
}

#[tokio::test]
async fn twins_are_two_clusters() {
    let Some((one, two)) = real::twins().await else { return };
    World::named(one.api(), "only-here").await;
    one.api().get("/api/v1/namespaces/only-here").await.expect("there");
    let missing = two.api().get("/api/v1/namespaces/only-here").await.expect_err("not there");
    assert_eq!(missing.code, 404);
}

#[tokio::test]
async fn the_peer_mirrors_and_publishes_by_named_port() {
    let Some(stage) = real::served_by_peer().await else { return };
    let world = World::new(&stage, "mirror").await;
    world.service(service_without_selector("ext").port("", 80, "80")).await;
    let subsets = json!([{"addresses": [{"ip": "192.0.2.1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}],
                          "ports": [{"port": 80}]}]);
    world.endpoints(endpoints("ext", subsets)).await;
    world.wait_addresses("ext", &["192.0.2.1".to_string(), "192.0.2.2".to_string()]).await;

    world.pods("other", 1, 9).await;
    let node = world.node_name("node");
    world.pod(pod("named", "named", "10.4.0.1").on(&node).container_port("web", 9090)).await;
    world.service(service("named", "named").port("http", 80, "web")).await;
    let number = world
        .wait_slices("the named port is found", "named", SOON, |slices| {
            let port = slices.first().map(|slice| slice["ports"][0]["port"].clone()).unwrap_or_default();
            port.as_u64().ok_or_else(|| format!("{slices:?}"))
        })
        .await;
    assert_eq!(number, 9090);
}

#[tokio::test]
async fn the_controller_runs_as_a_child_and_ends_when_it_is_told() {
    let Some(stage) = real::exclusive().await else { return };
    let controller = Controller::start(&stage, &[]).await;
    let world = World::new(&stage, "child").await;
    let consumer = Consumer::follow(&world).await;
    let addresses = world.pods("web", 3, 5).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    world.wait_addresses("web", &addresses).await;
    consumer.quiet(Duration::from_millis(300), SOON).await;
    let metrics = controller.metrics().await;
    assert!(metrics.sum("endpoint_slice_controller_syncs", &[("result", "success")]) > 0.0);
    controller.freeze();
    controller.thaw();
    assert_eq!(controller.terminate(Duration::from_secs(5)).await, 0);
}
