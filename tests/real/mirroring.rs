//! Endpoints of Services without a selector, mirrored on a real API server.

use serde_json::{Value, json};

use crate::play::{FOREIGN, Play, SETTLED, ips, is_mirrored, lines, name_of, uid_of, web};
use crate::support::Stage;
use crate::support::pods::{endpoints, service_without_selector};
use crate::support::wait::SOON;
use crate::support::world::{MANAGED_BY, MIRRORING_LOOP, SERVICE_NAME, TRIGGER_TIME};

const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// By this label the API server tells us which Endpoints the control plane writes.
const MARK: &str = "endpoints.kubernetes.io/managed-by";
const ONE: &str = "IPv4 :80/TCP = 192.0.2.1 R";

async fn bare_service(play: &Play) -> Value {
    play.service(service_without_selector("ext").port("", 80, "80")).await
}

fn subset(ready: &[&str], not_ready: &[&str], ports: Value) -> Value {
    let all = |ips: &[&str]| ips.iter().map(|ip| json!({"ip": ip})).collect::<Vec<Value>>();
    json!({"addresses": all(ready), "notReadyAddresses": all(not_ready), "ports": ports})
}

fn one() -> Value {
    json!([subset(&["192.0.2.1"], &[], json!([{"port": 80}]))])
}

