//! Documents by query: `_delete_by_query`, `_update_by_query`, `_reindex`, all without scripts.
//!
//! Invariants: what matches is found once, before anything is written; a document that changed meanwhile is a conflict and
//! is left as it is; sources are read and written in batches, so that what is held is bounded. Not here: scripts, pipelines,
//! other clusters (refused by name), tasks in the background.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};
use wharf_store_core::columns::{RowSet, Segment};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::query::{Query, parse_query};
use wharf_store_core::search::{IndexView, SourceFilter, matching_rows};
use wharf_store_core::wildcard::NameOptions;

use super::documents::check_refresh;
use super::scope::through;
use super::search::{index_schema, url_query};
use super::{App, Call, Reply};
use crate::catalog::resolve::Seen;
use crate::engine::Views;
use crate::ingest::{Ingest, Operation, Result_, Verb};

/// Documents that are written at a time.
const BATCH: usize = 512;
/// Bytes of sources that are held at a time.
const BATCH_BYTES: usize = 8 << 20;
/// Documents that one answer tells of as failed.
const MAX_FAILURES: usize = 1000;

/// Parameters that all three know.
const PARAMETERS: [&str; 26] = [
    "q",
    "df",
    "default_operator",
    "lenient",
    "analyzer",
    "analyze_wildcard",
    "conflicts",
    "max_docs",
    "size",
    "refresh",
    "scroll",
    "scroll_size",
    "search_timeout",
    "search_type",
    "slices",
    "sort",
    "timeout",
    "wait_for_active_shards",
    "wait_for_completion",
    "requests_per_second",
    "ignore_unavailable",
    "allow_no_indices",
    "expand_wildcards",
    "routing",
    "preference",
    "request_cache",
];

/// What is done with documents that a query finds.
struct Work {
    query: Query,
    max_docs: u64,
    /// Go on when a document changed meanwhile.
    proceed: bool,
}

impl Work {
    fn read(call: &Call) -> EsResult<Self> {
        call.only(&PARAMETERS)?;
        check_refresh(call)?;
        if !call.flag_or("wait_for_completion", true)? {
            return Err(EsError::unsupported("wait_for_completion=false"));
        }
        let mut work = Self {
            query: match url_query(call)? {
                Some(query) => query,
                None => parse_query(&json!({"match_all": {}}))?,
            },
            max_docs: u64::MAX,
            proceed: false,
        };
        if let Some(text) = call.param("max_docs") {
            work.limit(&json!(text.parse::<i64>().ok()))?;
        }
        if let Some(text) = call.param("conflicts") {
            work.conflicts(&json!(text))?;
        }
        Ok(work)
    }

    fn limit(&mut self, value: &Value) -> EsResult<()> {
        let number = value.as_i64().filter(|n| *n >= -1 && *n != 0);
        match number {
            Some(-1) => Ok(()),
            Some(n) => {
                self.max_docs = n as u64;
                Ok(())
            }
            None => Err(EsError::illegal_argument(format!(
                "[max_docs] parameter cannot be negative or zero, found [{value}]"
            ))),
        }
    }

    fn conflicts(&mut self, value: &Value) -> EsResult<()> {
        self.proceed = match value.as_str() {
            Some("proceed") => true,
            Some("abort") => false,
            _ => {
                return Err(EsError::illegal_argument(format!(
                    "conflicts may only be \"proceed\" or \"abort\" but was [{value}]"
                )));
            }
        };
        Ok(())
    }
}

/// What was done, as it is answered.
#[derive(Default)]
struct Report {
    total: u64,
    created: u64,
    updated: u64,
    deleted: u64,
    batches: u64,
    conflicts: u64,
    failures: Vec<Value>,
    stopped: bool,
    status: u16,
}

impl Report {
    fn reply(self, started: Instant, verb: &str) -> Reply {
        let mut body = Map::new();
        body.insert("took".into(), json!(started.elapsed().as_millis() as u64));
        body.insert("timed_out".into(), json!(false));
        body.insert("total".into(), json!(self.total));
        if verb != "delete" {
            body.insert("updated".into(), json!(self.updated));
        }
        if verb == "reindex" {
            body.insert("created".into(), json!(self.created));
        }
        body.insert("deleted".into(), json!(self.deleted));
        body.insert("batches".into(), json!(self.batches));
        body.insert("version_conflicts".into(), json!(self.conflicts));
        body.insert("noops".into(), json!(0));
        body.insert("retries".into(), json!({"bulk": 0, "search": 0}));
        body.insert("throttled_millis".into(), json!(0));
        body.insert("requests_per_second".into(), json!(-1.0));
        body.insert("throttled_until_millis".into(), json!(0));
        body.insert("failures".into(), json!(self.failures));
        Reply::status(self.status.max(200), Value::Object(body))
    }

