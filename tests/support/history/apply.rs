//! Performs operations in a namespace of a real API server.

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::super::api::{Answer, Refusal};
use super::super::world::World;
use super::state::TERMINATION;
use super::tamper::tamper;
use super::{Change, Kind, Operation};

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// There is nothing of that name (any more), so nothing was done.
    Missing,
    /// An object of that name exists already, so nothing was done.
    Exists,
    /// The API server refused it for another reason: the history is wrong.
    Refused(String),
}

/// Requests in flight where the order does not matter.
const AT_ONCE: usize = 6;

/// Performs changes that do not depend on each other, such as those of [`History::start`](super::History);
/// answers the refusals.
pub async fn apply_all(world: &World, changes: &[Change]) -> Vec<String> {
    let refused = |change: &Change, outcome| match outcome {
        Outcome::Refused(why) => Some(format!("{change}: {why}")),
        _ => None,
    };
    stream::iter(changes)
        .map(|change| async move { refused(change, change.apply(world).await) })
        .buffered(AT_ONCE)
        .filter_map(|refused| async { refused })
        .collect()
        .await
}

impl Change {
    pub async fn apply(&self, world: &World) -> Outcome {
        self.operation.apply(world).await
    }
}

impl Operation {
    /// Performs it, unless it is a restart.
    pub async fn apply(&self, world: &World) -> Outcome {
        let api = world.api();
        let answer = match self {
            Operation::Create(kind, object) => create(world, *kind, object).await,
            Operation::Patch(kind, name, patch) => {
                api.patch(&path_of(world, *kind, name), &with_nodes(world, *kind, patch)).await
            }
            Operation::PatchStatus(kind, name, patch) => {
                let path = format!("{}/status", path_of(world, *kind, name));
                api.patch(&path, &json!({"status": patch})).await
            }
            Operation::Delete(kind, name) => api.delete(&path_of(world, *kind, name)).await,
            Operation::Terminate(name) => {
                let options = json!({"gracePeriodSeconds": TERMINATION});
                api.delete_with(&path_of(world, Kind::Pod, name), &options).await
            }
            Operation::Bind(name, node) => {
                let path = format!("{}/binding", path_of(world, Kind::Pod, name));
                let target = json!({"kind": "Node", "name": world.node_name(node)});
                let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target});
                api.create(&path, &binding).await
            }
            Operation::Tamper { service, nth, how } => return tamper(world, service, *nth, how).await,
            Operation::Restart(_) => return Outcome::Done,
        };
        match answer {
            Ok(_) => Outcome::Done,
            Err(refusal) if refusal.code == 404 => Outcome::Missing,
            Err(refusal) if refusal.code == 409 => Outcome::Exists,
            Err(refusal) => Outcome::Refused(refusal.to_string()),
        }
    }
}

fn collection(world: &World, kind: Kind) -> String {
    match kind {
        Kind::Node => "/api/v1/nodes".to_string(),
        _ => world.path(kind.collection()),
    }
}

fn path_of(world: &World, kind: Kind, name: &str) -> String {
    let name = if kind == Kind::Node { world.node_name(name) } else { name.to_string() };
    format!("{}/{name}", collection(world, kind))
}

async fn create(world: &World, kind: Kind, object: &Value) -> Answer {
    let object = with_nodes(world, kind, object);
    let made = world.api().create(&collection(world, kind), &object).await?;
    if kind == Kind::Service || object["status"].is_null() {
        return Ok(made);
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{}/{name}/status", collection(world, kind));
    let stored: Result<Value, Refusal> = world.api().patch(&path, &json!({"status": object["status"]})).await;
    stored
}

/// The object with the names of Nodes as they are in the cluster.
fn with_nodes(world: &World, kind: Kind, object: &Value) -> Value {
    let mut object = object.clone();
    match kind {
        Kind::Node => object.get_mut("metadata").into_iter().for_each(|place| rename(world, place, "name")),
        Kind::Pod => object.get_mut("spec").into_iter().for_each(|place| rename(world, place, "nodeName")),
        Kind::Endpoints => {
            let subsets = object.get_mut("subsets").and_then(Value::as_array_mut);
            for subset in subsets.into_iter().flatten() {
                for list in ["addresses", "notReadyAddresses"] {
                    let addresses = subset.get_mut(list).and_then(Value::as_array_mut);
                    addresses.into_iter().flatten().for_each(|address| rename(world, address, "nodeName"));
                }
            }
        }
        Kind::Service => {}
    }
    object
}

fn rename(world: &World, place: &mut Value, field: &str) {
    if let Some(name) = place.get_mut(field).filter(|name| name.is_string()) {
        *name = json!(world.node_name(name.as_str().unwrap_or_default()));
    }
}
