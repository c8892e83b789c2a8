//! What is removed by itself: the dependents of owners that are gone or going, and what is in a Namespace
//! that was deleted (<https://kubernetes.io/docs/concepts/architecture/garbage-collection/>).
//!
//! An index from owner to dependents follows the changes of all kinds; only objects near a change are looked
//! at. An owner is known by its uid: another object of its name is another owner.

mod namespaces;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;
use smol_str::SmolStr;
use tokio::sync::watch;

use super::kinds::Kind;
use super::status::Status;
use super::store::{Change, Happened, Key, Object, Owner, Store};
use super::verbs::{DeleteOptions, FOREGROUND, ORPHAN, Propagation};

/// Changes that are read at a time.
const AT_ONCE: usize = 1024;

type Place = (Kind, Key);

/// Follows a store and removes what is to be removed, until the future is dropped.
pub async fn follow(store: Arc<Store>) {
    let mut changed: Vec<watch::Receiver<u64>> =
        Kind::ALL.iter().map(|kind| store.subscribe(*kind)).collect();
    let mut collector = Collector::new(store);
    loop {
        for receiver in &mut changed {
            receiver.borrow_and_update();
        }
        if collector.step() {
            // Others have their turn while much is removed.
            tokio::task::yield_now().await;
            continue;
        }
        let any = changed.iter_mut().map(|receiver| Box::pin(receiver.changed()));
        if futures::future::select_all(any).await.0.is_err() {
            return;
        }
    }
}

/// What is known of owners and dependents, and what is to be looked at.
pub struct Collector {
    store: Arc<Store>,
    /// Up to which version the changes of each kind have been read.
    read: BTreeMap<Kind, u64>,
    /// Who names an owner of this uid.
    dependents: HashMap<SmolStr, BTreeSet<Place>>,
    /// Whom an object names, to take it out of the index.
    owners: HashMap<Place, Vec<SmolStr>>,
    /// Where an object of this uid stands.
    places: HashMap<SmolStr, Place>,
    /// Objects to be looked at.
    due: BTreeSet<Place>,
    namespaces: BTreeSet<SmolStr>,
}

impl Collector {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Collector {
        Collector {
            store,
            read: BTreeMap::new(),
            dependents: HashMap::new(),
            owners: HashMap::new(),
            places: HashMap::new(),
            due: BTreeSet::new(),
            namespaces: BTreeSet::new(),
        }
    }

    /// Reads what is new and does what follows from it, once; tells whether there may be more to do.
    pub fn step(&mut self) -> bool {
        let mut more = false;
        for kind in Kind::ALL {
            more |= self.read_kind(kind);
        }
        let due: Vec<Place> = std::mem::take(&mut self.due).into_iter().collect();
        more |= !due.is_empty();
        for place in due {
            self.look_at(&place);
        }
        for name in std::mem::take(&mut self.namespaces) {
            more = true;
            namespaces::empty(&self.store, &name);
        }
        more
    }

    fn read_kind(&mut self, kind: Kind) -> bool {
        let Some(version) = self.read.get(&kind).copied() else {
            self.read_all(kind);
            return true;
        };
        match self.store.news(kind, version, AT_ONCE) {
            Ok((changes, reached)) => {
                self.read.insert(kind, reached);
                for change in &changes {
                    self.note(kind, change);
                }
                !changes.is_empty()
            }
            Err(_) => {
                self.read_all(kind);
                true
            }
        }
    }

    /// Reads a kind anew, when its changes are no longer all remembered or never were.
    fn read_all(&mut self, kind: Kind) {
        let (version, objects) = self.store.list(kind, None);
        self.read.insert(kind, version);
        let standing: BTreeSet<Key> = objects.iter().map(|object| object.key.clone()).collect();
        let gone: Vec<(SmolStr, Place)> = self
            .places
            .iter()
            .filter(|(_, (other, key))| *other == kind && !standing.contains(key))
            .map(|(uid, place)| (uid.clone(), place.clone()))
            .collect();
        for (uid, place) in gone {
            self.forget(&uid, &place);
        }
        for object in &objects {
            self.index(object);
        }
    }

    fn note(&mut self, kind: Kind, change: &Change) {
        let object = &change.object;
        if let Some(before) = &change.before
            && before.uid != object.uid
        {
            self.forget(&before.uid, &(kind, before.key.clone()));
        }
        if change.happened == Happened::Deleted {
            self.forget(&object.uid, &(kind, object.key.clone()));
        } else {
            self.index(object);
        }
    }

    fn index(&mut self, object: &Object) {
        let place = (object.kind, object.key.clone());
        self.unlink(&place);
        self.places.insert(object.uid.clone(), place.clone());
        if !object.owners.is_empty() {
            for owner in &object.owners {
                self.dependents.entry(owner.uid.clone()).or_default().insert(place.clone());
            }
            self.owners.insert(place.clone(), object.owners.iter().map(|owner| owner.uid.clone()).collect());
            self.due.insert(place.clone());
        }
        if object.deleting {
            if object.kind == Kind::Namespace {
                self.namespaces.insert(object.key.name.clone());
            }
            self.due.insert(place);
        }
    }

