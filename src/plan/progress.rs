//! Walks a plan write by write, and holds the guard of the never-absent promise.
//!
//! A write is sent when every live name that it takes out of its slice is still held by a slice of
//! which that is *known*: what was acknowledged counts, what is in flight or had no answer counts
//! only for what it takes out. A write that is not safe waits while one that comes before it, or
//! that is in flight, may change that. When none may, because it failed, the write is sent reduced:
//! the slice keeps its ports and those members, and loses only what is not desired.
//!
//! Stages come one after another. Within a stage, writes of different slices are in flight side by
//! side; one that comes later in the plan never uses up what one before it counts on.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use super::{Operation, Write};
use crate::model::Slice;

mod names;
mod reduce;

use names::Names;

/// How a plan is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Writes of this key that may be in flight at once; at least 1.
    pub in_flight: usize,
    /// Whether live addresses may be absent: the Service is being deleted.
    pub gaps_allowed: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { in_flight: 8, gaps_allowed: false }
    }
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "an outcome is handed over once and not kept")]
pub enum Outcome {
    /// Created or updated: the slice as the API server returned it, with uid and version.
    Stored(Slice),
    /// Deleted.
    Deleted,
    /// 404: the slice is not there (or, for a create, its namespace).
    Gone,
    /// Refused, or a conflict: nothing changed.
    Failed,
    /// No answer: it may have been stored or not.
    Unknown,
}

/// A write that was not sent as it was planned, because another one failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its number: the position in the plan.
    pub number: usize,
    /// Whether it was sent with the members that it would have taken out (else it was not sent).
    pub reduced: bool,
}

/// A plan on its way.
#[derive(Clone, Debug)]
pub struct Progress {
    rules: Rules,
    /// By stage, then as planned.
    walks: Vec<Walk>,
    /// By number of the write its position in `walks`.
    by_number: Vec<usize>,
    names: Names,
    /// By slice the names that it is known to hold, ascending.
    known: Vec<Vec<usize>>,
    stakes: Vec<Stake>,
    skipped: Vec<Skipped>,
    /// Everything before it is done.
    done_before: usize,
    in_flight: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    InFlight,
    Done,
}

/// A write on its way.
#[derive(Clone, Debug)]
struct Walk {
    number: usize,
    write: Write,
    state: State,
    /// Which slice it writes.
    slice: usize,
    /// The write before it of the same slice.
    first: Option<usize>,
    /// Whether it is the last write of its slice.
    last: bool,
    /// The names that its slice holds afterwards.
    after: Vec<usize>,
    /// In flight: the names that it takes out.
    taken_out: Vec<usize>,
}

/// A name at stake.
#[derive(Clone, Debug, Default)]
struct Stake {
    /// How many slices are known to hold it.
    holders: usize,
    /// The writes that take it out of their slice or bring it there.
    touched_by: Vec<usize>,
}

/// Whether a write may be sent.
enum Verdict {
    Safe,
    Wait,
    Blocked,
}

impl Progress {
    /// `standing`: all slices of the key as the plan saw them (ours, unowned ones too, without
    /// those that are being deleted). A slice that is written and not among them is taken from
    /// the base of its first write.
    pub fn new(writes: Vec<Write>, standing: &[Arc<Slice>], rules: Rules) -> Progress {
        let mut walks: Vec<Walk> = writes.into_iter().enumerate().map(Walk::new).collect();
        walks.sort_by_key(|walk| walk.write.stage);
        let mut by_number = vec![0; walks.len()];
        for (at, walk) in walks.iter().enumerate() {
            by_number[walk.number] = at;
        }
        let mut progress = Progress {
            rules: Rules { in_flight: rules.in_flight.max(1), ..rules },
            walks,
            by_number,
            names: Names::default(),
            known: Vec::new(),
            stakes: Vec::new(),
            skipped: Vec::new(),
            done_before: 0,
            in_flight: 0,
        };
        let slices = progress.number_slices(standing);
        progress.find_names(&slices);
        progress
    }

    /// Writes that may be sent now, each with its number; they count as in flight from here on.
    /// Empty while it waits for answers, or is finished.
    pub fn ready(&mut self) -> Vec<(usize, Write)> {
        let mut ready = Vec::new();
        loop {
            let skipped = self.skipped.len();
            while self.walks.get(self.done_before).is_some_and(|walk| walk.state == State::Done) {
                self.done_before += 1;
            }
            let Some(stage) = self.walks.get(self.done_before).map(|walk| walk.write.stage) else { break };
            for at in self.done_before..self.walks.len() {
                if self.walks[at].write.stage != stage || self.in_flight >= self.rules.in_flight {
                    break;
                }
                if self.walks[at].state == State::Waiting && self.first_is_done(at) {
                    ready.extend(self.try_to_send(at));
                }
            }
            // What was skipped is done, so others may go.
            if !ready.is_empty() || self.skipped.len() == skipped {
                break;
            }
        }
        ready
    }

