//! Random histories: a population of Services with their Pods, Nodes and Endpoints in one namespace,
//! and steps of operations on it. A seed decides a history down to the last byte, whatever any server
//! answers and however long it takes; so the same history can be played on two clusters, printed,
//! played again, and made shorter.
//!
//! Operations are plain data and speak of objects by name. [`Change::apply`] performs one in a
//! [`World`](super::World), whose namespace becomes a part of the names of Nodes. [`State`] is what
//! the objects are after some changes, without any server.

mod apply;
mod draw;
mod state;
mod tamper;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use apply::{Outcome, apply_all};
pub use draw::Shape;
pub use state::State;
pub use tamper::{Tampering, ours};

/// A kind of objects that histories change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    Node,
    Service,
    Pod,
    Endpoints,
}

impl Kind {
    /// The word in paths of the API.
    pub fn collection(self) -> &'static str {
        match self {
            Kind::Node => "nodes",
            Kind::Service => "services",
            Kind::Pod => "pods",
            Kind::Endpoints => "endpoints",
        }
    }
}

/// Whose program is killed and started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Program {
    Ours,
    Peer,
}

/// What is done. Objects and patches name Nodes without the namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// The object with its status. Nothing happens where one of that name exists.
    Create(Kind, Value),
    /// A merge patch; on an object that does not exist nothing.
    Patch(Kind, String, Value),
    /// A merge patch on the status.
    PatchStatus(Kind, String, Value),
    /// At once; an object with finalizers stays with a deletionTimestamp.
    Delete(Kind, String),
    /// A Pod is asked to go, and stays for now.
    Terminate(String),
    /// A Pod without a Node is put on one.
    Bind(String, String),
    /// Somebody changes one slice: the n-th of this Service, in the order of what they say.
    Tamper { service: String, nth: usize, how: Tampering },
    /// For the runner: only it knows the programs.
    Restart(Program),
}

/// An operation, its number in the history, and what it is called in counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub number: usize,
    pub why: String,
    pub operation: Operation,
}

/// Changes that are made without waiting in between.
pub type Step = Vec<Change>;

/// A population and what happens to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    pub seed: u64,
    /// Whether its Nodes count for topology mode Auto, whose hints depend on all Nodes of a cluster:
    /// such a history must not share its cluster with another of that kind at the same time.
    pub auto: bool,
    pub start: Step,
    pub steps: Vec<Step>,
}

impl History {
    /// The history of this seed.
    pub fn draw(seed: u64, shape: &Shape) -> History {
        draw::draw(seed, shape)
    }

    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.start.iter().chain(self.steps.iter().flatten())
    }

    /// The same history with only some of its changes; steps that are left empty are gone.
    pub fn keep(&self, wanted: impl Fn(&Change) -> bool) -> History {
        let some = |step: &Step| -> Step { step.iter().filter(|change| wanted(change)).cloned().collect() };
        let steps = self.steps.iter().map(some).filter(|step| !step.is_empty()).collect();
        History { start: some(&self.start), steps, ..self.clone() }
    }

    /// The same history with only the changes of these numbers.
    pub fn only(&self, numbers: &BTreeSet<usize>) -> History {
        self.keep(|change| numbers.contains(&change.number))
    }

    /// What the objects are when all of it has happened.
    pub fn end(&self) -> State {
        let mut state = State::default();
        self.changes().for_each(|change| state.apply(&change.operation));
        state
    }
}

impl Operation {
    /// The object that is changed; of a slice its Service.
    pub fn target(&self) -> Option<(Kind, &str)> {
        match self {
            Operation::Create(kind, object) => Some((*kind, object["metadata"]["name"].as_str()?)),
            Operation::Patch(kind, name, _)
            | Operation::PatchStatus(kind, name, _)
            | Operation::Delete(kind, name) => Some((*kind, name)),
            Operation::Terminate(name) | Operation::Bind(name, _) => Some((Kind::Pod, name)),
            Operation::Tamper { service, .. } => Some((Kind::Service, service)),
            Operation::Restart(_) => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Create(kind, object) => write!(f, "create {} {object}", kind.collection()),
            Operation::Patch(kind, name, patch) => write!(f, "patch {}/{name} {patch}", kind.collection()),
            Operation::PatchStatus(kind, name, patch) => {
                write!(f, "patch status of {}/{name} {patch}", kind.collection())
            }
            Operation::Delete(kind, name) => write!(f, "delete {}/{name}", kind.collection()),
            Operation::Terminate(name) => write!(f, "terminate pods/{name}"),
            Operation::Bind(name, node) => write!(f, "bind pods/{name} to {node}"),
            Operation::Tamper { service, nth, how } => {
                write!(f, "tamper with slice {nth} of {service}: {how:?}")
            }
            Operation::Restart(program) => write!(f, "restart {program:?}"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:4} {:32} {}", self.number, self.why, self.operation)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "history of seed {}{}", self.seed, if self.auto { ", with mode Auto" } else { "" })?;
        writeln!(f, "start:")?;
        self.start.iter().try_for_each(|change| writeln!(f, "  {change}"))?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "step {number}:")?;
            step.iter().try_for_each(|change| writeln!(f, "  {change}"))?;
        }
        Ok(())
    }
}
