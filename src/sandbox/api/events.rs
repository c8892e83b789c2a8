//! The second view of Events: `events.k8s.io/v1` shows the objects of core/v1 with other names.

use serde_json::{Map, Value};

use crate::sandbox::status::Status;

/// Each field of core/v1 and what it is called in events.k8s.io/v1.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];
/// Fields that core prints where they are empty, and events.k8s.io does not.
const QUIET: [&str; 2] = ["reportingController", "reportingInstance"];

/// A core Event (with or without its type) as one of events.k8s.io/v1.
pub(super) fn second(event: Value) -> Value {
    let mut event =
        renamed(event, |name| NAMES.iter().find(|(core, _)| *core == name).map(|(_, other)| *other));
    for name in QUIET {
        if event.get(name).is_some_and(|value| value == "")
            && let Some(map) = event.as_object_mut()
        {
            map.remove(name);
        }
    }
    event["apiVersion"] = "events.k8s.io/v1".into();
    event
}

/// An Event of events.k8s.io/v1 as one of core/v1.
pub(super) fn first(event: Value) -> Value {
    let mut event =
        renamed(event, |name| NAMES.iter().find(|(_, other)| *other == name).map(|(core, _)| *core));
    event["apiVersion"] = "v1".into();
    event
}

/// A refusal that speaks of the resource, with the group of this view.
pub(super) fn refusal(mut status: Status) -> Status {
    if status.details["kind"] == "events" && status.details.get("group").is_none() {
        status.message = status.message.replacen("events \"", "events.events.k8s.io \"", 1);
        status.details["group"] = "events.k8s.io".into();
    }
    status
}

fn renamed(event: Value, name: impl Fn(&str) -> Option<&'static str>) -> Value {
    match event {
        Value::Object(fields) => {
            let fields: Map<String, Value> = fields
                .into_iter()
                .map(|(field, value)| (name(&field).map_or(field, str::to_owned), value))
                .collect();
            Value::Object(fields)
        }
        other => other,
    }
}
