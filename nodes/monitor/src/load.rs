//! How watches and alerts come back after a start, and how changes of watches are taken in.
//!
//! Invariants: what waits in the ledger is newer than what the storage has; what was decided and not
//! settled is sent again, with the same words under the same key.
//! Not here: when it is looked (`refresh_task`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use wharf_monitor_core::catalog::{self, Stored};
use wharf_monitor_core::kept::Kept;
use wharf_monitor_core::version::Version;
use wharf_monitor_core::{document, history};
use wharf_proto::monitor::v1;
use wharf_proto::times::millis;

use crate::dispatch::{Parcel, dispatch};
use crate::indices;
use crate::ledger::Doc;
use crate::monitor::Monitor;
use crate::run::{broken_record, forget_all, record_doc, record_id};
use crate::storage::{Found, StorageError};

/// Most watches of a deployment.
pub(crate) const MAX_WATCHES: usize = 1_000;
/// Most alerts that are read back.
const MAX_ALERTS: usize = 10_000;
/// Documents of one `_mget`.
const AT_ONCE: usize = 100;

/// Reads everything once; watches run when this has worked.
pub(crate) async fn load(monitor: &Arc<Monitor>) -> Result<(), StorageError> {
    indices::ensure(&monitor.storage).await?;
    monitor.set_has_indices(true);
    // What waits is written meanwhile: looked at after the searches, it would be in neither.
    let waiting = [indices::ALERTS, indices::HISTORY].map(|index| monitor.ledger.of_index(index));
    see_all(monitor).await?;
    let now_ms = monitor.now_ms();
    let [alerts_waiting, runs_waiting] = waiting;
    let alerts = alerts(monitor, alerts_waiting).await?;
    let last_runs = last_runs(monitor, runs_waiting).await?;
    // Nothing was changed so far: a failure above is tried again from the start.
    for run in last_runs {
        let scheduled_ms = run.scheduled_at.as_ref().map(millis);
        monitor.slot_or_new(&run.watch).note(&run, scheduled_ms);
    }
    for kept in alerts {
        let slot = monitor.slot_or_new(&kept.watch);
        slot.alerts.lock().await.restore(kept);
    }
    match catalog::catalog([]) {
        Ok(entries) => {
            for (name, entry) in entries {
                monitor.slot_or_new(&name).set_entry(entry, now_ms);
            }
        }
        Err(error) => tracing::error!(%error, "the shipped watches cannot be read"),
    }
    refresh(monitor).await?;
    let without = monitor
        .slots()
        .into_iter()
        .filter(|slot| slot.entry().is_none());
    for slot in without.collect::<Vec<_>>() {
        remove(monitor, &slot.name).await;
    }
    for slot in monitor.slots() {
        let waiting = {
            let alerts = slot.alerts.lock().await;
            alerts.waiting()
        };
        for (key, notice, messages) in waiting {
            // The key begins with the alert's id, which has no colon.
            let alert_id = key.split(':').next().unwrap_or_default().to_owned();
            let parcel = Parcel {
                alert_id,
                transition: notice.transition,
                record_id: record_id(&slot.name, notice.at_ms),
                messages,
                key,
            };
            dispatch(monitor, &slot, parcel);
        }
    }
    monitor.set_loaded();
    Ok(())
}

/// What was written just before a crash is found by the searches below: in OpenSearch and Elasticsearch it would be
/// a second later, and a run that is not found is run again.
async fn see_all(monitor: &Monitor) -> Result<(), StorageError> {
    let path = format!(
        "/{},{},{}/_refresh?ignore_unavailable=true&allow_no_indices=true",
        indices::WATCHES,
        indices::ALERTS,
        indices::HISTORY
    );
    let seen = monitor.storage.call(http::Method::POST, &path, None).await;
    seen.map(drop)
}

async fn alerts(monitor: &Monitor, waiting: Vec<Doc>) -> Result<Vec<Kept>, StorageError> {
    let found = monitor
        .storage
        .list(indices::ALERTS, MAX_ALERTS, true)
        .await?;
    let mut documents: BTreeMap<String, Value> = BTreeMap::new();
    for one in found {
        let source = one
            .source
            .and_then(|raw| serde_json::from_str(raw.get()).ok());
        documents.insert(one.id, source.unwrap_or_default());
    }
    for doc in waiting {
        match doc.source {
            Some(source) => documents.insert(doc.id, source),
            None => documents.remove(&doc.id),
        };
    }
    let kept = documents.iter().filter_map(|(id, document)| {
        let kept = Kept::from_document(document).filter(|kept| kept.alert.id == *id);
        if kept.is_none() {
            tracing::warn!(
                id,
                "a document among the alerts is no alert; it is left alone"
            );
        }
        kept
    });
    Ok(kept.collect())
}

