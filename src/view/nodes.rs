//! What a change of a Node means: endpoints are made with its zone, topology counts its CPU.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{After, Change, Listed, View, Wake, in_order, is_another};
use crate::model::{Loop, Meta, Node, Nodes, Text};

impl View {
    /// A change of a Node. A Service hears of a Node that appears or changes its zone, since its
    /// endpoints are made with it, but not of one that vanishes: its Pods may well be alive. Services
    /// in topology mode Auto hear of all that zones are measured by.
    pub fn node(&mut self, change: Change<Node>, wakes: &mut Vec<Wake>) {
        let from = wakes.len();
        match change {
            Change::Replaced(listed, version) => {
                self.nodes_version = version;
                self.replace_nodes(listed, wakes);
            }
            Change::Upserted(meta, node) => {
                self.nodes_version = self.nodes_version.max(meta.version);
                let name = Text::new(&node.key.name);
                if self.nodes.get(&name).is_some_and(|held| held.same_row(&node)) {
                    return;
                }
                let node = Arc::new(node);
                let old = Arc::make_mut(&mut self.nodes).insert(name.clone(), Arc::clone(&node));
                self.wake_of_node(&name, old.as_deref(), Some(&node), wakes);
            }
            Change::Deleted(meta) => {
                self.nodes_version = self.nodes_version.max(meta.version);
                let held = self.nodes.get(meta.key.name.as_str());
                if held.is_some_and(|held| held.uid == meta.uid) {
                    self.drop_node(&meta, wakes);
                }
            }
            Change::Undecodable(meta) => {
                self.nodes_version = self.nodes_version.max(meta.version);
                let held = self.nodes.get(meta.key.name.as_str());
                if held.is_some_and(|held| is_another(&meta, &held.uid)) {
                    self.drop_node(&meta, wakes);
                }
            }
            Change::Bookmark(version) => self.nodes_version = self.nodes_version.max(version),
            Change::Restored => {}
        }
        in_order(wakes, from);
    }

    fn drop_node(&mut self, meta: &Meta, wakes: &mut Vec<Wake>) {
        let name = Text::new(&meta.key.name);
        let old = Arc::make_mut(&mut self.nodes).remove(&name);
        self.wake_of_node(&name, old.as_deref(), None, wakes);
    }

    fn replace_nodes(&mut self, listed: Vec<(Meta, Listed<Node>)>, wakes: &mut Vec<Wake>) {
        let old = std::mem::take(&mut self.nodes);
        let mut new = Nodes::default();
        for (meta, listed) in listed {
            let name = Text::new(&meta.key.name);
            let held = old.get(&name);
            let row = match (listed, held) {
                (Listed::Row(node), Some(held)) if held.same_row(&node) => Arc::clone(held),
                (Listed::Row(node), _) => Arc::new(node),
                (Listed::Undecodable, Some(held)) if is_another(&meta, &held.uid) => continue,
                (Listed::Undecodable | Listed::Unchanged, Some(held)) => Arc::clone(held),
                (Listed::Undecodable | Listed::Unchanged, None) => continue,
            };
            new.insert(name, row);
        }
        let new = Arc::new(new);
        self.nodes = Arc::clone(&new);
        if !self.started {
            return;
        }
        let names: BTreeSet<&Text> = old.keys().chain(new.keys()).collect();
        for name in names {
            let (old, new) = (old.get(name), new.get(name));
            self.wake_of_node(name, old.map(Arc::as_ref), new.map(Arc::as_ref), wakes);
        }
    }

    /// Wakes whom a Node concerns that was so and is now so.
    fn wake_of_node(&mut self, name: &Text, old: Option<&Node>, new: Option<&Node>, wakes: &mut Vec<Wake>) {
        if !self.started {
            return;
        }
        let mut keys = BTreeSet::new();
        let placement = |node: &Node| (node.uid.clone(), node.zone.clone());
        self.placements += u64::from(old.map(placement) != new.map(placement));
        if new.is_some() && old.map(placement) != new.map(placement) {
            for pod in self.pods.on_node(name) {
                self.services.matching(&pod.key.namespace, &pod.labels, |key| {
                    keys.insert(key.clone());
                });
            }
        }
        let measure = |node: &Node| (node.zone.clone(), node.ready, node.cpu_milli, node.control_plane);
        if old.map(measure) != new.map(measure) {
            keys.extend(self.services.in_mode_auto().cloned());
        }
        wakes.extend(keys.into_iter().map(|key| Wake { which: Loop::Selector, key, after: After::Now }));
    }
}
