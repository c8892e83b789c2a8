//! One request under a time limit, and what is known when it fails: whether it can have reached the
//! API server or not. Every request but a watch goes through here.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use kube::core::response::{StatusCause, StatusDetails};
use thiserror::Error;

use crate::kubeapi::decode::{ProtobufStatus, read_status};

/// An answer, whatever its code.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status code.
    pub code: u16,
    /// `Retry-After`, where it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// Whether the code says success.
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The body as a Status; of what is none (a proxy's page) one is made from code and text.
    pub fn status(&self) -> Status {
        if let Some(status) = read_status(&self.body) {
            return of_protobuf(status);
        }
        match serde_json::from_slice::<Status>(&self.body) {
            Ok(status) if status.code != 0 || !status.reason.is_empty() || !status.message.is_empty() => {
                status
            }
            _ => {
                let text = String::from_utf8_lossy(&self.body);
                let text: String = text.trim().chars().take(200).collect();
                Status::failure(&text, "").with_code(self.code)
            }
        }
    }
}

fn of_protobuf(status: ProtobufStatus) -> Status {
    let details = status.details.map(|details| StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: details
            .causes
            .into_iter()
            .map(|cause| StatusCause { reason: cause.reason, message: cause.message, field: String::new() })
            .collect(),
        retry_after_seconds: u32::try_from(details.retry_after_seconds).unwrap_or(0),
    });
    let code = u16::try_from(status.code).unwrap_or(0);
    let failure = Status::failure(&status.message, &status.reason).with_code(code);
    match details {
        Some(details) => failure.with_details(details),
        None => failure,
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// No connection: the API server has not seen the request.
    #[error("no connection: {message}")]
    NotSent {
        /// What the connection said.
        message: String,
    },
    /// No connection, because one side does not trust the other: the API server has not seen the request.
    #[error("no connection, TLS failed: {message}")]
    Tls {
        /// What is wrong with which certificate.
        message: String,
    },
    /// A token or credential command failed before anything was sent.
    #[error("no credential: {message}")]
    Credential {
        /// What is wrong.
        message: String,
    },
    /// The connection was lost when the request was under way: the API server may have seen it.
    #[error("the connection was lost: {message}")]
    Lost {
        /// What the connection said.
        message: String,
    },
    /// The time limit ran out: the API server may have seen the request.
    #[error("no answer within {} ms", limit.as_millis())]
    TimedOut {
        /// The time limit.
        limit: Duration,
    },
}

impl CallError {
    /// Whether the API server cannot have seen the request.
    pub fn unsent(&self) -> bool {
        !matches!(self, CallError::Lost { .. } | CallError::TimedOut { .. })
    }
}

/// Sends a request and reads the whole answer, within `limit`.
///
/// # Errors
/// When there is no answer; any HTTP status is one.
pub async fn call(client: &Client, request: Request<Vec<u8>>, limit: Duration) -> Result<Answer, CallError> {
    let exchange = async {
        let response = client.send(request.map(Body::from)).await.map_err(|e| unanswered(&e))?;
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let code = response.status().as_u16();
        let body =
            response.into_body().collect().await.map_err(|e| CallError::Lost { message: chain(&e) })?;
        Ok(Answer { code, retry_after, body: body.to_bytes() })
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(ended) => ended,
        Err(_) => Err(CallError::TimedOut { limit }),
    }
}

/// What a request that the client could not bring to an answer says about itself.
pub(crate) fn unanswered(error: &kube::Error) -> CallError {
    if let Some(message) = sources(error).find_map(distrust) {
        return CallError::Tls { message };
    }
    if matches!(error, kube::Error::Auth(_)) || sources(error).any(|e| e.is::<kube::client::AuthError>()) {
        return CallError::Credential { message: chain(error) };
    }
    let connecting = |e: &hyper_util::client::legacy::Error| e.is_connect();
    let unsent = sources(error).filter_map(|e| e.downcast_ref()).any(connecting);
    let message = chain(error);
    if unsent { CallError::NotSent { message } } else { CallError::Lost { message } }
}

/// What rustls has against a certificate, in words that say what to do.
fn distrust(error: &(dyn StdError + 'static)) -> Option<String> {
    use rustls::{AlertDescription, CertificateError, Error};
    let error = error.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!("the certificate of the API server has expired ({error})")
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the certificate of the API server is not signed by the certificate authority that is configured"
                .into()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the certificate of the API server is for another name ({error})"),
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "the API server says that our client certificate has expired".into()
        }
        Error::AlertReceived(alert) => {
            format!("the API server refuses our client certificate or protocol ({alert:?})")
        }
        other => other.to_string(),
    })
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    // Bounded, in case somebody's `source` goes in circles.
    std::iter::successors(Some(error), |e: &&'a (dyn StdError + 'static)| cause(*e)).take(16)
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    // The `source` of an io::Error leaves out the error that it wraps, and a failed handshake is wrapped so.
    match error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// An error with what caused it. Many repeat their cause, some do not tell it.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    for part in sources(error).map(ToString::to_string) {
        if text.contains(&part) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&part);
    }
    text
}
