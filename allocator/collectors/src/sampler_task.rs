//! Runs the sampler at whole multiples of the period, and looks at new containers at once.
//!
//! Invariants: samples lie on the clock's multiples of the period, so that those of all hosts and
//! restarts line up; a sample that took too long skips, it never queues; nothing blocks an async
//! thread.
//! Not here: what is read (`sampler`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use wharf_collectors_core::Envelope;
use wharf_runtime::clock::{self, Clock};
use wharf_runtime::task::{Shutdown, spawn_blocking};

use crate::config::Config;
use crate::counters::{Counters, set};
use crate::inventory::Snapshot;
use crate::latest::LatestSamples;
use crate::sampler::{Due, Sample, Sampler};
use crate::spool::Spool;

/// New containers are looked at again this long after the first look, so that even those that live
/// for seconds have rates.
const SECOND_LOOK: Duration = Duration::from_secs(2);

pub(crate) struct SamplerTask {
    pub(crate) config: Arc<Config>,
    pub(crate) sampler: Sampler,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) spool: Spool,
    pub(crate) latest: LatestSamples,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: Shutdown,
}

enum Work {
    Sample(Due),
    Look { ids: Vec<String>, is_first: bool },
}

impl SamplerTask {
    /// The task.
    pub(crate) async fn run(mut self) {
        let clock = Clock::system();
        let period_ms = i64::try_from(self.config.periods.sample.as_millis())
            .unwrap_or(10_000)
            .max(1000);
        let mut pending: Vec<String> = Vec::new();
        let mut look_again: Option<tokio::time::Instant> = None;
        let mut is_first = true;
        let following = |now_ms: i64| now_ms - now_ms.rem_euclid(period_ms) + period_ms;
        // Kept over wakes for other reasons: a busy engine must not make a sample be missed.
        let mut next_ms = clock::now_ms();
        loop {
            let now_ms = clock::now_ms();
            if next_ms > now_ms + period_ms {
                // The clock was set back.
                next_ms = following(now_ms);
            } else if now_ms > next_ms + period_ms {
                // It was set forward, or the host slept.
                next_ms = now_ms;
            }
            let at_ms = next_ms;
            let wait = Duration::from_millis((at_ms - now_ms).max(0).unsigned_abs());
            let second = async {
                match look_again {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let (work, at_ms) = tokio::select! {
                () = self.shutdown.triggered() => break,
                () = tokio::time::sleep(wait) => (Work::Sample(self.due(at_ms, is_first)), at_ms),
                changed = self.snapshots.changed() => {
                    if changed.is_err() {
                        // The allocator is gone: so is the reason to sample.
                        self.shutdown.triggered().await;
                        break;
                    }
                    let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
                    let fresh = self.sampler.adopt(&snapshot);
                    if fresh.is_empty() {
                        continue;
                    }
                    pending.extend(fresh.iter().cloned());
                    look_again.get_or_insert_with(|| tokio::time::Instant::now() + SECOND_LOOK);
                    (Work::Look { ids: fresh, is_first: true }, clock::now_ms())
                }
                () = second => {
                    look_again = None;
                    (Work::Look { ids: std::mem::take(&mut pending), is_first: false }, clock::now_ms())
                }
            };
            if let Work::Sample(_) = work {
                is_first = false;
                next_ms = following(at_ms.max(clock::now_ms()));
            }
            let snapshot = Arc::clone(&self.snapshots.borrow());
            let monotonic_ms = clock.monotonic_ms();
            let mut sampler = self.sampler;
            let started = Instant::now();
            let done = spawn_blocking("sample", move || {
                let sample = match &work {
                    Work::Sample(due) => sampler.sample(&snapshot, *due, at_ms, monotonic_ms),
                    Work::Look { ids, is_first } => {
                        sampler.look(ids, at_ms, monotonic_ms, *is_first)
                    }
                };
                (sampler, sample, matches!(work, Work::Sample(_)))
            });
            let (sampler, sample, is_whole) = match done.await {
                Ok(done) => done,
                // A panic was logged; without the sampler's memory, start again from nothing.
                Err(_) => {
                    let envelope = Arc::clone(&self.envelope);
                    let sampler = Sampler::new(Arc::clone(&self.config), envelope);
                    (sampler, Sample::default(), false)
                }
            };
            self.sampler = sampler;
            if is_whole {
                let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                set(&self.counters.sample_ns, took);
                set(
                    &self.counters.sample_documents,
                    sample.documents.len() as u64,
                );
                set(
                    &self.counters.sampled_containers,
                    sample.latest.len() as u64,
                );
            }
            self.latest.replace(sample.latest);
            let count = sample.documents.len();
            if let Err(error) = self.spool.append(sample.documents, false).await {
                // The next sample is as good: a full disk must not make this one pile up.
                self.spool.lost(count);
                tracing::warn!(code = "COL0003", %error, documents = count, "a sample was dropped");
            }
        }
    }

    fn due(&self, at_ms: i64, is_first: bool) -> Due {
        let periods = &self.config.periods;
        let sample = periods.sample.as_millis().max(1);
        // Rounded up to whole samples.
        let is_due = |period: Duration| {
            let every = period.as_millis().div_ceil(sample).max(1) * sample;
            let every = i64::try_from(every).unwrap_or(i64::MAX);
            is_first || at_ms.rem_euclid(every) == 0
        };
        Due {
            describe: is_due(periods.describe),
            slow: is_due(periods.slow),
        }
    }
}
