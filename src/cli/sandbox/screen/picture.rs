//! What the live screen shows at one moment.

use std::time::{Duration, Instant};

use crate::cli::sandbox::observer::{Event, Observer, Second, SeenService};
use crate::model::{AddressType, Key};

/// How far back the latencies on the screen reach.
const LATENCY_WINDOW: Duration = Duration::from_secs(60);
/// How many Events are shown at most.
const EVENTS: usize = 20;

/// What does not change while the sandbox runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `http://127.0.0.1:6443`.
    pub server: String,
    /// Path of the kubeconfig.
    pub kubeconfig: String,
    /// Endpoints that one slice has room for.
    pub room: usize,
}

/// What a Service is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// With a cluster IP.
    ClusterIp,
    /// `clusterIP: None`.
    Headless,
    /// Without a selector.
    NoSelector,
    /// A name elsewhere.
    ExternalName,
}

impl Sort {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Sort::ClusterIp => "cluster IP",
            Sort::Headless => "headless",
            Sort::NoSelector => "no selector",
            Sort::ExternalName => "external",
        }
    }
}

/// One slice as a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Endpoints in it.
    pub endpoints: usize,
    /// Those that are ready.
    pub ready: usize,
}

/// A Service on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLine {
    /// Its key.
    pub key: Key,
    /// What it is.
    pub sort: Sort,
    /// Pods that are ready, of those that it selects; `None` without a selector.
    pub pods: Option<(usize, usize)>,
    /// Its slices by address type, each sort in the order of their names.
    pub slices: Vec<(AddressType, Vec<Bar>)>,
}

/// All that is on the screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// What does not change.
    pub facts: Facts,
    /// Since the start.
    pub uptime: Duration,
    /// Time from the start to the first slice.
    pub first_slice: Option<Duration>,
    /// Nodes.
    pub nodes: usize,
    /// Pods that are ready, and all.
    pub pods: (usize, usize),
    /// Slices.
    pub slices: usize,
    /// Services in order.
    pub services: Vec<ServiceLine>,
    /// The Service on which keys act.
    pub selected: usize,
    /// Rates, oldest first.
    pub seconds: Vec<Second>,
    /// p50 and p99 of the last minute, in microseconds.
    pub latency: Option<[u64; 2]>,
    /// Addresses that slices do not yet show as they should.
    pub waiting: usize,
    /// Kubernetes Events, newest first.
    pub events: Vec<Event>,
    /// What the last key did.
    pub said: Option<String>,
    /// The last line of the log.
    pub log: Option<String>,
}

impl Picture {
    /// What is seen now; nothing is selected or said yet.
    #[must_use]
    pub fn of(observer: &Observer, facts: &Facts, nodes: usize, born: Instant) -> Picture {
        let now = Instant::now();
        let from = now.checked_sub(LATENCY_WINDOW).unwrap_or(born);
        Picture {
            facts: facts.clone(),
            uptime: now.saturating_duration_since(born),
            first_slice: observer.first_slice(),
            nodes,
            pods: observer.pods(),
            slices: observer.slices(),
            services: observer.services().map(|(key, seen)| line(key, seen)).collect(),
            selected: 0,
            seconds: observer.seconds().collect(),
            latency: observer.oracle().recent(from, [50.0, 99.0]),
            waiting: observer.oracle().waiting(),
            events: observer.events().take(EVENTS).cloned().collect(),
            said: None,
            log: None,
        }
    }

    /// The Service on which keys act.
    #[must_use]
    pub fn chosen(&self) -> Option<&ServiceLine> {
        self.services.get(self.selected)
    }
}

fn line(key: &Key, seen: &SeenService) -> ServiceLine {
    let sort = match (&seen.row.selector, seen.row.cluster_ip.as_str()) {
        _ if seen.row.external_name => Sort::ExternalName,
        (None, _) => Sort::NoSelector,
        (Some(_), "None") => Sort::Headless,
        (Some(_), _) => Sort::ClusterIp,
    };
    let mut slices: Vec<(AddressType, Vec<Bar>)> = Vec::new();
    for slice in seen.slices.values() {
        let bar = Bar { endpoints: slice.endpoints, ready: slice.ready };
        match slices.iter_mut().find(|(address_type, _)| *address_type == slice.address_type) {
            Some((_, bars)) => bars.push(bar),
            None => slices.push((slice.address_type.clone(), vec![bar])),
        }
    }
    slices.sort_by(|(a, _), (b, _)| a.cmp(b));
    let pods = seen.row.selector.is_some().then_some((seen.ready, seen.pods.len()));
    ServiceLine { key: key.clone(), sort, pods, slices }
}
