//! Promtool: checks files, and runs rules over series that are made up, in simulated time.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::programs::Programs;
use crate::rules::RULES;

/// A file for this test alone.
pub fn scratch(name: &str, content: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("monitoring");
    std::fs::create_dir_all(&folder).expect("make a folder");
    let path = folder.join(name);
    std::fs::write(&path, content).expect("write a file");
    path
}

/// Runs it and answers what it printed.
///
/// # Panics
/// When it does not succeed.
pub fn succeed(mut command: Command) -> String {
    let output = command.output().expect("start promtool");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{text}");
    text
}

/// `promtool check …` of one file.
pub fn check(programs: &Programs, what: &str, file: &Path) -> String {
    let mut command = programs.command("promtool");
    command.args(["check", what]).arg(file);
    succeed(command)
}

/// Runs the shipped rules over each of these tests (each as promtool takes it).
pub fn test_rules(programs: &Programs, name: &str, tests: &[Value]) {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES);
    let whole = json!({
        "rule_files": [rules],
        "evaluation_interval": "30s",
        "tests": tests,
    });
    // JSON is YAML.
    let file = scratch(&format!("{name}.test.yaml"), &format!("{whole:#}"));
    let mut command = programs.command("promtool");
    command.args(["test", "rules"]).arg(file);
    succeed(command);
}
