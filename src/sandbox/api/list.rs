//! Reading: one object, and lists.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::accept::{self, Form};
use super::answer::Answer;
use super::route::Resource;
use super::selector::Selection;
use super::token::Token;
use super::{Api, Bent, Request, events};
use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::{Object, Page};
use crate::sandbox::table;

/// The version that a request asks for; 0 where it does not care.
pub(super) fn version(request: &Request) -> Result<u64, Status> {
    match request.query.text("resourceVersion") {
        "" => Ok(0),
        text => text.parse().map_err(|_| {
            Status::bad_request(format!(
                "invalid resource version: resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing \
                 {text:?}: invalid syntax"
            ))
        }),
    }
}

/// The same for one object and for watches, which say it in fewer words.
pub(super) fn plain_version(request: &Request) -> Result<u64, Status> {
    match request.query.text("resourceVersion") {
        "" => Ok(0),
        text => text.parse().map_err(|_| {
            let error = format!(
                "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
            );
            Status::new(500, "", error)
        }),
    }
}

pub(super) fn get(api: &Api, request: &Request, resource: &Resource, bent: &Bent) -> Result<Answer, Status> {
    let asked = plain_version(request)?;
    let current = api.store.version();
    if asked > current {
        return Err(Status::too_large(asked, current));
    }
    let key = Api::key(resource);
    let object =
        api.store.get(resource.kind, &key).ok_or_else(|| Status::not_found(resource.kind, &key.name))?;
    one(request, resource, &object, bent)
}

/// The answer that shows one object.
pub(super) fn one(
    request: &Request,
    resource: &Resource,
    object: &Arc<Object>,
    bent: &Bent,
) -> Result<Answer, Status> {
    shown(request, resource, object, bent, 200)
}

/// The answer that shows one object, with this code.
pub(super) fn shown(
    request: &Request,
    resource: &Resource,
    object: &Arc<Object>,
    bent: &Bent,
    code: u16,
) -> Result<Answer, Status> {
    let form = accept::form(request.header(http::header::ACCEPT))?;
    if form == Form::Plain && !resource.second_view && bent.undecodable.is_none() {
        let mut json = Vec::new();
        object.write_typed(&mut json);
        return Ok(Answer::bytes(code, json));
    }
    let value = seen(resource, object, bent);
    let value = match form {
        Form::Plain => value,
        Form::Table(version) => {
            let table = table_of_object(resource, value, &table_options(request)?);
            versioned(table, version)
        }
        Form::Metadata => metadata_of(&value),
        Form::MetadataList => {
            let info = resource.kind.info();
            let message = format!(
                "you requested PartialObjectMetadataList, but the requested object is not a list (*{}.{})",
                package(resource),
                info.kind
            );
            return Err(Status::new(406, "NotAcceptable", message));
        }
    };
    Ok(Answer::json(code, &value))
}

/// An object as the path's group shows it, with its type, and what a fault makes of it.
pub(super) fn seen(resource: &Resource, object: &Object, bent: &Bent) -> Value {
    let mut value = object.typed();
    if resource.second_view {
        value = events::second(value);
    }
    if let Some(name) = &bent.undecodable
        && (name.is_empty() || object.key.name == name.as_str())
    {
        spoil(&mut value);
    }
    value
}

/// Makes an object that is JSON and nothing of its kind.
fn spoil(value: &mut Value) {
    for (name, field) in value.as_object_mut().into_iter().flatten() {
        if !matches!(name.as_str(), "kind" | "apiVersion" | "metadata") {
            *field = json!({"undecodable": [7]}).to_string().into();
        }
    }
}

pub(super) fn table_options(request: &Request) -> Result<table::Options, Status> {
    table::Options::of_query(request.query.get("includeObject"))
}

pub(super) fn metadata_of(value: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": value["metadata"],
    })
}

pub(super) fn list(api: &Api, request: &Request, resource: &Resource, bent: &Bent) -> Result<Answer, Status> {
    let form = accept::form(request.header(http::header::ACCEPT))?;
    let selection = Selection::of(resource, &request.query)?;
    let page = page(api, request, resource, &selection, bent)?;
    listed(request, resource, &selection, &page, form, bent)
}

