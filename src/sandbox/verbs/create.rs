//! New objects.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Writing, checked, decoded, drop_metadata, key_of, now, refuse, store};
use crate::sandbox::kinds::{Kind, new_uid, suffix};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, Object, Store, Transaction};

/// How long a name may be that is made of `generateName`, without its five random characters.
const LONGEST_PREFIX: usize = 58;
/// How often another name is tried when a generated one is taken.
const TRIES: usize = 8;

impl Store {
    /// Stores a new object in `namespace` (empty for kinds without).
    ///
    /// # Errors
    /// The refusal that kube-apiserver would give.
    pub fn create(
        &self,
        kind: Kind,
        namespace: &str,
        body: Value,
        how: impl Into<Writing>,
    ) -> Result<Arc<Object>, Status> {
        let how = how.into();
        let mut value = decoded(kind, body)?;
        self.transact(|state| {
            state.rehearse(how.dry_run);
            metadata_of_new(state, kind, namespace, &mut value)?;
            let strategy = kind.strategy();
            strategy.default(&mut value);
            let key = key_of(&value);
            strategy.on_create(state, &mut value)?;
            refuse(kind, &key, &checked(kind, how, &value, None))?;
            if let Some(other) = state.get(kind, &key) {
                let generated =
                    value["metadata"]["generateName"].as_str().is_some_and(|prefix| !prefix.is_empty());
                let warnings = strategy.warnings(&value, None).into();
                return Err(Status { warnings, ..taken(kind, &other, generated) });
            }
            Ok(store(state, kind, value, 0, how.dry_run))
        })
    }
}

fn metadata_of_new(
    state: &Transaction<'_>,
    kind: Kind,
    namespace: &str,
    value: &mut Value,
) -> Result<(), Status> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if !value["metadata"].is_object() {
        value["metadata"] = Value::Object(Map::new());
    }
    let metadata = &mut value["metadata"];
    if kind.info().namespaced {
        let given = metadata["namespace"].as_str().unwrap_or_default();
        if !given.is_empty() && given != namespace {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        metadata["namespace"] = namespace.into();
    } else {
        drop_metadata(value, "namespace");
    }
    let metadata = &mut value["metadata"];
    if metadata["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0u64) != 0 {
        return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    let prefix = metadata["generateName"].as_str().unwrap_or_default().to_owned();
    if metadata["name"].as_str().unwrap_or_default().is_empty() && !prefix.is_empty() {
        metadata["name"] = free_name(state, kind, namespace, &prefix).into();
    }
    let name = metadata["name"].as_str().unwrap_or_default().to_owned();
    metadata["uid"] = new_uid().into();
    metadata["creationTimestamp"] = now().into();
    for field in
        ["resourceVersion", "selfLink", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        drop_metadata(value, field);
    }
    if kind.info().generation {
        value["metadata"]["generation"] = 1.into();
    }
    if kind.info().namespaced {
        may_be_filled(state, kind, namespace, &name)?;
    }
    Ok(())
}

/// The refusal of a name that another object has. `generated`: the new one has a `generateName`.
fn taken(kind: Kind, other: &Object, generated: bool) -> Status {
    let mut status = Status::already_exists(kind, &other.key.name);
    if other.deleting {
        status.message = format!("object is being deleted: {}", status.message);
    }
    if generated {
        status.message.push_str(", the server was not able to generate a unique name for the object");
        status.retry_after = Some(1);
    }
    status
}

fn free_name(state: &Transaction<'_>, kind: Kind, namespace: &str, prefix: &str) -> String {
    let mut end = prefix.len().min(LONGEST_PREFIX);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = format!("{}{}", &prefix[..end], suffix());
    for _ in 1..TRIES {
        if state.get(kind, &Key::new(namespace, &name)).is_none() {
            break;
        }
        name = format!("{}{}", &prefix[..end], suffix());
    }
    name
}

/// A namespace takes new objects while it exists and nobody has deleted it.
fn may_be_filled(state: &Transaction<'_>, kind: Kind, namespace: &str, name: &str) -> Result<(), Status> {
    let Some(object) = state.get(Kind::Namespace, &Key::new("", namespace)) else {
        return Err(Status::not_found(Kind::Namespace, namespace));
    };
    if !object.deleting {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut refusal = Status::forbidden(kind, name, &why);
    refusal.details["causes"] = json!([{
        "reason": "NamespaceTerminating",
        "message": format!("namespace {namespace} is being terminated"),
        "field": "metadata.namespace",
    }]);
    Err(refusal)
}
