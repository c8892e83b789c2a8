//! The forms of names, labels and addresses, and what kube-apiserver says when a text has another one.
//! Each function gives what is wrong, in the order in which it is told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::sandbox::status::FieldError;

use super::field::{self, Path};

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

fn most(characters: usize) -> String {
    format!("must be no more than {characters} characters")
}

/// As labels say it.
fn most_bytes(bytes: usize) -> String {
    format!("must be no more than {bytes} bytes")
}

fn pattern(words: &str, pattern: &str, examples: &[&str]) -> String {
    let list: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{words} (e.g. {}regex used for validation is '{pattern}')", list.join(" or "))
}

fn label_shaped(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|first| letter(*first))
        && bytes.last().is_some_and(|last| letter(*last))
        && bytes.iter().all(|byte| letter(*byte) || *byte == b'-')
}

fn key_shaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A DNS label (RFC 1123): `my-name`.
#[must_use]
pub fn dns_label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 63 {
        wrong.push(most(63));
    }
    if !label_shaped(text) {
        if text.split('.').all(label_shaped) {
            wrong.push("must not contain dots".to_owned());
        } else {
            let words = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or \
                         '-', and must start and end with an alphanumeric character";
            wrong.push(pattern(words, LABEL, &["my-name", "123-abc"]));
        }
    }
    wrong
}

/// A DNS label that begins with a letter (RFC 1035): `my-name`.
#[must_use]
pub fn dns_1035_label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 63 {
        wrong.push(most(63));
    }
    if !label_shaped(text) || text.starts_with(|first: char| first.is_ascii_digit()) {
        let words = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with \
                     an alphabetic character, and end with an alphanumeric character";
        wrong.push(pattern(words, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]));
    }
    wrong
}

/// A DNS name: `example.com`.
#[must_use]
pub fn dns_subdomain(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 253 {
        wrong.push(most(253));
    }
    if !text.split('.').all(label_shaped) {
        let words = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
                     or '.', and must start and end with an alphanumeric character";
        wrong.push(pattern(words, SUBDOMAIN, &["example.com"]));
    }
    wrong
}

/// A key of a label: `example.com/my-name`.
#[must_use]
pub fn qualified_name(text: &str) -> Vec<String> {
    let words = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                 alphanumeric character";
    let examples = ["MyName", "my.name", "123-abc"];
    let mut wrong = Vec::new();
    let mut parts = text.split('/');
    let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let name = match (second, third) {
        (None, _) => first,
        (Some(name), None) => {
            if first.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(dns_subdomain(first).into_iter().map(|text| format!("prefix part {text}")));
            }
            name
        }
        _ => {
            let text = pattern(words, KEY, &examples);
            return vec![format!(
                "a valid label key {text} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong.push(format!("name part {}", most_bytes(63)));
    }
    if !key_shaped(name) {
        wrong.push(format!("name part {}", pattern(words, KEY, &examples)));
    }
    wrong
}

/// The value of a label.
#[must_use]
pub fn label_value(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 63 {
        wrong.push(most_bytes(63));
    }
    if !text.is_empty() && !key_shaped(text) {
        let words = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' \
                     or '.', and must start and end with an alphanumeric character";
        wrong.push(pattern(words, VALUE, &["MyValue", "my_value", "12345"]));
    }
    wrong
}

/// The name of a container's port.
#[must_use]
pub fn port_name(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 15 {
        wrong.push(most(15));
    }
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || !text.bytes().all(letter) {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// A port's number.
#[must_use]
pub fn port_number(port: i64) -> Option<String> {
    (!(1..=65535).contains(&port)).then(|| "must be between 1 and 65535, inclusive".to_owned())
}

/// A name that is one segment of a path.
#[must_use]
pub fn path_segment(name: &str, prefix: bool) -> Vec<String> {
    if !prefix && (name == "." || name == "..") {
        return vec![format!("may not be '{name}'")];
    }
    ['/', '%']
        .into_iter()
        .filter(|letter| name.contains(*letter))
        .map(|letter| format!("may not contain '{letter}'"))
        .collect()
}

/// A prefix for `generateName`, with a letter in place of a dash at its end.
#[must_use]
pub fn without_trailing_dash(name: &str) -> String {
    match name.strip_suffix('-') {
        // The character before the dash goes, too, as upstream has it.
        Some(rest) if !rest.is_empty() => {
            let mut rest = rest.to_owned();
            rest.pop();
            rest.push('a');
            rest
        }
        _ => name.to_owned(),
    }
}

/// An address as Go's `ParseIPSloppy` reads it: leading zeros are ignored, a mapped one is IPv4.
#[must_use]
pub fn sloppy_ip(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        let ip: Ipv6Addr = match text.parse() {
            Ok(ip) => ip,
            Err(_) => {
                let (start, end) = text.rsplit_once(':')?;
                let IpAddr::V4(end) = sloppy_ip(end)? else { return None };
                format!("{start}:{end}").parse().ok()?
            }
        };
        return Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4));
    }
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = part.trim_start_matches('0');
        *octet = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    }
    parts.next().is_none().then_some(IpAddr::V4(Ipv4Addr::from(octets)))
}

