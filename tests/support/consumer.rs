//! A consumer of slices, and the oracle of the promise "never absent": it follows the watch of one
//! namespace event by event, merges the slices of each Service with the library's `consumer` module,
//! and notes every event by which a promised address came to be in no slice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use endpointslice_controller::consumer::{AddressKey, Change, Follower, Merged, PortKey, Reading};
use endpointslice_controller::model::address::parse_ip;
use endpointslice_controller::model::{AddressType, Key, Slice, Text, wire};
use futures::StreamExt;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::api::{Api, Event};
use super::pods;
use super::wait::{Deadline, SOON, eventually};
use super::world::{SERVICE_NAME, World};

/// (service, address, port name; no name in a slice without ports).
pub type Live = (String, String, Option<String>);

/// A promised endpoint that came to be in no slice. One absence is one loss, however long it is.
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
    follower: Follower,
    /// The version of each slice, of those too that belong to no Service.
    versions: BTreeMap<String, String>,
    promised: HashSet<AddressKey>,
    losses: Vec<Loss>,
    /// Since when a promised endpoint is absent, and how long any was at most.
    absent: HashMap<AddressKey, Instant>,
    longest_absence: Duration,
    events: usize,
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
        lock(&state).replace_all(&slices, "the first list");
        let task = tokio::spawn(follow(world.api().clone(), path, version, state.clone()));
        Consumer { world: world.clone(), state, task }
    }

    /// From now on these addresses of the Service must be present under every one of these ports.
    pub fn promise(&self, service: &str, addresses: &[String], ports: &[Option<&str>]) {
        let mut state = lock(&self.state);
        for address in addresses {
            let address_type = parse_ip(address).map_or_else(|_| AddressType::new("FQDN"), AddressType::of);
            for port in ports {
                let port = PortKey {
                    service: Key::new(self.world.namespace(), service),
                    address_type: address_type.clone(),
                    port: port.map(Text::new),
                };
                let here = state.follower.has(&port, address);
                let key = AddressKey { port, address: address.into() };
                if state.promised.insert(key.clone()) && !here {
                    state.lose(key, "the promise");
                }
            }
        }
    }

    /// Takes promises back for addresses that are about to go.
    pub fn release(&self, service: &str, addresses: &[String]) {
        let addresses: HashSet<&str> = addresses.iter().map(String::as_str).collect();
        let gone = |key: &AddressKey| key.port.service.name == service && addresses.contains(&*key.address);
        let state = &mut *lock(&self.state);
        state.promised.retain(|key| !gone(key));
        state.absent.retain(|key, _| !gone(key));
    }

    /// How many endpoints are promised: addresses times ports.
    pub fn promised(&self) -> usize {
        lock(&self.state).promised.len()
    }

    pub fn losses(&self) -> Vec<Loss> {
        lock(&self.state).losses.clone()
    }

    /// How long a promised endpoint was absent at most; of one that is absent still, until now.
    pub fn longest_absence(&self) -> Duration {
        let state = lock(&self.state);
        let still = state.absent.values().map(Instant::elapsed).max();
        state.longest_absence.max(still.unwrap_or_default())
    }

    /// How many events of the watch were seen, whoever wrote.
    pub fn events(&self) -> usize {
        lock(&self.state).events
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
        lock(&self.state).follower.addresses().map(|(port, address)| live(port, address)).collect()
    }

    /// What the consumer sees now, with conditions and target numbers.
    pub fn merged(&self) -> Merged {
        lock(&self.state).follower.merged()
    }

    /// Waits until the consumer has seen everything that a list shows.
    pub async fn caught_up(&self) {
        eventually("the consumer has caught up with a list", SOON, || async {
            let listed = self.world.versions().await;
            let seen = lock(&self.state).versions.clone();
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
        let slice = read(&event.object);
        let change = if event.kind == "DELETED" {
            self.versions.remove(&name);
            self.follower.remove(&slice.key)
        } else {
            self.versions.insert(name.clone(), version.clone());
            self.follower.put(&slice)
        };
        self.events += 1;
        self.note(change, &format!("{} {name} at {version}", event.kind));
    }

    fn replace_all(&mut self, slices: &[Value], after: &str) {
        let rows: Vec<Slice> = slices.iter().map(read).collect();
        self.versions =
            rows.iter().map(|slice| (slice.key.name.to_string(), slice.version.to_string())).collect();
        let change = self.follower.replace(&rows);
        self.note(change, after);
    }

    fn note(&mut self, change: Change, after: &str) {
        for key in change.gained {
            if let Some(since) = self.absent.remove(&key) {
                self.longest_absence = self.longest_absence.max(since.elapsed());
            }
        }
        for key in change.lost {
            if self.promised.contains(&key) {
                self.lose(key, after);
            }
        }
    }

    fn lose(&mut self, key: AddressKey, after: &str) {
        self.losses.push(Loss { live: live(&key.port, &key.address), after: after.to_string() });
        self.absent.insert(key, Instant::now());
    }
}

/// The row of a slice; a list does not say the kind of its elements, and rows do not need it.
fn read(slice: &Value) -> Slice {
    let json = serde_json::to_vec(slice).expect("a slice as text");
    wire::decode_slice(&json).expect("a slice of the API server")
}

fn live(port: &PortKey, address: &str) -> Live {
    (port.service.name.to_string(), address.to_string(), port.port.as_ref().map(ToString::to_string))
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
                state.replace_all(&slices, "a list after the watch ended");
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
