//! `scale`: how many replicas a workload has and wants, as autoscaling/v1 Scale.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::accept::{self, Form};
use super::answer::Answer;
use super::route::Resource;
use super::write::{Parameters, patch_type};
use super::{Api, Request, Verb, body, list};
use crate::sandbox::patch;
use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::Object;
use crate::sandbox::table;
use crate::sandbox::verbs::same_place;

pub(super) fn scale(api: &Api, request: &Request, resource: &Resource, verb: Verb) -> Result<Answer, Status> {
    let (kind, key) = (resource.kind, Api::key(resource));
    let current = api.store.get(kind, &key).ok_or_else(|| Status::not_found(kind, &key.name))?;
    let (wanted, parameters) = match verb {
        Verb::Get => return answered(request, &of(&current)),
        Verb::Update => {
            let parameters = Parameters::of(request, "UpdateOptions")?;
            let bytes = body::json(request)?;
            let wanted: Value = serde_json::from_slice(&bytes)
                .map_err(|error| Status::bad_request(patch::syntax(&bytes, &error)))?;
            (wanted, parameters)
        }
        _ => {
            let media = patch_type(request)?;
            let parameters = Parameters::of(request, "PatchOptions")?;
            (patch::apply(kind, media, &of(&current), &request.body)?, parameters)
        }
    };
    let replicas = match &wanted["spec"]["replicas"] {
        Value::Null => 0,
        number if number.is_i64() => number.as_i64().unwrap_or(0),
        other => {
            let error = format!(
                "json: cannot unmarshal {} into Go struct field ScaleSpec.spec.replicas of type int32",
                patch::json_type(other)
            );
            return Err(match verb {
                Verb::Update => Status::bad_request(format!(
                    "Scale in version \"v1\" cannot be handled as a Scale: {error}"
                )),
                _ => patch::unreadable(&wanted, &error),
            });
        }
    };
    same_place(&wanted, &key)?;
    if replicas < 0 {
        return Err(negative(&key.name, replicas));
    }
    let uid = wanted["metadata"]["uid"].as_str().unwrap_or_default();
    if !uid.is_empty() && uid != current.uid {
        return Err(Status::other_uid(kind, &key, uid, &current.uid, parameters.dry_run));
    }
    let version = wanted["metadata"]["resourceVersion"].clone();
    let change = |object: &Value| {
        let mut object = object.clone();
        // Without a version it is meant for whatever stands.
        if verb == Verb::Update && version.as_str().is_some_and(|version| !version.is_empty()) {
            object["metadata"]["resourceVersion"] = version;
        }
        object["spec"]["replicas"] = replicas.into();
        Ok(object)
    };
    let scaled = api.store.patch(kind, &key, None, change, patch::unreadable, parameters.dry_run)?;
    answered(request, &of(&scaled))
}

fn answered(request: &Request, scale: &Value) -> Result<Answer, Status> {
    let value = match accept::form(request.header(http::header::ACCEPT))? {
        Form::Table(version) => {
            let table = table::of_scale(scale, &list::table_options(request)?, Timestamp::now());
            list::versioned(table, version)
        }
        Form::Metadata | Form::MetadataList => list::metadata_of(scale),
        Form::Plain => scale.clone(),
    };
    Ok(Answer::json(200, &value))
}

/// The Scale of a workload.
fn of(object: &Object) -> Value {
    let value = object.value();
    let metadata = &value["metadata"];
    let mut shown = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        shown[field] = metadata[field].clone();
    }
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown, "spec": {},
        "status": {"replicas": value["status"]["replicas"].as_i64().unwrap_or(0)},
    });
    // Zero replicas are not printed.
    let replicas = value["spec"]["replicas"].as_i64().unwrap_or(1);
    if replicas != 0 {
        scale["spec"]["replicas"] = replicas.into();
    }
    let selector = selector(&value["spec"]["selector"]);
    if !selector.is_empty() {
        scale["status"]["selector"] = selector.into();
    }
    scale
}

/// A `metav1.LabelSelector` as a text.
fn selector(selector: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut terms: Vec<(String, String)> =
        labels.map(|(key, value)| (key.clone(), format!("{key}={}", text(value)))).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = text(&expression["key"]);
        let mut values: Vec<String> =
            expression["values"].as_array().into_iter().flatten().map(text).collect();
        values.sort();
        let values = values.join(",");
        let term = match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.clone(),
        };
        terms.push((key, term));
    }
    terms.sort();
    terms.into_iter().map(|(_, term)| term).collect::<Vec<_>>().join(",")
}

fn negative(name: &str, replicas: i64) -> Status {
    let error = FieldError {
        reason: "FieldValueInvalid",
        field: "spec.replicas".to_owned(),
        message: format!("Invalid value: {replicas}: must be greater than or equal to 0"),
    };
    let message = format!("Scale.autoscaling {name:?} is invalid: {}: {}", error.field, error.message);
    let details = json!({
        "name": name, "group": "autoscaling", "kind": "Scale",
        "causes": [{"reason": error.reason, "message": error.message, "field": error.field}],
    });
    Status { details, ..Status::new(422, "Invalid", message) }
}