/// An address that is none, has leading zeros, or is IPv4 in the clothes of IPv6.
#[must_use]
pub fn legacy_ip(path: &Path<'_>, text: &str) -> Vec<FieldError> {
    if sloppy_ip(text).is_none() {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        return vec![field::invalid_text(path, text, detail)];
    }
    match text.parse::<IpAddr>() {
        Err(_) => vec![field::invalid_text(path, text, "must not have leading 0s")],
        Ok(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_some() => {
            vec![field::invalid_text(path, text, "must not be an IPv4-mapped IPv6 address")]
        }
        Ok(_) => Vec::new(),
    }
}

/// A network that is none.
#[must_use]
pub fn legacy_cidr(path: &Path<'_>, text: &str) -> Vec<FieldError> {
    let fine = text.split_once('/').is_some_and(|(ip, bits)| {
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let most = if ip.contains(':') { 128 } else { 32 };
        sloppy_ip(ip).is_some() && digits && bits.parse().is_ok_and(|bits: u16| bits <= most)
    });
    if fine {
        return Vec::new();
    }
    let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    vec![field::invalid_text(path, text, detail)]
}

/// Like [`legacy_ip`], and in its shortest form.
#[must_use]
pub fn strict_ip(path: &Path<'_>, text: &str) -> Vec<FieldError> {
    let wrong = legacy_ip(path, text);
    if !wrong.is_empty() {
        return wrong;
    }
    match sloppy_ip(text).map(|ip| crate::model::address::canonical(ip).to_string()) {
        Some(canonical) if canonical != text => {
            let detail = format!("must be in canonical form ({})", field::quoted(&canonical));
            vec![field::invalid_text(path, text, &detail)]
        }
        _ => Vec::new(),
    }
}

/// An address that no endpoint may have.
#[must_use]
pub fn endpoint_ip(path: &Path<'_>, text: &str) -> Vec<FieldError> {
    let Some(ip) = sloppy_ip(text) else {
        return vec![field::invalid_text(path, text, "must be a valid IP address")];
    };
    let (local_unicast, local_multicast) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => (ip.segments()[0] & 0xffc0 == 0xfe80, ip.segments()[0] & 0xff0f == 0xff02),
    };
    let mut wrong = Vec::new();
    if ip.is_unspecified() {
        wrong.push(field::invalid_text(path, text, &format!("may not be unspecified ({text})")));
    }
    if ip.is_loopback() {
        let detail = "may not be in the loopback range (127.0.0.0/8, ::1/128)";
        wrong.push(field::invalid_text(path, text, detail));
    }
    if local_unicast {
        let detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
        wrong.push(field::invalid_text(path, text, detail));
    }
    if local_multicast {
        let detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
        wrong.push(field::invalid_text(path, text, detail));
    }
    wrong
}

/// A name with at least two segments.
#[must_use]
pub fn fully_qualified_domain_name(path: &Path<'_>, name: &str) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![field::required(path, "")];
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let wrong = dns_subdomain(name);
    if !wrong.is_empty() {
        return vec![field::invalid_text(path, name, &wrong.join(","))];
    }
    if !name.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        return vec![field::invalid_text(path, name, detail)];
    }
    name.split('.')
        .find_map(|label| {
            let wrong = dns_label(label);
            (!wrong.is_empty()).then(|| vec![field::invalid_text(path, label, &wrong.join(","))])
        })
        .unwrap_or_default()
}

/// All that a test of forms says about a field.
#[must_use]
pub fn all(path: &Path<'_>, text: &str, test: impl Fn(&str) -> Vec<String>) -> Vec<FieldError> {
    test(text).iter().map(|detail| field::invalid_text(path, text, detail)).collect()
}

/// What is told of an address that is stored but had better be written otherwise.
#[must_use]
pub fn ip_warning(path: &Path<'_>, text: &str) -> Option<String> {
    let ip = sloppy_ip(text)?;
    let canonical = field::quoted(&crate::model::address::canonical(ip));
    let shown = field::quoted(text);
    match text.parse::<IpAddr>() {
        Err(_) => Some(format!("{path}: non-standard IP address {shown} is invalid: use {canonical}")),
        Ok(IpAddr::V6(_)) if ip.is_ipv4() => {
            Some(format!("{path}: non-standard IP address {shown} is invalid: use {canonical}"))
        }
        Ok(IpAddr::V6(_)) if canonical != shown => {
            Some(format!("{path}: IPv6 address {shown} should be in RFC 5952 canonical format ({canonical})"))
        }
        Ok(_) => None,
    }
}

/// What is wrong with a port that is a number or a name.
#[must_use]
pub fn port_number_or_name(value: &Value, path: &Path<'_>) -> Vec<FieldError> {
    match value.as_str() {
        Some(name) => all(path, name, port_name),
        None => {
            let detail = port_number(value.as_i64().unwrap_or(0));
            detail.into_iter().map(|detail| field::invalid(path, value, &detail)).collect()
        }
    }
}
