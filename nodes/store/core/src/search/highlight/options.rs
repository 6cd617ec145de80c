//! What a request says about highlighting: options of all fields and of each.
//!
//! Invariants: every option is read or refused; those that only OpenSearch's third kind (`fvh`) looks at are read and have
//! no effect, as there. Not here: what the options do.

use serde_json::Value;

use crate::error::EsError;
use crate::query::params::{bool_of, scalar_text, token_name};
use crate::query::{Query, parse_query};

/// Fields and patterns that one request may name.
const MAX_FIELDS: usize = 1000;

/// What of the hits is marked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Highlight {
    pub(super) fields: Vec<FieldOptions>,
}

#[derive(Clone, Debug)]
pub(super) struct FieldOptions {
    /// A path, possibly with `*`.
    pub(super) pattern: String,
    pub(super) options: Options,
}

/// How fragments are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sentences, ranked by a formula of their own.
    Unified,
    /// Pieces of equal length, ranked by the words in them.
    Plain,
}

/// Where a unified fragment may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanner {
    Sentence,
    Word,
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) kind: Kind,
    pub(super) before: String,
    pub(super) after: String,
    /// UTF-16 units; none means sentences of any length.
    pub(super) fragment_size: Option<usize>,
    /// None means the whole text, a fragment a value.
    pub(super) fragments: Option<usize>,
    /// How much is shown of a text without a match, in UTF-16 units.
    pub(super) no_match_size: usize,
    pub(super) by_score: bool,
    pub(super) require_field_match: bool,
    pub(super) html: bool,
    pub(super) scanner: Scanner,
    /// Plain fragments may end within a phrase.
    pub(super) split_phrases: bool,
    /// Instead of the search's.
    pub(super) query: Option<Query>,
    /// UTF-16 units of a text behind which nothing is marked.
    pub(super) offset_limit: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kind: Kind::Unified,
            before: "<em>".into(),
            after: "</em>".into(),
            fragment_size: Some(100),
            fragments: Some(5),
            no_match_size: 0,
            by_score: false,
            require_field_match: true,
            html: false,
            scanner: Scanner::Sentence,
            split_phrases: false,
            query: None,
            offset_limit: None,
        }
    }
}

impl Highlight {
    /// Reads the member `highlight` of a search.
    pub(crate) fn parse(value: &Value) -> Result<Self, EsError> {
        let Value::Object(map) = value else {
            return Err(EsError::parsing(format!(
                "Unknown key for a {} in [highlight].",
                token_name(value)
            )));
        };
        let mut all = Options::default();
        let mut named: Vec<(&String, &Value)> = Vec::new();
        read_tags(map, "highlight", &mut all)?;
        for (key, value) in map {
            match key.as_str() {
                "fields" => named = field_list(value)?,
                "encoder" => all.html = text("highlight", key, value)? == "html",
                "tags_schema" => match text("highlight", key, value)?.as_str() {
                    "default" => {}
                    "styled" => all.before = "<em class=\"hlt1\">".into(),
                    other => {
                        return Err(wrong("highlight", key).caused_by(EsError::illegal_argument(
                            format!("Unknown tag schema [{other}]"),
                        )));
                    }
                },
                _ => read_option("highlight", key, value, &mut all)?,
            }
        }
        if named.len() > MAX_FIELDS {
            return Err(EsError::illegal_argument(format!(
                "[highlight] names [{}] fields, at most [{MAX_FIELDS}] are allowed",
                named.len()
            )));
        }
        let mut fields = Vec::with_capacity(named.len());
        for (pattern, value) in named {
            let mut options = all.clone();
            let Value::Object(own) = value else {
                return Err(EsError::json_parse(format!(
                    "[highlight_field] expected an object for [{pattern}] but found {}",
                    token_name(value)
                )));
            };
            read_tags(own, "highlight_field", &mut options)?;
            for (key, value) in own {
                match key.as_str() {
                    "fragment_offset" => {
                        number("highlight_field", key, value)?;
                    }
                    "matched_fields" => {
                        let others = |name: &Value| name.as_str() != Some(pattern);
                        if list(value).iter().any(others) {
                            return Err(EsError::unsupported("highlight matched_fields"));
                        }
                    }
                    _ => read_option("highlight_field", key, value, &mut options)?,
                }
            }
            fields.push(FieldOptions {
                pattern: pattern.clone(),
                options,
            });
        }
        Ok(Self { fields })
    }

