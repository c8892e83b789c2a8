//! Where the programs of the control plane lie.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with `etcd`, `kube-apiserver`, `kube-controller-manager` and `kubectl`.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The path of one program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
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
    let folder = folder();
    let missing: Vec<&str> = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]
        .into_iter()
        .filter(|program| !folder.join(program).is_file())
        .collect();
    if missing.is_empty() {
        return Some(Programs { folder });
    }
    tell(&format!(
        "real-server tests are skipped: {} not in {} (tests/control-plane/build makes them, KUBEBUILDER_ASSETS \
         names another folder)",
        missing.join(", "),
        folder.display()
    ));
    None
}

/// A program that judges what is shipped (`helm`): beside the control plane, else on the PATH; `None`
/// after one line on standard error when it is missing.
///
/// # Panics
/// When it is missing and `CI=true`.
pub fn judge(program: &str) -> Option<PathBuf> {
    let folder = folder();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(folder.clone())
        .chain(std::env::split_paths(&path))
        .map(|place| place.join(program))
        .find(|place| place.is_file());
    if found.is_none() {
        tell(&format!(
            "a test is skipped: {program} neither in {} (tests/control-plane/build makes it) nor on the PATH",
            folder.display()
        ));
    }
    found
}

fn tell(line: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true, and {line}");
    // Past libtest's capture, which would hide it from a run in which everything passes.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Asked from the script that builds them, so that the version stands in one place.
fn folder() -> PathBuf {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") {
        return PathBuf::from(assets);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane/build");
    let output = Command::new(script).arg("--where").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    PathBuf::from(text.unwrap_or_default())
}
