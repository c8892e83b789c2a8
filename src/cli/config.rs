//! What the flags mean, validated before anything connects: each error names the flag, the value and
//! what was expected.

use std::path::PathBuf;
use std::time::Duration;

use kube::core::Duration as GoDuration;
use thiserror::Error;

use super::args::{ClusterArgs, PlanningArgs, RunArgs};
use crate::control::ControlConfig;
use crate::model::{Loop, Settings};

/// A flag that cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("--{flag} {value}: expected {expected}")]
pub struct FlagError {
    /// The flag, without dashes.
    pub flag: &'static str,
    /// What was given.
    pub value: String,
    /// What would have done.
    pub expected: String,
}

pub(super) fn wrong<T>(
    flag: &'static str,
    value: impl ToString,
    expected: impl ToString,
) -> Result<T, FlagError> {
    Err(FlagError { flag, value: value.to_string(), expected: expected.to_string() })
}

/// The format and amount of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logging {
    /// JSON lines instead of text.
    pub json: bool,
    /// 0 and up.
    pub verbosity: u8,
}

/// Leader election, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionConfig {
    /// Name of the Lease.
    pub name: String,
    /// Namespace of the Lease; `None`: the own namespace, else kube-system.
    pub namespace: Option<String>,
    /// Lease duration.
    pub lease_duration: Duration,
    /// Renew deadline.
    pub renew_deadline: Duration,
    /// Retry period.
    pub retry_period: Duration,
}

/// Everything that `run` needs, validated.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// How to reach the API server.
    pub cluster: ClusterArgs,
    /// The loops.
    pub control: ControlConfig,
    /// Resync at least this often.
    pub min_resync_period: Duration,
    /// Writes a second; 0 is no limit.
    pub qps: f64,
    /// Writes at once.
    pub burst: u32,
    /// `None`: no election.
    pub election: Option<ElectionConfig>,
    /// Bind address; `0` is off.
    pub metrics_bind_address: String,
    /// TLS and authentication of /metrics.
    pub metrics_secure: bool,
    /// Certificate and key; `None`: self-signed.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The log.
    pub logging: Logging,
}

impl RunConfig {
    /// Validates the flags.
    ///
    /// # Errors
    /// The first flag that is out of range.
    pub fn new(args: RunArgs) -> Result<RunConfig, FlagError> {
        let workers = |flag, n: i64| ranged(flag, n, 1, 50);
        let control = ControlConfig {
            settings: settings(&args.planning)?,
            loops: loops(&args.planning.controllers)?,
            workers: workers("concurrent-service-endpoint-syncs", args.concurrent_service_endpoint_syncs)?,
            mirroring_workers: workers(
                "mirroring-concurrent-service-endpoint-syncs",
                args.mirroring_concurrent_service_endpoint_syncs,
            )?,
            batch_period: period(
                "endpointslice-updates-batch-period",
                &args.endpointslice_updates_batch_period,
            )?,
            mirroring_batch_period: period(
                "mirroring-endpointslice-updates-batch-period",
                &args.mirroring_endpointslice_updates_batch_period,
            )?,
        };
        if !args.kube_api_qps.is_finite() || args.kube_api_qps < 0.0 {
            return wrong("kube-api-qps", args.kube_api_qps, "a number from 0 up (0 is no limit)");
        }
        let burst = ranged("kube-api-burst", args.kube_api_burst, 0, i64::from(i32::MAX))?;
        let certificate = match (&args.tls_cert_file, &args.tls_private_key_file) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            (Some(file), None) => {
                return wrong("tls-cert-file", file.display(), "--tls-private-key-file beside it");
            }
            (None, Some(file)) => {
                return wrong("tls-private-key-file", file.display(), "--tls-cert-file beside it");
            }
        };
        if certificate.is_some() && !args.metrics_secure {
            return wrong("tls-cert-file", "without --metrics-secure", "both or neither");
        }
        Ok(RunConfig {
            min_resync_period: positive("min-resync-period", &args.min_resync_period)?,
            qps: args.kube_api_qps,
            burst: burst as u32,
            election: args.leader_elect.then(|| election(&args)).transpose()?,
            metrics_bind_address: args.metrics_bind_address,
            metrics_secure: args.metrics_secure,
            certificate,
            logging: logging(&args.logging_format, args.verbosity)?,
            cluster: args.cluster,
            control,
        })
    }
}

/// `--logging-format` and `-v`.
pub(super) fn logging(format: &str, verbosity: i64) -> Result<Logging, FlagError> {
    let json = match format {
        "text" => false,
        "json" => true,
        other => return wrong("logging-format", other, "text or json"),
    };
    Ok(Logging { json, verbosity: ranged("v", verbosity, 0, 255)? as u8 })
}

