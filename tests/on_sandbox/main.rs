//! The whole-controller tests of `tests/real` on the sandbox: the same files, another stage. They need Rust
//! alone, and do not count as tests on a real server.
//!
//! | file | here | why not |
//! |---|---|---|
//! | `pods`, `services`, `mirroring`, `edits`, `recreated`, `restarts`, `replicas`, `metrics` | yes | |
//! | `apiserver` | no | A second API server on the same etcd, and breaks of the wire to etcd |
//! | `bad_input` | no | Permissions and client certificates: the sandbox asks nobody who they are |
//! | `refusals` | no | Quotas and admission policies; refusals on request are in `faults.rs` of the sandbox |
//! | `formats` | no | Protobuf and compression |
//! | `beside_peer`, `oracle`, `plan_dump`, `harness` | no | kube-controller-manager, kubectl |
//! | `command` | no | TLS and the token of a service account |

#![cfg(feature = "sandbox")]
#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

#[path = "../real/edits.rs"]
mod edits;
mod faults;
#[path = "../real/metrics.rs"]
mod metrics;
#[path = "../real/mirroring.rs"]
mod mirroring;
#[path = "../real/play.rs"]
mod play;
#[path = "../real/pods.rs"]
mod pods;
#[path = "../real/recreated.rs"]
mod recreated;
#[path = "../real/replicas.rs"]
mod replicas;
#[path = "../real/restarts.rs"]
mod restarts;
#[path = "../real/services.rs"]
mod services;
mod stage;
