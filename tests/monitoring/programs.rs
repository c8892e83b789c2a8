//! Where the programs of Prometheus lie. Like the control plane they are found by themselves, and
//! what is missing is said in one line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with `prometheus` and `promtool`.
#[derive(Debug, Clone)]
pub struct Programs(PathBuf);

impl Programs {
    /// A command that starts one of them.
    pub fn command(&self, program: &str) -> Command {
        Command::new(self.0.join(program))
    }
}

/// The programs; `None` after one line on standard error when one is missing.
///
/// # Panics
/// When one is missing and `CI=true`.
pub fn programs() -> Option<&'static Programs> {
    static FOUND: OnceLock<Option<Programs>> = OnceLock::new();
    FOUND.get_or_init(find).as_ref()
}

fn find() -> Option<Programs> {
    // Asked from the script that fetches them, so that the place is said once.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/monitoring/install");
    let output = Command::new(script).arg("--where").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    let folder = PathBuf::from(text.unwrap_or_default());
    let missing: Vec<&str> =
        ["prometheus", "promtool"].into_iter().filter(|program| !folder.join(program).is_file()).collect();
    if missing.is_empty() {
        return Some(Programs(folder));
    }
    let line = format!(
        "tests with Prometheus are skipped: {} not in {} (tests/monitoring/install fetches them, PROMETHEUS_ASSETS \
         names another folder)",
        missing.join(", "),
        folder.display()
    );
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true, and {line}");
    // Past libtest's capture, which would hide it from a run in which everything passes.
    let _ = writeln!(std::io::stderr(), "{line}");
    None
}
