//! The image as a container runtime starts it: an empty file system but for what the image brings,
//! read-only, as the user of the image, without any privilege and without a way to get one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::dockerfile::{Stage, Step};
use crate::layers::{self, Built};

/// Where a Pod finds its service account.
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

/// What is made read-only: `$1` the root, `$2` nothing or a folder that is mounted at the account's place.
const ENTER: &str = r#"
set -eu
mount --bind "$1" "$1"
[ -z "$2" ] || mount --bind -o ro "$2" "$1/$3"
mount -o remount,bind,ro "$1"
root=$1 user=$4
shift 4
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
"#;

/// The last stage: what is in the image and how it is started.
pub struct Image {
    pub user: String,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub labels: String,
    /// Place in the image, and the file that is put there.
    pub files: Vec<(String, PathBuf)>,
    /// What the steps of the build stage printed.
    pub logs: Vec<String>,
}

/// The image for this machine, built once; `None` after one line that says why not.
///
/// # Panics
/// When it cannot be built and `CI=true`.
pub fn image() -> Option<&'static Image> {
    static IMAGE: OnceLock<Option<Image>> = OnceLock::new();
    IMAGE.get_or_init(|| wanted().then(|| Image::build("amd64"))).as_ref()
}

/// Whether the image is built here. Not everybody who works on something else waits for it.
fn wanted() -> bool {
    let ci = std::env::var("CI").as_deref() == Ok("true");
    let missing = match layers::obstacle() {
        _ if !cfg!(target_arch = "x86_64") => Some("they are written for x86-64".to_string()),
        Some(obstacle) => Some(obstacle),
        None if !ci && !has_target() => {
            Some("they are asked for by `rustup target add x86_64-unknown-linux-musl`".to_string())
        }
        None => None,
    };
    let Some(missing) = missing else { return true };
    let line = format!("the tests of the image are skipped: {missing}");
    assert!(!ci, "CI=true, and {line}");
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
    false
}

fn has_target() -> bool {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("run rustc");
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_string();
    Path::new(&sysroot).join("lib/rustlib/x86_64-unknown-linux-musl").is_dir()
}

impl Image {
    /// Runs the steps of the Dockerfile for an architecture.
    pub fn build(architecture: &str) -> Image {
        let stages = crate::dockerfile::read();
        let [stage, last] = &stages[..] else { panic!("two stages, found {}", stages.len()) };
        let wanted: Vec<String> = last
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Copy { sources, .. } => Some(sources.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        let built = layers::build(stage, architecture, &wanted);
        Image::assemble(&built, stage, last)
    }

    fn assemble(built: &Built, stage: &Stage, last: &Stage) -> Image {
        assert_eq!(last.base, "scratch", "the last stage starts from nothing");
        let mut image = Image {
            user: String::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            labels: String::new(),
            files: Vec::new(),
            logs: built.logs.clone(),
        };
        for step in &last.steps {
            match step {
                Step::Copy { from: Some(from), sources, to } if *from == stage.name => {
                    let [source] = &sources[..] else { panic!("{step:?}: one file at a time is understood") };
                    image.files.push((to.clone(), built.files[source].clone()));
                }
                Step::User(user) => image.user = user.clone(),
                Step::Entrypoint(words) => image.entrypoint = words.clone(),
                Step::Cmd(words) => image.command = words.clone(),
                Step::Label(text) => image.labels.push_str(text),
                Step::Arg { .. } | Step::Said(_) => {}
                other => panic!("{other:?} in the last stage is not understood"),
            }
        }
        image
    }

    /// The program that is started.
    pub fn program(&self) -> &Path {
        let [program] = &self.entrypoint[..] else { panic!("one program, found {:?}", self.entrypoint) };
        let file = self.files.iter().find(|(place, _)| place == program);
        &file.unwrap_or_else(|| panic!("the image has no {program}")).1
    }

    /// A fresh file system with what is in the image, and the empty places that a runtime makes for what it
    /// mounts.
    fn root(&self, mounted: &[&str]) -> PathBuf {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let root = crate::support::process::scratch().join(format!("root-{number}"));
        fs::create_dir_all(&root).expect("create the root");
        for (place, file) in &self.files {
            let inside = root.join(place.trim_start_matches('/'));
            fs::create_dir_all(inside.parent().expect("a parent")).expect("create a folder");
            fs::copy(file, &inside).expect("copy a file into the root");
        }
        for place in mounted {
            fs::create_dir_all(root.join(place)).expect("create a place to mount at");
        }
        root
    }

    /// The image's program with these arguments, in an empty root. The command runs in the place of this
    /// process' child: its process id is that of the program.
    pub fn start(&self, arguments: &[&str]) -> Command {
        self.enter(&self.root(&[]), "", arguments)
    }

    /// The same in a Pod: `account` is a folder with `token`, `ca.crt` and `namespace`.
    pub fn start_in_pod(&self, account: &Path, server: std::net::SocketAddr, arguments: &[&str]) -> Command {
        let mut command = self.enter(&self.root(&[ACCOUNT]), &account.display().to_string(), arguments);
        command.env("KUBERNETES_SERVICE_HOST", server.ip().to_string());
        command.env("KUBERNETES_SERVICE_PORT", server.port().to_string());
        command
    }

    fn enter(&self, root: &Path, account: &str, arguments: &[&str]) -> Command {
        let mut command = layers::unshared();
        command.args(["sh", "-c", ENTER, "enter"]).arg(root).args([account, ACCOUNT, &self.user]);
        command.args(&self.entrypoint).args(arguments);
        // The runtime gives nothing but what the image and the Pod say.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }
}
