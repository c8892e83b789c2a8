//! A relist is one swap; what cannot be decoded keeps its old row; versions that went back for good.

use super::*;

const NOBODY: [&str; 0] = [];

#[test]
fn what_a_list_does_not_show_any_more_was_deleted() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_service(service("plain", ""));
    stage.put_pod(pod("p", "app=web"));
    stage.put_pod(pod("q", "app=web"));
    stage.put_node(node("n1", "z1"));
    stage.put_endpoints(endpoints("plain"));
    stage.put_slice(slice("web-1", Loop::Selector, "web"));

    assert_eq!(stage.list_pods([pod("q", "app=web")]), ["selector web PodBatch"]);
    assert!(stage.view.pods.get(&key("p")).is_none());
    assert_eq!(stage.view.selector_snapshot(&key("web"), None).unwrap().pods.len(), 1);
    assert_eq!(stage.list_endpoints([]), ["mirroring plain Now"]);
    assert!(stage.view.endpoints.is_empty());
    assert_eq!(stage.list_slices([]), ["selector web SliceBatch"]);
    assert!(stage.view.slices.is_empty());
    assert_eq!(stage.list_nodes([]), NOBODY);
    assert!(stage.view.nodes.is_empty());
    assert_eq!(stage.list_services([]), ["mirroring plain Now", "selector plain Now", "selector web Now"]);
    assert!(stage.view.services.is_empty());
}

#[test]
fn a_list_that_shows_the_same_wakes_nobody() {
    let mut stage = Stage::started();
    let rows = (
        [service("web", "app=web"), service("plain", "")],
        [pod("p", "app=web"), pod("q", "")],
        [node("n1", "z1")],
        [endpoints("plain")],
        [slice("web-1", Loop::Selector, "web"), slice("plain-1", Loop::Mirroring, "plain")],
    );
    for round in 0..2 {
        let woken = [
            stage.list_services(rows.0.clone()),
            stage.list_pods(rows.1.clone()),
            stage.list_nodes(rows.2.clone()),
            stage.list_endpoints(rows.3.clone()),
            stage.list_slices(rows.4.clone()),
        ]
        .concat();
        assert_eq!(woken.is_empty(), round == 1, "{woken:?}");
    }
    assert_eq!(stage.slices_of(Loop::Selector, "web").len(), 1);
}

#[test]
fn a_list_that_shows_others_is_added_changed_and_deleted_in_one_swap() {
    let mut stage = Stage::started();
    stage.list_services([service("web", "app=web"), service("front", "tier=front")]);
    stage.list_pods([pod("p", "app=web"), pod("q", "app=web")]);
    let woken = stage.list_pods([pod("q", "tier=front"), pod("r", "tier=front")]);
    assert_eq!(woken, ["selector front PodBatch", "selector web PodBatch"]);
    let names = |stage: &Stage, service| {
        let snapshot = stage.view.selector_snapshot(&key(service), None).unwrap();
        let mut names: Vec<String> = snapshot.pods.iter().map(|pod| pod.key.name.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&stage, "web"), NOBODY);
    assert_eq!(names(&stage, "front"), ["q", "r"]);
}

#[test]
fn what_is_unchanged_in_a_list_keeps_its_row() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_pod(pod("p", "app=web"));
    stage.put_node(node("n1", "z1"));
    stage.put_endpoints(endpoints("plain"));
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    let mut wakes = Vec::new();
    let view = &mut stage.view;
    let pod = view.pods.get(&key("p")).unwrap().meta();
    let service = view.services.get(&key("web")).unwrap().meta();
    let slice = view.slices.get(&key("web-1")).unwrap().meta();
    let endpoints = view.endpoints.get(&key("plain")).unwrap().meta();
    let node = view.nodes.get("n1").unwrap().meta();
    assert!(view.pods.holds(&pod) && view.services.holds(&service));
    assert!(view.slices.holds(&slice) && view.endpoints.holds(&endpoints));
    view.pod(Change::Replaced(vec![(pod, Listed::Unchanged)], 99), &mut wakes);
    view.service(Change::Replaced(vec![(service, Listed::Unchanged)], 99), &mut wakes);
    view.slice(Change::Replaced(vec![(slice, Listed::Unchanged)], 99), &mut wakes);
    view.endpoints(Change::Replaced(vec![(endpoints, Listed::Unchanged)], 99), &mut wakes);
    view.node(Change::Replaced(vec![(node, Listed::Unchanged)], 99), &mut wakes);
    assert_eq!(wakes, []);
    assert_eq!((view.pods.len(), view.services.len(), view.slices.len()), (1, 1, 1));
    assert_eq!((view.endpoints.len(), view.nodes.len()), (1, 1));
}

