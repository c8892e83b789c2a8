//! Topology hints, the last stage of a plan of the selector loop: it sees what every slice of an
//! address type would hold, corrects hints there, and may make a slice be written that was to be
//! left alone.

mod auto;
mod balance;
mod distribution;
pub mod ratios;
pub mod report;

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{Endpoint, Hints, Nodes, Service, Text, TopologyMode};
use ratios::{Off, Ratios};

/// Where the hints of a Service come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing asks for hints: there are none.
    Unset,
    /// `trafficDistribution` `PreferClose` or `PreferSameZone`: ready endpoints hint at their zone.
    SameZone,
    /// `trafficDistribution` `PreferSameNode`: ready endpoints hint at their zone and their node.
    SameNode,
    /// Topology mode Auto; suppresses `trafficDistribution`.
    Auto,
}

/// How the hints of all address types of a Service are found.
#[derive(Clone, Debug)]
pub enum Topology {
    /// Each endpoint for itself.
    Each(Rule),
    /// By topology mode Auto, from these shares of the zones or, without hints, for this reason.
    Auto(Result<Ratios, Off>),
}

/// What becomes of a slice before hints are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is created or updated with this content.
    Written,
    /// It is updated with this content and written once more later.
    WrittenForNow,
    /// It is left as it is.
    Untouched,
}

/// A slice as it would stand.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// What becomes of it.
    pub fate: Fate,
    /// Its endpoints. Owned ones are new content.
    pub endpoints: Cow<'a, [Arc<Endpoint>]>,
}

impl Rule {
    /// The rule of this Service.
    pub fn of(service: &Service) -> Rule {
        if service.topology_mode == TopologyMode::Auto {
            return Rule::Auto;
        }
        match service.traffic_distribution.as_deref() {
            Some("PreferClose" | "PreferSameZone") => Rule::SameZone,
            Some("PreferSameNode") => Rule::SameNode,
            _ => Rule::Unset,
        }
    }

    /// The Service's `trafficDistribution` where it is in force.
    pub fn distribution(self, service: &Service) -> Option<String> {
        match self {
            Rule::Unset | Rule::Auto => None,
            Rule::SameZone | Rule::SameNode => service.traffic_distribution.as_ref().map(|t| t.to_string()),
        }
    }

    /// The hints of an endpoint that is desired anew.
    pub fn wanted(self, ready: bool, zone: Option<&Text>, node: Option<&Text>) -> Option<Hints> {
        match self {
            Rule::Unset | Rule::Auto => None,
            Rule::SameZone if ready => distribution::hints(zone, None),
            Rule::SameNode if ready => distribution::hints(zone, node),
            Rule::SameZone | Rule::SameNode => None,
        }
    }
}

impl Topology {
    /// That of this Service. In mode Auto costs O(Nodes), else nothing.
    pub fn of(rule: Rule, nodes: &Nodes) -> Topology {
        match rule {
            Rule::Auto => Topology::Auto(Ratios::of(nodes)),
            Rule::Unset | Rule::SameZone | Rule::SameNode => Topology::Each(rule),
        }
    }

    /// Corrects the hints of all slices of one address type. A slice that was untouched and needs a
    /// correction has [`Fate::Written`] and owned endpoints afterwards. Answers what mode Auto came to.
    pub fn settle(&self, contents: &mut [Content<'_>]) -> Option<Result<(), Off>> {
        let outcome = match self {
            Topology::Each(rule) => {
                settle_each(*rule, contents);
                return None;
            }
            Topology::Auto(ratios) => {
                ratios.as_ref().map_err(Off::clone).and_then(|ratios| auto::share_out(ratios, contents))
            }
        };
        if outcome.is_err() {
            settle_each(Rule::Unset, contents);
        }
        Some(outcome)
    }
}

fn settle_each(rule: Rule, contents: &mut [Content<'_>]) {
    for content in contents {
        if content.endpoints.iter().all(|endpoint| distribution::fits(rule, endpoint)) {
            continue;
        }
        for endpoint in content.endpoints.to_mut() {
            distribution::correct(rule, endpoint);
        }
        if content.fate == Fate::Untouched {
            content.fate = Fate::Written;
        }
    }
}
