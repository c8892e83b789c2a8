//! What differs from run to run by its nature is replaced by what it stands for: uids, versions,
//! generated names and allocated addresses by their order, times by their being times.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

/// Of longer ones the API server takes this many bytes.
const LONGEST_PREFIX: usize = 58;

/// The answers of one run in a form that is the same in every right run.
///
/// `prefixes` are those that the sequence asks for with generateName, `words` what stood for
/// something else in it.
pub fn canonical(
    mut answers: Vec<Value>,
    namespace: &str,
    prefixes: Vec<String>,
    words: BTreeMap<String, String>,
) -> Vec<Value> {
    let mut seen = Seen { namespace: namespace.to_string(), prefixes, words, ..Seen::default() };
    answers.iter().for_each(|answer| seen.look(answer));
    seen.versions.sort_unstable();
    seen.versions.dedup();
    answers.iter_mut().for_each(|answer| seen.replace(answer, ""));
    answers
}

#[derive(Default)]
struct Seen {
    namespace: String,
    /// The versions of all objects, in order.
    versions: Vec<u64>,
    /// What is replaced wherever it stands, and by what.
    words: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
    prefixes: Vec<String>,
}

impl Seen {
    fn look(&mut self, value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(|value| self.look(value)),
            Value::Object(map) => {
                if map.get("kind").is_some_and(|kind| kind == "Status") {
                    self.look_at_status(map);
                }
                if let Some(metadata) = map.get("metadata") {
                    self.look_at_metadata(metadata);
                }
                if let Some(spec) = map.get("spec") {
                    self.look_at_spec(spec);
                }
                map.values().for_each(|value| self.look(value));
            }
            _ => {}
        }
    }

    fn look_at_metadata(&mut self, metadata: &Value) {
        if metadata["name"].is_null() && metadata["uid"].is_null() {
            return; // of a list, or a bookmark
        }
        if let Some(uid) = metadata["uid"].as_str() {
            self.word("uid", uid);
        }
        self.versions.extend(version(&metadata["resourceVersion"]));
        if let (Some(prefix), Some(name)) = (metadata["generateName"].as_str(), metadata["name"].as_str()) {
            self.generated(prefix, name);
        }
    }

    fn generated(&mut self, prefix: &str, name: &str) {
        let prefix = &prefix[..prefix.len().min(LONGEST_PREFIX)];
        let generated = name.strip_prefix(prefix).is_some_and(|suffix| suffix.len() == 5);
        if generated && !self.words.contains_key(name) {
            let number = self.next("name");
            let prefix = prefix.replace(&self.namespace, "{ns}");
            self.words.insert(name.to_string(), format!("{prefix}<random {number}>"));
        }
    }

    /// A refusal names what it would have stored.
    fn look_at_status(&mut self, status: &Map<String, Value>) {
        let name = status.get("details").and_then(|details| details["name"].as_str()).unwrap_or_default();
        for prefix in self.prefixes.clone() {
            self.generated(&prefix, name);
        }
        let message = status.get("message").and_then(Value::as_str).unwrap_or_default();
        if let Some((_, rest)) = message.split_once("failed to allocate IP: IPAddress.networking.k8s.io \"")
            && let Some((address, _)) = rest.split_once('"')
        {
            self.word("refused cluster IPv4", address);
        }
    }

    fn look_at_spec(&mut self, spec: &Value) {
        let several = spec["clusterIPs"].as_array().into_iter().flatten();
        for address in several.chain([&spec["clusterIP"]]).filter_map(Value::as_str) {
            match address.parse() {
                Ok(IpAddr::V4(_)) => self.word("cluster IPv4", address),
                Ok(IpAddr::V6(_)) => self.word("cluster IPv6", address),
                Err(_) => {}
            }
        }
        let ports = spec["ports"].as_array().into_iter().flatten().map(|port| &port["nodePort"]);
        for port in ports.chain([&spec["healthCheckNodePort"]]).filter_map(Value::as_u64) {
            if (30000..32768).contains(&port) {
                self.word("node port", &port.to_string());
            }
        }
    }

    fn word(&mut self, kind: &'static str, word: &str) {
        // What a client chose stays: it is far from what a server draws.
        if word.is_empty()
            || word == "c0de"
            || word.starts_with("c0de-")
            || word.contains("-c0de-4000-8000-")
            || self.words.contains_key(word)
        {
            return;
        }
        let number = self.next(kind);
        self.words.insert(word.to_string(), format!("<{kind} {number}>"));
    }

    fn next(&mut self, kind: &'static str) -> usize {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        *count
    }

    /// The number of the newest object version that is not newer.
    fn rank(&self, version: u64) -> usize {
        self.versions.partition_point(|known| *known <= version)
    }

    fn replace(&self, value: &mut Value, key: &str) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|value| self.replace(value, key)),
            Value::Object(map) => self.replace_in(map),
            Value::String(text) => *text = self.replaced(text, key),
            Value::Number(number) if matches!(key, "nodePort" | "healthCheckNodePort") => {
                if let Some(word) = self.words.get(&number.to_string()) {
                    *value = Value::String(word.clone());
                }
            }
            _ => {}
        }
    }

    fn replace_in(&self, map: &mut Map<String, Value>) {
        if map.get("kind").is_some_and(|kind| kind == "Table") {
            blank_ages(map);
        }
        for (list, name) in NAMED_LISTS {
            by_name(map, list, name);
        }
        if let Some(address) = map.get_mut("serverAddress") {
            *address = "<address>".into();
        }
        if map.contains_key("resourceVersion") {
            let named = map.contains_key("name") || map.contains_key("uid");
            if let Some(version) = version(&map["resourceVersion"]) {
                let word = match named {
                    true if self.versions.binary_search(&version).is_ok() => "",
                    _ => "after ",
                };
                map["resourceVersion"] = format!("<{word}version {}>", self.rank(version)).into();
            }
        }
        if let Some(managed) = map.get_mut("managedFields") {
            *managed = "<managed fields>".into();
        }
        if let Some(token) = map.get_mut("continue") {
            *token = "<continue>".into();
        }
        let keys: Vec<String> = map.keys().cloned().collect();
        for key in keys {
            if let Some(value) = map.get_mut(&key) {
                self.replace(value, &key);
            }
            let renamed = self.replaced(&key, "");
            if renamed != key
                && let Some(value) = map.remove(&key)
            {
                map.insert(renamed, value);
            }
        }
    }

    fn replaced(&self, text: &str, key: &str) -> String {
        if let Some(word) = self.words.get(text) {
            return word.clone();
        }
        if let Some(time) = time_of_now(text) {
            return time.to_string();
        }
        // Where the cluster of this suite stands in etcd.
        let mut out = text.replace(&self.namespace, "{ns}").replace("Key: /shared/", "Key: /registry/");
        for (word, shown) in self.words.iter().rev() {
            if word.len() > 4 {
                out = replace_word(&out, word, shown);
            }
        }
        if key == "message" { self.numbers_in(&self.objects_in(&out)) } else { out }
    }

    /// An object that a message quotes as a whole.
    fn objects_in(&self, text: &str) -> String {
        let Some(start) = text.find("\"{\\\"") else { return text.to_string() };
        let mut quoted = serde_json::Deserializer::from_str(&text[start..]).into_iter::<String>();
        let Some(Ok(inner)) = quoted.next() else { return text.to_string() };
        let end = start + quoted.byte_offset();
        let Ok(mut object) = serde_json::from_str::<Value>(&inner) else { return text.to_string() };
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        self.replace(&mut object, "");
        format!("{}{object}{}", &text[..start], &text[end..])
    }

    /// Numbers that are versions or allocated node ports, in a message.
    fn numbers_in(&self, text: &str) -> String {
        let versions = text.to_lowercase().contains("resource version") || text.contains("ResourceVersion");
        let about = if versions { 0..900_000_000 } else { 30_086..32_768 };
        let mut out = String::new();
        let mut digits = String::new();
        let mut before = ' ';
        for character in text.chars().chain([' ']) {
            if character.is_ascii_digit() {
                digits.push(character);
                continue;
            }
            let part_of_a_word = [before, character].iter().any(|c| c.is_ascii_alphanumeric() || *c == '-');
            before = character;
            if part_of_a_word {
                out.push_str(&digits);
                digits.clear();
                out.push(character);
                continue;
            }
            match digits.parse().ok().filter(|number| about.contains(number)) {
                Some(version) if versions => out.push_str(&format!("<version {}>", self.rank(version))),
                Some(_) => out.push_str("<node port>"),
                None => out.push_str(&digits),
            }
            digits.clear();
            out.push(character);
        }
        out.pop();
        out
    }
}

