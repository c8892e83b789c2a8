//! What a plan is made from: an immutable picture of everything that one key's decision needs,
//! memory included.

use std::collections::BTreeSet;
use std::sync::Arc;

use smol_str::SmolStr;

use super::{Endpoints, Key, Nodes, Pod, PodTimes, Service, Slice, Time};

/// The planning settings, from the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `--max-endpoints-per-slice`, 1 to 1000.
    pub max_endpoints_per_slice: usize,
    /// `--mirroring-max-endpoints-per-subset`, 1 to 1000.
    pub mirroring_max_endpoints_per_subset: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { max_endpoints_per_slice: 100, mirroring_max_endpoints_per_subset: 1000 }
    }
}

/// What the trigger-time annotation needs to remember of a Service (upstream: TriggerTimeTracker).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TriggerMemory {
    /// Transition times already seen, by Pod name.
    pub pods: PodTimes,
    /// The Service's creation time already seen.
    pub service: Option<Time>,
    /// A trigger that was due to be written when a write failed: kept for the retry.
    pub pending: Option<Time>,
}

/// What one key remembers between two plans. Committed when the writes succeeded; after a failure
/// [`pending`](TriggerMemory::pending) and the names stay.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Memory {
    /// `None` until the first sync of this key in this process has succeeded.
    pub trigger: Option<TriggerMemory>,
    /// Computed names that were refused to this key (borne by an object that is not ours to plan).
    pub refused: BTreeSet<SmolStr>,
    /// What was reported by Event and still holds, so that an Event comes on change only.
    pub reported: BTreeSet<String>,
}

/// Everything that a plan of the selector loop for one Service reads.
#[derive(Clone, Debug)]
pub struct SelectorSnapshot {
    /// The Service.
    pub service: Arc<Service>,
    /// All Pods of the namespace that its selector matches, eligible or not, in any order.
    pub pods: Vec<Arc<Pod>>,
    /// All Nodes.
    pub nodes: Arc<Nodes>,
    /// All slices with this Service's service-name label and this loop's managed-by, those with a
    /// deletionTimestamp too, in any order.
    pub slices: Vec<Arc<Slice>>,
    /// Names that no create may take: of slices known in the namespace (any owner, terminating or
    /// undecodable too) and of those deleted by this process in the last ten minutes. Only names
    /// that this Service's computed names can collide with need be here.
    pub names: BTreeSet<SmolStr>,
    /// What this key remembers.
    pub memory: Memory,
    /// Trigger times before this count as seen where slices of the Service exist and nothing is
    /// remembered: the time the lease was taken (without a lease: the process start), less one
    /// lease duration. `None`: everything counts as seen (`plan` on a dump).
    pub epoch: Option<Time>,
    /// When not `None`: computed names were refused eight times in this sync; names are drawn from this seed.
    pub salt: Option<u64>,
    /// The planning settings.
    pub settings: Arc<Settings>,
}

/// Everything that a plan of the mirroring loop for one Endpoints key reads.
#[derive(Clone, Debug)]
pub struct MirrorSnapshot {
    /// Namespace and name of the Endpoints.
    pub key: Key,
    /// The Endpoints; `None` when there is none.
    pub endpoints: Option<Arc<Endpoints>>,
    /// The Service of that name; `None` when there is none.
    pub service: Option<Arc<Service>>,
    /// All slices with that service-name label and this loop's managed-by, those with a
    /// deletionTimestamp too, in any order.
    pub slices: Vec<Arc<Slice>>,
    /// As [`SelectorSnapshot::names`].
    pub names: BTreeSet<SmolStr>,
    /// What this key remembers.
    pub memory: Memory,
    /// As [`SelectorSnapshot::salt`].
    pub salt: Option<u64>,
    /// The planning settings.
    pub settings: Arc<Settings>,
}
