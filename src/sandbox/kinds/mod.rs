//! The kinds of objects that the sandbox knows: their names, and how each is read, defaulted, checked
//! and shown ([`Strategy`]).

mod endpoints;
mod endpointslice;
mod event;
pub mod field;
pub mod formats;
mod lease;
mod metadata;
mod namespace;
mod node;
mod pod;
pub mod schema;
mod service;
mod workload;

pub(super) use event::check_new_event;

use serde_json::Value;
use smol_str::SmolStr;

use super::status::{FieldError, Status};
use super::store::{Key, Transaction};

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Kubernetes' names
pub enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    /// Stored as core/v1; `events.k8s.io/v1` is another way to see the same objects.
    Event,
    Lease,
    Deployment,
    ReplicaSet,
}

/// What a kind is called, and what may be done to its objects.
#[derive(Debug)]
pub struct Info {
    /// The API group; empty for core.
    pub group: &'static str,
    /// `v1`.
    pub version: &'static str,
    /// `EndpointSlice`.
    pub kind: &'static str,
    /// `endpointslices`: the resource in paths.
    pub plural: &'static str,
    /// `endpointslice`.
    pub singular: &'static str,
    /// `deploy`, `svc`, …
    pub short: &'static [&'static str],
    /// `kubectl get all` shows the category `all`.
    pub categories: &'static [&'static str],
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// `status`, `scale`.
    pub subresources: &'static [&'static str],
    /// Whether `metadata.generation` counts changes of its objects.
    pub generation: bool,
}

impl Info {
    /// `apps/v1`, `v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `deployments.apps`, `pods`: the resource in messages.
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

impl Kind {
    /// All kinds, in the order of [`Kind::index`].
    pub const ALL: [Kind; 10] = [
        Kind::Namespace,
        Kind::Node,
        Kind::Pod,
        Kind::Service,
        Kind::Endpoints,
        Kind::EndpointSlice,
        Kind::Event,
        Kind::Lease,
        Kind::Deployment,
        Kind::ReplicaSet,
    ];

    /// Its place in [`Kind::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The kind of a resource in a path. The group `events.k8s.io` gives [`Kind::Event`], too.
    #[must_use]
    pub fn of_resource(group: &str, plural: &str) -> Option<Kind> {
        if group == "events.k8s.io" && plural == "events" {
            return Some(Kind::Event);
        }
        Kind::ALL.into_iter().find(|kind| kind.info().group == group && kind.info().plural == plural)
    }

    /// The names of this kind.
    #[must_use]
    pub fn info(self) -> &'static Info {
        const CORE: Info = Info {
            group: "",
            version: "v1",
            kind: "",
            plural: "",
            singular: "",
            short: &[],
            categories: &[],
            namespaced: true,
            subresources: &[],
            generation: false,
        };
        match self {
            Kind::Namespace => {
                const INFO: Info = Info {
                    kind: "Namespace",
                    plural: "namespaces",
                    singular: "namespace",
                    short: &["ns"],
                    namespaced: false,
                    subresources: &["status", "finalize"],
                    ..CORE
                };
                &INFO
            }
            Kind::Node => {
                const INFO: Info = Info {
                    kind: "Node",
                    plural: "nodes",
                    singular: "node",
                    short: &["no"],
                    namespaced: false,
                    subresources: &["status"],
                    ..CORE
                };
                &INFO
            }
            Kind::Pod => {
                const INFO: Info = Info {
                    kind: "Pod",
                    plural: "pods",
                    singular: "pod",
                    short: &["po"],
                    categories: &["all"],
                    subresources: &["status", "binding"],
                    generation: true,
                    ..CORE
                };
                &INFO
            }
            Kind::Service => {
                const INFO: Info = Info {
                    kind: "Service",
                    plural: "services",
                    singular: "service",
                    short: &["svc"],
                    categories: &["all"],
                    subresources: &["status"],
                    ..CORE
                };
                &INFO
            }
            Kind::Endpoints => {
                const INFO: Info = Info {
                    kind: "Endpoints",
                    plural: "endpoints",
                    singular: "endpoints",
                    short: &["ep"],
                    ..CORE
                };
                &INFO
            }
            Kind::EndpointSlice => {
                const INFO: Info = Info {
                    group: "discovery.k8s.io",
                    kind: "EndpointSlice",
                    plural: "endpointslices",
                    singular: "endpointslice",
                    generation: true,
                    ..CORE
                };
                &INFO
            }
            Kind::Event => {
                const INFO: Info =
                    Info { kind: "Event", plural: "events", singular: "event", short: &["ev"], ..CORE };
                &INFO
            }
            Kind::Lease => {
                const INFO: Info = Info {
                    group: "coordination.k8s.io",
                    kind: "Lease",
                    plural: "leases",
                    singular: "lease",
                    ..CORE
                };
                &INFO
            }
            Kind::Deployment => {
                const INFO: Info = Info {
                    group: "apps",
                    kind: "Deployment",
                    plural: "deployments",
                    singular: "deployment",
                    short: &["deploy"],
                    categories: &["all"],
                    subresources: &["status", "scale"],
                    generation: true,
                    ..CORE
                };
                &INFO
            }
            Kind::ReplicaSet => {
                const INFO: Info = Info {
                    group: "apps",
                    kind: "ReplicaSet",
                    plural: "replicasets",
                    singular: "replicaset",
                    short: &["rs"],
                    categories: &["all"],
                    subresources: &["status", "scale"],
                    generation: true,
                    ..CORE
                };
                &INFO
            }
        }
    }

