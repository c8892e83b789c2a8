//! The load generator: many Services and Pods at once, then Pods that change, and a report.
//!
//! The controller is a process of its own, so that `/proc` tells its CPU and memory from those of the
//! sandbox, this process: API server, store, generator and oracle.

pub mod fill;
pub mod generator;
pub mod process;
pub mod report;

pub use report::Report;

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::config::RunConfig;
use crate::cli::run::until;

/// The controller's process: runs until standard input ends, which it does with the process of the sandbox,
/// however that ends.
///
/// # Errors
/// As [`until`].
pub fn controller(config: &RunConfig) -> anyhow::Result<ExitCode> {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut std::io::sink());
        drop(ended);
    });
    let runtime = crate::cli::run::runtime().context("the runtime could not be started")?;
    let done = runtime.block_on(until(config, async {
        let _ = end.await;
    }));
    runtime.shutdown_background();
    done.map(|_| ExitCode::SUCCESS)
}
