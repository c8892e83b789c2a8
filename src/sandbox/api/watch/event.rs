//! The events of a watch as they are sent: a line of JSON each, `type` before `object`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::accept::Form;
use super::super::events;
use super::super::list;
use super::super::route::Resource;
use super::super::{Bent, Request};
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;
use crate::sandbox::store::Object;
use crate::sandbox::table;

/// In which form the objects of a watch are shown.
pub(super) struct Shape {
    pub(super) kind: Kind,
    resource: Resource,
    form: Form,
    bent: Bent,
    table: table::Options,
}

impl Shape {
    pub(super) fn new(
        request: &Request,
        resource: &Resource,
        form: Form,
        bent: &Bent,
    ) -> Result<Shape, Status> {
        let resource = Resource {
            kind: resource.kind,
            second_view: resource.second_view,
            namespace: None,
            name: None,
            sub: None,
            watch: true,
        };
        let table = list::table_options(request)?;
        Ok(Shape { kind: resource.kind, resource, form, bent: bent.clone(), table })
    }

    /// Appends an event. Plain objects are copied as they are stored.
    pub(super) fn event(&mut self, what: &str, object: &Object, into: &mut Vec<u8>) {
        into.extend_from_slice(b"{\"type\":\"");
        into.extend_from_slice(what.as_bytes());
        into.extend_from_slice(b"\",\"object\":");
        if self.form == Form::Plain && !self.resource.second_view && self.bent.undecodable.is_none() {
            object.write_typed(into);
        } else {
            let value = list::seen(&self.resource, object, &self.bent);
            let value = self.formed(value);
            into.extend_from_slice(value.to_string().as_bytes());
        }
        into.extend_from_slice(b"}\n");
    }

    /// A bookmark; `first` after what stood at the beginning.
    pub(super) fn bookmark(&mut self, version: u64, first: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if first {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        // What the kind prints for absent fields is printed here, too.
        let object = json!({"metadata": metadata});
        let mut object = self.kind.strategy().read(object.clone()).unwrap_or(object);
        if self.resource.second_view {
            object = events::second(object);
        }
        object["kind"] = self.kind.info().kind.into();
        object["apiVersion"] = self.resource.api_version().into();
        let object = self.formed(object);
        line("BOOKMARK", &object)
    }

    fn formed(&mut self, value: Value) -> Value {
        match self.form {
            Form::Plain => value,
            Form::Table(version) => {
                let table = list::table_of_object(&self.resource, value, &self.table);
                // The columns are told once.
                self.table.headers = false;
                list::versioned(table, version)
            }
            Form::Metadata | Form::MetadataList => list::metadata_of(&value),
        }
    }
}

/// The event that ends a watch.
pub(super) fn error(status: &Status) -> Bytes {
    line("ERROR", &status.body())
}

fn line(what: &str, object: &Value) -> Bytes {
    format!("{{\"type\":\"{what}\",\"object\":{object}}}\n").into()
}
