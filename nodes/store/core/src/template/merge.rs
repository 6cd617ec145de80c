//! Merging what several templates say, and telling whether two patterns can match the same name.
//! Invariants: what comes later wins; objects of a mapping are merged, fields are replaced whole.
//! Not here: conflicts with an index that exists (`mapping`).

use serde_json::{Map, Value, json};

/// One mapping body over another.
#[must_use]
pub fn merge_mappings(base: &Value, over: &Value) -> Value {
    let mut merged = unwrap_type(base);
    for (name, value) in unwrap_type(over) {
        match name.as_str() {
            "properties" => {
                let mut properties = match merged.remove("properties") {
                    Some(Value::Object(old)) => nested(&old),
                    _ => Map::new(),
                };
                if let Value::Object(new) = value {
                    merge_properties(&mut properties, nested(&new));
                }
                merged.insert(name, Value::Object(properties));
            }
            "dynamic_templates" => {
                let mut rules = match merged.remove("dynamic_templates") {
                    Some(Value::Array(old)) => old,
                    _ => Vec::new(),
                };
                if let Value::Array(new) = value {
                    // A rule of the same name is replaced where it stands.
                    for rule in new {
                        let key = rule
                            .as_object()
                            .and_then(|rule| rule.keys().next().cloned());
                        let same = rules
                            .iter_mut()
                            .find(|old| key.as_ref().is_some_and(|key| old.get(key).is_some()));
                        match same {
                            Some(old) => *old = rule,
                            None => rules.push(rule),
                        }
                    }
                }
                merged.insert(name, Value::Array(rules));
            }
            "_meta" => {
                let mut meta = merged.remove("_meta").unwrap_or_else(|| json!({}));
                if let (Value::Object(old), Value::Object(new)) = (&mut meta, value) {
                    old.extend(new);
                }
                merged.insert(name, meta);
            }
            _ => {
                merged.insert(name, value);
            }
        }
    }
    Value::Object(merged)
}

fn unwrap_type(body: &Value) -> Map<String, Value> {
    match body {
        Value::Object(body) => match body.get("_doc") {
            Some(Value::Object(inner)) if body.len() == 1 => inner.clone(),
            _ => body.clone(),
        },
        _ => Map::new(),
    }
}

/// Properties with names with dots turned into objects.
fn nested(properties: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, definition) in properties {
        let mut definition = definition.clone();
        if let Some(Value::Object(inner)) = definition.get("properties") {
            let inner = nested(inner);
            definition["properties"] = Value::Object(inner);
        }
        let mut parts = name.rsplit('.');
        let last = parts.next().unwrap_or(name);
        let mut one = Map::new();
        one.insert(last.to_owned(), definition);
        for part in parts {
            let mut outer = Map::new();
            outer.insert(part.to_owned(), json!({"properties": one}));
            one = outer;
        }
        merge_properties(&mut out, one);
    }
    out
}

fn merge_properties(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, new) in over {
        let (Some(Value::Object(old)), Value::Object(new_body)) = (base.get_mut(&name), &new)
        else {
            base.insert(name, new);
            continue;
        };
        let is_object = |body: &Map<String, Value>| {
            body.contains_key("properties") || body.get("type").is_some_and(|kind| kind == "object")
        };
        if !is_object(old) || !is_object(new_body) {
            *old = new_body.clone();
            continue;
        }
        for (key, value) in new_body {
            match (old.get_mut(key), value) {
                (Some(Value::Object(inner)), Value::Object(new)) if key == "properties" => {
                    merge_properties(inner, new.clone());
                }
                _ => {
                    old.insert(key.clone(), value.clone());
                }
            }
        }
    }
}

/// Whether some name matches both patterns.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // `row[j]`: the rests `a[i..]` and `b[j..]` have a name in common; worked out from the ends.
    let mut below = vec![false; b.len() + 1];
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            row[j] = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(b'*'), None) => below[j],
                (Some(b'*'), Some(b'*')) => below[j] || row[j + 1],
                // The star takes nothing, or the other side's next character.
                (Some(b'*'), Some(_)) => below[j] || row[j + 1],
                (_, Some(b'*')) => row[j + 1] || (i < a.len() && below[j]),
                (Some(x), Some(y)) => x == y && below[j + 1],
                (None, Some(_)) | (Some(_), None) => false,
            };
        }
        below = row;
    }
    below[0]
}
