//! The tables: cases of steps, and the answers to them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use endpointslice_controller::sandbox::Kind;
use serde_json::{Value, json};

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// POST
    Create,
    /// PUT, of the object or a subresource
    Update(Option<String>),
    /// A merge patch, of the object or a subresource
    Merge(Option<String>),
    /// DELETE
    Delete,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Step {
    pub ask: Ask,
    pub kind: Kind,
    pub body: Value,
}

/// Requests one after the other, in a namespace of their own.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub steps: Vec<Step>,
}

impl Step {
    /// The name of the object.
    pub fn name(&self) -> String {
        self.body["metadata"]["name"].as_str().unwrap_or_default().to_owned()
    }
}

fn path(folder: &str, table: &str, ending: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox_kinds");
    root.join(folder).join(format!("{table}.{ending}"))
}

fn kind(word: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.info().kind == word).unwrap_or_else(|| panic!("no kind {word}"))
}

/// A table: a map from the name of each case to its steps, each `VERB KIND[/SUBRESOURCE]: BODY`.
pub fn cases(table: &str) -> Vec<Case> {
    let path = path("cases", table, "yaml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: Vec<Value> =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    table.iter().map(case).collect()
}

fn case(value: &Value) -> Case {
    let (name, steps) = value.as_object().and_then(|map| map.iter().next()).expect("a name and its steps");
    let steps = steps.as_array().unwrap_or_else(|| panic!("{name}: steps")).iter().map(step).collect();
    Case { name: name.clone(), steps }
}

fn step(value: &Value) -> Step {
    let (words, body) = value.as_object().and_then(|map| map.iter().next()).expect("a verb and a body");
    let (verb, what) = words.split_once(' ').expect("a verb and a kind");
    let (name, subresource) = match what.split_once('/') {
        Some((name, subresource)) => (name, Some(subresource.to_owned())),
        None => (what, None),
    };
    let ask = match verb {
        "create" => Ask::Create,
        "update" => Ask::Update(subresource),
        "merge" => Ask::Merge(subresource),
        "delete" => Ask::Delete,
        other => panic!("no verb {other}"),
    };
    Step { ask, kind: kind(name), body: expanded(body) }
}

/// `{$many: [COUNT, TEMPLATE]}` stands for a list in which `$n` is the number of each, and
/// `{$long: [COUNT, TEXT]}` for a text that is repeated.
fn expanded(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("$many") => {
            let count = map["$many"][0].as_u64().expect("a count");
            let template = map["$many"][1].to_string();
            let each = (0..count).map(|number| {
                let text = template.replace("\"$n\"", &number.to_string()).replace("$n", &number.to_string());
                serde_json::from_str(&text).expect("what was JSON")
            });
            Value::Array(each.collect())
        }
        Value::Object(map) if map.contains_key("$long") => {
            let count = usize::try_from(map["$long"][0].as_u64().expect("a count")).expect("a small count");
            map["$long"][1].as_str().expect("a text").repeat(count).into()
        }
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), expanded(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(expanded).collect()),
        other => other.clone(),
    }
}

/// The answers that are kept, by the name of the case.
pub fn answers(table: &str) -> BTreeMap<String, Vec<Value>> {
    std::fs::read_to_string(path("answers", table, "json"))
        .map_or_else(|_| BTreeMap::new(), |text| serde_json::from_str(&text).expect("answers"))
}

/// Keeps the answers, one a line.
pub fn record(table: &str, cases: &[Case], given: &[Vec<Value>]) {
    let mut text = "{\n".to_owned();
    for (number, (case, answers)) in cases.iter().zip(given).enumerate() {
        let lines: Vec<String> = answers.iter().map(|answer| format!("    {answer}")).collect();
        let comma = if number + 1 == cases.len() { "" } else { "," };
        writeln!(text, "  {}: [\n{}\n  ]{comma}", json!(case.name), lines.join(",\n")).expect("a string");
    }
    text.push_str("}\n");
    std::fs::write(path("answers", table, "json"), text).expect("write the answers");
}
