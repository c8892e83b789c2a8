//! A consumer of slices, and the oracle of the promise "never absent": it follows the watch of one
//! namespace event by event, merges the slices of each Service by (address, port name) as kube-proxy
//! does, and notes every state in which a promised one was in no slice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::api::{Api, Event};
use super::pods;
use super::wait::{Deadline, SOON, eventually};
use super::world::{SERVICE_NAME, World, published_by};

/// (service, address, port name; no name in a slice without ports).
pub type Live = (String, String, Option<String>);

/// A promised endpoint that was in no slice after an event.
#[derive(Debug, Clone)]
pub struct Loss {
    pub live: Live,
    /// The event after which it was absent: kind, slice and version.
    pub after: String,
}

/// A write that the consumer saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub kind: String,
    pub slice: String,
    pub service: String,
    pub version: u64,
}

/// How many writes of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub created: usize,
    pub updated: usize,
    pub deleted: usize,
}

impl Counts {
    pub fn total(self) -> usize {
        self.created + self.updated + self.deleted
    }
}

#[derive(Default)]
struct State {
    /// Each slice's Service, endpoints and version.
    slices: BTreeMap<String, (BTreeSet<Live>, String)>,
    /// In how many slices each endpoint stands.
    holders: BTreeMap<Live, usize>,
    promised: BTreeSet<Live>,
    losses: Vec<Loss>,
    writes: Vec<Write>,
    last_write: Option<Instant>,
    /// How often the watch had to be begun anew.
    restarts: usize,
}

/// Follows the slices of one namespace until it is dropped.
pub struct Consumer {
    world: World,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Consumer {
    /// Lists, and follows from there; what stood before does not count as writes.
    pub async fn follow(world: &World) -> Consumer {
        let state = Arc::new(Mutex::new(State::default()));
        let path = world.path("endpointslices");
        let (slices, version) = world.api().list_at(&path).await.expect("list slices");
        lock(&state).replace_all(&slices);
        let task = tokio::spawn(follow(world.api().clone(), path, version, state.clone()));
        Consumer { world: world.clone(), state, task }
    }

    /// From now on these addresses of the Service must be present under every one of these ports.
    pub fn promise(&self, service: &str, addresses: &[String], ports: &[Option<&str>]) {
        let mut state = lock(&self.state);
        for address in addresses {
            for port in ports {
                let live = (service.to_string(), address.clone(), port.map(str::to_string));
                state.promised.insert(live);
            }
        }
        state.check("the promise");
    }

    /// Takes promises back for addresses that are about to go.
    pub fn release(&self, service: &str, addresses: &[String]) {
        let gone = |live: &Live| live.0 == service && addresses.contains(&live.1);
        lock(&self.state).promised.retain(|live| !gone(live));
    }

    pub fn losses(&self) -> Vec<Loss> {
        lock(&self.state).losses.clone()
    }

    /// Fails when a promised endpoint was ever absent.
    pub fn assert_never_absent(&self) {
        let losses = self.losses();
        let first: Vec<_> = losses.iter().take(5).collect();
        assert!(losses.is_empty(), "{} times a promised endpoint was in no slice: {first:#?}", losses.len());
    }

    /// The writes seen since the start or the last [`Consumer::forget_writes`].
    pub fn writes(&self) -> Vec<Write> {
        lock(&self.state).writes.clone()
    }

    pub fn forget_writes(&self) {
        lock(&self.state).writes.clear();
    }

    pub fn counts(&self) -> Counts {
        count(&lock(&self.state).writes)
    }

    /// The writes to slices of one Service.
    pub fn counts_of(&self, service: &str) -> Counts {
        let state = lock(&self.state);
        let of_service: Vec<Write> = state.writes.iter().filter(|w| w.service == service).cloned().collect();
        count(&of_service)
    }

    pub fn restarts(&self) -> usize {
        lock(&self.state).restarts
    }

    /// The endpoints present now.
    pub fn present(&self) -> BTreeSet<Live> {
        lock(&self.state).holders.keys().cloned().collect()
    }

    /// Waits until the consumer has seen everything that a list shows.
    pub async fn caught_up(&self) {
        eventually("the consumer has caught up with a list", SOON, || async {
            let listed = self.world.versions().await;
            let seen: BTreeMap<String, String> = lock(&self.state)
                .slices
                .iter()
                .map(|(name, (_, version))| (name.clone(), version.clone()))
                .collect();
            if listed == seen { Ok(()) } else { Err(format!("listed {}, seen {}", listed.len(), seen.len())) }
        })
        .await;
    }

    /// Waits until the controller has handled everything before this call and then wrote nothing for
    /// `window`. A marker Service tells when: its placeholder comes after what was queued before.
    /// Neither the marker nor its slice is counted as a write.
    pub async fn quiet(&self, window: Duration, deadline: Deadline) {
        let marker = self.marker().await;
        let started = Instant::now();
        loop {
            let last = lock(&self.state).last_write.unwrap_or(started).max(started);
            if last.elapsed() >= window {
                break;
            }
            assert!(started.elapsed() < deadline, "slices of {} keep changing", self.world.namespace());
            tokio::time::sleep((window.saturating_sub(last.elapsed())).max(Duration::from_millis(5))).await;
        }
        self.caught_up().await;
        self.remove_marker(&marker).await;
    }

    /// What was written from `action` until the namespace was quiet again.
    pub async fn writes_of<F: Future<Output = ()>>(&self, action: F) -> Vec<Write> {
        self.caught_up().await;
        self.forget_writes();
        action.await;
        self.quiet(QUIET, SOON).await;
        self.writes()
    }

    async fn marker(&self) -> String {
        let name = super::controller::next_name("marker").split('-').take(2).collect::<Vec<_>>().join("-");
        self.world.service(pods::service(&name, &name).port("", 80, "80")).await;
        eventually("the controller has handled a marker Service", SOON, || async {
            let found = lock(&self.state).writes.iter().any(|write| write.service == name);
            if found { Ok(()) } else { Err("no slice of it".to_string()) }
        })
        .await;
        name
    }

    async fn remove_marker(&self, marker: &str) {
        self.world.delete("services", marker).await;
        for slice in self.world.slices(marker).await {
            let name = slice["metadata"]["name"].as_str().unwrap_or_default();
            let path = format!("{}/{name}", self.world.path("endpointslices"));
            let _ = self.world.api().delete(&path).await;
        }
        self.caught_up().await;
        lock(&self.state).writes.retain(|write| write.service != marker);
    }
}

/// Long enough for the second that a slice changed by somebody else waits in the queue.
pub const QUIET: Duration = Duration::from_millis(1500);

impl Drop for Consumer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn apply(&mut self, event: &Event) {
        let name = text(&event.object["metadata"]["name"]);
        let version = text(&event.object["metadata"]["resourceVersion"]);
        let service = text(&event.object["metadata"]["labels"][SERVICE_NAME]);
        self.writes.push(Write {
            kind: event.kind.clone(),
            slice: name.clone(),
            service,
            version: version.parse().unwrap_or(0),
        });
        self.last_write = Some(Instant::now());
        self.put(&name, if event.kind == "DELETED" { None } else { Some(&event.object) });
        self.check(&format!("{} {name} at {version}", event.kind));
    }

