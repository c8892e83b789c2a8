//! In which form an answer is wanted.

use crate::sandbox::status::Status;

/// The form of the objects in an answer. All are JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Plain,
    /// `metav1.Table`.
    Table,
    /// `metav1.PartialObjectMetadata`.
    Metadata,
    /// `metav1.PartialObjectMetadataList`.
    MetadataList,
}

/// The first form of an Accept header that can be given.
///
/// # Errors
/// 406 when there is none.
pub(super) fn form(accept: &str) -> Result<Form, Status> {
    if accept.trim().is_empty() {
        return Ok(Form::Plain);
    }
    let mut ranges: Vec<(f32, Option<Form>)> = accept.split(',').map(range).collect();
    ranges.sort_by(|one, other| other.0.total_cmp(&one.0));
    ranges.into_iter().find_map(|(weight, form)| form.filter(|_| weight > 0.0)).ok_or_else(|| {
        let message = "406: Not Acceptable\n\nAvailable representations: application/json, \
                       application/json;stream=watch";
        Status { details: serde_json::json!({}), ..Status::new(406, "NotAcceptable", message) }
    })
}

fn range(text: &str) -> (f32, Option<Form>) {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let (mut form, mut group, mut version, mut weight) = ("", "", "", 1.0);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim() {
            "as" => form = value.trim(),
            "g" => group = value.trim(),
            "v" => version = value.trim(),
            "q" => weight = value.trim().parse().unwrap_or(1.0),
            _ => {}
        }
    }
    if !matches!(media, "application/json" | "application/*" | "*/*") {
        return (weight, None);
    }
    let known = group == "meta.k8s.io" && matches!(version, "v1" | "v1beta1");
    let form = match form {
        "" => Some(Form::Plain),
        "Table" if known => Some(Form::Table),
        "PartialObjectMetadata" if known => Some(Form::Metadata),
        "PartialObjectMetadataList" if known => Some(Form::MetadataList),
        _ => None,
    };
    (weight, form)
}

/// Whether discovery is wanted in one piece (`apidiscovery.k8s.io/v2`).
pub(super) fn aggregated(accept: &str) -> bool {
    let first = accept.split(',').next().unwrap_or_default();
    let wants = |part: &str| first.split(';').any(|other| other.trim() == part);
    first.trim().starts_with("application/json")
        && wants("g=apidiscovery.k8s.io")
        && wants("v=v2")
        && wants("as=APIGroupDiscoveryList")
}
