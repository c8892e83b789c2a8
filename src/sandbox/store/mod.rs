//! What is stored: every object as the JSON that is sent, one growing version for all, and for each
//! kind a window of its last changes, from which watches are fed.
//!
//! One lock guards everything and is never held across an await: a transaction sees and changes the
//! whole state at once, as a store with serialised writes does.

mod object;
mod past;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::Value;
use smol_str::SmolStr;
use tokio::sync::watch;

pub use object::{Key, Object, Owner};
pub use past::Page;

use super::kinds::Kind;

/// How many changes of a kind are remembered for watches that are behind.
const WINDOW: usize = 20_000;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It is new.
    Added,
    /// It changed.
    Modified,
    /// It is gone; the change carries its last state, at the version of the removal.
    Deleted,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// What happened.
    pub happened: Happened,
    /// The object after it.
    pub object: Arc<Object>,
    /// The object before it, when there was one.
    pub before: Option<Arc<Object>>,
    /// When it was stored.
    pub at: Instant,
}

/// The changes after some version are no longer all remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The oldest version from which changes are still known.
    pub oldest: u64,
}

/// All objects of one kind.
struct Shelf {
    objects: BTreeMap<Key, Arc<Object>>,
    history: VecDeque<Change>,
    /// Changes after this version are all in `history`.
    oldest: u64,
    changed: watch::Sender<u64>,
}

impl Shelf {
    fn new() -> Shelf {
        Shelf {
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            oldest: 0,
            changed: watch::Sender::new(0),
        }
    }

    fn remember(&mut self, change: Change) {
        while self.history.len() >= WINDOW {
            if let Some(forgotten) = self.history.pop_front() {
                self.oldest = forgotten.object.version;
            }
        }
        let version = change.object.version;
        self.history.push_back(change);
        self.changed.send_replace(version);
    }
}

struct State {
    version: u64,
    shelves: Vec<Shelf>,
    /// Who has what no two objects may have.
    claims: HashMap<SmolStr, Key>,
}

impl State {
    fn change_claims(&mut self, before: Option<&Object>, after: Option<&Object>) {
        for claim in before.into_iter().flat_map(|object| &object.claims) {
            self.claims.remove(claim);
        }
        for (object, claim) in
            after.into_iter().flat_map(|object| object.claims.iter().map(move |c| (object, c)))
        {
            self.claims.insert(claim.clone(), object.key.clone());
        }
    }
}

/// The state of the sandbox's API.
pub struct Store {
    state: Mutex<State>,
}

impl Default for Store {
    fn default() -> Self {
        Store::new()
    }
}

impl Store {
    /// An empty store, at version 1.
    #[must_use]
    pub fn new() -> Store {
        let shelves = Kind::ALL.iter().map(|_| Shelf::new()).collect();
        Store { state: Mutex::new(State { version: 1, shelves, claims: HashMap::new() }) }
    }

