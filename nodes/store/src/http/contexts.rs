//! Scrolls and points in time: frozen views that pages are made from.
//!
//! Invariants: bounded in number and time; every page of one context is made from the same rows, in one total order.
//! Not here: a single search (`search`), what OpenSearch calls points in time (`points`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::search::{RenderOptions, SearchRequest, UrlParams};
use wharf_store_core::wildcard::NameOptions;

use super::search::{Held, hold, phase_error, run};
use super::{App, Call, Reply};

/// Scrolls and points in time that are open at a time.
const MAX_CONTEXTS: usize = 200;
/// Random bytes of an id, and its letters.
const ID_BYTES: usize = 24;
const ID_LENGTH: usize = 32;
const MAX_KEEP_ALIVE_MS: i64 = 24 * 3_600_000;

/// `1m`, `30s`, `500ms`, `1d` as milliseconds.
pub(super) fn time_value(text: &str) -> EsResult<i64> {
    let wrong = || {
        EsError::illegal_argument(format!(
            "failed to parse setting with value [{text}] as a time value: unit is missing or unrecognized"
        ))
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

pub(super) fn keep_alive(text: &str) -> EsResult<i64> {
    let ms = time_value(text)?;
    if ms > MAX_KEEP_ALIVE_MS {
        return Err(EsError::illegal_argument(format!(
            "Keep alive for request ({text}) is too large. It must be less than (1d)"
        )));
    }
    Ok(ms)
}

/// What every page of a scroll asks for.
#[derive(Clone)]
pub(super) struct ScrollRequest {
    pub(super) body: Value,
    pub(super) params: UrlParams,
    /// Sort values are shown because the client sorted.
    pub(super) sorted: bool,
    pub(super) options: RenderOptions,
}

struct Scroll {
    request: ScrollRequest,
    /// Sort values of the last hit shown.
    after: Option<Value>,
}

pub(super) struct Context {
    held: Arc<Vec<Held>>,
    scroll: Option<Scroll>,
    created_ms: i64,
    keep_alive_ms: i64,
    until_ms: i64,
}

/// Open scrolls and points in time.
#[derive(Default)]
pub(crate) struct Contexts {
    open: Mutex<HashMap<String, Context>>,
}

impl Contexts {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Context>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what was not used in time.
    pub(crate) fn expire(&self, now_ms: i64) {
        self.lock().retain(|_, c| c.until_ms > now_ms);
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Opens a point in time over what is held.
    pub(super) fn open_point(
        &self,
        held: Vec<Held>,
        keep_alive_ms: i64,
        now_ms: i64,
    ) -> EsResult<String> {
        let context = Context {
            held: Arc::new(held),
            scroll: None,
            created_ms: now_ms,
            keep_alive_ms,
            until_ms: now_ms + keep_alive_ms,
        };
        self.insert(context, now_ms)
    }

    /// Points in time that are open: id, when it was opened, for how long.
    pub(super) fn points(&self, now_ms: i64) -> Vec<(String, i64, i64)> {
        let open = self.lock();
        let points = open
            .iter()
            .filter(|(_, c)| c.scroll.is_none() && c.until_ms > now_ms);
        points
            .map(|(id, c)| (id.clone(), c.created_ms, c.keep_alive_ms))
            .collect()
    }

    /// Closes points in time.
    pub(super) fn close_points(&self, ids: &[String]) {
        let mut open = self.lock();
        for id in ids {
            if open.get(id).is_some_and(|c| c.scroll.is_none()) {
                open.remove(id);
            }
        }
    }

    fn insert(&self, context: Context, now_ms: i64) -> EsResult<String> {
        let mut open = self.lock();
        open.retain(|_, c| c.until_ms > now_ms);
        if open.len() >= MAX_CONTEXTS {
            return Err(EsError::rejected(format!(
                "Trying to create too many scroll contexts. Must be less than or equal to: [{MAX_CONTEXTS}]. Close some or wait until they end"
            )));
        }
        let id = wharf_runtime::random::token(ID_BYTES);
        open.insert(id.clone(), context);
        Ok(id)
    }
}

pub(super) fn search_pit(
    app: &App,
    pit: &Value,
    mut request: SearchRequest,
    options: RenderOptions,
    started: std::time::Instant,
) -> EsResult<Reply> {
    let now_ms = app.catalog.now_ms();
    for (key, _) in pit.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "id" | "keep_alive") {
            return Err(EsError::json_parse(format!(
                "[point_in_time] unknown field [{}]",
                key.chars().take(100).collect::<String>()
            )));
        }
    }
    let id = pit.get("id").and_then(Value::as_str);
    let id = id.ok_or_else(|| EsError::json_parse("[point_in_time] has no [id]"))?;
    let id = well_formed(id)?.to_owned();
    let alive = pit
        .get("keep_alive")
        .and_then(Value::as_str)
        .map(keep_alive)
        .transpose()?;
    let held = {
        let mut open = app.contexts.lock();
        let context = open
            .get_mut(&id)
            .filter(|c| c.until_ms > now_ms && c.scroll.is_none())
            .ok_or_else(|| missing_context(&id))?;
        context.keep_alive_ms = alive.unwrap_or(context.keep_alive_ms);
        context.until_ms = now_ms + context.keep_alive_ms;
        Arc::clone(&context.held)
    };
    request.pit = None;
    let mut answer = match run(&held, &request, now_ms, options, started) {
        Ok(answer) => answer,
        Err(error) => return phase_error(error, &held),
    };
    answer["pit_id"] = json!(id);
    Ok(Reply::json(answer))
}

/// An id that was given by a store like this one, open or not.
fn well_formed(id: &str) -> EsResult<&str> {
    let token = id.len() == ID_LENGTH
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    match token {
        true => Ok(id),
        false => Err(EsError::illegal_argument("Cannot parse scroll id")),
    }
}

fn missing_context(id: &str) -> EsError {
    EsError::new(
        404,
        "search_context_missing_exception",
        format!("No search context found for id [{id}]"),
    )
}

/// Opens a scroll and answers its first page.
pub(super) fn start_scroll(
    app: &App,
    held: Vec<Held>,
    request: ScrollRequest,
    keep_alive_ms: i64,
    started: std::time::Instant,
) -> EsResult<Reply> {
    let now_ms = app.catalog.now_ms();
    let context = Context {
        held: Arc::new(held),
        scroll: Some(Scroll {
            request,
            after: None,
        }),
        created_ms: now_ms,
        keep_alive_ms,
        until_ms: now_ms + keep_alive_ms,
    };
    let id = app.contexts.insert(context, now_ms)?;
    scroll_page(app, &id, None, started)
}

fn scroll_page(
    app: &App,
    id: &str,
    alive: Option<i64>,
    started: std::time::Instant,
) -> EsResult<Reply> {
    let now_ms = app.catalog.now_ms();
    let (held, request, after) = {
        let mut open = app.contexts.lock();
        let context = open
            .get_mut(id)
            .filter(|c| c.until_ms > now_ms)
            .ok_or_else(|| missing_context(id))?;
        context.keep_alive_ms = alive.unwrap_or(context.keep_alive_ms);
        context.until_ms = now_ms + context.keep_alive_ms;
        let held = Arc::clone(&context.held);
        let scroll = context.scroll.as_ref().ok_or_else(|| missing_context(id))?;
        (held, scroll.request.clone(), scroll.after.clone())
    };
    let ScrollRequest {
        mut body,
        params,
        sorted,
        options,
    } = request;
    if !body.is_object() {
        body = json!({});
    }
    // Rows are numbered over the frozen views, so `_doc` makes any order total.
    let mut sort = match (&params.sort, body.get("sort")) {
        (Some(text), _) => text
            .split(',')
            .map(|part| match part.split_once(':') {
                Some((field, order)) => json!({field: {"order": order}}),
                None => json!(part),
            })
            .collect(),
        (None, Some(Value::Array(many))) => many.clone(),
        (None, Some(Value::Object(map))) => map.iter().map(|(k, v)| json!({k: v})).collect(),
        (None, Some(Value::String(one))) => vec![json!(one)],
        _ => vec![json!("_score")],
    };
    sort.push(json!("_doc"));
    body["sort"] = Value::Array(sort);
    if let Some(after) = after {
        body["search_after"] = after;
        // Aggregations belong to the first page.
        if let Some(map) = body.as_object_mut() {
            map.remove("aggs");
            map.remove("aggregations");
        }
    }
    let params = UrlParams {
        sort: None,
        ..params
    };
    let request = SearchRequest::parse(&body, &params)?;
    let mut answer = match run(&held, &request, now_ms, options, started) {
        Ok(answer) => answer,
        Err(error) => return phase_error(error, &held),
    };
    let mut last = None;
    if let Some(hits) = answer["hits"]["hits"].as_array_mut() {
        for hit in hits {
            let Some(hit) = hit.as_object_mut() else {
                continue;
            };
            last = hit.get("sort").cloned();
            if !sorted {
                hit.shift_remove("sort");
            } else if let Some(Value::Array(values)) = hit.get_mut("sort") {
                values.pop();
            }
        }
    }
    if let Some(last) = last {
        let mut open = app.contexts.lock();
        if let Some(scroll) = open.get_mut(id).and_then(|c| c.scroll.as_mut()) {
            scroll.after = Some(last);
        }
    }
    let mut out = Map::new();
    out.insert("_scroll_id".into(), json!(id));
    if let Value::Object(answer) = answer {
        out.extend(answer);
    }
    Ok(Reply::json(Value::Object(out)))
}

/// `GET|POST _search/scroll[/{id}]`.
pub(super) fn scroll(app: &App, call: &Call, id: Option<&str>) -> EsResult<Reply> {
    let started = std::time::Instant::now();
    call.only(&["scroll", "scroll_id", "rest_total_hits_as_int"])?;
    let body = call.object()?;
    known_members(&body, &["scroll", "scroll_id"])?;
    let id = id
        .or_else(|| body.get("scroll_id").and_then(Value::as_str))
        .or_else(|| call.param("scroll_id"))
        .ok_or_else(|| {
            EsError::action_request_validation("Validation Failed: 1: scrollId is missing;")
        })?;
    let alive = body
        .get("scroll")
        .and_then(Value::as_str)
        .or_else(|| call.param("scroll"));
    scroll_page(
        app,
        well_formed(id)?,
        alive.map(keep_alive).transpose()?,
        started,
    )
}

fn known_members(body: &Value, known: &[&str]) -> EsResult<()> {
    let members = body.as_object().into_iter().flatten();
    match members
        .map(|(key, _)| key)
        .find(|key| !known.contains(&key.as_str()))
    {
        None => Ok(()),
        Some(key) => Err(EsError::illegal_argument(format!(
            "Unknown parameter [{}] in request body or parameter is of the wrong type",
            key.chars().take(100).collect::<String>()
        ))),
    }
}

/// `DELETE _search/scroll[/{id}]`.
pub(super) fn clear_scroll(app: &App, call: &Call, id: Option<&str>) -> EsResult<Reply> {
    let body = call.object()?;
    let ids: Vec<String> = match (id, body.get("scroll_id")) {
        (Some(ids), _) => ids.split(',').map(str::to_owned).collect(),
        (None, Some(Value::String(one))) => vec![one.clone()],
        (None, Some(Value::Array(many))) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => {
            return Err(EsError::action_request_validation(
                "Validation Failed: 1: no scroll ids specified;",
            ));
        }
    };
    Ok(closed(app, &ids))
}

fn closed(app: &App, ids: &[String]) -> Reply {
    let mut open = app.contexts.lock();
    let before = open.len();
    if ids.iter().any(|id| id == "_all") {
        open.retain(|_, c| c.scroll.is_none());
    }
    for id in ids {
        open.remove(id);
    }
    let freed = before - open.len();
    Reply::status(
        if freed == 0 { 404 } else { 200 },
        json!({"succeeded": true, "num_freed": freed}),
    )
}

/// `POST {index}/_pit`.
pub(super) fn open_pit(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let (id, shards, _) = open_point(app, call, expression, "[keep_alive] is not specified")?;
    Ok(Reply::json(json!({"id": id, "_shards": shards})))
}

/// Opens a point in time: its id, the shards that it holds, when it was opened. `missing`: how this
/// kind of client is told that the time to keep it is not there.
pub(super) fn open_point(
    app: &App,
    call: &Call,
    expression: &str,
    missing: &str,
) -> EsResult<(String, Value, i64)> {
    let alive = call.param("keep_alive").ok_or_else(|| {
        EsError::action_request_validation(format!("Validation Failed: 1: {missing};"))
    })?;
    let keep_alive_ms = keep_alive(alive)?;
    let now_ms = app.catalog.now_ms();
    let held = hold(app, expression, call.name_options(NameOptions::default())?)?;
    let shards = held.len();
    let id = app.contexts.open_point(held, keep_alive_ms, now_ms)?;
    let shards = json!({"total": shards, "successful": shards, "skipped": 0, "failed": 0});
    Ok((id, shards, now_ms))
}

/// `DELETE _pit`.
pub(super) fn close_pit(app: &App, call: &Call) -> EsResult<Reply> {
    let body = call.required_json()?;
    let id = body.get("id").and_then(Value::as_str).ok_or_else(|| {
        EsError::action_request_validation("Validation Failed: 1: id must not be empty;")
    })?;
    Ok(closed(app, &[id.to_owned()]))
}

#[cfg(test)]
mod tests {
    use super::time_value;

    #[test]
    fn times_have_units() {
        assert_eq!(time_value("1m").unwrap(), 60_000);
        assert_eq!(time_value("250ms").unwrap(), 250);
        assert_eq!(time_value("2d").unwrap(), 172_800_000);
        for wrong in [
            "",
            "5",
            "m",
            "1y",
            "99999999999999999999s",
            "9223372036854775807d",
        ] {
            assert!(time_value(wrong).is_err(), "{wrong}");
        }
    }
}
