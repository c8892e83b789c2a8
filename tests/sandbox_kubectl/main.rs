//! What kubectl needs of the sandbox besides objects: patches, tables and the outline of OpenAPI, each beside
//! the real API server.

#![cfg(feature = "sandbox")]
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod objects;
mod openapi;
mod patch_random;
mod patches;
mod protobuf;
mod sides;
mod tables;
