//! `_snapshot`: which snapshots there are, one now, one deleted.
//!
//! Invariants: repositories and restores are ordered by the platform and refused here by name; a snapshot holds the whole
//! store, so that what would narrow it is refused; a name that was given is kept beside the snapshot's own, and both lead to
//! it. Not here: taking snapshots (`snapshots`).

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::snapshot::manifest::MAX_NAME;
use wharf_store_core::wildcard::glob;

use super::policies::stamp;
use super::route::{no_handler, unsupported, wrong_method};
use super::{App, Call, Reply};
use crate::snapshots::{Ask, Opened, RepositoryError, Running, SnapshotError, Summary, word};

/// Snapshots that an answer holds unless fewer are asked for.
const MAX_SIZE: usize = 10_000;
/// Said to everybody who wants a repository or a restore.
const BY_PLATFORM: &str = "STO0017: repositories and restores are the platform's: use `wharf repository create`, `wharf deployment set --snapshot-repository` and `wharf deployment set --on-host-loss restore`";

fn refused(what: &str) -> EsError {
    EsError::illegal_argument(format!("[{what}] is not done here; {BY_PLATFORM}"))
}

fn missing_repository(name: &str) -> EsError {
    EsError::new(
        404,
        "repository_missing_exception",
        format!("[{name}] missing"),
    )
}

fn missing_snapshot(repository: &str, name: &str) -> EsError {
    EsError::new(
        404,
        "snapshot_missing_exception",
        format!("[{repository}:{name}] is missing"),
    )
}

fn unreachable(error: &RepositoryError) -> EsError {
    EsError::new(500, "repository_exception", error.to_string())
}

fn failed(repository: &str, name: &str, why: &str) -> EsError {
    EsError::new(
        503,
        "snapshot_exception",
        format!("[{repository}:{name}] {why}"),
    )
}

/// Whether a path is answered here.
pub(super) fn is_own(path: &str) -> bool {
    path == "/_snapshot" || path.starts_with("/_snapshot/")
}

/// Answers a call.
pub(super) async fn answer(app: &Arc<App>, call: &Call) -> EsResult<Reply> {
    let parts: Vec<&str> = call.parts.iter().map(String::as_str).skip(1).collect();
    let read = matches!(call.method, Method::GET | Method::HEAD);
    let put_or_post = matches!(call.method, Method::PUT | Method::POST);
    match parts.as_slice() {
        [] if read => repositories(app, "_all"),
        ["_status"] if read => status(app, "_all", None).await,
        [name] if read => repositories(app, name),
        [_] if put_or_post => Err(refused("put repository")),
        [_] if call.method == Method::DELETE => Err(refused("delete repository")),
        [_, "_verify" | "_analyze" | "_cleanup"] => Err(unsupported(parts[1])),
        [repository, "_status"] if read => status(app, repository, None).await,
        [repository, names] if read => list(app, call, repository, names).await,
        [repository, name] if put_or_post => create(app, call, repository, name).await,
        [repository, names] if call.method == Method::DELETE => {
            delete(app, repository, names).await
        }
        [repository, names, "_status"] if read => status(app, repository, Some(names)).await,
        [_, _, "_restore"] if call.method == Method::POST => Err(refused("restore snapshot")),
        [_, _, action @ ("_mount" | "_clone"), ..] => Err(unsupported(action)),
        [] | [_] | [_, _] => Err(wrong_method(call, "GET, PUT, POST, DELETE")),
        _ => Err(no_handler(call)),
    }
}

fn names_one(pattern: &str, name: &str) -> bool {
    pattern == "_all" || glob(pattern, name)
}

fn selects(patterns: &str, names: &[&str]) -> bool {
    let one = |pattern: &str| names.iter().any(|name| names_one(pattern, name));
    patterns.split(',').any(one)
}

/// The repository, if the pattern names it.
fn opened(app: &App, pattern: &str) -> EsResult<Arc<Opened>> {
    let opened = app.place.snapshots.opened();
    opened
        .filter(|opened| selects(pattern, &[&opened.order.repository]))
        .ok_or_else(|| missing_repository(pattern))
}

