//! What is answered.

use std::convert::Infallible;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::Cut;
use crate::sandbox::status::Status;

/// The body of an answer; an error cuts the connection.
pub(super) type Body = UnsyncBoxBody<Bytes, Cut>;
/// The pieces of an answer that is still being made.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, Cut>>;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

enum Content {
    Whole(Bytes),
    /// Cut after so many bytes.
    Cut(Bytes, usize),
    Pieces(Pieces),
}

pub(super) struct Answer {
    code: u16,
    media: &'static str,
    content: Content,
    retry_after: Option<u32>,
    /// For the header `Warning`.
    pub warnings: Vec<String>,
}

impl Answer {
    fn new(code: u16, media: &'static str, content: Content) -> Answer {
        Answer { code, media, content, retry_after: None, warnings: Vec::new() }
    }

    pub(super) fn text(code: u16, text: &'static str) -> Answer {
        Answer::new(code, TEXT, Content::Whole(Bytes::from_static(text.as_bytes())))
    }

    pub(super) fn json(code: u16, value: &Value) -> Answer {
        Answer::bytes(code, value.to_string().into_bytes())
    }

    /// JSON as it is to be sent, without the end of its line.
    pub(super) fn bytes(code: u16, mut json: Vec<u8>) -> Answer {
        json.push(b'\n');
        Answer::new(code, JSON, Content::Whole(json.into()))
    }

    pub(super) fn aggregated(value: &Value) -> Answer {
        Answer { media: AGGREGATED, ..Answer::json(200, value) }
    }

    pub(super) fn refusal(status: &Status) -> Answer {
        Answer {
            retry_after: status.retry_after,
            warnings: status.warnings.to_vec(),
            ..Answer::json(status.code, &status.body())
        }
    }

    pub(super) fn stream(pieces: Pieces) -> Answer {
        Answer::new(200, JSON, Content::Pieces(pieces))
    }

    /// An answer that begins and never comes.
    pub(super) fn half_open() -> Answer {
        Answer::stream(stream::pending().boxed())
    }

    /// Cuts the connection after so many bytes of the body.
    pub(super) fn truncate(&mut self, limit: usize) {
        self.content = match std::mem::replace(&mut self.content, Content::Whole(Bytes::new())) {
            Content::Whole(bytes) | Content::Cut(bytes, _) => Content::Cut(bytes, limit),
            Content::Pieces(pieces) => Content::Pieces(truncated(pieces, limit)),
        };
    }

    pub(super) fn response(self, pretty: bool) -> Response<Body> {
        let mut length = None;
        let body: Body = match self.content {
            Content::Whole(bytes) => {
                let bytes = if pretty && self.media != TEXT { indented(&bytes) } else { bytes };
                Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
            }
            Content::Cut(bytes, limit) => {
                length = Some(bytes.len());
                framed(truncated(stream::once(async move { Ok(bytes) }).boxed(), limit))
            }
            Content::Pieces(pieces) => framed(pieces),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        for warning in &self.warnings {
            let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
            if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
                headers.append(header::WARNING, value);
            }
        }
        response
    }
}

fn framed(pieces: Pieces) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// The first bytes, and then the end of the connection.
fn truncated(pieces: Pieces, limit: usize) -> Pieces {
    let cut = stream::once(async { Err(Cut) });
    pieces
        .scan(limit, |left, piece| {
            let piece = piece.map(|bytes| {
                let taken = bytes.slice(..bytes.len().min(*left));
                *left -= taken.len();
                taken
            });
            let mut pieces = vec![piece];
            if *left == 0 {
                pieces.push(Err(Cut));
            }
            async move { Some(stream::iter(pieces)) }
        })
        .flatten()
        .chain(cut)
        .boxed()
}

fn indented(bytes: &Bytes) -> Bytes {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return bytes.clone() };
    match serde_json::to_vec_pretty(&value) {
        Ok(mut text) => {
            text.push(b'\n');
            text.into()
        }
        Err(_) => bytes.clone(),
    }
}
