//! What happens in the sandbox, as seen in its store: which Pods stand behind which Service, its slices,
//! how many changes and writes there were, and through the [`Oracle`] how long the controller took.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use serde_json::Value;
use smol_str::{SmolStr, format_smolstr};

use super::oracle::Oracle;
use crate::consumer::State;
use crate::model::{AddressType, Key, Labels, Pod, Service, Slice, Text, wire};
use crate::sandbox::store::{Change, Happened, Object};
use crate::sandbox::{Kind, Store};

type Map<K, V> = HashMap<K, V, RandomState>;

/// How many changes are read at a time.
const PAGE: usize = 1000;
/// How many Kubernetes Events are kept.
const EVENTS: usize = 50;
/// How many seconds the rates reach back.
pub const SECONDS: usize = 60;
/// What stands around a slice in a watch event.
const ENVELOPE: usize =
    r#"{"type":"MODIFIED","object":{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1",}}"#.len();

/// The kinds that are looked at, in the order in which they are read anew.
const KINDS: [Kind; 5] = [Kind::Service, Kind::EndpointSlice, Kind::Pod, Kind::Endpoints, Kind::Event];

/// Counts of what was stored of EndpointSlices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Writes {
    /// New slices.
    pub creates: u64,
    /// Changed ones.
    pub updates: u64,
    /// Removed ones.
    pub deletes: u64,
    /// Bytes of the events that a watch of all slices was sent.
    pub event_bytes: u64,
}

impl Writes {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.creates + self.updates + self.deletes
    }

    /// What came since an earlier count.
    #[must_use]
    pub fn since(&self, before: &Writes) -> Writes {
        Writes {
            creates: self.creates - before.creates,
            updates: self.updates - before.updates,
            deletes: self.deletes - before.deletes,
            event_bytes: self.event_bytes - before.event_bytes,
        }
    }
}

/// One second of the rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Changes of Pods, Services and Endpoints.
    pub changes: u64,
    /// Writes of EndpointSlices.
    pub writes: u64,
}

/// A Kubernetes Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `Normal` or `Warning`.
    pub warning: bool,
    /// Its reason.
    pub reason: SmolStr,
    /// `Kind namespace/name` of what it is about.
    pub about: SmolStr,
    /// Its text.
    pub message: SmolStr,
}

/// A Service and what stands behind it.
#[derive(Debug)]
pub struct SeenService {
    /// The Service.
    pub row: Service,
    /// Pods that it selects and that have not ended, by name, and whether each is ready.
    pub pods: BTreeMap<SmolStr, bool>,
    /// How many of them are ready.
    pub ready: usize,
    /// Its slices by name.
    pub slices: BTreeMap<SmolStr, SeenSlice>,
}

/// A slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenSlice {
    /// Its family.
    pub address_type: AddressType,
    /// Endpoints in it.
    pub endpoints: usize,
    /// Those of them that are ready.
    pub ready: usize,
}

/// See the module's text.
pub struct Observer {
    store: Arc<Store>,
    /// Everything up to this version was seen.
    seen: u64,
    services: BTreeMap<Key, SeenService>,
    /// Services by namespace and one pair of their selector.
    by_pair: Map<(Text, Text, Text), BTreeSet<SmolStr>>,
    pods: Map<Key, Arc<Pod>>,
    /// The Service of each slice.
    slices: Map<Key, Key>,
    ready_pods: usize,
    oracle: Oracle,
    writes: Writes,
    changes: u64,
    seconds: VecDeque<Second>,
    events: VecDeque<Event>,
    born: Instant,
    first_slice: Option<Duration>,
    first_endpoint: Option<Duration>,
}

impl Observer {
    /// Looks at a store from now on. `born`: when the sandbox began to start.
    ///
    /// # Errors
    /// As [`Oracle::new`].
    pub fn new(store: Arc<Store>, born: Instant) -> anyhow::Result<Observer> {
        Ok(Observer {
            store,
            seen: 0,
            services: BTreeMap::new(),
            by_pair: Map::default(),
            pods: Map::default(),
            slices: Map::default(),
            ready_pods: 0,
            oracle: Oracle::new()?,
            writes: Writes::default(),
            changes: 0,
            seconds: VecDeque::from([Second::default()]),
            events: VecDeque::new(),
            born,
            first_slice: None,
            first_endpoint: None,
        })
    }

