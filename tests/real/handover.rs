//! kube-controller-manager hands its slices over to us, and we hand them back: who takes over finds
//! nothing to write, and goes on from there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::pods::{endpoints, pod, service, service_without_selector};
use crate::support::world::{MIRRORING_LOOP, SELECTOR_LOOP};
use crate::support::{Controller, Peer, Stage, World, quiet_cluster, real};

const SEED: u64 = 20_261_122;
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";

/// Every slice of the cluster but those of `but`, with its version.
async fn versions(stage: &dyn Stage, but: &World) -> BTreeMap<(String, String), String> {
    let slices = stage.api().list(SLICES).await.expect("list slices");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    slices
        .iter()
        .map(|slice| &slice["metadata"])
        .filter(|metadata| metadata["namespace"] != but.namespace())
        .map(|m| ((text(&m["namespace"]), text(&m["name"])), text(&m["resourceVersion"])))
        .collect()
}

/// The slices that differ, for a message that can be read.
fn differences<'a>(
    before: &'a BTreeMap<(String, String), String>,
    after: &'a BTreeMap<(String, String), String>,
) -> Vec<&'a (String, String)> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(name)));
    names.filter(|name| before.get(name) != after.get(name)).collect()
}

/// A Service with everything that changes, run through by whoever is in charge now.
async fn changes_are_right(world: &World, round: u8) {
    let app = format!("app-{round}");
    let mut addresses = world.pods(&app, 5, 10 + round).await;
    world.service(service(&app, &app).port("http", 80, "8080")).await;
    world.wait_addresses(&app, &addresses).await;
    world.delete("pods", &format!("{app}-0")).await;
    addresses.remove(0);
    world.wait_addresses(&app, &addresses).await;
    world
        .patch(
            "services",
            &app,
            json!({"spec": {"ports": [{"name": "web", "port": 81, "targetPort": 8081}]}}),
        )
        .await;
    let all_on = |number: u64| {
        move |slices: &[Value]| {
            let ports: Vec<u64> =
                slices.iter().filter_map(|slice| slice["ports"][0]["port"].as_u64()).collect();
            let same = !ports.is_empty() && ports.iter().all(|port| *port == number);
            if same { Ok(()) } else { Err(format!("{ports:?}")) }
        }
    };
    world.wait_slices("the port has changed", &app, Duration::from_secs(30), all_on(8081)).await;
    world.wait_addresses(&app, &addresses).await;
    let external = format!("ext-{round}");
    world.service(service_without_selector(&external).port("http", 80, "80")).await;
    let subsets = json!([{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"name": "http", "port": 80}]}]);
    world.endpoints(endpoints(&external, subsets)).await;
    world.wait_addresses(&external, &["192.0.2.7".to_string()]).await;
    // What those before us made is ours to change.
    for earlier in 0..round {
        let app = format!("app-{earlier}");
        let address = format!("10.200.{earlier}.{round}");
        let node = world.node_name("node");
        world.pod(pod(&format!("{app}-late-{round}"), &app, &address).on(&node)).await;
        let arrived = |slices: &[Value]| {
            let found = slices.iter().any(|slice| slice["endpoints"].to_string().contains(&address));
            if found && slices.len() == 1 { Ok(()) } else { Err(format!("{} slices", slices.len())) }
        };
        world.wait_slices("a late Pod", &app, Duration::from_secs(30), arrived).await;
    }
}

#[tokio::test]
async fn neither_side_writes_when_it_takes_over_and_changes_under_each_are_right() {
    let Some(stage) = real::exclusive().await else { return };
    let peer = Peer::start(&stage, &[]).await;
    // With its node before all else: a node that comes later changes the shares of Auto's hints, which
    // the peer notices at its next look only.
    let marked = World::new(&stage, "marked").await;
    marked.pods("first", 1, 9).await;
    quiet_cluster::generate(&stage, SEED).await;
    changes_are_right(&marked, 0).await;
    quiet_cluster::quiet(stage.api()).await;
    peer.kill();
    let before = versions(&stage, &marked).await;
    let made = marked.versions().await;
    assert!(before.len() > 200, "{} slices", before.len());
    for manager in [SELECTOR_LOOP, MIRRORING_LOOP] {
        let path = format!("{SLICES}?labelSelector=endpointslice.kubernetes.io/managed-by={manager}");
        assert!(!stage.api().list(&path).await.expect("list slices").is_empty(), "none of {manager}");
    }

    let ours = Controller::start(&stage, &[]).await;
    ours.settled().await;
    assert_eq!(marked.versions().await, made);
    changes_are_right(&marked, 1).await;
    ours.settled().await;
    let after = versions(&stage, &marked).await;
    assert_eq!(differences(&before, &after), Vec::<&(String, String)>::new(), "we wrote");
    println!("handed over: {} slices, no write", after.len());
    assert_eq!(ours.terminate(Duration::from_secs(1)).await, 0);

    let made = marked.versions().await;
    let peer = Peer::start(&stage, &[]).await;
    quiet_cluster::quiet(stage.api()).await;
    assert_eq!(marked.versions().await, made, "the peer changes what we made");
    changes_are_right(&marked, 2).await;
    quiet_cluster::quiet(stage.api()).await;
    let after = versions(&stage, &marked).await;
    assert_eq!(differences(&before, &after), Vec::<&(String, String)>::new(), "the peer wrote");
    peer.kill();

    // And once more to us, with the peer's latest.
    let made = marked.versions().await;
    let ours = Controller::start(&stage, &[]).await;
    ours.settled().await;
    assert_eq!(marked.versions().await, made);
    assert_eq!(versions(&stage, &marked).await, before);
    drop(ours);
}
