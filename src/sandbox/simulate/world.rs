//! What the simulation knows of the cluster, and who is to be looked at because of a change. Whatever
//! was written enters here at once; its echo from the store is known by its version.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use smol_str::SmolStr;
use tokio::time::Instant;

use super::Options;
use super::clock::{Clock, Line, Timers};
use super::events::{Events, Source};
use super::feed::News;
use super::rows::{DeploymentRow, NodeRow, PodRow, SetRow, Stage};
use super::schedule::Places;
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Happened, Key, Object, Store};
use crate::sandbox::verbs::{DeleteOptions, Deleted};

/// Keys by the uid that they belong to.
type ByUid<T> = HashMap<SmolStr, T, foldhash::fast::RandomState>;

/// The uids of Pods that were told not to be ready.
pub(super) type Told = Arc<Mutex<std::collections::HashSet<SmolStr, foldhash::fast::RandomState>>>;

pub(super) struct World {
    pub(super) store: Arc<Store>,
    pub(super) options: Options,
    pub(super) clock: Arc<Clock>,
    pub(super) timers: Timers,
    pub(super) events: Events,
    pub(super) random: StdRng,
    pub(super) told: Told,
    pub(super) pods: BTreeMap<Key, PodRow>,
    pub(super) nodes: BTreeMap<SmolStr, NodeRow>,
    pub(super) sets: BTreeMap<Key, SetRow>,
    pub(super) deployments: BTreeMap<Key, DeploymentRow>,
    /// Keys of ReplicaSets and Deployments.
    pub(super) key_of: ByUid<Key>,
    /// The Pods of a ReplicaSet and the ReplicaSets of a Deployment.
    pub(super) owned: ByUid<BTreeSet<Key>>,
    pub(super) orphan_pods: BTreeSet<Key>,
    pub(super) orphan_sets: BTreeSet<Key>,
    /// The Pods bound to a Node of this name, whether it exists or not.
    pub(super) on_node: HashMap<SmolStr, BTreeSet<Key>, foldhash::fast::RandomState>,
    pub(super) places: Places,
    pub(super) kubelets: Line<Key>,
    pub(super) node_line: Line<SmolStr>,
    pub(super) set_line: Line<Key>,
    pub(super) deployment_line: Line<Key>,
    pub(super) pending: Line<Key>,
    /// Pods that fit nowhere; true: they might, if a Pod went.
    pub(super) unschedulable: BTreeMap<Key, bool>,
    /// Numbers of ranges that a Node has.
    pub(super) numbers: BTreeSet<u32>,
    /// Pods that run, to choose from at random.
    pub(super) running: super::flap::Running,
    /// How often in a row something failed for a ReplicaSet or Deployment.
    pub(super) failures: HashMap<Key, u32, foldhash::fast::RandomState>,
    /// When ReplicaSets and Deployments are looked at again.
    pub(super) checks: HashMap<(Kind, Key), Instant, foldhash::fast::RandomState>,
    /// How many of the simulation's own Nodes are made.
    pub(super) nodes_made: u32,
    /// What stood at the start has been looked at.
    pub(super) settled: bool,
}

impl World {
    pub(super) fn new(store: Arc<Store>, options: Options, clock: Arc<Clock>, told: Told) -> World {
        World {
            events: Events::new(options.events, Arc::clone(&store), Arc::clone(&clock)),
            store,
            clock,
            timers: Timers::default(),
            random: StdRng::seed_from_u64(options.seed),
            options,
            told,
            pods: BTreeMap::new(),
            nodes: BTreeMap::new(),
            sets: BTreeMap::new(),
            deployments: BTreeMap::new(),
            key_of: HashMap::default(),
            owned: HashMap::default(),
            orphan_pods: BTreeSet::new(),
            orphan_sets: BTreeSet::new(),
            on_node: HashMap::default(),
            places: Places::default(),
            kubelets: Line::default(),
            node_line: Line::default(),
            set_line: Line::default(),
            deployment_line: Line::default(),
            pending: Line::default(),
            unschedulable: BTreeMap::new(),
            numbers: BTreeSet::new(),
            running: super::flap::Running::default(),
            failures: HashMap::default(),
            checks: HashMap::default(),
            nodes_made: 0,
            settled: false,
        }
    }

    /// Takes in what a feed says.
    pub(super) fn hear(&mut self, kind: Kind, news: News) {
        match news {
            News::One(change) if change.happened == Happened::Deleted => self.lose(&change.object),
            News::One(change) => self.see(&change.object),
            News::All(objects) => {
                let standing: BTreeSet<&Key> = objects.iter().map(|object| &object.key).collect();
                for gone in self.known(kind) {
                    if !standing.contains(&gone.key) {
                        self.forget(&gone);
                    }
                }
                for object in &objects {
                    self.see(object);
                }
            }
        }
    }

    fn known(&self, kind: Kind) -> Vec<Arc<Object>> {
        match kind {
            Kind::Pod => self.pods.values().map(|row| Arc::clone(&row.object)).collect(),
            Kind::Node => self.nodes.values().map(|row| Arc::clone(&row.object)).collect(),
            Kind::ReplicaSet => self.sets.values().map(|row| Arc::clone(&row.object)).collect(),
            Kind::Deployment => self.deployments.values().map(|row| Arc::clone(&row.object)).collect(),
            _ => Vec::new(),
        }
    }

