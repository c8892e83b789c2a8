//! The API server of the sandbox, in terms of bytes on a connection: what kube-apiserver 1.36.3 answers to
//! the same requests was looked up there.

#![cfg(feature = "sandbox")]
#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod deletes;
mod faults;
mod garbage;
mod handle;
mod http;
mod lists;
mod routes;
mod subresources;
mod watches;
mod writes;
