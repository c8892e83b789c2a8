//! Who an object is: its key, uid and resourceVersion; and which loop works on it.

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use super::Text;

/// A resourceVersion. Versions of one resource are comparable integers (promised since
/// Kubernetes 1.35, KEP-5504; true before). 0 means "none".
pub type Version = u64;

/// Namespace and name of an object. Ordered by namespace, then name. Nodes have namespace "".
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Key {
    /// Namespace; empty for what is not namespaced.
    pub namespace: Text,
    /// Name.
    pub name: SmolStr,
}

impl Key {
    /// A key from its two parts.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Key {
        Key { namespace: Text::new(namespace.as_ref()), name: SmolStr::new(name.as_ref()) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The uid of an object: 16 bytes where it is a canonical UUID, else its text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Uid {
    /// A UUID in its canonical lower-case form.
    Uuid([u8; 16]),
    /// Anything else.
    Other(Arc<str>),
}

impl Uid {
    /// The uid with this text.
    pub fn new(text: &str) -> Uid {
        match parse_uuid(text.as_bytes()) {
            Some(bytes) => Uid::Uuid(bytes),
            None => Uid::Other(Arc::from(text)),
        }
    }

    /// Whether this is the uid of nothing (an absent or empty uid).
    pub fn is_empty(&self) -> bool {
        matches!(self, Uid::Other(text) if text.is_empty())
    }
}

impl Default for Uid {
    fn default() -> Uid {
        Uid::Other(Arc::from(""))
    }
}

fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut bytes = [0u8; 16];
    let mut nibbles = 0;
    for (at, &c) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if c != b'-' {
                return None;
            }
            continue;
        }
        let value = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            _ => return None,
        };
        bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | value;
        nibbles += 1;
    }
    Some(bytes)
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uid::Uuid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
            Uid::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is read of an object before anything else, and all that is known of one that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Meta {
    /// Namespace and name.
    pub key: Key,
    /// Uid.
    pub uid: Uid,
    /// resourceVersion.
    pub version: Version,
}

/// The two loops of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Loop {
    /// Slices of Services with a selector.
    Selector,
    /// Slices that mirror the Endpoints of Services without one.
    Mirroring,
}

impl Loop {
    /// The value of the label `endpointslice.kubernetes.io/managed-by` on this loop's slices.
    pub fn managed_by(self) -> &'static str {
        match self {
            Loop::Selector => "endpointslice-controller.k8s.io",
            Loop::Mirroring => "endpointslicemirroring-controller.k8s.io",
        }
    }

    /// The loop whose slices carry this managed-by value.
    pub fn of(managed_by: &str) -> Option<Loop> {
        [Loop::Selector, Loop::Mirroring].into_iter().find(|l| l.managed_by() == managed_by)
    }

    /// `selector` or `mirroring`, as in output and in the label `loop` of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Loop::Selector => "selector",
            Loop::Mirroring => "mirroring",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_keeps_its_text() {
        for text in
            ["6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e", "", "not-a-uuid", "6F2D9B1E-0C4A-4F6E-9D55-3D1F0A7B8C9E"]
        {
            assert_eq!(Uid::new(text).to_string(), text);
        }
        assert!(matches!(Uid::new("6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e"), Uid::Uuid(_)));
    }
}
