//! Plays a sequence on one API server and writes its answers down.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::canonical::canonical;
use super::step::{Ask, Sequence, Step, Until};
use crate::support::api::Api;
use crate::support::{Stage, World};

/// What the uid of an object that is not there stands for.
const NO_UID: &str = "66666666-c0de-4000-8000-000000000000";
/// How long an event that is due may take before the transcript says that it did not come.
const EVENT_WITHIN: Duration = Duration::from_secs(20);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What came of a sequence: one answer a step, comparable.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript(pub Vec<Value>);

/// Plays a sequence in the namespace `namespace`, which is made for it.
pub async fn play(stage: &dyn Stage, sequence: &Sequence, namespace: &str) -> Transcript {
    let world = World::named(stage.api(), namespace).await;
    let made = world.api().get(&format!("/api/v1/namespaces/{namespace}")).await.expect("the namespace");
    let mut play = Play {
        oldest: made["metadata"]["resourceVersion"].as_str().unwrap_or("1").to_string(),
        number: next_number(),
        stage,
        api: stage.api(),
        namespace,
        answers: BTreeMap::new(),
        watches: BTreeMap::new(),
        written: Vec::new(),
    };
    for step in &sequence.steps {
        let answer = play.step(step).await;
        play.written.push(answer);
    }
    let prefixes = sequence.steps.iter().filter_map(generate_name).collect();
    let [ip, ip6, odd6, port] = play.own();
    let right6 = odd6.replace("::0:", "::");
    let own = [(ip, "{ip}"), (ip6, "{ip6}"), (odd6, "{odd ip6}"), (right6, "{right ip6}"), (port, "{port}")];
    let words = own.into_iter().map(|(value, word)| (value, word.to_string())).collect();
    Transcript(canonical(std::mem::take(&mut play.written), namespace, prefixes, words))
}

/// The prefix that a step asks for.
fn generate_name(step: &Step) -> Option<String> {
    let Step::Ask(Ask { body: Some(body), .. }) = step else { return None };
    let object: Value = serde_json::from_str(body).ok()?;
    let prefix = object["metadata"]["generateName"].as_str()?;
    (!prefix.is_empty()).then(|| prefix.to_string())
}

/// Which play of this process it is.
fn next_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

struct Play<'a> {
    stage: &'a dyn Stage,
    api: &'a Api,
    namespace: &'a str,
    /// The version before everything here: what a missing version stands for.
    oldest: String,
    number: usize,
    /// Bodies by label, and the last state of each object.
    answers: BTreeMap<String, Value>,
    watches: BTreeMap<String, Watch>,
    written: Vec<Value>,
}

