//! Measures this controller and kube-controller-manager, one after the other, on the same state and
//! the same changes: CPU, memory, writes and latency. The ratio is the result, not the seconds. See
//! `benches/README.md`.
//!
//! ```text
//! cargo bench --bench measure                                     # the whole table
//! cargo bench --bench measure -- --scenario cluster --small       # a quick look
//! cargo bench --bench measure -- --scenario cluster --only ours --pods 151000 --services 10000 --nodes 5000
//! ```

// A measuring program prints, and fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "controller")]
mod changes;
#[cfg(feature = "controller")]
mod curve;
#[cfg(feature = "controller")]
mod observer;
#[cfg(feature = "controller")]
mod options;
#[cfg(feature = "controller")]
mod published;
#[cfg(feature = "controller")]
mod report;
#[cfg(feature = "controller")]
mod rolling;
#[cfg(feature = "controller")]
mod run;
#[cfg(feature = "controller")]
mod scenarios;
#[cfg(feature = "controller")]
mod steps;
#[cfg(feature = "controller")]
mod subject;
#[cfg(feature = "controller")]
#[path = "../../tests/support/mod.rs"]
mod support;

#[cfg(feature = "controller")]
fn main() {
    run::main();
}

#[cfg(not(feature = "controller"))]
fn main() {}
