//! The mirroring loop.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use endpointslice_controller::control::write::WriteError;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::Operation;
use endpointslice_controller::view::Change;

use crate::api::Fault;
use crate::build::{service, uid};
use crate::world::{World, meta, world};

pub fn by_hand() -> Service {
    Service { selector: None, ..service() }
}

pub fn endpoints(ips: &[&str]) -> Endpoints {
    let address =
        |ip: &&str| EndpointsAddress { ip: (*ip).into(), hostname: None, node_name: None, target_ref: None };
    let port = EndpointsPort { name: "http".into(), port: 80, protocol: Protocol::TCP, app_protocol: None };
    Endpoints {
        key: service().key,
        uid: uid(3, 1),
        version: 0,
        labels: Labels::default(),
        annotations: Labels::default(),
        deleting: false,
        subsets: vec![Subset {
            addresses: ips.iter().map(address).collect(),
            not_ready: Vec::new(),
            ports: vec![port],
        }],
    }
}

async fn mirrored() -> World {
    let world = world();
    world.service(by_hand());
    world.endpoints(endpoints(&["10.1.0.1", "10.1.0.2"]));
    world.settle().await;
    assert_eq!(world.addresses("web"), ["10.1.0.1", "10.1.0.2"]);
    world
}

#[tokio::test(start_paused = true)]
async fn hand_made_endpoints_are_mirrored_and_their_edits_too() {
    let world = mirrored().await;
    world.endpoints(endpoints(&["10.1.0.2", "10.1.0.3"]));
    world.settle().await;
    assert_eq!(world.addresses("web"), ["10.1.0.2", "10.1.0.3"]);
    let log: Vec<Operation> = world.api.state.lock().log.iter().map(|(o, _)| *o).collect();
    assert_eq!(log, [Operation::Create, Operation::Update]);
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_change_sides_are_read_before_anything_is_deleted() {
    let world = mirrored().await;
    let standing = endpoints(&["10.1.0.1", "10.1.0.2"]);
    let writes = world.api.writes();
    // They get the label of the control plane's controller: gone from one stream, not yet in the other.
    let version = world.api.tick();
    world.controller.endpoints(Change::Deleted(meta(&standing.key, &standing.uid, version)));
    world.settle().await;
    assert_eq!(world.addresses("web"), ["10.1.0.1", "10.1.0.2"]);
    let marked = meta(&standing.key, &standing.uid, version);
    world.controller.marked_endpoints(Change::Upserted(marked.clone(), marked));
    world.settle().await;
    assert_eq!(world.addresses("web"), ["10.1.0.1", "10.1.0.2"]);
    assert_eq!(world.api.writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_are_gone_take_their_slices_with_them() {
    let world = mirrored().await;
    let standing = endpoints(&[]);
    world.api.state.lock().endpoints.clear();
    let version = world.api.tick();
    world.controller.endpoints(Change::Deleted(meta(&standing.key, &standing.uid, version)));
    world.settle().await;
    assert!(world.api.slices().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_gets_a_selector_is_mirrored_no_more() {
    let world = mirrored().await;
    world.service(service());
    world.settle().await;
    let managers: Vec<_> = world.api.slices().iter().map(|slice| slice.managed_by()).collect();
    assert_eq!(managers, [Some(Loop::Selector)]);
}

/// kube-controller-manager counts failed syncs of the other loop only.
#[tokio::test(start_paused = true)]
async fn a_failed_sync_of_the_mirroring_loop_is_counted_too() {
    let world = world();
    let refused = WriteError::Refused { code: 500, reason: "InternalError".into(), message: "no".into() };
    world.api.fail(Operation::Create, 3, Fault::Refuse(refused));
    world.service(by_hand());
    world.endpoints(endpoints(&["10.1.0.1"]));
    world.settle().await;
    assert_eq!(world.addresses("web"), ["10.1.0.1"]);
    assert_eq!(world.metric("endpointslice_sync_failures_total", &[("loop", "mirroring")]), 3.0);
    assert_eq!(world.metric("endpointslice_sync_failures_total", &[("loop", "selector")]), 0.0);
}
