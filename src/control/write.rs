//! What the loops ask of the API server: writes of slices and live reads; and how these end.
//!
//! [`kubeapi::writer`](crate::kubeapi::writer) does it over HTTP; tests do it in memory. The error
//! says what is known of the outcome, which is all that the loops decide by.

use std::time::Duration;

use futures::future::BoxFuture;
use smol_str::SmolStr;
use thiserror::Error;

use crate::model::{Endpoints, Key, Service, Slice, Time, Uid, Version};

/// Writes slices, and reads single objects live.
pub trait Writer: Send + Sync {
    /// POST of a slice (its uid and version are not sent). Returns the slice as it was stored.
    fn create<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Slice, WriteError>>;

    /// PUT of the whole slice with its uid and resourceVersion. Returns the slice as it was stored.
    fn update<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Slice, WriteError>>;

    /// DELETE with the slice's uid and resourceVersion as preconditions.
    fn delete<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Deleted, WriteError>>;

    /// The slice as it stands now, read consistently; `None` when the API server answers 404.
    fn get_slice<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Slice>, WriteError>>;

    /// The Service as it stands now, as [`get_slice`](Writer::get_slice).
    fn get_service<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Service>, WriteError>>;

    /// The Endpoints as they stand now, as [`get_slice`](Writer::get_slice).
    fn get_endpoints<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Endpoints>, WriteError>>;
}

/// Whether this process may write slices at this moment. Asked right before each write is sent.
pub trait Fence: Send + Sync {
    /// True only while nobody else can be writing.
    fn may_write(&self) -> bool;
}

/// The fence of a process that runs without leader election: always open.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoElection;

impl Fence for NoElection {
    fn may_write(&self) -> bool {
        true
    }
}

/// How a delete that was accepted ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The object is gone.
    Gone,
    /// Finalizers keep it: it has a deletionTimestamp now and stands as this.
    Terminating(Box<Slice>),
}

/// Why a write or a live read did not succeed, and what that says about the outcome. In all cases but
/// [`Unknown`](WriteError::Unknown) nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// 409 on update or delete: the object is no longer at the version that was sent.
    #[error(
        "the slice was changed by another writer: the version that was sent is no longer the current one"
    )]
    Conflict,
    /// 409 AlreadyExists on create: the name is taken.
    #[error("the name is taken by another slice")]
    AlreadyExists,
    /// The namespace is being deleted, or is gone (404 on create).
    #[error("the namespace is being deleted")]
    NamespaceTerminating,
    /// 404 on update or delete: the object is gone.
    #[error("the object is gone")]
    NotFound,
    /// 422: the API server's validation (or an admission webhook) refuses the content.
    #[error("the API server refuses the content: {message}")]
    Invalid {
        /// What the API server said.
        message: String,
    },
    /// 403: this program lacks a permission, or admission forbids it.
    #[error("the API server forbids it: {message}")]
    Forbidden {
        /// What the API server said.
        message: String,
    },
    /// 429, or 503 with `Retry-After`, now or a moment ago (then nothing was sent): not before `after`.
    #[error("the API server asks to wait {} ms", after.as_millis())]
    Throttled {
        /// How long to wait from now on.
        after: Duration,
    },
    /// Another answer below 500 (quota, unauthorized, too large, …).
    #[error("the API server answered {code} {reason}: {message}")]
    Refused {
        /// HTTP status code.
        code: u16,
        /// Reason of the Status; may be empty.
        reason: String,
        /// What the API server said.
        message: String,
    },
    /// No connection could be made: nothing was sent.
    #[error("the API server cannot be reached: {message}")]
    Unreachable {
        /// What the connection said.
        message: String,
    },
    /// Sent, and not known whether it was stored: the time limit ran out, the connection was lost, the answer
    /// could not be read, or is a 5xx (a gateway's or a store's time-out comes as one, and the write may stand).
    #[error("it is not known whether it was stored: {message}")]
    Unknown {
        /// What happened.
        message: String,
    },
    /// This process does not hold the lease any more, or is shutting down: not sent.
    #[error("not sent: this process may not write (it does not lead, or is shutting down)")]
    Fenced,
}

/// The object that an Event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Regarding {
    /// `v1` for Services and Endpoints.
    pub api_version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Namespace and name.
    pub key: Key,
    /// Uid.
    pub uid: Uid,
    /// resourceVersion; 0 when it is not known.
    pub version: Version,
}

/// A core/v1 Event, in the namespace of what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Name of the Event object; the same for every repetition.
    pub name: SmolStr,
    /// What it is about.
    pub regarding: Regarding,
    /// Who says it: `endpoint-slice-controller` or `endpoint-slice-mirroring-controller`.
    pub component: &'static str,
    /// Whether it is a Warning (else Normal).
    pub warning: bool,
    /// Reason, from tables.md.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
    /// When it happened first.
    pub first: Time,
    /// When it happened last.
    pub last: Time,
    /// How often it happened, from 1.
    pub count: u32,
}

impl Event {
    /// The name of an Event about an object of this name, first seen at this time: unique enough, and
    /// never too long for the API server.
    pub fn name(about: &str, first: Time) -> SmolStr {
        // A DNS subdomain of at most 253 characters; the time takes a dot and up to 16 of them.
        let cut = about.get(..about.len().min(236)).unwrap_or("event").trim_end_matches(['.', '-']);
        SmolStr::new(format!("{cut}.{:x}", first.as_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_fits_whatever_it_is_about() {
        let time = Time::from_nanos(0x18ab_cdef_0123_4567);
        assert_eq!(Event::name("web", time), "web.18abcdef01234567");
        assert_eq!(Event::name(&"a".repeat(253), time).len(), 253);
        let dotted = format!("{}.{}", "a".repeat(235), "b".repeat(17));
        assert_eq!(Event::name(&dotted, time), format!("{}.18abcdef01234567", "a".repeat(235)));
    }
}
