//! The task that takes snapshots when it is time or when somebody asks.
//!
//! Invariants: what is next is the core's decision; what fails is told and tried again; without an order nothing is taken. Not
//! here: one snapshot (`take`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wharf_runtime::followed_files::{FollowedFiles, Look};
use wharf_runtime::task::Shutdown;
use wharf_store_core::snapshot::name::Name;
use wharf_store_core::snapshot::schedule::{self, Next, Policy, Progress, Reason};

use super::error::{RepositoryError, SnapshotError};
use super::order::{self, REPOSITORY};
use super::repository::TOLD_AFTER;
use super::take::{Taker, Wish};
use super::told::{Ask, Last, Opened, Snapshots, Summary};
use crate::http::App;

/// How often the order is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often objects that nothing names are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(6 * 3600);

/// How long after a look for the last snapshot that failed the next one is made.
const SEED_AGAIN: Duration = Duration::from_secs(30);

struct Schedule {
    taker: Taker,
    snapshots: Arc<Snapshots>,
    /// When the last snapshot was cut, on a clock that never goes back.
    taken: Option<Instant>,
    /// The repository that the last snapshot was looked up in.
    seeded: Option<String>,
    seed_failed: Option<Instant>,
    tried: u64,
    failures: u32,
    failed: Instant,
    swept: Option<Instant>,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// When it was cut; before this host booted the clock cannot say, and then it is time anyway.
fn cut_at(last: &Last) -> Option<Instant> {
    let now_ms = u64::try_from(wharf_runtime::clock::now_ms()).unwrap_or_default();
    Instant::now().checked_sub(Duration::from_millis(now_ms.saturating_sub(last.taken_ms)))
}

/// Runs until shutdown.
pub(crate) async fn run(app: Arc<App>, shutdown: Shutdown) {
    let snapshots = Arc::clone(&app.place.snapshots);
    let (Some(secrets), Some(mut asks)) = (app.place.secrets.clone(), snapshots.take_asks()) else {
        // Nobody can order one.
        shutdown.triggered().await;
        return;
    };
    let mut files = FollowedFiles::new([secrets.join(REPOSITORY)]);
    let mut schedule = Schedule {
        taker: Taker::new(Arc::clone(&app), shutdown.clone()),
        snapshots: Arc::clone(&snapshots),
        taken: None,
        seeded: None,
        seed_failed: None,
        tried: 0,
        failures: 0,
        failed: Instant::now(),
        swept: None,
    };
    while !shutdown.is_triggered() {
        let mut looking = wharf_runtime::task::spawn_blocking("store snapshot order", {
            let (secrets, snapshots) = (secrets.clone(), Arc::clone(&snapshots));
            move || {
                let look = files.look(|| {
                    let order = order::repository(&secrets);
                    let read = order.is_ok();
                    snapshots.ordered(order);
                    if read { Ok(()) } else { Err(()) }
                });
                (files, look == Look::Taken(()))
            }
        });
        let looked = async {
            if let Ok(looked) = tokio::time::timeout(TOLD_AFTER, &mut looking).await {
                return looked;
            }
            // There is no second look meanwhile: each would keep a thread.
            snapshots.hangs(true);
            let looked = looking.await;
            snapshots.hangs(false);
            looked
        };
        let Some(looked) = shutdown.run_until(looked).await else {
            break;
        };
        let changed;
        (files, changed) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!(%error, "the order of snapshots was not looked at");
                (FollowedFiles::new([secrets.join(REPOSITORY)]), true)
            }
        };
        if changed {
            // What failed with the former one may succeed with this.
            (schedule.failures, schedule.seed_failed) = (0, None);
        }
        let wait = schedule.round().await;
        let pause = tokio::time::sleep(wait);
        tokio::select! {
            () = shutdown.triggered() => {}
            () = pause => {}
            Some(ask) = asks.recv() => schedule.asked(ask).await,
        }
        schedule.refuse_what_waits(&mut asks);
    }
    shutdown.triggered().await;
}

impl Schedule {
    /// Takes a snapshot if it is time, and says how long to wait.
    async fn round(&mut self) -> Duration {
        let Some(opened) = self.snapshots.opened() else {
            self.seeded = None;
            return LOOK_EVERY;
        };
        self.seed(&opened).await;
        match schedule::next(opened.order.policy, self.progress()) {
            Next::Take(reason) => {
                let wish = Wish {
                    reason,
                    alias: None,
                };
                drop(self.take(&opened, wish).await);
                Duration::ZERO
            }
            Next::Wait { ms } => {
                self.sweep(&opened).await;
                ms.map_or(LOOK_EVERY, |ms| LOOK_EVERY.min(Duration::from_millis(ms)))
            }
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            since_taken_ms: self.taken.map(|taken| millis(taken.elapsed())),
            served: self.snapshots.done().requested_done,
            tried: self.tried,
            failures: self.failures,
            since_failure_ms: millis(self.failed.elapsed()),
        }
    }