#[tokio::test]
async fn subsets_become_slices_by_ports_and_family() {
    let Some(play) = Play::begin("subsets").await else { return };
    bare_service(&play).await;
    let ports = json!([{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
    let subsets = json!([
        subset(&["192.0.2.1", "2001:db8::1"], &["192.0.2.3"], ports),
        subset(&["192.0.2.2"], &[], json!([{"name": "db", "port": 5432, "appProtocol": "example.org/db"}])),
        subset(&["192.0.2.9"], &[], Value::Null),
    ]);
    play.endpoints(endpoints("ext", subsets)).await;
    play.see(
        "ext",
        &[
            "IPv4 dns:53/UDP, http:80/TCP = 192.0.2.1 R, 192.0.2.3 r",
            "IPv6 dns:53/UDP, http:80/TCP = 2001:db8::1 R",
            "IPv4 db:5432/TCP(example.org/db) = 192.0.2.2 R",
            "IPv4 - = 192.0.2.9 R",
        ],
    )
    .await;
    play.promise("ext", &ips(&["192.0.2.1", "2001:db8::1"]), &[Some("http"), Some("dns")]).await;
    // One address less in one subset: one slice is written.
    let change = async {
        play.change("endpoints", "ext", |e| {
            e["subsets"].as_array_mut().expect("subsets").iter_mut().for_each(|subset| {
                subset["notReadyAddresses"] = Value::Null;
            });
        })
        .await;
    };
    assert_eq!(play.writes("ext", change).await, (0, 1, 0));
    play.end().await;
}

/// Ports with the same addresses share a slice, however the subsets are cut.
#[tokio::test]
async fn ports_are_grouped_by_their_addresses() {
    let Some(play) = Play::begin("grouped").await else { return };
    bare_service(&play).await;
    let (http, tls) = (json!({"name": "http", "port": 80}), json!({"name": "tls", "port": 443}));
    let subsets =
        json!([subset(&["192.0.2.1"], &[], json!([http])), subset(&["192.0.2.2"], &[], json!([http, tls])),]);
    play.endpoints(endpoints("ext", subsets)).await;
    play.see("ext", &["IPv4 http:80/TCP = 192.0.2.1 R, 192.0.2.2 R", "IPv4 tls:443/TCP = 192.0.2.2 R"]).await;
    play.promise("ext", &ips(&["192.0.2.2"]), &[Some("http"), Some("tls")]).await;
    // Now both have both: one slice, and nothing is lost on the way.
    let both = json!([subset(&["192.0.2.1", "192.0.2.2"], &[], json!([http, tls]))]);
    play.change("endpoints", "ext", |endpoints| endpoints["subsets"] = both.clone()).await;
    play.see("ext", &["IPv4 http:80/TCP, tls:443/TCP = 192.0.2.1 R, 192.0.2.2 R"]).await;
    // The same cut into subsets of one port each: nothing to write.
    let cut = json!([
        subset(&["192.0.2.1", "192.0.2.2"], &[], json!([http])),
        subset(&["192.0.2.2", "192.0.2.1"], &[], json!([tls])),
    ]);
    let change = async {
        play.change("endpoints", "ext", |endpoints| endpoints["subsets"] = cut.clone()).await;
    };
    assert_eq!(play.writes("ext", change).await, (0, 0, 0));
    play.end().await;
}

/// The API server would refuse them in one slice for ever; upstream never mirrors such an object.
#[tokio::test]
async fn ports_of_the_same_name_stay_in_slices_of_their_own() {
    let Some(play) = Play::begin("same-name").await else { return };
    bare_service(&play).await;
    let subsets = json!([
        subset(&["192.0.2.1"], &[], json!([{"name": "http", "port": 80}])),
        subset(&["192.0.2.1"], &[], json!([{"name": "http", "port": 8080}])),
    ]);
    play.endpoints(endpoints("ext", subsets)).await;
    play.see("ext", &["IPv4 http:80/TCP = 192.0.2.1 R", "IPv4 http:8080/TCP = 192.0.2.1 R"]).await;
    play.end().await;
}

#[tokio::test]
async fn an_address_that_is_both_ready_and_not_is_not_ready() {
    let Some(play) = Play::begin("both").await else { return };
    bare_service(&play).await;
    let ports = || json!([{"port": 80}]);
    let subsets = json!([subset(&["192.0.2.1"], &[], ports()), subset(&[], &["192.0.2.1"], ports())]);
    play.endpoints(endpoints("ext", subsets)).await;
    play.see("ext", &["IPv4 :80/TCP = 192.0.2.1 r"]).await;
    play.end().await;
}

#[tokio::test]
async fn whole_endpoints_are_mirrored_with_owner_reference_and_two_labels() {
    let Some(play) = Play::begin("fields").await else { return };
    bare_service(&play).await;
    let target = json!({"kind": "Pod", "namespace": play.namespace(), "name": "p", "uid": "u-1"});
    let subsets = json!([{
        "addresses": [{"ip": "192.0.2.1", "hostname": "db", "nodeName": "n1", "targetRef": target}],
        "ports": [{"name": "p", "port": 80, "protocol": "SCTP"}],
    }]);
    let object = endpoints("ext", subsets)
        .label("team", "a")
        .label(MANAGED_BY, "me")
        .label(SERVICE_NAME, "other")
        .annotation("note", "x")
        .annotation(TRIGGER_TIME, "2020-01-01T00:00:00Z")
        .annotation(APPLIED, "{}");
    let made = play.endpoints(object).await;
    play.see("ext", &["IPv4 p:80/SCTP = 192.0.2.1 R host=db"]).await;
    let slice = play.only("ext").await;
    let metadata = &slice["metadata"];
    assert_eq!(metadata["labels"], json!({"team": "a", SERVICE_NAME: "ext", MANAGED_BY: MIRRORING_LOOP}));
    assert_eq!(metadata["annotations"], json!({"note": "x"}));
    assert_eq!(metadata["generateName"], "ext-");
    assert_eq!(
        metadata["ownerReferences"],
        json!([{"apiVersion": "v1", "kind": "Endpoints", "name": "ext", "uid": made["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true}])
    );
    assert_eq!(
        slice["endpoints"],
        json!([{"addresses": ["192.0.2.1"], "conditions": {"ready": true}, "hostname": "db",
                "nodeName": "n1", "targetRef": target}])
    );
    // Labels and annotations follow; a version in a target reference is no change.
    let change = async {
        play.patch(
            "endpoints",
            "ext",
            json!({"metadata": {"labels": {"team": "b"}, "annotations": {"note": "y"}}}),
        )
        .await;
        play.all("the annotation", "ext", |slice| slice["metadata"]["annotations"] == json!({"note": "y"}))
            .await;
    };
    assert_eq!(play.writes("ext", change).await, (0, 1, 0));
    assert_eq!(play.only("ext").await["metadata"]["labels"]["team"], "b");
    let change = async {
        play.patch(
            "endpoints",
            "ext",
            json!({"metadata": {"annotations": {APPLIED: "{ }", TRIGGER_TIME: null}}}),
        )
        .await;
        play.change("endpoints", "ext", |endpoints| {
            endpoints["subsets"][0]["addresses"][0]["targetRef"]["resourceVersion"] = json!("7");
        })
        .await;
    };
    assert_eq!(play.writes("ext", change).await, (0, 0, 0));
    play.end().await;
}

#[tokio::test]
async fn a_thousand_addresses_are_kept_of_eleven_hundred() {
    let Some(play) = Play::begin("thousand").await else { return };
    bare_service(&play).await;
    let all: Vec<String> = (0..1100).map(|n| format!("10.7.{}.{}", n / 200, n % 200 + 1)).collect();
    let ready: Vec<&str> = all.iter().map(String::as_str).collect();
    play.endpoints(endpoints("ext", json!([subset(&ready[..900], &ready[900..], json!([{"port": 80}]))])))
        .await;
    let kept = play
        .wait_slices("a thousand", "ext", SOON, |slices| {
            let all =
                slices.first().and_then(|slice| slice["endpoints"].as_array().cloned()).unwrap_or_default();
            if all.len() == 1000 && slices.len() == 1 {
                Ok(all)
            } else {
                Err(format!("{} in {}", all.len(), slices.len()))
            }
        })
        .await;
    let ready = kept.iter().filter(|endpoint| endpoint["conditions"]["ready"] == true).count();
    assert_eq!(ready, 900, "ready ones first");
    play.end().await;
}

#[tokio::test]
async fn the_skip_label_and_the_leader_annotation_are_obeyed_on_the_fly() {
    let Some(play) = Play::begin("skip").await else { return };
    bare_service(&play).await;
    play.endpoints(endpoints("ext", one()).label(SKIP, "true")).await;
    play.still().await;
    play.see("ext", &[]).await;
    let label = async |value: Value| {
        play.patch("endpoints", "ext", json!({"metadata": {"labels": {SKIP: value}}})).await;
    };
    label(json!("false")).await;
    play.see("ext", &[ONE]).await;
    label(json!("true")).await;
    play.see("ext", &[]).await;
    label(Value::Null).await;
    play.see("ext", &[ONE]).await;
    let leader = async |value: Value| {
        play.patch("endpoints", "ext", json!({"metadata": {"annotations": {LEADER: value}}})).await;
    };
    leader(json!("")).await;
    play.see("ext", &[]).await;
    leader(Value::Null).await;
    play.see("ext", &[ONE]).await;
    play.end().await;
}

#[tokio::test]
async fn issues_103576_and_105987_a_selector_added_ends_mirroring_and_removed_begins_it() {
    let Some(play) = Play::begin("selector").await else { return };
    play.pods("web", 1, 1).await;
    bare_service(&play).await;
    play.endpoints(endpoints("ext", one())).await;
    play.see("ext", &[ONE]).await;
    let selector = async |selector: Value| {
        play.patch("services", "ext", json!({"spec": {"selector": selector}})).await;
    };
    selector(json!({"app": "web"})).await;
    play.see("ext", &["IPv4 :80/TCP = 10.1.0.1 RSt"]).await;
    selector(Value::Null).await;
    // The slices of the selector loop stay by design, beside the mirrored one.
    play.see("ext", &[ONE, "IPv4 :80/TCP = 10.1.0.1 RSt"]).await;
    // An empty selector counts as none.
    play.change("services", "ext", |service| service["spec"]["selector"] = json!({})).await;
    play.settle(SETTLED).await;
    play.see("ext", &[ONE, "IPv4 :80/TCP = 10.1.0.1 RSt"]).await;
    play.end().await;
}

#[tokio::test]
async fn nothing_is_mirrored_without_a_service_or_for_one_with_a_selector() {
    let Some(play) = Play::begin("without").await else { return };
    play.endpoints(endpoints("ext", one())).await;
    play.endpoints(endpoints("web", one())).await;
    play.service(web("web")).await;
    play.see("web", &["IPv4 - = -"]).await;
    play.still().await;
    play.see("ext", &[]).await;
    bare_service(&play).await;
    play.see("ext", &[ONE]).await;
    // The type does not matter.
    let external = service_without_selector("name").with("/spec/type", json!("ExternalName"));
    play.service(external.with("/spec/externalName", json!("example.org"))).await;
    play.endpoints(endpoints("name", one())).await;
    play.see("name", &[ONE]).await;
    play.end().await;
}

/// Those left behind when a selector is removed, and their later edits.
#[tokio::test]
async fn endpoints_that_the_control_plane_wrote_are_mirrored_and_their_edits_too() {
    let Some(play) = Play::begin("marked").await else { return };
    play.endpoints(endpoints("ext", one()).label(MARK, "endpoint-controller")).await;
    bare_service(&play).await;
    play.see("ext", &[ONE]).await;
    assert_eq!(play.only("ext").await["metadata"]["labels"][MARK], "endpoint-controller");
    play.promise("ext", &ips(&["192.0.2.1"]), &[Some("")]).await;
    let two = json!([subset(&["192.0.2.1"], &["192.0.2.2"], json!([{"port": 80}]))]);
    play.change("endpoints", "ext", |endpoints| endpoints["subsets"] = two.clone()).await;
    play.see("ext", &["IPv4 :80/TCP = 192.0.2.1 R, 192.0.2.2 r"]).await;
    play.patch("endpoints", "ext", json!({"metadata": {"labels": {"team": "a"}}})).await;
    play.all("the label", "ext", |slice| slice["metadata"]["labels"]["team"] == "a").await;
    play.change("endpoints", "ext", |endpoints| endpoints["subsets"] = one()).await;
    play.see("ext", &[ONE]).await;
    play.consumer.release("ext", &ips(&["192.0.2.1"]));
    play.delete("endpoints", "ext").await;
    play.see("ext", &[]).await;
    play.end().await;
}

/// The object changes sides between our two watches: for a moment neither shows it.
#[tokio::test]
async fn slices_never_vanish_while_the_mark_of_the_control_plane_comes_and_goes() {
    let Some(play) = Play::begin("sides").await else { return };
    bare_service(&play).await;
    play.endpoints(endpoints("ext", one())).await;
    play.see("ext", &[ONE]).await;
    play.promise("ext", &ips(&["192.0.2.1"]), &[Some("")]).await;
    let uid = uid_of(&play.only("ext").await);
    for round in 0..30 {
        let mark = if round % 2 == 0 { json!("endpoint-controller") } else { Value::Null };
        play.patch("endpoints", "ext", json!({"metadata": {"labels": {MARK: mark}}})).await;
        if round % 3 == 0 {
            let wanted = mark.clone();
            play.all("the mark", "ext", |slice| slice["metadata"]["labels"][MARK] == wanted).await;
        }
    }
    play.all("the last state", "ext", |slice| slice["metadata"]["labels"][MARK].is_null()).await;
    // An edit on each side is followed.
    for (mark, ip) in [(json!("endpoint-controller"), "192.0.2.2"), (Value::Null, "192.0.2.3")] {
        let more = json!([subset(&["192.0.2.1", ip], &[], json!([{"port": 80}]))]);
        play.change("endpoints", "ext", |endpoints| {
            endpoints["metadata"]["labels"] = json!({});
            if !mark.is_null() {
                endpoints["metadata"]["labels"][MARK] = mark.clone();
            }
            endpoints["subsets"] = more.clone();
        })
        .await;
        play.see("ext", &[&format!("IPv4 :80/TCP = 192.0.2.1 R, {ip} R")]).await;
    }
    assert_eq!(uid_of(&play.only("ext").await), uid, "updated in place throughout");
    play.end().await;
}

#[tokio::test]
async fn slices_go_with_their_endpoints_or_their_service() {
    let Some(play) = Play::begin("deleted").await else { return };
    bare_service(&play).await;
    play.endpoints(endpoints("ext", one())).await;
    play.see("ext", &[ONE]).await;
    // Emptied: no placeholder here.
    play.change("endpoints", "ext", |endpoints| endpoints["subsets"] = json!([])).await;
    play.see("ext", &[]).await;
    play.change("endpoints", "ext", |endpoints| endpoints["subsets"] = one()).await;
    play.see("ext", &[ONE]).await;
    play.delete("endpoints", "ext").await;
    play.see("ext", &[]).await;
    play.endpoints(endpoints("ext", one())).await;
    play.see("ext", &[ONE]).await;
    // The API server deletes the Endpoints of a Service with it.
    play.delete("services", "ext").await;
    play.see("ext", &[]).await;
    // Endpoints that outlive their Service are not mirrored.
    play.endpoints(endpoints("ext", one())).await;
    play.still().await;
    play.see("ext", &[]).await;
    play.end().await;
}

#[tokio::test]
async fn one_content_takes_over_the_slice_of_another() {
    let Some(play) = Play::begin("recycled").await else { return };
    bare_service(&play).await;
    play.endpoints(endpoints("ext", one())).await;
    play.see("ext", &[ONE]).await;
    let uid = uid_of(&play.only("ext").await);
    let change = async {
        let other = json!([subset(&["192.0.2.1", "192.0.2.2"], &[], json!([{"name": "tls", "port": 443}]))]);
        play.change("endpoints", "ext", |endpoints| endpoints["subsets"] = other.clone()).await;
        play.see("ext", &["IPv4 tls:443/TCP = 192.0.2.1 R, 192.0.2.2 R"]).await;
    };
    assert_eq!(play.writes("ext", change).await, (0, 1, 0));
    assert_eq!(uid_of(&play.only("ext").await), uid);
    play.end().await;
}

#[tokio::test]
async fn the_second_slice_of_a_group_is_deleted() {
    let Some(play) = Play::begin("twins").await else { return };
    bare_service(&play).await;
    play.endpoints(endpoints("ext", one())).await;
    play.see("ext", &[ONE]).await;
    play.promise("ext", &ips(&["192.0.2.1"]), &[Some("")]).await;
    let mut twin = play.only("ext").await;
    let name = format!("{}-twin", name_of(&twin));
    twin["metadata"] = json!({"name": name, "labels": twin["metadata"]["labels"],
                              "ownerReferences": twin["metadata"]["ownerReferences"]});
    play.slice(twin).await;
    play.settle(FOREIGN).await;
    play.see("ext", &[ONE]).await;
    play.end().await;
}

/// Stored by an older API server, past today's validation (KEP-4858). They are left out, and
/// the rest is mirrored in canonical text.
#[tokio::test]
async fn kep_4858_invalid_addresses_are_left_out_and_old_forms_are_mirrored_in_canonical_text() {
    let Some(play) = Play::begin("invalid").await else { return };
    bare_service(&play).await;
    let made = play.endpoints(endpoints("ext", one())).await;
    let mut old = made.clone();
    old["subsets"] = json!([subset(
        &[
            "010.000.000.001",
            "10.0.0.1",
            "::ffff:10.0.0.2",
            "2001:DB8:0::1",
            "10.0.0.999",
            "127.0.0.1",
            "fe80::1",
            "10.0.0.3"
        ],
        &["10.0.0.2"],
        json!([{"port": 80, "protocol": "TCP"}]),
    )]);
    play.stage.put_unchecked("endpoints", &old).await;
    play.see("ext", &["IPv4 :80/TCP = 10.0.0.1 R, 10.0.0.2 r, 10.0.0.3 R", "IPv6 :80/TCP = 2001:db8::1 R"])
        .await;
    play.end().await;
}

/// Those of another namespace and with the labels of strangers are out of reach.
#[tokio::test]
async fn cve_2021_25740_endpoints_cannot_claim_the_labels_of_another_service() {
    let Some(play) = Play::begin("deputy").await else { return };
    bare_service(&play).await;
    play.service(web("victim")).await;
    play.see("victim", &["IPv4 - = -"]).await;
    let claim = endpoints("ext", one()).label(SERVICE_NAME, "victim");
    play.endpoints(claim.label(MANAGED_BY, "endpointslice-controller.k8s.io")).await;
    play.see("ext", &[ONE]).await;
    assert!(play.all_slices().await.iter().filter(|slice| is_mirrored(slice)).count() == 1);
    play.see("victim", &["IPv4 - = -"]).await;
    assert_eq!(lines(&play.slices("victim").await).len(), 1);
    play.end().await;
}
