//! Errors of the query language that several parsers share.
//! Not here: errors of one query type, which stand where they are made.

use super::parse::MAX_CLAUSES;
use crate::error::EsError;

/// More clauses than one request may have.
pub(crate) fn too_many_clauses() -> EsError {
    EsError::new(
        400,
        "too_many_nested_clauses",
        format!("Query contains too many nested clauses; maxClauseCount is set to {MAX_CLAUSES}"),
    )
}

/// A name from Elasticsearch's registry that this store does not have.
pub(crate) fn unknown(what: &str, name: &str) -> EsError {
    let shown: String = name.chars().take(100).collect();
    EsError::parsing(format!("unknown {what} [{shown}]")).caused_by(EsError::new(
        400,
        "named_object_not_found_exception",
        format!("unknown field [{shown}]"),
    ))
}

/// A value that is no number of the field's kind.
pub(crate) fn not_a_number(text: &str) -> EsError {
    let shown: String = text.chars().take(100).collect();
    let reason = format!("For input string: \"{shown}\"");
    EsError::query_shard(format!("failed to create query: {reason}")).caused_by(EsError::new(
        400,
        "number_format_exception",
        reason,
    ))
}

/// A field whose type cannot answer this query.
pub(crate) fn wrong_type(path: &str, kind: &str, query: &str) -> EsError {
    EsError::query_shard(format!(
        "Can only use {query} queries on keyword, text and wildcard fields - not on [{path}] which is of type [{kind}]"
    ))
}
