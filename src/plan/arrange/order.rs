//! The order of the writes: when the members that a slice throws out have a place elsewhere, it
//! may be written.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::stakes::Stakes;
use super::{Content, LARGEST, Problem};
use crate::plan::fill::{Fate, Numbers};

/// How a slice is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// It is new. `first`: it takes over nothing.
    Create { first: bool },
    /// One update.
    Once,
    /// First with its new members and its old ones that are still desired, at the end without those.
    Twice,
}

/// A slice that takes in endpoints, or changes otherwise.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) manner: Manner,
    pub(super) content: Content,
    /// The slice that is updated, or whose kept members a new one takes over.
    pub(super) slice: Option<usize>,
    /// How many endpoints it takes in.
    pub(super) places: usize,
}

/// All writes in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// By first position.
    pub(super) turns: Vec<Turn>,
    /// Deleted when all else is written.
    pub(super) deletes: Vec<usize>,
    /// Writes that the numbers of the three steps do not have.
    pub(super) extra: usize,
}

impl Order {
    /// For each slice the moment at which it loses what it does not keep: the position of its
    /// turn; for one that is deleted, after all turns. `usize::MAX` for a slice that is not written,
    /// and for one that is written twice, which happens only where there are places for all.
    pub(super) fn losses(&self, slices: usize) -> Vec<usize> {
        let mut losses = vec![usize::MAX; slices];
        for (at, turn) in self.turns.iter().enumerate() {
            if let (Manner::Once, Some(slice)) = (turn.manner, turn.slice) {
                losses[slice] = at;
            }
        }
        for slice in &self.deletes {
            losses[*slice] = self.turns.len();
        }
        losses
    }
}

/// Puts the writes in order. `recycled`: for each creation the slice that it recycles.
pub(super) fn order(
    problem: &Problem,
    numbers: &Numbers,
    stakes: &Stakes,
    recycled: &[Option<usize>],
) -> Order {
    let mut order = Order::default();
    let mut tally = Tally::new(problem.groups.len(), problem.slices.len(), stakes);
    let mut content_of: BTreeMap<usize, (Content, usize)> = BTreeMap::new();
    for (creation, slice) in numbers.creations.iter().zip(recycled) {
        match slice {
            Some(slice) => {
                content_of.insert(*slice, (creation.content, creation.size));
            }
            None if problem.create => {
                tally.gain_places(creation.content, creation.size);
                order.turns.push(Turn {
                    manner: Manner::Create { first: true },
                    content: creation.content,
                    slice: None,
                    places: creation.size,
                });
            }
            None => {}
        }
    }
    let mut waiting = Vec::new();
    for (slice, fate) in numbers.fates.iter().enumerate() {
        match (fate, content_of.get(&slice), problem.slices[slice].group) {
            (Fate::Deleted, Some((content, places)), _) => {
                waiting.push(Waiting { slice, content: *content, places: *places, recycled: true });
            }
            (Fate::Updated, _, Some(group)) => {
                let content = Content::Group(group);
                waiting.push(Waiting { slice, content, places: numbers.places[slice], recycled: false });
            }
            (Fate::Deleted, None, _) => order.deletes.push(slice),
            _ => {}
        }
    }
    while !waiting.is_empty() {
        match next(&waiting, &tally, problem.create) {
            Some(at) => {
                let it = waiting.swap_remove(at);
                tally.gain_places(it.content, it.places);
                tally.take_out(it.slice);
                order.turns.push(it.turn(Manner::Once));
            }
            None => {
                let it = waiting.swap_remove(most_places(&waiting));
                tally.gain_places(it.content, it.places);
                order.extra += 1;
                it.break_cycle(problem, numbers, stakes, &mut order);
            }
        }
    }
    order.deletes.sort_unstable();
    order
}

/// A slice that is to be updated.
struct Waiting {
    slice: usize,
    content: Content,
    places: usize,
    recycled: bool,
}

impl Waiting {
    fn turn(&self, manner: Manner) -> Turn {
        Turn { manner, content: self.content, slice: Some(self.slice), places: self.places }
    }

    /// Writes its content now, and takes out of it what others must take in first at the end.
    fn break_cycle(&self, problem: &Problem, numbers: &Numbers, stakes: &Stakes, order: &mut Order) {
        let slice = &problem.slices[self.slice];
        let kept = &numbers.kept[self.slice];
        let live = (0..slice.members.len())
            .filter(|at| kept.binary_search(at).is_err() && stakes.is_live(slice, *at))
            .count();
        let fits = kept.len() + self.places + live <= problem.max.saturating_mul(2).min(LARGEST);
        if fits && !self.recycled {
            order.turns.push(self.turn(Manner::Twice));
        } else {
            order.turns.push(self.turn(Manner::Create { first: false }));
            order.deletes.push(self.slice);
        }
    }
}

