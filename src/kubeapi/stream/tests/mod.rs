//! The state machine, against a server that does exactly what a test says, under paused time.

mod formats;
mod lists;
mod model;
mod pitfalls;
mod quiet;
mod streaming;
mod watches;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::StreamExt;
use futures::{FutureExt, stream};
use parking_lot::Mutex;
use prometheus::Registry;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::*;
use crate::kubeapi::decode::{DecodeError, Json, Wire};
use crate::model::{Key, Version};

/// Longer than anything a test waits for; paused time makes it short.
const DEADLINE: Duration = Duration::from_secs(3600);

/// An object: its value stands in the field `value`; `bad` cannot be decoded.
pub type Row = String;

pub fn decode_row(object: &[u8]) -> Result<Row, DecodeError> {
    let wrong = |message: String| DecodeError { kind: "Thing", message };
    let object: serde_json::Value = serde_json::from_slice(object).map_err(|e| wrong(e.to_string()))?;
    match object["value"].as_str() {
        Some("bad") | None => Err(wrong("value: expected a good one".to_owned())),
        Some(value) => Ok(value.to_owned()),
    }
}

pub fn object(name: &str, version: Version, value: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"ns","uid":"uid-{name}","resourceVersion":"{version}"}},"value":"{value}"}}"#
    )
}

pub fn list(version: Version, objects: &[String]) -> String {
    page(version, "", objects)
}

pub fn page(version: Version, next: &str, objects: &[String]) -> String {
    format!(
        r#"{{"kind":"ThingList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{}]}}"#,
        objects.join(",")
    )
}

