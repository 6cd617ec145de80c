//! The error answer of Elasticsearch: status, type, reason, cause, and its JSON shape.
//! Invariants: the text of `reason` is what clients see; types are Elasticsearch's words; rendering never fails.
//! Not here: which situation is which error, but for the constructors that many places share.

use crate::columns::SegmentError;
use serde_json::{Map, Value, json};

/// Longest reason that is kept: reasons quote what was sent.
const REASON_LIMIT: usize = 4096;

/// An answer that is not the one that was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {}", .0.kind, .0.reason)]
pub struct EsError(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    status: u16,
    kind: String,
    reason: String,
    /// More members of the error object (`index`, `line`, `col`, ...).
    extra: Map<String, Value>,
    caused_by: Option<EsError>,
}

/// What operations here answer.
pub type EsResult<T> = Result<T, EsError>;

/// How a refusal of what this store has not ends.
const UNSUPPORTED: &str = " is not supported by this store";

impl EsError {
    /// An error of any type.
    #[must_use]
    pub fn new(status: u16, kind: impl Into<String>, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        if reason.len() > REASON_LIMIT {
            let mut end = REASON_LIMIT;
            while !reason.is_char_boundary(end) {
                end -= 1;
            }
            reason.truncate(end);
            reason.push_str("...");
        }
        let (kind, extra) = (kind.into(), Map::new());
        Self(Box::new(Parts {
            status,
            kind,
            reason,
            extra,
            caused_by: None,
        }))
    }

