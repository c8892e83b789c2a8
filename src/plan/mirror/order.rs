//! In which order slices of one address type are rewritten, so that no live address is ever in no
//! slice.
//!
//! Unlike the slices of a Service with a selector, a mirrored slice holds all endpoints of its
//! ports, and an endpoint may be in several of them; so nothing is to be chosen but the order. What
//! a slice holds is a set of *pairs*: an address and a port name, as numbers. A pair is live when a
//! slice has it now and one will have it at the end.

use std::cmp::Reverse;
use std::collections::BTreeSet;

/// An address with a port name, as a number.
pub(super) type Pair = u32;

/// A slice that is to be rewritten.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rewrite {
    /// The pairs of each of its endpoints as it stands.
    pub before: Vec<Vec<Pair>>,
    /// Its pairs when it is written.
    pub after: Vec<Pair>,
    /// Endpoints that it may have beyond those that it will have.
    pub room: usize,
    /// Whether it gets the ports of another slice: then it cannot keep endpoints for a while.
    pub recycled: bool,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The slice at this position is written as it shall stand.
    Write(usize),
    /// It is written with those endpoints of before, too, by position; a `Write` follows.
    Widen(usize, Vec<usize>),
    /// What it shall be is created as a new slice, and it is deleted after all other writes.
    Replace(usize),
}

/// The order. `held` are the sets of pairs of all other slices that stand until the last rewrite:
/// unchanged ones and new ones with what they hold for good (`true`), and those that are deleted at
/// the end (`false`). Where slices wait for one another in a circle it takes one more write; if
/// nothing may be created, for want of room even a gap.
pub(super) fn order(rewrites: &[Rewrite], held: &[(Vec<Pair>, bool)], may_create: bool) -> Vec<Step> {
    let mut state = State::new(rewrites, held);
    let mut steps = Vec::with_capacity(rewrites.len());
    while !state.waiting.is_empty() {
        let step = match state.next_safe() {
            Some(at) => Step::Write(at),
            None => state.break_circle(rewrites, may_create),
        };
        state.apply(&step, rewrites);
        steps.push(step);
    }
    steps
}

struct State {
    /// In how many slices each pair is now.
    holders: Vec<u32>,
    /// Whether a slice that is final has the pair.
    settled: Vec<bool>,
    /// Slices to be written.
    waiting: BTreeSet<usize>,
    /// Of each slice: the live pairs that it has now and will not have.
    loses: Vec<Vec<Pair>>,
    /// Of each slice: the live pairs that it will have and has not now.
    gains: Vec<Vec<Pair>>,
}

impl State {
    fn new(rewrites: &[Rewrite], held: &[(Vec<Pair>, bool)]) -> State {
        let before: Vec<BTreeSet<Pair>> =
            rewrites.iter().map(|r| r.before.iter().flatten().copied().collect()).collect();
        let after: Vec<BTreeSet<Pair>> = rewrites.iter().map(|r| r.after.iter().copied().collect()).collect();
        let all = before.iter().chain(&after).flatten().chain(held.iter().flat_map(|(pairs, _)| pairs));
        let size = all.max().map_or(0, |most| *most as usize + 1);

        let mut holders = vec![0; size];
        let mut settled = vec![false; size];
        let mut wanted = vec![false; size];
        for pair in before.iter().flatten().chain(held.iter().flat_map(|(pairs, _)| pairs)) {
            holders[*pair as usize] += 1;
        }
        for pair in held.iter().filter(|(_, good)| *good).flat_map(|(pairs, _)| pairs) {
            settled[*pair as usize] = true;
            wanted[*pair as usize] = true;
        }
        after.iter().flatten().for_each(|pair| wanted[*pair as usize] = true);
        let live: Vec<bool> = holders.iter().zip(wanted).map(|(held, wanted)| *held > 0 && wanted).collect();

        let difference = |from: &[BTreeSet<Pair>], less: &[BTreeSet<Pair>]| -> Vec<Vec<Pair>> {
            let live = |pair: &Pair| live[*pair as usize];
            from.iter()
                .zip(less)
                .map(|(from, less)| from.difference(less).copied().filter(live).collect())
                .collect()
        };
        State {
            waiting: (0..rewrites.len()).collect(),
            loses: difference(&before, &after),
            gains: difference(&after, &before),
            holders,
            settled,
        }
    }

    /// The slice to be written next: of those that are not the last holder of a live pair that they
    /// lose, the one that loses least of what is not settled, then the one that settles most.
    fn next_safe(&self) -> Option<usize> {
        let safe = |at: &&usize| self.loses[**at].iter().all(|pair| self.holders[*pair as usize] > 1);
        self.waiting.iter().filter(safe).copied().min_by_key(|&at| {
            let loses = self.unsettled(&self.loses[at]).count();
            (loses, Reverse(self.unsettled(&self.gains[at]).count()), at)
        })
    }

    fn unsettled<'a>(&'a self, pairs: &'a [Pair]) -> impl Iterator<Item = Pair> + 'a {
        pairs.iter().copied().filter(|pair| !self.settled[*pair as usize])
    }

