//! Services of every kind and every change of a Service, on a real API server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::play::{Play, SETTLED, ips, lines, name_of, names, text, uid_of, web};
use crate::stage;
use crate::support::pods::{Object, pod, service, service_without_selector};
use crate::support::wait::SOON;
use crate::support::world::{MANAGED_BY, SELECTOR_LOOP, SERVICE_NAME};
use crate::support::{Controller, World, eventually};

const HEADLESS: &str = "service.kubernetes.io/headless";

/// Two Pods with both families: 10.1.0.1 and fd00::1, 10.1.0.2 and fd00::2.
async fn dual_pods(play: &Play, app: &str) {
    let node = play.node_in("dual", "zone-a").await;
    for number in 1..=2 {
        let addresses = [format!("10.1.0.{number}"), format!("fd00::{number}")];
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        play.pod(pod(&format!("{app}-{number}"), app, addresses[0]).ips(&addresses).on(&node)).await;
    }
}

const FOUR: &str = "IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt";
const SIX: &str = "IPv6 http:8080/TCP = fd00::1 RSt, fd00::2 RSt";

/// A Service `name` of the application `web`.
fn of_web(name: &str) -> Object {
    service(name, "web").port("http", 80, "8080")
}

#[tokio::test]
async fn every_type_of_service_is_published() {
    let Some(play) = Play::begin("types").await else { return };
    dual_pods(&play, "web").await;
    play.service(of_web("cluster-ip")).await;
    play.service(of_web("node-port").with("/spec/type", json!("NodePort"))).await;
    play.service(of_web("balancer").with("/spec/type", json!("LoadBalancer"))).await;
    play.service(of_web("headless").headless()).await;
    play.service(of_web("all-ready").with("/spec/publishNotReadyAddresses", json!(true))).await;
    play.service(of_web("both").families(&["IPv4", "IPv6"])).await;
    play.service(of_web("both-reversed").families(&["IPv6", "IPv4"])).await;
    play.service(of_web("prefer").with("/spec/ipFamilyPolicy", json!("PreferDualStack"))).await;
    play.service(of_web("six").families(&["IPv6"])).await;
    play.service(of_web("six-headless").families(&["IPv6"]).headless()).await;
    play.service(of_web("external-ips").with("/spec/externalIPs", json!(["192.0.2.1"]))).await;
    play.service(of_web("sticky").with("/spec/sessionAffinity", json!("ClientIP"))).await;
    for one in ["cluster-ip", "node-port", "balancer", "headless", "all-ready", "external-ips", "sticky"] {
        play.see(one, &[FOUR]).await;
    }
    for two in ["both", "both-reversed", "prefer"] {
        play.see(two, &[FOUR, SIX]).await;
    }
    for six in ["six", "six-headless"] {
        play.see(six, &[SIX]).await;
    }
    for slice in play.all_slices().await {
        let labels = &slice["metadata"]["labels"];
        let headless = text(&labels[SERVICE_NAME]).contains("headless");
        assert_eq!(labels[HEADLESS] == "", headless, "{slice}");
        assert_eq!(labels[MANAGED_BY], SELECTOR_LOOP);
        assert_eq!(slice["metadata"]["generateName"], format!("{}-", text(&labels[SERVICE_NAME])));
    }
    play.end().await;
}

#[tokio::test]
async fn services_that_the_loop_does_not_work_on_get_no_slice() {
    let Some(play) = Play::begin("skipped").await else { return };
    dual_pods(&play, "web").await;
    let external = service("external", "web").with("/spec/type", json!("ExternalName"));
    play.service(external.with("/spec/externalName", json!("example.org"))).await;
    play.service(service_without_selector("none").port("http", 80, "8080")).await;
    let empty = service_without_selector("empty").port("http", 80, "8080");
    play.service(empty.with("/spec/selector", json!({}))).await;
    play.still().await;
    assert_eq!(lines(&play.all_slices().await), Vec::<String>::new());
    play.end().await;
}

