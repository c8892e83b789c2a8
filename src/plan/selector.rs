//! The selector loop's decision: from a Service, its Pods and its slices to the writes that make the
//! slices right.
//!
//! One look over the Pods tells what is desired ([`survey`]); then each address type of the Service
//! is planned on its own ([`family`]); what belongs to no address type of the Service, or to an
//! earlier Service of the same name, is deleted last.

mod family;
pub(super) mod metadata;
mod numbering;
mod survey;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use smol_str::SmolStr;

use super::hints::report::reports as topology_reports;
use super::hints::{Rule, Topology};
use super::names::Names;
use super::{Figures, Plan, Report, Stage, trigger};
use crate::model::address::parse_ip;
use crate::model::snapshot::Memory;
use crate::model::{AddressType, Loop, Pod, SelectorSnapshot, Service, Slice, TopologyMode};
use family::Common;
use metadata::Metadata;

/// The slices that are ours and not already being deleted, sorted by name.
struct Ours<'a> {
    /// Owned and of an address type of the Service, by position of the type.
    by_type: Vec<Vec<&'a Arc<Slice>>>,
    /// Owned ones, whatever their type.
    owned: Vec<&'a Arc<Slice>>,
    /// Not owned, or of an address type that the Service has not.
    leftovers: Vec<&'a Arc<Slice>>,
}

/// Decides what is to be written for one Service. A Service that the loop does not work on has an
/// empty plan.
pub fn plan(snapshot: &SelectorSnapshot) -> Plan {
    let service = &*snapshot.service;
    if !service.selects() {
        return Plan { memory: snapshot.memory.clone(), ..Plan::default() };
    }
    let types = address_types(service);
    let ours = Ours::sort(snapshot, &types);
    let pods = sorted(&snapshot.pods);
    let trigger = trigger::find(snapshot, &pods, &ours.owned);
    let rule = Rule::of(service);
    let common = Common {
        service,
        metadata: Metadata::new(service, trigger.time),
        rule,
        topology: Topology::of(rule, &snapshot.nodes),
        survey: survey::survey(service, &pods, &snapshot.nodes, &types),
        max: snapshot.settings.max_endpoints_per_slice,
    };
    let taken = taken(snapshot);
    let mut names = Names::new(&taken, &snapshot.memory.refused, snapshot.salt);
    let mut writes = Vec::new();
    let mut families = Vec::with_capacity(types.len());
    let mut auto = Vec::new();
    for (address_type, slices) in types.iter().zip(&ours.by_type) {
        let planned = family::plan(&common, address_type, slices, &mut names);
        writes.extend(planned.writes);
        families.push(planned.figures);
        auto.extend(planned.auto);
    }
    writes.extend(ours.leftovers.iter().map(|slice| family::delete(slice, Stage::Leftovers)));
    // Stable: within a stage each address type keeps its order.
    writes.sort_by_key(|write| write.stage);

    let desired = families.iter().map(|family| family.desired_endpoints).sum();
    let survey = common.survey;
    let figures = Figures {
        families,
        topology_auto: service.topology_mode == TopologyMode::Auto,
        traffic_distribution: rule.distribution(service),
        skipped: 0,
        without_endpoints: survey.without_endpoints(desired),
        refused: survey.refused.into_iter().collect(),
    };
    let (of_topology, mut reported) = topology_reports(service, &auto, &snapshot.memory);
    reported.extend(survey.reports.iter().map(|report| report.message.clone()));
    let memory = Memory { trigger: Some(trigger.memory), refused: snapshot.memory.refused.clone(), reported };
    let mut reports = unreported(survey.reports, &snapshot.memory);
    reports.extend(of_topology);
    Plan { writes, memory, reports, figures, unknown_nodes: survey.unknown_nodes.into_iter().collect() }
}

/// The address types of a Service, sorted. Without IP families: that of its ClusterIP, or both.
pub fn address_types(service: &Service) -> Vec<AddressType> {
    let families: BTreeSet<AddressType> = service
        .ip_families
        .iter()
        .filter(|family| matches!(family, AddressType::IPv4 | AddressType::IPv6))
        .cloned()
        .collect();
    if !families.is_empty() {
        return families.into_iter().collect();
    }
    if service.headless() {
        return vec![AddressType::IPv4, AddressType::IPv6];
    }
    match parse_ip(&service.cluster_ip) {
        Ok(ip) => vec![AddressType::of(ip)],
        Err(_) => vec![AddressType::IPv4],
    }
}

impl<'a> Ours<'a> {
    fn sort(snapshot: &'a SelectorSnapshot, types: &[AddressType]) -> Ours<'a> {
        let service = &*snapshot.service;
        let mut all: Vec<&Arc<Slice>> = snapshot.slices.iter().filter(|slice| ours(slice, service)).collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let mut sorted =
            Ours { by_type: vec![Vec::new(); types.len()], owned: Vec::new(), leftovers: Vec::new() };
        for slice in all {
            let owned = metadata::owned(slice, service);
            if owned {
                sorted.owned.push(slice);
            }
            match types.iter().position(|one| *one == slice.address_type) {
                Some(at) if owned => sorted.by_type[at].push(slice),
                _ => sorted.leftovers.push(slice),
            }
        }
        sorted
    }
}

/// Whether the slice bears our labels for this Service and is not already being deleted.
pub(super) fn ours(slice: &Slice, service: &Service) -> bool {
    !slice.deleting
        && slice.key.namespace == service.key.namespace
        && slice.service().is_some_and(|name| *name == *service.key.name)
        && slice.managed_by() == Some(Loop::Selector)
}

/// The Pods by name, each once, whatever order they come in.
fn sorted(pods: &[Arc<Pod>]) -> Vec<&Arc<Pod>> {
    let mut sorted: Vec<&Arc<Pod>> = pods.iter().collect();
    sorted.sort_by(|a, b| a.key.name.cmp(&b.key.name));
    sorted.dedup_by(|a, b| a.key.name == b.key.name);
    sorted
}

/// Names that no create may take: those of the slices at hand too.
fn taken(snapshot: &SelectorSnapshot) -> Cow<'_, BTreeSet<SmolStr>> {
    let mut taken = Cow::Borrowed(&snapshot.names);
    for slice in &snapshot.slices {
        if !taken.contains(&slice.key.name) {
            taken.to_mut().insert(slice.key.name.clone());
        }
    }
    taken
}

fn unreported(reports: Vec<Report>, memory: &Memory) -> Vec<Report> {
    reports.into_iter().filter(|report| !memory.reported.contains(&report.message)).collect()
}
