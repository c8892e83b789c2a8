//! The writes of the loops over HTTP, and their live reads. Every write passes, in this order: a place
//! among those in flight, the rate limit, the pause that the API server asked for, the fence; then it
//! is sent at once, one time, under a time limit. [`outcome`] says what the answer means.
//!
//! A shutdown closes the writer ([`KubeWriter::close`]) and waits for what is in flight
//! ([`KubeWriter::drain`]).

mod event;
pub mod outcome;
mod permissions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request, header};
use kube::Client;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::info;

use super::client::call::{Answer, call};
use super::decode::{EITHER, JSON, PROTOBUF, open};
use super::limit::TokenBucket;
use super::metrics::HostMetrics;
use crate::control::write::{Deleted, Fence, WriteError, Writer};
use crate::model::wire::{
    DecodeError, decode_endpoints, decode_service, decode_slice, encode_slice, protobuf,
};
use crate::model::{Endpoints, Key, Service, Slice};
pub(crate) use event::whole_event;
use outcome::{Verb, failure, no_answer};
use permissions::Permissions;

/// Who we are in `metadata.managedFields`.
pub const FIELD_MANAGER: &str = "endpointslice-controller";

/// The settings of the writer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WriterConfig {
    /// Writes of slices in flight at once, at least 1; live reads have as many places of their own.
    pub in_flight: usize,
    /// `--kube-api-qps`: 0 is no limit. Events have a bucket of their own, of the same size.
    pub qps: f64,
    /// `--kube-api-burst`.
    pub burst: u32,
    /// How long one request may take.
    pub time_limit: Duration,
}

impl Default for WriterConfig {
    fn default() -> WriterConfig {
        WriterConfig { in_flight: 32, qps: 0.0, burst: 30, time_limit: Duration::from_secs(30) }
    }
}

/// The [`Writer`] that talks to an API server.
pub struct KubeWriter {
    client: Client,
    config: WriterConfig,
    fence: Arc<dyn Fence>,
    metrics: HostMetrics,
    slices: Lane,
    reads: Lane,
    events: Lane,
    rate: TokenBucket,
    event_rate: TokenBucket,
    closed: AtomicBool,
    unknown: AtomicUsize,
    permissions: Permissions,
    // Slices are sent and answered as protobuf, until an API server says that it has none.
    protobuf: AtomicBool,
}

/// One kind of request: its places in flight, and until when the API server asked for none of it.
struct Lane {
    places: Semaphore,
    size: usize,
    paused_until: Mutex<Option<Instant>>,
}

impl Lane {
    fn new(size: usize) -> Lane {
        let size = size.clamp(1, 10_000);
        Lane { places: Semaphore::new(size), size, paused_until: Mutex::new(None) }
    }

    fn pause(&self, length: Duration) {
        let until = Instant::now() + length;
        let mut paused = self.paused_until.lock();
        *paused = Some(paused.map_or(until, |before| before.max(until)));
    }

    fn check(&self) -> Result<(), WriteError> {
        let now = Instant::now();
        let mut paused = self.paused_until.lock();
        match *paused {
            Some(until) if until > now => Err(WriteError::Throttled { after: until - now }),
            _ => {
                *paused = None;
                Ok(())
            }
        }
    }

    fn under_way(&self) -> usize {
        self.size - self.places.available_permits().min(self.size)
    }
}

impl KubeWriter {
    /// A writer over this client, whose slices pass this fence.
    pub fn new(
        client: Client,
        config: WriterConfig,
        fence: Arc<dyn Fence>,
        metrics: HostMetrics,
    ) -> KubeWriter {
        KubeWriter {
            client,
            config,
            fence,
            metrics,
            slices: Lane::new(config.in_flight),
            reads: Lane::new(config.in_flight),
            events: Lane::new(2),
            rate: TokenBucket::new(config.qps, config.burst),
            event_rate: TokenBucket::new(config.qps, config.burst),
            closed: AtomicBool::new(false),
            unknown: AtomicUsize::new(0),
            permissions: Permissions::default(),
            protobuf: AtomicBool::new(true),
        }
    }

