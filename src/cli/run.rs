//! `run`: wires the parts together and lives through the life of a process.
//!
//! The order is that of safety. Sockets are bound first, then clients are made, then streams: the
//! slices are listed before everything they were made from. Nothing is planned before this process
//! leads (or needs not to), the slices were read consistently at a version, and every stream has
//! reached it. On SIGTERM no new write starts, those under way are awaited, and the lease is
//! released; a lost lease ends the process with exit code 1.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::config::{ElectionConfig, RunConfig};
use super::feeds::Feeds;
use crate::control::Controller;
use crate::control::events::{EventRecorder, EventSink};
use crate::control::metrics::ControlMetrics;
use crate::control::write::{Fence, NoElection, Writer};
use crate::kubeapi::client::{ClientError, Clients, Environment, Flags, own_namespace};
use crate::kubeapi::lease::{KubeLease, LeaderState, Lease, LeaseConfig, new_identity};
use crate::kubeapi::metrics::RequestMetrics;
use crate::kubeapi::scrape::ScrapeReviews;
use crate::kubeapi::stream::StreamMetrics;
use crate::kubeapi::writer::{KubeWriter, WriterConfig};
use crate::model::{Loop, Time};
use crate::serve::{self, Certificates, Check, Site};

/// How long writes under way are awaited on SIGTERM.
const LAST_WRITES: Duration = Duration::from_millis(700);
/// How often it is looked at whether every stream is alive.
const HEALTH_PERIOD: Duration = Duration::from_secs(1);
/// How much longer than its lease a leader may go on without renewing before it is called dead; as
/// kube-controller-manager has it.
const LEASE_TOLERANCE: Duration = Duration::from_secs(20);
/// How long an API server that forbids the first request is taken for one that has just started.
const FORBIDDEN_FOR: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT (exit code 0), or until the lease is lost (1).
///
/// # Errors
/// What keeps the process from starting: a taken port, a kubeconfig that cannot be used, …
pub fn run(config: RunConfig) -> anyhow::Result<ExitCode> {
    let runtime = runtime().context("the runtime could not be started")?;
    let code = runtime.block_on(live(config));
    // Nothing that is still under way may hold up the end.
    runtime.shutdown_background();
    code
}

/// The runtime of a process: a few threads do for any number of Services.
///
/// # Errors
/// The operating system gives no threads.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(1, 4)))
        .enable_all()
        .build()
}

/// Why the controller ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told to.
    Told,
    /// Another replica may lead.
    LeaseLost,
}

