//! JSON merge patches (<https://www.rfc-editor.org/rfc/rfc7386>).

use serde_json::{Map, Value};

use super::super::kinds::Kind;
use super::super::status::Status;

/// The object with the patch's fields in place of its own; null removes a field.
///
/// # Errors
/// 400 when the body is no JSON object.
pub fn apply(_kind: Kind, current: &Value, patch: &[u8]) -> Result<Value, Status> {
    let Some(patch) = super::object(patch, "error decoding patch: ")? else {
        return Err(Status::bad_request("Invalid JSON Patch"));
    };
    let mut merged = current.clone();
    merge(&mut merged, patch);
    Ok(merged)
}

fn merge(current: &mut Value, patch: Map<String, Value>) {
    let Value::Object(fields) = current else {
        *current = without_nulls(Value::Object(patch));
        return;
    };
    for (name, value) in patch {
        match value {
            Value::Null => {
                fields.remove(&name);
            }
            Value::Object(inner) => merge(fields.entry(name).or_insert(Value::Null), inner),
            other => {
                fields.insert(name, without_nulls(other));
            }
        }
    }
}

/// What is new keeps no nulls, not even (unlike the RFC) those of objects in lists.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
