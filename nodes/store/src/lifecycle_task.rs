//! The task that ends what is over: rollover by age and size, retention, the disk guard, idle scrolls.
//!
//! Invariants: at most one backing index a stream and round is rolled over; the write index is never deleted; when the disk is nearly full
//! writes stop before anything is deleted for room, nothing is while a snapshot keeps deleted files, and what goes first is the oldest. Not here: deciding (core `lifecycle`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wharf_runtime::task::Shutdown;
use wharf_store_core::lifecycle::{DiskGuard, IndexFacts, Policy, Retention, RolloverConditions};

use crate::catalog::index::Index;
use crate::http::App;
use wharf_store_core::template::IndexBody;

/// Between two looks at the disk.
const GUARD_EVERY: Duration = Duration::from_secs(5);
/// Rounds of the guard between two rounds of rollover and retention.
const ROUNDS: u32 = 12;

/// Runs until shutdown.
pub(crate) async fn run(app: Arc<App>, shutdown: Shutdown) {
    let mut round = 0u32;
    loop {
        let app = Arc::clone(&app);
        let full = round.is_multiple_of(ROUNDS);
        let work = wharf_runtime::task::spawn_blocking("store lifecycle", move || {
            let Some(_round) = app.place.gate.maintain() else {
                return;
            };
            // What ends by itself is a change like any other.
            if app.place.lease.check().is_err() {
                return;
            }
            guard(&app);
            if full {
                lifecycle(&app);
            }
        });
        if let Err(error) = work.await {
            tracing::error!(%error, "lifecycle round failed");
        }
        round = round.wrapping_add(1);
        if shutdown
            .run_until(tokio::time::sleep(GUARD_EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Every index with whether something is written to it. Plain indices always are.
fn all_facts(app: &App) -> Vec<IndexFacts> {
    let newest: Vec<String> = {
        let state = app.catalog.read();
        state
            .definitions
            .data_streams
            .values()
            .filter_map(|s| s.indices.last().cloned())
            .collect()
    };
    app.catalog
        .indices()
        .iter()
        .map(|i| i.facts_now(i.data_stream.is_none() || newest.contains(&i.name)))
        .collect()
}

/// The disk as the instance sees it.
pub(crate) struct Room {
    /// Size of its file system.
    pub(crate) total_bytes: u64,
    /// What it can still use: of the file system, and of its own share.
    pub(crate) free_bytes: u64,
}

/// How much room there is.
pub(crate) fn room(app: &App) -> std::io::Result<Room> {
    let space = wharf_runtime::disk::space(&app.config.data_dir)?;
    let mut free_bytes = space.available_bytes;
    if app.config.disk_bytes > 0 {
        let used: u64 = app
            .catalog
            .indices()
            .iter()
            .map(|i| i.shard.stats().disk_bytes)
            .sum();
        let used = used + app.catalog.journal.bytes() + app.place.snapshots.kept_bytes()?;
        free_bytes = free_bytes.min(app.config.disk_bytes.saturating_sub(used));
    }
    Ok(Room {
        total_bytes: space.total_bytes,
        free_bytes,
    })
}

/// Looks at the free space: stops or allows writes, deletes the oldest backing indices when there is no room.
pub(crate) fn guard(app: &App) {
    app.contexts.expire(app.catalog.now_ms());
    let room = match room(app) {
        Ok(room) => room,
        Err(error) => {
            tracing::warn!(%error, "cannot read the free space of the data directory");
            return;
        }
    };
    let stop = app.config.flood_bytes(room.total_bytes);
    let guard = DiskGuard {
        stop_bytes: stop,
        resume_bytes: stop.saturating_add(stop / 2),
    };
    let free = room.free_bytes;
    let was = app.catalog.flooded.load(Ordering::Relaxed);
    let now = guard.stopped(was, free);
    if now != was {
        app.catalog.flooded.store(now, Ordering::Relaxed);
        tracing::warn!(free, stop, stopped = now, "disk guard changed");
    }
    if now {
        // What a snapshot keeps of deleted files would come back by no deletion: that room first.
        if app.place.snapshots.gives_way() {
            return;
        }
        let facts = all_facts(app);
        let total: u64 = facts.iter().map(|f| f.bytes).sum();
        let wanted = guard.resume_bytes.saturating_sub(free);
        let retention = Retention {
            max_age_ms: None,
            max_bytes: Some(total.saturating_sub(wanted)),
        };
        delete(
            app,
            &retention.doomed(&facts, app.catalog.now_ms()),
            "no room on the disk",
        );
    }
}

fn delete(app: &App, names: &[String], why: &str) {
    for name in names {
        match app.catalog.delete_index(name) {
            Ok(()) => tracing::info!(index = %name, why, "deleted by retention"),
            Err(error) => tracing::error!(index = %name, %error, "retention cannot delete"),
        }
    }
}

/// The policy that an index names.
fn policy_of(app: &App, index: &Index) -> Option<Policy> {
    let name = index
        .facts
        .load()
        .settings
        .get("index.lifecycle.name")?
        .as_str()?
        .to_owned();
    let stored = app
        .catalog
        .read()
        .definitions
        .policies
        .get(&name)?
        .policy
        .clone();
    Policy::parse(&serde_json::json!({"policy": stored})).ok()
}

fn millis(duration: Duration) -> Option<i64> {
    (!duration.is_zero()).then(|| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// What ends the indices of a data stream.
pub(crate) struct Rule {
    /// When the one that is written to is rolled over.
    pub(crate) rollover: RolloverConditions,
    /// When the others are deleted; absent: never for their age.
    pub(crate) delete_after_ms: Option<i64>,
    /// Whether a policy says when they are deleted, and not the instance.
    pub(crate) by_policy: bool,
}

/// The rule of a data stream: the policy of its newest index, and the instance's own where that says nothing.
pub(crate) fn rule_of(app: &App, stream: &str, newest: &Index) -> Rule {
    let own = RolloverConditions {
        max_age_ms: millis(app.config.rollover_age),
        max_bytes: Some(app.config.rollover_bytes),
        ..RolloverConditions::default()
    };
    let policy = policy_of(app, newest);
    let rollover = policy.as_ref().and_then(|policy| policy.rollover);
    let by_policy = policy.and_then(|policy| policy.delete_after_ms);
    Rule {
        rollover: rollover.map_or(own, |of_policy| of_policy.or(&own)),
        delete_after_ms: by_policy.or_else(|| {
            millis(if stream.starts_with("metrics-") {
                app.config.retention_metrics
            } else {
                app.config.retention_logs
            })
        }),
        by_policy: by_policy.is_some(),
    }
}

/// One round of rollover and retention.
pub(crate) fn lifecycle(app: &App) {
    let now = app.catalog.now_ms();
    let streams: Vec<String> = app
        .catalog
        .read()
        .definitions
        .data_streams
        .keys()
        .cloned()
        .collect();
    for stream in &streams {
        let indices = app.catalog.read().stream_indices(stream);
        let Some(newest) = indices.last() else {
            continue;
        };
        let rule = rule_of(app, stream, newest);
        let conditions = rule.rollover;
        if !conditions.is_empty() && conditions.judge(&newest.facts_now(true), now).1 {
            match app.catalog.rollover_stream(stream) {
                Ok((old, new)) => tracing::info!(stream = %stream, %old, %new, "rolled over"),
                Err(error) => tracing::error!(stream = %stream, %error, "cannot roll over"),
            }
        }
        let indices = app.catalog.read().stream_indices(stream);
        let last = indices.last().map(|i| i.name.clone());
        let facts: Vec<IndexFacts> = indices
            .iter()
            .map(|i| i.facts_now(Some(&i.name) == last.as_ref()))
            .collect();
        let retention = Retention {
            max_age_ms: rule.delete_after_ms,
            max_bytes: None,
        };
        delete(app, &retention.doomed(&facts, now), "older than retention");
    }
    plain_indices(app, now);
}

/// Indices outside data streams follow their policy alone: rollover of their alias, deletion after it.
fn plain_indices(app: &App, now: i64) {
    for index in app
        .catalog
        .indices()
        .iter()
        .filter(|i| i.data_stream.is_none())
    {
        let Some(policy) = policy_of(app, index) else {
            continue;
        };
        let rolled = index.facts.load().rolled_over_ms.is_some();
        if let (Some(conditions), false, Some(alias)) = (
            policy.rollover,
            rolled,
            index.setting("index.lifecycle.rollover_alias"),
        ) && conditions.judge(&index.facts_now(true), now).1
        {
            match app
                .catalog
                .rollover_alias(&alias, None, IndexBody::default())
            {
                Ok((old, new)) => tracing::info!(%alias, %old, %new, "rolled over"),
                Err(error) => tracing::error!(%alias, %error, "cannot roll over"),
            }
        }
        if let Some(age) = policy.delete_after_ms {
            let is_write = policy.rollover.is_some() && !rolled;
            let retention = Retention {
                max_age_ms: Some(age),
                max_bytes: None,
            };
            delete(
                app,
                &retention.doomed(&[index.facts_now(is_write)], now),
                "its policy says so",
            );
        }
    }
}
