//! A varied cluster from a seed, made through the API: many Services of every kind, their Pods in
//! every state, and then some churn, so that slices have a history. Whoever runs the controllers on
//! it leaves a state that another controller should find nothing wrong with.

mod draw;
mod kinds;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::api::Api;
use super::pods::{Object, condition, node};
use super::real::programs;
use super::stage::{Stage, User};
use super::world::{MANAGED_BY, SERVICE_NAME, World};
pub use draw::Draw;
pub use kinds::KINDS;

/// How many Services of each kind.
pub const EACH: usize = 8;
const NAMESPACES: usize = 6;
/// Requests in flight while the cluster is made.
const AT_ONCE: usize = 12;
/// The annotation of a Service that tells its kind.
const KIND: &str = "stage.example.org/kind";
/// Unchanged for this long is quiet; longer than any delay of the controllers.
const QUIET: Duration = Duration::from_secs(4);
const QUIET_WITHIN: Duration = Duration::from_secs(180);
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";

/// Makes the cluster on an empty stage, on which the controllers already run.
pub async fn generate(stage: &dyn Stage, seed: u64) {
    println!("quiet cluster from seed {seed}");
    let api = stage.api();
    let mut draw = Draw::new(seed);
    let nodes = nodes();
    for (name, zone) in &nodes {
        let node = node(name, zone);
        // Auto hints are off for everybody while an ordinary node has no zone.
        let node =
            if zone.is_empty() { node.label("node-role.kubernetes.io/control-plane", "") } else { node };
        create(api, "/api/v1/nodes", node).await;
    }
    for namespace in namespaces() {
        World::named(api, &namespace).await;
    }
    let mut objects: Vec<(String, Object)> = Vec::new();
    for (kind, make) in KINDS {
        for number in 0..EACH {
            let namespace = format!("quiet-{}", draw.random.random_range(0..NAMESPACES));
            let service = draw.service_name(kind, number);
            for (collection, object) in make(&mut draw, &service) {
                let object = if collection == "services" { object.annotation(KIND, kind) } else { object };
                objects.push((format!("/api/v1/namespaces/{namespace}/{collection}"), object));
            }
        }
    }
    // Pods before and after their Services, as it comes.
    objects.shuffle(&mut draw.random);
    stream::iter(objects).for_each_concurrent(AT_ONCE, |(path, object)| create(api, path, object)).await;
    quiet(api).await;
    churn(api, &mut draw).await;
    quiet(api).await;
}

/// The namespaces of the cluster.
pub fn namespaces() -> impl Iterator<Item = String> {
    (0..NAMESPACES).map(|number| format!("quiet-{number}"))
}

/// Names and zones; one node has no zone.
fn nodes() -> Vec<(String, &'static str)> {
    let zone = |number: usize| if number == 0 { "" } else { ["zone-a", "zone-b", "zone-c"][number % 3] };
    (0..draw::NODES).map(|number| (draw::node_name(number), zone(number))).collect()
}

async fn create(api: &Api, path: impl AsRef<str>, object: Object) {
    let path = path.as_ref();
    api.create(path, &object.0).await.expect("make an object of the quiet cluster");
    let one = format!("{path}/{}", object.name());
    let status = &object.0["status"];
    if status.is_object() {
        api.patch(&format!("{one}/status"), &json!({"status": status})).await.expect("set a status");
    }
    if object.0["metadata"]["annotations"][draw::TERMINATING] == "true" {
        api.delete_with(&one, &json!({"gracePeriodSeconds": 36000})).await.expect("begin a deletion");
    }
}

/// Waits until no slice has changed for [`QUIET`].
pub async fn quiet(api: &Api) {
    let started = Instant::now();
    let mut since = Instant::now();
    let mut known = BTreeMap::new();
    while since.elapsed() < QUIET {
        assert!(started.elapsed() < QUIET_WITHIN, "the slices of the cluster do not become quiet");
        tokio::time::sleep(Duration::from_millis(300)).await;
        let slices = api.list(SLICES).await.expect("list slices");
        let now: BTreeMap<String, String> = slices
            .iter()
            .map(|slice| {
                (slice["metadata"]["uid"].to_string(), slice["metadata"]["resourceVersion"].to_string())
            })
            .collect();
        if now != known {
            known = now;
            since = Instant::now();
        }
    }
}

/// Changes a part of everything: readiness, Pods that go and come, ports, labels, Endpoints, selectors.
async fn churn(api: &Api, draw: &mut Draw) {
    let mut operations = Vec::new();
    for pod in sorted(api.list("/api/v1/pods").await.expect("list Pods")) {
        let path = path_of("pods", &pod);
        match draw.random.random_range(0..12) {
            0 => operations.push(Operation::Delete(path)),
            1 => {
                let ready = draw.random.random_bool(0.5);
                let conditions = json!([condition("Ready", ready)]);
                let status = json!({"status": {"conditions": conditions}});
                operations.push(Operation::Patch(format!("{path}/status"), status));
            }
            2 => operations.push(Operation::Patch(path, json!({"metadata": {"labels": {"churned": "yes"}}}))),
            _ => {}
        }
    }
    for service in sorted(api.list("/api/v1/services").await.expect("list Services")) {
        let path = path_of("services", &service);
        let annotations = &service["metadata"]["annotations"];
        if annotations[draw::SELECTOR_REMOVED] == "true" {
            operations.push(Operation::Patch(path, json!({"spec": {"selector": null}})));
        } else if annotations[KIND].is_string() && draw.random.random_range(0..8) == 0 {
            let label = draw.word(6);
            operations.push(Operation::Patch(path, json!({"metadata": {"labels": {"churned": label}}})));
        }
    }
    for endpoints in sorted(api.list("/api/v1/endpoints").await.expect("list Endpoints")) {
        if draw.random.random_range(0..3) == 0 {
            let label = draw.word(6);
            let patch = json!({"metadata": {"labels": {"churned": label}}});
            operations.push(Operation::Patch(path_of("endpoints", &endpoints), patch));
        }
    }
    operations.shuffle(&mut draw.random);
    stream::iter(operations).for_each_concurrent(AT_ONCE, |operation| operation.make(api)).await;
}

