//! Values and templates agree: each value changes something, and no template uses one that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::rendering::sets;
use crate::support::helm::{Helm, chart};
use crate::values::{Key, at, keys, with};

/// Files as the chart may have them, so that values about rules and dashboards have something to change.
pub const RULES: (&str, &str) = (
    "files/rules/of-a-test.yaml",
    r#"
groups:
  - name: of-a-test
    rules:
      - record: a:b
        expr: sum(a)
      - alert: OfATest
        expr: up{job="endpointslice-controller"} == 0
        for: 5m
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.instance }} is down", runbook_url: docs/runbooks/OfATest.md}
"#,
);
pub const DASHBOARD: (&str, &str) = ("files/dashboards/of-a-test.json", r#"{"title": "{{ of a test }}"}"#);

#[test]
fn every_value_changes_something() {
    let Some(helm) = Helm::with_files(&[RULES, DASHBOARD]) else { return };
    let bases = bases();
    let before: BTreeMap<&str, String> = bases
        .iter()
        .map(|(name, values)| (name.as_str(), helm.text(&values.to_string()).expect("a base renders")))
        .collect();
    let leaves: Vec<Key> = keys().into_iter().filter(|key| !key.section).collect();
    let (next, silent) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(key) = leaves.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let changes = |(name, values): &(String, Value)| {
                        let flipped = with(values.clone(), &key.path, other(key));
                        let after = helm.text(&flipped.to_string());
                        after.is_ok_and(|after| after != before[name.as_str()])
                    };
                    // Where its section is spoken of it most likely does; the others are tried if not.
                    let section = key.path.split('.').next().unwrap_or_default();
                    let (near, far): (Vec<_>, Vec<_>) =
                        bases.iter().partition(|(_, values)| values.get(section).is_some());
                    if !near.into_iter().chain(far).any(changes) {
                        silent.lock().expect("the list").push(format!("{} = {}", key.path, other(key)));
                    }
                }
            });
        }
    });
    assert_eq!(silent.into_inner().expect("the list"), Vec::<String>::new());
}

/// What is flipped in: the sets of `ci/`, and two in which values can change that must go with others; the simplest
/// first.
fn bases() -> Vec<(String, Value)> {
    let mut bases: Vec<(String, Value)> = sets()
        .into_iter()
        .map(|(name, values)| {
            let values: Option<Value> = serde_saphyr::from_str(&values).unwrap_or_default();
            (name, values.filter(Value::is_object).unwrap_or_else(|| json!({})))
        })
        .collect();
    bases.push(("one replica".to_string(), json!({"replicas": 1})));
    bases.push(("host network".to_string(), json!({"hostNetwork": true})));
    bases.sort_by_key(|(name, values)| (values.to_string().len(), name.clone()));
    assert_eq!(bases[0].0, "defaults");
    bases
}

/// Another value that the schema allows.
fn other(key: &Key) -> Value {
    if let Some(example) = key.schema.get("examples") {
        return if key.path == "prometheusRule.disabled" { json!(["OfATest"]) } else { example[0].clone() };
    }
    if let Some(choice) = key.schema.get("enum").and_then(Value::as_array) {
        return choice.iter().find(|choice| **choice != key.default).expect("another choice").clone();
    }
    match key.schema.get("$ref").and_then(Value::as_str).unwrap_or_default() {
        "#/$defs/strings" => return json!({"flipped": "yes"}),
        "#/$defs/quantities" => return json!({"cpu": "77m"}),
        "#/$defs/objects" => return json!([{"flipped": "yes"}]),
        "#/$defs/amount" => return json!(7),
        "#/$defs/duration" => return json!("77s"),
        _ => {}
    }
    match &key.default {
        Value::Bool(on) => json!(!on),
        Value::Number(number) => json!(number.as_i64().expect("a whole number") + 1),
        Value::String(_) => json!("flipped"),
        other => panic!("{}: no other value is known for {other}; give `examples` in @schema", key.path),
    }
}

#[test]
fn no_template_uses_a_value_that_is_not_there() {
    let text = std::fs::read_to_string(chart().join("values.yaml")).expect("read values.yaml");
    let defaults: Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut used = BTreeSet::new();
    for file in std::fs::read_dir(chart().join("templates")).expect("read templates/") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("read a template");
        used.extend(paths(&text));
    }
    let missing: Vec<&String> = used.iter().filter(|path| at(&defaults, path).is_none()).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert!(used.len() > 80, "{used:?}");
}

#[test]
fn a_path_of_a_value_is_found_however_it_is_reached() {
    let text = "{{ .Values.a.b }} {{ $.Values.c | quote }} {{- if (not .Values.d) }} {{ $root.Values.e-f }}";
    assert_eq!(paths(text), ["a.b", "c", "d", "e"]);
}

/// Everything behind `.Values.`.
fn paths(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    text.split(".Values.")
        .skip(1)
        .map(|rest| rest.split(|c| !part(c)).next().unwrap_or_default().trim_end_matches('.').to_string())
        .collect()
}
