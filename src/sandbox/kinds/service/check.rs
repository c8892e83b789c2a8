//! What a Service must be.

use serde_json::Value;

use crate::sandbox::status::FieldError;

use super::super::endpointslice::PROTOCOLS;
use super::super::field::{self, Path};
use super::super::{formats, metadata};
use super::{
    CLUSTER_IP, EXTERNAL_NAME, LOAD_BALANCER, NODE_PORT, cluster_ip, cluster_ips, families, headless, kind,
    needs_health_check, outside, ports, updates,
};

const SPEC: Path<'_> = Path::new("spec");
const TYPES: [&str; 4] = [CLUSTER_IP, EXTERNAL_NAME, LOAD_BALANCER, NODE_PORT];
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
/// A day.
const MOST_AFFINITY_SECONDS: i64 = 86_400;
const BALANCED_ONLY: &str = "may only be used when `type` is 'LoadBalancer'";

/// What is wrong with a Service, alone or after `old`.
pub(super) fn check(new: &Value, old: Option<&Value>, wrong: &mut Vec<FieldError>) {
    let spec = &new["spec"];
    annotations(new, wrong);
    if spec["ports"].is_null() && !headless(new) && kind(new) != EXTERNAL_NAME {
        wrong.push(field::required(&SPEC.child("ports"), ""));
    }
    by_type(new, wrong);
    let path = SPEC.child("ports");
    let mut names = Vec::new();
    let many = ports(new).count() > 1;
    for (index, each) in ports(new).enumerate() {
        port(each, many, &mut names, &path.index(index), wrong);
    }
    wrong.extend(metadata::check_labels(&spec["selector"], &SPEC.child("selector")));
    affinity(spec, wrong);
    wrong.extend(families::check(new, old));
    external_ips(new, old, wrong);
    if !TYPES.contains(&kind(new)) {
        wrong.push(field::not_supported(&SPEC.child("type"), kind(new), &TYPES));
    }
    duplicates(new, wrong);
    load_balancer(new, wrong);
    traffic(new, wrong);
}

fn annotations(new: &Value, wrong: &mut Vec<FieldError>) {
    let annotations = &new["metadata"]["annotations"];
    let (mode, hints) = (annotations[TOPOLOGY_MODE].as_str(), annotations[TOPOLOGY_HINTS].as_str());
    if let (Some(mode), Some(hints)) = (mode, hints)
        && mode != hints
    {
        let detail = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        let path = Path::new("metadata");
        let path = path.child("annotations");
        wrong.push(field::invalid_text(&path.key(TOPOLOGY_MODE), mode, &detail));
    }
}

fn by_type(new: &Value, wrong: &mut Vec<FieldError>) {
    match kind(new) {
        kind @ (LOAD_BALANCER | NODE_PORT) if headless(new) => {
            let path = SPEC.child("clusterIPs");
            let detail = format!("may not be set to 'None' for {kind} services");
            wrong.push(field::invalid_text(&path.index(0), super::NONE, &detail));
        }
        EXTERNAL_NAME => {
            let none = "may not be set for ExternalName services";
            if cluster_ips(new).next().is_some() {
                wrong.push(field::forbidden(&SPEC.child("clusterIPs"), none));
            }
            if families(new).next().is_some() {
                wrong.push(field::forbidden(&SPEC.child("ipFamilies"), none));
            }
            if !new["spec"]["ipFamilyPolicy"].is_null() {
                wrong.push(field::forbidden(&SPEC.child("ipFamilyPolicy"), none));
            }
            let name = new["spec"]["externalName"].as_str().unwrap_or_default();
            let path = SPEC.child("externalName");
            match name.strip_suffix('.').unwrap_or(name) {
                "" => wrong.push(field::required(&path, "")),
                name => wrong.extend(formats::all(&path, name, formats::dns_subdomain)),
            }
        }
        _ => {}
    }
}

fn port<'a>(
    port: &'a Value,
    named: bool,
    names: &mut Vec<&'a str>,
    path: &Path<'_>,
    wrong: &mut Vec<FieldError>,
) {
    let name = port["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        if named {
            wrong.push(field::required(&path.child("name"), ""));
        }
    } else {
        wrong.extend(formats::all(&path.child("name"), name, formats::dns_label));
        if names.contains(&name) {
            wrong.push(field::duplicate(&path.child("name"), &port["name"]));
        }
        names.push(name);
    }
    if let Some(detail) = formats::port_number(port["port"].as_i64().unwrap_or(0)) {
        wrong.push(field::invalid(&path.child("port"), &port["port"], &detail));
    }
    let protocol = port["protocol"].as_str().unwrap_or_default();
    if !PROTOCOLS.contains(&protocol) {
        wrong.push(field::not_supported(&path.child("protocol"), protocol, &PROTOCOLS));
    }
    wrong.extend(formats::port_number_or_name(&port["targetPort"], &path.child("targetPort")));
    if let Some(name) = port["appProtocol"].as_str() {
        wrong.extend(formats::all(&path.child("appProtocol"), name, formats::qualified_name));
    }
}

