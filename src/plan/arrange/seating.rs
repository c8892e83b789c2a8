//! Which endpoint goes into which slice, when the order of the writes is known.

use super::order::{Manner, Order};
use super::stakes::{Pending, Stakes};
use super::{Content, Problem};

/// For each turn the endpoints that it takes in, as positions in [`Stakes::pending`], ascending.
///
/// 1. By deadline, which is the first write that takes one of its live names out of the last
///    holder: each goes into a slice where its address is, if that is written in time and has
///    room, else into the earliest one with room. What is left then is due later still, so to
///    it all places written in time are alike.
/// 2. Those that have no deadline: where their address is; what is new, into the earliest.
pub(super) fn seat(problem: &Problem, stakes: &Stakes, order: &Order) -> Vec<Vec<usize>> {
    let mut seating = Seating::new(problem, order);
    let losses = order.losses(problem.slices.len());
    let lost_at: Vec<usize> = stakes
        .names
        .iter()
        .map(|name| name.holders.iter().map(|slice| losses[*slice]).max().unwrap_or(usize::MAX))
        .collect();
    let deadline =
        |pending: &Pending| pending.names.iter().map(|name| lost_at[*name]).min().unwrap_or(usize::MAX);

    let mut hurried = Vec::new();
    let mut unhurried = Vec::new();
    for (endpoint, pending) in stakes.pending.iter().enumerate() {
        match deadline(pending) {
            usize::MAX => unhurried.push(endpoint),
            deadline => hurried.push((deadline, endpoint)),
        }
    }
    // 1.
    hurried.sort_unstable();
    for (deadline, endpoint) in hurried {
        let pending = &stakes.pending[endpoint];
        if !seating.stay(endpoint, pending, deadline) {
            seating.take_earliest(endpoint, pending);
        }
    }
    // 2.
    unhurried.retain(|endpoint| !seating.stay(*endpoint, &stakes.pending[*endpoint], usize::MAX));
    for endpoint in unhurried {
        seating.take_earliest(endpoint, &stakes.pending[endpoint]);
    }
    seating.taken.iter_mut().for_each(|taken| taken.sort_unstable());
    seating.taken
}

struct Seating<'a> {
    order: &'a Order,
    taken: Vec<Vec<usize>>,
    /// For each slice the turn that updates it.
    turn_of: Vec<Option<usize>>,
    /// For each group its turns, in order.
    turns_of: Vec<Vec<usize>>,
    /// For each group how many of its turns are known to be full.
    full: Vec<usize>,
}

impl<'a> Seating<'a> {
    fn new(problem: &Problem, order: &'a Order) -> Seating<'a> {
        let mut turn_of = vec![None; problem.slices.len()];
        let mut turns_of = vec![Vec::new(); problem.groups.len()];
        for (at, turn) in order.turns.iter().enumerate() {
            if let (Manner::Once | Manner::Twice, Some(slice)) = (turn.manner, turn.slice) {
                turn_of[slice] = Some(at);
            }
            if let Content::Group(group) = turn.content {
                turns_of[group].push(at);
            }
        }
        let taken = vec![Vec::new(); order.turns.len()];
        Seating { order, taken, turn_of, full: vec![0; turns_of.len()], turns_of }
    }

    /// Puts an endpoint into the slice of this turn, if that has its group and room.
    fn take(&mut self, turn: usize, endpoint: usize, pending: &Pending) -> bool {
        let slice = &self.order.turns[turn];
        let fits = slice.content == Content::Group(pending.group) && self.taken[turn].len() < slice.places;
        if fits {
            self.taken[turn].push(endpoint);
        }
        fits
    }

    /// Puts an endpoint into a slice where its address is, if one is written by then and has room.
    fn stay(&mut self, endpoint: usize, pending: &Pending, deadline: usize) -> bool {
        pending.kin.iter().any(|slice| match self.turn_of[*slice] {
            Some(turn) if turn <= deadline => self.take(turn, endpoint, pending),
            _ => false,
        })
    }

    /// Puts an endpoint into the earliest written slice of its group that has room. There is none
    /// only where slices would have to be created and may not.
    fn take_earliest(&mut self, endpoint: usize, pending: &Pending) {
        while let Some(turn) = self.turns_of[pending.group].get(self.full[pending.group]).copied() {
            if self.take(turn, endpoint, pending) {
                return;
            }
            self.full[pending.group] += 1;
        }
    }
}
