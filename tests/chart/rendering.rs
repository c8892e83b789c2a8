//! The defaults and the sets of values in `ci/`: rendered, and linted strict.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::drift;
use crate::support::helm::{Helm, chart, names};

/// The sets of values, by file name; the empty one is the defaults.
pub fn sets() -> BTreeMap<String, String> {
    let mut sets = BTreeMap::from([("defaults".to_string(), String::new())]);
    for file in std::fs::read_dir(chart().join("ci")).expect("read ci/") {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        sets.insert(name, std::fs::read_to_string(&path).expect("read a set of values"));
    }
    assert!(sets.len() > 5, "{:?}", sets.keys());
    sets
}

#[test]
fn the_defaults_render_as_the_snapshot_says() {
    let Some(helm) = Helm::new() else { return };
    let text = helm.text("").unwrap_or_else(|refusal| panic!("{refusal}"));
    drift::check("tests/chart/defaults.yaml", &text);
}

#[test]
fn every_set_of_values_is_linted_strict_and_has_each_object_once() {
    let Some(helm) = Helm::new() else { return };
    for (set, values) in sets() {
        helm.lint(&values).unwrap_or_else(|refusal| panic!("{set}: {refusal}"));
        let objects = helm.objects(&values);
        assert!(!objects.is_empty(), "{set} renders nothing");
        let mut seen = names(&objects);
        seen.sort();
        let all = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), all, "{set}: {seen:?}");
        for object in &objects {
            common(&set, object);
        }
    }
}

fn common(set: &str, object: &Value) {
    let labels = &object["metadata"]["labels"];
    for label in ["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version"] {
        assert!(labels[label].is_string(), "{set}: {label} of {object}");
    }
}
