//! What differs from run to run is replaced by a word: ids, times, what the server chose.

use serde_json::Value;

/// What kube-apiserver says of a Pod before it shows the difference.
const DIFFERENCE: &str = "was previously negative)\n";

/// Words for what was chosen, the same for the same value throughout a case.
pub struct Blank {
    namespace: String,
    /// All texts and numbers that were asked for.
    asked: Vec<String>,
    chosen: Vec<String>,
}

impl Blank {
    pub fn new(namespace: &str, bodies: &[&Value]) -> Blank {
        let mut asked = Vec::new();
        bodies.iter().for_each(|body| words(body, &mut asked));
        Blank { namespace: namespace.to_owned(), asked, chosen: Vec::new() }
    }

    /// An answer, without what differs from run to run.
    pub fn answer(&mut self, mut value: Value) -> Value {
        self.visit("", &mut value);
        value
    }

    fn visit(&mut self, name: &str, value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("managedFields");
                for (name, value) in map.iter_mut() {
                    match name.as_str() {
                        "uid" | "resourceVersion" | "creationTimestamp" | "deletionTimestamp"
                        | "lastTransitionTime"
                            if value.is_string() && !self.asked.contains(&value.to_string()) =>
                        {
                            *value = format!("<{name}>").into();
                        }
                        _ => self.visit(name, value),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|each| self.visit(name, each)),
            Value::String(text) => {
                *text = text.replace(&self.namespace, "<namespace>");
                // What exactly differs is shown by a library of Go.
                if let Some(end) = text.find(DIFFERENCE) {
                    text.truncate(end + DIFFERENCE.len());
                }
                if name == "message" {
                    for (number, chosen) in self.chosen.iter().enumerate() {
                        *text = text.replace(chosen.trim_matches('"'), &format!("<chosen {number}>"));
                    }
                }
                if matches!(name, "clusterIP" | "clusterIPs") && text != "None" {
                    *value = self.word(value);
                }
            }
            Value::Number(_) if matches!(name, "nodePort" | "healthCheckNodePort") => {
                *value = self.word(value);
            }
            _ => {}
        }
    }

    fn word(&mut self, value: &Value) -> Value {
        let text = value.to_string();
        if self.asked.contains(&text) {
            return value.clone();
        }
        let at = self.chosen.iter().position(|chosen| *chosen == text).unwrap_or_else(|| {
            self.chosen.push(text.clone());
            self.chosen.len() - 1
        });
        let family = match value.as_str() {
            Some(ip) if ip.contains(':') => "ipv6",
            Some(_) => "ipv4",
            None => "port",
        };
        format!("<{family} {at}>").into()
    }
}

fn words(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.values().for_each(|value| words(value, into)),
        Value::Array(list) => list.iter().for_each(|value| words(value, into)),
        other => into.push(other.to_string()),
    }
}
