//! Where Pods, ReplicaSets and Deployments stand in the indexes, and whom a change of them wakes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use smol_str::SmolStr;

use super::rows::{DeploymentRow, Phase, PodRow, SetRow, controller_in};
use super::selector::Selector;
use super::world::World;
use crate::sandbox::store::{Key, Object};

impl World {
    pub(super) fn see_pod(&mut self, object: &Arc<Object>) {
        let key = &object.key;
        let mut row = PodRow::read(object);
        let labels_changed = match self.pods.remove(key) {
            Some(old) => {
                self.unfile_pod(key, &old);
                row.stage = old.stage;
                if old.owner != row.owner {
                    self.wake_owner(&old);
                }
                if old.is_active() && !row.is_active() {
                    self.room_was_made();
                }
                old.object.labels != row.object.labels || old.owner != row.owner
            }
            None => true,
        };
        if row.owner.is_none() && labels_changed && row.is_active() {
            self.offer_orphan_pod(&row);
        }
        self.wake_owner(&row);
        self.file_pod(key, &row);
        if row.node.is_empty() && row.is_active() && !row.gated {
            if labels_changed || !self.unschedulable.contains_key(key) {
                self.pending.push(key);
            }
        } else {
            self.unschedulable.remove(key);
        }
        self.kubelets.push(key);
        self.pods.insert(key.clone(), row);
    }

    fn file_pod(&mut self, key: &Key, row: &PodRow) {
        match &row.owner {
            Some(owner) => {
                self.owned.entry(owner.clone()).or_default().insert(key.clone());
            }
            None => {
                self.orphan_pods.insert(key.clone());
            }
        }
        if row.node.is_empty() {
            return;
        }
        self.on_node.entry(row.node.clone()).or_default().insert(key.clone());
        if !row.is_over() {
            self.places.count(&row.node, row.owner.as_ref(), true);
        }
        if !row.host_network
            && let Some(node) = self.nodes.get_mut(&row.node)
        {
            node.ranges.note(&row.addresses);
        }
        if row.is_active() && row.phase == Phase::Running {
            self.running.put(key);
        }
    }

    pub(super) fn unfile_pod(&mut self, key: &Key, row: &PodRow) {
        match &row.owner {
            Some(owner) => drop_from(&mut self.owned, owner, key),
            None => {
                self.orphan_pods.remove(key);
            }
        }
        if row.node.is_empty() {
            return;
        }
        drop_from(&mut self.on_node, &row.node, key);
        if !row.is_over() {
            self.places.count(&row.node, row.owner.as_ref(), false);
        }
        if !row.host_network
            && let Some(node) = self.nodes.get_mut(&row.node)
        {
            node.ranges.free(&row.addresses);
        }
        self.running.remove(key);
    }

    pub(super) fn wake_owner(&mut self, row: &PodRow) {
        if let Some(key) = row.owner.as_ref().and_then(|owner| self.key_of.get(owner)) {
            self.set_line.push(key);
        }
    }

    /// Wakes the ReplicaSets that would adopt the Pod.
    fn offer_orphan_pod(&mut self, row: &PodRow) {
        let namespace = &row.object.key.namespace;
        for (key, set) in self.sets.range(Key::new(namespace, "")..) {
            if key.namespace != *namespace {
                break;
            }
            if !set.selector.is_empty() && set.selector.selects(&row.object) {
                self.set_line.push(key);
            }
        }
    }

    pub(super) fn see_set(&mut self, object: &Arc<Object>) {
        let key = &object.key;
        let value = object.value();
        let row = SetRow {
            selector: Selector::read(&value["spec"]["selector"]),
            owner: controller_in(&value),
            object: Arc::clone(object),
        };
        if let Some(old) = self.sets.remove(key) {
            self.unfile_set(key, &old);
        }
        self.key_of.insert(object.uid.clone(), key.clone());
        match &row.owner {
            Some(owner) => {
                self.owned.entry(owner.clone()).or_default().insert(key.clone());
                if let Some(deployment) = self.key_of.get(owner) {
                    self.deployment_line.push(deployment);
                }
            }
            None => {
                self.orphan_sets.insert(key.clone());
                for (other, deployment) in self.deployments.range(Key::new(&key.namespace, "")..) {
                    if other.namespace != key.namespace {
                        break;
                    }
                    if deployment.selector.selects(object) {
                        self.deployment_line.push(other);
                    }
                }
            }
        }
        self.set_line.push(key);
        self.sets.insert(key.clone(), row);
    }

    pub(super) fn unfile_set(&mut self, key: &Key, row: &SetRow) {
        self.key_of.remove(&row.object.uid);
        match &row.owner {
            Some(owner) => {
                drop_from(&mut self.owned, owner, key);
                if let Some(deployment) = self.key_of.get(owner) {
                    self.deployment_line.push(deployment);
                }
            }
            None => {
                self.orphan_sets.remove(key);
            }
        }
    }

    pub(super) fn see_deployment(&mut self, object: &Arc<Object>) {
        let value = object.value();
        let row = DeploymentRow {
            selector: Selector::read(&value["spec"]["selector"]),
            object: Arc::clone(object),
        };
        self.key_of.insert(object.uid.clone(), object.key.clone());
        self.deployment_line.push(&object.key);
        self.deployments.insert(object.key.clone(), row);
    }
}

fn drop_from(
    sets: &mut HashMap<SmolStr, BTreeSet<Key>, foldhash::fast::RandomState>,
    of: &SmolStr,
    key: &Key,
) {
    if let Some(keys) = sets.get_mut(of) {
        keys.remove(key);
        if keys.is_empty() {
            sets.remove(of);
        }
    }
}
