//! What the API server takes for a name: DNS labels and subdomains, qualified names
//! (apimachinery's validation).

/// Whether the text is a lower-case DNS subdomain, as a Node's name must be.
pub fn is_dns_subdomain(text: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= 253
        && text.split('.').all(|part| {
            let bytes = part.as_bytes();
            alphanumeric(bytes.first())
                && alphanumeric(bytes.last())
                && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        })
}

/// Whether the text is a lower-case DNS label of 1 to 63 characters.
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && !text.contains('.') && is_dns_subdomain(text)
}

/// Whether the text is a qualified name: 1 to 63 letters, digits, `-`, `_` and `.`, between letters or
/// digits, after an optional DNS subdomain and `/`.
pub fn is_qualified_name(text: &str) -> bool {
    let name = match text.split_once('/') {
        None => text,
        Some((prefix, name)) if is_dns_subdomain(prefix) => name,
        Some(_) => return false,
    };
    let bytes = name.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    name.len() <= 63
        && ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_the_api_server_checks_them() {
        let long = "a".repeat(64);
        for (text, label, subdomain, qualified) in [
            ("http", true, true, true),
            ("", false, false, false),
            ("a-1", true, true, true),
            ("-a", false, false, false),
            ("a-", false, false, false),
            ("A", false, false, true),
            ("a.b", false, true, true),
            ("a..b", false, false, true),
            ("kubernetes.io/h2c", false, false, true),
            ("kubernetes.io/", false, false, false),
            ("/h2c", false, false, false),
            ("a/b/c", false, false, false),
            ("a_b", false, false, true),
            ("1", true, true, true),
            ("é", false, false, false),
            (long.as_str(), false, true, false),
        ] {
            assert_eq!(is_dns_label(text), label, "label {text:?}");
            assert_eq!(is_dns_subdomain(text), subdomain, "subdomain {text:?}");
            assert_eq!(is_qualified_name(text), qualified, "qualified name {text:?}");
        }
    }
}
