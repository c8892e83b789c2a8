//! When a key is queued (behaviour.md, sections 2 and 3).

use super::*;

const NOBODY: [&str; 0] = [];

fn two_services() -> Stage {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_service(service("front", "tier=front"));
    stage.put_node(node("n1", "z1"));
    stage
}

#[test]
fn nothing_is_woken_before_the_start_and_then_every_key_is_told() {
    let mut stage = Stage::new();
    assert_eq!(stage.put_service(service("web", "app=web")), NOBODY);
    assert_eq!(stage.put_service(service("plain", "")), NOBODY);
    let external = Service { external_name: true, ..service("external", "app=web") };
    assert_eq!(stage.put_service(external), NOBODY);
    assert_eq!(stage.put_pod(pod("p", "app=web")), NOBODY);
    assert_eq!(stage.put_node(node("n1", "z1")), NOBODY);
    assert_eq!(stage.list_nodes([node("n1", "z2")]), NOBODY);
    assert_eq!(stage.put_endpoints(endpoints("plain")), NOBODY);
    assert_eq!(stage.put_marked("web"), NOBODY);
    assert_eq!(stage.put_slice(slice("web-1", Loop::Selector, "web")), NOBODY);
    assert_eq!(stage.put_slice(slice("left-1", Loop::Mirroring, "left")), NOBODY);
    assert_eq!(stage.list_pods([]), NOBODY);
    stage.view.slices.write_begins(&key("web-1"));
    assert_eq!(stage.put_slice(filled(&slice("web-1", Loop::Selector, "web"), 1)), NOBODY);
    assert_eq!(stage.answer("web-1", Answered::Nothing), NOBODY);

    let keys = stage.view.start(None);
    let told: Vec<String> = keys.iter().map(|(which, key)| format!("{} {key}", which.as_str())).collect();
    assert_eq!(told, ["selector a/web", "mirroring a/left", "mirroring a/plain"]);
    assert_eq!(stage.put_pod(pod("p", "app=web")), ["selector web PodBatch"]);
}

#[test]
fn a_service_that_is_added_updated_or_deleted_is_queued_at_once() {
    let mut stage = Stage::started();
    assert_eq!(stage.put_service(service("web", "app=web")), ["selector web Now"]);
    assert_eq!(stage.put_service(service("web", "app=web")), NOBODY, "only its version changed");
    let headless = Service { cluster_ip: "None".into(), ..service("web", "app=web") };
    assert_eq!(stage.put_service(headless.clone()), ["selector web Now"]);
    assert_eq!(stage.gone(headless, View::service), ["selector web Now"]);
}

#[test]
fn a_service_without_selector_that_comes_or_goes_concerns_the_mirroring_loop() {
    let mut stage = Stage::started();
    let both = ["mirroring web Now", "selector web Now"];
    assert_eq!(stage.put_service(service("web", "")), both);
    let named = Service { cluster_ip: "".into(), ..service("web", "") };
    assert_eq!(stage.put_service(named), ["selector web Now"], "its selector is as absent as before");
    assert_eq!(stage.put_service(service("web", "app=web")), both, "a selector was added");
    assert_eq!(stage.put_service(service("web", "app=other")), ["selector web Now"]);
    assert_eq!(stage.put_service(service("web", "")), both, "the selector was removed");
    assert_eq!(stage.gone(service("web", ""), View::service), both);
}

/// The live read that is to confirm that a Service is gone may find its successor, and then leaves
/// the mirrored slices to the event that shows it.
#[test]
fn a_service_with_a_selector_that_comes_while_mirrored_slices_are_left_concerns_the_mirroring_loop() {
    let mut stage = Stage::started();
    stage.put_slice(slice("web-1", Loop::Mirroring, "web"));
    assert_eq!(stage.put_service(service("web", "app=web")), ["mirroring web Now", "selector web Now"]);
    assert_eq!(stage.gone(service("web", "app=web"), View::service), ["selector web Now"]);
}