fn repositories(app: &App, pattern: &str) -> EsResult<Reply> {
    let mut all = Map::new();
    match opened(app, pattern) {
        Ok(opened) => {
            let (kind, settings) = opened.order.shown();
            let shown = json!({"type": kind, "settings": settings});
            all.insert(opened.order.repository.clone(), shown);
        }
        // A pattern that finds nothing is none that is missing.
        Err(_) if pattern == "_all" || pattern.contains('*') => {}
        Err(error) => return Err(error),
    }
    Ok(Reply::json(Value::Object(all)))
}

/// A snapshot as Elasticsearch shows one; what only this store knows stands in its `metadata`.
fn shown(repository: &str, version: &str, summary: &Summary, verbose: bool) -> Value {
    let manifest = &summary.manifest;
    let indices: Vec<&str> = manifest.indices.iter().map(|i| i.name.as_str()).collect();
    let name = summary.called();
    let uuid = summary.name.to_string();
    let state = state(summary);
    if !verbose {
        return json!({
            "snapshot": name, "uuid": uuid, "repository": repository, "indices": indices,
            "data_streams": [], "state": state,
        });
    }
    let time = |ms: u64| stamp(i64::try_from(ms).unwrap_or(i64::MAX));
    let shards = indices.len();
    let mut shown = json!({
        "snapshot": name,
        "uuid": uuid,
        "repository": repository,
        "version": version,
        "indices": indices,
        "data_streams": [],
        "include_global_state": true,
        "metadata": {
            "name": uuid,
            "documents": manifest.documents,
            "bytes": manifest.bytes,
            "files": summary.files,
            "incarnation": manifest.incarnation,
            "reason": word(manifest.reason),
            "taken": time(manifest.taken_ms),
        },
        "state": state,
        "start_time": time(manifest.started_ms),
        "start_time_in_millis": manifest.started_ms,
        "end_time": time(manifest.ended_ms),
        "end_time_in_millis": manifest.ended_ms,
        "duration_in_millis": manifest.ended_ms.saturating_sub(manifest.started_ms),
        "failures": [],
        "shards": {"total": shards, "failed": 0, "successful": shards},
        "feature_states": [],
    });
    if let Some(why) = &summary.damaged {
        shown["reason"] = json!(why);
    }
    shown
}

fn state(summary: &Summary) -> &'static str {
    match summary.damaged {
        None => "SUCCESS",
        Some(_) => "FAILED",
    }
}

fn is_named(summary: &Summary, patterns: &str) -> bool {
    let own = summary.name.to_string();
    selects(patterns, &[&own, &summary.called()])
}

/// What patterns name; each of them that is no pattern has to be there.
async fn selected(
    app: &App,
    opened: &Opened,
    patterns: &str,
    ignore_missing: bool,
) -> EsResult<Vec<Arc<Summary>>> {
    let all = app.place.snapshots.summaries(opened).await;
    let mut all = all.map_err(|error| unreachable(&error))?;
    let single = |pattern: &&str| !pattern.contains('*') && *pattern != "_all";
    for pattern in patterns.split(',').filter(single) {
        if !ignore_missing && !all.iter().any(|summary| is_named(summary, pattern)) {
            return Err(missing_snapshot(&opened.order.repository, pattern));
        }
    }
    all.retain(|summary| is_named(summary, patterns));
    Ok(all)
}

async fn list(app: &Arc<App>, call: &Call, repository: &str, names: &str) -> EsResult<Reply> {
    call.only(&[
        "verbose",
        "ignore_unavailable",
        "master_timeout",
        "size",
        "offset",
        "order",
        "sort",
        "include_repository",
        "index_names",
    ])?;
    let opened = opened(app, repository)?;
    let ignore = call.flag("ignore_unavailable")?;
    let verbose = call.flag_or("verbose", true)?;
    if call.param("sort").is_some_and(|sort| sort != "start_time") {
        return Err(EsError::illegal_argument(
            "[sort] of snapshots is by [start_time] alone",
        ));
    }
    let names = if names == "_current" { "" } else { names };
    let mut all = match names {
        "" => Vec::new(),
        names => selected(app, &opened, names, ignore).await?,
    };
    match call.param("order") {
        None | Some("asc") => {}
        Some("desc") => all.reverse(),
        Some(other) => {
            return Err(EsError::illegal_argument(format!(
                "[order] is [{other}] and must be [asc] or [desc]"
            )));
        }
    }
    let total = all.len();
    let size = call
        .number::<usize>("size")?
        .unwrap_or(MAX_SIZE)
        .min(MAX_SIZE);
    let offset = call.number::<usize>("offset")?.unwrap_or(0);
    let name = &opened.order.repository;
    let page = all.iter().skip(offset).take(size);
    let page: Vec<Value> = page
        .map(|summary| shown(name, &app.config.version, summary, verbose))
        .collect();
    let remaining = total.saturating_sub(offset.saturating_add(page.len()));
    Ok(Reply::json(
        json!({"snapshots": page, "total": total, "remaining": remaining}),
    ))
}

