//! The changes of one kind, in order; after a compaction, what stands now.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use crate::sandbox::kinds::Kind;
use crate::sandbox::store::{Change, Object, Store};

/// How many changes are taken from the store at a time.
const BATCH: usize = 500;

/// What a feed says.
pub(super) enum News {
    /// This is all there is; whatever else was known is gone.
    All(Vec<Arc<Object>>),
    /// One object changed.
    One(Change),
}

/// Follows one kind.
pub(super) struct Feed {
    kind: Kind,
    /// `None`: nothing was read yet, or what followed is no longer known.
    version: Option<u64>,
    taken: VecDeque<Change>,
    changed: watch::Receiver<u64>,
}

impl Feed {
    pub(super) fn new(store: &Store, kind: Kind) -> Feed {
        Feed { kind, version: None, taken: VecDeque::new(), changed: store.subscribe(kind) }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// What comes next, if anything does.
    pub(super) fn next(&mut self, store: &Store) -> Option<News> {
        if self.taken.is_empty() {
            let newest = *self.changed.borrow_and_update();
            if let Some(version) = self.version {
                if newest <= version {
                    return None;
                }
                match store.changes(self.kind, version, BATCH) {
                    Ok(changes) => self.taken = changes.into(),
                    Err(_) => self.version = None,
                }
            }
            if self.version.is_none() {
                let (version, objects) = store.list(self.kind, None);
                self.version = Some(version);
                return Some(News::All(objects));
            }
        }
        let change = self.taken.pop_front()?;
        self.version = Some(change.object.version);
        Some(News::One(change))
    }

    /// Waits for a change that was not seen yet.
    pub(super) async fn changed(&mut self) {
        if self.changed.changed().await.is_err() {
            std::future::pending::<()>().await; // the store is gone with whoever asks
        }
    }
}
