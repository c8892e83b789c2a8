//! What becomes of an Event before it is sent: equal ones are counted in one object, and an object
//! that has too many of them is heard of only now and then.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::recent::Recent;
use super::{Occurrence, Source};
use crate::model::Time;

/// Events about one object that may be sent at once.
const BURST: f64 = 25.0;
/// The time after which one more may be sent.
const REFILL: Duration = Duration::from_secs(300);
/// Objects, and Events, that are remembered.
const REMEMBERED: usize = 4096;
/// Bytes of a message that are sent.
const MESSAGE_LIMIT: usize = 1024;

/// What is known of the Events that were sent.
pub(super) struct Correlator {
    buckets: Recent<Source, Bucket>,
    sent: Recent<(Source, bool, &'static str, String), Sent>,
}

/// What is to be sent for one occurrence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The whole Event.
    pub(super) body: Value,
    /// What to change of the one that was sent before, when there is one.
    pub(super) patch: Option<Value>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

struct Sent {
    name: String,
    first: Time,
    count: u32,
}

impl Correlator {
    pub(super) fn new() -> Correlator {
        Correlator { buckets: Recent::new(REMEMBERED), sent: Recent::new(REMEMBERED) }
    }

    /// What to send; `None` when there were too many about this object.
    pub(super) fn correlate(&mut self, occurrence: &Occurrence) -> Option<Message> {
        let source = &occurrence.source;
        let now = occurrence.arrived;
        if !self.buckets.touch(source, || Bucket { tokens: BURST, filled: now }).take(now) {
            return None;
        }
        let sent = self.sent.touch(&identity(occurrence), || Sent {
            name: name(&source.object.key.name, occurrence.at),
            first: occurrence.at,
            count: 0,
        });
        sent.count = sent.count.saturating_add(1);
        let patch = (sent.count > 1)
            .then(|| json!({ "count": sent.count, "lastTimestamp": to_the_second(occurrence.at) }));
        Some(Message {
            namespace: namespace(occurrence).to_owned(),
            name: sent.name.clone(),
            body: body(occurrence, sent),
            patch,
        })
    }

    /// The Event was not accepted: the next equal one is a new Event.
    pub(super) fn forget(&mut self, occurrence: &Occurrence) {
        self.sent.remove(&identity(occurrence));
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled);
        self.tokens = (self.tokens + passed.as_secs_f64() / REFILL.as_secs_f64()).min(BURST);
        self.filled = self.filled.max(now);
        // A hair less than one token is one: 300 additions of a 300th are not exactly 1.
        let enough = self.tokens > 1.0 - 1e-6;
        if enough {
            self.tokens = (self.tokens - 1.0).max(0.0);
        }
        enough
    }
}

fn identity(occurrence: &Occurrence) -> (Source, bool, &'static str, String) {
    let report = &occurrence.report;
    (occurrence.source.clone(), report.warning, report.reason, report.message.clone())
}

fn namespace(occurrence: &Occurrence) -> &str {
    match occurrence.source.object.key.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    }
}

fn body(occurrence: &Occurrence, sent: &Sent) -> Value {
    let object = &occurrence.source.object;
    let report = &occurrence.report;
    let mut involved = json!({
        "apiVersion": object.api_version,
        "kind": object.kind,
        "name": object.key.name.as_str(),
        "uid": object.uid.to_string(),
    });
    if !object.key.namespace.is_empty() {
        involved["namespace"] = json!(object.key.namespace.as_str());
    }
    if occurrence.version > 0 {
        involved["resourceVersion"] = json!(occurrence.version.to_string());
    }
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": sent.name, "namespace": namespace(occurrence) },
        "involvedObject": involved,
        "type": if report.warning { "Warning" } else { "Normal" },
        "reason": report.reason,
        "message": limited(&report.message),
        "count": sent.count,
        "firstTimestamp": to_the_second(sent.first),
        "lastTimestamp": to_the_second(occurrence.at),
        "source": { "component": occurrence.source.component },
        "reportingComponent": occurrence.source.component,
        "reportingInstance": "",
    })
}

fn to_the_second(at: Time) -> String {
    Time::from_secs(at.as_nanos().div_euclid(1_000_000_000)).to_string()
}

fn limited(message: &str) -> &str {
    if message.len() <= MESSAGE_LIMIT {
        return message;
    }
    let mut end = MESSAGE_LIMIT;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// `<object>.<nanoseconds in hex>`, as all of Kubernetes names them; where that is too long for a
/// name, a random UUID, as client-go does then.
fn name(object: &str, at: Time) -> String {
    let name = format!("{object}.{:x}", at.as_nanos());
    if name.len() <= 253 {
        return name;
    }
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    crate::model::Uid::Uuid(bytes).to_string()
}
