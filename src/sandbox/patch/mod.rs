//! The three forms of a patch that kube-apiserver takes for its own kinds: [`json`] (RFC 6902),
//! [`merge`] (RFC 7386) and [`strategic`] merge. Each takes the object as it stands and the request's body,
//! and gives the object as the caller wants it; what its kind thinks of it is judged afterwards.
//! Apply-patches are none of them: [`refuse_apply`] says why.

pub mod json;
pub mod merge;
mod shapes;
pub mod strategic;

use serde_json::error::Category;
use serde_json::{Map, Value};

use super::kinds::Kind;
use super::status::{FieldError, Status};

/// The content types of the three forms, in the order in which kube-apiserver names them.
pub const TYPES: [&str; 3] =
    ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"];

/// Applies `patch` to `current`, in the form that `content_type` names (parameters like a charset are let pass).
///
/// # Errors
/// 415 for other forms, 400 for a body that is no patch, 422 or 500 (as kube-apiserver answers) for one
/// that does not fit the object.
pub fn apply(kind: Kind, content_type: &str, current: &Value, patch: &[u8]) -> Result<Value, Status> {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "application/json-patch+json" => json::apply(kind, current, patch),
        "application/merge-patch+json" => merge::apply(kind, current, patch),
        "application/strategic-merge-patch+json" => strategic::apply(kind, current, patch),
        "application/apply-patch+yaml" | "application/apply-patch+cbor" => Err(refuse_apply()),
        _ => Err(Status::new(
            415,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format - accepted media types include: {}",
                TYPES.join(", ")
            ),
        )),
    }
}

/// Server-side apply: refused, with the reason. It needs the owner of each field, which is not kept.
#[must_use]
pub fn refuse_apply() -> Status {
    let why = "server-side apply is not supported by the sandbox, which keeps no managedFields; use kubectl apply \
               without --server-side";
    Status::new(
        415,
        "UnsupportedMediaType",
        format!("{why} - accepted media types include: {}", TYPES.join(", ")),
    )
}

/// The refusal of a patch after which the object can no longer be read; `why` is the reader's sentence.
#[must_use]
pub fn unreadable(patched: &Value, why: &str) -> Status {
    unreadable_text(&patched.to_string(), why)
}

/// The same, with the text that is shown of the patch.
#[must_use]
pub fn unreadable_text(shown: &str, why: &str) -> Status {
    let error = FieldError {
        reason: "FieldValueInvalid",
        field: "patch".to_owned(),
        message: format!("Invalid value: {}: {why}", go_quoted(shown)),
    };
    let message = format!(" \"\" is invalid: {}: {}", error.field, error.message);
    let details = serde_json::json!({
        "causes": [{"reason": error.reason, "message": error.message, "field": error.field}],
    });
    Status { details, ..Status::new(422, "Invalid", message) }
}

/// What is said of a wrong type after a strategic merge: another reader looks at it, with other words.
/// `error` is a sentence of Go's JSON reader; what it says of anything else stays.
#[must_use]
pub fn conversion_error(error: &str) -> String {
    let words = || {
        let (found, rest) = error.strip_prefix("json: cannot unmarshal ")?.split_once(" into Go ")?;
        let (_, wanted) = rest.rsplit_once(" of type ")?;
        let found = match found.split(' ').next()? {
            "object" => "map",
            "array" => "slice",
            "number" if found.contains('.') => "float64",
            "number" => "int64",
            other => other,
        };
        Some(if wanted.starts_with("[]") {
            format!("cannot restore slice from {found}")
        } else if wanted.starts_with("map[") {
            format!("cannot restore map from {found}")
        } else {
            return None;
        })
    };
    words().unwrap_or_else(|| error.to_owned())
}

/// What kube-apiserver says of a patch that is well-formed and cannot be applied, whatever the cause.
fn rejected() -> Status {
    let message = "the server rejected our request due to an error in our request";
    Status { details: Value::Object(Map::new()), ..Status::new(422, "Invalid", message) }
}

/// An error that kube-apiserver gives on without a code of its own.
fn internal(message: impl Into<String>) -> Status {
    Status::new(500, "", message)
}

/// A patch that must be a JSON object (or null).
fn object(patch: &[u8], prefix: &str) -> Result<Option<Map<String, Value>>, Status> {
    match serde_json::from_slice(patch) {
        Ok(Value::Object(map)) => Ok(Some(map)),
        Ok(Value::Null) => Ok(None),
        Ok(other) => Err(Status::bad_request(format!(
            "{prefix}json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_type(&other)
        ))),
        Err(error) => Err(Status::bad_request(format!("{prefix}{}", syntax(patch, &error)))),
    }
}

/// The sentence of Go's JSON parser for a body that is none.
pub(super) fn syntax(body: &[u8], error: &serde_json::Error) -> String {
    if error.classify() == Category::Eof {
        return "unexpected end of JSON input".to_owned();
    }
    let line_start = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let at = (line_start + error.column()).saturating_sub(1);
    match body.get(at) {
        Some(byte) if error.to_string().starts_with("trailing characters") => {
            format!("invalid character {} after top-level value", go_char(*byte))
        }
        Some(byte) => format!("invalid character {} looking for beginning of value", go_char(*byte)),
        None => "unexpected end of JSON input".to_owned(),
    }
}

/// A value as Go's `%+v` prints what it has read of JSON.
#[must_use]
pub fn go_map(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}:{}", go_map(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

/// How Go's `encoding/json` calls the type of a value.
pub(super) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A byte as Go's JSON parser names it.
fn go_char(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_owned(),
        b'\n' => "'\\n'".to_owned(),
        b'\r' => "'\\r'".to_owned(),
        b'\t' => "'\\t'".to_owned(),
        b'\\' => "'\\\\'".to_owned(),
        0..0x20 | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        other => format!("'{}'", char::from(other)),
    }
}

/// A text as Go's `%q` prints it, as far as JSON texts go.
fn go_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
