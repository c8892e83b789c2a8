//! Objects that are deleted and made again under the same name: no dead uid is ever waited for.

use serde_json::{Value, json};

use crate::play::{Play, SETTLED, lines, uid_of, web};
use crate::support::pods::{endpoints, pod, service_without_selector};
use crate::support::wait::SOON;

fn owned_by(slice: &Value, owner: &Value, kind: &str) -> bool {
    let references = slice["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    references.len() == 1
        && references[0]["uid"] == owner["metadata"]["uid"]
        && references[0]["kind"] == kind
        && references[0]["controller"] == true
        && references[0]["blockOwnerDeletion"] == true
}

/// kubernetes/kubernetes#141592: the slices of the earlier Service are left (nothing collects them
/// here), and the new Service must get its own all the same.
#[tokio::test]
async fn issue_141592_a_service_recreated_quickly_gets_its_slices_with_old_ones_left() {
    let Some(play) = Play::begin("again").await else { return };
    play.pods("web", 3, 1).await;
    for _ in 0..12 {
        play.service(web("web")).await;
        // Sometimes before the controller has written anything, sometimes after.
        play.delete("services", "web").await;
    }
    for _ in 0..4 {
        let service = play.service(web("web")).await;
        play.wait_slices("slices of the new Service and no others", "web", SOON, |slices| {
            let right = lines(slices) == ["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt, 10.1.0.3 RSt"]
                && slices.iter().all(|slice| owned_by(slice, &service, "Service"));
            if right { Ok(()) } else { Err(format!("{:#?} {slices:?}", lines(slices))) }
        })
        .await;
        play.set_ready("web-0", false).await;
        play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt, 10.1.0.3 RSt"]).await;
        play.set_ready("web-0", true).await;
        play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt, 10.1.0.3 RSt"]).await;
        play.delete("services", "web").await;
    }
    let service = play.service(web("web")).await;
    play.all("the last Service owns all", "web", |slice| owned_by(slice, &service, "Service")).await;
    play.end().await;
}

/// The same where the garbage collector is quicker than the controller.
#[tokio::test]
async fn issue_141592_a_service_recreated_quickly_gets_its_slices_with_old_ones_collected() {
    let Some(play) = Play::begin("collected").await else { return };
    play.pods("web", 2, 1).await;
    for round in 0..12 {
        play.service(web("web")).await;
        if round % 3 != 0 {
            play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
        }
        let service = play.get("services", "web").await;
        play.delete("services", "web").await;
        for slice in play.slices("web").await {
            if owned_by(&slice, &service, "Service") {
                let path = format!("{}/{}", play.path("endpointslices"), crate::play::name_of(&slice));
                let _ = play.api().delete(&path).await;
            }
        }
    }
    let service = play.service(web("web")).await;
    play.wait_slices("slices of the last Service and no others", "web", SOON, |slices| {
        let right = lines(slices) == ["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]
            && slices.iter().all(|slice| owned_by(slice, &service, "Service"));
        if right { Ok(()) } else { Err(format!("{:#?} {slices:?}", lines(slices))) }
    })
    .await;
    play.end().await;
}

#[tokio::test]
async fn slices_of_a_deleted_service_are_left_to_the_garbage_collector() {
    let Some(play) = Play::begin("gone").await else { return };
    play.pods("web", 2, 1).await;
    play.service(web("web")).await;
    let line = "IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt";
    play.see("web", &[line]).await;
    let writes = play
        .writes("web", async {
            play.delete("services", "web").await;
            // The Pods are told of on another watch.
            play.settle(SETTLED).await;
            play.set_ready("web-0", false).await;
            play.delete("pods", "web-1").await;
        })
        .await;
    assert_eq!(writes, (0, 0, 0));
    play.see("web", &[line]).await;
    play.end().await;
}

/// The new slices come before the old ones go: addresses of a recreated Service are never absent.
#[tokio::test]
async fn issue_94720_addresses_stay_published_while_the_slices_of_an_earlier_service_are_replaced() {
    let Some(play) = Play::begin("replaced").await else { return };
    let addresses = play.pods("web", 150, 1).await;
    let before = play.service(web("web")).await;
    play.wait_addresses("web", &addresses).await;
    play.settle(SETTLED).await;
    play.promise("web", &addresses, &[Some("http")]).await;
    play.delete("services", "web").await;
    let after = play.service(web("web")).await;
    assert_ne!(uid_of(&before), uid_of(&after));
    play.wait_slices("only slices of the new Service", "web", SOON, |slices| {
        let owned = slices.iter().filter(|slice| owned_by(slice, &after, "Service")).count();
        if owned == 2 && slices.len() == 2 { Ok(()) } else { Err(format!("{owned} of {}", slices.len())) }
    })
    .await;
    play.wait_addresses("web", &addresses).await;
    play.end().await;
}

/// A Service that waits for its finalizer: no creates, updates go on.
#[tokio::test]
async fn a_service_that_is_being_deleted_gets_updates_but_no_new_slices() {
    let Some(play) = Play::begin("ending").await else { return };
    play.pods("web", 2, 1).await;
    play.service(web("web").with("/metadata/finalizers", json!(["example.org/wait"]))).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    play.settle(SETTLED).await;
    play.delete("services", "web").await;
    play.set_ready("web-0", false).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt"]).await;
    let slice = play.only("web").await;
    play.delete("endpointslices", &crate::play::name_of(&slice)).await;
    play.still().await;
    play.see("web", &[]).await;
    play.patch("services", "web", json!({"metadata": {"finalizers": null}})).await;
    play.service(web("web")).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt"]).await;
    play.end().await;
}

/// kubernetes/kubernetes#125359: the slice has the uid of the Endpoints that are there now.
#[tokio::test]
async fn issue_125359_recreated_endpoints_own_their_slice_again() {
    let Some(play) = Play::begin("endpoints").await else { return };
    play.service(service_without_selector("ext").port("", 80, "80")).await;
    let subsets = |ip: &str| json!([{"addresses": [{"ip": ip}], "ports": [{"port": 80}]}]);
    for round in 0..12 {
        // The same content again and again: then nothing but the owner is to be written.
        let ip = format!("192.0.2.{}", round / 6 + 1);
        let made = play.endpoints(endpoints("ext", subsets(&ip))).await;
        if round % 3 != 2 {
            play.see("ext", &[&format!("IPv4 :80/TCP = {ip} R")]).await;
            play.all("the owner is the new one", "ext", |slice| owned_by(slice, &made, "Endpoints")).await;
        }
        play.delete("endpoints", "ext").await;
    }
    play.see("ext", &[]).await;
    let made = play.endpoints(endpoints("ext", subsets("192.0.2.9"))).await;
    play.see("ext", &["IPv4 :80/TCP = 192.0.2.9 R"]).await;
    play.all("the owner is the new one", "ext", |slice| owned_by(slice, &made, "Endpoints")).await;
    play.end().await;
}

#[tokio::test]
async fn a_service_recreated_beside_its_endpoints_is_mirrored() {
    let Some(play) = Play::begin("beside").await else { return };
    let service = || service_without_selector("ext").port("", 80, "80");
    let subsets = json!([{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]);
    play.endpoints(endpoints("ext", subsets.clone())).await;
    for _ in 0..10 {
        play.service(service()).await;
        // Deleting a Service deletes its Endpoints too in the API server.
        play.delete("services", "ext").await;
        let _ = play.api().create(&play.path("endpoints"), &endpoints("ext", subsets.clone()).0).await;
    }
    play.see("ext", &[]).await;
    play.service(service()).await;
    play.see("ext", &["IPv4 :80/TCP = 192.0.2.1 R"]).await;
    play.delete("services", "ext").await;
    play.see("ext", &[]).await;
    play.end().await;
}

/// The live read that confirms that a Service is gone may find the next one: its event must wake the key.
#[tokio::test]
async fn a_service_recreated_with_a_selector_loses_its_mirrored_slices() {
    let Some(play) = Play::begin("selecting").await else { return };
    let subsets = json!([{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]);
    for _ in 0..15 {
        play.service(service_without_selector("ext").port("", 80, "80")).await;
        play.endpoints(endpoints("ext", subsets.clone())).await;
        play.all("it is mirrored", "ext", |slice| slice["endpoints"][0]["addresses"][0] == "192.0.2.1").await;
        play.delete("services", "ext").await;
        play.service(web("ext")).await;
        play.see("ext", &["IPv4 - = -"]).await;
        play.delete("services", "ext").await;
        let slice = play.only("ext").await;
        play.delete("endpointslices", &crate::play::name_of(&slice)).await;
        play.see("ext", &[]).await;
    }
    play.end().await;
}

/// A Pod recreated under its name with its address is an update in place, not a move.
#[tokio::test]
async fn a_pod_recreated_with_the_same_name_and_address_is_updated_in_place() {
    let Some(play) = Play::begin("pod").await else { return };
    let addresses = play.pods("web", 2, 1).await;
    play.service(web("web")).await;
    play.wait_addresses("web", &addresses).await;
    let slice = play.only("web").await;
    play.delete("pods", "web-0").await;
    let node = play.node_name("node");
    let made = play.pod(pod("web-0", "web", &addresses[0]).on(&node)).await;
    play.all("the uid of the new Pod", "web", |slice| {
        let all = slice["endpoints"].as_array().cloned().unwrap_or_default();
        all.iter()
            .any(|e| e["targetRef"]["uid"] == made["metadata"]["uid"] && e["conditions"]["ready"] == true)
    })
    .await;
    assert_eq!(uid_of(&play.only("web").await), uid_of(&slice));
    play.end().await;
}
