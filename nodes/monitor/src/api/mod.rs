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

/// What of a path's query asks for a version.
fn condition(version: Option<Version>) -> String {
    version.map_or_else(String::new, |version| {
        format!(
            "?if_seq_no={}&if_primary_term={}",
            version.seq_no, version.primary_term
        )
    })
}

/// The version in an answer to a write.
fn version_of(answer: &serde_json::Value) -> Option<Version> {
    Some(Version {
        seq_no: answer.get("_seq_no")?.as_u64()?,
        primary_term: answer.get("_primary_term")?.as_u64()?,
    })
}
