//! Which slice that would be deleted takes over the content of which that would be created; and
//! the numbers of (address, port name) pairs.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use smol_str::SmolStr;

use super::content::fill;
use super::desired::{Group, Identity};
use super::order::Pair;
use super::{Family, Update};
use crate::model::{Endpoint, Port, Slice, Text};

/// Pairs creates with deletes: each time the pair with most endpoints staying; then the one that
/// throws out fewest addresses that stay desired elsewhere, then the smaller slice, then by name.
pub(super) fn recycle<'a>(family: &mut Family<'a>) {
    if family.creates.is_empty() || family.deletes.is_empty() {
        return;
    }
    let scores = scores(family);
    let mut creates: Vec<Option<&'a Group>> = family.creates.drain(..).map(Some).collect();
    let mut deletes: Vec<Option<Arc<Slice>>> = family.deletes.drain(..).map(Some).collect();
    for Score { create, delete, .. } in scores {
        if creates[create].is_none() || deletes[delete].is_none() {
            continue;
        }
        if let (Some(group), Some(base)) = (creates[create].take(), deletes[delete].take()) {
            let filled = fill(&base.endpoints, group);
            family.updates.push(Update { base, group, filled, recycled: true });
        }
    }
    family.creates = creates.into_iter().flatten().collect();
    family.deletes = deletes.into_iter().flatten().collect();
}

/// How well a slice fits: the least is the best.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    stay: Reverse<usize>,
    thrown_out: usize,
    size: usize,
    name: SmolStr,
    create: usize,
    delete: usize,
}

/// The scores of all pairs, best first.
fn scores(family: &Family<'_>) -> Vec<Score> {
    let groups = family.creates.iter().copied().chain(family.updates.iter().map(|update| update.group));
    let desired = groups.flat_map(|group| &group.endpoints);
    let desired = desired.chain(family.unchanged.iter().flat_map(|slice| &slice.endpoints));
    let live: HashSet<&SmolStr, foldhash::fast::RandomState> =
        desired.flat_map(|endpoint| endpoint.addresses.as_slice()).collect();

    let mut scores = Vec::with_capacity(family.creates.len() * family.deletes.len());
    for (delete, slice) in family.deletes.iter().enumerate() {
        let members: Vec<(Identity, bool)> = slice
            .endpoints
            .iter()
            .map(|e| (Identity::of(e), e.addresses.as_slice().iter().any(|address| live.contains(address))))
            .collect();
        for (create, group) in family.creates.iter().enumerate() {
            let stays = |member: &&(Identity, bool)| group.positions.contains_key(&member.0);
            scores.push(Score {
                stay: Reverse(members.iter().filter(stays).count()),
                thrown_out: members.iter().filter(|member| member.1 && !stays(member)).count(),
                size: group.endpoints.len(),
                name: slice.key.name.clone(),
                create,
                delete,
            });
        }
    }
    scores.sort();
    scores
}

/// Gives the number of each pair of an address and a port name.
#[derive(Default)]
pub(super) struct PairNumbers {
    numbers: HashMap<(SmolStr, Option<Text>), Pair, foldhash::fast::RandomState>,
}

impl PairNumbers {
    /// The pairs of each endpoint of a slice.
    pub fn of_each(&mut self, ports: &[Port], endpoints: &[Arc<Endpoint>]) -> Vec<Vec<Pair>> {
        let names = names_of(ports);
        endpoints.iter().map(|endpoint| self.of_endpoint(&names, endpoint)).collect()
    }

    /// The pairs of a slice, each once.
    pub fn of(&mut self, ports: &[Port], endpoints: &[Arc<Endpoint>]) -> Vec<Pair> {
        let all: BTreeSet<Pair> = self.of_each(ports, endpoints).into_iter().flatten().collect();
        all.into_iter().collect()
    }

    fn of_endpoint(&mut self, names: &BTreeSet<Option<Text>>, endpoint: &Endpoint) -> Vec<Pair> {
        let mut pairs = Vec::with_capacity(names.len());
        for address in endpoint.addresses.as_slice() {
            for name in names {
                let next = self.numbers.len() as Pair;
                pairs.push(*self.numbers.entry((address.clone(), name.clone())).or_insert(next));
            }
        }
        pairs
    }
}

/// The names of ports; a slice without ports has one name of its own, an absent name is empty.
fn names_of(ports: &[Port]) -> BTreeSet<Option<Text>> {
    if ports.is_empty() {
        return BTreeSet::from([None]);
    }
    ports.iter().map(|port| Some(port.name.clone().unwrap_or_default())).collect()
}
