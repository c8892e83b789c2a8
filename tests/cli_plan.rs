//! `plan` from a dump of a cluster.

#![cfg(feature = "controller")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics fails")]

use std::path::Path;

use clap::Parser;
use endpointslice_controller::cli::plan::{Outcome, PlanArgs, PlanError, offline};
use serde_json::{Value, json};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    plan: PlanArgs,
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plan").join(name).display().to_string()
}

fn run(words: &[&str], stdin: &str) -> Result<Outcome, PlanError> {
    let words = ["plan"].iter().chain(words);
    offline(&Command::try_parse_from(words).unwrap().plan, &mut stdin.as_bytes())
}

/// `plan` of what is given to it as standard input.
fn from_text(text: &str, words: &[&str]) -> Result<Outcome, PlanError> {
    run(&[&["-f", "-"], words].concat(), text)
}

fn refused(text: &str) -> String {
    from_text(text, &[]).unwrap_err().to_string()
}

fn cluster() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("cluster.json")).unwrap()).unwrap()
}

/// The writes of a cluster, as `-o json` prints them.
fn writes(cluster: &Value, words: &[&str]) -> Vec<Value> {
    let outcome = from_text(&cluster.to_string(), &[&["-o", "json"], words].concat()).unwrap();
    let printed: Value = serde_json::from_str(&outcome.text).unwrap();
    assert_eq!(printed["writes"].as_array().unwrap().len(), outcome.writes);
    printed["writes"].as_array().unwrap().clone()
}

/// The cluster after its writes, as an API server would show it.
fn settled(mut cluster: Value) -> Value {
    let all = writes(&cluster, &[]);
    let items = cluster["items"].as_array_mut().unwrap();
    for write in all {
        let same =
            |item: &Value| item["kind"] == "EndpointSlice" && item["metadata"]["name"] == write["name"];
        items.retain(|item| !same(item));
        if write["operation"] != "delete" {
            items.push(write["slice"].clone());
        }
    }
    cluster
}

fn slice_mut<'a>(cluster: &'a mut Value, service: &str) -> &'a mut Value {
    let mut items = cluster["items"].as_array_mut().unwrap().iter_mut();
    let of = |item: &&mut Value| item["metadata"]["labels"]["kubernetes.io/service-name"] == service;
    items.find(of).unwrap()
}

#[test]
fn a_table_has_one_line_a_write() {
    let outcome = run(&["-f", &fixture("cluster.json")], "").unwrap();
    assert_eq!(outcome.text, std::fs::read_to_string(fixture("cluster.table")).unwrap());
    assert_eq!((outcome.writes, outcome.exit_code), (3, 0));
    assert_eq!(outcome.notes, ["not used of the dump: 1 ConfigMap"]);
}

#[test]
fn json_has_each_slice_as_it_would_stand() {
    let outcome = run(&["-f", &fixture("cluster.json"), "-o", "json"], "").unwrap();
    assert_eq!(outcome.text, std::fs::read_to_string(fixture("cluster.writes.json")).unwrap());
}

#[test]
fn yaml_says_the_same_as_json() {
    let json = run(&["-f", &fixture("cluster.json"), "-o", "json"], "").unwrap().text;
    let yaml = run(&["-f", &fixture("cluster.json"), "-o", "yaml"], "").unwrap().text;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), json);
}

#[test]
fn json_yaml_documents_and_several_files_are_read_alike() {
    let table = run(&["-f", &fixture("cluster.json")], "").unwrap();
    for name in ["cluster.yaml", "documents.yaml"] {
        assert_eq!(run(&["-f", &fixture(name)], "").unwrap(), table, "{name}");
    }
    let typed = ["-f", &fixture("typed-lists.json"), "-f", &fixture("rest.json")];
    assert_eq!(run(&typed, "").unwrap(), table);
    let text = std::fs::read_to_string(fixture("cluster.json")).unwrap();
    assert_eq!(from_text(&text, &[]).unwrap(), table);
}

#[test]
fn what_was_written_leaves_nothing_to_write() {
    let outcome = from_text(&settled(cluster()).to_string(), &["--exit-code", "--deep"]).unwrap();
    assert_eq!((outcome.text.as_str(), outcome.exit_code), ("Nothing to write.\n", 0));
}

#[test]
fn the_exit_code_tells_of_writes_only_if_asked() {
    let file = fixture("cluster.json");
    assert_eq!(run(&["-f", &file, "--exit-code"], "").unwrap().exit_code, 3);
    assert_eq!(run(&["-f", &file], "").unwrap().exit_code, 0);
}

