//! Label and field selectors: their grammar with kube-apiserver's complaints, and what they admit
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api>).

mod labels;

use super::query::Query;
use super::route::Resource;
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;
use crate::sandbox::store::Object;

use labels::Labels;

/// Which objects of a collection are meant.
pub(super) struct Selection {
    namespace: Option<String>,
    namespaced: bool,
    labels: Labels,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    value: String,
    equal: bool,
}

impl Selection {
    /// That of a request: the path's namespace and name, and the selectors.
    ///
    /// # Errors
    /// 400 for a selector that cannot be read, or fields that cannot be asked for.
    pub(super) fn of(resource: &Resource, query: &Query) -> Result<Selection, Status> {
        let labels = Labels::parse(query.text("labelSelector"))
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let mut fields = fields(resource, query.text("fieldSelector"))?;
        if let Some(name) = &resource.name {
            fields.push(Field { name: "metadata.name".to_owned(), value: name.clone(), equal: true });
        }
        let namespaced = resource.kind.info().namespaced;
        Ok(Selection { namespace: resource.namespace.clone(), namespaced, labels, fields })
    }

    /// Nothing is selected but by namespace.
    pub(super) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// One object is selected by its name, where no other can have it.
    pub(super) fn is_one(&self) -> bool {
        let named = |field: &Field| field.name == "metadata.name" && field.equal;
        (self.namespace.is_some() || !self.namespaced) && self.fields.iter().any(named)
    }

    /// Whether an object is selected.
    pub(super) fn admits(&self, object: &Object) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| object.key.namespace == namespace.as_str())
            && self.labels.admit(object)
            && self.fields.iter().all(|field| field.admits(object))
    }
}

impl Field {
    fn admits(&self, object: &Object) -> bool {
        let value = match self.name.as_str() {
            "metadata.name" => object.key.name.as_str(),
            "metadata.namespace" => object.key.namespace.as_str(),
            name => {
                let found = object.fields.iter().find(|(other, _)| *other == name);
                found.map_or("", |(_, value)| value.as_str())
            }
        };
        (value == self.value) == self.equal
    }
}

fn fields(resource: &Resource, text: &str) -> Result<Vec<Field>, Status> {
    let mut fields = Vec::new();
    for term in text.split(',').filter(|term| !term.is_empty()) {
        let (name, value, equal) = if let Some((name, value)) = term.split_once("!=") {
            (name, value, false)
        } else if let Some((name, value)) = term.split_once("==") {
            (name, value, true)
        } else if let Some((name, value)) = term.split_once('=') {
            (name, value, true)
        } else {
            return Err(Status::bad_request(format!(
                "invalid selector: '{text}'; can't understand '{term}'"
            )));
        };
        fields.push(Field { name: known(resource, name)?, value: value.to_owned(), equal });
    }
    Ok(fields)
}

/// The stored name of a field that may be selected by.
fn known(resource: &Resource, name: &str) -> Result<String, Status> {
    let kind = resource.kind;
    let unsupported = || Status::bad_request(format!("field label not supported: {name}"));
    if resource.second_view {
        return second_name(name).map(str::to_owned).ok_or_else(unsupported);
    }
    if matches!(name, "metadata.name" | "metadata.namespace")
        && (kind.info().namespaced || name.ends_with('e'))
    {
        return Ok(name.to_owned());
    }
    let own = kind.strategy().fields(&serde_json::Value::Null);
    if own.iter().any(|(other, _)| *other == name) {
        return Ok(name.to_owned());
    }
    if matches!(kind, Kind::Namespace | Kind::Node | Kind::Pod | Kind::Service | Kind::Event) {
        return Err(unsupported());
    }
    Err(Status::bad_request(format!(
        "{name:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    )))
}

/// What a field of an events.k8s.io Event is called in core.
fn second_name(name: &str) -> Option<&str> {
    Some(match name {
        "regarding.kind" => "involvedObject.kind",
        "regarding.namespace" => "involvedObject.namespace",
        "regarding.name" => "involvedObject.name",
        "regarding.uid" => "involvedObject.uid",
        "regarding.apiVersion" => "involvedObject.apiVersion",
        "regarding.resourceVersion" => "involvedObject.resourceVersion",
        "regarding.fieldPath" => "involvedObject.fieldPath",
        "reportingController" => "reportingComponent",
        "reason" | "type" | "metadata.name" | "metadata.namespace" => name,
        _ => return None,
    })
}
