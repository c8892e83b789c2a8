//! Patches by hand: each form, each directive, and what is refused.

use endpointslice_controller::sandbox::Kind;
use serde_json::{Value, json};

use super::objects;
use super::sides::{self, Answer, JSON, MERGE, STRATEGIC};
use super::support::real::exclusive;
use super::support::{Api, Stage};

/// Stores the object, and gives it as it stands then.
async fn stored(api: &Api, kind: Kind, object: &Value) -> Value {
    let mut place = object.clone();
    place["metadata"]["name"] = Value::Null;
    let stored = api.create(&sides::path_of(kind, &place), object).await.expect("create it");
    if object["status"].is_object() {
        let mut with_status = stored.clone();
        with_status["status"] = object["status"].clone();
        let path = format!("{}/status", sides::path_of(kind, &stored));
        return api.update(&path, &with_status).await.expect("its status");
    }
    stored
}

struct Case {
    kind: Kind,
    form: &'static str,
    subresource: &'static str,
    patch: Vec<u8>,
    /// The beginning of what both say when both refuse.
    refused: Option<&'static str>,
}

fn ok(kind: Kind, form: &'static str, patch: Value) -> Case {
    Case { kind, form, subresource: "", patch: patch.to_string().into_bytes(), refused: None }
}

fn status(kind: Kind, form: &'static str, patch: Value) -> Case {
    Case { subresource: "/status", ..ok(kind, form, patch) }
}

fn refused(kind: Kind, form: &'static str, patch: impl Into<Vec<u8>>, why: &'static str) -> Case {
    Case { kind, form, subresource: "", patch: patch.into(), refused: Some(why) }
}

const REJECTED: &str = "the server rejected our request due to an error in our request";

