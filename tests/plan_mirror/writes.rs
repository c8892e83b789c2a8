//! What is written when slices stand already.

use std::sync::Arc;

use endpointslice_controller::model::foreign::Foreign;
use endpointslice_controller::model::{
    AddressType, Endpoint, Endpoints, Hints, Labels, OwnerReference, Slice, TargetReference, Text, Uid,
    labels,
};
use endpointslice_controller::plan::mirror::plan;
use endpointslice_controller::plan::{Operation, Plan, Stage};

use crate::support::{endpoints, operations, pod, settle, shape, slice, snapshot, subset, with_max};

const HTTP: &[(&str, i32)] = &[("http", 80)];

fn http(ready: &[&str]) -> Endpoints {
    endpoints(vec![subset(ready, &[], HTTP)])
}

fn assert_one_update(slices: Vec<Slice>, endpoints: Endpoints) -> (Plan, Slice) {
    let (plan, mut slices) = settle(&snapshot(endpoints, slices));
    let kinds: Vec<_> = plan.writes.iter().map(|w| (w.operation, w.stage)).collect();
    assert_eq!(kinds, [(Operation::Update, Stage::Updates)]);
    assert_eq!(slices.len(), 1);
    (plan, slices.remove(0))
}

type Edit = fn(&mut Endpoint);

fn changed(edit: impl FnOnce(&mut Endpoint)) -> Slice {
    let mut slice = slice("a", HTTP, &["10.0.0.1"]);
    edit(Arc::make_mut(&mut slice.endpoints[0]));
    slice
}

#[test]
fn a_slice_that_is_right_is_left_alone() {
    let (plan, _) = settle(&snapshot(http(&["10.0.0.1"]), vec![slice("a", HTTP, &["10.0.0.1"])]));
    assert_eq!(plan.writes, []);
    let family = &plan.figures.families[0];
    assert_eq!((family.added, family.updated, family.removed), (0, 0, 0));
    assert_eq!((family.desired_endpoints, family.slices, family.desired_slices), (1, 1, 1));
}

#[test]
fn kept_endpoints_keep_their_place_and_new_ones_are_appended() {
    let mut turned = slice("a", HTTP, &["10.0.0.3", "10.0.0.5", "10.0.0.7"]);
    turned.endpoints.reverse();
    let (plan, slice) = assert_one_update(vec![turned], http(&["10.0.0.1", "10.0.0.3", "10.0.0.7"]));
    assert_eq!(shape([&slice]), ["IPv4 [http:80] 10.0.0.7 10.0.0.3 10.0.0.1"]);
    let write = &plan.writes[0];
    let base = write.base.as_ref().unwrap();
    assert_eq!((&write.slice.key, &write.slice.uid, write.slice.version), (&base.key, &base.uid, 7));
    let family = &plan.figures.families[0];
    assert_eq!((family.added, family.updated, family.removed), (1, 0, 1));
}

#[test]
fn endpoints_in_another_order_are_no_change() {
    let mut turned = slice("a", &[("a", 1), ("b", 2)], &["10.0.0.1", "10.0.0.2"]);
    turned.endpoints.reverse();
    turned.ports = turned.ports.iter().rev().cloned().collect();
    let wanted = endpoints(vec![subset(&["10.0.0.1", "10.0.0.2"], &[], &[("b", 2), ("a", 1)])]);
    assert_eq!(settle(&snapshot(wanted, vec![turned])).0.writes, []);
}

#[test]
fn each_field_of_an_endpoint_that_we_set_is_repaired() {
    let edits: [(&str, Edit); 7] = [
        ("ready", |e| e.conditions.ready = Some(false)),
        ("absent ready", |e| e.conditions.ready = None),
        ("serving", |e| e.conditions.serving = Some(true)),
        ("terminating", |e| e.conditions.terminating = Some(false)),
        ("node", |e| e.node_name = Some(Text::new("node-a"))),
        ("zone", |e| e.zone = Some(Text::new("zone-a"))),
        ("hints", |e| e.hints = Some(Box::new(Hints::default()))),
    ];
    for (what, edit) in edits {
        let (plan, slice) = assert_one_update(vec![changed(edit)], http(&["10.0.0.1"]));
        assert_eq!(slice.endpoints, self::slice("a", HTTP, &["10.0.0.1"]).endpoints, "{what}");
        assert_eq!(plan.figures.families[0].updated, 1, "{what}");
    }
}

