//! The sandbox: an in-memory Kubernetes API for the handful of resources that stand around
//! EndpointSlices, served over real HTTP, with nodes and workloads that behave.
//!
//! What is stored lives in [`store`]: objects as the JSON that is sent, one growing version for
//! all of them, and a window of changes for watches. [`kinds`] knows which resources there are and how
//! each is defaulted, checked and shown. [`verbs`] is what may be done to an object, whoever asks.

pub mod kinds;
pub mod simulate;
pub mod status;
pub mod store;
pub mod verbs;

pub use kinds::Kind;
pub use simulate::Simulation;
pub use status::Status;
pub use store::{Key, Object, Store};
