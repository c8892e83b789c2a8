//! What others do to our slices: repaired, replaced, respected; never a fight without end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::play::{FOREIGN, Play, SETTLED, ips, name_of, names, uid_of, web};
use crate::support::pods::{endpoints, pod, service_without_selector};
use crate::support::world::{MANAGED_BY, MIRRORING_LOOP, SELECTOR_LOOP, SERVICE_NAME};

const HEADLESS: &str = "service.kubernetes.io/headless";
const LINE: &str = "IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt";

/// Two Pods behind the Service `web`, published.
async fn begin(name: &str) -> Option<(Play, String)> {
    let play = Play::begin(name).await?;
    play.pods("web", 2, 1).await;
    play.service(web("web")).await;
    play.see("web", &[LINE]).await;
    play.settle(SETTLED).await;
    let slice = name_of(&play.only("web").await);
    Some((play, slice))
}

/// Whether this slice of the cluster satisfies `right` soon.
async fn becomes(play: &Play, what: &str, slice: &str, right: impl Fn(&Value) -> bool) {
    play.until(what, async || right(&play.get("endpointslices", slice).await)).await;
}

#[tokio::test]
async fn a_slice_that_was_deleted_by_hand_is_made_again() {
    let Some((play, slice)) = begin("deleted").await else { return };
    let before = uid_of(&play.only("web").await);
    play.delete("endpointslices", &slice).await;
    play.see("web", &[LINE]).await;
    assert_ne!(uid_of(&play.only("web").await), before);
    // And again, now under a name of its own.
    play.delete("endpointslices", &name_of(&play.only("web").await)).await;
    play.see("web", &[LINE]).await;
    play.end().await;
}

#[tokio::test]
async fn endpoints_and_ports_that_were_edited_are_repaired_in_place() {
    let Some((play, slice)) = begin("edited").await else { return };
    let uid = uid_of(&play.only("web").await);
    let kept = async || assert_eq!(uid_of(&play.only("web").await), uid);
    // One too many, and one changed.
    play.change("endpointslices", &slice, |slice| {
        let mut stranger = slice["endpoints"][0].clone();
        stranger["addresses"] = json!(["10.9.9.9"]);
        slice["endpoints"].as_array_mut().expect("endpoints").push(stranger);
        slice["endpoints"][0]["conditions"]["ready"] = json!(false);
        slice["endpoints"][1]["hints"] = json!({"forZones": [{"name": "zone-x"}]});
    })
    .await;
    play.see("web", &[LINE]).await;
    kept().await;
    // All taken away.
    play.change("endpointslices", &slice, |slice| slice["endpoints"] = json!([])).await;
    play.see("web", &[LINE]).await;
    // Other ports.
    play.change("endpointslices", &slice, |slice| slice["ports"][0]["port"] = json!(9999)).await;
    play.see("web", &[LINE]).await;
    // Ports in another order are no change.
    let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}, {"name": "more", "port": 81}]);
    play.patch("services", "web", json!({"spec": {"ports": ports}})).await;
    let two = "IPv4 http:8080/TCP, more:81/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt";
    play.see("web", &[two]).await;
    play.settle(SETTLED).await;
    let slice = name_of(&play.only("web").await);
    let turned = play
        .change("endpointslices", &slice, |slice| slice["ports"].as_array_mut().expect("ports").reverse())
        .await;
    play.settle(FOREIGN).await;
    let version = |slice: &Value| slice["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&play.only("web").await), version(&turned));
    play.end().await;
}

#[tokio::test]
async fn labels_that_were_edited_are_repaired_the_headless_one_too() {
    let Some((play, slice)) = begin("labels").await else { return };
    let wanted = play.only("web").await["metadata"]["labels"].clone();
    play.promise("web", &ips(&["10.1.0.1", "10.1.0.2"]), &[Some("http")]).await;
    // kube-proxy drops slices that carry it.
    for labels in [json!({HEADLESS: ""}), json!({"stranger": "x"}), json!({HEADLESS: "", "team": "b"})] {
        play.patch("endpointslices", &slice, json!({"metadata": {"labels": labels}})).await;
        becomes(&play, "the labels", &slice, |slice| slice["metadata"]["labels"] == wanted).await;
    }
    play.service(web("none").headless()).await;
    play.see("none", &["IPv4 - = -"]).await;
    play.settle(SETTLED).await;
    let none = name_of(&play.only("none").await);
    play.patch("endpointslices", &none, json!({"metadata": {"labels": {HEADLESS: null}}})).await;
    becomes(&play, "the headless label", &none, |slice| slice["metadata"]["labels"][HEADLESS] == "").await;
    play.end().await;
}