    /// The version of the newest change of any object.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.state.lock().version
    }

    /// One object.
    #[must_use]
    pub fn get(&self, kind: Kind, key: &Key) -> Option<Arc<Object>> {
        self.state.lock().shelves[kind.index()].objects.get(key).cloned()
    }

    /// The objects of a kind in the order of their keys, all or those of one namespace, and the version at
    /// which they stood like this.
    #[must_use]
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> (u64, Vec<Arc<Object>>) {
        let state = self.state.lock();
        (state.version, range(&state.shelves[kind.index()].objects, namespace).cloned().collect())
    }

    /// How many objects of a kind there are.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.state.lock().shelves[kind.index()].objects.len()
    }

    /// At most `limit` changes of a kind after `version`, in order.
    ///
    /// # Errors
    /// When some of them are no longer remembered.
    pub fn changes(&self, kind: Kind, version: u64, limit: usize) -> Result<Vec<Change>, Compacted> {
        let state = self.state.lock();
        let shelf = &state.shelves[kind.index()];
        if version < shelf.oldest {
            return Err(Compacted { oldest: shelf.oldest });
        }
        let from = shelf.history.partition_point(|change| change.object.version <= version);
        Ok(shelf.history.iter().skip(from).take(limit).cloned().collect())
    }

    /// What is new of a kind after `version`: at most `limit` changes in order, and the version up to
    /// which they are all.
    ///
    /// # Errors
    /// When some of them are no longer remembered.
    pub fn news(&self, kind: Kind, version: u64, limit: usize) -> Result<(Vec<Change>, u64), Compacted> {
        let state = self.state.lock();
        let shelf = &state.shelves[kind.index()];
        if version < shelf.oldest {
            return Err(Compacted { oldest: shelf.oldest });
        }
        let from = shelf.history.partition_point(|change| change.object.version <= version);
        let changes: Vec<Change> = shelf.history.iter().skip(from).take(limit).cloned().collect();
        let reached = match changes.last() {
            Some(last) if changes.len() == limit => last.object.version,
            _ => state.version.max(version),
        };
        Ok((changes, reached))
    }

    /// Wakes whoever holds it at every change of the kind.
    #[must_use]
    pub fn subscribe(&self, kind: Kind) -> watch::Receiver<u64> {
        self.state.lock().shelves[kind.index()].changed.subscribe()
    }

    /// Forgets all changes up to now: watches and lists at an older version are answered 410.
    pub fn compact(&self) {
        let mut state = self.state.lock();
        let version = state.version;
        for shelf in &mut state.shelves {
            shelf.history.clear();
            shelf.oldest = version;
        }
    }

    /// Reads and writes as one step that nobody else can come between. What was written stands, also
    /// when `step` ends with an error: whoever may refuse does so before the first write.
    pub fn transact<T>(&self, step: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        step(&mut Transaction { state: &mut self.state.lock(), rehearsal: false })
    }
}

fn range<'a>(
    objects: &'a BTreeMap<Key, Arc<Object>>,
    namespace: Option<&'a str>,
) -> impl Iterator<Item = &'a Arc<Object>> {
    let from = match namespace {
        Some(namespace) => Bound::Included(Key::new(namespace, "")),
        None => Bound::Unbounded,
    };
    objects
        .range((from, Bound::Unbounded))
        .take_while(move |(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace))
        .map(|(_, object)| object)
}

/// The state while nobody else can touch it.
pub struct Transaction<'a> {
    state: &'a mut State,
    rehearsal: bool,
}

impl Transaction<'_> {
    /// Tells that nothing will be stored (`dryRun`).
    pub fn rehearse(&mut self, rehearsal: bool) {
        self.rehearsal = rehearsal;
    }

    /// Whether nothing will be stored.
    #[must_use]
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal
    }

    /// The version of the newest change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.state.version
    }

    /// One object.
    #[must_use]
    pub fn get(&self, kind: Kind, key: &Key) -> Option<Arc<Object>> {
        self.state.shelves[kind.index()].objects.get(key).cloned()
    }

    /// The objects of a kind in the order of their keys, all or those of one namespace.
    pub fn list<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Object>> {
        range(&self.state.shelves[kind.index()].objects, namespace)
    }

    /// Who has what only one object may have, see
    /// [`Strategy::claims`](super::kinds::Strategy::claims).
    #[must_use]
    pub fn holder(&self, claim: &str) -> Option<&Key> {
        self.state.claims.get(claim)
    }

    /// Stores an object at the next version, new or in place of the one of the same name.
    pub fn put(&mut self, kind: Kind, value: Value) -> Arc<Object> {
        self.state.version += 1;
        let object = Arc::new(Object::new(kind, value, self.state.version));
        let shelf = &mut self.state.shelves[kind.index()];
        let before = shelf.objects.insert(object.key.clone(), Arc::clone(&object));
        self.state.change_claims(before.as_deref(), Some(&object));
        let shelf = &mut self.state.shelves[kind.index()];
        let happened = if before.is_some() { Happened::Modified } else { Happened::Added };
        shelf.remember(Change { happened, object: Arc::clone(&object), before, at: Instant::now() });
        object
    }

    /// Removes an object, and gives its last state at the version of the removal.
    pub fn remove(&mut self, kind: Kind, key: &Key) -> Option<Arc<Object>> {
        let before = self.state.shelves[kind.index()].objects.remove(key)?;
        self.state.version += 1;
        self.state.change_claims(Some(&before), None);
        let object = Arc::new(Object::new(kind, before.value(), self.state.version));
        let change = Change {
            happened: Happened::Deleted,
            object: Arc::clone(&object),
            before: Some(before),
            at: Instant::now(),
        };
        self.state.shelves[kind.index()].remember(change);
        Some(object)
    }
}
