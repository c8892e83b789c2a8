//! Why hints are off, and what is said of it: on change, not at every sync.

use std::sync::Arc;

use endpointslice_controller::model::snapshot::Memory;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::selector;

use crate::build::*;
use crate::*;

const ON: &str = "TopologyAwareHintsEnabled";
const OFF: &str = "TopologyAwareHintsDisabled";

/// Hints are removed for this reason, and said so once.
#[track_caller]
fn assert_off(nodes: &Arc<Nodes>, pods: Vec<Pod>, because: &str) {
    let good = zones(&[("a", 1), ("b", 1)]);
    let before = snapshot_of(&good, pods_in(100, &[("a", 3), ("b", 3)]));
    let (plan, standing) = settle(&before);
    assert_eq!(
        said(&plan).iter().map(|(reason, warning, _)| (*reason, *warning)).collect::<Vec<_>>(),
        [(ON, false)]
    );
    assert_eq!(hinted(&standing).values().sum::<usize>(), 6);

    let pods = pods.into_iter().map(Arc::new).collect();
    let after = SelectorSnapshot { pods, nodes: Arc::clone(nodes), ..standing.next(&before, &plan) };
    let (plan, standing) = settle(&after);
    assert!(standing.slices.values().flat_map(|slice| &slice.endpoints).all(|one| one.hints.is_none()));
    let said = said(&plan);
    assert!(
        matches!(said[..], [(OFF, true, message)] if message.contains(because) && message.contains("IPv4")),
        "{said:?}"
    );
}

#[test]
fn off_while_an_eligible_node_has_no_zone() {
    let nodes = nodes([with_cores("a", 1), with_cores("b", 1), node("lost", None)]);
    assert_off(
        &nodes,
        pods_in(100, &[("a", 3), ("b", 3)]),
        "Node \"lost\" has no zone or no allocatable CPU",
    );
}

#[test]
fn off_while_an_eligible_node_has_no_cpu() {
    for cpu_milli in [None, Some(0)] {
        let empty = Node { cpu_milli, ..with_cores("empty", 1) };
        let nodes = nodes([with_cores("a", 1), with_cores("b", 1), empty]);
        assert_off(&nodes, pods_in(100, &[("a", 3), ("b", 3)]), "Node \"empty\"");
    }
}

#[test]
fn off_while_nodes_are_ready_in_one_zone_only() {
    let nodes = nodes([with_cores("a", 1), Node { ready: false, ..with_cores("b", 1) }]);
    assert_off(&nodes, pods_in(100, &[("a", 3), ("b", 3)]), "zones with ready Nodes: 1, expected at least 2");
}

#[test]
fn off_while_there_are_fewer_ready_endpoints_than_zones() {
    let mut pods = pods_in(100, &[("a", 1), ("b", 2)]);
    pods[0].ready = false;
    let nodes = zones(&[("a", 1), ("b", 1), ("c", 1)]);
    assert_off(&nodes, pods, "2 ready endpoints, expected at least one for each of 3 zones");
}

#[test]
fn off_while_not_every_zone_can_have_its_minimum() {
    // 4 endpoints for 3 equal zones: at least 2 each.
    let nodes = zones(&[("a", 1), ("b", 1), ("c", 1)]);
    assert_off(&nodes, pods_in(100, &[("a", 2), ("b", 2)]), "4 ready endpoints, expected at least 6");
}

#[test]
fn off_while_a_ready_endpoint_has_no_zone() {
    let nowhere = Node { control_plane: true, ..node("nowhere", None) };
    let nodes = nodes([with_cores("a", 1), with_cores("b", 1), nowhere]);
    let pods = pods_in(100, &[("a", 3), ("b", 3), ("nowhere", 1)]);
    let address = ipv4(106);
    assert_off(&nodes, pods, &format!("endpoint {address:?} has no zone"));
    // One that is not ready does not matter.
    let mut pods = pods_in(100, &[("a", 3), ("b", 3), ("nowhere", 1)]);
    pods[6].ready = false;
    let (_, standing) = settle(&snapshot_of(&nodes, pods));
    assert_eq!(hinted(&standing), expected(&[("a", 3), ("b", 3)]));
}

