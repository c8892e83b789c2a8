//! A substitute for the engine that builds images, of which test machines have none: runs the steps
//! of a stage one after the other, each in a layer of its own over this machine's root, as if that
//! were the base image. Whatever a step installs or writes stays in its layer.
//!
//! A layer is kept under its key: the machine's compiler and system, all steps before it, its own
//! text, and the content that it copies. So a second run builds nothing, and a change in the sources
//! builds the last layer only, as it does for whoever builds the real image.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::dockerfile::{Stage, Step};

/// What runs a step: `$1` the folders below, `$2` this layer's folder, `$3` the directory, `$4` the text.
const RUN: &str = r#"
set -eu
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/files,workdir=$2/work" "$2/root"
mount --rbind /dev "$2/root/dev"
mount -t proc proc "$2/root/proc"
exec chroot "$2/root" /bin/sh -c 'mkdir -p "$1" && cd "$1" && exec /bin/sh -c "$2"' step "$3" "$4"
"#;
/// What of this process' environment a step sees: the way to the network and to the compiler.
const ENVIRONMENT: [&str; 7] =
    ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_AUTO_INSTALL", "SSL_CERT_FILE", "SSL_CERT_DIR"];
const ENVIRONMENT_PREFIXES: [&str; 4] = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];

/// A stage that was built.
pub struct Built {
    /// The layers, the last one first.
    layers: Vec<PathBuf>,
    /// What each `RUN` printed, in order.
    pub logs: Vec<String>,
}

impl Built {
    /// A file of the stage.
    pub fn file(&self, path: &str) -> PathBuf {
        let inside = path.trim_start_matches('/');
        let found = self.layers.iter().map(|layer| layer.join("files").join(inside)).find(|path| path.is_file());
        found.unwrap_or_else(|| panic!("the stage has no {path}"))
    }
}

/// Why steps cannot be run here; `None` when they can.
pub fn obstacle() -> Option<String> {
    let test = "mkdir -p \"$0/files\" \"$0/work\" \"$0/root\" && \
                mount -t overlay overlay -o lowerdir=/,upperdir=$0/files,workdir=$0/work \"$0/root\"";
    let folder = folder().join("try");
    let output = unshared().args(["sh", "-c", test]).arg(&folder).output();
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "layers over this machine's root need to be mounted, by root on Linux: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

/// A command that runs in a mount namespace of its own.
pub fn unshared() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]);
    command
}

/// Where everything of these tests lies, kept between runs.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image");
    fs::create_dir_all(&folder).expect("create the folder of the image");
    folder
}

/// Runs the steps of `stage` for `architecture`, those that no kept layer has; layers that this stage has
/// no more are removed.
pub fn build(stage: &Stage, architecture: &str) -> Built {
    let all = folder().join("layers").join(architecture);
    fs::create_dir_all(&all).expect("create the folder of the layers");
    // Another run of these tests waits.
    let lock = File::create(all.join("lock")).expect("create the lock");
    lock.lock().expect("take the lock");

    let given = BTreeMap::from([("TARGETARCH", architecture), ("TARGETOS", "linux")]);
    let mut environment: BTreeMap<String, String> = std::env::vars()
        .filter(|(name, _)| {
            ENVIRONMENT.contains(&name.as_str())
                || ENVIRONMENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                || name.to_lowercase().ends_with("_proxy")
        })
        .collect();
    let mut directory = "/".to_string();
    let mut built = Built { layers: Vec::new(), logs: Vec::new() };
    let mut key = base();
    for step in &stage.steps {
        let sources = match step {
            Step::Arg { name, default } => {
                let value = given.get(name.as_str()).map(|value| value.to_string()).or(default.clone());
                environment.extend(value.map(|value| (name.clone(), value)));
                continue;
            }
            Step::Workdir(path) => {
                directory = Path::new(&directory).join(path).display().to_string();
                continue;
            }
            Step::Copy { from: None, sources, .. } => sources.iter().flat_map(|source| context(source)).collect(),
            Step::Run(_) => Vec::new(),
            other => panic!("{other:?} in the build stage is not understood"),
        };
        key = key_of(key, step, &directory, &environment, &sources);
        let layer = all.join(format!("{key:016x}"));
        if !layer.join("done").exists() {
            let _ = fs::remove_dir_all(&layer);
            for part in ["files", "work", "root"] {
                fs::create_dir_all(layer.join(part)).expect("create the folder of a layer");
            }
            match step {
                Step::Run(text) => run(&layer, &built.layers, &directory, text, &environment),
                Step::Copy { sources: named, to, .. } => copy(&layer, named, &sources, &directory, to),
                _ => {}
            }
            File::create(layer.join("done")).expect("mark the layer as done");
        }
        if matches!(step, Step::Run(_)) {
            built.logs.push(fs::read_to_string(layer.join("log")).expect("read what a step printed"));
        }
        built.layers.insert(0, layer);
    }
    prune(&all, &built.layers);
    built
}