pub fn event(kind: &str, object: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

pub fn bookmark(version: Version) -> String {
    event("BOOKMARK", &format!(r#"{{"kind":"Thing","metadata":{{"resourceVersion":"{version}"}}}}"#))
}

pub fn status(code: u16, reason: &str) -> String {
    format!(
        r#"{{"kind":"Status","status":"Failure","code":{code},"reason":"{reason}","message":"{reason}!"}}"#
    )
}

/// What the API server answers when it has not reached a version.
pub fn too_large() -> String {
    r#"{"kind":"Status","status":"Failure","code":504,"reason":"Timeout","message":"Too large resource version: 9, current: 5",
        "details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1}}"#
        .to_owned()
}

/// The server's side: it takes each request and is told what to answer.
pub struct Server {
    requests: mpsc::UnboundedReceiver<Request>,
}

pub struct Request {
    pub uri: String,
    pub accept: &'static str,
    pub at: Instant,
    reply: oneshot::Sender<Result<Response, TransportError>>,
}

struct Line(mpsc::UnboundedSender<Request>);

impl Transport for Line {
    fn get(&self, uri: String, accept: &'static str) -> BoxFuture<'static, Result<Response, TransportError>> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Request { uri, accept, at: Instant::now(), reply });
        async move {
            sent.map_err(|_| TransportError("the test is over".into()))?;
            answer.await.unwrap_or_else(|_| Err(TransportError("connection reset".into())))
        }
        .boxed()
    }
}

/// A body that the test is still writing.
pub struct Body(mpsc::UnboundedSender<Result<Bytes, TransportError>>);

impl Body {
    pub fn send(&self, text: impl AsRef<str>) {
        self.0.send(Ok(Bytes::copy_from_slice(text.as_ref().as_bytes()))).unwrap();
    }

    pub fn send_bytes(&self, bytes: Vec<u8>) {
        self.0.send(Ok(bytes.into())).unwrap();
    }

    pub fn reset(self) {
        self.0.send(Err(TransportError("connection reset".into()))).unwrap();
    }

    /// Ends when the other side has dropped the body.
    pub async fn dropped(&self) {
        timeout(DEADLINE, self.0.closed()).await.expect("the body is still being read");
    }
}

impl Server {
    pub async fn next(&mut self) -> Request {
        timeout(DEADLINE, self.requests.recv()).await.expect("no request came").expect("the stream ended")
    }

    /// The next request, which has to be a list.
    pub async fn list(&mut self) -> Request {
        let request = self.next().await;
        assert!(!request.uri.contains("watch=true"), "expected a list: {}", request.uri);
        request
    }

    /// The next request, which has to be a watch at this version.
    pub async fn watch_at(&mut self, version: Version) -> Request {
        let request = self.next().await;
        assert!(request.uri.contains("watch=true"), "expected a watch: {}", request.uri);
        assert_eq!(request.query("resourceVersion"), Some(version.to_string()), "{}", request.uri);
        request
    }

    /// Answers a first list and accepts the watch that follows.
    pub async fn begin(&mut self, version: Version, objects: &[String]) -> Body {
        self.list().await.answer(200, list(version, objects));
        self.watch_at(version).await.accept()
    }

    /// Nothing was asked up to now.
    pub fn assert_quiet(&mut self) {
        if let Ok(request) = self.requests.try_recv() {
            panic!("unexpected request: {}", request.uri);
        }
    }
}

impl Request {
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.uri.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }

    pub fn is_consistent(&self) -> bool {
        self.query("resourceVersion").is_none() && self.query("continue").is_none()
    }

    pub fn is_not_older_than(&self, version: Version) -> bool {
        self.query("resourceVersion") == Some(version.to_string())
            && self.query("resourceVersionMatch").as_deref() == Some("NotOlderThan")
    }

    pub fn answer(self, status: u16, body: impl Into<String>) {
        self.answer_after(status, None, body);
    }

    pub fn answer_after(self, status: u16, retry_after: Option<u64>, body: impl Into<String>) {
        self.answer_with(Wire::Json, status, retry_after, body.into().into());
    }

    pub fn answer_as(self, wire: Wire, status: u16, body: Vec<u8>) {
        self.answer_with(wire, status, None, body.into());
    }

    fn answer_with(self, wire: Wire, status: u16, retry_after: Option<u64>, body: Bytes) {
        let body = stream::iter([Ok(body)]).boxed();
        let retry_after = retry_after.map(Duration::from_secs);
        let response = Response { status, retry_after, wire, body };
        assert!(self.reply.send(Ok(response)).is_ok(), "nobody waits");
    }

    pub fn accept(self) -> Body {
        self.accept_as(Wire::Json)
    }

    pub fn accept_as(self, wire: Wire) -> Body {
        let (sender, receiver) = mpsc::unbounded_channel();
        let body = stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let response = Response { status: 200, retry_after: None, wire, body: body.boxed() };
        assert!(self.reply.send(Ok(response)).is_ok(), "nobody waits");
        Body(sender)
    }

    pub fn refuse_connection(self) {
        drop(self.reply);
    }
}

/// What was shown: the rows that stand, and everything in order.
#[derive(Clone, Default)]
pub struct Shown {
    pub rows: BTreeMap<String, (Version, Row)>,
    pub log: Vec<String>,
}

pub struct Rows {
    pub shown: watch::Sender<Shown>,
    /// Whether rows that are held are refused by `wants`.
    pub picky: Mutex<bool>,
}

impl Rows {
    fn new() -> Arc<Rows> {
        Arc::new(Rows { shown: watch::Sender::new(Shown::default()), picky: Mutex::new(false) })
    }

    pub async fn until(&self, what: &str, condition: impl Fn(&Shown) -> bool) -> Shown {
        let mut shown = self.shown.subscribe();
        match timeout(DEADLINE, shown.wait_for(|shown| condition(shown))).await {
            Ok(shown) => shown.unwrap().clone(),
            Err(_) => panic!("waited in vain for {what}; log: {:#?}", self.shown.borrow().log),
        }
    }

    pub async fn until_log(&self, line: &str) -> Shown {
        self.until(line, |shown| shown.log.iter().any(|l| l == line)).await
    }

    pub fn names(&self) -> Vec<String> {
        self.shown.borrow().rows.keys().cloned().collect()
    }

    pub fn log(&self) -> Vec<String> {
        self.shown.borrow().log.clone()
    }
}

fn name(meta: &Meta) -> String {
    let key: &Key = &meta.key;
    key.name.to_string()
}

impl Sink for Rows {
    type Row = Row;

    fn event(&self, change: Change<Row>) {
        self.shown.send_modify(|shown| {
            let line = match change {
                Change::Replaced(listed, version) => {
                    let mut old = std::mem::take(&mut shown.rows);
                    for (meta, listed) in listed {
                        let row = match listed {
                            Listed::Row(row) => Some((meta.version, row)),
                            Listed::Unchanged => Some(old.remove(&name(&meta)).expect("it is held")),
                            Listed::Undecodable => old.remove(&name(&meta)),
                        };
                        shown.rows.extend(row.map(|row| (name(&meta), row)));
                    }
                    format!("replaced {version}")
                }
                Change::Upserted(meta, row) => {
                    let line = format!("upserted {} {}", name(&meta), meta.version);
                    shown.rows.insert(name(&meta), (meta.version, row));
                    line
                }
                Change::Deleted(meta) => {
                    shown.rows.remove(&name(&meta));
                    format!("deleted {} {}", name(&meta), meta.version)
                }
                Change::Undecodable(meta) => format!("undecodable {} {}", name(&meta), meta.version),
                Change::Bookmark(version) => format!("bookmark {version}"),
                Change::Restored => {
                    // A version of before says nothing of a row that stays because it cannot be decoded anew.
                    shown.rows.values_mut().for_each(|row| row.0 = 0);
                    "restored".to_owned()
                }
            };
            shown.log.push(line);
        });
    }

    fn wants(&self, meta: &Meta) -> bool {
        let held = self.shown.borrow().rows.get(&name(meta)).is_some_and(|row| row.0 == meta.version);
        !(held && *self.picky.lock())
    }

    fn compare(&self, listed: &[(Meta, Listed<Row>)]) -> Compared {
        let shown = self.shown.borrow();
        let present = listed.iter().filter(|(meta, _)| shown.rows.contains_key(&name(meta))).count();
        Compared { held: shown.rows.len(), missing: shown.rows.len() - present }
    }
}

pub struct Stage {
    pub server: Server,
    pub rows: Arc<Rows>,
    pub handle: StreamHandle,
    pub registry: Registry,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stage {
    pub fn new() -> Stage {
        Stage::with(StreamConfig::new("things", "/apis/test/v1/things"))
    }

    pub fn with(config: StreamConfig) -> Stage {
        let (sender, requests) = mpsc::unbounded_channel();
        let (rows, registry) = (Rows::new(), Registry::new());
        let metrics = StreamMetrics::new(&registry).unwrap();
        let (handle, task) =
            Stream::spawn(config, Arc::new(Line(sender)), Json(decode_row), Arc::clone(&rows), &metrics);
        Stage { server: Server { requests }, rows, handle, registry, task }
    }

    /// The value of a counter or gauge with these labels (`resource` is always `things`).
    pub fn metric(&self, family: &str, reason: Option<&str>) -> f64 {
        let families = self.registry.gather();
        let Some(family) = families.iter().find(|f| f.name() == family) else { return 0.0 };
        let metric = family.get_metric().iter().find(|metric| {
            let labels: BTreeMap<&str, &str> =
                metric.get_label().iter().map(|l| (l.name(), l.value())).collect();
            labels.get("resource") == Some(&"things") && labels.get("reason").copied() == reason
        });
        metric.map_or(0.0, |m| m.get_counter().get_value() + m.get_gauge().get_value())
    }

    pub fn restarts(&self, reason: &str) -> f64 {
        self.metric("endpointslice_watch_restarts_total", Some(reason))
    }
}

pub fn things(versions: std::ops::Range<Version>) -> Vec<String> {
    versions.map(|version| object(&format!("t{version:03}"), version, "v")).collect()
}
