//! Cluster IPs and node ports. What is taken is known from the Services that are stored (see
//! [`Strategy::claims`](crate::sandbox::kinds::Strategy::claims)), so nothing has to be given back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::Rng;
use serde_json::{Value, json};
use smol_str::{SmolStr, format_smolstr};

use crate::model::address::canonical;
use crate::sandbox::status::Status;
use crate::sandbox::store::Transaction;

use super::super::field::Path;
use super::super::{formats, list_mut, set};
use super::{
    EXTERNAL_NAME, LOAD_BALANCER, NODE_PORT, NONE, V4, cluster_ips as ips_of, families as families_of,
    families::stays_preferring, kind, needs_health_check, ports, refused_field,
};

/// 10.0.0.0/12
const FIRST_V4: u32 = 0x0a00_0000;
/// fd00:1::/108
const FIRST_V6: u128 = 0xfd00_0001 << 96;
/// How many addresses each of the two ranges has.
const ADDRESSES: u32 = 1 << 20;
/// The first addresses are for those who name one.
const FOR_NAMED_IPS: u32 = 256;
const PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;
/// As many of the first ports are for those who name one.
const FOR_NAMED_PORTS: i64 = 86;
const SPEC: Path<'_> = Path::new("spec");

/// What a Service holds when it has a node port.
pub(super) fn port_claim(port: i64) -> SmolStr {
    format_smolstr!("node-port/{port}")
}

/// Gives a new Service its cluster IPs.
pub(super) fn cluster_ips(state: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
    if kind(value) == EXTERNAL_NAME || ips_of(value).next() == Some(NONE) {
        return Ok(());
    }
    let mut given: Vec<String> = ips_of(value).map(str::to_owned).collect();
    let families: Vec<String> = families_of(value).map(str::to_owned).collect();
    for (index, family) in families.iter().enumerate() {
        if index >= given.len() {
            given.push(String::new());
        }
        let shown = json!(given);
        given[index] = take(state, value, family, &given[index], &shown)?;
    }
    let first = given.first().cloned().unwrap_or_default();
    set(&mut value["spec"], "clusterIPs", json!(given));
    set(&mut value["spec"], "clusterIP", first.into());
    Ok(())
}

/// Gives a Service that gets a second family, or is no ExternalName any more, what it lacks.
pub(super) fn update_cluster_ips(
    state: &Transaction<'_>,
    new: &mut Value,
    old: &Value,
) -> Result<(), Status> {
    if stays_preferring(new, old) {
        return Ok(());
    }
    if kind(old) == EXTERNAL_NAME && kind(new) != EXTERNAL_NAME {
        return cluster_ips(state, new);
    }
    if ips_of(old).next() == Some(NONE) || kind(new) == EXTERNAL_NAME {
        return Ok(());
    }
    if families_of(old).count() == 1 && families_of(new).count() == 2 {
        let mut given: Vec<String> = ips_of(new).map(str::to_owned).collect();
        given.resize(2.max(given.len()), String::new());
        let family = families_of(new).nth(1).unwrap_or_default().to_owned();
        let shown = json!(given);
        given[1] = take(state, new, &family, &given[1], &shown)?;
        set(&mut new["spec"], "clusterIPs", json!(given));
    }
    Ok(())
}

fn take(
    state: &Transaction<'_>,
    service: &Value,
    family: &str,
    wanted: &str,
    shown: &Value,
) -> Result<String, Status> {
    if wanted.is_empty() {
        return free_ip(state, family).ok_or_else(|| {
            let name = service["metadata"]["name"].as_str().unwrap_or_default();
            let why = format!("failed to allocate a serviceIP for Service \"{name}\": range is full");
            Status::new(500, "InternalError", format!("Internal error occurred: {why}"))
        });
    }
    let refuse = |why: &str| {
        let detail = format!("failed to allocate IP {wanted}: {why}");
        Err(refused_field(service, &SPEC.child("clusterIPs"), shown, &detail))
    };
    match formats::sloppy_ip(wanted) {
        Some(ip) if in_range(ip) => {
            // kube-apiserver does not ask who has it when nothing is stored.
            if !state.is_rehearsal() && state.holder(&canonical(ip)).is_some() {
                refuse("provided IP is already allocated")
            } else {
                Ok(wanted.to_owned())
            }
        }
        _ => refuse("the provided network does not match the current range"),
    }
}

/// The first address is the network's, and the last of IPv4 is for broadcast.
fn in_range(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => (FIRST_V4 + 1..FIRST_V4 + ADDRESSES - 1).contains(&u32::from(ip)),
        IpAddr::V6(ip) => (FIRST_V6 + 1..FIRST_V6 + u128::from(ADDRESSES)).contains(&u128::from(ip)),
    }
}

fn free_ip(state: &Transaction<'_>, family: &str) -> Option<String> {
    let at = |offset: u32| {
        let ip: IpAddr = if family == V4 {
            Ipv4Addr::from(FIRST_V4 + offset).into()
        } else {
            Ipv6Addr::from(FIRST_V6 + u128::from(offset)).into()
        };
        canonical(ip)
    };
    let last = if family == V4 { ADDRESSES - 1 } else { ADDRESSES };
    let from = rand::rng().random_range(FOR_NAMED_IPS..last);
    (from..last)
        .chain(FOR_NAMED_IPS..from)
        .chain(1..FOR_NAMED_IPS)
        .map(at)
        .find(|ip| state.holder(ip).is_none())
        .map(String::from)
}

/// The ports that one write takes, besides those that are taken.
struct Taking<'a, 'b> {
    state: &'a Transaction<'b>,
    ports: Vec<i64>,
}