#[test]
fn a_service_recreated_between_two_lists_concerns_the_mirroring_loop_only_without_a_selector() {
    let mut stage = Stage::started();
    let again = |selector| Service { uid: Uid::new("another"), ..service("web", selector) };
    stage.put_service(service("web", "app=web"));
    assert_eq!(stage.list_services([again("app=web")]), ["selector web Now"]);
    stage.list_services([service("web", "")]);
    assert_eq!(stage.list_services([again("")]), ["mirroring web Now", "selector web Now"]);
}

#[test]
fn a_pod_that_is_added_or_deleted_wakes_the_services_that_match() {
    let mut stage = two_services();
    assert_eq!(stage.put_pod(pod("p", "app=web")), ["selector web PodBatch"]);
    assert_eq!(
        stage.put_pod(pod("q", "app=web,tier=front")),
        ["selector front PodBatch", "selector web PodBatch"]
    );
    assert_eq!(stage.put_pod(pod("r", "app=other")), NOBODY);
    assert_eq!(stage.gone(pod("p", "app=web"), View::pod), ["selector web PodBatch"]);
    assert_eq!(stage.gone(pod("r", "app=other"), View::pod), NOBODY);
}

#[test]
fn a_pod_wakes_no_service_of_another_namespace_none_without_selector_and_no_external_name() {
    let mut stage = Stage::started();
    stage.put_service(Service { key: Key::new("b", "web"), ..service("web", "app=web") });
    stage.put_service(service("plain", ""));
    stage.put_service(Service { external_name: true, ..service("external", "app=web") });
    assert_eq!(stage.put_pod(pod("p", "app=web")), NOBODY);
    assert_eq!(stage.view.services.selected(&key("external")).unwrap().members.len(), 0);
}

#[test]
fn a_service_that_stops_being_an_external_name_finds_its_pods() {
    let mut stage = Stage::started();
    let external = Service { external_name: true, ..service("web", "app=web") };
    stage.put_service(external.clone());
    stage.put_pod(pod("p", "app=web"));
    assert_eq!(stage.put_service(service("web", "app=web")), ["selector web Now"]);
    assert_eq!(stage.view.selector_snapshot(&key("web"), None).unwrap().pods.len(), 1);
    assert_eq!(stage.put_service(external), ["selector web Now"]);
    assert_eq!(stage.put_pod(pod("q", "app=web")), NOBODY);
    assert_eq!(stage.view.selector_snapshot(&key("web"), None).err(), Some(NoPlan::NotSelecting));
}

#[test]
fn every_change_of_a_pod_that_an_endpoint_is_made_of_wakes() {
    let old = pod("p", "app=web");
    let changes: [(&str, Pod); 10] = [
        ("hostname", Pod { hostname: Some("h".into()), ..old.clone() }),
        ("subdomain", Pod { subdomain: Some("s".into()), ..old.clone() }),
        ("deletionTimestamp", Pod { terminating: true, ..old.clone() }),
        ("readiness", Pod { ready: false, ..old.clone() }),
        ("podIPs", Pod { ips: ip("10.0.0.2"), ..old.clone() }),
        ("podIP", Pod { has_ip: false, ..old.clone() }),
        ("phase", Pod { terminal: true, ..old.clone() }),
        ("nodeName", Pod { node: Some(Text::new("n2")), ..old.clone() }),
        ("no nodeName", Pod { node: None, ..old.clone() }),
        ("uid", Pod { uid: Uid::new("another"), ..old.clone() }),
    ];
    for (what, new) in changes {
        let mut stage = two_services();
        stage.put_pod(old.clone());
        assert_eq!(stage.put_pod(new), ["selector web PodBatch"], "{what}");
        assert_eq!(stage.put_pod(old.clone()), ["selector web PodBatch"], "{what} and back");
    }
}

#[test]
fn an_unchanged_pod_wakes_nobody() {
    let mut stage = two_services();
    stage.put_pod(pod("p", "app=web"));
    assert_eq!(stage.put_pod(pod("p", "app=web")), NOBODY);
    let later = Pod { ready_since: Some(Time::from_secs(7)), ..pod("p", "app=web") };
    assert_eq!(stage.put_pod(later), NOBODY, "the time of its readiness alone makes no endpoint");
    let held = stage.view.pods.get(&key("p")).unwrap();
    assert_eq!((held.version, held.ready_since), (stage.version, Some(Time::from_secs(7))));
}

