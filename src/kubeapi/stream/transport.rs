//! The one thing that a stream asks of the world: GET, with the body as it arrives.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use futures::{FutureExt, future};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use thiserror::Error;

use crate::kubeapi::decode::Wire;

/// A request that got no answer, or a body that broke off.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct TransportError(pub String);

/// The head of an answer, and its body as it arrives.
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// The header `Retry-After` in seconds, when there is one.
    pub retry_after: Option<Duration>,
    /// The format of the body.
    pub wire: Wire,
    /// The body in pieces of any size.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

/// Sends GET requests. Dropping the future or the body gives the request up.
pub trait Transport: Send + Sync + 'static {
    /// Answers when the head of the response is there, whatever its status. No time limit.
    fn get(&self, uri: String, accept: &'static str) -> BoxFuture<'static, Result<Response, TransportError>>;
}

/// Requests through kube's client, which brings TLS and authentication.
#[derive(Clone)]
pub struct ClientTransport(pub Client);

impl Transport for ClientTransport {
    fn get(&self, uri: String, accept: &'static str) -> BoxFuture<'static, Result<Response, TransportError>> {
        // A watch of a 1.37 server would otherwise come as one gzip member an event.
        let request = http::Request::get(uri)
            .header(ACCEPT, accept)
            .header(ACCEPT_ENCODING, "identity")
            .body(Body::empty());
        let client = self.0.clone();
        async move {
            let request = request.map_err(|error| TransportError(error.to_string()))?;
            let response = client.send(request).await.map_err(|error| explain(&error))?;
            let (head, body) = response.into_parts();
            let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
            let retry_after = header(RETRY_AFTER);
            let body = body
                .into_data_stream()
                .map_err(|error| explain(&error))
                .try_filter(|chunk| future::ready(!chunk.is_empty()));
            Ok(Response {
                status: head.status.as_u16(),
                retry_after: retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs),
                wire: Wire::of(header(CONTENT_TYPE).unwrap_or_default()),
                body: body.boxed(),
            })
        }
        .boxed()
    }
}

/// An error with its causes: the outermost one of hyper says next to nothing.
fn explain(error: &(dyn std::error::Error + 'static)) -> TransportError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    TransportError(text)
}
