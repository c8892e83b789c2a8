//! What can go wrong with a request, how long to wait after it, and what is told of it: each
//! distinct failure once, and once that it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use serde::Deserialize;
use thiserror::Error;
use tracing::{info, warn};

use super::transport::{Response, TransportError};
use crate::kubeapi::decode::{ProtobufStatus, read_status};

const FIRST_PAUSE: Duration = Duration::from_millis(800);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that asks for more patience than this is asked again nevertheless.
const LONGEST_OBEYED: Duration = Duration::from_secs(300);
const ERROR_BODY: usize = 64 * 1024;
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(10);

/// Why a list or a watch did not go on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum Failure {
    /// 410: the version or the token is too old.
    #[error("the version has expired (410): {0}")]
    Expired(String),
    /// The API server has not reached the version that was asked for.
    #[error("the API server has not reached the version that was shown: {0}")]
    Behind(String),
    /// What came is older than what was shown.
    #[error("version {got} came after {shown} was shown")]
    Old { got: u64, shown: u64 },
    /// 401 or 403.
    #[error("the API server answers {code}: {message}")]
    Denied { code: u16, message: String },
    /// Any other answer that is not 200.
    #[error("the API server answers {code}: {message}")]
    Answer { code: u16, message: String, retry_after: Option<Duration> },
    /// No connection, or one that broke.
    #[error("the connection failed: {0}")]
    Connection(#[from] TransportError),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// No sign of life on an open watch.
    #[error("no sign of life for {} s", .0.as_secs())]
    Silent(Duration),
    /// A body that cannot be read.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    code: Option<u16>,
    message: Option<String>,
    reason: Option<String>,
    details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    causes: Option<Vec<Cause>>,
    retry_after_seconds: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cause {
    reason: Option<String>,
    message: Option<String>,
}

impl From<ProtobufStatus> for Status {
    fn from(status: ProtobufStatus) -> Status {
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        Status {
            code: u16::try_from(status.code).ok().filter(|code| *code > 0),
            message: said(status.message),
            reason: said(status.reason),
            details: status.details.map(|details| Details {
                causes: Some(
                    details
                        .causes
                        .into_iter()
                        .map(|cause| Cause { reason: said(cause.reason), message: said(cause.message) })
                        .collect(),
                ),
                retry_after_seconds: u64::try_from(details.retry_after_seconds).ok().filter(|s| *s > 0),
            }),
        }
    }
}

impl Failure {
    /// The failure that an answer with this code means; its body is a Status or some text.
    pub(super) async fn of_response(response: Response) -> Failure {
        let Response { status, retry_after, mut body, .. } = response;
        let mut text = Vec::new();
        // Without a body the code says enough.
        let _ = tokio::time::timeout(ERROR_BODY_LIMIT, async {
            while let Some(Ok(chunk)) = body.next().await {
                text.extend_from_slice(&chunk);
                if text.len() > ERROR_BODY {
                    break;
                }
            }
        })
        .await;
        Failure::of_status(status, &text, retry_after)
    }

    /// The failure that a Status means. `code` counts where the Status has none.
    pub(super) fn of_status(code: u16, status: &[u8], retry_after: Option<Duration>) -> Failure {
        let protobuf = read_status(status).map(Status::from);
        let parsed = protobuf.or_else(|| serde_json::from_slice(status).ok()).unwrap_or_else(|| {
            let start: String = String::from_utf8_lossy(status).chars().take(200).collect();
            Status { message: Some(start.trim().to_owned()), ..Status::default() }
        });
        let code = if code == 200 { parsed.code.unwrap_or(500) } else { code };
        let message = parsed.message.unwrap_or_default();
        let details = parsed.details.unwrap_or_default();
        let too_large = details.causes.unwrap_or_default().into_iter().any(|cause| {
            cause.reason.as_deref() == Some("ResourceVersionTooLarge")
                || cause.message.as_deref() == Some("Too large resource version")
        });
        let reason = parsed.reason.unwrap_or_default();
        let retry_after = retry_after.or(details.retry_after_seconds.map(Duration::from_secs));
        match code {
            _ if too_large => Failure::Behind(message),
            410 => Failure::Expired(message),
            _ if matches!(reason.as_str(), "Expired" | "Gone") => Failure::Expired(message),
            401 | 403 => Failure::Denied { code, message },
            _ => Failure::Answer { code, message, retry_after },
        }
    }

    /// The label `reason` of the metric that counts restarts.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Failure::Expired(_) => "expired",
            Failure::Behind(_) | Failure::Old { .. } => "old",
            Failure::Denied { .. } => "denied",
            Failure::Silent(_) => "silent",
            _ => "error",
        }
    }

    /// How long the API server asks to be left alone: only 429 and 503 mean it.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Answer { code: 429 | 503, retry_after, .. } => {
                retry_after.map(|pause| pause.min(LONGEST_OBEYED))
            }
            _ => None,
        }
    }

    /// Whether the request itself was refused, so that repeating it is of no use.
    pub(super) fn is_bad_request(&self) -> bool {
        matches!(self, Failure::Answer { code, .. } if (400..500).contains(code) && *code != 429)
    }

    /// What makes it another failure than the last one; texts change from try to try.
    fn kind(&self) -> (&'static str, u16) {
        match self {
            Failure::Expired(_) => ("expired", 0),
            Failure::Behind(_) => ("behind", 0),
            Failure::Old { .. } => ("old", 0),
            Failure::Denied { code, .. } => ("denied", *code),
            Failure::Answer { code, .. } => ("answer", *code),
            Failure::Connection(_) => ("connection", 0),
            Failure::Late(_) => ("late", 0),
            Failure::Silent(_) => ("silent", 0),
            Failure::Unreadable(_) => ("unreadable", 0),
        }
    }
}

