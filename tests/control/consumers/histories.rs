//! What clusters do all day, drawn from a seed: Pods that come, become ready, end and go, rollouts, a
//! Service that changes its labels and its traffic distribution, an API server that stumbles.

use std::collections::BTreeMap;
use std::time::Duration;

use endpointslice_controller::control::write::WriteError;
use endpointslice_controller::model::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use crate::api::{Fault, Stored};
use crate::build::{node, pod};
use crate::world::{World, world};

/// A world at rest after a history, and the Pods that were ready from the first rest to the end.
pub struct Played {
    pub world: World,
    pub history: Vec<Stored>,
    /// How many events had happened when all Pods were published for the first time.
    pub first_rest: usize,
    pub pods: BTreeMap<usize, Pod>,
    pub constant: Vec<String>,
}

/// Plays the history of this seed with this many Pods, of which the first half is never touched.
#[allow(clippy::print_stdout)] // shown when a test fails
pub async fn play(seed: u64, count: usize, service: Service) -> Played {
    println!("history of seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = world();
    world.node(node("n2", Some("zone-b")));
    let on = |n: usize| Pod { node: Some(if n.is_multiple_of(2) { "n1" } else { "n2" }.into()), ..pod(n) };
    let mut pods: BTreeMap<usize, Pod> = (0..count).map(|n| (n, on(n))).collect();
    pods.values().for_each(|pod| world.pod(pod.clone()));
    world.service(service.clone());
    world.settle().await;
    let first_rest = world.api.state.lock().history.len();
    let mut clock = 5000;
    let mut next = count;
    for _ in 0..random.random_range(20..60) {
        clock += 1;
        let n = random.random_range(count / 2..next.max(count / 2 + 1));
        let since = Some(Time::from_secs(clock));
        match random.random_range(0..20) {
            0..8 => {
                if let Some(held) = pods.get_mut(&n) {
                    *held = Pod { ready: !held.ready, ready_since: since, ..held.clone() };
                    world.pod(held.clone());
                }
            }
            8..11 => {
                if let Some(held) = pods.get_mut(&n) {
                    *held = Pod { terminating: true, ready: false, ready_since: since, ..held.clone() };
                    world.pod(held.clone());
                }
            }
            11..14 => {
                if let Some(held) = pods.remove(&n) {
                    world.no_pod(&held);
                }
            }
            14..17 => {
                for _ in 0..random.random_range(1..30) {
                    let fresh = Pod { ready_since: since, ..on(next) };
                    pods.insert(next, fresh.clone());
                    world.pod(fresh);
                    next += 1;
                }
            }
            17 => world.service(Service {
                labels: Labels::new([("revision", clock.to_string().as_str())]),
                ..service.clone()
            }),
            18 => {
                let fault = [
                    Fault::LoseAnswer,
                    Fault::Refuse(WriteError::Conflict),
                    Fault::Refuse(WriteError::Unreachable { message: "no".into() }),
                ];
                world.api.fail(None, 1, fault[random.random_range(0..3)].clone());
            }
            _ => world.api.state.lock().hold = random.random(),
        }
        sleep(Duration::from_millis(random.random_range(0..2000))).await;
    }
    world.api.state.lock().hold = false;
    world.api.state.lock().faults.clear();
    world.api.deliver(usize::MAX);
    world.service(service);
    world.settle().await;
    let history = world.api.state.lock().history.clone();
    let constant = (0..count / 2).map(crate::build::ipv4).collect();
    Played { world, history, first_rest, pods, constant }
}
