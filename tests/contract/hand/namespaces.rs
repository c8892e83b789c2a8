//! Namespaces, and what goes on in one that ends. What ends it is a controller, which is not there in
//! the real control plane of this suite: an object with a finalizer holds it in the sandbox, too.

use serde_json::{Value, json};

use super::Scene;
use super::objects::*;
use crate::step::Script;

pub const SCENES: &[Scene] = &[
    ("a Namespace's life", life),
    ("nothing is made in a Namespace that ends", terminating),
    ("what a Namespace may not be", invalid),
];

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"of": "{ns}"}}})
}

fn life(s: &mut Script) {
    let watch = s.watch("namespaces?labelSelector=of%3D{ns}");
    s.create("namespaces", namespace("{ns}-a"));
    s.create("namespaces", namespace("{ns}-a"));
    s.get("namespaces/{ns}-a");
    s.get("namespaces/{ns}-a/status");
    s.merge("namespaces/{ns}-a", json!({"metadata": {"labels": {"x": "y"}}}));
    s.merge("namespaces/{ns}-a", json!({"spec": {"finalizers": []}}));
    s.merge("namespaces/{ns}-a", json!({"metadata": {"labels": {"kubernetes.io/metadata.name": "other"}}}));
    s.merge("namespaces/{ns}-a", json!({"metadata": {"labels": null}}));
    s.create("namespaces", namespace("{ns}-zz"));
    s.events(&watch, "ADDED", "zz");
    s.delete("namespaces?labelSelector=of%3D{ns}");
}

fn terminating(s: &mut Script) {
    let path = |resource: &str| crate::step::path(resource).replace("{ns}", "{ns}-a");
    s.create("namespaces", namespace("{ns}-a"));
    s.create(&path("services"), with(service("held"), "/metadata/finalizers", json!(["example.org/hold"])));
    s.create(
        &path("endpointslices"),
        with(slice("held"), "/metadata/finalizers", json!(["example.org/hold"])),
    );
    s.delete("namespaces/{ns}-a");
    for (resource, object) in one_of_each("late") {
        s.create(&path(resource), object);
    }
    s.create(&path("services?dryRun=All"), service("late"));
    s.merge(&path("endpointslices/held"), json!({"metadata": {"labels": {"x": "y"}}}));
    s.get(&path("endpointslices?labelSelector=none"));
    s.get(&path("services/late"));
    s.create("namespaces", namespace("{ns}-a"));
    s.create("/api/v1/namespaces/{ns}-none/services", service("a"));
}

fn invalid(s: &mut Script) {
    for name in
        ["{ns}-UPPER", "{ns}.b", "", "{ns}-0123456789012345678901234567890123456789012345678901234567890123"]
    {
        s.create("namespaces", namespace(name));
    }
    s.create("namespaces", with(namespace("{ns}-b"), "/spec", json!({"finalizers": ["example.org/x"]})));
    s.create("namespaces", with(namespace("{ns}-c"), "/spec", json!({"finalizers": ["bad"]})));
    s.create("namespaces", with(namespace("{ns}-d"), "/status", json!({"phase": "Terminating"})));
    s.create("namespaces", with(namespace("{ns}-e"), "/metadata/namespace", json!("x")));
    s.create("namespaces", with(namespace(""), "/metadata/generateName", json!("{ns}-g-")));
    s.delete("namespaces/default");
    s.delete("namespaces/kube-system");
    s.delete("namespaces/{ns}-none");
}
