//! What `-f` loads: objects from files, folders or standard input, YAML or JSON, any number of documents
//! in each, single objects or lists.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::sandbox::{Kind, Status, Store};

/// The file that stands for standard input.
const STDIN: &str = "-";
/// Which files of a folder are read.
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];
const DEFAULT_NAMESPACE: &str = "default";

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file; `-` is standard input.
    pub file: PathBuf,
    /// Its document, counted from 1.
    pub document: usize,
    /// The index in a list.
    pub element: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, document {}", shown(&self.file), self.document)?;
        self.element.map_or(Ok(()), |at| write!(f, ", items[{at}]"))
    }
}

fn shown(file: &Path) -> String {
    if file.as_os_str() == STDIN { "standard input".to_owned() } else { file.display().to_string() }
}

/// Why manifests are not loaded.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// A file or folder cannot be read.
    #[error("{file}: cannot be read: {source}", file = shown(.file))]
    Read {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without manifests.
    #[error("{}: no file in it ends in .json, .yaml or .yml", .0.display())]
    NothingIn(PathBuf),
    /// A document is not as expected.
    #[error("{place}: {message}")]
    Document {
        /// Where.
        place: Place,
        /// What is wrong and what was expected.
        message: String,
    },
    /// The API refuses the object.
    #[error("{place}: {kind} {name}: {status}", kind = kind.info().kind, status = status.message)]
    Refused {
        /// Where.
        place: Place,
        /// The object's kind.
        kind: Kind,
        /// The object's name, after its namespace where it has one.
        name: String,
        /// Why.
        status: Box<Status>,
    },
}

/// An object that is to be created.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
    /// Empty for kinds without.
    pub namespace: String,
    /// The object. What a server gave to it (uid, resourceVersion) is left out, so that what `kubectl get -o
    /// yaml` printed can be loaded.
    pub value: Value,
}

impl Manifest {
    fn name(&self) -> String {
        let name = self.value["metadata"]["name"].as_str().unwrap_or_default();
        if self.namespace.is_empty() { name.to_owned() } else { format!("{}/{name}", self.namespace) }
    }
}

/// Reads files, folders, and standard input where `-` is among them; in the order in which the objects
/// are to be created: as they stand, Namespaces first.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(files: &[PathBuf], stdin: &mut dyn Read) -> Result<Vec<Manifest>, ManifestError> {
    let mut manifests = Vec::new();
    for file in files {
        let unread = |source| ManifestError::Read { file: file.clone(), source };
        if file.as_os_str() == STDIN {
            let mut bytes = Vec::new();
            stdin.read_to_end(&mut bytes).map_err(unread)?;
            parse(file, &bytes, &mut manifests)?;
        } else if file.is_dir() {
            for file in inside(file)? {
                let bytes = std::fs::read(&file)
                    .map_err(|source| ManifestError::Read { file: file.clone(), source })?;
                parse(&file, &bytes, &mut manifests)?;
            }
        } else {
            parse(file, &std::fs::read(file).map_err(unread)?, &mut manifests)?;
        }
    }
    manifests.sort_by_key(|manifest| manifest.kind != Kind::Namespace);
    Ok(manifests)
}

/// The manifests of a text that is no file.
///
/// # Errors
/// As [`read`].
pub fn of_text(name: &str, text: &str) -> Result<Vec<Manifest>, ManifestError> {
    let mut manifests = Vec::new();
    parse(Path::new(name), text.as_bytes(), &mut manifests)?;
    manifests.sort_by_key(|manifest| manifest.kind != Kind::Namespace);
    Ok(manifests)
}

