//! Former versions of dashboards in the storage.
//!
//! Invariants: a version is kept before what replaces it is written, so nothing is lost when the node dies between; keeping
//! it twice is keeping it once; versions go only when a deletion was noted and the index of dashboards says that the
//! dashboard is not there. Not here: which of them stay (core `versions`), who asks (`api/dashboards`).

use http::Method;
use serde_json::{Value, json};
use wharf_monitor_core::version::Version;
use wharf_monitor_core::versions::{
    Kept, MAX_VERSIONS, Token, deleted_by, id_of, is_over, named, surplus, to_keep,
};
use wharf_proto::times::rfc3339;

use crate::indices::{DASHBOARD_VERSIONS, DASHBOARDS};
use crate::monitor::Monitor;
use crate::storage::{Seen, StorageError, escaped};

/// Names of dashboards that are looked at in one question.
const MAX_NAMES: usize = 1_000;
/// Versions of one dashboard that are looked at: those that stay, and what a node that died left.
const MAX_READ: usize = 1_000;
/// Dashboards whose versions are deleted in one go: whoever waits for it has other things to do.
const MAX_SWEPT: usize = 20;

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
    let path = format!("{}?refresh=true", path_of(&id_of(name, version, kept)));
    let written = monitor.storage.call(Method::PUT, &path, Some(kept)).await;
    written.map(drop)
}

fn path_of(id: &str) -> String {
    format!("/{DASHBOARD_VERSIONS}/_doc/{}", escaped(id))
}

/// One version, with its inside.
pub(crate) async fn get(
    monitor: &Monitor,
    name: &str,
    token: Token,
) -> Result<Option<Kept>, StorageError> {
    let Some(Kept { id, .. }) = named(of(monitor, name).await?, token) else {
        return Ok(None);
    };
    let path = path_of(&id);
    match monitor.storage.call(Method::GET, &path, None).await {
        Ok(answer) => Ok(read(&answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The version in a document as the storage gives it.
fn read(hit: &Value) -> Option<Kept> {
    Kept::read(hit.get("_id")?.as_str()?, hit.get("_source")?)
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
    Ok(hits.into_iter().flatten().filter_map(read).collect())
}

/// Deletes those versions of a dashboard that newer ones are enough for.
pub(crate) async fn thin(monitor: &Monitor, name: &str) -> Result<(), StorageError> {
    let surplus = surplus(&of(monitor, name).await?);
    if surplus.is_empty() {
        return Ok(());
    }
    let line = |id: String| {
        let line = json!({"delete": {"_index": DASHBOARD_VERSIONS, "_id": id}});
        format!("{line}\n")
    };
    let lines = surplus.into_iter().map(line).collect();
    monitor.storage.bulk(lines, Seen::AtOnce).await.map(drop)
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
                kept: read(bucket.pointer("/last/hits/hits/0")?)?,
                count: bucket.get("doc_count").and_then(Value::as_u64)?,
            })
        })
        .collect())
}

/// Which of these dashboards have a document. Where the index is missing that is an error, or none where that is allowed.
async fn present(
    monitor: &Monitor,
    names: &[&str],
    may_miss: bool,
) -> Result<Vec<String>, StorageError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let body = json!({
        "size": names.len(), "query": {"ids": {"values": names}}, "_source": false,
    });
    let answer = if may_miss {
        search(monitor, DASHBOARDS, &body).await?
    } else {
        let path = format!("/{DASHBOARDS}/_search?allow_partial_search_results=false");
        let asked = monitor.storage.call(Method::POST, &path, Some(&body));
        asked.await?
    };
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
        .filter(|kept| !is_over(kept, now_ms))
        .collect();
    let present = present(monitor, &names(&last), true).await?;
    last.retain(|kept| !present.contains(&kept.dashboard.name));
    Ok(last)
}

fn names(kept: &[Kept]) -> Vec<&str> {
    kept.iter()
        .map(|kept| kept.dashboard.name.as_str())
        .collect()
}

/// Deletes what nobody needs any more, of a few dashboards: surplus versions, and those of dashboards that were deleted
/// long ago.
pub(crate) async fn sweep(monitor: &Monitor, now_ms: u64) -> Result<(), StorageError> {
    let (mut over, mut many) = (Vec::new(), Vec::new());
    for Last { kept, count } in last_of_each(monitor, "asc").await? {
        let name = kept.dashboard.name.clone();
        if is_over(&kept, now_ms) {
            over.push(kept);
        }
        if count > MAX_VERSIONS as u64 {
            many.push(name);
        }
    }
    let present = present(monitor, &names(&over), false).await?;
    over.retain(|kept| !present.contains(&kept.dashboard.name));
    many.retain(|name| !over.iter().any(|kept| kept.dashboard.name == *name));
    over.truncate(MAX_SWEPT);
    many.truncate(MAX_SWEPT - over.len());
    for kept in over {
        let name = &kept.dashboard.name;
        match delete_up_to(monitor, &kept).await {
            Ok(()) => tracing::info!(name, "the versions of a deleted dashboard are gone"),
            Err(error) => {
                tracing::warn!(name, %error, "versions of a deleted dashboard cannot be deleted yet");
            }
        }
    }
    for name in many {
        if let Err(error) = thin(monitor, &name).await {
            tracing::warn!(name, %error, "old versions of a dashboard cannot be deleted yet");
        }
    }
    Ok(())
}

/// Deletes all versions of a dashboard but those that were kept after this one: it was put again meanwhile.
async fn delete_up_to(monitor: &Monitor, last: &Kept) -> Result<(), StorageError> {
    let body = json!({"query": {"bool": {"filter": [
        {"term": {"name": last.dashboard.name}},
        {"range": {"kept_at": {"lte": rfc3339(last.kept_ms)}}},
    ]}}});
    let path = format!("/{DASHBOARD_VERSIONS}/_delete_by_query?conflicts=proceed");
    let deleted = monitor
        .storage
        .call_once(Method::POST, &path, Some(&body))
        .await;
    deleted.map(drop)
}
