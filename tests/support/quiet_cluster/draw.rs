//! What the seed decides: names, addresses, nodes, and the state of a Pod.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::pods::{Object, pod};

pub const NODES: usize = 12;
/// Annotation of a Pod that is to be deleted with a long grace period once it exists.
pub const TERMINATING: &str = "stage.example.org/terminating";
/// Annotation of a Service whose selector is removed later.
pub const SELECTOR_REMOVED: &str = "stage.example.org/selector-removed";

/// A random source with counters for what must be unique.
pub struct Draw {
    pub random: StdRng,
    next_pod: u32,
    next_address: u32,
}

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw { random: StdRng::seed_from_u64(seed), next_pod: 0, next_address: 0 }
    }

    /// A Service name of its own; some as long as allowed.
    pub fn service_name(&mut self, kind: &str, number: usize) -> String {
        let name = format!("{kind}-{number}-{}", self.word(4));
        if kind == "long-name" { format!("{name:x<63}") } else { name }
    }

    /// Lower-case letters.
    pub fn word(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(self.random.random_range(b'a'..=b'z'))).collect()
    }

    pub fn between(&mut self, low: usize, high: usize) -> usize {
        self.random.random_range(low..=high)
    }

    pub fn one_in(&mut self, of: u32) -> bool {
        self.random.random_ratio(1, of)
    }

    /// A node that exists.
    pub fn node(&mut self) -> String {
        node_name(self.random.random_range(0..NODES))
    }

    /// A node that exists and has a zone.
    pub fn node_with_zone(&mut self) -> String {
        node_name(self.random.random_range(1..NODES))
    }

    /// An IPv4 and an IPv6 address that nobody else has.
    pub fn addresses(&mut self) -> (String, String) {
        self.next_address += 1;
        let number = self.next_address;
        let v4 = format!("10.200.{}.{}", number >> 8, number & 255);
        (v4, format!("fd00:2::{number:x}"))
    }

    /// A ready Pod on some node with one IPv4 address, selected by `app`.
    pub fn pod(&mut self, app: &str) -> Object {
        let (v4, _) = self.addresses();
        self.pod_at(app, &[&v4])
    }

    /// The same with these addresses.
    pub fn pod_at(&mut self, app: &str, addresses: &[&str]) -> Object {
        self.next_pod += 1;
        let word = self.word(3);
        let name = format!("pod-{}-{word}", self.next_pod);
        pod(&name, app, addresses[0]).ips(addresses).on(&self.node())
    }

    /// A Pod, now and then not ready.
    pub fn usual_pod(&mut self, app: &str) -> Object {
        let ready = !self.one_in(6);
        self.pod(app).ready(ready)
    }

    /// Between `low` and `high` usual Pods.
    pub fn usual_pods(&mut self, app: &str, low: usize, high: usize) -> Vec<Object> {
        (0..self.between(low, high)).map(|_| self.usual_pod(app)).collect()
    }
}

pub fn node_name(number: usize) -> String {
    format!("quiet-node-{number}")
}
