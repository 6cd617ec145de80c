//! The services of `wharf.monitor.v1`.
//!
//! Invariants: every list is filtered, ordered and paged by `wharf_proto::listing`; every error has a
//! code; what a user may have changed meanwhile is never overwritten unasked.

pub(crate) mod alerts;
pub(crate) mod dashboards;
pub(crate) mod objects;
pub(crate) mod search;
pub(crate) mod sessions;
pub(crate) mod watches;

use std::fmt::Write as _;

use tonic::{Request, Status};
use wharf_monitor_core::version::Version;
use wharf_proto::listing::{Ask, ListQuery, Page, Value};
use wharf_proto::v1::ListOptions;

use crate::credentials::Principal;
use crate::status::{field_status, of_list};

/// Largest request: a dashboard and something.
pub(crate) const MAX_REQUEST: usize = 512 * 1024;
/// Largest answer: a search's and something.
pub(crate) const MAX_ANSWER: usize = 9 << 20;

/// One page of rows as asked for, `order` when no order is.
fn page<T>(
    options: Option<&ListOptions>,
    fields: &[&str],
    order: &str,
    rows: impl IntoIterator<Item = T>,
    field: impl Fn(&T, &str) -> Value,
    id: impl Fn(&T) -> String,
) -> Result<Page<T>, Status> {
    let mut ask = options.map_or_else(Ask::default, Ask::from);
    if ask.order_by.is_empty() {
        ask.order_by = order;
    }
    let query = ListQuery::parse(&ask, fields).map_err(|error| of_list(&error))?;
    Ok(query.page(rows, field, id))
}

/// Who calls, for what is noted with a change.
fn caller<T>(request: &Request<T>) -> String {
    let principal = request.extensions().get::<Principal>();
    principal
        .map(|principal| principal.name.clone())
        .unwrap_or_default()
}

fn expected(text: &str) -> Result<Option<Version>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let version = text.parse::<Version>();
    version.map(Some).map_err(|error| {
        field_status(
            "expected_version",
            error.to_string(),
            "leave it empty to not check",
        )
    })
}

/// The parameters of a write that a person waits for: over that version where one is given, and found by the next
/// search, which in OpenSearch and Elasticsearch it would not be for a second.
fn of_write(version: Option<Version>) -> String {
    let mut text = "?refresh=true".to_owned();
    if let Some(Version {
        seq_no,
        primary_term,
    }) = version
    {
        // Writing to a String cannot fail.
        let _ = write!(text, "&if_seq_no={seq_no}&if_primary_term={primary_term}");
    }
    text
}

/// The version in an answer to a write.
fn version_of(answer: &serde_json::Value) -> Option<Version> {
    Some(Version {
        seq_no: answer.get("_seq_no")?.as_u64()?,
        primary_term: answer.get("_primary_term")?.as_u64()?,
    })
}
