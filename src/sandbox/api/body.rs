//! The body of a request.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use super::Request;
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;
use crate::sandbox::{patch, protobuf};

/// Bytes; kube-apiserver's limit.
const LARGEST: usize = 3 * 1024 * 1024;

pub(super) async fn read(incoming: Incoming) -> Result<Bytes, Status> {
    match Limited::new(incoming, LARGEST).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Status::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {LARGEST}"),
        )),
        Err(error) => Err(Status::bad_request(format!("the body of the request could not be read: {error}"))),
    }
}

/// The body as JSON, whatever it is written in.
///
/// # Errors
/// 415 for other media types than JSON, YAML and Kubernetes' protobuf.
pub(super) fn json(request: &Request) -> Result<Bytes, Status> {
    let media = request.header(http::header::CONTENT_TYPE);
    match media.split(';').next().unwrap_or_default().trim() {
        "" | "application/json" => Ok(request.body.clone()),
        "application/yaml" => {
            let text = std::str::from_utf8(&request.body).unwrap_or_default();
            let value: Value = serde_saphyr::from_str(text)
                .map_err(|error| Status::bad_request(format!("error converting YAML to JSON: {error}")))?;
            Ok(value.to_string().into())
        }
        protobuf::MEDIA => {
            let value = protobuf::decode(&request.body).map_err(Status::bad_request)?;
            Ok(value.to_string().into())
        }
        _ => Err(Status::new(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

/// An object of `kind` (of which the caller's group may be another view), with what a body may leave out.
///
/// # Errors
/// 400 for a body that is no such object.
pub(super) fn object(bytes: &[u8], kind: Kind, api_version: &str) -> Result<Value, Status> {
    let name = kind.info().kind;
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let error = patch::syntax(bytes, &error);
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {name}): couldn't get version/kind; json \
             parse error: {error} ({})",
            summary(bytes)
        ))
    })?;
    let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value };
    if !value.is_object() {
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {name}): couldn't get version/kind; json \
             parse error: {} ({})",
            no_struct(&value),
            summary(bytes)
        )));
    }
    let version = text_or(&value["apiVersion"], api_version);
    let given = text_or(&value["kind"], name);
    if given == name && version != api_version && old_versions(kind).contains(&version) {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({api_version})"
        )));
    }
    if let Some(error) = other_type(kind, api_version, version, given) {
        let short = version.rsplit('/').next().unwrap_or_default();
        return Err(Status::bad_request(format!(
            "{given} in version \"{short}\" cannot be handled as a {name}: {error}"
        )));
    }
    Ok(value)
}

/// Other versions in which kube-apiserver can read a kind, though it serves them no more.
fn old_versions(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::EndpointSlice => &["discovery.k8s.io/v1beta1"],
        Kind::Lease => &["coordination.k8s.io/v1beta1"],
        Kind::Event => &["v1", "events.k8s.io/v1", "events.k8s.io/v1beta1"],
        Kind::Deployment => &["apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"],
        Kind::ReplicaSet => &["apps/v1beta2", "extensions/v1beta1"],
        _ => &[],
    }
}

/// What Go's JSON parser says of a value in which it looks for the type of an object.
pub(super) fn no_struct(value: &Value) -> String {
    let fields = "APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
                  \"json:\\\"kind,omitempty\\\"\"";
    format!("json: cannot unmarshal {} into Go value of type struct {{ {fields} }}", patch::json_type(value))
}

/// What is wrong with the type that an object says it is.
pub(super) fn other_type(kind: Kind, api_version: &str, version: &str, given: &str) -> Option<String> {
    let name = kind.info().kind;
    if version == api_version && given == name {
        return None;
    }
    let known = Kind::ALL.iter().any(|other| {
        let info = other.info();
        info.kind == given && info.api_version() == version
    });
    if !known {
        return Some(unregistered(given, version));
    }
    let (short, package) = (version.rsplit('/').next().unwrap_or_default(), package(kind));
    Some(format!("converting ({short}.{given}) to ({package}.{name}): unknown conversion"))
}

/// The sentence for a kind that nobody knows.
pub(super) fn unregistered(kind: &str, version: &str) -> String {
    format!(
        "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
    )
}

fn package(kind: Kind) -> &'static str {
    match kind.info().group {
        "" => "core",
        group => group.split('.').next().unwrap_or_default(),
    }
}

pub(super) fn text_or<'a>(value: &'a Value, default: &'a str) -> &'a str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(default)
}

/// The beginning of a body for a message; hexadecimal when it is no object.
fn summary(bytes: &[u8]) -> String {
    const LONGEST: usize = 30;
    let shown = bytes.get(..LONGEST).unwrap_or(bytes);
    let more = if bytes.len() > LONGEST { " ..." } else { "" };
    match bytes.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(shown)),
        Some(_) => {
            let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{more}")
        }
    }
}
