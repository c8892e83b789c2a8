//! Which Services, which address types, and which slices are ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use endpointslice_controller::model::labels::{MANAGED_BY, SERVICE_NAME};
use endpointslice_controller::model::snapshot::Memory;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::{Operation, Plan, Stage, selector};
use smol_str::SmolStr;

use crate::build::*;
use crate::{assert_quiet, count, only, settle, the, writes};

#[test]
fn external_names_and_services_without_selector_are_left_alone() {
    for service in [
        Service { external_name: true, ..service() },
        Service { selector: None, ..service() },
        Service { external_name: true, selector: None, ..service() },
    ] {
        let memory = Memory { refused: BTreeSet::from([SmolStr::new("web-xxxxx")]), ..Memory::default() };
        let snapshot = SelectorSnapshot {
            memory: memory.clone(),
            ..with_slices([slice("web-a", [&pod(1)])], snapshot(service, pods(0..3)))
        };
        assert_eq!(selector::plan(&snapshot), Plan { memory, ..Plan::default() });
    }
}

#[test]
fn a_service_that_is_being_deleted_gets_no_creates_but_updates_and_deletes() {
    let service = Service { deleting: true, ..service() };
    let none = selector::plan(&snapshot(service.clone(), pods(0..3)));
    assert_eq!(none.writes, []);
    assert_eq!(selector::plan(&snapshot(service.clone(), vec![])).writes, [], "no placeholder either");

    let gone = pod(9);
    let before = [slice("web-a", [&pod(0), &gone]), slice("web-b", [&gone])];
    let plan = selector::plan(&with_slices(before, snapshot(service, pods(0..1))));
    assert_eq!(
        writes(&plan),
        [(Operation::Update, "web-a", Stage::Updates), (Operation::Delete, "web-b", Stage::Deletes)]
    );
}

#[test]
fn address_types_come_from_the_ip_families_else_from_the_cluster_ip_else_both() {
    use AddressType::{IPv4, IPv6};
    for (families, cluster_ip, expected) in [
        (vec![IPv4], "10.96.0.1", vec![IPv4]),
        (vec![IPv6], "10.96.0.1", vec![IPv6]),
        (vec![IPv6, IPv4], "None", vec![IPv4, IPv6]),
        (vec![], "10.96.0.1", vec![IPv4]),
        (vec![], "fd00::1", vec![IPv6]),
        (vec![], "None", vec![IPv4, IPv6]),
        (vec![], "", vec![IPv4, IPv6]),
    ] {
        let service = Service { ip_families: families, cluster_ip: SmolStr::new(cluster_ip), ..service() };
        let plan = selector::plan(&snapshot(service.clone(), pods(0..1)));
        let types: Vec<_> = plan.writes.iter().map(|write| write.slice.address_type.clone()).collect();
        assert_eq!(types, expected, "{:?} {cluster_ip}", service.ip_families);
        let figures: Vec<_> = plan.figures.families.iter().map(|f| f.address_type.clone()).collect();
        assert_eq!(figures, expected);
    }
}

#[test]
fn issue_138736_a_service_without_ip_families_keeps_its_slices() {
    let service = Service { ip_families: vec![], ..service() };
    assert_quiet(&with_slices([slice("web-a", [&pod(1)])], snapshot(service, pods(1..2))));
}

#[test]
fn slices_of_a_type_that_the_service_has_not_go_after_everything_else() {
    let fqdn = Slice { address_type: AddressType::new("FQDN"), ..slice("web-f", []) };
    let before = [slice_v6("web-6", [&pod(1)]), fqdn];
    let plan = selector::plan(&with_slices(before, snapshot(service(), pods(1..2))));
    assert_eq!(plan.writes[0].operation, Operation::Create);
    assert_eq!(plan.writes[0].slice.address_type, AddressType::IPv4);
    assert_eq!(
        writes(&plan)[1..],
        [(Operation::Delete, "web-6", Stage::Leftovers), (Operation::Delete, "web-f", Stage::Leftovers)]
    );
}

#[test]
fn each_address_type_is_planned_on_its_own() {
    let dual = Service { ip_families: vec![AddressType::IPv4, AddressType::IPv6], ..service() };
    let both = Pod { ips: ips(&["10.0.0.1", "fd00::1"]), ..pod(1) };
    let six = Pod { ips: ips(&["fd00::2"]), ..pod(2) };
    let (plan, standing) = settle(&snapshot(dual, vec![both, six]));
    assert_eq!(count(&plan, Operation::Create), 2);
    assert_eq!(crate::addresses(&the(&standing, AddressType::IPv4)), ["10.0.0.1"]);
    assert_eq!(crate::addresses(&the(&standing, AddressType::IPv6)), ["fd00::1", "fd00::2"]);
}