fn json_patches() -> Vec<Case> {
    let pod = |patch: Value| ok(Kind::Pod, JSON, patch);
    let not = |patch: Value| refused(Kind::Pod, JSON, patch.to_string(), REJECTED);
    let image = "/spec/containers/0/image";
    vec![
        pod(json!([])),
        pod(json!([{"op": "add", "path": "/metadata/labels/new", "value": "x"}])),
        pod(json!([{"op": "add", "path": "/metadata/labels/a~1b", "value": "x"}])),
        pod(json!([{"op": "remove", "path": "/metadata/labels/app"}])),
        pod(json!([{"op": "replace", "path": image, "value": "x"}])),
        pod(json!([{"op": "replace", "path": "/metadata/labels/absent", "value": "x"}])),
        pod(json!([{"op": "replace", "path": "/spec/containers/-1/image", "value": "last"}])),
        pod(
            json!([{"op": "test", "path": image, "value": "image/a"}, {"op": "replace", "path": image, "value": "x"}]),
        ),
        pod(json!([{"op": "test", "path": "/metadata/labels/absent", "value": null}])),
        pod(json!([{"op": "test", "path": "/metadata/labels/absent"}])),
        pod(json!([{"op": "copy", "from": "/metadata/labels/app", "path": "/metadata/labels/copy"}])),
        pod(json!([{"op": "move", "from": "/metadata/labels/app", "path": "/metadata/labels/moved"}])),
        pod(
            json!([{"op": "add", "path": "/spec/tolerations/-", "value": {"key": "x", "operator": "Exists"}}]),
        ),
        pod(json!([{"op": "add", "path": "/metadata/finalizers/0", "value": "example.com/c"}])),
        pod(json!([{"op": "remove", "path": "/metadata/finalizers/-1"}])),
        pod(json!([{"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}])),
        not(json!([{"op": "test", "path": image, "value": "other"}])),
        not(json!([{"op": "test", "path": "/metadata/labels/app"}])),
        not(json!([{"op": "test", "path": "/spec/nothing/here", "value": 1}])),
        not(json!([{"op": "remove", "path": "/metadata/labels/absent"}])),
        not(json!([{"op": "add", "path": "/metadata/annotations/a", "value": "b"}])),
        not(json!([{"op": "replace", "path": "/spec/containers/7", "value": {}}])),
        not(json!([{"op": "add", "path": "/metadata/finalizers/3", "value": "example.com/c"}])),
        not(json!([{"op": "remove", "path": "/metadata/finalizers/2"}])),
        not(json!([{"op": "remove", "path": "/metadata/finalizers/x"}])),
        not(json!([{"op": "shuffle", "path": "/metadata"}])),
        not(json!([{"op": "add", "value": 1}])),
        not(json!([{"path": "/metadata", "value": 1}])),
        not(json!([{"op": "move", "path": "/metadata/labels/x"}])),
        refused(Kind::Pod, JSON, "{}", "error decoding patch: json: cannot unmarshal object"),
        refused(Kind::Pod, JSON, "7", "error decoding patch: json: cannot unmarshal number"),
        refused(Kind::Pod, JSON, "", "error decoding patch: unexpected end of JSON input"),
        refused(Kind::Pod, JSON, "[{", "error decoding patch: unexpected end of JSON input"),
    ]
}

fn merge_patches() -> Vec<Case> {
    let pod = |patch: Value| ok(Kind::Pod, MERGE, patch);
    vec![
        pod(json!({})),
        pod(json!({"metadata": {"labels": {"app": null, "new": "x"}}})),
        pod(json!({"metadata": {"finalizers": ["example.com/z"]}})),
        pod(json!({"metadata": {"annotations": {"a": "b", "c": null}}})),
        pod(json!({"spec": {"activeDeadlineSeconds": 5}})),
        pod(json!({"metadata": {"labels": null}})),
        ok(Kind::Service, MERGE, json!({"spec": {"ports": [{"port": 81}]}})),
        ok(Kind::Service, MERGE, json!({"spec": {"selector": {"app": "other"}}})),
        ok(Kind::Deployment, MERGE, json!({"spec": {"replicas": 250}})),
        ok(Kind::EndpointSlice, MERGE, json!({"endpoints": [{"addresses": ["10.0.0.9"], "zone": null}]})),
        ok(Kind::Lease, MERGE, json!({"spec": {"holderIdentity": null}})),
        status(
            Kind::Node,
            MERGE,
            json!({"status": {"addresses": [{"type": "InternalIP", "address": "10.9.9.9"}]}}),
        ),
        refused(Kind::Pod, MERGE, "null", "Invalid JSON Patch"),
        refused(Kind::Pod, MERGE, "[]", "error decoding patch: json: cannot unmarshal array"),
        refused(Kind::Pod, MERGE, "\"x\"", "error decoding patch: json: cannot unmarshal string"),
        refused(Kind::Pod, MERGE, "{\"a\":", "error decoding patch: unexpected end of JSON input"),
    ]
}

fn strategic_patches() -> Vec<Case> {
    let deployment = |patch: Value| ok(Kind::Deployment, STRATEGIC, patch);
    let spec = |spec: Value| deployment(json!({"spec": {"template": {"spec": spec}}}));
    let service = |ports: Value| ok(Kind::Service, STRATEGIC, json!({"spec": ports}));
    let meta = |metadata: Value| ok(Kind::Pod, STRATEGIC, json!({"metadata": metadata}));
    let no_key =
        |patch: Value, why: &'static str| refused(Kind::Deployment, STRATEGIC, patch.to_string(), why);
    vec![
        deployment(json!({})),
        refused_null(),
        spec(json!({"containers": [{"name": "b", "image": "new"}]})),
        spec(json!({"containers": [{"name": "c", "image": "new"}, {"name": "a", "image": "new"}]})),
        spec(json!({"containers": [{"name": "a", "$patch": "delete"}]})),
        spec(json!({"containers": [{"$patch": "replace"}, {"name": "z", "image": "only"}]})),
        spec(
            json!({"containers": [{"name": "a", "env": [{"name": "B", "$patch": "delete"}, {"name": "C", "value": "3"}]}]}),
        ),
        spec(
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 8080}, {"containerPort": 80, "name": null}]}]}),
        ),
        spec(
            json!({"containers": [{"name": "a", "volumeMounts": [{"mountPath": "/m1", "readOnly": true}], "args": ["three"]}]}),
        ),
        spec(json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})),
        spec(json!({
            "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
            "containers": [{"name": "c", "image": "new"}, {"name": "a", "image": "new"}],
        })),
        spec(
            json!({"volumes": [{"name": "v1", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}),
        ),
        spec(json!({"tolerations": [{"key": "only", "operator": "Exists"}]})),
        spec(json!({"tolerations": null, "nodeSelector": {"$patch": "replace", "zone": "a"}})),
        spec(json!({"imagePullSecrets": [{"name": "s3"}, {"name": "s1", "$patch": "delete"}]})),
        spec(
            json!({"hostAliases": [{"ip": "10.1.1.1", "hostnames": ["y"]}, {"ip": "10.1.1.2", "hostnames": ["z"]}]}),
        ),
        spec(json!({"topologySpreadConstraints": [
            {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": null},
        ]})),
        spec(json!({"securityContext": {"$patch": "delete"}})),
        spec(json!({"nodeSelector": {"$patch": "delete"}})),
        deployment(json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}})),
        deployment(json!({"spec": {"strategy": {"type": "Recreate"}}})),
        deployment(json!({"metadata": {"annotations": {"note": null, "new": "x"}}})),
        ok(
            Kind::ReplicaSet,
            STRATEGIC,
            json!({"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "x"}]}}}}),
        ),
        service(json!({"ports": [{"port": 8080, "name": "more"}]})),
        service(json!({"ports": [{"port": 53, "name": "renamed"}]})),
        service(json!({"ports": [{"port": 53, "$patch": "delete"}]})),
        service(json!({"$setElementOrder/ports": [{"port": 53}, {"port": 80}]})),
        service(
            json!({"$setElementOrder/ports": [{"port": 80}, {"port": 81}], "ports": [{"port": 81, "name": "x"}, {"port": 53, "$patch": "delete"}]}),
        ),
        service(json!({"externalIPs": ["192.0.2.9"], "selector": {"tier": "front"}})),
        meta(json!({"finalizers": ["example.com/c", "example.com/a"]})),
        meta(json!({"$deleteFromPrimitiveList/finalizers": ["example.com/a"]})),
        meta(
            json!({"$deleteFromPrimitiveList/finalizers": ["example.com/a"], "finalizers": ["example.com/d"]}),
        ),
        meta(json!({"$setElementOrder/finalizers": ["example.com/b", "example.com/a"]})),
        meta(json!({
            "$setElementOrder/finalizers": ["example.com/b", "example.com/c"], "finalizers": ["example.com/c"],
            "$deleteFromPrimitiveList/finalizers": ["example.com/a"],
        })),
        meta(json!({"ownerReferences": [{"uid": "u1", "$patch": "delete"}]})),
        meta(
            json!({"ownerReferences": [{"uid": "u2", "name": "renamed"}, {"uid": "u3", "name": "three", "apiVersion": "v1", "kind": "Node"}]}),
        ),
        meta(json!({"labels": {"$patch": "replace", "only": "x"}})),
        meta(json!({"labels": {"$retainKeys": ["app"], "app": "kept"}})),
        status(
            Kind::Node,
            STRATEGIC,
            json!({"status": {"addresses": [{"type": "Hostname", "address": "other"}]}}),
        ),
        status(
            Kind::Node,
            STRATEGIC,
            json!({"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "New", "status": "True"}]}}),
        ),
        status(
            Kind::Node,
            STRATEGIC,
            json!({"status": {"$setElementOrder/conditions": [{"type": "MemoryPressure"}, {"type": "Ready"}],
            "conditions": [{"type": "Ready", "status": "Unknown"}]}}),
        ),
        ok(Kind::Node, STRATEGIC, json!({"spec": {"taints": [{"key": "three", "effect": "NoSchedule"}]}})),
        ok(Kind::Node, STRATEGIC, json!({"spec": {"unschedulable": true}})),
        status(
            Kind::Pod,
            STRATEGIC,
            json!({"status": {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}]}}),
        ),
        status(
            Kind::Pod,
            STRATEGIC,
            json!({"status": {"hostIPs": [{"ip": "10.0.0.1"}], "hostIP": "10.0.0.1", "phase": "Running"}}),
        ),
        ok(Kind::Namespace, STRATEGIC, json!({"metadata": {"labels": {"a": "b"}}})),
        ok(Kind::EndpointSlice, STRATEGIC, json!({"endpoints": [{"addresses": ["10.0.0.9"]}]})),
        ok(
            Kind::EndpointSlice,
            STRATEGIC,
            json!({"ports": [{"name": "a", "port": 1}], "metadata": {"labels": {"x": "y"}}}),
        ),
        ok(Kind::Endpoints, STRATEGIC, json!({"subsets": [{"addresses": [{"ip": "10.0.0.9"}]}]})),
        ok(Kind::Endpoints, STRATEGIC, json!({"subsets": null})),
        ok(Kind::Lease, STRATEGIC, json!({"spec": {"holderIdentity": "other", "leaseDurationSeconds": 5}})),
        ok(Kind::Event, STRATEGIC, json!({"count": 4, "message": "again"})),
        no_key(
            json!({"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}),
            "map: map[image:x] does not contain declared merge key: name",
        ),
        no_key(
            json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "$patch": "shuffle"}]}}}}),
            "unknown patch type: shuffle in map: map[",
        ),
        no_key(
            json!({"spec": {"$patch": "shuffle"}}),
            "unknown patch type: shuffle in map: map[$patch:shuffle]",
        ),
        no_key(
            json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "$patch": "merge"}]}}}}),
            "merging lists cannot yet be specified in the patch",
        ),
        no_key(
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}}}),
            "invalid patch format of retainKeys",
        ),
        no_key(json!({"spec": {"strategy": {"$retainKeys": "type"}}}), "invalid patch format of retainKeys"),
        no_key(
            json!({"metadata": {"$setElementOrder/finalizers": ["a"], "finalizers": ["b"]}}),
            "The order in patch list:\n[b]\n doesn't match $setElementOrder list:\n[a]\n",
        ),
        no_key(
            json!({"spec": {"template": {"spec": {"containers": ["x"]}}}}),
            "list element types are not identical: ",
        ),
        refused(
            Kind::Deployment,
            STRATEGIC,
            "[]",
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        refused(Kind::Deployment, STRATEGIC, "{", "unexpected end of JSON input"),
    ]
}

