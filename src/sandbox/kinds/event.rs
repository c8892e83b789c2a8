//! Events, as core/v1.

use serde_json::{Map, Value};
use smol_str::SmolStr;

use crate::sandbox::status::FieldError;

use super::field::{self, Path};
use super::{Strategy, formats, metadata};

/// How Events are treated.
pub struct Events;

/// Events of this group are checked for more.
const STRICT: &str = "events.k8s.io/v1";
const MOST: usize = 128;
const MOST_OF_MESSAGE: usize = 1024;

impl Strategy for Events {
    fn go_type(&self) -> &'static str {
        "core.Event"
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        self.check_in("v1", new, old)
    }

    fn check_in(&self, api_version: &str, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let strict = api_version == STRICT;
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
            check_modern(new, strict, &mut wrong);
        }
        wrong.extend(formats::all(&Path::new("namespace"), namespace, formats::dns_subdomain));
        match old {
            _ if !strict => {}
            Some(old) => check_update(new, old, &mut wrong),
            None => check_new(new, &mut wrong),
        }
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

/// What a new Event of `events.k8s.io` must be.
fn check_new(new: &Value, wrong: &mut Vec<FieldError>) {
    wrong.extend(metadata::check(new, true, formats::dns_subdomain));
    series(new, wrong);
    if new["eventTime"].is_null() {
        wrong.push(field::required(&Path::new("eventTime"), ""));
    }
    let kind = new["type"].as_str().unwrap_or_default();
    if !["Normal", "Warning"].contains(&kind) {
        wrong.push(field::invalid_text(&Path::new("type"), "", &format!("has invalid value: {kind}")));
    }
    let old_ways = ["firstTimestamp", "lastTimestamp", "count", "source"];
    for name in old_ways {
        let value = &new[name];
        if !(value.is_null() || *value == 0 || value.as_object().is_some_and(Map::is_empty)) {
            wrong.push(field::invalid_text(&Path::new(name), "", "needs to be unset"));
        }
    }
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

/// What an update through `events.k8s.io` may not change: all but the series.
fn check_update(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) {
    if new["series"] != old["series"] {
        series(new, wrong);
    }
    wrong.extend(metadata::check_update(new, old));
    // The reason is looked at twice, as upstream does.
    for (name, told) in [
        ("involvedObject", "involvedObject"),
        ("reason", "reason"),
        ("message", "message"),
        ("source", "source"),
        ("firstTimestamp", "firstTimestamp"),
        ("lastTimestamp", "lastTimestamp"),
        ("count", "count"),
        ("reason", "reason"),
        ("type", "type"),
        ("eventTime", "eventTime"),
        ("action", "action"),
        ("related", "related"),
        ("reportingComponent", "reportingController"),
        ("reportingInstance", "reportingInstance"),
    ] {
        if new[name] != old[name] {
            let shown = shown(name, &new[name]);
            wrong.push(field::invalid_shown(&Path::new(told), &shown, "field is immutable"));
        }
    }
}

/// A field of an Event as Go prints it: its types within have no names in JSON.
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
        "count" if value.is_null() => return "0".to_owned(),
        "firstTimestamp" | "lastTimestamp" | "eventTime" | "count" => return value.to_string(),
        _ => return field::quoted(value.as_str().unwrap_or_default()),
    };
    if name == "related" && value.is_null() {
        return "null".to_owned();
    }
    let fields: Vec<String> = fields
        .iter()
        .map(|(go, name)| format!("\"{go}\":{}", Value::from(value[name].as_str().unwrap_or_default())))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn check_modern(new: &Value, strict: bool, wrong: &mut Vec<FieldError>) {
    let text = |name: &str| new[name].as_str().unwrap_or_default();
    let path = Path::new(if strict { "reportingController" } else { "reportingComponent" });
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