fn invalid_name(repository: &str, name: &str, why: &str) -> EsError {
    EsError::new(
        400,
        "invalid_snapshot_name_exception",
        format!("[{repository}:{name}] Invalid snapshot name [{name}], {why}"),
    )
}

/// Refuses a name that Elasticsearch refuses.
fn check_name(repository: &str, name: &str) -> EsResult<()> {
    let why = if name.is_empty() || name.starts_with('_') {
        "must not be empty or start with '_'"
    } else if name.len() > MAX_NAME {
        "is too long"
    } else if name.chars().any(char::is_uppercase) {
        "must be lowercase"
    } else if name
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || "#,*?\"<>|\\/".contains(c))
    {
        "must not contain whitespace or any of #,*?\"<>|\\/"
    } else {
        return Ok(());
    };
    Err(invalid_name(repository, name, why))
}

/// Refuses what would make it hold less than everything.
fn check_body(call: &Call) -> EsResult<()> {
    let bytes = call.body()?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(bytes).map_err(|error| EsError::malformed(&error))?;
    let fields = body
        .as_object()
        .ok_or_else(|| EsError::parse("the body of a snapshot is not an object"))?;
    for (field, value) in fields {
        let whole = match field.as_str() {
            "indices" => [
                json!("*"),
                json!("_all"),
                json!(["*"]),
                json!(["_all"]),
                json!([]),
            ]
            .contains(value),
            "include_global_state" => *value == json!(true),
            "ignore_unavailable" | "partial" | "expand_wildcards" => true,
            _ => false,
        };
        if !whole {
            return Err(EsError::illegal_argument(format!(
                "[{field}] is not supported: a snapshot holds the whole store; leave it out"
            )));
        }
    }
    Ok(())
}

async fn create(app: &Arc<App>, call: &Call, repository: &str, name: &str) -> EsResult<Reply> {
    call.only(&["wait_for_completion", "master_timeout"])?;
    let wait = call.flag("wait_for_completion")?;
    let opened = opened(app, repository)?;
    let repository = opened.order.repository.clone();
    check_name(&repository, name)?;
    check_body(call)?;
    let taken = |how: &str| {
        let why = format!("snapshot with the same name {how}");
        invalid_name(&repository, name, &why)
    };
    // Before it is looked for: who asks at the same time finds it here or there.
    let reserved = app.place.snapshots.reserve(name);
    let reserved = reserved.ok_or_else(|| taken("is already in-progress"))?;
    if !selected(app, &opened, name, true).await?.is_empty() {
        return Err(taken("already exists"));
    }
    let (answer, taken) = oneshot::channel();
    let asked = app.place.snapshots.ask(Ask {
        name: reserved,
        answer,
    });
    if !asked {
        return Err(EsError::new(
            503,
            "concurrent_snapshot_execution_exception",
            format!("[{repository}:{name}] too many snapshots are waited for; try again later"),
        ));
    }
    if !wait {
        return Ok(Reply::json(json!({"accepted": true})));
    }
    match taken.await {
        Ok(Ok(summary)) => {
            let shown = shown(&repository, &app.config.version, &summary, true);
            Ok(Reply::json(json!({"snapshot": shown})))
        }
        Ok(Err(why)) => Err(failed(&repository, name, &why)),
        Err(_) => Err(failed(&repository, name, "the instance stops")),
    }
}

