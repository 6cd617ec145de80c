//! Reads the values of one path out of a document's source without building the rest.
//!
//! Invariants: dotted names and nested objects are the same path; arrays are flattened; nulls and
//! objects give nothing. Not here: coercion by the mapping.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Calls `emit` with the text of every scalar at `path`, in the order of the source.
/// A source that is no JSON gives what came before the fault.
pub fn texts(source: &[u8], path: &str, emit: &mut dyn FnMut(&str)) {
    let mut reader = serde_json::Deserializer::from_slice(source);
    // What follows a fault cannot be a value that was indexed.
    let _ = At { path, emit }.deserialize(&mut reader);
}

/// Every scalar at `path`.
pub fn values(source: &Value, path: &str) -> Vec<Value> {
    let mut out = Vec::new();
    collect(source, path, &mut out);
    out
}

fn collect(value: &Value, path: &str, out: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, out)),
        Value::Object(map) => {
            for (key, inner) in map {
                if key == path {
                    collect(inner, "", out);
                } else if let Some(rest) = path
                    .strip_prefix(key.as_str())
                    .and_then(|rest| rest.strip_prefix('.'))
                {
                    collect(inner, rest, out);
                }
            }
        }
        Value::Null => {}
        scalar if path.is_empty() => out.push(scalar.clone()),
        _ => {}
    }
}

struct At<'p, 'e> {
    path: &'p str,
    emit: &'e mut dyn FnMut(&str),
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl At<'_, '_> {
    fn scalar(self, text: &str) {
        if self.path.is_empty() {
            (self.emit)(text);
        }
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(v.to_owned()))
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_bool<E>(self, v: bool) -> Result<(), E> {
        self.scalar(if v { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, v: i64) -> Result<(), E> {
        self.scalar(&v.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, v: u64) -> Result<(), E> {
        self.scalar(&v.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, v: f64) -> Result<(), E> {
        let text = serde_json::Number::from_f64(v)
            .map(|n| n.to_string())
            .unwrap_or_default();
        self.scalar(&text);
        Ok(())
    }

    fn visit_str<E>(self, v: &str) -> Result<(), E> {
        self.scalar(v);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq
            .next_element_seed(At {
                path: self.path,
                emit: &mut *self.emit,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let rest = if self.path.is_empty() {
                None
            } else if key == self.path {
                Some("")
            } else {
                self.path
                    .strip_prefix(&*key)
                    .and_then(|rest| rest.strip_prefix('.'))
            };
            match rest {
                Some(rest) => map.next_value_seed(At {
                    path: rest,
                    emit: &mut *self.emit,
                })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dotted_names_objects_and_arrays_are_one_path() {
        let source =
            json!({"a": {"b": ["x", 1, null, {"c": "no"}], "b.c": 2.5}, "a.b": true, "z": 0});
        let mut seen = Vec::new();
        texts(source.to_string().as_bytes(), "a.b", &mut |t| {
            seen.push(t.to_owned())
        });
        assert_eq!(seen, ["x", "1", "true"]);
        assert_eq!(values(&source, "a.b"), [json!("x"), json!(1), json!(true)]);
        assert_eq!(values(&source, "a.b.c"), [json!("no"), json!(2.5)]);
    }
}
