//! What a consumer of EndpointSlices sees: the slices of a Service merged as the API asks for.
//!
//! A Service has any number of slices, of any managers, and together they are its endpoints
//! (<https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/>). Who reads them must
//! - find them by the label `kubernetes.io/service-name`, and not look at who manages them;
//! - keep address types apart, and look ports up by their name;
//! - count an address once that stands in several slices: it moves from one to another, and for a
//!   moment it is in both;
//! - read a condition that is absent as the API documents it (see [`State`]);
//! - go on using a slice that has a deletionTimestamp until it is gone.
//!
//! Two shapes of the same thing: [`merge`] looks at a set of slices at once, a [`Follower`] takes one
//! slice after another as a watch tells them and says of each what was gained and lost by it. What of
//! a slice is used at all is a [`Reading`]: all of it, or what kube-proxy takes.

mod follow;
mod merge;
mod reading;
#[cfg(test)]
mod tests;

pub use follow::{Change, Follower};
pub use merge::{Counts, Merged, PortView, merge};
pub use reading::{AddressKey, Content, PortKey, Reading, State};
