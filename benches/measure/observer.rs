//! Follows every slice of the cluster, as a consumer does, and knows which addresses are published
//! and since when each has its present readiness.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use futures::StreamExt;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::support::api::Api;
use crate::support::bulk::Bulk;

const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";

#[derive(Default)]
struct State {
    missing: HashSet<String>,
    /// Address to its readiness and the moment of the event that last changed it.
    ready: HashMap<String, (bool, Instant)>,
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
        slices.iter().for_each(|slice| state.take(slice));
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
                if event.kind != "DELETED" {
                    state.take(&event.object);
                }
            }
            panic!("the observer's watch ended");
        });
        Observer { state, task }
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

    /// The readiness published for an address, and since when.
    pub fn ready(&self, address: &str) -> Option<(bool, Instant)> {
        self.state().ready.get(address).copied()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn take(&mut self, slice: &Value) {
        let nothing = Vec::new();
        for endpoint in slice["endpoints"].as_array().unwrap_or(&nothing) {
            let Some(address) = endpoint["addresses"][0].as_str() else { continue };
            let ready = endpoint["conditions"]["ready"].as_bool().unwrap_or(true);
            self.missing.remove(address);
            match self.ready.get_mut(address) {
                Some(known) if known.0 == ready => {}
                Some(known) => *known = (ready, Instant::now()),
                None => {
                    self.ready.insert(address.to_string(), (ready, Instant::now()));
                }
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