/// Creates the objects. A Namespace that exists is fine.
///
/// # Errors
/// The first refusal.
pub fn create(store: &Arc<Store>, manifests: Vec<Manifest>) -> Result<(), ManifestError> {
    for manifest in manifests {
        let name = manifest.name();
        let Manifest { place, kind, namespace, value } = manifest;
        match store.create(kind, &namespace, value, false) {
            Err(status) if kind == Kind::Namespace && status.reason == "AlreadyExists" => {}
            Err(status) => {
                return Err(ManifestError::Refused { place, kind, name, status: Box::new(status) });
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The files of a folder that are read, by name.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    let unread = |source| ManifestError::Read { file: folder.to_owned(), source };
    let mut files = Vec::new();
    for child in std::fs::read_dir(folder).map_err(unread)? {
        let path = child.map_err(unread)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(ManifestError::NothingIn(folder.to_owned()));
    }
    files.sort();
    Ok(files)
}

/// Reads a text: JSON if it begins with a brace, else YAML.
fn parse(file: &Path, bytes: &[u8], into: &mut Vec<Manifest>) -> Result<(), ManifestError> {
    let place = |document| Place { file: file.to_owned(), document, element: None };
    let before = into.len();
    let mut document = 0;
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
            document += 1;
            let value = value.map_err(|error| wrong(place(document), format!("expected JSON: {error}")))?;
            objects(place(document), value, into)?;
        }
    } else {
        let options = serde_saphyr::options! { budget: None, strict_booleans: true, with_snippet: false };
        let mut reader = bytes;
        for value in serde_saphyr::read_with_options::<_, Value>(&mut reader, options) {
            document += 1;
            let value =
                value.map_err(|error| wrong(place(document), format!("expected JSON or YAML: {error}")))?;
            if !value.is_null() {
                objects(place(document), value, into)?;
            }
        }
    }
    if into.len() == before {
        return Err(wrong(place(1), "nothing there; expected objects of the API".to_owned()));
    }
    Ok(())
}

/// Adds an object, or those of a list.
fn objects(place: Place, mut value: Value, into: &mut Vec<Manifest>) -> Result<(), ManifestError> {
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    let Some(of) = kind.strip_suffix("List").filter(|_| value["items"].is_array()) else {
        into.push(manifest(place, value)?);
        return Ok(());
    };
    let api_version = value["apiVersion"].take();
    let Value::Array(elements) = value["items"].take() else { return Ok(()) };
    for (at, mut element) in elements.into_iter().enumerate() {
        // The elements of a typed list do not say what they are.
        if element.is_object() && element["kind"].is_null() && !of.is_empty() {
            element["kind"] = of.into();
            element["apiVersion"] = api_version.clone();
        }
        into.push(manifest(Place { element: Some(at), ..place.clone() }, element)?);
    }
    Ok(())
}

fn manifest(place: Place, mut value: Value) -> Result<Manifest, ManifestError> {
    if !value.is_object() {
        return Err(wrong(place, "expected an object of the API".to_owned()));
    }
    let text = |field: &str| value[field].as_str().unwrap_or_default();
    let (api_version, named) = (text("apiVersion"), text("kind"));
    for (field, text) in [("apiVersion", api_version), ("kind", named)] {
        if text.is_empty() {
            return Err(wrong(place, format!("{field}: absent; expected an object of the API")));
        }
    }
    let known = |kind: &Kind| kind.info().kind == named && kind.info().api_version() == api_version;
    let Some(kind) = Kind::ALL.into_iter().find(known) else {
        let names: Vec<String> =
            Kind::ALL.map(|kind| format!("{} {}", kind.info().api_version(), kind.info().kind)).into();
        let message =
            format!("{api_version} {named}: not a kind of the sandbox, which knows {}", names.join(", "));
        return Err(wrong(place, message));
    };
    let metadata = &mut value["metadata"];
    let Some(fields) = metadata.as_object_mut() else {
        return Err(wrong(
            place,
            format!("{}: metadata: absent; expected at least a name", kind.info().kind),
        ));
    };
    for given in ["uid", "resourceVersion"] {
        fields.remove(given);
    }
    let namespace = match kind.info().namespaced {
        true => metadata["namespace"].as_str().filter(|name| !name.is_empty()).unwrap_or(DEFAULT_NAMESPACE),
        false => "",
    };
    Ok(Manifest { place, kind, namespace: namespace.to_owned(), value })
}

fn wrong(place: Place, message: String) -> ManifestError {
    ManifestError::Document { place, message }
}
