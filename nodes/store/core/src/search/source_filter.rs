//! `_source` filtering: which parts of a document are shown.
//!
//! Invariants: an include of an object includes all that is in it; excludes win; objects left empty
//! by the filter are dropped, empty ones of the document are kept. Not here: reading the source.

use serde_json::{Map, Value};

use crate::error::EsError;
use crate::query::params::{Params, scalar_text};
use crate::wildcard::glob;

/// Patterns one filter may have.
const MAX_PATTERNS: usize = 1000;

/// What is shown of `_source`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SourceFilter {
    /// Not even an empty object is shown.
    pub disabled: bool,
    /// Patterns of paths; none means everything.
    pub includes: Vec<String>,
    /// Patterns of paths that are left out.
    pub excludes: Vec<String>,
}

impl SourceFilter {
    /// Reads `true`, `"a.*"`, `["a", "b"]` or `{"includes": …, "excludes": …}`.
    pub fn parse(value: &Value) -> Result<Self, EsError> {
        let mut filter = Self::default();
        match value {
            Value::Bool(shown) => filter.disabled = !shown,
            Value::String(s) if s == "false" => filter.disabled = true,
            Value::String(s) if s == "true" => {}
            Value::String(_) | Value::Array(_) => filter.includes = patterns(value)?,
            Value::Object(_) => {
                let mut p = Params::new("_source", value)?;
                for name in ["includes", "include"] {
                    if let Some(value) = p.take(name) {
                        filter.includes.extend(patterns(value)?);
                    }
                }
                for name in ["excludes", "exclude"] {
                    if let Some(value) = p.take(name) {
                        filter.excludes.extend(patterns(value)?);
                    }
                }
                p.finish_as_object()?;
            }
            other => {
                return Err(EsError::parsing(format!(
                    "Expected one of [VALUE_BOOLEAN, START_OBJECT, START_ARRAY, VALUE_STRING] but found [{}]",
                    crate::query::params::token_name(other)
                )));
            }
        }
        filter.check()?;
        Ok(filter)
    }

    /// Refuses a pattern that is both shown and left out.
    pub fn check(&self) -> Result<(), EsError> {
        match self.excludes.iter().find(|one| self.includes.contains(one)) {
            None => Ok(()),
            Some(both) => Err(EsError::illegal_argument(format!(
                "The same entry [{both}] cannot be both included and excluded in _source."
            ))),
        }
    }

    /// Whether the whole source is shown as it is.
    pub fn keeps_all(&self) -> bool {
        !self.disabled && self.includes.is_empty() && self.excludes.is_empty()
    }

    /// The filtered document.
    pub fn apply(&self, source: Value) -> Value {
        if self.keeps_all() {
            return source;
        }
        self.walk(source, "", false)
            .unwrap_or_else(|| Value::Object(Map::new()))
    }

    fn walk(&self, value: Value, path: &str, included: bool) -> Option<Value> {
        match value {
            Value::Object(map) => {
                let mut out = Map::new();
                let was_empty = map.is_empty();
                for (key, inner) in map {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    if self.excludes.iter().any(|pattern| covers(pattern, &path)) {
                        continue;
                    }
                    let included = included
                        || self.includes.is_empty()
                        || self.includes.iter().any(|pattern| covers(pattern, &path));
                    if let Some(inner) = self.walk(inner, &path, included) {
                        out.insert(key, inner);
                    }
                }
                (included && was_empty || !out.is_empty() || path.is_empty())
                    .then_some(Value::Object(out))
            }
            Value::Array(items) => {
                let was_empty = items.is_empty();
                let kept: Vec<Value> = items
                    .into_iter()
                    .filter_map(|item| self.walk(item, path, included))
                    .collect();
                (included && was_empty || !kept.is_empty()).then_some(Value::Array(kept))
            }
            scalar => included.then_some(scalar),
        }
    }
}

/// Whether a pattern names the path or an object around it.
fn covers(pattern: &str, path: &str) -> bool {
    glob(pattern, path)
}

fn patterns(value: &Value) -> Result<Vec<String>, EsError> {
    let list: Vec<String> = match value {
        Value::Array(items) => items.iter().filter_map(scalar_text).collect(),
        other => scalar_text(other).into_iter().collect(),
    };
    if list.len() > MAX_PATTERNS {
        return Err(EsError::illegal_argument(format!(
            "[_source] has more than [{MAX_PATTERNS}] patterns"
        )));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn includes_and_excludes_are_paths_with_stars() {
        let source = json!({"a": {"b": 1, "c": {"d": 2}}, "e": [{"f": 3, "g": 4}], "h": {}});
        let show = |filter: Value| SourceFilter::parse(&filter).unwrap().apply(source.clone());
        assert_eq!(show(json!(true)), source);
        assert_eq!(show(json!("a.*")), json!({"a": {"b": 1, "c": {"d": 2}}}));
        assert_eq!(show(json!("a")), json!({"a": {"b": 1, "c": {"d": 2}}}));
        assert_eq!(
            show(json!(["*.f", "a.b"])),
            json!({"a": {"b": 1}, "e": [{"f": 3}]})
        );
        assert_eq!(
            show(json!({"excludes": ["a.c", "e"]})),
            json!({"a": {"b": 1}, "h": {}})
        );
        assert_eq!(show(json!("nothing")), json!({}));
    }
}
