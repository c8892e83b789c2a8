//! Key, uid and version of an object, read without reading the rest of it.
//!
//! The API server writes `metadata` before `spec` and `status`, and the name before
//! `managedFields`: reading stops when all four parts are known, a few hundred bytes into an object
//! of many thousand. In any other order it is still right, only slower.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::DecodeError;
use crate::model::{Key, Meta, Uid};

/// Key, uid and version of the object, as far as they can be read: what follows a mistake in the
/// text is unknown, a version that is not a number is 0.
///
/// # Errors
/// When no name can be read.
pub fn peek_meta(object: &[u8]) -> Result<Meta, DecodeError> {
    let mut peek = Peek::default();
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    let read = deserializer.deserialize_map(Top(&mut peek));
    let Some(name) = peek.name.filter(|name| !name.is_empty()) else {
        let message = match read {
            Err(error) if !peek.seen => format!("metadata.name cannot be read: {error}"),
            _ => "metadata.name is missing".to_owned(),
        };
        return Err(DecodeError { kind: "object", message });
    };
    Ok(Meta {
        key: Key::new(peek.namespace.unwrap_or_default(), name),
        uid: Uid::new(&peek.uid.unwrap_or_default()),
        version: peek.version.and_then(|text| text.parse().ok()).unwrap_or(0),
    })
}

#[derive(Default)]
struct Peek<'de> {
    name: Option<Cow<'de, str>>,
    namespace: Option<Cow<'de, str>>,
    uid: Option<Cow<'de, str>>,
    version: Option<Cow<'de, str>>,
    // The end of metadata was reached, or all four parts were found: what follows is not read.
    seen: bool,
}

impl Peek<'_> {
    fn complete(&self) -> bool {
        self.name.is_some() && self.namespace.is_some() && self.uid.is_some() && self.version.is_some()
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum TopField {
    Metadata,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum MetaField {
    Name,
    Namespace,
    Uid,
    ResourceVersion,
    #[serde(other)]
    Other,
}

/// A string, or null; borrowed where it has no escapes.
#[derive(Deserialize)]
struct Part<'a>(#[serde(borrow)] Option<Borrowed<'a>>);

#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

struct Top<'p, 'de>(&'p mut Peek<'de>);

impl<'de> Visitor<'de> for Top<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key()? {
            match field {
                TopField::Metadata => {
                    map.next_value_seed(InMetadata(&mut *self.0))?;
                    self.0.seen = true;
                    return Err(stop());
                }
                TopField::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct InMetadata<'p, 'de>(&'p mut Peek<'de>);

impl<'de> DeserializeSeed<'de> for InMetadata<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InMetadata<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let peek = self.0;
        while let Some(field) = map.next_key()? {
            let part = match field {
                MetaField::Name => &mut peek.name,
                MetaField::Namespace => &mut peek.namespace,
                MetaField::Uid => &mut peek.uid,
                MetaField::ResourceVersion => &mut peek.version,
                MetaField::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let Part(text) = map.next_value()?;
            *part = text.map(|text| text.0);
            if peek.complete() {
                peek.seen = true;
                return Err(stop());
            }
        }
        Ok(())
    }
}

/// Ends the reading early; whoever asked looks at what was found, not at this error.
fn stop<E: Error>() -> E {
    Error::custom("enough was read")
}
