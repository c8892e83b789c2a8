//! What is asked of an API server, one request after the other, and how it is written down.
//!
//! Paths and bodies may hold `{ns}`, the namespace that the sequence has for itself, and references to
//! earlier answers: `«LABEL#/json/pointer»`. The label is that of a step, or `services/web` for the
//! last answer that showed this object; what is not there becomes the version of the namespace, so that
//! a shortened sequence is still one. `{ip}`, `{ip6}` and `"{port}"` are a cluster IP of each family and a
//! node port that no other sequence asks for.

use std::fmt;

use serde_json::Value;

pub const JSON: &str = "application/json";
pub const MERGE: &str = "application/merge-patch+json";
pub const JSON_PATCH: &str = "application/json-patch+json";
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
pub const PARTIAL: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
pub const PARTIAL_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// One request and what it is called in references.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    pub label: String,
    pub method: &'static str,
    pub path: String,
    pub accept: &'static str,
    pub content_type: &'static str,
    pub body: Option<String>,
}

/// Until when the events of a watch are read.
#[derive(Debug, Clone, PartialEq)]
pub enum Until {
    /// An event of this type about an object of this name.
    Object(&'static str, String),
    /// A bookmark with the annotation `k8s.io/initial-events-end`.
    InitialEnd,
    /// The end of the stream.
    Closed,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Ask(Ask),
    /// Opens a watch.
    Watch(Ask),
    /// Writes the events down that the watch of this label gives until then.
    Events(String, Until),
    /// The server forgets all history, and is started again where it keeps some even so.
    Forget,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {} {}", self.label, self.method, self.path)?;
        if self.accept != JSON {
            write!(f, " (accept {})", self.accept)?;
        }
        if self.content_type != JSON {
            write!(f, " ({})", self.content_type)?;
        }
        match &self.body {
            Some(body) => write!(f, " {body}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Ask(ask) => write!(f, "{ask}"),
            Step::Watch(ask) => write!(f, "watch {ask}"),
            Step::Events(watch, until) => write!(f, "events of [{watch}] until {until:?}"),
            Step::Forget => write!(f, "the server forgets its history"),
        }
    }
}

/// A sequence of steps with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    pub name: String,
    pub steps: Vec<Step>,
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:", self.name)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

/// The path of a resource, or of an object or subresource: `services/web/status?dryRun=All`. What starts
/// with `/` is taken as it is.
pub fn path(what: &str) -> String {
    if what.starts_with('/') {
        return what.to_string();
    }
    let end = what.find(['/', '?']).unwrap_or(what.len());
    let (resource, rest) = what.split_at(end);
    let (root, plural, namespaced) = match resource {
        "namespaces" | "nodes" => ("/api/v1", resource, false),
        "endpointslices" => ("/apis/discovery.k8s.io/v1", resource, true),
        "leases" => ("/apis/coordination.k8s.io/v1", resource, true),
        "deployments" | "replicasets" => ("/apis/apps/v1", resource, true),
        "newevents" => ("/apis/events.k8s.io/v1", "events", true),
        _ => ("/api/v1", resource, true),
    };
    let namespace = if namespaced { "/namespaces/{ns}" } else { "" };
    format!("{root}{namespace}/{plural}{rest}")
}

/// A reference to an earlier answer.
pub fn of(label: &str, pointer: &str) -> String {
    format!("«{label}#{pointer}»")
}

/// The version of the object in the answer `label`.
pub fn version(label: &str) -> String {
    of(label, "/metadata/resourceVersion")
}

/// The uid of the object in the answer `label`.
pub fn uid(label: &str) -> String {
    of(label, "/metadata/uid")
}

/// Writes a sequence. Each method answers the step's label.
pub struct Script {
    sequence: Sequence,
}

impl Script {
    pub fn new(name: impl Into<String>) -> Script {
        Script { sequence: Sequence { name: name.into(), steps: Vec::new() } }
    }

    pub fn done(self) -> Sequence {
        self.sequence
    }

    fn label(&self) -> String {
        (self.sequence.steps.len() + 1).to_string()
    }

    pub fn raw(
        &mut self,
        method: &'static str,
        what: &str,
        accept: &'static str,
        content_type: &'static str,
        body: Option<String>,
    ) -> String {
        let label = self.label();
        let ask = Ask { label: label.clone(), method, path: path(what), accept, content_type, body };
        self.sequence.steps.push(Step::Ask(ask));
        label
    }

    pub fn get(&mut self, what: &str) -> String {
        self.raw("GET", what, JSON, JSON, None)
    }

    pub fn get_as(&mut self, accept: &'static str, what: &str) -> String {
        self.raw("GET", what, accept, JSON, None)
    }

    pub fn create(&mut self, what: &str, object: Value) -> String {
        self.raw("POST", what, JSON, JSON, Some(object.to_string()))
    }

    pub fn update(&mut self, what: &str, object: Value) -> String {
        self.raw("PUT", what, JSON, JSON, Some(object.to_string()))
    }

    pub fn patch(&mut self, content_type: &'static str, what: &str, patch: Value) -> String {
        self.raw("PATCH", what, JSON, content_type, Some(patch.to_string()))
    }

    pub fn merge(&mut self, what: &str, patch: Value) -> String {
        self.patch(MERGE, what, patch)
    }

    pub fn json_patch(&mut self, what: &str, patch: Value) -> String {
        self.patch(JSON_PATCH, what, patch)
    }

    pub fn strategic(&mut self, what: &str, patch: Value) -> String {
        self.patch(STRATEGIC, what, patch)
    }

    pub fn delete(&mut self, what: &str) -> String {
        self.raw("DELETE", what, JSON, JSON, None)
    }

    pub fn delete_with(&mut self, what: &str, options: Value) -> String {
        self.raw("DELETE", what, JSON, JSON, Some(options.to_string()))
    }

    pub fn watch(&mut self, what: &str) -> String {
        self.watch_as(JSON, what)
    }

    pub fn watch_as(&mut self, accept: &'static str, what: &str) -> String {
        let label = self.label();
        let mark = if what.contains('?') { '&' } else { '?' };
        let path = path(&format!("{what}{mark}watch=true"));
        let ask = Ask { label: label.clone(), method: "GET", path, accept, content_type: JSON, body: None };
        self.sequence.steps.push(Step::Watch(ask));
        label
    }

    pub fn events(&mut self, watch: &str, kind: &'static str, name: &str) {
        self.sequence.steps.push(Step::Events(watch.to_string(), Until::Object(kind, name.to_string())));
    }

    pub fn events_until(&mut self, watch: &str, until: Until) {
        self.sequence.steps.push(Step::Events(watch.to_string(), until));
    }

    pub fn forget(&mut self) {
        self.sequence.steps.push(Step::Forget);
    }
}
