//! The program that is measured.

use std::time::{Duration, Instant};

use crate::support::process::Process;
use crate::support::{Controller, Peer, Stage};

/// Nothing may take longer; a program that does has failed.
pub const COMPLETE_WITHIN: Duration = Duration::from_secs(1800);
/// A program is at rest when it used less CPU than this in [`REST_WINDOW`].
const REST_CPU: Duration = Duration::from_millis(30);
pub const REST_WINDOW: Duration = Duration::from_secs(3);

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Peer,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ours => "ours",
            Kind::Peer => "peer",
        }
    }
}

/// It as a process.
pub enum Subject {
    Ours(Controller),
    Peer(Peer),
}

impl Subject {
    /// Starts without waiting: the clock runs from here.
    pub fn launch(kind: Kind, stage: &dyn Stage, flags: &[String]) -> Subject {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        match kind {
            Kind::Ours => Subject::Ours(Controller::launch(stage, &flags)),
            Kind::Peer => Subject::Peer(Peer::launch(stage, &flags)),
        }
    }

    pub fn process(&self) -> &Process {
        match self {
            Subject::Ours(controller) => controller.process(),
            Subject::Peer(peer) => peer.process(),
        }
    }

    /// SIGTERM and the end.
    pub async fn terminate(self) {
        let deadline = Duration::from_secs(60);
        match self {
            Subject::Ours(controller) => controller.terminate(deadline).await,
            Subject::Peer(peer) => peer.terminate(deadline).await,
        };
    }

    /// Waits until the program does next to nothing.
    pub async fn rest(&self) {
        let (process, started) = (self.process(), Instant::now());
        loop {
            let before = process.cpu();
            tokio::time::sleep(REST_WINDOW).await;
            let used = process.cpu().saturating_sub(before);
            if used < REST_CPU && before > Duration::ZERO {
                return;
            }
            assert!(started.elapsed() < COMPLETE_WITHIN, "does not come to rest\n{}", process.tail(40));
        }
    }
}
