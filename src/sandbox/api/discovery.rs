//! What is served, told to clients: groups, versions, resources, and all of it in one piece.

use serde_json::{Value, json};

use super::route::{EVENTS, GROUPS};
use crate::sandbox::kinds::{Info, Kind};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The version that the sandbox behaves like.
pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.3+sandbox", "gitCommit": "", "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
    })
}

pub(super) fn paths() -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for group in GROUPS {
        paths.push(format!("/apis/{group}"));
        paths.push(format!("/apis/{group}/v1"));
    }
    for path in ["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"] {
        paths.push(path.to_owned());
    }
    json!({"paths": paths})
}

pub(super) fn groups() -> Value {
    let groups: Vec<Value> = GROUPS.iter().map(|group| described(group)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

pub(super) fn group(name: &str) -> Value {
    let mut group = described(name);
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    group
}

fn described(group: &str) -> Value {
    let version = json!({"groupVersion": format!("{group}/v1"), "version": "v1"});
    json!({"name": group, "versions": [version], "preferredVersion": version})
}

/// The kinds of a group, in the order of their resources.
fn kinds(group: &str) -> Vec<&'static Info> {
    if group == EVENTS {
        return vec![Kind::Event.info()];
    }
    let mut infos: Vec<&Info> =
        Kind::ALL.into_iter().map(Kind::info).filter(|info| info.group == group).collect();
    infos.sort_by_key(|info| info.plural);
    infos
}

fn verbs(info: &Info) -> Vec<&'static str> {
    // There is no way to delete all Namespaces at once.
    VERBS.into_iter().filter(|verb| info.kind != "Namespace" || *verb != "deletecollection").collect()
}

/// The kind (with its group and version where they are not the resource's own) and the verbs of a subresource.
fn subresource(info: &Info, name: &str) -> (&'static str, &'static str, &'static str, Vec<&'static str>) {
    match name {
        "scale" => ("autoscaling", "v1", "Scale", vec!["get", "patch", "update"]),
        "binding" => ("", "", "Binding", vec!["create"]),
        "finalize" => ("", "", info.kind, vec!["update"]),
        _ => ("", "", info.kind, vec!["get", "patch", "update"]),
    }
}

/// `APIResourceList` of a group's only version.
pub(super) fn resources(group: &str) -> Value {
    let mut list = Vec::new();
    for info in kinds(group) {
        let mut resource = json!({
            "name": info.plural, "singularName": info.singular, "namespaced": info.namespaced,
            "kind": info.kind, "verbs": verbs(info),
        });
        if !info.short.is_empty() {
            resource["shortNames"] = json!(info.short);
        }
        if !info.categories.is_empty() {
            resource["categories"] = json!(info.categories);
        }
        list.push(resource);
        let mut names = info.subresources.to_vec();
        names.sort_unstable();
        for name in names {
            let (group, version, kind, verbs) = subresource(info, name);
            let mut resource = json!({
                "name": format!("{}/{name}", info.plural), "singularName": "", "namespaced": info.namespaced,
                "kind": kind, "verbs": verbs,
            });
            if !group.is_empty() {
                resource["group"] = group.into();
                resource["version"] = version.into();
            }
            list.push(resource);
        }
    }
    let (version, api_version) =
        if group.is_empty() { ("v1".to_owned(), Value::Null) } else { (format!("{group}/v1"), "v1".into()) };
    let mut resources = json!({"kind": "APIResourceList", "groupVersion": version, "resources": list});
    if !api_version.is_null() {
        resources["apiVersion"] = api_version;
    }
    resources
}

/// `APIGroupDiscoveryList` (apidiscovery.k8s.io/v2): of the core group, or of all others.
pub(super) fn aggregated(core: bool) -> Value {
    let groups: &[&str] = if core { &[""] } else { &GROUPS };
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let resources: Vec<Value> = kinds(group).into_iter().map(aggregated_resource).collect();
            let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            let version = json!({"version": "v1", "resources": resources, "freshness": "Current"});
            json!({"metadata": metadata, "versions": [version]})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    })
}

fn aggregated_resource(info: &'static Info) -> Value {
    let mut resource = json!({
        "resource": info.plural,
        "responseKind": {"group": "", "version": "", "kind": info.kind},
        "scope": if info.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": info.singular,
        "verbs": verbs(info),
    });
    if !info.short.is_empty() {
        resource["shortNames"] = json!(info.short);
    }
    if !info.categories.is_empty() {
        resource["categories"] = json!(info.categories);
    }
    let mut names = info.subresources.to_vec();
    names.sort_unstable();
    let parts: Vec<Value> = names
        .into_iter()
        .map(|name| {
            let (group, version, kind, verbs) = subresource(info, name);
            let kind = json!({"group": group, "version": version, "kind": kind});
            json!({"subresource": name, "responseKind": kind, "verbs": verbs})
        })
        .collect();
    if !parts.is_empty() {
        resource["subresources"] = parts.into();
    }
    resource
}
