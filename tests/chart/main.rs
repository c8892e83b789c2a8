//! What is shipped for a cluster: the Helm chart and the kustomize manifests, judged by the tools that
//! operators use (Helm, kubectl) and by a real API server.

#![cfg(feature = "controller")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

mod drift;
mod every_value;
mod flags;
mod generated;
mod manifests;
mod real;
mod refused;
mod rendering;
mod templates;
mod unittest;
mod values;
