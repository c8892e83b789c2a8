//! Raw JSON over HTTP to an API server: whatever a test wants to say, without types in between.

use std::pin::Pin;

use futures::{AsyncBufReadExt, Stream, StreamExt};
use http::{Method, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

/// The HTTP header with which watches ask for plain text, one event a line.
const IDENTITY: (&str, &str) = ("accept-encoding", "identity");

/// An answer that is not a success. Code 0: there was no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{method} {path}: {code} {reason}: {message}")]
pub struct Refusal {
    pub method: String,
    pub path: String,
    pub code: u16,
    pub reason: String,
    pub message: String,
}

pub type Answer = Result<Value, Refusal>;

/// An event of a watch.
#[derive(Debug, Clone)]
pub struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: String,
    pub object: Value,
    /// Bytes on the wire.
    pub size: usize,
}

pub type Events = Pin<Box<dyn Stream<Item = Result<Event, String>> + Send>>;

/// A connection to one API server as one user. It belongs to the runtime that made it.
#[derive(Clone)]
pub struct Api {
    client: kube::Client,
}

impl Api {
    /// Connects as the kubeconfig says. Nothing is sent yet, and nothing is ever repeated.
    pub async fn from_kubeconfig(path: &std::path::Path) -> Api {
        let kubeconfig = Kubeconfig::read_from(path).expect("read the kubeconfig");
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .expect("a usable kubeconfig");
        config.default_retry = false;
        Api { client: kube::Client::try_from(config).expect("a client") }
    }

    /// Connects to a server without TLS and users (etcd's gateway, a metrics endpoint).
    pub fn plain(url: &str) -> Api {
        let mut config = kube::Config::new(url.parse().expect("a URL"));
        config.default_retry = false;
        Api { client: kube::Client::try_from(config).expect("a client") }
    }

    /// Connects to a server whose certificate nobody vouches for, with a bearer token.
    pub fn unverified(url: &str, token: &str) -> Api {
        let mut config = kube::Config::new(url.parse().expect("a URL"));
        config.default_retry = false;
        config.accept_invalid_certs = true;
        let token = serde_json::json!({"token": token});
        config.auth_info = serde_json::from_value(token).expect("a token");
        Api { client: kube::Client::try_from(config).expect("a client") }
    }

    /// The headers of the answer to a GET, whatever its code.
    pub async fn headers(&self, path: &str) -> http::HeaderMap {
        let request = Request::get(path).body(kube::client::Body::empty()).expect("a request");
        self.client.send(request).await.expect("an answer").headers().clone()
    }

    /// One request as it is, and the whole answer, whatever its code.
    pub async fn ask(&self, request: Request<Vec<u8>>) -> Result<http::Response<bytes::Bytes>, String> {
        use http_body_util::BodyExt;
        let (head, body) = self.open(request).await?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok(http::Response::from_parts(head, body.to_bytes()))
    }

    /// The same with an answer that is still coming.
    pub async fn open(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<http::Response<kube::client::Body>, String> {
        let request = request.map(kube::client::Body::from);
        self.client.send(request).await.map_err(|error| error.to_string())
    }

    /// One request with a JSON body (or none) and a JSON answer.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>, content_type: &str) -> Answer {
        let text = self.send_text(method.clone(), path, body, content_type).await?;
        serde_json::from_str(&text).map_err(|error| Refusal {
            method: method.to_string(),
            path: path.to_string(),
            code: 0,
            reason: "NotJson".to_string(),
            message: format!("{error}: {text}"),
        })
    }

    async fn send_text(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        content_type: &str,
    ) -> Result<String, Refusal> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("accept", "application/json")
            .header("content-type", content_type)
            .body(bytes)
            .expect("a request");
        self.client.request_text(request).await.map_err(|error| refusal(&method, path, error))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, "application/json").await
    }

    /// The answer as text, for `/metrics` and the health paths.
    pub async fn text(&self, path: &str) -> Result<String, Refusal> {
        self.send_text(Method::GET, path, None, "application/json").await
    }

    /// The objects of a list (each with apiVersion and kind left out by the API server).
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, Refusal> {
        Ok(self.list_at(path).await?.0)
    }

    /// The objects of a list and the resourceVersion of the list.
    pub async fn list_at(&self, path: &str) -> Result<(Vec<Value>, String), Refusal> {
        let mut list = self.get(path).await?;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_string();
        let objects = match list["items"].take() {
            Value::Array(objects) => objects,
            _ => Vec::new(),
        };
        Ok((objects, version))
    }

    pub async fn create(&self, path: &str, object: &Value) -> Answer {
        self.send(Method::POST, path, Some(object), "application/json").await
    }

    pub async fn update(&self, path: &str, object: &Value) -> Answer {
        self.send(Method::PUT, path, Some(object), "application/json").await
    }

    /// A JSON merge patch.
    pub async fn patch(&self, path: &str, patch: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(patch), "application/merge-patch+json").await
    }

    /// A JSON patch (a list of operations).
    pub async fn json_patch(&self, path: &str, operations: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(operations), "application/json-patch+json").await
    }

    /// Deletes at once (grace period 0).
    pub async fn delete(&self, path: &str) -> Answer {
        let options = serde_json::json!({"gracePeriodSeconds": 0});
        self.send(Method::DELETE, path, Some(&options), "application/json").await
    }

    /// Deletes with the grace period that the object or the options say.
    pub async fn delete_with(&self, path: &str, options: &Value) -> Answer {
        self.send(Method::DELETE, path, Some(options), "application/json").await
    }

    /// The events of a collection after `version`; `query` is added to the URL (`a=b&c=d` or empty).
    pub async fn watch(&self, path: &str, version: &str, query: &str) -> Result<Events, Refusal> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut url = format!("{path}{mark}watch=true&allowWatchBookmarks=true&resourceVersion={version}");
        if !query.is_empty() {
            url = format!("{url}&{query}");
        }
        let request = Request::get(&url)
            .header("accept", "application/json")
            .header(IDENTITY.0, IDENTITY.1)
            .body(Vec::new())
            .expect("a request");
        let reader = match self.client.request_stream(request).await {
            Ok(reader) => reader,
            Err(error) => return Err(refusal(&Method::GET, &url, error)),
        };
        let events = Box::pin(reader).lines().map(|line| {
            let line = line.map_err(|error| error.to_string())?;
            let mut event: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
            let kind = event["type"].as_str().unwrap_or_default().to_string();
            Ok(Event { kind, object: event["object"].take(), size: line.len() })
        });
        Ok(Box::pin(events))
    }
}

fn refusal(method: &Method, path: &str, error: kube::Error) -> Refusal {
    let (code, reason, message) = match error {
        kube::Error::Api(status) => (status.code, status.reason.clone(), status.message.clone()),
        other => (0, "NoAnswer".to_string(), format!("{other:?}")),
    };
    Refusal { method: method.to_string(), path: path.to_string(), code, reason, message }
}
