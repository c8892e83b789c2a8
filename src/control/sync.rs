//! One sync of one key: snapshot, plan, apply, remember; and what follows from how it ended.

mod in_place;
mod live;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::apply::{Applied, apply};
use super::events::Object;
use super::metrics::SyncResult;
use super::queue::Priority;
use super::write::WriteError;
use super::{Controller, NAMES_REST};
use crate::model::{AddressType, Key, Loop, Service, Slice, Version};
use crate::plan::{Operation, Plan, Report, mirror, selector, trigger};
use crate::view::{MirrorState, NoPlan};
use in_place::{in_place, start_keeping, sync_in_place};
use live::{Newer, confirm_absence, failed_read, names_refused, newer, read_first};

/// Stale answers in a row after which a conflict is an ordinary failure.
const STALE_LIMIT: u32 = 3;
/// Computed names that may be refused in one sync before one is drawn at random.
const REFUSALS_LIMIT: usize = 8;
/// Pods from which on it pays to remember where their endpoints stand: below, a full plan is as cheap.
const KEPT_FROM: usize = 64;
/// Rounds of plan and apply in one sync: each follows from something that was just learned.
const ROUNDS: usize = 2 * REFUSALS_LIMIT;

/// How a sync ended.
#[derive(Debug)]
enum Ended {
    /// All stands as planned, or there was nothing to do.
    Done(SyncResult),
    /// Plan again at once: the view has learned something newer.
    Stale,
    /// Try again after the key's backoff.
    Failed(String),
    /// The API server asks to wait.
    Throttled(Duration),
    /// This process must not write any more.
    Fenced,
}

/// One worker: takes keys until the queue is shut down.
pub(crate) async fn work(controller: Arc<Controller>, which: Loop) {
    let queue = controller.queue(which);
    while let Some(taken) = queue.get().await {
        let (key, changed, began) = (taken.key(), taken.changed(), Instant::now());
        let ended = match which {
            Loop::Selector => sync_selector(&controller, key, changed).await,
            Loop::Mirroring => sync_mirror(&controller, key, changed).await,
        };
        controller.metrics.of(which).synced(result(&ended), began.elapsed());
        finish(&controller, which, key, ended);
    }
}

fn result(ended: &Ended) -> SyncResult {
    match ended {
        Ended::Done(result) => *result,
        Ended::Stale => SyncResult::Stale,
        Ended::Failed(_) | Ended::Throttled(_) | Ended::Fenced => SyncResult::Error,
    }
}

fn finish(controller: &Controller, which: Loop, key: &Key, ended: Ended) {
    let queue = controller.queue(which);
    match ended {
        Ended::Done(_) => {
            controller.state(which, key, |state| {
                state.stale = 0;
                state.read_first = false;
            });
            queue.forget(key);
        }
        Ended::Stale => queue.add(key.clone(), Priority::Live),
        Ended::Failed(message) => {
            tracing::debug!(loop_ = which.as_str(), %key, message, "the sync failed and is tried again");
            controller.metrics.of(which).failed();
            let _ = queue.retry(key);
        }
        Ended::Throttled(after) => {
            controller.metrics.of(which).failed();
            queue.retry_after(key, after);
        }
        // The process is about to end; the next leader starts with every key.
        Ended::Fenced => {}
    }
}

async fn sync_selector(controller: &Controller, key: &Key, changed: Option<Instant>) -> Ended {
    read_first(controller, Loop::Selector, key).await;
    if let Some(ended) = sync_in_place(controller, key, changed).await {
        return ended;
    }
    let mut refused = 0;
    for _ in 0..ROUNDS {
        let salt = (refused >= REFUSALS_LIMIT).then(rand::random);
        let snapshot = {
            let mut view = controller.view.lock();
            view.slices.forget_deleted(controller.seconds(), NAMES_REST.as_secs());
            view.selector_snapshot(key, salt)
        };
        let snapshot = match snapshot {
            Ok(snapshot) => snapshot,
            Err(NoPlan::NoService) => {
                forget(controller, Loop::Selector, key);
                return Ended::Done(SyncResult::Success);
            }
            Err(NoPlan::NotSelecting) => {
                controller.metrics.of(Loop::Selector).forget(key);
                return Ended::Done(SyncResult::Success);
            }
        };
        let sync = Sync {
            controller,
            which: Loop::Selector,
            key,
            about: About::service(&snapshot.service),
            gaps_allowed: snapshot.service.deleting,
            changed,
        };
        let plan = selector::plan(&snapshot);
        let keep = snapshot.pods.len() >= KEPT_FROM && in_place(&plan);
        match sync.carry_out(plan, &snapshot.slices).await {
            Round::Ended(ended) => {
                if keep && matches!(ended, Ended::Done(_)) {
                    start_keeping(controller, key);
                }
                return ended;
            }
            Round::Refused => refused += 1,
        }
    }
    Ended::Failed(format!("{key}: no plan held after {ROUNDS} tries"))
}