fn affinity(spec: &Value, wrong: &mut Vec<FieldError>) {
    let config = SPEC.child("sessionAffinityConfig");
    match spec["sessionAffinity"].as_str().unwrap_or_default() {
        "ClientIP" => {
            let path = config.child("clientIP");
            let seconds = &spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"];
            if !(1..=MOST_AFFINITY_SECONDS).contains(&seconds.as_i64().unwrap_or(0)) {
                let detail = format!("must be greater than 0 and less than {MOST_AFFINITY_SECONDS}");
                wrong.push(field::invalid(&path.child("timeoutSeconds"), seconds, &detail));
            }
        }
        "None" => {
            if !spec["sessionAffinityConfig"].is_null() {
                wrong.push(field::forbidden(&config, "must not be set when session affinity is None"));
            }
        }
        other => {
            let path = SPEC.child("sessionAffinity");
            wrong.push(field::not_supported(&path, other, &["ClientIP", "None"]));
        }
    }
}

fn external_ips(new: &Value, old: Option<&Value>, wrong: &mut Vec<FieldError>) {
    let path = SPEC.child("externalIPs");
    for (index, ip) in metadata::texts(&new["spec"]["externalIPs"]).enumerate() {
        let known = old.is_some_and(|old| metadata::texts(&old["spec"]["externalIPs"]).any(|old| old == ip));
        let found = if known { Vec::new() } else { formats::legacy_ip(&path.index(index), ip) };
        if found.is_empty() {
            wrong.extend(formats::endpoint_ip(&path.index(index), ip));
        }
        wrong.extend(found);
    }
}

fn duplicates(new: &Value, wrong: &mut Vec<FieldError>) {
    let path = SPEC.child("ports");
    if kind(new) == CLUSTER_IP {
        for (index, _) in
            ports(new).enumerate().filter(|(_, port)| port["nodePort"].as_i64().unwrap_or(0) != 0)
        {
            let detail = "may not be used when `type` is 'ClusterIP'";
            wrong.push(field::forbidden(&path.index(index).child("nodePort"), detail));
        }
    }
    let mut seen = Vec::new();
    for (index, port) in ports(new).enumerate().filter(|(_, port)| !port["nodePort"].is_null()) {
        let this = (&port["protocol"], &port["nodePort"]);
        if seen.contains(&this) {
            wrong.push(field::duplicate(&path.index(index).child("nodePort"), &port["nodePort"]));
        }
        seen.push(this);
    }
    let mut seen = Vec::new();
    for (index, port) in ports(new).enumerate() {
        let this = (&port["protocol"], &port["port"]);
        if seen.contains(&this) {
            // The key by which they are compared, as Go prints it.
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{},\"AppProtocol\":null,\"Port\":{},\"TargetPort\":0,\
                 \"NodePort\":0}}",
                this.0, this.1
            );
            wrong.push(field::duplicate_shown(&path.index(index), &shown));
        }
        seen.push(this);
    }
}

fn load_balancer(new: &Value, wrong: &mut Vec<FieldError>) {
    let spec = &new["spec"];
    let balanced = kind(new) == LOAD_BALANCER;
    if !spec["loadBalancerSourceRanges"].is_null() && !balanced {
        wrong.push(field::forbidden(&SPEC.child("LoadBalancerSourceRanges"), BALANCED_ONLY));
    }
    let path = SPEC.child("LoadBalancerSourceRanges");
    for (index, range) in metadata::texts(&spec["loadBalancerSourceRanges"]).enumerate() {
        wrong.extend(formats::legacy_cidr(&path.index(index), range.trim()));
    }
    if !spec["allocateLoadBalancerNodePorts"].is_null() && !balanced {
        wrong.push(field::forbidden(&SPEC.child("allocateLoadBalancerNodePorts"), BALANCED_ONLY));
    }
    updates::load_balancer_class(new, None, wrong);
}

