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
        if !port.name.is_empty() && !dns_label(&port.name) {
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
                qualified_name(text)
            });
        Some(EndpointsPort { app_protocol, ..port.clone() })
    }

    /// The host name as it may be written.
    pub fn hostname(&mut self, hostname: Option<SmolStr>) -> Option<SmolStr> {
        self.keep("hostname", "a DNS label", hostname, |text: &SmolStr| dns_label(text))
    }

    /// The node name as it may be written.
    pub fn node_name(&mut self, node: Option<Text>) -> Option<Text> {
        self.keep("nodeName", "a DNS subdomain", node, |text: &Text| dns_subdomain(text))
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

fn dns_label(text: &str) -> bool {
    let edge = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = text.as_bytes();
    let edges = bytes.first().copied().is_some_and(edge) && bytes.last().copied().is_some_and(edge);
    text.len() <= 63 && edges && bytes.iter().all(|&c| edge(c) || c == b'-')
}

fn dns_subdomain(text: &str) -> bool {
    // The parts of a subdomain may each be longer than a label.
    let part = |part: &str| {
        let edge = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let bytes = part.as_bytes();
        let edges = bytes.first().copied().is_some_and(edge) && bytes.last().copied().is_some_and(edge);
        edges && bytes.iter().all(|&c| edge(c) || c == b'-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

fn qualified_name(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let bytes = name.as_bytes();
    let edge = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
    prefix.is_none_or(dns_subdomain)
        && name.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_accepted_as_the_api_server_does() {
        let long = "a".repeat(64);
        for (text, label, subdomain, qualified) in [
            ("a", true, true, true),
            ("a-1", true, true, true),
            ("1", true, true, true),
            ("", false, false, false),
            ("-a", false, false, false),
            ("a-", false, false, false),
            ("A", false, false, true),
            ("a.b", false, true, true),
            ("a..b", false, false, true),
            ("a_b", false, false, true),
            ("kubernetes.io/h2c", false, false, true),
            ("/h2c", false, false, false),
            ("kubernetes.io/", false, false, false),
            ("a/b/c", false, false, false),
            ("é", false, false, false),
            (&*long, false, true, false),
        ] {
            assert_eq!(dns_label(text), label, "label {text}");
            assert_eq!(dns_subdomain(text), subdomain, "subdomain {text}");
            assert_eq!(qualified_name(text), qualified, "qualified {text}");
        }
    }
}
