//! Events on the wire: core/v1, created once and patched when the same thing happens again.

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use serde_json::{Value, json};

use super::outcome::Verb;
use super::{FIELD_MANAGER, KubeWriter, request};
use crate::control::events::{EventError, EventSink};
use crate::control::write::{Event, WriteError};
use crate::model::Time;

impl EventSink for KubeWriter {
    fn create<'a>(&'a self, namespace: &'a str, event: &'a Value) -> BoxFuture<'a, Result<(), EventError>> {
        let path = format!("/api/v1/namespaces/{namespace}/events?fieldManager={FIELD_MANAGER}");
        self.send_event(Method::POST, path, event).boxed()
    }

    fn patch<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        patch: &'a Value,
    ) -> BoxFuture<'a, Result<(), EventError>> {
        let path = format!("/api/v1/namespaces/{namespace}/events/{name}?fieldManager={FIELD_MANAGER}");
        self.send_event(Method::PATCH, path, patch).boxed()
    }
}

impl KubeWriter {
    async fn send_event(&self, method: Method, path: String, body: &Value) -> Result<(), EventError> {
        let told = |error: WriteError| EventError::Refused(error.to_string());
        let request = request(method, &path, body.to_string().into_bytes()).map_err(told)?;
        match self.send(&self.events, &self.event_rate, Verb::Event, request).await {
            Ok(_) => Ok(()),
            Err(WriteError::NotFound) => Err(EventError::Gone),
            Err(WriteError::AlreadyExists) => Err(EventError::AlreadyExists),
            Err(WriteError::NamespaceTerminating) => Err(EventError::NamespaceTerminating),
            Err(
                error @ (WriteError::Throttled { .. }
                | WriteError::Unreachable { .. }
                | WriteError::Unknown { .. }
                | WriteError::Fenced),
            ) => Err(EventError::Unavailable(error.to_string())),
            Err(error) => Err(told(error)),
        }
    }
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
