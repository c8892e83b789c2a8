//! What the flags of `sandbox` mean, validated before anything is started.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Output, SandboxArgs};
use crate::cli::args::ClusterArgs;
use crate::cli::config::{
    FlagError, Logging, RunConfig, logging, loops, period, positive, ranged, settings, wrong,
};
use crate::control::ControlConfig;
use crate::model::Loop;

/// Pods that the load generator may be asked for.
const MOST_PODS: usize = 1_000_000;

/// Everything that `sandbox` needs, validated.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// A loopback address.
    pub address: IpAddr,
    /// 0: any free one.
    pub port: u16,
    /// `None`: a new file in the folder for such.
    pub kubeconfig: Option<PathBuf>,
    /// Nodes.
    pub nodes: usize,
    /// Zones.
    pub zones: usize,
    /// How many times faster Pods start and end.
    pub speed: f64,
    /// Manifests; none: the demo, unless there is load.
    pub files: Vec<PathBuf>,
    /// Where chance begins.
    pub seed: u64,
    /// The load generator, when it was asked for.
    pub load: Option<Load>,
    /// The loops.
    pub control: ControlConfig,
    /// Bind address of the controller's metrics; `0` is off.
    pub metrics_bind_address: String,
    /// What is printed.
    pub output: Output,
    /// The log.
    pub logging: Logging,
}

/// What the load generator does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Services.
    pub services: usize,
    /// Pods behind each.
    pub pods_per_service: usize,
    /// Changes a second.
    pub churn: f64,
    /// For how long.
    pub duration: Duration,
}

impl SandboxConfig {
    /// Validates the flags.
    ///
    /// # Errors
    /// The first flag that cannot be used.
    pub fn new(args: SandboxArgs) -> Result<SandboxConfig, FlagError> {
        let nodes = ranged("nodes", args.nodes, 1, 10_000)?;
        let zones = ranged("zones", args.zones, 1, 10_000)?;
        if zones > nodes {
            return wrong("zones", zones, format!("at most one for each of --nodes {nodes}"));
        }
        if !args.speed.is_finite() || args.speed <= 0.0 || args.speed > 1000.0 {
            return wrong("speed", args.speed, "a number above 0 and up to 1000");
        }
        Ok(SandboxConfig {
            address: loopback(&args.address)?,
            port: ranged("port", args.port, 0, i64::from(u16::MAX))? as u16,
            kubeconfig: args.kubeconfig_out.clone(),
            nodes,
            zones,
            speed: args.speed,
            load: load(&args)?,
            files: args.files,
            seed: args.seed.unwrap_or_else(rand::random),
            control: ControlConfig {
                settings: settings(&args.planning)?,
                loops: loops(&args.planning.controllers)?,
                workers: 5,
                mirroring_workers: 5,
                batch_period: period(
                    "endpointslice-updates-batch-period",
                    &args.endpointslice_updates_batch_period,
                )?,
                mirroring_batch_period: Duration::ZERO,
            },
            metrics_bind_address: args.metrics_bind_address,
            output: args.output,
            logging: logging(&args.logging_format, args.verbosity)?,
        })
    }

    /// How the controller runs inside this process, with this kubeconfig. It is alone, so it elects
    /// nobody, and its first slice does not wait for a lease.
    #[must_use]
    pub fn controller(&self, kubeconfig: &Path) -> RunConfig {
        RunConfig {
            cluster: ClusterArgs { kubeconfig: Some(kubeconfig.to_owned()), master: None },
            control: self.control.clone(),
            min_resync_period: Duration::from_secs(12 * 3600),
            qps: 0.0,
            burst: 0,
            election: None,
            metrics_bind_address: self.metrics_bind_address.clone(),
            metrics_secure: false,
            certificate: None,
            logging: self.logging,
        }
    }

    /// The same controller as the arguments of a process of its own.
    #[must_use]
    pub fn controller_arguments(&self, kubeconfig: &Path) -> Vec<String> {
        let control = &self.control;
        let named = |which: &Loop| match which {
            Loop::Selector => "endpointslice-controller",
            Loop::Mirroring => "endpointslice-mirroring-controller",
        };
        let loops: Vec<&str> = control.loops.iter().map(named).collect();
        vec![
            "sandbox-controller".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            "--leader-elect=false".to_owned(),
            format!("--metrics-bind-address={}", self.metrics_bind_address),
            format!("--controllers={}", loops.join(",")),
            format!("--max-endpoints-per-slice={}", control.settings.max_endpoints_per_slice),
            format!(
                "--mirroring-max-endpoints-per-subset={}",
                control.settings.mirroring_max_endpoints_per_subset
            ),
            format!("--endpointslice-updates-batch-period={}ns", control.batch_period.as_nanos()),
            format!("--logging-format={}", if self.logging.json { "json" } else { "text" }),
            format!("-v={}", self.logging.verbosity),
        ]
    }
}

fn loopback(text: &str) -> Result<IpAddr, FlagError> {
    let address = match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        text => text.trim_start_matches('[').trim_end_matches(']').parse(),
    };
    match address {
        Ok(address) if address.to_canonical().is_loopback() => Ok(address),
        Ok(_) => wrong(
            "address",
            text,
            "a loopback address: the sandbox asks nobody who they are, and whoever reaches it may do everything",
        ),
        Err(_) => wrong("address", text, "an IP address of loopback, as 127.0.0.1 or ::1"),
    }
}

fn load(args: &SandboxArgs) -> Result<Option<Load>, FlagError> {
    let Some(services) = args.services else {
        const BESIDE: &str = "--services beside it";
        if let Some(pods) = args.pods_per_service {
            return wrong("pods-per-service", pods, BESIDE);
        }
        if let Some(rate) = args.churn {
            return wrong("churn", rate, BESIDE);
        }
        return match args.duration {
            Some(duration) => wrong("for", duration, BESIDE),
            None => Ok(None),
        };
    };
    let services = ranged("services", services, 1, 100_000)?;
    let pods_per_service = ranged("pods-per-service", args.pods_per_service.unwrap_or(10), 1, 10_000)?;
    if services * pods_per_service > MOST_PODS {
        let most = format!("at most {MOST_PODS} Pods in all of --services {services}");
        return wrong("pods-per-service", pods_per_service, most);
    }
    let churn = args.churn.unwrap_or(10.0);
    if !(0.0..=100_000.0).contains(&churn) {
        return wrong("churn", churn, "a number of changes a second from 0 to 100000");
    }
    let duration = match &args.duration {
        Some(duration) => positive("for", duration)?,
        None => Duration::from_secs(30),
    };
    Ok(Some(Load { services, pods_per_service, churn, duration }))
}