async fn live(config: RunConfig) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?;
    let told = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    match until(&config, told).await? {
        End::Told => Ok(ExitCode::SUCCESS),
        End::LeaseLost => {
            tracing::error!("the lease is lost: another replica may lead, so this process ends");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Runs the controller inside this process, on the runtime of the caller, until `told` completes or the
/// lease is lost. When this returns, nothing of it is left: writes under way were awaited, streams and
/// sockets are closed. A caller that drops the future gives up that order.
///
/// # Errors
/// What keeps the controller from starting: a taken port, a kubeconfig that cannot be used, …
pub async fn until(config: &RunConfig, told: impl Future<Output = ()>) -> anyhow::Result<End> {
    let parts = Parts::new(config).await?;
    let end = tokio::select! {
        () = told => End::Told,
        end = parts.work(config) => end?,
    };
    parts.end().await;
    Ok(end)
}

/// Everything that lives as long as the controller.
struct Parts {
    clients: Clients,
    writer: Arc<KubeWriter>,
    controller: Arc<Controller>,
    election: Option<Election>,
    streams: StreamMetrics,
    synced: Arc<AtomicBool>,
    /// What serves and what posts Events; ended with the rest.
    tasks: JoinSet<()>,
}

/// The election, and whether this replica is a good candidate: one whose streams are alive.
struct Election {
    lease: Arc<Lease>,
    candidate: Arc<AtomicBool>,
    lease_duration: Duration,
}

impl Parts {
    /// Makes the parts and serves. Nothing is watched yet.
    async fn new(config: &RunConfig) -> anyhow::Result<Parts> {
        let bound = serve::bind("--metrics-bind-address", &config.metrics_bind_address)?;
        let certificates = certificates(config).await?;
        let registry = Registry::new();
        serve::process::ProcessMetrics::register(&registry)?;
        serve::process::register_build_info(&registry, super::VERSION)?;
        let requests = RequestMetrics::new(&registry)?;
        let control = Arc::new(ControlMetrics::new(&registry)?);
        let streams = StreamMetrics::new(&registry)?;
        let flags =
            Flags { kubeconfig: config.cluster.kubeconfig.clone(), master: config.cluster.master.clone() };
        let clients = Clients::new(&flags, &Environment::of_process(), &requests).await?;
        let election = match &config.election {
            Some(election) => Some(Election::start(election, &clients, &requests)?),
            None => None,
        };
        let fence: Arc<dyn Fence> = match &election {
            Some(election) => election.lease.fence(),
            None => Arc::new(NoElection),
        };
        let settings = WriterConfig { qps: config.qps, burst: config.burst, ..WriterConfig::default() };
        let writer =
            Arc::new(KubeWriter::new(clients.writes.clone(), settings, fence, clients.metrics.clone()));
        let (recorder, events) = EventRecorder::new(Arc::clone(&writer) as Arc<dyn EventSink>);
        let mut tasks = JoinSet::new();
        tasks.spawn(events.run());
        let controller = Controller::new(
            config.control.clone(),
            Arc::clone(&writer) as Arc<dyn Writer>,
            recorder,
            control,
        );
        let mut parts =
            Parts { clients, writer, controller, election, streams, synced: Arc::default(), tasks };
        if let Some(bound) = bound {
            let site = Arc::new(parts.site(registry, certificates.is_some()));
            parts.tasks.spawn(async move {
                if let Err(error) = serve::serve(bound, site, certificates, std::future::pending()).await {
                    tracing::error!("metrics and health are not served: {error}");
                }
            });
        }
        Ok(parts)
    }

    /// What is served: ready once every stream has been complete, whoever leads; alive as long as
    /// workers and lease move.
    fn site(&self, registry: Registry, secure: bool) -> Site {
        let (measured, checked) = (Arc::clone(&self.controller), Arc::clone(&self.controller));
        let synced = Arc::clone(&self.synced);
        let ready = move || match synced.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err("not every resource has been listed yet".to_owned()),
        };
        let mut site = Site::new(registry)
            .before_metrics(move || measured.measure())
            .live(Check::new("workers", move || checked.check()))
            .ready(Check::new("caches-synced", ready));
        if let Some(election) = &self.election {
            let lease = Arc::clone(&election.lease);
            site = site.live(Check::new("leader-election", move || lease.check(LEASE_TOLERANCE)));
        }
        if secure {
            site = site.auth(Arc::new(ScrapeReviews::new(self.clients.writes.clone())));
        }
        site
    }

    /// Watches, takes the lead, and works until the lease is lost.
    async fn work(&self, config: &RunConfig) -> anyhow::Result<End> {
        let born = now();
        greet(&self.clients).await?;
        let feeds = Feeds::start(&self.controller, &self.clients.watches, &self.streams).await;
        self.synced.store(true, Ordering::Relaxed);
        let epoch = match &self.election {
            None => born,
            Some(election) => match election.led(&feeds).await {
                Some(since) => {
                    // The last leader may have written until just now.
                    feeds.catch_up().await;
                    since.minus(election.lease_duration)
                }
                None => return Ok(End::LeaseLost),
            },
        };
        self.controller.start(Some(epoch));
        let workers = self.controller.spawn_workers();
        let resync = jittered(config.min_resync_period);
        tokio::select! {
            end = self.lost() => Ok(end),
            () = self.hold_while_unhealthy(&feeds) => Ok(End::LeaseLost),
            () = self.resync(&feeds, resync) => Ok(End::LeaseLost),
            gone = futures::future::select_all(workers) => {
                // A worker ends only with the queue; anything else is a defect that must be seen.
                Err(anyhow::anyhow!("a worker ended: {:?}", gone.0.err()))
            }
        }
    }

    async fn lost(&self) -> End {
        match &self.election {
            Some(election) => {
                election.over().await;
                End::LeaseLost
            }
            None => std::future::pending().await,
        }
    }

    /// A dead stream keeps its own loop from planning, and only that.
    async fn hold_while_unhealthy(&self, feeds: &Feeds) {
        // A stream that is opened again after a long silence is well before the second look.
        let (mut planning, mut before) = ([None; 2], [true; 2]);
        let mut tick = tokio::time::interval(HEALTH_PERIOD);
        loop {
            tick.tick().await;
            for which in [Loop::Selector, Loop::Mirroring] {
                let now = feeds.healthy(which);
                let allowed = now || before[which as usize];
                before[which as usize] = now;
                if planning[which as usize].replace(allowed) != Some(allowed) {
                    self.controller.let_plan(which, allowed);
                }
            }
        }
    }

    async fn resync(&self, feeds: &Feeds, period: Duration) {
        loop {
            tokio::time::sleep(period).await;
            feeds.relist().await;
            self.controller.resync();
        }
    }

    /// Ends: no new write, those under way are awaited, the lease is given back if all is known.
    async fn end(self) {
        self.controller.stop();
        let unknown = self.writer.drain(LAST_WRITES).await;
        if let Some(election) = &self.election
            && unknown == 0
        {
            election.lease.release().await;
        }
    }
}

impl Election {
    fn start(
        config: &ElectionConfig,
        clients: &Clients,
        requests: &RequestMetrics,
    ) -> anyhow::Result<Election> {
        let namespace = config.namespace.clone().or_else(own_namespace);
        let lease = LeaseConfig {
            namespace: namespace.unwrap_or_else(|| "kube-system".to_owned()),
            name: config.name.clone(),
            identity: new_identity(),
            lease_duration: config.lease_duration,
            renew_deadline: config.renew_deadline,
            retry_period: config.retry_period,
        };
        // A replica that cannot see the cluster yet leaves the lead to one that can.
        let candidate = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&candidate);
        let api = Arc::new(KubeLease::new(clients.lease.clone(), &lease));
        let metrics = requests.lease(&lease.name);
        let lease_duration = lease.lease_duration;
        let (lease, _) = Lease::start(lease, api, move || asked.load(Ordering::Relaxed), metrics)?;
        Ok(Election { lease: Arc::new(lease), candidate, lease_duration })
    }

    /// Waits for the lead, as a candidate only while every stream is alive. `None` when it is over before.
    async fn led(&self, feeds: &Feeds) -> Option<Time> {
        let mut state = self.lease.state();
        let mut tick = tokio::time::interval(HEALTH_PERIOD);
        loop {
            self.candidate.store(feeds.all_healthy(), Ordering::Relaxed);
            match *state.borrow_and_update() {
                LeaderState::Leading { since, .. } => return Some(since),
                state if state.is_final() => return None,
                _ => {}
            }
            tokio::select! {
                _ = state.changed() => {}
                _ = tick.tick() => {}
            }
        }
    }

    /// Waits until the lease is lost.
    async fn over(&self) {
        let mut state = self.lease.state();
        let _ = state.wait_for(|state| state.is_final()).await;
    }
}

