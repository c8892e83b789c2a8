use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::advance;

use super::*;

const COMPONENT: &str = "endpoint-slice-controller";

#[derive(Clone, Debug, PartialEq)]
enum Call {
    Create(String, Value),
    Patch(String, String, Value),
}

/// An API server that answers from a script, then always with success.
#[derive(Default)]
struct Server {
    calls: Mutex<Vec<Call>>,
    script: Mutex<Vec<EventError>>,
    hangs: bool,
}

impl Server {
    fn answering(errors: &[EventError]) -> Arc<Server> {
        Arc::new(Server { script: Mutex::new(errors.iter().rev().cloned().collect()), ..Server::default() })
    }

    fn answer(&self, call: Call) -> BoxFuture<'static, Result<(), EventError>> {
        self.calls.lock().push(call);
        let answer = self.script.lock().pop().map_or(Ok(()), Err);
        let hangs = self.hangs;
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            answer
        })
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    fn creates(&self) -> Vec<Value> {
        let of = |call| if let Call::Create(_, event) = call { Some(event) } else { None };
        self.calls().into_iter().filter_map(of).collect()
    }
}

impl EventSink for Server {
    fn create<'a>(&'a self, namespace: &'a str, event: &'a Value) -> BoxFuture<'a, Result<(), EventError>> {
        self.answer(Call::Create(namespace.to_owned(), event.clone()))
    }

    fn patch<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        patch: &'a Value,
    ) -> BoxFuture<'a, Result<(), EventError>> {
        self.answer(Call::Patch(namespace.to_owned(), name.to_owned(), patch.clone()))
    }
}

fn service(name: &str) -> Object {
    Object { api_version: "v1", kind: "Service", key: Key::new("shop", name), uid: Uid::new("uid-1") }
}

fn failed(message: &str) -> Report {
    Report { warning: true, reason: "FailedToUpdateEndpointSlices", message: message.to_owned() }
}

fn start(server: &Arc<Server>) -> (EventRecorder, JoinHandle<()>) {
    let (recorder, worker) = EventRecorder::new(Arc::clone(server) as Arc<dyn EventSink>);
    (recorder, tokio::spawn(worker.run()))
}