#[test]
fn only_labels_changed_wakes_those_that_match_exactly_one_of_both() {
    let mut stage = two_services();
    stage.put_pod(pod("p", "app=web"));
    assert_eq!(stage.put_pod(pod("p", "app=web,tier=front")), ["selector front PodBatch"]);
    assert_eq!(stage.put_pod(pod("p", "app=web,tier=front,x=y")), NOBODY);
    assert_eq!(stage.put_pod(pod("p", "tier=back")), ["selector front PodBatch", "selector web PodBatch"]);
}

#[test]
fn labels_and_readiness_changed_wakes_those_that_match_before_or_after() {
    let mut stage = two_services();
    stage.put_pod(pod("p", "app=web"));
    let new = Pod { ready: false, ..pod("p", "app=web,tier=front") };
    assert_eq!(stage.put_pod(new), ["selector front PodBatch", "selector web PodBatch"]);
    assert_eq!(stage.put_pod(pod("p", "app=web")), ["selector front PodBatch", "selector web PodBatch"]);
}

#[test]
fn a_late_delete_of_an_earlier_pod_of_the_name_changes_nothing() {
    let mut stage = two_services();
    stage.put_pod(Pod { uid: Uid::new("another"), ..pod("p", "app=web") });
    assert_eq!(stage.gone(pod("p", "app=web"), View::pod), NOBODY);
    assert!(stage.view.pods.get(&key("p")).is_some());
}

#[test]
fn a_node_that_appears_or_changes_its_zone_wakes_the_services_of_its_pods() {
    let mut stage = two_services();
    stage.put_pod(pod("p", "app=web"));
    stage.put_pod(Pod { node: Some(Text::new("n2")), ..pod("q", "tier=front") });
    assert_eq!(stage.put_node(node("n2", "z1")), ["selector front Now"], "it appeared");
    assert_eq!(stage.put_node(node("n1", "z2")), ["selector web Now"], "its zone changed");
    assert_eq!(stage.put_node(node("n1", "")), ["selector web Now"], "its zone was removed");
    let replaced = Node { uid: Uid::new("another"), ..node("n1", "") };
    assert_eq!(stage.put_node(replaced.clone()), ["selector web Now"], "it was replaced");
    assert_eq!(stage.gone(replaced, View::node), NOBODY, "its Pods may be alive");
    assert_eq!(stage.put_node(node("n1", "")), ["selector web Now"], "it came back");
}

#[test]
fn a_heartbeat_of_a_node_wakes_nobody() {
    let mut stage = two_services();
    stage.put_pod(pod("p", "app=web"));
    stage.put_service(Service { topology_mode: TopologyMode::Auto, ..service("auto", "app=web") });
    let before = Arc::clone(&stage.view.nodes);
    assert_eq!(stage.put_node(node("n1", "z1")), NOBODY);
    assert!(Arc::ptr_eq(&before, &stage.view.nodes), "and costs no copy");
    assert_eq!(stage.list_nodes([node("n1", "z1")]), NOBODY);
    let not_ready = Node { ready: false, ..node("n1", "z1") };
    assert_eq!(stage.put_node(not_ready), ["selector auto Now"], "readiness is for topology only");
}

