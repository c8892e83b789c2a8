//! What the tests of the two loops share: a namespace on the cluster that one controller serves, a
//! consumer that follows it, slices as lines of text, and what must hold at the end of every test.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{Held, TheStage, served};
use crate::support::pods::{Object, endpoints, service_without_selector};
use crate::support::wait::SOON;
use crate::support::world::{MANAGED_BY, MIRRORING_LOOP};
use crate::support::{Consumer, World, eventually};

/// Nothing was written for so long: time enough for what is queued at once.
pub const SETTLED: Duration = Duration::from_millis(250);
/// The same where somebody else changed a slice: that waits for a second in the queue.
pub const FOREIGN: Duration = Duration::from_millis(1300);

/// One test on the served cluster.
pub struct Play {
    pub stage: TheStage,
    pub world: World,
    pub consumer: Consumer,
    controller: Held,
}

impl std::ops::Deref for Play {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl Play {
    /// A namespace that starts with `name`; `None` where there is no control plane.
    pub async fn begin(name: &str) -> Option<Play> {
        let (stage, controller) = served().await?;
        let world = World::new(&stage, name).await;
        let consumer = Consumer::follow(&world).await;
        Some(Play { stage, world, consumer, controller })
    }

    /// Waits until the slices of the Service are exactly these lines (in any order; see [`lines`]).
    pub async fn see(&self, service: &str, wanted: &[&str]) {
        let mut wanted: Vec<String> = wanted.iter().map(|line| line.to_string()).collect();
        wanted.sort();
        self.wait_slices(&format!("slices of {service}: {wanted:#?}"), service, SOON, |slices| {
            let found = lines(slices);
            if found == wanted { Ok(()) } else { Err(format!("{found:#?}")) }
        })
        .await;
    }

    /// Waits until every slice of the Service satisfies `right`, and there is one at least.
    pub async fn all(&self, what: &str, service: &str, right: impl Fn(&Value) -> bool) {
        self.wait_slices(what, service, SOON, |slices| match slices.iter().find(|slice| !right(slice)) {
            Some(slice) => Err(slice.to_string()),
            None if slices.is_empty() => Err("no slice".to_string()),
            None => Ok(()),
        })
        .await;
    }

    /// From now on the addresses must be present under each of the ports; they must have been seen.
    pub async fn promise(&self, service: &str, addresses: &[String], ports: &[Option<&str>]) {
        self.consumer.caught_up().await;
        self.consumer.promise(service, addresses, ports);
    }

    /// The one slice of the Service.
    pub async fn only(&self, service: &str) -> Value {
        let mut slices = self.slices(service).await;
        assert_eq!(slices.len(), 1, "{:#?}", lines(&slices));
        slices.remove(0)
    }

    /// Waits until everything before was handled and nothing is written for `window`.
    pub async fn settle(&self, window: Duration) {
        self.consumer.quiet(window, SOON).await;
    }

    /// Does `action`, waits until all is quiet, and answers how many (creates, updates, deletes) of
    /// slices of the Service there were meanwhile, those of the test included.
    pub async fn writes<F: Future<Output = ()>>(&self, service: &str, action: F) -> (usize, usize, usize) {
        self.settle(SETTLED).await;
        self.consumer.forget_writes();
        action.await;
        self.settle(SETTLED).await;
        let counts = self.consumer.counts_of(service);
        (counts.created, counts.updated, counts.deleted)
    }

    /// Both loops handle a change that came after everything before, and no slice changes any more.
    pub async fn still(&self) {
        self.settle(SETTLED).await;
        self.mirror_marker().await;
        self.consumer.caught_up().await;
        self.consumer.forget_writes();
        let before = self.versions().await;
        self.settle(FOREIGN).await;
        self.mirror_marker().await;
        self.consumer.caught_up().await;
        let mut writes = self.consumer.writes();
        writes.retain(|write| !write.service.starts_with("mirror-marker"));
        assert_eq!(writes, [], "slices are written though nothing changed");
        assert_eq!(self.versions().await, before, "slices are written though nothing changed");
    }

    /// What must hold at the end: all is still, no promise was broken, and the log is empty.
    pub async fn end(self) {
        self.still().await;
        self.consumer.assert_never_absent();
        let log = self.controller.log();
        assert!(log.is_empty(), "the log is silent when nothing is wrong:\n{log}");
    }

