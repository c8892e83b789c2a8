//! The trigger-time annotation: when the change happened that the slices of this plan answer.
//!
//! Candidates are the Ready transition times of the Service's Pods and its own creation time. The
//! earliest that the last sync had not seen is written on every slice that this plan writes; when
//! there is none, the annotation is taken off those slices.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::{Operation, Plan};
use crate::model::labels::TRIGGER_TIME;
use crate::model::snapshot::{Memory, TriggerMemory};
use crate::model::{Annotations, Pod, PodTimes, SelectorSnapshot, Slice, Text, Time};

/// What this sync answers, and what the next one counts as seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The time to write; `None` takes the annotation off.
    pub time: Option<Time>,
    /// What has been seen now.
    pub memory: TriggerMemory,
}

/// Finds the trigger among all Pods that the selector matches, sorted by name. `standing` are the
/// slices that the Service owned before.
pub fn find(snapshot: &SelectorSnapshot, pods: &[&Arc<Pod>], standing: &[&Arc<Slice>]) -> Trigger {
    let created = snapshot.service.created;
    let memory = |pods| TriggerMemory { pods, service: created, pending: None };
    match &snapshot.memory.trigger {
        Some(seen) => {
            let (earliest, times) = unseen(pods, &seen.pods);
            let new_service = created.filter(|time| seen.service.is_none_or(|seen| *time > seen));
            Trigger { time: earliest_of([earliest, new_service, seen.pending]), memory: memory(times) }
        }
        None => {
            let (_, times) = unseen(pods, &PodTimes::default());
            let time = if standing.is_empty() { created } else { since(snapshot.epoch, pods, standing) };
            Trigger { time, memory: memory(times) }
        }
    }
}

/// Finds the trigger where nothing but these Pods may have changed since what was `seen`; `None` is a
/// Pod that is gone.
pub fn find_changed(seen: &TriggerMemory, changed: &BTreeMap<SmolStr, Option<Arc<Pod>>>) -> Trigger {
    let times = || changed.iter().map(|(name, pod)| (name, pod.as_ref().and_then(|pod| pod.ready_since)));
    let new = times()
        .filter(|(name, time)| seen.pods.get(name).is_none_or(|before| *time > Some(before)))
        .map(|(_, time)| time);
    Trigger {
        time: earliest_of(new.chain([seen.pending])),
        memory: TriggerMemory {
            pods: seen.pods.with(times().map(|(name, time)| (name.clone(), time))),
            service: seen.service,
            pending: None,
        },
    }
}

/// The earliest of these times.
pub fn earliest_of(times: impl IntoIterator<Item = Option<Time>>) -> Option<Time> {
    times.into_iter().flatten().min()
}

/// These annotations with the trigger time on them, or without any.
pub fn annotate(annotations: &Annotations, time: Option<Time>) -> Annotations {
    let Some(time) = time else {
        return annotations.filtered(|key| key != TRIGGER_TIME);
    };
    let text = Text::from(time.to_string());
    if annotations.get(TRIGGER_TIME) == Some(&text) {
        return annotations.clone();
    }
    let others = annotations.iter().filter(|(key, _)| key != TRIGGER_TIME).cloned();
    Annotations::new(others.chain([(Text::new(TRIGGER_TIME), text)]))
}

/// What is to be remembered when a write of this plan failed: all that it had seen counts as seen, but
/// the trigger that it was to write stays due.
pub fn after_failure(plan: &Plan) -> Memory {
    let mut memory = plan.memory.clone();
    if let Some(trigger) = &mut memory.trigger {
        trigger.pending = plan
            .writes
            .iter()
            .filter(|write| write.operation != Operation::Delete)
            .find_map(|write| write.slice.trigger_time());
    }
    memory
}

/// The earliest time that was not seen yet, and all times as they are now.
fn unseen(pods: &[&Arc<Pod>], seen: &PodTimes) -> (Option<Time>, PodTimes) {
    let mut walk = seen.walk();
    let (mut earliest, mut count, mut same) = (None, 0, true);
    for pod in pods {
        let Some(time) = pod.ready_since else { continue };
        let before = walk.seek(&pod.key.name);
        if before.is_none_or(|before| time > before) {
            earliest = earliest_of([earliest, Some(time)]);
        }
        same &= before == Some(time);
        count += 1;
    }
    if same && count == seen.len() {
        return (earliest, seen.clone());
    }
    let all = pods.iter().filter_map(|pod| Some((pod.key.name.clone(), pod.ready_since?)));
    (earliest, PodTimes::from_sorted(all.collect()))
}

/// After a start or a change of leader: the earliest time that the process before us cannot have
/// answered already.
fn since(epoch: Option<Time>, pods: &[&Arc<Pod>], standing: &[&Arc<Slice>]) -> Option<Time> {
    let epoch = epoch?;
    let answered = standing.iter().filter_map(|slice| slice.trigger_time()).max();
    let times = pods.iter().filter_map(|pod| pod.ready_since);
    times.filter(|time| *time >= epoch && answered.is_none_or(|answered| *time > answered)).min()
}
