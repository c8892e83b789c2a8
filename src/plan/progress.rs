//! Walks a plan write by write: which writes may be sent now, and what becomes of those that
//! depended on one that failed.

use std::sync::Arc;

use super::Write;
use crate::model::Slice;

/// How a walk is held.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its number, the position in the plan.
    pub number: usize,
    /// Whether it was sent with the members that it would have taken out (else it was not sent).
    pub reduced: bool,
}

/// A plan on its way.
#[derive(Clone, Debug)]
pub struct Progress {}

impl Progress {
    /// `standing`: all slices of the key as the plan saw them (ours, unowned ones too, without
    /// those that are being deleted).
    pub fn new(_writes: Vec<Write>, _standing: &[Arc<Slice>], _rules: Rules) -> Progress {
        Progress {}
    }

    /// Writes that may be sent now, each with its number; they count as in flight from here on.
    /// Empty while it waits for answers, or is finished.
    pub fn ready(&mut self) -> Vec<(usize, Write)> {
        Vec::new()
    }

    /// Takes the outcome of a write that is in flight.
    pub fn answered(&mut self, _number: usize, _outcome: Outcome) {}

    /// Whether every write was answered or skipped.
    pub fn finished(&self) -> bool {
        true
    }

    /// The writes that were not sent as planned, by number.
    pub fn skipped(&self) -> Vec<Skipped> {
        Vec::new()
    }
}
