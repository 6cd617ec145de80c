//! What a watch searches, and how the times of a run get into it.
//!
//! Invariants: times are put in as values, never as text: only a whole text of the body that is
//! `{{from}}`, `{{to}}` or `{{now}}`, with date math behind it if wanted, is replaced, and nothing
//! that was put in is looked at again. Any other `{{` is refused when the watch is read.
//! Not here: sending it.

use serde_json::{Value, json};

/// Deepest body.
const MAX_DEPTH: usize = 32;
/// Longest body, as JSON.
const MAX_BODY_BYTES: usize = 32 * 1024;
/// Most documents that a watch may have answered; conditions read totals and aggregations.
const MAX_SIZE: u64 = 100;
/// Longest date math behind a placeholder.
const MAX_MATH: usize = 64;

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchInput {
    /// Names and patterns of indices and data streams.
    pub indices: Vec<String>,
    /// The body of `_search`.
    pub body: Body,
    /// From `{{from}}` to `{{to}}`, milliseconds.
    pub window_ms: u64,
}

/// The body of a search with places for times.
#[derive(Debug, Clone, PartialEq)]
pub struct Body(Value);

/// Why a body cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Something between braces that is no placeholder.
    #[error(
        "`{0}` is no placeholder: a text may be {{{{from}}}}, {{{{to}}}} or {{{{now}}}}, followed by date math like `||-5m` or by nothing"
    )]
    Placeholder(String),
    /// Not an object.
    #[error("must be a map")]
    NotAMap,
    /// Nested too deep.
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Deep,
    /// Too long.
    #[error("is longer than {MAX_BODY_BYTES} bytes of JSON")]
    Long,
    /// Asks for too many documents.
    #[error("asks for more than {MAX_SIZE} documents (`size`)")]
    Size,
}

/// The times that a run is about, milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Begin of the window.
    pub from_ms: u64,
    /// Its end: the time that the run is the run of.
    pub to_ms: u64,
}

#[derive(Clone, Copy)]
enum Slot {
    From,
    To,
}

/// The slot that a text begins with, and what stands behind it.
fn slot(text: &str) -> Option<(Slot, &str)> {
    [
        ("{{from}}", Slot::From),
        ("{{to}}", Slot::To),
        ("{{now}}", Slot::To),
    ]
    .into_iter()
    .find_map(|(word, slot)| text.strip_prefix(word).map(|rest| (slot, rest)))
}

/// Whether this is date math: `||`, then sums and roundings.
fn is_math(text: &str) -> bool {
    let Some(sums) = text.strip_prefix("||") else {
        return false;
    };
    let allowed = |letter: char| {
        letter.is_ascii_digit()
            || matches!(
                letter,
                '+' | '-' | '/' | 'y' | 'M' | 'w' | 'd' | 'h' | 'H' | 'm' | 's'
            )
    };
    !sums.is_empty() && sums.len() <= MAX_MATH && sums.chars().all(allowed)
}

/// Refuses a text that looks like a placeholder and is none.
pub(crate) fn check_text(text: &str) -> Result<(), BodyError> {
    let good = match slot(text) {
        Some((_, rest)) => rest.is_empty() || is_math(rest),
        None => !text.contains("{{"),
    };
    if good {
        Ok(())
    } else {
        Err(BodyError::Placeholder(text.chars().take(80).collect()))
    }
}

impl Body {
    /// Takes a body.
    ///
    /// # Errors
    /// When it is no object, is too large, or holds braces that are no placeholder.
    pub fn new(value: Value) -> Result<Self, BodyError> {
        fn check(value: &Value, depth: usize) -> Result<(), BodyError> {
            if depth > MAX_DEPTH {
                return Err(BodyError::Deep);
            }
            match value {
                Value::String(text) => check_text(text),
                Value::Array(items) => items.iter().try_for_each(|item| check(item, depth + 1)),
                Value::Object(map) => map.values().try_for_each(|value| check(value, depth + 1)),
                _ => Ok(()),
            }
        }
        let Value::Object(map) = &value else {
            return Err(BodyError::NotAMap);
        };
        if let Some(size) = map.get("size")
            && size.as_u64().is_none_or(|size| size > MAX_SIZE)
        {
            return Err(BodyError::Size);
        }
        check(&value, 0)?;
        if value.to_string().len() > MAX_BODY_BYTES {
            return Err(BodyError::Long);
        }
        Ok(Self(value))
    }

