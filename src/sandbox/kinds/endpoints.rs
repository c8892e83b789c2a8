//! Endpoints.

use serde_json::Value;

use crate::sandbox::status::FieldError;

use super::endpointslice::PROTOCOLS;
use super::field::{self, Path};
use super::{Strategy, formats, list, list_mut, metadata};

/// How Endpoints are treated.
pub struct EndpointsObjects;

impl Strategy for EndpointsObjects {
    fn go_type(&self) -> &'static str {
        "core.Endpoints"
    }

    fn default(&self, value: &mut Value) {
        for subset in list_mut(value, "/subsets") {
            for port in list_mut(subset, "/ports") {
                if port["protocol"].is_null() {
                    port["protocol"] = "TCP".into();
                }
            }
        }
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        if let Some(old) = old {
            wrong.extend(metadata::check_common_update(new, old, true));
            wrong.extend(metadata::check_update(new, old));
        }
        wrong.extend(metadata::check(new, true, formats::dns_subdomain));
        // What an older version allowed may stay.
        if old.is_none_or(|old| old["subsets"] != new["subsets"]) {
            let path = Path::new("subsets");
            for (index, each) in list(&new["subsets"]).enumerate() {
                subset(each, &path.index(index), &mut wrong);
            }
        }
        wrong
    }

    fn warnings(&self, new: &Value, _: Option<&Value>) -> Vec<String> {
        if new["metadata"]["labels"]["endpoints.kubernetes.io/managed-by"] == "endpoint-controller" {
            return Vec::new();
        }
        let path = Path::new("subsets");
        let mut all = Vec::new();
        for (index, each) in list(&new["subsets"]).enumerate() {
            let path = path.index(index);
            for name in ["addresses", "notReadyAddresses"] {
                for (place, address) in list(&each[name]).enumerate() {
                    let text = address["ip"].as_str().unwrap_or_default();
                    all.extend(formats::ip_warning(&path.child(name).index(place).child("ip"), text));
                }
            }
        }
        all
    }
}

fn subset(value: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    if value["addresses"].is_null() && value["notReadyAddresses"].is_null() {
        wrong.push(field::required(path, "must specify `addresses` or `notReadyAddresses`"));
    }
    for name in ["addresses", "notReadyAddresses"] {
        let path = path.child(name);
        for (index, each) in list(&value[name]).enumerate() {
            address(each, &path.index(index), wrong);
        }
    }
    let path = path.child("ports");
    let many = list(&value["ports"]).count() > 1;
    for (index, each) in list(&value["ports"]).enumerate() {
        port(each, many, &path.index(index), wrong);
    }
}

fn address(value: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    let ip = value["ip"].as_str().unwrap_or_default();
    wrong.extend(formats::legacy_ip(&path.child("ip"), ip));
    if let Some(name) = value["hostname"].as_str() {
        wrong.extend(formats::all(&path.child("hostname"), name, formats::dns_label));
    }
    if let Some(name) = value["nodeName"].as_str() {
        wrong.extend(formats::all(&path.child("nodeName"), name, formats::dns_subdomain));
    }
    wrong.extend(formats::endpoint_ip(&path.child("ip"), ip));
}

fn port(value: &Value, named: bool, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    match value["name"].as_str().unwrap_or_default() {
        "" if named => wrong.push(field::required(&path.child("name"), "")),
        "" => {}
        name => wrong.extend(formats::all(&path.child("name"), name, formats::dns_label)),
    }
    if let Some(detail) = formats::port_number(value["port"].as_i64().unwrap_or(0)) {
        wrong.push(field::invalid(&path.child("port"), &value["port"], &detail));
    }
    let protocol = value["protocol"].as_str().unwrap_or_default();
    if !PROTOCOLS.contains(&protocol) {
        wrong.push(field::not_supported(&path.child("protocol"), protocol, &PROTOCOLS));
    }
    if let Some(name) = value["appProtocol"].as_str() {
        wrong.extend(formats::all(&path.child("appProtocol"), name, formats::qualified_name));
    }
}
