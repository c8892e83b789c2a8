//! JSON patches (<https://www.rfc-editor.org/rfc/rfc6902>), with what kube-apiserver does besides the RFC:
//! negative indices count from the end, `replace` of an absent field of an object sets it, and a
//! test of an absent field against null holds.

use serde_json::Value;

use super::super::kinds::Kind;
use super::super::status::Status;

/// More operations than this are refused.
const OPERATIONS: usize = 10_000;

/// The object after all operations, in their order.
///
/// # Errors
/// 400 when the body is no list of operations, 413 when it is too long, 422 when one of them does not
/// apply or a test does not hold.
pub fn apply(_kind: Kind, current: &Value, patch: &[u8]) -> Result<Value, Status> {
    let operations = match serde_json::from_slice::<Value>(patch) {
        Ok(Value::Array(operations)) => operations,
        Ok(Value::Null) => Vec::new(),
        Ok(other) => {
            return Err(Status::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp",
                super::json_type(&other)
            )));
        }
        Err(error) => {
            return Err(Status::bad_request(format!(
                "error decoding patch: {}",
                super::syntax(patch, &error)
            )));
        }
    };
    if let Some(odd) = operations.iter().find(|operation| !operation.is_object() && !operation.is_null()) {
        return Err(Status::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type handlers.jsonPatchOp",
            super::json_type(odd)
        )));
    }
    if operations.len() > OPERATIONS {
        return Err(Status::new(
            413,
            "RequestEntityTooLarge",
            format!(
                "Request entity too large: The allowed maximum operations in a JSON patch is {OPERATIONS}, got {}",
                operations.len()
            ),
        ));
    }
    let mut patched = current.clone();
    for operation in &operations {
        operate(&mut patched, operation).ok_or_else(super::rejected)?;
    }
    Ok(patched)
}

/// One operation; `None` when it does not apply. Which of the many reasons it was is not answered.
fn operate(document: &mut Value, operation: &Value) -> Option<()> {
    let path = operation.get("path").and_then(Value::as_str);
    let value = operation.get("value");
    match operation["op"].as_str()? {
        "add" => add(document, path?, value.cloned().unwrap_or(Value::Null)),
        "remove" => remove(document, path?).map(drop),
        "replace" => replace(document, path?, value.cloned().unwrap_or(Value::Null)),
        "move" => {
            let moved = remove(document, operation["from"].as_str()?)?;
            add(document, path?, moved)
        }
        "copy" => {
            let copied = get(document, operation["from"].as_str()?)?.cloned().unwrap_or(Value::Null);
            add(document, path?, copied)
        }
        "test" => {
            let path = path?;
            if path.is_empty() {
                return (Some(&*document) == value).then_some(());
            }
            let stands = get(document, path)?.unwrap_or(&Value::Null);
            (stands == value.unwrap_or(&Value::Null)).then_some(())
        }
        _ => None,
    }
}

/// The steps to the value around the last one, and the last one.
fn split(path: &str) -> Option<(Vec<String>, String)> {
    let mut steps = path.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let mut steps: Vec<String> = steps.by_ref().collect();
    let last = steps.pop()?;
    Some((steps, last))
}

fn place(step: &str, length: usize) -> Option<usize> {
    let index: isize = step.parse().ok()?;
    if index < 0 { length.checked_sub(index.unsigned_abs()) } else { usize::try_from(index).ok() }
}

fn around<'a>(document: &'a mut Value, steps: &[String]) -> Option<&'a mut Value> {
    let mut here = document;
    for step in steps {
        here = match here {
            Value::Object(fields) => fields.get_mut(step)?,
            Value::Array(elements) => {
                let index = place(step, elements.len())?;
                elements.get_mut(index)?
            }
            _ => return None,
        };
    }
    (here.is_object() || here.is_array()).then_some(here)
}

/// The value at a path: `None` when there is no place, an inner `None` when an object lacks the field.
fn get<'a>(document: &'a mut Value, path: &str) -> Option<Option<&'a Value>> {
    let (steps, last) = split(path)?;
    match around(document, &steps)? {
        Value::Object(fields) => Some(fields.get(&last)),
        Value::Array(elements) => {
            let index = place(&last, elements.len())?;
            elements.get(index).map(Some)
        }
        _ => None,
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    let (steps, last) = split(path)?;
    match around(document, &steps)? {
        Value::Object(fields) => {
            fields.insert(last, value);
        }
        Value::Array(elements) if last == "-" => elements.push(value),
        Value::Array(elements) => {
            let index = place(&last, elements.len() + 1).filter(|index| *index <= elements.len())?;
            elements.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    let (steps, last) = split(path)?;
    match around(document, &steps)? {
        Value::Object(fields) => fields.remove(&last),
        Value::Array(elements) => {
            let index = place(&last, elements.len()).filter(|index| *index < elements.len())?;
            Some(elements.remove(index))
        }
        _ => None,
    }
}

fn replace(document: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *document = Some(value).filter(|value| value.is_object() || value.is_array())?;
        return Some(());
    }
    let (steps, last) = split(path)?;
    match around(document, &steps)? {
        Value::Object(fields) => {
            fields.insert(last, value);
        }
        Value::Array(elements) => {
            let index = place(&last, elements.len())?;
            *elements.get_mut(index)? = value;
        }
        _ => return None,
    }
    Some(())
}
