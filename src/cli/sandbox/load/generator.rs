//! Fills the store, starts the controller, lets Pods change, and judges what came of it.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::fill;
use super::process::Usage;
use super::report::{Asked, Churn, Half, Latency, NAMED, Report, Start, lost_line, seconds};
use crate::cli::sandbox::config::{Load, SandboxConfig};
use crate::cli::sandbox::hands::set_ready;
use crate::cli::sandbox::observer::{Observer, Writes};
use crate::sandbox::{Key, Kind, Store};

/// How long after the last change its effect may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether something is complete, and how often due changes are made.
const BEAT: Duration = Duration::from_millis(5);
/// How long nothing may move on the way to complete slices.
const STUCK: Duration = Duration::from_secs(60);
/// One of so many Pods is unready at a time at most.
const UNREADY_SHARE: usize = 10;

/// Where the load goes, and who looks.
pub struct Generator<'a> {
    /// The API's store.
    pub store: Arc<Store>,
    /// Kept up by somebody else.
    pub observer: Arc<Mutex<Observer>>,
    /// Since when the observer counts.
    pub born: Instant,
    /// Told now and then what is going on.
    pub say: &'a (dyn Fn(&str) + Sync),
}

/// The controller as a process of its own. It ends when this is dropped, and with this process: its
/// standard input closes.
struct Controller {
    child: Child,
    _input: Option<ChildStdin>,
    started: Instant,
}