#[test]
fn any_node_that_topology_counts_wakes_the_services_in_mode_auto() {
    let old = node("n2", "z1");
    let changes = [
        ("readiness", Node { ready: false, ..old.clone() }),
        ("zone", node("n2", "z2")),
        ("CPU", Node { cpu_milli: None, ..old.clone() }),
        ("control plane", Node { control_plane: true, ..old.clone() }),
    ];
    for (what, new) in changes {
        let mut stage = two_services();
        stage.put_service(Service { topology_mode: TopologyMode::Auto, ..service("auto", "app=web") });
        assert_eq!(stage.put_node(old.clone()), ["selector auto Now"], "a Node was added");
        assert_eq!(stage.put_node(new.clone()), ["selector auto Now"], "{what}");
        assert_eq!(stage.list_nodes([node("n1", "z1"), old.clone()]), ["selector auto Now"], "{what} back");
        assert_eq!(stage.gone(old.clone(), View::node), ["selector auto Now"], "the Node was removed");
        stage.put_node(old.clone());
        assert_eq!(stage.list_nodes([node("n1", "z1")]), ["selector auto Now"], "it vanished");
        stage.put_service(service("auto", "app=web"));
        assert_eq!(stage.put_node(old.clone()), NOBODY, "the mode was left");
        stage.put_service(Service { topology_mode: TopologyMode::Auto, ..service("auto", "") });
        assert_eq!(stage.put_node(new), NOBODY, "without a selector there are no hints");
    }
}

#[test]
fn a_slice_that_somebody_else_changed_gained_or_deleted_wakes_after_the_batch() {
    for which in [Loop::Selector, Loop::Mirroring] {
        let mut stage = Stage::started();
        let woken = [format!("{} web SliceBatch", which.as_str())];
        let mine = slice("web-1", which, "web");
        assert_eq!(stage.put_slice(mine.clone()), woken, "gained");
        assert_eq!(stage.put_slice(mine.clone()), NOBODY, "only its version changed");
        assert_eq!(stage.put_slice(filled(&mine, 1)), woken, "changed");
        assert_eq!(stage.gone(mine, View::slice), woken, "deleted, or taken over by another managed-by");
    }
}

#[test]
fn a_slice_that_names_no_service_wakes_nobody() {
    let mut stage = Stage::started();
    let nameless = Slice {
        labels: labels(&format!("{MANAGED_BY}={}", Loop::Selector.managed_by())),
        ..slice("x", Loop::Selector, "")
    };
    assert_eq!(stage.put_slice(nameless.clone()), NOBODY);
    assert_eq!(stage.put_slice(slice("x", Loop::Selector, "web")), ["selector web Now"]);
    assert_eq!(stage.put_slice(nameless.clone()), ["selector web Now"]);
    assert_eq!(stage.gone(nameless, View::slice), NOBODY);
}

#[test]
fn a_slice_whose_service_name_label_changed_queues_both_services() {
    let mut stage = Stage::started();
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    let moved = slice("web-1", Loop::Selector, "front");
    assert_eq!(stage.put_slice(moved), ["selector front Now", "selector web Now"]);
    assert_eq!(stage.slices_of(Loop::Selector, "web"), []);
    assert_eq!(stage.slices_of(Loop::Selector, "front").len(), 1);
}

#[test]
fn a_slice_that_goes_from_one_loop_to_the_other_queues_both() {
    let mut stage = Stage::started();
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    assert_eq!(
        stage.put_slice(slice("web-1", Loop::Mirroring, "web")),
        ["mirroring web SliceBatch", "selector web SliceBatch"]
    );
}

fn mirrored() -> Stage {
    let mut stage = Stage::started();
    stage.put_service(service("plain", ""));
    stage
}

#[test]
fn endpoints_that_are_to_be_mirrored_wake_at_once() {
    let mut stage = mirrored();
    let woken = ["mirroring plain Now"];
    assert_eq!(stage.put_endpoints(endpoints("plain")), woken, "added");
    assert_eq!(stage.put_endpoints(endpoints("plain")), NOBODY, "only the version changed");
    let labelled = Endpoints { labels: labels("a=b"), ..endpoints("plain") };
    assert_eq!(stage.put_endpoints(labelled.clone()), woken, "changed");
    assert_eq!(stage.gone(labelled, View::endpoints), woken, "deleted");
    assert_eq!(stage.put_endpoints(endpoints("alone")), ["mirroring alone Now"], "there is no Service yet");
}

