//! The rows that are kept of the cluster's objects, and the snapshot that a plan is made from.
//!
//! Wire types ([`wire`]) are lenient: every field may be absent or null, unknown fields and unknown
//! enum values are accepted. They are turned into compact rows at once; nothing else in this
//! program sees an API object.

pub mod address;
pub mod endpoints;
pub mod foreign;
pub mod key;
pub mod labels;
pub mod node;
pub mod pod;
pub mod pod_times;
pub mod service;
pub mod slice;
pub mod snapshot;
pub mod text;
pub mod time;
pub mod wire;

pub use address::{AddressType, Addresses, Refusal};
pub use endpoints::{Endpoints, EndpointsAddress, EndpointsPort, Subset};
pub use foreign::{Foreign, OwnerReference};
pub use key::{Key, Loop, Meta, Uid, Version};
pub use labels::{Annotations, Labels};
pub use node::{Node, Nodes};
pub use pod::{ContainerPort, Pod, Protocol};
pub use pod_times::PodTimes;
pub use service::{Service, ServicePort, TargetPort, TopologyMode};
pub use slice::{Conditions, Endpoint, Hints, Port, Slice, TargetReference};
pub use snapshot::{MirrorSnapshot, SelectorSnapshot, Settings};
pub use text::Text;
pub use time::Time;
