//! Follows every slice of the cluster, as a consumer does, and knows which addresses are published
//! and since when each has its present readiness.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use futures::StreamExt;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::published::SLICES;
use crate::support::api::Api;
use crate::support::bulk::Bulk;

/// How an address is published.
#[derive(Clone, Copy)]
struct Address {
    ready: bool,
    /// The event that last changed its readiness.
    since: Instant,
    /// In how many slices it stands.
    slices: usize,
}

#[derive(Default)]
struct State {
    missing: HashSet<String>,
    addresses: HashMap<String, Address>,
    slices: HashMap<String, Vec<String>>,
    writes: u64,
    bytes: u64,
}

pub struct Observer {
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Observer {
    /// Follows from the present state on.
    pub async fn start(api: &Api, bulk: &Bulk) -> Observer {
        let mut state =
            State { missing: bulk.pods.iter().map(|pod| pod.address.clone()).collect(), ..State::default() };
        let (slices, version) = api.list_at(SLICES).await.expect("list slices");
        slices.iter().for_each(|slice| state.take(slice, false));
        let state = Arc::new(Mutex::new(state));
        let mut events = api.watch(SLICES, &version, "timeoutSeconds=86400").await.expect("watch slices");
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let event = event.expect("an event of the watch");
                assert_ne!(event.kind, "ERROR", "the observer's watch broke: {}", event.object);
                if event.kind == "BOOKMARK" {
                    continue;
                }
                let mut state = lock(&shared);
                state.writes += 1;
                state.bytes += event.size as u64;
                state.take(&event.object, event.kind == "DELETED");
            }
            panic!("the observer's watch ended");
        });
        Observer { state, task }
    }

    /// Follows no more: nothing may be asked from here on.
    pub fn stop(&self) {
        self.task.abort();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        assert!(!self.task.is_finished(), "the observer has stopped; its numbers would be wrong");
        lock(&self.state)
    }

    /// How many Pods were never published.
    pub fn missing(&self) -> usize {
        self.state().missing.len()
    }

    /// Slice events seen.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Bytes of slice events seen.
    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// The readiness published for an address, and since when; `None` when it stands in no slice.
    pub fn ready(&self, address: &str) -> Option<(bool, Instant)> {
        self.state().addresses.get(address).map(|address| (address.ready, address.since))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn take(&mut self, slice: &Value, gone: bool) {
        let uid = slice["metadata"]["uid"].to_string();
        let mut now = Vec::new();
        let endpoints = slice["endpoints"].as_array().filter(|_| !gone).map_or(&[][..], Vec::as_slice);
        for endpoint in endpoints {
            let Some(text) = endpoint["addresses"][0].as_str() else { continue };
            let ready = endpoint["conditions"]["ready"].as_bool().unwrap_or(true);
            self.missing.remove(text);
            let new = Address { ready, since: Instant::now(), slices: 0 };
            let address = self.addresses.entry(text.to_string()).or_insert(new);
            if address.ready != ready {
                (address.ready, address.since) = (ready, new.since);
            }
            address.slices += 1;
            now.push(text.to_string());
        }
        let before = if gone { self.slices.remove(&uid) } else { self.slices.insert(uid, now) };
        for text in before.unwrap_or_default() {
            if let Some(address) = self.addresses.get_mut(&text) {
                address.slices -= 1;
                if address.slices == 0 {
                    self.addresses.remove(&text);
                }
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
