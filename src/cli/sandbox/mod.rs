//! `sandbox`: the whole thing in one command, with no cluster. An API server with Nodes and workloads that
//! behave, the real controller against it over real HTTP, and somebody who looks.

pub mod args;
pub mod config;
pub mod hands;
pub mod kubeconfig;
pub mod lines;
pub mod load;
pub mod log;
pub mod manifests;
pub mod observer;
pub mod oracle;
pub mod screen;
