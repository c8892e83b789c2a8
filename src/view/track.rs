//! Which Pods of a Service changed since a moment at which all stood as desired, so that a plan can look
//! at these and at nothing else.
//!
//! Tracking ends by itself with any change that is not one of a Pod: of the Service, of a slice by
//! other hands, of a Node that endpoints are made with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use super::{After, View, Wake};
use crate::model::snapshot::Memory;
use crate::model::{Key, Loop, Nodes, Pod, SelectorSnapshot, Service, Slice};

/// What is kept of a tracked Service.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    touched: BTreeSet<SmolStr>,
    placements: u64,
}

/// What changed of a tracked Service, and what a plan needs beside it.
pub struct Delta<'a> {
    /// The Service.
    pub service: &'a Arc<Service>,
    /// The Pods that changed, as they are now; `None` where one is gone or no longer matches.
    pub pods: BTreeMap<SmolStr, Option<Arc<Pod>>>,
    /// All Nodes.
    pub nodes: &'a Nodes,
    /// The Service's slices of the selector loop, by name.
    pub slices: &'a BTreeMap<SmolStr, Arc<Slice>>,
    /// What the key remembers.
    pub memory: &'a Memory,
}

impl View {
    /// Takes a snapshot of a Service and tracks its Pods from there on. `None` where there is nothing to plan.
    pub fn track(&mut self, key: &Key) -> Option<SelectorSnapshot> {
        let snapshot = self.selector_snapshot(key, None).ok()?;
        let placements = self.placements;
        let selected = self.services.selected_mut(key)?;
        selected.track = Some(Box::new(Track { touched: BTreeSet::new(), placements }));
        Some(snapshot)
    }

    /// Ends tracking.
    pub fn untrack(&mut self, key: &Key) {
        if let Some(selected) = self.services.selected_mut(key) {
            selected.track = None;
        }
    }

    /// What changed since tracking began or since the last call. `None` when tracking has ended.
    pub fn delta(&mut self, key: &Key) -> Option<Delta<'_>> {
        let placements = self.placements;
        let track = self.services.selected_mut(key)?.track.as_mut()?;
        if track.placements != placements {
            self.untrack(key);
            return None;
        }
        let touched = std::mem::take(&mut track.touched);
        let selected = self.services.selected(key)?;
        let pods = touched.into_iter().map(|name| {
            let at = Key { namespace: key.namespace.clone(), name: name.clone() };
            let pod = self.pods.place(&at).filter(|id| selected.members.contains(id));
            (name, pod.and_then(|id| self.pods.row(id).cloned()))
        });
        Some(Delta {
            pods: pods.collect(),
            service: &selected.service,
            nodes: &self.nodes,
            slices: self.slices.by_name(Loop::Selector, key)?,
            memory: self.memories[Loop::Selector as usize].get(key)?,
        })
    }

    /// The slices of a Service, by name.
    pub fn slices_of(&self, which: Loop, key: &Key) -> Option<&BTreeMap<SmolStr, Arc<Slice>>> {
        self.slices.by_name(which, key)
    }

    /// Whatever wakes a key but a change of a Pod ends its tracking.
    pub fn end_tracks(&mut self, wakes: &[Wake]) {
        for wake in wakes.iter().filter(|w| w.which == Loop::Selector && w.after != After::PodBatch) {
            self.untrack(&wake.key);
        }
    }

    /// A Pod of this Service changed.
    pub(crate) fn touch(&mut self, key: &Key, pod: &SmolStr) {
        if let Some(track) = self.services.selected_mut(key).and_then(|selected| selected.track.as_mut()) {
            track.touched.insert(pod.clone());
        }
    }
}