    fn break_circle(&self, rewrites: &[Rewrite], may_create: bool) -> Step {
        let settles_most = |recycled: bool| {
            let of_kind = self.waiting.iter().copied().filter(|&at| rewrites[at].recycled == recycled);
            of_kind.max_by_key(|&at| (self.unsettled(&self.gains[at]).count(), Reverse(at)))
        };
        match (settles_most(true), settles_most(false)) {
            (Some(recycled), _) if may_create => Step::Replace(recycled),
            (recycled, Some(kept)) => {
                let keep = self.endpoints_to_keep(kept, &rewrites[kept]);
                let helps = self.unsettled(&self.gains[kept]).next().is_some();
                if helps && keep.len() <= rewrites[kept].room {
                    Step::Widen(kept, keep)
                } else if may_create {
                    Step::Replace(kept)
                } else {
                    Step::Write(recycled.unwrap_or(kept))
                }
            }
            (recycled, None) => Step::Write(recycled.unwrap_or_default()),
        }
    }

    fn endpoints_to_keep(&self, at: usize, rewrite: &Rewrite) -> Vec<usize> {
        let needed: BTreeSet<Pair> = self.unsettled(&self.loses[at]).collect();
        let keeps = |pairs: &Vec<Pair>| pairs.iter().any(|pair| needed.contains(pair));
        rewrite.before.iter().enumerate().filter(|(_, pairs)| keeps(pairs)).map(|(at, _)| at).collect()
    }

    fn apply(&mut self, step: &Step, rewrites: &[Rewrite]) {
        let (Step::Write(at) | Step::Widen(at, _) | Step::Replace(at)) = *step;
        for pair in std::mem::take(&mut self.gains[at]) {
            self.holders[pair as usize] += 1;
        }
        match step {
            Step::Write(_) => {
                for pair in std::mem::take(&mut self.loses[at]) {
                    self.holders[pair as usize] -= 1;
                }
                self.waiting.remove(&at);
            }
            Step::Widen(_, keep) => {
                let kept: BTreeSet<Pair> =
                    keep.iter().flat_map(|&member| &rewrites[at].before[member]).copied().collect();
                // The others are settled: a slice that is final has them.
                self.loses[at].retain(|pair| kept.contains(pair));
            }
            Step::Replace(_) => {
                self.waiting.remove(&at);
            }
        }
        rewrites[at].after.iter().for_each(|pair| self.settled[*pair as usize] = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(before: &[Pair], after: &[Pair], recycled: bool) -> Rewrite {
        Rewrite {
            before: before.iter().map(|pair| vec![*pair]).collect(),
            after: after.to_vec(),
            room: 10,
            recycled,
        }
    }

    #[test]
    fn what_takes_over_comes_before_what_gives_away() {
        let rewrites = [rewrite(&[1, 2], &[2], false), rewrite(&[3], &[1, 3], false)];
        assert_eq!(order(&rewrites, &[], true), [Step::Write(1), Step::Write(0)]);
    }

    #[test]
    fn a_pair_that_another_slice_holds_for_good_waits_for_nobody() {
        let rewrites = [rewrite(&[1, 2], &[2], false), rewrite(&[3], &[1, 3], false)];
        assert_eq!(order(&rewrites, &[(vec![1], true)], true), [Step::Write(0), Step::Write(1)]);
    }

    #[test]
    fn a_circle_costs_one_more_write() {
        let swapped = [rewrite(&[1], &[2], false), rewrite(&[2], &[1], false)];
        assert_eq!(order(&swapped, &[], false), [Step::Widen(0, vec![0]), Step::Write(1), Step::Write(0)]);
        let recycled = [rewrite(&[1], &[2], false), rewrite(&[2], &[1], true)];
        assert_eq!(order(&recycled, &[], true), [Step::Replace(1), Step::Write(0)]);
    }

    #[test]
    fn a_full_slice_in_a_circle_is_replaced() {
        let mut swapped = [rewrite(&[1], &[2], false), rewrite(&[2], &[1], false)];
        swapped[0].room = 0;
        assert_eq!(order(&swapped, &[], true), [Step::Replace(0), Step::Write(1)]);
        assert_eq!(order(&swapped, &[], false).len(), 2, "a gap is all that is left");
    }

    #[test]
    fn of_two_that_may_come_next_the_one_that_settles_more_does() {
        // 0 and 1 both hold pair 1, which 2 takes over once 0 has taken 2 from it. Were 1 written
        // first, 0 would be the last holder and wait for 2, which waits for 0.
        let rewrites = [rewrite(&[1], &[2], false), rewrite(&[1], &[], false), rewrite(&[2], &[1], false)];
        assert_eq!(order(&rewrites, &[], true), [Step::Write(0), Step::Write(2), Step::Write(1)]);
    }

    #[test]
    fn the_last_but_one_holder_makes_the_other_the_last() {
        // 0 and 1 hold pair 1. When 0 has given it up, 1 and 2 wait for one another.
        let rewrites = [
            rewrite(&[1], &[4], false),
            rewrite(&[1], &[3], false),
            rewrite(&[3], &[1], false),
            rewrite(&[4], &[], false),
        ];
        assert_eq!(
            order(&rewrites, &[], true),
            [Step::Write(0), Step::Write(3), Step::Widen(1, vec![0]), Step::Write(2), Step::Write(1)]
        );
    }

    #[test]
    fn in_a_circle_only_what_others_wait_for_stays_for_now() {
        let swapped = [rewrite(&[5, 1], &[5, 2], false), rewrite(&[2], &[1], false)];
        assert_eq!(order(&swapped, &[], true)[0], Step::Widen(0, vec![1]));
    }
}
