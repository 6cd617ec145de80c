//! Reading an answer of `_search`: is it whole, and what stands at a path.
//!
//! Invariant: an answer that is not whole (an error, a time-out, failed shards) is an error, never
//! a small answer.
//! Not here: what its values mean for a watch (`evaluate`).

use serde_json::Value;

/// Deepest path.
const MAX_STEPS: usize = 32;
/// Longest piece of an answer that is repeated in an error.
const MAX_QUOTE: usize = 300;

/// Why an answer says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not the answer of a search.
    #[error("the answer is not that of a search")]
    NotAnAnswer,
    /// The storage refused the search.
    #[error("the search was refused: {kind}: {reason}")]
    Refused {
        /// `parsing_exception`
        kind: String,
        /// What it said.
        reason: String,
    },
    /// It ended before it was done.
    #[error("the search timed out; what it found is not all")]
    TimedOut,
    /// Parts of the data did not answer.
    #[error("{failed} of {total} shards failed: {reason}")]
    ShardsFailed {
        /// Those that failed.
        failed: u64,
        /// All.
        total: u64,
        /// The first failure.
        reason: String,
    },
}

/// An answer that is whole.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    value: &'a Value,
}

fn quote(text: &str) -> String {
    text.chars().take(MAX_QUOTE).collect()
}

fn reason_of(error: &Value) -> String {
    let reason = error
        .get("reason")
        .or_else(|| error.pointer("/root_cause/0/reason"));
    match reason {
        Some(Value::String(text)) => quote(text),
        Some(nested @ Value::Object(_)) => nested
            .get("reason")
            .and_then(Value::as_str)
            .map_or_else(|| quote(&nested.to_string()), quote),
        _ => quote(&error.to_string()),
    }
}

impl<'a> Answer<'a> {
    /// Takes an answer.
    ///
    /// # Errors
    /// When it is an error or not whole.
    pub fn of(value: &'a Value) -> Result<Self, AnswerError> {
        if let Some(error) = value.get("error") {
            let kind = error.get("type").and_then(Value::as_str).unwrap_or("error");
            return Err(AnswerError::Refused {
                kind: quote(kind),
                reason: reason_of(error),
            });
        }
        let (Some(timed_out), Some(shards)) = (
            value.get("timed_out").and_then(Value::as_bool),
            value.get("_shards"),
        ) else {
            return Err(AnswerError::NotAnAnswer);
        };
        if value.get("hits").is_none() {
            return Err(AnswerError::NotAnAnswer);
        }
        let count = |name: &str| shards.get(name).and_then(Value::as_u64);
        let failed = count("failed").ok_or(AnswerError::NotAnAnswer)?;
        if failed > 0 {
            let first = shards.pointer("/failures/0").unwrap_or(&Value::Null);
            return Err(AnswerError::ShardsFailed {
                failed,
                total: count("total").unwrap_or(failed),
                reason: reason_of(first),
            });
        }
        if timed_out {
            return Err(AnswerError::TimedOut);
        }
        Ok(Self { value })
    }

    /// The whole of it.
    #[must_use]
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Whether no index matched: then there are no aggregations either.
    #[must_use]
    pub fn is_of_nothing(&self) -> bool {
        self.value.pointer("/_shards/total").and_then(Value::as_u64) == Some(0)
    }

    /// How many documents matched.
    #[must_use]
    pub fn hits(&self) -> Option<u64> {
        total_of(self.value.pointer("/hits/total")?)
    }
}

/// `hits.total` in either of its forms.
fn total_of(total: &Value) -> Option<u64> {
    total
        .as_u64()
        .or_else(|| total.get("value").and_then(Value::as_u64))
}

/// What stands at a path. Steps are parted by dots; names may have dots themselves (`95.0`,
/// `http.status`), the longest that leads on is taken last. A number steps into a list.
#[must_use]
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    fn walk<'a>(value: &'a Value, steps: &[&str]) -> Option<&'a Value> {
        let Some(first) = steps.first() else {
            return Some(value);
        };
        match value {
            Value::Array(items) => {
                let item = items.get(first.parse::<usize>().ok()?)?;
                walk(item, &steps[1..])
            }
            Value::Object(map) => (1..=steps.len()).find_map(|taken| {
                let inner = map.get(&steps[..taken].join("."))?;
                walk(inner, &steps[taken..])
            }),
            _ => None,
        }
    }
    let steps: Vec<&str> = path.split('.').collect();
    if steps.len() > MAX_STEPS {
        return None;
    }
    let found = walk(value, &steps)?;
    // `hits.total` is meant as a number in both of its forms.
    if steps.ends_with(&["total"])
        && found.get("relation").is_some()
        && let Some(inner) = found.get("value")
    {
        return Some(inner);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn whole() -> Value {
        json!({
            "took": 1, "timed_out": false,
            "_shards": {"total": 2, "successful": 2, "skipped": 0, "failed": 0},
            "hits": {"total": {"value": 7, "relation": "eq"}, "hits": []},
        })
    }

    #[test]
    fn a_whole_answer_is_taken() {
        let value = whole();
        let answer = Answer::of(&value).unwrap();
        assert_eq!(answer.hits(), Some(7));
        assert!(!answer.is_of_nothing());
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        let mut late = whole();
        late["timed_out"] = json!(true);
        assert_eq!(Answer::of(&late).unwrap_err(), AnswerError::TimedOut);
        let mut torn = whole();
        torn["_shards"] = json!({
            "total": 2, "successful": 1, "failed": 1,
            "failures": [{"shard": 0, "reason": {"type": "x", "reason": "disk"}}],
        });
        assert_eq!(
            Answer::of(&torn).unwrap_err().to_string(),
            "1 of 2 shards failed: disk"
        );
        let refused = json!({
            "error": {"type": "index_not_found_exception", "reason": "no such index [x]"},
            "status": 404,
        });
        assert_eq!(
            Answer::of(&refused).unwrap_err().to_string(),
            "the search was refused: index_not_found_exception: no such index [x]"
        );
        for other in [
            json!({}),
            json!([]),
            json!({"hits": {}}),
            json!({"timed_out": false, "_shards": {}, "hits": {}}),
        ] {
            assert_eq!(Answer::of(&other).unwrap_err(), AnswerError::NotAnAnswer);
        }
    }

    #[test]
    fn paths_lead_through_lists_and_names_with_dots() {
        let value = json!({
            "hits": {"total": {"value": 7, "relation": "eq"}, "hits": [{"_source": {"a.b": 1}}]},
            "aggregations": {"latency": {"values": {"95.0": 12.5}}, "x.y": {"value": 3}},
        });
        let number = |path: &str| at(&value, path).and_then(Value::as_f64);
        assert_eq!(number("hits.total"), Some(7.0));
        assert_eq!(number("hits.total.value"), Some(7.0));
        assert_eq!(number("aggregations.latency.values.95.0"), Some(12.5));
        assert_eq!(number("aggregations.x.y.value"), Some(3.0));
        assert_eq!(number("hits.hits.0._source.a.b"), Some(1.0));
        assert_eq!(number("hits.hits.1._source"), None);
        assert_eq!(number("nothing"), None);
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "[a-z0-9.]{0,100}") {
            let value = json!({"a": {"b": [1, {"c.d": 2}]}, "a.b": 3});
            let _ = at(&value, &path);
        }
    }
}
