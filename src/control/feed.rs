//! What the streams show goes into the view, and the keys that it wakes into the queues.

use std::time::Duration;

use super::Controller;
use super::queue::Priority;
use crate::model::{Endpoints, Loop, Meta, Node, Pod, Service, Slice};
use crate::view::{After, Change, View, Wake};

/// Somebody else's edit of a slice is looked at after a second at the earliest, as upstream does: who
/// fights with another writer should not do it in a hot loop.
const FOREIGN_WRITE: Duration = Duration::from_secs(1);

impl Controller {
    /// A Service changed.
    pub fn service(&self, change: Change<Service>) {
        self.feed(|view, wakes| view.service(change, wakes));
    }

    /// A Pod changed.
    pub fn pod(&self, change: Change<Pod>) {
        self.feed(|view, wakes| view.pod(change, wakes));
    }

    /// A Node changed.
    pub fn node(&self, change: Change<Node>) {
        self.feed(|view, wakes| view.node(change, wakes));
    }

    /// Endpoints that people write changed.
    pub fn endpoints(&self, change: Change<Endpoints>) {
        self.feed(|view, wakes| view.endpoints(change, wakes));
    }

    /// Endpoints that the control plane writes changed: metadata only.
    pub fn marked_endpoints(&self, change: Change<Meta>) {
        self.feed(|view, wakes| view.marked_endpoints(change, wakes));
    }

    /// A slice changed.
    pub fn slice(&self, change: Change<Slice>) {
        self.feed(|view, wakes| view.slice(change, wakes));
    }

    /// Changes the view, then wakes what is to be woken: the lock is released in between.
    pub(crate) fn feed(&self, change: impl FnOnce(&mut View, &mut Vec<Wake>)) {
        let mut wakes = Vec::new();
        {
            let mut view = self.view.lock();
            change(&mut view, &mut wakes);
            view.end_tracks(&wakes);
        }
        self.wake(wakes);
    }

    pub(crate) fn wake(&self, wakes: Vec<Wake>) {
        for Wake { which, key, after } in wakes {
            if !self.runs(which) {
                continue;
            }
            let batch = match which {
                Loop::Selector => self.config.batch_period,
                Loop::Mirroring => self.config.mirroring_batch_period,
            };
            let delay = match (after, which) {
                (After::Now, _) => Duration::ZERO,
                (After::SliceBatch, Loop::Selector) => batch.max(FOREIGN_WRITE),
                (After::PodBatch | After::SliceBatch, _) => batch,
            };
            if delay.is_zero() {
                self.queue(which).add(key, Priority::Live);
            } else {
                self.queue(which).add_after(key, delay, Priority::Live);
            }
        }
    }
}
