//! The cheap sync of a large Service whose Pods change in place: by what changed, not by what exists.

use std::sync::Arc;

use tokio::time::Instant;

use super::{About, Ended, Round, Sync};
use crate::control::Controller;
use crate::model::{Key, Loop, Slice};
use crate::plan::kept::{Kept, SelectorDelta, plan_changed};
use crate::plan::{Operation, Plan};
use crate::view::Delta;

/// Whether a plan changes endpoints where they are, and nothing else.
pub(super) fn in_place(plan: &Plan) -> bool {
    !plan.writes.is_empty()
        && plan.writes.iter().all(|write| write.operation == Operation::Update)
        && plan.figures.families.iter().all(|family| family.added == 0 && family.removed == 0)
}

/// Remembers where the endpoints of a Service stand, so that the next change costs what changed.
pub(super) fn start_keeping(controller: &Controller, key: &Key) {
    let Some(snapshot) = controller.view.lock().track(key) else { return };
    match Kept::of(&snapshot) {
        Some(kept) => controller.state(Loop::Selector, key, |state| state.kept = Some(Box::new(kept))),
        None => controller.view.lock().untrack(key),
    }
}

/// The sync of a large Service some of whose Pods changed in place. `None` when it takes a full plan.
pub(super) async fn sync_in_place(
    controller: &Controller,
    key: &Key,
    changed: Option<Instant>,
) -> Option<Ended> {
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
