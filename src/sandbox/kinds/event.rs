//! Events, as core/v1.

use serde_json::{Map, Value, json};
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
            check_modern(new, &mut wrong);
        }
        wrong.extend(formats::all(&Path::new("namespace"), namespace, formats::dns_subdomain));
        if old.is_none() {
            // The common checks of a create; those of the kind do not look at the metadata.
            wrong.extend(metadata::check(new, true, |name| formats::path_segment(name, false)));
        }
        wrong
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

fn check_modern(new: &Value, wrong: &mut Vec<FieldError>) {
    let text = |name: &str| new[name].as_str().unwrap_or_default();
    let path = Path::new("reportingComponent");
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

/// The names of the fields in `events.k8s.io/v1` and in core/v1.
const NAMES: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

fn renamed(value: Value, name: impl Fn(&str) -> Option<&'static str>) -> Value {
    match value {
        Value::Object(map) => {
            let fields = map.into_iter().map(|(key, value)| match name(&key) {
                Some(other) => (other.to_owned(), value),
                None => (key, value),
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// An Event of `events.k8s.io/v1` as core/v1 has it.
#[must_use]
pub fn from_events_v1(value: Value) -> Value {
    renamed(value, |key| NAMES.iter().find(|(modern, _)| *modern == key).map(|(_, core)| *core))
}

/// An Event of core/v1 as `events.k8s.io/v1` has it.
#[must_use]
pub fn to_events_v1(value: Value) -> Value {
    let mut value =
        renamed(value, |key| NAMES.iter().find(|(_, core)| *core == key).map(|(modern, _)| *modern));
    // What core/v1 always prints and events.k8s.io only when it is there.
    if let Some(map) = value.as_object_mut() {
        map.retain(|name, value| {
            !matches!((name.as_str(), &*value), ("reportingController" | "reportingInstance", Value::String(text)) if text.is_empty())
        });
        for name in ["deprecatedSource", "regarding"] {
            map.entry(name).or_insert_with(|| json!({}));
        }
    }
    value
}
