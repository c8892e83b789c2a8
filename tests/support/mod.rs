//! The harness: a stage to play on (an API server with its faults), the world that is put on it,
//! the controller or its peer as a child process, and a consumer that judges what they write.
//!
//! A whole-controller test reads: take a stage, build a world, start a controller, change
//! something, wait for a condition, ask the consumer.

// Each test binary uses a part of it, and a harness fails by panicking.
#![allow(dead_code, unused_imports, missing_docs)]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

pub mod api;
pub mod bulk;
pub mod consumer;
pub mod content;
pub mod controller;
pub mod helm;
pub mod history;
pub mod peer;
pub mod pods;
pub mod process;
pub mod proxy;
pub mod quiet_cluster;
pub mod real;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod shrink;
pub mod stage;
pub mod wait;
pub mod world;

pub use api::{Api, Refusal};
pub use consumer::Consumer;
pub use controller::Controller;
pub use peer::Peer;
pub use proxy::{Fault, Proxy};
pub use stage::{Stage, User};
pub use wait::{Deadline, eventually};
pub use world::World;