    fn standing(&self, kind: Kind, key: &Key) -> Option<&Arc<Object>> {
        match kind {
            Kind::Pod => self.pods.get(key).map(|row| &row.object),
            Kind::Node => self.nodes.get(&key.name).map(|row| &row.object),
            Kind::ReplicaSet => self.sets.get(key).map(|row| &row.object),
            Kind::Deployment => self.deployments.get(key).map(|row| &row.object),
            _ => None,
        }
    }

    /// Takes in an object as it is at its version.
    pub(super) fn see(&mut self, object: &Arc<Object>) {
        if let Some(standing) = self.standing(object.kind, &object.key) {
            if standing.version >= object.version {
                return; // the echo of what we wrote
            }
            if standing.uid != object.uid {
                let old = Arc::clone(standing);
                self.forget(&old);
            }
        }
        match object.kind {
            Kind::Pod => self.see_pod(object),
            Kind::Node => self.see_node(object),
            Kind::ReplicaSet => self.see_set(object),
            Kind::Deployment => self.see_deployment(object),
            _ => {}
        }
    }

    /// Takes in that an object is gone.
    pub(super) fn lose(&mut self, object: &Arc<Object>) {
        let standing = self.standing(object.kind, &object.key);
        if standing.is_some_and(|standing| standing.version <= object.version) {
            self.forget(object);
        }
    }

    fn forget(&mut self, object: &Arc<Object>) {
        let key = &object.key;
        match object.kind {
            Kind::Pod => {
                let Some(row) = self.pods.remove(key) else { return };
                self.unfile_pod(key, &row);
                self.told.lock().remove(&row.object.uid);
                self.unschedulable.remove(key);
                self.room_was_made();
                self.wake_owner(&row);
            }
            Kind::Node => {
                self.lose_node(&key.name);
            }
            Kind::ReplicaSet => {
                let Some(row) = self.sets.remove(key) else { return };
                self.unfile_set(key, &row);
                self.failures.remove(key);
            }
            Kind::Deployment => {
                if let Some(row) = self.deployments.remove(key) {
                    self.key_of.remove(&row.object.uid);
                    self.failures.remove(key);
                }
            }
            _ => {}
        }
    }

    /// The keys of a namespace among `keys`.
    pub(super) fn of_namespace<'a>(
        keys: &'a BTreeSet<Key>,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Key> {
        keys.range(Key::new(namespace, "")..).take_while(move |key| key.namespace == namespace)
    }

    /// Changes an object that is still the one with this uid, and takes in what it became. `None`: it is
    /// gone, or the change was refused.
    pub(super) fn modify(
        &mut self,
        kind: Kind,
        key: &Key,
        uid: &str,
        subresource: Option<&str>,
        change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Object>, Status> {
        let result = self.store.modify(kind, key, subresource, |value| {
            if value["metadata"]["uid"] != uid {
                return Err(Status::not_found(kind, &key.name));
            }
            change(value);
            Ok(())
        });
        match &result {
            Ok(object) => self.see(object),
            Err(why) if why.code == 404 => {}
            Err(why) => tracing::debug!(kind = kind.info().kind, name = %key.name, %why, "not changed"),
        }
        result
    }

    /// Deletes an object that is still the one with this uid. What is gone already counts as deleted.
    pub(super) fn delete(
        &mut self,
        kind: Kind,
        key: &Key,
        uid: &str,
        grace: Option<i64>,
    ) -> Result<(), Status> {
        let options = DeleteOptions { grace, uid: Some(uid.to_owned()), ..DeleteOptions::default() };
        match self.store.delete(kind, key, &options) {
            Ok(Deleted::Gone(object)) => self.lose(&object),
            Ok(Deleted::Going(object)) => self.see(&object),
            Err(why) if why.code == 404 || why.code == 409 => {}
            Err(why) => {
                tracing::debug!(kind = kind.info().kind, name = %key.name, %why, "not deleted");
                return Err(why);
            }
        }
        Ok(())
    }

    /// Records an Event about an object.
    pub(super) fn say(
        &mut self,
        about: &Arc<Object>,
        source: Source<'_>,
        warning: bool,
        reason: &'static str,
        message: String,
    ) {
        self.events.say(about, source, warning, reason, message);
    }

    /// The Pod of this name and uid.
    pub(super) fn pod(&mut self, key: &Key, uid: &SmolStr) -> Option<&mut PodRow> {
        self.pods.get_mut(key).filter(|row| row.object.uid == *uid)
    }

    /// Lets the Pods of a Node be looked at from the beginning.
    pub(super) fn wake_pods_of(&mut self, node: &SmolStr) {
        for key in self.on_node.get(node).into_iter().flatten() {
            if let Some(row) = self.pods.get_mut(key) {
                row.stage = Stage::Idle;
                self.kubelets.push(key);
            }
        }
    }
}