/// What plans need, validated.
///
/// # Errors
/// The first flag that is out of range.
pub fn settings(args: &PlanningArgs) -> Result<Settings, FlagError> {
    Ok(Settings {
        max_endpoints_per_slice: ranged("max-endpoints-per-slice", args.max_endpoints_per_slice, 1, 1000)?,
        mirroring_max_endpoints_per_subset: ranged(
            "mirroring-max-endpoints-per-subset",
            args.mirroring_max_endpoints_per_subset,
            1,
            1000,
        )?,
    })
}

/// The loops that `--controllers` names: the first explicit mention of a name wins, then `*`.
///
/// # Errors
/// An unknown name, or none left.
pub fn loops(names: &[String]) -> Result<Vec<Loop>, FlagError> {
    let mut mentioned: [Option<bool>; 2] = [None, None];
    let mut star = false;
    for given in names.iter().map(|name| name.trim()) {
        if given == "*" {
            star = true;
            continue;
        }
        let (name, on) = given.strip_prefix('-').map_or((given, true), |name| (name, false));
        let which = match name {
            "endpointslice-controller" | "endpointslice" => Loop::Selector,
            "endpointslice-mirroring-controller" | "endpointslicemirroring" => Loop::Mirroring,
            _ => {
                return wrong(
                    "controllers",
                    given,
                    "endpointslice-controller (alias endpointslice), endpointslice-mirroring-controller \
                     (alias endpointslicemirroring), one of them with - in front, or *",
                );
            }
        };
        mentioned[which as usize].get_or_insert(on);
    }
    let loops: Vec<Loop> = [Loop::Selector, Loop::Mirroring]
        .into_iter()
        .filter(|which| mentioned[*which as usize].unwrap_or(star))
        .collect();
    if loops.is_empty() {
        return wrong("controllers", names.join(","), "at least one loop that is left on");
    }
    Ok(loops)
}

pub(super) fn ranged(flag: &'static str, value: i64, from: i64, to: i64) -> Result<usize, FlagError> {
    if (from..=to).contains(&value) {
        return Ok(value as usize);
    }
    wrong(flag, value, format!("a number from {from} to {to}"))
}

/// A duration of at least zero.
pub(super) fn period(flag: &'static str, value: &GoDuration) -> Result<Duration, FlagError> {
    if value.is_negative() {
        return wrong(flag, shown(value), "a duration from 0s up");
    }
    Ok((*value).into())
}

/// As it is typed: `0s`, not `0ns`.
fn shown(value: &GoDuration) -> String {
    let text = value.to_string();
    if text == "0ns" { "0s".to_owned() } else { text }
}

pub(super) fn positive(flag: &'static str, value: &GoDuration) -> Result<Duration, FlagError> {
    let duration = period(flag, value)?;
    if duration.is_zero() {
        return wrong(flag, shown(value), "a duration above 0s");
    }
    Ok(duration)
}

