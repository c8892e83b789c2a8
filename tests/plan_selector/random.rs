//! What holds of every plan, tried on random histories.

use std::collections::BTreeMap;
use std::sync::Arc;

use endpointslice_controller::model::{AddressType, Addresses, Endpoint, Hints, SelectorSnapshot, Slice};
use endpointslice_controller::plan::{Operation, Plan, Stage, selector};
use proptest::prelude::*;

use crate::apply::Standing;
use crate::build::*;
use crate::world::{World, rounds};

/// Runs the rounds; `check` sees each snapshot with its plan before the writes are made.
fn run(
    max: usize,
    pods: usize,
    rounds: &[Vec<(u8, u8, u8)>],
    mut check: impl FnMut(&SelectorSnapshot, &Plan),
) {
    let mut world = World::new(max, pods);
    for round in [&[][..]].into_iter().chain(rounds.iter().map(Vec::as_slice)) {
        round.iter().for_each(|operation| world.change(*operation));
        let snapshot = world.snapshot();
        let plan = selector::plan(&snapshot);
        check(&snapshot, &plan);
        let mut standing = world.standing.clone();
        standing.apply(&plan, |_| {});
        world.rest(&plan, standing);
    }
}

fn result(snapshot: &SelectorSnapshot, plan: &Plan) -> Standing {
    let mut standing = Standing::new(snapshot.slices.iter().cloned());
    standing.apply(plan, |_| {});
    standing
}

/// Live names that are absent after some write: there before and after, but not in between.
fn lost(snapshot: &SelectorSnapshot, plan: &Plan) -> usize {
    let mut standing = Standing::new(snapshot.slices.iter().cloned());
    let (before, after) = (standing.merged(), result(snapshot, plan).merged());
    let mut lost = 0;
    standing.apply(plan, |now| {
        let now = now.merged();
        lost += before.intersection(&after).filter(|name| !now.contains(*name)).count();
    });
    lost
}

/// The number of slices that hold each Pod, by address type.
fn holders(standing: &Standing) -> BTreeMap<(AddressType, String), usize> {
    let mut holders = BTreeMap::new();
    for slice in standing.slices.values() {
        for endpoint in &slice.endpoints {
            let name = endpoint.target_ref.as_ref().map(|target| target.name.to_string()).unwrap_or_default();
            *holders.entry((slice.address_type.clone(), name)).or_insert(0) += 1;
        }
    }
    holders
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn each_desired_endpoint_is_in_exactly_one_slice(max in 1usize..6, pods in 0usize..20, rounds in rounds()) {
        run(max, pods, &rounds, |snapshot, plan| {
            let standing = result(snapshot, plan);
            let holders = holders(&standing);
            for family in &plan.figures.families {
                let held: Vec<_> = holders.iter().filter(|((t, _), _)| *t == family.address_type).collect();
                assert_eq!(held.len(), family.desired_endpoints);
                assert!(held.iter().all(|(_, count)| **count == 1), "{held:?}");
                let slices = standing.slices.values().filter(|s| s.address_type == family.address_type);
                assert_eq!(slices.count(), family.slices);
            }
            let desired: usize = plan.figures.families.iter().map(|f| f.desired_endpoints).sum();
            assert_eq!(holders.len(), desired);
        });
    }

    #[test]
    fn no_slice_is_filled_beyond_the_maximum(max in 1usize..6, pods in 0usize..20, rounds in rounds()) {
        run(max, pods, &rounds, |snapshot, plan| {
            let before: BTreeMap<_, _> =
                snapshot.slices.iter().map(|slice| (slice.key.name.clone(), slice.endpoints.len())).collect();
            for slice in result(snapshot, plan).slices.values() {
                let had = before.get(&slice.key.name).copied().unwrap_or(0);
                assert!(slice.endpoints.len() <= max.max(had), "{}: {}", slice.key, slice.endpoints.len());
            }
        });
    }

    #[test]
    fn a_second_plan_writes_nothing(max in 1usize..6, pods in 0usize..20, rounds in rounds()) {
        run(max, pods, &rounds, |snapshot, plan| {
            let again = selector::plan(&result(snapshot, plan).next(snapshot, plan));
            assert_eq!(again.writes, []);
            assert_eq!(again.reports, []);
            for family in &again.figures.families {
                assert_eq!((family.added, family.removed, family.updated), (0, 0, 0));
            }
        });
    }

    #[test]
    fn the_order_of_pods_and_slices_does_not_matter(max in 1usize..6, pods in 0usize..20, rounds in rounds(), turn in 0usize..30) {
        run(max, pods, &rounds, |snapshot, plan| {
            let mut other = snapshot.clone();
            other.pods.reverse();
            other.slices.reverse();
            let (pods, slices) = (other.pods.len().max(1), other.slices.len().max(1));
            other.pods.rotate_left(turn % pods);
            other.slices.rotate_left(turn % slices);
            assert_eq!(selector::plan(&other), *plan);
        });
    }

    #[test]
    fn no_live_name_is_absent_after_any_write(max in 1usize..6, pods in 0usize..20, rounds in rounds()) {
        run(max, pods, &rounds, |snapshot, plan| assert_eq!(lost(snapshot, plan), 0));
    }

    #[test]
    fn allocations_that_stand_are_kept_where_nothing_differs(max in 1usize..6, pods in 0usize..20, rounds in rounds()) {
        run(max, pods, &rounds, |snapshot, plan| {
            // Of an endpoint that stands several times the first is taken, which may differ.
            let stands_once = |endpoint: &Endpoint| {
                let all = snapshot.slices.iter().flat_map(|slice| &slice.endpoints);
                all.filter(|held| identity(held) == identity(endpoint)).count() == 1
            };
            for write in plan.writes.iter().filter(|write| write.operation == Operation::Update) {
                let base = write.base.as_ref().unwrap();
                for endpoint in &write.slice.endpoints {
                    let equal = base.endpoints.iter().find(|held| held == &endpoint);
                    let kept = equal.is_some_and(|held| Arc::ptr_eq(held, endpoint));
                    assert!(kept || equal.is_none() || !stands_once(endpoint));
                }
            }
        });
    }
}

