//! The image, without an engine that builds images: the steps of the Dockerfile are run as they
//! stand (`layers`), and what they make is started as a container runtime would start it (`room`).
//!
//! They need root on Linux x86-64, and a few minutes once. Without `CI=true` they run only where the
//! musl target is installed.

#![cfg(feature = "controller")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod dockerfile;
mod elf;
mod file;
mod layers;
mod room;
mod running;
