//! What the API server would refuse in a slice: it is left out and said, so that it does not keep
//! the rest from being mirrored.
//!
//! Left out is the smallest part: an address that cannot be published; a port with a name or a
//! protocol that cannot be; of an address its host name or node name, of a port its appProtocol.

use std::collections::BTreeSet;
use std::net::IpAddr;

use smol_str::SmolStr;

use crate::model::address::{parse_ip, publishable};
use crate::model::{EndpointsPort, Protocol, Refusal, Text};
use crate::plan::syntax::{is_dns_label, is_dns_subdomain, is_qualified_name};

/// What was left out of one Endpoints object, counted as it occurs in canonical subsets.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// Addresses that cannot be published, with the first of each reason.
    pub addresses: Vec<(Refusal, usize, SmolStr)>,
    /// Addresses beyond the limit.
    pub too_many: usize,
    /// Sentences about fields and ports.
    pub fields: BTreeSet<String>,
}

impl LeftOut {
    /// The IP of this text, if it can be published.
    pub fn ip(&mut self, text: &SmolStr) -> Option<IpAddr> {
        let refusal = match parse_ip(text).and_then(publishable) {
            Ok(ip) => return Some(ip),
            Err(refusal) => refusal,
        };
        match self.addresses.iter_mut().find(|(known, _, _)| *known == refusal) {
            Some((_, count, _)) => *count += 1,
            None => self.addresses.push((refusal, 1, text.clone())),
        }
        None
    }

    /// How many addresses cannot be published.
    pub fn invalid(&self) -> usize {
        self.addresses.iter().map(|(_, count, _)| count).sum()
    }

    /// The port as it may be written.
    pub fn port(&mut self, port: &EndpointsPort) -> Option<EndpointsPort> {
        if !port.name.is_empty() && !is_dns_label(&port.name) {
            self.fields
                .insert(format!("port name {:?}: expected a DNS label; the port is left out", &*port.name));
            return None;
        }
        if let Protocol::Other(protocol) = &port.protocol {
            self.fields
                .insert(format!("protocol {protocol:?}: expected TCP, UDP or SCTP; the port is left out"));
            return None;
        }
        let app_protocol =
            self.keep("appProtocol", "a qualified name", port.app_protocol.clone(), |text: &Text| {
                is_qualified_name(text)
            });
        Some(EndpointsPort { app_protocol, ..port.clone() })
    }

    /// The host name as it may be written.
    pub fn hostname(&mut self, hostname: Option<SmolStr>) -> Option<SmolStr> {
        self.keep("hostname", "a DNS label", hostname, |text: &SmolStr| is_dns_label(text))
    }

    /// The node name as it may be written.
    pub fn node_name(&mut self, node: Option<Text>) -> Option<Text> {
        self.keep("nodeName", "a DNS subdomain", node, |text: &Text| is_dns_subdomain(text))
    }

    fn keep<T: AsRef<str>>(
        &mut self,
        field: &str,
        expected: &str,
        value: Option<T>,
        accepted: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let value = value?;
        if accepted(&value) {
            return Some(value);
        }
        self.fields.insert(format!("{field} {:?}: expected {expected}; it is left out", value.as_ref()));
        None
    }
}
