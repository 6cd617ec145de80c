//! `_search`, `_count`, `_msearch`, scrolls, points in time, `_field_caps`, `_validate/query`.
//!
//! Invariants: an answer is never made from a segment that could not be read; scrolls and points in time hold frozen views,
//! bounded in number and time. Not here: what a query or an aggregation does (core).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::mapping::Mapping;
use wharf_store_core::query::{FieldInfo, Query, Schema};
use wharf_store_core::search::{
    IndexView, RenderOptions, SearchRequest, UrlParams, count as count_docs, search as run_search,
};
use wharf_store_core::wildcard::NameOptions;

use super::call::parse_json;
use super::{App, Call, Reply};
use crate::catalog::index::Index;
use crate::engine::Views;

/// Searches of one `_msearch`.
const MAX_MSEARCH: usize = 1000;
/// Scrolls and points in time that are open at a time.
const MAX_CONTEXTS: usize = 200;
const MAX_KEEP_ALIVE_MS: i64 = 24 * 3_600_000;

/// The fields of an index with its settings.
pub(super) struct IndexSchema {
    mapping: Arc<Mapping>,
    default_fields: Vec<String>,
}

impl Schema for IndexSchema {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        Schema::field(&*self.mapping, path)
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        Schema::matching(&*self.mapping, pattern)
    }

    fn default_fields(&self) -> Vec<String> {
        self.default_fields.clone()
    }
}

