//! Protobuf is read into the JSON that the real server prints of the same object.

use endpointslice_controller::sandbox::protobuf;
use http::{Method, Request};
use serde_json::{Value, json};

use super::objects;
use super::sides::path_of;
use super::support::real::exclusive;
use super::support::{Api, Stage};

async fn as_protobuf(api: &Api, path: &str) -> Vec<u8> {
    let request = Request::get(path).header("accept", protobuf::MEDIA).body(Vec::new()).expect("a request");
    let answer = api.ask(request).await.expect("an answer");
    assert!(answer.status().is_success(), "{path}");
    answer.body().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_in_protobuf_is_the_same_in_json() {
    let Some(stage) = exclusive().await else { return };
    let api = stage.api();
    let mut paths = Vec::new();
    for (kind, object) in objects::all() {
        let mut place = object.clone();
        place["metadata"]["name"] = Value::Null;
        let stored = api.create(&path_of(kind, &place), &object).await.expect("create it");
        let path = path_of(kind, &stored);
        if object["status"].is_object() {
            let mut with_status = stored;
            with_status["status"] = object["status"].clone();
            api.update(&format!("{path}/status"), &with_status).await.expect("its status");
        }
        paths.push(path);
    }
    paths.push("/apis/apps/v1/namespaces/default/deployments/rich/scale".to_owned());
    paths.push("/apis/events.k8s.io/v1/namespaces/default/events/rich".to_owned());
    let ready = json!({"status": {
        "phase": "Running", "startTime": "2026-01-02T03:04:05Z", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}],
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}],
        "containerStatuses": [{"name": "a", "image": "a", "imageID": "", "ready": false, "restartCount": 0, "started": false,
                               "state": {"terminated": {"exitCode": -1, "finishedAt": "2026-01-02T03:04:05Z"}}}],
    }});
    let status = format!("{}/status", paths[0]);
    api.send(Method::PATCH, &status, Some(&ready), "application/merge-patch+json").await.expect("a status");
    for path in paths {
        let decoded = protobuf::decode(&as_protobuf(api, &path).await).expect("an object");
        let mut differences = Vec::new();
        differing("", &decoded, &api.get(&path).await.expect("the same"), &mut differences);
        assert!(differences.is_empty(), "{path}:\n{}", differences.join("\n"));
    }
}

/// The places where two values differ.
fn differing(place: &str, ours: &Value, real: &Value, found: &mut Vec<String>) {
    match (ours, real) {
        (Value::Object(ours), Value::Object(real)) => {
            let mut names: Vec<&String> = ours.keys().chain(real.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                // A time that is not set is printed as null in some places.
                let (ours, real) =
                    (&ours.get(name).unwrap_or(&Value::Null), &real.get(name).unwrap_or(&Value::Null));
                differing(&format!("{place}/{name}"), ours, real, found);
            }
        }
        (Value::Array(ours), Value::Array(real)) if ours.len() == real.len() => {
            for (index, (ours, real)) in ours.iter().zip(real).enumerate() {
                differing(&format!("{place}/{index}"), ours, real, found);
            }
        }
        _ if ours == real => {}
        _ => found.push(format!("{place}: ours {ours}, real {real}")),
    }
}

#[test]
fn what_is_no_protobuf_is_refused() {
    for body in
        [&b""[..], b"k8s", b"{}", b"k8s\0\x0a\x7f", b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        protobuf::decode(body).expect_err("refused");
    }
    // An envelope of an unknown kind: apiVersion `v1`, kind `Secret`.
    let error = protobuf::decode(b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret").expect_err("refused");
    assert!(error.contains("no kind \"Secret\" is registered for version \"v1\""), "{error}");
}
