//! What an answer of the API server means for a write: whether it was stored, and whether it is worth
//! trying again. Code and reason decide together, since 409 can be a quota and 403 a namespace that
//! is being deleted.

use std::time::Duration;

use crate::control::write::WriteError;
use crate::kubeapi::client::call::{Answer, CallError};

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// POST.
    Create,
    /// PUT.
    Update,
    /// DELETE.
    Delete,
    /// GET: changes nothing, so its outcome is always known.
    Get,
    /// POST or PATCH of an Event: not fenced.
    Event,
}

// A Retry-After beyond this is taken for a mistake: one answer must not silence this program for hours.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
// A 429 that does not say how long.
const UNSAID_PAUSE: Duration = Duration::from_secs(1);

/// What this answer, which is no success, means.
pub fn failure(verb: Verb, answer: &Answer) -> WriteError {
    let status = answer.status();
    let message = status.message;
    let reason = status.reason;
    let cause = |wanted: &str| {
        status
            .details
            .as_ref()
            .is_some_and(|details| details.causes.iter().any(|cause| cause.reason == wanted))
    };
    match (answer.code, verb) {
        (429, _) => throttled(answer.retry_after.unwrap_or(UNSAID_PAUSE)),
        (503, _) if answer.retry_after.is_some() => throttled(answer.retry_after.unwrap_or(UNSAID_PAUSE)),
        (500.., Verb::Get) => WriteError::Refused { code: answer.code, reason, message },
        (500.., _) => WriteError::Unknown { message: format!("{} {reason} {message}", answer.code) },
        (404, Verb::Create) => WriteError::NamespaceTerminating,
        (404, _) => WriteError::NotFound,
        (403, Verb::Create | Verb::Event) if cause("NamespaceTerminating") => {
            WriteError::NamespaceTerminating
        }
        (403, _) => WriteError::Forbidden { message },
        (409, Verb::Create | Verb::Event) if reason == "AlreadyExists" => WriteError::AlreadyExists,
        (409, Verb::Update | Verb::Delete) => WriteError::Conflict,
        (422, _) => WriteError::Invalid { message },
        (code, _) => WriteError::Refused { code, reason, message },
    }
}

fn throttled(after: Duration) -> WriteError {
    WriteError::Throttled { after: after.min(LONGEST_PAUSE) }
}

/// What it means that there is no answer.
pub fn no_answer(error: &CallError) -> WriteError {
    match error {
        unsent if unsent.unsent() => WriteError::Unreachable { message: unsent.to_string() },
        sent => WriteError::Unknown { message: sent.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn answer(code: u16, reason: &str, cause: Option<&str>, retry_after: Option<u64>) -> Answer {
        let causes: Vec<_> =
            cause.iter().map(|c| json!({"reason": c, "message": "m", "field": "f"})).collect();
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
            "reason": reason, "message": "no", "details": {"name": "web-x", "causes": causes},
        });
        Answer {
            code,
            retry_after: retry_after.map(Duration::from_secs),
            body: Bytes::from(body.to_string()),
        }
    }

    #[test]
    fn on_create_only_the_reason_already_exists_means_a_taken_name() {
        assert_eq!(
            failure(Verb::Create, &answer(409, "AlreadyExists", None, None)),
            WriteError::AlreadyExists
        );
        let quota = failure(Verb::Create, &answer(409, "Conflict", None, Some(1)));
        assert_eq!(quota, WriteError::Refused { code: 409, reason: "Conflict".into(), message: "no".into() });
    }

    #[test]
    fn a_409_on_update_or_delete_is_a_conflict_whatever_its_retry_after() {
        for verb in [Verb::Update, Verb::Delete] {
            assert_eq!(failure(verb, &answer(409, "Conflict", None, Some(5))), WriteError::Conflict);
        }
    }

    #[test]
    fn a_namespace_that_goes_is_no_missing_permission() {
        let terminating = answer(403, "Forbidden", Some("NamespaceTerminating"), None);
        assert_eq!(failure(Verb::Create, &terminating), WriteError::NamespaceTerminating);
        assert_eq!(
            failure(Verb::Create, &answer(404, "NotFound", None, None)),
            WriteError::NamespaceTerminating
        );
        assert_eq!(
            failure(Verb::Create, &answer(403, "Forbidden", None, None)),
            WriteError::Forbidden { message: "no".into() }
        );
        assert_eq!(failure(Verb::Update, &terminating), WriteError::Forbidden { message: "no".into() });
    }

    #[test]
    fn what_is_gone_is_not_found() {
        for verb in [Verb::Update, Verb::Delete, Verb::Get] {
            assert_eq!(failure(verb, &answer(404, "NotFound", None, None)), WriteError::NotFound);
        }
    }

    #[test]
    fn retry_after_is_obeyed_on_429_and_503_up_to_five_minutes() {
        let after = |seconds| WriteError::Throttled { after: Duration::from_secs(seconds) };
        assert_eq!(failure(Verb::Create, &answer(429, "TooManyRequests", None, Some(7))), after(7));
        assert_eq!(failure(Verb::Create, &answer(429, "TooManyRequests", None, None)), after(1));
        assert_eq!(failure(Verb::Update, &answer(503, "ServiceUnavailable", None, Some(2))), after(2));
        assert_eq!(failure(Verb::Update, &answer(429, "TooManyRequests", None, Some(86_400))), after(300));
    }

    #[test]
    fn after_a_5xx_the_write_may_stand() {
        for (code, retry_after) in [(500, None), (502, None), (503, None), (504, Some(1))] {
            for verb in [Verb::Create, Verb::Update, Verb::Delete] {
                let error = failure(verb, &answer(code, "Timeout", None, retry_after));
                assert!(matches!(error, WriteError::Unknown { .. }), "{code} on {verb:?}: {error:?}");
            }
            let error = failure(Verb::Get, &answer(code, "Timeout", None, retry_after));
            assert!(matches!(error, WriteError::Refused { .. }), "a read changes nothing: {error:?}");
        }
    }

    #[test]
    fn a_request_that_was_not_sent_has_a_known_outcome() {
        let unsent = [
            CallError::NotSent { message: "refused".into() },
            CallError::Tls { message: "expired".into() },
            CallError::Credential { message: "no token".into() },
        ];
        for error in unsent {
            assert!(matches!(no_answer(&error), WriteError::Unreachable { .. }));
        }
        let sent = [
            CallError::Lost { message: "reset".into() },
            CallError::TimedOut { limit: Duration::from_secs(30) },
        ];
        for error in sent {
            assert!(matches!(no_answer(&error), WriteError::Unknown { .. }));
        }
    }

    #[test]
    fn a_proxy_s_page_is_shown_in_part() {
        let page = Answer { code: 413, retry_after: None, body: Bytes::from("<html>too large</html>") };
        assert_eq!(
            failure(Verb::Update, &page),
            WriteError::Refused {
                code: 413,
                reason: String::new(),
                message: "<html>too large</html>".into()
            }
        );
    }
}
