//! Cuts what the API server sends into objects while it arrives: the objects of a list out of its
//! body, the frames of a watch out of its lines. Never more than one object is held back.
//!
//! Cutting looks at brackets and quotes only; whether an object is right is found out when it is
//! decoded, so that it harms no other.

use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;
use thiserror::Error;

use crate::model::Version;

/// A list body that cannot be cut.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SplitError {
    /// Something stands where JSON allows nothing of the kind.
    #[error("byte {at} of the list is {found:?}: expected {expected}")]
    Unexpected {
        /// Offset in the body.
        at: usize,
        /// What was found.
        found: char,
        /// What may stand there.
        expected: &'static str,
    },
    /// The body ended in the middle.
    #[error("the list ended after {0} bytes, before it was complete")]
    Truncated(usize),
    /// The body is protobuf, and wrong.
    #[error("byte {at} of the list: {what}")]
    Message {
        /// Offset in the body.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// The metadata of the list.
    #[error("metadata of the list: {0}")]
    Metadata(String),
}

/// What stands round the objects of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListEnd {
    /// The version of the list; 0 when it has none.
    pub version: Version,
    /// The token that the next page is asked for with; `None` on the last page.
    pub next: Option<String>,
    /// There was an array `items` (or null): this was a list at all.
    pub items: bool,
}

/// Cuts the body of one list into its objects.
#[derive(Debug, Default)]
pub struct ListSplitter {
    buffer: BytesMut,
    // How far `buffer` has been looked at.
    at: usize,
    // Bytes that left `buffer`.
    gone: usize,
    place: Place,
    value: ValueScan,
    end: ListEnd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Key,
    InKey,
    Colon(Field),
    BeforeValue(Field),
    InValue(Field),
    Items,
    InObject,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Items,
    Metadata,
    Other,
}

/// How far one JSON value has been looked at.
#[derive(Clone, Copy, Debug, Default)]
struct ValueScan {
    depth: usize,
    string: bool,
    escaped: bool,
    scalar: bool,
}

impl ValueScan {
    /// Looks at more of the value. Returns how many bytes belong to it and whether it ended there.
    fn scan(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.string {
                at += self.scan_string(&bytes[at..]);
                if !self.string && self.depth == 0 {
                    return (at, true);
                }
                continue;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return (at, true),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                b',' if self.depth == 0 => return (at, true),
                b' ' | b'\n' | b'\r' | b'\t' if self.depth == 0 && self.scalar => return (at, true),
                _ => self.scalar |= self.depth == 0,
            }
            at += 1;
        }
        (at, false)
    }

    /// Looks at the rest of a string; clears `string` after its closing quote.
    fn scan_string(&mut self, bytes: &[u8]) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.string = false;
                return at + 1;
            }
        }
        bytes.len()
    }
}

