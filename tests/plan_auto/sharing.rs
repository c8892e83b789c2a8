//! How many endpoints hint at which zone, and which slices are written for it.

use std::sync::Arc;

use endpointslice_controller::model::*;
use endpointslice_controller::plan::{Operation, Plan, selector};

use crate::apply::Standing;
use crate::build::*;
use crate::*;

fn written(plan: &Plan) -> Vec<(Operation, &str)> {
    plan.writes.iter().map(|write| (write.operation, write.slice.key.name.as_str())).collect()
}

/// A slice with these Pods, each with its zone and these hints.
fn hinting(name: &str, pods: &[(Pod, &[&str])]) -> Slice {
    let endpoints = pods.iter().map(|(pod, zones)| {
        let for_zones: Vec<Text> = zones.iter().map(|zone| Text::new(zone)).collect();
        let hints = (!for_zones.is_empty()).then(|| Box::new(Hints { for_zones, for_nodes: vec![] }));
        Arc::new(Endpoint { zone: pod.node.clone(), hints, ..endpoint(pod) })
    });
    Slice { endpoints: endpoints.collect(), ..slice(name, []) }
}

/// The same, every Pod hinting at its own zone.
fn at_home(name: &str, pods: &[Pod]) -> Slice {
    let own: Vec<Vec<&str>> =
        pods.iter().map(|pod| pod.node.iter().map(|zone| zone.as_str()).collect()).collect();
    let pairs: Vec<(Pod, &[&str])> = pods.iter().cloned().zip(own.iter().map(Vec::as_slice)).collect();
    hinting(name, &pairs)
}

/// From the documentation of topology-aware routing: if one zone has two CPU cores and another one,
/// twice as many endpoints are allocated to the zone with two.
#[test]
fn a_zone_with_twice_the_cores_gets_twice_the_endpoints() {
    let nodes = zones(&[("a", 2), ("b", 1)]);
    for places in [[6, 0], [0, 6], [3, 3], [4, 2]] {
        let pods = pods_in(0, &[("a", places[0]), ("b", places[1])]);
        let (_, standing) = settle(&snapshot_of(&nodes, pods));
        assert_eq!(hinted(&standing), expected(&[("a", 4), ("b", 2)]), "{places:?}");
    }
}

#[test]
fn endpoints_are_shared_out_in_proportion_and_near_to_home() {
    for (cores, places, allotted) in [
        // Every zone has its share: all hint at their own.
        ([4, 4, 4], [3, 3, 3], [3, 3, 3]),
        // A share and less than half more: all hint at their own.
        ([4, 4, 4], [4, 3, 3], [4, 3, 3]),
        ([4, 4, 4], [9, 0, 0], [3, 3, 3]),
        ([4, 4, 4], [6, 3, 1], [4, 3, 3]),
        // 11 endpoints for 4.4, 4.4, 2.2: two too many go to b.
        ([4, 4, 2], [7, 2, 2], [5, 4, 2]),
        // 12 for 6, 4, 2.
        ([6, 4, 2], [0, 0, 12], [6, 4, 2]),
    ] {
        let nodes = zones(&[("a", cores[0]), ("b", cores[1]), ("c", cores[2])]);
        let pods = pods_in(0, &[("a", places[0]), ("b", places[1]), ("c", places[2])]);
        let (_, standing) = settle(&snapshot_of(&nodes, pods));
        let allotted = expected(&[("a", allotted[0]), ("b", allotted[1]), ("c", allotted[2])]);
        assert_eq!(hinted(&standing), allotted, "{cores:?} {places:?}");
        // Nobody leaves home for a zone that has more than it should.
        let moved = standing.slices.values().flat_map(|slice| &slice.endpoints);
        let away = moved.filter(|e| hints_of(e) != e.zone.iter().map(Text::as_str).collect::<Vec<_>>());
        let surplus: usize =
            ["a", "b", "c"].iter().zip(places).map(|(z, n)| n.saturating_sub(allotted[*z])).sum();
        assert_eq!(away.count(), surplus, "{cores:?} {places:?}");
    }
}

