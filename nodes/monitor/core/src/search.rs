//! Searches that are handed through to the storage: what may be asked.
//!
//! Invariants: no hidden index is named, so that the platform's own objects and alerts are reached
//! only through their services; sizes and times are limited; the body is one JSON object.
//! Not here: sending it, reading the answer.

use serde_json::Value;
use wharf_proto::monitor::v1::SearchRequest;

/// Largest body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Largest answer, in bytes.
pub const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Most names and patterns.
pub const MAX_INDICES: usize = 16;
/// Longest time.
pub const MAX_TIMEOUT_MS: u64 = 60_000;
/// Time when none is given.
pub const DEFAULT_TIMEOUT_MS: u64 = 10_000;
const MAX_INDEX: usize = 255;

/// Why a search is not handed through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SearchError {
    /// The request's field at fault.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

/// A search that may be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Names and patterns, joined by commas, safe in a path.
    pub indices: String,
    /// The body.
    pub body: Value,
    /// How long it may take.
    pub timeout_ms: u64,
}

/// Names and patterns of indices and data streams, joined by commas, safe in a path.
///
/// # Errors
/// When one may not be named, or there are too many or none.
pub fn check_indices(names: &[String]) -> Result<String, SearchError> {
    let wrong = |message: String| SearchError {
        field: "indices",
        message,
    };
    if names.is_empty() || names.len() > MAX_INDICES {
        return Err(wrong(format!(
            "give 1 to {MAX_INDICES} names or patterns of indices and data streams"
        )));
    }
    for index in names {
        let plain = |letter: char| {
            letter.is_ascii_lowercase()
                || letter.is_ascii_digit()
                || matches!(letter, '-' | '_' | '.' | '*')
        };
        // A pattern that begins with `*` would find hidden ones.
        let begins = index.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        if !begins || index.len() > MAX_INDEX || !index.chars().all(plain) {
            let shown: String = index.chars().take(80).collect();
            return Err(wrong(format!(
                "`{shown}` may not be searched: give a name of a-z, 0-9, `-`, `_`, `.` and `*` \
                 that begins with a letter or digit"
            )));
        }
    }
    Ok(names.join(","))
}

/// Checks a request.
///
/// # Errors
/// Names the field that is wrong.
pub fn check(request: &SearchRequest) -> Result<Search, SearchError> {
    let wrong = |field: &'static str, message: String| SearchError { field, message };
    let indices = check_indices(&request.indices)?;
    if request.body_json.len() > MAX_BODY_BYTES {
        return Err(wrong(
            "body_json",
            format!("is longer than {MAX_BODY_BYTES} bytes"),
        ));
    }
    let body: Value = serde_json::from_str(&request.body_json)
        .map_err(|error| wrong("body_json", format!("is no JSON: {error}")))?;
    if !body.is_object() {
        return Err(wrong("body_json", "must be a JSON object".to_owned()));
    }
    let timeout_ms = match request.timeout_ms {
        0 => DEFAULT_TIMEOUT_MS,
        ms if ms <= MAX_TIMEOUT_MS => ms,
        _ => {
            return Err(wrong(
                "timeout_ms",
                format!("must be at most {MAX_TIMEOUT_MS}"),
            ));
        }
    };
    Ok(Search {
        indices,
        body,
        timeout_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(index: &str, body: &str) -> SearchRequest {
        SearchRequest {
            indices: vec!["logs-*".to_owned(), index.to_owned()],
            body_json: body.to_owned(),
            timeout_ms: 0,
        }
    }

    #[test]
    fn a_search_of_plain_names_is_taken() {
        let search = check(&request("metrics-docker.cpu-default", "{\"size\": 1}")).unwrap();
        assert_eq!(search.indices, "logs-*,metrics-docker.cpu-default");
        assert_eq!(search.timeout_ms, DEFAULT_TIMEOUT_MS);
    }

    #[test]
    fn hidden_indices_and_other_paths_are_refused() {
        for index in [
            ".wharf-watches",
            "*",
            "*-watches",
            "_all",
            "a/_doc/1",
            "a,.b",
            "a b",
            "",
            "-a",
            "a?x",
        ] {
            let error = check(&request(index, "{}")).expect_err(index);
            assert_eq!(error.field, "indices", "{index}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused_by_its_field() {
        let mut late = request("a", "{}");
        late.timeout_ms = MAX_TIMEOUT_MS + 1;
        assert_eq!(check(&late).unwrap_err().field, "timeout_ms");
        assert_eq!(check(&request("a", "[]")).unwrap_err().field, "body_json");
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY_BYTES));
        assert_eq!(check(&request("a", &long)).unwrap_err().field, "body_json");
        assert_eq!(
            check(&SearchRequest::default()).unwrap_err().field,
            "indices"
        );
    }

    proptest! {
        #[test]
        fn no_name_that_is_taken_leaves_its_place_in_a_path(index in "[a-zA-Z0-9.*_?/,%# -]{0,20}") {
            if let Ok(search) = check(&request(&index, "{}")) {
                prop_assert!(!search.indices.contains(['/', '?', '#', '%', ' ']));
                prop_assert!(search.indices.split(',').all(|name| !name.starts_with(['.', '*', '_'])));
            }
        }
    }
}
