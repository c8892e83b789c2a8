//! The controller is started again: with nothing missed, with much missed, and after it was killed in
//! the middle of its work. What stands in the end is right, and no address that lives is ever absent.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::json;

use crate::stage;
use crate::support::content::content;
use crate::support::pods::{endpoints, pod, service, service_without_selector};
use crate::support::wait::SOON;
use crate::support::world::{MANAGED_BY, SERVICE_NAME};
use crate::support::{Consumer, Controller, World, eventually};

const SMALL_SLICES: &str = "--max-endpoints-per-slice=4";
const A_SECOND: Duration = Duration::from_secs(1);

/// A bit of everything: several slices, none ready, no Pods, headless, named ports, mirrored.
async fn varied(world: &World) {
    for (app, count, base) in [("web", 10, 1), ("db", 3, 2), ("cache", 5, 3)] {
        world.pods(app, count, base).await;
        world.service(service(app, app).port("http", 80, "8080").port("metrics", 9090, "9090")).await;
    }
    world.set_ready("db-1", false).await;
    world.service(service("empty", "nobody").port("", 80, "80")).await;
    world.service(service("headless", "web").headless().port("http", 80, "8080")).await;
    world.service(service("portless", "db").headless()).await;
    world.service(service_without_selector("ext").port("http", 80, "80")).await;
    world.endpoints(endpoints("ext", external(&["192.0.2.1", "192.0.2.2"]))).await;
}

fn external(addresses: &[&str]) -> serde_json::Value {
    let addresses: Vec<_> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
    json!([{"addresses": addresses, "ports": [{"name": "http", "port": 80}]}])
}

#[tokio::test]
async fn a_restart_with_nothing_to_do_writes_nothing() {
    let Some(stage) = stage::exclusive().await else { return };
    let world = World::new(&stage, "nothing").await;
    varied(&world).await;
    let controller = Controller::start(&stage, &[SMALL_SLICES]).await;
    controller.settled().await;
    let before = world.versions().await;
    assert!(before.len() >= 12, "{before:?}");
    assert_eq!(controller.terminate(A_SECOND).await, 0);

    let consumer = Consumer::follow(&world).await;
    for _ in 0..2 {
        let controller = Controller::start(&stage, &[SMALL_SLICES]).await;
        controller.settled().await;
        consumer.quiet(A_SECOND, SOON).await;
        assert_eq!(consumer.writes(), []);
        assert_eq!(world.versions().await, before);
        controller.kill();
    }
}

