//! The command line as it is typed: names, help, environment variables. What values mean and
//! whether they are in range is decided in [`super::config`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kube::core::Duration as GoDuration;

/// Replaces the EndpointSlice and EndpointSlice mirroring controllers of kube-controller-manager.
#[derive(Debug, Parser)]
#[command(name = "endpointslice-controller", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controller against a cluster
    Run(Box<RunArgs>),
    /// Show what would be written, without writing: for a cluster, or for a dump of one
    Plan(Box<PlanArgs>),
    /// Try the whole thing in one command, with no cluster
    #[cfg(feature = "sandbox")]
    Sandbox(Box<super::sandbox::args::SandboxArgs>),
    /// The controller of `sandbox` under load: as `run`, until standard input ends
    #[cfg(feature = "sandbox")]
    #[command(hide = true)]
    SandboxController(Box<RunArgs>),
    /// Print the version
    Version,
}

/// How to reach the API server.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Kubeconfig file. Default: in-cluster, else $KUBECONFIG, else ~/.kube/config
    #[arg(long, env = "ENDPOINTSLICE_CONTROLLER_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Address of the API server; overrides the one of the kubeconfig
    #[arg(long, env = "ENDPOINTSLICE_CONTROLLER_MASTER", value_name = "URL")]
    pub master: Option<String>,
}

/// What plans need to know.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Planning")]
pub struct PlanningArgs {
    /// Loops to run, comma separated: `endpointslice-controller`, `endpointslice-mirroring-controller`
    /// (aliases `endpointslice`, `endpointslicemirroring`), `*` for all, `-name` to turn one off; the first mention wins
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_CONTROLLERS",
        default_value = "*",
        value_name = "NAMES",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub controllers: Vec<String>,
    /// Endpoints in one slice, 1 to 1000
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_MAX_ENDPOINTS_PER_SLICE",
        default_value_t = 100,
        value_name = "N",
        allow_negative_numbers = true
    )]
    pub max_endpoints_per_slice: i64,
    /// Addresses that are mirrored of one subset of Endpoints, 1 to 1000
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_MIRRORING_MAX_ENDPOINTS_PER_SUBSET",
        default_value_t = 1000,
        value_name = "N",
        allow_negative_numbers = true
    )]
    pub mirroring_max_endpoints_per_subset: i64,
}