/// #133474: absent and empty port lists are the same; no perpetual updates.
#[tokio::test]
async fn issue_133474_a_headless_service_without_ports_has_a_slice_without_ports() {
    let Some(play) = Play::begin("portless").await else { return };
    let addresses = play.pods("web", 2, 1).await;
    play.service(service("web", "web").headless()).await;
    play.see("web", &["IPv4 - = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    play.promise("web", &addresses, &[None]).await;
    assert_eq!(play.writes("web", async { drop(play.set_ready("web-1", false).await) }).await, (0, 1, 0));
    play.see("web", &["IPv4 - = 10.1.0.1 RSt, 10.1.0.2 rst"]).await;
    play.end().await;
}

#[tokio::test]
async fn a_service_without_pods_has_one_placeholder_of_each_family() {
    let Some(play) = Play::begin("empty").await else { return };
    play.service(web("one")).await;
    play.service(web("two").families(&["IPv6", "IPv4"])).await;
    play.service(web("none").headless()).await;
    play.see("one", &["IPv4 - = -"]).await;
    play.see("two", &["IPv4 - = -", "IPv6 - = -"]).await;
    play.see("none", &["IPv4 - = -"]).await;
    assert_eq!(play.only("none").await["metadata"]["labels"][HEADLESS], "");
    play.end().await;
}

#[tokio::test]
async fn not_ready_addresses_are_published_as_ready_when_the_service_asks() {
    let Some(play) = Play::begin("unready").await else { return };
    let node = play.node_in("node", "zone-a").await;
    play.pod(pod("web-1", "web", "10.1.0.1").on(&node).ready(false)).await;
    play.pod(pod("web-2", "web", "10.1.0.2").on(&node)).await;
    // On a node that nobody knows: published without a zone.
    play.pod(pod("web-3", "web", "10.1.0.3").on(&play.node_name("unknown"))).await;
    let all = play.service(of_web("web").with("/spec/publishNotReadyAddresses", json!(true))).await;
    assert_eq!(all["spec"]["publishNotReadyAddresses"], true);
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 Rst, 10.1.0.2 RSt, 10.1.0.3 RSt"]).await;
    play.begin_termination("web-2").await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 Rst, 10.1.0.2 RST, 10.1.0.3 RSt"]).await;
    let endpoints = play.only("web").await["endpoints"].clone();
    for endpoint in endpoints.as_array().expect("endpoints") {
        let known = endpoint["addresses"][0] != "10.1.0.3";
        assert_eq!(endpoint["zone"].is_string(), known, "{endpoint}");
        assert!(endpoint["nodeName"].is_string(), "{endpoint}");
    }
    play.patch("services", "web", json!({"spec": {"publishNotReadyAddresses": false}})).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 rST"]).await;
    play.delete("pods", "web-3").await;
    play.end().await;
}

#[tokio::test]
async fn named_target_ports_make_a_slice_for_each_layout_of_pods() {
    let Some(play) = Play::begin("named").await else { return };
    let node = play.node_in("node", "zone-a").await;
    let container =
        |name: &str, number: u16| json!({"name": name, "containerPort": number, "protocol": "TCP"});
    play.pod(pod("a", "web", "10.1.0.1").on(&node).container_port("http", 8080)).await;
    play.pod(pod("b", "web", "10.1.0.2").on(&node).container_port("http", 9090)).await;
    // Found in the second container, and not in the first container's port of another protocol.
    let second = json!({"name": "second", "image": "example.org/app:1", "ports": [container("http", 8080)]});
    let udp = json!([{"name": "http", "containerPort": 53, "protocol": "UDP"}]);
    let c = pod("c", "web", "10.1.0.3").on(&node).with("/spec/containers/0/ports", udp);
    play.pod(c.with("/spec/containers/-", second)).await;
    // Found in a sidecar (a restartable init container) only.
    let sidecar = json!([
        {"name": "once", "image": "example.org/app:1", "ports": [container("http", 1111)]},
        {"name": "sidecar", "image": "example.org/app:1", "restartPolicy": "Always",
         "ports": [container("http", 7070)]},
    ]);
    play.pod(pod("d", "web", "10.1.0.4").on(&node).with("/spec/initContainers", sidecar.clone())).await;
    // The container wins over the sidecar.
    let e = pod("e", "web", "10.1.0.5").on(&node).container_port("http", 9090);
    play.pod(e.with("/spec/initContainers", sidecar)).await;
    // Nothing of that name: published without ports.
    play.pod(pod("f", "web", "10.1.0.6").on(&node)).await;
    play.service(service("web", "web").port("web", 80, "http")).await;
    play.see(
        "web",
        &[
            "IPv4 web:8080/TCP = 10.1.0.1 RSt, 10.1.0.3 RSt",
            "IPv4 web:9090/TCP = 10.1.0.2 RSt, 10.1.0.5 RSt",
            "IPv4 web:7070/TCP = 10.1.0.4 RSt",
            "IPv4 - = 10.1.0.6 RSt",
        ],
    )
    .await;
    // One port by name and one by number: those without the name keep the number.
    let ports = json!([{"name": "web", "port": 80, "targetPort": "http"},
                       {"name": "fixed", "port": 81, "targetPort": 8181}]);
    play.promise("web", &ips(&["10.1.0.1", "10.1.0.2", "10.1.0.4"]), &[Some("web")]).await;
    play.patch("services", "web", json!({"spec": {"ports": ports}})).await;
    play.see(
        "web",
        &[
            "IPv4 fixed:8181/TCP, web:8080/TCP = 10.1.0.1 RSt, 10.1.0.3 RSt",
            "IPv4 fixed:8181/TCP, web:9090/TCP = 10.1.0.2 RSt, 10.1.0.5 RSt",
            "IPv4 fixed:8181/TCP, web:7070/TCP = 10.1.0.4 RSt",
            "IPv4 fixed:8181/TCP = 10.1.0.6 RSt",
        ],
    )
    .await;
    play.end().await;
}

#[tokio::test]
async fn protocols_app_protocols_and_absent_target_ports_are_published_as_they_are() {
    let Some(play) = Play::begin("protocols").await else { return };
    play.pods("web", 1, 1).await;
    let ports = json!([
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "appProtocol": "example.org/dns"},
        {"name": "sig", "port": 53, "protocol": "SCTP", "targetPort": 5353},
    ]);
    play.service(service("web", "web").with("/spec/ports", ports)).await;
    play.see("web", &["IPv4 dns-tcp:53/TCP(example.org/dns), dns:53/UDP, sig:5353/SCTP = 10.1.0.1 RSt"])
        .await;
    play.service(service("bare", "web").port("", 80, "80")).await;
    play.see("bare", &["IPv4 :80/TCP = 10.1.0.1 RSt"]).await;
    assert_eq!(play.only("bare").await["ports"][0]["name"], "", "kube-proxy drops ports without a name");
    play.patch("services", "bare", json!({"spec": {"ports": [{"port": 80, "appProtocol": "http"}]}})).await;
    play.see("bare", &["IPv4 :80/TCP(http) = 10.1.0.1 RSt"]).await;
    play.end().await;
}

#[tokio::test]
async fn long_names_and_names_with_a_digit_first_get_valid_names_of_slices() {
    let Some(play) = Play::begin("names").await else { return };
    play.pods("web", 1, 1).await;
    let long = "a".repeat(63);
    let twin = format!("{}b", "a".repeat(62));
    for name in [long.as_str(), twin.as_str()] {
        play.service(of_web(name)).await;
        play.see(name, &["IPv4 http:8080/TCP = 10.1.0.1 RSt"]).await;
        let slice = play.only(name).await;
        assert_eq!(name_of(&slice).len(), 63);
        assert_eq!(slice["metadata"]["generateName"], format!("{name}-"));
    }
    play.service(of_web("1st")).await;
    play.see("1st", &["IPv4 http:8080/TCP = 10.1.0.1 RSt"]).await;
    assert!(name_of(&play.only("1st").await).starts_with("1st-"));
    play.end().await;
}

#[tokio::test]
async fn hints_follow_the_traffic_distribution() {
    let Some(play) = Play::begin("traffic").await else { return };
    let (one, two) = (play.node_in("one", "a").await, play.node_in("two", "").await);
    play.pod(pod("web-1", "web", "10.1.0.1").on(&one)).await;
    play.pod(pod("web-2", "web", "10.1.0.2").on(&two)).await;
    play.pod(pod("web-3", "web", "10.1.0.3").on(&one).ready(false)).await;
    let plain = "IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt, 10.1.0.3 rst";
    let zones = "IPv4 http:8080/TCP = 10.1.0.1 RSt zone=a, 10.1.0.2 RSt, 10.1.0.3 rst";
    let nodes =
        format!("IPv4 http:8080/TCP = 10.1.0.1 RSt zone=a node={one}, 10.1.0.2 RSt node={two}, 10.1.0.3 rst");
    let set = async |value: Value| {
        play.patch("services", "web", json!({"spec": {"trafficDistribution": value}})).await;
    };
    play.service(of_web("web")).await;
    play.see("web", &[plain]).await;
    play.promise("web", &ips(&["10.1.0.1", "10.1.0.2", "10.1.0.3"]), &[Some("http")]).await;
    set(json!("PreferClose")).await;
    play.see("web", &[zones]).await;
    assert_eq!(play.writes("web", set(json!("PreferSameZone"))).await, (0, 0, 0));
    play.see("web", &[zones]).await;
    set(json!("PreferSameNode")).await;
    play.see("web", &[&nodes]).await;
    // One that becomes ready gets its hints, one that is no longer ready loses them.
    play.set_ready("web-3", true).await;
    play.set_ready("web-1", false).await;
    let turned =
        format!("IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt node={two}, 10.1.0.3 RSt zone=a node={one}");
    play.see("web", &[&turned]).await;
    set(Value::Null).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt, 10.1.0.3 RSt"]).await;
    let untouched = play.only("web").await;
    for endpoint in untouched["endpoints"].as_array().expect("endpoints") {
        assert!(endpoint["hints"].is_null(), "{endpoint}");
    }
    play.end().await;
}

#[tokio::test]
async fn labels_of_the_service_are_the_labels_of_its_slices() {
    let Some(play) = Play::begin("labels").await else { return };
    play.pods("web", 120, 1).await;
    let service = of_web("web").label("team", "a").label("empty", "");
    // The reserved ones are never taken from the Service.
    play.service(service.label(HEADLESS, "").label(SERVICE_NAME, "other").label(MANAGED_BY, "me")).await;
    let wanted = |team: Value| {
        let mut labels = json!({SERVICE_NAME: "web", MANAGED_BY: SELECTOR_LOOP});
        for (key, value) in team.as_object().expect("labels") {
            labels[key] = value.clone();
        }
        move |slice: &Value| slice["metadata"]["labels"] == labels
    };
    play.all("the labels", "web", wanted(json!({"team": "a", "empty": ""}))).await;
    play.settle(SETTLED).await;
    assert_eq!(play.slices("web").await.len(), 2);
    let change = async {
        drop(
            play.patch("services", "web", json!({"metadata": {"labels": {"team": "b", "empty": null}}}))
                .await,
        )
    };
    assert_eq!(play.writes("web", change).await, (0, 2, 0));
    play.all("the labels", "web", wanted(json!({"team": "b"}))).await;
    // A reserved label of the Service that changes changes nothing.
    let change = async {
        drop(play.patch("services", "web", json!({"metadata": {"labels": {MANAGED_BY: "you"}}})).await)
    };
    assert_eq!(play.writes("web", change).await, (0, 0, 0));
    let change = async {
        drop(play.patch("services", "web", json!({"metadata": {"annotations": {"note": "x"}}})).await)
    };
    assert_eq!(play.writes("web", change).await, (0, 0, 0));
    play.end().await;
}

/// The peer loses a third of 250 addresses for a moment on each of these.
#[tokio::test]
async fn no_live_address_is_lost_when_ports_change() {
    let Some(play) = Play::begin("ports").await else { return };
    let addresses = play.pods("web", 250, 1).await;
    play.service(web("web")).await;
    play.wait_addresses("web", &addresses).await;
    play.settle(SETTLED).await;
    assert_eq!(play.slices("web").await.len(), 3);
    let uids: BTreeSet<String> = play.slices("web").await.iter().map(uid_of).collect();
    let ports = async |ports: Value, seen: &'static str| {
        let change = async {
            play.patch("services", "web", json!({"spec": {"ports": ports}})).await;
            play.wait_slices("the new ports everywhere", "web", SOON, |slices| {
                let right =
                    slices.iter().all(|slice| lines(std::slice::from_ref(slice))[0].starts_with(seen));
                if right { Ok(()) } else { Err(format!("{:#?}", lines(slices))) }
            })
            .await;
        };
        let writes = play.writes("web", change).await;
        assert_eq!(writes, (0, 3, 0), "recycled in place");
        play.wait_addresses("web", &addresses).await;
    };
    play.promise("web", &addresses, &[Some("http")]).await;
    // The number changed.
    ports(json!([{"name": "http", "port": 80, "targetPort": 9090}]), "IPv4 http:9090/TCP = ").await;
    // One added.
    let two = json!([{"name": "http", "port": 80, "targetPort": 9090}, {"name": "more", "port": 81}]);
    ports(two, "IPv4 http:9090/TCP, more:81/TCP = ").await;
    play.promise("web", &addresses, &[Some("more")]).await;
    // One renamed: the other is never absent.
    play.consumer.release("web", &addresses);
    play.promise("web", &addresses, &[Some("more")]).await;
    let renamed = json!([{"name": "web", "port": 80, "targetPort": 9090}, {"name": "more", "port": 81}]);
    ports(renamed, "IPv4 more:81/TCP, web:9090/TCP = ").await;
    // One removed.
    ports(json!([{"name": "more", "port": 81}]), "IPv4 more:81/TCP = ").await;
    let after: BTreeSet<String> = play.slices("web").await.iter().map(uid_of).collect();
    assert_eq!(after, uids, "slices are updated in place");
    play.end().await;
}

