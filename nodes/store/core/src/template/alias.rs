//! An alias of one index: what a request or a template says about it.
//! Invariants: a filter that is kept is a query that could be read; what is not done here is refused by its name.
//! Not here: which indices an alias stands for, and searching through one (`wharf-store`).

use crate::error::{EsError, EsResult};
use crate::query::parse_query;
use crate::wildcard::check_index_name;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// An alias of one index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// Searches through the alias see only what this query matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// Whether writes to the alias go here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_write_index: Option<bool>,
    /// Not matched by stars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_hidden: Option<bool>,
}

impl Alias {
    /// Reads one alias, `{"filter": {...}, "is_write_index": true}`.
    ///
    /// # Errors
    /// When the name or the filter is not valid, or something is asked for that is not done.
    pub fn parse(name: &str, body: &Value) -> EsResult<Self> {
        Self::read(name, body, false)
    }

    /// `within`: as a part of an index or a template, where OpenSearch passes over what it does not know.
    fn read(name: &str, body: &Value, within: bool) -> EsResult<Self> {
        check_index_name(name)?;
        let mut alias = Self::default();
        let members = match body {
            Value::Null => return Ok(alias),
            Value::Object(members) => members,
            _ => {
                return Err(EsError::json_parse(format!(
                    "[alias] [{name}] must be an object"
                )));
            }
        };
        for (key, value) in members {
            let flag = || match value {
                Value::Null => Ok(None),
                Value::Bool(flag) => Ok(Some(*flag)),
                Value::String(text) if text == "true" => Ok(Some(true)),
                Value::String(text) if text == "false" => Ok(Some(false)),
                _ => Err(EsError::illegal_argument(format!(
                    "alias [{name}]: [{key}] must be true or false"
                ))),
            };
            match key.as_str() {
                "is_write_index" => alias.is_write_index = flag()?,
                "is_hidden" => alias.is_hidden = flag()?,
                "filter" => alias.filter = filter(name, value)?,
                "routing" | "index_routing" | "search_routing" => {
                    return Err(EsError::unsupported(format!("alias parameter {key}")));
                }
                _ if within => {}
                other => {
                    return Err(EsError::illegal_argument(format!(
                        "unknown field [{}]",
                        other.chars().take(80).collect::<String>()
                    )));
                }
            }
        }
        Ok(alias)
    }

    /// Reads `{"name": {...}, ...}`.
    ///
    /// # Errors
    /// As [`Alias::parse`].
    pub fn parse_all(body: &Value) -> EsResult<BTreeMap<String, Self>> {
        match body {
            Value::Null => Ok(BTreeMap::new()),
            Value::Object(aliases) => aliases
                .iter()
                .map(|(name, body)| Ok((name.clone(), Self::read(name, body, true)?)))
                .collect(),
            _ => Err(EsError::parse("key [aliases] must be an object")),
        }
    }
}

/// An empty filter is none.
fn filter(alias: &str, body: &Value) -> EsResult<Option<Value>> {
    match body {
        Value::Null => return Ok(None),
        Value::Object(members) if members.is_empty() => return Ok(None),
        // Passed over, as in OpenSearch.
        Value::Array(_) => return Ok(None),
        _ => {}
    }
    parse_query(body).map_err(|error| {
        EsError::illegal_argument(format!("failed to parse filter for alias [{alias}]"))
            .caused_by(error)
    })?;
    Ok(Some(body.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_is_kept_as_it_was_sent() {
        let body = json!({"filter": {"term": {"a": 1}}, "is_write_index": true});
        let alias = Alias::parse("x", &body).unwrap();
        assert_eq!(serde_json::to_value(&alias).unwrap(), body);
        for none in [
            json!({"filter": {}}),
            json!({"filter": []}),
            json!({"filter": null}),
            json!({}),
        ] {
            assert_eq!(
                Alias::parse("x", &none).unwrap(),
                Alias::default(),
                "{none}"
            );
        }
    }

    #[test]
    fn what_is_wrong_or_not_done_is_named() {
        let why = |body: Value| Alias::parse("x", &body).unwrap_err();
        assert_eq!(
            why(json!({"filter": {"nope": {}}})).reason(),
            "failed to parse filter for alias [x]"
        );
        for key in ["routing", "index_routing", "search_routing"] {
            let reason = why(json!({key: "1"})).reason().to_owned();
            assert_eq!(
                reason,
                format!("[alias parameter {key}] is not supported by this store")
            );
        }
        assert_eq!(why(json!({"nope": 1})).reason(), "unknown field [nope]");
        let within = Alias::parse_all(&json!({"x": {"nope": 1}})).unwrap();
        assert_eq!(within["x"], Alias::default());
        assert!(
            why(json!({"is_write_index": "maybe"}))
                .reason()
                .contains("is_write_index")
        );
        assert_eq!(why(json!([])).kind(), "x_content_parse_exception");
        assert!(Alias::parse("A", &json!({})).is_err());
        assert_eq!(
            Alias::parse_all(&json!([])).unwrap_err().kind(),
            "parse_exception"
        );
    }
}
