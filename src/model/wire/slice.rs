//! EndpointSlices from JSON. Fields that are not known are kept, so that a rewrite loses nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use smol_str::SmolStr;

use super::DecodeError;
use super::decode::WireReference;
use super::lenient::{Identity, List, Moment, Pairs, Str};
use crate::model::{
    AddressType, Addresses, Conditions, Endpoint, Foreign, Hints, OwnerReference, Port, Protocol, Slice,
    Text, Uid,
};

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireSliceMeta<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) generate_name: Str<'a>,
    #[serde(borrow)]
    pub(super) namespace: Str<'a>,
    #[serde(borrow)]
    pub(super) uid: Str<'a>,
    #[serde(borrow)]
    pub(super) resource_version: Str<'a>,
    #[serde(borrow)]
    pub(super) labels: Pairs<'a>,
    #[serde(borrow)]
    pub(super) annotations: Pairs<'a>,
    #[serde(borrow)]
    pub(super) deletion_timestamp: Moment<'a>,
    #[serde(borrow)]
    pub(super) owner_references: List<WireOwner<'a>>,
    #[serde(borrow)]
    pub(super) finalizers: List<Str<'a>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireOwner<'a> {
    #[serde(borrow)]
    pub(super) api_version: Str<'a>,
    #[serde(borrow)]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) uid: Str<'a>,
    pub(super) controller: Option<bool>,
    pub(super) block_owner_deletion: Option<bool>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WirePort<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) protocol: Str<'a>,
    pub(super) port: Option<i32>,
    #[serde(borrow)]
    pub(super) app_protocol: Option<Str<'a>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(super) struct WireConditions {
    pub(super) ready: Option<bool>,
    pub(super) serving: Option<bool>,
    pub(super) terminating: Option<bool>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireHints<'a> {
    #[serde(borrow)]
    pub(super) for_zones: List<WireHint<'a>>,
    #[serde(borrow)]
    pub(super) for_nodes: List<WireHint<'a>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(super) struct WireHint<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
}

/// An endpoint, read straight into its row.
struct WireEndpoint(Endpoint);

impl<'de> Deserialize<'de> for WireEndpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = WireEndpoint;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an endpoint")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireEndpoint, A::Error> {
                let mut row = Endpoint {
                    addresses: Addresses::new([]),
                    conditions: Conditions::default(),
                    hostname: None,
                    target_ref: None,
                    node_name: None,
                    zone: None,
                    hints: None,
                    foreign: None,
                };
                while let Some(field) = map.next_key::<Str<'de>>()? {
                    match &*field {
                        "addresses" => {
                            let all: List<Str<'de>> = map.next_value()?;
                            row.addresses = Addresses::new(all.iter().map(Str::smol));
                        }
                        "conditions" => {
                            let c = map.next_value::<Option<WireConditions>>()?.unwrap_or_default();
                            row.conditions =
                                Conditions { ready: c.ready, serving: c.serving, terminating: c.terminating };
                        }
                        "hostname" => row.hostname = map.next_value::<Option<Str<'de>>>()?.map(|s| s.smol()),
                        "nodeName" => row.node_name = map.next_value::<Option<Str<'de>>>()?.map(|s| s.text()),
                        "zone" => row.zone = map.next_value::<Option<Str<'de>>>()?.map(|s| s.text()),
                        "targetRef" => {
                            let reference: Option<WireReference<'de>> = map.next_value()?;
                            row.target_ref = reference.map(|r| Box::new(r.row()));
                        }
                        "hints" => {
                            let hints: Option<WireHints<'de>> = map.next_value()?;
                            row.hints = hints.map(|h| Box::new(read_hints(&h)));
                        }
                        other => {
                            let value: Value = map.next_value()?;
                            if !value.is_null() {
                                row.foreign.get_or_insert_default().insert(other.to_owned(), value);
                            }
                        }
                    }
                }
                Ok(WireEndpoint(row))
            }
        }
        deserializer.deserialize_map(V)
    }
}