#[test]
fn what_cannot_be_decoded_keeps_its_old_row() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_pod(pod("p", "app=web"));
    stage.put_node(node("n1", "z1"));
    stage.put_endpoints(endpoints("plain"));
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    let held = |stage: &Stage| {
        let view = &stage.view;
        (
            view.services.get(&key("web")).cloned(),
            view.pods.get(&key("p")).cloned(),
            view.nodes.get("n1").cloned(),
            view.endpoints.get(&key("plain")).cloned(),
            view.slices.get(&key("web-1")).cloned(),
        )
    };
    let before = held(&stage);
    let woken = [
        stage.bad_service(service("web", "")),
        stage.bad_pod(pod("p", "")),
        stage.bad_node(node("n1", "")),
        stage.bad_endpoints(endpoints("plain")),
        stage.bad_slice(slice("web-1", Loop::Selector, "")),
    ]
    .concat();
    assert_eq!(woken, NOBODY);
    assert_eq!(held(&stage), before);

    fn undecodable<R: Row, L>(row: R, version: Version) -> Change<L> {
        Change::Replaced(vec![(row.at(version).meta(), Listed::Undecodable)], version)
    }
    let at = stage.next();
    let woken = [
        stage.wakes(|view, wakes| view.service(undecodable(service("web", ""), at), wakes)),
        stage.wakes(|view, wakes| view.pod(undecodable(pod("p", ""), at), wakes)),
        stage.wakes(|view, wakes| view.node(undecodable(node("n1", ""), at), wakes)),
        stage.wakes(|view, wakes| view.endpoints(undecodable(endpoints("plain"), at), wakes)),
        stage.wakes(|view, wakes| view.slice(undecodable(slice("web-1", Loop::Selector, ""), at), wakes)),
    ]
    .concat();
    assert_eq!(woken, NOBODY);
    assert_eq!(held(&stage), before);
}

#[test]
fn what_cannot_be_decoded_and_was_recreated_does_not_keep_the_row_of_the_dead() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_service(service("plain", ""));
    stage.put_pod(pod("p", "app=web"));
    stage.put_endpoints(endpoints("plain"));
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    let another = |key: Key, version| Meta { key, uid: Uid::new("another"), version };
    let at = stage.next();
    let list = |name: &str| (another(key(name), at), at);
    let (meta, version) = list("p");
    assert_eq!(
        stage.wakes(|view, wakes| {
            view.pod(Change::Replaced(vec![(meta, Listed::Undecodable)], version), wakes)
        }),
        ["selector web PodBatch"]
    );
    let (meta, version) = list("web-1");
    assert_eq!(
        stage.wakes(|view, wakes| {
            view.slice(Change::Replaced(vec![(meta, Listed::Undecodable)], version), wakes)
        }),
        ["selector web SliceBatch"]
    );
    let (meta, _) = list("plain");
    assert_eq!(
        stage.wakes(|view, wakes| view.endpoints(Change::Undecodable(meta), wakes)),
        ["mirroring plain Now"]
    );
    let (meta, _) = list("web");
    assert_eq!(
        stage.wakes(|view, wakes| view.service(Change::Undecodable(meta), wakes)),
        ["selector web Now"]
    );
    assert!(stage.view.pods.is_empty() && stage.view.slices.is_empty() && stage.view.endpoints.is_empty());
    assert_eq!(stage.view.services.len(), 1);
    assert!(stage.view.selector_snapshot(&key("plain"), None).is_err());
}

#[test]
fn after_versions_went_back_a_list_counts_whatever_its_version() {
    let mut stage = Stage::started();
    stage.version = 1000;
    stage.put_slice(filled(&slice("web-1", Loop::Selector, "web"), 1));
    stage.put_slice(slice("web-2", Loop::Selector, "web"));
    stage.put_slice(slice("lost-1", Loop::Selector, "lost"));
    stage.view.remember(
        Loop::Selector,
        &key("web"),
        Memory { refused: ["x".into()].into(), ..Memory::default() },
    );
    assert_eq!(stage.wakes(|view, wakes| view.slice(Change::Restored, wakes)), NOBODY);
    assert_eq!(
        stage.slices_of(Loop::Selector, "web").len(),
        2,
        "until the list is there the old one is seen"
    );
    stage.version = 10;
    assert_eq!(
        stage.list_slices([filled(&slice("web-1", Loop::Selector, "web"), 2)]),
        ["selector lost SliceBatch", "selector web SliceBatch"]
    );
    assert_eq!(stage.slices_of(Loop::Selector, "web"), [("web-1".to_owned(), 11)]);
    assert_eq!(stage.slices_of(Loop::Selector, "lost"), []);
    assert_eq!(stage.view.memory(Loop::Selector, &key("web")), Memory::default());
    assert_eq!(
        stage.put_slice(filled(&slice("web-1", Loop::Selector, "web"), 3)),
        ["selector web SliceBatch"],
        "events go on from there"
    );
}