/// A table in the version of its group that was asked for; so are the objects in it that are only metadata.
pub(super) fn versioned(mut table: Value, version: &str) -> Value {
    let version = format!("meta.k8s.io/{version}");
    for row in table["rows"].as_array_mut().into_iter().flatten() {
        if row["object"]["kind"] == "PartialObjectMetadata" {
            row["object"]["apiVersion"] = version.as_str().into();
        }
    }
    table["apiVersion"] = version.into();
    table
}

/// A table of objects as they are [`seen`]. Its cells are made of what core/v1 calls its fields.
fn tabled(resource: &Resource, metadata: Value, objects: Vec<Value>, options: &table::Options) -> Value {
    let now = Timestamp::now();
    if !resource.second_view {
        return table::convert(resource.kind, metadata, &objects, options, now);
    }
    let objects: Vec<Value> = objects.into_iter().map(events::first).collect();
    let mut table = table::convert(resource.kind, metadata, &objects, options, now);
    for row in table["rows"].as_array_mut().into_iter().flatten() {
        if row["object"]["kind"] == "Event" {
            row["object"] = events::second(row["object"].take());
        }
    }
    table
}

/// The table of one object as it is [`seen`].
pub(super) fn table_of_object(resource: &Resource, object: Value, options: &table::Options) -> Value {
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let metadata = json!({"resourceVersion": version});
    tabled(resource, metadata, vec![object], options)
}

/// The part of a list that a request asks for.
pub(super) fn page(
    api: &Api,
    request: &Request,
    resource: &Resource,
    selection: &Selection,
    bent: &Bent,
) -> Result<Page, Status> {
    request.query.number("timeoutSeconds")?;
    check_options(request, false)?;
    let limit = request.query.number("limit")?.unwrap_or(0);
    let limit = usize::try_from(limit).unwrap_or(0);
    let namespace = resource.namespace.as_deref();
    let asked = version(request)?;
    let admits = |object: &Object| selection.admits(object);
    let token = match request.query.text("continue") {
        "" => None,
        text => {
            if asked > 0 {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            Some(Token::decode(text, namespace)?)
        }
    };
    if let Some(token) = token {
        let page = api.store.page(resource.kind, namespace, token.version, Some(&token.after), limit, admits);
        return page.map_err(|_| {
            let on = Token { version: None, after: token.after };
            let message = "The provided continue parameter is too old to display a consistent list result. You \
                           can start a new list without the continue parameter, or use the continue token in \
                           this response to retrieve the remainder of the results. Continuing with the provided \
                           token results in an inconsistent list - objects that were created, modified, or \
                           deleted between the time the first chunk was returned and now may show up in the list.";
            Status { go_on: Some(on.encode(namespace).into()), ..Status::expired(message) }
        });
    }
    // What has one name is no list of pages.
    let limit = if selection.is_one() { 0 } else { limit };
    let current = api.store.version();
    if asked > current {
        return Err(Status::too_large(asked, current));
    }
    let matching = request.query.text("resourceVersionMatch");
    let exact = matching == "Exact" || (matching.is_empty() && limit > 0 && asked > 0);
    let at = bent.stale.or(exact.then_some(asked));
    api.store
        .page(resource.kind, namespace, at, None, limit, admits)
        .map_err(|_| Status::expired("The resourceVersion for the provided list is too old."))
}

/// A list as it is answered. Plain lists are joined from the stored JSON.
pub(super) fn listed(
    request: &Request,
    resource: &Resource,
    selection: &Selection,
    page: &Page,
    form: Form,
    bent: &Bent,
) -> Result<Answer, Status> {
    let mut metadata = json!({"resourceVersion": page.version.to_string()});
    if page.remaining > 0
        && let Some(last) = page.objects.last()
    {
        let token = Token { version: Some(page.version), after: last.key.clone() };
        metadata["continue"] = token.encode(resource.namespace.as_deref()).into();
        if selection.is_everything() {
            metadata["remainingItemCount"] = page.remaining.into();
        }
    }
    let kind = format!("{}List", resource.kind.info().kind);
    let values = || page.objects.iter().map(|object| seen(resource, object, bent));
    Ok(match form {
        Form::Plain if !resource.second_view && bent.undecodable.is_none() => {
            let size: usize = page.objects.iter().map(|object| object.json().len() + 1).sum();
            let mut json = Vec::with_capacity(size + 256);
            json.extend_from_slice(head(&kind, &resource.api_version(), &metadata).as_bytes());
            for (place, object) in page.objects.iter().enumerate() {
                if place > 0 {
                    json.push(b',');
                }
                json.extend_from_slice(&object.json());
            }
            json.extend_from_slice(b"]}");
            Answer::bytes(200, json)
        }
        Form::Plain => {
            let objects = values().map(|mut value| {
                if let Some(map) = value.as_object_mut() {
                    map.remove("kind");
                    map.remove("apiVersion");
                }
                value.to_string()
            });
            let objects: Vec<String> = objects.collect();
            let text = format!("{}{}]}}", head(&kind, &resource.api_version(), &metadata), objects.join(","));
            Answer::bytes(200, text.into_bytes())
        }
        Form::Table(version) => {
            let table = tabled(resource, metadata, values().collect(), &table_options(request)?);
            Answer::json(200, &versioned(table, version))
        }
        Form::MetadataList => {
            let items: Vec<Value> = values().map(|value| metadata_of(&value)).collect();
            Answer::json(
                200,
                &json!({
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                    "items": items,
                }),
            )
        }
        Form::Metadata => {
            let package = package(resource);
            let message = format!(
                "you requested PartialObjectMetadata, but the requested object is a list (*{package}.{kind})"
            );
            return Err(Status::new(406, "NotAcceptable", message));
        }
    })
}

fn package(resource: &Resource) -> &'static str {
    match resource.kind.info().group.split('.').next() {
        None | Some("") => "core",
        Some(group) => group,
    }
}