/// Pauses that double, with jitter, from 0.8 s to 30 s.
#[derive(Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        let base = FIRST_PAUSE * (1 << self.0.min(6));
        self.0 = self.0.saturating_add(1);
        base.mul_f64(rand::random_range(1.0..1.5)).min(LONGEST_PAUSE)
    }

    /// The next pause after this failure.
    pub(super) fn after(&mut self, failure: &Failure) -> Duration {
        self.next().max(failure.retry_after().unwrap_or_default())
    }

    /// Whether nothing failed since it last worked.
    pub(super) fn is_reset(&self) -> bool {
        self.0 == 0
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }
}

/// What a stream was doing when something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// Fetching a list.
    List,
    /// Opening a watch.
    Open,
    /// Reading a watch.
    Read,
}

impl Doing {
    fn verb(self) -> &'static str {
        match self {
            Doing::List => "list",
            Doing::Open | Doing::Read => "watch",
        }
    }
}

/// The failures that were told and are not over.
#[derive(Debug)]
pub(super) struct Told {
    resource: &'static str,
    // As RBAC calls it: the last part of the path.
    plural: String,
    failures: BTreeSet<(Doing, &'static str, u16)>,
}

impl Told {
    pub(super) fn new(resource: &'static str, path: &str) -> Told {
        let plural = path.rsplit('/').next().unwrap_or(resource).to_owned();
        Told { resource, plural, failures: BTreeSet::new() }
    }

    /// Tells of a failure, unless it was told already and is not over.
    pub(super) fn failed(&mut self, doing: Doing, failure: &Failure) {
        let (kind, code) = failure.kind();
        if !self.failures.insert((doing, kind, code)) {
            return;
        }
        let (resource, verb) = (self.resource, doing.verb());
        match failure {
            Failure::Denied { .. } => warn!(
                resource,
                verb,
                "cannot {verb} {}: {failure}; grant the verb {verb:?} on the resource {:?} to the role of this \
                 controller; what was listed before stays in use, and it is tried again",
                self.plural,
                self.plural,
            ),
            _ => warn!(resource, verb, "cannot {verb} {}: {failure}; it is tried again", self.plural),
        }
    }

    /// Doing this works: tells so if a failure of it was told.
    pub(super) fn works(&mut self, doing: Doing) {
        let before = self.failures.len();
        self.failures.retain(|(told, ..)| *told != doing);
        if self.failures.len() < before {
            let verb = doing.verb();
            info!(resource = self.resource, verb, "{verb} of {} works again", self.plural);
        }
    }
}
