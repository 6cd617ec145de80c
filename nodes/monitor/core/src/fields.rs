//! Which fields can be asked about: one row per name from the answer of `_field_caps`.
//!
//! Invariants: objects and the storage's own fields (`_id`) are left out; a field of several types is said to be in
//! conflict, with all of them, and can only what each of them can; rows are ordered by name.
//! Not here: asking.

use serde_json::Value;
use wharf_proto::monitor::v1::{Field, ListFieldsRequest};

use crate::search::{SearchError, check_indices};

/// Most fields of an answer.
pub const MAX_FIELDS: u32 = 2_000;
/// Fields of an answer when no number is given.
pub const DEFAULT_FIELDS: u32 = 500;
/// Longest beginning of a name, in bytes.
const MAX_PREFIX: usize = 255;
/// The type of a field that has several.
const CONFLICT: &str = "conflict";

/// A question that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Names and patterns, joined by commas, safe in a path.
    pub indices: String,
    /// What names begin with; not safe in a path.
    pub prefix: String,
    /// Most rows.
    pub limit: usize,
}

/// Checks a request.
///
/// # Errors
/// Names the field that is wrong.
pub fn check(request: &ListFieldsRequest) -> Result<Asked, SearchError> {
    let indices = check_indices(&request.indices)?;
    let prefix = request.prefix.trim();
    let is_wrong = |letter: char| matches!(letter, '*' | ',') || letter.is_control();
    if prefix.len() > MAX_PREFIX || prefix.contains(is_wrong) {
        return Err(SearchError {
            field: "prefix",
            message: format!("must be at most {MAX_PREFIX} bytes without `*` and `,`"),
        });
    }
    let limit = match request.limit {
        0 => DEFAULT_FIELDS,
        limit if limit <= MAX_FIELDS => limit,
        _ => {
            return Err(SearchError {
                field: "limit",
                message: format!("must be at most {MAX_FIELDS}"),
            });
        }
    };
    Ok(Asked {
        indices,
        prefix: prefix.to_owned(),
        limit: limit as usize,
    })
}

/// All fields of an answer.
#[must_use]
pub fn rows(answer: &Value) -> Vec<Field> {
    let fields = answer.get("fields").and_then(Value::as_object);
    let mut rows: Vec<Field> = fields
        .into_iter()
        .flatten()
        .filter(|(name, _)| !name.starts_with('_'))
        .filter_map(|(name, types)| row(name, types))
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn row(name: &str, types: &Value) -> Option<Field> {
    let known: Vec<(&String, &Value)> = types
        .as_object()?
        .iter()
        .filter(|(kind, _)| !matches!(kind.as_str(), "object" | "nested" | "unmapped"))
        .collect();
    let can = |what: &str| {
        let mut each = known.iter();
        each.all(|(_, caps)| caps.get(what).and_then(Value::as_bool) == Some(true))
    };
    let (first, _) = known.first()?;
    let mut types: Vec<String> = known.iter().map(|(kind, _)| (*kind).clone()).collect();
    types.sort();
    let is_one = known.len() == 1;
    Some(Field {
        name: name.to_owned(),
        r#type: if is_one {
            (*first).clone()
        } else {
            CONFLICT.to_owned()
        },
        searchable: can("searchable"),
        aggregatable: can("aggregatable"),
        types: if is_one { Vec::new() } else { types },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn request(prefix: &str, limit: u32) -> ListFieldsRequest {
        ListFieldsRequest {
            indices: vec!["logs-*".into()],
            prefix: prefix.into(),
            limit,
        }
    }

    #[test]
    fn a_question_is_taken_within_its_limits_and_refused_by_its_field() {
        let asked = check(&request("host.", 0)).unwrap();
        assert_eq!((asked.prefix.as_str(), asked.limit), ("host.", 500));
        assert_eq!(check(&request("", MAX_FIELDS)).unwrap().limit, 2_000);
        for (request, field) in [
            (request("", MAX_FIELDS + 1), "limit"),
            (request("a*", 1), "prefix"),
            (request("a,b", 1), "prefix"),
            (request(&"x".repeat(256), 1), "prefix"),
            (ListFieldsRequest::default(), "indices"),
        ] {
            assert_eq!(check(&request).unwrap_err().field, field, "{request:?}");
        }
    }

    #[test]
    fn fields_have_one_row_each_and_a_conflict_says_so() {
        let caps = |kind: &str, searchable: bool, aggregatable: bool| json!({"type": kind, "searchable": searchable, "aggregatable": aggregatable});
        let found = rows(&json!({"indices": ["a", "b"], "fields": {
            "message": {"text": caps("text", true, false)},
            "code": {"long": caps("long", true, true), "keyword": caps("keyword", false, true)},
            "host": {"object": caps("object", false, false)},
            "host.name": {"keyword": caps("keyword", true, true), "unmapped": caps("unmapped", false, false)},
            "_id": {"_id": caps("_id", true, false)},
        }}));
        let told: Vec<_> = found
            .iter()
            .map(|row| {
                (
                    row.name.as_str(),
                    row.r#type.as_str(),
                    row.searchable,
                    row.aggregatable,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("code", "conflict", false, true),
                ("host.name", "keyword", true, true),
                ("message", "text", true, false),
            ]
        );
        assert_eq!(found[0].types, ["keyword", "long"]);
        assert!(found[1].types.is_empty());
    }

    proptest! {
        #[test]
        fn no_answer_panics(name in ".{0,10}", text in "[a-z]{0,10}", on in any::<bool>()) {
            for caps in [json!({}), json!(text), json!({text.clone(): {"searchable": on}}), json!([on])] {
                let found = rows(&json!({"fields": {name.clone(): caps}}));
                prop_assert!(found.len() <= 1);
            }
        }

        #[test]
        fn no_prefix_that_is_taken_is_a_pattern(prefix in ".{0,20}") {
            if let Ok(asked) = check(&request(&prefix, 1)) {
                prop_assert!(!asked.prefix.contains(['*', ',']));
            }
        }
    }
}
