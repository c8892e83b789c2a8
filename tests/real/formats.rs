//! Protobuf and JSON say the same: whatever a real API server holds becomes the same rows from both,
//! in lists, as metadata only, and in watches.

use std::fmt::Debug;

use endpointslice_controller::kubeapi::decode::{Decode, FrameKind, Frames, Objects, Wire};
use endpointslice_controller::kubeapi::stream::{ClientTransport, Response, Transport};
use endpointslice_controller::model::wire::{self as json, protobuf};
use futures::StreamExt;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use crate::support::pods::{pod, service};
use crate::support::{Controller, Stage, User, World, quiet_cluster, real};

const SEED: u64 = 20_261_125;
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const METADATA: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

async fn transport(stage: &dyn Stage) -> ClientTransport {
    let kubeconfig = Kubeconfig::read_from(stage.kubeconfig(User::Admin)).expect("read the kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    ClientTransport(kube::Client::try_from(config.expect("a usable kubeconfig")).expect("a client"))
}

async fn get(transport: &ClientTransport, path: &str, accept: &'static str) -> Response {
    let response = transport.get(path.to_string(), accept).await.expect("an answer");
    assert_eq!(response.status, 200, "{path}");
    response
}

/// The rows of a list, and its version.
async fn rows<R>(
    transport: &ClientTransport,
    path: &str,
    accept: &'static str,
    wire: Wire,
    decode: Decode<R>,
) -> (Vec<R>, u64) {
    let mut response = get(transport, path, accept).await;
    assert_eq!(response.wire, wire, "{path}: the format of the answer");
    let mut objects = Objects::of(response.wire);
    let mut rows = Vec::new();
    while let Some(chunk) = response.body.next().await {
        objects.push(&chunk.expect("a piece of the body"));
        while let Some(object) = objects.next_object().expect("a list") {
            rows.push(decode(&object).unwrap_or_else(|error| panic!("{path}: {error}")));
        }
    }
    let end = objects.finish().expect("a whole list");
    assert!(end.items && end.next.is_none(), "{path}: {end:?}");
    (rows, end.version)
}

async fn same<R: PartialEq + Debug>(
    transport: &ClientTransport,
    path: &str,
    accept: &'static str,
    of_protobuf: Decode<R>,
    of_json: Decode<R>,
) -> usize {
    let (found, version) = rows(transport, path, accept, Wire::Protobuf, of_protobuf).await;
    let (wanted, again) = rows(transport, path, "application/json", Wire::Json, of_json).await;
    assert!(version > 0 && again >= version);
    assert_eq!(found.len(), wanted.len(), "{path}");
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted, "{path}");
    }
    found.len()
}

#[tokio::test]
async fn every_object_of_a_varied_cluster_is_the_same_row_from_protobuf_as_from_json() {
    let Some(stage) = real::exclusive().await else { return };
    let controller = Controller::start(&stage, &[]).await;
    quiet_cluster::generate(&stage, SEED).await;
    let world = World::new(&stage, "odd").await;
    // What a controller never writes, but a slice may have.
    world
        .slice(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "FQDN",
            "metadata": {"name": "odd", "generateName": "o-", "finalizers": ["example.org/keep"], "annotations": {"a": "b"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u"}]},
            "endpoints": [{"addresses": ["a.example.org"], "deprecatedTopology": {"k": "v"}, "hostname": "h",
                           "hints": {"forZones": [{"name": "z"}], "forNodes": [{"name": "n"}]}},
                          {"addresses": ["b.example.org"], "conditions": {"ready": false}}],
            "ports": [{"name": "", "protocol": "UDP"}, {"name": "a", "port": 1, "appProtocol": "example.org/x"}],
        }))
        .await;
    controller.settled().await;

    let transport = transport(&stage).await;
    let slices = "/apis/discovery.k8s.io/v1/endpointslices";
    let counts = [
        same(&transport, "/api/v1/pods", PROTOBUF, protobuf::decode_pod, json::decode_pod).await,
        same(&transport, "/api/v1/services", PROTOBUF, protobuf::decode_service, json::decode_service).await,
        same(&transport, "/api/v1/nodes", PROTOBUF, protobuf::decode_node, json::decode_node).await,
        same(&transport, "/api/v1/endpoints", PROTOBUF, protobuf::decode_endpoints, json::decode_endpoints)
            .await,
        same(&transport, slices, PROTOBUF, protobuf::decode_slice, json::decode_slice).await,
        same(&transport, "/api/v1/endpoints", METADATA, protobuf::read_meta, json::read_meta).await,
    ];
    println!("the same rows: pods, services, nodes, endpoints, slices, metadata of endpoints: {counts:?}");
    assert!(counts.iter().all(|count| *count >= 8), "{counts:?}");
}

#[tokio::test]
async fn a_watch_in_protobuf_shows_what_happens_and_its_refusals_are_read() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "watched").await;
    world.service(service("web", "web").port("", 80, "80")).await;
    let transport = transport(&stage).await;
    let path = world.path("pods");
    let (none, version) = rows(&transport, &path, PROTOBUF, Wire::Protobuf, protobuf::decode_pod).await;
    assert!(none.is_empty(), "an empty list has no items, and is a list");
    let watch = format!("{path}?watch=true&allowWatchBookmarks=true&resourceVersion={version}");
    let mut response = get(&transport, &watch, PROTOBUF).await;
    assert_eq!(response.wire, Wire::Protobuf);
    world.pod(pod("a", "web", "10.0.0.1")).await;
    world.set_ready("a", false).await;
    world.delete("pods", "a").await;
    let mut frames = Frames::of(response.wire);
    let mut seen = Vec::new();
    while !seen.iter().any(|(kind, _, _)| *kind == FrameKind::Deleted) {
        frames.push(&response.body.next().await.expect("more events").expect("a piece of the watch"));
        while let Some(frame) = frames.next_frame().expect("a frame") {
            let frame = Wire::Protobuf.read_frame(&frame).expect("an event");
            let row = protobuf::decode_pod(frame.object).expect("a Pod");
            seen.push((frame.kind, row.key.to_string(), row.ready));
        }
    }
    let key = format!("{}/a", world.namespace());
    assert!(seen.iter().all(|(_, found, _)| *found == key), "{seen:?}");
    assert!(seen.iter().any(|(_, _, ready)| *ready) && !seen[seen.len() - 1].2, "{seen:?}");
}
