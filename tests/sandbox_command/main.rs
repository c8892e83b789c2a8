//! The command `sandbox`: its flags, what it draws and prints, how it counts and judges, and whole runs
//! of it as a child process.

#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that panics fails

mod flags;
mod kubeconfig;
mod manifests;
mod oracle;
mod report;
mod run;
mod screen;
#[path = "../support/mod.rs"]
mod support;