    /// 400: the body is not of the language.
    #[must_use]
    pub fn parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "parsing_exception", reason)
    }

    /// 400: well-formed but not allowed.
    #[must_use]
    pub fn illegal_argument(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }

    /// 400: a part of the body is not of the kind that it must be.
    #[must_use]
    pub fn parse(reason: impl Into<String>) -> Self {
        Self::new(400, "parse_exception", reason)
    }

    /// 400: bytes that are no JSON object, where nothing else will do.
    #[must_use]
    pub fn not_x_content(reason: impl Into<String>) -> Self {
        Self::new(400, "not_x_content_exception", reason)
    }

    /// 400: bytes that are not JSON, with the word for how: they end early or they are something else.
    #[must_use]
    pub fn malformed(error: &serde_json::Error) -> Self {
        let kind = if error.is_eof() {
            "unexpected_end_of_input_exception"
        } else {
            "json_parse_exception"
        };
        Self::new(400, kind, format!("cannot parse JSON: {error}"))
    }

    /// 400: JSON that has not the members that were expected.
    #[must_use]
    pub fn json_parse(reason: impl Into<String>) -> Self {
        Self::new(400, "x_content_parse_exception", reason)
    }

    /// 400: a request lacks something.
    #[must_use]
    pub fn action_request_validation(reason: impl Into<String>) -> Self {
        Self::new(400, "action_request_validation_exception", reason)
    }

    /// 400: understood, but this store does not do it. Names the thing.
    #[must_use]
    pub fn unsupported(what: impl AsRef<str>) -> Self {
        Self::illegal_argument(format!("[{}]{UNSUPPORTED}", what.as_ref()))
    }

    /// Whether the request is well formed and only asks for what this store has not.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.reason().ends_with(UNSUPPORTED)
    }

    /// 400: a mapping or a document that does not fit.
    #[must_use]
    pub fn mapper_parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "mapper_parsing_exception", reason)
    }

    /// 400: a query that a field's type cannot answer.
    #[must_use]
    pub fn query_shard(reason: impl Into<String>) -> Self {
        Self::new(400, "query_shard_exception", reason)
    }

    /// 400: too many buckets.
    #[must_use]
    pub fn too_many_buckets(limit: usize) -> Self {
        Self::new(
            400,
            "too_many_buckets_exception",
            format!(
                "Trying to create too many buckets. Must be less than or equal to: [{limit}] but was [{}]. This limit can be set by changing the [search.max_buckets] cluster level setting.",
                limit + 1
            ),
        )
        .with("max_buckets", limit)
    }

    /// 404: no such index.
    #[must_use]
    pub fn index_not_found(index: &str) -> Self {
        Self::new(
            404,
            "index_not_found_exception",
            format!("no such index [{index}]"),
        )
        .with("index", index)
        .with("index_uuid", "_na_")
        .with("resource.type", "index_or_alias")
        .with("resource.id", index)
    }

    /// 409: the document is there already, or is not the one that was meant.
    #[must_use]
    pub fn version_conflict(index: &str, id: &str, detail: &str) -> Self {
        Self::new(
            409,
            "version_conflict_engine_exception",
            format!("[{id}]: version conflict, {detail}"),
        )
        .with("index", index)
        .with("shard", "0")
        .with("index_uuid", "_na_")
    }

    /// 404: an update of a document that is not there.
    #[must_use]
    pub fn document_missing(index: &str, id: &str) -> Self {
        Self::new(
            404,
            "document_missing_exception",
            format!("[{id}]: document missing"),
        )
        .with("index", index)
        .with("shard", "0")
        .with("index_uuid", "_na_")
    }

    /// 404: something else that has a name is not there.
    #[must_use]
    pub fn resource_not_found(reason: impl Into<String>) -> Self {
        Self::new(404, "resource_not_found_exception", reason)
    }

    /// 429: come back later.
    #[must_use]
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::new(429, "es_rejected_execution_exception", reason)
    }

    /// 500: our fault or the machine's.
    #[must_use]
    pub fn internal(reason: impl Into<String>) -> Self {
        Self::new(500, "exception", reason)
    }

    /// With one more member of the error object.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(key.to_owned(), value.into());
        self
    }

    /// With its cause.
    #[must_use]
    pub fn caused_by(mut self, cause: Self) -> Self {
        self.0.caused_by = Some(cause);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// Elasticsearch's word for it.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What led to it.
    #[must_use]
    pub fn cause(&self) -> Option<&Self> {
        self.0.caused_by.as_ref()
    }

    /// The error object alone, as in a bulk item: `{"type":..,"reason":..,...}`.
    #[must_use]
    pub fn object(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".into(), json!(self.0.kind));
        object.insert("reason".into(), json!(self.0.reason));
        for (key, value) in &self.0.extra {
            object.insert(key.clone(), value.clone());
        }
        if let Some(cause) = &self.0.caused_by {
            object.insert("caused_by".into(), cause.object());
        }
        Value::Object(object)
    }

    /// The whole answer: `{"error":{"root_cause":[..],"type":..,"reason":..},"status":..}`.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut root = self.object();
        if let Value::Object(root) = &mut root {
            root.remove("caused_by");
        }
        let mut error = Map::new();
        error.insert("root_cause".into(), json!([root]));
        if let Value::Object(own) = self.object() {
            error.extend(own);
        }
        json!({"error": error, "status": self.0.status})
    }

    /// As a failed search over one index answers: `search_phase_execution_exception` around it.
    #[must_use]
    pub fn as_search_phase(&self, index: &str) -> Value {
        let mut own = self.object();
        if let Value::Object(own) = &mut own {
            own.insert("index".into(), json!(index));
        }
        let mut root = own.clone();
        if let Value::Object(root) = &mut root {
            root.remove("caused_by");
        }
        json!({"error": {
            "root_cause": [root],
            "type": "search_phase_execution_exception",
            "reason": "all shards failed",
            "phase": "query",
            "grouped": true,
            "failed_shards": [{"shard": 0, "index": index, "node": "_local", "reason": own}],
            "caused_by": self.object(),
        }, "status": self.0.status})
    }
}

impl From<SegmentError> for EsError {
    fn from(error: SegmentError) -> Self {
        Self::internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_elasticsearchs_shape() {
        let error = EsError::mapper_parsing("failed to parse field [a] of type [long]")
            .caused_by(EsError::illegal_argument("For input string: \"x\""));
        assert_eq!(
            error.body(),
            json!({"error": {
                "root_cause": [{"type": "mapper_parsing_exception", "reason": "failed to parse field [a] of type [long]"}],
                "type": "mapper_parsing_exception",
                "reason": "failed to parse field [a] of type [long]",
                "caused_by": {"type": "illegal_argument_exception", "reason": "For input string: \"x\""}
            }, "status": 400})
        );
        assert_eq!(
            error.to_string(),
            "mapper_parsing_exception: failed to parse field [a] of type [long]"
        );
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let error = EsError::parsing("é".repeat(5000));
        assert!(error.reason().len() <= REASON_LIMIT + 3);
        assert!(error.reason().ends_with("..."));
    }

    #[test]
    fn a_missing_index_is_named() {
        let body = EsError::index_not_found("logs").body();
        assert_eq!(body["error"]["resource.id"], "logs");
        assert_eq!(body["status"], 404);
    }
}
