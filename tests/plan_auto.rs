//! Topology mode Auto: how ready endpoints are shared out among zones, why they sometimes are not,
//! and what is said of it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/apply.rs"]
mod apply;
#[path = "support/build.rs"]
mod build;

#[path = "plan_auto/events.rs"]
mod events;
#[path = "plan_auto/random.rs"]
mod random;
#[path = "plan_auto/sharing.rs"]
mod sharing;

use std::collections::BTreeMap;
use std::sync::Arc;

use apply::Standing;
use build::*;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::{Plan, selector};

/// [`service`] in mode Auto.
fn auto() -> Service {
    Service { topology_mode: TopologyMode::Auto, topology_annotated: true, ..service() }
}

/// One Node per zone, named after it, with so many cores.
fn zones(cores: &[(&str, u64)]) -> Arc<Nodes> {
    nodes(cores.iter().map(|(zone, cores)| with_cores(zone, *cores)))
}

fn with_cores(zone: &str, cores: u64) -> Node {
    Node { cpu_milli: Some(cores * 1000), ..node(zone, Some(zone)) }
}

/// Pods from this number on, so many on the Node of each zone.
fn pods_in(first: usize, counts: &[(&str, usize)]) -> Vec<Pod> {
    let homes = counts.iter().flat_map(|(zone, count)| std::iter::repeat_n(*zone, *count));
    homes.enumerate().map(|(n, zone)| Pod { node: Some(Text::new(zone)), ..pod(first + n) }).collect()
}

/// A snapshot of [`auto`] with these Nodes and Pods.
fn snapshot_of(nodes: &Arc<Nodes>, pods: Vec<Pod>) -> SelectorSnapshot {
    SelectorSnapshot { nodes: Arc::clone(nodes), ..snapshot(auto(), pods) }
}

/// Plans, makes the writes, and checks that the next plan writes and says nothing.
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

/// The zones that an endpoint hints at.
fn hints_of(endpoint: &Endpoint) -> Vec<&str> {
    endpoint.hints.iter().flat_map(|hints| hints.for_zones.iter().map(Text::as_str)).collect()
}

/// How many endpoints hint at each zone.
fn hinted(standing: &Standing) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for endpoint in standing.slices.values().flat_map(|slice| &slice.endpoints) {
        for zone in hints_of(endpoint) {
            *counts.entry(zone.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

fn expected(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(zone, count)| ((*zone).to_owned(), *count)).collect()
}

/// Reasons and messages of what a plan reports.
fn said(plan: &Plan) -> Vec<(&'static str, bool, &str)> {
    plan.reports.iter().map(|report| (report.reason, report.warning, report.message.as_str())).collect()
}