    /// Takes the outcome of a write that is in flight.
    pub fn answered(&mut self, number: usize, outcome: Outcome) {
        let Some(at) = self.by_number.get(number).copied() else { return };
        if self.walks[at].state != State::InFlight {
            return;
        }
        self.walks[at].state = State::Done;
        self.in_flight -= 1;
        let slice = self.walks[at].slice;
        let taken_out = std::mem::take(&mut self.walks[at].taken_out);
        match &outcome {
            Outcome::Stored(stored) => self.set_known(slice, self.names.held(stored)),
            Outcome::Deleted | Outcome::Gone => self.set_known(slice, Vec::new()),
            Outcome::Failed => {
                let mut known = self.known[slice].clone();
                known.extend(taken_out);
                known.sort_unstable();
                self.set_known(slice, known);
            }
            Outcome::Unknown => {}
        }
        self.carry_over(at, outcome);
    }

    /// Whether every write was answered or skipped.
    pub fn finished(&self) -> bool {
        self.walks[self.done_before..].iter().all(|walk| walk.state == State::Done)
    }

    /// The writes that were not sent as planned, in the order in which that came out.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Gives each slice a number: the standing ones, then those that are created. Returns the
    /// standing contents.
    fn number_slices(&mut self, standing: &[Arc<Slice>]) -> Vec<Option<Arc<Slice>>> {
        let mut slices: Vec<Option<Arc<Slice>>> = standing.iter().cloned().map(Some).collect();
        let mut numbers: HashMap<SmolStr, usize, RandomState> =
            standing.iter().enumerate().map(|(at, slice)| (slice.key.name.clone(), at)).collect();
        let mut last_write: HashMap<usize, usize, RandomState> = HashMap::default();
        for (at, walk) in self.walks.iter_mut().enumerate() {
            walk.slice = *numbers.entry(walk.write.slice.key.name.clone()).or_insert_with(|| {
                slices.push(walk.write.base.clone());
                slices.len() - 1
            });
            walk.first = last_write.insert(walk.slice, at);
        }
        for at in last_write.into_values() {
            self.walks[at].last = true;
        }
        slices
    }

    /// Finds the names at stake, who holds them and which writes touch them.
    fn find_names(&mut self, slices: &[Option<Arc<Slice>>]) {
        for walk in &self.walks {
            let before = match walk.first {
                Some(first) => self.walks[first].content(),
                None => slices[walk.slice].as_deref(),
            };
            if let Some(before) = before {
                self.names.add_taken_out(before, walk.content());
            }
        }
        if self.rules.gaps_allowed || self.names.is_empty() {
            self.names = Names::default();
            self.known = vec![Vec::new(); slices.len()];
            return;
        }
        let held = |slice: Option<&Slice>, names: &Names| slice.map_or(Vec::new(), |slice| names.held(slice));
        self.known = slices.iter().map(|slice| held(slice.as_deref(), &self.names)).collect();
        for walk in &mut self.walks {
            walk.after = held(walk.content(), &self.names);
        }
        let desired = self.desired(slices.len());
        let retain = |list: &mut Vec<usize>| list.retain(|name| desired[*name]);
        self.known.iter_mut().for_each(retain);
        self.walks.iter_mut().for_each(|walk| retain(&mut walk.after));
        self.names.set_desired(desired);
        self.count_stakes();
    }

    /// Which names stand when every write is made.
    fn desired(&self, slices: usize) -> Vec<bool> {
        let mut finals: Vec<&[usize]> = (0..slices).map(|slice| self.known[slice].as_slice()).collect();
        for walk in self.walks.iter().filter(|walk| walk.last) {
            finals[walk.slice] = &walk.after;
        }
        let mut desired = vec![false; self.names.len()];
        finals.into_iter().flatten().for_each(|name| desired[*name] = true);
        desired
    }

    fn count_stakes(&mut self) {
        self.stakes = vec![Stake::default(); self.names.len()];
        for name in self.known.iter().flatten() {
            self.stakes[*name].holders += 1;
        }
        for (at, walk) in self.walks.iter().enumerate() {
            let before = match walk.first {
                Some(first) => &self.walks[first].after,
                None => &self.known[walk.slice],
            };
            for name in missing_in(before, &walk.after).chain(missing_in(&walk.after, before)) {
                self.stakes[name].touched_by.push(at);
            }
        }
    }