#[test]
fn only_ready_nodes_that_are_no_control_plane_are_measured() {
    let in_b = |name: &str, cores: u64| Node { zone: Some("b".into()), ..with_cores(name, cores) };
    let ignored = [
        Node { ready: false, ..in_b("b-2", 90) },
        Node { control_plane: true, ..in_b("b-3", 90) },
        Node { ready: false, zone: None, ..in_b("b-4", 90) },
        Node { control_plane: true, cpu_milli: None, ..in_b("b-5", 90) },
    ];
    let measured = [with_cores("a", 4), with_cores("b", 2), in_b("b-1", 2)];
    let nodes = nodes(measured.into_iter().chain(ignored));
    let (_, standing) = settle(&snapshot_of(&nodes, pods_in(0, &[("a", 6)])));
    assert_eq!(hinted(&standing), expected(&[("a", 3), ("b", 3)]));
}

#[test]
fn endpoints_that_are_not_ready_neither_count_nor_hint() {
    let nodes = zones(&[("a", 1), ("b", 1)]);
    let mut pods = pods_in(0, &[("a", 4), ("b", 2)]);
    pods[0].ready = false;
    pods[1].terminating = true;
    let (_, standing) = settle(&snapshot_of(&nodes, pods));
    assert_eq!(hinted(&standing), expected(&[("a", 2), ("b", 2)]));
}

#[test]
fn slices_keep_their_hints_as_long_as_every_zone_can_have_its_minimum() {
    let nodes = zones(&[("a", 1), ("b", 1)]);
    // 12 endpoints: 6 each, at least 5, at most 7.
    let (one, two) = (pods_in(0, &[("a", 6)]), pods_in(6, &[("a", 1), ("b", 5)]));
    let all: Vec<Pod> = one.iter().chain(&two).cloned().collect();
    let before = [at_home("web-a", &one), at_home("web-b", &two)];
    let (plan, _) = settle(&with_slices(before, snapshot_of(&nodes, all)));
    assert_eq!(written(&plan), []);

    // One more in a: the second slice joins, the first stays.
    let two = pods_in(6, &[("a", 2), ("b", 4)]);
    let all: Vec<Pod> = one.iter().chain(&two).cloned().collect();
    let before = [at_home("web-a", &one), at_home("web-b", &two)];
    let (plan, standing) = settle(&with_slices(before, snapshot_of(&nodes, all)));
    assert_eq!(written(&plan), [(Operation::Update, "web-b")]);
    assert_eq!(hinted(&standing), expected(&[("a", 6), ("b", 6)]));
}

#[test]
fn a_slice_whose_hints_are_not_such_as_mode_auto_gives_is_corrected() {
    let nodes = zones(&[("a", 1), ("b", 1)]);
    let pods = pods_in(0, &[("a", 2), ("b", 2)]);
    let wrong: [&[&str]; 3] = [&[], &["a", "b"], &["elsewhere"]];
    for hints in wrong {
        let mut all: Vec<(Pod, &[&str])> = vec![(pods[0].clone(), hints)];
        let right: [&[&str]; 3] = [&["a"], &["b"], &["b"]];
        all.extend(pods[1..].iter().cloned().zip(right));
        let before = hinting("web-a", &all);
        let (plan, standing) = settle(&with_slices([before], snapshot_of(&nodes, pods.clone())));
        assert_eq!(written(&plan), [(Operation::Update, "web-a")], "{hints:?}");
        assert_eq!(hinted(&standing), expected(&[("a", 2), ("b", 2)]));
    }
    // Left from PreferSameNode, which mode Auto suppresses.
    let mut before = at_home("web-a", &pods);
    for endpoint in &mut before.endpoints {
        let for_nodes = vec![Text::new("a")];
        Arc::make_mut(endpoint).hints.as_mut().unwrap().for_nodes = for_nodes;
    }
    let (_, standing) = settle(&with_slices([before], snapshot_of(&nodes, pods)));
    let mut endpoints = standing.slices.values().flat_map(|slice| &slice.endpoints);
    assert!(endpoints.all(|e| e.hints.as_ref().is_some_and(|h| h.for_nodes.is_empty())));
}

/// Each slice on its own would be fine; together they leave the third zone without endpoints.
#[test]
fn no_zone_is_overloaded_by_slices_that_keep_their_hints() {
    let nodes = zones(&[("a", 1), ("b", 1), ("c", 1)]);
    // 14 endpoints: at least 4 each, at most 6; the running totals of a and b stay within that.
    let (one, two) = (pods_in(0, &[("a", 6)]), pods_in(6, &[("b", 6)]));
    let three = pods_in(12, &[("c", 2)]);
    let all: Vec<Pod> = [&one, &two, &three].into_iter().flatten().cloned().collect();
    let before = [at_home("web-a", &one), at_home("web-b", &two), at_home("web-c", &three)];
    let (plan, standing) = settle(&with_slices(before, snapshot_of(&nodes, all)));
    assert!(hinted(&standing).values().all(|count| *count >= 4), "{:?}", hinted(&standing));
    assert!(!plan.writes.is_empty());
}

