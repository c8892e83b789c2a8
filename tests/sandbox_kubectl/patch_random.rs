//! Random patches as kubectl makes them (changes and additions by merge key, deletions, the order that is
//! wanted, keys that are kept), on random objects, beside the real server.

use endpointslice_controller::sandbox::Kind;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use super::objects;
use super::sides::{self, Answer, JSON, MERGE, STRATEGIC};
use super::support::real::exclusive;
use super::support::{Api, Stage};

/// Objects, and patches of each.
const SEEDS: u64 = 24;
const PATCHES: usize = 12;

struct Draw(StdRng);

impl Draw {
    fn often(&mut self, of_ten: u32) -> bool {
        self.0.random_ratio(of_ten, 10)
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.0.random_range(0..all.len())]
    }

    fn some<T: Clone>(&mut self, all: &[T], of_ten: u32) -> Vec<T> {
        all.iter().filter(|_| self.often(of_ten)).cloned().collect()
    }

    fn word(&mut self) -> String {
        format!("w{}", self.0.random_range(0..50))
    }

    fn ports(&mut self) -> Vec<Value> {
        self.some(&[80, 81, 443, 8080], 5).into_iter().map(|port| json!({"containerPort": port})).collect()
    }

    fn env(&mut self) -> Vec<Value> {
        let names = self.some(&["A", "B", "C", "D"], 5);
        names.into_iter().map(|name| json!({"name": name, "value": self.word()})).collect()
    }

    fn container(&mut self, name: &str) -> Value {
        let mounts: Vec<Value> = self
            .some(&[1, 2], 6)
            .into_iter()
            .map(|n| json!({"name": format!("v{n}"), "mountPath": format!("/m{n}")}))
            .collect();
        json!({
            "name": name, "image": self.word(), "args": [self.word(), self.word()], "ports": self.ports(), "env": self.env(),
            "volumeMounts": mounts, "resources": {"requests": {"cpu": "1"}},
        })
    }

    fn deployment(&mut self, name: &str) -> Value {
        let mut deployment = objects::deployment();
        deployment["metadata"]["name"] = name.into();
        deployment["metadata"]["finalizers"] =
            json!(self.some(&["example.com/a", "example.com/b", "example.com/c"], 5));
        let mut names = self.some(&["b", "c", "d"], 5);
        names.push("a");
        names.shuffle(&mut self.0);
        let containers: Vec<Value> = names.into_iter().map(|name| self.container(name)).collect();
        deployment["spec"]["template"]["spec"]["containers"] = json!(containers);
        deployment
    }

    /// A patch of a list that is merged by `key`, put into the patch of what is around it.
    fn list(
        &mut self,
        around: &mut Map<String, Value>,
        name: &str,
        stands: &Value,
        key: &str,
        new: &[Value],
        change: impl Fn(&mut Draw, &mut Map<String, Value>, &Value),
    ) {
        let stands: Vec<Value> = stands.as_array().cloned().unwrap_or_default();
        let mut order: Vec<Value> = stands.iter().map(|element| json!({key: element[key]})).collect();
        let mut changes = Vec::new();
        for element in &stands {
            let id = &element[key];
            match self.0.random_range(0..10) {
                0..=1 => {
                    changes.push(json!({key: id, "$patch": "delete"}));
                    order.retain(|ordered| ordered[key] != *id);
                }
                2..=5 => {
                    let mut fields = Map::new();
                    fields.insert(key.to_owned(), id.clone());
                    change(self, &mut fields, element);
                    changes.push(Value::Object(fields));
                }
                _ => {}
            }
        }
        for element in new {
            if self.often(3) && !stands.iter().any(|stander| stander[key] == element[key]) {
                order.push(json!({key: element[key]}));
                changes.push(element.clone());
            }
        }
        if self.often(1) {
            changes.push(json!({"$patch": "replace"}));
        }
        if self.often(6) {
            order.shuffle(&mut self.0);
            if self.often(8) {
                let place = |change: &Value| order.iter().position(|ordered| ordered[key] == change[key]);
                changes.sort_by_key(place);
            }
            let server_only = order.len() > 1 && self.often(2);
            if server_only {
                let named = |id: &Value| changes.iter().any(|change| change[key] == *id);
                if let Some(free) = order.iter().position(|ordered| !named(&ordered[key])) {
                    order.remove(free);
                }
            }
            around.insert(format!("$setElementOrder/{name}"), json!(order));
        }
        if !changes.is_empty() || self.often(1) {
            around.insert(name.to_owned(), json!(changes));
        }
    }

    fn set(&mut self, around: &mut Map<String, Value>, name: &str, stands: &Value, all: &[&str]) {
        let stands: Vec<&str> = stands.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let gone = self.some(&stands, 3);
        let new: Vec<&str> = self.some(all, 3).into_iter().filter(|word| !gone.contains(word)).collect();
        if !gone.is_empty() {
            around.insert(format!("$deleteFromPrimitiveList/{name}"), json!(gone));
        }
        if self.often(5) {
            let mut order: Vec<&str> = stands.into_iter().filter(|word| !gone.contains(word)).collect();
            order.extend(new.iter().filter(|word| !order.contains(word)).copied().collect::<Vec<_>>());
            order.shuffle(&mut self.0);
            let mut sorted = new.clone();
            sorted.sort_by_key(|word| order.iter().position(|ordered| ordered == word));
            around.insert(format!("$setElementOrder/{name}"), json!(order));
            around.insert(name.to_owned(), json!(sorted));
        } else if !new.is_empty() {
            around.insert(name.to_owned(), json!(new));
        }
    }

    fn container_change(&mut self, fields: &mut Map<String, Value>, container: &Value) {
        if self.often(5) {
            fields.insert("image".to_owned(), self.word().into());
        }
        if self.often(2) {
            fields.insert("args".to_owned(), if self.often(5) { Value::Null } else { json!([self.word()]) });
        }
        if self.often(2) {
            fields.insert("resources".to_owned(), json!({"$patch": "replace", "limits": {"memory": "1Gi"}}));
        }
        let ports = [json!({"containerPort": 9000}), json!({"containerPort": 80})];
        self.list(fields, "ports", &container["ports"], "containerPort", &ports, |draw, fields, _| {
            fields.insert("name".to_owned(), if draw.often(3) { Value::Null } else { draw.word().into() });
        });
        let env = [json!({"name": "E", "value": "new"}), json!({"name": "A", "value": "new"})];
        self.list(fields, "env", &container["env"], "name", &env, |draw, fields, _| {
            fields.insert("value".to_owned(), draw.word().into());
        });
        let mounts = [json!({"name": "v1", "mountPath": "/new"})];
        self.list(
            fields,
            "volumeMounts",
            &container["volumeMounts"],
            "mountPath",
            &mounts,
            |_, fields, _| {
                fields.insert("readOnly".to_owned(), true.into());
            },
        );
    }

    fn strategic(&mut self, object: &Value) -> Value {
        let mut metadata = Map::new();
        self.set(
            &mut metadata,
            "finalizers",
            &object["metadata"]["finalizers"],
            &["example.com/a", "example.com/d"],
        );
        let pod = &object["spec"]["template"]["spec"];
        let mut spec = Map::new();
        let new = [self.container("new"), self.container("b")];
        self.list(&mut spec, "containers", &pod["containers"], "name", &new, |draw, fields, container| {
            draw.container_change(fields, container);
        });
        let volumes = [json!({"name": "v9", "emptyDir": {}})];
        self.list(&mut spec, "volumes", &pod["volumes"], "name", &volumes, |draw, fields, _| {
            let (source, value) = draw
                .pick(&[("emptyDir", json!({"medium": "Memory"})), ("hostPath", json!({"path": "/other"}))])
                .clone();
            fields.insert("$retainKeys".to_owned(), json!(["name", source]));
            fields.insert(source.to_owned(), value);
        });
        if self.often(2) {
            spec.insert("nodeSelector".to_owned(), json!({"disk": null, "zone": self.word()}));
        }
        let mut patch = json!({"metadata": metadata, "spec": {"template": {"spec": spec}}});
        if self.often(2) {
            patch["spec"]["strategy"] = json!({"$retainKeys": ["type"], "type": "Recreate"});
        }
        patch
    }

    /// A merge patch: some of the object's fields, changed, removed or as they are.
    fn merge(&mut self, object: &Value, depth: usize) -> Value {
        match object {
            Value::Object(fields) => {
                let mut patch = Map::new();
                for (name, value) in fields {
                    let identity = ["uid", "resourceVersion", "creationTimestamp", "managedFields"];
                    let out = depth == 0 && !matches!(name.as_str(), "metadata" | "spec");
                    if out || identity.contains(&name.as_str()) {
                        continue;
                    }
                    if self.often(if depth == 0 { 8 } else { 3 }) {
                        let value = if depth > 1 && self.often(2) {
                            Value::Null
                        } else {
                            self.merge(value, depth + 1)
                        };
                        patch.insert(name.clone(), value);
                    }
                }
                if depth > 1 && self.often(1) {
                    patch.insert(self.word(), self.word().into());
                }
                Value::Object(patch)
            }
            Value::Array(elements) => {
                let mut elements = self.some(elements, 8);
                elements.shuffle(&mut self.0);
                json!(elements)
            }
            Value::String(text) if self.often(3) => format!("{text}x").into(),
            other => other.clone(),
        }
    }

    /// A path in the object, to what is there or beside it.
    fn path(&mut self, object: &Value) -> String {
        let mut path = "/spec/template/spec".to_owned();
        let mut here = &object["spec"]["template"]["spec"];
        loop {
            match here {
                Value::Object(fields) if !fields.is_empty() && !self.often(1) => {
                    let names: Vec<&String> = fields.keys().collect();
                    let name = (*self.pick(&names)).clone();
                    path = format!("{path}/{name}");
                    here = &fields[&name];
                }
                Value::Array(elements) if !elements.is_empty() && !self.often(2) => {
                    let index = self.0.random_range(0..elements.len());
                    path = if self.often(2) {
                        format!("{path}/-{}", elements.len() - index)
                    } else {
                        format!("{path}/{index}")
                    };
                    here = &elements[index];
                }
                Value::Array(_) if self.often(5) => return format!("{path}/-"),
                _ => return if self.often(1) { format!("{path}/absent") } else { path },
            }
        }
    }

    fn json(&mut self, object: &Value) -> Value {
        let operations: Vec<Value> = (0..self.0.random_range(1..4))
            .map(|_| {
                let (path, from) = (self.path(object), self.path(object));
                match self.0.random_range(0..10) {
                    0..=2 => json!({"op": "replace", "path": path, "value": self.word()}),
                    3..=4 => json!({"op": "remove", "path": path}),
                    5 => json!({"op": "move", "path": path, "from": from}),
                    6 => json!({"op": "copy", "path": path, "from": from}),
                    7 => json!({"op": "test", "path": path, "value": object.pointer(&path)}),
                    _ => json!({"op": "add", "path": path, "value": self.word()}),
                }
            })
            .collect();
        json!(operations)
    }
}

