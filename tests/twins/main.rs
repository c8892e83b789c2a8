//! Twins.
#![cfg(feature = "controller")]
#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod auto;
mod compare;
mod desired;
mod histories;
mod oracle;
mod pair;
mod play;
mod rules;
mod run;
