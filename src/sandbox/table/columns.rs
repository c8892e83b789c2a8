//! The columns of each kind, as kube-apiserver 1.36.3 sends them with a table.

use serde_json::{Value, json};

use super::super::kinds::Kind;

/// One column.
pub(super) struct Column {
    name: &'static str,
    /// `string` or `integer`.
    kind: &'static str,
    /// `name` for the name of the object, else empty.
    format: &'static str,
    /// 0 is always shown, 1 only by `-o wide`.
    priority: u8,
}

impl Column {
    /// `metav1.TableColumnDefinition`. The description, which the real server takes from the API's reference, is
    /// empty: kubectl shows none.
    pub(super) fn definition(&self) -> Value {
        json!({
            "name": self.name, "type": self.kind, "format": self.format, "priority": self.priority,
            "description": "",
        })
    }

    const fn text(name: &'static str) -> Column {
        Column { name, kind: "string", format: "", priority: 0 }
    }

    const fn number(name: &'static str) -> Column {
        Column { name, kind: "integer", format: "", priority: 0 }
    }

    const fn wide(name: &'static str) -> Column {
        Column { name, kind: "string", format: "", priority: 1 }
    }
}

/// Those of a kind, in their order.
pub(super) fn of(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Namespace => NAMESPACE,
        Kind::Node => NODE,
        Kind::Pod => POD,
        Kind::Service => SERVICE,
        Kind::Endpoints => ENDPOINTS,
        Kind::EndpointSlice => ENDPOINT_SLICE,
        Kind::Event => EVENT,
        Kind::Lease => LEASE,
        Kind::Deployment => DEPLOYMENT,
        Kind::ReplicaSet => REPLICA_SET,
    }
}

const NAME: Column = Column { name: "Name", kind: "string", format: "name", priority: 0 };
const AGE: Column = Column::text("Age");

const POD: &[Column] = &[
    NAME,
    Column::text("Ready"),
    Column::text("Status"),
    Column::text("Restarts"),
    AGE,
    Column::wide("IP"),
    Column::wide("Node"),
    Column::wide("Nominated Node"),
    Column::wide("Readiness Gates"),
];

const REPLICA_SET: &[Column] = &[
    NAME,
    Column::number("Desired"),
    Column::number("Current"),
    Column::number("Ready"),
    AGE,
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

const SERVICE: &[Column] = &[
    NAME,
    Column::text("Type"),
    Column::text("Cluster-IP"),
    Column::text("External-IP"),
    Column::text("Port(s)"),
    AGE,
    Column::wide("Selector"),
];

const ENDPOINTS: &[Column] = &[NAME, Column::text("Endpoints"), AGE];

const ENDPOINT_SLICE: &[Column] =
    &[NAME, Column::text("AddressType"), Column::text("Ports"), Column::text("Endpoints"), AGE];

const NODE: &[Column] = &[
    NAME,
    Column::text("Status"),
    Column::text("Roles"),
    AGE,
    Column::text("Version"),
    Column::wide("Internal-IP"),
    Column::wide("External-IP"),
    Column::wide("OS-Image"),
    Column::wide("Kernel-Version"),
    Column::wide("Container-Runtime"),
];

const EVENT: &[Column] = &[
    Column::text("Last Seen"),
    Column::text("Type"),
    Column::text("Reason"),
    Column::text("Object"),
    Column::wide("Subobject"),
    Column::wide("Source"),
    Column::text("Message"),
    Column::wide("First Seen"),
    Column::wide("Count"),
    Column { name: "Name", kind: "string", format: "name", priority: 1 },
];

const NAMESPACE: &[Column] = &[NAME, Column::text("Status"), AGE];

const DEPLOYMENT: &[Column] = &[
    NAME,
    Column::text("Ready"),
    Column::text("Up-to-date"),
    Column::text("Available"),
    AGE,
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

const LEASE: &[Column] = &[NAME, Column::text("Holder"), AGE];

/// Those of the subresource `scale`.
pub(super) const SCALE: &[Column] =
    &[Column::text("Name"), Column::number("Desired"), Column::number("Available"), AGE];
