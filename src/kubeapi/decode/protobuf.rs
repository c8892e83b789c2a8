//! Kubernetes' protobuf as it comes over the wire: the envelope `k8s\0` + `runtime.Unknown` round
//! every body, lists that are cut into their objects while they arrive, and watches, which are
//! frames of a length of four bytes and a bare `WatchEvent`.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use super::{BookmarkFrame, Frame, FrameKind, ListEnd, SplitError};
use crate::model::wire::DecodeError;
use crate::model::wire::protobuf::field;

/// What every body begins with.
pub const MAGIC: &[u8] = b"k8s\0";
/// No object is as large: a length beyond it is no length.
const FRAME_LIMIT: usize = 1 << 28;

// Fields of runtime.Unknown, meta/v1.WatchEvent and runtime.RawExtension.
const TYPE_META: u32 = 1;
const RAW: u32 = 2;
const EVENT_TYPE: u32 = 1;
const EVENT_OBJECT: u32 = 2;
const EXTENSION_RAW: u32 = 1;
// Fields of every list.
const LIST_META: u32 = 1;
const ITEMS: u32 = 2;

#[derive(Clone, PartialEq, Message)]
struct TypeMeta {
    #[prost(string, tag = "2")]
    kind: String,
}

#[derive(Clone, PartialEq, Message)]
struct ListMeta {
    #[prost(string, tag = "2")]
    resource_version: String,
    #[prost(string, tag = "3")]
    next: String,
}

/// Cuts the body of one list into its objects. Never more than one object is held back.
#[derive(Debug, Default)]
pub struct ProtobufListSplitter {
    buffer: BytesMut,
    // Bytes that left `buffer`.
    gone: usize,
    place: Place,
    // The list itself has come.
    came: bool,
    end: ListEnd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Magic,
    /// Among the fields of the envelope.
    Envelope,
    /// Among the fields of the list, of which so many bytes are left.
    List(usize),
}

