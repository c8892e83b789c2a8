//! What is done with each program, in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use crate::changes::{Changes, make_changes};
use crate::observer::Observer;
use crate::report::{self, Measured};
use crate::support::bulk::{Bulk, Size};
use crate::support::process::Process;
use crate::support::real::{Cluster, Etcd, RealStage, programs};
use crate::support::{Controller, Peer, Stage};

/// Nothing may take longer; a program that does has failed.
const COMPLETE_WITHIN: Duration = Duration::from_secs(1800);
/// A program is at rest when it used less CPU than this in [`REST_WINDOW`].
const REST_CPU: Duration = Duration::from_millis(30);
const REST_WINDOW: Duration = Duration::from_secs(3);

/// Measures this controller beside kube-controller-manager.
#[derive(Parser, Debug, Clone)]
pub struct Options {
    #[arg(long, default_value_t = 5000)]
    pub pods: usize,
    #[arg(long, default_value_t = 500)]
    pub services: usize,
    #[arg(long, default_value_t = 200)]
    pub nodes: usize,
    #[arg(long, default_value_t = 50)]
    pub namespaces: usize,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Readiness changes a second.
    #[arg(long, default_value_t = 100)]
    pub changes_per_second: u32,
    /// For how long changes are made; 0 leaves this part out.
    #[arg(long, default_value_t = 60)]
    pub change_seconds: u64,
    /// For how long nothing is done; 0 leaves this part out.
    #[arg(long, default_value_t = 60)]
    pub idle_seconds: u64,
    /// Leave the restart out.
    #[arg(long)]
    pub no_restart: bool,
    #[arg(long, value_enum, default_value_t = Only::Both)]
    pub only: Only,
    /// Run with leader election (writes to the lease are then counted apart).
    #[arg(long)]
    pub leader_elect: bool,
    /// A flag for ours, for instance `--ours-flag=--concurrent-service-endpoint-syncs=10`.
    #[arg(long, allow_hyphen_values = true)]
    pub ours_flag: Vec<String>,
    /// A flag for the peer, whose request rate is 500 a second where its default is 20.
    #[arg(long, allow_hyphen_values = true)]
    pub peer_flag: Vec<String>,
    /// Where the numbers are written as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    pub bench: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    Both,
    Ours,
    Peer,
}

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Peer,
}

enum Subject {
    Ours(Controller),
    Peer(Peer),
}

impl Subject {
    /// Starts without waiting: the clock runs from here.
    fn launch(kind: Kind, stage: &dyn Stage, options: &Options) -> Subject {
        let elect = format!("--leader-elect={}", options.leader_elect);
        let more = if kind == Kind::Ours { &options.ours_flag } else { &options.peer_flag };
        let mut flags = vec![elect.as_str()];
        flags.extend(more.iter().map(String::as_str));
        match kind {
            Kind::Ours => Subject::Ours(Controller::launch(stage, &flags)),
            Kind::Peer => Subject::Peer(Peer::launch(stage, &flags)),
        }
    }

    fn process(&self) -> &Process {
        match self {
            Subject::Ours(controller) => controller.process(),
            Subject::Peer(peer) => peer.process(),
        }
    }

    /// SIGTERM and the end.
    async fn terminate(self) {
        let deadline = Duration::from_secs(60);
        match self {
            Subject::Ours(controller) => controller.terminate(deadline).await,
            Subject::Peer(peer) => peer.terminate(deadline).await,
        };
    }
}

pub fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure_all(&options));
}

async fn measure_all(options: &Options) {
    let Some(programs) = programs() else { return };
    let size = Size {
        namespaces: options.namespaces.min(options.services),
        nodes: options.nodes,
        services: options.services,
        pods: options.pods,
        seed: options.seed,
    };
    let bulk = Bulk::plan(size);
    let mut measured = Vec::new();
    for (kind, name) in [(Kind::Ours, "ours"), (Kind::Peer, "peer")] {
        let skipped = if kind == Kind::Ours { Only::Peer } else { Only::Ours };
        if options.only == skipped {
            continue;
        }
        // An etcd of its own for each, so that the second does not meet a larger one.
        let etcd = Arc::new(Etcd::start(programs).await);
        let started = Instant::now();
        bulk.load(&etcd, &format!("/{name}")).await;
        eprintln!("{name}: {} Pods loaded in {:.1?}", size.pods, started.elapsed());
        let cluster = Arc::new(Cluster::start(name, etcd.clone(), programs, &[]).await);
        let stage = RealStage::new(cluster.clone(), None).await;
        measured.push(measure(kind, name, &stage, &bulk, options).await);
    }
    report::print(options, &measured);
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report::json(options, &measured)).expect("JSON");
        std::fs::write(path, text).expect("write the JSON file");
    }
}

