//! What to send in a `_bulk` request, and what its answer means.
//!
//! Invariants: a document is done when the store took it (2xx) or had it (409); it is tried again
//! when the store could not take it now; it is given up only when the store says that it never
//! will take it. An answer that cannot be understood changes nothing: everything is tried again.
//! Not here: HTTP, waiting, the cursor.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::container::cut;
use crate::document::{Document, push_json};

/// How large one request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes before compression.
    pub bytes: usize,
    /// Documents.
    pub documents: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            bytes: 5 * 1024 * 1024,
            documents: 2000,
        }
    }
}

/// A document that the store gives errors for (not "busy") is given up after so many tries.
pub const MAX_TRIES: u32 = 10;

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The store took it.
    Delivered,
    /// The store had it already.
    Duplicate,
    /// The store cannot take it now; `is_fault` says that it failed rather than being busy.
    Retry {
        /// The store failed on it: counts towards [`MAX_TRIES`].
        is_fault: bool,
    },
    /// The store will never take it.
    Rejected {
        /// What it said, cut short.
        reason: String,
    },
}

/// What a `_bulk` answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One verdict per document.
    Items(Vec<Verdict>),
    /// The request as a whole is to be sent again later.
    RetryAll {
        /// Why, for the log.
        reason: String,
    },
    /// The request is too large or cannot be read by the store: send halves; a single document
    /// is given up.
    Split {
        /// What the store said.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    errors: bool,
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(alias = "index")]
    create: Option<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    error: Option<Value>,
}

/// Appends the two lines of a document to a request. Its id makes a second try harmless.
pub fn push_action(out: &mut Vec<u8>, document: &Document) {
    out.extend_from_slice(b"{\"create\":{\"_index\":");
    push_json(out, &document.stream);
    out.extend_from_slice(b",\"_id\":");
    push_json(out, &document.id);
    out.extend_from_slice(b"}}\n");
    out.extend_from_slice(&document.body);
    out.push(b'\n');
}

/// Reads the answer to a request of so many documents.
pub fn answer(status: u16, body: &[u8], documents: usize) -> Answer {
    match status {
        200..=299 => {}
        413 => {
            return Answer::Split {
                reason: said(status, body),
            };
        }
        // Only a store says why in its own shape; another's 400 says nothing about the documents.
        400 | 422 if is_store_error(body) => {
            return Answer::Split {
                reason: said(status, body),
            };
        }
        _ => {
            return Answer::RetryAll {
                reason: said(status, body),
            };
        }
    }
    let Ok(wire) = serde_json::from_slice::<Wire>(body) else {
        let reason = format!("status {status} with an answer that is not a _bulk answer");
        return Answer::RetryAll { reason };
    };
    match wire.items {
        None if !wire.errors => Answer::Items(vec![Verdict::Delivered; documents]),
        Some(items) if items.is_empty() && !wire.errors => {
            Answer::Items(vec![Verdict::Delivered; documents])
        }
        Some(items) if items.len() == documents => {
            Answer::Items(items.into_iter().map(verdict).collect())
        }
        _ => Answer::RetryAll {
            reason: format!("an answer without one item for each of {documents} documents"),
        },
    }
}

fn verdict(item: Item) -> Verdict {
    let Some(outcome) = item.create else {
        return Verdict::Retry { is_fault: true };
    };
    let kind = outcome
        .error
        .as_ref()
        .and_then(|error| error["type"].as_str())
        .unwrap_or("");
    match outcome.status {
        200..=299 => Verdict::Delivered,
        409 => Verdict::Duplicate,
        429 | 503 => Verdict::Retry { is_fault: false },
        // A disk guard of an older store, or a node that starts.
        403 if kind == "cluster_block_exception" => Verdict::Retry { is_fault: false },
        500..=599 => Verdict::Retry { is_fault: true },
        status => {
            let error = outcome.error.as_ref().unwrap_or(&Value::Null);
            let text = match error["reason"].as_str() {
                Some(reason) => format!("{status} {kind}: {reason}"),
                None => format!("{status} {error}"),
            };
            Verdict::Rejected {
                reason: cut(&text, 300).to_owned(),
            }
        }
    }
}

