//! What is not Rust is judged by the tools that its readers use: the Dockerfile by hadolint, the
//! workflows by zizmor and their schema, all YAML by yamllint. Each tool is shown to object to
//! something first. `tests/lint/install` brings them; without them this says so in one line, which is
//! a failure with `CI=true`.

#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of the tools; `None` after one line that says what is missing.
fn tools() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let output = Command::new(root().join("tests/lint/install")).arg("--where").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
        let folder = PathBuf::from(text.unwrap_or_default());
        if folder.join("../complete").is_file() {
            return Some(folder);
        }
        let line = format!(
            "lint tests are skipped: no tools in {} (tests/lint/install brings them)",
            folder.display()
        );
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true, and {line}");
        let _ = writeln!(std::io::stderr(), "{line}");
        None
    };
    FOUND.get_or_init(find).as_deref()
}

/// Runs a tool in the repository: whether it is content, and what it printed.
fn run(folder: &Path, tool: &str, arguments: &[&str], files: &[PathBuf]) -> (bool, String) {
    let output = Command::new(folder.join(tool))
        .current_dir(root())
        .args(arguments)
        .args(files)
        .output()
        .unwrap_or_else(|error| panic!("{tool}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The tool is content with `files`, and objects to `fault`, naming `complaint`.
fn judge(tool: &str, arguments: &[&str], files: &[PathBuf], fault: (&str, &str), complaint: &str) {
    let Some(folder) = tools() else { return };
    assert!(!files.is_empty(), "no file for {tool}");
    let (name, text) = fault;
    let bad =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("lint").join(format!("{tool}-{}", std::process::id()));
    let bad = bad.join(name);
    fs::create_dir_all(bad.parent().expect("a parent")).expect("create a folder");
    fs::write(&bad, text).expect("write a file with a fault");
    let (content, printed) = run(folder, tool, arguments, std::slice::from_ref(&bad));
    assert!(!content && printed.contains(complaint), "{tool} does not object to {text:?}:\n{printed}");
    let (content, printed) = run(folder, tool, arguments, files);
    assert!(content, "{tool} objects:\n{printed}");
}

const UNPINNED: &str =
    "on: push\npermissions: {}\njobs: {a: {runs-on: ubuntu-24.04, steps: [{uses: a/b@v1}]}}\n";

#[test]
fn hadolint_has_no_objection_to_the_dockerfile() {
    let fault = ("Dockerfile", "FROM debian:latest\nRUN cd /tmp\n");
    judge("hadolint", &["--no-color"], &[root().join("Dockerfile")], fault, "DL3007");
}

#[test]
fn zizmor_has_no_objection_to_the_workflows() {
    let files = [workflows(), vec![root().join(".github/dependabot.yml")]].concat();
    let arguments = ["--offline", "--no-progress", "--pedantic", "--color=never"];
    judge("zizmor", &arguments, &files, (".github/workflows/bad.yml", UNPINNED), "unpinned-uses");
}

#[test]
fn workflows_and_dependabot_follow_their_schemas() {
    let arguments = ["--builtin-schema", "vendor.github-workflows"];
    let fault = ("bad.yml", "on: push\njobs: {a: {runs-on: 1}}\n");
    judge("check-jsonschema", &arguments, &workflows(), fault, "jobs.a");
    let files = [root().join(".github/dependabot.yml")];
    let arguments = ["--builtin-schema", "vendor.dependabot"];
    judge("check-jsonschema", &arguments, &files, ("bad.yml", "version: 1\n"), "version");
}

#[test]
fn yamllint_has_no_objection_to_the_yaml_of_the_repository() {
    let files = yaml();
    assert!(files.contains(&PathBuf::from(".github/dependabot.yml")), "{files:?}");
    judge(
        "yamllint",
        &["--strict", "--format=parsable"],
        &files,
        ("bad.yaml", "a: 1\na: 2\n"),
        "key-duplicates",
    );
}

#[test]
fn every_action_is_pinned_to_a_commit_with_its_version_beside_it() {
    let mut seen = 0;
    for file in workflows() {
        let text = fs::read_to_string(&file).expect("read a workflow");
        for line in text.lines().filter(|line| line.contains("uses:")) {
            seen += 1;
            let (_, reference) = line.split_once('@').unwrap_or_else(|| panic!("{line}"));
            let (commit, version) = reference.split_once(" # v").unwrap_or_else(|| panic!("{line}"));
            let hexadecimal = commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(commit.len() == 40 && hexadecimal, "{line}");
            assert!(version.split('.').count() == 3, "{line}: the full version");
        }
    }
    assert!(seen > 5, "{seen} uses");
}

fn workflows() -> Vec<PathBuf> {
    let folder = root().join(".github/workflows");
    let children = fs::read_dir(folder).expect("read the folder of workflows");
    let mut files: Vec<PathBuf> = children.map(|child| child.expect("a child").path()).collect();
    files.sort();
    files
}

/// The YAML files that git knows or would know. Templates of the chart are none before Helm has rendered them.
fn yaml() -> Vec<PathBuf> {
    let output = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.yaml", "*.yml"])
        .output()
        .expect("run git");
    let text = String::from_utf8(output.stdout).expect("names in UTF-8");
    let names = text.split_terminator('\0').filter(|name| !name.contains("/templates/"));
    names.map(PathBuf::from).filter(|file| root().join(file).is_file()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
