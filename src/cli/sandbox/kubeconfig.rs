//! The kubeconfig of the sandbox: a file that only its owner may read, and that goes with the sandbox.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// How a kubeconfig of a sandbox begins: only such a file is written over or removed.
const MARK: &str = "# Of endpointslice-controller sandbox, process ";

/// A written kubeconfig; removed when it is dropped, if it is still the one that was written.
#[derive(Debug)]
pub struct KubeconfigFile {
    path: PathBuf,
    text: String,
}

impl KubeconfigFile {
    /// Writes this kubeconfig (YAML) to `path`, or to a new file.
    ///
    /// # Errors
    /// The file cannot be written, or is there already and was not written by a sandbox.
    pub fn write(path: Option<&Path>, text: &str) -> anyhow::Result<KubeconfigFile> {
        let pid = std::process::id();
        let path = match path {
            Some(path) => std::path::absolute(path)?,
            None => folder().join(format!("endpointslice-controller-sandbox-{pid}.kubeconfig")),
        };
        match std::fs::read(&path) {
            Ok(bytes) if bytes.starts_with(MARK.as_bytes()) => std::fs::remove_file(&path)?,
            Ok(_) => bail!(
                "--kubeconfig-out {}: a file is there already that is not of a sandbox; expected a name that is free",
                path.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => bail!("--kubeconfig-out {}: {error}", path.display()),
        }
        let text = format!("{MARK}{pid}\n{text}");
        // create_new: whoever puts a link there in between does not get it followed.
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("--kubeconfig-out {} cannot be written", path.display()))?;
        let kubeconfig = KubeconfigFile { path, text };
        file.write_all(kubeconfig.text.as_bytes())
            .with_context(|| format!("--kubeconfig-out {} cannot be written", kubeconfig.path.display()))?;
        Ok(kubeconfig)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for KubeconfigFile {
    fn drop(&mut self) {
        // Another sandbox may have written its own there since.
        if std::fs::read(&self.path).is_ok_and(|bytes| bytes == self.text.as_bytes()) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn folder() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime.filter(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir)
}
