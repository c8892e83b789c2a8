//! How much memory the rows of a resource take: an estimate for a metric, made by walking them all.
//!
//! What rows share (label sets, interned texts, endpoints) is counted once. Exact would be what the
//! allocator says; this is within a few tenths of it, and is told apart by resource.

use std::collections::BTreeMap;
use std::mem::size_of;

use serde_json::Value;
use smol_str::SmolStr;

use super::{Map, Set};
use crate::model::{
    Addresses, Endpoint, Endpoints, Foreign, Hints, Key, Labels, Meta, Node, OwnerReference, Pod, Service,
    Slice, TargetReference, Text, Uid,
};

/// Two counters stand before every shared value.
const SHARED: usize = 2 * size_of::<usize>();

/// A sum of bytes that counts what is shared only once.
#[derive(Default)]
pub(crate) struct Bytes {
    seen: Set<usize>,
    sum: usize,
}

impl Bytes {
    /// The sum.
    pub(crate) fn sum(self) -> usize {
        self.sum
    }

    /// The table behind a hash map, without what its keys and values point to.
    pub(crate) fn map<K, V>(&mut self, map: &Map<K, V>) {
        self.table::<(K, V)>(map.capacity());
    }

    /// The table behind a hash set.
    pub(crate) fn set<M>(&mut self, set: &Set<M>) {
        self.table::<M>(set.capacity());
    }

    /// A vector with this capacity, without what its elements point to.
    pub(crate) fn vec<E>(&mut self, capacity: usize) {
        self.sum += capacity * size_of::<E>();
    }

    fn table<E>(&mut self, capacity: usize) {
        // A table is at most seven eighths full and has one control byte a place.
        self.sum += capacity * 8 / 7 * (size_of::<E>() + 1);
    }

    fn shared(&mut self, at: *const u8, bytes: usize) {
        if bytes > 0 && self.seen.insert(at as usize) {
            self.sum += SHARED + bytes;
        }
    }

    pub(crate) fn name(&mut self, name: &SmolStr) {
        if name.is_heap_allocated() {
            self.shared(name.as_ptr(), name.len());
        }
    }

    pub(crate) fn text(&mut self, text: &Text) {
        self.shared(text.as_ptr(), text.len());
    }

    pub(crate) fn key(&mut self, key: &Key) {
        self.text(&key.namespace);
        self.name(&key.name);
    }

    pub(crate) fn uid(&mut self, uid: &Uid) {
        if let Uid::Other(text) = uid {
            self.shared(text.as_ptr(), text.len());
        }
    }

    pub(crate) fn meta(&mut self, meta: &Meta) {
        self.key(&meta.key);
        self.uid(&meta.uid);
    }

    fn labels(&mut self, labels: &Labels) {
        let pairs = labels.iter().as_slice();
        let at = pairs.as_ptr().cast();
        if pairs.is_empty() || self.seen.contains(&(at as usize)) {
            return;
        }
        self.shared(at, size_of_val(pairs));
        for (name, value) in pairs {
            self.text(name);
            self.text(value);
        }
    }

