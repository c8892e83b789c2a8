//! `run`: wires the parts together and lives through the life of a process.
//!
//! The order is that of safety. Sockets are bound first, then clients are made, then streams: the
//! slices are listed before everything they were made from. Nothing is planned before this process
//! leads (or needs not to), the slices were read consistently at a version, and every stream has
//! reached it. On SIGTERM no new write starts, those under way are awaited, and the lease is
//! released; a lost lease ends the process with exit code 1.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;
use tokio::signal::unix::{SignalKind, signal};

use super::config::RunConfig;
use super::feeds::Feeds;
use crate::control::Controller;
use crate::control::events::EventRecorder;
use crate::control::metrics::ControlMetrics;
use crate::control::write::{Fence, NoElection, Writer};
use crate::kubeapi::client::{Clients, Environment, Flags, own_namespace};
use crate::kubeapi::lease::{KubeLease, LeaderState, Lease, LeaseConfig, new_identity};
use crate::kubeapi::metrics::RequestMetrics;
use crate::kubeapi::stream::StreamMetrics;
use crate::kubeapi::writer::{KubeWriter, WriterConfig};
use crate::model::{Loop, Time};

/// How long writes under way are awaited on SIGTERM.
const LAST_WRITES: Duration = Duration::from_millis(700);
/// How often it is looked at whether every stream is alive.
const HEALTH_PERIOD: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT (exit code 0), or until the lease is lost (1).
///
/// # Errors
/// What keeps the process from starting: a taken port, a kubeconfig that cannot be used, …
pub fn run(config: RunConfig) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(1, 4)))
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let code = runtime.block_on(live(config));
    // Nothing that is still under way may hold up the end.
    runtime.shutdown_background();
    code
}
