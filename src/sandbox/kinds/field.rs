//! Where something is wrong, and how kube-apiserver says it (`k8s.io/apimachinery` `field.Error`).

use std::fmt::{Display, Formatter, Result, Write};

use serde_json::Value;

use crate::sandbox::status::FieldError;

/// The path of a field, built without cost and written only when something is wrong there.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Child(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// A field of the object itself.
    #[must_use]
    pub const fn new(name: &'a str) -> Path<'a> {
        Path { parent: None, step: Step::Child(name) }
    }

    /// A field of what is here.
    #[must_use]
    pub const fn child(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Child(name) }
    }

    /// One of the list that is here.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// One of the map that is here.
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }
}

impl Display for Path<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        if let Some(parent) = self.parent {
            parent.fmt(out)?;
        }
        match self.step {
            Step::Child(name) if self.parent.is_some() => write!(out, ".{name}"),
            Step::Child(name) => out.write_str(name),
            Step::Index(index) => write!(out, "[{index}]"),
            Step::Key(key) => write!(out, "[{key}]"),
        }
    }
}

fn error(path: &Path<'_>, reason: &'static str, words: &str, detail: &str) -> FieldError {
    let message = if detail.is_empty() { words.to_owned() } else { format!("{words}: {detail}") };
    FieldError { reason, field: path.to_string(), message }
}

/// A value that is not allowed.
#[must_use]
pub fn invalid(path: &Path<'_>, value: &Value, detail: &str) -> FieldError {
    error(path, "FieldValueInvalid", &format!("Invalid value: {}", shown(value)), detail)
}

/// A text that is not allowed.
#[must_use]
pub fn invalid_text(path: &Path<'_>, value: &str, detail: &str) -> FieldError {
    error(path, "FieldValueInvalid", &format!("Invalid value: {}", quoted(value)), detail)
}

/// A value that is not allowed, already printed.
#[must_use]
pub fn invalid_shown(path: &Path<'_>, shown: &str, detail: &str) -> FieldError {
    error(path, "FieldValueInvalid", &format!("Invalid value: {shown}"), detail)
}

/// A value that must be there.
#[must_use]
pub fn required(path: &Path<'_>, detail: &str) -> FieldError {
    error(path, "FieldValueRequired", "Required value", detail)
}

/// A value that another one of the list has, too.
#[must_use]
pub fn duplicate(path: &Path<'_>, value: &Value) -> FieldError {
    error(path, "FieldValueDuplicate", &format!("Duplicate value: {}", shown(value)), "")
}

/// A value that another one of the list has, too, already printed.
#[must_use]
pub fn duplicate_shown(path: &Path<'_>, shown: &str) -> FieldError {
    error(path, "FieldValueDuplicate", &format!("Duplicate value: {shown}"), "")
}

/// A value that is none of those there are.
#[must_use]
pub fn not_supported(path: &Path<'_>, value: &str, supported: &[&str]) -> FieldError {
    let list: Vec<String> = supported.iter().map(|word| quoted(word)).collect();
    let detail = format!("supported values: {}", list.join(", "));
    error(path, "FieldValueNotSupported", &format!("Unsupported value: {}", quoted(value)), &detail)
}

/// A name of something that is not there.
#[must_use]
pub fn not_found(path: &Path<'_>, name: &str) -> FieldError {
    error(path, "FieldValueNotFound", &format!("Not found: {}", quoted(name)), "")
}

/// A value that may not be set here.
#[must_use]
pub fn forbidden(path: &Path<'_>, detail: &str) -> FieldError {
    error(path, "FieldValueForbidden", "Forbidden", detail)
}

/// A list with more than `most`.
#[must_use]
pub fn too_many(path: &Path<'_>, count: usize, most: usize) -> FieldError {
    let things = if most == 1 { "item" } else { "items" };
    let detail = format!("must have at most {most} {things}");
    error(path, "FieldValueTooMany", &format!("Too many: {count}"), &detail)
}

/// Something of more than `most` bytes.
#[must_use]
pub fn too_long(path: &Path<'_>, most: usize) -> FieldError {
    let bytes = if most == 1 { "byte" } else { "bytes" };
    error(path, "FieldValueTooLong", "Too long", &format!("may not be more than {most} {bytes}"))
}

/// A value that may not change: nothing when it did not.
#[must_use]
pub fn immutable(path: &Path<'_>, new: &Value, old: &Value) -> Option<FieldError> {
    (new != old).then(|| invalid(path, new, "field is immutable"))
}

/// A value as it is shown in messages.
#[must_use]
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A text in quotes, as Go writes it with `%q`.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            control if control.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