impl Controller {
    fn start(config: &SandboxConfig, kubeconfig: &Path) -> anyhow::Result<Controller> {
        let program = std::env::current_exe().context("the program does not find itself")?;
        let mut command = Command::new(program);
        command.args(config.controller_arguments(kubeconfig)).stdin(Stdio::piped()).stdout(Stdio::null());
        // Settings of a controller for another cluster are not for this one.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ENDPOINTSLICE_CONTROLLER_") {
                command.env_remove(name);
            }
        }
        let mut child = command.spawn().context("the controller cannot be started")?;
        let input = child.stdin.take();
        Ok(Controller { child, _input: input, started: Instant::now() })
    }

    /// What it used so far; an error when it has ended.
    fn usage(&mut self) -> anyhow::Result<Usage> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the controller ended by itself: {status}");
        }
        Usage::of(self.child.id()).context("/proc does not tell what the controller uses")
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Generator<'_> {
    /// The whole of it.
    ///
    /// # Errors
    /// The controller does not start, ends, or does not get done.
    pub async fn run(
        &self,
        config: &SandboxConfig,
        load: &Load,
        kubeconfig: &Path,
    ) -> anyhow::Result<Report> {
        let (nodes, begun, begun_at) = (self.nodes(), self.own_usage()?, Instant::now());
        (self.say)(&format!("storing {} Services and {} Pods", load.services, pods_of(load)));
        let keys = fill::services(&self.store, load)?;
        fill::pods(&self.store, load, &keys, &nodes).await;
        let fill_seconds = seconds(begun_at.elapsed());

        (self.say)("stored; the controller starts");
        let mut controller = Controller::start(config, kubeconfig)?;
        let complete = self.until_complete(&mut controller).await?;
        let offset = controller.started.saturating_duration_since(self.born);
        let (start, writes_before) = {
            let observer = self.observer.lock();
            let first = observer.first_slice().unwrap_or_default().saturating_sub(offset);
            let start = Start {
                fill_seconds,
                first_slice_seconds: seconds(first),
                complete_seconds: seconds(complete.saturating_duration_since(controller.started)),
                slices: observer.slices(),
                writes: observer.writes(),
            };
            (start, observer.writes())
        };
        let (ours, theirs) = (self.own_usage()?, controller.usage()?);
        (self.say)(&format!("{} slices are complete; Pods change for {:?}", start.slices, load.duration));

        self.observer.lock().oracle_mut().reset();
        let churned = self.churn(load, &keys, config.seed, &mut controller).await?;
        (self.say)("the last change is made; waiting until each is seen");
        self.settle().await;
        let churn = self.judge(churned, &writes_before);
        let latency_seconds = Latency::new(self.observer.lock().oracle().latency());
        Ok(Report {
            load: Asked {
                nodes: nodes.len(),
                services: load.services,
                pods: pods_of(load),
                churn: load.churn,
                seconds: seconds(load.duration),
                seed: config.seed,
            },
            start,
            churn,
            latency_seconds,
            sandbox: Half::new(begun, ours, self.own_usage()?),
            controller: Half::new(Usage::default(), theirs, controller.usage()?),
        })
    }

    fn nodes(&self) -> Vec<String> {
        let (_, nodes) = self.store.list(Kind::Node, None);
        nodes.iter().map(|node| node.key.name.to_string()).collect()
    }

    fn own_usage(&self) -> anyhow::Result<Usage> {
        Usage::of(std::process::id()).context("/proc does not tell what this process uses")
    }

    /// Waits until every address of every Pod is seen.
    async fn until_complete(&self, controller: &mut Controller) -> anyhow::Result<Instant> {
        let (mut before, mut moved) = (usize::MAX, Instant::now());
        loop {
            let (waiting, caught_up) = {
                let observer = self.observer.lock();
                (observer.oracle().waiting(), observer.seen() >= self.store.version())
            };
            if waiting == 0 && caught_up {
                return Ok(Instant::now());
            }
            if waiting != before {
                (before, moved) = (waiting, Instant::now());
            }
            if moved.elapsed() > STUCK {
                bail!("{waiting} addresses are in no slice, and for {STUCK:?} nothing changed");
            }
            controller.usage()?;
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Changes Pods at the rate that was asked for. Gives how many, and for how long.
    async fn churn(
        &self,
        load: &Load,
        keys: &[Key],
        seed: u64,
        controller: &mut Controller,
    ) -> anyhow::Result<(u64, Duration)> {
        let mut flips = Flips::new(keys, seed);
        let begun = Instant::now();
        let mut changes = 0;
        loop {
            let elapsed = begun.elapsed();
            let due = (elapsed.min(load.duration).as_secs_f64() * load.churn).floor() as u64;
            while changes < due {
                let Some((key, ready)) = flips.next() else { break };
                changes += u64::from(set_ready(&self.store, key, ready).is_some());
            }
            if elapsed >= load.duration {
                return Ok((changes, begun.elapsed()));
            }
            controller.usage()?;
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Waits until each change is seen, as long as that may take.
    async fn settle(&self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.all_seen() {
                return;
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Whether slices show everything that was stored until now.
    fn all_seen(&self) -> bool {
        let observer = self.observer.lock();
        observer.oracle().waiting() == 0 && observer.seen() >= self.store.version()
    }

    fn judge(&self, (changes, took): (u64, Duration), before: &Writes) -> Churn {
        let observer = self.observer.lock();
        let oracle = observer.oracle();
        let unshown = oracle.unshown();
        let unwanted = oracle.unwanted(|service| service.namespace.starts_with(fill::NAMESPACE));
        Churn {
            seconds: seconds(took),
            changes,
            superseded: oracle.superseded(),
            lost: unshown.len() + unwanted,
            lost_first: unshown.iter().take(NAMED).map(lost_line).collect(),
            writes: observer.writes().since(before),
        }
    }
}

fn pods_of(load: &Load) -> usize {
    load.services * load.pods_per_service
}

/// Which Pod changes next: one after the other loses its readiness, in a random order in which each has
/// its turn; when enough are without it, by turns with the one that has been so longest, which gets it back.
struct Flips<'a> {
    keys: &'a [Key],
    order: Vec<usize>,
    at: usize,
    unready: VecDeque<usize>,
}

impl<'a> Flips<'a> {
    fn new(keys: &'a [Key], seed: u64) -> Flips<'a> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.shuffle(&mut random);
        Flips { keys, order, at: 0, unready: VecDeque::new() }
    }

    fn next(&mut self) -> Option<(&'a Key, bool)> {
        if self.unready.len() >= self.keys.len().div_ceil(UNREADY_SHARE) {
            let pod = self.unready.pop_front()?;
            return Some((&self.keys[pod], true));
        }
        let pod = *self.order.get(self.at)?;
        self.at = (self.at + 1) % self.order.len();
        self.unready.push_back(pod);
        Some((&self.keys[pod], false))
    }
}
