//! One watch with what is known of it: its document, its alerts, its last run.
//!
//! Invariants: one run at a time; alerts change only under their lock, which is held until the change
//! is on disk, so that what is on disk is never older than what was sent.
//! Not here: how it runs (`run`), when (`schedule_task`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_monitor_core::alerts::WatchAlerts;
use wharf_monitor_core::catalog::Entry;
use wharf_monitor_core::watch::{Trigger, Watch};
use wharf_proto::monitor::v1;
use wharf_proto::times::timestamp;

/// What is known of a watch's runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The time that the last scheduled run was the run of; the next follows it.
    pub(crate) last_scheduled_ms: Option<u64>,
    pub(crate) last_started_ms: u64,
    pub(crate) last_outcome: v1::RunOutcome,
    pub(crate) last_error: String,
    pub(crate) next_ms: Option<u64>,
}

/// One watch.
pub(crate) struct Slot {
    pub(crate) name: String,
    entry: Mutex<Option<Arc<Entry>>>,
    facts: Mutex<Facts>,
    pub(crate) alerts: tokio::sync::Mutex<WatchAlerts>,
    is_running: AtomicBool,
}

/// That a watch runs; over when it is dropped.
pub(crate) struct Turn(Arc<Slot>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.is_running.store(false, Ordering::Release);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in them is replaced whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            entry: Mutex::new(None),
            facts: Mutex::new(Facts::default()),
            alerts: tokio::sync::Mutex::new(WatchAlerts::new(name)),
            is_running: AtomicBool::new(false),
        }
    }

    pub(crate) fn entry(&self) -> Option<Arc<Entry>> {
        lock(&self.entry).clone()
    }

    /// Takes in a new document. A calendar that is new does not catch up with times before it.
    pub(crate) fn set_entry(&self, entry: Entry, now_ms: u64) {
        let trigger = |entry: &Entry| entry.watch.as_ref().map(|watch| watch.trigger.clone());
        let mut place = lock(&self.entry);
        let before = place.as_deref().and_then(trigger);
        let after = trigger(&entry);
        let is_first = place.is_none();
        *place = Some(Arc::new(entry));
        drop(place);
        if let Some(Trigger::Cron(_)) = &after {
            let mut facts = lock(&self.facts);
            if facts.last_scheduled_ms.is_none() || (!is_first && before != after) {
                facts.last_scheduled_ms = Some(now_ms);
            }
        }
    }

    /// The watch is deleted.
    pub(crate) fn clear_entry(&self) {
        *lock(&self.entry) = None;
    }

    /// The watch in force.
    pub(crate) fn watch(&self) -> Option<Watch> {
        self.entry()?.watch.clone()
    }

    pub(crate) fn facts(&self) -> Facts {
        lock(&self.facts).clone()
    }

    pub(crate) fn change_facts(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut lock(&self.facts));
    }

    /// Takes in the record of a run.
    pub(crate) fn note(&self, run: &v1::WatchRun, scheduled_ms: Option<u64>) {
        let mut facts = lock(&self.facts);
        facts.last_started_ms = run
            .started_at
            .as_ref()
            .map_or(0, wharf_proto::times::millis);
        facts.last_outcome = run.outcome();
        facts.last_error.clone_from(&run.error);
        if let Some(scheduled_ms) = scheduled_ms {
            facts.last_scheduled_ms = Some(scheduled_ms);
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Acquire)
    }

    /// The turn to run it; `None` while it runs.
    pub(crate) fn turn(self: &Arc<Self>) -> Option<Turn> {
        let was = self.is_running.swap(true, Ordering::AcqRel);
        (!was).then(|| Turn(Arc::clone(self)))
    }

    /// The watch as it is told.
    pub(crate) async fn to_message(&self) -> Option<v1::Watch> {
        let entry = self.entry()?;
        let facts = self.facts();
        let firing = self.alerts.lock().await.firing();
        let at = |ms: u64| (ms > 0).then(|| timestamp(ms));
        let is_on = entry.watch.as_ref().is_some_and(|watch| watch.enabled);
        Some(v1::Watch {
            last_run_at: at(facts.last_started_ms),
            last_outcome: facts.last_outcome.into(),
            last_error: facts.last_error,
            next_run_at: facts.next_ms.filter(|_| is_on).map(timestamp),
            firing: u32::try_from(firing).unwrap_or(u32::MAX),
            ..entry.to_message()
        })
    }
}
