//! Topology hints from `spec.trafficDistribution`.

use std::sync::Arc;

use endpointslice_controller::model::*;
use endpointslice_controller::plan::selector;
use endpointslice_controller::plan::{Operation, Stage};

use crate::build::*;
use crate::{assert_quiet, by_pod, only, settle, writes};

fn distributed(how: &str) -> Service {
    Service { traffic_distribution: Some(how.into()), ..service() }
}

fn hints(zones: &[&str], nodes: &[&str]) -> Option<Box<Hints>> {
    let texts = |all: &[&str]| all.iter().map(|text| Text::new(text)).collect();
    Some(Box::new(Hints { for_zones: texts(zones), for_nodes: texts(nodes) }))
}

/// A slice whose endpoints have these hints.
fn hinted(name: &str, pods: &[(&Pod, Option<Box<Hints>>)]) -> Slice {
    let endpoints =
        pods.iter().map(|(pod, hints)| Arc::new(Endpoint { hints: hints.clone(), ..endpoint(pod) }));
    Slice { endpoints: endpoints.collect(), ..slice(name, []) }
}

fn on(n: usize, node: &str) -> Pod {
    Pod { node: Some(Text::new(node)), ..pod(n) }
}

#[test]
fn ready_endpoints_hint_at_their_zone_and_where_asked_at_their_node() {
    let pods = vec![on(1, "n1"), on(2, "n3"), Pod { ready: false, ..on(3, "n1") }];
    for (how, with_zone, without_zone) in [
        ("PreferClose", hints(&["zone-a"], &[]), None),
        ("PreferSameZone", hints(&["zone-a"], &[]), None),
        ("PreferSameNode", hints(&["zone-a"], &["n1"]), hints(&[], &["n3"])),
        ("SomethingElse", None, None),
    ] {
        let (_, standing) = settle(&snapshot(distributed(how), pods.clone()));
        let endpoints = by_pod(&standing);
        let of = |pod: &str| endpoints[pod].hints.clone();
        assert_eq!(
            (of("pod-00001"), of("pod-00002"), of("pod-00003")),
            (with_zone, without_zone, None),
            "{how}"
        );
    }
}

#[test]
fn only_ready_endpoints_whose_hints_are_not_exactly_right_make_a_slice_be_updated() {
    let (ready, unready) = (on(1, "n1"), Pod { ready: false, ..on(2, "n1") });
    let pods = || vec![ready.clone(), unready.clone()];
    let right = hints(&["zone-a"], &[]);
    for kept in [None, hints(&[], &[]), hints(&["zone-z"], &[])] {
        let before = hinted("web-a", &[(&ready, right.clone()), (&unready, kept)]);
        assert_quiet(&with_slices([before], snapshot(distributed("PreferClose"), pods())));
    }
    for wrong in [
        None,
        hints(&[], &[]),
        hints(&["zone-b"], &[]),
        hints(&["zone-a", "zone-a"], &[]),
        hints(&["zone-a", "zone-b"], &[]),
        hints(&["zone-a"], &["n1"]),
    ] {
        let before = hinted("web-a", &[(&ready, wrong), (&unready, hints(&["zone-z"], &[]))]);
        let (plan, _) = settle(&with_slices([before], snapshot(distributed("PreferClose"), pods())));
        assert_eq!(writes(&plan), [(Operation::Update, "web-a", Stage::Updates)]);
        assert_eq!(only(&plan).endpoints[0].hints, right);
        assert_eq!(only(&plan).endpoints[1].hints, hints(&["zone-z"], &[]), "kept: otherwise untouched");
        let family = &plan.figures.families[0];
        assert_eq!((family.added, family.removed, family.updated), (0, 0, 0));
    }
}

