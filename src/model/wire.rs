//! The JSON of the Kubernetes API: just the fields that are used, read leniently, turned into rows
//! at once; and slices written back from their rows.
//!
//! Lenient means: every field may be absent or null, lists may be null, unknown fields are skipped
//! (on slices they are kept, see [`Foreign`](super::Foreign)), unknown enum values stay text.

mod decode;
mod encode;
mod lenient;
#[cfg(feature = "controller")]
pub mod protobuf;
mod quantity;
mod slice;

use thiserror::Error;

pub use decode::{decode_endpoints, decode_node, decode_pod, decode_service, read_meta};
pub use encode::{encode_slice, slice_value};
pub use slice::decode_slice;

/// An object that cannot be turned into a row.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{kind}: {message}")]
pub struct DecodeError {
    /// What was expected: `Pod`, `Service`, …
    pub kind: &'static str,
    /// What is wrong, with its place in the text.
    pub message: String,
}

#[cfg(test)]
mod tests;
