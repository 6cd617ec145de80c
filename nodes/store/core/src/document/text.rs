//! The texts that a document has at a path: what phrases and unindexed text fields are verified on.
//! Invariants: values come in the document's order, arrays flattened; names with dots and nested objects are the same.
//! Not here: which path holds a field's text (a multi-field's is its parent's).

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Visits the scalars at a path as text. A document that is not JSON has none.
pub fn each_text(source: &[u8], path: &str, visit: &mut dyn FnMut(&str)) {
    let mut reader = serde_json::Deserializer::from_slice(source);
    let _ = At {
        path: Some(path),
        visit,
    }
    .deserialize(&mut reader);
}

/// A value whose remaining path is this; `None`: it is the one.
struct At<'p, 'v> {
    path: Option<&'p str>,
    visit: &'v mut dyn FnMut(&str),
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl At<'_, '_> {
    fn take(self, text: &str) {
        if self.path.is_none() {
            (self.visit)(text);
        }
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.take(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(&value.to_string());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(&value.to_string());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if self.path.is_none()
            && let Some(number) = serde_json::Number::from_f64(value)
        {
            self.take(&number.to_string());
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.take(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items
            .next_element_seed(At {
                path: self.path,
                visit: &mut *self.visit,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<std::borrow::Cow<'_, str>>()? {
            let rest = match self.path.and_then(|path| path.strip_prefix(key.as_ref())) {
                Some("") => None,
                Some(rest) if rest.starts_with('.') => Some(&rest[1..]),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            members.next_value_seed(At {
                path: rest,
                visit: &mut *self.visit,
            })?;
        }
        Ok(())
    }
}
