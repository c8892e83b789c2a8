//! Objects that change.

use std::sync::Arc;

use serde_json::Value;

use super::{Writing, checked, decoded, drop_metadata, found, is_over, refuse, remove, set_metadata, store};
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::{Key, Object, Store, Transaction};

impl Store {
    /// Replaces an object, or its `subresource` (`status`).
    ///
    /// # Errors
    /// The refusal that kube-apiserver would give.
    pub fn update(
        &self,
        kind: Kind,
        key: &Key,
        subresource: Option<&str>,
        body: Value,
        how: impl Into<Writing>,
    ) -> Result<Arc<Object>, Status> {
        let how = how.into();
        let value = decoded(kind, body)?;
        self.transact(|state| {
            state.rehearse(how.dry_run);
            let old = found(state, kind, key)?;
            same_uid(kind, key, &value, &old.uid, how.dry_run)?;
            replace(state, kind, &old, subresource, value, how)
        })
    }

    /// Reads an object, lets `change` change it, and stores it, as one step.
    ///
    /// # Errors
    /// That of `change`, or the refusal that kube-apiserver would give.
    pub fn modify(
        &self,
        kind: Kind,
        key: &Key,
        subresource: Option<&str>,
        change: impl FnOnce(&mut Value) -> Result<(), Status>,
    ) -> Result<Arc<Object>, Status> {
        self.transact(|state| {
            let old = found(state, kind, key)?;
            let mut value = old.value();
            change(&mut value)?;
            let value = decoded(kind, value)?;
            replace(state, kind, &old, subresource, value, Writing::default())
        })
    }

    /// Lets `patch` make a new object of the one that stands (with `kind` and `apiVersion`), and stores that,
    /// as one step. `unreadable` makes the refusal of a new object that cannot be read, for the reason given.
    ///
    /// # Errors
    /// That of `patch`, or the refusal that kube-apiserver would give.
    pub fn patch(
        &self,
        kind: Kind,
        key: &Key,
        subresource: Option<&str>,
        patch: impl FnOnce(&Value) -> Result<Value, Status>,
        unreadable: impl FnOnce(&Value, &str) -> Status,
        how: impl Into<Writing>,
    ) -> Result<Arc<Object>, Status> {
        let how = how.into();
        self.transact(|state| {
            state.rehearse(how.dry_run);
            let old = found(state, kind, key)?;
            let patched = patch(&old.typed())?;
            let value =
                kind.strategy().read(patched.clone()).map_err(|error| unreadable(&patched, &error))?;
            same_place(&patched, key)?;
            replace(state, kind, &old, subresource, value, how)
        })
    }
}

/// The object that is to be stored must be the one that the path names.
pub(in crate::sandbox) fn same_place(value: &Value, key: &Key) -> Result<(), Status> {
    let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default();
    match text("name") {
        "" => {
            return Err(Status::bad_request(format!(
                "the name of the object ({} based on URL) was undeterminable: name must be provided",
                key.name
            )));
        }
        name if name != key.name => {
            return Err(Status::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                key.name
            )));
        }
        _ => {}
    }
    match text("namespace") {
        "" => Ok(()),
        // What lies in no namespace may say anything.
        _ if key.namespace.is_empty() => Ok(()),
        namespace if namespace == key.namespace => Ok(()),
        _ => Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

/// A body that names a uid is meant for that object only.
fn same_uid(kind: Kind, key: &Key, value: &Value, uid: &str, dry_run: bool) -> Result<(), Status> {
    match value["metadata"]["uid"].as_str() {
        None | Some("") => Ok(()),
        Some(given) if given == uid => Ok(()),
        Some(given) => Err(Status::other_uid(kind, key, given, uid, dry_run)),
    }
}

/// The version that a body was made from; `None`: whatever stands.
fn given_version(kind: Kind, name: &str, value: &Value) -> Result<Option<u64>, Status> {
    let text = value["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let version = if text.is_empty() {
        0
    } else {
        text.parse().map_err(|_| {
            let error = format!("strconv.ParseUint: parsing {text:?}: invalid syntax");
            Status::new(500, "", error)
        })?
    };
    if version != 0 {
        return Ok(Some(version));
    }
    if kind == Kind::Lease {
        let error = FieldError {
            reason: "FieldValueInvalid",
            field: "metadata.resourceVersion".to_owned(),
            message: "Invalid value: 0: must be specified for an update".to_owned(),
        };
        return Err(Status::invalid_resource(kind, name, &error));
    }
    Ok(None)
}

fn replace(
    state: &mut Transaction<'_>,
    kind: Kind,
    old: &Arc<Object>,
    subresource: Option<&str>,
    mut value: Value,
    how: Writing,
) -> Result<Arc<Object>, Status> {
    let before = old.value();
    let key = &old.key;
    if given_version(kind, &key.name, &value)?.is_some_and(|version| version != old.version) {
        return Err(Status::stale(kind, &key.name));
    }
    keep_metadata(&mut value, &before);
    let strategy = kind.strategy();
    strategy.default(&mut value);
    strategy.on_update(state, &mut value, &before, subresource)?;
    refuse(kind, key, &checked(kind, how, &value, Some(&before)))?;
    if kind.info().generation && strategy.moves_generation(&value, &before) {
        let generation = before["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        value["metadata"]["generation"] = generation.into();
    }
    if is_over(kind, &value, &before) {
        let answer = Arc::new(Object::new(kind, value, old.version));
        if !how.dry_run {
            remove(state, kind, key);
        }
        return Ok(answer);
    }
    if value == before {
        return Ok(Arc::clone(old));
    }
    Ok(store(state, kind, value, old.version, how.dry_run))
}

/// What a body may leave out and nobody can change by leaving it out.
fn keep_metadata(value: &mut Value, before: &Value) {
    for field in ["name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let given = &value["metadata"][field];
        if given.is_null() || given.as_str() == Some("") {
            set_metadata(value, field, before["metadata"][field].clone());
        }
    }
    if before["metadata"]["namespace"].is_null() {
        drop_metadata(value, "namespace");
    }
    for field in ["creationTimestamp", "generation", "resourceVersion"] {
        set_metadata(value, field, before["metadata"][field].clone());
    }
    for field in ["managedFields", "selfLink"] {
        drop_metadata(value, field);
    }
}
