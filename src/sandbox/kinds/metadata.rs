//! What `metadata` must be, whatever the kind.

use serde_json::Value;

use crate::sandbox::status::FieldError;

use super::field::{self, Path};
use super::{formats, schema};

const METADATA: Path<'_> = Path::new("metadata");
/// Bytes of all annotations together.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// What a name must be: gives what is wrong with it.
pub type Names = fn(&str) -> Vec<String>;

/// What is wrong with an object's metadata. `namespaced`: its kind lives in namespaces.
#[must_use]
pub fn check(value: &Value, namespaced: bool, names: Names) -> Vec<FieldError> {
    let mut wrong = check_common(value, namespaced, names);
    finalizer_names(&value["metadata"]["finalizers"], &mut wrong);
    wrong
}

/// What every object is checked for, whatever its kind.
fn check_common(value: &Value, namespaced: bool, names: Names) -> Vec<FieldError> {
    let metadata = &value["metadata"];
    let text = |name: &str| metadata[name].as_str().unwrap_or_default();
    let mut wrong = Vec::new();
    let (prefix, name) = (text("generateName"), text("name"));
    if !prefix.is_empty() {
        let path = METADATA.child("generateName");
        for detail in names(&formats::without_trailing_dash(prefix)) {
            wrong.push(field::invalid_text(&path, prefix, &detail));
        }
    }
    if name.is_empty() {
        wrong.push(field::required(&METADATA.child("name"), "name or generateName is required"));
    } else {
        wrong.extend(formats::all(&METADATA.child("name"), name, names));
    }
    rest(metadata, namespaced, &mut wrong);
    wrong
}

/// What every update is checked for, before the checks of its kind.
#[must_use]
pub fn check_common_update(new: &Value, old: &Value, namespaced: bool) -> Vec<FieldError> {
    let mut wrong = check_common(new, namespaced, |name| formats::path_segment(name, false));
    wrong.extend(common_update(new, old));
    wrong
}

/// What an update may not change in the metadata, and what its finalizers may be.
#[must_use]
pub fn check_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut wrong = common_update(new, old);
    finalizer_names(&new["metadata"]["finalizers"], &mut wrong);
    wrong
}

/// What an update may not change; labels, annotations and owners are looked at once more.
fn common_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let (new, old) = (&new["metadata"], &old["metadata"]);
    let mut wrong = Vec::new();
    if !old["deletionTimestamp"].is_null() {
        let mut extra: Vec<&str> = texts(&new["finalizers"])
            .filter(|name| !texts(&old["finalizers"]).any(|old| old == *name))
            .collect();
        extra.sort_unstable();
        extra.dedup();
        if !extra.is_empty() {
            let list: Vec<String> = extra.iter().map(|name| field::quoted(name)).collect();
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers \
                 []string{{{}}}",
                list.join(", ")
            );
            wrong.push(field::forbidden(&METADATA.child("finalizers"), &detail));
        }
    }
    let fixed =
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"];
    for name in fixed {
        wrong.extend(field::immutable(&METADATA.child(name), &new[name], &old[name]));
    }
    wrong.extend(check_labels(&new["labels"], &METADATA.child("labels")));
    wrong.extend(check_annotations(&new["annotations"], &METADATA.child("annotations")));
    owners(&new["ownerReferences"], &mut wrong);
    wrong
}

/// A finalizer is one of Kubernetes' own, or has a domain.
fn finalizer_names(list: &Value, wrong: &mut Vec<FieldError>) {
    let path = METADATA.child("finalizers");
    for (index, name) in texts(list).enumerate() {
        if !name.contains('/') && !["kubernetes", "orphan", "foregroundDeletion"].contains(&name) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            wrong.push(field::invalid_text(&path.index(index), name, detail));
        }
    }
}

/// The texts of a list.
pub fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What is wrong with a map of labels.
#[must_use]
pub fn check_labels(labels: &Value, path: &Path<'_>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        wrong.extend(formats::all(path, key, formats::qualified_name));
        wrong.extend(formats::all(path, value.as_str().unwrap_or_default(), formats::label_value));
    }
    wrong
}

/// What is wrong with annotations.
#[must_use]
pub fn check_annotations(annotations: &Value, path: &Path<'_>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        for detail in formats::qualified_name(&key.to_lowercase()) {
            wrong.push(field::invalid_text(path, key, &detail));
        }
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > MOST_ANNOTATIONS {
        wrong.push(field::too_long(path, MOST_ANNOTATIONS));
    }
    wrong
}

fn rest(metadata: &Value, namespaced: bool, wrong: &mut Vec<FieldError>) {
    let path = METADATA.child("namespace");
    match (namespaced, metadata["namespace"].as_str().unwrap_or_default()) {
        (true, "") => wrong.push(field::required(&path, "")),
        (true, name) => wrong.extend(formats::all(&path, name, formats::dns_label)),
        (false, "") => {}
        (false, _) => wrong.push(field::forbidden(&path, "not allowed on this type")),
    }
    if metadata["generation"].as_i64().is_some_and(|number| number < 0) {
        let detail = "must be greater than or equal to 0";
        wrong.push(field::invalid(&METADATA.child("generation"), &metadata["generation"], detail));
    }
    wrong.extend(check_labels(&metadata["labels"], &METADATA.child("labels")));
    wrong.extend(check_annotations(&metadata["annotations"], &METADATA.child("annotations")));
    owners(&metadata["ownerReferences"], wrong);
    finalizers(&metadata["finalizers"], wrong);
}

fn owners(list: &Value, wrong: &mut Vec<FieldError>) {
    let path = METADATA.child("ownerReferences");
    let mut controller: Option<String> = None;
    for owner in list.as_array().into_iter().flatten() {
        let text = |name: &str| owner[name].as_str().unwrap_or_default();
        let version = text("apiVersion");
        // `group/` has no version, and what has two slashes is none.
        if version.is_empty() || version.ends_with('/') || version.matches('/').count() > 1 {
            let path = path.child("apiVersion");
            wrong.push(field::invalid_text(&path, version, "version must not be empty"));
        }
        for name in ["kind", "name", "uid"] {
            if text(name).is_empty() {
                wrong.push(field::invalid_text(&path.child(name), "", "must not be empty"));
            }
        }
        if version == "v1" && text("kind") == "Event" {
            let shown = schema::printed("meta.OwnerReference", owner);
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            wrong.push(field::invalid_shown(&path, &shown, detail));
        }
        if owner["controller"] == true {
            let this = format!("{}/{}", text("kind"), text("name"));
            match &controller {
                Some(first) => {
                    let shown = schema::printed("meta.OwnerReference", list);
                    let detail = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references \
                         for {first} and {this}"
                    );
                    wrong.push(field::invalid_shown(&path, &shown, &detail));
                }
                None => controller = Some(this),
            }
        }
    }
}

fn finalizers(list: &Value, wrong: &mut Vec<FieldError>) {
    let path = METADATA.child("finalizers");
    for name in texts(list) {
        wrong.extend(formats::all(&path, name, formats::qualified_name));
    }
    let has = |wanted: &str| texts(list).any(|name| name == wanted);
    if has("orphan") && has("foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        wrong.push(field::invalid(&path, list, detail));
    }
}
