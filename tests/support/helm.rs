//! The real Helm, and helm-unittest: what they say about the chart.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::process::scratch;
use super::real::judge;

/// The folder of the chart.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/endpointslice-controller")
}

/// Helm on one chart, for a release `endpointslice-controller` in kube-system.
pub struct Helm {
    program: PathBuf,
    chart: PathBuf,
}

impl Helm {
    /// On the chart as it is; `None` after one line when there is no Helm.
    pub fn new() -> Option<Helm> {
        static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
        let program = FOUND.get_or_init(|| judge("helm")).clone()?;
        Some(Helm { program, chart: chart() })
    }

    /// On a copy of the chart that has these files, too (paths inside the chart).
    pub fn with_files(files: &[(&str, &str)]) -> Option<Helm> {
        let helm = Helm::new()?;
        let copy = fresh("chart");
        copy_folder(&helm.chart, &copy);
        for (path, text) in files {
            let path = copy.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
            std::fs::write(path, text).expect("write a file of the chart");
        }
        Some(Helm { chart: copy, ..helm })
    }

    /// What is rendered with these values (YAML; may be empty), as text.
    ///
    /// # Errors
    /// What Helm says against it.
    pub fn text(&self, values: &str) -> Result<String, String> {
        self.text_of(values, &[])
    }

    /// The same with more arguments.
    ///
    /// # Errors
    /// What Helm says against it.
    pub fn text_of(&self, values: &str, arguments: &[&str]) -> Result<String, String> {
        let file = values_file(values);
        let mut command = self.command("template");
        command.arg("endpointslice-controller").arg(&self.chart).arg("--namespace=kube-system");
        command.arg("--values").arg(&file).args(arguments);
        told(&command.output().expect("run helm"))
    }

    /// The objects that are rendered.
    ///
    /// # Panics
    /// When Helm refuses.
    pub fn objects(&self, values: &str) -> Vec<Value> {
        objects(&self.text(values).unwrap_or_else(|refusal| panic!("{refusal}")))
    }

    /// `helm lint --strict`.
    ///
    /// # Errors
    /// What Helm says against it.
    pub fn lint(&self, values: &str) -> Result<String, String> {
        let mut command = self.command("lint");
        command.args(["--strict", "--namespace=kube-system"]).arg(&self.chart);
        command.arg("--values").arg(values_file(values));
        told(&command.output().expect("run helm"))
    }

    /// A command about the release on a cluster: `install`, `upgrade`, `rollback`, `uninstall`, `get manifest`.
    ///
    /// # Errors
    /// What Helm says against it.
    pub fn on(
        &self,
        kubeconfig: &Path,
        namespace: &str,
        words: &[&str],
        values: &str,
    ) -> Result<String, String> {
        let mut command = self.command(words[0]);
        command.args(&words[1..]).arg("endpointslice-controller");
        if ["install", "upgrade"].contains(&words[0]) {
            command.arg(&self.chart).arg("--values").arg(values_file(values));
        }
        command.arg(format!("--namespace={namespace}")).env("KUBECONFIG", kubeconfig);
        told(&command.output().expect("run helm"))
    }

    /// Helm keeps its own files in the scratch folder, and reads none of the user's.
    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(&self.program);
        for (variable, folder) in
            [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            command.env(variable, scratch().join("helm").join(folder));
        }
        command.env("KUBECONFIG", "/dev/null").arg(word);
        command
    }
}

/// The objects of a stream of YAML documents.
pub fn objects(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    all.into_iter().filter(|object| !object.is_null()).collect()
}

/// The one object of this kind and name.
///
/// # Panics
/// When there is none or more.
pub fn one<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found: Vec<&Value> =
        objects.iter().filter(|o| o["kind"] == kind && o["metadata"]["name"] == name).collect();
    assert_eq!(found.len(), 1, "{kind} {name} in {:?}", names(objects));
    found[0]
}

/// `Kind name` of each object.
pub fn names(objects: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    objects.iter().map(|o| format!("{} {}", text(&o["kind"]), text(&o["metadata"]["name"]))).collect()
}

/// A path in the scratch folder that nobody else has.
pub fn fresh(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    scratch().join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A file that holds this text.
pub fn file(name: &str, text: &str) -> PathBuf {
    let path = fresh(name);
    std::fs::write(&path, text).expect("write a file");
    path
}

fn values_file(values: &str) -> PathBuf {
    file("values.yaml", values)
}

fn told(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{}{}", text(&output.stdout), text(&output.stderr))),
    }
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("make a folder");
    for found in std::fs::read_dir(from).expect("read a folder") {
        let path = found.expect("a file").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy_folder(&path, &target),
            false => drop(std::fs::copy(&path, &target).expect("copy a file")),
        }
    }
}