/// How often each form was taken, and refused.
#[derive(Default, Debug)]
struct Counts {
    taken: [usize; 3],
    refused: [usize; 3],
}

async fn one_seed(api: &Api, seed: u64, counts: &mut Counts) {
    let mut draw = Draw(StdRng::seed_from_u64(seed));
    let object = draw.deployment(&format!("seed-{seed}"));
    let folder = "/apis/apps/v1/namespaces/default/deployments";
    let object =
        api.create(folder, &object).await.unwrap_or_else(|refusal| panic!("seed {seed}: {refusal:?}"));
    for _ in 0..PATCHES {
        for (place, form) in [STRATEGIC, MERGE, JSON].into_iter().enumerate() {
            let patch = match form {
                STRATEGIC => draw.strategic(&object),
                MERGE => draw.merge(&object, 0),
                _ => draw.json(&object),
            };
            let bytes = patch.to_string().into_bytes();
            let real = sides::real(api, Kind::Deployment, &object, "", form, &bytes).await;
            let ours = sides::ours(api, Kind::Deployment, &object, "", form, &bytes).await;
            match &real {
                Answer::Object(_) => counts.taken[place] += 1,
                Answer::Refused(..) => counts.refused[place] += 1,
            }
            if unreadable(&real) && unreadable(&ours) || disordered(&real) && disordered(&ours) {
                continue;
            }
            assert_eq!(ours, real, "seed {seed}, {form}: {patch}\non {object}");
        }
    }
}

/// The object that the patch makes has fields of wrong types: the sentence shows that object in the words
/// of Go's printer, and is compared where kinds are read.
fn unreadable(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(422, _, message) if message.starts_with(" \"\" is invalid: patch: Invalid value: "))
}

#[tokio::test(flavor = "multi_thread")]
async fn random_patches_give_what_the_real_server_gives() {
    let Some(stage) = exclusive().await else { return };
    let first = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..SEEDS, |seed| seed..seed + 1);
    let mut counts = Counts::default();
    for seed in seeds.clone() {
        one_seed(stage.api(), seed, &mut counts).await;
    }
    println!("{counts:?}");
    if seeds.end - seeds.start == SEEDS {
        for form in 0..3 {
            assert!(counts.taken[form] > 20 && counts.refused[form] > 5, "{counts:?}");
        }
    }
}

/// A list is not in the order that the patch itself asks for. Where there are several, the one that is named is
/// the first in Go's order of a map, which is another one each time.
fn disordered(answer: &Answer) -> bool {
    let (start, end) = ("The order in patch list:", "doesn't match $setElementOrder list:");
    matches!(answer, Answer::Refused(500, _, message) if message.starts_with(start) && message.contains(end))
}
