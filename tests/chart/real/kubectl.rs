//! kubectl, as the administrator of a stage.

use std::process::Command;

use crate::support::helm::file;
use crate::support::real::programs;
use crate::support::{Stage, User};

/// What kubectl prints.
///
/// # Errors
/// What it says against it.
pub fn kubectl(stage: &dyn Stage, arguments: &[&str]) -> Result<String, String> {
    let programs = programs().expect("a stage was lent, so the programs are there");
    let output = Command::new(programs.path("kubectl"))
        .arg(format!("--kubeconfig={}", stage.kubeconfig(User::Admin).display()))
        .args(arguments)
        .output()
        .expect("run kubectl");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("kubectl {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr))),
    }
}

/// `kubectl apply --server-side` of this text, with every unknown or repeated field an error.
///
/// # Errors
/// What it says against it.
pub fn apply(stage: &dyn Stage, text: &str, more: &[&str]) -> Result<String, String> {
    let path = file("manifest.yaml", text).display().to_string();
    let mut arguments = vec!["apply", "--server-side", "--validate=strict", "-f", path.as_str()];
    arguments.extend(more);
    kubectl(stage, &arguments)
}
