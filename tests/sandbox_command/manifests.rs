//! What `-f` loads.

use std::path::PathBuf;
use std::sync::Arc;

use endpointslice_controller::cli::sandbox::manifests::{Manifest, ManifestError, create, of_text, read};
use endpointslice_controller::sandbox::{Key, Kind, Store};

use crate::support::process::scratch;

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = scratch().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    folder
}

fn names(manifests: &[Manifest]) -> Vec<String> {
    let name = |m: &Manifest| {
        format!("{:?} {} {}", m.kind, m.namespace, m.value["metadata"]["name"].as_str().unwrap())
    };
    manifests.iter().map(name).collect()
}

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\nspec: {ports: [{port: 80}]}\n";
const NAMESPACE: &str = "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"shop\"}}";

#[test]
fn files_folders_and_standard_input_are_read_in_order_namespaces_first() {
    let folder = folder("in-order", &[("2.json", NAMESPACE), ("1.yaml", SERVICE), ("README.md", "no")]);
    let mut stdin = "---\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n".as_bytes();
    let read = read(&["-".into(), folder], &mut stdin).unwrap();
    assert_eq!(names(&read), ["Namespace  shop", "Pod default b", "Service shop a"]);
}

#[test]
fn lists_are_taken_apart_and_what_a_server_gave_is_left_out() {
    let text =
        "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a, uid: u, resourceVersion: '7'}\n";
    let read = of_text("x", text).unwrap();
    assert_eq!(names(&read), ["Service default a"]);
    assert_eq!(read[0].value["metadata"], serde_json::json!({"name": "a"}));
    let two = format!("{NAMESPACE}\n{NAMESPACE}");
    assert_eq!(of_text("x", &two).unwrap().len(), 2);
}

#[test]
fn what_is_wrong_names_file_and_document() {
    for (text, said) in [
        ("", "x, document 1: nothing there; expected objects of the API"),
        ("--- \n", "x, document 1: nothing there"),
        ("{\"kind\":", "x, document 1: expected JSON: EOF"),
        ("a: b: c", "x, document 1: expected JSON or YAML: "),
        ("- 1", "x, document 1: expected an object of the API"),
        ("kind: Pod", "x, document 1: apiVersion: absent"),
        ("apiVersion: v1", "x, document 1: kind: absent"),
        ("apiVersion: v1\nkind: Pod", "x, document 1: Pod: metadata: absent"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\n",
            "x, document 2: v1 ConfigMap: not a kind of the sandbox, which knows v1 Namespace, v1 Node,",
        ),
        (
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n- {kind: Pod}\n",
            "x, document 1, items[1]: apiVersion: absent",
        ),
    ] {
        let error = of_text("x", text).unwrap_err().to_string();
        assert!(error.starts_with(said), "{text:?}: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_and_an_empty_folder_are_named() {
    let error = read(&["/nowhere".into()], &mut &b""[..]).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere: cannot be read: No such file"), "{error}");
    let folder = folder("empty", &[("README.md", "")]);
    let error = read(std::slice::from_ref(&folder), &mut &b""[..]).unwrap_err();
    assert!(matches!(&error, ManifestError::NothingIn(path) if *path == folder), "{error}");
}

#[test]
fn objects_are_created_and_a_refusal_names_its_document() {
    let store = Arc::new(Store::new());
    let twice = format!("{}---\n{SERVICE}", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    create(&store, of_text("x", &twice).unwrap()).unwrap();
    assert!(store.get(Kind::Service, &Key::new("shop", "a")).is_some());
    // The Namespace is there already, and that is fine; the Service is, and that is not.
    let error = create(&store, of_text("x", &twice).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "x, document 2: Service shop/a: services \"a\" already exists");
}

#[test]
fn the_demo_can_be_read() {
    let read = of_text("demo", endpointslice_controller::cli::sandbox::DEMO).unwrap();
    assert_eq!(read.iter().filter(|manifest| manifest.kind == Kind::Service).count(), 5);
    assert_eq!(read.iter().filter(|manifest| manifest.kind == Kind::Deployment).count(), 4);
}
