//! Creates, updates and patches.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::route::Resource;
use super::{Api, Bent, Request, body, events, list};
use crate::sandbox::kinds::Kind;
use crate::sandbox::patch;
use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::Object;
use crate::sandbox::verbs::{self, Writing, same_place};

/// What the parameters of a write say.
pub(super) struct Parameters {
    pub(super) dry_run: bool,
    /// `fieldValidation`: fields that nobody knows are refused, or warned of, or passed over.
    strict: bool,
    warn: bool,
}

impl Parameters {
    /// `options`: what kube-apiserver calls them.
    ///
    /// # Errors
    /// 422 for values that are not known.
    pub(super) fn of(request: &Request, options: &str) -> Result<Parameters, Status> {
        let query = &request.query;
        let dry: Vec<&str> = query.all("dryRun").filter(|value| !value.is_empty()).collect();
        let mut wrong = Vec::new();
        let mut unsupported = |field: &str, value: String, supported: &str| {
            wrong.push(FieldError {
                reason: "FieldValueNotSupported",
                field: field.to_owned(),
                message: format!("Unsupported value: {value}: supported values: {supported}"),
            });
        };
        if dry.iter().any(|value| *value != "All") {
            unsupported("dryRun", json!(dry).to_string(), "\"All\"");
        }
        let validation = query.text("fieldValidation");
        if !matches!(validation, "" | "Ignore" | "Strict" | "Warn") {
            unsupported(
                "fieldValidation",
                json!(validation).to_string(),
                "\"\", \"Ignore\", \"Strict\", \"Warn\"",
            );
        }
        if options == "PatchOptions" && query.get("force").is_some() {
            wrong.push(FieldError {
                reason: "FieldValueForbidden",
                field: "force".to_owned(),
                message: "Forbidden: may not be specified for non-apply patch".to_owned(),
            });
        }
        if !wrong.is_empty() {
            return Err(Status::invalid_options(options, &wrong));
        }
        Ok(Parameters {
            dry_run: !dry.is_empty(),
            strict: validation == "Strict",
            warn: matches!(validation, "" | "Warn"),
        })
    }

    /// What is unknown in a body, as far as somebody wants to hear it. `refuse` makes the refusal of it.
    fn unknown_fields(
        &self,
        resource: &Resource,
        json: &[u8],
        refuse: impl FnOnce(&str) -> Status,
    ) -> Result<Vec<String>, Status> {
        if resource.second_view || !(self.strict || self.warn) {
            return Ok(Vec::new());
        }
        let errors = resource.kind.strategy().strict_errors(json);
        if self.strict && !errors.is_empty() {
            return Err(refuse(&format!("strict decoding error: {}", errors.join(", "))));
        }
        Ok(errors)
    }
}

/// A body as an object to be stored, and what is to be warned of.
fn read(
    request: &Request,
    resource: &Resource,
    parameters: &Parameters,
) -> Result<(Value, Vec<String>), Status> {
    let json = body::json(request)?;
    let value = body::object(&json, resource.kind, &resource.api_version())?;
    let refuse = |error: &str| verbs::unreadable(resource.kind, error);
    let mut warnings = parameters.unknown_fields(resource, &json, refuse)?;
    let mut value = value;
    warnings.extend(one_of_each_owner(&mut value));
    let value = if resource.second_view { events::first(value) } else { value };
    Ok((value, warnings))
}

/// Owners that are given twice are kept once, and told.
fn one_of_each_owner(value: &mut Value) -> Option<String> {
    let owners = value.pointer_mut("/metadata/ownerReferences")?.as_array_mut()?;
    let (mut kept, mut twice): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for owner in owners.drain(..) {
        if kept.contains(&owner) {
            twice.push(owner["uid"].as_str().unwrap_or_default().to_owned());
        } else {
            kept.push(owner);
        }
    }
    *owners = kept;
    (!twice.is_empty()).then(|| {
        format!(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and \
             may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
            twice.join(", ")
        )
    })
}

/// A refusal with what was noticed of the body before.
fn warned(status: Status, mut warnings: Vec<String>) -> Status {
    warnings.extend(status.warnings.iter().cloned());
    Status { warnings: warnings.into(), ..status }
}

fn writing(resource: &Resource, parameters: &Parameters) -> Writing {
    Writing { dry_run: parameters.dry_run, events_group: resource.second_view }
}

fn answered(
    request: &Request,
    resource: &Resource,
    object: &Arc<Object>,
    old: Option<&Value>,
    mut warnings: Vec<String>,
) -> Result<Answer, Status> {
    let strategy = resource.kind.strategy();
    warnings.extend(strategy.warnings(&object.value(), old));
    let code = if old.is_some() { 200 } else { 201 };
    let mut answer = list::shown(request, resource, object, &Bent::default(), code)?;
    answer.warnings = warnings;
    Ok(answer)
}

pub(super) fn create(api: &Api, request: &Request, resource: &Resource) -> Result<Answer, Status> {
    let parameters = Parameters::of(request, "CreateOptions")?;
    let (value, warnings) = read(request, resource, &parameters)?;
    let namespace = resource.namespace.as_deref().unwrap_or_default();
    match api.store.create(resource.kind, namespace, value, writing(resource, &parameters)) {
        Ok(object) => answered(request, resource, &object, None, warnings),
        Err(status) => Err(warned(status, warnings)),
    }
}