    /// Whether anything may be marked.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

/// `{"a": {}, "b": {}}` or `[{"a": {}}, {"b": {}}]`.
fn field_list(value: &Value) -> Result<Vec<(&String, &Value)>, EsError> {
    match value {
        Value::Object(map) => Ok(map.iter().collect()),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::Object(map) if map.len() == 1 => map.iter().next(),
                _ => None,
            })
            .collect::<Option<_>>()
            .ok_or_else(|| {
                EsError::json_parse(
                    "[fields] can be a single object with any number of fields or an array where each entry is an object with a single field",
                )
            }),
        other => Err(EsError::json_parse(format!(
            "[highlight] fields doesn't support values of type: {}",
            token_name(other)
        ))),
    }
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn wrong(owner: &str, key: &str) -> EsError {
    EsError::json_parse(format!("[{owner}] failed to parse field [{key}]"))
}

fn text(owner: &str, key: &str, value: &Value) -> Result<String, EsError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(wrong(owner, key)),
    }
}

fn flag(owner: &str, key: &str, value: &Value) -> Result<bool, EsError> {
    bool_of(value).ok_or_else(|| wrong(owner, key))
}

fn number(owner: &str, key: &str, value: &Value) -> Result<i64, EsError> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number
        .filter(|number| i32::try_from(*number).is_ok())
        .ok_or_else(|| wrong(owner, key))
}

/// A number that is not negative; -1 is as good as nothing.
fn size(owner: &str, key: &str, value: &Value) -> Result<Option<usize>, EsError> {
    match number(owner, key, value)? {
        -1 => Ok(None),
        size => usize::try_from(size).map(Some).map_err(|_| {
            EsError::illegal_argument(format!("[{key}] must not be negative in [{owner}]"))
        }),
    }
}

fn read_tags(
    map: &serde_json::Map<String, Value>,
    owner: &str,
    options: &mut Options,
) -> Result<(), EsError> {
    let tag = |key: &str| -> Result<Option<String>, EsError> {
        let Some(value) = map.get(key) else {
            return Ok(None);
        };
        // Of several, which the third kind takes turns with, these two kinds use the first.
        let first = list(value).first().and_then(scalar_text);
        first.map(Some).ok_or_else(|| wrong(owner, key))
    };
    let (before, after) = (tag("pre_tags")?, tag("post_tags")?);
    if before.is_some() && after.is_none() {
        return Err(EsError::parsing(
            "pre_tags are set but post_tags are not set",
        ));
    }
    if let Some(before) = before {
        options.before = before;
    }
    if let Some(after) = after {
        options.after = after;
    }
    Ok(())
}

