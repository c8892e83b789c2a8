//! What operators see: alerts with their runbooks, the dashboard, and both against a real Prometheus
//! that scrapes the running controller on a real control plane.
//!
//! Rules are tested in simulated time by promtool (`fires`, `healthy_hour`), the dashboard is
//! generated from `dashboard`, and `live` brings all of it together.

#![cfg(feature = "controller")]
#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod dashboard;
mod fires;
mod healthy_hour;
mod live;
mod load;
mod programs;
mod promql;
mod promtool;
mod queries;
mod rules;
mod server;
mod session;
