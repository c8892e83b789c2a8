//! An API server in memory: just slices, with versions that grow, a stream that delivers when it is
//! told to, and a script of faults. It is what the loops' tests write to.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;

use endpointslice_controller::control::Controller;
use endpointslice_controller::control::events::{EventError, EventSink};
use endpointslice_controller::control::write::{Deleted, WriteError, Writer};
use endpointslice_controller::model::{Endpoints, Key, Meta, Service, Slice, Uid, Version};
use endpointslice_controller::plan::Operation;
use endpointslice_controller::view::Change;

/// What happens to a write instead of the ordinary.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing is stored, this is answered.
    Refuse(WriteError),
    /// It is stored, and the answer is lost.
    LoseAnswer,
}

/// Which write a fault is for.
#[derive(Clone, Debug)]
pub struct Scripted {
    pub operation: Option<Operation>,
    /// Only in this namespace.
    pub namespace: Option<String>,
    pub times: usize,
    pub fault: Fault,
}

/// One slice as it stood before and as it stands after.
#[derive(Clone, Debug)]
pub struct Stored {
    pub before: Option<Slice>,
    pub after: Option<Slice>,
}

#[derive(Default)]
pub struct State {
    pub version: Version,
    pub slices: BTreeMap<Key, Slice>,
    pub services: BTreeMap<Key, Service>,
    pub endpoints: BTreeMap<Key, Endpoints>,
    /// Every write that arrived, refused ones too.
    pub log: Vec<(Operation, Key)>,
    /// Every write of the controller that was stored.
    pub stored: usize,
    /// What became of slices, by whose hand ever, in order.
    pub history: Vec<Stored>,
    pub reads: usize,
    pub faults: VecDeque<Scripted>,
    /// Slice events that the stream has not delivered yet.
    pub pending: VecDeque<Change<Slice>>,
    /// Whether events wait for [`Api::deliver`].
    pub hold: bool,
    /// The next write is answered this much later than it is stored and shown.
    pub late: Option<Duration>,
    uids: u32,
}

impl State {
    fn store(&mut self, key: &Key, after: Option<Slice>) {
        let before = match &after {
            Some(slice) => self.slices.insert(key.clone(), slice.clone()),
            None => self.slices.remove(key),
        };
        self.history.push(Stored { before, after });
    }
}

/// The server; cheap to share.
#[derive(Default)]
pub struct Api {
    pub state: Mutex<State>,
    controller: Mutex<Weak<Controller>>,
}

impl Api {
    pub fn connect(&self, controller: &Arc<Controller>) {
        *self.controller.lock() = Arc::downgrade(controller);
    }

    /// Delivers up to `count` of the slice events that wait, oldest first.
    pub fn deliver(&self, count: usize) {
        for _ in 0..count {
            let Some(change) = self.state.lock().pending.pop_front() else { return };
            if let Some(controller) = self.controller.lock().upgrade() {
                controller.slice(change);
            }
        }
    }

    fn deliver_unless_held(&self) {
        if !self.state.lock().hold {
            self.deliver(usize::MAX);
        }
    }

    pub fn fail(&self, operation: impl Into<Option<Operation>>, times: usize, fault: Fault) {
        let scripted = Scripted { operation: operation.into(), namespace: None, times, fault };
        self.state.lock().faults.push_back(scripted);
    }

    /// Every write in this namespace fails.
    pub fn fail_in(&self, namespace: &str, fault: Fault) {
        let namespace = Some(namespace.to_owned());
        let scripted = Scripted { operation: None, namespace, times: usize::MAX, fault };
        self.state.lock().faults.push_back(scripted);
    }

    /// The next version, as any write anywhere takes one.
    pub fn tick(&self) -> Version {
        let mut state = self.state.lock();
        state.version += 1;
        state.version
    }

    pub fn slices(&self) -> Vec<Slice> {
        self.state.lock().slices.values().cloned().collect()
    }

    pub fn writes(&self) -> usize {
        self.state.lock().log.len()
    }

    /// Somebody else writes (or, without a slice, deletes) what bears this name.
    pub fn edit(&self, key: &Key, edit: impl FnOnce(Slice) -> Option<Slice>) {
        {
            let mut state = self.state.lock();
            let old = state.slices.get(key).cloned().expect("the slice is there");
            state.version += 1;
            let version = state.version;
            match edit(old.clone()) {
                Some(mut new) => {
                    new.version = version;
                    state.pending.push_back(upserted(&new));
                    state.store(key, Some(new));
                }
                None => {
                    state.store(key, None);
                    state.pending.push_back(Change::Deleted(Meta { key: key.clone(), uid: old.uid, version }))
                }
            }
        }
        self.deliver_unless_held();
    }

    /// Somebody else makes a slice.
    pub fn put(&self, mut slice: Slice) -> Slice {
        {
            let mut state = self.state.lock();
            state.version += 1;
            state.uids += 1;
            slice.version = state.version;
            slice.uid = Uid::new(&format!("uid-{}", state.uids));
            state.pending.push_back(upserted(&slice));
            state.store(&slice.key, Some(slice.clone()));
        }
        self.deliver_unless_held();
        slice
    }

