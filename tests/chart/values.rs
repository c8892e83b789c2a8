//! values.yaml as it is read by people: each key with its comment, its default and what `@schema` says.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::support::helm::chart;

/// A key of values.yaml.
#[derive(Debug, Clone)]
pub struct Key {
    /// `metrics.secure.enabled`.
    pub path: String,
    /// The sentence above it.
    pub description: String,
    /// The default.
    pub default: Value,
    /// The JSON schema of this key alone.
    pub schema: Map<String, Value>,
    /// Whether its children are keys of their own.
    pub section: bool,
}

/// What is said above a key.
#[derive(Debug, Default, Clone)]
struct Comment {
    text: String,
    schema: Map<String, Value>,
}

/// All keys, in the order of the file; a section stands before its children.
pub fn keys() -> Vec<Key> {
    let text = std::fs::read_to_string(chart().join("values.yaml")).expect("read values.yaml");
    let defaults: Value = serde_saphyr::from_str(&text).expect("values.yaml is YAML");
    comments(&text)
        .into_iter()
        .filter_map(|(path, comment)| {
            let default = at(&defaults, &path)?.clone();
            let section = is_section(&default, &comment.schema);
            let schema = schema_of(&default, section, comment.schema);
            Some(Key { path, description: comment.text, default, schema, section })
        })
        .scan(None::<String>, |leaf, key| {
            // What lies below a leaf is its value, not a key.
            if leaf.as_ref().is_some_and(|leaf| key.path.starts_with(&format!("{leaf}."))) {
                return Some(None);
            }
            *leaf = (!key.section).then(|| key.path.clone());
            Some(Some(key))
        })
        .flatten()
        .collect()
}

/// The value at a dotted path.
pub fn at<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(values, |value, name| value.get(name))
}

/// `values` with another value at this path.
pub fn with(mut values: Value, path: &str, value: Value) -> Value {
    let mut place = &mut values;
    for name in path.split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name];
    }
    *place = value;
    values
}

/// A map is a section when it has keys of its own that are described one by one.
fn is_section(default: &Value, schema: &Map<String, Value>) -> bool {
    default.as_object().is_some_and(|map| !map.is_empty()) && !schema.contains_key("$ref")
}

fn schema_of(default: &Value, section: bool, mut said: Map<String, Value>) -> Map<String, Value> {
    if said.contains_key("$ref") || said.contains_key("enum") {
        return said;
    }
    let inferred = match default {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        _ => "object",
    };
    said.entry("type").or_insert(json!(inferred));
    if section {
        said.entry("additionalProperties").or_insert(json!(false));
    }
    said
}

/// The comments above keys: by indentation, without lists.
fn comments(text: &str) -> Vec<(String, Comment)> {
    let mut found = Vec::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut comment = Comment::default();
    for line in text.lines() {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        if let Some(said) = bare.strip_prefix('#') {
            take(&mut comment, said.trim());
        } else if let Some((name, _)) = bare.split_once(':').filter(|_| !bare.starts_with('-')) {
            above.retain(|(other, _)| *other < depth);
            above.push((depth, name.to_string()));
            let path: Vec<&str> = above.iter().map(|(_, name)| name.as_str()).collect();
            found.push((path.join("."), std::mem::take(&mut comment)));
        } else {
            comment = Comment::default();
        }
    }
    found
}

fn take(comment: &mut Comment, said: &str) {
    let Some(schema) = said.strip_prefix("@schema ") else {
        let gap = if comment.text.is_empty() { "" } else { " " };
        comment.text = format!("{}{gap}{said}", comment.text);
        return;
    };
    let more: BTreeMap<String, Value> =
        serde_saphyr::from_str(schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
    comment.schema.extend(more);
}
