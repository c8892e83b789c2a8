//! What a message of Kubernetes' protobuf holds: the number of each field, its name in JSON, and its type.

/// A message.
pub(super) struct Shape(pub(super) &'static [Field]);

/// A field of a message.
pub(super) struct Field {
    pub(super) number: u64,
    /// Its name in JSON; empty for a message whose fields stand in JSON beside its own ones.
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) of: Type,
}

/// How often a field is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Once; the zero value is written in protobuf and left out in JSON.
    One,
    /// Once, the zero value as well.
    Kept,
    List,
    /// By names; a list of messages of a name and a value.
    Map,
    Inline,
}

/// The type of a field, or of the elements of a list or map.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Text,
    Number,
    Truth,
    /// A message with a text; in JSON only the text.
    Quantity,
    /// A message; in JSON a number or a text.
    IntOrString,
    /// A message with JSON as bytes.
    Raw,
    /// A message of seconds and nanoseconds; in JSON RFC 3339 in whole seconds.
    Time,
    /// The same in microseconds.
    MicroTime,
    Message(&'static Shape),
}

pub(super) const fn one(number: u64, name: &'static str, of: Type) -> Field {
    Field { number, name, form: Form::One, of }
}

pub(super) const fn kept(number: u64, name: &'static str, of: Type) -> Field {
    Field { number, name, form: Form::Kept, of }
}

pub(super) const fn list(number: u64, name: &'static str, of: Type) -> Field {
    Field { number, name, form: Form::List, of }
}

pub(super) const fn map(number: u64, name: &'static str, of: Type) -> Field {
    Field { number, name, form: Form::Map, of }
}

pub(super) const fn inline(number: u64, shape: &'static Shape) -> Field {
    Field { number, name: "", form: Form::Inline, of: Type::Message(shape) }
}
