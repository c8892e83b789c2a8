//! What is cut and read depends on what came: one choice for each body, by its `Content-Type`.

use bytes::Bytes;

use super::protobuf::{self, ProtobufFrameSplitter, ProtobufListSplitter};
use super::{
    BookmarkFrame, DecodeError, Frame, FrameSplitter, ListEnd, ListSplitter, SplitError, read_json_bookmark,
    read_line,
};

/// The media type of JSON.
pub const JSON: &str = "application/json";
/// The media type of Kubernetes' protobuf.
pub const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// What accepts protobuf, and JSON from whoever has none (or from a proxy that has something to say).
pub const EITHER: &str = "application/vnd.kubernetes.protobuf,application/json";

/// The format of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// `application/json`.
    #[default]
    Json,
    /// `application/vnd.kubernetes.protobuf`.
    Protobuf,
}

impl Wire {
    /// The format that a `Content-Type` names; JSON when it names none.
    pub fn of(content_type: &str) -> Wire {
        if content_type.trim_start().starts_with(PROTOBUF) { Wire::Protobuf } else { Wire::Json }
    }

    /// Reads one frame of a watch, without looking into the object.
    ///
    /// # Errors
    /// When it is not a watch event with a type.
    pub fn read_frame(self, frame: &[u8]) -> Result<Frame<'_>, DecodeError> {
        match self {
            Wire::Json => read_line(frame),
            Wire::Protobuf => protobuf::read_frame(frame),
        }
    }

    /// Reads the object of a bookmark.
    ///
    /// # Errors
    /// When it has no version that is a number.
    pub fn read_bookmark(self, object: &[u8]) -> Result<BookmarkFrame, DecodeError> {
        match self {
            Wire::Json => read_json_bookmark(object),
            Wire::Protobuf => protobuf::read_bookmark(object),
        }
    }
}

/// The objects of one list, cut out of its body while it arrives.
#[derive(Debug)]
pub enum Objects {
    /// Of JSON.
    Json(ListSplitter),
    /// Of protobuf.
    Protobuf(ProtobufListSplitter),
}

impl Objects {
    /// Of a body of this format.
    pub fn of(wire: Wire) -> Objects {
        match wire {
            Wire::Json => Objects::Json(ListSplitter::default()),
            Wire::Protobuf => Objects::Protobuf(ProtobufListSplitter::default()),
        }
    }

    /// Takes the next piece of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        match self {
            Objects::Json(splitter) => splitter.push(chunk),
            Objects::Protobuf(splitter) => splitter.push(chunk),
        }
    }

    /// The next object that is complete; `None` until more is pushed.
    ///
    /// # Errors
    /// When the body is not a list of this format.
    pub fn next_object(&mut self) -> Result<Option<Bytes>, SplitError> {
        match self {
            Objects::Json(splitter) => splitter.next_object(),
            Objects::Protobuf(splitter) => splitter.next_object(),
        }
    }

    /// What stood round the objects.
    ///
    /// # Errors
    /// When the body is not complete.
    pub fn finish(self) -> Result<ListEnd, SplitError> {
        match self {
            Objects::Json(splitter) => splitter.finish(),
            Objects::Protobuf(splitter) => splitter.finish(),
        }
    }
}

/// The frames of one watch, cut out of its body while it arrives.
#[derive(Debug)]
pub enum Frames {
    /// Lines of JSON.
    Json(FrameSplitter),
    /// Messages of protobuf, each with its length.
    Protobuf(ProtobufFrameSplitter),
}

impl Frames {
    /// Of a body of this format.
    pub fn of(wire: Wire) -> Frames {
        match wire {
            Wire::Json => Frames::Json(FrameSplitter::default()),
            Wire::Protobuf => Frames::Protobuf(ProtobufFrameSplitter::default()),
        }
    }

    /// The format.
    pub fn wire(&self) -> Wire {
        match self {
            Frames::Json(_) => Wire::Json,
            Frames::Protobuf(_) => Wire::Protobuf,
        }
    }

    /// Takes the next piece of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        match self {
            Frames::Json(splitter) => splitter.push(chunk),
            Frames::Protobuf(splitter) => splitter.push(chunk),
        }
    }

    /// The next complete frame; `None` until more is pushed.
    ///
    /// # Errors
    /// When nothing that follows can be read.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, DecodeError> {
        match self {
            Frames::Json(splitter) => Ok(splitter.next_frame()),
            Frames::Protobuf(splitter) => splitter.next_frame(),
        }
    }

    /// Whether the stream stands between two frames: one that ends elsewhere was cut off.
    pub fn between_frames(&self) -> bool {
        match self {
            Frames::Json(splitter) => splitter.between_frames(),
            Frames::Protobuf(splitter) => splitter.between_frames(),
        }
    }
}