#[test]
fn where_an_overload_is_mended_endpoints_come_home_before_others_leave() {
    let nodes = zones(&[("a", 1), ("b", 1), ("c", 1)]);
    let pods = pods_in(0, &[("a", 5), ("c", 1), ("b", 6), ("c", 2)]);
    let mut one: Vec<(Pod, &[&str])> = Vec::new();
    one.extend(pods[..6].iter().map(|pod| (pod.clone(), &["a"][..])));
    let before = [hinting("web-a", &one), at_home("web-b", &pods[6..12]), at_home("web-c", &pods[12..])];
    let (plan, standing) = settle(&with_slices(before, snapshot_of(&nodes, pods)));
    assert_eq!(hinted(&standing), expected(&[("a", 5), ("b", 5), ("c", 4)]));
    assert_eq!(written(&plan), [(Operation::Update, "web-a"), (Operation::Update, "web-b")]);
    let web_a = &standing.slices["web-a"].endpoints;
    assert_eq!(web_a.iter().map(|one| hints_of(one)[0]).collect::<Vec<_>>(), ["a", "a", "a", "a", "a", "c"]);
}

#[test]
fn an_endpoint_in_a_zone_without_eligible_nodes_keeps_its_own_zone_and_costs_no_further_write() {
    let mut all = vec![with_cores("a", 1), with_cores("b", 1)];
    all.push(Node { control_plane: true, ..with_cores("c", 1) });
    let pods = pods_in(0, &[("a", 6), ("b", 6), ("c", 1)]);
    let (_, standing) = settle(&snapshot_of(&nodes(all), pods));
    assert_eq!(hinted(&standing), expected(&[("a", 6), ("b", 6), ("c", 1)]));
}

#[test]
fn endpoints_in_a_zone_without_eligible_nodes_help_where_zones_would_be_overloaded() {
    let mut all = vec![with_cores("a", 1), with_cores("b", 1)];
    all.push(Node { control_plane: true, ..with_cores("c", 1) });
    // 4 endpoints: at least 2 each.
    let (_, standing) = settle(&snapshot_of(&nodes(all), pods_in(0, &[("a", 1), ("b", 1), ("c", 2)])));
    assert_eq!(hinted(&standing), expected(&[("a", 2), ("b", 2)]));
}

#[test]
fn the_endpoints_of_a_zone_that_vanishes_serve_the_others_until_it_comes_back() {
    let three = zones(&[("a", 1), ("b", 1), ("c", 1)]);
    let pods = pods_in(0, &[("a", 4), ("b", 4), ("c", 4)]);
    let before = snapshot_of(&three, pods);
    let (plan, standing) = settle(&before);
    assert_eq!(hinted(&standing), expected(&[("a", 4), ("b", 4), ("c", 4)]));

    let not_ready = [with_cores("a", 1), with_cores("b", 1), Node { ready: false, ..with_cores("c", 1) }];
    let without = SelectorSnapshot { nodes: nodes(not_ready), ..standing.next(&before, &plan) };
    let (plan, standing) = settle(&without);
    assert_eq!(hinted(&standing), expected(&[("a", 6), ("b", 6)]));

    let back = SelectorSnapshot { nodes: three, ..standing.next(&without, &plan) };
    let (_, standing) = settle(&back);
    assert_eq!(hinted(&standing), expected(&[("a", 4), ("b", 4), ("c", 4)]));
}

