//! One sync of one key: snapshot, plan, apply, remember; and what follows from how it ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::apply::{Applied, apply};
use super::events::Object;
use super::metrics::SyncResult;
use super::queue::Priority;
use super::write::WriteError;
use super::{Controller, NAMES_REST};
use crate::model::{AddressType, Key, Loop, MirrorSnapshot, Service, Slice, Version};
use crate::plan::kept::{Kept, SelectorDelta, plan_changed};
use crate::plan::{Operation, Plan, Report, mirror, selector, trigger};
use crate::view::{Answered, Delta, MirrorState, NoPlan};

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
            let _ = queue.retry(key);
        }
        Ended::Throttled(after) => queue.retry_after(key, after),
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

/// Whether a plan changes endpoints where they are, and nothing else.
fn in_place(plan: &Plan) -> bool {
    !plan.writes.is_empty()
        && plan.writes.iter().all(|write| write.operation == Operation::Update)
        && plan.figures.families.iter().all(|family| family.added == 0 && family.removed == 0)
}

/// Remembers where the endpoints of a Service stand, so that the next change costs what changed.
fn start_keeping(controller: &Controller, key: &Key) {
    let Some(snapshot) = controller.view.lock().track(key) else { return };
    match Kept::of(&snapshot) {
        Some(kept) => controller.state(Loop::Selector, key, |state| state.kept = Some(Box::new(kept))),
        None => controller.view.lock().untrack(key),
    }
}

/// The sync of a large Service some of whose Pods changed in place. `None` when it takes a full plan.
async fn sync_in_place(controller: &Controller, key: &Key, changed: Option<Instant>) -> Option<Ended> {
    let mut kept = controller.state(Loop::Selector, key, |state| state.kept.take())?;
    let planned = {
        let mut view = controller.view.lock();
        let planned = view.delta(key).and_then(|delta| {
            let Delta { service, pods, nodes, slices, memory } = delta;
            let delta = SelectorDelta { kept: &kept, service, pods: &pods, nodes, slices, memory };
            Some((plan_changed(&delta)?, Arc::clone(service)))
        });
        if planned.is_none() {
            view.untrack(key);
        }
        planned
    };
    let (plan, service) = planned?;
    let sync = Sync {
        controller,
        which: Loop::Selector,
        key,
        about: About::service(&service),
        gaps_allowed: service.deleting,
        changed,
    };
    let standing: Vec<Arc<Slice>> = plan.writes.iter().filter_map(|write| write.base.clone()).collect();
    let Round::Ended(ended) = sync.carry_out(plan.clone(), &standing).await else {
        controller.view.lock().untrack(key);
        return Some(Ended::Stale);
    };
    let mut view = controller.view.lock();
    let holds = matches!(ended, Ended::Done(_))
        && view.slices_of(Loop::Selector, key).is_some_and(|slices| kept.written(&plan, slices));
    if holds {
        drop(view);
        controller.state(Loop::Selector, key, |state| state.kept = Some(kept));
    } else {
        view.untrack(key);
    }
    Some(ended)
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

/// Mirrored slices are deleted for a missing Service or Endpoints only after a live read has
/// answered 404: an object that changes from one watched side to the other is missing for a moment.
async fn confirm_absence(controller: &Controller, snapshot: MirrorSnapshot) -> Result<MirrorSnapshot, Ended> {
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

fn failed_read(key: &Key, what: &str, error: &WriteError) -> Ended {
    match error {
        WriteError::Throttled { after } => Ended::Throttled(*after),
        WriteError::Fenced => Ended::Fenced,
        error => Ended::Failed(format!("{what} {key} could not be read: {error}")),
    }
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

/// A create met a name that is taken. Read what bears it: ours enters the view and the next plan
/// decides what it is; anything else makes the name refused to this key. Whether there is a reason to plan again at once.
async fn names_refused(controller: &Controller, which: Loop, key: &Key, taken: &[Slice]) -> bool {
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
    if applied.conflicts.is_empty() && applied.gone == 0 && applied.taken.is_empty() && applied.held_back == 0
    {
        return Ended::Done(SyncResult::Success);
    }
    Ended::Stale
}

enum Newer {
    Yes,
    No,
}

/// Whether the slice that was sent is known, or read now, to stand at another version. A live read
/// decides at once what waiting for the stream would decide later.
async fn newer(controller: &Controller, sent: &Slice) -> Newer {
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
    let mut view = controller.view.lock();
    match found {
        // Another uid bears the name, or a managed-by that is not ours: what was known is gone.
        Some(found) if found.uid != known.uid || found.managed_by().is_none() => {
            view.write_ends(&known.key, Answered::Gone(known.uid.clone()), now, &mut Vec::new());
            view.slice_was_answered(found);
        }
        Some(found) => view.slice_was_answered(found),
        None => view.write_ends(&known.key, Answered::Gone(known.uid.clone()), now, &mut Vec::new()),
    }
}

/// After stale answers in a row nothing in the view is believed before it was read live.
async fn read_first(controller: &Controller, which: Loop, key: &Key) {
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