#[tokio::test]
async fn a_selector_that_changes_exchanges_the_pods() {
    let Some(play) = Play::begin("selector").await else { return };
    play.pods("one", 2, 1).await;
    play.pods("two", 2, 2).await;
    play.service(service("web", "one").port("http", 80, "8080")).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    let change = async {
        play.patch("services", "web", json!({"spec": {"selector": {"app": "two"}}})).await;
        play.see("web", &["IPv4 http:8080/TCP = 10.2.0.1 RSt, 10.2.0.2 RSt"]).await;
    };
    let (created, updated, deleted) = play.writes("web", change).await;
    assert_eq!((created, deleted), (0, 0));
    assert!(updated >= 1);
    let narrow = json!({"spec": {"selector": {"app": "two", "tier": "front"}}});
    play.patch("services", "web", narrow).await;
    play.see("web", &["IPv4 - = -"]).await;
    play.patch("pods", "two-1", json!({"metadata": {"labels": {"tier": "front"}}})).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.2.0.2 RSt"]).await;
    play.end().await;
}

/// #118376, #91072: the slices stay by design when the selector goes, and are used again when it comes.
#[tokio::test]
async fn issues_118376_and_91072_slices_stay_when_the_selector_is_removed_and_are_kept_when_it_returns() {
    let Some(play) = Play::begin("orphan").await else { return };
    let addresses = play.pods("web", 2, 1).await;
    let line = "IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt";
    play.service(web("web")).await;
    play.see("web", &[line]).await;
    play.promise("web", &addresses, &[Some("http")]).await;
    let uid = uid_of(&play.only("web").await);
    let remove = async {
        play.patch("services", "web", json!({"spec": {"selector": null}})).await;
        // The Pods are told of on another watch.
        play.settle(SETTLED).await;
        play.set_ready("web-0", false).await;
    };
    assert_eq!(play.writes("web", remove).await, (0, 0, 0));
    play.see("web", &[line]).await;
    play.patch("services", "web", json!({"spec": {"selector": {"app": "web"}}})).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt"]).await;
    assert_eq!(uid_of(&play.only("web").await), uid);
    play.end().await;
}

