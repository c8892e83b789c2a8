//! The desired side: which Pods are published, in which group of ports, and what is left out and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{AddressType, Nodes, Pod, Refusal, Service, Text};
use crate::plan::Report;
use crate::plan::endpoint::{self, Candidate, Verdict};
use crate::plan::ports::{Groups, Resolver};

/// All that one look over the Pods of a Service tells, for every address type.
pub struct Survey<'a> {
    /// The published Pods with the position of their group, in the order of the Pods.
    pub candidates: Vec<(Candidate<'a>, usize)>,
    /// The groups that at least one eligible Pod resolves to.
    pub groups: Groups,
    /// Nodes that are named and not known; the empty name for a Pod without Node.
    pub unknown_nodes: BTreeSet<Text>,
    /// Addresses left out, by reason.
    pub refused: BTreeMap<Refusal, usize>,
    /// What a person should hear of.
    pub reports: Vec<Report>,
    pods: usize,
    terminal: usize,
}

/// Looks over these Pods, sorted by name, each name once.
pub fn survey<'a>(
    service: &Service,
    pods: &[&'a Arc<Pod>],
    nodes: &'a Nodes,
    types: &[AddressType],
) -> Survey<'a> {
    let (mut resolver, faults) = Resolver::new(service);
    let mut survey = Survey {
        candidates: Vec::with_capacity(pods.len()),
        groups: Groups::default(),
        unknown_nodes: BTreeSet::new(),
        refused: BTreeMap::new(),
        reports: faults.into_iter().map(warning).collect(),
        pods: pods.len(),
        terminal: 0,
    };
    for &pod in pods {
        let verdict = endpoint::judge(service, pod, nodes);
        match verdict {
            Verdict::Terminal => survey.terminal += 1,
            Verdict::NoIp => {}
            Verdict::UnknownNode(name) => {
                resolver.group(pod);
                survey.miss(service, pod, name);
            }
            Verdict::Published(candidate) => {
                let group = resolver.group(pod);
                survey.refuse(service, &candidate, types);
                survey.candidates.push((candidate, group));
            }
        }
    }
    let (groups, positions) = resolver.finish();
    survey.groups = groups;
    for (_, group) in &mut survey.candidates {
        *group = positions[*group];
    }
    survey
}

impl Survey<'_> {
    /// Why nothing is desired, where nothing is.
    pub fn without_endpoints(&self, desired: usize) -> Option<&'static str> {
        if desired > 0 {
            return None;
        }
        Some(if self.pods == 0 {
            "no-pods"
        } else if self.terminal == self.pods {
            "terminal-pods"
        } else if !self.unknown_nodes.is_empty() {
            "unknown-node"
        } else if self.candidates.is_empty() {
            "no-pod-ip"
        } else if !self.refused.is_empty() {
            "refused-address"
        } else {
            "no-address-of-family"
        })
    }

    fn miss(&mut self, service: &Service, pod: &Pod, node: Option<&Text>) {
        if !self.unknown_nodes.insert(node.cloned().unwrap_or_default()) {
            return;
        }
        self.reports.push(warning(match node {
            Some(node) => format!(
                "Service {}: Pods on Node {node:?} are left out, expected a Node of that name to exist",
                service.key
            ),
            None => format!(
                "Service {}: Pod {} and all others without nodeName are left out, expected a Node",
                service.key, pod.key
            ),
        }));
    }

    fn refuse(&mut self, service: &Service, candidate: &Candidate<'_>, types: &[AddressType]) {
        for (_, refusal) in endpoint::refused(candidate.pod, types) {
            *self.refused.entry(refusal).or_default() += 1;
        }
        self.reports.extend(endpoint::left_out(service, candidate, types).into_iter().map(warning));
    }
}

fn warning(message: String) -> Report {
    Report { warning: true, reason: "FailedToUpdateEndpointSlices", message }
}
