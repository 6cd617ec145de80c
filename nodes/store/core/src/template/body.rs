//! What a request says about a new index: settings, mapping, aliases.
//! Invariant: every part was read and checked. Not here: what templates add (`template`).

use super::alias::Alias;
use crate::error::{EsError, EsResult};
use crate::settings::IndexSettings;
use serde_json::Value;
use std::collections::BTreeMap;

/// The body of a request that makes an index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexBody {
    /// Settings.
    pub settings: IndexSettings,
    /// The mapping's body; null when there is none.
    pub mappings: Value,
    /// Aliases by name.
    pub aliases: BTreeMap<String, Alias>,
}

impl IndexBody {
    /// Reads `{"settings", "mappings", "aliases"}`; null is nothing.
    ///
    /// # Errors
    /// When a part is unknown or not valid.
    pub fn parse(body: &Value) -> EsResult<Self> {
        let mut out = Self::default();
        let members = match body {
            Value::Null => return Ok(out),
            Value::Object(members) => members,
            _ => return Err(EsError::not_x_content("request body must be an object")),
        };
        for (key, value) in members {
            match key.as_str() {
                "settings" => out.settings = IndexSettings::parse(value)?,
                "mappings" if value.is_object() || value.is_null() => {
                    out.mappings = value.clone();
                }
                "mappings" => return Err(EsError::parse("key [mappings] must be an object")),
                "aliases" => out.aliases = Alias::parse_all(value)?,
                other => {
                    return Err(EsError::parse(format!(
                        "unknown key [{}] for create index",
                        other.chars().take(80).collect::<String>()
                    )));
                }
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_of_another_kind_are_refused() {
        for (body, kind) in [
            (json!([]), "not_x_content_exception"),
            (json!({"nope": {}}), "parse_exception"),
            (json!({"settings": []}), "parse_exception"),
            (json!({"mappings": []}), "parse_exception"),
            (json!({"aliases": []}), "parse_exception"),
            (
                json!({"settings": {"number_of_shards": "many"}}),
                "illegal_argument_exception",
            ),
        ] {
            assert_eq!(IndexBody::parse(&body).unwrap_err().kind(), kind, "{body}");
        }
        assert_eq!(
            IndexBody::parse(&Value::Null).unwrap(),
            IndexBody::default()
        );
    }
}
