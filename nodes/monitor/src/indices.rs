//! The hidden indices that the objects of a monitoring instance live in.
//!
//! Invariants: they are made with their mappings when they are missing and otherwise left alone;
//! watches and alerts keep their insides unindexed, so that no document fills a mapping.
//! Not here: what documents hold.

use http::Method;
use serde_json::{Value, json};

use crate::storage::{Storage, StorageError};

/// Watches of users.
pub(crate) const WATCHES: &str = ".wharf-watches";
/// Alerts.
pub(crate) const ALERTS: &str = ".wharf-alerts";
/// Runs.
pub(crate) const HISTORY: &str = ".wharf-watch-history";
/// Dashboards.
pub(crate) const DASHBOARDS: &str = ".wharf-dashboards";
/// Former versions of dashboards, and those of deleted ones.
pub(crate) const DASHBOARD_VERSIONS: &str = ".wharf-dashboard-versions";
/// Saved views.
pub(crate) const VIEWS: &str = ".wharf-views";

fn mappings(index: &str) -> Value {
    let keyword = json!({"type": "keyword", "ignore_above": 1024});
    let quiet = json!({"type": "keyword", "index": false, "doc_values": false});
    match index {
        // Users write these by hand: any field is kept, none is indexed.
        WATCHES => json!({"dynamic": false, "properties": {}}),
        ALERTS => json!({"dynamic": false, "properties": {
            "@timestamp": {"type": "date"}, "watch": keyword, "state": keyword,
            "summary": keyword, "alert": quiet,
        }}),
        HISTORY => json!({"dynamic": false, "properties": {
            "@timestamp": {"type": "date"}, "scheduled_at": {"type": "date"},
            "watch": keyword, "cause": keyword, "outcome": keyword,
            "duration_ms": {"type": "long"}, "hits": {"type": "long"},
            "groups": {"type": "long"}, "firing": {"type": "long"},
            "deliveries": {"type": "long"},
            "error": {"properties": {"code": keyword, "message": keyword}},
            "run": quiet,
        }}),
        DASHBOARD_VERSIONS => json!({"dynamic": false, "properties": {
            "name": keyword, "changed_at": {"type": "date"}, "kept_at": {"type": "date"}, "document": quiet,
        }}),
        _ => json!({"dynamic": false, "properties": {
            "title": keyword, "page": keyword, "changed_at": {"type": "date"}, "document": quiet,
        }}),
    }
}

/// Makes the indices that are missing.
pub(crate) async fn ensure(storage: &Storage) -> Result<(), StorageError> {
    let all = [
        WATCHES,
        ALERTS,
        HISTORY,
        DASHBOARDS,
        DASHBOARD_VERSIONS,
        VIEWS,
    ];
    for index in all {
        match storage.call(Method::HEAD, &format!("/{index}"), None).await {
            Ok(_) => continue,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        let body = json!({
            "settings": {"index": {"hidden": true, "number_of_replicas": 0}},
            "mappings": mappings(index),
        });
        match storage
            .call(Method::PUT, &format!("/{index}"), Some(&body))
            .await
        {
            Ok(_) => tracing::info!(index, "made the index"),
            // Another one was quicker.
            Err(StorageError::Refused { kind, .. }) if kind.contains("already_exists") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