fn election(args: &RunArgs) -> Result<ElectionConfig, FlagError> {
    let lease_duration = positive("leader-elect-lease-duration", &args.leader_elect_lease_duration)?;
    let renew_deadline = positive("leader-elect-renew-deadline", &args.leader_elect_renew_deadline)?;
    let retry_period = positive("leader-elect-retry-period", &args.leader_elect_retry_period)?;
    if renew_deadline >= lease_duration {
        return wrong(
            "leader-elect-renew-deadline",
            args.leader_elect_renew_deadline,
            format!("less than --leader-elect-lease-duration {}", args.leader_elect_lease_duration),
        );
    }
    if retry_period.mul_f64(1.2) >= renew_deadline {
        return wrong(
            "leader-elect-retry-period",
            args.leader_elect_retry_period,
            format!(
                "1.2 times it to be less than --leader-elect-renew-deadline {}",
                args.leader_elect_renew_deadline
            ),
        );
    }
    if args.leader_elect_resource_name.is_empty() {
        return wrong("leader-elect-resource-name", "\"\"", "the name of a Lease");
    }
    if args.leader_elect_resource_namespace.as_deref() == Some("") {
        return wrong("leader-elect-resource-namespace", "\"\"", "the name of a namespace");
    }
    Ok(ElectionConfig {
        name: args.leader_elect_resource_name.clone(),
        namespace: args.leader_elect_resource_namespace.clone(),
        lease_duration,
        renew_deadline,
        retry_period,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};

    fn parse(flags: &[&str]) -> Result<RunConfig, String> {
        let words = ["endpointslice-controller", "run"].iter().chain(flags);
        match Cli::try_parse_from(words).map_err(|e| e.to_string())?.command {
            Command::Run(args) => RunConfig::new(*args).map_err(|e| e.to_string()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn defaults_are_those_of_the_peer() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.control.loops, [Loop::Selector, Loop::Mirroring]);
        assert_eq!((config.control.workers, config.control.mirroring_workers), (5, 5));
        assert_eq!(config.control.settings, Settings::default());
        assert_eq!(config.control.batch_period, Duration::ZERO);
        assert_eq!(config.min_resync_period, Duration::from_secs(12 * 3600));
        assert_eq!((config.qps, config.burst), (0.0, 30));
        let election = config.election.unwrap();
        assert_eq!(election.name, "endpointslice-controller");
        assert_eq!(
            (election.lease_duration, election.renew_deadline, election.retry_period),
            (Duration::from_secs(15), Duration::from_secs(10), Duration::from_secs(2))
        );
        assert_eq!(config.metrics_bind_address, "[::]:8080");
    }

    #[test]
    fn what_tools_start_beside_others_is_understood() {
        let config =
            parse(&["--kubeconfig", "F", "--leader-elect=false", "--metrics-bind-address=0", "-v=2"])
                .unwrap();
        assert!(config.election.is_none());
        assert_eq!(config.metrics_bind_address, "0");
        assert_eq!(config.logging.verbosity, 2);
        assert!(parse(&["--leader-elect"]).unwrap().election.is_some());
    }

    #[test]
    fn what_is_out_of_range_names_flag_value_and_range() {
        for (flags, said) in [
            (
                vec!["--max-endpoints-per-slice=0"],
                "--max-endpoints-per-slice 0: expected a number from 1 to 1000",
            ),
            (
                vec!["--max-endpoints-per-slice=1001"],
                "--max-endpoints-per-slice 1001: expected a number from 1 to 1000",
            ),
            (
                vec!["--concurrent-service-endpoint-syncs", "51"],
                "--concurrent-service-endpoint-syncs 51: expected a number from 1 to 50",
            ),
            (
                vec!["--concurrent-service-endpoint-syncs", "-1"],
                "--concurrent-service-endpoint-syncs -1: expected a number from 1 to 50",
            ),
            (
                vec!["--endpointslice-updates-batch-period=-1s"],
                "--endpointslice-updates-batch-period -1s: expected a duration from 0s up",
            ),
            (vec!["--min-resync-period=0s"], "--min-resync-period 0s: expected a duration above 0s"),
            (vec!["--kube-api-qps=-1"], "--kube-api-qps -1: expected a number from 0 up (0 is no limit)"),
            (vec!["--controllers=nodes"], "--controllers nodes: expected endpointslice-controller (alias"),
            (vec!["--controllers=-endpointslice"], "at least one loop"),
            (
                vec!["--leader-elect-renew-deadline=15s"],
                "--leader-elect-renew-deadline 15s: expected less than",
            ),
            (vec!["--leader-elect-retry-period=9s"], "--leader-elect-retry-period 9s: expected 1.2 times"),
            (vec!["--leader-elect-resource-name="], "--leader-elect-resource-name \"\": expected"),
            (vec!["--logging-format=xml"], "--logging-format xml: expected text or json"),
            (vec!["--tls-cert-file=c"], "--tls-cert-file c: expected --tls-private-key-file"),
        ] {
            let error = parse(&flags).unwrap_err();
            assert!(error.contains(said), "{flags:?}: {error}");
        }
    }

    #[test]
    fn the_first_mention_of_a_controller_wins() {
        let of = |text: &str| loops(&text.split(',').map(str::to_owned).collect::<Vec<_>>()).unwrap();
        assert_eq!(of("*,-endpointslice"), [Loop::Mirroring]);
        assert_eq!(of("-endpointslice-mirroring-controller,*,endpointslicemirroring"), [Loop::Selector]);
        assert_eq!(of("endpointslicemirroring"), [Loop::Mirroring]);
        assert_eq!(of("endpointslice,-endpointslice"), [Loop::Selector]);
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        use clap::CommandFactory;
        let cli = Cli::command();
        let run = cli.get_subcommands().find(|c| c.get_name() == "run").unwrap();
        let without: Vec<_> = run
            .get_arguments()
            .filter(|a| !matches!(a.get_id().as_str(), "help" | "version") && a.get_env().is_none())
            .map(|a| a.get_id().to_string())
            .collect();
        assert!(without.is_empty(), "{without:?}");
    }
}
