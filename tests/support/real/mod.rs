//! The real stage: etcd and kube-apiserver as child processes, shared by the tests of one binary.
//!
//! - [`exclusive`] lends a cluster to one test (it starts its own controllers there); it is wiped
//!   before it is lent again.
//! - [`audited`] lends one whose API server keeps a record of all writes of slices.
//! - [`twins`] lends two, for the same history on both.
//! - [`served`] shares one cluster on which one controller runs with default flags; tests keep to
//!   namespaces of their own.
//! - [`shared`] shares one without any controller.
//!
//! All of them answer `None`, after one line that says what is missing, when the programs of the
//! control plane are not there; with `CI=true` that is a failure.

mod apiserver;
pub mod audit;
mod count;
mod etcd;
mod pool;
mod programs;

pub use apiserver::{Cluster, RealStage, Second, apply_file};
pub use count::this_test as counted;
pub use etcd::Etcd;
pub use pool::{audited, exclusive, served, served_by_peer, served_with_controller, shared, twins};
pub use programs::{Programs, judge, programs};