#[tokio::test]
async fn slices_stay_while_a_service_is_an_external_name() {
    let Some(play) = Play::begin("external").await else { return };
    let addresses = play.pods("web", 2, 1).await;
    play.service(web("web")).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt, 10.1.0.2 RSt"]).await;
    play.promise("web", &addresses, &[Some("http")]).await;
    let uid = uid_of(&play.only("web").await);
    let change = async {
        play.change("services", "web", |service| {
            service["spec"]["type"] = json!("ExternalName");
            service["spec"]["externalName"] = json!("example.org");
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"]
            {
                service["spec"][field] = Value::Null;
            }
        })
        .await;
        play.set_ready("web-0", false).await;
    };
    assert_eq!(play.writes("web", change).await, (0, 0, 0));
    play.change("services", "web", |service| {
        service["spec"]["type"] = json!("ClusterIP");
        service["spec"]["externalName"] = Value::Null;
    })
    .await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 rst, 10.1.0.2 RSt"]).await;
    assert_eq!(uid_of(&play.only("web").await), uid);
    play.end().await;
}

#[tokio::test]
async fn a_service_becomes_dual_stack_and_single_stack_again() {
    let Some(play) = Play::begin("families").await else { return };
    dual_pods(&play, "web").await;
    play.service(web("web")).await;
    play.see("web", &[FOUR]).await;
    play.promise("web", &ips(&["10.1.0.1", "10.1.0.2"]), &[Some("http")]).await;
    let uid = uid_of(&play.only("web").await);
    let policy = async |policy: &str, families: Value| {
        let spec = json!({"spec": {"ipFamilyPolicy": policy, "ipFamilies": families}});
        play.patch("services", "web", spec).await;
    };
    let both = policy("RequireDualStack", json!(["IPv4", "IPv6"]));
    assert_eq!(play.writes("web", both).await, (1, 0, 0));
    play.see("web", &[FOUR, SIX]).await;
    let one = async {
        play.change("services", "web", |service| {
            service["spec"]["ipFamilyPolicy"] = json!("SingleStack");
            service["spec"]["ipFamilies"] = json!(["IPv4"]);
            let first = service["spec"]["clusterIPs"][0].clone();
            service["spec"]["clusterIPs"] = json!([first]);
        })
        .await;
    };
    assert_eq!(play.writes("web", one).await, (0, 0, 1));
    play.see("web", &[FOUR]).await;
    assert_eq!(uid_of(&play.only("web").await), uid);
    play.end().await;
}

