//! The sandbox: an in-memory Kubernetes API for the handful of resources that stand around
//! EndpointSlices, served over real HTTP, with nodes and workloads that behave.
//!
//! What is stored lives in [`store`]: objects as the JSON that is sent, one growing version for
//! all of them, and a window of changes for watches. [`kinds`] knows which resources there are and how
//! each is defaulted, checked and shown. [`verbs`] is what may be done to an object, whoever asks. [`patch`]
//! applies patches, [`table`] prints objects as `kubectl get` shows them, and [`openapi`] tells kubectl what it
//! may ask for.

pub mod api;
pub mod faults;
pub mod gc;
mod handle;
pub mod kinds;
pub mod openapi;
pub mod patch;
pub mod protobuf;
pub mod simulate;
pub mod status;
pub mod store;
pub mod table;
pub mod verbs;

pub use handle::{Failure, Options, Sandbox};
pub use kinds::Kind;
pub use simulate::Simulation;
pub use status::Status;
pub use store::{Key, Object, Store};
