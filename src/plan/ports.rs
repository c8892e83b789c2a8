//! From the ports of a Service and a Pod to the ports of a slice, and which Pods share a slice.
//!
//! The Pods of a ReplicaSet share one list of container ports, so a list is resolved once and
//! afterwards known by its address.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::syntax::{is_dns_label, is_qualified_name};
use crate::model::{ContainerPort, Pod, Port, Protocol, Service, ServicePort, TargetPort};

/// Ports that one slice may have.
const MAX_PORTS: usize = 20_000;

/// Resolves the ports of one Service, Pod by Pod, and numbers the groups that come out.
pub struct Resolver<'a> {
    ports: Vec<&'a ServicePort>,
    /// appProtocol of these positions is one that the API server refuses.
    without_app_protocol: BTreeSet<usize>,
    /// Whether a port is looked up by name at all; else all Pods are alike.
    named: bool,
    memo: HashMap<(usize, usize), usize, foldhash::fast::RandomState>,
    known: BTreeMap<Vec<Port>, usize>,
}

/// The groups that were found: multisets of ports in their written order, sorted.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// Ports of each group, in the order in which they are written.
    pub ports: Vec<Arc<[Port]>>,
    positions: BTreeMap<Vec<Port>, usize>,
}

impl<'a> Resolver<'a> {
    /// The resolver of this Service's ports, and a sentence on each that is left out because the API
    /// server would refuse the slice.
    pub fn new(service: &'a Service) -> (Resolver<'a>, Vec<String>) {
        let mut resolver = Resolver {
            ports: Vec::with_capacity(service.ports.len()),
            without_app_protocol: BTreeSet::new(),
            named: false,
            memo: HashMap::default(),
            known: BTreeMap::new(),
        };
        let mut sentences = Vec::new();
        let mut names = BTreeSet::new();
        for port in &service.ports {
            if let Some(fault) = fault(port, &names, resolver.ports.len()) {
                sentences.push(format!("Service {}: {fault}; the port is left out", service.key));
                continue;
            }
            if let Some(bad) = port.app_protocol.as_ref().filter(|text| !is_qualified_name(text)) {
                resolver.without_app_protocol.insert(resolver.ports.len());
                sentences.push(format!(
                    "Service {}: appProtocol {bad:?} of port {:?} is left out, expected a qualified name",
                    service.key, port.name
                ));
            }
            names.insert(port.name.as_str());
            resolver.named |= matches!(port.target, TargetPort::Name(_));
            resolver.ports.push(port);
        }
        (resolver, sentences)
    }

    /// The group of this Pod, numbered in the order of first sight.
    pub fn group(&mut self, pod: &Pod) -> usize {
        let key = if self.named { (pod.ports.as_ptr() as usize, pod.ports.len()) } else { (0, 0) };
        if let Some(&group) = self.memo.get(&key) {
            return group;
        }
        let ports = self.resolve(&pod.ports);
        let next = self.known.len();
        let group = *self.known.entry(ports).or_insert(next);
        self.memo.insert(key, group);
        group
    }

    /// The ports of a Pod with these container ports, in their written order.
    pub fn resolve(&self, containers: &[ContainerPort]) -> Vec<Port> {
        let mut ports: Vec<Port> = self
            .ports
            .iter()
            .enumerate()
            .filter_map(|(at, port)| {
                Some(Port {
                    name: Some(port.name.clone()),
                    protocol: port.protocol.clone(),
                    port: Some(number(port, containers)?),
                    app_protocol: port
                        .app_protocol
                        .clone()
                        .filter(|_| !self.without_app_protocol.contains(&at)),
                })
            })
            .collect();
        ports.sort();
        ports
    }

    /// The groups seen, sorted by their ports, and for each group number its position there.
    pub fn finish(self) -> (Groups, Vec<usize>) {
        let mut positions = vec![0; self.known.len()];
        let mut groups = Groups::default();
        for (position, (ports, number)) in self.known.into_iter().enumerate() {
            positions[number] = position;
            groups.ports.push(Arc::from(ports.as_slice()));
            groups.positions.insert(ports, position);
        }
        (groups, positions)
    }
}

impl Groups {
    /// The position of the group with these ports, whatever their order.
    pub fn find(&self, ports: &[Port]) -> Option<usize> {
        if ports.is_sorted() {
            return self.positions.get(ports).copied();
        }
        let mut sorted = ports.to_vec();
        sorted.sort();
        self.positions.get(sorted.as_slice()).copied()
    }
}

fn number(port: &ServicePort, containers: &[ContainerPort]) -> Option<i32> {
    match &port.target {
        TargetPort::Number(0) => Some(port.port),
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => containers
            .iter()
            .find(|container| container.name == *name && container.protocol == port.protocol)
            .map(|container| container.number),
    }
}

fn fault(port: &ServicePort, names: &BTreeSet<&str>, count: usize) -> Option<String> {
    let name = &port.name;
    if count == MAX_PORTS {
        Some(format!("port {name:?} is one too many, expected at most {MAX_PORTS}"))
    } else if names.contains(name.as_str()) {
        Some(format!("port name {name:?} comes twice, expected each once"))
    } else if !name.is_empty() && !is_dns_label(name) {
        Some(format!("port name {name:?} is not a lower-case DNS label"))
    } else if let Protocol::Other(protocol) = &port.protocol {
        Some(format!("protocol {protocol:?} of port {name:?} is unknown, expected TCP, UDP or SCTP"))
    } else {
        None
    }
}