#[tokio::test]
async fn slices_of_a_type_that_the_service_does_not_have_are_deleted() {
    let Some(play) = Play::begin("fqdn").await else { return };
    play.pods("web", 1, 1).await;
    let service = play.service(web("web")).await;
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt"]).await;
    for (name, kind, address) in [("web-fqdn", "FQDN", "example.org"), ("web-six", "IPv6", "fd00::9")] {
        play.slice(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": kind,
            "metadata": {
                "name": name, "labels": {SERVICE_NAME: "web", MANAGED_BY: SELECTOR_LOOP},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web",
                                     "uid": service["metadata"]["uid"], "controller": true}],
            },
            "endpoints": [{"addresses": [address]}], "ports": [],
        }))
        .await;
    }
    play.see("web", &["IPv4 http:8080/TCP = 10.1.0.1 RSt"]).await;
    play.end().await;
}

#[tokio::test]
async fn scaling_fills_rewrites_and_recycles_in_as_few_writes_as_upstream() {
    let Some(play) = Play::begin("scale").await else { return };
    play.service(web("web")).await;
    play.see("web", &["IPv4 - = -"]).await;
    let placeholder = play.only("web").await;
    let addresses = play.pods("web", 3, 1).await;
    play.wait_addresses("web", &addresses).await;
    let full = play.only("web").await;
    assert_eq!(uid_of(&full), uid_of(&placeholder), "the placeholder is recycled in place");
    assert_eq!(name_of(&full), name_of(&placeholder));
    for number in 0..3 {
        play.delete("pods", &format!("web-{number}")).await;
    }
    play.see("web", &["IPv4 - = -"]).await;
    assert_eq!(uid_of(&play.only("web").await), uid_of(&placeholder), "and it is one again");
    play.end().await;
}

