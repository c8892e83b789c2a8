//! What `fieldValidation` finds in a body.

use endpointslice_controller::sandbox::Kind;

#[test]
fn unknown_and_duplicate_fields_are_told_as_kube_apiserver_tells_them() {
    let body = br#"{"kind":"EndpointSlice","metadata":{"name":"a","foo":1},"addressType":"IPv4","bar":3,
        "endpoints":[{"addresses":["1.2.3.4"],"conditions":{"ready":true,"x":1}, "q":1,"q":2}],
        "bar":3, "addressType":"IPv4"}"#;
    let found = Kind::EndpointSlice.strategy().strict_errors(body).join(", ");
    assert_eq!(
        found,
        "unknown field \"metadata.foo\", unknown field \"bar\", unknown field \"endpoints[0].conditions.x\", \
         unknown field \"endpoints[0].q\", duplicate field \"addressType\""
    );
}

#[test]
fn names_are_told_apart_by_case_and_maps_hold_any_name() {
    let found = Kind::Service.strategy().strict_errors(
        br#"{"Spec":{},"metadata":{"labels":{"any/thing":"x","a":"1","a":"2"}},"spec":{"ports":[{"port":80}]}}"#,
    );
    assert_eq!(found, ["unknown field \"Spec\"", "duplicate field \"metadata.labels.a\""]);
    assert!(Kind::Pod.strategy().strict_errors(b"no JSON").is_empty());
}
