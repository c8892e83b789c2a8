//! What holds for any Endpoints object and any slices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use endpointslice_controller::model::address::{canonical, parse_ip};
use endpointslice_controller::model::{Endpoints, EndpointsAddress, Key, Slice, Subset, Uid};
use endpointslice_controller::plan::mirror::plan;
use endpointslice_controller::plan::{Operation, Write};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{address, endpoints, pod, port, settle, snapshot, walk};

const IPS: &[&str] = &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "010.0.0.1", "fd00::1", "FD00::2"];
const PORTS: &[(&str, i32)] = &[("a", 80), ("a", 81), ("b", 90), ("", 100)];

fn any_address() -> impl Strategy<Value = EndpointsAddress> {
    (select(IPS), 0..4u8).prop_map(|(ip, uid)| match uid {
        0..=2 => address(ip),
        _ => pod(ip, "pod-1", "uid-1"),
    })
}

fn any_subset() -> impl Strategy<Value = Subset> {
    (vec(any_address(), 0..5), vec(any_address(), 0..3), subsequence(PORTS, 0..=PORTS.len())).prop_map(
        |(addresses, not_ready, ports)| Subset {
            addresses,
            not_ready,
            ports: ports.iter().map(|(name, number)| port(name, *number)).collect(),
        },
    )
}

fn any_endpoints() -> impl Strategy<Value = Endpoints> {
    vec(any_subset(), 0..5).prop_map(endpoints)
}

/// The slices of an earlier state, with copies of some of them.
fn any_slices() -> impl Strategy<Value = Vec<Slice>> {
    (any_endpoints(), vec(any::<bool>(), 12)).prop_map(|(earlier, copied)| {
        let (_, slices) = settle(&snapshot(earlier, vec![]));
        let mut all = slices.clone();
        for (at, slice) in slices.into_iter().enumerate().filter(|(at, _)| copied[*at % copied.len()]) {
            let name = format!("web-copy{at}");
            all.push(Slice { key: Key::new("ns", &name), uid: Uid::new(&format!("uid-{name}")), ..slice });
        }
        all
    })
}

type Pairs = BTreeSet<(String, Option<String>)>;

fn pairs<'a>(slices: impl IntoIterator<Item = &'a Slice>) -> Pairs {
    let mut pairs = Pairs::new();
    for slice in slices {
        let names: Vec<Option<String>> = match &*slice.ports {
            [] => vec![None],
            ports => ports.iter().map(|p| Some(p.name.as_deref().unwrap_or_default().to_owned())).collect(),
        };
        for address in slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.as_slice()) {
            pairs.extend(names.iter().map(|name| (address.to_string(), name.clone())));
        }
    }
    pairs
}

/// Live addresses that are in no slice at some moment while these writes are made.
fn lost(slices: &[Slice], writes: &[Write]) -> usize {
    let slices: Vec<Arc<Slice>> = slices.iter().cloned().map(Arc::new).collect();
    let states: Vec<Pairs> = walk(&slices, writes).iter().map(|state| pairs(state.values())).collect();
    let live: Pairs = states[0].intersection(&states[states.len() - 1]).cloned().collect();
    states.iter().map(|state| live.difference(state).count()).sum()
}