    /// Writes a batch and counts what came of it.
    fn write(&mut self, app: &App, operations: &[Operation<'_>], proceed: bool) {
        if operations.is_empty() {
            return;
        }
        self.batches += 1;
        let mut ingest = Ingest::new(&app.catalog);
        operations
            .iter()
            .for_each(|operation| ingest.push(operation));
        for (outcome, operation) in ingest.finish().into_iter().zip(operations) {
            let failed = match outcome {
                Ok(done) => {
                    match done.result {
                        Result_::Created => self.created += 1,
                        Result_::Updated => self.updated += 1,
                        Result_::Deleted => self.deleted += 1,
                        _ => {}
                    }
                    continue;
                }
                Err(failed) => failed,
            };
            let conflict = failed.error.status() == 409;
            self.conflicts += u64::from(conflict);
            if conflict && proceed {
                continue;
            }
            self.stopped = true;
            self.status = self.status.max(failed.error.status());
            if self.failures.len() < MAX_FAILURES {
                self.failures.push(json!({
                    "index": failed.index, "id": operation.id, "cause": failed.error.object(),
                    "status": failed.error.status(),
                }));
            }
        }
    }
}

/// An index in which documents were found, frozen.
struct Found {
    index: String,
    segments: Vec<Arc<dyn Segment>>,
    /// Of each segment; the first `total` of all are meant.
    rows: Vec<RowSet>,
    total: u64,
    views: Views,
}

fn find(app: &App, seen: &Seen, work: &Work, left: u64) -> EsResult<Found> {
    let index = &seen.index;
    let views = index.shard.views();
    let schema = index_schema(index);
    let now_ms = app.catalog.now_ms();
    let filters = seen.filters.as_deref();
    let segments = through(&index.name, &schema, views.segments(), filters, now_ms)?;
    let view = IndexView {
        name: &index.name,
        schema: &schema,
        segments: &segments,
    };
    let rows = matching_rows(&work.query, view, now_ms)?;
    let total: u64 = rows.iter().map(|rows| u64::from(rows.len())).sum();
    if let Some(error) = views.failure() {
        return Err(error.into());
    }
    Ok(Found {
        index: index.name.clone(),
        segments,
        rows,
        total: total.min(left),
        views,
    })
}

/// A document that was found.
#[derive(Clone)]
struct Document {
    id: String,
    seq_no: u64,
    /// Empty when it was not asked for.
    source: Vec<u8>,
}

/// Reads what is found in batches and hands each to `write`, until that says to stop.
fn in_batches(
    found: &Found,
    sources: bool,
    write: &mut dyn FnMut(&[Document]) -> EsResult<bool>,
) -> EsResult<()> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let all = found
        .segments
        .iter()
        .zip(&found.rows)
        .flat_map(|(segment, rows)| rows.iter().map(move |row| (segment, row)));
    for (segment, row) in all.take(usize::try_from(found.total).unwrap_or(usize::MAX)) {
        let meta = segment.meta(row)?;
        let source = match sources {
            true => segment.source(row)?.into_owned(),
            false => Vec::new(),
        };
        bytes += source.len();
        batch.push(Document {
            id: meta.id.into_owned(),
            seq_no: meta.seq_no,
            source,
        });
        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
            if !write(&batch)? {
                return Ok(());
            }
            batch.clear();
            bytes = 0;
        }
    }
    if let Some(error) = found.views.failure() {
        return Err(error.into());
    }
    if !batch.is_empty() {
        write(&batch)?;
    }
    Ok(())
}

fn operation<'a>(verb: Verb, index: &'a str, document: &'a Document) -> Operation<'a> {
    Operation {
        verb,
        index: Cow::Borrowed(index),
        id: Some(Cow::Borrowed(&document.id)),
        body: Cow::Borrowed(&document.source),
        if_seq: Some((document.seq_no, 1)),
        require_alias: false,
        require_data_stream: false,
        retry_on_conflict: 0,
    }
}

/// Deletes or writes anew what a request finds.
fn rewrite(app: &App, call: &Call, expression: &str, verb: Verb) -> EsResult<Reply> {
    let started = Instant::now();
    let body = call.object()?;
    let mut work = Work::read(call)?;
    let deletes = matches!(verb, Verb::Delete);
    let owner = if deletes {
        "delete_by_query"
    } else {
        "update_by_query"
    };
    for (key, value) in body.as_object().into_iter().flatten() {
        match key.as_str() {
            "query" => work.query = parse_query(value)?,
            "max_docs" => work.limit(value)?,
            "conflicts" => work.conflicts(value)?,
            "script" | "slice" => return Err(EsError::unsupported(format!("{owner} {key}"))),
            other => {
                return Err(EsError::parsing(format!(
                    "Unknown key for a value in [{}].",
                    other.chars().take(100).collect::<String>()
                )));
            }
        }
    }
    if deletes && body.get("query").is_none() && call.param("q").is_none() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: query is missing;",
        ));
    }
    let indices = app
        .catalog
        .select_seen(expression, call.name_options(NameOptions::default())?)?;
    let mut report = Report::default();
    for seen in indices {
        let found = find(app, &seen, &work, work.max_docs - report.total)?;
        report.total += found.total;
        in_batches(&found, !deletes, &mut |batch| {
            let operations: Vec<Operation<'_>> = batch
                .iter()
                .map(|one| operation(verb, &found.index, one))
                .collect();
            report.write(app, &operations, work.proceed);
            Ok(!report.stopped)
        })?;
        if report.stopped {
            break;
        }
    }
    Ok(report.reply(started, if deletes { "delete" } else { "update" }))
}

