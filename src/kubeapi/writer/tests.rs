//! The writer against an API server in memory, under paused time.

use std::collections::VecDeque;
use std::future::pending;

use http::{Response, StatusCode};
use kube::client::Body;
use prometheus::Registry;
use serde_json::Value;
use tokio::time::sleep;

use super::*;
use crate::control::events;
use crate::control::write::NoElection;
use crate::kubeapi::metrics::RequestMetrics;
use crate::model::wire::slice_value;
use crate::model::{AddressType, Labels, Uid};

/// What the API server does with the next request; when nothing is set it echoes.
enum Does {
    Answer(u16, Value),
    AnswerAfter(Duration, u16, Value),
    RetryAfter(u16, &'static str),
    Nothing,
    BreakOff,
}

#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    path: String,
    content: String,
    body: Value,
    at: Instant,
}

#[derive(Default)]
struct Server {
    next: Mutex<VecDeque<Does>>,
    asked: Mutex<Vec<Asked>>,
}

impl Server {
    fn will(&self, does: Does) {
        self.next.lock().push_back(does);
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    fn client(self: &Arc<Server>) -> Client {
        let server = Arc::clone(self);
        Client::new(
            tower::service_fn(move |request: Request<Body>| {
                let server = Arc::clone(&server);
                async move { server.answer(request).await }
            }),
            "default",
        )
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let header =
            |name| parts.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        let asked = Asked {
            method: parts.method,
            path: parts.uri.to_string(),
            content: header(header::CONTENT_TYPE),
            body: match open(&body) {
                Some(object) => slice_value(&protobuf::decode_slice(object).unwrap()),
                None => serde_json::from_slice(&body).unwrap_or_default(),
            },
            at: Instant::now(),
        };
        let echo = asked.body.clone();
        self.asked.lock().push(asked);
        let does = self.next.lock().pop_front();
        let (code, retry_after, body) = match does {
            None => (200, None, echo),
            Some(Does::Answer(code, body)) => (code, None, body),
            Some(Does::AnswerAfter(delay, code, body)) => {
                sleep(delay).await;
                (code, None, body)
            }
            Some(Does::RetryAfter(code, after)) => (code, Some(after), status(code, "")),
            Some(Does::Nothing) => pending().await,
            Some(Does::BreakOff) => return Err(std::io::ErrorKind::ConnectionReset.into()),
        };
        let response = Response::builder().status(StatusCode::from_u16(code).unwrap());
        let response = match retry_after {
            Some(after) => response.header(header::RETRY_AFTER, after),
            None => response,
        };
        Ok(response.body(Body::from(body.to_string().into_bytes())).unwrap())
    }
}

fn status(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "no"})
}

fn slice() -> Slice {
    Slice {
        key: Key::new("ns", "web-abcde"),
        uid: Uid::new("6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e"),
        version: 7,
        generate_name: "web-".into(),
        labels: Labels::new([("kubernetes.io/service-name", "web")]),
        annotations: Labels::new::<&str, &str>([]),
        deleting: false,
        owners: Arc::from([]),
        address_type: AddressType::IPv4,
        ports: Arc::from([]),
        endpoints: Vec::new(),
        foreign: None,
    }
}

fn new_slice() -> Slice {
    Slice { uid: Uid::default(), version: 0, ..slice() }
}

fn stored(version: &str) -> Value {
    json!({
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "IPv4", "endpoints": null,
        "metadata": {"namespace": "ns", "name": "web-abcde", "uid": "u", "resourceVersion": version},
    })
}

struct Stage {
    server: Arc<Server>,
    writer: KubeWriter,
    registry: Registry,
}

fn stage_with(config: WriterConfig, fence: Arc<dyn Fence>) -> Stage {
    let server = Arc::new(Server::default());
    let registry = Registry::new();
    let metrics = RequestMetrics::new(&registry).unwrap().host("api:6443");
    let writer = KubeWriter::new(server.client(), config, fence, metrics);
    Stage { server, writer, registry }
}

fn stage() -> Stage {
    stage_with(WriterConfig::default(), Arc::new(NoElection))
}

