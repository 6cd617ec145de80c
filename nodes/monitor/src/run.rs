//! One run of a watch: search, judge, keep, say.
//!
//! Invariants: the changed alerts and the record of the run get on disk in one piece, before anything
//! is sent; when they cannot, the run did not happen: its alerts are as before. Its record's id is
//! made of watch and start, so that a delivery finds it again after a restart.
//! Not here: when it runs, sending (`dispatch`).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wharf_monitor_core::alerts::{Run, WatchAlerts};
use wharf_monitor_core::catalog::Entry;
use wharf_monitor_core::history::{self, Facts};
use wharf_monitor_core::watch::Watch;
use wharf_proto::monitor::v1;
use wharf_proto::times::{millis, rfc3339};

use crate::codes;
use crate::dispatch::{self, NO_CHANNEL};
use crate::indices;
use crate::ledger::Doc;
use crate::monitor::{Monitor, OpenRun};
use crate::slot::Slot;
use crate::storage::StorageError;

/// Names of the indices of a search, for its path.
fn joined(watch: &Watch) -> String {
    watch.input.indices.join(",")
}

/// The id of the record of the run of a watch that began at a time.
pub(crate) fn record_id(watch: &str, started_ms: u64) -> String {
    format!("{watch}-{started_ms:x}")
}

/// The code of a search that got no answer.
pub(crate) fn code(error: &StorageError) -> &'static str {
    match error {
        StorageError::Timeout(_) => codes::SLOW,
        error if error.may_pass() => codes::STORAGE,
        _ => codes::REFUSED,
    }
}

