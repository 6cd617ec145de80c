//! Points in time as OpenSearch has them (`_search/point_in_time`); Elasticsearch's `_pit` is beside them in `contexts`.
//!
//! Invariant: both kinds of clients see the same contexts. Not here: searches in them.

use serde_json::{Value, json};
use wharf_store_core::error::{EsError, EsResult};

use super::contexts::open_point;
use super::{App, Call, Reply};

/// Ids that one request may close.
const MAX_IDS: usize = 1000;

/// `POST {index}/_search/point_in_time`.
pub(super) fn open(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    call.only(&[
        "keep_alive",
        "allow_partial_pit_creation",
        "ignore_unavailable",
        "allow_no_indices",
        "expand_wildcards",
        "routing",
        "preference",
    ])?;
    let (id, shards, now_ms) = open_point(app, call, expression, "keep alive not specified")?;
    Ok(Reply::json(
        json!({"pit_id": id, "_shards": shards, "creation_time": now_ms}),
    ))
}

/// `GET _search/point_in_time/_all`.
pub(super) fn list(app: &App) -> Reply {
    let points = app.contexts.points(app.catalog.now_ms());
    let points: Vec<Value> = points
        .into_iter()
        .map(|(id, created_ms, keep_alive_ms)| {
            json!({"pit_id": id, "creation_time": created_ms, "keep_alive": keep_alive_ms})
        })
        .collect();
    Reply::json(json!({"pits": points}))
}

/// `DELETE _search/point_in_time[/_all]`. One that is closed already is closed all the same.
pub(super) fn close(app: &App, call: &Call, all: bool) -> EsResult<Reply> {
    let ids: Vec<String> = if all {
        let points = app.contexts.points(app.catalog.now_ms());
        points.into_iter().map(|(id, ..)| id).collect()
    } else {
        let body = call.required_object()?;
        let ids = match body.get("pit_id") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        if ids.is_empty() {
            return Err(EsError::action_request_validation(
                "Validation Failed: 1: no pit ids specified;",
            ));
        }
        ids
    };
    if ids.len() > MAX_IDS {
        return Err(EsError::illegal_argument(format!(
            "more than {MAX_IDS} points in time in one request"
        )));
    }
    app.contexts.close_points(&ids);
    let closed: Vec<Value> = ids
        .iter()
        .map(|id| json!({"successful": true, "pit_id": id}))
        .collect();
    Ok(Reply::json(json!({"pits": closed})))
}