async fn delete(app: &Arc<App>, repository: &str, names: &str) -> EsResult<Reply> {
    let opened = opened(app, repository)?;
    let repository = &opened.order.repository;
    for summary in selected(app, &opened, names, false).await? {
        let deleted = app
            .place
            .snapshots
            .delete(&opened, summary.name, || app.place.check_outside());
        deleted.await.map_err(|error| match error {
            SnapshotError::Repository(error) => unreachable(&error),
            error @ SnapshotError::Busy => EsError::new(
                503,
                "concurrent_snapshot_execution_exception",
                format!("[{repository}:{}] {error}", summary.called()),
            ),
            error => failed(repository, &summary.called(), &error.to_string()),
        })?;
    }
    Ok(Reply::acknowledged())
}

fn stats(files: u64, bytes: u64, started_ms: u64, took_ms: u64) -> Value {
    json!({
        "incremental": {"file_count": files, "size_in_bytes": bytes},
        "total": {"file_count": files, "size_in_bytes": bytes},
        "start_time_in_millis": started_ms,
        "time_in_millis": took_ms,
    })
}

fn shard_stats(state: &str, indices: usize) -> Value {
    let done = if state == "SUCCESS" { indices } else { 0 };
    json!({
        "initializing": 0, "started": indices - done, "finalizing": 0, "done": done,
        "failed": 0, "total": indices,
    })
}

fn under_way(app: &App, repository: &str, running: &Running) -> Value {
    let now_ms = u64::try_from(app.catalog.now_ms()).unwrap_or_default();
    let took_ms = now_ms.saturating_sub(running.started_ms);
    let mut stats = stats(running.files, running.bytes, running.started_ms, took_ms);
    stats["processed"] =
        json!({"file_count": running.files_done, "size_in_bytes": running.bytes_done});
    json!({
        "snapshot": running.name, "repository": repository, "uuid": running.name,
        "state": "STARTED", "include_global_state": true,
        "shards_stats": shard_stats("STARTED", app.catalog.indices().len()),
        "stats": stats, "indices": {},
    })
}

/// What is under way, or how the named ones ended.
async fn status(app: &Arc<App>, repository: &str, names: Option<&str>) -> EsResult<Reply> {
    let opened = match opened(app, repository) {
        Ok(opened) => opened,
        Err(_) if repository == "_all" => return Ok(Reply::json(json!({"snapshots": []}))),
        Err(error) => return Err(error),
    };
    let name = &opened.order.repository;
    let running = app.place.snapshots.running();
    let Some(names) = names else {
        let all: Vec<Value> = running
            .iter()
            .map(|running| under_way(app, name, running))
            .collect();
        return Ok(Reply::json(json!({"snapshots": all})));
    };
    let mut all = Vec::new();
    let running = running.filter(|running| selects(names, &[&running.name]));
    all.extend(running.iter().map(|running| under_way(app, name, running)));
    for summary in selected(app, &opened, names, running.is_some()).await? {
        let manifest = &summary.manifest;
        let took_ms = manifest.ended_ms.saturating_sub(manifest.started_ms);
        let files = summary.files as u64;
        all.push(json!({
            "snapshot": summary.called(), "repository": name, "uuid": summary.name.to_string(),
            "state": state(&summary), "include_global_state": true,
            "shards_stats": shard_stats("SUCCESS", manifest.indices.len()),
            "stats": stats(files, manifest.bytes, manifest.started_ms, took_ms),
            "indices": {},
        }));
    }
    Ok(Reply::json(json!({"snapshots": all})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_as_elasticsearch_refuses_it() {
        for name in [
            "nightly-2026.01.01",
            "before.upgrade",
            "0000000001-1700000000000",
        ] {
            assert_eq!(check_name("r", name), Ok(()), "{name}");
        }
        let long = "x".repeat(256);
        for name in ["", "_all", "Upper", "a b", "a,b", "a*", "a#", "a/b", &long] {
            let error = check_name("r", name).unwrap_err();
            assert_eq!(error.kind(), "invalid_snapshot_name_exception", "{name}");
        }
    }

    #[test]
    fn patterns_select_either_name() {
        assert!(selects("_all", &["a"]));
        assert!(selects(
            "x,night*",
            &["0000000001-1700000000000", "nightly"]
        ));
        assert!(!selects("x,y*", &["0000000001-1700000000000", "nightly"]));
    }
}