#[test]
fn after_versions_went_back_no_row_is_taken_for_unchanged() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_pod(pod("p", "app=web"));
    stage.put_endpoints(endpoints("plain"));
    stage.put_marked("web");
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    let view = &mut stage.view;
    let mut wakes = Vec::new();
    let pod = view.pods.get(&key("p")).unwrap().meta();
    let service = view.services.get(&key("web")).unwrap().meta();
    let slice = view.slices.get(&key("web-1")).unwrap().meta();
    let plain = view.endpoints.get(&key("plain")).unwrap().meta();
    let marked = endpoints("web").at(4).meta();
    let all = |view: &View| {
        [
            view.pods.holds(&pod),
            view.services.holds(&service),
            view.slices.holds(&slice),
            view.endpoints.holds(&plain),
            view.endpoints.holds_marked(&marked),
        ]
    };
    assert_eq!(all(view), [true; 5]);
    view.pod(Change::Restored, &mut wakes);
    view.service(Change::Restored, &mut wakes);
    view.slice(Change::Restored, &mut wakes);
    view.endpoints(Change::Restored, &mut wakes);
    view.marked_endpoints(Change::Restored, &mut wakes);
    assert_eq!(all(view), [false; 5]);
}

#[test]
fn after_versions_went_back_what_cannot_be_decoded_keeps_its_row_and_hears_what_follows() {
    let mut stage = Stage::started();
    stage.version = 1000;
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    stage.wakes(|view, wakes| view.slice(Change::Restored, wakes));
    stage.version = 10;
    let meta = slice("web-1", Loop::Selector, "web").at(10).meta();
    stage.wakes(|view, wakes| view.slice(Change::Replaced(vec![(meta, Listed::Undecodable)], 10), wakes));
    assert_eq!(stage.slices_of(Loop::Selector, "web"), [("web-1".to_owned(), 10)]);
    assert_eq!(
        stage.put_slice(filled(&slice("web-1", Loop::Selector, "web"), 1)),
        ["selector web SliceBatch"]
    );
    assert_eq!(stage.slices_of(Loop::Selector, "web"), [("web-1".to_owned(), 11)]);
}

#[test]
fn after_versions_went_back_the_answer_of_an_earlier_write_does_not_enter() {
    let mut stage = Stage::started();
    stage.version = 1000;
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    stage.view.slices.write_begins(&key("web-1"));
    stage.wakes(|view, wakes| view.slice(Change::Restored, wakes));
    stage.version = 10;
    stage.list_slices([slice("web-1", Loop::Selector, "web")]);
    let late = filled(&slice("web-1", Loop::Selector, "web"), 7).at(1001);
    assert_eq!(stage.answer("web-1", Answered::Stored(late)), ["selector web SliceBatch"]);
    assert_eq!(stage.slices_of(Loop::Selector, "web"), [("web-1".to_owned(), 11)]);
}

#[test]
fn after_versions_went_back_endpoints_that_were_read_before_do_not_count() {
    let mut stage = Stage::started();
    stage.put_service(service("plain", ""));
    stage.version = 1000;
    stage.put_marked("plain");
    stage.view.endpoints_were_read(endpoints("plain").at(1001));
    assert!(matches!(stage.view.mirror_snapshot(&key("plain"), None), MirrorState::Ready(_)));
    stage.wakes(|view, wakes| view.marked_endpoints(Change::Restored, wakes));
    let meta = endpoints("plain").at(10).meta();
    stage.wakes(|view, wakes| {
        view.marked_endpoints(Change::Replaced(vec![(meta.clone(), Listed::Row(meta))], 10), wakes)
    });
    assert!(matches!(stage.view.mirror_snapshot(&key("plain"), None), MirrorState::Unread));
}