#[test]
fn each_address_type_is_shared_out_on_its_own() {
    use AddressType::{IPv4, IPv6};
    let mut pods = pods_in(0, &[("a", 2), ("b", 2)]);
    for (n, pod) in pods.iter_mut().enumerate() {
        pod.ips = if n == 0 { ips(&[&ipv4(n), &ipv6(n)]) } else { ips(&[&ipv4(n)]) };
    }
    let dual = Service { ip_families: vec![IPv4, IPv6], ..auto() };
    let nodes = zones(&[("a", 1), ("b", 1)]);
    let (plan, standing) = settle(&SelectorSnapshot { service: Arc::new(dual), ..snapshot_of(&nodes, pods) });
    let hints = |of: AddressType| {
        let slices = standing.slices.values().filter(move |slice| slice.address_type == of);
        slices.flat_map(|slice| &slice.endpoints).filter(|endpoint| endpoint.hints.is_some()).count()
    };
    assert_eq!((hints(IPv4), hints(IPv6)), (4, 0));
    let reasons: Vec<&str> = plan.reports.iter().map(|report| report.reason).collect();
    assert_eq!(reasons, ["TopologyAwareHintsEnabled", "TopologyAwareHintsDisabled"]);
}

#[test]
fn mode_auto_suppresses_traffic_distribution() {
    let service = Service { traffic_distribution: Some("PreferSameNode".into()), ..auto() };
    let nodes = zones(&[("a", 1), ("b", 1)]);
    let snapshot = snapshot_of(&nodes, pods_in(0, &[("a", 4)]));
    let (plan, standing) = settle(&SelectorSnapshot { service: Arc::new(service), ..snapshot });
    assert_eq!(hinted(&standing), expected(&[("a", 2), ("b", 2)]));
    assert_eq!((plan.figures.topology_auto, plan.figures.traffic_distribution), (true, None));
}

/// Two slices exchange half of their endpoints: one is written twice so that no address is absent.
#[test]
fn what_stands_for_a_moment_has_hints_too() {
    let nodes = zones(&[("a", 1), ("b", 1)]);
    let service = Service { ports: vec![service_port("", 80, by_name("http"))], ..auto() };
    let pods = |exchanged: bool| -> Vec<Pod> {
        let pods = pods_in(0, &[("a", 4), ("b", 4)]).into_iter().enumerate();
        let first = |n: usize| (n < 4) != (exchanged && n % 4 >= 2);
        let port = |n: usize| if first(n) { 8080 } else { 9090 };
        pods.map(|(n, pod)| Pod { ports: container_ports(&[("http", port(n), Protocol::TCP)]), ..pod })
            .collect()
    };
    let of = |pods| SelectorSnapshot { service: Arc::new(service.clone()), ..snapshot_of(&nodes, pods) };
    let before = with_max(4, of(pods(false)));
    let (plan, standing) = settle(&before);
    let after = SelectorSnapshot { pods: of(pods(true)).pods, ..standing.next(&before, &plan) };
    let plan = selector::plan(&after);
    let writes = written(&plan);
    assert!(writes.len() == 3 && writes[0] == writes[2], "no slice is written twice: {writes:?}");
    assert_eq!(plan.writes[0].slice.endpoints.len(), 6);
    Standing::new(after.slices.iter().cloned()).apply(&plan, |standing| {
        let mut endpoints = standing.slices.values().flat_map(|slice| &slice.endpoints);
        assert!(endpoints.all(|endpoint| hints_of(endpoint).len() == 1));
    });
}

#[test]
fn members_that_stay_for_a_moment_only_are_not_shared_out() {
    // Two full slices have what the other needs, so one of them is written twice.
    let service = Service { ports: vec![service_port("", 80, by_name("http"))], ..auto() };
    let with = |mut pod: Pod, number| {
        pod.ports = container_ports(&[("http", number, Protocol::TCP)]);
        pod
    };
    let pods = pods_in(0, &[("b", 3), ("a", 1)]);
    let of =
        |name, number, held: &[Pod]| Slice { ports: Arc::from([port("", number)]), ..at_home(name, held) };
    let slices = [of("web-a", 1, &pods[..2]), of("web-b", 2, &pods[2..])];
    let numbers = [1, 2, 1, 2];
    let pods = pods.into_iter().zip(numbers).map(|(pod, number)| with(pod, number)).collect();
    let nodes = zones(&[("a", 1), ("b", 3)]);
    let before = SelectorSnapshot { nodes, ..with_max(2, with_slices(slices, snapshot(service, pods))) };
    let (plan, _) = settle(&before);
    assert_eq!(written(&plan).len(), 3);
    for endpoint in plan.writes.iter().flat_map(|write| &write.slice.endpoints) {
        assert_eq!(hints_of(endpoint), endpoint.zone.iter().map(Text::as_str).collect::<Vec<_>>());
    }
}