    /// Takes in everything that was stored until now, in the order in which it was.
    pub fn catch_up(&mut self) {
        // What has a version up to this one is remembered by the store already: kinds can be read one
        // after the other.
        let until = self.store.version();
        if until == self.seen {
            return;
        }
        let mut all: Vec<Change> = Vec::new();
        for kind in KINDS {
            let mut from = self.seen;
            loop {
                let Ok(changes) = self.store.changes(kind, from, PAGE) else { return self.read_anew() };
                let Some(last) = changes.last() else { break };
                from = last.object.version;
                all.extend(changes.into_iter().filter(|change| change.object.version <= until));
                if from >= until {
                    break;
                }
            }
        }
        all.sort_by_key(|change| change.object.version);
        for change in all {
            self.count(&change);
            self.take(&change.object, change.happened == Happened::Deleted, change.at);
        }
        self.seen = until;
    }

    /// So much happened that the store no longer knows each step: what stands is compared with what was
    /// seen. Writes in between are not counted.
    fn read_anew(&mut self) {
        let now = Instant::now();
        let mut versions = Vec::new();
        for kind in KINDS {
            let (version, objects) = self.store.list(kind, None);
            versions.push(version);
            let standing: BTreeSet<(&str, &str)> =
                objects.iter().map(|o| (o.key.namespace.as_str(), o.key.name.as_str())).collect();
            let gone = |key: &&Key| !standing.contains(&(&*key.namespace, &*key.name));
            match kind {
                Kind::EndpointSlice => {
                    let gone: Vec<Key> = self.slices.keys().filter(gone).cloned().collect();
                    gone.iter().for_each(|key| self.slice_gone(key, now));
                }
                Kind::Service => {
                    let gone: Vec<Key> = self.services.keys().filter(gone).cloned().collect();
                    gone.iter().for_each(|key| self.service_gone(key, now));
                }
                Kind::Pod => {
                    let gone: Vec<Key> = self.pods.keys().filter(gone).cloned().collect();
                    gone.iter().for_each(|key| self.pod_gone(key, now));
                }
                _ => {}
            }
            if kind != Kind::Event {
                objects.iter().for_each(|object| self.take(object, false, now));
            }
        }
        // What changed after its kind was read comes again.
        self.seen = versions.into_iter().min().unwrap_or(self.seen);
    }

    fn count(&mut self, change: &Change) {
        let second = match self.seconds.back_mut() {
            Some(second) => second,
            None => return,
        };
        match change.object.kind {
            Kind::EndpointSlice => {
                second.writes += 1;
                match change.happened {
                    Happened::Added => self.writes.creates += 1,
                    Happened::Modified => self.writes.updates += 1,
                    Happened::Deleted => self.writes.deletes += 1,
                }
                self.writes.event_bytes += (change.object.json().len() + ENVELOPE) as u64;
            }
            Kind::Pod | Kind::Service | Kind::Endpoints => {
                second.changes += 1;
                self.changes += 1;
            }
            _ => {}
        }
    }

    /// What cannot be read is left out: it does not pass the API server.
    fn take(&mut self, object: &Object, gone: bool, at: Instant) {
        let json = object.json();
        let key = Key::new(&object.key.namespace, &object.key.name);
        match (object.kind, gone) {
            (Kind::EndpointSlice, true) => self.slice_gone(&key, at),
            (Kind::Service, true) => self.service_gone(&key, at),
            (Kind::Pod, true) => self.pod_gone(&key, at),
            (Kind::EndpointSlice, false) => {
                if let Ok(row) = wire::decode_slice(&json) {
                    self.slice(&row, at);
                }
            }
            (Kind::Service, false) => {
                if let Ok(row) = wire::decode_service(&json) {
                    self.service(row, at);
                }
            }
            (Kind::Pod, false) => {
                if let Ok(row) = wire::decode_pod(&json) {
                    self.pod(row, at);
                }
            }
            (Kind::Event, false) => self.event(&object.value()),
            _ => {}
        }
    }

    fn slice(&mut self, row: &Slice, at: Instant) {
        self.oracle.slice(row, at);
        let since = at.saturating_duration_since(self.born);
        self.first_slice.get_or_insert(since);
        if !row.endpoints.is_empty() {
            self.first_endpoint.get_or_insert(since);
        }
        self.forget_slice(&row.key);
        let Some(of) = row.service_key() else { return };
        if let Some(service) = self.services.get_mut(&of) {
            let ready = row.endpoints.iter().filter(|endpoint| State::from(endpoint.conditions).ready);
            let seen = SeenSlice {
                address_type: row.address_type.clone(),
                endpoints: row.endpoints.len(),
                ready: ready.count(),
            };
            service.slices.insert(row.key.name.clone(), seen);
        }
        self.slices.insert(row.key.clone(), of);
    }

