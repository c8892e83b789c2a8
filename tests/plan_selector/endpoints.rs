//! Which Pods are published, and as which endpoint.

use endpointslice_controller::model::*;
use endpointslice_controller::plan::{Operation, selector};
use smol_str::SmolStr;

use crate::build::*;
use crate::{addresses, assert_quiet, by_pod, only, settle, the};

/// The Pods that are published of these.
fn published(service: Service, pods: Vec<Pod>) -> Vec<String> {
    let (_, standing) = settle(&snapshot(service, pods));
    by_pod(&standing).into_keys().collect()
}

#[test]
fn terminal_pods_and_those_without_ip_are_left_out_terminating_ones_are_not() {
    let all = vec![
        Pod { terminal: true, ..pod(1) },
        Pod { has_ip: false, ips: ips(&[]), ..pod(2) },
        Pod { terminating: true, ..pod(3) },
        Pod { ready: false, ..pod(4) },
    ];
    assert_eq!(published(service(), all.clone()), ["pod-00003", "pod-00004"]);
    let publish = Service { publish_not_ready: true, ..service() };
    assert_eq!(published(publish, all), ["pod-00003", "pod-00004"]);
}

#[test]
fn addresses_come_from_pod_ips_only() {
    // podIP set, podIPs empty: eligible, without an address.
    let (plan, _) = settle(&snapshot(service(), vec![Pod { ips: ips(&[]), ..pod(1) }]));
    let slice = only(&plan);
    assert_eq!((slice.ports.len(), slice.endpoints.len()), (0, 0), "a placeholder");
}

#[test]
fn kep_4858_addresses_are_canonical() {
    let dual = Service { ip_families: vec![AddressType::IPv4, AddressType::IPv6], ..service() };
    let pods = vec![
        Pod { ips: ips(&["010.001.000.009", "FD00:0:0:0:0:0:0:1"]), ..pod(1) },
        Pod { ips: ips(&["::ffff:10.0.0.7"]), ..pod(2) },
    ];
    let (_, standing) = settle(&snapshot(dual, pods));
    assert_eq!(addresses(&the(&standing, AddressType::IPv4)), ["10.1.0.9", "10.0.0.7"]);
    assert_eq!(addresses(&the(&standing, AddressType::IPv6)), ["fd00::1"]);
}

#[test]
fn the_three_conditions_are_always_set() {
    for (ready, terminating, publish, expected) in [
        (true, false, false, (true, true, false)),
        (true, true, false, (false, true, true)),
        (false, false, false, (false, false, false)),
        (false, true, false, (false, false, true)),
        (false, true, true, (true, false, true)),
        (true, true, true, (true, true, true)),
    ] {
        let service = Service { publish_not_ready: publish, ..service() };
        let plan = selector::plan(&snapshot(service, vec![Pod { ready, terminating, ..pod(1) }]));
        let conditions = only(&plan).endpoints[0].conditions;
        let (ready, serving, terminating) = expected;
        let expected =
            Conditions { ready: Some(ready), serving: Some(serving), terminating: Some(terminating) };
        assert_eq!(conditions, expected);
    }
}

#[test]
fn an_endpoint_says_all_that_the_pod_and_its_node_say() {
    for node in ["n1", "n3"] {
        let one = Pod { node: Some(Text::new(node)), ..pod(1) };
        let plan = selector::plan(&snapshot(service(), vec![one.clone()]));
        assert_eq!(*only(&plan).endpoints[0], endpoint(&one), "{node}");
    }
}

#[test]
fn the_hostname_is_published_where_the_subdomain_is_the_service() {
    for (hostname, subdomain, expected) in [
        (Some("db-0"), Some("web"), Some("db-0")),
        (Some("db-0"), Some("other"), None),
        (Some("db-0"), None, None),
        (None, Some("web"), None),
        (Some("No_Label"), Some("web"), None),
    ] {
        let one =
            Pod { hostname: hostname.map(SmolStr::new), subdomain: subdomain.map(SmolStr::new), ..pod(1) };
        let (plan, _) = settle(&snapshot(service(), vec![one]));
        assert_eq!(only(&plan).endpoints[0].hostname.as_deref(), expected);
        assert_eq!(plan.reports.len(), usize::from(hostname == Some("No_Label")), "{:?}", plan.reports);
    }
}

