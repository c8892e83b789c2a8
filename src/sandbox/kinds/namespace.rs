//! Namespaces.

use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::Transaction;

use super::field::{self, Path};
use super::{Strategy, formats, metadata, set};

/// How Namespaces are treated.
pub struct Namespaces;

const KUBERNETES: &str = "kubernetes";

impl Strategy for Namespaces {
    fn go_type(&self) -> &'static str {
        "core.Namespace"
    }

    fn default(&self, value: &mut Value) {
        let name = value["metadata"]["name"].clone();
        value["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
        if value["status"]["phase"].is_null() {
            value["status"]["phase"] = "Active".into();
        }
    }

    fn on_create(&self, _: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
        value["status"] = json!({"phase": "Active"});
        if !metadata::texts(&value["spec"]["finalizers"]).any(|name| name == KUBERNETES) {
            match value["spec"]["finalizers"].as_array_mut() {
                Some(list) => list.push(KUBERNETES.into()),
                None => value["spec"]["finalizers"] = json!([KUBERNETES]),
            }
        }
        Ok(())
    }

    fn on_update(
        &self,
        _: &Transaction<'_>,
        new: &mut Value,
        old: &Value,
        subresource: Option<&str>,
    ) -> Result<(), Status> {
        if subresource == Some("status") {
            new["spec"] = old["spec"].clone();
            return Ok(());
        }
        new["status"] = old["status"].clone();
        if subresource != Some("finalize") {
            set(&mut new["spec"], "finalizers", old["spec"]["finalizers"].clone());
        }
        Ok(())
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut wrong = old.map_or_else(Vec::new, |old| metadata::check_common_update(new, old, false));
        let changed = old.is_some_and(|old| old["status"] != new["status"]);
        if !changed {
            wrong.extend(metadata::check(new, false, formats::dns_label));
            let path = Path::new("spec");
            let path = path.child("finalizers");
            for name in metadata::texts(&new["spec"]["finalizers"]) {
                wrong.extend(formats::all(&path, name, formats::qualified_name));
                if !name.contains('/') && ![KUBERNETES, "orphan", "foregroundDeletion"].contains(&name) {
                    let detail = "name is neither a standard finalizer name nor is it fully qualified";
                    wrong.push(field::invalid_text(&path, name, detail));
                }
            }
        }
        if let Some(old) = old {
            wrong.extend(metadata::check_update(new, old));
        }
        if changed {
            let phase = new["status"]["phase"].as_str().unwrap_or_default();
            let path = Path::new("status");
            let path = path.child("Phase");
            match (new["metadata"]["deletionTimestamp"].is_null(), phase) {
                (true, "Active") | (false, "Terminating") => {}
                (true, _) => {
                    let detail = "may only be 'Active' if `deletionTimestamp` is empty";
                    wrong.push(field::invalid_text(&path, phase, detail));
                }
                (false, _) => {
                    let detail = "may only be 'Terminating' if `deletionTimestamp` is not empty";
                    wrong.push(field::invalid_text(&path, phase, detail));
                }
            }
        }
        wrong
    }

    fn fields(&self, value: &Value) -> Vec<(&'static str, SmolStr)> {
        let text = |value: &Value| SmolStr::from(value.as_str().unwrap_or_default());
        vec![("status.phase", text(&value["status"]["phase"])), ("name", text(&value["metadata"]["name"]))]
    }
}