pub(super) fn index_schema(index: &Index) -> IndexSchema {
    let default_fields = match index.facts.load().settings.get("index.query.default_field") {
        Some(Value::String(one)) if one != "*" => vec![one.clone()],
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .filter(|f| *f != "*")
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    IndexSchema {
        mapping: index.mapping(),
        default_fields,
    }
}

/// One index, frozen.
struct Held {
    name: String,
    schema: IndexSchema,
    views: Views,
    segments: Vec<Arc<dyn wharf_store_core::columns::Segment>>,
}

impl Held {
    fn of(index: &Index) -> Self {
        index
            .shard
            .searched
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let views = index.shard.views();
        let segments = views.segments();
        Self {
            name: index.name.clone(),
            schema: index_schema(index),
            views,
            segments,
        }
    }
}

struct Scroll {
    body: Value,
    params: UrlParams,
    /// Sort values of the last hit shown.
    after: Option<Value>,
    /// Sort values are shown because the client sorted.
    sorted: bool,
    options: RenderOptions,
}

struct Context {
    held: Arc<Vec<Held>>,
    scroll: Option<Scroll>,
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

    fn insert(&self, context: Context, now_ms: i64) -> EsResult<String> {
        let mut open = self.lock();
        open.retain(|_, c| c.until_ms > now_ms);
        if open.len() >= MAX_CONTEXTS {
            return Err(EsError::rejected(format!(
                "Trying to create too many scroll contexts. Must be less than or equal to: [{MAX_CONTEXTS}]. Close some or wait until they end"
            )));
        }
        let id = wharf_runtime::random::token(24);
        open.insert(id.clone(), context);
        Ok(id)
    }
}

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

fn keep_alive(text: &str) -> EsResult<i64> {
    let ms = time_value(text)?;
    if ms > MAX_KEEP_ALIVE_MS {
        return Err(EsError::illegal_argument(format!(
            "Keep alive for request ({text}) is too large. It must be less than (1d)"
        )));
    }
    Ok(ms)
}

fn url_params(call: &Call) -> EsResult<UrlParams> {
    let text = |name: &str| call.param(name).map(str::to_owned);
    let flag = |name: &str| -> EsResult<Option<bool>> {
        call.param(name).map(|_| call.flag(name)).transpose()
    };
    Ok(UrlParams {
        q: text("q"),
        default_field: text("df"),
        default_operator: text("default_operator"),
        lenient: flag("lenient")?,
        size: text("size"),
        from: text("from"),
        sort: text("sort"),
        source: text("_source"),
        source_includes: text("_source_includes"),
        source_excludes: text("_source_excludes"),
        track_total_hits: text("track_total_hits"),
        docvalue_fields: text("docvalue_fields"),
        version: flag("version")?,
        seq_no_primary_term: flag("seq_no_primary_term")?,
        terminate_after: call.number("terminate_after")?,
    })
}

/// The query of `?q=`.
pub(super) fn url_query(call: &Call) -> EsResult<Option<Query>> {
    if call.param("q").is_none() {
        return Ok(None);
    }
    let params = url_params(call)?;
    Ok(Some(SearchRequest::parse(&Value::Null, &params)?.query))
}

fn hold(app: &App, expression: &str, options: NameOptions) -> EsResult<Vec<Held>> {
    let indices = app.catalog.select(expression, options)?;
    Ok(indices.iter().map(|i| Held::of(i)).collect())
}

fn run(
    held: &[Held],
    request: &SearchRequest,
    now_ms: i64,
    options: RenderOptions,
    started: std::time::Instant,
) -> EsResult<Value> {
    let views: Vec<IndexView<'_>> = held
        .iter()
        .map(|h| IndexView {
            name: &h.name,
            schema: &h.schema,
            segments: &h.segments,
        })
        .collect();
    let answer = run_search(request, &views, now_ms, options)?;
    if let Some(error) = held.iter().find_map(|h| h.views.failure()) {
        return Err(error.into());
    }
    let mut out = Map::new();
    out.insert("took".into(), json!(started.elapsed().as_millis() as u64));
    if let Value::Object(answer) = answer {
        out.extend(answer);
    }
    Ok(Value::Object(out))
}

/// A search's error with the phase around it where Elasticsearch has one.
fn phase_error(error: EsError, held: &[Held]) -> Result<Reply, EsError> {
    let inside = matches!(
        error.kind(),
        "query_shard_exception" | "too_many_buckets_exception" | "number_format_exception"
    );
    match held.first() {
        Some(first) if inside => Ok(Reply::status(
            error.status(),
            error.as_search_phase(&first.name),
        )),
        _ => Err(error),
    }
}

fn render_options(call: &Call) -> EsResult<RenderOptions> {
    Ok(RenderOptions {
        typed_keys: call.flag("typed_keys")?,
        total_as_int: call.flag("rest_total_hits_as_int")?,
    })
}

/// `GET|POST [{index}/]_search`.
pub(super) fn search(app: &App, call: &Call, expression: Option<&str>) -> EsResult<Reply> {
    let started = std::time::Instant::now();
    let now_ms = app.catalog.now_ms();
    match call.param("search_type") {
        None | Some("query_then_fetch" | "dfs_query_then_fetch") => {}
        Some(other) => {
            return Err(EsError::illegal_argument(format!(
                "No search type for [{other}]"
            )));
        }
    }
    let body = call.json()?;
    let params = url_params(call)?;
    let options = render_options(call)?;
    let request = SearchRequest::parse(&body, &params)?;
    if let Some(pit) = &request.pit {
        if expression.is_some() {
            return Err(EsError::action_request_validation(
                "Validation Failed: 1: [indices] cannot be used with point in time. Do not specify any index with point in time.;",
            ));
        }
        return search_pit(app, pit, request.clone(), options, started);
    }
    let held = hold(
        app,
        expression.unwrap_or("_all"),
        call.name_options(NameOptions::default())?,
    )?;
    if let Some(alive) = call.param("scroll") {
        let keep_alive_ms = keep_alive(alive)?;
        if request.size == 0 {
            return Err(EsError::action_request_validation(
                "Validation Failed: 1: [size] cannot be [0] in a scroll context;",
            ));
        }
        if request.from > 0 {
            return Err(EsError::action_request_validation(
                "Validation Failed: 1: using [from] is not allowed in a scroll context;",
            ));
        }
        let scroll = Scroll {
            sorted: !request.sort.is_empty(),
            body,
            params,
            after: None,
            options,
        };
        let context = Context {
            held: Arc::new(held),
            scroll: Some(scroll),
            keep_alive_ms,
            until_ms: now_ms + keep_alive_ms,
        };
        let id = app.contexts.insert(context, now_ms)?;
        return scroll_page(app, &id, None, started);
    }
    match run(&held, &request, now_ms, options, started) {
        Ok(answer) => Ok(Reply::json(answer)),
        Err(error) => phase_error(error, &held),
    }
}

fn search_pit(
    app: &App,
    pit: &Value,
    mut request: SearchRequest,
    options: RenderOptions,
    started: std::time::Instant,
) -> EsResult<Reply> {
    let now_ms = app.catalog.now_ms();
    let id = pit
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
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

fn missing_context(id: &str) -> EsError {
    EsError::new(
        404,
        "search_context_missing_exception",
        format!("No search context found for id [{id}]"),
    )
}

fn scroll_page(
    app: &App,
    id: &str,
    alive: Option<i64>,
    started: std::time::Instant,
) -> EsResult<Reply> {
    let now_ms = app.catalog.now_ms();
    let (held, mut body, params, after, sorted, options) = {
        let mut open = app.contexts.lock();
        let context = open
            .get_mut(id)
            .filter(|c| c.until_ms > now_ms)
            .ok_or_else(|| missing_context(id))?;
        context.keep_alive_ms = alive.unwrap_or(context.keep_alive_ms);
        context.until_ms = now_ms + context.keep_alive_ms;
        let held = Arc::clone(&context.held);
        let scroll = context.scroll.as_ref().ok_or_else(|| missing_context(id))?;
        (
            held,
            scroll.body.clone(),
            scroll.params.clone(),
            scroll.after.clone(),
            scroll.sorted,
            scroll.options,
        )
    };
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
    let body = call.json()?;
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
    scroll_page(app, id, alive.map(keep_alive).transpose()?, started)
}

/// `DELETE _search/scroll[/{id}]`.
pub(super) fn clear_scroll(app: &App, call: &Call, id: Option<&str>) -> EsResult<Reply> {
    let body = call.json()?;
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
    let alive = call.param("keep_alive").ok_or_else(|| {
        EsError::action_request_validation("Validation Failed: 1: [keep_alive] is not specified;")
    })?;
    let keep_alive_ms = keep_alive(alive)?;
    let now_ms = app.catalog.now_ms();
    let held = hold(app, expression, call.name_options(NameOptions::default())?)?;
    let shards = held.len();
    let context = Context {
        held: Arc::new(held),
        scroll: None,
        keep_alive_ms,
        until_ms: now_ms + keep_alive_ms,
    };
    let id = app.contexts.insert(context, now_ms)?;
    Ok(Reply::json(json!({
        "id": id,
        "_shards": {"total": shards, "successful": shards, "skipped": 0, "failed": 0},
    })))
}

/// `DELETE _pit`.
pub(super) fn close_pit(app: &App, call: &Call) -> EsResult<Reply> {
    let body = call.required_json()?;
    let id = body.get("id").and_then(Value::as_str).ok_or_else(|| {
        EsError::action_request_validation("Validation Failed: 1: id must not be empty;")
    })?;
    Ok(closed(app, &[id.to_owned()]))
}

/// `GET|POST [{index}/]_count`.
pub(super) fn count(app: &App, call: &Call, expression: Option<&str>) -> EsResult<Reply> {
    let body = call.json()?;
    for key in body.as_object().into_iter().flat_map(Map::keys) {
        if key != "query" {
            return Err(EsError::parsing(format!(
                "request does not support [{key}]"
            )));
        }
    }
    let request = SearchRequest::parse(&body, &url_params(call)?)?;
    let held = hold(
        app,
        expression.unwrap_or("_all"),
        call.name_options(NameOptions::default())?,
    )?;
    let views: Vec<IndexView<'_>> = held
        .iter()
        .map(|h| IndexView {
            name: &h.name,
            schema: &h.schema,
            segments: &h.segments,
        })
        .collect();
    let found = match count_docs(&request.query, &views, app.catalog.now_ms()) {
        Ok(found) => found,
        Err(error) => return phase_error(error, &held),
    };
    if let Some(error) = held.iter().find_map(|h| h.views.failure()) {
        return Err(error.into());
    }
    let shards = held.len();
    Ok(Reply::json(json!({
        "count": found,
        "_shards": {"total": shards, "successful": shards, "skipped": 0, "failed": 0},
    })))
}

/// Live documents of an expression.
pub(super) fn live_count(app: &App, expression: &str, options: NameOptions) -> EsResult<u64> {
    Ok(app
        .catalog
        .select(expression, options)?
        .iter()
        .map(|i| i.shard.stats().docs)
        .sum())
}

/// `GET|POST [{index}/]_msearch`.
pub(super) fn msearch(app: &App, call: &Call, default: Option<&str>) -> EsResult<Reply> {
    let started = std::time::Instant::now();
    let options = render_options(call)?;
    let base = call.name_options(NameOptions::default())?;
    let mut lines = call.body()?.split(|b| *b == b'\n');
    let mut responses = Vec::new();
    loop {
        let Some(header) = lines.next() else { break };
        if header.is_empty() && responses.is_empty() && call.received.bytes.is_empty() {
            break;
        }
        let Some(body) = lines.next() else {
            if header.iter().all(u8::is_ascii_whitespace) {
                break;
            }
            return Err(EsError::illegal_argument(
                "The msearch request must be terminated by a newline [\\n]",
            ));
        };
        if responses.len() >= MAX_MSEARCH {
            return Err(EsError::illegal_argument(format!(
                "more than {MAX_MSEARCH} searches in one request"
            )));
        }
        let one = msearch_one(app, header, body, default, base, options);
        responses.push(match one {
            Ok(reply) => reply,
            Err(error) => error.body(),
        });
    }
    if responses.is_empty() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: no requests added;",
        ));
    }
    Ok(Reply::json(json!({
        "took": started.elapsed().as_millis() as u64,
        "responses": responses,
    })))
}

