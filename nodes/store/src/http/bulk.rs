//! `_bulk`: the body's lines to operations, their outcomes to items.
//!
//! Invariants: the whole body is read before anything is applied, so a broken action line changes nothing (as in
//! Elasticsearch); of a gzip stream that breaks off, the operations that came whole are applied and a last item says so;
//! answers begin with `took`, `errors`, `items` in that order (Fluent Bit looks for it). Not here: applying (`ingest`).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use wharf_store_core::bulk::{
    Action, BulkDefaults, BulkReader, ItemDone, OpKind, VersionType, write_item_error,
    write_item_ok,
};
use wharf_store_core::error::{EsError, EsResult};

use super::{App, Call, Reply};
use crate::ingest::{Ingest, ItemOutcome, Operation, Verb};

/// Operations of one request at most.
const MAX_OPS: usize = 1_000_000;
/// Operations that are parsed before they are applied.
const CHUNK: usize = 2048;

struct Planned {
    action: Arc<Action>,
    source: Range<usize>,
    problem: Option<EsError>,
}

fn verb(kind: OpKind) -> Verb {
    match kind {
        OpKind::Index => Verb::Index,
        OpKind::Create => Verb::Create,
        OpKind::Update => Verb::Update,
        OpKind::Delete => Verb::Delete,
    }
}

/// What of the items is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    All,
    /// `items.*.error`, `items.*.status`: what Beats ask for.
    Brief,
}

/// `None`: a filter that the general filter has to apply.
fn shown(filter: Option<&str>) -> Option<(Shown, bool)> {
    let Some(filter) = filter else {
        return Some((Shown::All, true));
    };
    let mut took = false;
    for part in filter.split(',') {
        match part {
            "took" => took = true,
            "errors" | "items.*.error" | "items.*.status" | "items.*.failure_store" => {}
            _ => return None,
        }
    }
    let all = ["errors", "items.*.error", "items.*.status"];
    all.iter()
        .all(|p| filter.split(',').any(|f| f == *p))
        .then_some((Shown::Brief, took))
}

/// Why an action cannot be applied here.
fn refusal(action: &Action) -> Option<EsError> {
    if action.version_type != VersionType::Internal {
        return Some(EsError::unsupported("version_type other than internal"));
    }
    if action.version.is_some() {
        return Some(EsError::action_request_validation(
            "Validation Failed: 1: internal versioning can not be used for optimistic concurrency control. Please use `if_seq_no` and `if_primary_term` instead;",
        ));
    }
    if let Some(pipeline) = action.pipeline.as_deref().filter(|p| *p != "_none") {
        return Some(EsError::illegal_argument(format!(
            "pipeline with id [{pipeline}] does not exist"
        )));
    }
    if action.if_seq_no.is_some() != action.if_primary_term.is_some() {
        return Some(EsError::action_request_validation(
            "Validation Failed: 1: ifSeqNo and primary term must be given together;",
        ));
    }
    None
}