fn version(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}

/// Replaces a word where it does not go on before or after.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let goes_on = |character: char| character.is_ascii_alphanumeric();
    while let Some(at) = rest.find(word) {
        let after = &rest[at + word.len()..];
        let before = if at == 0 { out.as_str() } else { &rest[..at] };
        let whole = !before.ends_with(goes_on) && !after.starts_with(goes_on);
        out.push_str(&rest[..at]);
        out.push_str(if whole { by } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether it is a time near now, and how it is written.
fn time_of_now(text: &str) -> Option<&'static str> {
    if !text.ends_with('Z') || text.len() < 20 {
        return None;
    }
    let time: Timestamp = text.parse().ok()?;
    let hours = SignedDuration::from_hours(2);
    if time.duration_since(Timestamp::now()).abs() > hours {
        return None;
    }
    match text.len() {
        20 => Some("<time>"),
        27 => Some("<time with microseconds>"),
        _ => Some("<time in another form>"),
    }
}

/// Lists of discovery become maps, so that one that is missing does not push the others about.
const NAMED_LISTS: [(&str, &str); 5] = [
    ("resources", "/name"),
    ("resources", "/resource"),
    ("subresources", "/subresource"),
    ("groups", "/name"),
    ("items", "/metadata/name"),
];

fn by_name(map: &mut Map<String, Value>, list: &str, name: &str) {
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
    // The list of a version within a group has no kind.
    let discovery = match list {
        "resources" => kind == "APIResourceList" || map.contains_key("freshness"),
        "subresources" => map.contains_key("responseKind"),
        "groups" => kind == "APIGroupList",
        _ => kind == "APIGroupDiscoveryList",
    };
    if !discovery {
        return;
    }
    let Some(Value::Array(all)) = map.get(list) else { return };
    let pairs = all.iter().filter_map(|one| {
        let key = one.pointer(name)?.as_str()?.replace('/', " ");
        Some((if key.is_empty() { "core".to_string() } else { key }, one.clone()))
    });
    let named: Map<String, Value> = pairs.collect();
    if named.len() == all.len() {
        map.insert(list.to_string(), Value::Object(named));
    }
}

/// In columns that show how long ago something was.
fn blank_ages(table: &mut Map<String, Value>) {
    const AGES: [&str; 3] = ["Age", "Last Seen", "First Seen"];
    let columns = table.get("columnDefinitions").and_then(Value::as_array).cloned().unwrap_or_default();
    let ages: Vec<usize> = (0..columns.len())
        .filter(|at| columns[*at]["name"].as_str().is_some_and(|name| AGES.contains(&name)))
        .collect();
    // A watch sends the columns once: later tables have ages, too, which look like `5s`.
    let any = columns.is_empty();
    for row in table.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten() {
        for (at, cell) in row["cells"].as_array_mut().into_iter().flatten().enumerate() {
            let age = cell.as_str().is_some_and(is_age);
            if age && (any || ages.contains(&at)) {
                *cell = "<age>".into();
            }
        }
    }
}

fn is_age(text: &str) -> bool {
    text.len() > 1
        && text.ends_with(['s', 'm', 'h'])
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|character| character.is_ascii_digit() || "smh".contains(character))
}