impl ListSplitter {
    /// Takes the next piece of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next object that is complete; `None` until more is pushed.
    ///
    /// # Errors
    /// When the body is not the JSON of a list.
    pub fn next_object(&mut self) -> Result<Option<Bytes>, SplitError> {
        loop {
            match self.place {
                Place::InObject => match self.take_value() {
                    Some(object) => {
                        self.place = Place::Items;
                        return Ok(Some(object));
                    }
                    None => return Ok(None),
                },
                Place::InValue(field) => match self.take_value() {
                    Some(value) => self.field(field, &value)?,
                    None => return Ok(None),
                },
                Place::InKey => match self.take_value() {
                    Some(key) => {
                        self.place = Place::Colon(match &*key {
                            b"\"items\"" => Field::Items,
                            b"\"metadata\"" => Field::Metadata,
                            _ => Field::Other,
                        });
                    }
                    None => return Ok(None),
                },
                _ => {
                    if !self.between()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Looks at one byte between values. False when there is none.
    fn between(&mut self) -> Result<bool, SplitError> {
        let blank = self.buffer.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        self.skip(blank.unwrap_or(self.buffer.len()));
        let Some(&byte) = self.buffer.first() else { return Ok(false) };
        match (self.place, byte) {
            (Place::Start, b'{') | (Place::Key, b',') => self.pass(Place::Key),
            (Place::Key, b'"') => self.begin(Place::InKey),
            (Place::Key, b'}') => self.pass(Place::Done),
            (Place::Colon(field), b':') => self.pass(Place::BeforeValue(field)),
            (Place::BeforeValue(Field::Items), b'[') => {
                self.end.items = true;
                self.pass(Place::Items);
            }
            (Place::BeforeValue(field), _) => self.begin(Place::InValue(field)),
            (Place::Items, b',') => self.pass(Place::Items),
            (Place::Items, b']') => self.pass(Place::Key),
            (Place::Items, found) if found != b'}' => self.begin(Place::InObject),
            (place, found) => {
                let expected = match place {
                    Place::Start => "the opening bracket of a list",
                    Place::Colon(_) => "a colon",
                    Place::Done => "nothing more",
                    _ => "the name of a field or the end of the list",
                };
                return Err(SplitError::Unexpected { at: self.gone, found: char::from(found), expected });
            }
        }
        Ok(true)
    }

    fn skip(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.gone += bytes;
    }

    fn pass(&mut self, place: Place) {
        self.skip(1);
        self.place = place;
    }

    fn begin(&mut self, place: Place) {
        self.place = place;
        self.value = ValueScan::default();
        self.at = 0;
    }

    /// Takes the value that is being looked at, once it is complete.
    fn take_value(&mut self) -> Option<Bytes> {
        let (looked, ended) = self.value.scan(&self.buffer[self.at..]);
        self.at += looked;
        if !ended {
            return None;
        }
        self.gone += self.at;
        Some(self.buffer.split_to(self.at).freeze())
    }

    fn field(&mut self, field: Field, value: &[u8]) -> Result<(), SplitError> {
        self.place = Place::Key;
        match field {
            Field::Items => self.end.items = value == b"null",
            Field::Other => {}
            Field::Metadata => {
                #[derive(Deserialize, Default)]
                #[serde(rename_all = "camelCase", default)]
                struct ListMeta {
                    resource_version: Option<String>,
                    r#continue: Option<String>,
                }
                let wrong = |message: String| SplitError::Metadata(message);
                let meta: ListMeta =
                    serde_json::from_slice(value).map_err(|error| wrong(error.to_string()))?;
                let text = meta.resource_version.unwrap_or_default();
                self.end.next = meta.r#continue.filter(|token| !token.is_empty());
                self.end.version = match text.as_str() {
                    "" => 0,
                    _ => text
                        .parse()
                        .map_err(|_| wrong(format!("resourceVersion {text:?}: expected a decimal number")))?,
                };
            }
        }
        Ok(())
    }

    /// What stood round the objects.
    ///
    /// # Errors
    /// When the body is not complete.
    pub fn finish(self) -> Result<ListEnd, SplitError> {
        match self.place {
            Place::Done => Ok(self.end),
            _ => Err(SplitError::Truncated(self.gone + self.buffer.len())),
        }
    }
}

/// Cuts a watch into its frames: one line each.
#[derive(Debug, Default)]
pub struct FrameSplitter {
    buffer: BytesMut,
    at: usize,
}

impl FrameSplitter {
    /// Takes the next piece of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next complete line that is not blank; `None` until more is pushed.
    pub fn next_frame(&mut self) -> Option<Bytes> {
        loop {
            match self.buffer[self.at..].iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let line = self.buffer.split_to(self.at + end + 1).freeze();
                    self.at = 0;
                    if !line.trim_ascii().is_empty() {
                        return Some(line);
                    }
                }
                None => {
                    self.at = self.buffer.len();
                    return None;
                }
            }
        }
    }

    /// Whether the stream stands between two frames: one that ends elsewhere was cut off.
    pub fn between_frames(&self) -> bool {
        self.buffer.trim_ascii().is_empty()
    }
}
