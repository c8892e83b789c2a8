//! The flags of `sandbox` as they are typed. What they mean is decided in [`super::config`].

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kube::core::Duration as GoDuration;

use crate::cli::args::PlanningArgs;

/// What is printed where there is no live screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// Lines and a report for people
    #[default]
    Text,
    /// One JSON object a line; of the load generator, its report as one JSON object
    Json,
}

/// Flags of `sandbox`.
#[derive(Clone, Debug, Args)]
pub struct SandboxArgs {
    /// Port of the API server; 0 is any free one
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_SANDBOX_PORT",
        default_value_t = 0,
        value_name = "PORT",
        help_heading = "API server",
        allow_negative_numbers = true
    )]
    pub port: i64,
    /// Address of the API server; loopback only, since whoever reaches it may do everything
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_SANDBOX_ADDRESS",
        default_value = "127.0.0.1",
        value_name = "IP",
        help_heading = "API server"
    )]
    pub address: String,
    /// Where the kubeconfig is written; removed at the end. Default: a new file in $XDG_RUNTIME_DIR, else in the
    /// folder for temporary files
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_SANDBOX_KUBECONFIG_OUT",
        value_name = "FILE",
        help_heading = "API server"
    )]
    pub kubeconfig_out: Option<PathBuf>,

    /// Nodes, 1 to 10000
    #[arg(
        long,
        default_value_t = 5,
        value_name = "N",
        help_heading = "Cluster",
        allow_negative_numbers = true
    )]
    pub nodes: i64,
    /// Zones over which the Nodes are spread, 1 to as many as there are Nodes
    #[arg(
        long,
        default_value_t = 3,
        value_name = "N",
        help_heading = "Cluster",
        allow_negative_numbers = true
    )]
    pub zones: i64,
    /// How many times faster than usual Pods start and end; above 0
    #[arg(
        long,
        default_value_t = 1.0,
        value_name = "FACTOR",
        help_heading = "Cluster",
        allow_negative_numbers = true
    )]
    pub speed: f64,
    /// Manifests to create instead of the demo: a file (YAML or JSON, any number of documents), a folder of
    /// them, or `-` for standard input; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE", help_heading = "Cluster")]
    pub files: Vec<PathBuf>,
    /// Where chance begins: the same seed makes the same choices. Default: a new one each time
    #[arg(long, value_name = "N", help_heading = "Cluster")]
    pub seed: Option<u64>,

    /// Generate load instead of a demo: this many Services, 1 to 100000; ends with a report
    #[arg(long, value_name = "N", help_heading = "Load", allow_negative_numbers = true)]
    pub services: Option<i64>,
    /// Pods behind each of --services, 1 to 10000. Default: 10
    #[arg(long, value_name = "N", help_heading = "Load", allow_negative_numbers = true)]
    pub pods_per_service: Option<i64>,
    /// Changes of Pods a second, once all slices are complete; 0 is none. Default: 10
    #[arg(long, value_name = "RATE", help_heading = "Load", allow_negative_numbers = true)]
    pub churn: Option<f64>,
    /// How long Pods change. Default: 30s
    #[arg(long = "for", value_name = "DURATION", help_heading = "Load", allow_hyphen_values = true)]
    pub duration: Option<GoDuration>,

    /// What plans need to know.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// How long changes of Pods are gathered before a Service is synced
    #[arg(
        long,
        default_value = "0s",
        value_name = "DURATION",
        help_heading = "Planning",
        allow_hyphen_values = true
    )]
    pub endpointslice_updates_batch_period: GoDuration,
    /// Where the controller serves /metrics and its health, loopback or not; 0 turns it off
    #[arg(long, default_value = "0", value_name = "ADDRESS", help_heading = "Serving")]
    pub metrics_bind_address: String,

    /// What is printed where there is no live screen
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
    pub output: Output,
    /// What the log looks like: text or json
    #[arg(long, default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub logging_format: String,
    /// How much is logged: 0 what an operator should know, 2 each sync, 4 each event
    #[arg(
        short = 'v',
        long = "v",
        default_value_t = 0,
        value_name = "LEVEL",
        help_heading = "Output",
        allow_negative_numbers = true
    )]
    pub verbosity: i64,
}