/// Flags of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// How to reach the API server.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// What plans need to know.
    #[command(flatten)]
    pub planning: PlanningArgs,

    /// Services that are synced side by side, 1 to 50
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_CONCURRENT_SERVICE_ENDPOINT_SYNCS",
        default_value_t = 5,
        value_name = "N",
        help_heading = "Pace",
        allow_negative_numbers = true
    )]
    pub concurrent_service_endpoint_syncs: i64,
    /// How long changes of Pods are gathered before a Service is synced
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_ENDPOINTSLICE_UPDATES_BATCH_PERIOD",
        default_value = "0s",
        value_name = "DURATION",
        help_heading = "Pace",
        allow_hyphen_values = true
    )]
    pub endpointslice_updates_batch_period: GoDuration,
    /// Endpoints that are mirrored side by side, 1 to 50
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_MIRRORING_CONCURRENT_SERVICE_ENDPOINT_SYNCS",
        default_value_t = 5,
        value_name = "N",
        help_heading = "Pace",
        allow_negative_numbers = true
    )]
    pub mirroring_concurrent_service_endpoint_syncs: i64,
    /// How long changes of mirrored slices are gathered before they are looked at
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_MIRRORING_ENDPOINTSLICE_UPDATES_BATCH_PERIOD",
        default_value = "0s",
        value_name = "DURATION",
        help_heading = "Pace",
        allow_hyphen_values = true
    )]
    pub mirroring_endpointslice_updates_batch_period: GoDuration,
    /// How often everything is listed and planned again at least; jittered up to twice that
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_MIN_RESYNC_PERIOD",
        default_value = "12h",
        value_name = "DURATION",
        help_heading = "Pace",
        allow_hyphen_values = true
    )]
    pub min_resync_period: GoDuration,
    /// Writes a second; 0 is no limit of ours, and the API server's priority and fairness decides
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_KUBE_API_QPS",
        default_value_t = 0.0,
        value_name = "N",
        help_heading = "Pace",
        allow_negative_numbers = true
    )]
    pub kube_api_qps: f64,
    /// Writes at once before the limit of --kube-api-qps counts
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_KUBE_API_BURST",
        default_value_t = 30,
        value_name = "N",
        help_heading = "Pace",
        allow_negative_numbers = true
    )]
    pub kube_api_burst: i64,

    /// Whether replicas elect a leader on a Lease
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_LEADER_ELECT",
        default_value_t = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set,
        value_name = "BOOL",
        help_heading = "Leader election"
    )]
    pub leader_elect: bool,
    /// How long the others wait before they take the lead of a leader that is silent
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_LEADER_ELECT_LEASE_DURATION",
        default_value = "15s",
        value_name = "DURATION",
        help_heading = "Leader election",
        allow_hyphen_values = true
    )]
    pub leader_elect_lease_duration: GoDuration,
    /// How long a leader tries to renew before it stops leading; less than the lease duration
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_LEADER_ELECT_RENEW_DEADLINE",
        default_value = "10s",
        value_name = "DURATION",
        help_heading = "Leader election",
        allow_hyphen_values = true
    )]
    pub leader_elect_renew_deadline: GoDuration,
    /// How long to wait between two tries; 1.2 times that is less than the renew deadline
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_LEADER_ELECT_RETRY_PERIOD",
        default_value = "2s",
        value_name = "DURATION",
        help_heading = "Leader election",
        allow_hyphen_values = true
    )]
    pub leader_elect_retry_period: GoDuration,
    /// Name of the Lease
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_LEADER_ELECT_RESOURCE_NAME",
        default_value = "endpointslice-controller",
        value_name = "NAME",
        help_heading = "Leader election"
    )]
    pub leader_elect_resource_name: String,
    /// Namespace of the Lease. Default: the own namespace, else kube-system
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_LEADER_ELECT_RESOURCE_NAMESPACE",
        value_name = "NAMESPACE",
        help_heading = "Leader election"
    )]
    pub leader_elect_resource_namespace: Option<String>,

    /// Where /metrics, /livez, /readyz and /healthz are served; 0 turns it off
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_METRICS_BIND_ADDRESS",
        default_value = "[::]:8080",
        value_name = "ADDRESS",
        help_heading = "Serving"
    )]
    pub metrics_bind_address: String,
    /// Serve over TLS, and ask the API server who may read /metrics
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_METRICS_SECURE",
        default_value_t = false,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set,
        value_name = "BOOL",
        help_heading = "Serving"
    )]
    pub metrics_secure: bool,
    /// Certificate for --metrics-secure (PEM, read again when it changes). Default: self-signed
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_TLS_CERT_FILE",
        value_name = "FILE",
        help_heading = "Serving"
    )]
    pub tls_cert_file: Option<PathBuf>,
    /// Private key of --tls-cert-file (PEM)
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_TLS_PRIVATE_KEY_FILE",
        value_name = "FILE",
        help_heading = "Serving"
    )]
    pub tls_private_key_file: Option<PathBuf>,

    /// What the log looks like: text or json
    #[arg(
        long,
        env = "ENDPOINTSLICE_CONTROLLER_LOGGING_FORMAT",
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Log"
    )]
    pub logging_format: String,
    /// How much is logged: 0 what an operator should know, 2 each sync, 4 each event
    #[arg(
        short = 'v',
        long = "v",
        env = "ENDPOINTSLICE_CONTROLLER_V",
        default_value_t = 0,
        value_name = "LEVEL",
        help_heading = "Log",
        allow_negative_numbers = true
    )]
    pub verbosity: i64,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// One line a write, and what consumers see of each Service today and afterwards
    #[default]
    Table,
    /// All of each slice as JSON
    Json,
    /// All of each slice as YAML
    Yaml,
}

/// Flags of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// How to reach the API server.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// What plans need to know.
    #[command(flatten)]
    pub planning: PlanningArgs,

    /// Services to plan for, as NAME or NAMESPACE/NAME. Default: all
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Plan from what `kubectl get services,pods,nodes,endpoints,endpointslices -A -o json` (or yaml) printed, `-` for
    /// standard input, instead of the cluster; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Plan for the Services of this namespace only. Default: all namespaces
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// How to print the writes
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// Exit with 3 when there is something to write
    #[arg(long)]
    pub exit_code: bool,
    /// Show slices, too, that differ in their owner references only: the controller repairs them at its periodic resync
    #[arg(long)]
    pub deep: bool,
}