#[test]
fn endpoints_not_ready_have_none_in_slices_that_are_rebuilt_and_keep_theirs_in_those_filled() {
    let (ready, unready) = (on(1, "n1"), Pod { ready: false, ..on(2, "n1") });
    let stale = hints(&["zone-z"], &[]);
    let before = |others: &[Pod]| {
        let mut all = vec![(&ready, hints(&["zone-a"], &[])), (&unready, stale.clone())];
        all.extend(others.iter().map(|pod| (pod, None)));
        hinted("web-a", &all)
    };
    let service = || distributed("PreferSameZone");
    let filled = vec![ready.clone(), unready.clone(), on(3, "n2")];
    let (plan, _) = settle(&with_slices([before(&[])], snapshot(service(), filled)));
    assert_eq!(only(&plan).endpoints[1].hints, stale);
    assert_eq!(only(&plan).endpoints[2].hints, hints(&["zone-b"], &[]));

    let dropped = vec![ready.clone(), unready.clone()];
    let (plan, _) = settle(&with_slices([before(&[pod(9)])], snapshot(service(), dropped)));
    assert_eq!(only(&plan).endpoints[0].hints, hints(&["zone-a"], &[]));
    assert_eq!(only(&plan).endpoints[1].hints, None);
}

#[test]
fn without_a_value_every_hints_object_is_removed_even_an_empty_one() {
    let (ready, unready) = (on(1, "n1"), Pod { ready: false, ..on(2, "n1") });
    for service in [service(), distributed("SomethingElse")] {
        for (first, second) in [
            (hints(&["zone-a"], &[]), None),
            (hints(&[], &[]), None),
            (None, hints(&[], &[])),
            (None, hints(&[], &["n1"])),
        ] {
            let before = hinted("web-a", &[(&ready, first), (&unready, second)]);
            let pods = vec![ready.clone(), unready.clone()];
            let (plan, _) = settle(&with_slices([before], snapshot(service.clone(), pods)));
            assert!(only(&plan).endpoints.iter().all(|endpoint| endpoint.hints.is_none()));
        }
    }
}

#[test]
fn no_hints_are_left_in_slices_that_are_filled_either() {
    let before = hinted("web-a", &[(&on(1, "n1"), hints(&["zone-a"], &[]))]);
    let (plan, _) = settle(&with_slices([before], snapshot(service(), vec![on(1, "n1"), on(2, "n1")])));
    assert!(only(&plan).endpoints.iter().all(|endpoint| endpoint.hints.is_none()));
}

#[test]
fn hints_alone_touch_only_the_slice_that_needs_them() {
    let (a, b) = (on(1, "n1"), on(2, "n2"));
    let before = [
        hinted("web-a", &[(&a, hints(&["zone-a"], &[]))]),
        hinted("web-b", &[(&b, hints(&["zone-a"], &[]))]),
    ];
    let snapshot = with_slices(before, snapshot(distributed("PreferClose"), vec![a, b]));
    let (plan, _) = settle(&snapshot);
    assert_eq!(writes(&plan), [(Operation::Update, "web-b", Stage::Updates)]);
}

#[test]
fn fields_that_we_do_not_set_survive_an_update_of_hints() {
    let one = on(1, "n1");
    let mut before = hinted("web-a", &[(&one, None)]);
    let foreign = Some(Box::new([("deprecatedTopology".to_owned(), "x".into())].into()));
    Arc::make_mut(&mut before.endpoints[0]).foreign = foreign.clone();
    let plan = selector::plan(&with_slices([before], snapshot(distributed("PreferClose"), vec![one])));
    assert_eq!(only(&plan).endpoints[0].foreign, foreign);
}

#[test]
fn mode_auto_suppresses_traffic_distribution() {
    let auto =
        Service { topology_mode: TopologyMode::Auto, topology_annotated: true, ..distributed("PreferClose") };
    let before = hinted("web-a", &[(&on(1, "n1"), hints(&["zone-a"], &[]))]);
    let (plan, _) = settle(&with_slices([before], snapshot(auto, vec![on(1, "n1")])));
    assert_eq!(only(&plan).endpoints[0].hints, None);
    assert!(plan.figures.topology_auto);
    assert_eq!(plan.figures.traffic_distribution, None);
}