/// The last scheduled run of each watch.
async fn last_runs(
    monitor: &Monitor,
    waiting: Vec<Doc>,
) -> Result<Vec<v1::WatchRun>, StorageError> {
    let body = json!({
        "size": 0,
        "query": {"terms": {"cause": ["schedule", "catch_up"]}},
        "aggs": {"watch": {
            "terms": {"field": "watch", "size": MAX_WATCHES},
            "aggs": {"last": {"top_hits": {
                "size": 1, "sort": [{"scheduled_at": "desc"}], "_source": ["run"],
            }}},
        }},
    });
    let path = format!("/{}/_search", indices::HISTORY);
    let answer = monitor
        .storage
        .call(http::Method::POST, &path, Some(&body))
        .await?;
    let buckets = answer.pointer("/aggregations/watch/buckets");
    let buckets = buckets
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut last: BTreeMap<String, v1::WatchRun> = BTreeMap::new();
    let stored = buckets
        .iter()
        .filter_map(|bucket| bucket.pointer("/last/hits/hits/0/_source").cloned());
    let waiting = waiting.into_iter().filter_map(|doc| doc.source);
    for run in stored
        .chain(waiting)
        .filter_map(|document| history::from_document(&document))
    {
        let at = |run: &v1::WatchRun| run.scheduled_at.as_ref().map_or(0, millis);
        let is_scheduled = matches!(run.cause(), v1::RunCause::Schedule | v1::RunCause::CatchUp);
        if is_scheduled
            && last
                .get(&run.watch)
                .is_none_or(|known| at(known) < at(&run))
        {
            last.insert(run.watch.clone(), run);
        }
    }
    Ok(last.into_values().collect())
}

/// Takes in what changed of the watches' documents.
pub(crate) async fn refresh(monitor: &Arc<Monitor>) -> Result<(), StorageError> {
    // Changes through the API wait, so that what they did is not taken for gone.
    let _documents = monitor.documents.lock().await;
    let found = monitor
        .storage
        .list(indices::WATCHES, MAX_WATCHES, false)
        .await?;
    if found.len() >= MAX_WATCHES {
        tracing::warn!(
            most = MAX_WATCHES,
            "there are too many watches; some are not run"
        );
    }
    let now: BTreeMap<String, Version> = found
        .into_iter()
        .map(|one| {
            let version = version(&one);
            (one.id, version)
        })
        .collect();
    let (changed, gone) = {
        let known = monitor.versions();
        let changed = now
            .iter()
            .filter(|(id, version)| known.get(*id) != Some(version));
        let changed: Vec<String> = changed.map(|(id, _)| id.clone()).collect();
        let gone = known.keys().filter(|id| !now.contains_key(*id));
        (changed, gone.cloned().collect::<Vec<_>>())
    };
    for ids in changed.chunks(AT_ONCE) {
        for one in monitor.storage.documents(indices::WATCHES, ids).await? {
            let Some(raw) = &one.source else { continue };
            let stored = Stored {
                name: one.id.clone(),
                version: version(&one),
                source: serde_json::from_str(raw.get()).unwrap_or_default(),
            };
            take_in(monitor, stored).await;
        }
    }
    for id in gone {
        monitor.versions().remove(&id);
        remove(monitor, &id).await;
    }
    monitor.wake.notify_one();
    Ok(())
}

fn version(one: &Found) -> Version {
    Version {
        seq_no: one.seq_no,
        primary_term: one.primary_term,
    }
}

/// Takes in a document of a watch.
pub(crate) async fn take_in(monitor: &Monitor, stored: Stored) {
    {
        let mut versions = monitor.versions();
        let known = versions.get(&stored.name);
        if known == Some(&stored.version) {
            return;
        }
        versions.insert(stored.name.clone(), stored.version);
    }
    let now_ms = monitor.now_ms();
    let mut entry = match catalog::entry(&stored) {
        Ok(entry) => entry,
        Err(error) => {
            tracing::error!(name = stored.name, %error, "a shipped watch cannot be read");
            return;
        }
    };
    // The storage does not keep lines: they are those of the text that is shown and edited.
    if entry.broken.is_some()
        && let Err(error) = document::from_text_named(&entry.yaml, &stored.name)
    {
        entry.broken = Some(error);
    }
    if let Some(record) = broken_record(&entry, now_ms) {
        tracing::warn!(
            watch = entry.name,
            code = record.error_code,
            error = record.error,
            "a document is no watch"
        );
        if let Err(error) = monitor.ledger.write(vec![record_doc(&record)]).await {
            tracing::error!(%error, "the history cannot be kept");
        }
    }
    monitor.slot_or_new(&stored.name).set_entry(entry, now_ms);
    monitor.wake.notify_one();
}

/// A document is gone: a shipped watch is as it was shipped, another goes with its alerts.
pub(crate) async fn remove(monitor: &Monitor, name: &str) {
    let shipped = catalog::catalog([])
        .ok()
        .and_then(|mut all| all.remove(name));
    if let Some(entry) = shipped {
        let now_ms = monitor.now_ms();
        monitor.slot_or_new(name).set_entry(entry, now_ms);
        return;
    }
    let Some(slot) = monitor.slot(name) else {
        return;
    };
    monitor.remove_slot(name);
    let mut alerts = slot.alerts.lock().await;
    // A run that is under way finds it gone and keeps nothing.
    slot.clear_entry();
    let docs = forget_all(&alerts);
    *alerts = wharf_monitor_core::alerts::WatchAlerts::new(name);
    if let Err(error) = monitor.ledger.write(docs).await {
        tracing::error!(%error, "alerts of a deleted watch cannot be deleted");
    }
}
