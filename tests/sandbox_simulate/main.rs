//! Nodes and workloads of the sandbox: what the scheduler, the kubelets and the controllers of Deployments
//! and ReplicaSets do, each promise on a store of its own, under paused time.

#![cfg(feature = "sandbox")]
#![allow(clippy::expect_used)] // outside of #[test] functions too
#![allow(clippy::panic)]

mod deployments;
mod kubelet;
mod nodes;
mod replicasets;
mod rollouts;
mod running;
mod scheduler;
mod stage;