fn msearch_one(
    app: &App,
    header: &[u8],
    body: &[u8],
    default: Option<&str>,
    base: NameOptions,
    render: RenderOptions,
) -> EsResult<Value> {
    let started = std::time::Instant::now();
    let header = if header.iter().all(u8::is_ascii_whitespace) {
        json!({})
    } else {
        parse_json(header)?
    };
    let mut names = base;
    let mut expression = default.unwrap_or("_all").to_owned();
    for (key, value) in header.as_object().into_iter().flatten() {
        let flag = || {
            value
                .as_bool()
                .or_else(|| value.as_str()?.parse().ok())
                .unwrap_or(false)
        };
        match (key.as_str(), value) {
            ("index" | "indices", Value::String(one)) => expression.clone_from(one),
            ("index" | "indices", Value::Array(many)) => {
                let all: Vec<&str> = many.iter().filter_map(Value::as_str).collect();
                if !all.is_empty() {
                    expression = all.join(",");
                }
            }
            ("ignore_unavailable", _) => names.ignore_unavailable = flag(),
            ("allow_no_indices", _) => names.allow_no_indices = flag(),
            ("expand_wildcards", Value::String(text)) => names = names.expand(text)?,
            (
                "index"
                | "indices"
                | "expand_wildcards"
                | "search_type"
                | "preference"
                | "routing"
                | "request_cache"
                | "max_concurrent_shard_requests"
                | "ccs_minimize_roundtrips",
                _,
            ) => {}
            (other, _) => {
                return Err(EsError::illegal_argument(format!(
                    "key [{other}] is not supported in the metadata section"
                )));
            }
        }
    }
    let request = SearchRequest::parse(&parse_json(body)?, &UrlParams::default())?;
    let held = hold(app, &expression, names)?;
    let mut answer = run(&held, &request, app.catalog.now_ms(), render, started)?;
    answer["status"] = json!(200);
    Ok(answer)
}