/// A patch of nothing: taken, unlike as a merge patch.
fn refused_null() -> Case {
    Case { kind: Kind::Deployment, form: STRATEGIC, subresource: "", patch: b"null".to_vec(), refused: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_gives_what_the_real_server_gives() {
    let Some(stage) = exclusive().await else { return };
    let api = stage.api();
    let mut standing = Vec::new();
    for (kind, object) in objects::all() {
        standing.push((kind, stored(api, kind, &object).await));
    }
    let mut differences = Vec::new();
    for case in json_patches().into_iter().chain(merge_patches()).chain(strategic_patches()) {
        let (_, object) = standing.iter().find(|(kind, _)| *kind == case.kind).expect("one of each kind");
        let real = sides::real(api, case.kind, object, case.subresource, case.form, &case.patch).await;
        let ours = sides::ours(api, case.kind, object, case.subresource, case.form, &case.patch).await;
        let expected = match (&real, case.refused) {
            (Answer::Object(_), None) => true,
            // The patch applies, and what it makes is not valid: both say so.
            (Answer::Refused(422, reason, message), None) => reason == "Invalid" && message != REJECTED,
            (Answer::Refused(_, _, message), Some(why)) => message.starts_with(why),
            (Answer::Object(_), Some(_)) | (Answer::Refused(..), None) => false,
        };
        if real != ours || !expected {
            let patch = String::from_utf8_lossy(&case.patch).into_owned();
            differences
                .push(format!("{:?} {} {patch}\n  real: {real:?}\n  ours: {ours:?}", case.kind, case.form));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
