//! Which addresses there are: a range of each family for each Node, and the Pods' out of it.
//!
//! | what | IPv4 | IPv6 |
//! |---|---|---|
//! | Node i | 172.16.0.0/12 + i | fd00:172:16::i |
//! | its Pods | 10.128.0.0/9, the i-th /24 | fd00:10:128::/48, the i-th /64 |
//!
//! A /24 has room for 250 Pods; there are 32,768 of them, apart from the usual ranges of Services.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many Nodes get a range.
pub(super) const RANGES: u32 = 1 << 15;

const NODES_V4: u32 = u32::from_be_bytes([172, 16, 0, 0]);
const NODES_V6: u128 = 0xfd00_0172_0016 << 80;
const PODS_V4: u32 = u32::from_be_bytes([10, 128, 0, 0]);
const PODS_V6: u128 = 0xfd00_0010_0128 << 80;

/// The addresses of the Node with this number, from 1.
pub(super) fn of_node(number: u32) -> [IpAddr; 2] {
    [Ipv4Addr::from(NODES_V4 + number).into(), Ipv6Addr::from(NODES_V6 + u128::from(number)).into()]
}

/// The Pods' ranges of the Node with this number.
pub(super) fn pod_ranges(number: u32) -> [String; 2] {
    [
        format!("{}/24", Ipv4Addr::from(PODS_V4 + (number << 8))),
        format!("{}/64", Ipv6Addr::from(PODS_V6 + (u128::from(number) << 64))),
    ]
}

/// The number whose IPv4 range this is, when it is one of ours.
pub(super) fn number_of(range: &str) -> Option<u32> {
    let (address, "24") = range.split_once('/')? else { return None };
    let bits = u32::from(address.parse::<Ipv4Addr>().ok()?);
    let number = bits.checked_sub(PODS_V4)? >> 8;
    (number < RANGES).then_some(number)
}

/// One family's range of a Node. An address is named by its place in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    base: IpAddr,
    /// The last place for a Pod.
    last: u32,
}

impl Range {
    fn parse(text: &str) -> Option<Range> {
        let (address, length) = text.split_once('/')?;
        let base: IpAddr = address.parse().ok()?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let host = bits - length.parse::<u32>().ok()?.min(bits);
        // the first address is the network's, the last of IPv4 the broadcast's
        let last = if host >= 16 { u32::from(u16::MAX) - 1 } else { (1_u32 << host).saturating_sub(2) };
        Some(Range { base, last })
    }

    fn at(self, place: u32) -> IpAddr {
        match self.base {
            IpAddr::V4(base) => Ipv4Addr::from(u32::from(base).wrapping_add(place)).into(),
            IpAddr::V6(base) => Ipv6Addr::from(u128::from(base).wrapping_add(u128::from(place))).into(),
        }
    }

    fn place_of(self, address: IpAddr) -> Option<u32> {
        let place = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => u32::from(address).checked_sub(u32::from(base))?,
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                u32::try_from(u128::from(address).checked_sub(u128::from(base))?).ok()?
            }
            _ => return None,
        };
        (place <= self.last).then_some(place)
    }
}

/// A Node's ranges and which places in them are taken. A Pod has the same place in both families.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    ranges: Vec<Range>,
    taken: BTreeSet<u32>,
    /// Where the last address was given: the next is searched behind it, so that one that just became
    /// free is not given again at once.
    given: u32,
}

impl Ranges {
    /// The ranges of `spec.podCIDRs`; what cannot be read is left out.
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Ranges {
        Ranges { ranges: texts.filter_map(Range::parse).collect(), ..Ranges::default() }
    }

    /// Takes a place, and gives its address in each range. `None`: there are no ranges, or no place is free.
    pub(super) fn take(&mut self) -> Option<Vec<IpAddr>> {
        let last = self.ranges.iter().map(|range| range.last).min()?;
        let free = |place: &u32| !self.taken.contains(place);
        let place = (self.given + 1..=last).find(free).or_else(|| (1..=self.given.min(last)).find(free))?;
        self.taken.insert(place);
        self.given = place;
        Some(self.ranges.iter().map(|range| range.at(place)).collect())
    }

    /// Notes that a Pod has these addresses, wherever it got them.
    pub(super) fn note(&mut self, addresses: &[IpAddr]) {
        let places: Vec<u32> = self.places(addresses).collect();
        self.taken.extend(places);
    }

    /// Gives them back.
    pub(super) fn free(&mut self, addresses: &[IpAddr]) {
        let places: Vec<u32> = self.places(addresses).collect();
        for place in places {
            self.taken.remove(&place);
        }
    }

    fn places(&self, addresses: &[IpAddr]) -> impl Iterator<Item = u32> {
        self.ranges.iter().flat_map(|range| addresses.iter().filter_map(|address| range.place_of(*address)))
    }
}
