//! The election's requests over HTTP.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{AsyncBufReadExt, FutureExt, StreamExt};
use http::{Method, Request, header};
use kube::Client;
use serde_json::Value;

use super::{LeaseApi, LeaseChange, LeaseConfig, LeaseError};
use crate::control::write::Event;
use crate::kubeapi::client::call::{Answer, call, chain};
use crate::kubeapi::writer::{FIELD_MANAGER, whole_event};

// The election ends its requests earlier; this is for those that it does not wait for.
const LIMIT: Duration = Duration::from_secs(30);
// After this the API server ends the watch; past that and some more, so do we.
const WATCH_SECONDS: u64 = 300;

/// The [`LeaseApi`] of an API server.
#[derive(Clone)]
pub struct KubeLease {
    client: Client,
    namespace: String,
    name: String,
}

impl KubeLease {
    /// The Lease of this configuration. The client should be used for nothing else.
    pub fn new(client: Client, config: &LeaseConfig) -> KubeLease {
        KubeLease { client, namespace: config.namespace.clone(), name: config.name.clone() }
    }

    fn leases(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.namespace)
    }

    async fn send(&self, method: Method, path: String, body: Option<Value>) -> Result<Answer, LeaseError> {
        call(&self.client, request(method, &path, body)?, LIMIT).await.map_err(|e| failed(e.to_string()))
    }

    async fn store(&self, method: Method, path: String, lease: Value) -> Result<Value, LeaseError> {
        let answer = self.send(method, path, Some(lease)).await?;
        match answer.code {
            200..300 => object(&answer),
            404 | 409 => Err(LeaseError::Conflict),
            _ => Err(refused(&answer)),
        }
    }

    async fn open_watch(&self) -> Result<BoxStream<'static, LeaseChange>, LeaseError> {
        let path = format!(
            "{}?watch=true&fieldSelector=metadata.name%3D{}&timeoutSeconds={WATCH_SECONDS}",
            self.leases(),
            self.name
        );
        let request = request(Method::GET, &path, None)?;
        let opened = tokio::time::timeout(LIMIT, self.client.request_stream(request)).await;
        let body = match opened {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return Err(failed(chain(&error))),
            Err(_) => return Err(failed(format!("no answer within {} s", LIMIT.as_secs()))),
        };
        let lines = body.lines().take_while(|line| std::future::ready(line.is_ok()));
        let changes = lines.filter_map(|line| std::future::ready(line.ok().and_then(|line| change(&line))));
        let end = tokio::time::sleep(Duration::from_secs(WATCH_SECONDS + 30));
        Ok(changes.take_until(end).boxed())
    }
}

impl LeaseApi for KubeLease {
    fn get(&self) -> BoxFuture<'_, Result<Option<Value>, LeaseError>> {
        async move {
            let answer = self.send(Method::GET, format!("{}/{}", self.leases(), self.name), None).await?;
            match answer.code {
                200..300 => object(&answer).map(Some),
                404 => Ok(None),
                _ => Err(refused(&answer)),
            }
        }
        .boxed()
    }

    fn create(&self, lease: Value) -> BoxFuture<'_, Result<Value, LeaseError>> {
        let path = format!("{}?fieldManager={FIELD_MANAGER}", self.leases());
        async move {
            let answer = self.send(Method::POST, path, Some(lease)).await?;
            match answer.code {
                200..300 => object(&answer),
                409 if answer.status().reason == "AlreadyExists" => Err(LeaseError::Conflict),
                _ => Err(refused(&answer)),
            }
        }
        .boxed()
    }

    fn update(&self, lease: Value) -> BoxFuture<'_, Result<Value, LeaseError>> {
        let path = format!("{}/{}?fieldManager={FIELD_MANAGER}", self.leases(), self.name);
        self.store(Method::PUT, path, lease).boxed()
    }

    fn watch(&self) -> BoxFuture<'_, Result<BoxStream<'static, LeaseChange>, LeaseError>> {
        self.open_watch().boxed()
    }

    fn post_event(&self, event: Event) -> BoxFuture<'_, Result<(), LeaseError>> {
        let path = format!("/api/v1/namespaces/{}/events?fieldManager={FIELD_MANAGER}", self.namespace);
        async move {
            let answer = self.send(Method::POST, path, Some(whole_event(&event))).await?;
            if answer.succeeded() { Ok(()) } else { Err(refused(&answer)) }
        }
        .boxed()
    }
}

fn request(method: Method, path: &str, body: Option<Value>) -> Result<Request<Vec<u8>>, LeaseError> {
    let request = Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
    let request = match &body {
        Some(_) => request.header(header::CONTENT_TYPE, "application/json"),
        None => request,
    };
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    request.body(body).map_err(|e| failed(format!("{path:?} is not a path: {e}")))
}

fn object(answer: &Answer) -> Result<Value, LeaseError> {
    serde_json::from_slice(&answer.body)
        .map_err(|e| failed(format!("answer {} is no Lease: {e}", answer.code)))
}

fn refused(answer: &Answer) -> LeaseError {
    let status = answer.status();
    failed(format!("the API server answered {} {}: {}", answer.code, status.reason, status.message))
}

