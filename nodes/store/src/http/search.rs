//! `_search`, `_count`, `_msearch`, `_field_caps`, `_validate/query`.
//!
//! Invariants: an answer is never made from a segment that could not be read; views are frozen while it is made.
//! Not here: scrolls and points in time (`contexts`), what a query or an aggregation does (core).

use std::sync::Arc;

use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::mapping::Mapping;
use wharf_store_core::query::{FieldInfo, Query, Schema};
use wharf_store_core::search::{
    IndexView, RenderOptions, SearchRequest, TrackTotal, UrlParams, count as count_docs,
    search as run_search,
};
use wharf_store_core::wildcard::NameOptions;

use super::call::parse_json;
use super::contexts::{self, ScrollRequest, keep_alive};
use super::scope::through;
use super::{App, Call, Reply};
use crate::catalog::index::Index;
use crate::catalog::resolve::Seen;
use crate::engine::Views;

/// Searches of one `_msearch`.
const MAX_MSEARCH: usize = 1000;
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
pub(super) struct Held {
    name: String,
    schema: IndexSchema,
    views: Views,
    segments: Vec<Arc<dyn wharf_store_core::columns::Segment>>,
}

impl Held {
    fn of(seen: &Seen, now_ms: i64) -> EsResult<Self> {
        let index = &seen.index;
        index
            .shard
            .searched
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let views = index.shard.views();
        let schema = index_schema(index);
        let filters = seen.filters.as_deref();
        let segments = through(&index.name, &schema, views.segments(), filters, now_ms)?;
        Ok(Self {
            name: index.name.clone(),
            schema,
            views,
            segments,
        })
    }
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
        stored_fields: text("stored_fields"),
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

pub(super) fn hold(app: &App, expression: &str, options: NameOptions) -> EsResult<Vec<Held>> {
    let now_ms = app.catalog.now_ms();
    let seen = app.catalog.select_seen(expression, options)?;
    seen.iter().map(|seen| Held::of(seen, now_ms)).collect()
}

pub(super) fn run(
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
pub(super) fn phase_error(error: EsError, held: &[Held]) -> Result<Reply, EsError> {
    // What a shard refuses has the phase around it; parsing errors do not come here.
    match held.first() {
        Some(first) if error.status() == 400 => {
            Ok(Reply::status(error.status(), error.as_search_phase(&first.name)).unfiltered())
        }
        _ => Err(error),
    }
}

fn render_options(call: &Call) -> EsResult<RenderOptions> {
    Ok(RenderOptions {
        typed_keys: call.flag("typed_keys")?,
        total_as_int: call.flag("rest_total_hits_as_int")?,
    })
}

/// Parameters that `_search` knows.
const PARAMETERS: [&str; 44] = [
    "q",
    "df",
    "default_operator",
    "lenient",
    "analyzer",
    "analyze_wildcard",
    "size",
    "from",
    "sort",
    "_source",
    "_source_includes",
    "_source_excludes",
    "source",
    "stored_fields",
    "docvalue_fields",
    "track_total_hits",
    "track_scores",
    "version",
    "seq_no_primary_term",
    "explain",
    "terminate_after",
    "timeout",
    "typed_keys",
    "rest_total_hits_as_int",
    "scroll",
    "search_type",
    "ignore_unavailable",
    "allow_no_indices",
    "expand_wildcards",
    "ignore_throttled",
    "routing",
    "preference",
    "request_cache",
    "batched_reduce_size",
    "ccs_minimize_roundtrips",
    "allow_partial_search_results",
    "max_concurrent_shard_requests",
    "pre_filter_shard_size",
    "stats",
    "index",
    "include_named_queries_score",
    "min_compatible_shard_node",
    "cancel_after_time_interval",
    "phase_took",
];

/// Parameters that `_count` knows.
const COUNT_PARAMETERS: [&str; 17] = [
    "q",
    "df",
    "default_operator",
    "lenient",
    "analyzer",
    "analyze_wildcard",
    "min_score",
    "preference",
    "routing",
    "terminate_after",
    "ignore_unavailable",
    "allow_no_indices",
    "expand_wildcards",
    "ignore_throttled",
    "index",
    "source",
    "allow_partial_search_results",
];

/// Parameters that `_msearch` knows.
const MSEARCH_PARAMETERS: [&str; 14] = [
    "search_type",
    "max_concurrent_searches",
    "max_concurrent_shard_requests",
    "typed_keys",
    "pre_filter_shard_size",
    "rest_total_hits_as_int",
    "ccs_minimize_roundtrips",
    "ignore_unavailable",
    "allow_no_indices",
    "expand_wildcards",
    "ignore_throttled",
    "index",
    "routing",
    "cancel_after_time_interval",
];

/// `GET|POST [{index}/]_search`.
pub(super) fn search(app: &App, call: &Call, expression: Option<&str>) -> EsResult<Reply> {
    let started = std::time::Instant::now();
    call.only(&PARAMETERS)?;
    if call.flag("include_named_queries_score")? {
        return Err(EsError::unsupported("include_named_queries_score"));
    }
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
    let mut request = match SearchRequest::parse(&body, &params) {
        // Elasticsearch's shards refuse this, not its parser.
        Err(error) if error.reason().starts_with("Result window is too large") => {
            let names = call.name_options(NameOptions::default())?;
            let held = hold(app, expression.unwrap_or("_all"), names)?;
            return phase_error(error, &held);
        }
        parsed => parsed?,
    };
    exact_if_number(&mut request, options)?;
    if let Some(pit) = &request.pit {
        if expression.is_some() {
            return Err(EsError::action_request_validation(
                "Validation Failed: 1: [indices] cannot be used with point in time. Do not specify any index with point in time.;",
            ));
        }
        return contexts::search_pit(app, pit, request.clone(), options, started);
    }
    let held = hold(
        app,
        expression.unwrap_or("_all"),
        call.name_options(NameOptions::default())?,
    )?;
    if let Some(alive) = call.param("scroll") {
        let keep_alive_ms = keep_alive(alive)?;
        if request.collapse.is_some() {
            return Err(EsError::unsupported("search collapse in a scroll"));
        }
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
        let sorted = !request.sort.is_empty();
        let page = ScrollRequest {
            body,
            params,
            sorted,
            options,
        };
        return contexts::start_scroll(app, held, page, keep_alive_ms, started);
    }
    match run(&held, &request, now_ms, options, started) {
        Ok(answer) => Ok(Reply::json(answer)),
        Err(error) => phase_error(error, &held),
    }
}

/// A total that is a number must be exact.
fn exact_if_number(request: &mut SearchRequest, options: RenderOptions) -> EsResult<()> {
    let standard = SearchRequest::default().track_total;
    match request.track_total {
        _ if !options.total_as_int => Ok(()),
        TrackTotal::UpTo(limit) if request.track_total != standard => {
            Err(EsError::illegal_argument(format!(
                "[rest_total_hits_as_int] cannot be used if the tracking of total hits is not accurate, got {limit}"
            )))
        }
        TrackTotal::UpTo(_) => {
            request.track_total = TrackTotal::Exact;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `GET|POST [{index}/]_count`.
pub(super) fn count(app: &App, call: &Call, expression: Option<&str>) -> EsResult<Reply> {
    call.only(&COUNT_PARAMETERS)?;
    let body = call
        .json()
        .map_err(|error| EsError::parsing("Failed to parse").caused_by(error))?;
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
    let mut count = 0;
    for held in hold(app, expression, options)? {
        let live = held.segments.iter().map(|s| u64::from(s.live().len()));
        count += live.sum::<u64>();
        if let Some(error) = held.views.failure() {
            return Err(error.into());
        }
    }
    Ok(count)
}

/// `GET|POST [{index}/]_msearch`. One that is malformed refuses them all, as in OpenSearch; one that
/// asks for what this store has not is refused alone.
pub(super) fn msearch(app: &App, call: &Call, default: Option<&str>) -> EsResult<Reply> {
    let started = std::time::Instant::now();
    call.only(&MSEARCH_PARAMETERS)?;
    let options = render_options(call)?;
    let base = call.name_options(NameOptions::default())?;
    let mut lines = call.body()?.split(|b| *b == b'\n');
    let mut searches = Vec::new();
    while let Some(header) = lines.next() {
        if header.is_empty() && searches.is_empty() && call.received.bytes.is_empty() {
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
        if searches.len() >= MAX_MSEARCH {
            return Err(EsError::illegal_argument(format!(
                "more than {MAX_MSEARCH} searches in one request"
            )));
        }
        searches.push(
            match OneSearch::read(header, body, default, base, options) {
                Err(error) if !error.is_unsupported() => return Err(error),
                read => read,
            },
        );
    }
    if searches.is_empty() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: no requests added;",
        ));
    }
    let responses: Vec<Value> = searches
        .into_iter()
        .map(|read| {
            read.and_then(|search| search.run(app, options))
                .unwrap_or_else(|error| error.body())
        })
        .collect();
    Ok(Reply::json(json!({
        "took": started.elapsed().as_millis() as u64,
        "responses": responses,
    })))
}

/// One search of an `_msearch`.
struct OneSearch {
    expression: String,
    names: NameOptions,
    request: SearchRequest,
}

impl OneSearch {
    fn read(
        header: &[u8],
        body: &[u8],
        default: Option<&str>,
        base: NameOptions,
        render: RenderOptions,
    ) -> EsResult<Self> {
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
        let mut request = SearchRequest::parse(&parse_json(body)?, &UrlParams::default())?;
        exact_if_number(&mut request, render)?;
        Ok(Self {
            expression,
            names,
            request,
        })
    }

    fn run(&self, app: &App, render: RenderOptions) -> EsResult<Value> {
        let started = std::time::Instant::now();
        let held = hold(app, &self.expression, self.names)?;
        let mut answer = run(&held, &self.request, app.catalog.now_ms(), render, started)?;
        answer["status"] = json!(200);
        Ok(answer)
    }
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
        return Err(EsError::illegal_argument(
            "specified fields can't be null or empty",
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
