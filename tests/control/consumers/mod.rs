//! Consumers of slices as their source and their bug reports show them, each with what it insists on
//! or gets wrong. They read what we send, as JSON, write by write, and the tests beside them say what
//! each may rely on. What they share: a slice replaces the one of its name, a deleted one is gone.

mod histories;
mod kube_proxy;
mod linkerd;
mod others;

use std::collections::BTreeMap;

use endpointslice_controller::model::wire::slice_value;
use serde_json::Value;

use crate::api::Stored;

pub const HEADLESS: &str = "service.kubernetes.io/headless";
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Something that follows a watch of slices.
pub trait Consumer {
    /// The slice of this name was as `before` and is as `after`.
    fn see(&mut self, before: Option<&Value>, after: Option<&Value>);
}

/// Shows a consumer what happened, and asks `check` after each event.
pub fn replay<C: Consumer>(history: &[Stored], consumer: &mut C, mut check: impl FnMut(&mut C, usize)) {
    for (number, event) in history.iter().enumerate() {
        let [before, after] = [&event.before, &event.after].map(|slice| slice.as_ref().map(slice_value));
        consumer.see(before.as_ref(), after.as_ref());
        check(consumer, number);
    }
}

pub fn name(slice: &Value) -> String {
    slice["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

pub fn label<'a>(slice: &'a Value, key: &str) -> Option<&'a str> {
    slice["metadata"]["labels"].get(key)?.as_str()
}

pub fn service(slice: &Value) -> String {
    label(slice, SERVICE_NAME).unwrap_or_default().to_owned()
}

pub fn list<'a>(slice: &'a Value, field: &str) -> &'a [Value] {
    slice[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

pub fn address(endpoint: &Value) -> String {
    endpoint["addresses"][0].as_str().unwrap_or_default().to_owned()
}

/// The slices that stand, by name: what most consumers keep.
#[derive(Default)]
pub struct Standing(pub BTreeMap<String, Value>);

impl Consumer for Standing {
    fn see(&mut self, before: Option<&Value>, after: Option<&Value>) {
        if let Some(before) = before {
            self.0.remove(&name(before));
        }
        if let Some(after) = after {
            self.0.insert(name(after), after.clone());
        }
    }
}
