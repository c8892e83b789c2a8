//! What the selector loop decides, sentence by sentence of its contract.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/apply.rs"]
mod apply;
#[path = "support/build.rs"]
mod build;
#[path = "support/random.rs"]
mod world;

#[path = "plan_selector/endpoints.rs"]
mod endpoints;
#[path = "plan_selector/hints.rs"]
mod hints;
#[path = "plan_selector/ports.rs"]
mod ports;
#[path = "plan_selector/random.rs"]
mod random;
#[path = "plan_selector/services.rs"]
mod services;
#[path = "plan_selector/slices.rs"]
mod slices;
#[path = "plan_selector/trigger.rs"]
mod trigger;

use std::collections::BTreeMap;

use apply::Standing;
use endpointslice_controller::model::{AddressType, Endpoint, SelectorSnapshot, Slice};
use endpointslice_controller::plan::{Operation, Plan, Stage, selector};

/// Plans, makes the writes, and checks that the next plan writes nothing.
fn settle(snapshot: &SelectorSnapshot) -> (Plan, Standing) {
    let plan = selector::plan(snapshot);
    let mut standing = Standing::new(snapshot.slices.iter().cloned());
    standing.apply(&plan, |_| {});
    let again = selector::plan(&standing.next(snapshot, &plan));
    assert_eq!(again.writes, [], "a second plan writes");
    assert_eq!(again.reports, [], "a second plan reports again");
    assert_eq!(again.memory, plan.memory);
    (plan, standing)
}

/// Plans for a snapshot in which nothing is to be written.
fn assert_quiet(snapshot: &SelectorSnapshot) -> Plan {
    let (plan, _) = settle(snapshot);
    assert_eq!(plan.writes, []);
    plan
}

/// The writes as (operation, name, stage).
fn writes(plan: &Plan) -> Vec<(Operation, &str, Stage)> {
    plan.writes.iter().map(|write| (write.operation, write.slice.key.name.as_str(), write.stage)).collect()
}

fn count(plan: &Plan, operation: Operation) -> usize {
    plan.writes.iter().filter(|write| write.operation == operation).count()
}

/// The one write of a plan.
#[track_caller]
fn only(plan: &Plan) -> &Slice {
    assert_eq!(plan.writes.len(), 1, "{:?}", writes(plan));
    &plan.writes[0].slice
}

/// The one slice of this address type that stands in the end.
#[track_caller]
fn the(standing: &Standing, address_type: AddressType) -> Slice {
    let mut of_type = standing.slices.values().filter(|slice| slice.address_type == address_type);
    let one = of_type.next().expect("a slice of the type");
    assert!(of_type.next().is_none(), "more than one {address_type} slice");
    Slice::clone(one)
}

/// Endpoints by Pod name, over all slices that stand.
fn by_pod(standing: &Standing) -> BTreeMap<String, Endpoint> {
    let endpoints = standing.slices.values().flat_map(|slice| &slice.endpoints);
    endpoints
        .map(|endpoint| {
            let name = endpoint.target_ref.as_ref().map(|target| target.name.to_string());
            (name.unwrap_or_default(), Endpoint::clone(endpoint))
        })
        .collect()
}

fn addresses(slice: &Slice) -> Vec<String> {
    slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.as_slice()).map(|a| a.to_string()).collect()
}