    fn slice_gone(&mut self, key: &Key, at: Instant) {
        self.oracle.slice_gone(key, at);
        self.forget_slice(key);
    }

    fn forget_slice(&mut self, key: &Key) {
        if let Some(service) = self.slices.remove(key)
            && let Some(service) = self.services.get_mut(&service)
        {
            service.slices.remove(&key.name);
        }
    }

    fn service(&mut self, row: Service, at: Instant) {
        let key = row.key.clone();
        let before = self.services.remove(&key);
        let same = before.as_ref().is_some_and(|before| {
            let (old, new) = (&before.row, &row);
            old.selector == new.selector
                && old.ip_families == new.ip_families
                && old.publish_not_ready == new.publish_not_ready
                && old.external_name == new.external_name
        });
        let mut before = before;
        if same && let Some(before) = before.take() {
            self.services.insert(key, SeenService { row, ..before });
            return;
        }
        if let Some(before) = &before {
            self.unfile(&before.row);
            self.want_nothing(before, at);
        }
        if let Some(pair) = pair_of(&row) {
            self.by_pair.entry(pair).or_default().insert(key.name.clone());
        }
        let slices = before.map(|before| before.slices).unwrap_or_default();
        let seen = SeenService { row, pods: BTreeMap::new(), ready: 0, slices };
        self.services.insert(key.clone(), seen);
        let Some(selector) = self.services.get(&key).and_then(|seen| seen.row.selector.clone()) else {
            return;
        };
        let selected: Vec<Arc<Pod>> = self
            .pods
            .values()
            .filter(|pod| pod.key.namespace == key.namespace && pod.labels.contains_all(&selector))
            .cloned()
            .collect();
        selected.iter().for_each(|pod| self.stands_behind(&key, pod, at));
    }

    fn service_gone(&mut self, key: &Key, at: Instant) {
        if let Some(before) = self.services.remove(key) {
            self.unfile(&before.row);
            self.want_nothing(&before, at);
        }
    }

    fn unfile(&mut self, row: &Service) {
        if let Some(pair) = pair_of(row)
            && let Some(names) = self.by_pair.get_mut(&pair)
        {
            names.remove(&row.key.name);
            if names.is_empty() {
                self.by_pair.remove(&pair);
            }
        }
    }

    fn want_nothing(&mut self, service: &SeenService, at: Instant) {
        for name in service.pods.keys() {
            let key = Key { namespace: service.row.key.namespace.clone(), name: name.clone() };
            if let Some(pod) = self.pods.get(&key) {
                want(&mut self.oracle, &service.row, pod, false, at);
            }
        }
    }

    fn pod(&mut self, row: Pod, at: Instant) {
        let row = Arc::new(row);
        let before = self.pods.insert(row.key.clone(), Arc::clone(&row));
        self.ready_pods += usize::from(counts(&row) && row.ready);
        let after = self.selecting(&row.key.namespace, &row.labels);
        if let Some(before) = before {
            self.ready_pods -= usize::from(counts(&before) && before.ready);
            let mut left = self.selecting(&before.key.namespace, &before.labels);
            let moved = before.uid != row.uid || !before.ips.good().eq(row.ips.good());
            left.retain(|service| moved || !after.contains(service));
            left.iter().for_each(|service| self.leaves(service, &before, at));
        }
        after.iter().for_each(|service| self.stands_behind(service, &row, at));
    }

    fn pod_gone(&mut self, key: &Key, at: Instant) {
        let Some(before) = self.pods.remove(key) else { return };
        self.ready_pods -= usize::from(counts(&before) && before.ready);
        for service in self.selecting(&before.key.namespace, &before.labels) {
            self.leaves(&service, &before, at);
        }
    }

    fn selecting(&self, namespace: &Text, labels: &Labels) -> Vec<Key> {
        let mut found = Vec::new();
        for (name, value) in labels.iter() {
            let names = self.by_pair.get(&(namespace.clone(), name.clone(), value.clone()));
            for service in names.into_iter().flatten() {
                let key = Key { namespace: namespace.clone(), name: service.clone() };
                let selector = self.services.get(&key).and_then(|seen| seen.row.selector.as_ref());
                if selector.is_some_and(|selector| labels.contains_all(selector)) {
                    found.push(key);
                }
            }
        }
        found
    }

