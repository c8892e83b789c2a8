//! As much of OpenAPI v3 as kubectl asks for before it sends anything: that every kind takes the
//! parameter `fieldValidation` (else it wants a whole schema to judge manifests itself), and the outline that
//! `kubectl explain` prints. The schemas are open: objects are judged when they are written.
//!
//! Served under `/openapi/v3` ([`index`]) and `/openapi/v3/api/v1`, `/openapi/v3/apis/GROUP/VERSION`
//! ([`document`]). There is no `/openapi/v2`; kubectl does without.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::kinds::Kind;

/// All group versions, as `(group, version)`.
fn group_versions() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = Kind::ALL.iter().map(|kind| (kind.info().group, kind.info().version)).collect();
    all.push(("events.k8s.io", "v1"));
    all.sort_unstable();
    all.dedup();
    all
}

/// The kinds of a group version.
fn kinds(group: &str, version: &str) -> Vec<Kind> {
    if (group, version) == ("events.k8s.io", "v1") {
        return vec![Kind::Event];
    }
    let of = |kind: &Kind| kind.info().group == group && kind.info().version == version;
    Kind::ALL.into_iter().filter(of).collect()
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The body of `GET /openapi/v3`. The `hash` in each address changes with its document, which may
/// therefore be cached for ever.
#[must_use]
pub fn index() -> Value {
    let mut paths = Map::new();
    for (group, version) in group_versions() {
        let path = path(group, version);
        if let Some(document) = document(group, version) {
            let mut hasher = DefaultHasher::new();
            document.to_string().hash(&mut hasher);
            let url = format!("/openapi/v3/{path}?hash={:016X}", hasher.finish());
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// The body of `GET /openapi/v3/api/v1` (an empty group) or `GET /openapi/v3/apis/GROUP/VERSION`; `None`
/// for a group version that is not served.
#[must_use]
pub fn document(group: &str, version: &str) -> Option<Value> {
    let kinds = kinds(group, version);
    if kinds.is_empty() {
        return None;
    }
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for kind in kinds {
        let info = kind.info();
        let gvk = json!({"group": group, "version": version, "kind": info.kind});
        let namespace = if info.namespaced { "namespaces/{namespace}/" } else { "" };
        let all = format!("/{}/{namespace}{}", path(group, version), info.plural);
        let reads =
            json!({"x-kubernetes-action": "get", "x-kubernetes-group-version-kind": gvk, "responses": {}});
        paths.insert(
            all.clone(),
            json!({
                "get": {"x-kubernetes-action": "list", "x-kubernetes-group-version-kind": gvk, "responses": {}},
                "post": writes("post", &gvk),
            }),
        );
        paths.insert(
            format!("{all}/{{name}}"),
            json!({"get": reads, "put": writes("put", &gvk), "patch": writes("patch", &gvk)}),
        );
        schemas.insert(schema_name(group, version, info.kind), schema(kind, &gvk));
    }
    schemas.insert(METADATA.to_owned(), metadata());
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// An operation. That a patch may be a strategic merge is not said: kubectl would take the lists' merge keys from
/// the schema, where it knows them by heart for these kinds.
fn writes(action: &str, gvk: &Value) -> Value {
    let parameter = |name: &str, description: &str| json!({"name": name, "in": "query", "description": description, "schema": {"type": "string", "uniqueItems": true}});
    json!({
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk,
        "parameters": [
            parameter("dryRun", "All: nothing is stored."),
            parameter("fieldManager", "Who writes."),
            parameter("fieldValidation", "Ignore, Warn or Strict: what becomes of unknown and duplicate fields."),
        ],
        "responses": {},
    })
}

const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

fn schema_name(group: &str, version: &str, kind: &str) -> String {
    let group = match group.split('.').next() {
        None | Some("") => "core",
        Some(first) => first,
    };
    format!("io.k8s.api.{group}.{version}.{kind}")
}

/// The outline of a kind.
fn schema(kind: Kind, gvk: &Value) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let open = |description: &str| json!({"type": "object", "description": description});
    let list =
        |description: &str| json!({"type": "array", "items": {"type": "object"}, "description": description});
    let mut fields = vec![
        ("apiVersion", text("The group and version of this object's form.")),
        ("kind", text("What the object is.")),
        (
            "metadata",
            json!({"allOf": [{"$ref": format!("#/components/schemas/{METADATA}")}], "default": {},
                   "description": "What every object has: name, labels, owners, …"}),
        ),
    ];
    let description = match kind {
        Kind::Namespace | Kind::Node | Kind::Pod | Kind::Service | Kind::Deployment | Kind::ReplicaSet => {
            fields.push(("spec", open("What is wanted.")));
            fields.push(("status", open("What was last seen.")));
            match kind {
                Kind::Namespace => "A scope for names.",
                Kind::Node => "A machine on which Pods run.",
                Kind::Pod => "Containers that run together on one Node.",
                Kind::Service => "One name and address for the Pods that a selector finds.",
                Kind::Deployment => "Pods from one template, replaced step by step when it changes.",
                _ => "A number of Pods from one template.",
            }
        }
        Kind::Lease => {
            fields.push(("spec", open("Who holds it, and until when.")));
            "What holds a lock, or shows that somebody is alive."
        }
        Kind::Endpoints => {
            fields.push(("subsets", list("Addresses with the ports that all of them have.")));
            "The addresses behind a Service, in one object. Deprecated: EndpointSlices take its place."
        }
        Kind::EndpointSlice => {
            fields.push(("addressType", text("IPv4, IPv6 or FQDN. It cannot be changed.")));
            fields.push((
                "endpoints",
                list("Up to 1000 endpoints: addresses, conditions, Node and zone of each."),
            ));
            fields.push(("ports", list("Up to 100 ports, which all endpoints of the slice have.")));
            "A part of the endpoints of a Service. The label kubernetes.io/service-name says of which."
        }
        Kind::Event => {
            fields.push(("type", text("Normal or Warning.")));
            fields.push(("reason", text("Why, in one word.")));
            "Something that happened to an object."
        }
    };
    let properties: Map<String, Value> =
        fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({
        "type": "object", "description": description, "properties": properties,
        "x-kubernetes-group-version-kind": [gvk],
    })
}

fn metadata() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let texts = |description: &str| json!({"type": "object", "additionalProperties": {"type": "string"}, "description": description});
    json!({
        "type": "object",
        "description": "What every object has.",
        "properties": {
            "name": text("Unique among the objects of its kind in its namespace."),
            "generateName": text("The beginning of a name that the server makes up."),
            "namespace": text("The scope of the name."),
            "labels": texts("What selectors look for."),
            "annotations": texts("What else is noted about the object."),
            "uid": text("Unique in time and space."),
            "resourceVersion": text("Which state of the object this is; opaque."),
            "creationTimestamp": text("When it was made."),
            "deletionTimestamp": text("When its deletion was asked for."),
            "finalizers": {"type": "array", "items": {"type": "string"},
                           "description": "What must be done before it can go."},
            "ownerReferences": {"type": "array", "items": {"type": "object"},
                                "description": "The objects that it goes with."},
        },
    })
}