    fn texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a Text>) {
        texts.into_iter().for_each(|text| self.text(text));
    }

    fn names<'a>(&mut self, names: impl IntoIterator<Item = &'a SmolStr>) {
        names.into_iter().for_each(|name| self.name(name));
    }

    pub(crate) fn pod(&mut self, pod: &Pod) {
        self.sum += SHARED + size_of::<Pod>();
        self.key(&pod.key);
        self.uid(&pod.uid);
        self.labels(&pod.labels);
        self.texts(&pod.node);
        self.names(pod.hostname.iter().chain(&pod.subdomain));
        if let crate::model::pod::Ips::Several(ips) = &pod.ips {
            self.sum += size_of_val(&**ips);
        }
        self.shared(pod.ports.as_ptr().cast(), size_of_val(&*pod.ports));
    }

    pub(crate) fn service(&mut self, service: &Service) {
        self.sum += SHARED + size_of::<Service>();
        self.key(&service.key);
        self.uid(&service.uid);
        self.labels(&service.labels);
        service.selector.iter().for_each(|selector| self.labels(selector));
        self.vec::<crate::model::AddressType>(service.ip_families.capacity());
        self.vec::<crate::model::ServicePort>(service.ports.capacity());
        for port in &service.ports {
            self.texts([&port.name].into_iter().chain(&port.app_protocol));
        }
        self.names(service.traffic_distribution.iter().chain([&service.cluster_ip]));
    }

    pub(crate) fn node(&mut self, node: &Node) {
        self.sum += SHARED + size_of::<Node>();
        self.key(&node.key);
        self.uid(&node.uid);
        self.texts(&node.zone);
    }

    pub(crate) fn endpoints(&mut self, endpoints: &Endpoints) {
        self.sum += SHARED + size_of::<Endpoints>();
        self.key(&endpoints.key);
        self.uid(&endpoints.uid);
        self.labels(&endpoints.labels);
        self.labels(&endpoints.annotations);
        self.vec::<crate::model::Subset>(endpoints.subsets.capacity());
        for subset in &endpoints.subsets {
            for addresses in [&subset.addresses, &subset.not_ready] {
                self.vec::<crate::model::EndpointsAddress>(addresses.capacity());
                for address in addresses {
                    self.names([&address.ip].into_iter().chain(&address.hostname));
                    self.texts(&address.node_name);
                    address.target_ref.iter().for_each(|target| self.target(target));
                }
            }
            self.vec::<crate::model::EndpointsPort>(subset.ports.capacity());
            for port in &subset.ports {
                self.texts([&port.name].into_iter().chain(&port.app_protocol));
            }
        }
    }

    pub(crate) fn slice(&mut self, slice: &Slice) {
        self.sum += SHARED + size_of::<Slice>();
        self.key(&slice.key);
        self.uid(&slice.uid);
        self.name(&slice.generate_name);
        self.labels(&slice.labels);
        self.labels(&slice.annotations);
        self.shared(slice.owners.as_ptr().cast(), size_of_val(&*slice.owners));
        for OwnerReference { api_version, kind, name, uid, .. } in &*slice.owners {
            self.texts([api_version, kind]);
            self.name(name);
            self.uid(uid);
        }
        self.shared(slice.ports.as_ptr().cast(), size_of_val(&*slice.ports));
        for port in &*slice.ports {
            self.texts(port.name.iter().chain(&port.app_protocol));
        }
        self.vec::<std::sync::Arc<Endpoint>>(slice.endpoints.capacity());
        slice.endpoints.iter().for_each(|endpoint| self.endpoint(endpoint));
        if let Some(foreign) = &slice.foreign {
            self.sum += size_of::<Foreign>() + foreign.finalizers.iter().map(String::len).sum::<usize>();
            self.fields(&foreign.fields);
        }
    }

    fn endpoint(&mut self, endpoint: &std::sync::Arc<Endpoint>) {
        if !self.seen.insert(std::sync::Arc::as_ptr(endpoint) as usize) {
            return;
        }
        self.sum += SHARED + size_of::<Endpoint>();
        if let Addresses::Several(addresses) = &endpoint.addresses {
            self.sum += size_of_val(&**addresses);
        }
        self.names(endpoint.addresses.as_slice().iter().chain(&endpoint.hostname));
        self.texts(endpoint.node_name.iter().chain(&endpoint.zone));
        if let Some(target) = &endpoint.target_ref {
            self.sum += size_of::<TargetReference>();
            self.target(target);
        }
        if let Some(hints) = &endpoint.hints {
            let texts = hints.for_zones.capacity() + hints.for_nodes.capacity();
            self.sum += size_of::<Hints>() + texts * size_of::<Text>();
        }
        endpoint.foreign.iter().for_each(|fields| self.fields(fields));
    }

    fn target(&mut self, target: &TargetReference) {
        self.texts([&target.kind, &target.namespace, &target.api_version]);
        self.names([&target.name, &target.resource_version, &target.field_path]);
        self.uid(&target.uid);
    }

    fn fields(&mut self, fields: &BTreeMap<String, Value>) {
        self.sum += size_of::<BTreeMap<String, Value>>();
        self.sum += fields.iter().map(|(name, value)| member(name, value)).sum::<usize>();
    }
}

fn member(name: &str, value: &Value) -> usize {
    size_of::<String>() + name.len() + size_of::<Value>() + value_bytes(value)
}

/// What a JSON value points to.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(all) => all.iter().map(|one| size_of::<Value>() + value_bytes(one)).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| member(name, value)).sum(),
    }
}
