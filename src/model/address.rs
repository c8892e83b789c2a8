//! IP addresses: parsing as Kubernetes does, canonical text, and what the API server refuses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, ToSmolStr};

/// The address type of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AddressType {
    /// IPv4 addresses.
    IPv4,
    /// IPv6 addresses.
    IPv6,
    /// Host names (deprecated; we never write it) or a value that this program does not know.
    #[serde(untagged)]
    Other(SmolStr),
}

impl AddressType {
    /// The API's text.
    pub fn as_str(&self) -> &str {
        match self {
            AddressType::IPv4 => "IPv4",
            AddressType::IPv6 => "IPv6",
            AddressType::Other(text) => text,
        }
    }

    /// The type with this text.
    pub fn new(text: &str) -> AddressType {
        match text {
            "IPv4" => AddressType::IPv4,
            "IPv6" => AddressType::IPv6,
            other => AddressType::Other(SmolStr::new(other)),
        }
    }

    /// The type of this IP.
    pub fn of(ip: IpAddr) -> AddressType {
        match ip {
            IpAddr::V4(_) => AddressType::IPv4,
            IpAddr::V6(_) => AddressType::IPv6,
        }
    }
}

impl fmt::Display for AddressType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an address cannot be published. The text is the label `reason` of
/// `endpointslice_addresses_refused_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// Not an IP.
    Unparsable,
    /// An IP with a zone (`fe80::1%eth0`).
    Zoned,
    /// 0.0.0.0 or ::.
    Unspecified,
    /// 127.0.0.0/8 or ::1.
    Loopback,
    /// 169.254.0.0/16 or fe80::/10.
    LinkLocal,
    /// 224.0.0.0/24 or ffX2::/16.
    LinkLocalMulticast,
}

impl Refusal {
    /// The reason as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Unparsable => "unparsable",
            Refusal::Zoned => "zoned",
            Refusal::Unspecified => "unspecified",
            Refusal::Loopback => "loopback",
            Refusal::LinkLocal => "link-local",
            Refusal::LinkLocalMulticast => "link-local-multicast",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Unparsable => "not an IP address",
            Refusal::Zoned => "an IP address with a zone",
            Refusal::Unspecified => "the unspecified address",
            Refusal::Loopback => "a loopback address",
            Refusal::LinkLocal => "a link-local address",
            Refusal::LinkLocalMulticast => "a link-local multicast address",
        })
    }
}

/// Parses an IP as Kubernetes does: IPv4 octets with leading zeros are decimal, an IPv4-mapped IPv6
/// address is IPv4, a zone is refused.
///
/// # Errors
/// [`Refusal::Unparsable`] or [`Refusal::Zoned`].
pub fn parse_ip(text: &str) -> Result<IpAddr, Refusal> {
    if text.contains('%') {
        return Err(Refusal::Zoned);
    }
    let ip = match text.rsplit_once(':') {
        None => IpAddr::V4(parse_v4(text).ok_or(Refusal::Unparsable)?),
        Some((head, tail)) if tail.contains('.') => {
            let v4 = parse_v4(tail).ok_or(Refusal::Unparsable)?;
            format!("{head}:{v4}").parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| Refusal::Unparsable)?
        }
        Some(_) => text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| Refusal::Unparsable)?,
    };
    Ok(match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        v4 => v4,
    })
}

fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *octet = part.bytes().try_fold(0u8, |n, b| n.checked_mul(10)?.checked_add(b - b'0'))?;
    }
    parts.next().is_none().then_some(Ipv4Addr::from(octets))
}

/// Whether the API server would refuse this IP in an EndpointSlice (ValidateEndpointIP).
///
/// # Errors
/// The class of address that it refuses.
pub fn publishable(ip: IpAddr) -> Result<IpAddr, Refusal> {
    let (unspecified, loopback, link_local, link_local_multicast) = match ip {
        IpAddr::V4(v4) => {
            let o = v4.octets();
            (v4.is_unspecified(), v4.is_loopback(), v4.is_link_local(), o[0] == 224 && o[1] == 0 && o[2] == 0)
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            (v6.is_unspecified(), v6.is_loopback(), first & 0xffc0 == 0xfe80, first & 0xff0f == 0xff02)
        }
    };
    if unspecified {
        Err(Refusal::Unspecified)
    } else if loopback {
        Err(Refusal::Loopback)
    } else if link_local {
        Err(Refusal::LinkLocal)
    } else if link_local_multicast {
        Err(Refusal::LinkLocalMulticast)
    } else {
        Ok(ip)
    }
}

