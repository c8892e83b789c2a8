//! Twins.
#![cfg(feature = "controller")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod auto;
mod compare;
mod control;
mod desired;
mod histories;
mod oracle;
mod pair;
mod play;
mod report;
mod rules;
mod run;
mod shrink;
