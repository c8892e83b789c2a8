//! Snapshots: what one plan reads, taken under the lock in the time of a few pointer copies a member.

use std::collections::BTreeSet;
use std::sync::Arc;

use smol_str::SmolStr;

use super::View;
use super::endpoints::Known;
use crate::model::{Key, Loop, MirrorSnapshot, SelectorSnapshot};

/// Why there is nothing to plan for a key of the selector loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlan {
    /// There is no such Service: its slices go by garbage collection.
    NoService,
    /// It has no selector, or is an ExternalName: its slices stay as they are.
    NotSelecting,
}

/// What the mirroring loop sees of a key.
#[derive(Clone, Debug)]
pub enum MirrorState {
    /// All is known.
    Ready(Box<MirrorSnapshot>),
    /// The Endpoints are to be read first: only their metadata is watched.
    Unread,
    /// Nothing of that name concerns the loop.
    Nothing,
}

/// What stands before the five characters of a computed name: `<service>-`, cut to 58 characters.
fn name_base(service: &str) -> String {
    let mut base = format!("{service}-");
    // Names of Services are ASCII; anything else is left whole and meets no name.
    if base.is_char_boundary(58.min(base.len())) {
        base.truncate(58);
    }
    base
}

impl View {
    fn names_near(&self, key: &Key) -> BTreeSet<SmolStr> {
        self.slices.names(&key.namespace, &name_base(&key.name))
    }

    /// What a plan of the selector loop for this Service reads.
    ///
    /// # Errors
    /// [`NoPlan`] when there is nothing to plan.
    pub fn selector_snapshot(&self, key: &Key, salt: Option<u64>) -> Result<SelectorSnapshot, NoPlan> {
        let selected = self.services.selected(key).ok_or(NoPlan::NoService)?;
        if !selected.service.selects() {
            return Err(NoPlan::NotSelecting);
        }
        Ok(SelectorSnapshot {
            service: Arc::clone(&selected.service),
            pods: selected.members.iter().filter_map(|id| self.pods.row(*id).cloned()).collect(),
            nodes: Arc::clone(&self.nodes),
            slices: self.slices.of(Loop::Selector, key),
            names: self.names_near(key),
            memory: self.memory(Loop::Selector, key),
            epoch: self.epoch,
            salt,
            settings: Arc::clone(&self.settings),
        })
    }

    /// What a plan of the mirroring loop for this key reads.
    pub fn mirror_snapshot(&self, key: &Key, salt: Option<u64>) -> MirrorState {
        let service = self.services.get(key);
        let slices = self.slices.of(Loop::Mirroring, key);
        let with_selector = service.is_some_and(|service| service.selector.is_some());
        if slices.is_empty() && (service.is_none() || with_selector) {
            return MirrorState::Nothing;
        }
        let endpoints = match self.endpoints.known(key) {
            Known::Row(row) => Some(row),
            Known::Nothing => None,
            // Whatever they say, they are not mirrored.
            Known::Unread if service.is_none() || with_selector => None,
            Known::Unread => return MirrorState::Unread,
        };
        MirrorState::Ready(Box::new(MirrorSnapshot {
            key: key.clone(),
            endpoints,
            service: service.cloned(),
            slices,
            names: self.names_near(key),
            memory: self.memory(Loop::Mirroring, key),
            salt,
            settings: Arc::clone(&self.settings),
        }))
    }
}
