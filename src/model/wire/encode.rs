//! EndpointSlices as JSON, straight from their rows.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use crate::model::{Conditions, Endpoint, Hints, OwnerReference, Port, Slice, TargetReference, Text};

/// The JSON that is sent for this slice: all of the object, what is foreign on it too.
pub fn encode_slice(slice: &Slice) -> Vec<u8> {
    let mut json = Vec::with_capacity(512 + 384 * slice.endpoints.len());
    // Rows hold nothing that JSON cannot say, and writing to memory does not fail.
    let _ = serde_json::to_writer(&mut json, &SliceJson(slice));
    json
}

/// The same as a JSON value, for output that people read.
pub fn slice_value(slice: &Slice) -> Value {
    serde_json::to_value(SliceJson(slice)).unwrap_or(Value::Null)
}

struct SliceJson<'a>(&'a Slice);

impl Serialize for SliceJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let slice = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", "EndpointSlice")?;
        map.serialize_entry("apiVersion", "discovery.k8s.io/v1")?;
        map.serialize_entry("metadata", &MetaJson(slice))?;
        map.serialize_entry("addressType", slice.address_type.as_str())?;
        map.serialize_entry("endpoints", &Each(&slice.endpoints, EndpointJson))?;
        map.serialize_entry("ports", &Each(&slice.ports, PortJson))?;
        for (field, value) in slice.foreign.iter().flat_map(|f| &f.fields) {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

/// A list whose elements are wrapped for writing.
struct Each<'a, T, F>(&'a [T], F);

impl<'a, T, F, W> Serialize for Each<'a, T, F>
where
    F: Fn(&'a T) -> W,
    W: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for one in self.0 {
            list.serialize_element(&(self.1)(one))?;
        }
        list.end()
    }
}

struct MetaJson<'a>(&'a Slice);

impl Serialize for MetaJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let slice = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &slice.key.name)?;
        if !slice.generate_name.is_empty() {
            map.serialize_entry("generateName", &slice.generate_name)?;
        }
        map.serialize_entry("namespace", &slice.key.namespace)?;
        if !slice.uid.is_empty() {
            map.serialize_entry("uid", &Shown(&slice.uid))?;
        }
        if slice.version != 0 {
            map.serialize_entry("resourceVersion", &Shown(&slice.version))?;
        }
        if !slice.labels.is_empty() {
            map.serialize_entry("labels", &slice.labels)?;
        }
        if !slice.annotations.is_empty() {
            map.serialize_entry("annotations", &slice.annotations)?;
        }
        if !slice.owners.is_empty() {
            map.serialize_entry("ownerReferences", &Each(&slice.owners, OwnerJson))?;
        }
        if let Some(foreign) = slice.foreign.as_ref().filter(|f| !f.finalizers.is_empty()) {
            map.serialize_entry("finalizers", &foreign.finalizers)?;
        }
        map.end()
    }
}

/// Written as the text that it displays as.
struct Shown<'a, T>(&'a T);

impl<T: std::fmt::Display> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

struct OwnerJson<'a>(&'a OwnerReference);

impl Serialize for OwnerJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let owner = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("apiVersion", &owner.api_version)?;
        map.serialize_entry("kind", &owner.kind)?;
        map.serialize_entry("name", &owner.name)?;
        map.serialize_entry("uid", &Shown(&owner.uid))?;
        if let Some(controller) = owner.controller {
            map.serialize_entry("controller", &controller)?;
        }
        if let Some(block) = owner.block_owner_deletion {
            map.serialize_entry("blockOwnerDeletion", &block)?;
        }
        map.end()
    }
}

struct PortJson<'a>(&'a Port);

impl Serialize for PortJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let port = self.0;
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &port.name {
            map.serialize_entry("name", name)?;
        }
        map.serialize_entry("protocol", port.protocol.as_str())?;
        if let Some(number) = port.port {
            map.serialize_entry("port", &number)?;
        }
        if let Some(app) = &port.app_protocol {
            map.serialize_entry("appProtocol", app)?;
        }
        map.end()
    }
}

struct EndpointJson<'a>(&'a Arc<Endpoint>);

impl Serialize for EndpointJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let endpoint = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("addresses", &endpoint.addresses)?;
        map.serialize_entry("conditions", &ConditionsJson(endpoint.conditions))?;
        if let Some(hostname) = &endpoint.hostname {
            map.serialize_entry("hostname", hostname)?;
        }
        if let Some(target) = &endpoint.target_ref {
            map.serialize_entry("targetRef", &ReferenceJson(target))?;
        }
        if let Some(node) = &endpoint.node_name {
            map.serialize_entry("nodeName", node)?;
        }
        if let Some(zone) = &endpoint.zone {
            map.serialize_entry("zone", zone)?;
        }
        if let Some(hints) = &endpoint.hints {
            map.serialize_entry("hints", &HintsJson(hints))?;
        }
        for (field, value) in endpoint.foreign.iter().flat_map(|f| f.iter()) {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

struct ConditionsJson(Conditions);

impl Serialize for ConditionsJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in
            [("ready", self.0.ready), ("serving", self.0.serving), ("terminating", self.0.terminating)]
        {
            if let Some(value) = value {
                map.serialize_entry(name, &value)?;
            }
        }
        map.end()
    }
}

struct ReferenceJson<'a>(&'a TargetReference);

impl Serialize for ReferenceJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let target = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in [
            ("kind", target.kind.as_str()),
            ("namespace", target.namespace.as_str()),
            ("name", target.name.as_str()),
            ("apiVersion", target.api_version.as_str()),
            ("resourceVersion", target.resource_version.as_str()),
            ("fieldPath", target.field_path.as_str()),
        ] {
            if !value.is_empty() {
                map.serialize_entry(name, value)?;
            }
        }
        if !target.uid.is_empty() {
            map.serialize_entry("uid", &Shown(&target.uid))?;
        }
        map.end()
    }
}

struct HintsJson<'a>(&'a Hints);

impl Serialize for HintsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.0.for_zones.is_empty() {
            map.serialize_entry("forZones", &Each(&self.0.for_zones, HintJson))?;
        }
        if !self.0.for_nodes.is_empty() {
            map.serialize_entry("forNodes", &Each(&self.0.for_nodes, HintJson))?;
        }
        map.end()
    }
}

struct HintJson<'a>(&'a Text);

impl Serialize for HintJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("name", self.0)?;
        map.end()
    }
}
