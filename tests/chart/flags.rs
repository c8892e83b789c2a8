//! Every flag of the controller is a value.

use std::process::Command;

use clap::Parser;
use endpointslice_controller::cli::args::{Cli, Command as Subcommand};
use endpointslice_controller::cli::config::RunConfig;

use crate::support::helm::{Helm, one};

/// Values that give every flag something to say.
const ALL: &str = "
controller: {kubeconfig: /kubeconfig, master: 'https://192.0.2.1'}
metrics: {secure: {enabled: true, certificateSecret: tls}}
";

/// The long flags that `run --help` lists.
fn flags() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_endpointslice-controller"))
        .args(["run", "--help"])
        .output()
        .expect("run the controller");
    let help = String::from_utf8(output.stdout).expect("text");
    let mut flags: Vec<String> = help
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'))
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
        .map(|word| word.trim_end_matches(',').split(['=', '[']).next().unwrap_or_default().to_string())
        .filter(|flag| flag != "--help" && flag != "--version")
        .collect();
    flags.sort();
    flags
}

#[test]
fn every_flag_has_a_value_and_every_rendered_flag_is_known() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects(ALL);
    let deployment = one(&objects, "Deployment", "endpointslice-controller");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let arguments: Vec<&str> =
        container["args"].as_array().expect("arguments").iter().filter_map(|a| a.as_str()).collect();
    assert_eq!(arguments[0], "run");
    let mut rendered: Vec<String> =
        arguments[1..].iter().map(|a| a.split('=').next().unwrap_or_default().to_string()).collect();
    rendered.sort();
    let known = flags();
    assert!(known.len() > 20, "{known:?}");
    assert_eq!(rendered, known);
}

/// The arguments are parsed and validated as the program does it before it connects.
#[test]
fn the_program_takes_the_arguments_of_every_set() {
    let Some(helm) = Helm::new() else { return };
    for (set, values) in crate::rendering::sets() {
        let objects = helm.objects(&values);
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
        let arguments = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let words = arguments.as_array().expect("arguments").iter().filter_map(|argument| argument.as_str());
        let line = std::iter::once("endpointslice-controller").chain(words);
        let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{set}: {error}"));
        let Subcommand::Run(arguments) = cli.command else { panic!("{set}: not `run`") };
        RunConfig::new(*arguments).unwrap_or_else(|error| panic!("{set}: {error}"));
    }
}
