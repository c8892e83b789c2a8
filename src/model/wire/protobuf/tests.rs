use super::*;

fn slice() -> pb::EndpointSlice {
    pb::EndpointSlice {
        metadata: Some(pb::SliceMeta {
            name: "a".into(),
            resource_version: "3".into(),
            ..Default::default()
        }),
        endpoints: vec![pb::Endpoint {
            addresses: vec!["10.0.0.1".into()],
            conditions: Some(pb::Conditions { ready: Some(true), serving: None, terminating: Some(false) }),
            hostname: Some(String::new()),
            deprecated_topology: vec![pb::Entry {
                key: "topology.kubernetes.io/zone".into(),
                value: "z".into(),
            }],
            hints: Some(pb::Hints { for_zones: vec![pb::Hint { name: "z".into() }], for_nodes: Vec::new() }),
            ..Default::default()
        }],
        ports: vec![pb::SlicePort { name: Some(String::new()), port: Some(80), ..Default::default() }],
        address_type: "IPv4".into(),
    }
}

/// A field of number `number` with the text "new" at the end of a message.
fn with_field(mut message: Vec<u8>, number: u32) -> Vec<u8> {
    prost::encoding::string::encode(number, &"new".to_owned(), &mut message);
    message
}

/// The message that has `value` as its field `number`, and nothing else.
fn around(number: u32, value: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    prost::encoding::bytes::encode(number, &value.to_vec(), &mut message);
    message
}

#[test]
fn a_slice_keeps_presence_absence_and_deprecated_topology() {
    let row = decode_slice(&slice().encode_to_vec()).unwrap();
    let endpoint = &row.endpoints[0];
    assert_eq!(endpoint.hostname.as_deref(), Some(""));
    assert_eq!((endpoint.node_name.as_deref(), endpoint.zone.as_deref()), (None, None));
    assert_eq!(
        endpoint.conditions,
        Conditions { ready: Some(true), serving: None, terminating: Some(false) }
    );
    let topology = endpoint.foreign.as_ref().unwrap();
    assert_eq!(topology["deprecatedTopology"], serde_json::json!({"topology.kubernetes.io/zone": "z"}));
    assert_eq!((row.ports[0].name.as_deref(), row.ports[0].port, row.version), (Some(""), Some(80), 3));
    assert!(row.foreign.is_none());
}

#[test]
fn a_field_that_a_rewrite_of_the_slice_would_lose_is_an_error_that_names_it() {
    let known = slice().encode_to_vec();
    assert_eq!(fields::unknown_of_slice(&known), None);
    let endpoint = pb::Endpoint::default().encode_to_vec();
    for (message, place) in [
        (with_field(known, 5), "field 5 of the slice"),
        (around(2, &with_field(endpoint, 9)), "field 9 of an endpoint"),
        (around(2, &around(2, &with_field(Vec::new(), 4))), "field 4 of conditions"),
        (around(2, &around(8, &with_field(Vec::new(), 3))), "field 3 of hints"),
        (around(3, &with_field(Vec::new(), 5)), "field 5 of a port"),
    ] {
        let error = decode_slice(&message).unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
    }
    // Of metadata nothing is written back that is not read (managedFields, generation, …).
    let mut meta = around(1, &with_field(around(1, b"a"), 17));
    prost::encoding::string::encode(4, &"IPv4".to_owned(), &mut meta);
    assert!(decode_slice(&meta).is_ok());
}

#[test]
fn zero_time_is_set_and_no_time() {
    assert!(moment(Some(&pb::Time { seconds: None })).is_set());
    assert_eq!(moment(Some(&pb::Time { seconds: None })).time(), None);
    assert_eq!(moment(Some(&pb::Time { seconds: Some(5) })).time(), Some(Time::from_secs(5)));
    assert!(!moment(None).is_set());
}