    /// Learns once of a repository which snapshot in it is the last.
    async fn seed(&mut self, opened: &Opened) {
        let place = opened.order.place();
        let resting = self.seed_failed.is_some_and(|at| at.elapsed() < SEED_AGAIN);
        if self.seeded.as_ref() == Some(&place) || resting {
            return;
        }
        // Of another place it says nothing.
        self.taken = None;
        let known = self.snapshots.done().last;
        let last = match known {
            Some(last) => Ok(Some(last)),
            None => match opened.repository() {
                Ok(repository) => self.snapshots.last(repository).await,
                Err(error) => Err(error),
            },
        };
        match last {
            Ok(last) => {
                // One of a former life says nothing of what is here now.
                let own = last.as_ref().filter(|last| {
                    Name::parse(&last.name)
                        .is_some_and(|name| name.incarnation() == opened.order.incarnation)
                });
                self.taken = own.and_then(cut_at);
                self.snapshots.note(|done| done.last = last);
                self.seeded = Some(place);
            }
            // The snapshot that is due then says so.
            Err(error) => {
                tracing::warn!(%error, "the last snapshot cannot be looked up");
                self.seed_failed = Some(Instant::now());
            }
        }
    }

    async fn take(&mut self, opened: &Opened, wish: Wish) -> Result<Arc<Summary>, SnapshotError> {
        let Policy { requested, .. } = opened.order.policy;
        self.tried = requested;
        let taken = self.taker.take(opened, wish).await;
        match &taken {
            Ok(summary) => {
                self.failures = 0;
                let last = Last::of(summary);
                self.taken = cut_at(&last);
                let kept = self.snapshots.keep(|done| {
                    done.requested_done = done.requested_done.max(requested);
                    done.last = Some(last);
                    done.failing_since_ms = None;
                    done.error = String::new();
                });
                if let Err(error) = kept {
                    tracing::error!(%error, "what was served of requests for snapshots cannot be written down");
                    self.failed(&SnapshotError::disk(error));
                }
                tracing::info!(
                    snapshot = %summary.name, bytes = summary.manifest.bytes,
                    documents = summary.manifest.documents, "a snapshot was taken"
                );
            }
            Err(error) => self.failed(error),
        }
        taken
    }

    fn failed(&mut self, error: &SnapshotError) {
        if matches!(error, SnapshotError::Repository(RepositoryError::Stopped)) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.failed = Instant::now();
        self.taker.app.metrics.snapshots.failures.inc();
        let now_ms = u64::try_from(wharf_runtime::clock::now_ms()).unwrap_or_default();
        let first = self.snapshots.done().failing_since_ms.is_none();
        let change = |done: &mut super::told::Done| {
            done.failing_since_ms.get_or_insert(now_ms);
            done.error = error.to_string();
        };
        tracing::warn!(%error, failures = self.failures, "a snapshot was not taken");
        // Since when is worth a write, each further time is not.
        if !first || self.snapshots.keep(change).is_err() {
            self.snapshots.note(change);
        }
    }

    async fn sweep(&mut self, opened: &Opened) {
        let first = self.snapshots.done().last.is_some();
        let due = self
            .swept
            .map_or(first, |swept| swept.elapsed() >= SWEEP_EVERY);
        if !due {
            return;
        }
        self.swept = Some(Instant::now());
        match self.taker.sweep(opened).await {
            Ok(0) => {}
            Ok(objects) => tracing::info!(objects, "what no snapshot names was deleted"),
            Err(error) => tracing::warn!(%error, "what no snapshot names stays for now"),
        }
    }

    async fn asked(&mut self, ask: Ask) {
        let answer = match self.snapshots.opened() {
            Some(opened) => {
                let wish = Wish {
                    reason: Reason::Requested,
                    alias: Some(ask.name.name().to_owned()),
                };
                self.take(&opened, wish).await.map_err(|e| e.to_string())
            }
            None => Err("STO0010: no repository is ordered for this instance".into()),
        };
        // Whoever asked may have gone.
        drop(ask.answer.send(answer));
    }

    /// At the end nobody is left waiting.
    fn refuse_what_waits(&self, asks: &mut mpsc::Receiver<Ask>) {
        if self.taker.is_stopped() {
            while let Ok(ask) = asks.try_recv() {
                drop(ask.answer.send(Err(RepositoryError::Stopped.to_string())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_store_core::snapshot::manifest::Manifest;

    use super::*;

    #[test]
    fn the_interval_counts_from_the_cut_however_long_the_upload_took() {
        let ended_ms = u64::try_from(wharf_runtime::clock::now_ms()).unwrap();
        let manifest = Manifest {
            taken_ms: ended_ms - 20_000,
            ended_ms,
            ..Manifest::default()
        };
        let name = Name::new(1, manifest.taken_ms).unwrap();
        let taken = cut_at(&Last::of(&Summary::of(name, manifest))).unwrap();
        let since_ms = millis(taken.elapsed());
        assert!(since_ms >= 20_000, "{since_ms} ms ago");
    }
}