    /// The mirroring loop has made and deleted a slice since this was called.
    async fn mirror_marker(&self) {
        let name = "mirror-marker";
        self.service(service_without_selector(name).port("", 80, "80")).await;
        let subsets = json!([{"addresses": [{"ip": "198.51.100.1"}], "ports": [{"port": 80}]}]);
        self.world.endpoints(endpoints(name, subsets)).await;
        self.see(name, &["IPv4 :80/TCP = 198.51.100.1 R"]).await;
        self.world.delete("endpoints", name).await;
        self.see(name, &[]).await;
        self.world.delete("services", name).await;
    }

    /// Waits until something satisfies `probe`.
    pub async fn until<Fut: Future<Output = bool>>(&self, what: &str, probe: impl Fn() -> Fut) {
        eventually(what, SOON, || async {
            if probe().await { Ok(()) } else { Err(format!("{:#?}", lines(&self.all_slices().await))) }
        })
        .await;
    }

    pub async fn node_in(&self, name: &str, zone: &str) -> String {
        let name = self.node_name(name);
        self.node(crate::support::pods::node(&name, zone)).await;
        name
    }

    /// Updates an object through a function: read, change, PUT.
    pub async fn change(&self, collection: &str, name: &str, change: impl Fn(&mut Value)) -> Value {
        let path = format!("{}/{name}", self.path(collection));
        eventually("an update without a conflict", SOON, || async {
            let mut object = self.api().get(&path).await.map_err(|error| error.to_string())?;
            change(&mut object);
            match self.api().update(&path, &object).await {
                Err(refusal) if refusal.code == 409 => Err(refusal.to_string()),
                answer => Ok(answer.expect("update an object")),
            }
        })
        .await
    }
}

/// Each slice as a line, sorted: `TYPE PORTS = ENDPOINTS`. Ports are `name:number/PROTOCOL`, with
/// `(appProtocol)`; endpoints an address and their conditions as letters, capital when true: ready,
/// serving, terminating; then hostname and hints. `-` is an empty list.
pub fn lines(slices: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = slices.iter().map(line).collect();
    lines.sort();
    lines
}

fn line(slice: &Value) -> String {
    let ports = list(&slice["ports"], port);
    let endpoints = list(&slice["endpoints"], endpoint);
    format!("{} {ports} = {endpoints}", text(&slice["addressType"]))
}

fn list(list: &Value, show: fn(&Value) -> String) -> String {
    let mut shown: Vec<String> = list.as_array().into_iter().flatten().map(show).collect();
    shown.sort();
    if shown.is_empty() { "-".to_string() } else { shown.join(", ") }
}

fn port(port: &Value) -> String {
    let number = port["port"].as_u64().map_or("?".to_string(), |number| number.to_string());
    let app = port["appProtocol"].as_str().map_or(String::new(), |app| format!("({app})"));
    format!("{}:{number}/{}{app}", text(&port["name"]), text(&port["protocol"]))
}

fn endpoint(endpoint: &Value) -> String {
    let addresses: Vec<&str> =
        endpoint["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut shown = addresses.join("+");
    let letters: String = [("ready", 'r'), ("serving", 's'), ("terminating", 't')]
        .into_iter()
        .filter_map(|(condition, letter)| match endpoint["conditions"][condition].as_bool() {
            Some(true) => Some(letter.to_ascii_uppercase()),
            Some(false) => Some(letter),
            None => None,
        })
        .collect();
    shown = format!("{shown} {letters}");
    if let Some(hostname) = endpoint["hostname"].as_str() {
        shown = format!("{shown} host={hostname}");
    }
    for (hint, word) in [("forZones", "zone"), ("forNodes", "node")] {
        for target in endpoint["hints"][hint].as_array().into_iter().flatten() {
            shown = format!("{shown} {word}={}", text(&target["name"]));
        }
    }
    shown
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn name_of(object: &Value) -> String {
    text(&object["metadata"]["name"]).to_string()
}

pub fn uid_of(object: &Value) -> String {
    text(&object["metadata"]["uid"]).to_string()
}

pub fn names(slices: &[Value]) -> BTreeSet<String> {
    slices.iter().map(name_of).collect()
}

pub fn is_mirrored(slice: &Value) -> bool {
    slice["metadata"]["labels"][MANAGED_BY] == MIRRORING_LOOP
}

/// A Service with one port `http`, 80 to 8080.
pub fn web(name: &str) -> Object {
    crate::support::pods::service(name, name).port("http", 80, "8080")
}

/// The addresses as text.
pub fn ips(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|address| address.to_string()).collect()
}