#[tokio::test]
async fn two_hundred_and_fifty_pods_fill_three_slices_and_shrink_without_rebalancing() {
    let Some(play) = Play::begin("many").await else { return };
    let addresses = play.pods("web", 250, 1).await;
    play.service(web("web")).await;
    play.wait_addresses("web", &addresses).await;
    let sizes = |slices: &[Value]| {
        let mut sizes: Vec<usize> =
            slices.iter().map(|s| s["endpoints"].as_array().map_or(0, Vec::len)).collect();
        sizes.sort();
        sizes
    };
    let slices = play.slices("web").await;
    assert_eq!(sizes(&slices), [50, 100, 100]);
    play.promise("web", &addresses[..90], &[Some("http")]).await;
    // One more goes where there is room, and touches one slice only.
    let node = play.node_name("node");
    let one = async {
        play.pod(pod("web-more", "web", "10.9.0.1").on(&node)).await;
        play.consumer.caught_up().await;
    };
    let (created, updated, deleted) = play.writes("web", one).await;
    assert!(created == 0 && deleted == 0 && (1..=2).contains(&updated), "{created} {updated} {deleted}");
    for number in 90..250 {
        play.delete("pods", &format!("web-{number}")).await;
    }
    let mut left = addresses[..90].to_vec();
    left.push("10.9.0.1".to_string());
    play.wait_addresses("web", &left).await;
    let standing = play.slices("web").await;
    assert!(names(&standing).is_subset(&names(&slices)), "none was made for what was there");
    play.end().await;
}