impl Taking<'_, '_> {
    fn take(&mut self, port: i64) -> Result<(), String> {
        if !PORTS.contains(&port) {
            return Err("provided port is not in the valid range. The range of valid ports is \
                        30000-32767"
                .to_owned());
        }
        if self.ports.contains(&port) || self.state.holder(&port_claim(port)).is_some() {
            return Err("provided port is already allocated".to_owned());
        }
        self.ports.push(port);
        Ok(())
    }

    fn take_any(&mut self) -> Result<i64, String> {
        let dynamic = PORTS.start() + FOR_NAMED_PORTS;
        let from = rand::rng().random_range(dynamic..=*PORTS.end());
        let order = (from..=*PORTS.end()).chain(dynamic..from).chain(*PORTS.start()..dynamic);
        for port in order {
            if self.take(port).is_ok() {
                return Ok(port);
            }
        }
        Err("range is full".to_owned())
    }
}

fn allocates(value: &Value) -> bool {
    match kind(value) {
        NODE_PORT => true,
        LOAD_BALANCER => value["spec"]["allocateLoadBalancerNodePorts"] != false,
        _ => false,
    }
}

fn node_port(port: &Value) -> i64 {
    port["nodePort"].as_i64().unwrap_or(0)
}

fn full(why: &str) -> Status {
    Status::new(
        500,
        "InternalError",
        format!("Internal error occurred: failed to allocate a nodePort: {why}"),
    )
}

fn refused_port(service: &Value, index: usize, port: i64, why: &str) -> Status {
    let path = SPEC.child("ports");
    let path = path.index(index);
    refused_field(service, &path.child("nodePort"), &json!(port), why)
}

/// Gives a new Service its node ports. Ports of one number and different protocols share one.
pub(super) fn node_ports(state: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
    let mut taking = Taking { state, ports: Vec::new() };
    if [NODE_PORT, LOAD_BALANCER].contains(&kind(value)) {
        let mut by_port: Vec<(i64, i64)> = Vec::new();
        let mut chosen: Vec<i64> = Vec::new();
        for (index, port) in ports(value).enumerate() {
            let (number, own) = (port["port"].as_i64().unwrap_or(0), node_port(port));
            chosen.push(own);
            if own == 0 && !allocates(value) {
                continue;
            }
            match by_port.iter().find(|(known, _)| *known == number).map(|(_, port)| *port) {
                None => {
                    let named = ports(value)
                        .find(|other| other["port"] == port["port"] && node_port(other) != 0)
                        .map_or(0, node_port);
                    if named == 0 {
                        chosen[index] = taking.take_any().map_err(|why| full(&why))?;
                    } else {
                        taking.take(named).map_err(|why| refused_port(value, index, named, &why))?;
                        chosen[index] = named;
                    }
                    by_port.push((number, chosen[index]));
                }
                Some(known) if own == 0 => chosen[index] = known,
                Some(known) if own != known => {
                    taking.take(own).map_err(|why| refused_port(value, index, own, &why))?;
                }
                Some(_) => {}
            }
        }
        write(value, &chosen);
    }
    if needs_health_check(value) { health_check(&mut taking, value) } else { Ok(()) }
}

fn write(value: &mut Value, chosen: &[i64]) {
    for (port, number) in list_mut(value, "/spec/ports").zip(chosen) {
        set(port, "nodePort", if *number == 0 { Value::Null } else { (*number).into() });
    }
}

fn health_check(taking: &mut Taking<'_, '_>, value: &mut Value) -> Result<(), Status> {
    let wanted = value["spec"]["healthCheckNodePort"].as_i64().unwrap_or(0);
    let internal = |why: String| Status::new(500, "InternalError", format!("Internal error occurred: {why}"));
    if wanted != 0 {
        return taking.take(wanted).map_err(|why| {
            internal(format!("failed to allocate requested HealthCheck NodePort {wanted}: {why}"))
        });
    }
    let port = taking
        .take_any()
        .map_err(|why| internal(format!("failed to allocate a HealthCheck NodePort 0: {why}")))?;
    value["spec"]["healthCheckNodePort"] = port.into();
    Ok(())
}

/// Gives a Service that is changed the node ports that it lacks.
pub(super) fn update_node_ports(state: &Transaction<'_>, new: &mut Value, old: &Value) -> Result<(), Status> {
    let mut taking = Taking { state, ports: Vec::new() };
    if [NODE_PORT, LOAD_BALANCER].contains(&kind(new)) {
        let mut chosen: Vec<i64> = Vec::new();
        let mut used: Vec<(String, i64)> = Vec::new();
        for (index, port) in ports(new).enumerate() {
            let mut own = node_port(port);
            if own == 0 && !allocates(new) {
                chosen.push(0);
                continue;
            }
            if own == 0 {
                own = taking.take_any().map_err(|why| full(&why))?;
            } else if !ports(old).any(|port| node_port(port) == own) && !taking.ports.contains(&own) {
                taking.take(own).map_err(|why| refused_port(new, index, own, &why))?;
            }
            chosen.push(own);
            let protocol = port["protocol"].as_str().unwrap_or_default().to_owned();
            if used.contains(&(protocol.clone(), own)) {
                let why = format!("duplicate nodePort: {{{protocol} {own}}}");
                return Err(Status::new(500, "", why));
            }
            used.push((protocol, own));
        }
        write(new, &chosen);
    }
    if !needs_health_check(old) && needs_health_check(new) { health_check(&mut taking, new) } else { Ok(()) }
}
