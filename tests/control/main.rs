//! The two loops with everything but the network: keys, plans, writes and what follows from answers,
//! against an API server in memory, under paused time.

#![cfg(feature = "controller")]

#[path = "../support/build.rs"]
mod build;

mod api;
mod mirroring;
mod random;
mod selector;
mod world;