    /// As it was given.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// With the times in their places, all hits counted, and no documents unless asked for.
    #[must_use]
    pub fn filled(&self, span: Span) -> Value {
        let mut body = fill(&self.0, span);
        if let Value::Object(map) = &mut body {
            // Without it, totals end at 10,000 and a larger threshold is never reached.
            map.entry("track_total_hits").or_insert(json!(true));
            map.entry("size").or_insert(json!(0));
        }
        body
    }
}

fn fill(value: &Value, span: Span) -> Value {
    match value {
        Value::String(text) => match slot(text) {
            Some((slot, rest)) => {
                let ms = match slot {
                    Slot::From => span.from_ms,
                    Slot::To => span.to_ms,
                };
                Value::String(format!("{}{rest}", wharf_proto::times::rfc3339(ms)))
            }
            None => value.clone(),
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, span)).collect()),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), fill(value, span)))
                .collect(),
        ),
        _ => value.clone(),
    }
}

impl SearchInput {
    /// The times of the run at `at_ms`.
    #[must_use]
    pub fn span(&self, at_ms: u64) -> Span {
        Span {
            from_ms: at_ms.saturating_sub(self.window_ms),
            to_ms: at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPAN: Span = Span {
        from_ms: 1_767_225_540_000,
        to_ms: 1_767_225_600_000,
    };

    #[test]
    fn times_stand_in_their_places_with_their_math() {
        let body = Body::new(json!({
            "query": {"range": {"@timestamp": {"gte": "{{from}}", "lt": "{{to}}||-5m/m"}}},
            "aggs": {"a": {"filter": {"term": {"x": "{{now}}"}}}},
        }))
        .unwrap();
        let filled = body.filled(SPAN);
        assert_eq!(
            filled["query"]["range"]["@timestamp"],
            json!({"gte": "2025-12-31T23:59:00.000Z", "lt": "2026-01-01T00:00:00.000Z||-5m/m"})
        );
        assert_eq!(
            filled["aggs"]["a"]["filter"]["term"]["x"],
            "2026-01-01T00:00:00.000Z"
        );
        assert_eq!(
            (&filled["size"], &filled["track_total_hits"]),
            (&json!(0), &json!(true))
        );
    }

    #[test]
    fn what_the_body_asks_for_itself_is_kept() {
        let body = Body::new(json!({"size": 5, "track_total_hits": false})).unwrap();
        assert_eq!(body.filled(SPAN), *body.value());
    }

    #[test]
    fn braces_that_are_no_placeholder_are_refused() {
        for text in [
            "{{form}}",
            "x {{from}}",
            "{{from}}x",
            "{{from}}||",
            "{{from}}||-5m\"}",
            "{{from}}{{to}}",
            "{{ from }}",
        ] {
            let error = Body::new(json!({"query": [text]})).expect_err(text);
            assert!(
                matches!(error, BodyError::Placeholder(_)),
                "{text}: {error}"
            );
        }
        assert_eq!(Body::new(json!([])), Err(BodyError::NotAMap));
        assert_eq!(Body::new(json!({"size": 10_000})), Err(BodyError::Size));
    }

    proptest! {
        #[test]
        fn filling_changes_nothing_but_whole_texts_that_are_placeholders(
            key in "[a-z{}]{0,6}", text in "[a-z{}|\\-0-9\"]{0,16}", number in any::<i64>(),
        ) {
            let value = json!({ "q": { key: [text, number] } });
            if let Ok(body) = Body::new(value.clone()) {
                let filled = body.filled(SPAN);
                let (before, after) = (&value["q"], &filled["q"]);
                if slot(&text).is_none() {
                    prop_assert_eq!(before, after);
                } else {
                    let items = after.as_object().and_then(|map| map.values().next()).unwrap();
                    prop_assert!(items[0].as_str().unwrap().starts_with("202"));
                    prop_assert_eq!(&items[1], &json!(number));
                }
            }
        }
    }
}