#[tokio::test]
async fn a_slice_that_was_given_to_another_service_is_replaced_and_removed_there() {
    let Some((play, slice)) = begin("given").await else { return };
    play.service(web("other")).await;
    play.see("other", &["IPv4 - = -"]).await;
    play.settle(SETTLED).await;
    play.patch("endpointslices", &slice, json!({"metadata": {"labels": {SERVICE_NAME: "other"}}})).await;
    play.see("web", &[LINE]).await;
    play.see("other", &["IPv4 - = -"]).await;
    // Without the label it is nobody's: it stays, and a new one is made.
    let mine = name_of(&play.only("web").await);
    play.patch("endpointslices", &mine, json!({"metadata": {"labels": {SERVICE_NAME: null}}})).await;
    play.see("web", &[LINE]).await;
    assert!(names(&play.all_slices().await).contains(&mine));
    play.end().await;
}

#[tokio::test]
async fn a_slice_that_was_taken_over_stays_and_new_ones_are_made_beside_it() {
    let Some((play, slice)) = begin("taken").await else { return };
    let manage = async |by: Value| {
        play.patch("endpointslices", &slice, json!({"metadata": {"labels": {MANAGED_BY: by}}})).await
    };
    let taken = manage(json!("example.org")).await;
    play.see("web", &[LINE, LINE]).await;
    play.set_ready("web-0", false).await;
    play.see("web", &[LINE, "IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt"]).await;
    play.settle(FOREIGN).await;
    let version = |slice: &Value| slice["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&play.get("endpointslices", &slice).await), version(&taken), "it is never written");
    // Given back: one of both is one too many, and the endpoints are right again.
    manage(json!(SELECTOR_LOOP)).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt"]).await;
    // The label taken away is a takeover as well.
    let mine = name_of(&play.only("web").await);
    play.patch("endpointslices", &mine, json!({"metadata": {"labels": {MANAGED_BY: null}}})).await;
    play.wait_slices("one beside it", "web", crate::support::wait::SOON, |slices| {
        if slices.len() == 2 { Ok(()) } else { Err(format!("{}", slices.len())) }
    })
    .await;
    play.end().await;
}

/// Given to the other loop: that one deletes what it does not want.
#[tokio::test]
async fn a_slice_that_was_given_to_the_mirroring_loop_is_replaced() {
    let Some((play, slice)) = begin("loops").await else { return };
    play.patch("endpointslices", &slice, json!({"metadata": {"labels": {MANAGED_BY: MIRRORING_LOOP}}})).await;
    play.until("the slice is gone", async || !names(&play.all_slices().await).contains(&slice)).await;
    play.see("web", &[LINE]).await;
    play.end().await;
}

/// Without our owner reference it is unowned: replaced once something else makes us look.
#[tokio::test]
async fn a_slice_that_lost_its_owner_is_replaced_at_the_next_change() {
    let Some((play, slice)) = begin("unowned").await else { return };
    let before = uid_of(&play.only("web").await);
    play.promise("web", &ips(&["10.1.0.1", "10.1.0.2"]), &[Some("http")]).await;
    play.patch("endpointslices", &slice, json!({"metadata": {"ownerReferences": null}})).await;
    play.set_ready("web-0", false).await;
    let line = "IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt";
    play.until("another slice", async || {
        let slices = play.slices("web").await;
        slices.len() == 1 && uid_of(&slices[0]) != before
    })
    .await;
    play.see("web", &[line]).await;
    assert_eq!(play.only("web").await["metadata"]["ownerReferences"][0]["kind"], "Service");
    play.end().await;
}

/// As good as gone, and never waited for.
#[tokio::test]
async fn issue_108779_a_slice_that_waits_for_a_finalizer_is_as_good_as_gone() {
    let Some((play, slice)) = begin("waiting").await else { return };
    play.patch("endpointslices", &slice, json!({"metadata": {"finalizers": ["example.org/wait"]}})).await;
    play.settle(FOREIGN).await;
    play.delete("endpointslices", &slice).await;
    play.see("web", &[LINE, LINE]).await;
    let dying = play.get("endpointslices", &slice).await;
    play.set_ready("web-0", false).await;
    let line = "IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt";
    play.see("web", &[LINE, line]).await;
    play.still().await;
    let version = |slice: &Value| slice["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&play.get("endpointslices", &slice).await), version(&dying), "it is never written");
    play.patch("endpointslices", &slice, json!({"metadata": {"finalizers": null}})).await;
    play.see("web", &[line]).await;
    play.end().await;
}

/// The same when it is we who delete: asked once, not again and again.
#[tokio::test]
async fn issue_108779_a_slice_that_we_delete_and_that_waits_is_deleted_once() {
    let Some((play, _)) = begin("delete-once").await else { return };
    let ports = json!([{"name": "http", "port": 80, "targetPort": "http"}]);
    let node = play.node_name("node");
    play.pod(pod("web-named", "web", "10.1.0.3").on(&node).container_port("http", 7070)).await;
    play.patch("services", "web", json!({"spec": {"ports": ports}})).await;
    play.see("web", &["IPv4 http:7070/TCP = 10.1.0.3 RSt", "IPv4 - = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    play.settle(SETTLED).await;
    let slices = play.slices("web").await;
    let leaving = slices.iter().find(|slice| slice["ports"][0]["port"] == 7070).expect("the slice");
    let leaving = name_of(leaving);
    play.patch("endpointslices", &leaving, json!({"metadata": {"finalizers": ["example.org/wait"]}})).await;
    play.settle(FOREIGN).await;
    play.delete("pods", "web-named").await;
    play.until("it is being deleted", async || {
        !play.get("endpointslices", &leaving).await["metadata"]["deletionTimestamp"].is_null()
    })
    .await;
    play.still().await;
    play.patch("endpointslices", &leaving, json!({"metadata": {"finalizers": null}})).await;
    play.see("web", &["IPv4 - = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    play.end().await;
}

#[tokio::test]
async fn issue_108267_finalizers_annotations_and_owners_of_others_stay_through_updates_and_recycling() {
    let Some((play, slice)) = begin("foreign").await else { return };
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": "11111111-2222-3333-4444-555555555555"});
    play.change("endpointslices", &slice, |slice| {
        slice["metadata"]["finalizers"] = json!(["example.org/wait"]);
        slice["metadata"]["annotations"]["example.org/note"] = json!("theirs");
        slice["metadata"]["ownerReferences"].as_array_mut().expect("owners").push(config.clone());
    })
    .await;
    play.settle(FOREIGN).await;
    let kept = async || {
        let slice = play.only("web").await;
        let metadata = &slice["metadata"];
        assert_eq!(metadata["finalizers"], json!(["example.org/wait"]));
        assert_eq!(metadata["annotations"]["example.org/note"], "theirs");
        let owners = metadata["ownerReferences"].as_array().cloned().unwrap_or_default();
        assert_eq!(owners.len(), 2, "{owners:?}");
        assert!(owners.iter().any(|owner| owner["uid"] == config["uid"]), "{owners:?}");
    };
    play.set_ready("web-0", false).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt"]).await;
    kept().await;
    // Recycled for other ports.
    play.patch("services", "web", json!({"spec": {"ports": [{"name": "web", "port": 81}]}})).await;
    play.see(
        "web",
        &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt".replace("http:8080", "web:81").as_str()],
    )
    .await;
    let recycled = play.slices("web").await;
    assert!(recycled.iter().any(|found| name_of(found) == slice));
    if recycled.len() == 1 {
        kept().await;
    }
    // Emptied to the placeholder.
    for pod in ["web-0", "web-1"] {
        play.delete("pods", pod).await;
    }
    play.see("web", &["IPv4 - = -"]).await;
    kept().await;
    play.patch("endpointslices", &slice, json!({"metadata": {"finalizers": null}})).await;
    play.end().await;
}

#[tokio::test]
async fn a_slice_made_by_hand_with_our_labels_is_deleted_and_never_adopted() {
    let Some((play, slice)) = begin("by-hand").await else { return };
    let by_hand = |name: &str, labels: Value| {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "labels": labels},
            "endpoints": [{"addresses": ["10.1.0.1"]}], "ports": [{"name": "http", "port": 8080}],
        })
    };
    play.slice(by_hand("web-mine", json!({SERVICE_NAME: "web", MANAGED_BY: SELECTOR_LOOP}))).await;
    play.until("it is deleted", async || !names(&play.all_slices().await).contains("web-mine")).await;
    assert_eq!(name_of(&play.only("web").await), slice);
    // One that is somebody else's, and one of the other loop without anything to mirror.
    let theirs =
        play.slice(by_hand("web-theirs", json!({SERVICE_NAME: "web", MANAGED_BY: "example.org"}))).await;
    play.slice(by_hand("web-mirror", json!({SERVICE_NAME: "web", MANAGED_BY: MIRRORING_LOOP}))).await;
    play.until("the mirrored one is deleted", async || {
        !names(&play.all_slices().await).contains("web-mirror")
    })
    .await;
    assert_eq!(
        play.get("endpointslices", "web-theirs").await["metadata"]["resourceVersion"],
        theirs["metadata"]["resourceVersion"]
    );
    // For a Service that does not exist: left alone by the selector loop, deleted by the other.
    play.slice(by_hand("no-mine", json!({SERVICE_NAME: "no", MANAGED_BY: SELECTOR_LOOP}))).await;
    play.slice(by_hand("no-mirror", json!({SERVICE_NAME: "no", MANAGED_BY: MIRRORING_LOOP}))).await;
    play.until("the mirrored one is deleted", async || {
        !names(&play.all_slices().await).contains("no-mirror")
    })
    .await;
    assert!(names(&play.all_slices().await).contains("no-mine"));
    play.end().await;
}

/// A name that somebody else has taken: the next one is used.
#[tokio::test]
async fn a_name_that_is_taken_by_a_stranger_is_not_waited_for() {
    let Some((play, slice)) = begin("name").await else { return };
    // Same Service name and uid would compute the same name again: take it as soon as it is free.
    play.delete("services", "web").await;
    let mut stranger = play.get("endpointslices", &slice).await;
    stranger["metadata"] = json!({"name": slice, "labels": {SERVICE_NAME: "web", MANAGED_BY: "example.org"}});
    play.delete("endpointslices", &slice).await;
    play.slice(stranger).await;
    play.service(web("web")).await;
    play.see("web", &[LINE, LINE]).await;
    play.end().await;
}

/// Another writer that undoes everything at once, as long as it does: at most a write a second of ours.
#[tokio::test]
async fn a_fight_with_another_writer_is_bounded() {
    let Some((play, slice)) = begin("fight").await else { return };
    play.consumer.forget_writes();
    let path = format!("{}/{slice}", play.path("endpointslices"));
    let began = std::time::Instant::now();
    let mut theirs = 0;
    while began.elapsed() < Duration::from_secs(4) {
        let label = json!({"metadata": {"labels": {HEADLESS: ""}}});
        let answer = play.api().patch(&path, &label).await.expect("fight");
        assert_eq!(answer["metadata"]["labels"][HEADLESS], "");
        theirs += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    play.consumer.caught_up().await;
    let counts = play.consumer.counts_of("web");
    assert_eq!((counts.created, counts.deleted), (0, 0), "{counts:?}");
    // Each of ours is answered by one of theirs; the rest of theirs changes nothing and is not stored.
    assert!(theirs > 20 && (2..=12).contains(&counts.updated), "{counts:?} of {theirs}");
    becomes(&play, "peace", &slice, |slice| slice["metadata"]["labels"][HEADLESS].is_null()).await;
    play.end().await;
}

#[tokio::test]
async fn issue_124131_mirrored_slices_that_were_edited_are_repaired() {
    let Some(play) = Play::begin("mirrored").await else { return };
    play.service(service_without_selector("ext").port("", 80, "80")).await;
    let subsets = json!([{"addresses": [{"ip": "192.0.2.1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}],
                          "ports": [{"port": 80}]}]);
    play.endpoints(endpoints("ext", subsets)).await;
    let line = "IPv4 :80/TCP = 192.0.2.1 R, 192.0.2.2 r";
    play.see("ext", &[line]).await;
    play.settle(SETTLED).await;
    let slice = name_of(&play.only("ext").await);
    play.change("endpointslices", &slice, |slice| slice["endpoints"][0]["addresses"] = json!(["192.0.2.9"]))
        .await;
    play.see("ext", &[line]).await;
    play.change("endpointslices", &slice, |slice| slice["ports"] = json!([])).await;
    play.see("ext", &[line]).await;
    let slice = name_of(&play.only("ext").await);
    play.patch("endpointslices", &slice, json!({"metadata": {"labels": {"stranger": "x"}}})).await;
    play.all("the label is gone", "ext", |slice| slice["metadata"]["labels"]["stranger"].is_null()).await;
    play.delete("endpointslices", &slice).await;
    play.see("ext", &[line]).await;
    let slice = name_of(&play.only("ext").await);
    play.patch("endpointslices", &slice, json!({"metadata": {"labels": {MANAGED_BY: "example.org"}}})).await;
    play.see("ext", &[line, line]).await;
    play.end().await;
}
