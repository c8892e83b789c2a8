//! EndpointSlices as protobuf, straight from their rows, in the envelope that every body has.

use std::fmt::Display;

use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::Value;

use crate::model::{Endpoint, OwnerReference, Port, Slice, TargetReference};

/// The mark of Kubernetes' protobuf, and `runtime.Unknown` with `typeMeta` of an EndpointSlice.
const HEAD: &[u8] = b"k8s\0\x0a\x24\x0a\x13discovery.k8s.io/v1\x12\x0dEndpointSlice";
const RAW: u32 = 2;

/// The protobuf that is sent for this slice: all of the object. `None` when something foreign stands on
/// it that only JSON says.
pub fn encode_slice(slice: &Slice) -> Option<Vec<u8>> {
    if slice.foreign.as_ref().is_some_and(|foreign| !foreign.fields.is_empty()) {
        return None;
    }
    let mut foreign = slice.endpoints.iter().filter_map(|endpoint| endpoint.foreign.as_ref());
    if !foreign.all(|fields| fields.iter().all(|(field, value)| field == TOPOLOGY && only_texts(value))) {
        return None;
    }
    let mut out = Out(Vec::with_capacity(512 + 256 * slice.endpoints.len()));
    out.0.extend_from_slice(HEAD);
    out.message(RAW, |out| write_slice(out, slice));
    Some(out.0)
}

/// The one foreign field of endpoints that has a number.
const TOPOLOGY: &str = "deprecatedTopology";

fn only_texts(topology: &Value) -> bool {
    topology.as_object().is_some_and(|topology| topology.values().all(Value::is_string))
}

fn write_slice(out: &mut Out, slice: &Slice) {
    out.message(1, |out| write_meta(out, slice));
    for endpoint in &slice.endpoints {
        out.message(2, |out| write_endpoint(out, endpoint));
    }
    for port in slice.ports.iter() {
        out.message(3, |out| write_port(out, port));
    }
    out.text(4, slice.address_type.as_str());
}

fn write_meta(out: &mut Out, slice: &Slice) {
    out.text(1, &slice.key.name);
    out.unless_empty(2, &slice.generate_name);
    out.text(3, &slice.key.namespace);
    if !slice.uid.is_empty() {
        out.shown(5, &slice.uid);
    }
    if slice.version != 0 {
        out.shown(6, &slice.version);
    }
    for (key, value) in slice.labels.iter() {
        out.entry(11, key, value);
    }
    for (key, value) in slice.annotations.iter() {
        out.entry(12, key, value);
    }
    for owner in slice.owners.iter() {
        out.message(13, |out| write_owner(out, owner));
    }
    for finalizer in slice.foreign.iter().flat_map(|foreign| &foreign.finalizers) {
        out.text(14, finalizer);
    }
}

fn write_owner(out: &mut Out, owner: &OwnerReference) {
    out.text(1, &owner.kind);
    out.text(3, &owner.name);
    out.shown(4, &owner.uid);
    out.text(5, &owner.api_version);
    out.flag(6, owner.controller);
    out.flag(7, owner.block_owner_deletion);
}

fn write_endpoint(out: &mut Out, endpoint: &Endpoint) {
    for address in endpoint.addresses.as_slice() {
        out.text(1, address);
    }
    out.message(2, |out| {
        out.flag(1, endpoint.conditions.ready);
        out.flag(2, endpoint.conditions.serving);
        out.flag(3, endpoint.conditions.terminating);
    });
    if let Some(hostname) = &endpoint.hostname {
        out.text(3, hostname);
    }
    if let Some(target) = &endpoint.target_ref {
        out.message(4, |out| write_reference(out, target));
    }
    let topology = endpoint.foreign.iter().filter_map(|foreign| foreign.get(TOPOLOGY)?.as_object());
    for (key, value) in topology.flatten() {
        out.entry(5, key, value.as_str().unwrap_or_default());
    }
    if let Some(node) = &endpoint.node_name {
        out.text(6, node);
    }
    if let Some(zone) = &endpoint.zone {
        out.text(7, zone);
    }
    if let Some(hints) = &endpoint.hints {
        out.message(8, |out| {
            for zone in &hints.for_zones {
                out.message(1, |out| out.text(1, zone));
            }
            for node in &hints.for_nodes {
                out.message(2, |out| out.text(1, node));
            }
        });
    }
}

fn write_reference(out: &mut Out, target: &TargetReference) {
    out.unless_empty(1, &target.kind);
    out.unless_empty(2, &target.namespace);
    out.unless_empty(3, &target.name);
    if !target.uid.is_empty() {
        out.shown(4, &target.uid);
    }
    out.unless_empty(5, &target.api_version);
    out.unless_empty(6, &target.resource_version);
    out.unless_empty(7, &target.field_path);
}

fn write_port(out: &mut Out, port: &Port) {
    if let Some(name) = &port.name {
        out.text(1, name);
    }
    out.text(2, port.protocol.as_str());
    if let Some(number) = port.port {
        encode_key(3, WireType::Varint, &mut out.0);
        // A negative number is sign-extended, as protobuf has it for int32.
        encode_varint(i64::from(number) as u64, &mut out.0);
    }
    if let Some(app) = &port.app_protocol {
        out.text(4, app);
    }
}

/// A message that is being written.
struct Out(Vec<u8>);

impl Out {
    fn text(&mut self, number: u32, text: &str) {
        encode_key(number, WireType::LengthDelimited, &mut self.0);
        encode_varint(text.len() as u64, &mut self.0);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn unless_empty(&mut self, number: u32, text: &str) {
        if !text.is_empty() {
            self.text(number, text);
        }
    }

    fn shown(&mut self, number: u32, value: &impl Display) {
        use std::io::Write;
        self.message(number, |out| {
            // Writing to memory does not fail.
            let _ = write!(out.0, "{value}");
        });
    }

    fn flag(&mut self, number: u32, flag: Option<bool>) {
        if let Some(flag) = flag {
            encode_key(number, WireType::Varint, &mut self.0);
            self.0.push(u8::from(flag));
        }
    }

    fn entry(&mut self, number: u32, key: &str, value: &str) {
        self.message(number, |out| {
            out.text(1, key);
            out.text(2, value);
        });
    }

    /// What `write` writes, with its length before it. Most are short: one byte is kept free for the
    /// length, and what was written moves on when that is not enough.
    fn message(&mut self, number: u32, write: impl FnOnce(&mut Out)) {
        encode_key(number, WireType::LengthDelimited, &mut self.0);
        let at = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - at - 1;
        if let Ok(length @ 0..=127) = u8::try_from(length) {
            self.0[at] = length;
            return;
        }
        let mut prefix = Vec::with_capacity(5);
        encode_varint(length as u64, &mut prefix);
        self.0.splice(at..=at, prefix);
    }
}
