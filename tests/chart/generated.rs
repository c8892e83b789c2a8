//! values.schema.json and the README of the chart, made from values.yaml.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::drift;
use crate::support::helm::chart;
use crate::values::{Key, keys};

const CHART: &str = "charts/endpointslice-controller";

#[test]
fn every_key_has_a_comment() {
    let silent: Vec<String> =
        keys().into_iter().filter(|key| key.description.is_empty()).map(|key| key.path).collect();
    assert_eq!(silent, Vec::<String>::new());
    assert!(keys().len() > 100, "{} keys", keys().len());
}

#[test]
fn the_schema_is_made_from_the_values() {
    let text = serde_json::to_string_pretty(&schema(&keys())).expect("JSON");
    drift::check(&format!("{CHART}/values.schema.json"), &format!("{text}\n"));
}

#[test]
fn the_readme_of_the_chart_is_made_from_the_values() {
    drift::check(&format!("{CHART}/README.md"), &readme(&keys()));
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let text = std::fs::read_to_string(chart().join("Chart.yaml")).expect("read Chart.yaml");
    let about: Value = serde_saphyr::from_str(&text).expect("YAML");
    assert_eq!(about["appVersion"], env!("CARGO_PKG_VERSION"));
}

fn schema(keys: &[Key]) -> Value {
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of endpointslice-controller",
        "type": "object",
        "additionalProperties": false,
        // Helm gives these to every chart.
        "properties": {"global": {"type": "object"}},
        "$defs": {
            "strings": strings,
            "quantities": {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
            "named": {
                "type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 1}},
            },
            "objects": {"type": "array", "items": {"type": "object"}},
            "amount": {"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+%$"},
            "duration": {"type": "string", "pattern": "^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$"},
        },
    });
    for key in keys {
        let mut place = &mut whole;
        let names: Vec<&str> = key.path.split('.').collect();
        for name in &names {
            place = &mut place["properties"][*name];
        }
        let mut said = Map::new();
        said.insert("description".to_string(), json!(key.description));
        if !key.section {
            said.insert("default".to_string(), key.default.clone());
        }
        said.extend(key.schema.clone());
        *place = Value::Object(said);
    }
    whole
}

fn readme(keys: &[Key]) -> String {
    let mut text = String::from(HEAD);
    for key in keys.iter().filter(|key| !key.path.contains('.')) {
        if key.section {
            let _ = write!(
                text,
                "\n### `{}`\n\n{}\n\n| key | default | |\n|---|---|---|\n",
                key.path, key.description
            );
            let below = format!("{}.", key.path);
            for inner in keys.iter().filter(|inner| inner.path.starts_with(&below) && !inner.section) {
                row(&mut text, inner);
            }
        }
    }
    text.push_str("\n### The rest\n\n| key | default | |\n|---|---|---|\n");
    for key in keys.iter().filter(|key| !key.path.contains('.') && !key.section) {
        row(&mut text, key);
    }
    text
}

fn row(text: &mut String, key: &Key) {
    let default = key.default.to_string().replace('|', "\\|");
    let _ = writeln!(text, "| `{}` | `{default}` | {} |", key.path, key.description.replace('|', "\\|"));
}

const HEAD: &str = r#"# The chart `endpointslice-controller`

Replaces the two EndpointSlice controllers of kube-controller-manager. First switch those off: two controllers
that write the same slices fight, and nothing in Kubernetes keeps them apart (the README of the repository says how).

```sh
helm upgrade --install endpointslice-controller charts/endpointslice-controller \
  --namespace kube-system --set image.repository=REGISTRY/endpointslice-controller
```

kube-system, because admission webhooks that refuse when they do not answer usually leave it out, and such a
webhook may need the slices that this program writes. Any other namespace does, too: FlowSchemas give its requests
the priority that kube-controller-manager's have.

The service account is not called `endpointslice-controller`: in kube-system that account belongs to
kube-controller-manager, which runs its own loop as it, with permissions that the API server renews.

Kubernetes 1.33 or newer; tried on 1.36.3. `ci/` has sets of values that are rendered and linted in the tests.

## Values

values.schema.json refuses keys that are not here. This file and the schema are made from values.yaml by
`UPDATE=1 cargo test --test chart`.
"#;
