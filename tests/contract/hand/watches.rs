//! Watches: where they begin, what they tell, how they end.

use serde_json::json;

use super::Scene;
use super::objects::*;
use crate::step::{PARTIAL_LIST, Script, TABLE, Until, of, version};

pub const SCENES: &[Scene] = &[
    ("a watch tells creates, changes and deletes", changes),
    ("a watch from a version", from_version),
    ("a watch without a version, and from 0", without_version),
    ("a watch with initial events", initial_events),
    ("a watch by labels: objects come and go", by_labels),
    ("a watch by fields", by_fields),
    ("a watch of one object", one_object),
    ("a watch of every kind", every_kind),
    ("a watch ends after its time", timeout),
    ("a watch of metadata or of tables", as_other),
    ("a watch over all namespaces", all_namespaces),
    ("the old way to watch", old_paths),
    ("watches that are refused", refused),
    ("a version of the future", future),
    ("a no-op is no event", no_op),
];

pub const FORGETTING: &[Scene] = &[("after its history is forgotten", forgotten)];

/// The last event of every watch here.
fn end(s: &mut Script, watches: &[&String]) {
    s.create("endpointslices", slice("zz"));
    for watch in watches {
        s.events(watch, "ADDED", "zz");
    }
}

fn changes(s: &mut Script) {
    let list = s.get("endpointslices");
    let watch = s.watch(&format!("endpointslices?resourceVersion={}", version(&list)));
    s.create("endpointslices", slice("a"));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": "y"}}}));
    s.merge("endpointslices/a", json!({"endpoints": []}));
    s.merge("endpointslices/a", json!({"metadata": {"finalizers": ["example.org/wait"]}}));
    s.delete("endpointslices/a");
    s.merge("endpointslices/a", json!({"metadata": {"finalizers": null}}));
    s.create("endpointslices", slice("a"));
    s.update("endpointslices/a", with(slice("a"), "/endpoints/0/addresses/0", json!("192.0.2.2")));
    s.delete("endpointslices/a");
    end(s, &[&watch]);
}

fn from_version(s: &mut Script) {
    s.create("endpointslices", slice("a"));
    let b = s.create("endpointslices", slice("b"));
    s.create("endpointslices", slice("c"));
    s.delete("endpointslices/a");
    let watch = s.watch(&format!("endpointslices?resourceVersion={}", version(&b)));
    let marks = s.watch(&format!("endpointslices?resourceVersion={}&allowWatchBookmarks=true", version(&b)));
    let match_ =
        s.watch(&format!("endpointslices?resourceVersion={}&resourceVersionMatch=NotOlderThan", version(&b)));
    end(s, &[&watch, &marks]);
    let _ = match_;
}

fn without_version(s: &mut Script) {
    s.create("endpointslices", slice("b"));
    s.create("endpointslices", slice("a"));
    s.merge("endpointslices/b", json!({"metadata": {"labels": {"x": "y"}}}));
    let none = s.watch("endpointslices");
    let empty = s.watch("endpointslices?resourceVersion=");
    let zero = s.watch("endpointslices?resourceVersion=0");
    s.events(&none, "ADDED", "b");
    s.events(&empty, "ADDED", "b");
    s.events(&zero, "ADDED", "b");
    s.delete("endpointslices/a");
    end(s, &[&none, &empty, &zero]);
}

fn initial_events(s: &mut Script) {
    s.create("endpointslices", slice("b"));
    s.create("endpointslices", slice("a"));
    let c = s.create("endpointslices", with(slice("c"), "/metadata/labels", json!({"x": "y"})));
    let base = "endpointslices?sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let all = [
        s.watch(&format!("{base}&allowWatchBookmarks=true")),
        s.watch(&format!("{base}&allowWatchBookmarks=true&resourceVersion=")),
        s.watch(&format!("{base}&allowWatchBookmarks=true&resourceVersion=0")),
        s.watch(&format!("{base}&allowWatchBookmarks=true&resourceVersion={}", version(&c))),
    ];
    for watch in &all {
        s.events_until(watch, Until::InitialEnd);
    }
    let some = s.watch(&format!("{base}&allowWatchBookmarks=true&labelSelector=x%3Dy"));
    s.events_until(&some, Until::InitialEnd);
    let none = s.watch(&format!("{base}&allowWatchBookmarks=true&labelSelector=x%3Dnobody"));
    s.events_until(&none, Until::InitialEnd);
    let unmarked = s.watch(base);
    let not = s.watch(&format!(
        "endpointslices?sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion={}",
        version(&c)
    ));
    s.delete("endpointslices/a");
    s.create("endpointslices", with(slice("zz"), "/metadata/labels", json!({"x": "y"})));
    for watch in all.iter().chain([&some, &unmarked, &not]) {
        s.events(watch, "ADDED", "zz");
    }
}

