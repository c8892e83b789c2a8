//! Which Pods are published, and the endpoint that each of them becomes.

use std::net::IpAddr;
use std::sync::Arc;

use smol_str::SmolStr;

use super::syntax::{is_dns_label, is_dns_subdomain};
use crate::model::address::{canonical, parse_ip};
use crate::model::{
    AddressType, Addresses, Conditions, Endpoint, Hints, Nodes, Pod, Refusal, Service, TargetReference, Text,
};

/// Addresses that one endpoint may have.
const MAX_ADDRESSES: usize = 100;

/// What becomes of a Pod that the selector matches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict<'a> {
    /// Its phase is Succeeded or Failed.
    Terminal,
    /// It has no IP yet.
    NoIp,
    /// It has no Node, or one that is not known: left out until that Node appears.
    UnknownNode(Option<&'a Text>),
    /// It is published with its addresses.
    Published(Candidate<'a>),
}

/// An endpoint still in the making, whatever its address type: nothing is allocated for it until a
/// slice that holds it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate<'a> {
    /// The Pod behind it.
    pub pod: &'a Pod,
    /// All three are set.
    pub conditions: Conditions,
    /// Host name, where the Pod's subdomain is the Service.
    pub hostname: Option<&'a SmolStr>,
    /// Node name.
    pub node_name: Option<&'a Text>,
    /// Zone of the Node.
    pub zone: Option<&'a Text>,
}

/// Texts that stand in every endpoint, looked up once a plan.
#[derive(Clone, Debug)]
pub struct Words {
    pod: Text,
    empty: Text,
}

/// Decides what becomes of this Pod in the slices of this Service.
pub fn judge<'a>(service: &Service, pod: &'a Pod, nodes: &'a Nodes) -> Verdict<'a> {
    if pod.terminal {
        return Verdict::Terminal;
    }
    if !pod.has_ip {
        return Verdict::NoIp;
    }
    let node = pod.node.as_ref().and_then(|name| nodes.get(name));
    if node.is_none() && !service.publish_not_ready {
        return Verdict::UnknownNode(pod.node.as_ref());
    }
    let named = pod.hostname.as_ref().filter(|_| pod.subdomain.as_ref() == Some(&service.key.name));
    Verdict::Published(Candidate {
        pod,
        conditions: Conditions {
            ready: Some(service.publish_not_ready || (pod.ready && !pod.terminating)),
            serving: Some(pod.ready),
            terminating: Some(pod.terminating),
        },
        hostname: named.filter(|hostname| is_dns_label(hostname)),
        node_name: pod.node.as_ref().filter(|name| is_dns_subdomain(name)),
        zone: node.and_then(|node| node.zone.as_ref()),
    })
}

/// The Pod's addresses of this type in canonical text, at most [`MAX_ADDRESSES`].
pub fn addresses(pod: &Pod, address_type: &AddressType) -> Addresses {
    let mut of_type = of_type(pod, address_type);
    match (of_type.next(), of_type.next()) {
        (None, _) => Addresses::Several(Box::default()),
        (Some(one), None) => Addresses::One(canonical(one)),
        (Some(first), Some(second)) => {
            Addresses::new([first, second].into_iter().chain(of_type).take(MAX_ADDRESSES).map(canonical))
        }
    }
}

/// The Pod's addresses that cannot be published in any of these address types, with the reason. One
/// that is no IP at all belongs to every type.
pub fn refused<'a>(pod: &'a Pod, types: &'a [AddressType]) -> impl Iterator<Item = (&'a SmolStr, Refusal)> {
    pod.ips
        .refused()
        .filter(|(text, _)| parse_ip(text).map_or(true, |ip| types.contains(&AddressType::of(ip))))
}

fn of_type(pod: &Pod, address_type: &AddressType) -> impl Iterator<Item = IpAddr> {
    pod.ips.good().filter(|ip| AddressType::of(*ip) == *address_type)
}

/// Sentences on what of this Pod is left out of its endpoint because the API server would refuse it.
pub fn left_out(service: &Service, candidate: &Candidate<'_>, types: &[AddressType]) -> Vec<String> {
    let pod = candidate.pod;
    let mut sentences = Vec::new();
    for (text, refusal) in refused(pod, types) {
        sentences.push(format!(
            "Pod {}: IP {text:?} is {refusal}, expected an address that other hosts can reach; it is left out",
            pod.key
        ));
    }
    if let (Some(node), None) = (&pod.node, candidate.node_name) {
        sentences.push(format!(
            "Pod {}: nodeName {node:?} is left out, expected a lower-case DNS subdomain",
            pod.key
        ));
    }
    if let (Some(hostname), None, true) =
        (&pod.hostname, candidate.hostname, pod.subdomain.as_ref() == Some(&service.key.name))
    {
        sentences.push(format!(
            "Pod {}: hostname {hostname:?} is left out, expected a lower-case DNS label",
            pod.key
        ));
    }
    for address_type in types {
        let count = of_type(pod, address_type).count();
        if count > MAX_ADDRESSES {
            sentences.push(format!(
                "Pod {}: has {count} {address_type} addresses, expected at most {MAX_ADDRESSES}; the rest is \
                 left out",
                pod.key
            ));
        }
    }
    sentences
}

impl Words {
    /// The words.
    pub fn new() -> Words {
        Words { pod: Text::new("Pod"), empty: Text::default() }
    }
}

impl Default for Words {
    fn default() -> Words {
        Words::new()
    }
}

impl Candidate<'_> {
    /// Whether an endpoint of the same identity says the same: everything that counts as a change but
    /// the identity itself. Hints do not count.
    pub fn matches(&self, held: &Endpoint) -> bool {
        held.conditions == self.conditions
            && held.node_name.as_ref() == self.node_name
            && held.zone.as_ref() == self.zone
            && held.target_ref.as_ref().is_some_and(|target| {
                target.uid == self.pod.uid
                    && target.kind == "Pod"
                    && target.api_version.is_empty()
                    && target.field_path.is_empty()
            })
    }

    /// Whether an endpoint that [`matches`](Candidate::matches) is to the letter what
    /// [`build`](Candidate::build) would make, so that its allocation can be kept.
    pub fn is(&self, held: &Endpoint, addresses: &Addresses, hints: Option<&Hints>) -> bool {
        held.foreign.is_none()
            && held.addresses == *addresses
            && held.hostname.as_ref() == self.hostname
            && held.hints.as_deref() == hints
            && held.target_ref.as_ref().is_some_and(|target| target.resource_version.is_empty())
            && self.matches(held)
    }

    /// The endpoint.
    pub fn build(&self, words: &Words, addresses: Addresses, hints: Option<Hints>) -> Arc<Endpoint> {
        Arc::new(Endpoint {
            addresses,
            conditions: self.conditions,
            hostname: self.hostname.cloned(),
            target_ref: Some(Box::new(TargetReference {
                kind: words.pod.clone(),
                namespace: self.pod.key.namespace.clone(),
                name: self.pod.key.name.clone(),
                uid: self.pod.uid.clone(),
                api_version: words.empty.clone(),
                resource_version: SmolStr::default(),
                field_path: SmolStr::default(),
            })),
            node_name: self.node_name.cloned(),
            zone: self.zone.cloned(),
            hints: hints.map(Box::new),
            foreign: None,
        })
    }
}