#[test]
fn issues_107927_and_110639_a_pod_on_a_missing_node_is_left_out_and_the_rest_written() {
    let lost = Pod { node: Some(Text::new("gone")), ..pod(2) };
    let (plan, standing) = settle(&snapshot(service(), vec![pod(1), lost.clone(), pod(3)]));
    assert_eq!(by_pod(&standing).into_keys().collect::<Vec<_>>(), ["pod-00001", "pod-00003"]);
    assert_eq!(plan.unknown_nodes, [Text::new("gone")]);
    let [report] = &plan.reports[..] else { panic!("{:?}", plan.reports) };
    assert_eq!((report.warning, report.reason), (true, "FailedToUpdateEndpointSlices"));
    assert!(report.message.contains("\"gone\""), "{}", report.message);

    let nowhere = Pod { node: None, ..pod(2) };
    let plan = selector::plan(&snapshot(service(), vec![nowhere]));
    assert_eq!(plan.unknown_nodes, [Text::default()]);
    assert_eq!(plan.figures.without_endpoints, Some("unknown-node"));

    let still = SelectorSnapshot {
        nodes: nodes([node("n1", Some("zone-a")), node("gone", None)]),
        ..snapshot(service(), vec![pod(1), lost])
    };
    let plan = selector::plan(&still);
    assert_eq!((plan.unknown_nodes.len(), plan.reports.len(), only(&plan).endpoints.len()), (0, 0, 2));
}

#[test]
fn a_report_comes_again_after_its_reason_had_gone() {
    let lost = || snapshot(service(), vec![Pod { node: Some(Text::new("gone")), ..pod(2) }]);
    let first = selector::plan(&lost());
    assert_eq!(first.reports.len(), 1);
    let again = selector::plan(&SelectorSnapshot { memory: first.memory, ..lost() });
    assert_eq!(again.reports, []);
    assert_eq!(again.unknown_nodes.len(), 1, "it still holds");
    let healed =
        selector::plan(&SelectorSnapshot { memory: again.memory, ..snapshot(service(), vec![pod(2)]) });
    assert!(healed.memory.reported.is_empty());
    let relapse = selector::plan(&SelectorSnapshot { memory: healed.memory, ..lost() });
    assert_eq!(relapse.reports.len(), 1);
}

#[test]
fn issue_110639_publish_not_ready_publishes_a_pod_on_a_missing_node_without_zone() {
    let publish = Service { publish_not_ready: true, ..service() };
    let lost = Pod { node: Some(Text::new("gone")), ready: false, ..pod(2) };
    let nowhere = Pod { node: None, ..pod(3) };
    let (plan, standing) = settle(&snapshot(publish, vec![lost, nowhere]));
    let endpoints = by_pod(&standing);
    let node =
        |pod: &str| (endpoints[pod].node_name.as_deref().map(str::to_owned), endpoints[pod].zone.clone());
    assert_eq!(node("pod-00002"), (Some("gone".to_owned()), None));
    assert_eq!(node("pod-00003"), (None, None));
    assert_eq!((plan.unknown_nodes.len(), plan.reports.len()), (0, 0));
}

