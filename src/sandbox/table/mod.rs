//! Objects as `metav1.Table`: what `kubectl get` asks for and prints
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables>).

mod age;
mod cells;
mod columns;
mod pod;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::status::Status;

/// What a row holds besides its cells (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// The metadata.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

/// What the caller wants of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What a row holds besides its cells.
    pub include: Include,
    /// Whether the columns are told. A watch tells them with its first event only.
    pub headers: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { include: Include::default(), headers: true }
    }
}

impl Options {
    /// Those of the query parameter `includeObject`, absent or empty for the default.
    ///
    /// # Errors
    /// 400 for a word that is none of `None`, `Metadata` and `Object`.
    pub fn of_query(include_object: Option<&str>) -> Result<Options, Status> {
        let include = match include_object.unwrap_or_default() {
            "" | "Metadata" => Include::Metadata,
            "None" => Include::None,
            "Object" => Include::Object,
            other => {
                return Err(Status::bad_request(format!(
                    "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be \
                     'Metadata', 'Object', 'None', or empty"
                )));
            }
        };
        Ok(Options { include, headers: true })
    }
}

/// Whether an Accept header asks for a table before anything else that can be given. It takes
/// `application/json;as=Table;g=meta.k8s.io;v=v1` (or `v1beta1`); other media types are passed over, as plain
/// JSON and `*/*` end the search.
#[must_use]
pub fn wanted(accept: &str) -> bool {
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        if !matches!(media, "application/json" | "application/*" | "*/*") {
            continue;
        }
        let (mut form, mut group, mut version) = ("", "", "");
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name {
                "as" => form = value,
                "g" => group = value,
                "v" => version = value,
                _ => {}
            }
        }
        match form {
            "" => return false,
            "Table" if group == "meta.k8s.io" && matches!(version, "v1" | "v1beta1") => return true,
            _ => {}
        }
    }
    false
}

/// A table of `objects`; `metadata` is that of the list (`resourceVersion`, `continue`, `remainingItemCount`).
/// `now` is what ages are counted to.
pub fn convert<'a>(
    kind: Kind,
    metadata: Value,
    objects: impl IntoIterator<Item = &'a Value>,
    options: &Options,
    now: Timestamp,
) -> Value {
    let rows = objects.into_iter().map(|object| row(kind, object, options, now)).collect();
    table(metadata, columns::of(kind), rows, options)
}

/// The table of a `LIST` answer: of its items, with its metadata.
#[must_use]
pub fn of_list(kind: Kind, list: &Value, options: &Options, now: Timestamp) -> Value {
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    convert(kind, list["metadata"].clone(), items, options, now)
}

/// The table of one object, alone or in an event of a watch (a bookmark's object is shown like any other).
#[must_use]
pub fn of_object(kind: Kind, object: &Value, options: &Options, now: Timestamp) -> Value {
    let metadata = json!({"resourceVersion": text(&object["metadata"]["resourceVersion"])});
    convert(kind, metadata, [object], options, now)
}

/// The table of an `autoscaling/v1` Scale.
#[must_use]
pub fn of_scale(scale: &Value, options: &Options, now: Timestamp) -> Value {
    let metadata = json!({"resourceVersion": text(&scale["metadata"]["resourceVersion"])});
    let row = json!({"cells": cells::scale(scale, now), "object": included(scale, "autoscaling/v1", "Scale", options)});
    table(metadata, columns::SCALE, vec![row], options)
}

fn table(metadata: Value, columns: &[columns::Column], rows: Vec<Value>, options: &Options) -> Value {
    let columns = if options.headers {
        Value::Array(columns.iter().map(columns::Column::definition).collect())
    } else {
        Value::Null
    };
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns,
        "rows": rows,
    })
}

fn row(kind: Kind, object: &Value, options: &Options, now: Timestamp) -> Value {
    let info = kind.info();
    let mut row = json!({
        "cells": cells::of(kind, object, now),
        "object": included(object, &info.api_version(), info.kind, options),
    });
    if kind == Kind::Pod
        && let Some(condition) = pod::completed(object)
    {
        row["conditions"] = json!([condition]);
    }
    row
}

fn included(object: &Value, api_version: &str, kind: &str, options: &Options) -> Value {
    match options.include {
        Include::None => Value::Null,
        Include::Metadata => json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
        }),
        Include::Object => {
            let mut object = object.clone();
            if let Some(fields) = object.as_object_mut() {
                // Items of a list do without.
                fields.entry("kind").or_insert_with(|| kind.into());
                fields.entry("apiVersion").or_insert_with(|| api_version.into());
            }
            object
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
