//! A small world for random tests: a Service, its Pods and its slices, changed by numbered operations.

#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;

use endpointslice_controller::model::snapshot::Memory;
use endpointslice_controller::model::*;
use endpointslice_controller::plan::Plan;
use proptest::prelude::*;

use crate::apply::Standing;
use crate::build::*;

/// One change: what, and two numbers that say of what.
pub type Operation = (u8, u8, u8);

/// Rounds of changes; after each round the controller comes to rest.
pub fn rounds() -> impl Strategy<Value = Vec<Vec<Operation>>> {
    let operation = (0..24u8, 0..=u8::MAX, 0..=u8::MAX);
    prop::collection::vec(prop::collection::vec(operation, 1..12), 1..5)
}

/// All that a plan depends on.
#[derive(Clone, Debug)]
pub struct World {
    pub service: Service,
    pub pods: BTreeMap<usize, Pod>,
    pub standing: Standing,
    pub memory: Memory,
    pub max: usize,
    clock: i64,
}

impl World {
    pub fn new(max: usize, pods: usize) -> World {
        World {
            service: Service { ports: service_ports(1), ..service() },
            pods: (0..pods).map(|n| (n, dual(n))).collect(),
            standing: Standing::default(),
            memory: Memory::default(),
            max,
            clock: 2000,
        }
    }

    pub fn snapshot(&self) -> SelectorSnapshot {
        let pods = self.pods.values().cloned().collect();
        SelectorSnapshot {
            slices: self.standing.all(),
            memory: self.memory.clone(),
            ..with_max(self.max, snapshot(self.service.clone(), pods))
        }
    }

    /// What the plan leaves behind.
    pub fn rest(&mut self, plan: &Plan, standing: Standing) {
        self.standing = standing;
        self.memory = plan.memory.clone();
    }

    pub fn change(&mut self, (what, a, b): Operation) {
        let (a, b) = (usize::from(a), usize::from(b));
        match what {
            0..=3 => drop(self.pods.entry(a % 24).or_insert_with(|| dual(a % 24))),
            4..=6 => self.change_pods(a, b),
            7..=8 => drop(self.pick(a).map(|n| self.pods.remove(&n))),
            9..=10 => self.change_readiness(a, b),
            11 => self.with_pod(a, |pod, _| pod.uid = uid(1, 1000 + b)),
            12 => self.with_pod(a, |pod, _| pod.node = node_name(b)),
            13 => self.with_pod(a, |pod, _| pod.ports = containers(b)),
            14 => self.swap_ips(a, b),
            15 => self.service.ports = service_ports(b),
            16 => {
                let values = [None, Some("PreferClose"), Some("PreferSameNode"), Some("Other")];
                self.service.traffic_distribution = values[b % 4].map(Into::into);
            }
            17 => self.service.labels = Labels::new([("version", ["1", "2"][b % 2])]),
            18 => self.service.cluster_ip = ["10.96.0.1", "None"][b % 2].into(),
            19 => {
                use AddressType::{IPv4, IPv6};
                self.service.ip_families = [vec![IPv4], vec![IPv4, IPv6], vec![IPv6], vec![]][b % 4].clone();
            }
            20 => self.service.publish_not_ready = b % 2 == 0,
            _ => self.tamper(a, b),
        }
    }

    fn pick(&self, a: usize) -> Option<usize> {
        (!self.pods.is_empty()).then(|| *self.pods.keys().nth(a % self.pods.len()).unwrap())
    }

    fn with_pod(&mut self, a: usize, change: impl FnOnce(&mut Pod, Option<Time>)) {
        self.clock += 1;
        let now = Some(Time::from_secs(self.clock));
        if let Some(pod) = self.pick(a).and_then(|n| self.pods.get_mut(&n)) {
            change(pod, now);
        }
    }

