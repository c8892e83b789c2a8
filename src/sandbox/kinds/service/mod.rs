//! Services.

mod allocate;
mod check;
mod families;
mod updates;

use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::sandbox::Kind;
use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::{Key, Transaction};

use super::field::{self, Path};
use super::{Strategy, formats, list, list_mut, metadata, set};

/// How Services are treated.
pub struct Services;

const CLIENT_IP_SECONDS: i64 = 10_800;

impl Strategy for Services {
    fn go_type(&self) -> &'static str {
        "core.Service"
    }

    fn default(&self, value: &mut Value) {
        default(value);
    }

    fn on_create(&self, state: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
        value["status"] = json!({"loadBalancer": {}});
        // Clients that know one address only.
        if !cluster_ip(value).is_empty() && cluster_ips(value).next().is_none() {
            value["spec"]["clusterIPs"] = json!([cluster_ip(value)]);
        }
        families::settle(value, None)?;
        allocate::cluster_ips(state, value)?;
        allocate::node_ports(state, value)
    }

    fn on_update(
        &self,
        state: &Transaction<'_>,
        new: &mut Value,
        old: &Value,
        subresource: Option<&str>,
    ) -> Result<(), Status> {
        if subresource == Some("status") {
            new["spec"] = old["spec"].clone();
            return Ok(());
        }
        new["status"] = old["status"].clone();
        updates::keep_allocated(new, old);
        updates::match_cluster_ips(new, old);
        families::settle(new, Some(old))?;
        allocate::update_cluster_ips(state, new, old)?;
        allocate::update_node_ports(state, new, old)?;
        updates::drop_what_the_type_has_not(new, old);
        Ok(())
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut wrong = match old {
            None => metadata::check(new, true, formats::dns_label),
            Some(old) => {
                let mut wrong = metadata::check_common_update(new, old, true);
                wrong.extend(metadata::check_update(new, old));
                wrong
            }
        };
        match old {
            Some(old) if old["status"] != new["status"] => check::status(new, old, &mut wrong),
            Some(old) => updates::check(new, old, &mut wrong),
            None => {}
        }
        if old.is_none_or(|old| old["status"] == new["status"]) {
            check::check(new, old, &mut wrong);
        }
        wrong
    }

    fn warnings(&self, new: &Value, _: Option<&Value>) -> Vec<String> {
        check::warnings(new)
    }

    fn fields(&self, value: &Value) -> Vec<(&'static str, SmolStr)> {
        vec![("spec.clusterIP", cluster_ip(value).into()), ("spec.type", kind(value).into())]
    }

    fn claims(&self, value: &Value) -> Vec<SmolStr> {
        let mut claims = Vec::new();
        if kind(value) != EXTERNAL_NAME {
            claims.extend(cluster_ips(value).filter(|ip| *ip != NONE).map(SmolStr::from));
        }
        let ports = ports(value).filter_map(|port| port["nodePort"].as_i64());
        claims.extend(ports.chain(value["spec"]["healthCheckNodePort"].as_i64()).map(allocate::port_claim));
        claims.dedup();
        claims
    }

    fn after_delete(&self, state: &mut Transaction<'_>, key: &Key) {
        state.remove(Kind::Endpoints, key);
    }
}

const CLUSTER_IP: &str = "ClusterIP";
const NODE_PORT: &str = "NodePort";
const LOAD_BALANCER: &str = "LoadBalancer";
const EXTERNAL_NAME: &str = "ExternalName";
/// The cluster IP of a headless Service.
const NONE: &str = "None";
const V4: &str = "IPv4";
const V6: &str = "IPv6";
const SINGLE: &str = "SingleStack";
const PREFER: &str = "PreferDualStack";
const REQUIRE: &str = "RequireDualStack";

fn kind(value: &Value) -> &str {
    value["spec"]["type"].as_str().unwrap_or_default()
}

fn cluster_ip(value: &Value) -> &str {
    value["spec"]["clusterIP"].as_str().unwrap_or_default()
}

fn cluster_ips(value: &Value) -> impl Iterator<Item = &str> {
    metadata::texts(&value["spec"]["clusterIPs"])
}

fn families(value: &Value) -> impl Iterator<Item = &str> {
    metadata::texts(&value["spec"]["ipFamilies"])
}

fn policy(value: &Value) -> &str {
    value["spec"]["ipFamilyPolicy"].as_str().unwrap_or_default()
}

fn ports(value: &Value) -> impl Iterator<Item = &Value> {
    list(&value["spec"]["ports"])
}

/// Whether it has no address of its own, by design.
fn headless(value: &Value) -> bool {
    let mut ips = cluster_ips(value);
    ips.next() == Some(NONE) && ips.next().is_none()
}

fn family_of(ip: &str) -> &'static str {
    if ip.contains(':') { V6 } else { V4 }
}

fn other_family(family: &str) -> &'static str {
    if family == V4 { V6 } else { V4 }
}

/// Whether its ports may be reached from outside of the cluster.
fn outside(value: &Value) -> bool {
    match kind(value) {
        LOAD_BALANCER | NODE_PORT => true,
        CLUSTER_IP => !value["spec"]["externalIPs"].is_null(),
        _ => false,
    }
}

fn needs_health_check(value: &Value) -> bool {
    kind(value) == LOAD_BALANCER && value["spec"]["externalTrafficPolicy"] == "Local"
}

fn refused(value: &Value, errors: &[FieldError]) -> Status {
    Status::invalid(Kind::Service, value["metadata"]["name"].as_str().unwrap_or_default(), errors)
}

fn refused_field(value: &Value, path: &Path<'_>, shown: &Value, detail: &str) -> Status {
    refused(value, &[field::invalid(path, shown, detail)])
}

fn default(value: &mut Value) {
    let outside = outside(value);
    let spec = &mut value["spec"];
    if spec["sessionAffinity"].is_null() {
        spec["sessionAffinity"] = "None".into();
    }
    if spec["sessionAffinity"] == "None" {
        set(spec, "sessionAffinityConfig", Value::Null);
    }
    if spec["sessionAffinity"] == "ClientIP"
        && spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].is_null()
    {
        spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": CLIENT_IP_SECONDS}});
    }
    if spec["type"].is_null() {
        spec["type"] = CLUSTER_IP.into();
    }
    for port in list_mut(spec, "/ports") {
        if port["protocol"].is_null() {
            port["protocol"] = "TCP".into();
        }
        if port["targetPort"] == 0 || port["targetPort"] == "" {
            port["targetPort"] = port["port"].clone();
        }
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    let outside = outside || kind == CLUSTER_IP && !spec["externalIPs"].is_null();
    if outside && spec["externalTrafficPolicy"].is_null() {
        spec["externalTrafficPolicy"] = "Cluster".into();
    }
    if spec["internalTrafficPolicy"].is_null()
        && [NODE_PORT, LOAD_BALANCER, CLUSTER_IP].contains(&kind.as_str())
    {
        spec["internalTrafficPolicy"] = "Cluster".into();
    }
    if kind == EXTERNAL_NAME {
        // It is dropped when it is read, since it was set by mistake once.
        set(spec, "internalTrafficPolicy", Value::Null);
    }
    if kind == LOAD_BALANCER {
        if spec["allocateLoadBalancerNodePorts"].is_null() {
            spec["allocateLoadBalancerNodePorts"] = true.into();
        }
        for ingress in list_mut(value, "/status/loadBalancer/ingress") {
            if !ingress["ip"].is_null() && ingress["ipMode"].is_null() {
                ingress["ipMode"] = "VIP".into();
            }
        }
    }
}
