//! The two clusters, with our program on one and kube-controller-manager on the other.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, Semaphore};

use crate::support::history::Program;
use crate::support::real::{self, RealStage};
use crate::support::{Api, Controller, Peer, Stage};

/// Small, so that Services of a dozen Pods have several slices.
const FLAGS: [&str; 1] = ["--max-endpoints-per-slice=10"];

/// Ours and the peer's, in this order wherever there are two of something.
pub const SIDES: [&str; 2] = ["ours", "kube-controller-manager"];

pub struct Pair {
    pub stages: [RealStage; 2],
    controller: Mutex<Option<Controller>>,
    peer: Mutex<Option<Peer>>,
    peer_restarts: AtomicUsize,
    /// Held by a history whose Nodes count for mode Auto.
    pub auto: Semaphore,
}

impl Pair {
    /// `None` where there is no control plane.
    pub async fn start() -> Option<Pair> {
        let (one, two) = real::twins().await?;
        let controller = Controller::start(&one, &FLAGS).await;
        let peer = Peer::start(&two, &FLAGS).await;
        Some(Pair {
            stages: [one, two],
            controller: Mutex::new(Some(controller)),
            peer: Mutex::new(Some(peer)),
            peer_restarts: AtomicUsize::new(0),
            auto: Semaphore::new(1),
        })
    }

    pub fn apis(&self) -> [&Api; 2] {
        [self.stages[0].api(), self.stages[1].api()]
    }

    /// Kills a program and starts it again; it is ready when this returns.
    pub async fn restart(&self, program: Program) {
        match program {
            Program::Ours => {
                let mut controller = self.controller.lock().await;
                if let Some(old) = controller.take() {
                    old.kill();
                }
                *controller = Some(Controller::start(&self.stages[0], &FLAGS).await);
            }
            Program::Peer => {
                let mut peer = self.peer.lock().await;
                if let Some(old) = peer.take() {
                    old.kill();
                }
                *peer = Some(Peer::start(&self.stages[1], &FLAGS).await);
                self.peer_restarts.fetch_add(1, Ordering::Relaxed);
            }
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
}