/// For each port and canonical IP with its target: whether it is ready. Straight from the API's words.
fn expected(endpoints: &Endpoints) -> BTreeMap<(String, String, String), bool> {
    let mut all = BTreeMap::new();
    for subset in &endpoints.subsets {
        for port in &subset.ports {
            let ready = subset.addresses.iter().map(|a| (a, true));
            for (address, ready) in ready.chain(subset.not_ready.iter().map(|a| (a, false))) {
                let ip = canonical(parse_ip(&address.ip).unwrap()).to_string();
                let target = address.target_ref.as_ref().map(|t| t.uid.to_string()).unwrap_or_default();
                *all.entry((format!("{}:{}", port.name, port.port), ip, target)).or_insert(true) &= ready;
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(Config::with_cases(500))]

    #[test]
    fn every_address_of_every_port_is_in_exactly_one_slice(wanted in any_endpoints(), slices in any_slices()) {
        let (_, slices) = settle(&snapshot(wanted.clone(), slices));
        let mut found = BTreeMap::new();
        for slice in &slices {
            for port in slice.ports.iter() {
                for endpoint in &slice.endpoints {
                    let port = format!("{}:{}", port.name.as_ref().unwrap(), port.port.unwrap());
                    let target = endpoint.target_ref.as_ref().map(|t| t.uid.to_string()).unwrap_or_default();
                    let ip = endpoint.addresses.as_slice()[0].to_string();
                    let twice = found.insert((port, ip, target), endpoint.conditions.ready == Some(true));
                    prop_assert_eq!(twice, None);
                }
            }
        }
        prop_assert_eq!(found, expected(&wanted));
    }

    #[test]
    fn no_live_address_is_lost_between_two_writes(wanted in any_endpoints(), slices in any_slices()) {
        let writes = plan(&snapshot(wanted, slices.clone())).writes;
        prop_assert_eq!(lost(&slices, &writes), 0);
        let updated: Vec<_> = writes.iter().filter(|w| w.operation == Operation::Update).collect();
        let once: BTreeSet<_> = updated.iter().map(|write| &write.slice.key).collect();
        prop_assert!(updated.len() - once.len() <= 2, "more second writes than circles");
    }

    #[test]
    fn writes_come_in_stages_and_each_changes_something(wanted in any_endpoints(), slices in any_slices()) {
        let plan = plan(&snapshot(wanted, slices));
        prop_assert!(plan.writes.is_sorted_by_key(|write| write.stage));
        for write in &plan.writes {
            let differs = write.base.as_ref().is_none_or(|base| **base != write.slice);
            prop_assert!(differs || write.operation == Operation::Delete);
        }
    }

    #[test]
    fn the_order_in_which_anything_is_given_does_not_matter(
        wanted in any_endpoints(),
        slices in any_slices(),
        seed in any::<u64>(),
    ) {
        let one = plan(&snapshot(wanted.clone(), slices.clone()));
        let mut random = fastrand(seed);
        let (mut wanted, mut slices) = (wanted, slices);
        shuffle(&mut wanted.subsets, &mut random);
        for subset in &mut wanted.subsets {
            shuffle(&mut subset.addresses, &mut random);
            shuffle(&mut subset.not_ready, &mut random);
            shuffle(&mut subset.ports, &mut random);
        }
        shuffle(&mut slices, &mut random);
        prop_assert_eq!(one, plan(&snapshot(wanted, slices)));
    }
}

fn fastrand(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    }
}

fn shuffle<T>(all: &mut [T], random: &mut impl FnMut(usize) -> usize) {
    for at in (1..all.len()).rev() {
        all.swap(at, random(at + 1));
    }
}

#[test]
fn the_oracle_sees_what_another_order_would_lose() {
    let mut runner = TestRunner::deterministic();
    let (mut deletes_first, mut turned) = (0, 0);
    for _ in 0..300 {
        let (wanted, slices) = (any_endpoints(), any_slices()).new_tree(&mut runner).unwrap().current();
        let writes = plan(&snapshot(wanted, slices.clone())).writes;
        let updated: Vec<_> = writes.iter().filter(|w| w.operation == Operation::Update).collect();
        let once: BTreeSet<_> = updated.iter().map(|write| &write.slice.key).collect();
        if updated.len() > once.len() {
            continue;
        }
        let mut other = writes.clone();
        other.sort_by_key(|write| write.operation != Operation::Delete);
        deletes_first += lost(&slices, &other);
        other = writes.into_iter().rev().collect();
        turned += lost(&slices, &other);
    }
    assert!(deletes_first > 0 && turned > 0, "{deletes_first} {turned}");
}
