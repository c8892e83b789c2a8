//! What an update of a Service keeps, drops, and may not change.

use serde_json::{Value, json};

use crate::sandbox::status::FieldError;

use super::super::field::{self, Path};
use super::super::{list_mut, set};
use super::{
    EXTERNAL_NAME, LOAD_BALANCER, NODE_PORT, SINGLE, cluster_ip, cluster_ips, families, headless, kind,
    needs_health_check, outside, policy, ports,
};

const SPEC: Path<'_> = Path::new("spec");

fn node_ports(value: &Value) -> Vec<i64> {
    ports(value).filter_map(|port| port["nodePort"].as_i64()).filter(|port| *port != 0).collect()
}

fn wants_node_ports(value: &Value) -> bool {
    kind(value) == NODE_PORT
        || kind(value) == LOAD_BALANCER && value["spec"]["allocateLoadBalancerNodePorts"] != false
}

/// What was allocated stays when the update does not name it: a manifest can be sent again.
pub(super) fn keep_allocated(new: &mut Value, old: &Value) {
    if kind(old) != EXTERNAL_NAME && kind(new) != EXTERNAL_NAME {
        if cluster_ip(new).is_empty() {
            set(&mut new["spec"], "clusterIP", old["spec"]["clusterIP"].clone());
        }
        if cluster_ips(new).next().is_none() {
            set(&mut new["spec"], "clusterIPs", old["spec"]["clusterIPs"].clone());
        }
    }
    if wants_node_ports(old) && wants_node_ports(new) {
        let kept: Vec<i64> =
            node_ports(old).into_iter().filter(|port| node_ports(new).contains(port)).collect();
        for port in list_mut(new, "/spec/ports") {
            if port["nodePort"].as_i64().unwrap_or(0) != 0 {
                continue;
            }
            // Of ports of the same name, the last counts.
            let before = ports(old).filter(|old| old["name"] == port["name"]).last();
            let before = before.and_then(|old| old["nodePort"].as_i64()).unwrap_or(0);
            if before != 0 && !kept.contains(&before) {
                port["nodePort"] = before.into();
            }
        }
    }
    if needs_health_check(old) && needs_health_check(new) && new["spec"]["healthCheckNodePort"].is_null() {
        set(&mut new["spec"], "healthCheckNodePort", old["spec"]["healthCheckNodePort"].clone());
    }
}

/// Clients that know one address only change or clear both fields with it.
pub(super) fn match_cluster_ips(new: &mut Value, old: &Value) {
    if cluster_ips(new).next().is_none() && cluster_ip(new) == cluster_ip(old) {
        set(&mut new["spec"], "clusterIPs", old["spec"]["clusterIPs"].clone());
    }
    // Upstream compares with `sameClusterIPs` of the lists alone here.
    if cluster_ip(new) != cluster_ip(old) && cluster_ips(new).eq(cluster_ips(old)) {
        let ips = if cluster_ip(new).is_empty() { Value::Null } else { json!([cluster_ip(new)]) };
        set(&mut new["spec"], "clusterIPs", ips);
    }
}

/// What the new type does not have is dropped, if it was not changed as well.
pub(super) fn drop_what_the_type_has_not(new: &mut Value, old: &Value) {
    if kind(old) != EXTERNAL_NAME && kind(new) == EXTERNAL_NAME {
        if cluster_ip(new) == cluster_ip(old) && cluster_ips(new).eq(cluster_ips(old)) {
            set(&mut new["spec"], "clusterIP", Value::Null);
            set(&mut new["spec"], "clusterIPs", Value::Null);
        }
        for name in ["ipFamilies", "ipFamilyPolicy"] {
            if new["spec"][name] == old["spec"][name] {
                set(&mut new["spec"], name, Value::Null);
            }
        }
    }
    let has_node_ports = |value: &Value| [NODE_PORT, LOAD_BALANCER].contains(&kind(value));
    if has_node_ports(old) && !has_node_ports(new) {
        let before = node_ports(old);
        if node_ports(new).iter().all(|port| before.contains(port)) {
            for port in list_mut(new, "/spec/ports") {
                set(port, "nodePort", Value::Null);
            }
        }
    }
    let balanced = |value: &Value| kind(value) == LOAD_BALANCER;
    let drops = [
        ("healthCheckNodePort", needs_health_check(old) && !needs_health_check(new)),
        ("allocateLoadBalancerNodePorts", balanced(old) && !balanced(new)),
        ("loadBalancerClass", balanced(old) && !balanced(new)),
        ("externalTrafficPolicy", outside(old) && !outside(new)),
    ];
    for (name, drops) in drops {
        if drops && new["spec"][name] == old["spec"][name] {
            set(&mut new["spec"], name, Value::Null);
        }
    }
    if !balanced(new) {
        new["status"]["loadBalancer"] = json!({});
    }
}

