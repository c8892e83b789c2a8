//! What may be done to objects, whoever asks: the API over HTTP, the simulated workloads, or a load
//! generator. Everything here is one transaction of the [`Store`].

mod create;
mod delete;
mod special;
mod update;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::kinds::{self, Kind};
use super::status::{FieldError, Status};
use super::store::{Key, Object, Store, Transaction};

pub use delete::{DeleteOptions, Deleted, Propagation};
pub(super) use update::same_place;

/// The finalizer of an owner that waits for its dependents to be deleted.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an owner whose dependents are about to lose it.
pub const ORPHAN: &str = "orphan";

/// `ERROR` in the words of kube-apiserver when a body cannot be read as an object of this kind.
#[must_use]
pub fn unreadable(kind: Kind, error: &str) -> Status {
    let info = kind.info();
    Status::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {error}",
        info.kind, info.version, info.kind
    ))
}

/// How a write is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writing {
    /// Nothing is stored.
    pub dry_run: bool,
    /// An Event is written through `events.k8s.io`, which asks for more than core does.
    pub events_group: bool,
}

impl From<bool> for Writing {
    /// An ordinary write, or a dry run.
    fn from(dry_run: bool) -> Writing {
        Writing { dry_run, ..Writing::default() }
    }
}

fn checked(kind: Kind, how: Writing, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    if how.events_group { kinds::check_new_event(new, old) } else { kind.strategy().check(new, old) }
}

fn decoded(kind: Kind, body: Value) -> Result<Value, Status> {
    kind.strategy().read(body).map_err(|error| unreadable(kind, &error))
}

fn refuse(kind: Kind, key: &Key, errors: &[FieldError]) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(kind, &key.name, errors)) }
}

fn found(state: &Transaction<'_>, kind: Kind, key: &Key) -> Result<Arc<Object>, Status> {
    state.get(kind, key).ok_or_else(|| Status::not_found(kind, &key.name))
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

/// Takes a field out of the metadata.
fn drop_metadata(value: &mut Value, field: &str) {
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.remove(field);
    }
}

/// Sets a field of the metadata, or takes it out where `to` is null.
fn set_metadata(value: &mut Value, field: &str, to: Value) {
    if to.is_null() {
        drop_metadata(value, field);
    } else {
        value["metadata"][field] = to;
    }
}

/// Stores a changed object; with `dry_run` only says what would stand there.
fn store(state: &mut Transaction<'_>, kind: Kind, value: Value, version: u64, dry_run: bool) -> Arc<Object> {
    if dry_run { Arc::new(Object::new(kind, value, version)) } else { state.put(kind, value) }
}

/// Removes an object and what goes with it.
fn remove(state: &mut Transaction<'_>, kind: Kind, key: &Key) -> Option<Arc<Object>> {
    let gone = state.remove(kind, key)?;
    kind.strategy().after_delete(state, key);
    Some(gone)
}

/// Whether a deleted object has nothing left to wait for. `before` is the object before the change that
/// led to `value`.
fn is_over(kind: Kind, value: &Value, before: &Value) -> bool {
    let namespace_is_full = kind == Kind::Namespace
        && value["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    !value["metadata"]["deletionTimestamp"].is_null()
        && !has_finalizers(value)
        && !namespace_is_full
        && before["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
}

/// The time as Kubernetes prints it, in whole seconds.
#[must_use]
pub fn now() -> String {
    in_seconds(0)
}

/// The time in so many seconds, as Kubernetes prints it.
#[must_use]
pub fn in_seconds(seconds: i64) -> String {
    let now = Timestamp::now();
    printed(now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now))
}

fn printed(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An empty `metav1.Status` of success, as some deletes answer.
#[must_use]
pub fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
}

impl Store {
    /// The Namespaces and the Service that every cluster has.
    ///
    /// # Errors
    /// The refusal of one of them, when it cannot be stored.
    pub fn furnish(&self, port: u16) -> Result<(), Status> {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            if self.get(Kind::Namespace, &Key::new("", name)).is_none() {
                self.create(Kind::Namespace, "", json!({"metadata": {"name": name}}), false)?;
            }
        }
        if self.get(Kind::Service, &Key::new("default", "kubernetes")).is_none() {
            let service = json!({
                "metadata": {
                    "name": "kubernetes",
                    "labels": {"component": "apiserver", "provider": "kubernetes"},
                },
                "spec": {
                    "clusterIP": "10.0.0.1",
                    "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": port}],
                },
            });
            self.create(Kind::Service, "default", service, false)?;
        }
        Ok(())
    }
}
