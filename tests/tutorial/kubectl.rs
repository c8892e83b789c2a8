//! The real kubectl, as a person in a shell has it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::support::process::scratch;
use super::support::real::Programs;
use super::transcript;

const WITHIN: Duration = Duration::from_secs(300);

pub struct Shell {
    kubeconfig: PathBuf,
    home: PathBuf,
    path: String,
}

impl Shell {
    /// In the folder of the manifests, with a home of its own.
    pub fn new(kubeconfig: PathBuf, programs: &Programs, name: &str) -> Shell {
        let home = scratch().join(format!("home-{name}"));
        std::fs::create_dir_all(&home).expect("create a home");
        let folder = programs.path("kubectl");
        let folder = folder.parent().expect("a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        Shell { kubeconfig, home, path: format!("{folder}:{path}") }
    }

    /// What the command prints on both its outputs, and whether it succeeded.
    pub async fn run(&self, command: &str) -> (bool, String) {
        let run = Command::new("sh")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(transcript::folder().join("manifests"))
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.home)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output =
            tokio::time::timeout(WITHIN, run).await.unwrap_or_else(|_| panic!("{command}: no end in sight"));
        let output = output.expect("run a shell");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