    fn replace_all(&mut self, slices: &[Value]) {
        let names: Vec<String> = self.slices.keys().cloned().collect();
        let listed: BTreeMap<String, &Value> =
            slices.iter().map(|slice| (text(&slice["metadata"]["name"]), slice)).collect();
        for name in names.iter().filter(|name| !listed.contains_key(*name)) {
            self.put(name, None);
        }
        for (name, slice) in listed {
            self.put(&name, Some(slice));
        }
    }

    /// Replaces one slice (or takes it away) in the merged view.
    fn put(&mut self, name: &str, slice: Option<&Value>) {
        if let Some((held, _)) = self.slices.remove(name) {
            for live in held {
                let left = self.holders.get_mut(&live).map(|count| {
                    *count -= 1;
                    *count
                });
                if left == Some(0) {
                    self.holders.remove(&live);
                }
            }
        }
        let Some(slice) = slice else { return };
        let service = text(&slice["metadata"]["labels"][SERVICE_NAME]);
        let held: BTreeSet<Live> =
            published_by(slice).into_iter().map(|p| (service.clone(), p.address, p.port)).collect();
        for live in &held {
            *self.holders.entry(live.clone()).or_default() += 1;
        }
        self.slices.insert(name.to_string(), (held, text(&slice["metadata"]["resourceVersion"])));
    }

    fn check(&mut self, after: &str) {
        for live in &self.promised {
            if !self.holders.contains_key(live) {
                self.losses.push(Loss { live: live.clone(), after: after.to_string() });
            }
        }
    }
}

/// Follows the watch; begins anew with a list when it ends (the API server was restarted).
async fn follow(api: Api, path: String, mut version: String, state: Arc<Mutex<State>>) {
    loop {
        if let Ok(mut events) = api.watch(&path, &version, "").await {
            while let Some(Ok(event)) = events.next().await {
                if event.kind == "ERROR" {
                    break;
                }
                if event.kind != "BOOKMARK" {
                    lock(&state).apply(&event);
                }
            }
        }
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if let Ok((slices, listed)) = api.list_at(&path).await {
                let mut state = lock(&state);
                state.restarts += 1;
                state.replace_all(&slices);
                state.check("a list after the watch ended");
                version = listed;
                break;
            }
        }
    }
}

fn count(writes: &[Write]) -> Counts {
    let of = |kind: &str| writes.iter().filter(|write| write.kind == kind).count();
    Counts { created: of("ADDED"), updated: of("MODIFIED"), deleted: of("DELETED") }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
