//! The scenarios: which state, which flags, which steps.

use crate::options::{Name, Options};
use crate::subject::Kind;
use crate::support::bulk::Size;

/// What is done, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Start, until every endpoint stands in a slice.
    Fill,
    /// Nothing.
    Idle,
    /// Readiness changes, each on another Pod.
    Spread,
    /// Readiness changes of the Pods of one Service.
    One,
    /// Pods are replaced by new ones with other addresses.
    Rolling,
    /// The API server is restarted.
    Storm,
    /// The program is restarted, with nothing to write.
    Restart,
    /// The program is restarted while changes are made.
    RestartAmidChanges,
}

/// A state, the flags and the steps.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// In the report and in the JSON.
    pub name: String,
    pub size: Size,
    pub steps: Vec<Step>,
    ours: Vec<String>,
    peer: Vec<String>,
}

impl Scenario {
    fn new(name: impl Into<String>, size: Size, steps: &[Step]) -> Scenario {
        Scenario { name: name.into(), size, steps: steps.to_vec(), ours: Vec::new(), peer: Vec::new() }
    }

    fn both(mut self, flag: &str) -> Scenario {
        self.ours.push(flag.to_owned());
        self.peer.push(flag.to_owned());
        self
    }

    fn peer(mut self, flag: &str) -> Scenario {
        self.peer.push(flag.to_owned());
        self
    }

    /// The flags for one of the programs.
    pub fn flags(&self, kind: Kind, options: &Options) -> Vec<String> {
        let (own, more) = match kind {
            Kind::Ours => (&self.ours, &options.ours_flag),
            Kind::Peer => (&self.peer, &options.peer_flag),
        };
        let elect = format!("--leader-elect={}", options.leader_elect);
        [elect].into_iter().chain(own.iter().cloned()).chain(more.iter().cloned()).collect()
    }
}

/// The Services per namespace for the curve.
const CURVE: [usize; 4] = [10, 100, 1_000, 5_000];

/// What the options ask for.
pub fn chosen(options: &Options) -> Vec<Scenario> {
    let part = if options.small { 10 } else { 1 };
    let wanted = |name: Name| options.scenario.is_empty() || options.scenario.contains(&name);
    let size = |namespaces: usize, nodes: usize, services: usize, pods: usize| Size {
        namespaces: namespaces.min(services / part).max(1),
        nodes: (nodes / part).max(3),
        services: services / part,
        pods: pods / part,
        seed: options.seed,
    };
    let mut scenarios = Vec::new();
    if wanted(Name::Cluster) {
        let default = size(100, 2_000, 5_000, 51_000);
        let services = options.services.unwrap_or(default.services);
        let size = Size {
            namespaces: options.namespaces.unwrap_or(default.namespaces).min(services),
            nodes: options.nodes.unwrap_or(default.nodes),
            services,
            pods: options.pods.unwrap_or(default.pods),
            seed: options.seed,
        };
        let steps =
            [Step::Fill, Step::Idle, Step::Spread, Step::One, Step::Rolling, Step::Storm, Step::Restart];
        scenarios.push(Scenario::new("cluster", size, &steps));
    }
    if wanted(Name::OneNamespace) {
        let steps = [Step::Fill, Step::RestartAmidChanges];
        scenarios.push(Scenario::new("one namespace", size(1, 200, 5_000, 20_000), &steps));
    }
    if wanted(Name::Shipped) {
        let shipped = Scenario::new("as shipped", size(20, 200, 1_000, 10_000), &[Step::Fill, Step::Spread]);
        scenarios.push(shipped.peer("--kube-api-qps=20").peer("--kube-api-burst=30"));
    }
    if wanted(Name::Batch) {
        let batch = Scenario::new("batch period 500 ms", size(1, 100, 50, 10_000), &[Step::Fill, Step::One]);
        scenarios.push(batch.both("--endpointslice-updates-batch-period=500ms"));
    }
    if wanted(Name::Flat) {
        for services in CURVE {
            let size = Size { services: services / part.min(services / 10), ..size(1, 100, 10 * part, 0) };
            let size = Size { pods: size.services * 2 + 200, ..size };
            let name = format!("{} Services in the namespace", size.services);
            scenarios.push(Scenario::new(name, size, &[Step::Fill, Step::Spread]));
        }
    }
    if wanted(Name::Large) {
        for endpoints in [1_000, 10_000] {
            let large = size(1, 200, 5 * part, 5 * endpoints);
            let name = format!("a Service of {} endpoints", endpoints / part);
            scenarios.push(Scenario::new(name, large, &[Step::Fill, Step::One]));
        }
    }
    scenarios
}
