//! Deletes, of one object and of collections.

use std::sync::Arc;

use serde_json::Value;

use super::answer::Answer;
use super::route::Resource;
use super::selector::Selection;
use super::{Api, Bent, Request, accept, body, list};
use crate::sandbox::kinds::{Kind, schema};
use crate::sandbox::patch;
use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::{Key, Object};
use crate::sandbox::verbs::{DeleteOptions, Deleted, Propagation, success};

/// The options of a delete, and whether its caller wants to hear that dependents are still there (202).
struct Options {
    options: DeleteOptions,
    accepted: bool,
}

pub(super) fn delete(api: &Api, request: &Request, resource: &Resource) -> Result<Answer, Status> {
    let Options { options, accepted } = options(request)?;
    let key = Api::key(resource);
    match api.store.delete(resource.kind, &key, &options)? {
        Deleted::Going(object) => {
            let code = if accepted { 202 } else { 200 };
            list::shown(request, resource, &object, &Bent::default(), code)
        }
        Deleted::Gone(object) if matches!(resource.kind, Kind::Pod | Kind::Service | Kind::Namespace) => {
            list::one(request, resource, &object, &Bent::default())
        }
        Deleted::Gone(object) => {
            let info = resource.kind.info();
            let mut answer = success();
            answer["details"] = serde_json::json!({"name": key.name.as_str(), "kind": info.plural, "uid": object.uid.as_str()});
            let version = resource.api_version();
            if let Some((group, _)) = version.split_once('/') {
                answer["details"]["group"] = group.into();
            }
            Ok(Answer::json(200, &answer))
        }
    }
}

pub(super) fn collection(api: &Api, request: &Request, resource: &Resource) -> Result<Answer, Status> {
    let Options { options, .. } = options(request)?;
    let form = accept::form(request.header(http::header::ACCEPT))?;
    let selection = Selection::of(resource, &request.query)?;
    let page = list::page(api, request, resource, &selection, &Bent::default())?;
    let keys: Vec<Key> = page.objects.iter().map(|object: &Arc<Object>| object.key.clone()).collect();
    for key in keys {
        match api.store.delete(resource.kind, &key, &options) {
            Err(status) if status.code == 404 => {}
            other => drop(other?),
        }
    }
    list::listed(request, resource, &selection, &page, form, &Bent::default())
}

fn options(request: &Request) -> Result<Options, Status> {
    let query = &request.query;
    let from_body: Value = if request.body.is_empty() { Value::Null } else { parsed(request)? };
    let in_query = from_body.is_null();
    let text = |field: &str| {
        let value = if in_query { query.get(field) } else { from_body[field].as_str() };
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let grace =
        if in_query { query.number("gracePeriodSeconds")? } else { from_body["gracePeriodSeconds"].as_i64() };
    let orphans =
        if in_query { query.flag("orphanDependents") } else { from_body["orphanDependents"].as_bool() };
    let dry: Vec<String> = if in_query {
        query.all("dryRun").filter(|value| !value.is_empty()).map(str::to_owned).collect()
    } else {
        let list = from_body["dryRun"].as_array().into_iter().flatten();
        list.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let mut wrong = Vec::new();
    let policy = text("propagationPolicy");
    let propagation = match policy.as_deref() {
        None => orphans.map(|orphans| if orphans { Propagation::Orphan } else { Propagation::Background }),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Background") => Some(Propagation::Background),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let supported = "\"Foreground\", \"Background\", \"Orphan\", \"nil\"";
            wrong.push(FieldError {
                reason: "FieldValueNotSupported",
                field: "propagationPolicy".to_owned(),
                message: format!("Unsupported value: {other:?}: supported values: {supported}"),
            });
            None
        }
    };
    if let Some(policy) = policy.filter(|_| orphans.is_some()) {
        wrong.push(FieldError {
            reason: "FieldValueInvalid",
            field: "propagationPolicy".to_owned(),
            message: format!(
                "Invalid value: {policy:?}: orphanDependents and deletionPropagation cannot be both set"
            ),
        });
    }
    if dry.iter().any(|value| value != "All") {
        wrong.push(FieldError {
            reason: "FieldValueNotSupported",
            field: "dryRun".to_owned(),
            message: format!("Unsupported value: {}: supported values: \"All\"", serde_json::json!(dry)),
        });
    }
    if !wrong.is_empty() {
        return Err(Status::invalid_options("DeleteOptions", &wrong));
    }
    let precondition = |field: &str| from_body["preconditions"][field].as_str().map(str::to_owned);
    Ok(Options {
        options: DeleteOptions {
            grace,
            uid: precondition("uid"),
            version: precondition("resourceVersion"),
            propagation,
            dry_run: !dry.is_empty(),
        },
        accepted: orphans == Some(false),
    })
}

fn parsed(request: &Request) -> Result<Value, Status> {
    let bytes = body::json(request)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
        let error = patch::syntax(&bytes, &error);
        Status::bad_request(format!("couldn't get version/kind; json parse error: {error}"))
    })?;
    if !value.is_object() && !value.is_null() {
        return Err(Status::bad_request(format!(
            "couldn't get version/kind; json parse error: {}",
            body::no_struct(&value)
        )));
    }
    let text = |field: &str, default: &str| value[field].as_str().unwrap_or(default).to_owned();
    let (kind, version) = (text("kind", "DeleteOptions"), text("apiVersion", "v1"));
    if kind != "DeleteOptions" {
        return Err(Status::bad_request(body::unregistered(&kind, &version)));
    }
    if value.is_null() {
        return Ok(value);
    }
    schema::read("meta.DeleteOptions", value).map_err(Status::bad_request)
}
