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
