//! Tests that need a real API server: one file per promise. They share one etcd and a few API
//! servers; each test has a cluster or a namespace of its own.

#![cfg(feature = "controller")]
#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod apiserver;
mod bad_input;
mod beside_peer;
mod command;
mod edits;
mod formats;
mod harness;
mod metrics;
mod mirroring;
mod oracle;
mod plan_dump;
mod play;
mod pods;
mod recreated;
mod refusals;
mod replicas;
mod restarts;
mod services;
mod stage;
