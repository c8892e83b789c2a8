//! Linkerd: keeps one set of addresses for a Service, and changes it slice by slice. What leaves one
//! slice leaves the set, though another slice may hold it (linkerd2#10370 mended a part of that).

use std::collections::{BTreeMap, BTreeSet};

use endpointslice_controller::model::*;
use serde_json::Value;

use super::histories::{Played, play};
use super::{Consumer, address, list, replay, service as service_of};
use crate::api::Stored;
use crate::build::{pods, service, service_port};
use crate::world::world;

#[derive(Default)]
struct Linkerd(BTreeMap<String, BTreeSet<String>>);

impl Consumer for Linkerd {
    fn see(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let of = |slice: Option<&Value>| -> BTreeSet<String> {
            slice.iter().flat_map(|slice| list(slice, "endpoints")).map(address).collect()
        };
        let Some(owner) = after.or(before).map(service_of) else { return };
        let (old, new) = (of(before), of(after));
        let held = self.0.entry(owner).or_default();
        held.extend(new.iter().cloned());
        held.retain(|address| !old.contains(address) || new.contains(address));
    }
}

/// Addresses of `constant` that it has lost after an event from `first` on.
fn losses(history: &[Stored], first: usize, constant: &[String]) -> BTreeSet<String> {
    let (mut linkerd, mut lost) = (Linkerd::default(), BTreeSet::new());
    replay(history, &mut linkerd, |linkerd, number| {
        if number + 1 >= first {
            let held = linkerd.0.get("web").cloned().unwrap_or_default();
            lost.extend(constant.iter().filter(|address| !held.contains(*address)).cloned());
        }
    });
    lost
}

/// Pods come and go, labels change, writes fail: an endpoint that stays, stays in its slice.
#[tokio::test(start_paused = true)]
async fn linkerd_loses_no_address_that_stays_since_none_moves_to_another_slice() {
    for seed in 100..105 {
        let Played { history, first_rest, constant, .. } = play(seed, 240, service()).await;
        assert_eq!(losses(&history, first_rest, &constant), BTreeSet::new(), "seed {seed}");
    }
}

/// The ports of all change: each slice is rewritten in place with the members that it has.
#[tokio::test(start_paused = true)]
async fn linkerd_loses_no_address_when_the_ports_of_all_change() {
    let world = world();
    pods(0..250).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    let first = world.api.state.lock().history.len();
    for ports in [
        vec![service_port("", 80, TargetPort::Number(9090))],
        vec![service_port("web", 80, TargetPort::Number(9090))],
        vec![
            service_port("web", 80, TargetPort::Number(9090)),
            service_port("more", 81, TargetPort::Number(1)),
        ],
    ] {
        let before = world.api.writes();
        world.service(Service { ports, ..service() });
        world.settle().await;
        assert_eq!(world.api.writes() - before, 3, "three slices, three updates");
    }
    let history = world.api.state.lock().history.clone();
    let constant: Vec<String> = (0..250).map(crate::build::ipv4).collect();
    assert_eq!(losses(&history, first, &constant), BTreeSet::new());
}

/// The model can fail: a copy that is made before the old slice is deleted loses all of it here.
#[tokio::test(start_paused = true)]
async fn linkerd_negative_control_a_copy_and_then_a_delete_loses_addresses() {
    let world = world();
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    let slice = world.slices("web").remove(0);
    let mut history = world.api.state.lock().history.clone();
    let first = history.len();
    let copy = Slice { key: Key::new("ns", "web-other"), ..slice.clone() };
    history.push(Stored { before: None, after: Some(copy) });
    history.push(Stored { before: Some(slice), after: None });
    let constant: Vec<String> = (0..3).map(crate::build::ipv4).collect();
    assert_eq!(losses(&history, first, &constant).len(), 3);
}
