//! Events on the wire: core/v1, created once and patched when the same thing happens again.

use http::Method;
use serde_json::{Value, json};

use super::outcome::Verb;
use super::{FIELD_MANAGER, KubeWriter, request};
use crate::control::write::{Event, WriteError};
use crate::model::Time;

impl KubeWriter {
    pub(super) async fn post(&self, event: &Event) -> Result<(), WriteError> {
        if event.count > 1 {
            match self.send_event(Method::PATCH, &one(event), repetition(event)).await {
                // Events expire after an hour.
                Err(WriteError::NotFound) => {}
                ended => return ended,
            }
        }
        match self.send_event(Method::POST, &all(event), whole_event(event)).await {
            // A repetition of a request whose answer was lost.
            Err(WriteError::AlreadyExists) => Ok(()),
            ended => ended,
        }
    }

    async fn send_event(&self, method: Method, path: &str, body: Value) -> Result<(), WriteError> {
        let request = request(method, path, body.to_string().into_bytes())?;
        self.send(&self.events, &self.event_rate, Verb::Event, request).await.map(|_| ())
    }
}

fn all(event: &Event) -> String {
    format!("/api/v1/namespaces/{}/events?fieldManager={FIELD_MANAGER}", event.regarding.key.namespace)
}

fn one(event: &Event) -> String {
    let namespace = &event.regarding.key.namespace;
    format!("/api/v1/namespaces/{namespace}/events/{}?fieldManager={FIELD_MANAGER}", event.name)
}

fn repetition(event: &Event) -> Value {
    json!({"count": event.count, "lastTimestamp": seconds(event.last), "message": event.message})
}

pub(crate) fn whole_event(event: &Event) -> Value {
    let about = &event.regarding;
    let mut regarding = json!({
        "kind": about.kind,
        "apiVersion": about.api_version,
        "namespace": &*about.key.namespace,
        "name": about.key.name.as_str(),
        "uid": about.uid.to_string(),
    });
    if about.version != 0 {
        regarding["resourceVersion"] = json!(about.version.to_string());
    }
    json!({
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": event.name.as_str(), "namespace": &*about.key.namespace},
        "involvedObject": regarding,
        "type": if event.warning { "Warning" } else { "Normal" },
        "reason": event.reason,
        "message": event.message,
        "source": {"component": event.component},
        "reportingComponent": event.component,
        "reportingInstance": "",
        "firstTimestamp": seconds(event.first),
        "lastTimestamp": seconds(event.last),
        "count": event.count,
    })
}

/// Times of Events have whole seconds.
fn seconds(time: Time) -> String {
    Time::from_secs(time.as_nanos().div_euclid(1_000_000_000)).to_string()
}
