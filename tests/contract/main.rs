//! The contract: the sandbox answers as kube-apiserver does. Sequences of requests are played on both,
//! and everything that comes back is compared: codes, reasons, messages, objects, events, lists. What is
//! different in each run by its nature is replaced first (`canonical.rs`); what differs on purpose is
//! explained by a named rule (`rules.rs`), and everything else is a failure.
//!
//! `CONTRACT_SEQUENCES=2000 cargo test --test contract random -- --nocapture` is the long run;
//! `CONTRACT_FIRST` is its first seed. `CONTRACT_WHOLE=1` prints the answers that differ whole.

#![cfg(feature = "sandbox")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod canonical;
mod compare;
mod hand;
mod planted;
mod play;
mod random;
mod real;
mod rules;
mod run;
mod sandbox;
mod shrink;
mod step;
