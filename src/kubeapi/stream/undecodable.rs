//! Which objects could not be decoded, so that each uid and version causes one relist and one line of log.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::IntGauge;
use tokio::time::Instant;

use crate::model::{Meta, Uid, Version};

/// However many objects cannot be decoded, the list is fetched for their sake no more often than this.
const APART: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Undecodable {
    /// How many there are: unlike the count of errors it says whether rows are out of date now.
    gauge: IntGauge,
    versions: HashMap<Uid, Version, foldhash::fast::RandomState>,
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Undecodable {
    /// None yet; the gauge follows how many there are.
    pub(super) fn new(gauge: IntGauge) -> Undecodable {
        Undecodable { gauge, versions: HashMap::default(), due: None, last: None }
    }

    /// One was met. True when this uid and version is new.
    pub(super) fn met(&mut self, meta: &Meta) -> bool {
        let new = self.versions.insert(meta.uid.clone(), meta.version) != Some(meta.version);
        self.count();
        new
    }

    /// This one is decodable again, or gone.
    pub(super) fn over(&mut self, uid: &Uid) {
        if !self.versions.is_empty() {
            self.versions.remove(uid);
            self.count();
        }
    }

    /// A list was shown: of the others nothing need be remembered.
    pub(super) fn listed<'a>(&mut self, undecodable: impl Iterator<Item = &'a Meta>) {
        self.versions.clear();
        self.versions.extend(undecodable.map(|meta| (meta.uid.clone(), meta.version)));
        self.count();
        self.due = None;
        self.last = Some(Instant::now());
    }

    fn count(&self) {
        self.gauge.set(self.versions.len() as i64);
    }

    /// A list is to be fetched for the sake of one.
    pub(super) fn want_list(&mut self) {
        let now = Instant::now();
        let soonest = self.last.map_or(now, |last| last + APART).max(now);
        self.due.get_or_insert(soonest);
    }

    /// When the list is to be fetched.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}