#[test]
fn stages_of_both_address_types_interleave() {
    let dual = Service { ip_families: vec![AddressType::IPv4, AddressType::IPv6], ..service() };
    let both = |n| Pod { ips: ips(&[&ipv4(n), &ipv6(n)]), ..pod(n) };
    let gone = both(9);
    let before = [
        slice("web-4a", [&both(0), &gone]),
        slice("web-4b", [&gone]),
        slice_v6("web-6a", [&both(0), &gone]),
        slice_v6("web-6b", [&gone]),
    ];
    let plan = selector::plan(&with_slices(before, snapshot(dual, vec![both(0)])));
    assert_eq!(
        writes(&plan),
        [
            (Operation::Update, "web-4a", Stage::Updates),
            (Operation::Update, "web-6a", Stage::Updates),
            (Operation::Delete, "web-4b", Stage::Deletes),
            (Operation::Delete, "web-6b", Stage::Deletes)
        ]
    );
}

/// Ours in labels, with this owner reference instead of ours.
fn with_owners(name: &str, owners: Vec<OwnerReference>) -> Slice {
    Slice { owners: Arc::from(owners), ..slice(name, [&pod(1)]) }
}

#[test]
fn issue_94720_a_slice_of_an_earlier_service_of_the_same_name_is_never_adopted() {
    let service = service();
    let earlier = OwnerReference { uid: uid(2, 99), ..owner(&service) };
    let endpoints_kind = OwnerReference { kind: Text::new("Endpoints"), ..owner(&service) };
    let other_version = OwnerReference { api_version: Text::new("v2"), ..owner(&service) };
    for owners in [vec![], vec![earlier], vec![endpoints_kind], vec![other_version]] {
        let before = with_slices([with_owners("web-old", owners)], snapshot(service.clone(), pods(1..2)));
        let (plan, standing) = settle(&before);
        let stages: Vec<_> = plan.writes.iter().map(|write| (write.operation, write.stage)).collect();
        assert_eq!(stages, [(Operation::Create, Stage::Creates), (Operation::Delete, Stage::Leftovers)]);
        assert_eq!(the(&standing, AddressType::IPv4).owners[..], [owner(&service)]);
    }
}

#[test]
fn an_unowned_slice_takes_over_nothing_even_if_there_are_creates() {
    let before = with_slices([with_owners("web-old", vec![])], snapshot(service(), pods(5..6)));
    let plan = selector::plan(&before);
    assert_eq!((count(&plan, Operation::Create), count(&plan, Operation::Delete)), (1, 1));
}

#[test]
fn a_slice_with_another_owner_beside_the_service_is_owned_and_keeps_it() {
    let other = OwnerReference {
        kind: Text::new("ConfigMap"),
        name: SmolStr::new("c"),
        uid: uid(7, 7),
        controller: None,
        ..owner(&service())
    };
    let before = with_owners("web-a", vec![other.clone(), owner(&service())]);
    assert_quiet(&with_slices([before.clone()], snapshot(service(), pods(1..2))));

    let plan = selector::plan(&with_slices([before], snapshot(service(), pods(1..3))));
    assert_eq!(only(&plan).owners[..], [other, owner(&service())]);
}

#[test]
fn an_owner_reference_with_wrong_flags_is_put_right_unless_another_is_the_controller() {
    let wrong = OwnerReference { controller: None, block_owner_deletion: Some(false), ..owner(&service()) };
    let before = with_owners("web-a", vec![wrong.clone()]);
    let (plan, _) = settle(&with_slices([before], snapshot(service(), pods(1..2))));
    assert_eq!(only(&plan).owners[..], [owner(&service())]);

    let controller = OwnerReference { uid: uid(7, 7), kind: Text::new("Thing"), ..owner(&service()) };
    let before = with_owners("web-a", vec![wrong, controller]);
    assert_quiet(&with_slices([before], snapshot(service(), pods(1..2))));
}

#[test]
fn issue_108779_a_slice_that_is_being_deleted_is_as_good_as_gone() {
    let dying = Slice { deleting: true, ..slice("web-a", [&pod(1)]) };
    let before = with_slices([dying], snapshot(service(), pods(1..2)));
    let plan = selector::plan(&before);
    assert_eq!(only(&plan).endpoints.len(), 1);
    assert_eq!(plan.writes[0].operation, Operation::Create);
    assert_eq!(plan.figures.families[0].slices, 1, "it is not counted");
}

