//! Frozen states: from one and the same dump, what kube-controller-manager writes when it is let
//! loose, and what `plan -f` says. README.md tells how they are made and what is compared.
#![cfg(feature = "controller")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod case;
mod checks;
mod cluster;
mod crossing;
mod judge;
mod numbers;
mod plan;
mod rules;
mod run;
