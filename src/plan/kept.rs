//! The cheap way for the common case: some Pods of a large Service changed in place, everything else
//! stands as it should.
//!
//! [`Kept`] remembers, for a Service whose slices are exactly what is desired, which slice holds each
//! Pod and where. [`plan_changed`] then looks at the changed Pods and the slices that hold them, and
//! at nothing else. Whatever is not a change of an endpoint in its place it leaves to the full plan
//! by answering `None`. What it does answer is to the byte what [`selector::plan`] would.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smol_str::SmolStr;

use super::endpoint::{self, Candidate, Verdict, Words};
use super::hints::Rule;
use super::selector::metadata::Metadata;
use super::selector::{self, address_types, ours};
use super::{Figures, Operation, Plan, Stage, Write, trigger};
use crate::model::snapshot::Memory;
use crate::model::{
    AddressType, ContainerPort, Endpoint, Hints, Nodes, Pod, SelectorSnapshot, Service, Slice, TargetPort,
    Version,
};

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Where the endpoints of a Service stand whose slices are exactly as desired. To be dropped when its
/// Service, a Node of its Pods or a slice of it changed by other hands than ours.
#[derive(Clone, Debug)]
pub struct Kept {
    service: Arc<Service>,
    rule: Rule,
    types: Vec<AddressType>,
    /// Whether a port is looked up by name, so that a Pod's container ports matter.
    named: bool,
    pods: Map<SmolStr, Place>,
    versions: BTreeMap<SmolStr, Version>,
    figures: Figures,
}

/// Where the endpoints of one published Pod stand.
#[derive(Clone, Debug)]
struct Place {
    ports: Arc<[ContainerPort]>,
    /// By position of the address type: the slice, and the position in it.
    homes: [Option<(SmolStr, usize)>; 2],
}

/// What changed since [`Kept`] was made or last told of writes.
#[derive(Clone, Copy, Debug)]
pub struct SelectorDelta<'a> {
    /// Where everything stood.
    pub kept: &'a Kept,
    /// The Service.
    pub service: &'a Arc<Service>,
    /// The Pods that changed, came or went, by name: as they are now; `None` where the Pod is gone or
    /// no longer matches the selector.
    pub pods: &'a BTreeMap<SmolStr, Option<Arc<Pod>>>,
    /// All Nodes.
    pub nodes: &'a Nodes,
    /// The Service's slices by name.
    pub slices: &'a BTreeMap<SmolStr, Arc<Slice>>,
    /// What this key remembers.
    pub memory: &'a Memory,
}

/// An endpoint that changes: its slice by name, its position there, and what it becomes.
type Changes = BTreeMap<SmolStr, Vec<(usize, Arc<Endpoint>)>>;

impl Kept {
    /// Remembers where everything stands, if all stands exactly as desired. The snapshot's slices are
    /// those that stand after the last writes. Costs as much as a full plan.
    pub fn of(snapshot: &SelectorSnapshot) -> Option<Kept> {
        let service = &snapshot.service;
        let rule = Rule::of(service);
        if rule == Rule::Auto {
            return None;
        }
        let plan = selector::plan(snapshot);
        let clean = plan.writes.is_empty()
            && plan.unknown_nodes.is_empty()
            && plan.memory.reported.is_empty()
            && plan.figures.without_endpoints.is_none();
        if !service.selects() || !clean {
            return None;
        }
        let mut kept = Kept {
            service: Arc::clone(service),
            rule,
            types: address_types(service),
            named: service.ports.iter().any(|port| matches!(port.target, TargetPort::Name(_))),
            pods: Map::with_capacity_and_hasher(snapshot.pods.len(), Default::default()),
            versions: BTreeMap::new(),
            figures: plan.figures,
        };
        kept.place(snapshot)?;
        Some(kept)
    }

    /// Takes note of the writes of a plan that [`plan_changed`] made, once they all succeeded and their
    /// answers stand among `slices`. Whether it may be used further: not where a slice stands
    /// otherwise than it was sent.
    pub fn written(&mut self, plan: &Plan, slices: &BTreeMap<SmolStr, Arc<Slice>>) -> bool {
        plan.writes.iter().all(|write| {
            let name = &write.slice.key.name;
            match (slices.get(name), self.versions.get_mut(name)) {
                (Some(stands), Some(version)) if stands.endpoints == write.slice.endpoints => {
                    *version = stands.version;
                    stands.labels == write.slice.labels && stands.ports == write.slice.ports
                }
                _ => false,
            }
        })
    }

