//! kube-controller-manager with its two EndpointSlice controllers: what we are compared with.

use std::process::Command;
use std::time::Duration;

use super::api::Api;
use super::controller::next_name;
use super::process::{Process, exit_code, free_port, scratch};
use super::real::programs;
use super::stage::{Stage, User};
use super::wait::eventually;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running kube-controller-manager.
pub struct Peer {
    process: Process,
}

impl Peer {
    /// Starts it as [`User::Peer`] without leader election and with a high request rate, and waits
    /// until its controllers run. `flags` come last and win.
    pub async fn start(stage: &dyn Stage, flags: &[&str]) -> Peer {
        let peer = Peer::launch(stage, flags);
        eventually("the peer has started its controllers", READY_WITHIN, || async {
            let log = peer.process.log().to_lowercase();
            let lines = ["starting endpoint slice controller", "starting endpointslicemirroring controller"];
            if lines.iter().all(|line| log.contains(line)) { Ok(()) } else { Err(peer.process.tail(20)) }
        })
        .await;
        peer
    }

    /// The same without waiting.
    pub fn launch(stage: &dyn Stage, flags: &[&str]) -> Peer {
        let programs = programs().expect("a stage was lent, so the programs are there");
        let port = free_port();
        let mut command = Command::new(programs.path("kube-controller-manager"));
        command
            .arg(format!("--kubeconfig={}", stage.kubeconfig(User::Peer).display()))
            .arg("--controllers=endpointslice-controller,endpointslice-mirroring-controller")
            .args(["--leader-elect=false", "--use-service-account-credentials=false"])
            .args(["--kube-api-qps=500", "--kube-api-burst=1000", "--bind-address=127.0.0.1"])
            .args([
                "--authentication-skip-lookup=true",
                "--authorization-always-allow-paths=/healthz,/metrics",
            ])
            .arg(format!("--cert-dir={}", scratch().join(format!("peer-{port}")).display()))
            .arg(format!("--secure-port={port}"))
            .args(flags);
        Peer { process: Process::start(&next_name("peer"), command) }
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    pub async fn terminate(mut self, deadline: Duration) -> i32 {
        self.process.signal("TERM");
        exit_code(self.process.wait(deadline).await)
    }

    pub fn kill(mut self) {
        self.process.kill();
    }

    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    pub fn thaw(&self) {
        self.process.signal("CONT");
    }
}
