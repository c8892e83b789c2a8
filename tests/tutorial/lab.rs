//! The real control plane, whole: what the transcripts are written down from.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::support::process::{Process, free_port, scratch};
use super::support::real::{Programs, RealStage, exclusive};
use super::support::{Api, Stage, User, eventually};

const READY_WITHIN: Duration = Duration::from_secs(120);
const NODES: u8 = 5;
const ZONES: u8 = 3;

/// Everything that runs; it ends when this is dropped.
pub struct Lab {
    stage: RealStage,
    _processes: [Process; 3],
}

impl Lab {
    /// Starts kube-controller-manager, kube-scheduler and kwok on an empty API server, and waits until
    /// the Nodes are ready.
    pub async fn start(programs: &Programs) -> Lab {
        let stage = exclusive().await.expect("the programs are there");
        for number in 1..=NODES {
            let node = json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": format!("node-{number:04}"), "labels": {
                    "kubernetes.io/hostname": format!("node-{number:04}"), "kubernetes.io/os": "linux",
                    "topology.kubernetes.io/zone": format!("zone-{}", char::from(b'a' + (number - 1) % ZONES)),
                }},
                "spec": {"podCIDR": format!("10.244.{number}.0/24"),
                         "podCIDRs": [format!("10.244.{number}.0/24"), format!("fd00:244:0:{number}::/64")]},
            });
            stage.api().create("/api/v1/nodes", &node).await.expect("create a Node");
        }
        let kubeconfig = stage.kubeconfig(User::Admin);
        let manager = manager(programs, &kubeconfig);
        let scheduler = scheduler(programs, &kubeconfig);
        let kwok = kwok(programs, &kubeconfig);
        nodes_ready(stage.api()).await;
        Lab { stage, _processes: [manager, scheduler, kwok] }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.stage.kubeconfig(User::Admin)
    }
}

fn manager(programs: &Programs, kubeconfig: &std::path::Path) -> Process {
    const CONTROLLERS: [&str; 8] = [
        "deployment-controller",
        "replicaset-controller",
        "endpointslice-controller",
        "endpointslice-mirroring-controller",
        "endpoints-controller",
        "garbage-collector-controller",
        "namespace-controller",
        "pod-garbage-collector-controller",
    ];
    let mut command = Command::new(programs.path("kube-controller-manager"));
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--controllers={}", CONTROLLERS.join(",")))
        .arg("--leader-elect=false")
        .args(["--kube-api-qps=500", "--kube-api-burst=1000", "--bind-address=127.0.0.1"])
        .args(["--authentication-skip-lookup=true", "--authorization-always-allow-paths=/healthz,/metrics"])
        .arg(format!("--cert-dir={}", scratch().join("tutorial-manager").display()))
        .arg(format!("--secure-port={}", free_port()));
    Process::start("tutorial-manager", command)
}

fn scheduler(programs: &Programs, kubeconfig: &std::path::Path) -> Process {
    let file = scratch().join("tutorial-scheduler.json");
    let configuration = json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig, "qps": 500, "burst": 1000},
        "leaderElection": {"leaderElect": false},
    });
    std::fs::write(&file, configuration.to_string()).expect("write the scheduler's configuration");
    let mut command = Command::new(programs.path("kube-scheduler"));
    command
        .arg(format!("--config={}", file.display()))
        .args(["--bind-address=127.0.0.1", "--authentication-skip-lookup=true"])
        .arg(format!("--cert-dir={}", scratch().join("tutorial-scheduler").display()))
        .arg(format!("--secure-port={}", free_port()));
    Process::start("tutorial-scheduler", command)
}

fn kwok(programs: &Programs, kubeconfig: &std::path::Path) -> Process {
    let mut command = Command::new(programs.path("kwok"));
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--config={}", programs.path("kwok-stages.yaml").display()))
        .args(["--manage-all-nodes=true", "--node-ip=10.3.0.1", "--node-lease-duration-seconds=40"])
        .arg(format!("--server-address=127.0.0.1:{}", free_port()))
        .env("HOME", scratch());
    Process::start("tutorial-kwok", command)
}

async fn nodes_ready(api: &Api) {
    eventually("all Nodes are ready", READY_WITHIN, || async {
        let nodes = api.list("/api/v1/nodes").await.map_err(|refusal| format!("{refusal:?}"))?;
        let ready = |node: &&serde_json::Value| {
            let conditions = node["status"]["conditions"].as_array();
            conditions
                .into_iter()
                .flatten()
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        match nodes.iter().filter(ready).count() {
            count if count == usize::from(NODES) => Ok(()),
            count => Err(format!("{count} ready")),
        }
    })
    .await;
}
