//! The three steps: how many endpoints each slice of a group keeps and takes in, and how many
//! slices are created and deleted. Numbers only: which endpoint goes where, and in which order
//! slices are written, is [`super::arrange`]'s to choose.
//!
//! For each desired group:
//! 1. Endpoints that are not desired are dropped, those that changed are replaced; the first slice
//!    in which an identity is found keeps it. A slice that loses its last endpoint is deleted; one
//!    that was empty already is unchanged; one whose labels are wrong counts as changed.
//! 2. The slices that step 1 changed are filled up to the maximum, fullest first.
//! 3. If fewer than the maximum remain, the unchanged slice that has room for all of them and the
//!    least room to spare takes them. Else a slice is created, filled to the maximum; and again.
//!
//! Then, for all groups together:
//! 4. Slices of groups that are no longer desired are deleted.
//! 5. If nothing would remain, there is one placeholder; one that stands and is right stays as it is.

use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::arrange::{Content, Existing, Identity, Problem};

/// What becomes of an existing slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Unchanged,
    /// It is written: it keeps [`Numbers::kept`] and takes in [`Numbers::places`] endpoints.
    Updated,
    /// It goes, or is recycled.
    Deleted,
}

/// A slice that is needed and does not exist. Pairing it with a slice that goes makes it an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creation {
    /// What it is for.
    pub content: Content,
    /// How many endpoints it takes in.
    pub size: usize,
}

/// The numbers of the three steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// What becomes of each slice.
    pub fates: Vec<Fate>,
    /// For each slice the positions of the members that it keeps, ascending. None for one that goes.
    pub kept: Vec<Vec<usize>>,
    /// For each slice how many endpoints it takes in.
    pub places: Vec<usize>,
    /// The slices that are needed besides, by group.
    pub creations: Vec<Creation>,
    /// For each group the positions of the wanted endpoints that no slice keeps, ascending.
    pub pending: Vec<Vec<usize>>,
}

/// The numbers for this problem. Whether slices may be created at all is not asked here, except
/// for the placeholder: a creation may still become an update.
pub fn count(problem: &Problem) -> Numbers {
    let slices = problem.slices.len();
    let mut numbers = Numbers {
        fates: vec![Fate::Deleted; slices], // 4.
        kept: vec![Vec::new(); slices],
        places: vec![0; slices],
        creations: Vec::new(),
        pending: Vec::with_capacity(problem.groups.len()),
    };
    let mut seats = Seats::new(problem);
    let mut of_group: Vec<Vec<usize>> = vec![Vec::new(); problem.groups.len()];
    for (position, slice) in problem.slices.iter().enumerate() {
        let Some(group) = slice.group.filter(|group| *group < problem.groups.len()) else { continue };
        of_group[group].push(position);
        (numbers.fates[position], numbers.kept[position]) = keep(slice, group, &mut seats); // 1.
    }
    for (group, positions) in of_group.iter().enumerate() {
        let pending = seats.pending(problem, group);
        let remaining = pending.len();
        numbers.pending.push(pending);
        let remaining = fill_changed(problem, positions, remaining, &mut numbers); // 2.
        place_rest(problem, group, positions, remaining, &mut numbers); // 3.
    }
    if problem.placeholder && problem.create {
        keep_placeholder(problem, &mut numbers); // 5.
    }
    numbers
}

/// Which identities are desired in which group, and whether a slice keeps them.
struct Seats {
    of: HashMap<Identity, Seat, RandomState>,
}

struct Seat {
    group: usize,
    taken: bool,
}

impl Seats {
    fn new(problem: &Problem) -> Seats {
        let all = problem.groups.iter().map(|group| group.wanted.len()).sum();
        let mut of = HashMap::with_capacity_and_hasher(all, RandomState::default());
        for (group, desired) in problem.groups.iter().enumerate() {
            for wanted in &desired.wanted {
                of.entry(wanted.identity).or_insert(Seat { group, taken: false });
            }
        }
        Seats { of }
    }

    /// Takes the seat of an identity, if it is free and in this group.
    fn take(&mut self, identity: Identity, group: usize) -> bool {
        match self.of.get_mut(&identity) {
            Some(seat) if seat.group == group && !seat.taken => {
                seat.taken = true;
                true
            }
            _ => false,
        }
    }

    /// The wanted endpoints of a group whose seats are free; they are taken by it.
    fn pending(&mut self, problem: &Problem, group: usize) -> Vec<usize> {
        let wanted = problem.groups[group].wanted.iter().enumerate();
        wanted.filter(|(_, wanted)| self.take(wanted.identity, group)).map(|(at, _)| at).collect()
    }
}

/// 1. What a slice keeps, and what becomes of it so far.
fn keep(slice: &Existing, group: usize, seats: &mut Seats) -> (Fate, Vec<usize>) {
    let mut kept = Vec::with_capacity(slice.members.len());
    let mut changed = false;
    for (at, member) in slice.members.iter().enumerate() {
        if seats.take(member.identity, group) {
            kept.push(at);
            changed |= member.changed;
        } else {
            changed = true;
        }
    }
    let fate = match (changed, kept.is_empty()) {
        (true, true) => Fate::Deleted,
        (true, false) => Fate::Updated,
        (false, _) if slice.relabel => Fate::Updated,
        (false, _) => Fate::Unchanged,
    };
    (fate, kept)
}

/// 2. Fills the slices that step 1 changed, fullest first, and returns how many endpoints remain.
fn fill_changed(problem: &Problem, positions: &[usize], remaining: usize, numbers: &mut Numbers) -> usize {
    let mut remaining = remaining;
    let mut changed: Vec<usize> =
        positions.iter().copied().filter(|at| numbers.fates[*at] == Fate::Updated).collect();
    changed.sort_by_key(|at| (Reverse(numbers.kept[*at].len()), *at));
    for at in changed {
        let taken = problem.max.saturating_sub(numbers.kept[at].len()).min(remaining);
        numbers.places[at] = taken;
        remaining -= taken;
    }
    remaining
}

/// 3. Finds places for the endpoints that remain.
fn place_rest(problem: &Problem, group: usize, positions: &[usize], remaining: usize, numbers: &mut Numbers) {
    let mut remaining = remaining;
    while remaining > 0 {
        let room = |at: usize| problem.max.saturating_sub(numbers.kept[at].len());
        let best = positions
            .iter()
            .copied()
            .filter(|at| remaining < problem.max && numbers.fates[*at] == Fate::Unchanged)
            .filter(|at| room(*at) >= remaining)
            .min_by_key(|at| (room(*at), *at));
        if let Some(at) = best {
            numbers.fates[at] = Fate::Updated;
            numbers.places[at] = remaining;
            return;
        }
        let size = remaining.min(problem.max.max(1));
        numbers.creations.push(Creation { content: Content::Group(group), size });
        remaining -= size;
    }
}

/// 5. Sees to it that something remains.
fn keep_placeholder(problem: &Problem, numbers: &mut Numbers) {
    if !numbers.creations.is_empty() || numbers.fates.iter().any(|fate| *fate != Fate::Deleted) {
        return;
    }
    match problem.slices.iter().position(|slice| slice.placeholder) {
        Some(right) => numbers.fates[right] = Fate::Unchanged,
        None => numbers.creations.push(Creation { content: Content::Placeholder, size: 0 }),
    }
}

#[cfg(test)]
mod tests;
