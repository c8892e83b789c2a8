//! What topology mode Auto measures by: the share of the cluster's CPU in each zone, and from it how
//! many endpoints each zone should have.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::model::{Nodes, Text};

/// How much more than its fair share of the traffic an endpoint may get.
const OVERLOAD: f64 = 0.2;

/// Why an address type has no hints in mode Auto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Off {
    /// This eligible Node has no zone, or no allocatable CPU.
    Node(Text),
    /// Eligible Nodes are in so few zones (none or one).
    Zones(usize),
    /// There are fewer ready endpoints than zones.
    Endpoints {
        /// Ready endpoints.
        ready: usize,
        /// Zones with eligible Nodes.
        zones: usize,
    },
    /// There are too few ready endpoints to give each zone the least that it needs.
    Minimum {
        /// Ready endpoints.
        ready: usize,
        /// Sum of what the zones need.
        needed: usize,
    },
    /// This ready endpoint, by its first address, has no zone.
    Endpoint(String),
}

/// The zones with eligible Nodes (at least two), sorted, and their shares of the CPU.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratios(Vec<(Text, f64)>);

/// How many endpoints one zone should have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Want {
    /// The share of the zone, not less than the minimum.
    pub exactly: f64,
    /// With fewer, an endpoint would get more than 1.2 times its fair share.
    pub minimum: usize,
    /// With more, not every other zone could have its minimum.
    pub maximum: usize,
}

impl Ratios {
    /// Measures the Nodes: those that are ready and no control plane.
    ///
    /// # Errors
    /// [`Off::Node`] and [`Off::Zones`].
    pub fn of(nodes: &Nodes) -> Result<Ratios, Off> {
        let mut zones: BTreeMap<&Text, u64> = BTreeMap::new();
        let mut faulty: Option<&SmolStr> = None;
        for node in nodes.values().filter(|node| node.ready && !node.control_plane) {
            match (&node.zone, node.cpu_milli) {
                (Some(zone), Some(cpu)) if cpu > 0 => {
                    let sum = zones.entry(zone).or_default();
                    *sum = sum.saturating_add(cpu);
                }
                // Nodes come in any order: the first by name is named.
                _ => faulty = faulty.into_iter().chain([&node.key.name]).min(),
            }
        }
        if let Some(name) = faulty {
            return Err(Off::Node(Text::new(name)));
        }
        if zones.len() < 2 {
            return Err(Off::Zones(zones.len()));
        }
        let total = zones.values().fold(0u64, |sum, cpu| sum.saturating_add(*cpu)) as f64;
        Ok(Ratios(zones.into_iter().map(|(zone, cpu)| (zone.clone(), cpu as f64 / total)).collect()))
    }

    /// The zones, sorted.
    pub fn zones(&self) -> impl Iterator<Item = &Text> {
        self.0.iter().map(|(zone, _)| zone)
    }

    /// What each zone should have of so many ready endpoints, in the order of the zones. Computed in
    /// the same floating-point steps as upstream, so that both round the same cases the same way.
    ///
    /// # Errors
    /// [`Off::Endpoints`] and [`Off::Minimum`].
    pub fn wants(&self, ready: usize) -> Result<Vec<Want>, Off> {
        let zones = self.0.len();
        if zones > ready {
            return Err(Off::Endpoints { ready, zones });
        }
        let mut wants: Vec<Want> = Vec::with_capacity(zones);
        for (_, ratio) in &self.0 {
            let share = ratio * ready as f64;
            let minimum = (share * (1.0 / (1.0 + OVERLOAD))).ceil();
            wants.push(Want { exactly: share.max(minimum), minimum: minimum as usize, maximum: 0 });
        }
        let needed = wants.iter().map(|want| want.minimum).sum();
        let Some(spare) = ready.checked_sub(needed) else { return Err(Off::Minimum { ready, needed }) };
        for want in &mut wants {
            want.maximum = want.minimum + spare;
        }
        Ok(wants)
    }
}
