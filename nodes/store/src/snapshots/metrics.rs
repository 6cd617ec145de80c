//! What a storage instance counts of its snapshots.
//!
//! Invariant: a figure of the last snapshot is nothing before there was one since the start. Not here: serving them (`server`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wharf_runtime::metrics::{Counter, Histogram, Metrics};

use super::told::Summary;

/// The counters.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotMetrics {
    taken: Counter,
    pub(crate) failures: Counter,
    pub(crate) uploaded: Counter,
    pub(crate) objects: Counter,
    seconds: Histogram,
    pauses: Histogram,
    last: Arc<Last>,
}

#[derive(Debug, Default)]
struct Last {
    taken_ms: AtomicU64,
    bytes: AtomicU64,
}

impl SnapshotMetrics {
    pub(crate) fn new(registry: &Metrics) -> Self {
        let counter = |name: &str, help: &str| registry.counter(name, help, &[]);
        let (seconds, pauses) = (Histogram::default(), Histogram::default());
        let help = "time from a snapshot's begin to its manifest";
        registry.histogram("wharf_store_snapshot_seconds", help, &[], &seconds);
        let help = "for how long a snapshot held writes";
        registry.histogram("wharf_store_snapshot_pause_seconds", help, &[], &pauses);
        let last = Arc::new(Last::default());
        let read = Arc::clone(&last);
        registry.gauge_from(
            "wharf_store_snapshot_last_seconds",
            "when the last snapshot since the start was taken, in seconds since 1970; 0: none",
            &[],
            move || read.taken_ms.load(Ordering::Relaxed) as f64 / 1000.,
        );
        let read = Arc::clone(&last);
        registry.gauge_from(
            "wharf_store_snapshot_last_bytes",
            "bytes that it holds",
            &[],
            move || read.bytes.load(Ordering::Relaxed) as f64,
        );
        Self {
            taken: counter("wharf_store_snapshots_total", "snapshots that were taken"),
            failures: counter("wharf_store_snapshot_failures_total", "those that were not"),
            uploaded: counter(
                "wharf_store_snapshot_uploaded_bytes_total",
                "bytes that snapshots uploaded",
            ),
            objects: counter(
                "wharf_store_snapshot_objects_total",
                "objects that snapshots uploaded",
            ),
            seconds,
            pauses,
            last,
        }
    }

    /// Writes were held for so long.
    pub(super) fn paused(&self, pause: Duration) {
        self.pauses.observe(pause);
    }

    /// A snapshot was taken.
    pub(super) fn taken(&self, summary: &Summary, took: Duration) {
        self.taken.inc();
        self.seconds.observe(took);
        let manifest = &summary.manifest;
        self.last
            .taken_ms
            .store(manifest.taken_ms, Ordering::Relaxed);
        self.last.bytes.store(manifest.bytes, Ordering::Relaxed);
    }
}