    /// Finds each published Pod in the slices. `None` when one stands there otherwise than it would
    /// be made anew, because then a write of its slice would change it too.
    fn place(&mut self, snapshot: &SelectorSnapshot) -> Option<()> {
        let mut candidates: Map<&str, Candidate<'_>> =
            Map::with_capacity_and_hasher(snapshot.pods.len(), Default::default());
        for pod in &snapshot.pods {
            if let Verdict::Published(candidate) = endpoint::judge(&self.service, pod, &snapshot.nodes) {
                candidates.insert(&pod.key.name, candidate);
                let place = Place { ports: Arc::clone(&pod.ports), homes: [None, None] };
                self.pods.insert(pod.key.name.clone(), place);
            }
        }
        for slice in snapshot.slices.iter().filter(|slice| ours(slice, &self.service)) {
            let of_type = self.types.iter().position(|one| *one == slice.address_type)?;
            for (position, held) in slice.endpoints.iter().enumerate() {
                let name = &held.target_ref.as_ref()?.name;
                let candidate = candidates.get(name.as_str())?;
                let addresses = endpoint::addresses(candidate.pod, &slice.address_type);
                if !candidate.is(held, &addresses, wanted(self.rule, candidate).as_ref()) {
                    return None;
                }
                let home = self.pods.get_mut(name)?.homes.get_mut(of_type)?;
                *home = Some((slice.key.name.clone(), position));
            }
            self.versions.insert(slice.key.name.clone(), slice.version);
        }
        Some(())
    }

    /// Whether the new state of a Pod resolves to the same ports as before.
    fn same_group(&self, place: &Place, pod: &Pod) -> bool {
        !self.named || Arc::ptr_eq(&place.ports, &pod.ports) || place.ports == pod.ports
    }
}

/// The plan of a Service some of whose Pods changed, if their endpoints only change in their places
/// or not at all; else `None`: then the full plan decides. Costs O(changed Pods and the slices that
/// hold them).
pub fn plan_changed(delta: &SelectorDelta<'_>) -> Option<Plan> {
    let kept = delta.kept;
    let same_service = Arc::ptr_eq(&kept.service, delta.service) || kept.service.same_row(delta.service);
    if !same_service || !delta.memory.reported.is_empty() {
        return None;
    }
    let seen = delta.memory.trigger.as_ref()?;
    let words = Words::new();
    let mut changes: Vec<Changes> = vec![Changes::new(); kept.types.len()];
    for (name, pod) in delta.pods {
        let verdict = pod.as_deref().map(|pod| endpoint::judge(delta.service, pod, delta.nodes));
        match (kept.pods.get(name), verdict) {
            (None, None | Some(Verdict::Terminal | Verdict::NoIp)) => {}
            (Some(place), Some(Verdict::Published(candidate))) if kept.same_group(place, candidate.pod) => {
                change(delta, place, &candidate, &words, &mut changes)?;
            }
            _ => return None,
        }
    }
    let trigger = trigger::find_changed(seen, delta.pods);
    let metadata = Metadata::new(delta.service, trigger.time);
    let mut figures = kept.figures.clone();
    let mut writes = Vec::new();
    for (family, of_type) in figures.families.iter_mut().zip(changes) {
        family.updated = of_type.values().map(Vec::len).sum();
        for (name, endpoints) in of_type {
            writes.push(update(&metadata, delta.slices.get(&name)?, endpoints));
        }
    }
    let memory = Memory { trigger: Some(trigger.memory), ..delta.memory.clone() };
    Some(Plan { writes, memory, figures, ..Plan::default() })
}

/// Adds what changes of one Pod's endpoints. `None` when they do not stay where they are.
fn change(
    delta: &SelectorDelta<'_>,
    place: &Place,
    candidate: &Candidate<'_>,
    words: &Words,
    changes: &mut [Changes],
) -> Option<()> {
    let kept = delta.kept;
    if !endpoint::left_out(delta.service, candidate, &kept.types).is_empty() {
        return None;
    }
    for ((address_type, home), changes) in kept.types.iter().zip(&place.homes).zip(changes) {
        let addresses = endpoint::addresses(candidate.pod, address_type);
        let Some((name, position)) = home else {
            if addresses.as_slice().is_empty() {
                continue;
            }
            return None;
        };
        let slice = delta.slices.get(name).filter(|slice| kept.versions.get(name) == Some(&slice.version))?;
        let held = slice.endpoints.get(*position)?;
        // Its Pod is the same, as long as the slice is.
        if held.addresses != addresses || held.hostname.as_ref() != candidate.hostname {
            return None;
        }
        if !candidate.matches(held) {
            let made = candidate.build(words, addresses, wanted(kept.rule, candidate));
            changes.entry(name.clone()).or_default().push((*position, made));
        }
    }
    Some(())
}

fn wanted(rule: Rule, candidate: &Candidate<'_>) -> Option<Hints> {
    rule.wanted(candidate.conditions.ready == Some(true), candidate.zone, candidate.node_name)
}

fn update(metadata: &Metadata<'_>, base: &Arc<Slice>, changes: Vec<(usize, Arc<Endpoint>)>) -> Write {
    let mut endpoints = base.endpoints.clone();
    for (position, made) in changes {
        if let Some(endpoint) = endpoints.get_mut(position) {
            *endpoint = made;
        }
    }
    let slice = Slice { endpoints, ..metadata.update(base) };
    Write { operation: Operation::Update, stage: Stage::Updates, slice, base: Some(Arc::clone(base)) }
}
