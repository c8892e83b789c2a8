//! Every decision, as pure functions of a snapshot: no clock, no randomness, no I/O, no logging.
//!
//! [`selector::plan`] and [`mirror::plan`] look at a snapshot and return a [`Plan`]: the writes in
//! the order in which they are to be made, and the memory that the next plan needs. [`progress`]
//! walks a plan write by write and holds the guard of the never-absent promise: no write takes a
//! live address out of the last slice that holds it, whatever failed before.

pub mod arrange;
pub mod endpoint;
pub mod fill;
pub mod hints;
pub mod kept;
pub mod labels;
pub mod mirror;
pub mod names;
pub mod ports;
pub mod progress;
pub mod selector;
pub mod syntax;
pub mod trigger;

use std::sync::Arc;

use crate::model::snapshot::Memory;
use crate::model::{AddressType, Refusal, Slice, Text};

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// POST of a slice that is not there yet.
    Create,
    /// PUT of the whole slice, with the resourceVersion of its base.
    Update,
    /// DELETE with uid and resourceVersion of its base as preconditions.
    Delete,
}

impl Operation {
    /// `create`, `update` or `delete`, as in output and in the label `operation` of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Delete => "delete",
        }
    }
}

/// When a write comes among the writes of its plan. Stages are made one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Creates that take over nothing.
    Creates,
    /// Updates, and the creates and second writes that the order of never-absent asks for.
    Updates,
    /// Deletes of slices that are no longer desired.
    Deletes,
    /// Deletes of slices that are not owned, or of an address type that the Service has not.
    Leftovers,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What it does.
    pub operation: Operation,
    /// Its stage.
    pub stage: Stage,
    /// The slice as it would stand afterwards; for a delete as it stands.
    /// A create has no uid and version 0. An update has those of its base, except the second write of
    /// a slice that is written twice: its version is the one that the first write's answer brings.
    pub slice: Slice,
    /// The slice that is updated or deleted, as the plan saw it.
    pub base: Option<Arc<Slice>>,
}

/// Something that a person should hear of as an Event on the source object, once as long as it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Report {
    /// Whether it is a Warning (else Normal).
    pub warning: bool,
    /// Reason of the Event, from tables.md (`InvalidIPAddress`, `TooManyAddressesToMirror`,
    /// `FailedToUpdateEndpointSlices`, `TopologyAwareHintsEnabled`, `TopologyAwareHintsDisabled`).
    pub reason: &'static str,
    /// A sentence that names the thing, the value and what was expected.
    pub message: String,
}

/// Counts of one address type in one sync, observed before the writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyFigures {
    /// The address type.
    pub address_type: AddressType,
    /// Endpoints that were in no slice before.
    pub added: usize,
    /// Endpoints dropped, counted per slice.
    pub removed: usize,
    /// Endpoints changed in place (the mirroring loop has a metric for them).
    pub updated: usize,
    /// Endpoints that are desired.
    pub desired_endpoints: usize,
    /// Slices that stand when the plan is done.
    pub slices: usize,
    /// Slices that would do: per group ceil(n / max), at least 1 per address type.
    pub desired_slices: usize,
}

/// What the metrics need to know of a sync.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Figures {
    /// Per address type.
    pub families: Vec<FamilyFigures>,
    /// Whether hints come from topology-mode Auto.
    pub topology_auto: bool,
    /// `spec.trafficDistribution` in force (Auto suppresses it).
    pub traffic_distribution: Option<String>,
    /// Addresses that the mirroring loop skipped (invalid, or over the limit).
    pub skipped: usize,
    /// Addresses left out because the API server would refuse them, by reason.
    pub refused: Vec<(Refusal, usize)>,
    /// Why no endpoint at all is desired, when none is: a word for the label `reason` of
    /// `endpointslice_services_without_endpoints` (`no-pods`, `no-ready-address`, …).
    pub without_endpoints: Option<&'static str>,
}

/// A decision: what is to be written, in order, and what is to be remembered.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// The writes, in the order in which they are made. Empty when all stands as it should.
    pub writes: Vec<Write>,
    /// The memory for the next plan of this key, to be committed when every write succeeded.
    pub memory: Memory,
    /// What is new to report (what still holds from before is not repeated).
    pub reports: Vec<Report>,
    /// Counts for the metrics.
    pub figures: Figures,
    /// Names of Nodes that Pods name and that are not known: the key is to be queued again when one
    /// appears. Not empty counts as `syncs{result="error"}`, as upstream does.
    pub unknown_nodes: Vec<Text>,
}
