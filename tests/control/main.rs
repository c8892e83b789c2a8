//! The two loops with everything but the network: keys, plans, writes and what follows from answers,
//! against an API server in memory, under paused time.

#![cfg(feature = "controller")]

#[path = "../support/build.rs"]
mod build;

mod api;
mod consumers;
mod issues;
mod mirroring;
mod mirroring_issues;
mod random;
mod restarts;
mod selector;
mod world;
