//! Lenient building blocks: text that may be null, lists that may be null, label maps.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use smol_str::SmolStr;

use crate::model::{Key, Labels, Text, Time, Uid, Version};

/// Text, borrowed where it can be; null and absent are empty.
#[derive(Clone, Default)]
pub struct Str<'a>(Cow<'a, str>);

impl Deref for Str<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Str<'_> {
    /// `None` when empty.
    pub fn non_empty(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&*self.0)
    }

    /// The text, interned.
    pub fn text(&self) -> Text {
        Text::new(&self.0)
    }

    /// The text, on its own.
    pub fn smol(&self) -> SmolStr {
        SmolStr::new(&*self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or null")
            }
            fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Borrowed(v)))
            }
            fn visit_str<E: Error>(self, v: &str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(v.to_owned())))
            }
            fn visit_unit<E: Error>(self) -> Result<Str<'de>, E> {
                Ok(Str::default())
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Str<'a> {
        Str(Cow::Borrowed(text))
    }
}

/// A point in time: RFC 3339 text, or already one; null and absent are none.
#[derive(Default)]
pub enum Moment<'a> {
    /// There is none.
    #[default]
    None,
    /// As JSON has it.
    Text(Str<'a>),
    /// As protobuf has it.
    #[cfg(feature = "controller")]
    Time(Time),
}

impl Moment<'_> {
    /// Whether there is one, right or wrong.
    pub fn is_set(&self) -> bool {
        !matches!(self, Moment::None)
    }

    /// The time; `None` also when the text is none.
    pub fn time(&self) -> Option<Time> {
        match self {
            Moment::None => None,
            Moment::Text(text) => Time::parse(text),
            #[cfg(feature = "controller")]
            Moment::Time(time) => Some(*time),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Moment<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Str::deserialize(deserializer)?;
        Ok(if text.is_empty() { Moment::None } else { Moment::Text(text) })
    }
}

/// A list; null is empty, null elements are skipped.
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or null")
            }
            fn visit_unit<E: Error>(self) -> Result<List<T>, E> {
                Ok(List(Vec::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element::<Option<T>>()? {
                    all.extend(one);
                }
                Ok(List(all))
            }
        }
        deserializer.deserialize_any(V(std::marker::PhantomData))
    }
}

/// A map of text to text as sorted pairs; null is empty.
#[derive(Default)]
pub struct Pairs<'a>(pub Vec<(Str<'a>, Str<'a>)>);

impl Pairs<'_> {
    /// All pairs, interned.
    pub fn labels(&self) -> Labels {
        Labels::new(self.0.iter().map(|(k, v)| (k.text(), v.text())))
    }

    /// The pairs whose key is accepted, interned.
    pub fn labels_where(&self, keep: impl Fn(&str) -> bool) -> Labels {
        Labels::new(self.0.iter().filter(|(k, _)| keep(k)).map(|(k, v)| (k.text(), v.text())))
    }

    /// The value of this key; the last one counts when it comes twice.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| &**k == key).map(|(_, v)| &**v)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings or null")
            }
            fn visit_unit<E: Error>(self) -> Result<Pairs<'de>, E> {
                Ok(Pairs(Vec::new()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    all.push(pair);
                }
                Ok(Pairs(all))
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// The part of `metadata` that every kind has and that is always read.
pub struct Identity<'a> {
    /// Name.
    pub name: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Uid.
    pub uid: &'a str,
    /// resourceVersion as text.
    pub version: &'a str,
}

impl Identity<'_> {
    /// Key, uid and version.
    ///
    /// # Errors
    /// A sentence when the name is missing or the version is not a number.
    pub fn read(&self) -> Result<(Key, Uid, Version), String> {
        if self.name.is_empty() {
            return Err("metadata.name is missing".to_owned());
        }
        let version = match self.version {
            "" => 0,
            text => text
                .parse()
                .map_err(|_| format!("metadata.resourceVersion {text:?}: expected a decimal number"))?,
        };
        Ok((Key::new(self.namespace, self.name), Uid::new(self.uid), version))
    }
}
