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

/// Object `name` of this kind.
fn object_mut<'a>(cluster: &'a mut Value, kind: &str, name: &str) -> &'a mut Value {
    let mut items = cluster["items"].as_array_mut().unwrap().iter_mut();
    items.find(|item| item["kind"] == kind && item["metadata"]["name"] == name).unwrap()
}

/// The rows of what consumers see, without namespace, with single blanks.
fn seen(cluster: &Value, words: &[&str]) -> Vec<String> {
    let text = from_text(&cluster.to_string(), words).unwrap().text;
    let (_, rows) =
        text.split_once("\nWhat consumers see, today → after these writes:\n").unwrap_or_default();
    let mut seen = Vec::new();
    for row in rows.lines().skip(1) {
        let cells = row.split("   ").map(str::trim).filter(|cell| !cell.is_empty());
        seen.push(cells.skip(1).collect::<Vec<_>>().join(" | "));
    }
    seen
}

#[test]
fn a_table_has_one_line_a_write_and_one_for_each_port_that_consumers_see() {
    let outcome = run(&["-f", &fixture("cluster.json")], "").unwrap();
    assert_eq!(outcome.text, std::fs::read_to_string(fixture("cluster.table")).unwrap());
    assert_eq!((outcome.writes, outcome.exit_code), (3, 0));
    assert_eq!(outcome.notes, ["not used of the dump: 1 ConfigMap"]);
}

#[test]
fn consumers_see_what_pods_become() {
    let mut changed = settled(cluster());
    object_mut(&mut changed, "Pod", "web-1")["status"]["conditions"][0]["status"] = json!("False");
    assert_eq!(seen(&changed, &[]), ["web | IPv4 | http:8080/TCP | 2 | 2 → 1 | 2 → 1 | 0 | <none> | <none>"]);
    let pod = object_mut(&mut changed, "Pod", "web-2");
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-21T07:00:00Z");
    let going = "web | IPv4 | http:8080/TCP | 2 | 2 → 0 | 2 → 1 | 0 → 1 | <none> | <none>";
    assert_eq!(seen(&changed, &[]), [going]);
    let items = changed["items"].as_array_mut().unwrap();
    items.retain(|item| item["kind"] != "Pod" || item["metadata"]["name"] != "web-2");
    let gone = "web | IPv4 | http:8080/TCP | 2 → 1 | 2 → 0 | 2 → 0 | 0 | <none> | 10.244.1.6";
    assert_eq!(seen(&changed, &[]), [gone]);
}

#[test]
fn a_renamed_port_is_lost_and_gained_and_a_new_number_is_shown() {
    let mut renamed = settled(cluster());
    object_mut(&mut renamed, "Service", "web")["spec"]["ports"][0]["name"] = json!("www");
    let both = "10.244.0.5,10.244.1.6";
    let expected = [
        format!("web | IPv4 | http:8080/TCP | 2 → 0 | 2 → 0 | 2 → 0 | 0 | <none> | {both}"),
        format!("web | IPv4 | www:8080/TCP | 0 → 2 | 0 → 2 | 0 → 2 | 0 | {both} | <none>"),
    ];
    assert_eq!(seen(&renamed, &[]), expected);
    let mut moved = settled(cluster());
    object_mut(&mut moved, "Service", "web")["spec"]["ports"][0]["targetPort"] = json!(9090);
    let port = "http:8080/TCP → http:9090/TCP";
    assert_eq!(seen(&moved, &[]), [format!("web | IPv4 | {port} | 2 | 2 | 2 | 0 | <none> | <none>")]);
}

#[test]
fn consumers_see_the_slices_of_others_too_and_each_address_once() {
    let mut shared = cluster();
    let mut other = slice_mut(&mut shared, "web").clone();
    other["metadata"]["name"] = json!("web-of-others");
    other["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = json!("others");
    let extra = json!({"addresses": ["10.9.9.9"]});
    other["endpoints"] = json!([other["endpoints"][0], other["endpoints"][1], extra]);
    shared["items"].as_array_mut().unwrap().push(other);
    // What the plan takes out of its slice stays in the one of the others.
    let expected = "web | IPv4 | http:8080/TCP | 3 → 4 | 3 → 4 | 3 → 4 | 0 | 10.244.1.6 | <none>";
    assert_eq!(seen(&shared, &["web"]), [expected]);
}

#[test]
fn only_services_with_writes_and_addresses_are_shown_to_consumers() {
    let services: Vec<String> = seen(&cluster(), &["database"]);
    assert!(services.len() == 2 && services.iter().all(|row| row.starts_with("database ")), "{services:?}");
    let mut empty = cluster();
    empty["items"]
        .as_array_mut()
        .unwrap()
        .retain(|item| !["Pod", "EndpointSlice"].contains(&item["kind"].as_str().unwrap()));
    let outcome = from_text(&empty.to_string(), &["web"]).unwrap();
    assert_eq!((outcome.writes, outcome.text.contains("What consumers see")), (1, false), "{}", outcome.text);
}

#[test]
fn many_addresses_are_shown_as_a_few_and_a_number() {
    let mut grown = settled(cluster());
    let subsets = &mut object_mut(&mut grown, "Endpoints", "database")["subsets"][0]["addresses"];
    *subsets = (1..=5).map(|n| json!({"ip": format!("192.0.2.2{n}")})).collect();
    let expected = [
        "database | IPv4 | 5432/TCP | 2 → 6 | 1 → 5 | 2 → 6 | 0 | 192.0.2.21,192.0.2.22,192.0.2.23 + 2 more | 192.0.2.10",
        "database | IPv6 | 5432/TCP | 1 → 0 | 1 → 0 | 1 → 0 | 0 | <none> | fd00::10",
    ];
    assert_eq!(seen(&grown, &[]), expected);
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
