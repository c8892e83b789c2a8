//! Lists: pages, versions, selectors.

use serde_json::json;

use super::Scene;
use super::objects::*;
use crate::step::{Script, of, version};

pub const SCENES: &[Scene] = &[
    ("an empty list", empty),
    ("a list in pages", pages),
    ("pages and changes between them", pages_and_changes),
    ("the rules of resourceVersion for lists", versions),
    ("the rules of resourceVersion for reads", read_versions),
    ("label selectors", label_selectors),
    ("field selectors", field_selectors),
    ("lists over all namespaces", all_namespaces),
    ("parameters that make no sense", nonsense),
];

fn empty(s: &mut Script) {
    for resource in
        ["services", "endpoints", "endpointslices", "pods", "leases", "events", "deployments", "replicasets"]
    {
        s.get(resource);
    }
    s.get("nodes?labelSelector=of%3Dnobody");
}

fn five(s: &mut Script) {
    for name in ["e", "b", "d", "a", "c"] {
        s.create("endpointslices", slice(name));
    }
}

fn pages(s: &mut Script) {
    five(s);
    s.get("endpointslices");
    let first = s.get("endpointslices?limit=2");
    let token = of(&first, "/metadata/continue");
    let second = s.get(&format!("endpointslices?limit=2&continue={token}"));
    s.get(&format!("endpointslices?limit=1&continue={token}"));
    s.get(&format!("endpointslices?continue={token}"));
    let token = of(&second, "/metadata/continue");
    s.get(&format!("endpointslices?limit=2&continue={token}"));
    s.get("endpointslices?limit=5");
    s.get("endpointslices?limit=0");
    s.get("endpointslices?limit=500&resourceVersion=0");
    s.get("endpointslices?limit=2&labelSelector=kubernetes.io/service-name%3Dweb");
    s.get("endpointslices?limit=1&fieldSelector=metadata.name%3Dd");
}

fn pages_and_changes(s: &mut Script) {
    five(s);
    let first = s.get("endpointslices?limit=2");
    let token = of(&first, "/metadata/continue");
    s.delete("endpointslices/c");
    s.create("endpointslices", slice("bb"));
    s.merge("endpointslices/d", json!({"metadata": {"labels": {"new": "yes"}}}));
    let second = s.get(&format!("endpointslices?limit=2&continue={token}"));
    let token = of(&second, "/metadata/continue");
    s.get(&format!("endpointslices?limit=2&continue={token}"));
    s.get("endpointslices?limit=2");
}

fn versions(s: &mut Script) {
    let made = s.create("endpointslices", slice("a"));
    let second = s.create("endpointslices", slice("b"));
    let (v1, v2) = (version(&made), version(&second));
    s.get("endpointslices?resourceVersion=");
    s.get("endpointslices?resourceVersion=0");
    s.get(&format!("endpointslices?resourceVersion={v1}"));
    s.get(&format!("endpointslices?resourceVersion={v1}&resourceVersionMatch=NotOlderThan"));
    s.get(&format!("endpointslices?resourceVersion={v1}&resourceVersionMatch=Exact"));
    s.get(&format!("endpointslices?resourceVersion={v2}&resourceVersionMatch=Exact"));
    s.get(&format!("endpointslices?resourceVersion={v2}&limit=1"));
    s.get(&format!("endpointslices?resourceVersion={v1}&limit=1"));
    s.get("endpointslices?resourceVersion=0&resourceVersionMatch=Exact");
    s.get("endpointslices?resourceVersion=0&resourceVersionMatch=NotOlderThan");
    s.get("endpointslices?resourceVersionMatch=NotOlderThan");
    s.get("endpointslices?resourceVersionMatch=Exact");
    s.get("endpointslices?resourceVersion=5&resourceVersionMatch=Nonsense");
    s.get("endpointslices?resourceVersion=nonsense");
    s.get("endpointslices?resourceVersion=-1");
    let first = s.get("endpointslices?limit=1");
    let token = of(&first, "/metadata/continue");
    s.get(&format!("endpointslices?continue={token}&resourceVersion={v2}"));
    s.get(&format!("endpointslices?continue={token}&resourceVersion=0"));
    s.get(&format!("endpointslices?continue={token}&resourceVersionMatch=Exact"));
    s.get("endpointslices?continue=nonsense");
    s.get("endpointslices?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0");
    s.get("endpointslices?limit=nonsense");
    s.get("endpointslices?limit=-1");
}