async fn sync_mirror(controller: &Controller, key: &Key, changed: Option<Instant>) -> Ended {
    read_first(controller, Loop::Mirroring, key).await;
    let mut refused = 0;
    for _ in 0..ROUNDS {
        let salt = (refused >= REFUSALS_LIMIT).then(rand::random);
        let state = controller.view.lock().mirror_snapshot(key, salt);
        let snapshot = match state {
            MirrorState::Ready(snapshot) => snapshot,
            MirrorState::Nothing => {
                forget(controller, Loop::Mirroring, key);
                return Ended::Done(SyncResult::Success);
            }
            MirrorState::Unread => match controller.writer.get_endpoints(key).await {
                Ok(Some(endpoints)) => {
                    controller.view.lock().endpoints_were_read(endpoints);
                    match controller.view.lock().mirror_snapshot(key, salt) {
                        MirrorState::Ready(snapshot) => snapshot,
                        // The stream showed something newer meanwhile: that wakes the key by itself.
                        MirrorState::Unread => return Ended::Done(SyncResult::Success),
                        MirrorState::Nothing => return Ended::Done(SyncResult::Success),
                    }
                }
                // Gone already: the stream is about to say so, and that wakes the key.
                Ok(None) => return Ended::Done(SyncResult::Success),
                Err(error) => return failed_read(key, "Endpoints", &error),
            },
        };
        let snapshot = match confirm_absence(controller, *snapshot).await {
            Ok(snapshot) => snapshot,
            Err(ended) => return ended,
        };
        let sync = Sync {
            controller,
            which: Loop::Mirroring,
            key,
            about: About {
                object: Object {
                    api_version: "v1",
                    kind: "Endpoints",
                    key: key.clone(),
                    uid: snapshot.endpoints.as_ref().map(|e| e.uid.clone()).unwrap_or_default(),
                },
                version: snapshot.endpoints.as_ref().map(|e| e.version).unwrap_or_default(),
            },
            gaps_allowed: snapshot.endpoints.as_ref().is_none_or(|endpoints| endpoints.deleting),
            changed,
        };
        match sync.carry_out(mirror::plan(&snapshot), &snapshot.slices).await {
            Round::Ended(ended) => return ended,
            Round::Refused => refused += 1,
        }
    }
    Ended::Failed(format!("{key}: no plan held after {ROUNDS} tries"))
}

/// What an Event of a sync is about.
struct About {
    object: Object,
    version: Version,
}

impl About {
    fn service(service: &Service) -> About {
        let object =
            Object { api_version: "v1", kind: "Service", key: service.key.clone(), uid: service.uid.clone() };
        About { object, version: service.version }
    }

    fn report(&self, controller: &Controller, which: Loop, report: &Report) {
        let component = match which {
            Loop::Selector => "endpoint-slice-controller",
            Loop::Mirroring => "endpoint-slice-mirroring-controller",
        };
        controller.recorder.record(self.object.clone(), self.version, report, component);
    }
}

/// One round of a sync.
enum Round {
    Ended(Ended),
    /// A computed name was refused: plan again with what is now known.
    Refused,
}

/// What one round of plan and apply is about.
struct Sync<'a> {
    controller: &'a Controller,
    which: Loop,
    key: &'a Key,
    about: About,
    /// Whether a live address may be absent: its Service is being deleted.
    gaps_allowed: bool,
    /// When the first change came that no sync has answered yet.
    changed: Option<Instant>,
}