#[test]
fn hints_go_with_the_annotation_and_that_is_said_once() {
    let nodes = zones(&[("a", 1), ("b", 1)]);
    let before = snapshot_of(&nodes, pods_in(0, &[("a", 3), ("b", 3)]));
    let (plan, standing) = settle(&before);
    for traffic_distribution in [None, Some("PreferClose".into())] {
        let distributed = traffic_distribution.is_some();
        let without = Arc::new(Service { traffic_distribution, ..service() });
        let after = SelectorSnapshot { service: without, ..standing.next(&before, &plan) };
        let (plan, standing) = settle(&after);
        assert_eq!(hinted(&standing).is_empty(), !distributed);
        let said = said(&plan);
        assert!(matches!(said[..], [(OFF, true, message)] if message.contains("the annotation")), "{said:?}");
        assert_eq!(plan.memory.reported.len(), 0);
        assert!(!plan.figures.topology_auto);
    }
}

#[test]
fn nothing_is_said_of_an_annotation_that_had_no_effect() {
    let one_zone = zones(&[("a", 1)]);
    let before = snapshot_of(&one_zone, pods_in(0, &[("a", 3)]));
    let (plan, standing) = settle(&before);
    let after = SelectorSnapshot { service: Arc::new(service()), ..standing.next(&before, &plan) };
    assert_eq!(said(&settle(&after).0), []);
}

#[test]
fn a_reason_is_said_again_when_it_changes_but_not_when_its_numbers_do() {
    let nodes = zones(&[("a", 1), ("b", 1), ("c", 1)]);
    let mut snapshot = snapshot_of(&nodes, vec![]);
    let mut reasons = Vec::new();
    for count in 0..=6 {
        snapshot.pods = pods_in(0, &[("a", count)]).into_iter().map(Arc::new).collect();
        let (plan, standing) = settle(&snapshot);
        reasons.push(plan.reports.iter().map(|report| report.reason).collect::<Vec<_>>());
        snapshot = standing.next(&snapshot, &plan);
    }
    // 3: one each. 4 and 5: too few for two each. 6: two each.
    assert_eq!(reasons, [vec![OFF], vec![], vec![], vec![ON], vec![OFF], vec![], vec![ON]]);
}

#[test]
fn a_process_that_starts_does_not_say_what_the_one_before_it_did() {
    let nodes = zones(&[("a", 1), ("b", 1)]);
    let before = snapshot_of(&nodes, pods_in(0, &[("a", 3), ("b", 3)]));
    let (plan, standing) = settle(&before);
    assert_eq!(plan.reports[0].reason, ON);
    let restarted = SelectorSnapshot { memory: Memory::default(), ..standing.next(&before, &plan) };
    let plan = selector::plan(&restarted);
    assert_eq!((said(&plan), plan.writes.len()), (vec![], 0));
    // It knows of them all the same: the annotation goes.
    let without = Arc::new(service());
    let after = SelectorSnapshot { service: without, ..standing.next(&restarted, &plan) };
    assert_eq!(settle(&after).0.reports[0].reason, OFF);
}

#[test]
fn another_reason_is_said_anew() {
    let two = || [with_cores("a", 1), with_cores("b", 1)];
    let lost = nodes(two().into_iter().chain([node("lost", None)]));
    let before = snapshot_of(&lost, pods_in(0, &[("a", 3), ("b", 3)]));
    let (plan, standing) = settle(&before);
    assert!(matches!(said(&plan)[..], [(OFF, true, message)] if message.contains("\"lost\"")));
    let [a, b] = two();
    let nodes = nodes([a, Node { ready: false, ..b }]);
    let (plan, _) = settle(&SelectorSnapshot { nodes, ..standing.next(&before, &plan) });
    assert!(
        matches!(said(&plan)[..], [(OFF, true, message)] if message.contains("zones with ready Nodes: 1"))
    );
}