    fn unlink(&mut self, place: &Place) -> Vec<SmolStr> {
        let owners = self.owners.remove(place).unwrap_or_default();
        for uid in &owners {
            if let Some(places) = self.dependents.get_mut(uid) {
                places.remove(place);
                if places.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
        owners
    }

    /// An object is gone: its dependents have lost an owner, and its owners may have waited for it.
    fn forget(&mut self, uid: &SmolStr, place: &Place) {
        if self.places.get(uid) == Some(place) {
            self.places.remove(uid);
        }
        let owners = self.unlink(place);
        for owner in owners {
            self.due.extend(self.places.get(&owner).cloned());
        }
        self.due.extend(self.dependents.get(uid).into_iter().flatten().cloned());
        let namespace = place.1.namespace.as_str();
        if !namespace.is_empty()
            && let Some(object) = self.store.get(Kind::Namespace, &Key::new("", namespace))
            && object.deleting
        {
            self.namespaces.insert(object.key.name.clone());
        }
    }

    fn look_at(&mut self, place: &Place) {
        let (kind, key) = place;
        let Some(object) = self.store.get(*kind, key) else { return };
        if object.deleting {
            self.as_owner(&object);
        }
        if !object.owners.is_empty() {
            // What stands in the way (a stale version, an object that vanished) shows as a change, and
            // brings it here again.
            let _ = self.as_dependent(&object);
        }
    }

    fn dependents_of(&self, owner: &Object) -> Vec<Arc<Object>> {
        let places = self.dependents.get(&owner.uid).into_iter().flatten();
        places.filter_map(|(kind, key)| self.store.get(*kind, key)).collect()
    }

    /// A deleted object with a finalizer of garbage collection: lets go of its dependents, or waits for them.
    fn as_owner(&mut self, owner: &Object) {
        let finalizers = owner.value()["metadata"]["finalizers"].take();
        let has = |name: &str| finalizers.as_array().is_some_and(|list| list.iter().any(|own| own == name));
        let dependents = self.dependents_of(owner);
        if has(ORPHAN) {
            for dependent in &dependents {
                let _ = self.disown(dependent, |other| other.uid == owner.uid);
            }
            self.let_go(owner, ORPHAN);
        } else if has(FOREGROUND) {
            let waits = |dependent: &&Arc<Object>| {
                dependent.owners.iter().any(|other| other.uid == owner.uid && other.blocks)
            };
            if dependents.iter().any(|dependent| waits(&dependent)) {
                for dependent in dependents.iter().filter(|dependent| !dependent.deleting) {
                    let _ = self.as_dependent(dependent);
                }
            } else {
                self.let_go(owner, FOREGROUND);
                for dependent in dependents {
                    self.due.insert((dependent.kind, dependent.key.clone()));
                }
            }
        }
    }

    fn let_go(&self, owner: &Object, finalizer: &str) {
        // It may be gone, or lose the finalizer to somebody else.
        let _ = self.store.modify(owner.kind, &owner.key, None, |value| {
            if let Some(list) = value["metadata"]["finalizers"].as_array_mut() {
                list.retain(|name| name != finalizer);
            }
            Ok(())
        });
    }

    /// An object with owners: goes when all of them are gone or take it with them, and forgets those that
    /// are gone while others stay.
    fn as_dependent(&self, object: &Arc<Object>) -> Result<(), Status> {
        let mut stay = 0;
        let mut gone: Vec<SmolStr> = Vec::new();
        let mut waiting: Vec<SmolStr> = Vec::new();
        for owner in &object.owners {
            match self.state_of(object, owner) {
                Standing::Gone => gone.push(owner.uid.clone()),
                Standing::Waits => waiting.push(owner.uid.clone()),
                Standing::Stays => stay += 1,
            }
        }
        // Names of kinds that nobody here knows count as owners that stay.
        let named = object.value()["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
        stay += named.saturating_sub(object.owners.len());
        if gone.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        if stay > 0 {
            return self.disown(object, |owner| gone.contains(&owner.uid) || waiting.contains(&owner.uid));
        }
        if object.deleting {
            return Ok(());
        }
        let has_dependents = self.dependents.get(&object.uid).is_some_and(|places| !places.is_empty());
        let foreground = !waiting.is_empty() && has_dependents;
        let options = DeleteOptions {
            uid: Some(object.uid.to_string()),
            propagation: foreground.then_some(Propagation::Foreground),
            ..DeleteOptions::default()
        };
        self.store.delete(object.kind, &object.key, &options).map(drop)
    }

    fn state_of(&self, dependent: &Object, owner: &Owner) -> Standing {
        let namespace = if owner.kind.info().namespaced { dependent.key.namespace.as_str() } else { "" };
        let found = self.store.get(owner.kind, &Key::new(namespace, &owner.name));
        match found {
            Some(object) if object.uid == owner.uid => {
                let waits = object.deleting && {
                    let value = object.value();
                    let list = value["metadata"]["finalizers"].as_array();
                    list.is_some_and(|list| list.iter().any(|name| name == FOREGROUND))
                };
                if waits { Standing::Waits } else { Standing::Stays }
            }
            _ => Standing::Gone,
        }
    }

    /// Takes owner references out of an object.
    fn disown(&self, object: &Object, which: impl Fn(&Owner) -> bool) -> Result<(), Status> {
        let uids: Vec<&str> =
            object.owners.iter().filter(|owner| which(owner)).map(|owner| owner.uid.as_str()).collect();
        let change = |value: &mut Value| {
            if let Some(list) = value["metadata"]["ownerReferences"].as_array_mut() {
                list.retain(|owner| !uids.contains(&owner["uid"].as_str().unwrap_or_default()));
            }
            if value["metadata"]["ownerReferences"].as_array().is_some_and(Vec::is_empty)
                && let Some(metadata) = value["metadata"].as_object_mut()
            {
                metadata.remove("ownerReferences");
            }
            Ok(())
        };
        self.store.modify(object.kind, &object.key, None, change).map(drop)
    }
}

/// What an owner is to a dependent.
enum Standing {
    /// There is no such object.
    Gone,
    /// It was deleted in the foreground and waits.
    Waits,
    Stays,
}