/// Everything that was taken has been sent or given up.
async fn settle(recorder: EventRecorder, worker: JoinHandle<()>) {
    drop(recorder);
    timeout(Duration::from_secs(86_400), worker).await.expect("the worker ends").expect("without panic");
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_shape_that_kubectl_expects() {
    let server = Server::answering(&[]);
    let (recorder, worker) = start(&server);
    recorder.record(service("web"), 42, &failed("no"), COMPONENT);
    settle(recorder, worker).await;
    let [Call::Create(namespace, event)] = &server.calls()[..] else { panic!("{:?}", server.calls()) };
    assert_eq!(namespace, "shop");
    let name = event["metadata"]["name"].as_str().unwrap();
    let nanos = name.strip_prefix("web.").and_then(|hex| i64::from_str_radix(hex, 16).ok());
    let first = event["firstTimestamp"].clone();
    assert_eq!(Time::parse(first.as_str().unwrap()), nanos.map(|n| Time::from_secs(n / 1_000_000_000)));
    assert_eq!(
        *event,
        json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": { "name": name, "namespace": "shop" },
            "involvedObject": {
                "apiVersion": "v1", "kind": "Service", "namespace": "shop", "name": "web", "uid": "uid-1",
                "resourceVersion": "42",
            },
            "type": "Warning", "reason": "FailedToUpdateEndpointSlices", "message": "no", "count": 1,
            "firstTimestamp": first, "lastTimestamp": first,
            "source": { "component": COMPONENT },
            "reportingComponent": COMPONENT, "reportingInstance": "",
        })
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_without_namespace_has_its_events_in_default_and_a_long_name_gives_a_uuid() {
    let server = Server::answering(&[]);
    let (recorder, worker) = start(&server);
    let node = Object { key: Key::new("", "n".repeat(240)), kind: "Node", ..service("") };
    recorder.record(node, 0, &failed(&"é".repeat(2000)), COMPONENT);
    settle(recorder, worker).await;
    let event = &server.creates()[0];
    assert_eq!(event["metadata"]["namespace"], "default");
    assert_eq!(event["involvedObject"].get("namespace"), None);
    assert_eq!(event["involvedObject"].get("resourceVersion"), None);
    let name = event["metadata"]["name"].as_str().unwrap();
    assert!(matches!(Uid::new(name), Uid::Uuid(_)), "{name}");
    assert_eq!(event["message"].as_str().unwrap().len(), 1024);
}

#[tokio::test(start_paused = true)]
async fn equal_events_are_one_event_with_a_count() {
    let server = Server::answering(&[]);
    let (recorder, worker) = start(&server);
    for message in ["no", "no", "other", "no"] {
        recorder.record(service("web"), 1, &failed(message), COMPONENT);
    }
    settle(recorder, worker).await;
    let calls = server.calls();
    let name = server.creates()[0]["metadata"]["name"].as_str().unwrap().to_owned();
    assert_eq!(server.creates().len(), 2);
    for (at, count) in [(1, 2), (3, 3)] {
        let Call::Patch(namespace, patched, patch) = &calls[at] else { panic!("{calls:?}") };
        assert_eq!((namespace.as_str(), patched), ("shop", &name));
        assert_eq!(patch["count"], count);
        assert!(Time::parse(patch["lastTimestamp"].as_str().unwrap()).is_some());
        assert_eq!(patch.as_object().unwrap().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recreated_object_has_events_of_its_own() {
    let server = Server::answering(&[]);
    let (recorder, worker) = start(&server);
    recorder.record(service("web"), 1, &failed("no"), COMPONENT);
    recorder.record(Object { uid: Uid::new("uid-2"), ..service("web") }, 1, &failed("no"), COMPONENT);
    settle(recorder, worker).await;
    assert_eq!(server.creates().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_expired_on_the_server_is_created_again_with_its_count() {
    let server = Server::answering(&[]);
    let (recorder, worker) = start(&server);
    recorder.record(service("web"), 1, &failed("no"), COMPONENT);
    while server.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    server.script.lock().push(EventError::Gone);
    recorder.record(service("web"), 1, &failed("no"), COMPONENT);
    settle(recorder, worker).await;
    let creates = server.creates();
    assert_eq!(creates.len(), 2);
    assert_eq!(creates[1]["count"], 2);
    assert_eq!(creates[1]["metadata"], creates[0]["metadata"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_has_25_events_at_once_then_one_in_five_minutes_and_others_are_not_affected() {
    let server = Server::answering(&[]);
    let (recorder, worker) = start(&server);
    for n in 0..40 {
        recorder.record(service("loud"), 1, &failed(&format!("{n}")), COMPONENT);
    }
    recorder.record(service("quiet"), 1, &failed("once"), COMPONENT);
    while server.calls().len() < 26 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.creates()[25]["involvedObject"]["name"], "quiet");
    for (after, more) in [(299, 0), (1, 1), (0, 0), (300, 1), (3000, 1)] {
        let before = server.calls().len();
        advance(Duration::from_secs(after)).await;
        recorder.record(service("loud"), 1, &failed(&format!("after {after}")), COMPONENT);
        recorder.record(service(&format!("fence-{before}-{after}")), 1, &failed("fence"), COMPONENT);
        while server.calls().len() < before + more + 1 {
            tokio::task::yield_now().await;
        }
        let last = &server.creates()[server.creates().len() - 1];
        assert_eq!(last["message"], "fence", "after {after} s no more than {more}");
        assert_eq!(server.calls().len(), before + more + 1);
    }
    settle(recorder, worker).await;
}

#[tokio::test(start_paused = true)]
async fn pitfall_10_recording_never_waits_and_what_is_too_much_is_dropped_and_counted() {
    let server = Arc::new(Server { hangs: true, ..Server::default() });
    let (recorder, _worker) = start(&server);
    for n in 0..WAITING_AT_MOST + 7 {
        recorder.record(service(&format!("s-{n}")), 1, &failed("no"), COMPONENT);
    }
    assert_eq!(recorder.dropped(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_for_a_moment_gets_the_event_later() {
    let away = EventError::Unavailable("connection refused".to_owned());
    let server = Server::answering(&[away.clone(), away.clone(), EventError::AlreadyExists]);
    let (recorder, worker) = start(&server);
    recorder.record(service("web"), 1, &failed("no"), COMPONENT);
    recorder.record(service("web"), 1, &failed("no"), COMPONENT);
    settle(recorder, worker).await;
    assert_eq!(server.creates().len(), 3);
    assert!(matches!(&server.calls()[3], Call::Patch(..)), "it was there already: {:?}", server.calls());
}

#[tokio::test(start_paused = true)]
async fn an_event_is_given_up_after_a_few_tries_and_the_next_is_a_new_one() {
    let away = EventError::Unavailable("connection refused".to_owned());
    let server = Server::answering(&vec![away; TRIES as usize]);
    let (recorder, worker) = start(&server);
    let begun = Instant::now();
    recorder.record(service("web"), 1, &failed("no"), COMPONENT);
    recorder.record(service("web"), 1, &failed("no"), COMPONENT);
    settle(recorder, worker).await;
    assert_eq!(server.creates().len(), TRIES as usize + 1);
    assert_eq!(server.creates()[TRIES as usize]["count"], 1);
    assert_eq!(begun.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_does_not_hold_the_worker_for_ever() {
    let server = Arc::new(Server { hangs: true, ..Server::default() });
    let (recorder, worker) = start(&server);
    recorder.record(service("web"), 1, &failed("no"), COMPONENT);
    recorder.record(service("other"), 1, &failed("no"), COMPONENT);
    settle(recorder, worker).await;
    assert_eq!(server.creates().len(), 2 * TRIES as usize);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_or_goes_to_a_terminating_namespace_is_not_tried_again() {
    for error in [EventError::Refused("forbidden".to_owned()), EventError::NamespaceTerminating] {
        let server = Server::answering(&[error]);
        let (recorder, worker) = start(&server);
        recorder.record(service("web"), 1, &failed("no"), COMPONENT);
        settle(recorder, worker).await;
        assert_eq!(server.creates().len(), 1);
    }
}