#[tokio::test]
async fn what_changed_while_it_was_down_is_made_up_for_and_no_live_address_is_absent() {
    let Some(stage) = stage::exclusive().await else { return };
    let world = World::new(&stage, "missed").await;
    varied(&world).await;
    let controller = Controller::start(&stage, &[SMALL_SLICES]).await;
    controller.settled().await;
    let consumer = Consumer::follow(&world).await;
    let lasting: Vec<String> = (2..10).map(|number| format!("10.1.0.{}", number + 1)).collect();
    consumer.promise("web", &lasting, &[Some("http"), Some("metrics")]);
    consumer.promise("headless", &lasting, &[Some("http")]);
    consumer.promise("ext", &["192.0.2.1".to_string()], &[Some("http")]);
    controller.kill();

    // Pods go, come and change.
    world.delete("pods", "web-0").await;
    world.delete("pods", "web-1").await;
    world.set_ready("web-2", false).await;
    world.begin_termination("web-3").await;
    let node = world.node_name("node");
    for number in 20..25 {
        world.pod(pod(&format!("web-{number}"), "web", &format!("10.1.1.{number}")).on(&node)).await;
    }
    world.set_phase("cache-0", "Succeeded").await;
    world.patch("pods", "cache-1", json!({"metadata": {"labels": {"app": "else"}}})).await;
    // Services go, come and change; one is another one of the same name now.
    world.patch("services", "web", json!({"metadata": {"labels": {"team": "a"}}})).await;
    world.delete("services", "db").await;
    world.service(service("db", "db").port("sql", 5432, "5432")).await;
    world.delete("services", "portless").await;
    world.service(service("new", "cache").port("", 80, "8080")).await;
    // Slices are deleted, made and edited by hand.
    let first_of = |slices: Vec<serde_json::Value>| {
        slices[0]["metadata"]["name"].as_str().expect("a slice with a name").to_string()
    };
    world.delete("endpointslices", &first_of(world.slices("cache").await)).await;
    let label = json!({"metadata": {"labels": {"service.kubernetes.io/headless": ""}}});
    world.patch("endpointslices", &first_of(world.slices("empty").await), label).await;
    world
        .slice(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "by-hand", "labels": {
                SERVICE_NAME: "web", MANAGED_BY: "endpointslice-controller.k8s.io"}},
            "endpoints": [{"addresses": ["10.9.9.9"]}], "ports": [],
        }))
        .await;
    // Endpoints change.
    world.patch("endpoints", "ext", json!({"subsets": external(&["192.0.2.1", "192.0.2.3"])})).await;

    let controller = Controller::start(&stage, &[SMALL_SLICES]).await;
    controller.settled().await;
    consumer.quiet(A_SECOND, SOON).await;
    consumer.assert_never_absent();

    let addresses = |base: &str, numbers: &[u32]| -> Vec<String> {
        numbers.iter().map(|number| format!("10.{base}.{number}")).collect()
    };
    let mut web = lasting.clone();
    web.extend(addresses("1.1", &[20, 21, 22, 23, 24]));
    world.wait_addresses("web", &web).await;
    world.wait_addresses("headless", &web).await;
    world.wait_addresses("db", &addresses("2.0", &[1, 2, 3])).await;
    world.wait_addresses("cache", &addresses("3.0", &[3, 4, 5])).await;
    world.wait_addresses("new", &addresses("3.0", &[3, 4, 5])).await;
    world.wait_addresses("empty", &[]).await;
    world.wait_addresses("ext", &["192.0.2.1".to_string(), "192.0.2.3".to_string()]).await;
    let ready = |address: &str| (address.to_string(), true);
    let not_ready = |address: &str| (address.to_string(), false);
    let published = world.published("web").await;
    let states: Vec<(String, bool)> = published
        .iter()
        .filter(|p| p.port.as_deref() == Some("http") && p.address.starts_with("10.1.0."))
        .map(|p| (p.address.clone(), p.ready))
        .collect();
    assert_eq!(states.len(), 8, "{states:?}");
    assert!(states.contains(&not_ready("10.1.0.3")), "not ready any more: {states:?}");
    assert!(states.contains(&not_ready("10.1.0.4")), "terminating: {states:?}");
    assert!(states.contains(&ready("10.1.0.5")), "as before: {states:?}");
    assert!(world.published("db").await.iter().all(|p| p.number == Some(5432)));
    for slice in world.slices("web").await {
        assert_eq!(slice["metadata"]["labels"]["team"], "a");
    }
    let uid = world.get("services", "db").await["metadata"]["uid"].clone();
    for slice in world.slices("db").await {
        assert_eq!(slice["metadata"]["ownerReferences"][0]["uid"], uid, "left over of the Service before");
    }
    for slice in world.slices("empty").await {
        assert!(slice["metadata"]["labels"].get("service.kubernetes.io/headless").is_none());
    }

    // The same as if a controller had seen nothing else.
    let made_up = content(&world).await;
    let portless = world.slices("portless").await;
    controller.kill();
    for slice in world.all_slices().await {
        world.delete("endpointslices", slice["metadata"]["name"].as_str().expect("a name")).await;
    }
    let controller = Controller::start(&stage, &["--max-endpoints-per-slice=100"]).await;
    controller.settled().await;
    let count = |all: &[serde_json::Value]| -> usize {
        all.iter().map(|slice| slice["endpoints"].as_array().map_or(0, Vec::len)).sum()
    };
    assert_eq!(portless.len(), 1, "what a deleted Service leaves is for garbage collection");
    assert_eq!(count(&made_up), count(&content(&world).await) + count(&portless));
}

