//! Names of slices, computed rather than drawn: a create that is repeated after a lost answer or a
//! crash asks for the same name again, meets AlreadyExists and cannot leave a twin.
//!
//! # The name
//! `<service>-` cut to 58 bytes ([`base`]), then five characters of
//! `bcdfghjklmnpqrstvwxz2456789`, which [`Names::next`] computes:
//!
//! 1. The input is a list of fields. Each is written as its UTF-8 bytes, or as the one byte `0xFE`
//!    if it is absent, and is ended by the byte `0xFF`; neither byte occurs in UTF-8, so two lists
//!    are never written alike. The fields are: the loop (`selector` or `mirroring`), the owner's uid
//!    as text, the address type as text; then of each port its name, its protocol, its number in
//!    decimal and its appProtocol, the ports in the order of these written bytes; then, only if names
//!    are drawn, the seed in decimal; last the number k in decimal.
//! 2. The bytes go through FNV-1a with 64 bits (start `0xcbf29ce484222325`; for each byte: exclusive
//!    or, then times `0x100000001b3`, modulo 2^64).
//! 3. The hash is mixed: `h ^= h >> 33; h *= 0xff51afd7ed558ccd; h ^= h >> 33;
//!    h *= 0xc4ceb9fe1a85ec53; h ^= h >> 33`, modulo 2^64.
//! 4. Five times: the next character is the one at position `h % 27`, then `h /= 27`.
//!
//! k counts from 0; the lowest whose name is free is taken. This is fixed for ever: another rule
//! would make twins while a new version takes over from an old one.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::{SmolStr, format_smolstr};

use crate::model::{AddressType, Loop, Port, Uid};

const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX: usize = 5;
/// As the API server cuts `generateName`: 63 less the five characters that follow.
const BASE: usize = 58;
/// The longest name of an EndpointSlice (a DNS subdomain).
const LONGEST: usize = 253;

/// The names of one plan: each is given once.
#[derive(Debug)]
pub struct Names<'a> {
    taken: &'a BTreeSet<SmolStr>,
    refused: &'a BTreeSet<SmolStr>,
    salt: Option<u64>,
    given: BTreeSet<SmolStr>,
    // By the hash of all fields but k: the lowest k that was not tried yet. What is not free never
    // becomes so within one plan, and a Service may want thousands of names for one group.
    untried: BTreeMap<u64, u64>,
}

impl<'a> Names<'a> {
    /// Names that avoid those `taken` by slices that are known, and those `refused` to this key.
    /// With a `salt` they are drawn from that seed.
    pub fn new(taken: &'a BTreeSet<SmolStr>, refused: &'a BTreeSet<SmolStr>, salt: Option<u64>) -> Names<'a> {
        Names { taken, refused, salt, given: BTreeSet::new(), untried: BTreeMap::new() }
    }

    /// The next free name for a slice of this owner, address type and ports (in any order).
    /// `service` is the name of the Service or Endpoints, uncut and without dash.
    pub fn next(
        &mut self,
        which: Loop,
        owner: &Uid,
        service: &str,
        address_type: &AddressType,
        ports: &[Port],
    ) -> SmolStr {
        let base = base(service);
        let fields = self.hash_fields(which, owner, address_type, ports);
        let mut k = self.untried.get(&fields.0).copied().unwrap_or(0);
        loop {
            let suffix = fields.field(&format_smolstr!("{k}")).suffix();
            let name = format_smolstr!("{base}{suffix}");
            k += 1;
            let free = !self.taken.contains(&name) && !self.refused.contains(&name);
            if free && self.given.insert(name.clone()) {
                self.untried.insert(fields.0, k);
                return name;
            }
        }
    }

    fn hash_fields(&self, which: Loop, owner: &Uid, address_type: &AddressType, ports: &[Port]) -> Hash {
        let mut hash =
            Hash::new().field(which.as_str()).field(&owner.to_string()).field(address_type.as_str());
        let mut written: Vec<Vec<u8>> = ports.iter().map(write_port).collect();
        written.sort();
        for port in &written {
            hash = hash.bytes(port);
        }
        match self.salt {
            Some(seed) => hash.field(&seed.to_string()),
            None => hash,
        }
    }
}

/// `<service>-`, cut as the API server cuts a `generateName`: what a slice's name starts with.
pub fn base(service: &str) -> String {
    let mut base = generate_name(service);
    let mut end = base.len().min(BASE);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    base.truncate(end);
    base
}

/// `metadata.generateName` of a slice, for consumers that read it: `<service>-`, uncut; without the
/// dash where it would make the name too long.
pub fn generate_name(service: &str) -> String {
    if service.len() < LONGEST { format!("{service}-") } else { service.to_owned() }
}

const FIELD_END: u8 = 0xFF;
const ABSENT: u8 = 0xFE;

fn write_port(port: &Port) -> Vec<u8> {
    let number = port.port.map(|number| number.to_string());
    let fields =
        [port.name.as_deref(), Some(port.protocol.as_str()), number.as_deref(), port.app_protocol.as_deref()];
    let mut written = Vec::new();
    for field in fields {
        match field {
            Some(text) => written.extend_from_slice(text.as_bytes()),
            None => written.push(ABSENT),
        }
        written.push(FIELD_END);
    }
    written
}