/// What tells endpoints apart: addresses, host name, Pod.
fn identity(endpoint: &Endpoint) -> (&Addresses, Option<&str>, Option<&str>) {
    let target = endpoint.target_ref.as_ref().map(|target| target.name.as_str());
    (&endpoint.addresses, endpoint.hostname.as_deref(), target)
}

/// Found by chance in one of many runs: an endpoint that also stands in another slice, with other hints
/// there.
#[test]
fn of_an_endpoint_that_stands_in_two_slices_one_is_kept() {
    let hinted = |endpoint: &Arc<Endpoint>| {
        let hints = Hints { for_zones: vec!["zone-b".into()], for_nodes: vec![] };
        Arc::new(Endpoint { hints: Some(Box::new(hints)), ..Endpoint::clone(endpoint) })
    };
    let right = slice("web-b", &pods(0..2));
    let other = Slice { endpoints: right.endpoints.iter().map(hinted).collect(), ..slice("web-a", []) };
    let before = with_slices([other, right], snapshot(service(), pods(0..2)));
    let held = holders(&result(&before, &selector::plan(&before)));
    assert_eq!(held.into_values().collect::<Vec<_>>(), [1, 1]);
}

/// The negative control of `no_live_name_is_absent_after_any_write`: another order of the same writes
/// does lose names, and the oracle sees it.
#[test]
fn the_oracle_sees_the_losses_of_another_order() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let losses = std::cell::Cell::new(0);
    for _ in 0..100 {
        let tree = (1usize..6, 0usize..20, rounds()).new_tree(&mut runner).unwrap();
        let (max, pods, rounds) = proptest::strategy::ValueTree::current(&tree);
        run(max, pods, &rounds, |snapshot, plan| {
            let mut reversed = plan.clone();
            reversed.writes.reverse();
            let twice = plan.writes.len()
                != plan
                    .writes
                    .iter()
                    .map(|w| &w.slice.key.name)
                    .collect::<std::collections::BTreeSet<_>>()
                    .len();
            if !twice {
                losses.set(losses.get() + lost(snapshot, &reversed));
            }
        });
    }
    assert!(losses.get() > 0);
}

/// The random histories are worth something: every kind of write comes up in them.
#[test]
fn random_histories_make_every_kind_of_write() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let tree = (1usize..6, 0usize..20, rounds()).new_tree(&mut runner).unwrap();
        let (max, pods, rounds) = proptest::strategy::ValueTree::current(&tree);
        run(max, pods, &rounds, |_, plan| {
            let mut seen = std::collections::BTreeSet::new();
            for write in &plan.writes {
                let recycled = write.base.as_ref().is_some_and(|base| base.ports != write.slice.ports);
                let twice = !seen.insert(write.slice.key.name.clone());
                kinds.insert((write.operation.as_str(), write.stage, recycled, twice));
            }
        });
    }
    for kind in [
        ("create", Stage::Creates, false, false),
        ("update", Stage::Updates, false, false),
        ("update", Stage::Updates, true, false),
        ("update", Stage::Updates, false, true),
        ("delete", Stage::Deletes, false, false),
        ("delete", Stage::Leftovers, false, false),
    ] {
        assert!(kinds.contains(&kind), "{kind:?} is not among {kinds:?}");
    }
}