fn traffic(new: &Value, wrong: &mut Vec<FieldError>) {
    let spec = &new["spec"];
    let text = |name: &str| spec[name].as_str().unwrap_or_default();
    let (path, policy) = (SPEC.child("externalTrafficPolicy"), text("externalTrafficPolicy"));
    match (outside(new), policy) {
        (false, "") | (true, "Cluster" | "Local") => {}
        (false, _) => {
            let detail = "may only be set for externally-accessible services";
            wrong.push(field::invalid_text(&path, policy, detail));
        }
        (true, "") => wrong.push(field::required(&path, "")),
        (true, _) => wrong.push(field::not_supported(&path, policy, &["Cluster", "Local"])),
    }
    let (path, port) = (SPEC.child("healthCheckNodePort"), &spec["healthCheckNodePort"]);
    if needs_health_check(new) {
        match port.as_i64() {
            None => wrong.push(field::required(&path, "")),
            Some(number) => {
                wrong.extend(formats::port_number(number).map(|detail| field::invalid(&path, port, &detail)));
            }
        }
    } else if !port.is_null() {
        let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        wrong.push(field::invalid(&path, port, detail));
    }
    let path = SPEC.child("internalTrafficPolicy");
    if let Some(policy) = spec["internalTrafficPolicy"].as_str()
        && !["Cluster", "Local"].contains(&policy)
    {
        wrong.push(field::not_supported(&path, policy, &["Cluster", "Local"]));
    }
    let all = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    if let Some(distribution) = spec["trafficDistribution"].as_str()
        && !all.contains(&distribution)
    {
        wrong.push(field::not_supported(&SPEC.child("trafficDistribution"), distribution, &all));
    }
}

/// What is wrong with a new status.
pub(super) fn status(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) {
    let path = Path::new("status");
    let path = path.child("loadBalancer");
    let path = path.child("ingress");
    let list = |value: &'_ Value| {
        let list = value["status"]["loadBalancer"]["ingress"].as_array();
        list.cloned().unwrap_or_default()
    };
    let (now, before) = (list(new), list(old));
    if kind(new) != LOAD_BALANCER && !now.is_empty() {
        wrong.push(field::forbidden(&path, "may only be used when `spec.type` is 'LoadBalancer'"));
        return;
    }
    for (index, ingress) in now.iter().enumerate() {
        let path = path.index(index);
        if let Some(ip) = ingress["ip"].as_str() {
            if !before.iter().any(|before| before["ip"] == ip) {
                wrong.extend(formats::legacy_ip(&path.child("ip"), ip));
            }
            match ingress["ipMode"].as_str() {
                None => {
                    let detail = "must be specified when `ip` is set";
                    wrong.push(field::required(&path.child("ipMode"), detail));
                }
                Some("VIP" | "Proxy") => {}
                Some(mode) => {
                    wrong.push(field::not_supported(&path.child("ipMode"), mode, &["Proxy", "VIP"]));
                }
            }
        } else if !ingress["ipMode"].is_null() {
            let detail = "may not be specified when `ip` is not set";
            wrong.push(field::forbidden(&path.child("ipMode"), detail));
        }
        if let Some(name) = ingress["hostname"].as_str() {
            wrong.extend(formats::all(&path.child("hostname"), name, formats::dns_subdomain));
            if formats::sloppy_ip(name).is_some() {
                let detail = "must be a DNS name, not an IP address";
                wrong.push(field::invalid_text(&path.child("hostname"), name, detail));
            }
        }
    }
}

/// What is told of a Service that is stored.
pub(super) fn warnings(new: &Value) -> Vec<String> {
    let spec = &new["spec"];
    let text = |name: &str| spec[name].as_str().unwrap_or_default();
    let headless = kind(new) == CLUSTER_IP && cluster_ip(new) == super::NONE;
    let outside = !spec["externalIPs"].is_null();
    let mut all = Vec::new();
    if !new["metadata"]["annotations"][TOPOLOGY_HINTS].is_null() {
        all.push(format!("annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead"));
    }
    let path = SPEC.child("clusterIPs");
    for (index, ip) in cluster_ips(new).enumerate().filter(|(_, ip)| *ip != super::NONE) {
        all.extend(formats::ip_warning(&path.index(index), ip));
    }
    if headless {
        if !text("loadBalancerIP").is_empty() {
            all.push("spec.loadBalancerIP is ignored for headless services".to_owned());
        }
        if outside {
            all.push("spec.externalIPs is ignored for headless services".to_owned());
        }
        if text("sessionAffinity") != "None" {
            all.push("spec.SessionAffinity is ignored for headless services".to_owned());
        }
    }
    let path = SPEC.child("externalIPs");
    for (index, ip) in metadata::texts(&spec["externalIPs"]).enumerate() {
        all.extend(formats::ip_warning(&path.index(index), ip));
    }
    if outside && !headless && kind(new) != EXTERNAL_NAME {
        let text = "spec.externalIPs is deprecated and may no longer be implemented in some clusters";
        all.push(text.to_owned());
    }
    all.extend(formats::ip_warning(&SPEC.child("loadBalancerIP"), text("loadBalancerIP")));
    if kind(new) == EXTERNAL_NAME && outside {
        all.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if kind(new) != EXTERNAL_NAME && !text("externalName").is_empty() {
        all.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if text("trafficDistribution") == "PreferClose" {
        let text = "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"";
        all.push(text.to_owned());
    }
    all
}
