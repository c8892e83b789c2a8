//! Refusals, worded and coded as kube-apiserver does (`metav1.Status`,
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>).

use serde_json::{Value, json};

use super::kinds::Kind;

/// A refusal: what is answered instead of an object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason} ({code}): {message}")]
pub struct Status {
    /// The HTTP code.
    pub code: u16,
    /// `NotFound`, `Conflict`, `Invalid`, …
    pub reason: &'static str,
    /// One sentence for people, in kube-apiserver's words.
    pub message: String,
    /// `metav1.StatusDetails`, or null.
    pub details: Value,
    /// Seconds, for the header `Retry-After`.
    pub retry_after: Option<u32>,
}

/// What is wrong with one field (`field.Error` of Kubernetes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// `FieldValueRequired`, `FieldValueInvalid`, `FieldValueDuplicate`, `FieldValueNotSupported`,
    /// `FieldValueForbidden`, `FieldValueTooLong`, `FieldValueTooMany`, …
    pub reason: &'static str,
    /// The field's path: `spec.ports[0].port`.
    pub field: String,
    /// The sentence after the path: `Invalid value: 0: must be between 1 and 65535, inclusive`.
    pub message: String,
}

impl Status {
    /// A refusal without details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Status {
        Status { code, reason, message: message.into(), details: Value::Null, retry_after: None }
    }

    /// A request that makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::new(400, "BadRequest", message)
    }

    /// There is no such object.
    #[must_use]
    pub fn not_found(kind: Kind, name: &str) -> Status {
        let info = kind.info();
        Status {
            details: details(kind, name),
            ..Status::new(404, "NotFound", format!("{} \"{name}\" not found", info.qualified()))
        }
    }

    /// An object of this name exists.
    #[must_use]
    pub fn already_exists(kind: Kind, name: &str) -> Status {
        let info = kind.info();
        Status {
            details: details(kind, name),
            ..Status::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", info.qualified()))
        }
    }

    /// A precondition does not hold, or the version is not the newest.
    #[must_use]
    pub fn conflict(kind: Kind, name: &str, why: &str) -> Status {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.info().qualified());
        Status { details: details(kind, name), ..Status::new(409, "Conflict", message) }
    }

    /// The object changed since it was read.
    #[must_use]
    pub fn stale(kind: Kind, name: &str) -> Status {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Status::conflict(kind, name, why)
    }

    /// The object breaks rules of its kind. `errors` may not be empty.
    #[must_use]
    pub fn invalid(kind: Kind, name: &str, errors: &[FieldError]) -> Status {
        let info = kind.info();
        // The causes tell all, the message each sentence once.
        let mut texts: Vec<String> = Vec::new();
        for error in errors {
            let text = format!("{}: {}", error.field, error.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes: Vec<Value> = errors
            .iter()
            .map(|error| json!({"reason": error.reason, "message": error.message, "field": error.field}))
            .collect();
        let kind_of_group = match info.group {
            "" => info.kind.to_owned(),
            group => format!("{}.{group}", info.kind),
        };
        let mut details = json!({"name": name, "kind": info.kind, "causes": causes});
        if !info.group.is_empty() {
            details["group"] = info.group.into();
        }
        Status {
            details,
            ..Status::new(422, "Invalid", format!("{kind_of_group} \"{name}\" is invalid: {list}"))
        }
    }

    /// Allowed to nobody, with the reason.
    #[must_use]
    pub fn forbidden(kind: Kind, name: &str, why: &str) -> Status {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.info().qualified());
        Status { details: details(kind, name), ..Status::new(403, "Forbidden", message) }
    }

    /// The version that was asked for is no longer remembered.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Status {
        Status::new(410, "Expired", message)
    }

    /// The answer's body.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        let mut details = self.details.clone();
        if let Some(seconds) = self.retry_after {
            if details.is_null() {
                details = json!({});
            }
            details["retryAfterSeconds"] = seconds.into();
        }
        if !details.is_null() {
            body["details"] = details;
        }
        body
    }
}

fn details(kind: Kind, name: &str) -> Value {
    let info = kind.info();
    let mut details = json!({"name": name, "kind": info.plural});
    if !info.group.is_empty() {
        details["group"] = info.group.into();
    }
    details
}