/// The document of a record.
pub(crate) fn record_doc(record: &v1::WatchRun) -> Doc {
    let document = history::to_document(record).unwrap_or_default();
    let mut document = match document {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    let scheduled_ms = record.scheduled_at.as_ref().map_or(0, millis);
    document.insert("scheduled_at".to_owned(), rfc3339(scheduled_ms).into());
    Doc::put(indices::HISTORY, &record.id, Value::Object(document))
}

/// Searches for the run of `at_ms`: the body and the answer.
pub(crate) async fn search(
    monitor: &Monitor,
    watch: &Watch,
    at_ms: u64,
) -> (Value, Result<Value, StorageError>) {
    let query = watch.input.body.filled(watch.input.span(at_ms));
    let timeout = Duration::from_millis(watch.timeout_ms);
    let answer = monitor
        .storage
        .search(&joined(watch), &query, timeout)
        .await;
    (query, answer)
}

/// Runs a watch; its record, `None` when it could not be kept or the watch was deleted meanwhile.
pub(crate) async fn run(
    monitor: &Arc<Monitor>,
    slot: &Arc<Slot>,
    entry: &Entry,
    watch: &Watch,
    cause: v1::RunCause,
    at_ms: u64,
) -> Option<v1::WatchRun> {
    let last_ms = slot.facts().last_started_ms;
    // Two runs never share a record, whatever the clock does.
    let started_ms = monitor.now_ms().max(last_ms + 1);
    let begin = std::time::Instant::now();
    let (query, answer) = search(monitor, watch, at_ms).await;
    monitor.counts.run_seconds.observe(begin.elapsed());
    let id = record_id(&watch.name, started_ms);
    let version = entry.version.map(|v| v.to_string()).unwrap_or_default();
    let facts = Facts {
        id: &id,
        watch,
        version: &version,
        cause,
        scheduled_ms: at_ms,
        started_ms,
        duration_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        query: &query,
    };
    let mut alerts = slot.alerts.lock().await;
    // Deleted meanwhile, and its alerts with it: they must not come back.
    slot.entry()?;
    let before = alerts.clone();
    let (mut record, run) = match &answer {
        Ok(answer) => {
            let run = alerts.observe(watch, answer, at_ms, started_ms);
            (history::of_run(&facts, &run), run)
        }
        Err(error) => (
            history::of_failure(&facts, code(error), &error.to_string()),
            Run::in_error(wharf_monitor_core::evaluate::EvaluationError::NoIndex),
        ),
    };
    expand(&mut record, &monitor.post.names());
    let mut docs = changed_docs(&alerts, &run);
    docs.push(record_doc(&record));
    if let Err(error) = monitor.ledger.write(docs).await {
        *alerts = before;
        tracing::error!(watch = watch.name, %error, "a run cannot be kept and is done again");
        slot.change_facts(|facts| facts.last_error = format!("the run cannot be kept: {error}"));
        return None;
    }
    let is_scheduled = matches!(cause, v1::RunCause::Schedule | v1::RunCause::CatchUp);
    let is_new = slot.facts().last_error != record.error;
    slot.note(&record, is_scheduled.then_some(at_ms));
    count(monitor, watch, &record, is_new);
    send(monitor, slot, &run, &record);
    Some(record)
}

fn changed_docs(alerts: &WatchAlerts, run: &Run) -> Vec<Doc> {
    let put = |id: &String| {
        let kept = alerts.kept(id)?;
        Some(Doc::put(indices::ALERTS, id, kept.to_document()))
    };
    let changed = run.changed.iter().filter_map(put);
    let forgotten = run.forgotten.iter();
    let forgotten = forgotten.map(|id| Doc::delete(indices::ALERTS, id));
    changed.chain(forgotten).collect()
}

/// Counts a run; an error that is the same as before is not said again.
fn count(monitor: &Monitor, watch: &Watch, record: &v1::WatchRun, is_new: bool) {
    monitor.counts.runs.inc();
    if record.outcome() == v1::RunOutcome::Error {
        monitor.counts.errors.inc();
        if is_new {
            tracing::warn!(
                watch = watch.name,
                code = record.error_code,
                error = record.error,
                "a run is in error"
            );
        }
    }
}

/// One delivery for each channel that a message goes to.
fn expand(record: &mut v1::WatchRun, channels: &[String]) {
    let mut all = Vec::new();
    for delivery in std::mem::take(&mut record.deliveries) {
        let waits = delivery.state() == v1::DeliveryState::Waiting;
        if !waits || !delivery.channel.is_empty() {
            all.push(delivery);
        } else if channels.is_empty() {
            all.push(v1::Delivery {
                state: v1::DeliveryState::Failed.into(),
                reason: NO_CHANNEL.to_owned(),
                ..delivery
            });
        } else {
            let of = |channel: &String| v1::Delivery {
                channel: channel.clone(),
                ..delivery.clone()
            };
            all.extend(channels.iter().map(of));
        }
    }
    all.truncate(history::MAX_DELIVERIES);
    record.deliveries = all;
}

fn send(monitor: &Arc<Monitor>, slot: &Arc<Slot>, run: &Run, record: &v1::WatchRun) {
    let notices = run.events.iter().filter(|event| event.notice.is_some());
    let count = notices.clone().count();
    if count == 0 {
        return;
    }
    let open = OpenRun {
        run: record.clone(),
        notices: count,
    };
    monitor.open_runs().insert(record.id.clone(), open);
    for event in notices {
        if let Some((key, notice)) = &event.notice {
            let parcel = dispatch::Parcel {
                alert_id: event.alert_id.clone(),
                key: key.clone(),
                transition: notice.transition,
                record_id: record.id.clone(),
                messages: event.messages.clone(),
            };
            dispatch::dispatch(monitor, slot, parcel);
        }
    }
}

/// The record of a document that is no watch; it has a line in the history like a run.
pub(crate) fn broken_record(entry: &Entry, now_ms: u64) -> Option<v1::WatchRun> {
    let error = entry.broken.as_ref()?;
    let at = Some(wharf_proto::times::timestamp(now_ms));
    Some(v1::WatchRun {
        id: record_id(&entry.name, now_ms),
        watch: entry.name.clone(),
        watch_version: entry.version.map(|v| v.to_string()).unwrap_or_default(),
        cause: v1::RunCause::Unspecified.into(),
        scheduled_at: at,
        started_at: at,
        outcome: v1::RunOutcome::Error.into(),
        error_code: codes::BROKEN.to_owned(),
        error: error.to_string(),
        ..v1::WatchRun::default()
    })
}

/// The documents of all alerts of a watch, to be deleted with it.
pub(crate) fn forget_all(alerts: &WatchAlerts) -> Vec<Doc> {
    let ids = alerts.all().map(|kept| kept.alert.id);
    ids.map(|id| Doc::delete(indices::ALERTS, id)).collect()
}