#[test]
fn the_version_of_a_target_is_no_change_but_written_along() {
    let with = |ips: &[&str], version: &str| {
        let mut subset = subset(ips, &[], HTTP);
        let mut pod = pod("10.0.0.1", "pod-1", "uid-1");
        pod.target_ref.as_mut().unwrap().resource_version = version.into();
        subset.addresses.push(pod);
        endpoints(vec![subset])
    };
    let (_, slices) = settle(&snapshot(with(&[], "1"), vec![]));
    assert_eq!(settle(&snapshot(with(&[], "2"), slices.clone())).0.writes, []);
    let (plan, slice) = assert_one_update(slices, with(&["10.0.0.9"], "2"));
    let versions: Vec<_> = slice.endpoints.iter().filter_map(|e| e.target_ref.as_ref()).collect();
    assert_eq!(versions[0].resource_version, "2");
    assert_eq!(plan.figures.families[0].updated, 0);
}

#[test]
fn another_uid_of_a_target_is_an_update_in_place() {
    let with = |uid: &str| {
        let mut subset = subset(&[], &[], HTTP);
        subset.addresses.push(pod("10.0.0.1", "pod-1", uid));
        endpoints(vec![subset])
    };
    let (_, slices) = settle(&snapshot(with("uid-1"), vec![]));
    let (plan, _) = assert_one_update(slices, with("uid-2"));
    let family = &plan.figures.families[0];
    assert_eq!((family.added, family.updated, family.removed), (0, 1, 0));
}

#[test]
fn each_field_of_a_target_is_repaired() {
    let edits: [(&str, Edit); 6] = [
        ("kind", |e| target(e).kind = Text::new("Node")),
        ("namespace", |e| target(e).namespace = Text::new("other")),
        ("name", |e| target(e).name = "pod-2".into()),
        ("uid", |e| target(e).uid = Uid::new("uid-2")),
        ("apiVersion", |e| target(e).api_version = Text::new("v2")),
        ("fieldPath", |e| target(e).field_path = "spec".into()),
    ];
    let mut subset = subset(&[], &[], HTTP);
    subset.addresses.push(pod("10.0.0.1", "pod-1", "uid-1"));
    let wanted = endpoints(vec![subset]);
    let (_, right) = settle(&snapshot(wanted.clone(), vec![]));
    for (what, edit) in edits {
        let mut wrong = right.clone();
        edit(Arc::make_mut(&mut wrong[0].endpoints[0]));
        let (_, slice) = assert_one_update(wrong, wanted.clone());
        assert_eq!(slice.endpoints, right[0].endpoints, "{what}");
    }
}

fn target(endpoint: &mut Endpoint) -> &mut TargetReference {
    endpoint.target_ref.as_deref_mut().unwrap()
}

#[test]
fn an_endpoint_that_stands_twice_stands_once_afterwards() {
    let mut twice = slice("a", HTTP, &["10.0.0.1", "10.0.0.2"]);
    twice.endpoints.push(Arc::clone(&twice.endpoints[0]));
    let (_, slice) = assert_one_update(vec![twice], http(&["10.0.0.1", "10.0.0.2"]));
    assert_eq!(shape([&slice]), ["IPv4 [http:80] 10.0.0.1 10.0.0.2"]);
}

#[test]
fn issue_98116_labels_and_annotations_that_change_alone_follow_and_foreign_ones_are_removed() {
    let stands = || slice("a", HTTP, &["10.0.0.1"]);
    let mut wanted = http(&["10.0.0.1"]);
    wanted.labels = Labels::new([("app", "web")]);
    let (_, labelled) = assert_one_update(vec![stands()], wanted.clone());
    assert!(labelled.labels.has("app", "web"));
    wanted.annotations = Labels::new([("x", "y")]);
    let (_, now) = assert_one_update(vec![labelled], wanted);
    assert!(now.labels.has("app", "web") && now.annotations.has("x", "y"));

    let (_, back) = assert_one_update(vec![now], http(&["10.0.0.1"]));
    assert_eq!((&back.labels, &back.annotations), (&stands().labels, &stands().annotations));

    for key in ["foreign", labels::TRIGGER_TIME, labels::LAST_APPLIED] {
        let mut edited = stands();
        edited.annotations = Labels::new([(key, "2026-11-21T00:00:00Z")]);
        let (_, repaired) = assert_one_update(vec![edited], http(&["10.0.0.1"]));
        assert!(repaired.annotations.is_empty(), "{key}");
    }
}

