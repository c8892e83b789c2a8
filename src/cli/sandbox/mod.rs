//! `sandbox`: the whole thing in one command, with no cluster. An API server with Nodes and workloads that
//! behave, the real controller against it over real HTTP, and somebody who looks.

pub mod args;
pub mod config;
pub mod hands;
pub mod kubeconfig;
pub mod lines;
pub mod load;
pub mod log;
pub mod manifests;
pub mod observer;
pub mod oracle;
pub mod screen;
mod world;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::args::Output;
use self::config::{Load, SandboxConfig};
use self::load::generator::Generator;
use self::log::Log;
use self::manifests::Manifest;
use self::world::{Controller, World};
use super::{eprint, logging, print};

/// What is created when there are no manifests.
pub const DEMO: &str = include_str!("demo.yaml");
/// Changes of readiness a second in the demo: enough to see something move.
const DEMO_FLAP: f64 = 0.5;
/// How long it is waited for the first slice before the start is told without it.
const FIRST_SLICE_WITHIN: Duration = Duration::from_secs(5);
/// Exit code of a run that a second signal cut short: that of SIGINT, as shells count.
const CUT_SHORT: u8 = 130;

/// Runs until Ctrl-C, SIGTERM or `q`; the load generator, until its report is printed (exit code 1
/// when changes were lost).
///
/// # Errors
/// What keeps the sandbox from starting or going on: a taken port, a manifest that is refused, …
pub fn run(config: SandboxConfig) -> anyhow::Result<ExitCode> {
    let born = Instant::now();
    let log = Log::default();
    logging::start_to(config.logging, log.clone());
    let manifests = match (config.files.as_slice(), &config.load) {
        ([], Some(_)) => Vec::new(),
        ([], None) => manifests::of_text("demo", DEMO)?,
        (files, _) => manifests::read(files, &mut std::io::stdin().lock())?,
    };
    let runtime = super::run::runtime().context("the runtime could not be started")?;
    let code = runtime.block_on(live(&config, manifests, log, born));
    // Nothing that is still under way may hold up the end.
    runtime.shutdown_background();
    code
}

/// The signals that end the sandbox.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> anyhow::Result<Signals> {
        let of = |kind: SignalKind| signal(kind).context("signals cannot be caught");
        Ok(Signals([of(SignalKind::interrupt())?, of(SignalKind::terminate())?, of(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

async fn live(
    config: &SandboxConfig,
    manifests: Vec<Manifest>,
    log: Log,
    born: Instant,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let demo = config.files.is_empty() && config.load.is_none();
    let mut world = World::start(config, if demo { DEMO_FLAP } else { 0.0 }, born).await?;
    let code = tokio::select! {
        () = signals.next() => Ok(ExitCode::SUCCESS),
        code = play(config, manifests, &mut world, log, born) => code,
    };
    // What is left is cleaned up also when the second signal comes first: the file goes with `world`.
    tokio::select! {
        () = world.stop() => code,
        () = signals.next() => Ok(ExitCode::from(CUT_SHORT)),
    }
}

async fn play(
    config: &SandboxConfig,
    manifests: Vec<Manifest>,
    world: &mut World,
    log: Log,
    born: Instant,
) -> anyhow::Result<ExitCode> {
    if let Some(load) = &config.load {
        world.nodes(config).await;
        manifests::create(&world.store, manifests)?;
        return generate(config, load, world, born).await;
    }
    // The controller reads a small cluster faster than a large one: its first slice comes before most Pods.
    let controller = world.controller(config);
    manifests::create(&world.store, manifests)?;
    show(config, world, controller, log).await
}

/// The load generator: what is going on to stderr, the report to stdout.
async fn generate(
    config: &SandboxConfig,
    load: &Load,
    world: &World,
    born: Instant,
) -> anyhow::Result<ExitCode> {
    let say = |text: &str| eprint(&format!("{:>6.1}s  {text}", born.elapsed().as_secs_f64()));
    let generator =
        Generator { store: Arc::clone(&world.store), observer: Arc::clone(&world.observer), born, say: &say };
    let report = generator.run(config, load, world.kubeconfig.path()).await?;
    match config.output {
        Output::Text => print(&report.text())?,
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
    }
    Ok(if report.churn.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The live screen where there is a terminal, else lines; until `q`, or until the controller ends.
async fn show(
    config: &SandboxConfig,
    world: &World,
    mut controller: Controller,
    log: Log,
) -> anyhow::Result<ExitCode> {
    let facts = world.facts(config);
    let first = {
        let begun = world.first_slice();
        tokio::select! {
            first = tokio::time::timeout(FIRST_SLICE_WITHIN, begun) => first.ok(),
            ended = &mut controller => return Err(world::ended(ended)),
        }
    };
    print(&greeting(config.output, &facts.server, &facts.kubeconfig, first))?;
    let stage = world.stage(facts, log);
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let showing = async {
        if terminal && config.output == Output::Text {
            return screen::live::show(&stage).await;
        }
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        seconds.tick().await;
        loop {
            seconds.tick().await;
            print(&lines::line(&stage.picture(), config.output))?;
        }
    };
    tokio::select! {
        shown = showing => shown.map(|()| ExitCode::SUCCESS),
        ended = &mut controller => Err(world::ended(ended)),
    }
}

/// What is said at the start.
fn greeting(output: Output, server: &str, kubeconfig: &str, first: Option<Duration>) -> String {
    if output == Output::Json {
        let first = first.map(|first| first.as_secs_f64());
        return format!(
            "{}\n",
            json!({"server": server, "kubeconfig": kubeconfig, "first_slice_seconds": first})
        );
    }
    let first = match first {
        Some(first) => format!("first slice {} after the start", load::report::shown(first.as_secs_f64())),
        None => format!("no slice within {FIRST_SLICE_WITHIN:?}"),
    };
    let kubectl = format!("kubectl --kubeconfig={}", quoted(kubeconfig));
    format!(
        "API server {server}, {first}\nkubeconfig {kubeconfig}\nTry\n  {kubectl} get endpointslices --watch\n  \
         {kubectl} scale deployment web --replicas=250\n  {kubectl} rollout restart deployment web\nCtrl-C ends it.\n"
    )
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