#[test]
fn endpoints_that_are_not_to_be_mirrored_wake_only_when_they_were() {
    let mut stage = mirrored();
    let skipped =
        Endpoints { labels: labels("endpointslice.kubernetes.io/skip-mirror=true"), ..endpoints("plain") };
    let leader =
        Endpoints { annotations: labels("control-plane.alpha.kubernetes.io/leader=x"), ..endpoints("plain") };
    assert_eq!(stage.put_endpoints(skipped.clone()), NOBODY, "added");
    assert_eq!(stage.put_endpoints(leader), NOBODY, "not before and not after");
    assert_eq!(stage.gone(skipped.clone(), View::endpoints), NOBODY, "deleted");
    stage.put_endpoints(endpoints("plain"));
    assert_eq!(stage.put_endpoints(skipped.clone()), ["mirroring plain Now"], "they were");
    assert_eq!(stage.put_endpoints(endpoints("plain")), ["mirroring plain Now"], "they are");
    stage.put_endpoints(skipped);
    let not_quite =
        Endpoints { labels: labels("endpointslice.kubernetes.io/skip-mirror=True"), ..endpoints("plain") };
    assert_eq!(stage.put_endpoints(not_quite), ["mirroring plain Now"], "only exactly `true` counts");
}

#[test]
fn endpoints_of_a_service_with_selector_concern_nobody_unless_mirrored_slices_are_left() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    assert_eq!(stage.put_endpoints(endpoints("web")), NOBODY);
    assert_eq!(stage.put_marked("web"), NOBODY);
    assert_eq!(stage.put_marked("web"), NOBODY);
    assert_eq!(stage.put_slice(slice("web-1", Loop::Mirroring, "web")), ["mirroring web SliceBatch"]);
    assert_eq!(stage.put_marked("web"), ["mirroring web Now"]);
    assert_eq!(stage.drop_marked("web"), ["mirroring web Now"]);
    assert_eq!(stage.gone(endpoints("web"), View::endpoints), ["mirroring web Now"]);
}

#[test]
fn endpoints_that_the_control_plane_writes_wake_when_their_service_has_no_selector() {
    let mut stage = mirrored();
    assert_eq!(stage.put_marked("plain"), ["mirroring plain Now"], "added");
    assert_eq!(stage.put_marked("plain"), ["mirroring plain Now"], "changed");
    let same = endpoints("plain").at(stage.version).meta();
    assert_eq!(
        stage.wakes(|view, wakes| {
            view.marked_endpoints(Change::Replaced(vec![(same, Listed::Unchanged)], 99), wakes)
        }),
        NOBODY,
        "listed again"
    );
    assert_eq!(stage.drop_marked("plain"), ["mirroring plain Now"], "deleted");
    stage.put_marked("plain");
    assert_eq!(
        stage.wakes(|view, wakes| view.marked_endpoints(Change::Replaced(Vec::new(), 100), wakes)),
        ["mirroring plain Now"],
        "vanished"
    );
}

#[test]
fn endpoints_that_change_sides_wake_on_both() {
    let mut stage = mirrored();
    stage.put_endpoints(endpoints("plain"));
    assert_eq!(stage.put_marked("plain"), ["mirroring plain Now"]);
    assert_eq!(stage.gone(endpoints("plain"), View::endpoints), ["mirroring plain Now"]);
    assert_eq!(stage.put_endpoints(endpoints("plain")), ["mirroring plain Now"]);
    assert_eq!(stage.drop_marked("plain"), ["mirroring plain Now"]);
}

#[test]
fn wakes_of_one_change_come_in_a_fixed_order() {
    let mut stage = Stage::started();
    for name in ["c", "a", "d", "b"] {
        stage.put_service(service(name, "app=web"));
    }
    let told = |stage: &mut Stage, pod: Pod| {
        let mut wakes = Vec::new();
        stage.view.pod(Change::Upserted(pod.meta(), pod), &mut wakes);
        wakes.iter().map(|wake| wake.key.name.to_string()).collect::<Vec<_>>()
    };
    for n in 0..8 {
        assert_eq!(told(&mut stage, pod(&format!("p{n}"), "app=web")), ["a", "b", "c", "d"]);
    }
}