#[tokio::test]
async fn restarts_amid_changes_lose_no_address() {
    let Some(stage) = stage::exclusive().await else { return };
    let world = World::new(&stage, "amid").await;
    let addresses = world.pods("web", 12, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    let flags = [SMALL_SLICES, "--metrics-bind-address=0"];
    let mut controller = Controller::launch(&stage, &flags);
    world.wait_addresses("web", &addresses).await;
    let consumer = Consumer::follow(&world).await;
    consumer.promise("web", &addresses, &[Some("http")]);
    let node = world.node_name("node");
    for round in 0..6 {
        let changes = async {
            for number in 0..12 {
                world.set_ready(&format!("web-{number}"), (round + number) % 3 == 0).await;
            }
            let extra = format!("extra-{round}");
            world.pod(pod(&extra, "web", &format!("10.1.7.{round}")).on(&node)).await;
            if round > 0 {
                world.delete("pods", &format!("extra-{}", round - 1)).await;
            }
        };
        let restart = async {
            controller.kill();
            Controller::launch(&stage, &flags)
        };
        // The old one dies before the changes, and the new one starts amid them.
        (controller, _) = futures::join!(restart, changes);
    }
    let mut wanted = addresses.clone();
    wanted.push("10.1.7.5".to_string());
    world.wait_addresses("web", &wanted).await;
    consumer.quiet(A_SECOND, SOON).await;
    consumer.assert_never_absent();
    for published in world.published("web").await {
        let number = addresses.iter().position(|address| *address == published.address);
        assert_eq!(published.ready, number.is_none_or(|number| (5 + number) % 3 == 0), "{published:?}");
    }
    assert_eq!(controller.terminate(A_SECOND).await, 0);
}

#[tokio::test]
async fn killed_ten_times_in_its_first_fill_the_end_is_that_of_an_undisturbed_one() {
    const SERVICES: usize = 60;
    let Some(stage) = stage::exclusive().await else { return };
    let world = World::new(&stage, "killed").await;
    world.node(crate::support::pods::node(&world.node_name("node"), "zone-a")).await;
    stream::iter(0..SERVICES)
        .for_each_concurrent(8, |number| {
            let world = &world;
            async move {
                let app = format!("app-{number:02}");
                for replica in 0..5 {
                    let address = format!("10.4.{number}.{}", replica + 1);
                    let pod = pod(&format!("{app}-{replica}"), &app, &address).on(&world.node_name("node"));
                    world.pod(pod).await;
                }
                world.service(service(&app, &app).port("http", 80, "8080")).await;
            }
        })
        .await;

    // Slices of two: three for each Service. The pace leaves time to be killed in.
    let (small, paced) = ("--max-endpoints-per-slice=2", ["--kube-api-qps=100", "--kube-api-burst=1"]);
    for kill in 1..=10 {
        let controller = Controller::launch(&stage, &["--metrics-bind-address=0", small, paced[0], paced[1]]);
        eventually("it has got a little further", SOON, || async {
            let there = world.all_slices().await.len();
            if there >= kill * SERVICES * 3 / 12 { Ok(()) } else { Err(format!("{there} slices")) }
        })
        .await;
        controller.kill();
        let there = world.all_slices().await.len();
        assert!(there < SERVICES * 3, "killed too late to be in the middle: {there} slices");
    }
    let controller = Controller::start(&stage, &[small]).await;
    controller.settled().await;
    let disturbed = content(&world).await;
    let names: Vec<String> = world.versions().await.into_keys().collect();
    assert_eq!(disturbed.len(), SERVICES * 3, "a slice is missing, or left over, or has a twin");
    controller.kill();

    for slice in world.all_slices().await {
        world.delete("endpointslices", slice["metadata"]["name"].as_str().expect("a name")).await;
    }
    let controller = Controller::start(&stage, &[small]).await;
    controller.settled().await;
    assert_eq!(disturbed, content(&world).await);
    let undisturbed: Vec<String> = world.versions().await.into_keys().collect();
    assert_eq!(names, undisturbed, "names are computed, so they are the same, too");
}