fn by_labels(s: &mut Script) {
    s.create("endpointslices", with(slice("a"), "/metadata/labels/x", json!("y")));
    s.create("endpointslices", slice("b"));
    let list = s.get("endpointslices?labelSelector=x%3Dy");
    let watch = s.watch(&format!("endpointslices?labelSelector=x%3Dy&resourceVersion={}", version(&list)));
    let not = s.watch(&format!("endpointslices?labelSelector=x!%3Dy&resourceVersion={}", version(&list)));
    s.merge("endpointslices/b", json!({"metadata": {"labels": {"x": "y"}}}));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": "z"}}}));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"other": "z"}}}));
    s.delete("endpointslices/a");
    s.delete("endpointslices/b");
    s.create("endpointslices", with(slice("c"), "/metadata/labels/x", json!("y")));
    s.merge("endpointslices/c", json!({"metadata": {"labels": {"x": null}}}));
    s.merge("endpointslices/c", json!({"metadata": {"labels": {"x": "y"}}}));
    s.create("endpointslices", with(slice("zz"), "/metadata/labels/x", json!("y")));
    s.create("endpointslices", slice("zz-2"));
    s.events(&watch, "ADDED", "zz");
    s.events(&not, "ADDED", "zz-2");
}

fn by_fields(s: &mut Script) {
    s.create("nodes", node("n"));
    let list = s.get("pods");
    let bound =
        s.watch(&format!("pods?fieldSelector=spec.nodeName%3D{{ns}}-n&resourceVersion={}", version(&list)));
    let running =
        s.watch(&format!("pods?fieldSelector=status.phase%3DRunning&resourceVersion={}", version(&list)));
    let one = s.watch(&format!("pods?fieldSelector=metadata.name%3Da&resourceVersion={}", version(&list)));
    s.create("pods", with(pod("a"), "/spec/nodeName", json!("{ns}-n")));
    s.create("pods", pod("b"));
    s.create("pods/b/binding", json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "b"}, "target": {"kind": "Node", "name": "{ns}-n"}}));
    s.merge("pods/a/status", json!({"status": {"phase": "Running"}}));
    s.merge("pods/a/status", json!({"status": {"phase": "Failed"}}));
    s.delete("pods/a?gracePeriodSeconds=0");
    s.create("pods", with(pod("zz"), "/spec/nodeName", json!("{ns}-n")));
    s.merge("pods/zz/status", json!({"status": {"phase": "Running"}}));
    s.create("pods", pod("a"));
    s.events(&bound, "ADDED", "zz");
    s.events(&running, "ADDED", "zz");
    s.events(&one, "ADDED", "a");
    s.events(&one, "ADDED", "a");
}

fn one_object(s: &mut Script) {
    let made = s.create("endpointslices", slice("a"));
    let watch = s.watch(&format!("endpointslices/a?resourceVersion={}", version(&made)));
    let lease = s.create("leases", lease("l"));
    let renewals = s.watch(&format!(
        "leases?fieldSelector=metadata.name%3Dl&timeoutSeconds=300&resourceVersion={}",
        version(&lease)
    ));
    s.create("endpointslices", slice("b"));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": "y"}}}));
    s.delete("endpointslices/a");
    s.events(&watch, "DELETED", "a");
    s.merge("leases/l", json!({"spec": {"holderIdentity": "two"}}));
    s.merge("leases/l", json!({"spec": {"holderIdentity": ""}}));
    s.delete("leases/l");
    s.events(&renewals, "DELETED", "l");
}

fn every_kind(s: &mut Script) {
    for (resource, object) in one_of_each("a") {
        let list = s.get(resource);
        let watch = s.watch(&format!("{resource}?resourceVersion={}", version(&list)));
        s.create(resource, object);
        s.merge(&format!("{resource}/a"), json!({"metadata": {"labels": {"x": "y"}}}));
        s.delete(&format!("{resource}/a?gracePeriodSeconds=0&propagationPolicy=Background"));
        s.events(&watch, "DELETED", "a");
    }
    let watch = s.watch("nodes?labelSelector=of%3D{ns}");
    s.create("nodes", node("a"));
    s.merge("nodes/{ns}-a", json!({"metadata": {"labels": {"of": "nobody"}}}));
    s.events(&watch, "DELETED", "a");
    let fresh = s.watch("newevents");
    s.create("events", event("b"));
    s.events(&fresh, "ADDED", "b");
}

fn timeout(s: &mut Script) {
    s.create("endpointslices", slice("a"));
    let watch = s.watch("endpointslices?timeoutSeconds=1");
    s.events_until(&watch, Until::Closed);
    let watch = s.watch("endpointslices?timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=0");
    s.events_until(&watch, Until::Closed);
}