#[tokio::test(start_paused = true)]
async fn pitfall_9_a_create_names_the_field_manager_and_no_version() {
    let s = stage();
    s.server.will(Does::Answer(201, stored("8")));
    let stored = s.writer.create(&slice()).await.unwrap();
    assert_eq!((stored.version, stored.uid), (8, Uid::new("u")));
    let asked = &s.server.asked()[0];
    assert_eq!(asked.method, Method::POST);
    let path = "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices?fieldManager=endpointslice-controller";
    assert_eq!(asked.path, path);
    assert_eq!(asked.content, PROTOBUF);
    assert_eq!(asked.body["metadata"]["name"], "web-abcde");
    assert_eq!(asked.body["metadata"].get("resourceVersion"), None);
    assert_eq!(asked.body["metadata"].get("uid"), None);
}

#[tokio::test(start_paused = true)]
async fn an_update_carries_the_version_that_it_changes() {
    let s = stage();
    s.server.will(Does::Answer(200, stored("8")));
    assert_eq!(s.writer.update(&slice()).await.unwrap().version, 8);
    let asked = &s.server.asked()[0];
    assert_eq!(asked.method, Method::PUT);
    assert!(asked.path.starts_with("/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices/web-abcde?"));
    assert_eq!(asked.body["metadata"]["resourceVersion"], "7");
    assert!(matches!(s.writer.update(&new_slice()).await, Err(WriteError::Invalid { .. })));
    assert_eq!(s.server.asked().len(), 1, "one without a version would overwrite anything: it is not sent");
}

