//! Objects that go, at once or when what holds them lets go: their grace, their finalizers.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{FOREGROUND, ORPHAN, found, has_finalizers, in_seconds, now, printed, remove, store};
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, Object, Store, Transaction};

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

/// What a delete makes of an object's grace.
enum Grace {
    /// The object's kind knows none, or it has passed: what holds it now are finalizers.
    None,
    /// It was deleted before, and not asked to go sooner.
    Pending,
    /// It ends so many seconds after the delete.
    Seconds(i64),
}

impl Store {
    /// Deletes an object, or marks it as deleted when finalizers or its own grace keep it.
    ///
    /// # Errors
    /// The refusal that kube-apiserver would give.
    pub fn delete(&self, kind: Kind, key: &Key, options: &DeleteOptions) -> Result<Deleted, Status> {
        self.transact(|state| {
            let old = found(state, kind, key)?;
            preconditions(kind, &old, options)?;
            if kind == Kind::Namespace {
                return namespace(state, &old, options);
            }
            delete(state, kind, &old, options)
        })
    }
}

fn preconditions(kind: Kind, old: &Object, options: &DeleteOptions) -> Result<(), Status> {
    let name = &old.key.name;
    if let Some(uid) = options.uid.as_ref().filter(|uid| **uid != old.uid) {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might \
             have been deleted and then recreated",
            old.uid
        );
        return Err(Status::conflict_of_kind(kind, name, &why));
    }
    if let Some(version) = options.version.as_ref().filter(|version| **version != old.version.to_string()) {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in \
             record ({}). The object might have been modified",
            old.version
        );
        return Err(Status::conflict_of_kind(kind, name, &why));
    }
    Ok(())
}

fn delete(
    state: &mut Transaction<'_>,
    kind: Kind,
    old: &Arc<Object>,
    options: &DeleteOptions,
) -> Result<Deleted, Status> {
    let key = &old.key;
    let mut value = old.value();
    let grace = grace(kind, &mut value, options.grace);
    if matches!(grace, Grace::Pending) {
        return Ok(Deleted::Going(Arc::clone(old)));
    }
    let marked = mark_dependents(kind, &mut value, options.propagation);
    let held = has_finalizers(&value);
    let changed = match grace {
        Grace::Seconds(_) => true,
        _ if held => {
            mark(&mut value);
            true
        }
        _ => marked,
    };
    if options.dry_run {
        let object = Arc::new(Object::new(kind, value, old.version));
        return Ok(if held { Deleted::Going(object) } else { Deleted::Gone(object) });
    }
    if held || matches!(grace, Grace::Seconds(1..)) {
        let same = !changed || value == old.value();
        let object = if same { Arc::clone(old) } else { store(state, kind, value, old.version, false) };
        return Ok(Deleted::Going(object));
    }
    if let Grace::Seconds(_) = grace
        && value != old.value()
    {
        // Whoever watches sees that it was deleted, and then that it is gone.
        state.put(kind, value);
    }
    remove(state, kind, key).map(Deleted::Gone).ok_or_else(|| Status::not_found(kind, &key.name))
}

/// Sets the end of the object's grace, where its kind has one.
fn grace(kind: Kind, value: &mut Value, asked: Option<i64>) -> Grace {
    if kind != Kind::Pod {
        return Grace::None;
    }
    // A negative grace is one second.
    let asked = asked.map(|seconds| if seconds < 0 { 1 } else { seconds });
    let metadata = &value["metadata"];
    if let Some(end) = metadata["deletionTimestamp"].as_str() {
        let before = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        if before == 0 {
            return Grace::None;
        }
        let Some(seconds) = asked.filter(|seconds| *seconds < before) else { return Grace::Pending };
        if let Ok(end) = end.parse::<Timestamp>() {
            let sooner = end.checked_sub(SignedDuration::from_secs(before - seconds)).unwrap_or(end);
            value["metadata"]["deletionTimestamp"] = printed(sooner).into();
        }
        value["metadata"]["deletionGracePeriodSeconds"] = seconds.into();
        return Grace::Seconds(seconds);
    }
    let unscheduled = value["spec"]["nodeName"].as_str().unwrap_or_default().is_empty();
    let finished = matches!(value["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let own = value["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(0);
    let seconds = if unscheduled || finished { 0 } else { asked.unwrap_or(own) };
    value["metadata"]["deletionTimestamp"] = in_seconds(seconds).into();
    value["metadata"]["deletionGracePeriodSeconds"] = seconds.into();
    count_generation(value);
    Grace::Seconds(seconds)
}

/// Marks an object as deleted that only finalizers hold.
fn mark(value: &mut Value) {
    if value["metadata"]["deletionTimestamp"].is_null() {
        value["metadata"]["deletionTimestamp"] = now().into();
        count_generation(value);
    }
    value["metadata"]["deletionGracePeriodSeconds"] = 0.into();
}

fn count_generation(value: &mut Value) {
    if let Some(generation) = value["metadata"]["generation"].as_i64().filter(|number| *number > 0) {
        value["metadata"]["generation"] = (generation + 1).into();
    }
}

/// Sets or removes the two finalizers of garbage collection; tells whether that changed anything.
fn mark_dependents(kind: Kind, value: &mut Value, asked: Option<Propagation>) -> bool {
    // Events own nothing.
    if kind == Kind::Event {
        return false;
    }
    let finalizers: Vec<String> = value["metadata"]["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let has = |name: &str| finalizers.iter().any(|other| other == name);
    let wanted = match asked {
        Some(Propagation::Orphan) => Some(ORPHAN),
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Background) => None,
        None => finalizers.iter().map(String::as_str).find(|name| matches!(*name, ORPHAN | FOREGROUND)).map(
            |name| {
                if name == ORPHAN { ORPHAN } else { FOREGROUND }
            },
        ),
    };
    let unchanged = [ORPHAN, FOREGROUND].into_iter().all(|name| has(name) == (wanted == Some(name)));
    if unchanged {
        return false;
    }
    let mut list: Vec<Value> = finalizers
        .iter()
        .filter(|name| !matches!(name.as_str(), ORPHAN | FOREGROUND))
        .map(|name| name.as_str().into())
        .collect();
    list.extend(wanted.map(Value::from));
    let list = if list.is_empty() { Value::Null } else { Value::Array(list) };
    super::set_metadata(value, "finalizers", list);
    true
}

/// A Namespace is only marked; who empties it removes it.
fn namespace(
    state: &mut Transaction<'_>,
    old: &Arc<Object>,
    options: &DeleteOptions,
) -> Result<Deleted, Status> {
    let kind = Kind::Namespace;
    if matches!(old.key.name.as_str(), "default" | "kube-system" | "kube-public") {
        return Err(Status::forbidden(kind, &old.key.name, "this namespace may not be deleted"));
    }
    let mut value = old.value();
    if value["metadata"]["deletionTimestamp"].is_null() {
        mark_dependents(kind, &mut value, options.propagation);
        value["metadata"]["deletionTimestamp"] = now().into();
        value["status"] = json!({"phase": "Terminating"});
        return Ok(Deleted::Going(store(state, kind, value, old.version, options.dry_run)));
    }
    if value["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty()) {
        return Ok(Deleted::Going(Arc::clone(old)));
    }
    delete(state, kind, old, options)
}
