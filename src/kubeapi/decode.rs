//! From the bytes of a list or a watch to rows: cut into objects while they arrive, metadata first,
//! each object on its own, so that one that cannot be decoded costs only itself.
//!
//! Two formats come over the wire: protobuf, which costs a third, and JSON, which says all. The answer
//! names its own ([`Wire`]); what cuts and reads one is chosen by it.

mod meta;
mod protobuf;
mod split;
mod wire;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Meta, Version};

pub use crate::model::wire::DecodeError;
pub use meta::peek_meta;
pub use protobuf::{MAGIC, Status as ProtobufStatus, open, read_status};
pub use split::{ListEnd, SplitError};
pub use wire::{EITHER, Frames, JSON, Objects, PROTOBUF, Wire};

use split::{FrameSplitter, ListSplitter};

/// The annotation of the bookmark that ends a streaming list.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// Turns the bytes of one object into a row.
pub trait Decoder: Send + Sync + 'static {
    /// What is made of an object.
    type Row: Send + Sync + 'static;

    /// Whether protobuf may be asked for.
    fn reads_protobuf(&self) -> bool {
        false
    }

    /// Key, uid and version: read first, cheaply, and as far as possible also of an object that
    /// cannot be decoded. A version that cannot be read is 0.
    ///
    /// # Errors
    /// When not even a name can be read.
    fn meta(&self, wire: Wire, object: &[u8]) -> Result<Meta, DecodeError> {
        match wire {
            Wire::Json => peek_meta(object),
            Wire::Protobuf => crate::model::wire::protobuf::peek_meta(object),
        }
    }

    /// The row of an object.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it, and where.
    fn decode(&self, wire: Wire, object: &[u8]) -> Result<Self::Row, DecodeError>;
}

/// Decodes one object.
pub type Decode<R> = fn(&[u8]) -> Result<R, DecodeError>;

/// Objects as JSON only, decoded by this function.
#[derive(Clone, Copy, Debug)]
pub struct Json<R>(pub Decode<R>);

impl<R: Send + Sync + 'static> Decoder for Json<R> {
    type Row = R;

    fn decode(&self, wire: Wire, object: &[u8]) -> Result<R, DecodeError> {
        match wire {
            Wire::Json => (self.0)(object),
            Wire::Protobuf => {
                let message = "protobuf: expected JSON, which was asked for".to_owned();
                Err(DecodeError { kind: "object", message })
            }
        }
    }
}

/// Objects as protobuf, or as JSON where it is not to be had.
#[derive(Clone, Copy, Debug)]
pub struct Either<R> {
    /// Of protobuf.
    pub protobuf: Decode<R>,
    /// Of JSON.
    pub json: Decode<R>,
}

impl<R: Send + Sync + 'static> Decoder for Either<R> {
    type Row = R;

    fn reads_protobuf(&self) -> bool {
        true
    }

    fn decode(&self, wire: Wire, object: &[u8]) -> Result<R, DecodeError> {
        match wire {
            Wire::Json => (self.json)(object),
            Wire::Protobuf => (self.protobuf)(object),
        }
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

impl FrameKind {
    fn of(text: &str) -> FrameKind {
        match text {
            "ADDED" | "MODIFIED" => FrameKind::Upserted,
            "DELETED" => FrameKind::Deleted,
            "BOOKMARK" => FrameKind::Bookmark,
            "ERROR" => FrameKind::Error,
            other => FrameKind::Unknown(other.to_owned()),
        }
    }
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
fn read_line(line: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let frame: WireFrame<'_> = serde_json::from_slice(line)
        .map_err(|error| DecodeError { kind: "watch event", message: error.to_string() })?;
    let object = frame.object.map_or(b"null".as_slice(), |object| object.get().as_bytes());
    Ok(Frame { kind: FrameKind::of(&frame.kind), object })
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
fn read_json_bookmark(object: &[u8]) -> Result<BookmarkFrame, DecodeError> {
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
mod protobuf_tests;
#[cfg(test)]
mod tests;
