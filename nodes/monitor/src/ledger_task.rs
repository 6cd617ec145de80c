//! The task that writes what waits in the ledger to the storage.
//!
//! Invariants: oldest first; while the storage is away it tries again for ever, at least every ten
//! seconds; a document that the storage refuses for what it is, is dropped and said, so that it does
//! not hold the others back.

use std::sync::Arc;

use serde_json::{Value, json};
use wharf_runtime::backoff::Backoff;
use wharf_runtime::task::Shutdown;

use crate::codes;
use crate::indices;
use crate::ledger::Doc;
use crate::monitor::Monitor;
use crate::storage::{Seen, StorageError};

const BATCH: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// Runs until shutdown; then once more, so that little waits for the next start.
pub(crate) async fn run(monitor: Arc<Monitor>, shutdown: Shutdown) {
    let mut backoff = Backoff::new(100, 10_000);
    while !shutdown.is_triggered() {
        match monitor.ledger.bound().await {
            Ok(0) => {}
            Ok(lost) => tracing::error!(
                code = codes::LOST,
                lost,
                "the storage is away for too long: the oldest runs are not kept"
            ),
            Err(error) => tracing::error!(%error, "alerts cannot be kept on disk"),
        }
        if monitor.ledger.len() == 0 {
            shutdown.run_until(monitor.ledger.wake.notified()).await;
            continue;
        }
        match write_some(&monitor).await {
            Ok(()) => backoff.reset(),
            Err(error) => {
                if backoff.failures() == 0 {
                    tracing::warn!(%error, waiting = monitor.ledger.len(),
                        "runs and alerts wait on disk for the storage");
                }
                let wait = backoff.next(wharf_runtime::random::next_u64());
                shutdown.run_until(tokio::time::sleep(wait)).await;
            }
        }
    }
    if monitor.ledger.len() > 0
        && let Err(error) = write_some(&monitor).await
    {
        tracing::info!(%error, waiting = monitor.ledger.len(), "the rest is written at the next start");
    }
}

async fn write_some(monitor: &Monitor) -> Result<(), StorageError> {
    let batch = monitor.ledger.batch(BATCH, BATCH_BYTES);
    if batch.docs.is_empty() {
        return Ok(());
    }
    if !monitor.has_indices() {
        indices::ensure(&monitor.storage).await?;
        monitor.set_has_indices(true);
    }
    let answer = monitor.storage.bulk(lines(&batch.docs), Seen::Later).await;
    let answer = answer.inspect_err(|_| monitor.set_has_indices(false))?;
    let done = done(&answer, &batch.docs)?;
    monitor.ledger.settle(&batch, &done).await;
    if done.iter().any(|done| !done) {
        return Err(StorageError::Unreachable("it took only a part".to_owned()));
    }
    Ok(())
}

fn lines(docs: &[Doc]) -> String {
    let mut lines = String::new();
    for doc in docs {
        let action = if doc.source.is_some() {
            "index"
        } else {
            "delete"
        };
        lines.push_str(&json!({ action: { "_index": doc.index, "_id": doc.id } }).to_string());
        lines.push('\n');
        if let Some(source) = &doc.source {
            lines.push_str(&source.to_string());
            lines.push('\n');
        }
    }
    lines
}

/// Which of them need not be written again.
fn done(answer: &Value, docs: &[Doc]) -> Result<Vec<bool>, StorageError> {
    let items = answer.get("items").and_then(Value::as_array);
    let items = items.filter(|items| items.len() == docs.len());
    let items = items.ok_or_else(|| StorageError::Answer("not that of _bulk".to_owned()))?;
    let of = |(item, doc): (&Value, &Doc)| {
        let item = item.as_object().and_then(|item| item.values().next());
        let status = item
            .and_then(|item| item.get("status"))
            .and_then(Value::as_u64);
        match status {
            Some(200..=299) => true,
            Some(404) if doc.source.is_none() => true,
            Some(status @ 400..=499) if status != 429 => {
                let reason = item.and_then(|item| item.pointer("/error/reason")?.as_str());
                tracing::error!(
                    code = codes::REFUSED,
                    index = doc.index,
                    id = doc.id,
                    status,
                    reason = reason.unwrap_or_default(),
                    "the storage does not take a document"
                );
                true
            }
            _ => false,
        }
    };
    Ok(items.iter().zip(docs).map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_taken_or_never_will_be_is_done() {
        let docs = [
            Doc::put("a", "1", json!({})),
            Doc::delete("a", "2"),
            Doc::put("a", "3", json!({})),
            Doc::put("a", "4", json!({})),
        ];
        let answer = json!({"items": [
            {"index": {"status": 201}}, {"delete": {"status": 404}},
            {"index": {"status": 400, "error": {"reason": "no"}}}, {"index": {"status": 429}},
        ]});
        assert_eq!(done(&answer, &docs).unwrap(), [true, true, true, false]);
        assert!(
            done(&json!({"items": []}), &docs).is_err(),
            "an item for each"
        );
    }

    proptest! {
        #[test]
        fn any_status_is_an_answer(status in any::<u64>(), text in ".{0,9}") {
            let docs = [Doc::put("a", "1", json!({}))];
            for item in [json!({"index": {"status": status}}), json!({&text: text}), json!(text)] {
                let _ = done(&json!({"items": [item]}), &docs);
            }
        }
    }
}