    fn first_is_done(&self, at: usize) -> bool {
        self.walks[at].first.is_none_or(|first| self.walks[first].state == State::Done)
    }

    /// Sends a write, as it is or reduced, or skips it, or leaves it waiting.
    fn try_to_send(&mut self, at: usize) -> Option<(usize, Write)> {
        match self.judge(at) {
            Verdict::Safe => Some(self.send(at)),
            Verdict::Wait => None,
            Verdict::Blocked => {
                let finals = self.walks.iter().filter(|walk| walk.last).filter_map(Walk::content);
                let reduced = reduce::reduced(&self.walks[at].write, &self.names, finals);
                let number = self.walks[at].number;
                self.skipped.push(Skipped { number, reduced: reduced.is_some() });
                match reduced {
                    Some(write) => {
                        self.walks[at].after = self.names.held(&write.slice);
                        self.walks[at].write = write;
                        Some(self.send(at))
                    }
                    None => {
                        self.finish_unsent(at);
                        None
                    }
                }
            }
        }
    }

    fn judge(&self, at: usize) -> Verdict {
        let walk = &self.walks[at];
        let mut blocked = false;
        for name in missing_in(&self.known[walk.slice], &walk.after) {
            let stake = &self.stakes[name];
            let mut left = stake.holders.saturating_sub(1);
            let mut may_change = false;
            for other in stake.touched_by.iter().copied().filter(|other| *other != at) {
                let earlier = &self.walks[other];
                let waiting = earlier.state == State::Waiting && other < at;
                if waiting && earlier.slice != walk.slice && self.takes_out(other, name) {
                    left = left.saturating_sub(1);
                }
                may_change |= waiting || earlier.state == State::InFlight;
            }
            match (left, may_change) {
                (1.., _) => {}
                (0, true) => return Verdict::Wait,
                (0, false) => blocked = true,
            }
        }
        if blocked { Verdict::Blocked } else { Verdict::Safe }
    }

    /// Whether a write that waits will take this name out of a slice that is known to hold it.
    fn takes_out(&self, at: usize, name: usize) -> bool {
        let walk = &self.walks[at];
        walk.after.binary_search(&name).is_err() && self.known[walk.slice].binary_search(&name).is_ok()
    }

    fn send(&mut self, at: usize) -> (usize, Write) {
        let slice = self.walks[at].slice;
        let known = &self.known[slice];
        let taken_out: Vec<usize> = missing_in(known, &self.walks[at].after).collect();
        let stays: Vec<usize> = missing_in(known, &taken_out).collect();
        self.set_known(slice, stays);
        let walk = &mut self.walks[at];
        walk.taken_out = taken_out;
        walk.state = State::InFlight;
        self.in_flight += 1;
        (walk.number, walk.write.clone())
    }

    fn set_known(&mut self, slice: usize, known: Vec<usize>) {
        let before = std::mem::take(&mut self.known[slice]);
        before.iter().for_each(|name| self.stakes[*name].holders -= 1);
        known.iter().for_each(|name| self.stakes[*name].holders += 1);
        self.known[slice] = known;
    }

    /// Hands the answer to the next write of the same slice: the version, or that it cannot be made.
    fn carry_over(&mut self, at: usize, outcome: Outcome) {
        let Some(second) = self.walks.iter().position(|walk| walk.first == Some(at)) else { return };
        if let Outcome::Stored(stored) = outcome {
            let write = &mut self.walks[second].write;
            write.slice.uid = stored.uid.clone();
            write.slice.version = stored.version;
            write.base = Some(Arc::new(stored));
        } else {
            self.skipped.push(Skipped { number: self.walks[second].number, reduced: false });
            self.finish_unsent(second);
        }
    }

    fn finish_unsent(&mut self, at: usize) {
        self.walks[at].state = State::Done;
        self.carry_over(at, Outcome::Failed);
    }
}

impl Walk {
    fn new((number, write): (usize, Write)) -> Walk {
        Walk {
            number,
            write,
            state: State::Waiting,
            slice: 0,
            first: None,
            last: false,
            after: Vec::new(),
            taken_out: Vec::new(),
        }
    }

    /// What stands afterwards; `None` for a delete.
    fn content(&self) -> Option<&Slice> {
        (self.write.operation != Operation::Delete).then_some(&self.write.slice)
    }
}

/// What is in one ascending list and not in another.
fn missing_in<'a>(list: &'a [usize], other: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    list.iter().copied().filter(|name| other.binary_search(name).is_err())
}

#[cfg(test)]
mod tests;