    fn change_readiness(&mut self, a: usize, b: usize) {
        self.with_pod(a, |pod, now| {
            match b % 4 {
                0 | 1 => pod.ready = !pod.ready,
                2 => pod.terminating = true,
                _ => pod.terminal = !pod.terminal,
            }
            pod.ready_since = now;
        });
    }

    /// Many Pods get other container ports at once: the same ones, or what others have, so that slices
    /// would have to change places.
    fn change_pods(&mut self, a: usize, b: usize) {
        let (first, second) = (containers(a), containers(b));
        for pod in self.pods.values_mut().skip(a % 5).step_by(1 + b % 3) {
            pod.ports = if pod.ports == second { Arc::clone(&first) } else { Arc::clone(&second) };
        }
    }

    fn swap_ips(&mut self, a: usize, b: usize) {
        let (Some(a), Some(b)) = (self.pick(a), self.pick(b)) else { return };
        let (first, second) = (self.pods[&a].ips.clone(), self.pods[&b].ips.clone());
        self.pods.get_mut(&a).unwrap().ips = second;
        self.pods.get_mut(&b).unwrap().ips = first;
    }

    fn tamper(&mut self, a: usize, b: usize) {
        if self.standing.slices.is_empty() {
            return;
        }
        let at = a % self.standing.slices.len();
        let (name, slice) = self.standing.slices.iter().nth(at).map(|(n, s)| (n.clone(), s.clone())).unwrap();
        let mut slice = Slice::clone(&slice);
        match b % 10 {
            0 => return drop(self.standing.slices.remove(&name)),
            1 => drop(slice.endpoints.pop()),
            2 => slice.endpoints.extend(slice.endpoints.first().cloned()),
            3 => slice.endpoints.reverse(),
            4 => slice.labels = Labels::new(slice.labels.iter().cloned().chain([("x".into(), "y".into())])),
            5 => slice.owners = Arc::from([]),
            6 => slice.ports = slice.ports.iter().rev().cloned().collect(),
            7 => slice.endpoints.clear(),
            8 => {
                for endpoint in &mut slice.endpoints {
                    let zones = vec![Text::new("zone-b")];
                    Arc::make_mut(endpoint).hints =
                        Some(Box::new(Hints { for_zones: zones, for_nodes: vec![] }));
                }
            }
            _ => {
                let other = self.standing.slices.values().nth((a / 7) % self.standing.slices.len()).unwrap();
                if other.address_type == slice.address_type {
                    slice.endpoints.extend(other.endpoints.iter().take(3).cloned());
                }
            }
        }
        self.standing.tamper(slice);
    }
}

fn dual(n: usize) -> Pod {
    Pod { ips: ips(&[&ipv4(n), &ipv6(n)]), ports: containers(n % 2), ..pod(n) }
}

fn node_name(b: usize) -> Option<Text> {
    [Some("n1"), Some("n2"), Some("n3"), Some("gone"), None][b % 5].map(Text::new)
}

fn containers(b: usize) -> Arc<[ContainerPort]> {
    let tcp = |name, number| (name, number, Protocol::TCP);
    match b % 5 {
        0 => container_ports(&[tcp("http", 8080)]),
        1 => container_ports(&[tcp("http", 9090)]),
        2 => container_ports(&[tcp("http", 8080), tcp("admin", 1)]),
        3 => container_ports(&[tcp("admin", 2)]),
        _ => container_ports(&[]),
    }
}

fn service_ports(b: usize) -> Vec<ServicePort> {
    match b % 6 {
        0 => vec![service_port("", 80, TargetPort::Number(8080))],
        1 => vec![service_port("", 80, by_name("http"))],
        2 => vec![service_port("http", 80, by_name("http")), service_port("admin", 81, by_name("admin"))],
        3 => vec![service_port("web", 80, by_name("http"))],
        4 => vec![service_port("http", 80, by_name("admin")), service_port("admin", 81, by_name("http"))],
        _ => vec![],
    }
}