fn read_versions(s: &mut Script) {
    let made = s.create("endpointslices", slice("a"));
    s.get("endpointslices/a?resourceVersion=0");
    s.get(&format!("endpointslices/a?resourceVersion={}", version(&made)));
    s.get("endpointslices/a?resourceVersion=nonsense");
    s.get("endpointslices/a?resourceVersion=");
}

fn label_selectors(s: &mut Script) {
    let labels = [
        ("a", json!({"app": "web", "tier": "front"})),
        ("b", json!({"app": "web"})),
        ("c", json!({"app": "db", "tier": "back"})),
        ("d", json!({"n": "5", "empty": ""})),
        ("e", json!({})),
    ];
    for (name, labels) in labels {
        s.create("endpointslices", with(slice(name), "/metadata/labels", labels));
    }
    for selector in [
        "app%3Dweb",
        "app%3D%3Dweb",
        "app!%3Dweb",
        "app",
        "!app",
        "app%20in%20(web,db)",
        "app%20notin%20(web)",
        "app%20in%20(web),tier",
        "app%3Dweb,tier%3Dfront",
        "app%3Dweb,!tier",
        "n%3E4",
        "n%3C5",
        "n%3E%3D4",
        "empty%3D",
        "empty",
        "",
        "app%3D",
        "a%20b",
        "app%20in%20()",
        "app%20in%20web",
        "(",
        "%3Dweb",
        "app%3Dweb,",
        "app%3Dbad%20value",
        "app%20in%20(web,)",
        "n%3Ex",
        "-bad%3Dx",
        "a/b/c%3Dd",
        "%20app%20%3D%20web%20",
        "app%3Dweb%3Ddb",
        "!app%3Dweb",
    ] {
        s.get(&format!("endpointslices?labelSelector={selector}"));
    }
}