/// `POST _bulk`, `POST {index}/_bulk`.
pub(super) fn bulk(app: &App, call: &Call, index: Option<&str>) -> EsResult<Reply> {
    let started = std::time::Instant::now();
    let defaults = BulkDefaults {
        index: index.map(str::to_owned),
        pipeline: call.param("pipeline").map(str::to_owned),
        require_alias: call.flag("require_alias")?,
        require_data_stream: call.flag("require_data_stream")?,
    };
    let body = &call.received.bytes;
    let planned = plan(body, defaults, call.received.broken.as_deref())?;
    if call.received.broken.is_some() && planned.is_empty() {
        call.body()?;
    }
    let mut items = Vec::with_capacity(planned.len() * 24 + 64);
    let mut errors = false;
    let filter = call.param("filter_path");
    let style = shown(filter);
    let form = style.map_or(Shown::All, |(form, _)| form);
    for chunk in planned.chunks(CHUNK) {
        let operations: Vec<Option<Operation<'_>>> = chunk
            .iter()
            .map(|p| {
                let a = &p.action;
                (p.problem.is_none() && refusal(a).is_none()).then(|| Operation {
                    verb: verb(a.kind),
                    index: Cow::Borrowed(&*a.index),
                    id: a.id.as_deref().map(Cow::Borrowed),
                    body: Cow::Borrowed(&body[p.source.clone()]),
                    if_seq: a.if_seq_no.zip(a.if_primary_term),
                    require_alias: a.require_alias,
                    require_data_stream: a.require_data_stream,
                    retry_on_conflict: a.retry_on_conflict,
                })
            })
            .collect();
        let mut ingest = Ingest::new(&app.catalog);
        for (p, operation) in chunk.iter().zip(&operations) {
            match operation {
                Some(operation) => ingest.push(operation),
                None => {
                    let error = p.problem.clone().or_else(|| refusal(&p.action));
                    let error = error.unwrap_or_else(|| EsError::internal("operation refused"));
                    let id = p.action.id.as_deref().map(str::to_owned);
                    ingest.refuse(p.action.index.to_string(), id, error);
                }
            }
        }
        for (p, outcome) in chunk.iter().zip(ingest.finish()) {
            errors |= outcome.is_err();
            app.metrics.item(match &outcome {
                Ok(done) => done.result.status(),
                Err(failed) => failed.error.status(),
            });
            write_item(&mut items, p.action.kind, &outcome, form);
        }
    }
    if let Some(why) = &call.received.broken {
        errors = true;
        let error = EsError::illegal_argument(format!(
            "the request body is broken gzip ({why}); the {} operations before were applied, send the rest again",
            planned.len()
        ));
        if !items.is_empty() {
            items.push(b',');
        }
        app.metrics.item(error.status());
        let kind = planned.last().map_or(OpKind::Index, |p| p.action.kind);
        let name = planned.last().map_or("", |p| &*p.action.index);
        write_item_error(&mut items, kind, name, None, &error);
    }
    let mut out = Vec::with_capacity(items.len() + 64);
    out.push(b'{');
    if style.is_none_or(|(_, took)| took) {
        let took = started.elapsed().as_millis();
        out.extend_from_slice(format!("\"took\":{took},").as_bytes());
    }
    out.extend_from_slice(format!("\"errors\":{errors},\"items\":[").as_bytes());
    out.append(&mut items);
    out.extend_from_slice(b"]}");
    if style.is_none() || call.params.contains_key("pretty") {
        let value = serde_json::from_slice(&out).map_err(|e| EsError::internal(e.to_string()))?;
        return Ok(Reply::json(value));
    }
    Ok(Reply::written(out))
}

fn plan(body: &[u8], defaults: BulkDefaults, broken: Option<&str>) -> EsResult<Vec<Planned>> {
    let base = body.as_ptr() as usize;
    let mut planned: Vec<Planned> = Vec::new();
    let mut too_many = false;
    let mut reader = BulkReader::new(defaults);
    // Whole lines only, so that sources lie in the body and need no copy.
    let end = memchr_last(body).map_or(0, |at| at + 1);
    if broken.is_none() && !body[end..].iter().all(u8::is_ascii_whitespace) {
        return Err(EsError::illegal_argument(
            "The bulk request must be terminated by a newline [\\n]",
        ));
    }
    reader.feed(&body[..end], &mut |op| {
        if planned.len() >= MAX_OPS {
            too_many = true;
            return;
        }
        let start = (op.source.as_ptr() as usize).saturating_sub(base);
        let inside = !op.source.is_empty() && start + op.source.len() <= body.len();
        let source = if inside {
            start..start + op.source.len()
        } else {
            0..0
        };
        planned.push(Planned {
            action: op.action,
            source,
            problem: op.problem,
        });
    })?;
    if too_many {
        return Err(EsError::new(
            413,
            "content_too_long_exception",
            format!("more than {MAX_OPS} operations in one request; split it"),
        ));
    }
    if broken.is_none() {
        reader.finish()?;
    }
    Ok(planned)
}

fn memchr_last(body: &[u8]) -> Option<usize> {
    body.iter().rposition(|b| *b == b'\n')
}

fn write_item(items: &mut Vec<u8>, kind: OpKind, outcome: &ItemOutcome, form: Shown) {
    if !items.is_empty() {
        items.push(b',');
    }
    match outcome {
        Ok(done) if form == Shown::Brief => {
            let name = kind.name();
            let status = done.result.status();
            items.extend_from_slice(format!("{{\"{name}\":{{\"status\":{status}}}}}").as_bytes());
        }
        Ok(done) => {
            let item = ItemDone {
                result: done.result.name(),
                version: done.version,
                seq_no: done.seq,
                primary_term: 1,
            };
            write_item_ok(items, kind, &done.index, &done.id, item);
        }
        Err(failed) if form == Shown::Brief => {
            let item = serde_json::json!({kind.name(): {
                "status": failed.error.status(),
                "error": failed.error.object(),
            }});
            items.extend_from_slice(item.to_string().as_bytes());
        }
        Err(failed) => {
            write_item_error(
                items,
                kind,
                &failed.index,
                failed.id.as_deref(),
                &failed.error,
            );
        }
    }
}
