//! Random histories of a large Service: whatever happens, in the end all stands as a full plan wants
//! it, and writing stops.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use endpointslice_controller::control::write::WriteError;
use endpointslice_controller::model::snapshot::Memory;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::selector;
use endpointslice_controller::view::Change;
use proptest::prelude::*;

use crate::api::Fault;
use crate::build::{node, pod, service};
use crate::world::{World, meta, world};

const PODS: usize = 150;

#[derive(Clone, Debug)]
enum Step {
    Flip(usize),
    Drop(usize),
    Bring(usize),
    Edit(u8),
    Zone(u8),
    Hold(bool),
    Fail(u8),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..PODS).prop_map(Step::Flip),
        2 => (0..PODS).prop_map(Step::Drop),
        2 => (0..PODS + 20).prop_map(Step::Bring),
        1 => any::<u8>().prop_map(Step::Edit),
        1 => any::<u8>().prop_map(Step::Zone),
        1 => any::<bool>().prop_map(Step::Hold),
        1 => (0..4u8).prop_map(Step::Fail),
        8 => (0..3000u16).prop_map(Step::Wait),
    ]
}

struct Truth {
    pods: std::collections::BTreeMap<usize, Pod>,
    clock: i64,
}

async fn take(world: &World, truth: &mut Truth, step: &Step) {
    truth.clock += 1;
    let now = Some(Time::from_secs(10_000 + truth.clock));
    match step {
        Step::Flip(n) => {
            if let Some(held) = truth.pods.get_mut(n) {
                *held = Pod { ready: !held.ready, ready_since: now, ..held.clone() };
                world.pod(held.clone());
            }
        }
        Step::Drop(n) => {
            if let Some(held) = truth.pods.remove(n) {
                world.no_pod(&held);
            }
        }
        Step::Bring(n) => {
            let fresh = Pod { ready_since: now, ..pod(*n) };
            if !truth.pods.contains_key(n) {
                truth.pods.insert(*n, fresh.clone());
                world.pod(fresh);
            }
        }
        Step::Edit(at) => {
            let slices = world.api.slices();
            if let Some(slice) = slices.get(usize::from(*at) % slices.len().max(1)) {
                world.api.edit(&slice.key, |mut slice| {
                    if at % 3 == 0 {
                        return None;
                    }
                    slice.endpoints.truncate(usize::from(*at) / 4);
                    Some(slice)
                });
            }
        }
        Step::Zone(z) => {
            let changed =
                Node { version: world.api.tick(), ..node("n1", Some(["a", "b", "c"][usize::from(*z) % 3])) };
            world
                .controller
                .node(Change::Upserted(meta(&changed.key, &changed.uid, changed.version), changed));
        }
        Step::Hold(hold) => {
            world.api.state.lock().hold = *hold;
            if !hold {
                world.api.deliver(usize::MAX);
            }
        }
        Step::Fail(how) => {
            let fault = match how {
                0 => Fault::LoseAnswer,
                1 => Fault::Refuse(WriteError::Conflict),
                2 => Fault::Refuse(WriteError::Throttled { after: Duration::from_secs(2) }),
                _ => Fault::Refuse(WriteError::Unreachable { message: "no".into() }),
            };
            world.api.fail(None, 1, fault);
        }
        Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(u64::from(*millis))).await,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_large_service_ends_as_a_full_plan_wants_it(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = world();
            let mut truth = Truth { pods: (0..PODS).map(|n| (n, pod(n))).collect(), clock: 0 };
            truth.pods.values().for_each(|pod| world.pod(pod.clone()));
            world.service(service());
            world.settle().await;
            for step in &steps {
                take(&world, &mut truth, step).await;
            }
            world.api.state.lock().hold = false;
            world.api.state.lock().faults.clear();
            world.api.deliver(usize::MAX);
            world.settle().await;
            let mut expected: Vec<String> = truth.pods.keys().map(|n| crate::build::ipv4(*n)).collect();
            expected.sort();
            assert_eq!(world.addresses("web"), expected);
            let snapshot = world.controller.with_view(|view| view.selector_snapshot(&service().key, None)).unwrap();
            let left = selector::plan(&SelectorSnapshot {
                memory: Memory::default(), ..snapshot
            });
            assert!(left.writes.is_empty(), "{:#?}", left.writes);
        });
    }
}
