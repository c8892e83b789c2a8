//! What `fieldValidation=Strict` refuses and `Warn` warns of: fields that are unknown or given twice.
//! Told from the text, since a value no longer knows what was given twice, nor in which order.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::table::{Type, struct_at, struct_named};

/// `unknown field "spec.foo"` and `duplicate field "spec.type"`, in the order of a JSON text that is read as the
/// Go struct `id`. Nothing when it is no JSON: that is told elsewhere.
#[must_use]
pub fn strict_errors(id: &str, json: &[u8]) -> Vec<String> {
    let Some(of) = struct_named(id) else { return Vec::new() };
    let mut found = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let walk = Walk { fields: Fields::Struct(of), path: String::new(), found: &mut found };
    if walk.deserialize(&mut deserializer).is_err() {
        return Vec::new();
    }
    found
}

fn note(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
}

#[derive(Clone, Copy)]
enum Fields<'a> {
    Struct(&'static super::table::Struct),
    Map(&'a Type),
    List(&'a Type),
    Other,
}

impl<'a> Fields<'a> {
    fn of(kind: &'a Type) -> Fields<'a> {
        match kind {
            Type::Pointer(of) => Fields::of(of),
            Type::Struct(index) => Fields::Struct(struct_at(*index)),
            Type::Map(of) => Fields::Map(of),
            Type::List(of) => Fields::List(of),
            _ => Fields::Other,
        }
    }
}

struct Walk<'a> {
    fields: Fields<'a>,
    path: String,
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Fields::List(of) = self.fields else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let fields = Fields::of(of);
        for index in 0.. {
            let path = format!("{}[{index}]", self.path);
            if list.next_element_seed(Walk { fields, path, found: &mut *self.found })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            let fields = match self.fields {
                Fields::Struct(of) => match of.field(&name) {
                    Some(field) => Fields::of(&field.kind),
                    None => {
                        note(self.found, format!("unknown field \"{path}\""));
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                },
                Fields::Map(of) => Fields::of(of),
                Fields::List(_) | Fields::Other => Fields::Other,
            };
            let known = matches!(self.fields, Fields::Struct(_) | Fields::Map(_));
            if known && !seen.insert(name) {
                note(self.found, format!("duplicate field \"{path}\""));
            }
            map.next_value_seed(Walk { fields, path, found: &mut *self.found })?;
        }
        Ok(())
    }
}
