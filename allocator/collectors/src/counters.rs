//! What the collectors count about themselves, for health pages and `/metrics`.
//!
//! Invariants: counters only grow; gauges say the last value.
//! Not here: documents about the collectors.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// The live counters.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) spooled: AtomicU64,
    pub(crate) shipped: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) failed_requests: AtomicU64,
    pub(crate) spool_bytes: AtomicU64,
    pub(crate) spool_waiting: AtomicU64,
    pub(crate) last_shipped_ms: AtomicI64,
    pub(crate) log_lines: AtomicU64,
    pub(crate) log_files: AtomicU64,
    pub(crate) sampled_containers: AtomicU64,
    pub(crate) sample_ns: AtomicU64,
    pub(crate) sample_documents: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CountersView {
    /// Documents that were put into the spool.
    pub spooled: u64,
    /// Documents that the store took.
    pub shipped: u64,
    /// Documents that the store had already.
    pub duplicates: u64,
    /// Documents that the store will never take.
    pub rejected: u64,
    /// Documents that were dropped because the spool or its disk was full.
    pub dropped: u64,
    /// Requests that failed as a whole.
    pub failed_requests: u64,
    /// Bytes of the spool on disk.
    pub spool_bytes: u64,
    /// Records of the spool that wait to be shipped.
    pub spool_waiting: u64,
    /// When a document was last acknowledged; 0 when none was.
    pub last_shipped_ms: i64,
    /// Log lines read.
    pub log_lines: u64,
    /// Log files followed.
    pub log_files: u64,
    /// Containers in the last sample.
    pub sampled_containers: u64,
    /// What the last sample took, in nanoseconds.
    pub sample_ns: u64,
    /// Documents of the last sample.
    pub sample_documents: u64,
    /// Why the last request failed, until one succeeds.
    pub last_error: Option<String>,
}

impl Counters {
    /// All of them now.
    pub fn view(&self) -> CountersView {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CountersView {
            spooled: get(&self.spooled),
            shipped: get(&self.shipped),
            duplicates: get(&self.duplicates),
            rejected: get(&self.rejected),
            dropped: get(&self.dropped),
            failed_requests: get(&self.failed_requests),
            spool_bytes: get(&self.spool_bytes),
            spool_waiting: get(&self.spool_waiting),
            last_shipped_ms: self.last_shipped_ms.load(Ordering::Relaxed),
            log_lines: get(&self.log_lines),
            log_files: get(&self.log_files),
            sampled_containers: get(&self.sampled_containers),
            sample_ns: get(&self.sample_ns),
            sample_documents: get(&self.sample_documents),
            last_error: self
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    pub(crate) fn set_error(&self, error: Option<String>) {
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = error;
    }
}

pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

pub(crate) fn set(gauge: &AtomicU64, value: u64) {
    gauge.store(value, Ordering::Relaxed);
}
