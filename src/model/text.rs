//! Interned text: namespaces, node names, zones, label keys and values.
//!
//! The same few thousand strings stand in tens of thousands of rows, so each is stored once and
//! shared. A text that nobody holds any more is dropped when the table next doubles.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A table of shared values: equal values are one allocation.
///
/// The lock is held for one look-up; it is never held while anything else is locked.
pub(crate) struct Table<T: ?Sized + Hash + Eq> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T: ?Sized + Hash + Eq> {
    // Seeded hashing: what is interned belongs to tenants.
    known: HashSet<Arc<T>, foldhash::fast::RandomState>,
    sweep_at: usize,
}

impl<T: ?Sized + Hash + Eq> Table<T> {
    pub(crate) fn new() -> Self {
        Table { inner: Mutex::new(Inner { known: HashSet::default(), sweep_at: 4096 }) }
    }

    /// The shared allocation of this value; `make` is called only when it is not known yet.
    pub(crate) fn intern<Q>(&self, value: &Q, make: impl FnOnce() -> Arc<T>) -> Arc<T>
    where
        Arc<T>: Borrow<Q>,
        Q: ?Sized + Hash + Eq,
    {
        let mut inner = self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(found) = inner.known.get(value) {
            return Arc::clone(found);
        }
        if inner.known.len() >= inner.sweep_at {
            inner.known.retain(|held| Arc::strong_count(held) > 1);
            inner.sweep_at = (inner.known.len() * 2).max(4096);
        }
        let made = make();
        inner.known.insert(Arc::clone(&made));
        made
    }
}

static TEXTS: LazyLock<Table<str>> = LazyLock::new(Table::new);

/// A shared string. Cloning is one atomic increment; comparing equal texts is usually one pointer
/// comparison.
#[derive(Clone)]
pub struct Text(Arc<str>);

impl Text {
    /// The shared text with this content.
    pub fn new(value: &str) -> Text {
        Text(TEXTS.intern(value, || Arc::from(value)))
    }

    /// The content.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(value: &str) -> Text {
        Text::new(value)
    }
}

impl From<String> for Text {
    fn from(value: String) -> Text {
        Text::new(&value)
    }
}

impl Default for Text {
    fn default() -> Text {
        Text::new("")
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state)
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return std::cmp::Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Text, E> {
                Ok(Text::new(value))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_one_allocation() {
        let (a, b) = (Text::new("zone-a"), Text::new("zone-a"));
        assert!(Arc::ptr_eq(&a.0, &b.0));
    }

    #[test]
    fn texts_that_nobody_holds_are_dropped_when_the_table_grows() {
        let table: Table<str> = Table::new();
        for n in 0..10_000 {
            table.intern(format!("t{n}").as_str(), || Arc::from(format!("t{n}")));
        }
        assert!(table.inner.lock().unwrap().known.len() < 5000);
    }
}