    fn stands_behind(&mut self, service: &Key, pod: &Pod, at: Instant) {
        let Some(seen) = self.services.get_mut(service) else { return };
        let before = match counts(pod) {
            true => seen.pods.insert(pod.key.name.clone(), pod.ready),
            false => seen.pods.remove(&pod.key.name),
        };
        seen.ready -= usize::from(before == Some(true));
        seen.ready += usize::from(counts(pod) && pod.ready);
        want(&mut self.oracle, &seen.row, pod, true, at);
    }

    fn leaves(&mut self, service: &Key, pod: &Pod, at: Instant) {
        let Some(seen) = self.services.get_mut(service) else { return };
        let before = seen.pods.remove(&pod.key.name);
        seen.ready -= usize::from(before == Some(true));
        want(&mut self.oracle, &seen.row, pod, false, at);
    }

    fn event(&mut self, value: &Value) {
        let text = |value: &Value| SmolStr::from(value.as_str().unwrap_or_default());
        let about = match &value["involvedObject"] {
            Value::Null => &value["regarding"],
            about => about,
        };
        let (namespace, name) = (text(&about["namespace"]), text(&about["name"]));
        let slash = if namespace.is_empty() { "" } else { "/" };
        let message = if value["message"].is_null() { &value["note"] } else { &value["message"] };
        let event = Event {
            warning: value["type"] == "Warning",
            reason: text(&value["reason"]),
            about: format_smolstr!("{} {namespace}{slash}{name}", text(&about["kind"])),
            message: text(message),
        };
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The version up to which everything was taken in.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// A second is over.
    pub fn tick(&mut self) {
        if self.seconds.len() > SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(Second::default());
    }

    /// The whole seconds that are over, oldest first.
    pub fn seconds(&self) -> impl DoubleEndedIterator<Item = Second> + '_ {
        self.seconds.iter().take(self.seconds.len() - 1).copied()
    }

    /// Services in order.
    pub fn services(&self) -> impl Iterator<Item = (&Key, &SeenService)> {
        self.services.iter()
    }

    /// Pods that are ready, and all that have not ended.
    #[must_use]
    pub fn pods(&self) -> (usize, usize) {
        (self.ready_pods, self.pods.len())
    }

    /// A Pod.
    #[must_use]
    pub fn pod_row(&self, key: &Key) -> Option<&Arc<Pod>> {
        self.pods.get(key)
    }

    /// How many slices there are.
    #[must_use]
    pub fn slices(&self) -> usize {
        self.slices.len()
    }

    /// Kubernetes Events, newest first.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().rev()
    }

    /// The oracle.
    #[must_use]
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// The oracle, to begin its counts anew.
    pub fn oracle_mut(&mut self) -> &mut Oracle {
        &mut self.oracle
    }

    /// Writes of slices since the start.
    #[must_use]
    pub fn writes(&self) -> Writes {
        self.writes
    }

    /// Changes of Pods, Services and Endpoints since the start.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How long after the start the first slice was there.
    #[must_use]
    pub fn first_slice(&self) -> Option<Duration> {
        self.first_slice
    }

    /// How long after the start the first slice with an endpoint was there.
    #[must_use]
    pub fn first_endpoint(&self) -> Option<Duration> {
        self.first_endpoint
    }
}

/// Whether a Pod is one of those that a Service has.
fn counts(pod: &Pod) -> bool {
    !pod.terminal
}

/// The pair under which a Service is filed.
fn pair_of(service: &Service) -> Option<(Text, Text, Text)> {
    let (name, value) = service.selector.as_ref()?.iter().next()?;
    Some((service.key.namespace.clone(), name.clone(), value.clone()))
}

/// Tells the oracle what a Service is to say of a Pod's addresses: what the API documents of the
/// conditions, and nothing of how the controller comes to it.
fn want(oracle: &mut Oracle, service: &Service, pod: &Pod, selected: bool, at: Instant) {
    if service.external_name {
        return;
    }
    let state = (selected && !pod.terminal).then_some(State {
        ready: service.publish_not_ready || (pod.ready && !pod.terminating),
        serving: pod.ready,
        terminating: pod.terminating,
    });
    let uid = pod.uid.to_string();
    for ip in pod.ips.good() {
        let address_type = AddressType::of(ip);
        if service.ip_families.contains(&address_type) {
            oracle.want(&(service.key.clone(), address_type), &format_smolstr!("{ip}"), &uid, state, at);
        }
    }
}