pub(super) fn update(api: &Api, request: &Request, resource: &Resource) -> Result<Answer, Status> {
    let parameters = Parameters::of(request, "UpdateOptions")?;
    let (mut value, warnings) = read(request, resource, &parameters)?;
    let key = Api::key(resource);
    if let Err(status) = same_place(&value, &key) {
        return Err(warned(status, warnings));
    }
    let how = writing(resource, &parameters);
    // Only for the warnings, which may speak of an object that another one has just replaced.
    let old = api.store.get(resource.kind, &key).map(|object| object.value()).unwrap_or_default();
    let updated = match api.store.update(resource.kind, &key, resource.sub.as_deref(), value.clone(), how) {
        Err(status) if status.code == 404 && resource.sub.is_none() && made_by_update(resource.kind) => {
            if let Some(uid) = value["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()) {
                let refusal = Status::other_uid(resource.kind, &key, uid, "", how.dry_run);
                return Err(warned(refusal, warnings));
            }
            let given =
                value["metadata"].as_object_mut().and_then(|metadata| metadata.remove("resourceVersion"));
            return match api.store.create(resource.kind, &key.namespace, value, how) {
                Ok(object) => {
                    let object = if how.dry_run { with_version(&object, given) } else { object };
                    answered(request, resource, &object, None, warnings)
                }
                Err(status) => Err(warned(status, warnings)),
            };
        }
        other => other,
    };
    match updated {
        Ok(object) => answered(request, resource, &object, Some(&old), warnings),
        Err(status) => Err(warned(status, warnings)),
    }
}

/// What a dry run made of nothing keeps the version that the body had.
fn with_version(object: &Object, version: Option<Value>) -> Arc<Object> {
    let mut value = object.value();
    if let Some(version) = version.filter(|version| version.as_str().is_some_and(|text| !text.is_empty())) {
        value["metadata"]["resourceVersion"] = version;
    }
    Arc::new(Object::new(object.kind, value, 0))
}

/// Kinds of which an update makes what does not exist.
fn made_by_update(kind: Kind) -> bool {
    matches!(kind, Kind::Service | Kind::Endpoints | Kind::Event | Kind::Lease)
}

/// The media type of a patch, when it is one that can be applied.
pub(super) fn patch_type(request: &Request) -> Result<&str, Status> {
    let media = request.header(http::header::CONTENT_TYPE);
    let media = media.split(';').next().unwrap_or_default().trim();
    if media == "application/apply-patch+yaml" {
        return Err(patch::refuse_apply());
    }
    if patch::TYPES.contains(&media) {
        return Ok(media);
    }
    let message = "415: Unsupported Media Type";
    Err(Status { details: json!({}), ..Status::new(415, "UnsupportedMediaType", message) })
}

pub(super) fn patch(api: &Api, request: &Request, resource: &Resource) -> Result<Answer, Status> {
    let media = patch_type(request)?;
    let parameters = Parameters::of(request, "PatchOptions")?;
    let kind = resource.kind;
    let mut warnings = Vec::new();
    let mut old = Value::Null;
    // Of a strategic merge the patch is shown, of others what came of it.
    let unreadable = |patched: &Value, error: &str| match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) if media == patch::TYPES[2] => {
            let error = patch::conversion_error(error);
            patch::unreadable_text(&patch::go_map(&body), &error)
        }
        _ => patch::unreadable(patched, error),
    };
    let change = |current: &Value| {
        old = current.clone();
        let seen;
        let current = if resource.second_view {
            seen = events::second(current.clone());
            &seen
        } else {
            current
        };
        let mut patched = patch::apply(kind, media, current, &request.body)?;
        let (own, name) = (resource.api_version(), kind.info().kind);
        let version = body::text_or(&patched["apiVersion"], &own);
        if let Some(error) = body::other_type(kind, &own, version, body::text_or(&patched["kind"], name)) {
            return Err(patch::unreadable(&patched, &error));
        }
        let json = patched.to_string();
        warnings =
            parameters.unknown_fields(resource, json.as_bytes(), |error| unreadable(&patched, error))?;
        warnings.extend(one_of_each_owner(&mut patched));
        Ok(if resource.second_view { events::first(patched) } else { patched })
    };
    let key = Api::key(resource);
    let how = writing(resource, &parameters);
    match api.store.patch(kind, &key, resource.sub.as_deref(), change, unreadable, how) {
        Ok(object) => answered(request, resource, &object, Some(&old), warnings),
        Err(status) => Err(warned(status, warnings)),
    }
}

/// `POST pods/NAME/binding`: gives a Pod its Node.
pub(super) fn bind(api: &Api, request: &Request, resource: &Resource) -> Result<Answer, Status> {
    let parameters = Parameters::of(request, "CreateOptions")?;
    let bytes = body::json(request)?;
    let binding: Value =
        serde_json::from_slice(&bytes).map_err(|error| Status::bad_request(patch::syntax(&bytes, &error)))?;
    let key = Api::key(resource);
    if binding["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty() && name != key.name) {
        return Err(Status::bad_request("name in URL does not match name in Binding object"));
    }
    api.store.bind(&key, &binding, parameters.dry_run)?;
    let mut success = verbs::success();
    success["code"] = 201.into();
    Ok(Answer::json(201, &success))
}

/// `PUT namespaces/NAME/finalize`: changes what a Namespace waits for.
pub(super) fn finalize(api: &Api, request: &Request, resource: &Resource) -> Result<Answer, Status> {
    let parameters = Parameters::of(request, "UpdateOptions")?;
    let (value, warnings) = read(request, resource, &parameters)?;
    let key = Api::key(resource);
    same_place(&value, &key)?;
    let old = api.store.get(resource.kind, &key).map(|object| object.value()).unwrap_or_default();
    let object = api.store.finalize(&key, &value, parameters.dry_run)?;
    answered(request, resource, &object, Some(&old), warnings)
}
