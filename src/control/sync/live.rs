//! Live reads: what is asked of the API server when the view alone must not decide.

use std::sync::Arc;

use super::Ended;
use crate::control::Controller;
use crate::control::metrics::SyncResult;
use crate::control::write::WriteError;
use crate::model::{Key, Loop, MirrorSnapshot, Slice};
use crate::view::Answered;

/// A create met a name that is taken. Read what bears it: ours enters the view and the next plan
/// decides what it is; anything else makes the name refused to this key. Whether there is a reason to plan again at once.
pub(super) async fn names_refused(controller: &Controller, which: Loop, key: &Key, taken: &[Slice]) -> bool {
    let mut learned = false;
    for slice in taken {
        let Ok(found) = controller.writer.get_slice(&slice.key).await else { continue };
        learned = true;
        let Some(found) = found else { continue };
        let ours = !found.deleting && found.managed_by() == Some(which) && found.service() == slice.service();
        let mut view = controller.view.lock();
        let (uid, at) = (found.uid.clone(), found.key.clone());
        view.slice_was_answered(found);
        let seen = view.slices.get(&at).is_some_and(|held| held.uid == uid);
        if !ours || !seen {
            let mut memory = view.memory(which, key);
            memory.refused.insert(at.name);
            view.remember(which, key, memory);
        }
    }
    learned
}

/// Mirrored slices are deleted for a missing Service or Endpoints only after a live read has
/// answered 404: an object that changes from one watched side to the other is missing for a moment.
pub(super) async fn confirm_absence(
    controller: &Controller,
    snapshot: MirrorSnapshot,
) -> Result<MirrorSnapshot, Ended> {
    if snapshot.slices.is_empty() {
        return Ok(snapshot);
    }
    let key = &snapshot.key;
    let failed = |what: &str, error: &WriteError| Err(failed_read(key, what, error));
    if snapshot.service.is_none() {
        match controller.writer.get_service(key).await {
            Ok(None) => {}
            // The stream is about to show it, and that wakes the key.
            Ok(Some(_)) => return Err(Ended::Done(SyncResult::Success)),
            Err(error) => return failed("Service", &error),
        }
    } else if snapshot.endpoints.is_none() && snapshot.service.as_ref().is_some_and(|s| s.selector.is_none())
    {
        match controller.writer.get_endpoints(key).await {
            Ok(None) => {}
            Ok(Some(endpoints)) => {
                let mut snapshot = snapshot;
                snapshot.endpoints = Some(Arc::new(endpoints));
                return Ok(snapshot);
            }
            Err(error) => return failed("Endpoints", &error),
        }
    }
    Ok(snapshot)
}

pub(super) fn failed_read(key: &Key, what: &str, error: &WriteError) -> Ended {
    match error {
        WriteError::Throttled { after } => Ended::Throttled(*after),
        WriteError::Fenced => Ended::Fenced,
        error => Ended::Failed(format!("{what} {key} could not be read: {error}")),
    }
}

/// What is known of a slice whose version was refused.
pub(super) enum Newer {
    /// It stands at another version, or not at all.
    Yes,
    /// It stands at the very version that was sent.
    No,
}

/// Whether the slice that was sent is known, or read now, to stand at another version. A live read
/// decides at once what waiting for the stream would decide later.
pub(super) async fn newer(controller: &Controller, sent: &Slice) -> Newer {
    let held = controller.view.lock().slices.get(&sent.key).map(|held| (held.uid.clone(), held.version));
    if held != Some((sent.uid.clone(), sent.version)) {
        return Newer::Yes;
    }
    match controller.writer.get_slice(&sent.key).await {
        Ok(Some(found)) if found.uid == sent.uid && found.version == sent.version => Newer::No,
        Ok(Some(found)) => {
            enter(controller, sent, Some(found));
            Newer::Yes
        }
        Ok(None) => {
            enter(controller, sent, None);
            Newer::Yes
        }
        // Unknown: plan again, and let the next answer decide.
        Err(_) => Newer::Yes,
    }
}

fn enter(controller: &Controller, known: &Slice, found: Option<Slice>) {
    let now = controller.seconds();
    controller.feed(|view, wakes| match found {
        Some(found) => view.slice_was_answered(found),
        None => view.write_ends(&known.key, Answered::Gone(known.uid.clone()), now, wakes),
    });
}

/// After stale answers in a row nothing in the view is believed before it was read live.
pub(super) async fn read_first(controller: &Controller, which: Loop, key: &Key) {
    if !controller.state(which, key, |state| state.read_first) {
        return;
    }
    let held = controller.view.lock().slices.of(which, key);
    for slice in held {
        if let Ok(found) = controller.writer.get_slice(&slice.key).await {
            enter(controller, &slice, found);
        }
    }
}