/// `GET|POST [{index}/]_field_caps`.
pub(super) fn field_caps(app: &App, call: &Call, expression: Option<&str>) -> EsResult<Reply> {
    let body = call.json()?;
    let mut fields: Vec<String> = call
        .param("fields")
        .into_iter()
        .flat_map(|f| f.split(','))
        .map(str::to_owned)
        .collect();
    match body.get("fields") {
        Some(Value::String(one)) => fields.extend(one.split(',').map(str::to_owned)),
        Some(Value::Array(many)) => {
            fields.extend(many.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        _ => {}
    }
    for unsupported in ["index_filter", "runtime_mappings"] {
        if body.get(unsupported).is_some() {
            return Err(EsError::unsupported(unsupported));
        }
    }
    if fields.is_empty() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: no fields specified;",
        ));
    }
    let options = call.name_options(NameOptions::default())?;
    let indices = app.catalog.select(expression.unwrap_or("_all"), options)?;
    let mappings: Vec<(String, Arc<Mapping>)> = indices
        .iter()
        .map(|i| (i.name.clone(), i.mapping()))
        .collect();
    let pairs: Vec<(&str, &Mapping)> = mappings.iter().map(|(n, m)| (n.as_str(), &**m)).collect();
    let patterns: Vec<&str> = fields.iter().map(String::as_str).collect();
    let unmapped = call.flag("include_unmapped")?;
    Ok(Reply::json(wharf_store_core::mapping::render_field_caps(
        &pairs, &patterns, unmapped,
    )))
}

/// `GET|POST [{index}/]_validate/query`.
pub(super) fn validate(app: &App, call: &Call, expression: Option<&str>) -> EsResult<Reply> {
    let options = call.name_options(NameOptions::default())?;
    let held = hold(app, expression.unwrap_or("_all"), options)?;
    let shards = held.len();
    let checked = SearchRequest::parse(&call.json()?, &url_params(call)?);
    let mut body = json!({"_shards": {"total": shards, "successful": shards, "failed": 0}, "valid": checked.is_ok()});
    if let (Err(error), true) = (checked, call.flag("explain")?) {
        body["error"] = json!(error.to_string());
    }
    Ok(Reply::json(body))
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
