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
