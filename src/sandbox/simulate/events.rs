//! Kubernetes Events as the kubelet, the scheduler and the controllers record them: the same one again
//! is counted, and after an hour it goes, as in a real cluster.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use smol_str::SmolStr;
use tokio::time::Instant;

use super::clock::Clock;
use crate::sandbox::kinds::Kind;
use crate::sandbox::store::{Key, Object, Store};
use crate::sandbox::verbs::DeleteOptions;

/// How long the API server keeps an Event (`--event-ttl`).
const KEPT: Duration = Duration::from_secs(3600);

/// How many Events of a simulation there are at most: a rolled cluster of a hundred thousand Pods would
/// fill the memory with them.
const AT_MOST: usize = 50_000;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source<'a> {
    /// A controller of kube-controller-manager, by its name.
    Controller(&'static str),
    /// The scheduler, for this action.
    Scheduler(&'static str),
    /// The kubelet of a Node.
    Kubelet(&'a str),
    /// The same, about one container.
    Container(&'a str, &'a str),
}

/// What is said about an object.
type Said = (SmolStr, &'static str, String);

/// Records Events, or does not.
pub(super) struct Events {
    on: bool,
    store: Arc<Store>,
    clock: Arc<Clock>,
    standing: HashMap<Said, Key, foldhash::fast::RandomState>,
    order: VecDeque<(Instant, Said)>,
    named: u64,
}

impl Events {
    pub(super) fn new(on: bool, store: Arc<Store>, clock: Arc<Clock>) -> Events {
        Events { on, store, clock, standing: HashMap::default(), order: VecDeque::new(), named: 0 }
    }

    /// Whether anything is recorded.
    pub(super) fn on(&self) -> bool {
        self.on
    }

    /// Records that something happened to `about`. An Event that cannot be stored (its namespace ends) is
    /// lost, as in a real cluster.
    pub(super) fn say(
        &mut self,
        about: &Arc<Object>,
        source: Source<'_>,
        warning: bool,
        reason: &'static str,
        message: String,
    ) {
        if !self.on {
            return;
        }
        self.forget();
        let said = (about.uid.clone(), reason, message);
        if let Some(key) = self.standing.get(&said) {
            let again = self.store.modify(Kind::Event, key, None, |event| {
                count_again(event, &self.clock);
                Ok(())
            });
            if again.is_ok() {
                return;
            }
            self.standing.remove(&said);
        }
        self.named += 1;
        let event = new_event(about, source, warning, reason, &said.2, &self.clock, self.named);
        let namespace = event["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        if let Ok(stored) = self.store.create(Kind::Event, &namespace, event, false) {
            self.standing.insert(said.clone(), stored.key.clone());
            self.order.push_back((Instant::now(), said));
        }
    }

    fn forget(&mut self) {
        while self.order.front().is_some_and(|(since, _)| since.elapsed() >= KEPT)
            || self.order.len() >= AT_MOST
        {
            let Some((_, said)) = self.order.pop_front() else { return };
            if let Some(key) = self.standing.remove(&said) {
                let _ = self.store.delete(Kind::Event, &key, &DeleteOptions::default()); // gone is what we want
            }
        }
    }
}

fn count_again(event: &mut Value, clock: &Clock) {
    if event["eventTime"].is_null() {
        event["count"] = (event["count"].as_i64().unwrap_or(1) + 1).into();
        event["lastTimestamp"] = clock.now().into();
    } else {
        let count = event["series"]["count"].as_i64().unwrap_or(1) + 1;
        event["series"] = json!({"count": count, "lastObservedTime": clock.now_exactly()});
    }
}

fn new_event(
    about: &Arc<Object>,
    source: Source<'_>,
    warning: bool,
    reason: &str,
    message: &str,
    clock: &Clock,
    number: u64,
) -> Value {
    let info = about.kind.info();
    // what has no namespace speaks in `default`
    let namespace = if about.key.namespace.is_empty() { "default" } else { about.key.namespace.as_str() };
    let unique = rand::random::<u64>() ^ number;
    let mut event = json!({
        "metadata": {
            "name": format!("{}.{unique:016x}", about.key.name),
            "namespace": namespace,
        },
        "involvedObject": {
            "kind": info.kind,
            "name": about.key.name,
            "uid": about.uid,
            "apiVersion": info.api_version(),
            "resourceVersion": about.version.to_string(),
        },
        "reason": reason,
        "message": message,
        "type": if warning { "Warning" } else { "Normal" },
        "source": {},
    });
    if !about.key.namespace.is_empty() {
        event["involvedObject"]["namespace"] = namespace.into();
    }
    if let Source::Container(_, container) = source {
        event["involvedObject"]["fieldPath"] = format!("spec.containers{{{container}}}").into();
    }
    match source {
        Source::Scheduler(action) => {
            event["eventTime"] = clock.now_exactly().into();
            event["action"] = action.into();
            event["reportingComponent"] = "default-scheduler".into();
            event["reportingInstance"] = "default-scheduler-sandbox".into();
            return event;
        }
        Source::Controller(name) => {
            event["source"] = json!({"component": name});
            event["reportingComponent"] = name.into();
            event["reportingInstance"] = "".into();
        }
        Source::Kubelet(node) | Source::Container(node, _) => {
            event["source"] = json!({"component": "kubelet", "host": node});
            event["reportingComponent"] = "kubelet".into();
            event["reportingInstance"] = node.into();
        }
    }
    event["firstTimestamp"] = clock.now().into();
    event["lastTimestamp"] = clock.now().into();
    event["count"] = 1.into();
    event
}