// What is not mirrored must not make the slices be written for ever either.
#[test]
fn issue_102731_annotations_that_are_not_mirrored_cause_no_write() {
    let mut applied = http(&["10.0.0.1"]);
    applied.annotations =
        Labels::new([(labels::LAST_APPLIED, "{}"), (labels::TRIGGER_TIME, "2026-11-21T00:00:00Z")]);
    assert_eq!(settle(&snapshot(applied, vec![slice("a", HTTP, &["10.0.0.1"])])).0.writes, []);
}

#[test]
fn issue_114155_an_address_in_two_subsets_is_in_one_slice() {
    let twice = endpoints(vec![
        subset(&["10.40.0.2"], &[], &[("a", 8080)]),
        subset(&["10.40.0.2"], &[], &[("b", 8082)]),
    ]);
    let apart = vec![slice("x", &[("a", 8080)], &["10.40.0.2"]), slice("y", &[("b", 8082)], &["10.40.0.2"])];
    let (plan, slices) = settle(&snapshot(twice, apart));
    assert_eq!(shape(&slices), ["IPv4 [a:8080 b:8082] 10.40.0.2"]);
    assert_eq!(
        operations(&plan),
        ["update IPv4 [a:8080 b:8082] 10.40.0.2", "delete IPv4 [b:8082] 10.40.0.2"]
    );
}

#[test]
fn issue_125359_a_slice_of_an_earlier_object_of_the_name_is_rewritten_with_the_right_owner() {
    let mut recreated = http(&["10.0.0.1"]);
    recreated.uid = Uid::new("22222222-2222-4222-8222-222222222222");
    let (_, slice) = assert_one_update(vec![slice("a", HTTP, &["10.0.0.1"])], recreated.clone());
    assert_eq!(slice.key.name, "a");
    let [owner] = &*slice.owners else { panic!("one owner") };
    assert_eq!(owner.uid, recreated.uid);
}

#[test]
fn foreign_owners_and_finalizers_stay_and_ours_is_the_controller() {
    let mut stands = slice("a", HTTP, &["10.0.0.1"]);
    let foreign = OwnerReference {
        api_version: Text::new("apps/v1"),
        kind: Text::new("Deployment"),
        name: "d".into(),
        uid: Uid::new("d-uid"),
        controller: Some(true),
        block_owner_deletion: None,
    };
    stands.owners = Arc::from([foreign.clone()]);
    stands.foreign =
        Some(Box::new(Foreign { finalizers: vec!["example.com/f".into()], ..Foreign::default() }));
    let (_, slice) = assert_one_update(vec![stands.clone()], http(&["10.0.0.1"]));
    assert_eq!(slice.foreign, stands.foreign);
    assert_eq!(slice.owners[0], OwnerReference { controller: Some(false), ..foreign });
    assert_eq!((&*slice.owners[1].kind, slice.owners[1].controller), ("Endpoints", Some(true)));

    // Also when it is recycled for other ports.
    let (_, recycled) =
        assert_one_update(vec![slice], endpoints(vec![subset(&["10.0.0.1"], &[], &[("x", 9)])]));
    assert_eq!((recycled.owners.len(), recycled.foreign), (2, stands.foreign));
}

#[test]
fn of_slices_with_the_same_ports_the_first_by_name_is_kept() {
    let all = ["c", "a", "b"].map(|name| slice(name, HTTP, &["10.0.0.1"])).to_vec();
    let (plan, slices) = settle(&snapshot(http(&["10.0.0.1"]), all));
    let deleted: Vec<_> = plan.writes.iter().map(|w| (w.operation, w.slice.key.name.as_str())).collect();
    assert_eq!(deleted, [(Operation::Delete, "b"), (Operation::Delete, "c")]);
    assert_eq!(slices[0].key.name, "a");
}

