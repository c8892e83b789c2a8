//! What may be done to objects, whoever asks: the API over HTTP, the simulated workloads, or a load
//! generator. Everything here is one transaction of the [`Store`].

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::kinds::Kind;
use super::status::Status;
use super::store::{Key, Object, Store, Transaction};

/// How dependents are treated by a delete (`propagationPolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are removed after the owner.
    Background,
    /// They are removed before it.
    Foreground,
    /// They lose their owner.
    Orphan,
}

/// `metav1.DeleteOptions`.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds; `None`: what the object asks for.
    pub grace: Option<i64>,
    /// The uid it must have.
    pub uid: Option<String>,
    /// The version it must have.
    pub version: Option<String>,
    /// `None`: the kind's own default.
    pub propagation: Option<Propagation>,
    /// Nothing is stored.
    pub dry_run: bool,
}

/// What a delete did.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone; its last state.
    Gone(Arc<Object>),
    /// It stands with a deletionTimestamp.
    Going(Arc<Object>),
}

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
        dry_run: bool,
    ) -> Result<Arc<Object>, Status> {
        let mut value = decoded(kind, body)?;
        self.transact(|state| {
            metadata_of_new(kind, namespace, &mut value)?;
            let strategy = kind.strategy();
            strategy.default(&mut value);
            let key = key_of(&value);
            if state.get(kind, &key).is_some() {
                return Err(Status::already_exists(kind, &key.name));
            }
            strategy.on_create(state, &mut value)?;
            refuse(kind, &key, &strategy.check(&value, None))?;
            Ok(store(state, kind, value, dry_run))
        })
    }

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
        dry_run: bool,
    ) -> Result<Arc<Object>, Status> {
        let value = decoded(kind, body)?;
        self.transact(|state| {
            let old = state.get(kind, key).ok_or_else(|| Status::not_found(kind, &key.name))?;
            replace(state, kind, &old, subresource, value, dry_run)
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
            let old = state.get(kind, key).ok_or_else(|| Status::not_found(kind, &key.name))?;
            let mut value = old.value();
            change(&mut value)?;
            let value = decoded(kind, value)?;
            replace(state, kind, &old, subresource, value, false)
        })
    }

    /// Deletes an object, or marks it as deleted when finalizers or its own grace keep it.
    ///
    /// # Errors
    /// The refusal that kube-apiserver would give.
    pub fn delete(&self, kind: Kind, key: &Key, options: &DeleteOptions) -> Result<Deleted, Status> {
        self.transact(|state| {
            let old = state.get(kind, key).ok_or_else(|| Status::not_found(kind, &key.name))?;
            if options.uid.as_ref().is_some_and(|uid| *uid != old.uid) {
                let why = format!(
                    "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                    options.uid.as_deref().unwrap_or_default(),
                    old.uid
                );
                return Err(Status::conflict(kind, &key.name, &why));
            }
            if options.version.as_ref().is_some_and(|version| *version != old.version.to_string()) {
                return Err(Status::stale(kind, &key.name));
            }
            let mut value = old.value();
            let grace = options.grace.or_else(|| kind.strategy().grace(&value)).unwrap_or(0);
            let kept = grace > 0 || has_finalizers(&value);
            if !kept {
                let gone = state.remove(kind, key).unwrap_or(old);
                kind.strategy().after_delete(state, key);
                return Ok(Deleted::Gone(gone));
            }
            if value["metadata"]["deletionTimestamp"].is_null() {
                value["metadata"]["deletionTimestamp"] = now().into();
                value["metadata"]["deletionGracePeriodSeconds"] = grace.into();
                return Ok(Deleted::Going(store(state, kind, value, options.dry_run)));
            }
            Ok(Deleted::Going(old))
        })
    }
}

fn decoded(kind: Kind, body: Value) -> Result<Value, Status> {
    kind.strategy().read(body).map_err(|error| {
        let info = kind.info();
        Status::bad_request(format!(
            "{0} in version \"{1}\" cannot be handled as a {0}: {error}",
            info.kind, info.version
        ))
    })
}

fn refuse(kind: Kind, key: &Key, errors: &[super::status::FieldError]) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(kind, &key.name, errors)) }
}

fn key_of(value: &Value) -> Key {
    let metadata = &value["metadata"];
    Key::new(
        metadata["namespace"].as_str().unwrap_or_default(),
        metadata["name"].as_str().unwrap_or_default(),
    )
}

fn has_finalizers(value: &Value) -> bool {
    value["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

fn metadata_of_new(kind: Kind, namespace: &str, value: &mut Value) -> Result<(), Status> {
    if !value["metadata"].is_object() {
        value["metadata"] = Value::Object(Map::new());
    }
    let metadata = &mut value["metadata"];
    if kind.info().namespaced {
        let given = metadata["namespace"].as_str().unwrap_or_default();
        if !given.is_empty() && given != namespace {
            return Err(Status::bad_request(format!(
                "the namespace of the provided object does not match the namespace sent on the request"
            )));
        }
        metadata["namespace"] = namespace.into();
    }
    if metadata["name"].as_str().unwrap_or_default().is_empty() {
        let prefix = metadata["generateName"].as_str().unwrap_or_default().to_owned();
        metadata["name"] = format!("{prefix}{}", super::kinds::suffix()).into();
    }
    metadata["uid"] = super::kinds::new_uid().into();
    metadata["creationTimestamp"] = now().into();
    if kind.info().generation {
        metadata["generation"] = 1.into();
    }
    Ok(())
}

fn store(state: &mut Transaction<'_>, kind: Kind, value: Value, dry_run: bool) -> Arc<Object> {
    if dry_run {
        let version = state.version();
        return Arc::new(Object::new(kind, value, version));
    }
    state.put(kind, value)
}

fn replace(
    state: &mut Transaction<'_>,
    kind: Kind,
    old: &Arc<Object>,
    subresource: Option<&str>,
    mut value: Value,
    dry_run: bool,
) -> Result<Arc<Object>, Status> {
    let before = old.value();
    let key = &old.key;
    let given = value["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if !given.is_empty() && given != old.version.to_string() {
        return Err(Status::stale(kind, &key.name));
    }
    for field in ["uid", "creationTimestamp", "deletionTimestamp", "generation", "resourceVersion"] {
        value["metadata"][field] = before["metadata"][field].clone();
    }
    let strategy = kind.strategy();
    strategy.default(&mut value);
    strategy.on_update(state, &mut value, &before, subresource)?;
    refuse(kind, key, &strategy.check(&value, Some(&before)))?;
    if kind.info().generation && strategy.moves_generation(&value, &before) {
        value["metadata"]["generation"] = (before["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
    }
    if value == before {
        return Ok(Arc::clone(old));
    }
    let going = !value["metadata"]["deletionTimestamp"].is_null();
    if going
        && !has_finalizers(&value)
        && value["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
    {
        let stored = store(state, kind, value, dry_run);
        if dry_run {
            return Ok(stored);
        }
        let gone = state.remove(kind, key).unwrap_or(stored);
        strategy.after_delete(state, key);
        return Ok(gone);
    }
    Ok(store(state, kind, value, dry_run))
}

/// The time as Kubernetes prints it, in whole seconds.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An empty `metav1.Status` of success, as some deletes answer.
#[must_use]
pub fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
}
