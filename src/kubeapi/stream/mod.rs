//! One resource as a stream: listed once, then watched, for ever.
//!
//! A [`Stream`] is a state machine over a small [`Transport`]: a list that is fetched page by page
//! (`list`), a watch that is opened and read (`watch`), and pauses after failures. Everything that it
//! shows goes to one [`Sink`], in order. Three promises hold whatever the API server does:
//!
//! * a list is shown whole or not at all, and until then the last complete one stands;
//! * nothing older than what was shown is shown, unless one consistent read has proven that versions
//!   went back for good (etcd restored);
//! * absence is believed only from a consistent list, and when it would remove more than half of
//!   what is held, only from two.
//!
//! So every [`Change::Replaced`] may be taken at its word. An object that cannot be decoded costs only
//! itself: its old row stays.

mod failure;
mod handle;
mod list;
mod machine;
mod metrics;
mod request;
mod streaming;
mod transport;
mod undecodable;
mod watch;

use crate::model::Meta;

pub use crate::view::{Change, Listed};
pub use handle::StreamHandle;
pub use machine::Stream;
pub use metrics::StreamMetrics;
pub use transport::{ClientTransport, Response, Transport, TransportError};

/// How a stream gets its lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListMode {
    /// Page by page. The default: measured, it costs us the same as a streaming list and the API
    /// server half.
    #[default]
    Paged,
    /// As the beginning of a watch (`sendInitialEvents`). A server that cannot is noticed, and asked
    /// page by page from then on.
    Streaming,
}

/// What is listed and watched.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// The name in metrics and logs: `pods`. One stream a name.
    pub resource: &'static str,
    /// The path of the collection: `/api/v1/pods`.
    pub path: String,
    /// Only objects with these labels.
    pub label_selector: Option<String>,
    /// Only objects with these fields.
    pub field_selector: Option<String>,
    /// Ask for metadata only (`PartialObjectMetadata`).
    pub metadata_only: bool,
    /// Objects a page.
    pub page_size: u32,
    /// How lists are fetched.
    pub list_mode: ListMode,
}

impl StreamConfig {
    /// All objects of a collection, in pages of 500.
    pub fn new(resource: &'static str, path: impl Into<String>) -> StreamConfig {
        StreamConfig {
            resource,
            path: path.into(),
            label_selector: None,
            field_selector: None,
            metadata_only: false,
            page_size: 500,
            list_mode: ListMode::default(),
        }
    }
}

/// A list compared with what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many rows are held now.
    pub held: usize,
    /// How many of these are not in the list.
    pub missing: usize,
}

/// Where a stream goes. Called from the stream's task, in order; must be quick.
pub trait Sink: Send + Sync + 'static {
    /// What is held of an object.
    type Row;

    /// Something was shown.
    fn event(&self, change: Change<Self::Row>);

    /// Asked with the metadata before an object is decoded. False: exactly this uid and version is
    /// held (an echo of an own write, or a relist), so it need not be decoded again. In a list it
    /// then arrives as [`Listed::Unchanged`], on the watch as [`Change::Bookmark`].
    fn wants(&self, _meta: &Meta) -> bool {
        true
    }

    /// What this list would remove: whether it takes another one to believe it is decided from that.
    fn compare(&self, listed: &[(Meta, Listed<Self::Row>)]) -> Compared;
}

#[cfg(test)]
mod tests;