#[tokio::test(start_paused = true)]
async fn a_delete_has_uid_and_version_as_preconditions() {
    let s = stage();
    s.server.will(Does::Answer(200, json!({"kind": "Status", "status": "Success"})));
    assert_eq!(s.writer.delete(&slice()).await, Ok(Deleted::Gone));
    let asked = &s.server.asked()[0];
    assert_eq!(asked.method, Method::DELETE);
    assert_eq!(
        asked.body["preconditions"],
        json!({"uid": "6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e", "resourceVersion": "7"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_finalizers_hold_up_shows_what_is_left() {
    let s = stage();
    let mut left = stored("9");
    left["metadata"]["finalizers"] = json!(["example.com/keep"]);
    left["metadata"]["deletionTimestamp"] = json!("2026-11-21T06:52:00Z");
    s.server.will(Does::Answer(200, left.clone()));
    let Ok(Deleted::Terminating(slice)) = s.writer.delete(&slice()).await else { panic!("gone") };
    assert!(slice.deleting);
    assert_eq!(slice.version, 9);
    left["metadata"]["finalizers"] = json!(null);
    s.server.will(Does::Answer(200, left));
    assert_eq!(s.writer.delete(&slice).await, Ok(Deleted::Gone), "the object as it stood last");
}

#[tokio::test(start_paused = true)]
async fn absence_is_told_from_failure_in_live_reads() {
    let s = stage();
    let key = Key::new("ns", "web");
    s.server.will(Does::Answer(404, status(404, "NotFound")));
    s.server.will(Does::Answer(404, status(404, "NotFound")));
    s.server.will(Does::Answer(500, status(500, "InternalError")));
    s.server.will(Does::Answer(
        200,
        json!({"metadata": {"namespace": "ns", "name": "web", "resourceVersion": "4"}}),
    ));
    s.server.will(Does::Answer(200, stored("5")));
    assert_eq!(s.writer.get_service(&key).await, Ok(None));
    assert_eq!(s.writer.get_endpoints(&key).await, Ok(None));
    assert!(matches!(s.writer.get_endpoints(&key).await, Err(WriteError::Refused { code: 500, .. })));
    assert_eq!(s.writer.get_service(&key).await.unwrap().unwrap().version, 4);
    assert_eq!(s.writer.get_slice(&key).await.unwrap().unwrap().version, 5);
    let paths: Vec<String> = s.server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths[0], "/api/v1/namespaces/ns/services/web");
    assert_eq!(paths[1], "/api/v1/namespaces/ns/endpoints/web");
    assert_eq!(paths[4], "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices/web");
}

#[tokio::test(start_paused = true)]
async fn pitfall_2_a_write_without_an_answer_ends_at_the_time_limit_with_an_unknown_outcome() {
    let s = stage();
    s.server.will(Does::Nothing);
    let started = Instant::now();
    assert!(matches!(s.writer.create(&new_slice()).await, Err(WriteError::Unknown { .. })));
    assert_eq!(started.elapsed(), Duration::from_secs(30));
    s.server.will(Does::BreakOff);
    assert!(matches!(s.writer.create(&new_slice()).await, Err(WriteError::Unknown { .. })));
    s.server.will(Does::Answer(201, json!({"what": "is this"})));
    let unread = s.writer.create(&new_slice()).await;
    assert!(matches!(unread, Err(WriteError::Unknown { .. })), "{unread:?}");
    assert_eq!(s.server.asked().len(), 3, "nothing is sent twice");
}

#[tokio::test(start_paused = true)]
async fn retry_after_pauses_all_writes_but_no_reads() {
    let s = stage();
    s.server.will(Does::RetryAfter(429, "5"));
    let throttled = |seconds| Err(WriteError::Throttled { after: Duration::from_secs(seconds) });
    assert_eq!(s.writer.update(&slice()).await, throttled(5));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(s.writer.create(&new_slice()).await, throttled(3));
    assert_eq!(s.server.asked().len(), 1, "another key's write is not sent");
    s.server.will(Does::Answer(200, stored("5")));
    assert!(s.writer.get_slice(&slice().key).await.is_ok());
    sleep(Duration::from_secs(3)).await;
    s.server.will(Does::Answer(200, stored("8")));
    assert!(s.writer.update(&slice()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_409_with_retry_after_pauses_nothing() {
    let s = stage();
    s.server.will(Does::RetryAfter(409, "5"));
    s.server.will(Does::Answer(200, stored("8")));
    assert_eq!(s.writer.update(&slice()).await, Err(WriteError::Conflict));
    assert!(s.writer.update(&slice()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn writes_in_flight_are_bounded() {
    let config = WriterConfig { in_flight: 3, ..WriterConfig::default() };
    let s = stage_with(config, Arc::new(NoElection));
    for _ in 0..9 {
        s.server.will(Does::AnswerAfter(Duration::from_secs(1), 200, stored("8")));
    }
    let started = Instant::now();
    let slice = slice();
    let all = futures::future::join_all((0..9).map(|_| s.writer.update(&slice))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(started.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_limited_when_it_is_set_and_measured() {
    let config = WriterConfig { qps: 10.0, burst: 2, ..WriterConfig::default() };
    let s = stage_with(config, Arc::new(NoElection));
    let slice = slice();
    for _ in 0..5 {
        s.server.will(Does::Answer(200, stored("8")));
        s.writer.update(&slice).await.unwrap();
    }
    let asked = s.server.asked();
    assert_eq!((asked[4].at - asked[0].at).as_millis(), 300);
    let waits =
        s.registry.gather().into_iter().find(|f| f.name() == "rest_client_rate_limiter_duration_seconds");
    assert_eq!(waits.unwrap().get_metric()[0].get_histogram().get_sample_count(), 5);
}

struct Until(Instant);

impl Fence for Until {
    fn may_write(&self) -> bool {
        Instant::now() < self.0
    }
}

#[tokio::test(start_paused = true)]
async fn no_write_passes_the_fence_not_even_one_that_waited_for_its_place() {
    let config = WriterConfig { qps: 1.0, burst: 1, ..WriterConfig::default() };
    let closes = Instant::now() + Duration::from_millis(1500);
    let s = stage_with(config, Arc::new(Until(closes)));
    let slice = slice();
    for _ in 0..2 {
        s.server.will(Does::Answer(200, stored("8")));
    }
    let all = futures::future::join_all((0..4).map(|_| s.writer.update(&slice))).await;
    assert_eq!(all.iter().filter(|r| r.is_ok()).count(), 2);
    assert_eq!(all.iter().filter(|r| **r == Err(WriteError::Fenced)).count(), 2);
    assert!(s.server.asked().iter().all(|asked| asked.at < closes));
    assert_eq!(s.writer.delete(&slice).await, Err(WriteError::Fenced));
    assert_eq!(s.writer.create(&new_slice()).await, Err(WriteError::Fenced));
    assert_eq!(s.server.asked().len(), 2);
    s.server.will(Does::Answer(200, stored("8")));
    assert!(s.writer.get_slice(&slice.key).await.is_ok(), "reads pass");
    assert!(events::EventSink::patch(&s.writer, "ns", "web.1", &json!({})).await.is_ok(), "Events pass");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_sends_nothing_new_and_waits_for_what_is_in_flight() {
    let s = stage();
    let slice = slice();
    s.server.will(Does::AnswerAfter(Duration::from_millis(300), 200, stored("8")));
    let (written, unknown) = futures::join!(s.writer.update(&slice), async {
        sleep(Duration::from_millis(1)).await;
        s.writer.drain(Duration::from_millis(700)).await
    });
    assert!(written.is_ok());
    assert_eq!(unknown, 0);
    assert_eq!(s.writer.update(&slice).await, Err(WriteError::Fenced));
}

#[tokio::test(start_paused = true)]
async fn writes_that_are_still_unknown_at_a_shutdown_are_told() {
    let s = stage();
    let slice = slice();
    s.server.will(Does::Nothing);
    s.server.will(Does::BreakOff);
    let writes = async { futures::join!(s.writer.update(&slice), s.writer.update(&slice)) };
    let shutdown = async {
        let started = Instant::now();
        let unknown = s.writer.drain(Duration::from_millis(700)).await;
        assert_eq!(started.elapsed(), Duration::from_millis(700));
        unknown
    };
    tokio::select! {
        biased;
        _ = writes => panic!("one has no answer"),
        unknown = shutdown => assert_eq!(unknown, 2, "one without answer, one broken off"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_created_and_patched_in_the_namespace_of_what_it_is_about() {
    let s = stage();
    let (event, patch) = (json!({"kind": "Event"}), json!({"count": 2}));
    events::EventSink::create(&s.writer, "ns", &event).await.unwrap();
    events::EventSink::patch(&s.writer, "ns", "web.1", &patch).await.unwrap();
    let asked = s.server.asked();
    assert_eq!((asked.len(), &asked[0].method, &asked[1].method), (2, &Method::POST, &Method::PATCH));
    assert_eq!(asked[0].path, "/api/v1/namespaces/ns/events?fieldManager=endpointslice-controller");
    assert_eq!(asked[0].body, event);
    assert_eq!(asked[1].path, "/api/v1/namespaces/ns/events/web.1?fieldManager=endpointslice-controller");
    assert_eq!(asked[1].content, "application/merge-patch+json");
    assert_eq!(asked[1].body, patch);
}

#[tokio::test(start_paused = true)]
async fn what_became_of_an_event_is_told_apart() {
    let s = stage();
    let event = json!({});
    for (code, reason, expected) in [
        (404, "NotFound", events::EventError::Gone),
        (409, "AlreadyExists", events::EventError::AlreadyExists),
    ] {
        s.server.will(Does::Answer(code, status(code, reason)));
        assert_eq!(events::EventSink::patch(&s.writer, "ns", "web.1", &event).await, Err(expected), "{code}");
    }
    s.server.will(Does::Answer(422, status(422, "Invalid")));
    assert!(matches!(
        events::EventSink::create(&s.writer, "ns", &event).await,
        Err(events::EventError::Refused(_))
    ));
    s.server.will(Does::BreakOff);
    assert!(matches!(
        events::EventSink::create(&s.writer, "ns", &event).await,
        Err(events::EventError::Unavailable(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn slices_go_out_as_protobuf_until_the_api_server_says_that_it_has_none() {
    let s = stage();
    s.server.will(Does::Answer(200, stored("8")));
    s.server.will(Does::Answer(415, status(415, "UnsupportedMediaType")));
    s.server.will(Does::Answer(200, stored("9")));
    s.server.will(Does::Answer(200, stored("10")));
    for version in [8, 9, 10] {
        assert_eq!(s.writer.update(&slice()).await.unwrap().version, version);
    }
    let contents: Vec<String> = s.server.asked().into_iter().map(|asked| asked.content).collect();
    assert_eq!(contents, [PROTOBUF, PROTOBUF, JSON, JSON]);
}

#[tokio::test(start_paused = true)]
async fn a_slice_with_a_field_that_only_json_names_goes_out_as_json() {
    let s = stage();
    s.server.will(Does::Answer(200, stored("8")));
    let mut foreign = crate::model::Foreign::default();
    foreign.fields.insert("newField".into(), json!(1));
    let update = Slice { foreign: Some(Box::new(foreign)), ..slice() };
    s.writer.update(&update).await.unwrap();
    let asked = s.server.asked();
    assert_eq!((asked[0].content.as_str(), &asked[0].body["newField"]), (JSON, &json!(1)));
}