#[tokio::test]
async fn the_maximum_of_a_slice_is_obeyed_and_larger_slices_are_not_split() {
    let Some(stage) = stage::exclusive().await else { return };
    let world = World::new(&stage, "maximum").await;
    let addresses = world.pods("web", 25, 1).await;
    world.service(web("web")).await;
    let sizes = async || {
        let slices = world.slices("web").await;
        let mut sizes: Vec<usize> =
            slices.iter().map(|s| s["endpoints"].as_array().map_or(0, Vec::len)).collect();
        sizes.sort();
        sizes
    };
    let start = |maximum: &str| {
        Controller::launch(
            &stage,
            &["--metrics-bind-address=0", &format!("--max-endpoints-per-slice={maximum}")],
        )
    };
    let first = start("10");
    world.wait_addresses("web", &addresses).await;
    assert_eq!(sizes().await, [5, 10, 10]);
    assert_eq!(first.terminate(SOON).await, 0);
    // Larger slices stay; a new endpoint makes a slice of its own where none has room.
    let versions = world.versions().await;
    let second = start("4");
    let marker = world.service(web("marker")).await;
    eventually("the second controller works", SOON, || async {
        let slices = world.slices(&name_of(&marker)).await;
        if slices.len() == 1 { Ok(()) } else { Err("no slice of the marker".to_string()) }
    })
    .await;
    for (name, version) in &versions {
        assert_eq!(world.versions().await.get(name), Some(version), "{name} was written");
    }
    world.pod(pod("web-more", "web", "10.9.0.1").on(&world.node_name("node"))).await;
    let mut more = addresses.clone();
    more.push("10.9.0.1".to_string());
    world.wait_addresses("web", &more).await;
    assert_eq!(sizes().await, [1, 5, 10, 10]);
    assert!(second.log().is_empty(), "{}", second.log());
    assert_eq!(second.terminate(SOON).await, 0);
}