impl Sync<'_> {
    async fn carry_out(&self, plan: Plan, standing: &[Arc<Slice>]) -> Round {
        let Sync { controller, which, key, .. } = *self;
        let if_it_fails = trigger::after_failure(&plan);
        let Plan { writes, memory, reports, figures, unknown_nodes } = plan;
        controller.metrics.of(which).observe_sync(key, &figures);
        for report in &reports {
            self.about.report(controller, which, report);
        }
        let done = if unknown_nodes.is_empty() { SyncResult::Success } else { SyncResult::Error };
        let count = writes.len();
        let of_type = |t: &AddressType| writes.iter().filter(|write| write.slice.address_type == *t).count();
        let changed: Vec<usize> = figures.families.iter().map(|f| of_type(&f.address_type)).collect();
        let applied = if writes.is_empty() {
            Applied::default()
        } else {
            let standing: Vec<Arc<Slice>> =
                standing.iter().filter(|slice| !slice.deleting).cloned().collect();
            apply(controller, which, writes, &standing, self.gaps_allowed).await
        };
        if applied.complete() {
            controller.view.lock().remember(which, key, memory);
            for changed in changed {
                controller.metrics.of(which).slices_changed(&figures, changed);
            }
            if let (Some(changed), true) = (self.changed, count > 0) {
                controller.metrics.of(which).change_written(changed.elapsed());
            }
            return Round::Ended(Ended::Done(done));
        }
        // What a failed sync has seen stays seen, but its trigger time is still to be written.
        controller.view.lock().remember(which, key, if_it_fails);
        if !applied.taken.is_empty() && names_refused(controller, which, key, &applied.taken).await {
            return Round::Refused;
        }
        Round::Ended(after_failure(controller, which, key, &self.about, applied).await)
    }
}

/// What follows from writes that did not all succeed.
async fn after_failure(
    controller: &Controller,
    which: Loop,
    key: &Key,
    about: &About,
    applied: Applied,
) -> Ended {
    if applied.fenced {
        return Ended::Fenced;
    }
    if let Some((operation, slice, error)) = applied.failed.first() {
        let count = applied.failed.len();
        let message = failure_message(*operation, slice, error, count);
        report_failure(controller, which, about, &message);
        if let Some(after) = applied.throttled {
            return Ended::Throttled(after);
        }
        return Ended::Failed(message);
    }
    if let Some(after) = applied.throttled {
        return Ended::Throttled(after);
    }
    if let Some(slice) = applied.taken.first() {
        return Ended::Failed(format!(
            "the name of slice {} is taken, and what bears it cannot be read",
            slice.key
        ));
    }
    if applied.conflicts.is_empty() && applied.gone == 0 {
        // Only creates in a terminating namespace failed, and what was held back waits for them in vain.
        return Ended::Done(SyncResult::Success);
    }
    let stale = controller.state(which, key, |state| {
        state.stale += 1;
        state.stale
    });
    for slice in &applied.conflicts {
        if let Newer::No = newer(controller, slice).await {
            let message = format!(
                "slice {} is at the version that was sent, and the API server (or an admission webhook) answers that it is not",
                slice.key
            );
            controller.state(which, key, |state| state.read_first = true);
            report_failure(controller, which, about, &message);
            return Ended::Failed(message);
        }
    }
    if stale > STALE_LIMIT {
        controller.state(which, key, |state| state.read_first = true);
        let message = format!("{key}: slices were changed by another writer {stale} times in a row");
        report_failure(controller, which, about, &message);
        return Ended::Failed(message);
    }
    Ended::Stale
}

fn failure_message(operation: Operation, slice: &Slice, error: &WriteError, count: usize) -> String {
    let more = if count > 1 { format!(" ({} more writes failed)", count - 1) } else { String::new() };
    format!("{} of slice {} failed: {error}{more}", operation.as_str(), slice.key)
}

fn report_failure(controller: &Controller, which: Loop, about: &About, message: &str) {
    let report =
        Report { warning: true, reason: "FailedToUpdateEndpointSlices", message: message.to_owned() };
    about.report(controller, which, &report);
}

fn forget(controller: &Controller, which: Loop, key: &Key) {
    controller.view.lock().forget(which, key);
    controller.forget_state(which, key);
    controller.metrics.of(which).forget(key);
}
