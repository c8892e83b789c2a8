//! Measures this controller and kube-controller-manager, one after the other, on the same state and
//! the same changes: CPU, memory, writes and latency. The ratio is the result, not the seconds.
//!
//! ```text
//! cargo bench --bench measure -- --pods 50000 --services 5000 --nodes 2000
//! cargo bench --bench measure -- --pods 500 --services 50 --nodes 10 --only peer --idle-seconds 5
//! ```

// A measuring program prints, and fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "controller")]
mod changes;
#[cfg(feature = "controller")]
mod observer;
#[cfg(feature = "controller")]
mod report;
#[cfg(feature = "controller")]
mod run;
#[cfg(feature = "controller")]
#[path = "../../tests/support/mod.rs"]
mod support;

#[cfg(feature = "controller")]
fn main() {
    run::main();
}

#[cfg(not(feature = "controller"))]
fn main() {}
