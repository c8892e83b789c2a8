//! Taking the two loops over from kube-controller-manager and giving them back, and the start of a
//! cluster in which nobody is there yet. Everybody is a real process, kube-controller-manager with all
//! of its controllers, and the API server's own record says who wrote.

#![cfg(feature = "controller")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod cold_start;
mod flags;
mod manager;
mod manifests;
mod migration;
mod rolling;
mod scene;
mod webhook;
