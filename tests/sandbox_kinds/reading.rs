//! Wrong types are refused in Go's words; quantities and times are stored in their canonical form.

use endpointslice_controller::sandbox::kinds::schema::{canonical_quantity, struct_named};
use endpointslice_controller::sandbox::{Kind, Store};
use serde_json::json;

#[test]
fn quantities_are_canonical() {
    for (text, milli, expected) in [
        ("1000m", false, Some("1")),
        ("1024Mi", false, Some("1Gi")),
        ("1.5Gi", false, Some("1536Mi")),
        ("0.5Ki", false, Some("512")),
        ("1000", false, Some("1k")),
        ("1e3", false, Some("1e3")),
        ("0", false, Some("0")),
        ("-1500m", false, Some("-1500m")),
        ("+2", false, Some("2")),
        ("1.0001", true, Some("1001m")),
        ("100u", false, Some("100u")),
        ("0.1n", false, Some("1n")),
        ("1E", false, Some("1E")),
        ("12E2", false, Some("1200")),
        ("", false, None),
        (".", false, None),
        ("1.2.3", false, None),
        ("5x", false, None),
    ] {
        assert_eq!(canonical_quantity(text, milli).as_deref(), expected, "{text}");
    }
}

#[test]
fn the_table_of_types_knows_every_kind() {
    for kind in Kind::ALL {
        let of = struct_named(kind.strategy().go_type()).expect("a type");
        assert_eq!(of.name(), kind.info().kind);
        assert!(of.field("metadata").is_some());
    }
    let ports = struct_named("core.ServiceSpec").and_then(|of| of.field("ports")).expect("a field");
    assert_eq!((ports.patch_strategy, ports.patch_key), ("merge", "port"));
}

#[test]
fn what_is_unknown_is_dropped() {
    let store = Store::new();
    store.create(Kind::Namespace, "", json!({"metadata": {"name": "default"}}), false).expect("a namespace");
    let body = json!({"metadata": {"name": "a", "foo": 1, "managedFields": [{"manager": "x"}]},
                      "addressType": "IPv4", "bar": 2});
    let stored = store.create(Kind::EndpointSlice, "default", body, false).expect("an EndpointSlice").value();
    let mut names: Vec<_> = stored.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["addressType", "endpoints", "metadata", "ports"]);
    assert!(stored["metadata"].get("foo").is_none());
    assert!(stored["metadata"].get("managedFields").is_none());
}
