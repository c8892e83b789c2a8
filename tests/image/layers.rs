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

/// What of this process' environment a step sees: the way to the network and to the compiler.
const ENVIRONMENT: [&str; 7] =
    ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_AUTO_INSTALL", "SSL_CERT_FILE", "SSL_CERT_DIR"];
const ENVIRONMENT_PREFIXES: [&str; 4] = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];
/// The disk of the layers grows to this at most (bytes). It takes what is on it, about 4 GB.
const DISK: u64 = 16 << 30;

/// A stage that was built.
pub struct Built {
    /// The files that were asked for, by their place in the stage.
    pub files: BTreeMap<String, PathBuf>,
    /// What each step printed, in order; nothing for one that copies.
    pub logs: Vec<String>,
}

/// A command that runs in a mount namespace of its own.
pub fn unshared() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]);
    command
}

/// Why steps cannot be run here; `None` when they can.
pub fn obstacle() -> Option<String> {
    let folder = folder().join("try");
    fs::create_dir_all(&folder).expect("create a folder");
    disk(&folder);
    let test = "cd $0 && mkdir -p mnt && mount -o loop disk mnt && mkdir -p mnt/files mnt/work mnt/root && \
                mount -t overlay overlay -o lowerdir=/,upperdir=mnt/files,workdir=mnt/work mnt/root";
    match unshared().args(["sh", "-c", test]).arg(&folder).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "layers over this machine's root have to be mounted, by root on Linux: {}",
            String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default()
        )),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

/// Runs the steps of `stage` for `architecture`, those that no kept layer has, and takes `wanted` out.
pub fn build(stage: &Stage, architecture: &str, wanted: &[String]) -> Built {
    let out = folder().join(architecture);
    fs::create_dir_all(&out).expect("create the folder of the stage");
    // Another run of these tests waits.
    let lock = File::create(out.join("lock")).expect("create the lock");
    lock.lock().expect("take the lock");
    for old in ["steps", "files"] {
        let _ = fs::remove_dir_all(out.join(old));
    }
    disk(&out);

    let environment = environment(architecture);
    let steps = lay_out(stage, &out, architecture);
    let log = out.join("log");
    let output = File::create(&log).expect("create the log");
    let status = unshared()
        .args(["sh", "tests/image/steps.sh"])
        .arg(out.join("disk"))
        .arg(&out)
        .args(wanted)
        .current_dir(root())
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("share the log"))
        .stderr(output)
        .status()
        .expect("run the steps");
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let logs: Vec<String> = (0..steps.len()).map(|number| read(place(&out, number).join("log"))).collect();
    if !status.success() {
        let failed = (0..steps.len()).rev().find(|number| place(&out, *number).join("log").exists());
        let failed = failed.unwrap_or_default();
        let lines: Vec<&str> = logs[failed].lines().collect();
        let tail = lines[lines.len().saturating_sub(40)..].join("\n");
        panic!(
            "{status} after this step:\n{:?}\n--- its last lines\n{tail}\n---\n{}",
            steps[failed],
            read(log)
        );
    }
    let files =
        wanted.iter().map(|place| (place.clone(), out.join("files").join(place.trim_start_matches('/'))));
    Built { files: files.collect(), logs }
}

/// Writes each step that makes a layer to its folder.
fn lay_out<'a>(stage: &'a Stage, out: &Path, architecture: &str) -> Vec<&'a Step> {
    let mut directory = "/".to_string();
    let mut key = base(architecture);
    let mut steps = Vec::new();
    for step in &stage.steps {
        let folder = place(out, steps.len());
        let content = match step {
            // The only one: see `environment`.
            Step::Arg { name, default: None } if name == "TARGETARCH" => continue,
            Step::Workdir(path) => {
                directory = Path::new(&directory).join(path).display().to_string();
                continue;
            }
            Step::Copy { from: None, sources, to } => copy(&folder.join("files"), sources, &directory, to),
            Step::Run(text) => {
                fs::create_dir_all(&folder).expect("create the folder of a step");
                fs::write(folder.join("text"), text).expect("write a step");
                0
            }
            other => panic!("{other:?} in the build stage is not understood"),
        };
        let mut hasher = DefaultHasher::new();
        (key, format!("{step:?}"), &directory, content).hash(&mut hasher);
        key = hasher.finish();
        fs::write(folder.join("key"), format!("{key:016x}")).expect("write the key");
        fs::write(folder.join("directory"), &directory).expect("write the directory");
        steps.push(step);
    }
    steps
}

/// What every layer depends on: the architecture, and the compiler and system that stand for the base image.
fn base(architecture: &str) -> u64 {
    let compiler = Command::new("rustc").current_dir("/").arg("-vV").output().expect("run rustc");
    let system = fs::read("/etc/os-release").unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    (architecture, compiler.stdout, system).hash(&mut hasher);
    hasher.finish()
}

fn environment(architecture: &str) -> BTreeMap<String, String> {
    let passed = |name: &str| {
        ENVIRONMENT.contains(&name)
            || ENVIRONMENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || name.to_lowercase().ends_with("_proxy")
    };
    let mut all: BTreeMap<String, String> = std::env::vars().filter(|(name, _)| passed(name)).collect();
    all.entry("PATH".into()).or_default().push_str(":/usr/sbin:/sbin");
    // The engine sets this one by itself.
    all.insert("TARGETARCH".into(), architecture.into());
    all
}

/// Puts files of the build context where `COPY` would, below `layer`: a folder's content into the target, a
/// file into a target that ends with `/`, with their times of modification. Answers a hash of all that.
fn copy(layer: &Path, named: &[String], directory: &str, to: &str) -> u64 {
    let target = Path::new(directory).join(to);
    let target = layer.join(target.strip_prefix("/").expect("an absolute folder"));
    let mut hasher = DefaultHasher::new();
    for name in named {
        for file in context(name) {
            let inside = match file.strip_prefix(name).expect("below what was named") {
                path if path.as_os_str().is_empty() => {
                    assert!(
                        to.ends_with('/'),
                        "COPY {name} {to}: a file under another name is not understood"
                    );
                    target.join(file.file_name().expect("a name"))
                }
                path => target.join(path),
            };
            let bytes = fs::read(root().join(&file)).expect("read a source");
            (&file, &bytes).hash(&mut hasher);
            fs::create_dir_all(inside.parent().expect("a parent")).expect("create a folder");
            fs::write(&inside, bytes).expect("write a copy");
            let modified =
                fs::metadata(root().join(&file)).and_then(|data| data.modified()).expect("its time");
            let copy = File::options().write(true).open(&inside).expect("open the copy");
            copy.set_modified(modified).expect("set its time");
        }
    }
    hasher.finish()
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

/// Makes the disk of the layers, empty and sparse, where there is none. Without mkfs there is none after it
/// either, and mounting it tells so.
fn disk(folder: &Path) {
    let disk = folder.join("disk");
    if disk.exists() {
        return;
    }
    let new = folder.join("disk.new");
    File::create(&new).and_then(|file| file.set_len(DISK)).expect("create the disk");
    let options = ["-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1"];
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let made = Command::new("mkfs.ext4").args(options).arg(&new).env("PATH", path).status();
    if made.is_ok_and(|status| status.success()) {
        fs::rename(&new, &disk).expect("name the disk");
    }
}

fn place(out: &Path, number: usize) -> PathBuf {
    out.join("steps").join(format!("{number:02}"))
}

/// Where everything of these tests lies, kept between runs.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image");
    fs::create_dir_all(&folder).expect("create the folder of the image");
    folder
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