#[test]
fn namespaces_names_and_loops_choose() {
    let count = |words: &[&str]| writes(&cluster(), words).len();
    assert_eq!(count(&["-n", "shop"]), 3);
    assert_eq!(count(&["-n", "other"]), 0);
    assert_eq!(count(&["web"]), 1);
    assert_eq!(count(&["shop/database"]), 2);
    assert_eq!(count(&["-n", "shop", "database", "web"]), 3);
    assert_eq!(count(&["--controllers", "endpointslice"]), 1);
    assert_eq!(count(&["--controllers", "*,-endpointslice-controller"]), 2);
    for (words, message) in [
        (vec!["nobody"], "service nobody: not found; expected a Service or Endpoints of that name"),
        (
            vec!["-n", "other", "web"],
            "service other/web: not found; expected a Service or Endpoints of that name",
        ),
        (
            vec!["--max-endpoints-per-slice", "0"],
            "--max-endpoints-per-slice 0: expected a number from 1 to 1000",
        ),
    ] {
        assert_eq!(from_text(&cluster().to_string(), &words).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_limits_are_those_of_the_flags() {
    let limited = writes(&cluster(), &["--mirroring-max-endpoints-per-subset", "1", "database"]);
    assert_eq!(limited.len(), 1);
    assert_eq!(limited[0]["slice"]["endpoints"].as_array().unwrap().len(), 1);
    let text = cluster().to_string();
    let outcome = from_text(&text, &["--mirroring-max-endpoints-per-subset", "1", "database"]).unwrap();
    assert_eq!(
        outcome.notes[0],
        "shop/database: TooManyAddressesToMirror: Addresses that are not mirrored because a subset has more than 1: 2"
    );
}

#[test]
fn deep_shows_what_differs_in_owner_references_only() {
    let mut edited = settled(cluster());
    slice_mut(&mut edited, "database")["metadata"]["ownerReferences"] = json!([]);
    assert_eq!(writes(&edited, &[]).len(), 0);
    let repaired = writes(&edited, &["--deep"]);
    assert_eq!(repaired.len(), 1);
    assert_eq!(repaired[0]["slice"]["metadata"]["ownerReferences"][0]["uid"], "uid-database");
}

#[test]
fn annotations_and_owners_of_an_earlier_object_are_shown_without_deep() {
    let mut annotated = settled(cluster());
    slice_mut(&mut annotated, "database")["metadata"]["annotations"]["foreign"] = json!("x");
    assert_eq!(writes(&annotated, &[]).len(), 1);
    let mut recreated = settled(cluster());
    slice_mut(&mut recreated, "database")["metadata"]["ownerReferences"][0]["uid"] = json!("old");
    assert_eq!(writes(&recreated, &[]).len(), 1);
}

#[test]
fn pods_on_nodes_without_any_node_are_refused() {
    let mut without = cluster();
    without["items"].as_array_mut().unwrap().retain(|item| item["kind"] != "Node");
    let error = refused(&without.to_string());
    assert!(error.starts_with("no Node in the dump, but Pod other/web-3 names Node \"node-b\""), "{error}");
    assert!(from_text(&without.to_string(), &["--controllers", "endpointslicemirroring"]).is_ok());
}

#[test]
fn pods_of_one_missing_node_are_left_out_and_said() {
    let mut without = cluster();
    without["items"].as_array_mut().unwrap().retain(|item| item["metadata"]["name"] != "node-b");
    let outcome = from_text(&without.to_string(), &["web"]).unwrap();
    let note = &outcome.notes[0];
    assert!(
        note.starts_with("shop/web: FailedToUpdateEndpointSlices: ") && note.contains("node-b"),
        "{note}"
    );
}

#[test]
fn of_an_object_that_comes_twice_the_newest_version_counts() {
    let mut twice = cluster();
    let items = twice["items"].as_array_mut().unwrap();
    let mut older = items.iter().find(|item| item["metadata"]["name"] == "web-2").unwrap().clone();
    older["metadata"]["resourceVersion"] = json!("1");
    older["status"]["podIPs"] = json!([{"ip": "10.9.9.9"}]);
    items.push(older);
    assert_eq!(writes(&twice, &["web"]), writes(&cluster(), &["web"]));
}

#[test]
fn bad_input_gets_one_error_that_says_where_and_what() {
    let missing = run(&["-f", "no-such-file.json"], "").unwrap_err().to_string();
    assert!(missing.starts_with("no-such-file.json: cannot be read: "), "{missing}");
    for (text, expected) in [
        (
            "  \n",
            "standard input, document 1: nothing there; expected what kubectl get -o json or -o yaml prints",
        ),
        ("[]", "standard input, document 1: []: expected an object of the API"),
        ("3", "standard input, document 1: 3: expected an object of the API"),
        (
            r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}},7]}"#,
            "standard input, document 1, items[1]: 7: expected an object of the API",
        ),
        (
            r#"{"a":1}"#,
            r#"standard input, document 1: kind: absent in {"a":1}; expected an object of the API"#,
        ),
        (
            "apiVersion: v1\nkind: Node\nmetadata: {name: n}\n---\nkind: Pod\nmetadata: {name: p}\n",
            "standard input, document 2: apiVersion of a Pod: absent; expected v1",
        ),
        (
            r#"{"apiVersion":"discovery.k8s.io/v1beta1","kind":"EndpointSlice","metadata":{"name":"s"}}"#,
            "standard input, document 1: apiVersion discovery.k8s.io/v1beta1: expected discovery.k8s.io/v1",
        ),
    ] {
        assert_eq!(refused(text), expected);
    }
    let truncated = refused(r#"{"apiVersion":"v1","kind":"List","items":["#);
    assert!(truncated.starts_with("standard input, document 1: expected JSON: EOF"), "{truncated}");
    let pod =
        refused(r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"ns"},"spec":7}"#);
    assert!(pod.starts_with("standard input, document 1: Pod ns/p: "), "{pod}");
    let yaml = refused("kind: [");
    assert!(yaml.starts_with("standard input: expected JSON or YAML: "), "{yaml}");
}

#[test]
fn a_manifest_without_namespace_is_in_default() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {a: b}, clusterIP: 10.0.0.1, ipFamilies: [IPv4]}\n";
    let outcome = from_text(service, &["-n", "default", "-o", "json"]).unwrap();
    let printed: Value = serde_json::from_str(&outcome.text).unwrap();
    assert_eq!(printed["writes"][0]["namespace"], "default");
    assert_eq!(printed["writes"][0]["loop"], "selector");
}