impl ProtobufListSplitter {
    /// Takes the next piece of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next object that is complete; `None` until more is pushed.
    ///
    /// # Errors
    /// When the body is not a list.
    pub fn next_object(&mut self) -> Result<Option<Bytes>, SplitError> {
        loop {
            match self.place {
                Place::Magic => {
                    if self.buffer.len() < MAGIC.len() {
                        return Ok(None);
                    }
                    if !self.buffer.starts_with(MAGIC) {
                        return Err(self.wrong("expected the mark of Kubernetes' protobuf"));
                    }
                    self.skip(MAGIC.len());
                    self.place = Place::Envelope;
                }
                Place::List(0) => self.place = Place::Envelope,
                Place::Envelope => {
                    let Some((head, number, length)) = self.head()? else { return Ok(None) };
                    if number == RAW {
                        self.skip(head);
                        self.place = Place::List(length);
                        self.came = true;
                    } else if self.buffer.len() < head + length {
                        return Ok(None);
                    } else {
                        self.skip(head);
                        let value = self.take(length);
                        if number == TYPE_META {
                            let kind = self.message::<TypeMeta>(&value)?.kind;
                            self.end.items = kind.ends_with("List");
                        }
                    }
                }
                Place::List(left) => {
                    let Some((head, number, length)) = self.head()? else { return Ok(None) };
                    if head + length > left {
                        return Err(self.wrong("a field is longer than the list"));
                    }
                    if self.buffer.len() < head + length {
                        return Ok(None);
                    }
                    self.skip(head);
                    let value = self.take(length);
                    self.place = Place::List(left - head - length);
                    match number {
                        LIST_META => self.meta(&value)?,
                        ITEMS => return Ok(Some(value)),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Number and length of the next field, and how many bytes say so. Every field here has a length.
    fn head(&self) -> Result<Option<(usize, u32, usize)>, SplitError> {
        let Some((key, first)) = self.varint(0)? else { return Ok(None) };
        if key & 7 != 2 {
            return Err(self.wrong("a field without a length"));
        }
        let Some((length, second)) = self.varint(first)? else { return Ok(None) };
        let number = u32::try_from(key >> 3).map_err(|_| self.wrong("no number of a field"))?;
        let length = usize::try_from(length).map_err(|_| self.wrong("no length of a field"))?;
        Ok(Some((first + second, number, length)))
    }

    fn varint(&self, at: usize) -> Result<Option<(u64, usize)>, SplitError> {
        let mut value = 0;
        for (place, byte) in self.buffer[at..].iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(Some((value, place + 1)));
            }
        }
        if self.buffer.len() - at >= 10 {
            Err(self.wrong("a number of more than ten bytes"))
        } else {
            Ok(None)
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.gone += bytes;
    }

    fn take(&mut self, bytes: usize) -> Bytes {
        self.gone += bytes;
        self.buffer.split_to(bytes).freeze()
    }

    fn wrong(&self, what: &str) -> SplitError {
        SplitError::Message { at: self.gone, what: what.to_owned() }
    }

    fn message<M: Message + Default>(&self, value: &[u8]) -> Result<M, SplitError> {
        M::decode(value).map_err(|error| self.wrong(&error.to_string()))
    }

    fn meta(&mut self, value: &[u8]) -> Result<(), SplitError> {
        let meta: ListMeta = self.message(value)?;
        let text = &meta.resource_version;
        self.end.next = Some(meta.next).filter(|token| !token.is_empty());
        self.end.version = match text.as_str() {
            "" => 0,
            _ => text.parse().map_err(|_| {
                SplitError::Metadata(format!("resourceVersion {text:?}: expected a decimal number"))
            })?,
        };
        Ok(())
    }

    /// What stood round the objects.
    ///
    /// # Errors
    /// When the body is not complete.
    pub fn finish(self) -> Result<ListEnd, SplitError> {
        match self.place {
            Place::Envelope | Place::List(0) if self.came && self.buffer.is_empty() => Ok(self.end),
            _ => Err(SplitError::Truncated(self.gone + self.buffer.len())),
        }
    }
}

/// Cuts a watch into its frames.
#[derive(Debug, Default)]
pub struct ProtobufFrameSplitter {
    buffer: BytesMut,
}

impl ProtobufFrameSplitter {
    /// Takes the next piece of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next complete frame; `None` until more is pushed.
    ///
    /// # Errors
    /// When what should be a length cannot be one: nothing that follows can be read.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > FRAME_LIMIT {
            let message = format!("a frame of {length} bytes: expected at most {FRAME_LIMIT}");
            return Err(DecodeError { kind: "watch event", message });
        }
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Whether the stream stands between two frames: one that ends elsewhere was cut off.
    pub fn between_frames(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// Reads one frame of a watch, without looking into the object. The object of an error keeps its
/// envelope, as every Status comes in one.
///
/// # Errors
/// When it is not a `WatchEvent` with a type and an object in its envelope.
pub fn read_frame(frame: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let wrong = |what: &str| DecodeError { kind: "watch event", message: what.to_owned() };
    let kind = field(frame, EVENT_TYPE).ok_or_else(|| wrong("there is no type"))?;
    let kind = FrameKind::of(std::str::from_utf8(kind).map_err(|_| wrong("the type is no text"))?);
    let extension = field(frame, EVENT_OBJECT).unwrap_or_default();
    let enveloped = field(extension, EXTENSION_RAW).unwrap_or_default();
    let object = match kind {
        FrameKind::Error | FrameKind::Unknown(_) => enveloped,
        _ => open(enveloped).ok_or_else(|| wrong("the object is not in its envelope"))?,
    };
    Ok(Frame { kind, object })
}

/// What is in an envelope; `None` when it is none.
pub fn open(enveloped: &[u8]) -> Option<&[u8]> {
    field(enveloped.strip_prefix(MAGIC)?, RAW)
}

#[derive(Clone, PartialEq, Message)]
struct Bookmark {
    #[prost(message, optional, tag = "1")]
    metadata: Option<BookmarkMeta>,
}

#[derive(Clone, PartialEq, Message)]
struct BookmarkMeta {
    #[prost(string, tag = "6")]
    resource_version: String,
    #[prost(message, repeated, tag = "12")]
    annotations: Vec<Annotation>,
}

#[derive(Clone, PartialEq, Message)]
struct Annotation {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// Reads the object of a bookmark.
///
/// # Errors
/// When it has no version that is a number.
pub fn read_bookmark(object: &[u8]) -> Result<BookmarkFrame, DecodeError> {
    let wrong = |message: String| DecodeError { kind: "bookmark", message };
    let bookmark = Bookmark::decode(object).map_err(|error| wrong(error.to_string()))?;
    let meta = bookmark.metadata.unwrap_or_default();
    let text = &meta.resource_version;
    let version = text
        .parse()
        .map_err(|_| wrong(format!("metadata.resourceVersion {text:?}: expected a decimal number")))?;
    let end =
        |annotation: &Annotation| annotation.key == super::INITIAL_EVENTS_END && annotation.value == "true";
    Ok(BookmarkFrame { version, initial_events_end: meta.annotations.iter().any(end) })
}

/// `meta/v1.Status`, as far as failures are told apart by it.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// A sentence.
    #[prost(string, tag = "3")]
    pub message: String,
    /// A word.
    #[prost(string, tag = "4")]
    pub reason: String,
    /// More of it.
    #[prost(message, optional, tag = "5")]
    pub details: Option<StatusDetails>,
    /// The HTTP status; 0 when there is none.
    #[prost(int32, tag = "6")]
    pub code: i32,
}

/// `meta/v1.StatusDetails`.
#[derive(Clone, PartialEq, Message)]
pub struct StatusDetails {
    /// What led to it.
    #[prost(message, repeated, tag = "4")]
    pub causes: Vec<StatusCause>,
    /// In how many seconds to ask again; 0 when it says nothing.
    #[prost(int32, tag = "5")]
    pub retry_after_seconds: i32,
}

/// `meta/v1.StatusCause`.
#[derive(Clone, PartialEq, Message)]
pub struct StatusCause {
    /// A word.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// A sentence.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// The Status in this body; `None` when there is none in protobuf.
pub fn read_status(body: &[u8]) -> Option<Status> {
    Status::decode(open(body)?).ok()
}