#[test]
fn a_target_port_is_a_number_or_a_name_by_its_type() {
    use crate::model::TargetPort;
    let target = |kind, number, text: &str| {
        let target_port = Some(pb::IntOrString { kind, number, text: text.into() });
        let ports = vec![pb::ServicePort { target_port, ..Default::default() }];
        let metadata = Some(pb::AnnotatedMeta { name: "s".into(), ..Default::default() });
        let service = pb::Service { metadata, spec: Some(pb::ServiceSpec { ports, ..Default::default() }) };
        decode_service(&service.encode_to_vec()).unwrap().ports[0].target.clone()
    };
    assert_eq!(target(0, 8080, ""), TargetPort::Number(8080));
    assert_eq!(target(1, 0, "8080"), TargetPort::Name("8080".into()));
    assert_eq!(target(0, 0, ""), TargetPort::Number(0));
}

#[test]
fn an_object_without_a_name_is_an_error_of_every_kind() {
    for error in [
        decode_pod(b"").map(drop),
        decode_service(b"").map(drop),
        decode_node(b"").map(drop),
        decode_endpoints(b"").map(drop),
        decode_slice(b"").map(drop),
        read_meta(b"").map(drop),
    ] {
        assert!(error.unwrap_err().to_string().contains("metadata.name is missing"));
    }
    assert!(decode_pod(b"\x0a\xff").unwrap_err().to_string().starts_with("Pod: "));
}

/// A slice with everything that can stand on one.
fn full() -> Slice {
    let json = serde_json::json!({
        "metadata": {
            "name": "web-abcde", "generateName": "web-", "namespace": "ns", "resourceVersion": "71",
            "uid": "6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e", "labels": {"app": "web", "empty": ""},
            "annotations": {"long": "x".repeat(20_000)}, "finalizers": ["example.org/keep"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "odd uid",
                                 "controller": true, "blockOwnerDeletion": false}],
        },
        "addressType": "IPv6",
        "endpoints": [
            {"addresses": ["fd00::1"], "conditions": {"ready": true, "serving": true, "terminating": false},
             "hostname": "", "nodeName": "node-1", "zone": "zone-a",
             "targetRef": {"kind": "Pod", "namespace": "ns", "name": "web-1", "uid": "u", "apiVersion": "v1",
                           "resourceVersion": "5", "fieldPath": "spec"},
             "hints": {"forZones": [{"name": "zone-a"}, {"name": "zone-b"}], "forNodes": [{"name": "node-1"}]},
             "deprecatedTopology": {"topology.kubernetes.io/zone": "zone-a"}},
            {"addresses": ["fd00::2", "fd00::3"], "conditions": {}, "hints": {}},
        ],
        "ports": [{"name": "", "protocol": "UDP", "port": 65535, "appProtocol": "example.org/x"},
                  {"protocol": "TCP", "port": -1}],
    });
    super::super::decode_slice(json.to_string().as_bytes()).unwrap()
}

#[test]
fn a_slice_is_read_as_it_was_encoded_with_everything_that_can_stand_on_it() {
    for slice in [full(), Slice { uid: Uid::default(), version: 0, ..full() }] {
        let body = encode_slice(&slice).unwrap();
        let envelope = body.strip_prefix(b"k8s\0").unwrap();
        assert_eq!(decode_slice(field(envelope, 2).unwrap()).unwrap(), slice);
    }
    let mut few = full();
    few.endpoints.truncate(0);
    few.annotations = Default::default();
    let body = encode_slice(&few).unwrap();
    assert_eq!(decode_slice(field(&body[4..], 2).unwrap()).unwrap(), few);
}

#[test]
fn the_envelope_names_version_and_kind() {
    let body = encode_slice(&full()).unwrap();
    let kind = field(&body[4..], 1).unwrap();
    assert_eq!(field(kind, 1), Some(&b"discovery.k8s.io/v1"[..]));
    assert_eq!(field(kind, 2), Some(&b"EndpointSlice"[..]));
}

#[test]
fn what_only_json_says_is_not_encoded() {
    let mut slice = full();
    slice.foreign.get_or_insert_default().fields.insert("newField".into(), Value::Null);
    assert_eq!(encode_slice(&slice), None);
    for (name, value) in
        [("newField", serde_json::json!("x")), ("deprecatedTopology", serde_json::json!({"a": 1}))]
    {
        let mut slice = full();
        let mut endpoint = (*slice.endpoints[0]).clone();
        endpoint.foreign.get_or_insert_default().insert(name.into(), value);
        slice.endpoints[0] = Arc::new(endpoint);
        assert_eq!(encode_slice(&slice), None, "{name}");
    }
}