    /// How objects of this kind are treated.
    #[must_use]
    pub fn strategy(self) -> &'static dyn Strategy {
        match self {
            Kind::Namespace => &namespace::Namespaces,
            Kind::Node => &node::Nodes,
            Kind::Pod => &pod::Pods,
            Kind::Service => &service::Services,
            Kind::Endpoints => &endpoints::EndpointsObjects,
            Kind::EndpointSlice => &endpointslice::EndpointSlices,
            Kind::Event => &event::Events,
            Kind::Lease => &lease::Leases,
            Kind::Deployment => &workload::Deployments,
            Kind::ReplicaSet => &workload::ReplicaSets,
        }
    }
}

/// What is particular about one kind. The order at a write: [`read`](Strategy::read),
/// [`default`](Strategy::default), [`on_create`](Strategy::on_create) or
/// [`on_update`](Strategy::on_update), [`check`](Strategy::check), and then it is stored.
pub trait Strategy: Sync {
    /// The Go type of its objects in [`schema`]: `core.Service`.
    fn go_type(&self) -> &'static str;

    /// Brings an object into the form in which it is stored: unknown fields and wrong types are
    /// found here, and what the API server prints for absent fields (`"endpoints": null`).
    ///
    /// # Errors
    /// When a field has a type that cannot be read: what Go says of it.
    fn read(&self, value: Value) -> Result<Value, String> {
        schema::read(self.go_type(), value)
    }

    /// What `fieldValidation=Strict` refuses in a body (JSON), and `Warn` warns of: `unknown field "spec.foo"`,
    /// `duplicate field "spec.type"`. The refusal is `SERVICE in version "v1" cannot be handled as a SERVICE:
    /// strict decoding error: ` and all of them with commas.
    fn strict_errors(&self, json: &[u8]) -> Vec<String> {
        schema::strict_errors(self.go_type(), json)
    }

    /// What the header `Warning` says of an object that is stored.
    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let _ = (new, old);
        Vec::new()
    }

    /// Sets what is not set.
    fn default(&self, value: &mut Value) {
        let _ = value;
    }

    /// What a create changes or reserves besides the common metadata: status dropped, cluster IPs
    /// allocated, …
    ///
    /// # Errors
    /// A refusal that is no matter of single fields.
    fn on_create(&self, state: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
        let _ = (state, value);
        Ok(())
    }

    /// What an update (of the object itself, or of its `subresource`) may not change is put back, and
    /// what follows from the change is set.
    ///
    /// # Errors
    /// A refusal that is no matter of single fields.
    fn on_update(
        &self,
        state: &Transaction<'_>,
        new: &mut Value,
        old: &Value,
        subresource: Option<&str>,
    ) -> Result<(), Status> {
        let _ = (state, new, old, subresource);
        Ok(())
    }

    /// What is wrong with an object, alone (a create) or after `old`.
    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let _ = (new, old);
        Vec::new()
    }

    /// Whether an update moves `metadata.generation`, where the kind has one.
    fn moves_generation(&self, new: &Value, old: &Value) -> bool {
        new["spec"] != old["spec"]
    }

    /// The fields that may be selected by (`metadata.name` and `metadata.namespace` are always), in any
    /// order.
    fn fields(&self, value: &Value) -> Vec<(&'static str, SmolStr)> {
        let _ = value;
        Vec::new()
    }

    /// What no other object may have while this one is stored: addresses, node ports
    /// ([`Transaction::holder`] tells who has one).
    fn claims(&self, value: &Value) -> Vec<SmolStr> {
        let _ = value;
        Vec::new()
    }

    /// What else happens when an object of this name is created, changed or removed (Services give back
    /// their addresses, a Service's Endpoints go with it, …).
    fn after_delete(&self, state: &mut Transaction<'_>, key: &Key) {
        let _ = (state, key);
    }
}

/// What is in a list; nothing when it is none.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What is in the list at a JSON pointer, to be changed.
fn list_mut<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

/// An update of the object keeps the status, one of the status keeps the rest.
fn keep_other_half(new: &mut Value, old: &Value, subresource: Option<&str>) {
    let kept = if subresource == Some("status") { "spec" } else { "status" };
    new[kept] = old[kept].clone();
}

/// Sets a field; null and an empty list remove it, as they are not printed.
fn set(map: &mut Value, name: &str, value: Value) {
    if let Some(map) = map.as_object_mut() {
        if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
            map.remove(name);
        } else {
            map.insert(name.to_owned(), value);
        }
    }
}

/// Five letters and digits for `generateName`, of the alphabet that Kubernetes uses.
#[must_use]
pub fn suffix() -> String {
    use rand::Rng;
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = rand::rng();
    (0..5).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// A random uid (RFC 9562, version 4).
#[must_use]
pub fn new_uid() -> String {
    let bits: u128 = rand::random();
    let bits = (bits & !(0xf << 76) & !(0xc << 60)) | (0x4 << 76) | (0x8 << 60);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
