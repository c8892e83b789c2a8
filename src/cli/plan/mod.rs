//! `plan`: what would be written, without writing. From a dump of a cluster or from the cluster
//! itself; the decisions are those of the controller at its start.

mod cluster;
mod consumers;
mod dump;
mod live;
mod output;
mod table;

use std::io::Read;
use std::path::PathBuf;

use thiserror::Error;

pub use self::cluster::Cluster;
use self::cluster::Planner;
use self::dump::Dump;
pub use self::live::live;
pub use super::args::{Format, PlanArgs};
use super::config::{FlagError, loops, settings};
use crate::model::{Key, Loop, OwnerReference, Slice};
use crate::plan::{Operation, Plan, Write};

/// Exit code with `--exit-code` when there is something to write.
pub const WRITES_EXIT_CODE: u8 = 3;

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A flag cannot be used.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// The cluster cannot be reached or read.
    #[error("{0}")]
    Cluster(String),
    /// A file cannot be read.
    #[error("{file}: cannot be read: {source}", file = file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A dump is not as expected.
    #[error("{place}: {message}")]
    Dump {
        /// File, document and element.
        place: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// Pods name Nodes, and no Node is there: all their endpoints would be left out.
    #[error(
        "no Node in the dump, but Pod {pod} names Node {node:?}: expected the Nodes beside the Pods \
         (kubectl get services,pods,nodes,endpoints,endpointslices -A -o json)"
    )]
    NoNodes {
        /// The first of the Pods.
        pod: Key,
        /// The Node that it names.
        node: String,
    },
    /// A Service that was asked for is not there.
    #[error("service {0}: not found; expected a Service or Endpoints of that name")]
    NotFound(String),
    /// The writes cannot be printed.
    #[error("the plan cannot be printed: {0}")]
    Output(String),
}

/// What `plan` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For standard output.
    pub text: String,
    /// Lines for standard error: what would be reported by Event, what of a dump was not used.
    pub notes: Vec<String>,
    /// How many writes there are.
    pub writes: usize,
    /// The exit code: 0, or 3 with `--exit-code` when there are writes.
    pub exit_code: u8,
}

/// A write with the key and the loop that it is made for.
#[derive(Debug)]
struct PlannedWrite {
    key: Key,
    which: Loop,
    write: Write,
}

/// Plans from the files of `args`; `stdin` is read where one of them is `-`.
///
/// # Errors
/// The first thing that is wrong with flags, files or the names of Services.
pub fn offline(args: &PlanArgs, stdin: &mut dyn Read) -> Result<Outcome, PlanError> {
    let mut dump = Dump::default();
    for file in &args.files {
        dump.read(file, stdin)?;
    }
    let on = loops(&args.planning.controllers)?;
    let on_a_node = dump.cluster.pods.values().find_map(|pod| Some((&pod.key, pod.node.as_ref()?)));
    if let Some((pod, node)) =
        on_a_node.filter(|_| on.contains(&Loop::Selector) && dump.cluster.nodes.is_empty())
    {
        return Err(PlanError::NoNodes { pod: pod.clone(), node: node.to_string() });
    }
    let mut outcome = outcome(args, &dump.cluster)?;
    let ignored: Vec<String> = dump.ignored.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if !ignored.is_empty() {
        outcome.notes.push(format!("not used of the dump: {}", ignored.join(", ")));
    }
    Ok(outcome)
}

/// Plans for the objects of a cluster.
///
/// # Errors
/// A flag out of range, or a Service that is not there.
pub fn outcome(args: &PlanArgs, cluster: &Cluster) -> Result<Outcome, PlanError> {
    let planner = Planner::new(cluster, settings(&args.planning)?);
    let wanted = Wanted::new(args)?;
    wanted.check(&planner, cluster)?;
    let mut keys: Vec<(Key, Loop)> = Vec::new();
    for which in loops(&args.planning.controllers)? {
        keys.extend(planner.keys(which).into_iter().map(|key| (key, which)));
    }
    keys.retain(|(key, _)| wanted.has(key));
    keys.sort();

    let (mut writes, mut notes) = (Vec::new(), Vec::new());
    for (key, which) in keys {
        let plan = planner.plan(which, &key);
        note(&key, &plan, &mut notes);
        let shown = plan.writes.into_iter().filter(|write| args.deep || !owners_only(write));
        writes.extend(shown.map(|write| PlannedWrite { key: key.clone(), which, write }));
    }
    let exit_code = if args.exit_code && !writes.is_empty() { WRITES_EXIT_CODE } else { 0 };
    Ok(Outcome {
        text: output::render(&writes, cluster, args.output)?,
        notes,
        writes: writes.len(),
        exit_code,
    })
}

fn note(key: &Key, plan: &Plan, notes: &mut Vec<String>) {
    notes.extend(plan.reports.iter().map(|report| format!("{key}: {}: {}", report.reason, report.message)));
}

/// Whether a write repairs owner references and nothing else. An owner of an earlier object of the
/// same name is more than that: garbage collection would take the slice.
fn owners_only(write: &Write) -> bool {
    let Some(base) = write.base.as_ref().filter(|_| write.operation == Operation::Update) else {
        return false;
    };
    let others_equal = Slice { owners: base.owners.clone(), ..write.slice.clone() } == **base;
    let outlived = base.owners.iter().any(|old| {
        let same_name = |new: &&OwnerReference| new.kind == old.kind && new.name == old.name;
        write.slice.owners.iter().find(same_name).is_some_and(|new| new.uid != old.uid)
    });
    others_equal && !outlived
}

/// The keys that were asked for.
struct Wanted {
    namespace: Option<String>,
    names: Vec<(Option<String>, String)>,
}

impl Wanted {
    fn new(args: &PlanArgs) -> Result<Wanted, PlanError> {
        let mut names = Vec::new();
        for given in &args.services {
            let (namespace, name) = match given.split_once('/') {
                Some((namespace, name)) => (Some(namespace.to_owned()), name),
                None => (args.namespace.clone(), given.as_str()),
            };
            if args.namespace.is_some() && namespace != args.namespace {
                return Err(PlanError::NotFound(format!("{given} in the namespace of --namespace")));
            }
            names.push((namespace, name.to_owned()));
        }
        Ok(Wanted { namespace: args.namespace.clone(), names })
    }

    fn has(&self, key: &Key) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| key.namespace == **namespace)
            && (self.names.is_empty() || self.names.iter().any(|name| matches(name, key)))
    }

    /// Whether each name is that of something.
    fn check(&self, planner: &Planner<'_>, cluster: &Cluster) -> Result<(), PlanError> {
        let mirrored = planner.keys(Loop::Mirroring);
        for name in &self.names {
            if !cluster.services.keys().chain(&mirrored).any(|key| matches(name, key)) {
                let (namespace, service) = name;
                let namespace = namespace.as_ref().map(|namespace| format!("{namespace}/"));
                return Err(PlanError::NotFound(namespace.unwrap_or_default() + service));
            }
        }
        Ok(())
    }
}

fn matches((namespace, name): &(Option<String>, String), key: &Key) -> bool {
    namespace.as_ref().is_none_or(|namespace| key.namespace == **namespace) && key.name == **name
}
