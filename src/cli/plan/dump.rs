//! Reading what `kubectl get services,pods,nodes,endpoints,endpointslices -A` prints: JSON or YAML,
//! lists or single objects, several documents after one another.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::PlanError;
use super::cluster::Cluster;
use crate::model::wire;
use crate::model::{Key, Text};

/// The file that stands for standard input.
const STDIN: &str = "-";

/// A dump: the cluster, and what in the dump is not used.
#[derive(Debug, Default)]
pub(super) struct Dump {
    /// The objects that are used.
    pub cluster: Cluster,
    /// How many objects of other kinds there are, by kind.
    pub ignored: BTreeMap<String, usize>,
}

/// Where in the dump something stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Path,
    document: usize,
    element: Option<usize>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file.to_str() {
            Some(STDIN) => f.write_str("standard input")?,
            _ => write!(f, "{}", self.file.display())?,
        }
        write!(f, ", document {}", self.document)?;
        self.element.map_or(Ok(()), |at| write!(f, ", items[{at}]"))
    }
}

impl Place<'_> {
    fn wrong(self, message: impl fmt::Display) -> PlanError {
        PlanError::Dump { place: self.to_string(), message: message.to_string() }
    }
}

/// What every object and list has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
}

impl Dump {
    /// Reads a file, or standard input for `-`.
    pub fn read(&mut self, file: &Path, stdin: &mut dyn Read) -> Result<(), PlanError> {
        let mut bytes = Vec::new();
        let read = match file.to_str() {
            Some(STDIN) => stdin.read_to_end(&mut bytes).map(|_| ()),
            _ => std::fs::read(file).map(|all| bytes = all),
        };
        read.map_err(|source| PlanError::Read { file: file.to_owned(), source })?;
        self.parse(file, &bytes)
    }

    /// Reads a text: JSON if it begins with a brace, else YAML.
    pub fn parse(&mut self, file: &Path, bytes: &[u8]) -> Result<(), PlanError> {
        let mut place = Place { file, document: 1, element: None };
        match bytes.trim_ascii_start().first() {
            None => Err(place.wrong("nothing there; expected what kubectl get -o json or -o yaml prints")),
            Some(b'{') => {
                for document in serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>() {
                    let document =
                        document.map_err(|error| place.wrong(format!("expected JSON: {error}")))?;
                    self.document(place, document)?;
                    place.document += 1;
                }
                Ok(())
            }
            Some(_) => {
                for document in yaml_documents(place, bytes)? {
                    let json =
                        serde_json::value::to_raw_value(&document).map_err(|error| place.wrong(error))?;
                    self.document(place, &json)?;
                    place.document += 1;
                }
                Ok(())
            }
        }
    }

    fn document(&mut self, place: Place<'_>, json: &RawValue) -> Result<(), PlanError> {
        let envelope = envelope(place, json)?;
        let kind = envelope.kind.as_deref().unwrap_or_default();
        let Some(of) = kind.strip_suffix("List").filter(|_| envelope.items.is_some() || kind == "List")
        else {
            return self.object(place, json, kind, envelope.api_version.as_deref());
        };
        for (at, element) in envelope.items.unwrap_or_default().into_iter().enumerate() {
            let place = Place { element: Some(at), ..place };
            let inner = self::envelope(place, element)?;
            // The elements of a typed list do not say what they are.
            let kind = inner.kind.as_deref().unwrap_or(of);
            let api_version = inner.api_version.as_deref().or(envelope.api_version.as_deref());
            self.object(place, element, kind, api_version)?;
        }
        Ok(())
    }

    fn object(
        &mut self,
        place: Place<'_>,
        json: &RawValue,
        kind: &str,
        api_version: Option<&str>,
    ) -> Result<(), PlanError> {
        let bytes = json.get().as_bytes();
        let wrong = |error: wire::DecodeError| {
            let name = wire::read_meta(bytes).map(|meta| format!(" {}", meta.key)).unwrap_or_default();
            place.wrong(format!("{}{name}: {}", error.kind, error.message))
        };
        let cluster = &mut self.cluster;
        match (api_version, kind) {
            (_, "") => {
                return Err(
                    place.wrong(format!("kind: absent in {}; expected an object of the API", excerpt(json)))
                );
            }
            (Some("v1"), "Service") => {
                let mut row = wire::decode_service(bytes).map_err(wrong)?;
                in_a_namespace(&mut row.key);
                cluster.service(row);
            }
            (Some("v1"), "Pod") => {
                let mut row = wire::decode_pod(bytes).map_err(wrong)?;
                in_a_namespace(&mut row.key);
                cluster.pod(row);
            }
            (Some("v1"), "Node") => cluster.node(wire::decode_node(bytes).map_err(wrong)?),
            (Some("v1"), "Endpoints") => {
                let mut row = wire::decode_endpoints(bytes).map_err(wrong)?;
                in_a_namespace(&mut row.key);
                cluster.endpoints(row);
            }
            (Some("discovery.k8s.io/v1"), "EndpointSlice") => {
                let mut row = wire::decode_slice(bytes).map_err(wrong)?;
                in_a_namespace(&mut row.key);
                cluster.slice(row);
            }
            (version, "EndpointSlice") if version.is_none_or(|v| v.starts_with("discovery.k8s.io/")) => {
                let version = version.unwrap_or("absent");
                return Err(place.wrong(format!("apiVersion {version}: expected discovery.k8s.io/v1")));
            }
            (None, "Service" | "Pod" | "Node" | "Endpoints") => {
                return Err(place.wrong(format!("apiVersion of a {kind}: absent; expected v1")));
            }
            _ => *self.ignored.entry(kind.to_owned()).or_default() += 1,
        }
        Ok(())
    }
}

/// A manifest may leave the namespace out.
fn in_a_namespace(key: &mut Key) {
    if key.namespace.is_empty() {
        key.namespace = Text::new("default");
    }
}

fn envelope<'a>(place: Place<'_>, json: &'a RawValue) -> Result<Envelope<'a>, PlanError> {
    if !json.get().starts_with('{') {
        return Err(place.wrong(format!("{}: expected an object of the API", excerpt(json))));
    }
    serde_json::from_str(json.get())
        .map_err(|error| place.wrong(format!("expected an object of the API: {error}")))
}

/// The beginning of a value, short enough for a message.
fn excerpt(json: &RawValue) -> String {
    const LONGEST: usize = 60;
    let mut characters = json.get().chars();
    let mut start: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        start.push('…');
    }
    start
}

fn yaml_documents(place: Place<'_>, bytes: &[u8]) -> Result<Vec<serde_json::Value>, PlanError> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| place.wrong(format!("expected UTF-8 text: {error}")))?;
    // A dump of a large cluster is larger than any budget for a text of unknown origin.
    let options = serde_saphyr::options! { budget: None, strict_booleans: true, with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| PlanError::Dump {
        place: file_of(place),
        message: format!("expected JSON or YAML: {error}"),
    })
}

fn file_of(place: Place<'_>) -> String {
    match place.file.to_str() {
        Some(STDIN) => "standard input".to_owned(),
        _ => place.file.display().to_string(),
    }
}