/// The one that may come next and is the best: it needs least of other groups' places, then it
/// gains most, then the first by name. None in a cycle; where nothing may be created there is
/// nothing to break it with, and the one that loses least comes.
fn next(waiting: &[Waiting], tally: &Tally<'_>, create: bool) -> Option<usize> {
    let rank = |it: &Waiting| {
        let needs = tally.needs(it.slice, it.content, it.places);
        (needs.lacking, needs.of_others, Reverse(it.places as i64 - needs.of_own as i64), it.slice)
    };
    let (at, rank) = waiting.iter().map(rank).enumerate().min_by_key(|(_, rank)| *rank)?;
    (rank.0 == 0 || !create).then_some(at)
}

/// In a cycle: of the recycled slices, if there is one, else of all, the one with most places.
fn most_places(waiting: &[Waiting]) -> usize {
    let rank = |it: &Waiting| (it.recycled, it.places, Reverse(it.slice));
    waiting.iter().enumerate().max_by_key(|(_, it)| rank(it)).map_or(0, |(at, _)| at)
}

/// What a slice needs of the places written, if it is written next.
struct Needs {
    /// Places that are not there.
    lacking: usize,
    of_others: usize,
    of_own: usize,
}

/// Places written and endpoints due, group by group.
struct Tally<'a> {
    stakes: &'a Stakes,
    /// Places written.
    places: Vec<usize>,
    /// Endpoints of whose live names one has lost all its holders.
    due: Vec<usize>,
    is_due: Vec<bool>,
    /// For each slice the endpoints that become due when it is written next, by group.
    dooms: Vec<BTreeMap<usize, usize>>,
    /// For each endpoint the slices in whose `dooms` it is counted.
    doomed_by: Vec<Vec<usize>>,
    /// For each name its holders that are not written.
    holders_left: Vec<usize>,
    written: Vec<bool>,
}

impl<'a> Tally<'a> {
    fn new(groups: usize, slices: usize, stakes: &'a Stakes) -> Tally<'a> {
        let mut tally = Tally {
            stakes,
            places: vec![0; groups],
            due: vec![0; groups],
            is_due: vec![false; stakes.pending.len()],
            dooms: vec![BTreeMap::new(); slices],
            doomed_by: vec![Vec::new(); stakes.pending.len()],
            holders_left: stakes.names.iter().map(|name| name.holders.len()).collect(),
            written: vec![false; slices],
        };
        for name in 0..stakes.names.len() {
            tally.look_for_last_holder(name);
        }
        tally
    }

    fn gain_places(&mut self, content: Content, places: usize) {
        if let Content::Group(group) = content {
            self.places[group] += places;
        }
    }

    fn needs(&self, slice: usize, content: Content, places: usize) -> Needs {
        let mut needs = Needs { lacking: 0, of_others: 0, of_own: 0 };
        for (group, doomed) in &self.dooms[slice] {
            let own = content == Content::Group(*group);
            let written = self.places[*group] + if own { places } else { 0 };
            needs.lacking += (self.due[*group] + doomed).saturating_sub(written.max(self.due[*group]));
            *(if own { &mut needs.of_own } else { &mut needs.of_others }) += doomed;
        }
        needs
    }

    /// The slice has lost what it does not keep.
    fn take_out(&mut self, slice: usize) {
        self.written[slice] = true;
        let stakes = self.stakes;
        for name in &stakes.held[slice] {
            self.holders_left[*name] -= 1;
            match self.holders_left[*name] {
                0 => stakes.names[*name].bringers.iter().for_each(|bringer| self.fall_due(*bringer)),
                1 => self.look_for_last_holder(*name),
                _ => {}
            }
        }
    }

    fn fall_due(&mut self, endpoint: usize) {
        if std::mem::replace(&mut self.is_due[endpoint], true) {
            return;
        }
        let group = self.stakes.pending[endpoint].group;
        self.due[group] += 1;
        for slice in std::mem::take(&mut self.doomed_by[endpoint]) {
            if let Some(count) = self.dooms[slice].get_mut(&group) {
                *count -= 1;
            }
        }
    }

    /// If a name has one holder left, its endpoints become due with it.
    fn look_for_last_holder(&mut self, name: usize) {
        let stakes = self.stakes;
        let name_at_stake = &stakes.names[name];
        if self.holders_left[name] != 1 {
            return;
        }
        let last = name_at_stake.holders.iter().copied().find(|slice| !self.written[*slice]);
        let Some(last) = last else { return };
        for endpoint in &name_at_stake.bringers {
            if !self.is_due[*endpoint] && !self.doomed_by[*endpoint].contains(&last) {
                self.doomed_by[*endpoint].push(last);
                *self.dooms[last].entry(stakes.pending[*endpoint].group).or_default() += 1;
            }
        }
    }
}
