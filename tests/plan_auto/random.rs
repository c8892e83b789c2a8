//! What holds of the hints of mode Auto in every world, tried on random histories of Nodes and Pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use endpointslice_controller::model::*;
use endpointslice_controller::plan::selector;
use proptest::prelude::*;

use crate::apply::Standing;
use crate::build::*;
use crate::*;

const ZONES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A Node: its zone (5 is none), its cores, and what else it may be.
type Draw = (usize, u64, u8);
/// A Pod: on which of the Nodes, and whether it is ready.
type Place = (usize, u8);

fn draw_nodes() -> impl Strategy<Value = Vec<Draw>> {
    // A Node without zone or CPU turns everything off, so it is rare.
    let zone = prop_oneof![200 => 0..5usize, 1 => Just(5usize)];
    let cores = prop_oneof![200 => 1..17u64, 1 => Just(0u64)];
    prop::collection::vec((zone, cores, 0..12u8), 1..9)
}

/// Worlds one after the other: Nodes, and Pods by number.
fn history() -> impl Strategy<Value = Vec<(Vec<Draw>, Vec<Place>)>> {
    let places = prop::collection::vec((0..9usize, 0..10u8), 0..40);
    prop::collection::vec((draw_nodes(), places), 1..5)
}

fn make_nodes(draws: &[Draw]) -> Vec<Node> {
    let node = |(n, (zone, cores, kind)): (usize, &Draw)| Node {
        cpu_milli: (*cores > 0).then_some(cores * 1000),
        ready: *kind != 0,
        control_plane: *kind == 1,
        ..node(&format!("n{n}"), ZONES.get(*zone).copied())
    };
    draws.iter().enumerate().map(node).collect()
}

fn make_pods(places: &[Place], nodes: usize) -> Vec<Pod> {
    let pod = |(n, (place, kind)): (usize, &Place)| Pod {
        node: Some(Text::new(&format!("n{}", place % nodes))),
        ready: *kind != 0,
        terminating: *kind == 1,
        ..pod(n)
    };
    // Now and then one is missing, so that they come and go.
    places.iter().enumerate().filter(|(_, (_, kind))| *kind != 2).map(pod).collect()
}

/// Milli-CPU by zone; `None` when an eligible Node lacks zone or CPU.
fn measured(nodes: &[Node]) -> Option<BTreeMap<&str, u128>> {
    let mut zones = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.ready && !node.control_plane) {
        *zones.entry(node.zone.as_ref()?.as_str()).or_insert(0) += u128::from(node.cpu_milli?);
    }
    Some(zones)
}

/// The least that a zone needs of `ready` endpoints, exactly, and whether the division had no rest: there
/// a computation in floating point may need one more.
fn least(cpu: u128, total: u128, ready: usize) -> (usize, bool) {
    let (above, below) = (5 * cpu * ready as u128, 6 * total);
    (usize::try_from(above.div_ceil(below)).unwrap(), above % below == 0)
}

/// Checks one address type that has come to rest; answers whether it has hints.
fn check(nodes: &[Node], standing: &Standing) -> bool {
    let endpoints: Vec<&Arc<Endpoint>> =
        standing.slices.values().flat_map(|slice| &slice.endpoints).collect();
    let ready: Vec<&Arc<Endpoint>> =
        endpoints.iter().copied().filter(|endpoint| endpoint.conditions.ready == Some(true)).collect();
    let zones = measured(nodes);
    let total: u128 = zones.iter().flat_map(BTreeMap::values).sum();
    let needs: Vec<(&str, usize, bool)> = zones
        .iter()
        .flatten()
        .map(|(zone, cpu)| {
            let (least, exact) = least(*cpu, total, ready.len());
            (*zone, least, exact)
        })
        .collect();
    let needed: usize = needs.iter().map(|(_, least, _)| least).sum();
    if endpoints.iter().all(|endpoint| endpoint.hints.is_none()) {
        let at_most = needed + needs.iter().filter(|(_, _, exact)| *exact).count();
        let reason = zones.is_none()
            || needs.len() < 2
            || needs.len() > ready.len()
            || at_most > ready.len()
            || ready.iter().any(|endpoint| endpoint.zone.is_none());
        assert!(reason, "no hints, and no reason for it: {needs:?} of {}", ready.len());
        return false;
    }
    let hinted = hinted(standing);
    assert_eq!(hinted.values().sum::<usize>(), ready.len(), "every ready endpoint counts once");
    assert!(zones.is_some() && needs.len() >= 2 && needed <= ready.len());
    for (zone, least, _) in &needs {
        let count = hinted.get(*zone).copied().unwrap_or(0);
        assert!(count >= *least, "{zone} is overloaded: {count} of {least} in {hinted:?}");
    }
    for endpoint in ready {
        let hints = hints_of(endpoint);
        assert_eq!(hints.len(), 1);
        let known = needs.iter().any(|(zone, _, _)| *zone == hints[0]);
        assert!(known || endpoint.zone.as_ref().is_some_and(|own| *own == hints[0]), "{endpoint:?}");
        assert!(endpoint.hints.as_ref().unwrap().for_nodes.is_empty());
    }
    true
}

fn run(max: usize, history: &[(Vec<Draw>, Vec<Place>)], mut see: impl FnMut(&SelectorSnapshot)) -> usize {
    let mut on = 0;
    let mut snapshot = with_max(max, snapshot_of(&nodes([]), vec![]));
    for (draws, places) in history {
        let all = make_nodes(draws);
        snapshot.pods = make_pods(places, all.len()).into_iter().map(Arc::new).collect();
        snapshot.nodes = nodes(all.clone());
        see(&snapshot);
        let (plan, standing) = settle(&snapshot);
        on += usize::from(check(&all, &standing));
        snapshot = standing.next(&snapshot, &plan);
    }
    on
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// With hints: each ready endpoint has one, none of a zone gets more than 1.2 times its share.
    /// Without: there is a reason. And a second plan writes nothing ([`settle`]).
    #[test]
    fn hints_are_within_the_bound_or_off_for_a_reason(max in 1usize..12, history in history()) {
        run(max, &history, |_| {});
    }

    #[test]
    fn the_order_of_pods_nodes_and_slices_does_not_matter(max in 1usize..12, history in history()) {
        run(max, &history, |snapshot| {
            let mut other = snapshot.clone();
            other.pods.reverse();
            other.slices.reverse();
            let mut names: Vec<&Text> = snapshot.nodes.keys().collect();
            names.sort_by(|a, b| b.cmp(a));
            // Another map with another seed.
            let node = |name: &&Text| ((*name).clone(), Arc::clone(&snapshot.nodes[*name]));
            other.nodes = Arc::new(names.iter().map(node).collect());
            let plan = selector::plan(snapshot);
            assert_eq!(plan, selector::plan(&other));
            assert_eq!(plan, selector::plan(snapshot));
        });
    }
}

/// The properties above say something only if hints are given often.
#[test]
fn random_histories_have_hints() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut on, mut all) = (0, 0);
    for _ in 0..100 {
        let history = history().new_tree(&mut runner).unwrap().current();
        on += run(4, &history, |_| {});
        all += history.len();
    }
    assert!(on * 5 > all && on * 20 < all * 19, "{on} of {all} have hints");
}