/// `POST {index}/_delete_by_query`.
pub(super) fn delete_by_query(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    rewrite(app, call, expression, Verb::Delete)
}

/// `POST {index}/_update_by_query`: writes documents as they are, for a mapping that was changed.
pub(super) fn update_by_query(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    rewrite(app, call, expression, Verb::Index)
}

/// Where documents of `_reindex` come from and go to.
struct Copying {
    work: Work,
    from: String,
    filter: SourceFilter,
    into: String,
    create: bool,
}

impl Copying {
    fn read(call: &Call) -> EsResult<Self> {
        let body = call.required_object()?;
        let mut copying = Self {
            work: Work::read(call)?,
            from: String::new(),
            filter: SourceFilter::default(),
            into: String::new(),
            create: false,
        };
        for (key, value) in body.as_object().into_iter().flatten() {
            match key.as_str() {
                "source" => copying.source(value)?,
                "dest" => copying.destination(value)?,
                "max_docs" | "size" => copying.work.limit(value)?,
                "conflicts" => copying.work.conflicts(value)?,
                "script" => return Err(EsError::unsupported("reindex script")),
                other => return Err(unknown("reindex", other)),
            }
        }
        let missing = match (copying.from.is_empty(), copying.into.is_empty()) {
            (true, _) => "use _all if you really want to copy from all existing indexes",
            (_, true) => "index is missing",
            _ => return Ok(copying),
        };
        Err(EsError::action_request_validation(format!(
            "Validation Failed: 1: {missing};"
        )))
    }

    fn source(&mut self, value: &Value) -> EsResult<()> {
        for (key, value) in value.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("index", Value::String(one)) => self.from.clone_from(one),
                ("index", Value::Array(many)) => {
                    let names: Vec<&str> = many.iter().filter_map(Value::as_str).collect();
                    self.from = names.join(",");
                }
                ("query", _) => self.work.query = parse_query(value)?,
                ("_source", _) => self.filter = SourceFilter::parse(value)?,
                // How many at a time.
                ("size", Value::Number(_)) => {}
                ("sort", _) if self.work.max_docs == u64::MAX => {}
                ("sort" | "remote" | "slice", _) => {
                    return Err(EsError::unsupported(format!("reindex source.{key}")));
                }
                (other, _) => return Err(unknown("source", other)),
            }
        }
        Ok(())
    }

    fn destination(&mut self, value: &Value) -> EsResult<()> {
        for (key, value) in value.as_object().into_iter().flatten() {
            match (key.as_str(), value.as_str()) {
                ("index", Some(name)) => name.clone_into(&mut self.into),
                ("op_type", Some("create")) => self.create = true,
                ("op_type", Some("index")) => self.create = false,
                ("version_type", Some("internal")) => {}
                ("pipeline" | "routing" | "version_type", _) => {
                    return Err(EsError::unsupported(format!("reindex dest.{key}")));
                }
                (other, _) => return Err(unknown("dest", other)),
            }
        }
        Ok(())
    }
}

fn unknown(owner: &str, key: &str) -> EsError {
    let key: String = key.chars().take(100).collect();
    EsError::json_parse(format!("[{owner}] unknown field [{key}]"))
}

/// `POST _reindex`.
pub(super) fn reindex(app: &App, call: &Call) -> EsResult<Reply> {
    let started = Instant::now();
    let copying = Copying::read(call)?;
    let indices = app
        .catalog
        .select_seen(&copying.from, NameOptions::default())?;
    let into = {
        let state = app.catalog.read();
        let mut names = vec![copying.into.clone()];
        names.extend(
            state
                .alias_indices(&copying.into)
                .iter()
                .map(|i| i.name.clone()),
        );
        names
    };
    if indices.iter().any(|seen| into.contains(&seen.index.name)) {
        return Err(EsError::action_request_validation(format!(
            "Validation Failed: 1: reindex cannot write into an index its reading from [{}];",
            copying.into
        )));
    }
    let verb = if copying.create {
        Verb::Create
    } else {
        Verb::Index
    };
    let work = &copying.work;
    let mut report = Report::default();
    for seen in indices {
        let found = find(app, &seen, work, work.max_docs - report.total)?;
        report.total += found.total;
        in_batches(&found, true, &mut |batch| {
            let mut batch = batch.to_vec();
            if !copying.filter.keeps_all() {
                for Document { source, .. } in &mut batch {
                    let whole = serde_json::from_slice(source)
                        .map_err(|e| EsError::internal(format!("stored document: {e}")))?;
                    *source = copying.filter.apply(whole).to_string().into_bytes();
                }
            }
            let operations: Vec<Operation<'_>> = batch
                .iter()
                .map(|one| Operation {
                    if_seq: None,
                    ..operation(verb, &copying.into, one)
                })
                .collect();
            report.write(app, &operations, work.proceed);
            Ok(!report.stopped)
        })?;
        if report.stopped {
            break;
        }
    }
    Ok(report.reply(started, "reindex"))
}
