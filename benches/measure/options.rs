//! What may be said on the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures this controller beside kube-controller-manager.
#[derive(Parser, Debug, Clone)]
pub struct Options {
    /// What is measured; all of it when nothing is named.
    #[arg(long, value_enum)]
    pub scenario: Vec<Name>,
    /// A tenth of everything, for a quick look: such numbers say little.
    #[arg(long)]
    pub small: bool,
    /// How often all is measured.
    #[arg(long, default_value_t = 1)]
    pub runs: usize,
    /// Pods of the scenario `cluster`.
    #[arg(long)]
    pub pods: Option<usize>,
    /// Its Services.
    #[arg(long)]
    pub services: Option<usize>,
    /// Its Nodes.
    #[arg(long)]
    pub nodes: Option<usize>,
    /// Its namespaces.
    #[arg(long)]
    pub namespaces: Option<usize>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Readiness changes a second.
    #[arg(long, default_value_t = 100)]
    pub changes_per_second: u32,
    /// For how long changes are made.
    #[arg(long, default_value_t = 60)]
    pub change_seconds: u64,
    /// For how long nothing is done.
    #[arg(long, default_value_t = 60)]
    pub idle_seconds: u64,
    #[arg(long, value_enum, default_value_t = Only::Both)]
    pub only: Only,
    /// Run with leader election (writes to the lease are then counted apart).
    #[arg(long)]
    pub leader_elect: bool,
    /// A flag for ours, for instance `--ours-flag=--concurrent-service-endpoint-syncs=10`.
    #[arg(long, allow_hyphen_values = true)]
    pub ours_flag: Vec<String>,
    /// A flag for the peer, whose request rate is 500 a second where its default is 20.
    #[arg(long, allow_hyphen_values = true)]
    pub peer_flag: Vec<String>,
    /// Where the numbers are written as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Where the curve of the scenario `flat` is drawn.
    #[arg(long)]
    pub svg: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A scenario: a state of the cluster and what is done in it.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// 51,000 Pods in 5,000 Services: fill, idle, spread changes, one big Service, rolling update, the API
    /// server restarted, restart.
    Cluster,
    /// 5,000 Services in one namespace: fill, and changes right after a restart.
    OneNamespace,
    /// 1,000 Services, both programs with the flags that they have by default.
    Shipped,
    /// Changes of one Service with a batch period of 500 ms.
    Batch,
    /// What a change costs as a namespace grows from 10 to 5,000 Services.
    Flat,
    /// What a change costs in Services of 1,000 and of 10,000 endpoints.
    Large,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    Both,
    Ours,
    Peer,
}