#[test]
fn hypershift_8264_an_address_that_would_be_refused_is_left_out_with_a_report_and_counted() {
    for (text, reason) in [
        ("169.254.1.1", "link-local"),
        ("127.0.0.1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("224.0.0.7", "link-local-multicast"),
        ("10.0.0", "unparsable"),
        ("fe80::1%eth0", "zoned"),
    ] {
        let bad = Pod { ips: ips(&[text]), ..pod(2) };
        let (plan, standing) = settle(&snapshot(service(), vec![pod(1), bad, pod(3)]));
        assert_eq!(by_pod(&standing).len(), 2, "the others are published beside {text}");
        let refused: Vec<_> = plan.figures.refused.iter().map(|(r, n)| (r.as_str(), *n)).collect();
        assert_eq!(refused, [(reason, 1)]);
        let [report] = &plan.reports[..] else { panic!("{:?}", plan.reports) };
        assert!(report.message.contains("ns/pod-00002") && report.message.contains(text), "{report:?}");
        assert!(report.message.contains("expected"), "{report:?}");
    }
}

#[test]
fn a_refused_address_of_a_family_that_the_service_has_not_is_of_no_interest() {
    let (plan, _) = settle(&snapshot(service(), vec![Pod { ips: ips(&["10.0.0.1", "fe80::1"]), ..pod(1) }]));
    assert_eq!((plan.reports.len(), plan.figures.refused.len()), (0, 0));
}

#[test]
fn one_refused_address_of_two_leaves_the_other() {
    let one = Pod { ips: ips(&["169.254.1.1", "10.0.0.1"]), ..pod(1) };
    let (plan, _) = settle(&snapshot(service(), vec![one]));
    assert_eq!(addresses(only(&plan)), ["10.0.0.1"]);
}

#[test]
fn a_node_name_that_the_api_server_would_refuse_is_left_out_of_the_endpoint() {
    let odd = Pod { node: Some(Text::new("Not_A_Node")), ..pod(1) };
    let publish = Service { publish_not_ready: true, ..service() };
    let (plan, _) = settle(&snapshot(publish, vec![odd, pod(2)]));
    assert_eq!(only(&plan).endpoints[0].node_name, None);
    assert_eq!(only(&plan).endpoints.len(), 2);
    assert_eq!(plan.reports.len(), 1);
}

#[test]
fn more_than_a_hundred_addresses_are_cut() {
    let texts: Vec<String> = (0..150).map(ipv4).collect();
    let many = Pod { ips: ips(&texts.iter().map(String::as_str).collect::<Vec<_>>()), ..pod(1) };
    let (plan, _) = settle(&snapshot(service(), vec![many]));
    assert_eq!(addresses(only(&plan)).len(), 100);
    assert_eq!(plan.reports.len(), 1);
}

#[test]
fn identity_is_addresses_whatever_their_order_hostname_and_pod_name() {
    let two = Pod { ips: ips(&["10.0.0.1", "10.0.0.2"]), ..pod(1) };
    let mut held = endpoint(&two);
    held.addresses = Addresses::new(["10.0.0.2", "10.0.0.1"].map(SmolStr::new));
    held.hostname = Some(SmolStr::default());
    let before = |held: &Endpoint| Slice { endpoints: vec![held.clone().into()], ..slice("web-a", []) };
    assert_quiet(&with_slices([before(&held)], snapshot(service(), vec![two.clone()])));

    let target = |change: fn(&mut TargetReference)| {
        let mut other = held.clone();
        change(other.target_ref.as_mut().unwrap());
        other
    };
    for other in [
        Endpoint { addresses: Addresses::new(["10.0.0.1".into()]), ..held.clone() },
        Endpoint { hostname: Some("h".into()), ..held.clone() },
        Endpoint { target_ref: None, ..held.clone() },
        target(|t| t.name = "other".into()),
        target(|t| t.namespace = Text::new("other")),
    ] {
        let plan = selector::plan(&with_slices([before(&other)], snapshot(service(), vec![two.clone()])));
        let family = &plan.figures.families[0];
        assert_eq!((family.added, family.removed, family.updated), (1, 1, 0), "{other:?}");
    }
}

#[test]
fn every_other_field_that_counts_is_a_change_in_place() {
    let one = pod(1);
    let right = endpoint(&one);
    let conditions = |change: fn(&mut Conditions)| {
        let mut other = right.clone();
        change(&mut other.conditions);
        other
    };
    let target = |change: fn(&mut TargetReference)| {
        let mut other = right.clone();
        change(other.target_ref.as_mut().unwrap());
        other
    };
    for other in [
        Endpoint { node_name: None, ..right.clone() },
        Endpoint { node_name: Some(Text::new("n2")), ..right.clone() },
        Endpoint { zone: None, ..right.clone() },
        Endpoint { zone: Some(Text::new("zone-b")), ..right.clone() },
        conditions(|c| c.ready = Some(false)),
        conditions(|c| c.ready = None),
        conditions(|c| c.serving = None),
        conditions(|c| c.terminating = None),
        conditions(|c| c.terminating = Some(true)),
        target(|t| t.kind = Text::new("Thing")),
        target(|t| t.uid = uid(1, 77)),
        target(|t| t.api_version = Text::new("v1")),
        target(|t| t.field_path = "spec".into()),
    ] {
        let before = Slice { endpoints: vec![other.clone().into()], ..slice("web-a", []) };
        let (plan, _) = settle(&with_slices([before], snapshot(service(), vec![one.clone()])));
        assert_eq!(plan.writes[0].operation, Operation::Update, "{other:?}");
        assert_eq!(*only(&plan).endpoints[0], right);
        let family = &plan.figures.families[0];
        assert_eq!((family.added, family.removed, family.updated), (0, 0, 1));
    }
}

#[test]
fn the_target_references_version_is_no_change_nor_are_fields_that_we_do_not_set() {
    let mut held = endpoint(&pod(1));
    held.target_ref.as_mut().unwrap().resource_version = "7".into();
    held.foreign = Some(Box::new([("deprecatedTopology".to_owned(), "x".into())].into()));
    let before = Slice { endpoints: vec![held.clone().into()], ..slice("web-a", []) };
    assert_quiet(&with_slices([before.clone()], snapshot(service(), pods(1..2))));

    // It stays to the letter in a slice that is only filled, and is made anew in one that is rebuilt.
    let filled = selector::plan(&with_slices([before.clone()], snapshot(service(), pods(1..3))));
    assert_eq!(*only(&filled).endpoints[0], held);
    let rebuilt = Slice { endpoints: vec![held.into(), endpoint(&pod(9)).into()], ..before };
    let rebuilt = selector::plan(&with_slices([rebuilt], snapshot(service(), pods(1..2))));
    assert_eq!(*only(&rebuilt).endpoints[0], endpoint(&pod(1)));
}

#[test]
fn a_pod_recreated_with_the_same_name_and_ip_is_an_update_in_place() {
    let again = Pod { uid: uid(1, 500), node: Some(Text::new("n2")), ..pod(2) };
    let before = with_slices([slice("web-a", &pods(1..4))], snapshot(service(), vec![pod(1), again, pod(3)]));
    let (plan, _) = settle(&before);
    let names: Vec<_> =
        only(&plan).endpoints.iter().map(|e| e.target_ref.as_ref().unwrap().name.clone()).collect();
    assert_eq!(names, ["pod-00001", "pod-00002", "pod-00003"]);
    assert_eq!(only(&plan).endpoints[1].target_ref.as_ref().unwrap().uid, uid(1, 500));
}

#[test]
fn endpoints_that_do_not_change_keep_their_allocation() {
    let mut all = pods(0..3);
    all[1].ready = false;
    let before = with_slices([slice("web-a", &pods(0..3))], snapshot(service(), all));
    let plan = selector::plan(&before);
    let (held, written) = (&before.slices[0].endpoints, &only(&plan).endpoints);
    let same: Vec<bool> = held.iter().zip(written).map(|(a, b)| std::sync::Arc::ptr_eq(a, b)).collect();
    assert_eq!(same, [true, false, true]);
}

#[test]
fn the_reason_for_having_no_endpoints_is_a_word() {
    for (pods, expected) in [
        (vec![], Some("no-pods")),
        (vec![Pod { terminal: true, ..pod(1) }], Some("terminal-pods")),
        (vec![Pod { has_ip: false, ips: ips(&[]), ..pod(1) }], Some("no-pod-ip")),
        (vec![Pod { ips: ips(&["127.0.0.1"]), ..pod(1) }], Some("refused-address")),
        (vec![Pod { ips: ips(&["fd00::1"]), ..pod(1) }], Some("no-address-of-family")),
        (vec![Pod { ready: false, ..pod(1) }], None),
    ] {
        let plan = selector::plan(&snapshot(service(), pods));
        assert_eq!(plan.figures.without_endpoints, expected);
    }
}

#[test]
fn an_address_that_an_endpoint_lists_twice_is_one_address() {
    let mut stands = slice("web-a", [&pod(1)]);
    std::sync::Arc::make_mut(&mut stands.endpoints[0]).addresses =
        Addresses::new([ipv4(1).into(), ipv4(1).into()]);
    assert_quiet(&with_slices([stands], snapshot(service(), vec![pod(1)])));
}

#[test]
fn a_pod_may_have_as_many_addresses_as_an_endpoint() {
    for (count, reports) in [(100, 0), (101, 1)] {
        let all: Vec<String> = (0..count).map(ipv4).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let (plan, _) = settle(&snapshot(service(), vec![Pod { ips: ips(&all), ..pod(1) }]));
        assert_eq!((addresses(only(&plan)).len(), plan.reports.len()), (100, reports));
    }
}