#[test]
fn a_slice_that_goes_takes_over_the_content_of_one_that_would_be_created() {
    // The port is renamed: all of the slice with most of the addresses is rewritten in place.
    let stands = vec![
        slice("a", &[("old", 80)], &["10.0.0.9"]),
        slice("b", &[("older", 80)], &["10.0.0.1", "10.0.0.2"]),
    ];
    let (plan, slices) = settle(&snapshot(http(&["10.0.0.1", "10.0.0.2"]), stands));
    assert_eq!(
        operations(&plan),
        ["update IPv4 [http:80] 10.0.0.1 10.0.0.2", "delete IPv4 [old:80] 10.0.0.9"]
    );
    assert_eq!(slices[0].key.name, "b");
}

#[test]
fn a_slice_of_the_other_family_is_not_recycled() {
    let stands = vec![slice("a", HTTP, &["10.0.0.1"])];
    let (plan, _) = settle(&snapshot(http(&["fd00::1"]), stands));
    assert_eq!(operations(&plan), ["create IPv6 [http:80] fd00::1", "delete IPv4 [http:80] 10.0.0.1"]);
    assert_eq!(plan.figures.families[0].removed, 1, "as upstream: the ports are still desired");
}

#[test]
fn slices_of_another_address_type_are_left_over() {
    let mut named = slice("a", HTTP, &["10.0.0.1"]);
    named.address_type = AddressType::Other("FQDN".into());
    let (plan, _) = settle(&snapshot(http(&["10.0.0.1"]), vec![named]));
    let stages: Vec<_> = plan.writes.iter().map(|write| write.stage).collect();
    assert_eq!(stages, [Stage::Creates, Stage::Leftovers]);
    assert_eq!(plan.figures.families.len(), 2);
}

#[test]
fn endpoints_that_are_being_deleted_get_no_creates() {
    let mut leaving = endpoints(vec![
        subset(&["10.0.0.1"], &[], HTTP),
        subset(&["10.0.0.2"], &[], &[("new", 81)]),
        subset(&["10.0.0.3"], &[], &[("newer", 82)]),
    ]);
    leaving.deleting = true;
    let stands = vec![slice("a", HTTP, &["10.0.0.9"]), slice("b", &[("old", 1)], &["10.0.0.3"])];
    let plan = plan(&snapshot(leaving, stands));
    assert_eq!(
        operations(&plan),
        ["update IPv4 [http:80] 10.0.0.1", "update IPv4 [newer:82] 10.0.0.3"],
        "updates and recycling go on"
    );
}

#[test]
fn a_slice_that_is_being_deleted_counts_as_gone_and_its_name_as_taken() {
    let (_, mut slices) = settle(&snapshot(http(&["10.0.0.1"]), vec![]));
    slices[0].deleting = true;
    let leaving = slices[0].key.name.clone();
    let mut snapshot = snapshot(http(&["10.0.0.1"]), slices);
    snapshot.names.clear();
    let plan = plan(&snapshot);
    assert_eq!(operations(&plan), ["create IPv4 [http:80] 10.0.0.1"]);
    assert_ne!(plan.writes[0].slice.key.name, leaving);
}

#[test]
fn an_update_that_takes_over_an_address_comes_before_the_one_that_gives_it_away() {
    let now = vec![
        slice("a", &[("http", 80)], &["10.0.0.1", "10.0.0.2"]),
        slice("b", &[("http", 81)], &["10.0.0.3"]),
    ];
    let moved = endpoints(vec![
        subset(&["10.0.0.1"], &[], &[("http", 80)]),
        subset(&["10.0.0.2", "10.0.0.3"], &[], &[("http", 81)]),
    ]);
    let (plan, _) = settle(&snapshot(moved, now));
    assert_eq!(
        operations(&plan),
        ["update IPv4 [http:81] 10.0.0.3 10.0.0.2", "update IPv4 [http:80] 10.0.0.1"]
    );
}