    async fn answer(
        &self,
        operation: Operation,
        key: &Key,
        store: impl FnOnce(&mut State) -> Result<Option<Slice>, WriteError>,
    ) -> Result<Option<Slice>, WriteError> {
        tokio::task::yield_now().await;
        let answer = self.write(operation, key, store);
        let late = self.state.lock().late.take();
        tokio::time::sleep(late.unwrap_or_default()).await;
        answer
    }

    fn write(
        &self,
        operation: Operation,
        key: &Key,
        store: impl FnOnce(&mut State) -> Result<Option<Slice>, WriteError>,
    ) -> Result<Option<Slice>, WriteError> {
        let answer = {
            let mut state = self.state.lock();
            state.log.push((operation, key.clone()));
            let at = state.faults.iter().position(|scripted| {
                scripted.operation.is_none_or(|wanted| wanted == operation)
                    && scripted.namespace.as_ref().is_none_or(|wanted| *wanted == *key.namespace)
            });
            let fault = at.map(|at| {
                state.faults[at].times -= 1;
                let fault = state.faults[at].fault.clone();
                if state.faults[at].times == 0 {
                    state.faults.remove(at);
                }
                fault
            });
            match fault {
                Some(Fault::Refuse(error)) => Err(error),
                Some(Fault::LoseAnswer) => {
                    let _ = store(&mut state);
                    Err(WriteError::Unknown { message: "the answer was lost".into() })
                }
                None => store(&mut state),
            }
        };
        self.deliver_unless_held();
        answer
    }
}

fn upserted(slice: &Slice) -> Change<Slice> {
    let meta = Meta { key: slice.key.clone(), uid: slice.uid.clone(), version: slice.version };
    Change::Upserted(meta, slice.clone())
}

fn current<'a>(state: &'a State, slice: &Slice) -> Result<&'a Slice, WriteError> {
    match state.slices.get(&slice.key) {
        None => Err(WriteError::NotFound),
        Some(held) if held.uid != slice.uid || held.version != slice.version => Err(WriteError::Conflict),
        Some(held) => Ok(held),
    }
}

impl Writer for Api {
    fn create<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Slice, WriteError>> {
        Box::pin(async move {
            self.answer(Operation::Create, &slice.key, |state| {
                if state.slices.contains_key(&slice.key) {
                    return Err(WriteError::AlreadyExists);
                }
                state.version += 1;
                state.uids += 1;
                state.stored += 1;
                let mut stored = slice.clone();
                stored.uid = Uid::new(&format!("uid-{}", state.uids));
                stored.version = state.version;
                state.pending.push_back(upserted(&stored));
                state.store(&slice.key, Some(stored.clone()));
                Ok(Some(stored))
            })
            .await
            .map(|stored| stored.expect("a create stores"))
        })
    }

    fn update<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Slice, WriteError>> {
        Box::pin(async move {
            self.answer(Operation::Update, &slice.key, |state| {
                current(state, slice)?;
                state.version += 1;
                state.stored += 1;
                let mut stored = slice.clone();
                stored.version = state.version;
                state.pending.push_back(upserted(&stored));
                state.store(&slice.key, Some(stored.clone()));
                Ok(Some(stored))
            })
            .await
            .map(|stored| stored.expect("an update stores"))
        })
    }

    fn delete<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Deleted, WriteError>> {
        Box::pin(async move {
            let stored = self.answer(Operation::Delete, &slice.key, |state| {
                let held = current(state, slice)?.clone();
                state.version += 1;
                state.stored += 1;
                if held.foreign.as_ref().is_some_and(|f| !f.finalizers.is_empty()) {
                    let mut stored = held;
                    stored.deleting = true;
                    stored.version = state.version;
                    state.pending.push_back(upserted(&stored));
                    state.store(&slice.key, Some(stored.clone()));
                    return Ok(Some(stored));
                }
                state.store(&slice.key, None);
                let meta = Meta { key: slice.key.clone(), uid: slice.uid.clone(), version: state.version };
                state.pending.push_back(Change::Deleted(meta));
                Ok(None)
            });
            let stored = stored.await?;
            Ok(stored.map_or(Deleted::Gone, |slice| Deleted::Terminating(Box::new(slice))))
        })
    }

    fn get_slice<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Slice>, WriteError>> {
        let mut state = self.state.lock();
        state.reads += 1;
        let found = state.slices.get(key).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn get_service<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Service>, WriteError>> {
        let mut state = self.state.lock();
        state.reads += 1;
        let found = state.services.get(key).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn get_endpoints<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Endpoints>, WriteError>> {
        let mut state = self.state.lock();
        state.reads += 1;
        let found = state.endpoints.get(key).cloned();
        Box::pin(async move { Ok(found) })
    }
}

/// Takes Events, and keeps what they say.
#[derive(Default)]
pub struct Events(pub Mutex<Vec<String>>);

impl EventSink for Events {
    fn create<'a>(&'a self, _: &'a str, event: &'a Value) -> BoxFuture<'a, Result<(), EventError>> {
        self.0.lock().push(format!("{} {}", event["reason"], event["message"]));
        Box::pin(async { Ok(()) })
    }

    fn patch<'a>(&'a self, _: &'a str, _: &'a str, _: &'a Value) -> BoxFuture<'a, Result<(), EventError>> {
        Box::pin(async { Ok(()) })
    }
}