/// The certificates of `--metrics-secure`: from files, or signed by itself for the names of this host.
async fn certificates(config: &RunConfig) -> anyhow::Result<Option<Arc<Certificates>>> {
    if !config.metrics_secure {
        return Ok(None);
    }
    let certificates = match &config.certificate {
        Some((certificate, key)) => Certificates::from_files(certificate, key).await?,
        None => {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let names = ["localhost", "127.0.0.1", "::1", host.trim()];
            let names: Vec<String> =
                names.iter().filter(|n| !n.is_empty()).map(|n| (*n).to_owned()).collect();
            Certificates::self_signed(&names)?
        }
    };
    Ok(Some(Arc::new(certificates)))
}

/// The first request: says at once what is wrong with the configuration, and waits for an API server
/// that is not there yet, or has not read its roles yet and so forbids everything.
async fn greet(clients: &Clients) -> anyhow::Result<()> {
    let mut pause = Duration::from_millis(500);
    let mut said = String::new();
    let mut forbidden_since = None;
    loop {
        let error = match clients.probe().await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if matches!(error, ClientError::Forbidden { .. }) {
            // Nothing here needs its version: what else is forbidden, the streams will say.
            if forbidden_since.get_or_insert_with(Instant::now).elapsed() >= FORBIDDEN_FOR {
                return Ok(());
            }
            pause = pause.min(Duration::from_secs(1));
        } else if !error.may_pass() {
            return Err(error.into());
        }
        let message = error.to_string();
        if message != said {
            tracing::warn!("{message}; trying again");
            said = message;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Between once and twice the period, so that replicas and clusters do not resync in step.
fn jittered(period: Duration) -> Duration {
    period.mul_f64(rand::random_range(1.0..2.0))
}
