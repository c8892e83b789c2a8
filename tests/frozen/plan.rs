//! Asking `plan -f` for its writes.

use std::process::Command;

use serde_json::{Value, json};

use super::numbers::{Verb, Write};
use crate::support::process::scratch;

/// The writes that `plan -f` says for these objects with this maximum.
pub fn plan(items: &[Value], max: usize) -> Vec<Write> {
    let file = scratch().join(format!("plan-{max}.json"));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    std::fs::write(&file, list.to_string()).expect("write the dump");
    let output = Command::new(env!("CARGO_BIN_EXE_endpointslice-controller"))
        .args(["plan", "--output", "json", &format!("--max-endpoints-per-slice={max}"), "-f"])
        .arg(file)
        .output()
        .expect("run plan");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "plan failed with {}: {errors}", output.status);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("plan prints JSON");
    answer["writes"].as_array().expect("a list named writes").iter().map(read).collect()
}

fn read(write: &Value) -> Write {
    let verb = match write["operation"].as_str() {
        Some("create") => Verb::Create,
        Some("update") => Verb::Update,
        Some("delete") => Verb::Delete,
        other => panic!("plan says {other:?}"),
    };
    Write { verb, slice: write["slice"].clone() }
}
