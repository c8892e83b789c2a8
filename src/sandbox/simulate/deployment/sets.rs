//! The ReplicaSets of a Deployment.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::sandbox::store::Object;

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(super) const HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub(super) const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";

/// Annotations that do not go from a Deployment to its ReplicaSets.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];

/// How long the annotation with the revisions that a ReplicaSet had may become.
const HISTORY_AT_MOST: usize = 2000;

/// One ReplicaSet.
#[derive(Clone)]
pub(super) struct Set {
    pub(super) object: Arc<Object>,
    pub(super) value: Value,
}

impl Set {
    pub(super) fn new(object: Arc<Object>) -> Set {
        Set { value: object.value(), object }
    }

    pub(super) fn name(&self) -> &str {
        &self.object.key.name
    }

    pub(super) fn replicas(&self) -> i64 {
        self.value["spec"]["replicas"].as_i64().unwrap_or(1)
    }

    /// A number of its status.
    pub(super) fn status(&self, field: &str) -> i64 {
        self.value["status"][field].as_i64().unwrap_or(0)
    }

    pub(super) fn created(&self) -> &str {
        self.value["metadata"]["creationTimestamp"].as_str().unwrap_or_default()
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.value["metadata"]["annotations"][key].as_str()
    }

    /// An annotation that is a number.
    pub(super) fn number_of(&self, key: &str) -> Option<i64> {
        self.annotation(key)?.parse().ok().filter(|number| *number >= 0)
    }

    pub(super) fn revision(&self) -> i64 {
        self.number_of(REVISION).unwrap_or(0)
    }

    /// Whether its Pods are made like this, but for the hash.
    pub(super) fn is_of(&self, template: &Value) -> bool {
        without_hash(&self.value["spec"]["template"]) == without_hash(template)
    }
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(HASH);
    }
    for field in ["labels", "annotations"] {
        if template["metadata"][field].as_object().is_some_and(Map::is_empty) {
            template["metadata"][field] = Value::Null;
        }
    }
    prune(&mut template);
    template
}

fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune);
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

/// The hash of a template, as letters and digits. It is not the one that a real cluster computes (that
/// depends on how Go prints its types), though made in the same way.
pub(super) fn hash_of(template: &Value, collisions: Option<i64>) -> String {
    let mut text = without_hash(template).to_string().into_bytes();
    if let Some(collisions) = collisions {
        text.extend_from_slice(&collisions.to_le_bytes());
    }
    let fnv =
        text.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    fnv.to_string().bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

/// The ReplicaSet for a Deployment's template; without number of replicas and annotations.
pub(super) fn new_set(owner: &Object, deployment: &Value, hash: &str) -> Value {
    let spec = &deployment["spec"];
    let mut template = spec["template"].clone();
    let mut selector = spec["selector"].clone();
    for labels in [&mut template["metadata"]["labels"], &mut selector["matchLabels"]] {
        labels[HASH] = hash.into();
    }
    let room = 253 - 1 - hash.len();
    let name: String = owner.key.name.chars().take(room).collect();
    let mut set = json!({
        "metadata": {
            "name": format!("{name}-{hash}"),
            "labels": template["metadata"]["labels"],
            "annotations": {},
            "ownerReferences": [super::super::replicaset::controller_reference(owner)],
        },
        "spec": {"selector": selector, "template": template},
    });
    let min_ready = &spec["minReadySeconds"];
    if !min_ready.is_null() {
        set["spec"]["minReadySeconds"] = min_ready.clone();
    }
    set
}

fn annotations(object: &mut Value) -> Option<&mut Map<String, Value>> {
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"].as_object_mut()
}

/// Sets an annotation. True: it was another.
pub(super) fn annotate(object: &mut Value, key: &str, value: &str) -> bool {
    let Some(annotations) = annotations(object) else { return false };
    if annotations.get(key).and_then(Value::as_str) == Some(value) {
        return false;
    }
    annotations.insert(key.to_owned(), value.into());
    true
}

/// Takes a Deployment's annotations and the revision over to its newest ReplicaSet. True: something
/// changed.
pub(super) fn annotate_new(set: &mut Value, deployment: &Value, revision: i64) -> bool {
    let mut changed = false;
    for (key, value) in deployment["metadata"]["annotations"].as_object().into_iter().flatten() {
        if !OWN.contains(&key.as_str()) {
            changed |= annotate(set, key, value.as_str().unwrap_or_default());
        }
    }
    let old = set["metadata"]["annotations"][REVISION].as_str().map(str::to_owned);
    let number = old.as_deref().map_or(Ok(0), str::parse::<i64>);
    if number.is_ok_and(|number| number < revision) {
        changed |= annotate(set, REVISION, &revision.to_string());
        if let Some(old) = old {
            remember(set, &old);
        }
    }
    changed
}

fn remember(set: &mut Value, revision: &str) {
    let history = set["metadata"]["annotations"][HISTORY].as_str().unwrap_or_default();
    let mut revisions: Vec<&str> = history.split(',').filter(|text| !text.is_empty()).collect();
    revisions.push(revision);
    let mut from = 0;
    let length = |revisions: &[&str]| revisions.iter().map(|text| text.len() + 1).sum::<usize>() - 1;
    while from + 1 < revisions.len() && length(&revisions[from..]) > HISTORY_AT_MOST {
        from += 1;
    }
    let text = revisions[from..].join(",");
    annotate(set, HISTORY, &text);
}

/// Notes on a ReplicaSet how many Pods its Deployment wants and allows. True: something changed.
pub(super) fn annotate_size(set: &mut Value, bounds: super::bounds::Bounds) -> bool {
    let desired = annotate(set, DESIRED_REPLICAS, &bounds.replicas.to_string());
    annotate(set, MAX_REPLICAS, &bounds.most().to_string()) || desired
}
