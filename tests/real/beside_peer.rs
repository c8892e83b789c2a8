//! Moving from kube-controller-manager to this program, and both at once by mistake.

use std::collections::BTreeSet;

use serde_json::json;

use crate::play::{FOREIGN, lines, text, web};
use crate::support::pods::{endpoints, pod, service, service_without_selector};
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, Peer, World, eventually, real};

/// Services of many kinds; answers what they must look like, by name.
async fn populate(world: &World) {
    world.pods("web", 130, 1).await;
    let node = world.node_name("node");
    for number in 1..=3 {
        let addresses = [format!("10.2.0.{number}"), format!("fd00::{number}")];
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let pod = pod(&format!("dual-{number}"), "dual", addresses[0]).ips(&addresses).on(&node);
        world.pod(pod.container_port("http", 7000 + number)).await;
    }
    world.service(web("web").label("team", "a")).await;
    world.service(web("dual").families(&["IPv6", "IPv4"])).await;
    world.service(service("named", "dual").port("http", 80, "http").headless()).await;
    world.service(service("none", "none").port("http", 80, "http")).await;
    let close = service("close", "dual").port("http", 80, "8080");
    world.service(close.with("/spec/trafficDistribution", json!("PreferClose"))).await;
    world.service(service("portless", "dual").headless()).await;
    world.service(service_without_selector("ext").port("", 80, "80")).await;
    let subsets = json!([
        {"addresses": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}],
         "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81, "protocol": "UDP"}]},
        {"addresses": [{"ip": "192.0.2.3"}], "ports": [{"name": "c", "port": 82}]},
    ]);
    world.endpoints(endpoints("ext", subsets).label("team", "b").annotation("note", "x")).await;
}

const COUNTS: [(&str, usize); 7] =
    [("web", 2), ("dual", 2), ("named", 3), ("none", 1), ("close", 1), ("portless", 1), ("ext", 3)];

async fn converged(world: &World) {
    for (service, count) in COUNTS {
        world
            .wait_slices(&format!("{service} has {count} slices"), service, SOON, |slices| {
                if slices.len() == count { Ok(()) } else { Err(format!("{:#?}", lines(slices))) }
            })
            .await;
    }
    eventually("all of web", SOON, || async {
        let found = world.published("web").await.len();
        if found == 130 { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn taking_over_from_kube_controller_manager_writes_nothing_and_goes_on_in_place() {
    let Some(stage) = real::exclusive().await else { return };
    let peer = Peer::start(&stage, &[]).await;
    let world = World::new(&stage, "handover").await;
    populate(&world).await;
    converged(&world).await;
    let consumer = Consumer::follow(&world).await;
    consumer.quiet(FOREIGN, SOON).await;
    peer.kill();
    let before = world.versions().await;
    consumer.forget_writes();
    let controller = Controller::start(&stage, &[]).await;
    consumer.quiet(FOREIGN, SOON).await;
    assert_eq!(consumer.writes(), []);
    assert_eq!(world.versions().await, before);
    consumer.forget_writes();
    world.set_ready("dual-1", false).await;
    world.delete("endpoints", "ext").await;
    for line in ["IPv4 http:8080/TCP = 10.2.0.1 rst, 10.2.0.2 RSt, 10.2.0.3 RSt"] {
        world
            .wait_slices("a change goes on", "dual", SOON, |slices| {
                let found = lines(slices);
                if found.iter().any(|found| found == line) { Ok(()) } else { Err(format!("{found:#?}")) }
            })
            .await;
    }
    world
        .wait_slices("the mirrored slices are gone", "ext", SOON, |slices| {
            if slices.is_empty() { Ok(()) } else { Err(format!("{:#?}", lines(slices))) }
        })
        .await;
    consumer.quiet(FOREIGN, SOON).await;
    // dual twice (a family each), named, close, portless once.
    let counts = consumer.counts();
    assert_eq!((counts.created, counts.updated, counts.deleted), (0, 5, 3), "{:?}", consumer.writes());
    assert!(controller.log().is_empty(), "{}", controller.log());
}

/// Nobody should, but it must end: no endless fight, no twin slices, no lost endpoints at the end.
#[tokio::test]
async fn beside_kube_controller_manager_writing_ends_and_the_state_is_right() {
    let Some(stage) = real::exclusive().await else { return };
    let peer = Peer::start(&stage, &[]).await;
    let _controller = Controller::start(&stage, &[]).await;
    let world = World::new(&stage, "beside").await;
    let consumer = Consumer::follow(&world).await;
    populate(&world).await;
    for round in 0..5 {
        world.set_ready("dual-1", round % 2 == 0).await;
        world.patch("services", "web", json!({"metadata": {"labels": {"team": round.to_string()}}})).await;
    }
    // How they spread over slices is a matter of who came first; each stands in one only.
    for (service, endpoints) in
        [("web", 130), ("dual", 6), ("named", 3), ("close", 3), ("portless", 3), ("ext", 4)]
    {
        world
            .wait_slices(
                &format!("{service} has each of its {endpoints} endpoints once"),
                service,
                2 * SOON,
                |slices| {
                    let each: Vec<String> = slices
                        .iter()
                        .flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default())
                        .map(|endpoint| text(&endpoint["addresses"][0]).to_string())
                        .collect();
                    let different: BTreeSet<&String> = each.iter().collect();
                    let right = each.len() == endpoints && different.len() == endpoints;
                    if right { Ok(()) } else { Err(format!("{:#?}", lines(slices))) }
                },
            )
            .await;
    }
    consumer.quiet(std::time::Duration::from_secs(3), 2 * SOON).await;
    let close = lines(&world.slices("close").await).join(", ");
    assert!(close.contains("10.2.0.1 RSt") && close.matches("zone=zone-a").count() == 3, "{close}");
    let before = world.versions().await;
    consumer.quiet(FOREIGN, SOON).await;
    assert_eq!(world.versions().await, before);
    peer.kill();
}