/// What every layer depends on: the compiler and the system that stand for the base image.
fn base() -> u64 {
    let mut hasher = DefaultHasher::new();
    let compiler = Command::new("rustc").current_dir("/").arg("-vV").output().expect("run rustc");
    compiler.stdout.hash(&mut hasher);
    fs::read("/etc/os-release").unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

fn key_of(
    before: u64,
    step: &Step,
    directory: &str,
    environment: &BTreeMap<String, String>,
    sources: &[PathBuf],
) -> u64 {
    let mut hasher = DefaultHasher::new();
    (before, format!("{step:?}"), directory).hash(&mut hasher);
    if matches!(step, Step::Run(_)) {
        // The way to the network does not change what is built.
        environment.get("TARGETARCH").hash(&mut hasher);
    }
    for source in sources {
        source.hash(&mut hasher);
        fs::read(root().join(source)).expect("read a source").hash(&mut hasher);
    }
    hasher.finish()
}

fn run(
    layer: &Path,
    below: &[PathBuf],
    directory: &str,
    text: &str,
    environment: &BTreeMap<String, String>,
) {
    let mut lower: Vec<String> = below.iter().map(|layer| layer.join("files").display().to_string()).collect();
    lower.push("/".into());
    let log = File::create(layer.join("log")).expect("create the log of a step");
    let status = unshared()
        .args(["sh", "-c", RUN, "step", &lower.join(":")])
        .arg(layer)
        .args([directory, text])
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("share the log"))
        .stderr(log)
        .status()
        .expect("run a step");
    let printed = fs::read_to_string(layer.join("log")).unwrap_or_default();
    let lines: Vec<&str> = printed.lines().collect();
    let tail = lines[lines.len().saturating_sub(40)..].join("\n");
    assert!(status.success(), "this step of the Dockerfile failed ({status}):\nRUN {text}\n--- its last lines\n{tail}");
}

/// The files of the build context below `source`, relative to the repository: those that git knows or would
/// know.
fn context(source: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", source])
        .output()
        .expect("run git");
    let text = String::from_utf8(output.stdout).expect("names in UTF-8");
    let mut files: Vec<PathBuf> = text.split_terminator('\0').map(PathBuf::from).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    assert!(!files.is_empty(), "COPY {source}: git knows no such file");
    files
}

/// As `COPY` does: a folder's content goes into the target, a file into a target that ends with `/`. Times
/// of modification are kept.
fn copy(layer: &Path, named: &[String], files: &[PathBuf], directory: &str, to: &str) {
    let target = Path::new(directory).join(to);
    let target = layer.join("files").join(target.strip_prefix("/").expect("an absolute folder"));
    for file in files {
        let name = named.iter().find(|name| file.starts_with(name)).expect("the source that was named");
        let inside = match file.strip_prefix(name).expect("below it") {
            path if path.as_os_str().is_empty() => {
                assert!(to.ends_with('/'), "COPY {named:?} {to}: a file under another name is not understood");
                target.join(file.file_name().expect("a name"))
            }
            path => target.join(path),
        };
        fs::create_dir_all(inside.parent().expect("a parent")).expect("create a folder");
        fs::copy(root().join(file), &inside).expect("copy a file");
        let modified = fs::metadata(root().join(file)).and_then(|data| data.modified()).expect("its time");
        File::options().write(true).open(&inside).and_then(|copy| copy.set_modified(modified)).expect("set it");
    }
}

fn prune(all: &Path, kept: &[PathBuf]) {
    for child in fs::read_dir(all).expect("read the folder of the layers") {
        let path = child.expect("a layer").path();
        if path.is_dir() && !kept.contains(&path) {
            fs::remove_dir_all(&path).expect("remove a layer that is not needed any more");
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
