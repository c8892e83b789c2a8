//! The EndpointSlice controllers of Kubernetes as one program.
//!
//! Data flows one way round: [`kubeapi`] streams what the API server shows into the [`view`], whose
//! changes mark keys in the queue of [`control`]; a worker takes a snapshot, the pure [`plan`]
//! decides what is to be written, `control` applies it through `kubeapi`, and what was written
//! enters the view at once.
//!
//! [`consumer`] stands beside that: it reads slices as those must who use them.
//!
//! `model`, `plan`, `view` and `consumer` need no runtime and no Kubernetes client: they build with
//! `--no-default-features`.

pub mod consumer;
pub mod model;
pub mod plan;
pub mod view;

#[cfg(feature = "controller")]
pub mod cli;
#[cfg(feature = "controller")]
pub mod control;
#[cfg(feature = "controller")]
pub mod kubeapi;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(feature = "controller")]
pub mod serve;