fn as_other(s: &mut Script) {
    let list = s.get("endpointslices");
    let v = version(&list);
    let partial = s.watch_as(PARTIAL_LIST, &format!("endpointslices?resourceVersion={v}"));
    let single = s.watch_as(crate::step::PARTIAL, &format!("endpointslices?resourceVersion={v}"));
    let table = s.watch_as(TABLE, &format!("endpointslices?resourceVersion={v}"));
    let pods = s.watch_as(TABLE, "pods?includeObject=None");
    s.create("endpointslices", slice("a"));
    s.merge("endpointslices/a", json!({"metadata": {"labels": {"x": "y"}}}));
    s.create("pods", pod("p"));
    s.delete("pods/p?gracePeriodSeconds=0");
    s.delete("endpointslices/a");
    end(s, &[&single, &table]);
    let _ = partial;
    s.create("pods", pod("zz"));
    let _ = pods;
}

fn all_namespaces(s: &mut Script) {
    let watch = s.watch("/apis/discovery.k8s.io/v1/endpointslices?labelSelector=of%3D{ns}");
    s.create("endpointslices", with(slice("a"), "/metadata/labels", json!({"of": "{ns}"})));
    s.create("endpointslices", slice("b"));
    s.create("endpointslices", with(slice("zz"), "/metadata/labels", json!({"of": "{ns}"})));
    s.events(&watch, "ADDED", "zz");
}

fn old_paths(s: &mut Script) {
    s.create("services", service("a"));
    let watch = s.watch("/api/v1/watch/namespaces/{ns}/services");
    let one = s.watch("/api/v1/watch/namespaces/{ns}/services/a");
    s.events(&watch, "ADDED", "a");
    s.events(&one, "ADDED", "a");
}

fn refused(s: &mut Script) {
    for query in [
        "resourceVersion=nonsense",
        "resourceVersion=-5",
        "labelSelector=a%20b",
        "fieldSelector=nonsense%3Dx",
        "sendInitialEvents=true",
        "sendInitialEvents=true&resourceVersionMatch=Exact",
        "resourceVersionMatch=NotOlderThan",
        "resourceVersionMatch=Exact&resourceVersion=5",
        "sendInitialEvents=false",
        "sendInitialEvents=nonsense",
        "limit=5&resourceVersion=nonsense",
        "continue=abc&resourceVersion=x",
        "timeoutSeconds=x",
        "allowWatchBookmarks=x",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=x",
    ] {
        s.watch(&format!("endpointslices?{query}"));
    }
    s.watch("endpointslices/none/status");
}

fn future(s: &mut Script) {
    s.create("endpointslices", slice("a"));
    s.get("endpointslices?resourceVersion=900000000");
    s.get("endpointslices?resourceVersion=900000000&resourceVersionMatch=Exact");
    s.get("endpointslices/a?resourceVersion=900000000");
}

fn no_op(s: &mut Script) {
    s.create("endpointslices", slice("a"));
    s.create("services", service("a"));
    let watch = s.watch("endpointslices");
    s.events(&watch, "ADDED", "a");
    s.merge("endpointslices/a", json!({}));
    s.update("endpointslices/a", slice("a"));
    s.merge(
        "endpointslices/a",
        json!({"endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true}}]}),
    );
    end(s, &[&watch]);
}

fn forgotten(s: &mut Script) {
    let list = s.get("endpointslices");
    let made = s.create("endpointslices", slice("a"));
    s.create("endpointslices", slice("b"));
    s.create("endpointslices", slice("c"));
    let first = s.get("endpointslices?limit=1");
    s.merge("endpointslices/b", json!({"metadata": {"labels": {"x": "y"}}}));
    s.forget();
    let old = s.watch(&format!("endpointslices?resourceVersion={}", version(&list)));
    s.events_until(&old, Until::Closed);
    let old = s.watch(&format!("endpointslices?resourceVersion={}&allowWatchBookmarks=true", version(&made)));
    s.events_until(&old, Until::Closed);
    s.get(&format!("endpointslices?resourceVersion={}&resourceVersionMatch=Exact", version(&made)));
    s.get(&format!("endpointslices?resourceVersion={}&resourceVersionMatch=NotOlderThan", version(&made)));
    let gone = s.get(&format!("endpointslices?limit=1&continue={}", of(&first, "/metadata/continue")));
    s.get(&format!("endpointslices?limit=1&continue={}", of(&gone, "/metadata/continue")));
    let list = s.get("endpointslices");
    let watch = s.watch(&format!("endpointslices?resourceVersion={}", version(&list)));
    s.create("endpointslices", slice("d"));
    s.events(&watch, "ADDED", "d");
}
