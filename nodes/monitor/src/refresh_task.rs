//! The task that takes in what anybody changed in the watches' index, and reads everything first.
//!
//! Invariants: a change is seen within [`EVERY`] and the time of a search; while the storage is away
//! what is known stays in force. Runs that are older than [`KEPT_MS`], and
//! versions of dashboards that nobody needs any more, are deleted once an hour.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wharf_proto::times::rfc3339;
use wharf_runtime::task::Shutdown;

use crate::indices;
use crate::load::{load, refresh};
use crate::monitor::Monitor;
use crate::versions;

const EVERY: Duration = Duration::from_secs(2);
/// How long a run is kept.
const KEPT_MS: u64 = 30 * 24 * 3_600_000;
const EXPIRE_EVERY_MS: u64 = 3_600_000;

/// Runs until shutdown.
pub(crate) async fn run(monitor: Arc<Monitor>, shutdown: Shutdown) {
    let mut expired_ms = 0;
    while !shutdown.is_triggered() {
        let read = if monitor.is_loaded() {
            refresh(&monitor).await
        } else {
            load(&monitor).await
        };
        let trouble = match read {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        let before = monitor.trouble();
        if before.is_empty() && !trouble.is_empty() {
            tracing::warn!(error = trouble, "the watches cannot be read");
        } else if !before.is_empty() && trouble.is_empty() {
            tracing::info!("the storage answers");
        }
        monitor.set_trouble(trouble.clone());
        let now_ms = monitor.now_ms();
        if trouble.is_empty() && now_ms.saturating_sub(expired_ms) >= EXPIRE_EVERY_MS {
            expired_ms = now_ms;
            expire(&monitor, now_ms).await;
            if let Err(error) = versions::sweep(&monitor, now_ms).await {
                tracing::warn!(%error, "old versions of dashboards cannot be deleted yet");
            }
        }
        let wait = async {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = monitor.refresh.notified() => {}
            }
        };
        shutdown.run_until(wait).await;
    }
}

async fn expire(monitor: &Monitor, now_ms: u64) {
    let before = rfc3339(now_ms.saturating_sub(KEPT_MS));
    let body = json!({ "query": { "range": { "@timestamp": { "lt": before } } } });
    let path = format!("/{}/_delete_by_query", indices::HISTORY);
    let done = monitor
        .storage
        .call_once(http::Method::POST, &path, Some(&body))
        .await;
    if let Err(error) = done {
        tracing::warn!(%error, "old runs cannot be deleted yet");
    }
}
