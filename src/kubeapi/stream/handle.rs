//! What others see of a stream, and what they may ask of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::metrics::Life;
use crate::model::Version;

/// A stream without a sign of life for this long is dead: bookmarks come every minute.
pub(super) const SILENCE: Duration = Duration::from_secs(75);

/// What a stream has done so far. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StreamHandle {
    pub(super) shared: Arc<Shared>,
}

/// What a stream and its handles share.
#[derive(Debug)]
pub(super) struct Shared {
    /// What has been shown up to now; 0 before the first list.
    pub(super) version: watch::Sender<Version>,
    /// A list has to be shown before what is held may be trusted again.
    pub(super) lost: watch::Sender<bool>,
    /// How many consistent lists were asked for.
    pub(super) asked: watch::Sender<u64>,
    /// Up to which of these were answered, and the version of the last answer.
    pub(super) answered: watch::Sender<Answered>,
    pub(super) life: Life,
}

/// Which request for a consistent list was answered last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answered {
    pub(super) number: u64,
    pub(super) version: Version,
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared {
            version: watch::Sender::new(0),
            lost: watch::Sender::new(false),
            asked: watch::Sender::new(0),
            answered: watch::Sender::new(Answered::default()),
            life: Life::new(),
        }
    }
}

impl StreamHandle {
    /// Whether a complete list has been shown once. It does not fall back.
    pub fn synced(&self) -> bool {
        self.version() > 0
    }

    /// Waits until a complete list has been shown. Never ends when the stream was stopped before.
    pub async fn until_synced(&self) {
        self.reached(1).await;
    }

    /// What has been shown up to now: 0 before the first list; lower than before only after
    /// [`Change::Restored`](super::Change::Restored).
    pub fn version(&self) -> Version {
        *self.shared.version.borrow()
    }

    /// Waits until everything up to this version has been shown. A quiet stream may take a minute, until
    /// its next bookmark; one whose versions went back may never: bound the wait, then [`relist`](Self::relist).
    pub async fn reached(&self, version: Version) {
        let mut shown = self.shared.version.subscribe();
        // The sender lives in this handle, so this cannot fail.
        let _ = shown.wait_for(|shown| *shown >= version).await;
    }

    /// Whether plans may be made from what this stream has shown: synced, with a sign of life within
    /// the last 75 s, and not waiting for a list because something was lost.
    pub fn healthy(&self) -> bool {
        self.synced() && !*self.shared.lost.borrow() && self.last_sign() < SILENCE
    }

    /// How long ago the API server last sent anything on this stream.
    pub fn last_sign(&self) -> Duration {
        self.shared.life.last().elapsed()
    }

    /// Asks for a consistent list and waits until one that began after this call was shown. Returns its
    /// version. Several calls share one list. Waits for as long as the API server cannot be asked.
    pub async fn relist(&self) -> Version {
        let mut number = 0;
        self.shared.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        let mut answered = self.shared.answered.subscribe();
        match answered.wait_for(|answered| answered.number >= number).await {
            Ok(answered) => answered.version,
            // The sender lives in this handle: not reached.
            Err(_) => self.version(),
        }
    }
}