/// The canonical text of an IP, as the API server demands it.
pub fn canonical(ip: IpAddr) -> SmolStr {
    ip.to_smolstr()
}

/// The addresses of one endpoint; nearly always one. Any text: what others wrote is kept as it is.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addresses {
    /// Exactly one address.
    One(SmolStr),
    /// None, or more than one.
    Several(Box<[SmolStr]>),
}

impl Addresses {
    /// These addresses, in this order.
    pub fn new(addresses: impl IntoIterator<Item = SmolStr>) -> Addresses {
        let mut all: Vec<SmolStr> = addresses.into_iter().collect();
        match all.len() {
            1 => Addresses::One(all.remove(0)),
            _ => Addresses::Several(all.into_boxed_slice()),
        }
    }

    /// The addresses as a slice.
    pub fn as_slice(&self) -> &[SmolStr] {
        match self {
            Addresses::One(one) => std::slice::from_ref(one),
            Addresses::Several(all) => all,
        }
    }

    /// The same addresses with order ignored and repetitions removed, for comparing identities.
    pub fn sorted(&self) -> Addresses {
        match self {
            Addresses::One(_) => self.clone(),
            Addresses::Several(all) => {
                let mut all = all.to_vec();
                all.sort();
                all.dedup();
                Addresses::new(all)
            }
        }
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl Serialize for Addresses {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Refusal> {
        parse_ip(text).map(|ip| canonical(ip).to_string())
    }

    #[test]
    fn leading_zeros_are_decimal() {
        assert_eq!(read("010.001.000.255"), Ok("10.1.0.255".into()));
        assert_eq!(read("::ffff:010.0.0.1"), Ok("10.0.0.1".into()));
    }

    #[test]
    fn ipv6_is_shortened_and_mapped_is_ipv4() {
        assert_eq!(read("FD00:0:0:0:0:0:0:1"), Ok("fd00::1".into()));
        assert_eq!(read("::ffff:10.0.0.1"), Ok("10.0.0.1".into()));
        assert_eq!(read("::ffff:a00:1"), Ok("10.0.0.1".into()));
        assert_eq!(read("64:ff9b::10.0.0.1"), Ok("64:ff9b::a00:1".into()));
    }

    #[test]
    fn what_is_no_ip_is_refused_with_the_reason() {
        for text in [
            "",
            "10.0.0",
            "10.0.0.256",
            "10.0.0.1.2",
            "a",
            "10.0.0.1000000000000000",
            "1:2",
            ":::",
            "10.0.0.+1",
        ] {
            assert_eq!(read(text), Err(Refusal::Unparsable), "{text}");
        }
        assert_eq!(read("fe80::1%eth0"), Err(Refusal::Zoned));
    }

    #[test]
    fn cve_2021_25737_refused_addresses_are_those_of_the_api_server() {
        for (text, expected) in [
            ("0.0.0.0", Some(Refusal::Unspecified)),
            ("::", Some(Refusal::Unspecified)),
            ("127.1.2.3", Some(Refusal::Loopback)),
            ("::1", Some(Refusal::Loopback)),
            ("169.254.1.1", Some(Refusal::LinkLocal)),
            ("fe80::1", Some(Refusal::LinkLocal)),
            ("febf::1", Some(Refusal::LinkLocal)),
            ("224.0.0.5", Some(Refusal::LinkLocalMulticast)),
            ("ff02::1", Some(Refusal::LinkLocalMulticast)),
            ("ff12::1", Some(Refusal::LinkLocalMulticast)),
            ("224.0.1.1", None),
            ("239.1.1.1", None),
            ("ff01::1", None),
            ("ff05::1", None),
            ("255.255.255.255", None),
            ("10.0.0.1", None),
            ("fd00::1", None),
        ] {
            assert_eq!(publishable(parse_ip(text).unwrap()).err(), expected, "{text}");
        }
    }
}
