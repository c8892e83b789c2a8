//! Kubernetes Events, on their own way to the API server (pitfall 10): who has something to report
//! puts it into a bounded queue and goes on; one task counts equal Events in one object, holds back
//! objects that have too many, sends the rest, and gives up on what cannot be sent.

mod correlate;
mod recent;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use self::correlate::{Correlator, Message};
use crate::model::{Key, Time, Uid, Version};
use crate::plan::Report;

/// Events that may wait to be sent. What comes while so many wait is dropped and counted.
pub const WAITING_AT_MOST: usize = 1000;

// An Event that cannot be delivered is tried so often, with doubling pauses in between.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// Where Events are sent to: the API server.
pub trait EventSink: Send + Sync + 'static {
    /// POST of a core/v1 Event in this namespace.
    fn create<'a>(&'a self, namespace: &'a str, event: &'a Value) -> BoxFuture<'a, Result<(), EventError>>;

    /// Merge patch of the Event of this name.
    fn patch<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        patch: &'a Value,
    ) -> BoxFuture<'a, Result<(), EventError>>;
}

/// Why an Event was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// 404 on a patch: the Event has expired.
    #[error("the Event is gone")]
    Gone,
    /// 409 with reason AlreadyExists on a create: an earlier try arrived after all.
    #[error("the Event is there already")]
    AlreadyExists,
    /// The namespace is being deleted: nothing can be created in it any more.
    #[error("the namespace is being terminated")]
    NamespaceTerminating,
    /// The API server will not take this Event, however often it is sent.
    #[error("the API server refused the Event: {0}")]
    Refused(String),
    /// The API server could not be reached, or asks to come back later.
    #[error("the API server did not take the Event now: {0}")]
    Unavailable(String),
}

/// The object that an Event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// `v1`, `coordination.k8s.io/v1`.
    pub api_version: &'static str,
    /// `Service`, `Endpoints`, `Lease`.
    pub kind: &'static str,
    /// Namespace and name. The Event goes into the same namespace (`default` where there is none).
    pub key: Key,
    /// Uid.
    pub uid: Uid,
}

/// Takes Events to be sent. Clones share one queue.
#[derive(Clone)]
pub struct EventRecorder {
    queue: mpsc::Sender<Occurrence>,
    dropped: Arc<AtomicU64>,
}

/// Sends what an [`EventRecorder`] took.
pub struct EventWorker {
    queue: mpsc::Receiver<Occurrence>,
    dropped: Arc<AtomicU64>,
    sink: Arc<dyn EventSink>,
    correlator: Correlator,
    /// The last Event was not delivered, and that was told.
    failing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Source {
    object: Object,
    component: &'static str,
}

struct Occurrence {
    source: Source,
    version: Version,
    report: Report,
    at: Time,
    arrived: Instant,
}

impl EventRecorder {
    /// A recorder, and the worker that is to be run for it.
    pub fn new(sink: Arc<dyn EventSink>) -> (EventRecorder, EventWorker) {
        let (sender, receiver) = mpsc::channel(WAITING_AT_MOST);
        let dropped = Arc::<AtomicU64>::default();
        let recorder = EventRecorder { queue: sender, dropped: Arc::clone(&dropped) };
        (
            recorder,
            EventWorker { queue: receiver, dropped, sink, correlator: Correlator::new(), failing: false },
        )
    }

    /// Has this reported as an Event on the object, in the name of this component
    /// (`endpoint-slice-controller`, `endpoint-slice-mirroring-controller`). `version` is the
    /// object's resourceVersion, 0 where it is not known. Never waits: when too many Events wait
    /// already, this one is dropped.
    pub fn record(&self, object: Object, version: Version, report: &Report, component: &'static str) {
        let nanos = Timestamp::now().as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into());
        let occurrence = Occurrence {
            source: Source { object, component },
            version,
            report: report.clone(),
            at: Time::from_nanos(nanos as i64),
            arrived: Instant::now(),
        };
        if self.queue.try_send(occurrence).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Events dropped so far because too many waited.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl EventWorker {
    /// Sends Events until every recorder is gone and what they took is sent or given up.
    pub async fn run(mut self) {
        let mut told = 0;
        while let Some(occurrence) = self.queue.recv().await {
            let dropped = self.dropped.load(Ordering::Relaxed);
            if dropped > told {
                tracing::warn!(
                    dropped = dropped - told,
                    "Events were dropped because {WAITING_AT_MOST} wait to be sent"
                );
                told = dropped;
            }
            self.handle(&occurrence).await;
        }
    }

    async fn handle(&mut self, occurrence: &Occurrence) {
        let Some(message) = self.correlator.correlate(occurrence) else { return };
        let Err(error) = self.deliver(&message).await else {
            self.failing = false;
            return;
        };
        self.correlator.forget(occurrence);
        let object = &occurrence.source.object;
        // What refuses one Event often refuses all: that is told once, not for each.
        if error == EventError::NamespaceTerminating || std::mem::replace(&mut self.failing, true) {
            tracing::debug!(kind = object.kind, key = %object.key, "no Event: {error}");
        } else {
            let report = &occurrence.report;
            tracing::warn!(
                kind = object.kind, key = %object.key, reason = report.reason, message = report.message,
                "Event was not delivered, and until one is, no more is said of others: {error}"
            );
        }
    }

    async fn deliver(&self, message: &Message) -> Result<(), EventError> {
        let mut pause = FIRST_PAUSE;
        let mut tried = 1;
        loop {
            match self.send(message).await {
                Err(EventError::Unavailable(_)) if tried < TRIES => {}
                outcome => return outcome,
            }
            sleep(pause).await;
            pause *= 2;
            tried += 1;
        }
    }

    async fn send(&self, message: &Message) -> Result<(), EventError> {
        if let Some(patch) = &message.patch {
            match in_time(self.sink.patch(&message.namespace, &message.name, patch)).await {
                // Expired on the server: it is sent again as it would stand.
                Err(EventError::Gone) => {}
                outcome => return outcome,
            }
        }
        match in_time(self.sink.create(&message.namespace, &message.body)).await {
            Err(EventError::AlreadyExists) => Ok(()),
            outcome => outcome,
        }
    }
}

async fn in_time(sending: BoxFuture<'_, Result<(), EventError>>) -> Result<(), EventError> {
    match timeout(SEND_TIMEOUT, sending).await {
        Ok(outcome) => outcome,
        Err(_) => Err(EventError::Unavailable(format!("no answer within {} s", SEND_TIMEOUT.as_secs()))),
    }
}
