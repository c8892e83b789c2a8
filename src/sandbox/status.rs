//! Refusals, worded and coded as kube-apiserver does (`metav1.Status`,
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>).

use serde_json::{Value, json};

use super::kinds::Kind;
use super::store::Key;

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
    /// For the header `Warning`: what was noticed before the request was refused.
    pub warnings: Box<[String]>,
    /// `metadata.continue`: how to go on with a list after this refusal.
    pub go_on: Option<Box<str>>,
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
        Status {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
            retry_after: None,
            warnings: Box::default(),
            go_on: None,
        }
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

    /// A precondition of a delete does not hold; it names the kind, not the resource.
    #[must_use]
    pub fn conflict_of_kind(kind: Kind, name: &str, why: &str) -> Status {
        let info = kind.info();
        let mut status = Status::conflict(kind, name, why);
        let group = if info.group.is_empty() { String::new() } else { format!(".{}", info.group) };
        status.message = format!("Operation cannot be fulfilled on {}{group} \"{name}\": {why}", info.kind);
        status.details["kind"] = info.kind.into();
        status
    }

    /// The body of an update names another uid than that of the object (empty: there is none). A dry run names
    /// the place in etcd without its root.
    #[must_use]
    pub fn other_uid(kind: Kind, key: &Key, given: &str, uid: &str, dry_run: bool) -> Status {
        let root = if dry_run { "" } else { "/registry" };
        let place = match kind {
            Kind::Service => "services/specs",
            Kind::Endpoints => "services/endpoints",
            Kind::Node => "minions",
            other => other.info().plural,
        };
        let namespace = if key.namespace.is_empty() { String::new() } else { format!("{}/", key.namespace) };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {root}/{place}/{namespace}{}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, UID in object meta: {uid}",
            key.name
        );
        Status::conflict(kind, &key.name, &why)
    }

    /// A refusal of one field that speaks of the resource, not of the kind.
    #[must_use]
    pub fn invalid_resource(kind: Kind, name: &str, error: &FieldError) -> Status {
        let mut details = details(kind, name);
        details["causes"] = json!([{"reason": error.reason, "message": error.message, "field": error.field}]);
        let message =
            format!("{} \"{name}\" is invalid: {}: {}", kind.info().qualified(), error.field, error.message);
        Status { details, ..Status::new(422, "Invalid", message) }
    }

    /// The options of a request break rules. `options`: `ListOptions`; `errors` may not be empty.
    #[must_use]
    pub fn invalid_options(options: &str, errors: &[FieldError]) -> Status {
        let causes: Vec<Value> = errors
            .iter()
            .map(|error| json!({"reason": error.reason, "message": error.message, "field": error.field}))
            .collect();
        let message = format!("{options}.meta.k8s.io \"\" is invalid: {}", sentences(errors));
        let details = json!({"group": "meta.k8s.io", "kind": options, "causes": causes});
        Status { details, ..Status::new(422, "Invalid", message) }
    }

    /// Nothing is served here.
    #[must_use]
    pub fn no_resource() -> Status {
        let message = "the server could not find the requested resource";
        Status { details: json!({}), ..Status::new(404, "NotFound", message) }
    }

    /// What is served here cannot be asked for like this.
    #[must_use]
    pub fn no_method() -> Status {
        let message = "the server does not allow this method on the requested resource";
        Status { details: json!({}), ..Status::new(405, "MethodNotAllowed", message) }
    }

    /// The version that was asked for is not reached yet.
    #[must_use]
    pub fn too_large(asked: u64, current: u64) -> Status {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        Status {
            details: json!({"causes": [cause]}),
            retry_after: Some(1),
            ..Status::new(504, "Timeout", message)
        }
    }

    /// The object breaks rules of its kind. `errors` may not be empty.
    #[must_use]
    pub fn invalid(kind: Kind, name: &str, errors: &[FieldError]) -> Status {
        let info = kind.info();
        let list = sentences(errors);
        let causes: Vec<Value> = errors
            .iter()
            .map(|error| json!({"reason": error.reason, "message": error.message, "field": error.field}))
            .collect();
        let kind_of_group = match info.group {
            "" => info.kind.to_owned(),
            group => format!("{}.{group}", info.kind),
        };
        let mut details = json!({"kind": info.kind, "causes": causes});
        if !name.is_empty() {
            details["name"] = name.into();
        }
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
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            body["reason"] = self.reason.into();
        }
        if let Some(token) = &self.go_on {
            body["metadata"]["continue"] = (**token).into();
        }
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

/// The causes tell all, the message each sentence once.
fn sentences(errors: &[FieldError]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let text = format!("{}: {}", error.field, error.message);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
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
