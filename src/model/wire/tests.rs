use serde_json::{Value, json};

use super::*;
use crate::model::pod::Ips;
use crate::model::{AddressType, Refusal, TargetPort, TopologyMode};

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

#[test]
fn an_object_with_nothing_but_a_name_is_a_row() {
    let bare = bytes(&json!({"metadata": {"name": "x", "labels": null}, "spec": null, "status": null}));
    let pod = decode_pod(&bare).unwrap();
    assert!(!pod.has_ip && !pod.ready && pod.node.is_none() && pod.ready_since.is_none());
    let service = decode_service(&bare).unwrap();
    assert!(service.selector.is_none() && service.headless() && !service.selects());
    assert_eq!(decode_node(&bare).unwrap().zone, None);
    assert!(
        decode_endpoints(&bytes(&json!({"metadata": {"name": "x"}, "subsets": null})))
            .unwrap()
            .subsets
            .is_empty()
    );
    let slice =
        decode_slice(&bytes(&json!({"metadata": {"name": "x"}, "endpoints": null, "ports": null}))).unwrap();
    assert!(slice.endpoints.is_empty() && slice.ports.is_empty() && slice.foreign.is_none());
}

#[test]
fn what_cannot_be_read_says_where() {
    let error = decode_pod(br#"{"metadata": {"name": 5}}"#).unwrap_err().to_string();
    assert!(error.contains("Pod") && error.contains("expected a string"), "{error}");
    let error =
        read_meta(br#"{"metadata": {"name": "a", "resourceVersion": "x1"}}"#).unwrap_err().to_string();
    assert!(error.contains("\"x1\""), "{error}");
    assert!(read_meta(br#"{"metadata": {}}"#).unwrap_err().to_string().contains("metadata.name"));
}

#[test]
fn a_pod_keeps_what_endpoints_need() {
    let pod = decode_pod(&bytes(&json!({
        "metadata": {"name": "web-1", "namespace": "ns", "uid": "u", "resourceVersion": "12", "labels": {"app": "web"},
            "deletionTimestamp": "2026-11-21T00:00:00Z", "managedFields": [{"fieldsV1": {"f:x": {}}}]},
        "spec": {"nodeName": "n", "hostname": "h", "subdomain": "",
            "containers": [{"ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}, {"containerPort": 1}]}, {"ports": null}],
            "initContainers": [{"restartPolicy": "Always", "ports": [{"name": "side", "containerPort": 9, "protocol": "UDP"}]},
                {"ports": [{"name": "init", "containerPort": 7}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "FD00::1"}, {"ip": "127.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T00:00:00Z"}]}})))
    .unwrap();
    assert_eq!((pod.version, pod.ready, pod.terminating, pod.subdomain), (12, true, true, None));
    assert_eq!(pod.ips.good().map(|ip| ip.to_string()).collect::<Vec<_>>(), ["10.0.0.1", "fd00::1"]);
    assert_eq!(
        pod.ips.refused().map(|(ip, why)| (ip.as_str(), why)).collect::<Vec<_>>(),
        [("127.0.0.1", Refusal::Loopback)]
    );
    let ports: Vec<_> = pod.ports.iter().map(|p| (p.name.as_str(), p.number)).collect();
    assert_eq!(ports, [("http", 80), ("side", 9)]);
    assert!(matches!(
        decode_pod(br#"{"metadata":{"name":"x"},"status":{"podIPs":[{"ip":"10.0.0.1"}]}}"#).unwrap().ips,
        Ips::One(_)
    ));
}

#[test]
fn a_service_keeps_what_plans_need() {
    let service = decode_service(&bytes(&json!({
        "metadata": {"name": "web", "namespace": "ns", "creationTimestamp": "2026-11-21T00:00:00Z",
            "annotations": {"service.kubernetes.io/topology-mode": "Auto", "service.kubernetes.io/topology-aware-hints": "no"}},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "selector": {"app": "web"}, "ipFamilies": ["IPv6", "IPv9", "IPv4"],
            "ports": [{"name": "a", "port": 80, "targetPort": "http", "appProtocol": ""}, {"port": 81, "targetPort": 8081}, {"port": 82}],
            "trafficDistribution": "PreferClose"}})))
    .unwrap();
    assert_eq!(service.ip_families, [AddressType::IPv6, AddressType::IPv4]);
    assert_eq!((service.topology_mode, service.topology_annotated), (TopologyMode::Disabled, true));
    let targets: Vec<_> = service.ports.iter().map(|p| p.target.clone()).collect();
    assert_eq!(targets, [TargetPort::Name("http".into()), TargetPort::Number(8081), TargetPort::Number(0)]);
    assert!(service.ports[0].app_protocol.is_some() && service.ports[1].app_protocol.is_none());
    assert!(
        decode_service(br#"{"metadata":{"name":"x"},"spec":{"selector":{}}}"#).unwrap().selector.is_none()
    );
}

#[test]
fn a_slice_is_written_as_it_was_read() {
    let object = json!({
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
        "metadata": {"name": "web-bcdfg", "generateName": "web-", "namespace": "ns",
            "uid": "6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e", "resourceVersion": "77",
            "labels": {"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-11-21T00:00:00Z", "x": "y"},
            "finalizers": ["example.com/f"],
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "u1", "controller": true, "blockOwnerDeletion": true},
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "u2"}]},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": true, "serving": true, "terminating": false},
             "hostname": "h", "targetRef": {"kind": "Pod", "namespace": "ns", "name": "p", "uid": "u3"},
             "nodeName": "n", "zone": "z", "hints": {"forZones": [{"name": "z"}], "forNodes": [{"name": "n"}]},
             "deprecatedTopology": {"a": "b"}, "fieldOfTheFuture": {"x": [1]}},
            {"addresses": ["10.0.0.2", "10.0.0.3"], "conditions": {}, "hints": {}}],
        "ports": [{"name": "", "protocol": "TCP", "port": 80, "appProtocol": "http"}, {"protocol": "QUIC"}],
        "topLevelOfTheFuture": true});
    let slice = decode_slice(&bytes(&object)).unwrap();
    assert_eq!(slice_value(&slice), object);
    assert_eq!(serde_json::from_slice::<Value>(&encode_slice(&slice)).unwrap(), object);
}
