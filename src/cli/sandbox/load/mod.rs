//! The load generator: many Services and Pods at once, then Pods that change, and a report.
//!
//! The controller is a process of its own, so that `/proc` tells its CPU and memory from those of the
//! sandbox, this process: API server, store, generator and oracle.

pub mod fill;
pub mod generator;
pub mod process;
pub mod report;

pub use report::Report;
