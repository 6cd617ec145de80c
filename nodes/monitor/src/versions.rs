//! Former versions of dashboards in the storage.
//!
//! Invariants: a version is kept before what replaces it is written, so nothing is lost when the node dies between; keeping
//! it twice is keeping it once. Not here: which of them stay (core `versions`), who asks (`api/dashboards`).

use http::Method;
use serde_json::{Value, json};
use wharf_monitor_core::version::Version;
use wharf_monitor_core::versions::{
    Kept, MAX_VERSIONS, deleted_by, id_of, is_over, surplus, to_keep,
};

use crate::indices::{DASHBOARD_VERSIONS, DASHBOARDS};
use crate::monitor::Monitor;
use crate::storage::{StorageError, escaped};

/// Names of dashboards that are looked at in one question.
const MAX_NAMES: usize = 1_000;
/// Versions of one dashboard that are looked at: those that stay, and what a node that died left.
const MAX_READ: usize = 1_000;

/// Keeps a version of a dashboard.
pub(crate) async fn keep(
    monitor: &Monitor,
    name: &str,
    version: Version,
    document: &Value,
) -> Result<(), StorageError> {
    let kept = to_keep(name, version, document, monitor.now_ms());
    write(monitor, name, version, &kept).await
}

/// Says who deleted a dashboard; this was its last version.
pub(crate) async fn note_deletion(
    monitor: &Monitor,
    name: &str,
    version: Version,
    document: &Value,
    who: &str,
) -> Result<(), StorageError> {
    let kept = to_keep(name, version, document, monitor.now_ms());
    write(monitor, name, version, &deleted_by(kept, who)).await
}

async fn write(
    monitor: &Monitor,
    name: &str,
    version: Version,
    kept: &Value,
) -> Result<(), StorageError> {
    let path = path_of(name, version);
    let written = monitor.storage.call(Method::PUT, &path, Some(kept)).await;
    written.map(drop)
}

fn path_of(name: &str, version: Version) -> String {
    let id = escaped(&id_of(name, version));
    format!("/{DASHBOARD_VERSIONS}/_doc/{id}")
}

/// One version, with its inside.
pub(crate) async fn get(
    monitor: &Monitor,
    name: &str,
    version: Version,
) -> Result<Option<Kept>, StorageError> {
    let path = path_of(name, version);
    match monitor.storage.call(Method::GET, &path, None).await {
        Ok(answer) => Ok(answer.get("_source").and_then(Kept::read)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn search(monitor: &Monitor, index: &str, body: &Value) -> Result<Value, StorageError> {
    let path = format!("/{index}/_search?ignore_unavailable=true&allow_no_indices=true");
    monitor.storage.call(Method::POST, &path, Some(body)).await
}

/// Every version of one dashboard that is kept, without insides.
pub(crate) async fn of(monitor: &Monitor, name: &str) -> Result<Vec<Kept>, StorageError> {
    let body = json!({
        "size": MAX_READ, "query": {"term": {"name": name}}, "_source": {"excludes": ["document"]},
    });
    let answer = search(monitor, DASHBOARD_VERSIONS, &body).await?;
    let hits = answer.pointer("/hits/hits").and_then(Value::as_array);
    let sources = hits.into_iter().flatten().map(|hit| &hit["_source"]);
    Ok(sources.filter_map(Kept::read).collect())
}

/// Deletes those versions of a dashboard that newer ones are enough for.
pub(crate) async fn thin(monitor: &Monitor, name: &str) -> Result<(), StorageError> {
    let surplus = surplus(&of(monitor, name).await?);
    if surplus.is_empty() {
        return Ok(());
    }
    let line = |version: Version| {
        let id = id_of(name, version);
        let line = json!({"delete": {"_index": DASHBOARD_VERSIONS, "_id": id}});
        format!("{line}\n")
    };
    let lines = surplus.into_iter().map(line).collect();
    monitor.storage.bulk(lines).await.map(drop)
}

/// The last version of a dashboard, and how many there are.
struct Last {
    kept: Kept,
    count: u64,
}

/// Of each dashboard the version that was kept last, without its inside: those kept longest ago, or the newest.
async fn last_of_each(monitor: &Monitor, order: &str) -> Result<Vec<Last>, StorageError> {
    let body = json!({
        "size": 0,
        "aggs": {"name": {
            "terms": {"field": "name", "size": MAX_NAMES, "order": {"kept": order}},
            "aggs": {
                "kept": {"max": {"field": "kept_at"}},
                "last": {"top_hits": {
                    "size": 1, "sort": [{"kept_at": "desc"}], "_source": {"excludes": ["document"]},
                }},
            },
        }},
    });
    let answer = search(monitor, DASHBOARD_VERSIONS, &body).await?;
    let buckets = answer.pointer("/aggregations/name/buckets");
    let buckets = buckets.and_then(Value::as_array).into_iter().flatten();
    Ok(buckets
        .filter_map(|bucket| {
            Some(Last {
                kept: Kept::read(bucket.pointer("/last/hits/hits/0/_source")?)?,
                count: bucket.get("doc_count").and_then(Value::as_u64)?,
            })
        })
        .collect())
}

/// Which of these dashboards have a document.
async fn present(monitor: &Monitor, names: &[&str]) -> Result<Vec<String>, StorageError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let body = json!({
        "size": names.len(), "query": {"ids": {"values": names}}, "_source": false,
    });
    let answer = search(monitor, DASHBOARDS, &body).await?;
    let hits = answer.pointer("/hits/hits").and_then(Value::as_array);
    let ids = hits.into_iter().flatten().map(|hit| &hit["_id"]);
    Ok(ids
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect())
}

/// Dashboards that have versions and no document, each as it was last, without insides; the latest ones first.
pub(crate) async fn deleted(monitor: &Monitor) -> Result<Vec<Kept>, StorageError> {
    let now_ms = monitor.now_ms();
    let mut last: Vec<Kept> = last_of_each(monitor, "desc")
        .await?
        .into_iter()
        .map(|last| last.kept)
        .filter(|kept| !is_over(kept.kept_ms, now_ms))
        .collect();
    let present = present(monitor, &names(&last)).await?;
    last.retain(|kept| !present.contains(&kept.dashboard.name));
    Ok(last)
}

fn names(kept: &[Kept]) -> Vec<&str> {
    kept.iter()
        .map(|kept| kept.dashboard.name.as_str())
        .collect()
}

/// Deletes what nobody needs any more: surplus versions, and those of dashboards that were deleted long ago.
pub(crate) async fn sweep(monitor: &Monitor, now_ms: u64) -> Result<(), StorageError> {
    let (mut over, mut many) = (Vec::new(), Vec::new());
    for Last { kept, count } in last_of_each(monitor, "asc").await? {
        if is_over(kept.kept_ms, now_ms) {
            over.push(kept);
        } else if count > MAX_VERSIONS as u64 {
            many.push(kept);
        }
    }
    let present = present(monitor, &names(&over)).await?;
    let is_present = |kept: &Kept| present.contains(&kept.dashboard.name);
    for kept in over.iter().filter(|kept| !is_present(kept)) {
        let name = &kept.dashboard.name;
        let body = json!({"query": {"term": {"name": name}}});
        let path = format!("/{DASHBOARD_VERSIONS}/_delete_by_query");
        monitor
            .storage
            .call_once(Method::POST, &path, Some(&body))
            .await?;
        tracing::info!(name, "the versions of a deleted dashboard are gone");
    }
    for kept in over.iter().filter(|kept| is_present(kept)).chain(&many) {
        thin(monitor, &kept.dashboard.name).await?;
    }
    Ok(())
}
