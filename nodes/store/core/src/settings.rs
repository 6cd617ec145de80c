//! Index settings: `index.`-prefixed names with values as text, and the few that decide something here.
//! Invariants: names are full and flat inside, nested and as text when shown; a value that decides something is checked
//! when it is set. Not here: settings of the whole store.

use crate::error::{EsError, EsResult};
use crate::interval::duration_ms;
use crate::mapping::{DEFAULT_DEPTH_LIMIT, DEFAULT_FIELD_LIMIT, MappingLimits};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most settings of one index, and deepest nesting of their JSON.
const COUNT_LIMIT: usize = 2000;
const DEPTH_LIMIT: usize = 20;
/// Deepest mapping that a setting can allow.
const MOST_DEPTH: usize = 100;

/// Settings of an index or a template.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Value>")]
pub struct IndexSettings(BTreeMap<String, Value>);

impl From<BTreeMap<String, Value>> for IndexSettings {
    /// Flat settings that were kept: they were checked when they were set.
    fn from(kept: BTreeMap<String, Value>) -> Self {
        let as_text = |(name, value)| (name, as_text(&value));
        Self(kept.into_iter().map(as_text).collect())
    }
}

impl IndexSettings {
    /// Reads settings, nested or dotted, with or without `index.`.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming the setting.
    pub fn parse(body: &Value) -> EsResult<Self> {
        let mut settings = Self::default();
        for (name, value) in flat(body)? {
            let name = match name.strip_prefix("index.") {
                Some(_) => name,
                None => format!("index.{name}"),
            };
            settings.0.insert(name, value);
        }
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> EsResult<()> {
        for name in ["index.number_of_shards", "index.number_of_replicas"] {
            if let Some(text) = self.text(name) {
                let least = u32::from(name.ends_with("shards"));
                let most = 1024;
                let number: i64 = text.parse().map_err(|_| not_a_number(name, text))?;
                if !(i64::from(least)..=most).contains(&number) {
                    let bound = if number > most {
                        format!("<= {most}")
                    } else {
                        format!(">= {least}")
                    };
                    return Err(EsError::illegal_argument(format!(
                        "Failed to parse value [{text}] for setting [{name}] must be {bound}"
                    )));
                }
            }
        }
        for name in [
            "index.mapping.total_fields.limit",
            "index.mapping.depth.limit",
            "index.max_result_window",
        ] {
            if let Some(text) = self.text(name)
                && !text.parse::<u64>().is_ok_and(|number| number > 0)
            {
                return Err(not_a_number(name, text));
            }
        }
        for name in [
            "index.hidden",
            "index.blocks.write",
            "index.blocks.read_only",
            "index.blocks.read_only_allow_delete",
        ] {
            if let Some(text) = self.text(name)
                && !matches!(text, "true" | "false")
            {
                return Err(EsError::illegal_argument(format!(
                    "Failed to parse value [{text}] as only [true] or [false] are allowed."
                )));
            }
        }
        if let Some(text) = self.text("index.refresh_interval") {
            duration_ms("index.refresh_interval", text)?;
        }
        for name in ["index.default_pipeline", "index.final_pipeline"] {
            if let Some(text) = self.text(name).filter(|text| *text != "_none") {
                return Err(EsError::unsupported(format!("{name}: {text}")));
            }
        }
        if let Some(name) = self
            .0
            .keys()
            .find(|name| name.starts_with("index.analysis."))
        {
            return Err(EsError::unsupported(name));
        }
        Ok(())
    }

    /// Sets what another holds; nulls remove.
    pub fn merge(&mut self, other: &Self) {
        for (name, value) in &other.0 {
            if value.is_null() {
                self.0.remove(name);
            } else {
                self.0.insert(name.clone(), value.clone());
            }
        }
    }

    /// Sets one that is not set.
    pub fn set_default(&mut self, name: &str, value: &str) {
        self.0
            .entry(name.to_owned())
            .or_insert_with(|| value.into());
    }

    /// A setting by its full name: text, or a list of it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Sets one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The text of a setting by its full name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, flat.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Limits of the mapping.
    #[must_use]
    pub fn mapping_limits(&self) -> MappingLimits {
        let number = |name: &str, default| {
            self.text(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
        };
        MappingLimits {
            fields: number("index.mapping.total_fields.limit", DEFAULT_FIELD_LIMIT),
            depth: number("index.mapping.depth.limit", DEFAULT_DEPTH_LIMIT).min(MOST_DEPTH),
        }
    }

    /// `index.max_result_window`.
    #[must_use]
    pub fn max_result_window(&self) -> usize {
        self.text("index.max_result_window")
            .and_then(|text| text.parse().ok())
            .unwrap_or(10_000)
    }

    /// `index.query.default_field`.
    #[must_use]
    pub fn default_fields(&self) -> Vec<String> {
        match self.0.get("index.query.default_field") {
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            Some(Value::String(names)) => names
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The lifecycle policy's name.
    #[must_use]
    pub fn lifecycle(&self) -> Option<&str> {
        self.text("index.lifecycle.name")
    }

    /// As `_settings` shows it: nested, values as text.
    #[must_use]
    pub fn render(&self) -> Value {
        nested(&self.0)
    }

    /// As `_settings?flat_settings` shows it.
    #[must_use]
    pub fn render_flat(&self) -> Value {
        Value::Object(
            self.0
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }
}

/// Makes `{"a": {"b": 1}}` and `{"a.b": 1}` the same: flat names, values as text.
///
/// # Errors
/// When it is not an object, too deep or too large.
pub fn flat(body: &Value) -> EsResult<BTreeMap<String, Value>> {
    fn walk(
        prefix: &str,
        body: &Map<String, Value>,
        depth: usize,
        out: &mut BTreeMap<String, Value>,
    ) -> EsResult<()> {
        if depth > DEPTH_LIMIT {
            return Err(EsError::illegal_argument("settings are nested too deeply"));
        }
        for (name, value) in body {
            let name = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            if let Value::Object(inner) = value {
                walk(&name, inner, depth + 1, out)?;
                continue;
            }
            if out.len() >= COUNT_LIMIT {
                return Err(EsError::illegal_argument(format!(
                    "more than {COUNT_LIMIT} settings"
                )));
            }
            out.insert(name, as_text(value));
        }
        Ok(())
    }
    let mut out = BTreeMap::new();
    match body {
        Value::Null => {}
        Value::Object(body) => walk("", body, 0, &mut out)?,
        _ => {
            return Err(EsError::parse("key [settings] must be an object"));
        }
    }
    Ok(out)
}

/// Flat settings as answers show them: nested, without those that are null.
#[must_use]
pub fn nested(settings: &BTreeMap<String, Value>) -> Value {
    let mut out = Map::new();
    for (name, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
        place(&mut out, name, name, value);
    }
    Value::Object(out)
}

fn not_a_number(name: &str, text: &str) -> EsError {
    EsError::illegal_argument(format!(
        "Failed to parse value [{text}] for setting [{name}]"
    ))
    .caused_by(EsError::new(
        400,
        "number_format_exception",
        format!("For input string: \"{text}\""),
    ))
}

/// Nests by dots; where a name is also a value, the rest of the name stays flat.
fn place(out: &mut Map<String, Value>, name: &str, rest: &str, value: &Value) {
    if let Some((first, rest)) = rest.split_once('.') {
        let inner = out
            .entry(first.to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(inner) = inner {
            place(inner, name, rest, value);
            return;
        }
        out.insert(name.to_owned(), value.clone());
        return;
    }
    out.insert(rest.to_owned(), value.clone());
}

fn as_text(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Bool(flag) => flag.to_string().into(),
        Value::Array(items) => items.iter().map(as_text).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn nested_dotted_and_prefixed_names_are_the_same() {
        let nested = IndexSettings::parse(
            &json!({"index": {"number_of_shards": 1, "query": {"default_field": ["a", "b"]}}}),
        )
        .unwrap();
        let dotted = IndexSettings::parse(
            &json!({"number_of_shards": "1", "index.query.default_field": ["a", "b"]}),
        )
        .unwrap();
        assert_eq!(nested, dotted);
        assert_eq!(
            nested.render(),
            json!({"index": {"number_of_shards": "1", "query": {"default_field": ["a", "b"]}}})
        );
        assert_eq!(nested.default_fields(), ["a", "b"]);
    }

    #[test]
    fn values_that_decide_are_checked() {
        for bad in [
            json!({"number_of_shards": 0}),
            json!({"number_of_shards": "many"}),
            json!({"number_of_replicas": -1}),
            json!({"mapping.total_fields.limit": "many"}),
            json!({"refresh_interval": "soon"}),
            json!({"hidden": "maybe"}),
            json!({"default_pipeline": "p"}),
            json!({"analysis": {"analyzer": {"a": {"type": "custom"}}}}),
            json!([]),
        ] {
            assert!(IndexSettings::parse(&bad).is_err(), "{bad}");
        }
        let settings = IndexSettings::parse(&json!({"mapping.total_fields.limit": 12500})).unwrap();
        assert_eq!(
            settings.mapping_limits(),
            MappingLimits {
                fields: 12500,
                depth: 20
            }
        );
    }

    #[test]
    fn kept_settings_come_back_as_text() {
        let kept: IndexSettings =
            serde_json::from_value(json!({"index.hidden": true, "index.max_result_window": 5}))
                .unwrap();
        assert!(kept.is_set("index.hidden"));
        assert_eq!(kept.max_result_window(), 5);
        assert_eq!(
            serde_json::to_value(&kept).unwrap(),
            json!({"index.hidden": "true", "index.max_result_window": "5"})
        );
    }

    #[test]
    fn a_null_takes_a_setting_away() {
        let mut settings =
            IndexSettings::parse(&json!({"blocks.write": true, "hidden": true})).unwrap();
        settings.merge(&IndexSettings::parse(&json!({"blocks.write": null})).unwrap());
        assert!(!settings.is_set("index.blocks.write") && settings.is_set("index.hidden"));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(names in proptest::collection::btree_map("[a-c]{1,2}(\\.[a-c]{1,2}){0,2}", "[x-z]{1,3}", 0..8)) {
            let body = Value::Object(names.into_iter().map(|(name, value)| (name, value.into())).collect());
            let settings = IndexSettings::parse(&body).unwrap();
            prop_assert_eq!(&IndexSettings::parse(&settings.render_flat()).unwrap(), &settings);
        }
    }
}
