//! What is at stake: the wanted endpoints that no slice keeps, and the live names that they bring
//! and that slices which are written would take out.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Address, Existing, Identity, NO_PORTS, PortName, Problem};
use crate::plan::fill::Numbers;

/// A wanted endpoint that needs a place.
pub(super) struct Pending {
    pub(super) group: usize,
    pub(super) identity: Identity,
    /// The live names that it brings, as positions in [`Stakes::names`].
    pub(super) names: Vec<usize>,
    /// Slices that hold one of its addresses under any port name, ascending.
    pub(super) kin: Vec<usize>,
}

/// A live (address, port name) that no slice keeps: it is held now, and an endpoint that needs a
/// place brings it.
pub(super) struct Name {
    /// Slices that hold it, ascending. Each loses it when it is written, or deleted.
    pub(super) holders: Vec<usize>,
    /// The endpoints that bring it, as positions in [`Stakes::pending`]. Each of them is held to be
    /// there in time, though one would do: endpoints that share an address are rare.
    pub(super) bringers: Vec<usize>,
}

/// All of it.
pub(super) struct Stakes {
    /// By group, then in wanted order.
    pub(super) pending: Vec<Pending>,
    pub(super) names: Vec<Name>,
    /// For each slice the live names that it holds.
    pub(super) held: Vec<Vec<usize>>,
    by_name: HashMap<(Address, PortName), usize, RandomState>,
}

/// A name while it is not known yet whether it is live.
#[derive(Default)]
struct Draft {
    holders: Vec<usize>,
    bringers: Vec<usize>,
    /// Whether a slice keeps it all the time.
    safe: bool,
}

impl Stakes {
    pub(super) fn new(problem: &Problem, numbers: &Numbers) -> Stakes {
        let mut stakes = Stakes {
            pending: Vec::new(),
            names: Vec::new(),
            held: vec![Vec::new(); problem.slices.len()],
            by_name: HashMap::default(),
        };
        let mut drafts: Vec<Draft> = Vec::new();
        let mut kin: HashMap<Address, Vec<usize>, RandomState> = HashMap::default();
        stakes.list_pending(problem, numbers, &mut drafts, &mut kin);
        if stakes.pending.is_empty() {
            return stakes;
        }
        for (position, slice) in problem.slices.iter().enumerate() {
            stakes.look_through(position, slice, numbers, &mut drafts, &mut kin);
        }
        stakes.find_kin(problem, numbers, &kin);
        stakes.settle(drafts);
        stakes
    }

    /// Whether a member of this slice holds a live name.
    pub(super) fn is_live(&self, slice: &Existing, member: usize) -> bool {
        let ports = distinct_names(&slice.port_names);
        slice.members[member]
            .addresses
            .iter()
            .any(|address| ports.iter().any(|port| self.by_name.contains_key(&(*address, *port))))
    }

    fn list_pending(
        &mut self,
        problem: &Problem,
        numbers: &Numbers,
        drafts: &mut Vec<Draft>,
        kin: &mut HashMap<Address, Vec<usize>, RandomState>,
    ) {
        for (group, positions) in numbers.pending.iter().enumerate() {
            let ports = distinct_names(&problem.groups[group].port_names);
            for at in positions {
                let wanted = &problem.groups[group].wanted[*at];
                for address in &wanted.addresses {
                    kin.entry(*address).or_default();
                    for port in &ports {
                        let name = *self.by_name.entry((*address, *port)).or_insert(drafts.len());
                        if name == drafts.len() {
                            drafts.push(Draft::default());
                        }
                        push_once(&mut drafts[name].bringers, self.pending.len());
                    }
                }
                let identity = wanted.identity;
                self.pending.push(Pending { group, identity, names: Vec::new(), kin: Vec::new() });
            }
        }
    }

    /// Finds the names that a slice holds.
    fn look_through(
        &self,
        position: usize,
        slice: &Existing,
        numbers: &Numbers,
        drafts: &mut [Draft],
        kin: &mut HashMap<Address, Vec<usize>, RandomState>,
    ) {
        let ports = distinct_names(&slice.port_names);
        let mut kept = numbers.kept[position].iter().peekable();
        for (at, member) in slice.members.iter().enumerate() {
            let keeps = kept.next_if(|kept| **kept == at).is_some();
            for address in &member.addresses {
                let Some(slices) = kin.get_mut(address) else { continue };
                push_once(slices, position);
                for port in &ports {
                    if let Some(name) = self.by_name.get(&(*address, *port)) {
                        drafts[*name].safe |= keeps;
                        push_once(&mut drafts[*name].holders, position);
                    }
                }
            }
        }
    }

    fn find_kin(
        &mut self,
        problem: &Problem,
        numbers: &Numbers,
        kin: &HashMap<Address, Vec<usize>, RandomState>,
    ) {
        let wanted = numbers.pending.iter().enumerate().flat_map(|(group, positions)| {
            positions.iter().map(move |at| &problem.groups[group].wanted[*at])
        });
        for (pending, wanted) in self.pending.iter_mut().zip(wanted) {
            for address in &wanted.addresses {
                pending.kin.extend(kin.get(address).into_iter().flatten());
            }
            pending.kin.sort_unstable();
            pending.kin.dedup();
        }
    }

    /// Keeps of the drafts those that are live and that no slice keeps.
    fn settle(&mut self, drafts: Vec<Draft>) {
        let mut places = vec![None; drafts.len()];
        for (at, draft) in drafts.into_iter().enumerate() {
            if draft.safe || draft.holders.is_empty() {
                continue;
            }
            let name = self.names.len();
            places[at] = Some(name);
            for bringer in &draft.bringers {
                self.pending[*bringer].names.push(name);
            }
            for holder in &draft.holders {
                self.held[*holder].push(name);
            }
            self.names.push(Name { holders: draft.holders, bringers: draft.bringers });
        }
        self.by_name.retain(|_, name| match places[*name] {
            Some(place) => {
                *name = place;
                true
            }
            None => false,
        });
    }
}

/// Port names once each; a slice without ports has one name.
fn distinct_names(names: &[PortName]) -> Vec<PortName> {
    if names.is_empty() {
        return vec![NO_PORTS];
    }
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

/// Adds what comes in ascending order, once.
fn push_once(list: &mut Vec<usize>, value: usize) {
    if list.last() != Some(&value) {
        list.push(value);
    }
}
