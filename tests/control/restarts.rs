//! A process that begins again beside what the one before it left: slices that it never wrote, that
//! it does not see, that belong to what is gone.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use endpointslice_controller::model::*;
use endpointslice_controller::plan::Operation;
use endpointslice_controller::view::Change;
use tokio::time::sleep;

use crate::api::Api;
use crate::build::{pod, pods, service};
use crate::mirroring::{by_hand, endpoints};
use crate::selector::ips;
use crate::world::{World, config, not_started, world, world_with};

/// The slices of a Service with three Pods, and the process that made them has ended.
async fn left_behind() -> Arc<Api> {
    let world = world();
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    world.controller.stop();
    Arc::clone(&world.api)
}

/// A new process that has read everything there is.
async fn restarted(api: Arc<Api>) -> World {
    let world = not_started(api, config());
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.start();
    world.settle().await;
    world
}

/// The process has just begun, found all in order and written nothing; then somebody deletes a slice.
#[tokio::test(start_paused = true)]
async fn a_slice_deleted_after_restart_is_made_again_though_this_process_never_wrote_it() {
    let api = left_behind().await;
    let before = api.writes();
    let world = restarted(Arc::clone(&api)).await;
    assert_eq!(api.writes(), before, "nothing to do");
    let slice = world.slices("web").remove(0);
    api.edit(&slice.key, |_| None);
    world.settle().await;
    assert_eq!(world.addresses("web"), ips(0..3));
    assert_ne!(world.slices("web")[0].uid, slice.uid);

    let mirrored = world_with(Arc::new(Api::default()), config());
    mirrored.service(by_hand());
    mirrored.endpoints(endpoints(&["10.1.0.1"]));
    mirrored.settle().await;
    mirrored.controller.stop();
    let world = not_started(Arc::clone(&mirrored.api), config());
    world.service(by_hand());
    world.endpoints(endpoints(&["10.1.0.1"]));
    world.start();
    world.settle().await;
    let slice = world.slices("web").remove(0);
    world.api.edit(&slice.key, |_| None);
    world.settle().await;
    assert_eq!(world.addresses("web"), ["10.1.0.1"]);
}

/// What was discussed and not done upstream: a writer that does not see its own work should meet it
/// rather than do it twice. The new process is shown a list of before the slices were made.
#[tokio::test(start_paused = true)]
async fn issue_93520_a_process_that_does_not_see_what_was_made_meets_it_by_name() {
    let api = left_behind().await;
    let (made, before) = (api.slices(), api.writes());
    let world = not_started(Arc::clone(&api), config());
    // An API server that lags: nothing of the slices is in its list.
    let version = api.state.lock().version;
    world.controller.slice(Change::Restored);
    world.controller.slice(Change::Replaced(Vec::new(), version.saturating_sub(2)));
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.start();
    world.settle().await;
    let log = api.state.lock().log[before..].to_vec();
    assert_eq!(log, [(Operation::Create, made[0].key.clone())], "one create, and it met 409");
    assert_eq!(world.api.slices(), made, "no twin");
    assert_eq!(world.syncs("error"), 0.0);
    world.pod(pod(4));
    world.settle().await;
    assert_eq!(world.addresses("web"), ips([0, 1, 2, 4]), "what was met is worked on");
    assert_eq!(world.api.slices().len(), 1);
}

/// The Endpoints were deleted and made again while nobody looked. Upstream kept the slice with its
/// dead owner, the garbage collector took it, and no event of that slice was worth a sync.
#[tokio::test(start_paused = true)]
async fn issue_125359_endpoints_recreated_during_a_restart_own_their_slice_and_keep_it() {
    for collector_is_quick in [false, true] {
        let first = world();
        first.service(by_hand());
        first.endpoints(endpoints(&["10.1.0.1"]));
        first.settle().await;
        first.controller.stop();
        let api = Arc::clone(&first.api);
        let slice = api.slices().remove(0);

        let world = not_started(Arc::clone(&api), config());
        world.service(by_hand());
        let recreated = Endpoints { uid: Uid::new("recreated"), ..endpoints(&["10.1.0.1"]) };
        world.endpoints(recreated.clone());
        world.start();
        if collector_is_quick {
            api.edit(&slice.key, |_| None);
        }
        world.settle().await;
        let now = world.slices("web");
        assert_eq!(now.len(), 1);
        assert!(now[0].owners.iter().all(|owner| owner.uid == recreated.uid), "{:?}", now[0].owners);
        assert_eq!(now[0].uid == slice.uid, !collector_is_quick, "rewritten in place where it was there");
        assert_eq!(world.addresses("web"), ["10.1.0.1"]);
        // The collector comes later and finds nothing to take; somebody else does.
        api.edit(&now[0].key, |_| None);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(world.addresses("web"), ["10.1.0.1"]);
    }
}