fn head(kind: &str, api_version: &str, metadata: &Value) -> String {
    format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":[")
}

/// Refuses what the parameters of lists and watches may not say together.
pub(super) fn check_options(request: &Request, watch: bool) -> Result<(), Status> {
    let query = &request.query;
    let (version, matching) = (query.text("resourceVersion"), query.text("resourceVersionMatch"));
    let forbidden = |field: &str, message: String| FieldError {
        reason: "FieldValueForbidden",
        field: field.to_owned(),
        message: format!("Forbidden: {message}"),
    };
    let unsupported = |supported: &str| FieldError {
        reason: "FieldValueNotSupported",
        field: "resourceVersionMatch".to_owned(),
        message: format!("Unsupported value: {matching:?}: supported values: {supported}"),
    };
    let mut wrong = Vec::new();
    let initial = query.get("sendInitialEvents").filter(|text| !text.is_empty());
    if watch {
        if initial.is_none() && !matching.is_empty() {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            wrong.push(forbidden("resourceVersionMatch", why.to_owned()));
        }
        if initial.is_some() && matching != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            wrong.push(forbidden("resourceVersionMatch", why.to_owned()));
        }
        if !matches!(matching, "" | "NotOlderThan") {
            wrong.push(unsupported("\"NotOlderThan\""));
        }
        if !matching.is_empty() && !query.text("continue").is_empty() {
            let why = "resourceVersionMatch is forbidden when continue is provided";
            wrong.push(forbidden("resourceVersionMatch", why.to_owned()));
        }
    } else {
        if !matching.is_empty() {
            if version.is_empty() {
                let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                wrong.push(forbidden("resourceVersionMatch", why.to_owned()));
            }
            if !query.text("continue").is_empty() {
                let why = "resourceVersionMatch is forbidden when continue is provided";
                wrong.push(forbidden("resourceVersionMatch", why.to_owned()));
            }
            if !matches!(matching, "Exact" | "NotOlderThan") {
                wrong.push(unsupported("\"Exact\", \"NotOlderThan\", \"\""));
            }
            if matching == "Exact" && version == "0" {
                let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                wrong.push(forbidden("resourceVersionMatch", why.to_owned()));
            }
        }
    }
    if initial.is_some() && !watch {
        wrong.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list".to_owned()));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Status::invalid_options("ListOptions", &wrong)) }
}
