//! The command `sandbox` with its controller, as a person starts it, and nothing in it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::support::eventually;
use super::support::process::{Process, scratch};
use super::transcript;

const READY_WITHIN: Duration = Duration::from_secs(60);

pub struct Sandbox {
    kubeconfig: PathBuf,
    _process: Process,
}

impl Sandbox {
    /// Starts it with as many Nodes and zones as the lab has, and waits for its kubeconfig.
    pub async fn start(name: &str, flags: &[&str]) -> Sandbox {
        let kubeconfig = scratch().join(format!("tutorial-{name}.kubeconfig"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_endpointslice-controller"));
        command
            .arg("sandbox")
            .arg(format!("--kubeconfig-out={}", kubeconfig.display()))
            .arg(format!("--filename={}", transcript::folder().join("manifests/nothing.yaml").display()))
            .args(["--nodes=5", "--zones=3", "--speed=10"])
            .args(flags);
        let process = Process::start(&format!("tutorial-{name}"), command);
        eventually("the sandbox has written its kubeconfig", READY_WITHIN, || async {
            if kubeconfig.is_file() { Ok(()) } else { Err(process.tail(20)) }
        })
        .await;
        Sandbox { kubeconfig, _process: process }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }
}