    /// From now on no write of a slice is sent: all answer [`WriteError::Fenced`].
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Closes the writer and waits for the answers of the writes in flight, up to `limit`. Returns how
    /// many have an outcome that is not known: no answer yet, or one of [`WriteError::Unknown`] since
    /// this was called. While it is not 0 the lease must not be released.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.close();
        let before = self.unknown.load(Ordering::SeqCst);
        let all = u32::try_from(self.slices.size).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(limit, self.slices.places.acquire_many(all)).await;
        self.slices.under_way() + self.unknown.load(Ordering::SeqCst).saturating_sub(before)
    }

    async fn write(&self, verb: Verb, request: Request<Vec<u8>>) -> Result<Answer, WriteError> {
        let result = self.send(&self.slices, &self.rate, verb, request).await;
        if matches!(result, Err(WriteError::Unknown { .. })) {
            self.unknown.fetch_add(1, Ordering::SeqCst);
        }
        result
    }

    async fn send(
        &self,
        lane: &Lane,
        rate: &TokenBucket,
        verb: Verb,
        request: Request<Vec<u8>>,
    ) -> Result<Answer, WriteError> {
        lane.check()?;
        self.check_fence(verb)?;
        // The semaphore is never closed; were it, writing without a place would be the lesser harm.
        let _place = lane.places.acquire().await.ok();
        if rate.limits() {
            let method = request.method().clone();
            let wait = rate.wait().await;
            self.metrics.waited(&method, wait);
        }
        lane.check()?;
        self.check_fence(verb)?;
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let answer = match call(&self.client, request, self.config.time_limit).await {
            Ok(answer) if answer.succeeded() => {
                self.permissions.worked(&method, uri.path());
                return Ok(answer);
            }
            Ok(answer) => answer,
            Err(error) => return Err(no_answer(&error)),
        };
        let error = failure(verb, &answer);
        match &error {
            WriteError::Throttled { after } => lane.pause(*after),
            WriteError::Forbidden { message } => self.permissions.forbidden(message),
            _ => {}
        }
        Err(error)
    }

    fn check_fence(&self, verb: Verb) -> Result<(), WriteError> {
        let fenced = matches!(verb, Verb::Create | Verb::Update | Verb::Delete);
        if fenced && (self.closed.load(Ordering::SeqCst) || !self.fence.may_write()) {
            return Err(WriteError::Fenced);
        }
        Ok(())
    }

    async fn read<T>(
        &self,
        path: String,
        decode: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, WriteError> {
        let request = request(Method::GET, &path, Vec::new())?;
        match self.send(&self.reads, &self.rate, Verb::Get, request).await {
            Ok(answer) => decode(&answer.body).map(Some).map_err(|e| refused(&answer, &e)),
            Err(WriteError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a slice, as protobuf where all of it can be said so, and reads what was stored.
    async fn stored(&self, verb: Verb, path: &str, slice: &Slice) -> Result<Slice, WriteError> {
        let method = if verb == Verb::Create { Method::POST } else { Method::PUT };
        let protobuf = self.protobuf.load(Ordering::Relaxed).then(|| protobuf::encode_slice(slice)).flatten();
        let answer = match protobuf {
            None => self.write(verb, request(method, path, encode_slice(slice))?).await?,
            Some(body) => {
                match self.write(verb, typed(method.clone(), path, body, PROTOBUF, EITHER)?).await {
                    // Nothing was stored: the API server did not read it.
                    Err(WriteError::Refused { code: 406 | 415, message, .. }) => {
                        if self.protobuf.swap(false, Ordering::Relaxed) {
                            info!("slices are written as JSON from now on, not as protobuf: {message}");
                        }
                        self.write(verb, request(method, path, encode_slice(slice))?).await?
                    }
                    answered => answered?,
                }
            }
        };
        let read = match open(&answer.body) {
            None => decode_slice(&answer.body),
            Some(object) => match protobuf::decode_slice(object) {
                // It has a field that only JSON names.
                Err(_) => return self.stored_as_json(slice).await,
                read => read,
            },
        };
        read.map_err(|e| {
            self.unknown.fetch_add(1, Ordering::SeqCst);
            WriteError::Unknown { message: format!("answer {}: {e}", answer.code) }
        })
    }

    async fn stored_as_json(&self, slice: &Slice) -> Result<Slice, WriteError> {
        let unknown = |message: String| {
            self.unknown.fetch_add(1, Ordering::SeqCst);
            WriteError::Unknown { message }
        };
        match self.get_slice(&slice.key).await {
            Ok(Some(stored)) => Ok(stored),
            Ok(None) => Err(unknown(format!("slice {} was stored and is gone", slice.key))),
            Err(error) => Err(unknown(format!("slice {} was stored and cannot be read: {error}", slice.key))),
        }
    }

    async fn delete_slice(&self, slice: &Slice) -> Result<Deleted, WriteError> {
        // An empty uid matches no object, so a delete without its preconditions is a 409, never a delete.
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": slice.uid.to_string(), "resourceVersion": slice.version.to_string()},
        });
        let path = format!("{}/{}", slices_path(&slice.key), slice.key.name);
        let request = request(Method::DELETE, &path, options.to_string().into_bytes())?;
        let answer = self.write(Verb::Delete, request).await?;
        // Without finalizers the answer is a Status, or the object as it stood last.
        Ok(match decode_slice(&answer.body) {
            Ok(left) if left.deleting && left.foreign.as_ref().is_some_and(|f| !f.finalizers.is_empty()) => {
                Deleted::Terminating(Box::new(left))
            }
            _ => Deleted::Gone,
        })
    }
}

impl Writer for KubeWriter {
    fn create<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Slice, WriteError>> {
        async move {
            let path = format!("{}?fieldManager={FIELD_MANAGER}", slices_path(&slice.key));
            if slice.version == 0 && slice.uid.is_empty() {
                return self.stored(Verb::Create, &path, slice).await;
            }
            let new = Slice { uid: Default::default(), version: 0, ..slice.clone() };
            self.stored(Verb::Create, &path, &new).await
        }
        .boxed()
    }

    fn update<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Slice, WriteError>> {
        async move {
            if slice.version == 0 {
                let message = format!(
                    "slice {} has no resourceVersion; an update must name the one it changes",
                    slice.key
                );
                return Err(WriteError::Invalid { message });
            }
            let path = format!("{}/{}?fieldManager={FIELD_MANAGER}", slices_path(&slice.key), slice.key.name);
            self.stored(Verb::Update, &path, slice).await
        }
        .boxed()
    }

    fn delete<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Deleted, WriteError>> {
        self.delete_slice(slice).boxed()
    }

    fn get_slice<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Slice>, WriteError>> {
        self.read(format!("{}/{}", slices_path(key), key.name), decode_slice).boxed()
    }

    fn get_service<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Service>, WriteError>> {
        self.read(core_path(key, "services"), decode_service).boxed()
    }

    fn get_endpoints<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Endpoints>, WriteError>> {
        self.read(core_path(key, "endpoints"), decode_endpoints).boxed()
    }
}

fn slices_path(key: &Key) -> String {
    format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", key.namespace)
}

fn core_path(key: &Key, resource: &str) -> String {
    format!("/api/v1/namespaces/{}/{resource}/{}", key.namespace, key.name)
}

fn request(method: Method, path: &str, body: Vec<u8>) -> Result<Request<Vec<u8>>, WriteError> {
    let content = if method == Method::PATCH { "application/merge-patch+json" } else { JSON };
    typed(method, path, body, content, JSON)
}

fn typed(
    method: Method,
    path: &str,
    body: Vec<u8>,
    content: &str,
    accept: &str,
) -> Result<Request<Vec<u8>>, WriteError> {
    let request = Request::builder().method(method).uri(path).header(header::ACCEPT, accept);
    let request = if body.is_empty() { request } else { request.header(header::CONTENT_TYPE, content) };
    // Names come from the API server, so a path that is none can only be somebody's mistake.
    request.body(body).map_err(|e| WriteError::Invalid { message: format!("{path:?} is not a path: {e}") })
}

fn refused(answer: &Answer, error: &DecodeError) -> WriteError {
    WriteError::Refused { code: answer.code, reason: "Undecodable".into(), message: error.to_string() }
}

#[cfg(test)]
mod tests;