fn read_hints(hints: &WireHints<'_>) -> Hints {
    Hints {
        for_zones: hints.for_zones.iter().map(|z| z.name.text()).collect(),
        for_nodes: hints.for_nodes.iter().map(|n| n.name.text()).collect(),
    }
}

#[derive(Default)]
pub(super) struct WireSlice<'a> {
    pub(super) metadata: WireSliceMeta<'a>,
    pub(super) address_type: Str<'a>,
    pub(super) ports: List<WirePort<'a>>,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    pub(super) fields: BTreeMap<String, Value>,
}

impl<'de: 'a, 'a> Deserialize<'de> for WireSlice<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = WireSlice<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an EndpointSlice")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireSlice<'de>, A::Error> {
                let mut slice = WireSlice::default();
                while let Some(field) = map.next_key::<Str<'de>>()? {
                    match &*field {
                        "metadata" => {
                            slice.metadata =
                                map.next_value::<Option<WireSliceMeta<'de>>>()?.unwrap_or_default();
                        }
                        "addressType" => slice.address_type = map.next_value()?,
                        "ports" => slice.ports = map.next_value()?,
                        "endpoints" => {
                            let endpoints: List<WireEndpoint> = map.next_value()?;
                            slice.endpoints = endpoints.0.into_iter().map(|e| Arc::new(e.0)).collect();
                        }
                        "apiVersion" | "kind" => {
                            map.next_value::<serde::de::IgnoredAny>()?;
                        }
                        other => {
                            let value: Value = map.next_value()?;
                            if !value.is_null() {
                                slice.fields.insert(other.to_owned(), value);
                            }
                        }
                    }
                }
                Ok(slice)
            }
        }
        deserializer.deserialize_map(V)
    }
}

/// An EndpointSlice from JSON.
///
/// # Errors
/// When the text is not JSON of that shape; see [`super::read_meta`] for the metadata.
pub fn decode_slice(json: &[u8]) -> Result<Slice, DecodeError> {
    slice_row(serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?)
}

fn wrong(message: String) -> DecodeError {
    DecodeError { kind: "EndpointSlice", message }
}

/// The row of a slice, whatever it was read from.
pub(super) fn slice_row(slice: WireSlice<'_>) -> Result<Slice, DecodeError> {
    let meta = slice.metadata;
    let (key, uid, version) = Identity {
        name: &meta.name,
        namespace: &meta.namespace,
        uid: &meta.uid,
        version: &meta.resource_version,
    }
    .read()
    .map_err(wrong)?;
    let finalizers: Vec<String> = meta.finalizers.iter().map(|f| f.to_string()).collect();
    let foreign = (!finalizers.is_empty() || !slice.fields.is_empty())
        .then(|| Box::new(Foreign { finalizers, fields: slice.fields }));
    Ok(Slice {
        key,
        uid,
        version,
        generate_name: meta.generate_name.smol(),
        labels: meta.labels.labels(),
        annotations: meta.annotations.labels(),
        deleting: meta.deletion_timestamp.is_set(),
        owners: meta.owner_references.iter().map(owner).collect(),
        address_type: AddressType::new(&slice.address_type),
        ports: slice.ports.iter().map(port).collect(),
        endpoints: slice.endpoints,
        foreign,
    })
}

fn owner(owner: &WireOwner<'_>) -> OwnerReference {
    OwnerReference {
        api_version: Text::new(&owner.api_version),
        kind: Text::new(&owner.kind),
        name: SmolStr::new(&*owner.name),
        uid: Uid::new(&owner.uid),
        controller: owner.controller,
        block_owner_deletion: owner.block_owner_deletion,
    }
}

fn port(port: &WirePort<'_>) -> Port {
    Port {
        name: port.name.as_ref().map(|n| n.text()),
        protocol: Protocol::new(&port.protocol),
        port: port.port,
        app_protocol: port.app_protocol.as_ref().map(|p| p.text()),
    }
}
