//! Sequences drawn from a seed: what our controller and those around it ask for, right and wrong.

mod endpoints;
mod nodes;
mod pods;
mod services;
mod slices;
mod small;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::hand::objects::with;
use super::step::{JSON_PATCH, MERGE, STRATEGIC, Script, Sequence, Until, uid, version};

/// What a watch or list may select by; the marks at the end have all of it.
const SELECTORS: [&str; 6] =
    ["", "app%3Dweb", "app", "app%20in%20(web,db)", "!gone", "app%3Dweb,tier!%3Dback"];
const NAMES: [&str; 4] = ["a", "b", "c", "web"];

/// The resources, each as often as it is drawn.
const RESOURCES: [&str; 12] = [
    "endpointslices",
    "endpointslices",
    "endpointslices",
    "endpointslices",
    "services",
    "services",
    "endpoints",
    "endpoints",
    "pods",
    "pods",
    "nodes",
    "leases",
];

pub struct Draw {
    pub random: StdRng,
    script: Script,
    /// The objects as they were last asked for.
    known: Vec<(&'static str, String, Value)>,
    /// The open watches, by resource.
    watches: Vec<(&'static str, String)>,
    /// The resources of this sequence, each with the label of its first list.
    used: Vec<(&'static str, String)>,
    /// The resources that have an object with a generated name.
    generated: Vec<&'static str>,
}

/// The sequence of a seed: at least ten steps besides opening and reading the watches.
pub fn draw(seed: u64) -> Sequence {
    let random = StdRng::seed_from_u64(seed);
    let script = Script::new(format!("seed {seed}"));
    let mut draw = Draw {
        random,
        script,
        known: Vec::new(),
        watches: Vec::new(),
        used: Vec::new(),
        generated: Vec::new(),
    };
    draw.begin();
    let steps = draw.random.random_range(10..=24);
    for _ in 0..steps {
        draw.step();
    }
    draw.end();
    draw.script.done()
}

impl Draw {
    pub fn one_in(&mut self, count: u32) -> bool {
        self.random.random_ratio(1, count)
    }

    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all.choose(&mut self.random).expect("something to choose from").clone()
    }

    fn begin(&mut self) {
        let kinds = self.random.random_range(1..=3);
        while self.used.len() < kinds {
            let mut resource = self.pick(&RESOURCES);
            if self.one_in(12) {
                resource = self.pick(&["events", "newevents"]);
            }
            if self.used.iter().any(|(used, _)| *used == resource) {
                continue;
            }
            let list = self.script.get(&collection(resource, ""));
            let selector = self.pick(&SELECTORS);
            let watch = self.script.watch(&collection(
                resource,
                &format!("labelSelector={selector}&resourceVersion={}", version(&list)),
            ));
            self.watches.push((resource, watch));
            self.used.push((resource, list));
        }
    }

    fn end(&mut self) {
        for (resource, _) in self.used.clone() {
            let mark = self.object(resource, "zz");
            let mark = with(mark, "/metadata/labels", json!({"app": "web", "of": "{ns}"}));
            self.script.create(resource, valid(resource, mark));
            for (of, watch) in self.watches.clone() {
                if of == resource {
                    self.script.events_until(&watch, Until::Object("ADDED", "zz".to_string()));
                }
            }
            self.script.get(&collection(resource, ""));
        }
    }

    fn step(&mut self) {
        let (resource, _) = self.pick(&self.used.clone());
        match self.random.random_range(0..100) {
            0..22 => self.create(resource),
            22..38 => self.update(resource),
            38..60 => self.patch(resource),
            60..70 => self.status(resource),
            70..79 => self.delete(resource),
            79..83 => self.read(resource),
            83..92 => self.list(resource),
            92..97 => self.watch(resource),
            _ => self.delete_all(resource),
        }
    }

    /// A name that is there, mostly.
    fn name(&mut self, resource: &str) -> String {
        let there: Vec<String> =
            self.known.iter().filter(|(of, ..)| *of == resource).map(|(_, name, _)| name.clone()).collect();
        match there.is_empty() || self.one_in(8) {
            true => self.pick(&NAMES).to_string(),
            false => self.pick(&there),
        }
    }

    fn known(&self, resource: &str, name: &str) -> Option<Value> {
        self.known
            .iter()
            .find(|(of, own, _)| *of == resource && own == name)
            .map(|(.., object)| object.clone())
    }

    fn know(&mut self, resource: &'static str, name: &str, object: Value) {
        self.known.retain(|(of, own, _)| !(*of == resource && own == name));
        self.known.push((resource, name.to_string(), object));
    }

    fn options(&mut self) -> String {
        match self.random.random_range(0..40) {
            0 => "?dryRun=All".to_string(),
            1 => "?fieldValidation=Strict".to_string(),
            2 => "?fieldManager=somebody".to_string(),
            _ => String::new(),
        }
    }

    fn create(&mut self, resource: &'static str) {
        let name = self.pick(&NAMES).to_string();
        let mut object = self.object(resource, &name);
        // The names of two would stand in lists in an order that nobody can foretell.
        if self.one_in(10) && !self.generated.contains(&key_of(resource)) {
            self.generated.push(key_of(resource));
            object["metadata"]["generateName"] = json!("gen-");
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("name");
            }
        } else if self.known(resource, &name).is_none() {
            self.know(resource, &name, object.clone());
        }
        let options = self.options();
        self.script.create(&format!("{resource}{options}"), object);
    }

    fn update(&mut self, resource: &'static str) {
        let name = self.name(resource);
        let mut object = match self.known(resource, &name) {
            Some(known) if !self.one_in(3) => known,
            _ => self.object(resource, &name),
        };
        let change = self.change(resource);
        merge_into(&mut object, &change);
        without_empty_lists(resource, &mut object);
        let key = format!("{}/{name}", key_of(resource));
        let seen = match self.random.random_range(0..10) {
            0..6 => Some(version(&key)),
            6 | 7 => Some(version(&format!("old {key}"))),
            _ => None,
        };
        self.know(resource, &name, object.clone());
        if let Some(seen) = seen {
            object["metadata"]["resourceVersion"] = json!(seen);
        }
        if self.one_in(6) {
            object["metadata"]["uid"] = json!(uid(&key));
        }
        let options = self.options();
        let path = format!("{}{options}", one(resource, &name));
        self.script.update(&path, object);
    }

    fn patch(&mut self, resource: &'static str) {
        let name = self.name(resource);
        let mut change = self.change(resource);
        without_empty_lists(resource, &mut change);
        if self.one_in(10) {
            let key = format!("{}/{name}", key_of(resource));
            let key = if self.one_in(2) { key } else { format!("old {key}") };
            merge_into(&mut change, &json!({"metadata": {"resourceVersion": version(&key)}}));
        }
        let options = self.options();
        let path = format!("{}{options}", one(resource, &name));
        match self.random.random_range(0..10) {
            0..5 => self.script.patch(MERGE, &path, change),
            5..8 => self.script.patch(STRATEGIC, &path, change),
            _ => {
                let mut operations = Vec::new();
                as_operations(&change, "", &mut operations);
                self.script.patch(JSON_PATCH, &path, json!(operations))
            }
        };
    }

    fn status(&mut self, resource: &'static str) {
        let status = match resource {
            "pods" => self.pod_status(),
            "nodes" => self.node_status(),
            "services" => json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.77"}]}}),
            _ => return self.patch(resource),
        };
        let name = self.name(resource);
        let content = self.pick(&[MERGE, STRATEGIC]);
        self.script.patch(content, &format!("{}/status", one(resource, &name)), json!({"status": status}));
    }

    fn delete(&mut self, resource: &'static str) {
        let name = self.name(resource);
        let key = format!("{}/{name}", key_of(resource));
        let path = one(resource, &name);
        match self.random.random_range(0..10) {
            0..4 => self.script.delete(&path),
            4 => self.script.delete_with(&path, json!({"gracePeriodSeconds": 0})),
            5 => self.script.delete_with(&path, json!({"preconditions": {"uid": uid(&key)}})),
            6 => self.script.delete_with(
                &path,
                json!({"preconditions": {"resourceVersion": version(&format!("old {key}"))}}),
            ),
            7 => self.script.delete_with(
                &path,
                json!({"preconditions": {"uid": uid(&key), "resourceVersion": version(&key)}}),
            ),
            8 => self
                .script
                .delete_with(&path, json!({"gracePeriodSeconds": 7, "propagationPolicy": "Background"})),
            _ => self.script.delete(&format!("{path}?dryRun=All")),
        };
        if self.one_in(2) {
            self.known.retain(|(of, own, _)| !(*of == resource && *own == name));
        }
    }

    fn delete_all(&mut self, resource: &'static str) {
        let selector = self.pick(&SELECTORS);
        self.script.delete(&collection(resource, &format!("labelSelector={selector}")));
    }

    fn read(&mut self, resource: &'static str) {
        let name = self.name(resource);
        let query = self.pick(&["", "", "?resourceVersion=0"]);
        self.script.get(&format!("{}{query}", one(resource, &name)));
    }

    fn list(&mut self, resource: &'static str) {
        let selector = self.pick(&SELECTORS);
        let name = self.name(resource);
        let seen = version(&format!("{}/{name}", key_of(resource)));
        let base = format!("labelSelector={selector}");
        // Whether a page of Nodes is the last depends on those of the sequences that are played at the same time.
        let kinds = if resource == "nodes" { 6 } else { 8 };
        let query = match self.random.random_range(0..kinds) {
            0 | 1 => base,
            2 => format!("{base}&resourceVersion=0"),
            3 => format!("{base}&resourceVersion={seen}&resourceVersionMatch=NotOlderThan"),
            4 => format!("{base}&resourceVersion={seen}&resourceVersionMatch=Exact"),
            5 => format!(
                "fieldSelector=metadata.name%3D{}{name}",
                if resource == "nodes" { "{ns}-" } else { "" }
            ),
            _ => {
                let first = self.script.get(&collection(resource, &format!("{base}&limit=1")));
                if self.one_in(2) {
                    self.step();
                }
                let token = super::step::of(&first, "/metadata/continue");
                format!("{base}&limit=2&continue={token}")
            }
        };
        self.script.get(&collection(resource, &query));
    }

    fn watch(&mut self, resource: &'static str) {
        let selector = self.pick(&SELECTORS);
        let name = self.name(resource);
        let base = format!("labelSelector={selector}");
        let seen = version(&format!("{}/{name}", key_of(resource)));
        let initial = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
        let query = match self.random.random_range(0..5) {
            0 => format!("{base}&resourceVersion={seen}"),
            1 => format!("{base}&resourceVersion=0"),
            2 => base,
            3 => format!("{base}&{initial}"),
            _ => format!("{base}&{initial}&resourceVersion={seen}"),
        };
        let watch = self.script.watch(&collection(resource, &query));
        if query.contains("sendInitialEvents") {
            self.script.events_until(&watch, Until::InitialEnd);
        }
        self.watches.push((resource, watch));
    }

    fn object(&mut self, resource: &str, name: &str) -> Value {
        let object = match resource {
            "endpointslices" => self.slice(name),
            "services" => self.service(name),
            "endpoints" => self.endpoints(name),
            "pods" => self.pod(name),
            "nodes" => self.node(name),
            "leases" => self.lease(name),
            "events" => self.event(name),
            _ => self.new_event(name),
        };
        let mut object = object;
        let labels = self.labels();
        merge_into(&mut object, &json!({"metadata": {"labels": labels}}));
        object
    }

    fn labels(&mut self) -> Value {
        let app = self.pick(&["web", "web", "web", "db"]);
        let mut labels = json!({"app": app});
        if self.one_in(3) {
            labels["tier"] = json!(self.pick(&["front", "back"]));
        }
        if self.one_in(40) {
            labels[self.pick(&["bad key", "a/b/c", "-"])] = json!("x");
        }
        if self.one_in(40) {
            labels["x"] = self.pick(&[json!("bad value"), json!("-"), json!("x".repeat(64)), json!(null)]);
        }
        labels
    }

    /// A change as a merge patch.
    fn change(&mut self, resource: &str) -> Value {
        match self.random.random_range(0..10) {
            0 => json!({"metadata": {"labels": self.labels()}}),
            1 => {
                let value = self.pick(&[json!("1"), json!("2"), json!(null)]);
                json!({"metadata": {"annotations": {"note": value}}})
            }
            2 => {
                let finalizers = [
                    json!(["example.org/x"]),
                    json!(null),
                    json!([]),
                    json!(["example.org/x", "example.org/y"]),
                ];
                json!({"metadata": {"finalizers": self.pick(&finalizers)}})
            }
            3 => {
                let value = self.pick(&[json!("y"), json!(null), json!("z")]);
                json!({"metadata": {"labels": {"gone": value}}})
            }
            _ => match resource {
                "endpointslices" => self.slice_change(),
                "services" => self.service_change(),
                "endpoints" => self.endpoints_change(),
                "pods" => self.pod_change(),
                "nodes" => self.node_change(),
                "leases" => self.lease_change(),
                "events" => self.event_change(),
                _ => self.new_event_change(),
            },
        }
    }
}

/// Nodes have no namespace: theirs are selected by a label.
fn collection(resource: &str, query: &str) -> String {
    if resource != "nodes" {
        return format!("{resource}?{query}");
    }
    match query.strip_prefix("labelSelector=") {
        Some(rest) if rest.is_empty() || rest.starts_with('&') => {
            format!("nodes?labelSelector=of%3D{{ns}}{rest}")
        }
        Some(rest) => format!("nodes?labelSelector=of%3D{{ns}},{rest}"),
        None => format!("nodes?labelSelector=of%3D{{ns}}&{query}"),
    }
}

fn one(resource: &str, name: &str) -> String {
    let prefix = if resource == "nodes" { "{ns}-" } else { "" };
    format!("{resource}/{prefix}{name}")
}

/// Whether a slice changes when `[]` is sent for a list that stands as null depends on who owned that field
/// before: see `src/sandbox/README.md`.
fn without_empty_lists(resource: &str, object: &mut Value) {
    for list in ["endpoints", "ports"] {
        if resource == "endpointslices" && object.get(list).is_some_and(|list| *list == json!([])) {
            object[list] = Value::Null;
        }
    }
}

fn key_of(resource: &'static str) -> &'static str {
    if resource == "newevents" { "events" } else { resource }
}

/// The mark at the end must be taken.
fn valid(resource: &str, mark: Value) -> Value {
    use super::hand::objects;
    let plain = match resource {
        "endpointslices" => objects::slice("zz"),
        "services" => objects::service("zz"),
        "endpoints" => objects::endpoints("zz"),
        "pods" => objects::pod("zz"),
        "nodes" => objects::node("zz"),
        "leases" => objects::lease("zz"),
        "events" => objects::event("zz"),
        _ => small::plain_new_event("zz"),
    };
    with(plain, "/metadata/labels", mark["metadata"]["labels"].clone())
}

/// A merge patch on a drawn object; nulls stay out.
fn merge_into(object: &mut Value, patch: &Value) {
    let (Some(map), Some(changes)) = (object.as_object_mut(), patch.as_object()) else { return };
    for (key, value) in changes {
        match value {
            Value::Null => drop(map.remove(key)),
            Value::Object(_) => merge_into(map.entry(key).or_insert_with(|| json!({})), value),
            other => drop(map.insert(key.clone(), other.clone())),
        }
    }
}

/// About the same as a list of operations.
fn as_operations(patch: &Value, at: &str, operations: &mut Vec<Value>) {
    for (key, value) in patch.as_object().into_iter().flatten() {
        let path = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Null => operations.push(json!({"op": "remove", "path": path})),
            Value::Object(_) if at.len() < 8 => as_operations(value, &path, operations),
            other => operations.push(json!({"op": "add", "path": path, "value": other})),
        }
    }
}