fn field_selectors(s: &mut Script) {
    s.create("nodes", node("n"));
    s.create("pods", with(pod("a"), "/spec/nodeName", json!("{ns}-n")));
    s.create("pods", with(pod("b"), "/spec/restartPolicy", json!("Never")));
    s.merge(
        "pods/b/status",
        json!({"status": {"phase": "Running", "podIP": "192.0.2.9", "podIPs": [{"ip": "192.0.2.9"}]}}),
    );
    for selector in [
        "metadata.name%3Da",
        "metadata.name!%3Da",
        "metadata.name%3D%3Da",
        "metadata.namespace%3D{ns}",
        "metadata.namespace%3Delse",
        "spec.nodeName%3D{ns}-n",
        "spec.nodeName%3D",
        "spec.nodeName!%3D",
        "status.phase%3DRunning",
        "status.phase!%3DPending",
        "spec.restartPolicy%3DNever",
        "spec.schedulerName%3Ddefault-scheduler",
        "status.podIP%3D192.0.2.9",
        "status.podIPs%3D192.0.2.9",
        "spec.serviceAccountName%3D",
        "spec.hostNetwork%3Dfalse",
        "status.nominatedNodeName%3D",
        "spec.nonsense%3Dx",
        "metadata.labels%3Dx",
        "nonsense",
        "%3Dx",
        "metadata.name%3Da,metadata.name%3Db",
        "metadata.name%3Da,spec.nodeName%3D{ns}-n",
        "",
    ] {
        s.get(&format!("pods?fieldSelector={selector}"));
    }
    s.create("services", service("a"));
    s.create("services", with(service("b"), "/spec/clusterIP", json!("None")));
    s.create("events", event("a"));
    for what in [
        "services?fieldSelector=spec.clusterIP%3DNone",
        "services?fieldSelector=spec.type%3DClusterIP",
        "services?fieldSelector=metadata.name%3Da",
        "services?fieldSelector=spec.ports%3Dx",
        "nodes?fieldSelector=metadata.name%3D{ns}-n",
        "nodes?labelSelector=of%3D{ns}&fieldSelector=spec.unschedulable%3Dfalse",
        "nodes?labelSelector=of%3D{ns}&fieldSelector=spec.nonsense%3Dfalse",
        "events?fieldSelector=involvedObject.name%3Dweb",
        "events?fieldSelector=involvedObject.kind%3DService,involvedObject.namespace%3D{ns}",
        "events?fieldSelector=reason%3DFailedToUpdateEndpointSlices,type%3DWarning",
        "events?fieldSelector=source%3Dendpoint-slice-controller",
        "events?fieldSelector=reportingComponent%3Dendpoint-slice-controller",
        "events?fieldSelector=involvedObject.uid%3D",
        "events?fieldSelector=regarding.name%3Dweb",
        "newevents?fieldSelector=regarding.name%3Dweb",
        "newevents?fieldSelector=reason%3Dx",
        "newevents?fieldSelector=involvedObject.name%3Dweb",
        "endpoints?fieldSelector=metadata.name%3Da",
        "endpoints?fieldSelector=subsets%3Da",
        "endpointslices?fieldSelector=metadata.name%3Da",
        "endpointslices?fieldSelector=addressType%3DIPv4",
        "leases?fieldSelector=metadata.name%3Da",
        "leases?fieldSelector=spec.holderIdentity%3Da",
        "replicasets?fieldSelector=status.replicas%3D0",
        "deployments?fieldSelector=status.replicas%3D0",
        "namespaces?fieldSelector=metadata.name%3D{ns}",
        "namespaces?fieldSelector=metadata.name%3D{ns},status.phase%3DActive",
        "namespaces?fieldSelector=metadata.name%3D{ns},spec.x%3DActive",
    ] {
        s.get(what);
    }
    s.get("services/a?fieldSelector=metadata.name%3Db");
}

fn all_namespaces(s: &mut Script) {
    let labels = json!({"of": "{ns}"});
    s.create(
        "namespaces",
        with(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{ns}-z"}}),
            "/metadata/labels",
            labels.clone(),
        ),
    );
    s.create("endpointslices", with(slice("b"), "/metadata/labels", labels.clone()));
    s.create(
        "/apis/discovery.k8s.io/v1/namespaces/{ns}-z/endpointslices",
        with(slice("a"), "/metadata/labels", labels.clone()),
    );
    s.create("endpointslices", with(slice("c"), "/metadata/labels", labels));
    let all = "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=of%3D{ns}";
    s.get(all);
    s.get(&format!("{all}&fieldSelector=metadata.namespace%3D{{ns}}-z"));
    s.get(&format!("{all}&resourceVersion=0&resourceVersionMatch=NotOlderThan"));
    let first = s.get(&format!("{all}&limit=2"));
    s.get(&format!("{all}&limit=2&continue={}", of(&first, "/metadata/continue")));
    s.get("namespaces?labelSelector=of%3D{ns}");
}

fn nonsense(s: &mut Script) {
    s.create("endpointslices", slice("a"));
    for query in [
        "timeoutSeconds=x",
        "timeoutSeconds=5",
        "pretty=true",
        "unknown=5",
        "sendInitialEvents=true",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        "allowWatchBookmarks=true",
        "limit=1&limit=2",
        "&&",
        "labelSelector=a%3Db&labelSelector=kubernetes.io/service-name",
    ] {
        if query != "pretty=true" {
            s.get(&format!("endpointslices?{query}"));
        }
    }
}
