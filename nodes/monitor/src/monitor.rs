//! What all tasks of the instance share.
//!
//! Invariants: locks are held for statements, never over an await (each watch's alerts have a lock of
//! their own); before `is_loaded` no watch runs.
//! Not here: what is done with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wharf_monitor_core::version::Version;
use wharf_proto::monitor::v1;
use wharf_runtime::clock::Clock;
use wharf_runtime::delivery::Post;
use wharf_runtime::metrics::{Counter, Histogram, Metrics};
use wharf_runtime::task::Shutdown;

use crate::config::Config;
use crate::ledger::Ledger;
use crate::slot::Slot;
use crate::storage::Storage;

/// A run whose messages are under way, and how many of its notices are.
pub(crate) struct OpenRun {
    pub(crate) run: v1::WatchRun,
    pub(crate) notices: usize,
}

/// Counts of what happened.
pub(crate) struct Counts {
    pub(crate) runs: Counter,
    pub(crate) errors: Counter,
    pub(crate) sent: Counter,
    pub(crate) failed: Counter,
    pub(crate) run_seconds: Histogram,
}

/// The instance.
pub(crate) struct Monitor {
    pub(crate) config: Config,
    pub(crate) storage: Storage,
    pub(crate) ledger: Ledger,
    pub(crate) post: Post,
    pub(crate) metrics: Metrics,
    pub(crate) counts: Counts,
    pub(crate) shutdown: Shutdown,
    /// Told when the schedule may have changed.
    pub(crate) wake: Notify,
    /// Told when the documents may have changed.
    pub(crate) refresh: Notify,
    /// Held while documents of watches are changed or read anew.
    pub(crate) documents: tokio::sync::Mutex<()>,
    clock: Clock,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
    versions: Mutex<BTreeMap<String, Version>>,
    open_runs: Mutex<BTreeMap<String, OpenRun>>,
    trouble: Mutex<String>,
    is_loaded: AtomicBool,
    has_indices: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Maps are valid after each statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Monitor {
    pub(crate) fn new(config: Config, ledger: Ledger, post: Post, shutdown: Shutdown) -> Self {
        let metrics = Metrics::new().with_process();
        let counter = |name: &str, help: &str| metrics.counter(name, help, &[]);
        let run_seconds = Histogram::default();
        let help = "time from a run's beginning to the answer of its search";
        metrics.histogram("wharf_monitor_run_seconds", help, &[], &run_seconds);
        let counts = Counts {
            run_seconds,
            runs: counter("wharf_monitor_runs_total", "runs of watches"),
            errors: counter("wharf_monitor_run_errors_total", "runs in error"),
            sent: counter(
                "wharf_monitor_messages_sent_total",
                "messages that were taken",
            ),
            failed: counter("wharf_monitor_messages_failed_total", "messages given up"),
        };
        Self {
            config,
            storage: Storage::default(),
            ledger,
            post,
            metrics,
            counts,
            shutdown,
            wake: Notify::new(),
            refresh: Notify::new(),
            documents: tokio::sync::Mutex::default(),
            clock: Clock::system(),
            slots: Mutex::default(),
            versions: Mutex::default(),
            open_runs: Mutex::default(),
            trouble: Mutex::default(),
            is_loaded: AtomicBool::new(false),
            has_indices: AtomicBool::new(false),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or(0)
    }

    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        lock(&self.slots).values().cloned().collect()
    }

    pub(crate) fn slot(&self, name: &str) -> Option<Arc<Slot>> {
        lock(&self.slots).get(name).cloned()
    }

    pub(crate) fn slot_or_new(&self, name: &str) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        let slot = slots
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(Slot::new(name)));
        Arc::clone(slot)
    }

    pub(crate) fn remove_slot(&self, name: &str) {
        lock(&self.slots).remove(name);
    }

    pub(crate) fn versions(&self) -> MutexGuard<'_, BTreeMap<String, Version>> {
        lock(&self.versions)
    }

    pub(crate) fn open_runs(&self) -> MutexGuard<'_, BTreeMap<String, OpenRun>> {
        lock(&self.open_runs)
    }

    /// What is wrong with the storage now; empty: nothing.
    pub(crate) fn trouble(&self) -> String {
        lock(&self.trouble).clone()
    }

    pub(crate) fn set_trouble(&self, text: String) {
        *lock(&self.trouble) = text;
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.is_loaded.load(Ordering::Acquire)
    }

    pub(crate) fn set_loaded(&self) {
        self.is_loaded.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub(crate) fn has_indices(&self) -> bool {
        self.has_indices.load(Ordering::Acquire)
    }

    pub(crate) fn set_has_indices(&self, has: bool) {
        self.has_indices.store(has, Ordering::Release);
    }
}