/// A running FNV-1a.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(self, bytes: &[u8]) -> Hash {
        Hash(bytes.iter().fold(self.0, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)))
    }

    fn field(self, text: &str) -> Hash {
        self.bytes(text.as_bytes()).bytes(&[FIELD_END])
    }

    fn suffix(self) -> SmolStr {
        let mut h = self.0;
        h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        h ^= h >> 33;
        let mut suffix = String::with_capacity(SUFFIX);
        for _ in 0..SUFFIX {
            suffix.push(char::from(ALPHABET[(h % 27) as usize]));
            h /= 27;
        }
        SmolStr::new(suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Protocol, Text};

    const UID: &str = "6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e";

    fn port(name: Option<&str>, number: Option<i32>, app: Option<&str>) -> Port {
        Port {
            name: name.map(Text::new),
            protocol: Protocol::TCP,
            port: number,
            app_protocol: app.map(Text::new),
        }
    }

    fn first(
        salt: Option<u64>,
        which: Loop,
        uid: &str,
        service: &str,
        family: &str,
        ports: &[Port],
    ) -> String {
        let none = BTreeSet::new();
        let mut names = Names::new(&none, &none, salt);
        names.next(which, &Uid::new(uid), service, &AddressType::new(family), ports).to_string()
    }

    #[test]
    fn names_are_fixed_for_ever() {
        let http = port(Some("http"), Some(8080), None);
        let grpc = port(Some("grpc"), Some(9090), Some("kubernetes.io/h2c"));
        let name = |salt, which, uid, service, family, ports: &[Port]| {
            first(salt, which, uid, service, family, ports)
        };
        let selector = Loop::Selector;
        let both = [http.clone(), grpc];
        assert_eq!(name(None, selector, UID, "web", "IPv4", std::slice::from_ref(&http)), "web-ljv4c");
        assert_eq!(name(None, selector, UID, "web", "IPv6", std::slice::from_ref(&http)), "web-r8ttj");
        assert_eq!(name(None, Loop::Mirroring, UID, "web", "IPv4", std::slice::from_ref(&http)), "web-kx9fm");
        assert_eq!(name(None, selector, UID, "web", "IPv4", &both), "web-hnwtf");
        assert_eq!(name(None, selector, UID, "web", "IPv4", &[]), "web-bwqk6");
        assert_eq!(name(None, selector, "not-a-uuid", "web", "IPv4", &[port(None, None, None)]), "web-m82b2");
        assert_eq!(name(Some(7), selector, UID, "web", "IPv4", std::slice::from_ref(&http)), "web-g49tw");
    }

    #[test]
    fn the_order_of_ports_does_not_matter_and_absent_is_not_empty() {
        let (a, b) = (port(Some("a"), Some(1), None), port(Some("b"), Some(2), None));
        let name = |ports: &[Port]| first(None, Loop::Selector, UID, "web", "IPv4", ports);
        assert_eq!(name(&[a.clone(), b.clone()]), name(&[b, a.clone()]));
        assert_ne!(name(&[port(None, Some(1), None)]), name(&[port(Some(""), Some(1), None)]));
        assert_ne!(name(&[a]), name(&[port(Some("a"), Some(1), Some(""))]));
    }

    #[test]
    fn the_lowest_free_number_is_taken_and_each_name_is_given_once() {
        let none = BTreeSet::new();
        let draw = |taken: &BTreeSet<SmolStr>, refused: &BTreeSet<SmolStr>, count: usize| -> Vec<SmolStr> {
            let mut names = Names::new(taken, refused, None);
            let mut next = || names.next(Loop::Selector, &Uid::new(UID), "web", &AddressType::IPv4, &[]);
            (0..count).map(|_| next()).collect()
        };
        let all = draw(&none, &none, 2000);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 2000);
        let taken = BTreeSet::from([all[0].clone()]);
        let refused = BTreeSet::from([all[1].clone(), all[3].clone()]);
        assert_eq!(draw(&taken, &refused, 2), [all[2].clone(), all[4].clone()]);
        assert_eq!(draw(&taken, &none, 1), [all[1].clone()]);
    }

    #[test]
    fn a_seed_gives_other_names() {
        let name = |salt| first(salt, Loop::Selector, UID, "web", "IPv4", &[]);
        assert_ne!(name(Some(1)), name(None));
        assert_ne!(name(Some(1)), name(Some(2)));
        assert_eq!(name(Some(1)), name(Some(1)));
    }

    #[test]
    fn a_name_is_no_longer_than_63_characters() {
        let long = "s".repeat(63);
        assert_eq!(base(&long), "s".repeat(58));
        assert_eq!(base(&"s".repeat(57)), format!("{}-", "s".repeat(57)));
        let name = first(None, Loop::Selector, UID, &long, "IPv4", &[]);
        assert_eq!(name.len(), 63);
        assert!(name[58..].bytes().all(|c| ALPHABET.contains(&c)), "{name}");
        assert_eq!(base(&"é".repeat(40)), "é".repeat(29));
    }

    #[test]
    fn the_generate_name_is_uncut_unless_the_dash_makes_it_too_long() {
        assert_eq!(generate_name(&"s".repeat(63)), format!("{}-", "s".repeat(63)));
        assert_eq!(generate_name(&"s".repeat(252)), format!("{}-", "s".repeat(252)));
        assert_eq!(generate_name(&"s".repeat(253)), "s".repeat(253));
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        assert_eq!(base(&format!("a{}", "\u{e9}".repeat(40))).len(), BASE - 1);
    }
}