/// Options that all fields and each may have.
fn read_option(
    owner: &str,
    key: &str,
    value: &Value,
    options: &mut Options,
) -> Result<(), EsError> {
    match key {
        "pre_tags" | "post_tags" => {}
        "type" => {
            options.kind = match text(owner, key, value)?.as_str() {
                "unified" => Kind::Unified,
                "plain" => Kind::Plain,
                "fvh" => return Err(EsError::unsupported("highlight type fvh")),
                other => {
                    return Err(EsError::illegal_argument(format!(
                        "unknown highlighter type [{other}]"
                    )));
                }
            };
        }
        "fragment_size" => {
            if let Some(size) = size(owner, key, value)? {
                options.fragment_size = Some(size).filter(|size| *size > 0);
            }
        }
        "number_of_fragments" => {
            if let Some(count) = size(owner, key, value)? {
                options.fragments = Some(count).filter(|count| *count > 0);
            }
        }
        "no_match_size" => {
            options.no_match_size = size(owner, key, value)?.unwrap_or(options.no_match_size);
        }
        "order" => options.by_score = text(owner, key, value)?.eq_ignore_ascii_case("score"),
        "require_field_match" => options.require_field_match = flag(owner, key, value)?,
        "boundary_scanner" => {
            options.scanner = match text(owner, key, value)?.to_ascii_lowercase().as_str() {
                "sentence" => Scanner::Sentence,
                "word" => Scanner::Word,
                "chars" => {
                    return Err(EsError::illegal_argument(
                        "Invalid boundary scanner type: chars",
                    ));
                }
                _ => return Err(wrong(owner, key)),
            };
        }
        "fragmenter" => {
            options.split_phrases = match text(owner, key, value)?.as_str() {
                "simple" => true,
                "span" => false,
                other => {
                    return Err(EsError::illegal_argument(format!(
                        "unknown fragmenter option [{other}]"
                    )));
                }
            };
        }
        "highlight_query" => options.query = Some(parse_query(value)?),
        "max_analyzer_offset" => {
            let limit = number(owner, key, value)?;
            options.offset_limit = Some(
                usize::try_from(limit)
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or_else(|| {
                        EsError::illegal_argument(format!("[{key}] must be a positive integer"))
                    })?,
            );
        }
        "boundary_scanner_locale" => {
            // The one language whose words this platform finds by a dictionary.
            if text(owner, key, value)?
                .to_ascii_lowercase()
                .starts_with("th")
            {
                return Err(EsError::unsupported("highlight boundary_scanner_locale th"));
            }
        }
        "boundary_max_scan" | "phrase_limit" => {
            number(owner, key, value)?;
        }
        "boundary_chars" => {
            text(owner, key, value)?;
        }
        "force_source" | "highlight_filter" => {
            flag(owner, key, value)?;
        }
        "options" if value.is_object() => {}
        "options" => return Err(wrong(owner, key)),
        _ => {
            return Err(EsError::json_parse(format!(
                "[{owner}] unknown field [{}]",
                key.chars().take(100).collect::<String>()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn options_of_a_field_win() {
        let asked = json!({"fragment_size": 7, "pre_tags": ["<"], "post_tags": [">"], "order": "score",
            "fields": [{"a": {"fragment_size": "9", "type": "plain"}}, {"b*": {"number_of_fragments": 0}}]});
        let asked = Highlight::parse(&asked).unwrap();
        let (a, b) = (&asked.fields[0].options, &asked.fields[1].options);
        assert_eq!(
            (a.fragment_size, a.kind, a.fragments),
            (Some(9), Kind::Plain, Some(5))
        );
        assert_eq!(
            (b.fragment_size, b.kind, b.fragments),
            (Some(7), Kind::Unified, None)
        );
        assert!(b.by_score && b.before == "<" && b.after == ">");
    }

    #[test]
    fn what_is_not_done_is_named() {
        let refused = |value: Value| Highlight::parse(&value).unwrap_err();
        for (value, name) in [
            (json!({"type": "fvh", "fields": {"a": {}}}), "fvh"),
            (
                json!({"fields": {"a": {"matched_fields": ["b"]}}}),
                "matched_fields",
            ),
            (
                json!({"boundary_scanner_locale": "th", "fields": {"a": {}}}),
                "th",
            ),
        ] {
            let error = refused(value);
            assert!(
                error.is_unsupported() && error.reason().contains(name),
                "{error}"
            );
        }
        assert_eq!(
            refused(json!({"nope": 1})).kind(),
            "x_content_parse_exception"
        );
        assert_eq!(refused(json!([1])).kind(), "parsing_exception");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            Just(json!("score")),
            Just(json!("plain")),
            Just(json!("x")),
            Just(json!({})),
            Just(json!([])),
            Just(json!(["a"])),
            Just(json!({"a": {}})),
            Just(json!([{"a": {"type": 1}}])),
            any::<i64>().prop_map(|n| json!(n)),
            any::<f64>().prop_map(|n| json!(n)),
        ]
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(
            members in prop::collection::vec((prop::sample::select(vec![
                "type", "fields", "order", "fragment_size", "number_of_fragments", "no_match_size", "pre_tags", "post_tags",
                "encoder", "tags_schema", "boundary_scanner", "fragmenter", "highlight_query", "options", "zz",
            ]), any_value()), 0..5)
        ) {
            let map: serde_json::Map<String, Value> = members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            let _ = Highlight::parse(&Value::Object(map));
        }
    }
}
