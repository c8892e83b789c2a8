//! Problems of any shape, for proptest: endpoints with one or two addresses, addresses that are
//! shared (host network), duplicates, slices larger than the maximum, wrong labels, no ports.

use endpointslice_controller::plan::arrange::{Existing, Group, Held, Problem, Wanted};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;

/// An endpoint: where it stands, which group wants it.
#[derive(Clone, Debug)]
struct Drawn {
    addresses: Vec<u32>,
    slices: Vec<usize>,
    group: Option<usize>,
    changed: bool,
}

const GROUPS: usize = 3;
const SLICES: usize = 6;

fn drawn() -> impl Strategy<Value = Drawn> {
    let addresses = prop_oneof![4 => vec(0..20u32, 1), 1 => vec(0..20u32, 2)];
    let slices = prop_oneof![
        1 => Just(Vec::new()),
        6 => vec(0..SLICES, 1),
        1 => vec(0..SLICES, 2),
    ];
    (addresses, slices, option::weighted(0.8, 0..GROUPS), prop::bool::weighted(0.1))
        .prop_map(|(addresses, slices, group, changed)| Drawn { addresses, slices, group, changed })
}

fn port_names() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![1 => Just(vec![0]), 5 => subsequence(vec![1, 2, 3], 1..=2)]
}

/// Any problem that may have slices created.
pub fn any_problem() -> impl Strategy<Value = Problem> {
    let slices = vec((option::weighted(0.7, 0..GROUPS), port_names(), prop::bool::weighted(0.1)), 0..=SLICES);
    let groups = vec(port_names(), 1..=GROUPS);
    (2..=4usize, any::<bool>(), groups, slices, vec(drawn(), 0..=20)).prop_map(
        |(max, placeholder, groups, slices, endpoints)| {
            let mut problem =
                Problem { max, placeholder, create: true, groups: Vec::new(), slices: Vec::new() };
            for port_names in groups {
                problem.groups.push(Group { port_names, wanted: Vec::new() });
            }
            for (at, (group, port_names, relabel)) in slices.into_iter().enumerate() {
                let group = group.filter(|group| *group < problem.groups.len());
                let port_names = group.map_or(port_names, |group| problem.groups[group].port_names.clone());
                let name = format!("s{at}").into();
                let placeholder = false;
                problem.slices.push(Existing {
                    name,
                    group,
                    port_names,
                    members: Vec::new(),
                    relabel,
                    placeholder,
                });
            }
            for (identity, it) in endpoints.into_iter().enumerate() {
                let (identity, addresses) = (identity as u32 + 1, it.addresses);
                for slice in it.slices {
                    if let Some(slice) = problem.slices.get_mut(slice) {
                        slice.members.push(Held {
                            identity,
                            addresses: addresses.clone(),
                            changed: it.changed,
                        });
                    }
                }
                if let Some(group) = it.group.and_then(|group| problem.groups.get_mut(group)) {
                    group.wanted.push(Wanted { identity, addresses });
                }
            }
            problem
        },
    )
}
