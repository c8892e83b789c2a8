//! How the lists in each kind are merged by a strategic merge patch: the tags `patchStrategy` and
//! `patchMergeKey` of Kubernetes' Go types (k8s.io/api v0.36.3). What stands in none of these tables is
//! merged when it is an object, and replaced when it is a list.

use super::super::kinds::Kind;

/// The fields of an object that are merged in a way of their own, or that lead to such.
#[derive(Debug)]
pub(super) struct Shape(&'static [(&'static str, Field)]);

/// How one field is merged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Whether a list is merged with what stands, rather than put in its place.
    pub(super) merges: bool,
    /// The field by which its elements are told apart; none for lists of plain values.
    pub(super) key: Option<&'static str>,
    /// Of the object, or of the list's elements.
    pub(super) shape: &'static Shape,
}

const PLAIN: Shape = Shape(&[]);

impl Shape {
    /// That of whole objects.
    pub(super) fn of(kind: Kind) -> &'static Shape {
        match kind {
            Kind::Pod => &POD,
            Kind::Service => &SERVICE,
            Kind::Node => &NODE,
            Kind::Namespace => &NAMESPACE,
            Kind::Deployment => &DEPLOYMENT,
            Kind::ReplicaSet => &REPLICA_SET,
            Kind::Endpoints | Kind::EndpointSlice | Kind::Event | Kind::Lease => &METADATA_ONLY,
        }
    }

    /// How a field is merged.
    pub(super) fn field(&self, name: &str) -> Field {
        let field = self.0.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        field.unwrap_or(Field { merges: false, key: None, shape: &PLAIN })
    }
}

const fn object(shape: &'static Shape) -> Field {
    Field { merges: false, key: None, shape }
}

const fn set() -> Field {
    Field { merges: true, key: None, shape: &PLAIN }
}

const fn by(key: &'static str) -> Field {
    Field { merges: true, key: Some(key), shape: &PLAIN }
}

const fn by_of(key: &'static str, shape: &'static Shape) -> Field {
    Field { merges: true, key: Some(key), shape }
}

const METADATA: Field = object(&Shape(&[("ownerReferences", by("uid")), ("finalizers", set())]));
const CONDITIONS: Field = object(&Shape(&[("conditions", by("type"))]));

static METADATA_ONLY: Shape = Shape(&[("metadata", METADATA)]);
static POD: Shape =
    Shape(&[("metadata", METADATA), ("spec", object(&POD_SPEC)), ("status", object(&POD_STATUS))]);
static SERVICE: Shape = Shape(&[
    ("metadata", METADATA),
    ("spec", object(&Shape(&[("ports", by("port"))]))),
    ("status", CONDITIONS),
]);
static NODE: Shape = Shape(&[
    ("metadata", METADATA),
    ("spec", object(&Shape(&[("podCIDRs", set())]))),
    ("status", object(&Shape(&[("conditions", by("type")), ("addresses", by("type"))]))),
]);
static NAMESPACE: Shape = Shape(&[("metadata", METADATA), ("status", CONDITIONS)]);
static DEPLOYMENT: Shape =
    Shape(&[("metadata", METADATA), ("spec", object(&TEMPLATED)), ("status", CONDITIONS)]);
static REPLICA_SET: Shape =
    Shape(&[("metadata", METADATA), ("spec", object(&TEMPLATED)), ("status", CONDITIONS)]);

static TEMPLATED: Shape = Shape(&[("template", object(&TEMPLATE))]);
static TEMPLATE: Shape = Shape(&[("metadata", METADATA), ("spec", object(&POD_SPEC))]);

static POD_SPEC: Shape = Shape(&[
    ("volumes", by("name")),
    ("initContainers", by_of("name", &CONTAINER)),
    ("containers", by_of("name", &CONTAINER)),
    ("ephemeralContainers", by_of("name", &CONTAINER)),
    ("imagePullSecrets", by("name")),
    ("hostAliases", by("ip")),
    ("topologySpreadConstraints", by("topologyKey")),
    ("schedulingGates", by("name")),
    ("resourceClaims", by("name")),
]);

static CONTAINER: Shape = Shape(&[
    ("ports", by("containerPort")),
    ("env", by("name")),
    ("volumeMounts", by("mountPath")),
    ("volumeDevices", by("devicePath")),
]);

static CONTAINER_STATUS: Shape =
    Shape(&[("volumeMounts", by("mountPath")), ("allocatedResourcesStatus", by("name"))]);

const CONTAINER_STATUSES: Field = object(&CONTAINER_STATUS);

static POD_STATUS: Shape = Shape(&[
    ("conditions", by("type")),
    ("hostIPs", by("ip")),
    ("podIPs", by("ip")),
    ("resourceClaimStatuses", by("name")),
    ("initContainerStatuses", CONTAINER_STATUSES),
    ("containerStatuses", CONTAINER_STATUSES),
    ("ephemeralContainerStatuses", CONTAINER_STATUSES),
]);