#[test]
fn the_name_of_a_slice_that_is_being_deleted_is_taken() {
    let fresh = selector::plan(&snapshot(service(), pods(1..2)));
    let name = only(&fresh).key.name.clone();
    let dying = Slice { deleting: true, ..slice(&name, [&pod(1)]) };
    let plan = selector::plan(&with_slices([dying], snapshot(service(), pods(1..2))));
    assert_eq!(plan.writes.len(), 1);
    assert_ne!(plan.writes[0].slice.key.name, name);
}

#[test]
fn slices_of_other_controllers_services_and_namespaces_are_not_ours() {
    let labelled = |pairs: [(&str, &str); 2]| Slice { labels: Labels::new(pairs), ..slice("web-x", []) };
    let managed = Loop::Selector.managed_by();
    for other in [
        labelled([(SERVICE_NAME, "web"), (MANAGED_BY, "somebody")]),
        labelled([(SERVICE_NAME, "web"), (MANAGED_BY, Loop::Mirroring.managed_by())]),
        labelled([(SERVICE_NAME, "other"), (MANAGED_BY, managed)]),
        labelled([("a", "b"), (MANAGED_BY, managed)]),
        Slice { key: Key::new("elsewhere", "web-x"), ..slice("web-x", []) },
    ] {
        let plan = selector::plan(&with_slices([other], snapshot(service(), pods(1..2))));
        assert_eq!(count(&plan, Operation::Create), 1);
        assert_eq!(plan.writes.len(), 1);
        assert_eq!(plan.figures.families[0].slices, 1);
    }
}

#[test]
fn the_memory_of_refused_names_is_carried_and_their_names_are_avoided() {
    let first = only(&selector::plan(&snapshot(service(), pods(1..2)))).key.name.clone();
    let memory = Memory { refused: BTreeSet::from([first.clone()]), ..Memory::default() };
    let plan = selector::plan(&SelectorSnapshot { memory, ..snapshot(service(), pods(1..2)) });
    assert_ne!(only(&plan).key.name, first);
    assert!(plan.memory.refused.contains(&first));
}

#[test]
fn names_that_are_known_in_the_namespace_are_avoided_and_a_salt_draws_others() {
    let before = snapshot(service(), pods(1..2));
    let first = only(&selector::plan(&before)).key.name.clone();
    let taken = SelectorSnapshot { names: BTreeSet::from([first.clone()]), ..before.clone() };
    assert_ne!(only(&selector::plan(&taken)).key.name, first);
    let drawn = |salt| {
        let plan = selector::plan(&SelectorSnapshot { salt: Some(salt), ..before.clone() });
        only(&plan).key.name.clone()
    };
    assert_ne!(drawn(1), first);
    assert_ne!(drawn(1), drawn(2));
    assert_eq!(drawn(1), drawn(1));
}

#[test]
fn names_are_the_services_cut_to_58_characters_and_five_more() {
    for service_name in ["web", "1st-service", &"x".repeat(58), &"x".repeat(63)] {
        let service = Service { key: Key::new(NAMESPACE, service_name), ..service() };
        let plan = selector::plan(&snapshot(service, pods(1..2)));
        let slice = only(&plan);
        let prefix: String = format!("{service_name}-").chars().take(58).collect();
        let suffix = slice.key.name.strip_prefix(&*prefix).expect("prefix");
        assert_eq!(suffix.len(), 5);
        assert!(suffix.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c)), "{suffix}");
        assert_eq!(slice.generate_name, format!("{service_name}-"));
        assert!(slice.labels.has(SERVICE_NAME, service_name));
    }
}

#[test]
fn several_creates_of_one_plan_have_different_names() {
    let plan = selector::plan(&with_max(2, snapshot(service(), pods(0..7))));
    let names: BTreeSet<_> = plan.writes.iter().map(|write| write.slice.key.name.clone()).collect();
    assert_eq!(names.len(), 4);
}

/// Allowed for Services by default since 1.36; a slice may be named so anyway.
#[test]
fn names_with_a_digit_first_and_of_63_characters_give_valid_names_of_slices() {
    for name in ["9-lives".to_owned(), "1".to_owned(), "a".repeat(63), format!("1{}", "-b".repeat(31))] {
        let key = Key::new(NAMESPACE, &name);
        let plan = selector::plan(&snapshot(Service { key, ..service() }, pods(0..150)));
        assert_eq!(count(&plan, Operation::Create), 2);
        for write in &plan.writes {
            let made = write.slice.key.name.as_str();
            let ends = [made.as_bytes()[0], made.as_bytes()[made.len() - 1]];
            assert!(ends.iter().all(u8::is_ascii_alphanumeric) && made.len() <= 63, "{made}");
            assert!(made.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{made}");
            assert!(write.slice.labels.has(SERVICE_NAME, &name), "{made}");
        }
    }
}