enum Operation {
    Patch(String, Value),
    Delete(String),
}

impl Operation {
    async fn make(self, api: &Api) {
        match self {
            Operation::Patch(path, patch) => drop(api.patch(&path, &patch).await.expect("change an object")),
            Operation::Delete(path) => drop(api.delete(&path).await.expect("delete an object")),
        }
    }
}

fn path_of(collection: &str, object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_string();
    format!("/api/v1/namespaces/{}/{collection}/{}", text("namespace"), text("name"))
}

/// In an order that the seed decides, not the API server.
fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(|object| path_of("", object));
    objects
}

/// Writes what `kubectl get … -A -o json` says to `file`, as a user would, and answers it.
pub fn dump(stage: &dyn Stage, file: &Path) -> Value {
    let programs = programs().expect("a stage was lent, so the programs are there");
    let output = Command::new(programs.path("kubectl"))
        .arg(format!("--kubeconfig={}", stage.kubeconfig(User::Admin).display()))
        .args(["get", "services,pods,nodes,endpoints,endpointslices", "-A", "-o", "json"])
        .output()
        .expect("run kubectl");
    assert!(output.status.success(), "kubectl: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(file, &output.stdout).expect("write the dump");
    serde_json::from_slice(&output.stdout).expect("kubectl prints JSON")
}

/// The slices in a dump, as indexes into its list.
pub fn slices(dump: &Value) -> Vec<usize> {
    let objects = dump["items"].as_array().expect("a list");
    let is_slice = |index: &usize| objects[*index]["kind"] == "EndpointSlice";
    (0..objects.len()).filter(is_slice).collect()
}

/// One line of the coverage table.
#[derive(Debug, Default, Clone)]
pub struct Covered {
    pub services: usize,
    pub slices: usize,
    pub endpoints: usize,
    pub hints: usize,
    pub not_ready: usize,
    pub terminating: usize,
}

impl Covered {
    fn columns(&self) -> [usize; 6] {
        [self.services, self.slices, self.endpoints, self.hints, self.not_ready, self.terminating]
    }
}

/// Counts per kind what the dump really holds.
pub fn coverage(dump: &Value) -> BTreeMap<String, Covered> {
    let objects = dump["items"].as_array().expect("a list");
    let key = |metadata: &Value, name: &Value| (metadata["namespace"].to_string(), name.to_string());
    let mut kinds = BTreeMap::new();
    let mut table: BTreeMap<String, Covered> = BTreeMap::new();
    for object in objects.iter().filter(|object| object["kind"] == "Service") {
        let Some(kind) = object["metadata"]["annotations"][KIND].as_str() else { continue };
        kinds.insert(key(&object["metadata"], &object["metadata"]["name"]), kind.to_string());
        table.entry(kind.to_string()).or_default().services += 1;
    }
    for slice in objects.iter().filter(|object| object["kind"] == "EndpointSlice") {
        let labels = &slice["metadata"]["labels"];
        assert!(labels[MANAGED_BY].is_string(), "a slice without {MANAGED_BY}");
        let Some(kind) = kinds.get(&key(&slice["metadata"], &labels[SERVICE_NAME])) else { continue };
        let line = table.entry(kind.clone()).or_default();
        line.slices += 1;
        for endpoint in slice["endpoints"].as_array().unwrap_or(&Vec::new()) {
            line.endpoints += 1;
            line.hints += usize::from(endpoint["hints"].is_object());
            line.not_ready += usize::from(endpoint["conditions"]["ready"] == false);
            line.terminating += usize::from(endpoint["conditions"]["terminating"] == true);
        }
    }
    table
}

/// The table for people.
pub fn print_coverage(table: &BTreeMap<String, Covered>) {
    let names = ["services", "slices", "endpoints", "hints", "not ready", "terminating"];
    let line = |kind: &str, cells: [String; 6]| {
        println!("{kind:32} {}", cells.map(|cell| format!("{cell:>11}")).concat());
    };
    line("kind", names.map(str::to_string));
    let mut sum = [0; 6];
    for (kind, covered) in table {
        let columns = covered.columns();
        line(kind, columns.map(|number| number.to_string()));
        sum = std::array::from_fn(|column| sum[column] + columns[column]);
    }
    line("all", sum.map(|number| number.to_string()));
}

/// A few of the slices that a controller looks after, so that a test tries more than one; and, apart,
/// one that was left behind when the selector of its Service was removed.
pub fn some_slices(dump: &Value, draw: &mut Draw, count: usize) -> (Vec<usize>, usize) {
    let left_behind = |index: &usize| {
        let labels = &dump["items"][*index]["metadata"]["labels"];
        labels[SERVICE_NAME].as_str().is_some_and(|service| service.starts_with("selector-removed-"))
    };
    let (left, mut kept): (Vec<usize>, Vec<usize>) = slices(dump).into_iter().partition(left_behind);
    kept.shuffle(&mut draw.random);
    kept.truncate(count);
    (kept, *left.first().expect("a Service whose selector was removed"))
}
