//! The steps, placeholders, recycling, labels and what is kept of a slice that is rewritten.

use std::sync::Arc;

use endpointslice_controller::model::labels::{HEADLESS, MANAGED_BY, SERVICE_NAME};
use endpointslice_controller::model::*;
use endpointslice_controller::plan::{Operation, Stage, selector};
use serde_json::Value;

use crate::build::*;
use crate::{addresses, assert_quiet, count, only, settle, the, writes};

/// Sizes of the slices that stand in the end, largest first.
fn sizes(snapshot: &SelectorSnapshot) -> Vec<usize> {
    let (_, standing) = settle(snapshot);
    let mut sizes: Vec<usize> = standing.slices.values().map(|slice| slice.endpoints.len()).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

#[test]
fn a_new_service_gets_full_slices_and_a_rest() {
    let before = snapshot(service(), pods(0..250));
    assert_eq!(sizes(&before), [100, 100, 50]);
    let plan = selector::plan(&before);
    assert!(plan.writes.iter().all(|w| (w.operation, w.stage) == (Operation::Create, Stage::Creates)));
    let family = &plan.figures.families[0];
    assert_eq!((family.added, family.removed, family.updated), (250, 0, 0));
    assert_eq!((family.desired_endpoints, family.slices, family.desired_slices), (250, 3, 3));
}

#[test]
fn a_created_slice_is_right_in_every_field() {
    let labels = Labels::new([("team", "a"), (MANAGED_BY, "me"), (SERVICE_NAME, "x"), (HEADLESS, "x")]);
    let plan = selector::plan(&snapshot(Service { labels, ..service() }, pods(1..2)));
    let created = only(&plan);
    let mut expected = slice(&created.key.name, [&pod(1)]);
    expected.uid = Uid::default();
    expected.version = 0;
    expected.labels =
        Labels::new(slice_labels(SERVICE).iter().cloned().chain([(Text::new("team"), Text::new("a"))]));
    expected.annotations = Labels::new([(labels::TRIGGER_TIME, "1970-01-01T00:08:20Z")]);
    assert_eq!(*created, expected);
    assert_eq!(plan.writes[0].base, None);
}

#[test]
fn new_endpoints_go_in_the_order_of_pod_names_whatever_the_order_of_the_input() {
    let mut all = pods(0..5);
    all.reverse();
    let plan = selector::plan(&snapshot(service(), all));
    assert_eq!(addresses(only(&plan)), (0..5).map(ipv4).collect::<Vec<_>>());
}

#[test]
fn slices_that_step_one_changed_are_filled_fullest_first() {
    let gone = pods(90..93);
    let before = with_max(
        4,
        with_slices(
            [
                slice("web-a", [&pod(0), &gone[0]]),
                slice("web-b", [&pod(1), &pod(2), &gone[1]]),
                slice("web-c", [&pod(3)]),
            ],
            snapshot(service(), pods(0..7)),
        ),
    );
    let (plan, standing) = settle(&before);
    assert_eq!(count(&plan, Operation::Update), 2);
    assert_eq!(addresses(&standing.slices["web-b"]).len(), 4, "two free places first");
    assert_eq!(addresses(&standing.slices["web-a"]).len(), 2);
    assert_eq!(addresses(&standing.slices["web-c"]).len(), 1, "untouched");
    let family = &plan.figures.families[0];
    assert_eq!((family.added, family.removed), (3, 2));
}

#[test]
fn ten_new_endpoints_and_two_slices_with_room_for_five_each_give_one_create() {
    let before = with_max(
        20,
        with_slices(
            [slice("web-a", &pods(0..15)), slice("web-b", &pods(15..30))],
            snapshot(service(), pods(0..40)),
        ),
    );
    let (plan, _) = settle(&before);
    assert_eq!((plan.writes[0].operation, only(&plan).endpoints.len()), (Operation::Create, 10));
}

#[test]
fn the_unchanged_slice_with_the_least_room_that_holds_all_takes_them() {
    let before = with_max(
        10,
        with_slices(
            [slice("web-a", &pods(0..5)), slice("web-b", &pods(5..12)), slice("web-c", &pods(12..21))],
            snapshot(service(), pods(0..23)),
        ),
    );
    let (plan, _) = settle(&before);
    assert_eq!((only(&plan).key.name.as_str(), only(&plan).endpoints.len()), ("web-b", 9));
}

#[test]
fn a_slice_that_was_empty_already_is_unchanged_and_one_that_lost_its_last_endpoint_is_deleted() {
    let before = with_slices(
        [slice("web-a", []), slice("web-b", [&pod(9)]), slice("web-c", [&pod(1)])],
        snapshot(service(), pods(1..2)),
    );
    let (plan, _) = settle(&before);
    assert_eq!(writes(&plan), [(Operation::Delete, "web-b", Stage::Deletes)]);
}

#[test]
fn a_slice_larger_than_todays_maximum_is_not_split() {
    assert_quiet(&with_max(3, with_slices([slice("web-a", &pods(0..8))], snapshot(service(), pods(0..8)))));
}

#[test]
fn a_duplicate_goes_from_the_second_slice_and_from_the_same() {
    let before = with_slices(
        [slice("web-a", [&pod(1), &pod(2)]), slice("web-b", [&pod(2), &pod(3), &pod(3)])],
        snapshot(service(), pods(1..4)),
    );
    let (plan, standing) = settle(&before);
    assert_eq!(addresses(&standing.slices["web-a"]), [ipv4(1), ipv4(2)]);
    assert_eq!(addresses(&standing.slices["web-b"]), [ipv4(3)]);
    assert_eq!((only(&plan).key.name.as_str(), plan.figures.families[0].removed), ("web-b", 2));
}

#[test]
fn scaling_to_zero_rewrites_one_slice_as_the_placeholder() {
    let before =
        with_slices([slice("web-a", &pods(0..3)), slice("web-b", &pods(3..6))], snapshot(service(), vec![]));
    let (plan, standing) = settle(&before);
    assert_eq!((count(&plan, Operation::Update), count(&plan, Operation::Delete)), (1, 1));
    let left = the(&standing, AddressType::IPv4);
    assert_eq!((left.ports.len(), left.endpoints.len()), (0, 0));
    assert_eq!(plan.figures.families[0].slices, 1);
    assert_eq!(plan.figures.without_endpoints, Some("no-pods"));
}

fn placeholder(name: &str) -> Slice {
    Slice { ports: Arc::from([]), ..slice(name, []) }
}

#[test]
fn a_service_without_pods_has_one_placeholder_per_address_type() {
    let dual = Service { ip_families: vec![AddressType::IPv4, AddressType::IPv6], ..service() };
    let (plan, standing) = settle(&snapshot(dual, vec![]));
    assert_eq!(count(&plan, Operation::Create), 2);
    assert!(standing.slices.values().all(|slice| slice.ports.is_empty() && slice.endpoints.is_empty()));
    let family = &plan.figures.families[0];
    assert_eq!((family.slices, family.desired_slices, family.desired_endpoints), (1, 1, 0));
}

#[test]
fn a_single_placeholder_that_is_right_is_left_alone() {
    assert_quiet(&with_slices([placeholder("web-p")], snapshot(service(), vec![])));
    let wrong = Slice { labels: slice_labels(SERVICE).filtered(|_| true), ..placeholder("web-p") };
    let labels = Labels::new(wrong.labels.iter().cloned().chain([(Text::new("x"), Text::new("y"))]));
    let (plan, _) = settle(&with_slices([Slice { labels, ..wrong }], snapshot(service(), vec![])));
    assert_eq!(plan.writes[0].operation, Operation::Update);
}

#[test]
fn the_placeholder_is_recycled_when_the_first_pod_comes() {
    let (plan, _) = settle(&with_slices([placeholder("web-p")], snapshot(service(), pods(1..2))));
    assert_eq!((plan.writes[0].operation, only(&plan).key.name.as_str()), (Operation::Update, "web-p"));
    assert_eq!((only(&plan).ports.len(), only(&plan).endpoints.len()), (1, 1));
}

#[test]
fn issue_108267_a_rewritten_slice_keeps_what_is_not_ours() {
    let foreign = Foreign {
        finalizers: vec!["example.com/keep".into()],
        fields: [("spec".to_owned(), Value::from(1))].into(),
    };
    let before = Slice {
        annotations: Labels::new([("example.com/note", "x"), (labels::TRIGGER_TIME, "1970-01-01T00:00:01Z")]),
        foreign: Some(Box::new(foreign)),
        generate_name: "other-".into(),
        ..slice("web-a", [&pod(9)])
    };
    let changed = Service { ports: vec![service_port("new", 1, TargetPort::Number(1))], ..service() };
    // In place, recycled for other ports, and as the placeholder.
    for snapshot in [
        snapshot(service(), vec![Pod { ready: false, ..pod(9) }]),
        snapshot(changed, pods(9..10)),
        snapshot(service(), vec![]),
    ] {
        let (plan, _) = settle(&with_slices([before.clone()], snapshot));
        let (written, base) = (only(&plan), plan.writes[0].base.as_deref());
        assert_eq!(base, Some(&before));
        assert_eq!((&written.uid, written.version, &written.key), (&before.uid, before.version, &before.key));
        assert_eq!((&written.foreign, &written.generate_name), (&before.foreign, &before.generate_name));
        assert!(written.annotations.has("example.com/note", "x"));
        assert_eq!(written.owners, before.owners);
    }
}

#[test]
fn a_port_change_of_all_rewrites_every_slice_in_place_and_loses_nobody() {
    let changed = Service { ports: vec![service_port("", 80, TargetPort::Number(9090))], ..service() };
    let before = with_slices(
        [slice("web-a", &pods(0..100)), slice("web-b", &pods(100..200)), slice("web-c", &pods(200..250))],
        snapshot(changed, pods(0..250)),
    );
    let (plan, _) = settle(&before);
    assert_eq!((count(&plan, Operation::Update), plan.writes.len()), (3, 3));
    let family = &plan.figures.families[0];
    assert_eq!(
        (family.added, family.removed, family.desired_slices),
        (250, 0, 3),
        "counted as upstream does"
    );
}

#[test]
fn a_slice_of_other_ports_is_deleted_where_nothing_is_to_be_created() {
    let other = Slice { ports: Arc::from([port("old", 1)]), ..slice("web-o", [&pod(1)]) };
    let before = with_slices([slice("web-a", [&pod(1)]), other], snapshot(service(), pods(1..2)));
    let (plan, _) = settle(&before);
    assert_eq!(writes(&plan), [(Operation::Delete, "web-o", Stage::Deletes)]);
    assert_eq!(plan.figures.families[0].removed, 0, "counted as upstream does");
}

#[test]
fn labels_are_the_services_and_ours() {
    let with = |labels: &[(&str, &str)]| Service { labels: Labels::new(labels.iter().copied()), ..service() };
    let before = slice("web-a", [&pod(1)]);
    for (service, expected) in [
        (with(&[("team", "a")]), vec![("team", "a")]),
        (with(&[(MANAGED_BY, "me"), (SERVICE_NAME, "x"), ("team", "b")]), vec![("team", "b")]),
        (Service { cluster_ip: "None".into(), ..service() }, vec![(HEADLESS, "")]),
        (Service { cluster_ip: "".into(), ..with(&[(HEADLESS, "x")]) }, vec![(HEADLESS, "")]),
    ] {
        let all = slice_labels(SERVICE);
        let expected = expected.iter().map(|(k, v)| (Text::new(k), Text::new(v)));
        let expected = Labels::new(all.iter().cloned().chain(expected));
        let (plan, _) = settle(&with_slices([before.clone()], snapshot(service, pods(1..2))));
        assert_eq!(only(&plan).labels, expected);
    }
}

#[test]
fn all_labels_of_a_slice_are_repaired_the_headless_label_too() {
    let wrong = |extra: &[(&str, &str)]| {
        let all = slice_labels(SERVICE);
        let extra = extra.iter().map(|(k, v)| (Text::new(k), Text::new(v)));
        Slice { labels: Labels::new(all.iter().cloned().chain(extra)), ..slice("web-a", [&pod(1)]) }
    };
    for before in [wrong(&[("x", "y")]), wrong(&[(HEADLESS, "")])] {
        let (plan, _) = settle(&with_slices([before], snapshot(service(), pods(1..2))));
        assert_eq!(only(&plan).labels, slice_labels(SERVICE));
    }
    let headless = Service { cluster_ip: "None".into(), ..service() };
    for before in [wrong(&[]), wrong(&[(HEADLESS, "true")])] {
        let (plan, _) = settle(&with_slices([before], snapshot(headless.clone(), pods(1..2))));
        assert!(only(&plan).labels.has(HEADLESS, ""));
    }
}

#[test]
fn a_slice_with_wrong_labels_counts_as_changed_and_is_filled() {
    let wrong = Slice {
        labels: Labels::new(slice_labels(SERVICE).iter().cloned().chain([(Text::new("x"), Text::new("y"))])),
        ..slice("web-a", [&pod(0)])
    };
    let before = with_slices([wrong, slice("web-b", &pods(1..90))], snapshot(service(), pods(0..91)));
    let (plan, _) = settle(&before);
    assert_eq!((only(&plan).key.name.as_str(), only(&plan).endpoints.len()), ("web-a", 2));
    assert!(Arc::ptr_eq(&only(&plan).endpoints[0], &before.slices[0].endpoints[0]));
}

#[test]
fn kept_endpoints_keep_their_place_and_new_ones_are_appended() {
    let held = [pod(7), pod(3), pod(99), pod(5)];
    let plan = selector::plan(&with_slices([slice("web-a", &held)], snapshot(service(), pods([3, 4, 5, 7]))));
    assert_eq!(addresses(only(&plan)), [7, 3, 5, 4].map(ipv4));
}

#[test]
fn the_figures_say_what_is_in_force() {
    let plan = selector::plan(&snapshot(
        Service { traffic_distribution: Some("PreferSameNode".into()), ..service() },
        pods(1..2),
    ));
    assert_eq!(plan.figures.traffic_distribution.as_deref(), Some("PreferSameNode"));
    assert!(!plan.figures.topology_auto);
    let plan = selector::plan(&snapshot(
        Service { traffic_distribution: Some("Other".into()), ..service() },
        vec![],
    ));
    assert_eq!(plan.figures.traffic_distribution, None);
}

#[test]
fn owners_that_have_our_reference_stay_as_they_are() {
    let loose = OwnerReference { block_owner_deletion: None, controller: None, ..owner(&service()) };
    let owners: Arc<[OwnerReference]> = Arc::from([loose, owner(&service())]);
    let before = Slice { owners: Arc::clone(&owners), ..slice("web-a", [&pod(0)]) };
    let (plan, _) = settle(&with_slices([before], snapshot(service(), pods(0..2))));
    assert_eq!(only(&plan).owners, owners);
}

#[test]
fn an_owner_that_is_no_controller_does_not_keep_ours_from_being_repaired() {
    let other = OwnerReference { uid: uid(9, 9), controller: None, ..owner(&service()) };
    let wrong = OwnerReference { block_owner_deletion: None, ..owner(&service()) };
    let before = Slice { owners: Arc::from([other.clone(), wrong]), ..slice("web-a", [&pod(0)]) };
    let (plan, _) = settle(&with_slices([before], snapshot(service(), pods(0..1))));
    assert_eq!(*only(&plan).owners, [other, owner(&service())]);
}
