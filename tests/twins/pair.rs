//! The two clusters, with our program on one and kube-controller-manager on the other.

use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use tokio::sync::{Mutex, RwLock, Semaphore};

use crate::support::history::Program;
use crate::support::pods::service;
use crate::support::real::{self, RealStage};
use crate::support::{Api, Controller, Peer, Stage, World, eventually};

const MARKED_WITHIN: Duration = Duration::from_secs(180);

/// Small, so that Services of a dozen Pods have several slices.
const FLAGS: [&str; 1] = ["--max-endpoints-per-slice=10"];

/// Ours and the peer's, in this order wherever there are two of something.
pub const SIDES: [&str; 2] = ["ours", "kube-controller-manager"];

pub struct Pair {
    pub stages: [RealStage; 2],
    controller: Mutex<Option<Controller>>,
    peer: Mutex<Option<Peer>>,
    peer_restarts: AtomicUsize,
    restarts: AtomicUsize,
    /// Held for writing during a restart, for reading while somebody waits for rest.
    pub awake: RwLock<()>,
    marks: [World; 2],
    /// Held by a history whose Nodes count for mode Auto.
    pub auto: Semaphore,
}

impl Pair {
    /// `None` where there is no control plane.
    pub async fn start() -> Option<Pair> {
        let (one, two) = real::twins().await?;
        let controller = Controller::start(&one, &FLAGS).await;
        let peer = Peer::start(&two, &FLAGS).await;
        let marks = [World::named(one.api(), "restarts").await, World::named(two.api(), "restarts").await];
        Some(Pair {
            awake: RwLock::new(()),
            marks,
            stages: [one, two],
            controller: Mutex::new(Some(controller)),
            peer: Mutex::new(Some(peer)),
            peer_restarts: AtomicUsize::new(0),
            restarts: AtomicUsize::new(0),
            auto: Semaphore::new(1),
        })
    }

    pub fn apis(&self) -> [&Api; 2] {
        [self.stages[0].api(), self.stages[1].api()]
    }

    /// Kills a program and starts it again; when this returns it has looked at everything that is there.
    pub async fn restart(&self, program: Program) {
        let _awake = self.awake.write().await;
        let side = match program {
            Program::Ours => {
                let mut controller = self.controller.lock().await;
                if let Some(old) = controller.take() {
                    old.kill();
                }
                *controller = Some(Controller::start(&self.stages[0], &FLAGS).await);
                0
            }
            Program::Peer => {
                let mut peer = self.peer.lock().await;
                if let Some(old) = peer.take() {
                    old.kill();
                }
                *peer = Some(Peer::start(&self.stages[1], &FLAGS).await);
                self.peer_restarts.fetch_add(1, Ordering::Relaxed);
                1
            }
        };
        // A Service that is made now is queued behind all that were found at the start.
        let world = &self.marks[side];
        let name = format!("mark-{}", self.restarts.fetch_add(1, Ordering::Relaxed));
        world.service(service(&name, &name).port("", 80, "80")).await;
        eventually("the program has handled a new Service", MARKED_WITHIN, || async {
            if world.slices(&name).await.is_empty() { Err("no slice".to_string()) } else { Ok(()) }
        })
        .await;
    }

    /// Takes a namespace away with everything in it, and its Nodes; cheaper than asking the API server.
    pub async fn forget(&self, namespace: &str) {
        for stage in &self.stages {
            let (cluster, etcd) = (stage.cluster(), stage.cluster().etcd());
            for kind in ["services/specs", "services/endpoints", "pods", "endpointslices", "events"] {
                etcd.delete_prefix(&format!("{}/{kind}/{namespace}/", cluster.prefix())).await;
            }
            etcd.delete_prefix(&format!("{}/minions/{namespace}-", cluster.prefix())).await;
        }
    }

    /// How often the peer has forgotten what it wrote.
    pub fn peer_restarts(&self) -> usize {
        self.peer_restarts.load(Ordering::Relaxed)
    }

    /// What our program printed since its last start.
    pub async fn log(&self) -> String {
        self.controller.lock().await.as_ref().map(Controller::log).unwrap_or_default()
    }

    /// Whether the peer has said, since its last start, that it takes its cache for old and will not sync
    /// this Service.
    pub async fn peer_is_stuck(&self, namespace: &str, service: &str) -> bool {
        let key =
            format!("key=\"{namespace}/{service}\" err=\"EndpointSlice informer cache is out of date\"");
        self.peer.lock().await.as_ref().is_some_and(|peer| peer.process().log().contains(&key))
    }
}
