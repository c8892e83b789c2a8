//! Events, as core/v1.

use serde_json::Value;
use smol_str::SmolStr;

use crate::sandbox::status::FieldError;

use super::field::{self, Path};
use super::{Strategy, formats, metadata};

/// How Events are treated.
pub struct Events;

const MOST: usize = 128;
const MOST_OF_MESSAGE: usize = 1024;

impl Strategy for Events {
    fn go_type(&self) -> &'static str {
        "core.Event"
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        check(new, old, "reportingComponent")
    }

    fn fields(&self, value: &Value) -> Vec<(&'static str, SmolStr)> {
        let text = |value: &Value| SmolStr::from(value.as_str().unwrap_or_default());
        let of = |name: &str| text(&value["involvedObject"][name]);
        let source = match &value["source"]["component"] {
            Value::Null => &value["reportingComponent"],
            component => component,
        };
        vec![
            ("involvedObject.kind", of("kind")),
            ("involvedObject.namespace", of("namespace")),
            ("involvedObject.name", of("name")),
            ("involvedObject.uid", of("uid")),
            ("involvedObject.apiVersion", of("apiVersion")),
            ("involvedObject.resourceVersion", of("resourceVersion")),
            ("involvedObject.fieldPath", of("fieldPath")),
            ("reason", text(&value["reason"])),
            ("reportingComponent", text(&value["reportingComponent"])),
            ("source", text(source)),
            ("type", text(&value["type"])),
        ]
    }
}

/// What both groups ask for. `controller`: what they call the one that reports.
fn check(new: &Value, old: Option<&Value>, controller: &str) -> Vec<FieldError> {
    let mut wrong = old.map_or_else(Vec::new, |old| metadata::check_common_update(new, old, true));
    let namespace = new["metadata"]["namespace"].as_str().unwrap_or_default();
    let involved = new["involvedObject"]["namespace"].as_str().unwrap_or_default();
    let path = Path::new("involvedObject");
    let path = path.child("namespace");
    let modern = !new["eventTime"].is_null();
    let fits = match (involved.is_empty(), modern) {
        (true, false) => namespace == "default",
        (true, true) => ["default", "kube-system"].contains(&namespace),
        (false, false) => namespace == involved,
        (false, true) => true,
    };
    if !fits {
        wrong.push(field::invalid_text(&path, involved, "does not match event.namespace"));
    }
    if modern {
        check_modern(new, controller, &mut wrong);
    }
    wrong.extend(formats::all(&Path::new("namespace"), namespace, formats::dns_subdomain));
    if old.is_none() && wrong.is_empty() {
        // The common checks of a create; those of the kind do not look at the metadata.
        wrong.extend(metadata::check(new, true, |name| formats::path_segment(name, false)));
    }
    wrong
}

/// What `events.k8s.io` asks for besides: a new Event says all that it may, and only its series changes.
pub fn check_new_event(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut wrong = check(new, old, "reportingController");
    let Some(old) = old else {
        let common = wrong.iter().any(|error| error.field.starts_with("metadata."));
        if common {
            wrong.clear();
        }
        wrong.extend(metadata::check(new, true, formats::dns_subdomain));
        series(new, &mut wrong);
        if new["eventTime"].is_null() {
            wrong.push(field::required(&Path::new("eventTime"), ""));
        }
        let kind = new["type"].as_str().unwrap_or_default();
        if !["Normal", "Warning"].contains(&kind) {
            let detail = format!("has invalid value: {kind}");
            wrong.push(field::invalid_text(&Path::new("type"), "", &detail));
        }
        let source = &new["source"];
        let unset = [
            ("firstTimestamp", new["firstTimestamp"].is_null()),
            ("lastTimestamp", new["lastTimestamp"].is_null()),
            ("count", new["count"].as_i64().unwrap_or(0) == 0),
            ("source", source["component"].is_null() && source["host"].is_null()),
        ];
        for (name, _) in unset.into_iter().filter(|(_, unset)| !unset) {
            wrong.push(field::invalid_text(&Path::new(name), "", "needs to be unset"));
        }
        return wrong;
    };
    wrong.extend(metadata::check_update(new, old));
    if new["series"] != old["series"] {
        series(new, &mut wrong);
    }
    let fixed = [
        "involvedObject",
        "reason",
        "message",
        "source",
        "firstTimestamp",
        "lastTimestamp",
        "count",
        "reason",
        "type",
        "eventTime",
        "action",
        "related",
        "reportingController",
        "reportingInstance",
    ];
    for name in fixed {
        let stored = if name == "reportingController" { "reportingComponent" } else { name };
        let value = |event: &Value| shown(name, &event[stored]);
        if value(new) != value(old) {
            wrong.push(field::invalid_shown(&Path::new(name), &value(new), "field is immutable"));
        }
    }
    wrong
}

/// A field as messages show it: Go's own types have no names in JSON, and all of their fields.
fn shown(name: &str, value: &Value) -> String {
    let fields: &[(&str, &str)] = match name {
        "involvedObject" | "related" => &[
            ("Kind", "kind"),
            ("Namespace", "namespace"),
            ("Name", "name"),
            ("UID", "uid"),
            ("APIVersion", "apiVersion"),
            ("ResourceVersion", "resourceVersion"),
            ("FieldPath", "fieldPath"),
        ],
        "source" => &[("Component", "component"), ("Host", "host")],
        "count" => return value.as_i64().unwrap_or(0).to_string(),
        "firstTimestamp" | "lastTimestamp" | "eventTime" => return value.to_string(),
        _ => return field::quoted(value.as_str().unwrap_or_default()),
    };
    if name == "related" && value.is_null() {
        return "null".to_owned();
    }
    let texts = fields.iter().map(|(go, json)| {
        format!("{}:{}", field::quoted(go), field::quoted(value[*json].as_str().unwrap_or_default()))
    });
    format!("{{{}}}", texts.collect::<Vec<_>>().join(","))
}

fn series(new: &Value, wrong: &mut Vec<FieldError>) {
    let series = &new["series"];
    if series.is_null() {
        return;
    }
    if series["count"].as_i64().unwrap_or(0) < 2 {
        wrong.push(field::invalid_text(&Path::new("series.count"), "", "should be at least 2"));
    }
    if series["lastObservedTime"].is_null() {
        wrong.push(field::required(&Path::new("series.lastObservedTime"), ""));
    }
}

fn check_modern(new: &Value, controller: &str, wrong: &mut Vec<FieldError>) {
    let text = |name: &str| new[name].as_str().unwrap_or_default();
    let path = Path::new(controller);
    if text("reportingComponent").is_empty() {
        wrong.push(field::required(&path, ""));
    }
    wrong.extend(formats::all(&path, text("reportingComponent"), formats::qualified_name));
    for name in ["reportingInstance", "action", "reason"] {
        if text(name).is_empty() {
            wrong.push(field::required(&Path::new(name), ""));
        }
        if text(name).len() > MOST {
            let detail = format!("can have at most {MOST} characters");
            wrong.push(field::invalid_text(&Path::new(name), "", &detail));
        }
    }
    if text("message").len() > MOST_OF_MESSAGE {
        let detail = format!("can have at most {MOST_OF_MESSAGE} characters");
        wrong.push(field::invalid_text(&Path::new("message"), "", &detail));
    }
}
