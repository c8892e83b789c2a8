//! Makes the writes of one plan: in its order, side by side where that is safe, each answer into the
//! view at once. One write that fails harms only what depends on it.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};

use super::Controller;
use super::write::{Deleted, WriteError};
use crate::model::{Loop, Slice};
use crate::plan::progress::{Outcome, Progress, Rules};
use crate::plan::{Operation, Write};
use crate::view::Answered;

/// What became of a plan's writes.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Writes that the API server acknowledged, deletes of what was gone already too.
    pub acknowledged: usize,
    /// The slice of each update or delete that met another version.
    pub conflicts: Vec<Slice>,
    /// The slice of each create whose name was taken.
    pub taken: Vec<Slice>,
    /// Slices that were gone (404).
    pub gone: usize,
    /// Creates that a terminating namespace refused: no error, nothing to retry.
    pub terminating: usize,
    /// Failures of any other kind, with what was tried.
    pub failed: Vec<(Operation, Slice, WriteError)>,
    /// How long the API server asks to wait, at most.
    pub throttled: Option<Duration>,
    /// Whether a write was not sent because this process must not write any more.
    pub fenced: bool,
    /// Writes that were held back or reduced because another failed.
    pub held_back: usize,
}

impl Applied {
    /// Whether the plan stands as it was made.
    pub fn complete(&self) -> bool {
        self.conflicts.is_empty()
            && self.taken.is_empty()
            && self.gone == 0
            && self.failed.is_empty()
            && self.throttled.is_none()
            && !self.fenced
            && self.held_back == 0
    }
}

/// Sends the writes of a plan and awaits all answers. `gaps_allowed`: the Service is being deleted.
pub(crate) async fn apply(
    controller: &Controller,
    which: Loop,
    writes: Vec<Write>,
    standing: &[Arc<Slice>],
    gaps_allowed: bool,
) -> Applied {
    let mut applied = Applied::default();
    let mut progress = Progress::new(writes, standing, Rules { gaps_allowed, ..Rules::default() });
    let mut flying = FuturesUnordered::new();
    loop {
        if !controller.stopping() {
            for (number, write) in progress.ready() {
                flying.push(async move {
                    let answer = send(controller, &write).await;
                    (number, write, answer)
                });
            }
        }
        let Some((number, write, answer)) = flying.next().await else { break };
        let outcome = settle(controller, which, &write, answer, &mut applied);
        progress.answered(number, outcome);
    }
    applied.fenced |= controller.stopping() && !progress.finished();
    applied.held_back = progress.skipped().len();
    applied
}

/// The answer to one write: the slice as it stands, or `None` when it stands no more.
async fn send(controller: &Controller, write: &Write) -> Result<Option<Slice>, WriteError> {
    let writer = &controller.writer;
    controller.view.lock().slices.write_begins(&write.slice.key);
    match write.operation {
        Operation::Create => writer.create(&write.slice).await.map(Some),
        Operation::Update => writer.update(&write.slice).await.map(Some),
        Operation::Delete => match writer.delete(&write.slice).await? {
            Deleted::Gone => Ok(None),
            Deleted::Terminating(slice) => Ok(Some(*slice)),
        },
    }
}

/// Puts an answer into the view and the account, and says what it means for the rest of the plan.
fn settle(
    controller: &Controller,
    which: Loop,
    write: &Write,
    answer: Result<Option<Slice>, WriteError>,
    applied: &mut Applied,
) -> Outcome {
    let slice = &write.slice;
    let (answered, outcome) = match answer {
        Ok(Some(stored)) => {
            let outcome = match write.operation {
                Operation::Delete => Outcome::Deleted,
                _ => Outcome::Stored(stored.clone()),
            };
            (Answered::Stored(stored), outcome)
        }
        Ok(None) => (Answered::Deleted(slice.uid.clone()), Outcome::Deleted),
        Err(error) => failed(write, error, applied),
    };
    if matches!(outcome, Outcome::Stored(_) | Outcome::Deleted) {
        applied.acknowledged += 1;
        controller.metrics.of(which).wrote(write.operation);
    }
    let now = controller.seconds();
    controller.feed(|view, wakes| view.write_ends(&slice.key, answered, now, wakes));
    outcome
}

fn failed(write: &Write, error: WriteError, applied: &mut Applied) -> (Answered, Outcome) {
    let slice = &write.slice;
    let create = write.operation == Operation::Create;
    match error {
        WriteError::Conflict => applied.conflicts.push(slice.clone()),
        WriteError::AlreadyExists if create => applied.taken.push(slice.clone()),
        WriteError::NamespaceTerminating => applied.terminating += 1,
        WriteError::NotFound if create => applied.terminating += 1,
        WriteError::NotFound => {
            applied.gone += 1;
            if write.operation == Operation::Delete {
                // Gone is what a delete wants.
                applied.gone -= 1;
                applied.acknowledged += 1;
            }
            return (Answered::Gone(slice.uid.clone()), Outcome::Gone);
        }
        WriteError::Fenced => applied.fenced = true,
        WriteError::Throttled { after } => {
            applied.throttled = Some(applied.throttled.map_or(after, |longest| longest.max(after)));
        }
        WriteError::Unknown { .. } => {
            applied.failed.push((write.operation, slice.clone(), error));
            return (Answered::Nothing, Outcome::Unknown);
        }
        other => applied.failed.push((write.operation, slice.clone(), other)),
    }
    (Answered::Nothing, Outcome::Failed)
}
