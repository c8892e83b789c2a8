//! EndpointSlices.

use serde_json::{Value, json};

use crate::sandbox::status::FieldError;

use super::field::{self, Path};
use super::{Strategy, formats, list, list_mut, metadata};

/// How EndpointSlices are treated.
pub struct EndpointSlices;

const TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
/// What a port may speak.
pub(super) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const MOST_ENDPOINTS: usize = 1000;
const MOST_ADDRESSES: usize = 100;
const MOST_PORTS: usize = 20_000;
const MOST_HINTS: usize = 8;
/// Their slices are written with good addresses; those of others are looked through for bad ones.
const CAREFUL: [&str; 2] = ["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"];

impl Strategy for EndpointSlices {
    fn go_type(&self) -> &'static str {
        "discovery.EndpointSlice"
    }

    fn default(&self, value: &mut Value) {
        for port in list_mut(value, "/ports") {
            if port["name"].is_null() {
                port["name"] = "".into();
            }
            if port["protocol"].is_null() {
                port["protocol"] = "TCP".into();
            }
        }
        // Only v1beta1 could set it; what v1 sends of it is dropped.
        for endpoint in list_mut(value, "/endpoints").filter_map(Value::as_object_mut) {
            endpoint.remove("deprecatedTopology");
        }
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut wrong = match old {
            Some(old) => metadata::check_common_update(new, old, true),
            None => Vec::new(),
        };
        wrong.extend(metadata::check(new, true, formats::dns_subdomain));
        let kind = new["addressType"].as_str().unwrap_or_default();
        let path = Path::new("addressType");
        if kind.is_empty() {
            wrong.push(field::required(&path, ""));
        } else if !TYPES.contains(&kind) {
            wrong.push(field::not_supported(&path, kind, &TYPES));
        }
        ports(&new["ports"], &mut wrong);
        // What an older version allowed may stay.
        if old.is_none_or(|old| old["endpoints"] != new["endpoints"]) {
            endpoints(&new["endpoints"], kind, &mut wrong);
        }
        if let Some(old) = old {
            wrong.extend(field::immutable(&path, &new["addressType"], &old["addressType"]));
        }
        wrong
    }

    fn moves_generation(&self, new: &Value, old: &Value) -> bool {
        ["endpoints", "ports", "addressType"].into_iter().any(|name| new[name] != old[name])
            || new["metadata"]["labels"] != old["metadata"]["labels"]
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut all = Vec::new();
        if old.is_none() && new["addressType"] == "FQDN" {
            all.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
        }
        let label = &new["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"];
        if CAREFUL.iter().any(|name| label == name) {
            return all;
        }
        let path = Path::new("endpoints");
        for (index, endpoint) in list(&new["endpoints"]).enumerate() {
            for (place, address) in metadata::texts(&endpoint["addresses"]).enumerate() {
                all.extend(formats::ip_warning(&path.index(index).child("addresses").index(place), address));
            }
        }
        all
    }
}

fn ports(value: &Value, wrong: &mut Vec<FieldError>) {
    let path = Path::new("ports");
    let count = list(value).count();
    if count > MOST_PORTS {
        wrong.push(field::too_many(&path, count, MOST_PORTS));
        return;
    }
    let mut names = std::collections::HashSet::new();
    for (index, port) in list(value).enumerate() {
        let path = path.index(index);
        let name = port["name"].as_str().unwrap_or_default();
        if !name.is_empty() {
            wrong.extend(formats::all(&path.child("name"), name, formats::dns_label));
        }
        if !names.insert(name) {
            wrong.push(field::duplicate_shown(&path.child("name"), &json!(name).to_string()));
        }
        let protocol = port["protocol"].as_str().unwrap_or_default();
        if !PROTOCOLS.contains(&protocol) {
            wrong.push(field::not_supported(&path.child("protocol"), protocol, &PROTOCOLS));
        }
        if let Some(name) = port["appProtocol"].as_str() {
            wrong.extend(formats::all(&path.child("appProtocol"), name, formats::qualified_name));
        }
    }
}

fn endpoints(value: &Value, kind: &str, wrong: &mut Vec<FieldError>) {
    let path = Path::new("endpoints");
    let count = list(value).count();
    if count > MOST_ENDPOINTS {
        wrong.push(field::too_many(&path, count, MOST_ENDPOINTS));
        return;
    }
    for (index, endpoint) in list(value).enumerate() {
        let path = path.index(index);
        addresses(&endpoint["addresses"], kind, &path.child("addresses"), wrong);
        if let Some(name) = endpoint["nodeName"].as_str() {
            wrong.extend(formats::all(&path.child("nodeName"), name, formats::dns_subdomain));
        }
        if let Some(name) = endpoint["hostname"].as_str() {
            wrong.extend(formats::all(&path.child("hostname"), name, formats::dns_label));
        }
        let hints = &endpoint["hints"];
        let path = path.child("hints");
        if hinted(&hints["forZones"], &path.child("forZones"), formats::label_value, wrong) {
            hinted(&hints["forNodes"], &path.child("forNodes"), formats::dns_subdomain, wrong);
        }
    }
}

fn addresses(value: &Value, kind: &str, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    match list(value).count() {
        0 => wrong.push(field::required(path, "must contain at least 1 address")),
        count if count > MOST_ADDRESSES => wrong.push(field::too_many(path, count, MOST_ADDRESSES)),
        _ => {}
    }
    for (index, address) in metadata::texts(value).enumerate() {
        let at = path.index(index);
        let found = match kind {
            "IPv4" => formats::legacy_ip(&at, address),
            "IPv6" => formats::strict_ip(&at, address),
            "FQDN" => {
                wrong.extend(formats::fully_qualified_domain_name(&at, address));
                continue;
            }
            _ => continue,
        };
        if !found.is_empty() {
            wrong.extend(found);
            continue;
        }
        if address.contains(':') != (kind == "IPv6") {
            let family = if kind == "IPv4" { "IPv4" } else { "IPv6" };
            wrong.push(field::invalid_text(path, address, &format!("must be an {family} address")));
        }
        wrong.extend(formats::endpoint_ip(&at, address));
    }
}

/// Whether there were not too many of them, so that the others are looked at.
fn hinted(value: &Value, path: &Path<'_>, names: metadata::Names, wrong: &mut Vec<FieldError>) -> bool {
    let count = list(value).count();
    if count > MOST_HINTS {
        wrong.push(field::too_many(path, count, MOST_HINTS));
        return false;
    }
    let mut seen = Vec::new();
    for (index, hint) in list(value).enumerate() {
        let at = path.index(index);
        let at = at.child("name");
        let name = hint["name"].as_str().unwrap_or_default();
        if seen.contains(&name) {
            wrong.push(field::duplicate(&at, &hint["name"]));
        }
        seen.push(name);
        wrong.extend(formats::all(&at, name, names));
    }
    true
}