#[test]
fn two_slices_that_swap_their_addresses_cost_one_more_write() {
    let now = vec![slice("a", &[("http", 80)], &["10.0.0.1"]), slice("b", &[("http", 81)], &["10.0.0.2"])];
    let swapped = endpoints(vec![
        subset(&["10.0.0.2"], &[], &[("http", 80)]),
        subset(&["10.0.0.1"], &[], &[("http", 81)]),
    ]);
    let (plan, _) = settle(&snapshot(swapped, now));
    assert_eq!(
        operations(&plan),
        [
            "update IPv4 [http:80] 10.0.0.2 10.0.0.1",
            "update IPv4 [http:81] 10.0.0.1",
            "update IPv4 [http:80] 10.0.0.2"
        ]
    );
    assert_eq!(plan.writes[0].base, plan.writes[2].base, "the second write has the version of the first");
}

#[test]
fn the_figures_count_slices_and_desired_slices() {
    let dual = endpoints(vec![subset(&["10.0.0.1", "10.0.0.2", "fd00::1"], &[], HTTP)]);
    let (plan, _) = settle(&with_max(snapshot(dual, vec![]), 2));
    let families: Vec<_> = plan
        .figures
        .families
        .iter()
        .map(|f| (f.address_type.as_str(), f.added, f.desired_endpoints, f.slices, f.desired_slices))
        .collect();
    assert_eq!(families, [("IPv4", 2, 2, 1, 1), ("IPv6", 0, 0, 0, 0)]);
    assert_eq!(plan.figures.skipped, 1);
    assert_eq!(plan.figures.without_endpoints, None);
    assert_eq!(plan_of_nothing().figures.without_endpoints, Some("no-address"));
}

fn plan_of_nothing() -> Plan {
    plan(&snapshot(endpoints(vec![]), vec![]))
}

#[test]
fn of_two_slices_that_fit_the_one_that_throws_out_fewer_desired_addresses_is_recycled() {
    let stands = vec![
        slice("a", &[("old", 1)], &["10.0.0.1", "10.0.0.5"]),
        slice("b", &[("older", 2)], &["10.0.0.1", "10.0.0.9"]),
        slice("c", &[("x", 5)], &["10.0.0.5"]),
    ];
    let wanted = endpoints(vec![subset(&["10.0.0.1"], &[], HTTP), subset(&["10.0.0.5"], &[], &[("x", 5)])]);
    let (plan, _) = settle(&snapshot(wanted, stands));
    let written: Vec<_> = plan.writes.iter().map(|w| (w.operation, w.slice.key.name.as_str())).collect();
    assert_eq!(written, [(Operation::Update, "b"), (Operation::Delete, "a")]);
}

#[test]
fn a_circle_with_a_recycled_slice_is_broken_by_a_create_where_creates_may_be() {
    let now = || vec![slice("a", &[("http", 80)], &["10.0.0.1"]), slice("b", &[("http", 81)], &["10.0.0.2"])];
    let mut wanted = endpoints(vec![
        subset(&["10.0.0.2"], &[], &[("http", 80)]),
        subset(&["10.0.0.1"], &[], &[("http", 82)]),
    ]);
    let (plan_one, _) = settle(&snapshot(wanted.clone(), now()));
    assert_eq!(
        operations(&plan_one),
        [
            "create IPv4 [http:82] 10.0.0.1",
            "update IPv4 [http:80] 10.0.0.2",
            "delete IPv4 [http:81] 10.0.0.2"
        ]
    );
    wanted.deleting = true;
    assert_eq!(
        operations(&plan(&snapshot(wanted, now()))),
        [
            "update IPv4 [http:80] 10.0.0.2 10.0.0.1",
            "update IPv4 [http:82] 10.0.0.1",
            "update IPv4 [http:80] 10.0.0.2"
        ]
    );
}

#[test]
fn an_owner_that_is_another_endpoints_object_or_another_kind_is_not_ours() {
    let mut standing = slice("a", HTTP, &["10.0.0.9"]);
    let ours = standing.owners[0].clone();
    let other = OwnerReference { uid: Uid::new("other"), controller: None, ..ours.clone() };
    let foreign = [
        OwnerReference { name: "other".into(), ..other.clone() },
        OwnerReference { kind: Text::new("Pod"), ..other },
    ];
    standing.owners = foreign.iter().cloned().chain([ours.clone()]).collect();
    let (_, written) = assert_one_update(vec![standing], http(&["10.0.0.1"]));
    assert_eq!(
        written.owners.iter().map(|owner| &owner.uid).collect::<Vec<_>>(),
        [&foreign[0].uid, &foreign[1].uid, &ours.uid]
    );
}