/// What an update may not change.
pub(super) fn check(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) {
    if kind(new) != EXTERNAL_NAME && kind(old) != EXTERNAL_NAME {
        addresses(new, old, wrong);
        if !headless(new) && !headless(old) {
            check_families(new, old, wrong);
        }
    }
    load_balancer_class(new, Some(old), wrong);
    if needs_health_check(old)
        && needs_health_check(new)
        && new["spec"]["healthCheckNodePort"] != old["spec"]["healthCheckNodePort"]
    {
        wrong.push(field::forbidden(&SPEC.child("healthCheckNodePort"), "field is immutable"));
    }
}

fn addresses(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) {
    if headless(new) && headless(old) {
        return;
    }
    let path = SPEC.child("clusterIPs");
    let shown = &new["spec"]["clusterIPs"];
    let (now, before): (Vec<&str>, Vec<&str>) = (cluster_ips(new).collect(), cluster_ips(old).collect());
    if now.len() == before.len() {
        for (index, (now, before)) in now.iter().zip(&before).enumerate() {
            if now != before {
                wrong.push(field::invalid(&path.index(index), shown, "may not change once set"));
            }
        }
        return;
    }
    if now.is_empty() {
        wrong.push(field::invalid(&path.index(0), shown, "primary clusterIP can not be unset"));
    } else if !before.is_empty() && now[0] != before[0] {
        wrong.push(field::invalid(&path.index(0), shown, "may not change once set"));
    }
    if before.len() > now.len() && now.len() == 1 && policy(new) != SINGLE {
        let detail = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        wrong.push(field::invalid(&SPEC.child("ipFamilyPolicy"), &new["spec"]["ipFamilyPolicy"], detail));
    }
}

fn check_families(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) {
    let path = SPEC.child("ipFamilies");
    let path = path.index(0);
    let (now, before): (Vec<&str>, Vec<&str>) = (families(new).collect(), families(old).collect());
    if now.len() == before.len() {
        for (now, before) in now.iter().zip(&before) {
            if now != before {
                wrong.push(field::invalid(&path, &new["spec"]["ipFamilies"], "may not change once set"));
            }
        }
        return;
    }
    if before.len() > now.len() && cluster_ips(new).next().is_none() {
        let detail = "primary ipFamily can not be unset";
        wrong.push(field::invalid(&path, &new["spec"]["ipFamilies"], detail));
    }
    if let (Some(now), Some(before)) = (now.first(), before.first())
        && now != before
    {
        // It shows the addresses, as upstream does.
        wrong.push(field::invalid(&path, &new["spec"]["clusterIPs"], "may not change once set"));
    }
    if before.len() > now.len() && now.len() == 1 && policy(new) != SINGLE {
        let detail = "must be set to 'SingleStack' when releasing the secondary ipFamily";
        wrong.push(field::invalid(&SPEC.child("ipFamilyPolicy"), &new["spec"]["ipFamilyPolicy"], detail));
    }
}

/// `loadBalancerClass` is for load balancers, and does not change.
pub(super) fn load_balancer_class(new: &Value, old: Option<&Value>, wrong: &mut Vec<FieldError>) {
    let path = SPEC.child("loadBalancerClass");
    let value = &new["spec"]["loadBalancerClass"];
    if kind(new) != LOAD_BALANCER {
        if !value.is_null() {
            wrong.push(field::forbidden(&path, "may only be used when `type` is 'LoadBalancer'"));
        }
        return;
    }
    if old.is_some_and(|old| kind(old) == LOAD_BALANCER && old["spec"]["loadBalancerClass"] != *value) {
        wrong.push(field::invalid(&path, value, "may not change once set"));
    }
    if let Some(name) = value.as_str() {
        wrong.extend(super::formats::all(&path, name, super::formats::qualified_name));
    }
}
