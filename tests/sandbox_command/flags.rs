//! Flags and what they mean.

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use endpointslice_controller::cli::sandbox::args::SandboxArgs;
use endpointslice_controller::cli::sandbox::config::{Load, SandboxConfig};
use endpointslice_controller::model::Loop;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    sandbox: SandboxArgs,
}

pub fn config(flags: &[&str]) -> Result<SandboxConfig, String> {
    let words = ["sandbox"].iter().chain(flags);
    let parsed = Command::try_parse_from(words).map_err(|error| error.to_string())?;
    SandboxConfig::new(parsed.sandbox).map_err(|error| error.to_string())
}

#[test]
fn without_flags_it_is_a_small_cluster_on_any_free_port_of_loopback() {
    let config = config(&[]).unwrap();
    assert_eq!((config.nodes, config.zones, config.speed), (5, 3, 1.0));
    assert_eq!((config.address.to_string().as_str(), config.port), ("127.0.0.1", 0));
    assert!(config.load.is_none() && config.files.is_empty());
    assert_eq!(config.control.loops, [Loop::Selector, Loop::Mirroring]);
    assert_eq!(config.metrics_bind_address, "0");
}

#[test]
fn any_address_of_loopback_is_taken() {
    for (given, meant) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1.2.3", "127.1.2.3"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("localhost", "127.0.0.1"),
    ] {
        assert_eq!(config(&["--address", given]).unwrap().address.to_string(), meant);
    }
}

#[test]
fn load_has_defaults_once_services_are_asked_for() {
    let load = config(&["--services=3"]).unwrap().load.unwrap();
    let expected = Load { services: 3, pods_per_service: 10, churn: 10.0, duration: Duration::from_secs(30) };
    assert_eq!(load, expected);
    let flags = ["--services=2", "--pods-per-service=7", "--churn=2.5", "--for=1m30s"];
    let load = config(&flags).unwrap().load.unwrap();
    assert_eq!((load.pods_per_service, load.churn, load.duration), (7, 2.5, Duration::from_secs(90)));
}

#[test]
fn what_cannot_be_used_names_flag_value_and_what_was_expected() {
    for (flags, said) in [
        (
            vec!["--address=0.0.0.0"],
            "--address 0.0.0.0: expected a loopback address: the sandbox asks nobody who they are",
        ),
        (vec!["--address=::"], "--address ::: expected a loopback address"),
        (vec!["--address=::ffff:10.0.0.1"], "--address ::ffff:10.0.0.1: expected a loopback address"),
        (vec!["--address=example.com"], "--address example.com: expected an IP address of loopback"),
        (vec!["--port=65536"], "--port 65536: expected a number from 0 to 65535"),
        (vec!["--port=-1"], "--port -1: expected a number from 0 to 65535"),
        (vec!["--nodes=0"], "--nodes 0: expected a number from 1 to 10000"),
        (vec!["--zones=0"], "--zones 0: expected a number from 1 to 10000"),
        (vec!["--nodes=2", "--zones=3"], "--zones 3: expected at most one for each of --nodes 2"),
        (vec!["--speed=0"], "--speed 0: expected a number above 0 and up to 1000"),
        (vec!["--speed=NaN"], "--speed NaN: expected a number above 0"),
        (vec!["--services=0"], "--services 0: expected a number from 1 to 100000"),
        (vec!["--services=1", "--pods-per-service=0"], "--pods-per-service 0: expected a number from 1 to"),
        (
            vec!["--services=100000", "--pods-per-service=11"],
            "--pods-per-service 11: expected at most 1000000 Pods in all of --services 100000",
        ),
        (vec!["--services=1", "--churn=-1"], "--churn -1: expected a number of changes a second from 0"),
        (vec!["--services=1", "--for=0s"], "--for 0s: expected a duration above 0s"),
        (vec!["--pods-per-service=1"], "--pods-per-service 1: expected --services beside it"),
        (vec!["--churn=1"], "--churn 1: expected --services beside it"),
        (vec!["--for=1m"], "--for 60s: expected --services beside it"),
        (
            vec!["--max-endpoints-per-slice=1001"],
            "--max-endpoints-per-slice 1001: expected a number from 1 to 1000",
        ),
        (
            vec!["--endpointslice-updates-batch-period=-1s"],
            "--endpointslice-updates-batch-period -1s: expected a duration from 0s up",
        ),
        (vec!["--logging-format=xml"], "--logging-format xml: expected text or json"),
        (vec!["-v=256"], "--v 256: expected a number from 0 to 255"),
        (vec!["--controllers=nodes"], "--controllers nodes: expected endpointslice-controller"),
    ] {
        let error = config(&flags).unwrap_err();
        assert!(error.contains(said), "{flags:?}: {error}");
    }
}

#[test]
fn the_controller_is_the_same_inside_and_as_a_process_of_its_own() {
    use endpointslice_controller::cli::args::{Cli, Command};
    use endpointslice_controller::cli::config::RunConfig;
    let flags = [
        "--max-endpoints-per-slice=7",
        "--mirroring-max-endpoints-per-subset=9",
        "--endpointslice-updates-batch-period=250ms",
        "--controllers=endpointslice",
        "-v=2",
        "--logging-format=json",
    ];
    let config = config(&flags).unwrap();
    let inside = config.controller(Path::new("/k"));
    let words = std::iter::once("x".to_owned()).chain(config.controller_arguments(Path::new("/k")));
    let Command::SandboxController(args) = Cli::try_parse_from(words).unwrap().command else {
        panic!("another command");
    };
    let alone = RunConfig::new(*args).unwrap();
    assert_eq!(format!("{:?}", inside.control), format!("{:?}", alone.control));
    assert_eq!(inside.logging, alone.logging);
    assert_eq!(inside.cluster.kubeconfig, alone.cluster.kubeconfig);
    assert!(inside.election.is_none() && alone.election.is_none());
    assert_eq!(inside.metrics_bind_address, alone.metrics_bind_address);
}
