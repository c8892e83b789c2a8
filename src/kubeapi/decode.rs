//! From the bytes of a list or a watch to rows: cut into objects while they arrive, metadata first,
//! each object on its own, so that one that cannot be decoded costs only itself.
//!
//! The wire format is JSON. Another one would bring its own [`Decoder`] and its own way to cut.

mod meta;
mod split;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Meta, Version};

pub use crate::model::wire::DecodeError;
pub use meta::peek_meta;
pub use split::{FrameSplitter, ListEnd, ListSplitter, SplitError};

/// Turns the bytes of one object into a row.
pub trait Decoder: Send + Sync + 'static {
    /// What is made of an object.
    type Row: Send + Sync + 'static;

    /// Key, uid and version: read first, cheaply, and as far as possible also of an object that
    /// cannot be decoded. A version that cannot be read is 0.
    ///
    /// # Errors
    /// When not even a name can be read.
    fn meta(&self, object: &[u8]) -> Result<Meta, DecodeError>;

    /// The row of an object.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it, and where.
    fn decode(&self, object: &[u8]) -> Result<Self::Row, DecodeError>;
}

/// Objects as JSON, decoded by this function.
#[derive(Clone, Copy, Debug)]
pub struct Json<R>(pub fn(&[u8]) -> Result<R, DecodeError>);

impl<R: Send + Sync + 'static> Decoder for Json<R> {
    type Row = R;

    fn meta(&self, object: &[u8]) -> Result<Meta, DecodeError> {
        peek_meta(object)
    }

    fn decode(&self, object: &[u8]) -> Result<R, DecodeError> {
        (self.0)(object)
    }
}

/// What a frame of a watch announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// `ADDED` or `MODIFIED`: the same to us.
    Upserted,
    /// `DELETED`, with the last state; its version is that of the deletion.
    Deleted,
    /// `BOOKMARK`: nothing but a version.
    Bookmark,
    /// `ERROR`: a Status; the watch ends.
    Error,
    /// A type that this program does not know.
    Unknown(String),
}

/// One frame of a watch.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// What it announces.
    pub kind: FrameKind,
    /// The object, undecoded.
    pub object: &'a [u8],
}

#[derive(Deserialize)]
struct WireFrame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
}

/// Reads one line of a watch, without looking into the object.
///
/// # Errors
/// When the line is not JSON or has no `type`.
pub fn read_frame(line: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let frame: WireFrame<'_> = serde_json::from_slice(line)
        .map_err(|error| DecodeError { kind: "watch event", message: error.to_string() })?;
    let kind = match &*frame.kind {
        "ADDED" | "MODIFIED" => FrameKind::Upserted,
        "DELETED" => FrameKind::Deleted,
        "BOOKMARK" => FrameKind::Bookmark,
        "ERROR" => FrameKind::Error,
        other => FrameKind::Unknown(other.to_owned()),
    };
    Ok(Frame { kind, object: frame.object.map_or(b"null", |object| object.get().as_bytes()) })
}

/// What a bookmark says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookmarkFrame {
    /// Everything up to this version has been sent.
    pub version: Version,
    /// The annotation `k8s.io/initial-events-end`: a streaming list is complete.
    pub initial_events_end: bool,
}

/// Reads the object of a bookmark.
///
/// # Errors
/// When it has no version that is a number.
pub fn read_bookmark(object: &[u8]) -> Result<BookmarkFrame, DecodeError> {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow)]
        metadata: Metadata<'a>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata<'a> {
        #[serde(borrow)]
        resource_version: Cow<'a, str>,
        #[serde(default)]
        annotations: Option<Annotations<'a>>,
    }
    #[derive(Deserialize)]
    struct Annotations<'a> {
        #[serde(rename = "k8s.io/initial-events-end", borrow, default)]
        end: Option<Cow<'a, str>>,
    }
    let wrong = |message: String| DecodeError { kind: "bookmark", message };
    let object: Object<'_> = serde_json::from_slice(object).map_err(|error| wrong(error.to_string()))?;
    let text = &object.metadata.resource_version;
    let version = text
        .parse()
        .map_err(|_| wrong(format!("metadata.resourceVersion {text:?}: expected a decimal number")))?;
    let end = object.metadata.annotations.and_then(|annotations| annotations.end);
    Ok(BookmarkFrame { version, initial_events_end: end.as_deref() == Some("true") })
}

#[cfg(test)]
mod tests;
