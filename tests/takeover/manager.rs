//! kube-controller-manager whole: with all controllers that run here, its own leader election, and an
//! account for each controller, as kubeadm starts it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::controller::next_name;
use crate::support::process::{Process, exit_code, free_port, scratch};
use crate::support::real::{RealStage, programs};
use crate::support::{Stage, User, eventually};

/// Its `--controllers` with kubeadm's defaults.
pub const BOTH_ON: &str = "--controllers=*,bootstrapsigner,tokencleaner";
/// The same with our two loops off.
pub const BOTH_OFF: &str = "--controllers=*,bootstrapsigner,tokencleaner,-endpointslice-controller,-endpointslice-mirroring-controller";
/// The Lease of the migration.
pub const MIGRATION: &str = "endpointslice-migration";
const SHIPPED: &str = "manifests/components/leader-migration/leader-migration.yaml";
const CURRENT: &str = "kube-controller-manager";
/// kube-controller-manager 1.35: one minor older than the API server is supported.
pub const PREVIOUS: &str = "kube-controller-manager-1.35";
const WITHIN: Duration = Duration::from_secs(60);

/// A running kube-controller-manager.
pub struct Manager {
    process: Process,
}

impl Manager {
    /// Starts it; nothing is waited for. It may need its Lease first. `flags` come last and win.
    pub fn launch(stage: &RealStage, flags: &[&str]) -> Manager {
        Manager::run(stage, CURRENT, flags)
    }

    /// The same of the minor before: the last one in which leader migration works.
    pub fn launch_previous(stage: &RealStage, flags: &[&str]) -> Manager {
        Manager::run(stage, PREVIOUS, flags)
    }

    fn run(stage: &RealStage, program: &str, flags: &[&str]) -> Manager {
        let programs = programs().expect("a stage was lent, so the programs are there");
        let port = free_port();
        let folder = stage.cluster().folder();
        let mut command = Command::new(programs.path(program));
        // The name by which it calls itself towards the API server.
        command.arg0(CURRENT);
        command
            .arg(format!("--kubeconfig={}", stage.kubeconfig(User::Manager).display()))
            .args(["--leader-elect=true", "--use-service-account-credentials=true"])
            .arg(format!("--root-ca-file={}", folder.join("certs/apiserver.crt").display()))
            .arg(format!(
                "--service-account-private-key-file={}",
                folder.join("service-account.key").display()
            ))
            // No kubelet renews the Leases of the nodes here; without this they, and their Pods, fall ill.
            .arg("--node-monitor-grace-period=1h")
            .args(["--kube-api-qps=500", "--kube-api-burst=1000", "--bind-address=127.0.0.1"])
            .args([
                "--authentication-skip-lookup=true",
                "--authorization-always-allow-paths=/healthz,/metrics",
            ])
            .arg(format!("--cert-dir={}", scratch().join(format!("manager-{port}")).display()))
            .arg(format!("--secure-port={port}"))
            .args(flags);
        Manager { process: Process::start(&next_name("manager"), command) }
    }

    /// Waits until its log has all of these words, in whatever case.
    pub async fn says(&self, words: &[&str]) {
        eventually(&format!("the manager says {words:?}"), WITHIN, || async {
            let log = self.log().to_lowercase();
            let missing = words.iter().find(|words| !log.contains(&words.to_lowercase()));
            missing.map_or(Ok(()), |words| Err(format!("{words:?} is missing\n{}", self.process.tail(20))))
        })
        .await;
    }

    /// Waits until it leads and its other controllers run.
    pub async fn leads(&self) {
        self.says(&[
            "successfully acquired lease\" lock=\"kube-system/kube-controller-manager\"",
            "Starting service account controller",
        ])
        .await;
    }

    /// Waits until its two EndpointSlice loops run.
    pub async fn loops_run(&self) {
        self.says(&["Starting endpoint slice controller", "Starting EndpointSliceMirroring controller"])
            .await;
    }

    /// Whether one of the two loops was started.
    pub fn has_loops(&self) -> bool {
        let log = self.log().to_lowercase();
        log.contains("starting endpoint slice controller")
            || log.contains("starting endpointslicemirroring controller")
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn tail(&self, lines: usize) -> String {
        self.process.tail(lines)
    }

    pub fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    pub async fn exit(&mut self, deadline: Duration) -> i32 {
        exit_code(self.process.wait(deadline).await)
    }

    pub fn kill(mut self) {
        self.process.kill();
    }
}

/// The flags that put both loops under the Lease of the migration, by the file that is shipped.
pub fn migration() -> [String; 2] {
    migration_by(&Path::new(env!("CARGO_MANIFEST_DIR")).join(SHIPPED))
}

/// The same, but the shipped file says `component` instead of "*".
pub fn migration_to(component: &str) -> [String; 2] {
    let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(SHIPPED));
    let shipped = shipped.expect("read the configuration");
    let changed = shipped.replace("component: \"*\"", &format!("component: {component}"));
    assert_ne!(changed, shipped);
    let file = scratch().join(format!("{}.yaml", next_name("leader-migration")));
    std::fs::write(&file, changed).expect("write the configuration");
    migration_by(&file)
}

fn migration_by(file: &Path) -> [String; 2] {
    ["--enable-leader-migration".to_string(), format!("--leader-migration-config={}", file.display())]
}
