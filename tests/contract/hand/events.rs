//! Events, by both of their groups.

use serde_json::{Value, json};

use super::Scene;
use super::objects::*;
use crate::step::Script;

pub const SCENES: &[Scene] = &[
    ("an Event of core, seen by both groups", from_core),
    ("an Event of events.k8s.io, seen by both groups", from_new),
    ("a series of Events", series),
    ("what an Event may not be", invalid),
];

fn fresh(name: &str) -> Value {
    json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name}, "type": "Warning",
        "eventTime": "2024-01-02T03:04:05.000000Z", "reason": "Failed", "action": "Sync", "note": "it failed",
        "reportingController": "example.org/controller", "reportingInstance": "one",
        "regarding": {"apiVersion": "v1", "kind": "Service", "name": "web", "namespace": "{ns}"},
        "related": {"kind": "Node", "name": "n"}})
}

fn from_core(s: &mut Script) {
    let watch = s.watch("newevents");
    s.create("events", event("a"));
    s.get("newevents/a");
    s.get("newevents");
    s.merge("events/a", json!({"count": 2, "message": "again", "lastTimestamp": "2024-01-02T03:05:05Z"}));
    s.merge("newevents/a", json!({"note": "other"}));
    s.delete("newevents/a");
    s.events(&watch, "DELETED", "a");
}

fn from_new(s: &mut Script) {
    let watch = s.watch("events");
    s.create("newevents", fresh("a"));
    s.get("events/a");
    s.get("events");
    s.merge(
        "newevents/a",
        json!({"series": {"count": 2, "lastObservedTime": "2024-01-02T03:06:05.000000Z"}}),
    );
    s.merge("newevents/a", json!({"note": "changed"}));
    s.merge("newevents/a", json!({"reason": "Changed"}));
    s.delete("events/a");
    s.events(&watch, "DELETED", "a");
}

fn series(s: &mut Script) {
    for number in 0..3 {
        s.create("events", with(event(&format!("web.{number}")), "/count", json!(number)));
    }
    s.update("events/web.1", with(event("web.1"), "/count", json!(9)));
    s.merge("events/web.1", json!({"count": 10, "metadata": {"resourceVersion": null}}));
    s.get("events");
    s.delete("events");
}

fn invalid(s: &mut Script) {
    for (number, (pointer, value)) in [
        ("/involvedObject/namespace", json!("else")),
        ("/involvedObject", json!({})),
        ("/involvedObject", json!({"kind": "Node", "name": "n"})),
        ("/type", json!("Nonsense")),
        ("/reason", json!("")),
        ("/reason", json!("x".repeat(129))),
        ("/message", json!("x".repeat(1025))),
        ("/eventTime", json!("2024-01-02T03:04:05.000000Z")),
        ("/reportingComponent", json!("bad controller")),
        ("/metadata/name", json!("Bad Name")),
        ("/count", json!(-1)),
        ("/firstTimestamp", json!("nonsense")),
    ]
    .into_iter()
    .enumerate()
    {
        s.create("events", with(event(&format!("s{number}")), pointer, value));
    }
    for (number, (pointer, value)) in [
        ("/regarding/namespace", json!("else")),
        ("/regarding", json!({})),
        ("/type", json!("Nonsense")),
        ("/type", json!("")),
        ("/reason", json!("")),
        ("/reason", json!("x".repeat(129))),
        ("/action", json!("")),
        ("/action", json!("x".repeat(129))),
        ("/note", json!("x".repeat(1025))),
        ("/eventTime", json!(null)),
        ("/reportingController", json!("")),
        ("/reportingController", json!("bad controller")),
        ("/reportingInstance", json!("")),
        ("/deprecatedCount", json!(5)),
        ("/deprecatedFirstTimestamp", json!("2024-01-02T03:04:05Z")),
        ("/series", json!({"count": 1, "lastObservedTime": "2024-01-02T03:04:05.000000Z"})),
    ]
    .into_iter()
    .enumerate()
    {
        s.create("newevents", with(fresh(&format!("n{number}")), pointer, value));
    }
}