fn failed(message: String) -> LeaseError {
    LeaseError::Failed { message }
}

/// A line of the watch; `None` for what says nothing of the Lease.
fn change(line: &str) -> Option<LeaseChange> {
    let mut event: Value = serde_json::from_str(line).ok()?;
    match event["type"].as_str()? {
        "ADDED" | "MODIFIED" => Some(LeaseChange::Stands(event["object"].take())),
        "DELETED" => Some(LeaseChange::Gone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Response;
    use kube::client::Body;
    use parking_lot::Mutex;
    use serde_json::json;

    use super::*;

    type Asked = Arc<Mutex<Vec<(String, Value)>>>;

    /// A Lease whose API server always answers this.
    fn lease(code: u16, body: &str) -> (KubeLease, Asked) {
        let (asked, body) = (Asked::default(), body.to_owned());
        let seen = Arc::clone(&asked);
        let client = Client::new(
            tower::service_fn(move |request: Request<Body>| {
                let (seen, body) = (Arc::clone(&seen), body.clone());
                async move {
                    let what = format!("{} {}", request.method(), request.uri());
                    let sent = request.into_body().collect_bytes().await.unwrap();
                    seen.lock().push((what, serde_json::from_slice(&sent).unwrap_or_default()));
                    let answer = Response::builder().status(code).body(Body::from(body.into_bytes()));
                    answer.map_err(|e| e.to_string())
                }
            }),
            "default",
        );
        (KubeLease::new(client, &LeaseConfig::new("kube-system", "lease", "me")), asked)
    }

    fn status(code: u16, reason: &str) -> String {
        json!({"kind": "Status", "code": code, "reason": reason, "message": "no"}).to_string()
    }

    const ALL: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";

    #[tokio::test]
    async fn a_missing_lease_is_told_from_a_failure() {
        assert_eq!(lease(404, &status(404, "NotFound")).0.get().await, Ok(None));
        let (api, asked) = lease(200, r#"{"metadata":{"name":"lease"}}"#);
        assert_eq!(api.get().await, Ok(Some(json!({"metadata": {"name": "lease"}}))));
        assert_eq!(asked.lock()[0].0, format!("GET {ALL}/lease"));
        for (code, body) in [(500, status(500, "")), (403, status(403, "Forbidden")), (200, "<html>".into())]
        {
            assert!(matches!(lease(code, &body).0.get().await, Err(LeaseError::Failed { .. })), "{code}");
        }
    }

    #[tokio::test]
    async fn a_change_by_somebody_else_is_a_conflict() {
        let update =
            |code, reason| async move { lease(code, &status(code, reason)).0.update(json!({})).await };
        assert_eq!(update(409, "Conflict").await, Err(LeaseError::Conflict));
        assert_eq!(update(404, "NotFound").await, Err(LeaseError::Conflict));
        assert!(matches!(update(503, "").await, Err(LeaseError::Failed { .. })));
        let create =
            |code, reason| async move { lease(code, &status(code, reason)).0.create(json!({})).await };
        assert_eq!(create(409, "AlreadyExists").await, Err(LeaseError::Conflict));
        assert!(matches!(create(404, "NotFound").await, Err(LeaseError::Failed { .. })), "no such namespace");
    }

    #[tokio::test]
    async fn the_lease_is_sent_whole() {
        let (api, asked) = lease(200, r#"{"stored":true}"#);
        let sent =
            json!({"metadata": {"resourceVersion": "7", "labels": {"a": "b"}}, "spec": {"strategy": "x"}});
        assert_eq!(api.update(sent.clone()).await, Ok(json!({"stored": true})));
        assert_eq!(api.create(sent.clone()).await, Ok(json!({"stored": true})));
        let asked = asked.lock().clone();
        assert_eq!(
            asked[0],
            (format!("PUT {ALL}/lease?fieldManager=endpointslice-controller"), sent.clone())
        );
        assert_eq!(asked[1], (format!("POST {ALL}?fieldManager=endpointslice-controller"), sent));
    }

    #[tokio::test]
    async fn a_watch_of_the_one_lease_shows_how_it_stands_and_that_it_goes() {
        let lines = [
            json!({"type": "ADDED", "object": {"n": 1}}),
            json!({"type": "BOOKMARK", "object": {"n": 2}}),
            json!({"type": "MODIFIED", "object": {"n": 3}}),
            json!({"type": "DELETED", "object": {"n": 4}}),
            json!({"type": "ERROR", "object": {"code": 410}}),
        ];
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let (api, asked) = lease(200, &body);
        let changes: Vec<LeaseChange> = api.watch().await.unwrap().collect().await;
        let stands = |n| LeaseChange::Stands(json!({"n": n}));
        assert_eq!(changes, [stands(1), stands(3), LeaseChange::Gone]);
        let path = format!("GET {ALL}?watch=true&fieldSelector=metadata.name%3Dlease&timeoutSeconds=300");
        assert_eq!(asked.lock()[0].0, path);
        assert!(lease(403, &status(403, "Forbidden")).0.watch().await.is_err());
    }
}
