//! The outline of OpenAPI says of each kind what kubectl looks for.

use endpointslice_controller::sandbox::{Kind, openapi};
use serde_json::{Value, json};

fn document_of(group: &str, version: &str) -> Value {
    openapi::document(group, version).expect("a group version that is served")
}

#[test]
fn every_kind_takes_field_validation() {
    for kind in Kind::ALL {
        let info = kind.info();
        let document = document_of(info.group, info.version);
        let gvk = json!({"group": info.group, "version": info.version, "kind": info.kind});
        let patch = document["paths"]
            .as_object()
            .expect("paths")
            .values()
            .map(|path| &path["patch"])
            .find(|patch| patch["x-kubernetes-group-version-kind"] == gvk)
            .unwrap_or_else(|| panic!("no patch of {}", info.kind));
        let names: Vec<_> = patch["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap_or_default())
            .collect();
        assert!(names.contains(&"fieldValidation"), "{}: {names:?}", info.kind);
        assert!(patch["requestBody"].is_null(), "kubectl would take merge keys from the schema");
    }
}

#[test]
fn the_index_leads_to_every_document() {
    let index = openapi::index();
    let paths: Vec<_> = index["paths"].as_object().expect("paths").keys().cloned().collect();
    let expected = [
        "api/v1",
        "apis/apps/v1",
        "apis/coordination.k8s.io/v1",
        "apis/discovery.k8s.io/v1",
        "apis/events.k8s.io/v1",
    ];
    assert_eq!(paths, expected);
    for path in paths {
        let url = index["paths"][&path]["serverRelativeURL"].as_str().expect("a URL").to_owned();
        assert!(url.starts_with(&format!("/openapi/v3/{path}?hash=")), "{url}");
        let parts: Vec<_> = path.split('/').collect();
        let (group, version) = if parts[0] == "api" { ("", parts[1]) } else { (parts[1], parts[2]) };
        assert_eq!(document_of(group, version)["openapi"], "3.0.0");
    }
    assert_eq!(openapi::index(), index, "a hash that moves would never be cached");
    assert!(openapi::document("batch", "v1").is_none());
}