impl Play<'_> {
    async fn step(&mut self, step: &Step) -> Value {
        match step {
            Step::Ask(ask) => self.ask(ask).await,
            Step::Watch(ask) => self.watch(ask).await,
            Step::Events(label, until) => match self.watches.get_mut(label) {
                Some(watch) => watch.until(until).await,
                None => json!({"events": "the watch is not open"}),
            },
            Step::Forget => {
                self.watches.clear();
                self.stage.forget_history().await;
                self.stage.restart().await;
                Value::Null
            }
        }
    }

    fn request(&self, ask: &Ask) -> Request<Vec<u8>> {
        let request = Request::builder()
            .method(ask.method)
            .uri(self.resolved(&ask.path))
            .header("accept", ask.accept)
            .header("accept-encoding", "identity");
        let body = ask.body.as_ref().map(|body| self.resolved(body).into_bytes());
        let request = match body {
            Some(_) => request.header("content-type", ask.content_type),
            None => request,
        };
        request.body(body.unwrap_or_default()).expect("a request")
    }

    /// A cluster IP of each family, one that is not written as it should be, and a node port, that no other
    /// play asks for.
    fn own(&self) -> [String; 4] {
        let (high, low) = (self.number / 250 % 250, self.number % 250);
        [
            format!("10.9.{high}.{}", low + 1),
            format!("fd00:1::e:{:x}", self.number % 0xffff + 1),
            format!("fd00:1::0:f{:03x}", self.number % 0x1000),
            (30_000 + self.number % 80).to_string(),
        ]
    }

    /// The text with what its references stand for.
    fn resolved(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, (reference, after))) =
            rest.split_once('«').and_then(|(before, inside)| Some((before, inside.split_once('»')?)))
        {
            out.push_str(before);
            let missing = match reference {
                uid if uid.ends_with("/uid") => NO_UID,
                // The list was whole: the next one begins anew.
                token if token.ends_with("/continue") => "",
                _ => &self.oldest,
            };
            out.push_str(&self.referred(reference).unwrap_or_else(|| missing.to_string()));
            rest = after;
        }
        out.push_str(rest);
        let [ip, ip6, odd6, port] = self.own();
        let out = out.replace("{ns}", self.namespace).replace("{ip}", &ip).replace("{ip6}", &ip6);
        let out = out.replace("{odd ip6}", &odd6);
        out.replace("\"{port}\"", &port)
    }

    fn referred(&self, reference: &str) -> Option<String> {
        let (label, pointer) = reference.split_once('#')?;
        match self.answers.get(label)?.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// What may be answered from a cache is: it must have seen everything before.
    async fn catch_up(&self, ask: &Ask) {
        if ask.method != "GET" || !ask.path.contains("/namespaces/{ns}/") && !ask.path.contains("/nodes") {
            return;
        }
        let Some((path, query)) = ask.path.split_once('?') else { return };
        if path.contains("/watch/") || !query.contains("watch=") && !query.contains("resourceVersion=") {
            return;
        }
        let words: Vec<&str> = path.split('/').collect();
        let place = words.iter().position(|word| *word == "namespaces").map_or(3, |at| at + 2);
        let collection = words[..words.len().min(place + 1)].join("/");
        let path = self.resolved(&format!("{collection}?fieldSelector=metadata.name%3Dcatch-up"));
        let _ = self.api.get(&path).await; // some paths do not exist
    }

    async fn ask(&mut self, ask: &Ask) -> Value {
        self.catch_up(ask).await;
        let answer = match tokio::time::timeout(ANSWER_WITHIN, self.api.ask(self.request(ask))).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return json!({"no answer": why}),
            Err(_) => return json!({"no answer": "in time"}),
        };
        let (head, bytes) = answer.into_parts();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        self.remember(ask, &body, head.status.is_success());
        written(&head, body)
    }

    fn remember(&mut self, ask: &Ask, body: &Value, success: bool) {
        self.answers.insert(ask.label.clone(), body.clone());
        if !success || body["metadata"]["uid"].is_null() {
            return;
        }
        let plain = ask.path.split('?').next().unwrap_or_default();
        let words: Vec<&str> = plain.split('/').collect();
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        let resource = match (ask.method, words.as_slice()) {
            ("POST", [.., resource]) => resource,
            (_, [.., resource, _, "status"] | [.., resource, _]) => resource,
            _ => return,
        };
        // Names of Nodes begin with the namespace.
        let name = name.strip_prefix(&format!("{}-", self.namespace)).unwrap_or(name);
        let key = format!("{resource}/{name}");
        if let Some(before) = self.answers.insert(key.clone(), body.clone())
            && before["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]
        {
            self.answers.insert(format!("old {key}"), before);
        }
    }

    async fn watch(&mut self, ask: &Ask) -> Value {
        self.catch_up(ask).await;
        let answer = match tokio::time::timeout(ANSWER_WITHIN, self.api.open(self.request(ask))).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return json!({"no answer": why}),
            Err(_) => return json!({"no answer": "in time"}),
        };
        let (head, body) = answer.into_parts();
        if !head.status.is_success() {
            let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let body = serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
            return written(&head, body);
        }
        let (sender, events) = mpsc::unbounded_channel();
        let task = tokio::spawn(read_lines(body, sender));
        self.watches.insert(ask.label.clone(), Watch { events, task });
        written(&head, Value::Null)
    }
}

fn written(head: &http::response::Parts, body: Value) -> Value {
    let header = |name: &str| -> Vec<&str> {
        head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    };
    json!({
        "code": head.status.as_u16(),
        "type": header("content-type").first().copied().unwrap_or_default(),
        "warnings": header("warning"),
        "retry after": header("retry-after"),
        "body": body,
    })
}

/// An open watch, read in the background.
struct Watch {
    events: mpsc::UnboundedReceiver<Value>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    async fn until(&mut self, until: &Until) -> Value {
        let mut events = Vec::new();
        loop {
            match tokio::time::timeout(EVENT_WITHIN, self.events.recv()).await {
                Err(_) => {
                    events.push("nothing more comes".into());
                    break;
                }
                Ok(None) => {
                    events.push("closed".into());
                    break;
                }
                // When they come is up to the server, but for the one that ends the initial events.
                Ok(Some(event)) if event["type"] == "BOOKMARK" && !ends(&event, &Until::InitialEnd) => {}
                Ok(Some(event)) => {
                    let end = ends(&event, until);
                    events.push(event);
                    if end {
                        break;
                    }
                }
            }
        }
        json!({"events": events})
    }
}

fn ends(event: &Value, until: &Until) -> bool {
    let metadata = match &event["object"]["kind"] {
        kind if kind == "Table" => &event["object"]["rows"][0]["object"]["metadata"],
        _ => &event["object"]["metadata"],
    };
    match until {
        Until::Object(kind, name) => {
            let own = metadata["name"].as_str().unwrap_or_default();
            event["type"] == *kind && (own == name || own.ends_with(&format!("-{name}")))
        }
        Until::InitialEnd => metadata["annotations"]["k8s.io/initial-events-end"] == "true",
        Until::Closed => false,
    }
}

async fn read_lines(mut body: kube::client::Body, sender: mpsc::UnboundedSender<Value>) {
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        bytes.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            let text = String::from_utf8_lossy(&line).into_owned();
            let in_order = text.starts_with("{\"type\":");
            let mut event = serde_json::from_str(&text).unwrap_or(Value::String(text));
            if event.is_object() && !in_order {
                event["type does not come first"] = true.into();
            }
            if sender.send(event).is_err() {
                return;
            }
        }
    }
}
