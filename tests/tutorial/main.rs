//! The tutorial: what a person types, and what a cluster answers. The transcripts were written down from a real
//! control plane (kube-apiserver, kube-controller-manager, kube-scheduler, kwok), and are played to the sandbox
//! with the same kubectl; every answer must be the same, but for what chance decides.
//!
//! `cargo test --test tutorial -- --ignored` writes them down anew, for review; it needs minutes.

#![cfg(feature = "sandbox")]
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod blank;
mod blank_tests;
mod kubectl;
mod lab;
mod play;
mod sandbox;
mod transcript;