async fn measure(kind: Kind, name: &str, stage: &RealStage, bulk: &Bulk, options: &Options) -> Measured {
    let mut out = Measured { name: name.to_string(), ..Measured::default() };
    let observer = Observer::start(stage.api(), bulk).await;
    let before = Server::of(stage).await;
    let mut subject = Subject::launch(kind, stage, options);

    let started = Instant::now();
    complete(&observer, subject.process(), started).await;
    out.complete_wall = started.elapsed();
    out.complete_cpu = subject.process().cpu();
    rest(subject.process()).await;
    out.start_cpu = subject.process().cpu();
    out.start_peak_kib = subject.process().memory_kib("VmHWM");
    out.start_writes = observer.writes();
    out.start_bytes = observer.bytes();
    out.start_api_cpu = stage.cluster().cpu().saturating_sub(before.cpu);
    eprintln!("{name}: complete after {:.1?}, CPU {:.2?}", out.complete_wall, out.complete_cpu);

    if options.idle_seconds > 0 {
        idle(&mut out, &subject, stage, &observer, options).await;
    }
    out.resting_kib = subject.process().memory_kib("VmRSS");
    if options.change_seconds > 0 {
        change(&mut out, &subject, stage, &observer, bulk, options).await;
    }
    out.peak_kib = subject.process().memory_kib("VmHWM");
    if !options.no_restart {
        subject.terminate().await;
        let writes = observer.writes();
        let started = Instant::now();
        subject = Subject::launch(kind, stage, options);
        rest(subject.process()).await;
        out.restart_wall = started.elapsed().saturating_sub(REST_WINDOW);
        out.restart_cpu = subject.process().cpu();
        out.restart_peak_kib = subject.process().memory_kib("VmHWM");
        out.restart_writes = observer.writes() - writes;
        eprintln!("{name}: restarted, CPU {:.2?}, {} writes", out.restart_cpu, out.restart_writes);
    }
    drop(subject);
    out
}

/// Waits until every Pod of the bulk is published.
async fn complete(observer: &Observer, process: &Process, started: Instant) {
    let mut told = Instant::now();
    while observer.missing() > 0 {
        assert!(started.elapsed() < COMPLETE_WITHIN, "not complete in time\n{}", process.tail(40));
        assert!(
            process.cpu() > Duration::ZERO || started.elapsed() < Duration::from_secs(30),
            "{}",
            process.tail(40)
        );
        if told.elapsed() > Duration::from_secs(15) {
            eprintln!("  {} addresses still missing after {:.0?}", observer.missing(), started.elapsed());
            told = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the program does next to nothing.
async fn rest(process: &Process) {
    let started = Instant::now();
    loop {
        let before = process.cpu();
        tokio::time::sleep(REST_WINDOW).await;
        let used = process.cpu().saturating_sub(before);
        if used < REST_CPU && before > Duration::ZERO {
            return;
        }
        assert!(started.elapsed() < COMPLETE_WITHIN, "does not come to rest\n{}", process.tail(40));
    }
}

async fn idle(
    out: &mut Measured,
    subject: &Subject,
    stage: &RealStage,
    observer: &Observer,
    options: &Options,
) {
    let process = subject.process();
    let (cpu, writes, lines) = (process.cpu(), observer.writes(), process.log().lines().count());
    let before = Server::of(stage).await;
    tokio::time::sleep(Duration::from_secs(options.idle_seconds)).await;
    let after = Server::of(stage).await;
    out.idle_cpu = process.cpu() - cpu;
    out.idle_seconds = options.idle_seconds;
    out.idle_slice_writes = observer.writes() - writes;
    out.idle_event_writes = after.event_writes - before.event_writes;
    out.idle_lease_writes = after.lease_writes - before.lease_writes;
    out.idle_log_lines = process.log().lines().count() - lines;
    eprintln!("{}: idle for {} s, CPU {:.2?}", out.name, options.idle_seconds, out.idle_cpu);
}

async fn change(
    out: &mut Measured,
    subject: &Subject,
    stage: &RealStage,
    observer: &Observer,
    bulk: &Bulk,
    options: &Options,
) {
    let process = subject.process();
    let (cpu, writes, bytes) = (process.cpu(), observer.writes(), observer.bytes());
    let rate = Changes {
        per_second: options.changes_per_second,
        seconds: options.change_seconds,
        seed: options.seed,
    };
    out.changes = make_changes(stage.api(), observer, bulk, rate).await;
    rest(process).await;
    out.change_cpu = process.cpu() - cpu;
    out.change_writes = observer.writes() - writes;
    out.change_bytes = observer.bytes() - bytes;
    eprintln!("{}: {} changes, {} lost", out.name, out.changes.answered, out.changes.lost);
}

/// Counters of the API server.
struct Server {
    cpu: Duration,
    event_writes: u64,
    lease_writes: u64,
}

impl Server {
    async fn of(stage: &RealStage) -> Server {
        let text = stage.api().text("/metrics").await.expect("the metrics of the API server");
        let writes = |resource: &str| {
            let resource = format!("resource=\"{resource}\"");
            let verbs = ["verb=\"POST\"", "verb=\"PUT\"", "verb=\"PATCH\"", "verb=\"DELETE\""];
            text.lines()
                .filter(|line| line.starts_with("apiserver_request_total{") && line.contains(&resource))
                .filter(|line| verbs.iter().any(|verb| line.contains(verb)))
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
                .sum::<f64>() as u64
        };
        Server { cpu: stage.cluster().cpu(), event_writes: writes("events"), lease_writes: writes("leases") }
    }
}