fn is_store_error(body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["error"]["type"].is_string()
}

fn said(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(600)]);
    format!("status {status}: {}", cut(&text, 300))
}

/// The search that asks a data stream which of these ids it has.
pub fn lookup(ids: &[&str]) -> Vec<u8> {
    json!({
        "size": ids.len(),
        "_source": false,
        "track_total_hits": false,
        "query": { "ids": { "values": ids } },
    })
    .to_string()
    .into_bytes()
}

/// Reads the answer to [`lookup`]; `None` when it is not one.
pub fn found(body: &[u8]) -> Option<HashSet<String>> {
    #[derive(Deserialize)]
    struct Search {
        hits: Hits,
    }
    #[derive(Deserialize)]
    struct Hits {
        hits: Vec<Hit>,
    }
    #[derive(Deserialize)]
    struct Hit {
        #[serde(rename = "_id")]
        id: String,
    }
    let search: Search = serde_json::from_slice(body).ok()?;
    Some(search.hits.hits.into_iter().map(|hit| hit.id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(body: &Value, documents: usize) -> Vec<Verdict> {
        match answer(200, body.to_string().as_bytes(), documents) {
            Answer::Items(verdicts) => verdicts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        let body = json!({ "took": 1, "errors": true, "items": [
            { "create": { "_id": "a", "status": 201 } },
            { "create": { "status": 409, "error": { "type": "version_conflict_engine_exception" } } },
            { "create": { "status": 429, "error": { "type": "es_rejected_execution_exception" } } },
            { "create": { "status": 400, "error": { "type": "document_parsing_exception", "reason": "no" } } },
            { "create": { "status": 403, "error": { "type": "cluster_block_exception" } } },
            { "create": { "status": 500, "error": "odd" } },
        ] });
        assert_eq!(
            items(&body, 6),
            [
                Verdict::Delivered,
                Verdict::Duplicate,
                Verdict::Retry { is_fault: false },
                Verdict::Rejected {
                    reason: "400 document_parsing_exception: no".into()
                },
                Verdict::Retry { is_fault: false },
                Verdict::Retry { is_fault: true },
            ]
        );
    }

    #[test]
    fn an_answer_filtered_down_to_errors_is_enough() {
        assert_eq!(
            items(&json!({ "errors": false }), 2),
            [Verdict::Delivered, Verdict::Delivered]
        );
    }

    #[test]
    fn an_answer_that_is_not_understood_loses_nothing() {
        let is_retry = |status, body: &str| {
            matches!(answer(status, body.as_bytes(), 2), Answer::RetryAll { .. })
        };
        assert!(is_retry(200, "<html>"));
        assert!(is_retry(200, r#"{"errors":true}"#));
        assert!(is_retry(
            200,
            r#"{"errors":false,"items":[{"create":{"status":201}}]}"#
        ));
        assert!(is_retry(401, "") && is_retry(404, "") && is_retry(429, "") && is_retry(502, ""));
        assert!(is_retry(400, "bad request"));
        assert!(matches!(answer(413, b"", 2), Answer::Split { .. }));
        let refused = br#"{"error":{"type":"illegal_argument_exception"},"status":400}"#;
        assert!(matches!(answer(400, refused, 2), Answer::Split { .. }));
    }

    #[test]
    fn found_ids_are_read() {
        let body = br#"{"hits":{"hits":[{"_index":"x","_id":"a"},{"_id":"b"}]}}"#;
        assert_eq!(found(body), Some(HashSet::from(["a".into(), "b".into()])));
        assert_eq!(found(b"{}"), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(status: u16, body: Vec<u8>, documents in 0usize..10) {
            if let Answer::Items(verdicts) = answer(status, &body, documents) {
                prop_assert_eq!(verdicts.len(), documents);
            }
            let _ = found(&body);
        }
    }
}
