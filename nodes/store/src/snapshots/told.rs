//! What is known and told of snapshots: the repository, the last one, what failed, who asks for one.
//!
//! Invariants: whoever takes, deletes or sweeps holds `working`; what was served of requests is durable before it is told; what a
//! snapshot is does not change, so that it is read once. Not here: taking (`take`), the schedule (`snapshot_task`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use wharf_runtime::data_dir::read_limited;
use wharf_runtime::task::Shutdown;
use wharf_store_core::snapshot::manifest::Manifest;
use wharf_store_core::snapshot::name::Name;
use wharf_store_core::snapshot::schedule::Reason;

use super::error::{RepositoryError, SnapshotError};
use super::order::Order;
use super::repository::{Repository, TOLD_AFTER};
use super::{cut, order};
use crate::files::write_json;

const FILE: &str = "snapshot_state.json";
const MAX_BYTES: u64 = 16 * 1024;
/// People who wait for a snapshot that they asked for, at most.
const MAX_ASKS: usize = 16;
/// For how long a deletion waits for another one or for a sweep.
const DELETE_WAIT: Duration = Duration::from_secs(30);

/// A snapshot without its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) name: Name,
    pub(crate) manifest: Manifest,
    /// Files that it names.
    pub(crate) files: usize,
    /// Why nothing can be restored from it.
    pub(crate) damaged: Option<String>,
}

impl Summary {
    /// Of a manifest.
    pub(super) fn of(name: Name, mut manifest: Manifest) -> Self {
        let files = std::mem::take(&mut manifest.files).len();
        Self {
            name,
            manifest,
            files,
            damaged: None,
        }
    }

    /// Of one whose manifest cannot be believed.
    fn damaged(name: Name, why: String) -> Self {
        Self {
            name,
            manifest: Manifest {
                incarnation: name.incarnation(),
                taken_ms: name.taken_ms(),
                started_ms: name.taken_ms(),
                ended_ms: name.taken_ms(),
                ..Manifest::default()
            },
            files: 0,
            damaged: Some(why),
        }
    }

    /// What people call it.
    pub(crate) fn called(&self) -> String {
        let alias = self.manifest.alias.clone();
        alias.unwrap_or_else(|| self.name.to_string())
    }
}

/// The last snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) name: String,
    pub(super) taken_ms: u64,
    pub(super) bytes: u64,
    pub(super) documents: u64,
}

impl Last {
    pub(super) fn of(summary: &Summary) -> Self {
        Self {
            name: summary.name.to_string(),
            taken_ms: summary.manifest.taken_ms,
            bytes: summary.manifest.bytes,
            documents: summary.manifest.documents,
        }
    }
}

/// What is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    /// In which repository; of another one the rest does not count.
    pub(super) place: String,
    pub(super) requested_done: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Last>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failing_since_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) error: String,
}

/// What is under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) started_ms: u64,
    pub(crate) files: u64,
    pub(crate) files_done: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_done: u64,
}

/// The repository while it is ordered.
pub(crate) struct Opened {
    pub(crate) order: Order,
    pub(crate) repository: Result<Repository, String>,
}

impl Opened {
    pub(super) fn repository(&self) -> Result<&Repository, RepositoryError> {
        let repository = self.repository.as_ref();
        // It was told when it was opened, with its code.
        repository.map_err(|why| RepositoryError::Told(why.clone()))
    }
}

/// A name that a snapshot is to have, and nobody else's until this is dropped.
pub(crate) struct Reserved {
    snapshots: Arc<Snapshots>,
    name: String,
}

impl Reserved {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        lock(&self.snapshots.reserved).remove(&self.name);
    }
}

/// Somebody asks for a snapshot now.
pub(crate) struct Ask {
    pub(crate) name: Reserved,
    pub(crate) answer: oneshot::Sender<Result<Arc<Summary>, String>>,
}

#[derive(Default)]
struct Known {
    /// Why the order cannot be read.
    broken: Option<String>,
    /// The repository that is being opened.
    opening: String,
    /// That it does not answer.
    hangs: Option<String>,
    done: Done,
    running: Option<Running>,
}

/// Snapshots of this instance.
pub(crate) struct Snapshots {
    data_dir: PathBuf,
    opened: ArcSwapOption<Opened>,
    known: Mutex<Known>,
    asks: mpsc::Sender<Ask>,
    asked: Mutex<Option<mpsc::Receiver<Ask>>>,
    /// Names that are asked for.
    reserved: Mutex<BTreeSet<String>>,
    summaries: Mutex<BTreeMap<Name, Arc<Summary>>>,
    /// Held by whoever reads all of them.
    reading: tokio::sync::Mutex<()>,
    /// Held by whoever changes what is durable, from reading it on.
    keeping: Mutex<()>,
    /// Ends the snapshot that is being taken.
    taking: Mutex<Option<Shutdown>>,
    pub(super) working: tokio::sync::Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Snapshots {
    /// Reads what is durable and removes what a crash left. Blocks.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        cut::clear(data_dir)?;
        let read = read_limited(data_dir.join(FILE), MAX_BYTES)?;
        let done = read.map(|bytes| serde_json::from_slice(&bytes));
        // Without it a snapshot more is taken than was asked for.
        let done = done.transpose().unwrap_or_else(|error| {
            tracing::warn!(%error, "what was served of requests for snapshots cannot be read");
            None
        });
        let (asks, asked) = mpsc::channel(MAX_ASKS);
        Ok(Self {
            data_dir: data_dir.to_path_buf(),
            opened: ArcSwapOption::empty(),
            known: Mutex::new(Known {
                done: done.unwrap_or_default(),
                ..Known::default()
            }),
            asks,
            asked: Mutex::new(Some(asked)),
            reserved: Mutex::default(),
            summaries: Mutex::default(),
            reading: tokio::sync::Mutex::new(()),
            keeping: Mutex::default(),
            taking: Mutex::default(),
            working: tokio::sync::Mutex::new(()),
        })
    }

    /// The repository, while there is an order.
    pub(crate) fn opened(&self) -> Option<Arc<Opened>> {
        self.opened.load_full()
    }

    /// Takes an order in, or that there is none, or that it cannot be read. Blocks, shortly.
    pub(super) fn ordered(&self, order: Result<Option<Order>, String>) {
        let wrong = |why: String| RepositoryError::Order(why).to_string();
        let (order, broken) = match order {
            Ok(order) => (order, None),
            Err(why) => (None, Some(wrong(why))),
        };
        let is_broken = broken.is_some();
        lock(&self.known).broken = broken;
        let Some(order) = order else {
            self.fails(is_broken);
            self.opened.store(None);
            return;
        };
        let place = order.place();
        let alone = lock(&self.keeping);
        let mut known = lock(&self.known);
        if known.done.place != place {
            known.done = Done {
                place,
                ..Done::default()
            };
            lock(&self.summaries).clear();
        }
        known.opening.clone_from(&order.repository);
        drop((known, alone));
        let repository = Repository::open(&order).map_err(|error| error.to_string());
        self.fails(repository.is_err());
        self.opened
            .store(Some(Arc::new(Opened { order, repository })));
    }

    /// The order was not looked at to the end in time, because its directory does not answer, or it was after all.
    pub(super) fn hangs(&self, hangs: bool) {
        let mut known = lock(&self.known);
        let late = RepositoryError::late(&known.opening, TOLD_AFTER).to_string();
        known.hangs = hangs.then_some(late);
        drop(known);
        if hangs {
            self.fails(true);
        }
    }

    /// Since when nothing can be taken, when that is because of the order.
    fn fails(&self, fails: bool) {
        let now_ms = u64::try_from(wharf_runtime::clock::now_ms()).unwrap_or_default();
        let _alone = lock(&self.keeping);
        let done = &mut lock(&self.known).done;
        if fails {
            done.failing_since_ms.get_or_insert(now_ms);
        } else if done.error.is_empty() {
            done.failing_since_ms = None;
        }
    }

    pub(super) fn take_asks(&self) -> Option<mpsc::Receiver<Ask>> {
        lock(&self.asked).take()
    }

    /// Keeps a name for a snapshot; nothing when one is asked for by it already.
    pub(crate) fn reserve(self: &Arc<Self>, name: &str) -> Option<Reserved> {
        let free = lock(&self.reserved).insert(name.to_owned());
        free.then(|| Reserved {
            snapshots: Arc::clone(self),
            name: name.to_owned(),
        })
    }

    /// Asks for a snapshot now; false when too many ask already.
    pub(crate) fn ask(&self, ask: Ask) -> bool {
        self.asks.try_send(ask).is_ok()
    }

    pub(super) fn done(&self) -> Done {
        lock(&self.known).done.clone()
    }

    /// Changes what is durable, on disk first. Blocks, shortly.
    pub(super) fn keep(&self, change: impl FnOnce(&mut Done)) -> io::Result<()> {
        let _alone = lock(&self.keeping);
        let mut done = self.done();
        change(&mut done);
        write_json(&self.data_dir.join(FILE), &done, 0o600)?;
        lock(&self.known).done = done;
        Ok(())
    }

    /// Changes what is told of a failure without writing it down.
    pub(super) fn note(&self, change: impl FnOnce(&mut Done)) {
        let _alone = lock(&self.keeping);
        change(&mut lock(&self.known).done);
    }

    pub(super) fn run(&self, change: impl FnOnce(&mut Option<Running>)) {
        change(&mut lock(&self.known).running);
    }

    /// From now on there may be a cut; `None`: there is none any more.
    pub(super) fn taking(&self, stop: Option<Shutdown>) {
        *lock(&self.taking) = stop;
    }

    /// Ends the snapshot under way and removes what is left of one: while there is a cut, deleted files keep
    /// their room. True when there was any. Blocks, shortly.
    pub(crate) fn gives_way(&self) -> bool {
        // Held on: none begins before it is known that there is none.
        let taking = lock(&self.taking);
        if let Some(stop) = taking.as_ref() {
            stop.trigger();
            return true;
        }
        let left = cut::folder(&self.data_dir).exists();
        if left && let Err(error) = cut::clear(&self.data_dir) {
            tracing::warn!(%error, "what a snapshot keeps of deleted files cannot be removed");
        }
        left
    }

    /// Bytes on the disk that only the snapshot under way keeps. Blocks, shortly.
    pub(crate) fn kept_bytes(&self) -> io::Result<u64> {
        cut::kept_bytes(&self.data_dir)
    }

    /// What is under way.
    pub(crate) fn running(&self) -> Option<Running> {
        lock(&self.known).running.clone()
    }

    /// What the allocator's probe is told, while snapshots are ordered.
    pub(crate) fn health(&self) -> Option<Value> {
        let known = lock(&self.known);
        let opened = self.opened.load();
        let broken = known.hangs.as_ref().or(known.broken.as_ref());
        if opened.is_none() && broken.is_none() {
            return None;
        }
        let unopened = opened.as_ref().and_then(|o| o.repository.as_ref().err());
        let error = broken.or(unopened).unwrap_or(&known.done.error);
        let mut told = json!({
            "running": known.running.is_some(),
            "requested_done": known.done.requested_done,
        });
        if let Some(opened) = opened.as_ref() {
            told["repository"] = json!(opened.order.repository);
        }
        if let Some(last) = &known.done.last {
            told["last"] = json!(last.name);
            told["taken_ms"] = json!(last.taken_ms);
            told["bytes"] = json!(last.bytes);
            told["documents"] = json!(last.documents);
        }
        if !error.is_empty() {
            told["error"] = json!(error);
            told["failing_since_ms"] = json!(known.done.failing_since_ms);
        }
        Some(told)
    }

    /// All snapshots, oldest first.
    pub(crate) async fn summaries(
        &self,
        opened: &Opened,
    ) -> Result<Vec<Arc<Summary>>, RepositoryError> {
        let repository = opened.repository()?;
        // Who waits finds what the one before has read.
        let _alone = self.reading.lock().await;
        let names = repository.snapshots().await?;
        lock(&self.summaries).retain(|name, _| names.contains(name));
        let mut all = Vec::new();
        for name in names {
            match self.summary(repository, name).await {
                Ok(summary) => all.push(summary),
                // Deleted meanwhile.
                Err(RepositoryError::Missing { .. }) => {}
                Err(error @ RepositoryError::Damaged { .. }) => {
                    all.push(Arc::new(Summary::damaged(name, error.to_string())));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// One snapshot.
    pub(super) async fn summary(
        &self,
        repository: &Repository,
        name: Name,
    ) -> Result<Arc<Summary>, RepositoryError> {
        if let Some(known) = lock(&self.summaries).get(&name) {
            return Ok(Arc::clone(known));
        }
        let manifest = repository.manifest(name).await?;
        Ok(self.learn(Summary::of(name, manifest)))
    }

    /// The last snapshot, if there is one that can be believed.
    pub(super) async fn last(
        &self,
        repository: &Repository,
    ) -> Result<Option<Last>, RepositoryError> {
        let names = repository.snapshots().await?;
        let Some(name) = names.last() else {
            return Ok(None);
        };
        match self.summary(repository, *name).await {
            Ok(summary) => Ok(Some(Last::of(&summary))),
            // Whoever lists them is told.
            Err(RepositoryError::Damaged { .. } | RepositoryError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers a snapshot.
    pub(super) fn learn(&self, summary: Summary) -> Arc<Summary> {
        let summary = Arc::new(summary);
        lock(&self.summaries).insert(summary.name, Arc::clone(&summary));
        summary
    }

    /// Deletes a snapshot by request of whoever uses the store. `allowed`: no other place may write there.
    pub(crate) async fn delete(
        &self,
        opened: &Opened,
        name: Name,
        allowed: impl Fn() -> Result<(), String>,
    ) -> Result<(), SnapshotError> {
        let repository = opened.repository()?;
        if self.running().is_some() {
            return Err(SnapshotError::Busy);
        }
        let alone = tokio::time::timeout(DELETE_WAIT, self.working.lock()).await;
        let _alone = alone.map_err(|_| SnapshotError::Busy)?;
        allowed().map_err(SnapshotError::Lease)?;
        repository.delete_manifest(name).await?;
        lock(&self.summaries).remove(&name);
        let last = self.last(repository).await?;
        let place = opened.order.place();
        let told = self.keep(|done| {
            // Another one may have been ordered meanwhile.
            if done.place == place {
                done.last = last;
            }
        });
        told.map_err(SnapshotError::disk)
    }
}

/// What is told of a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RestoreReport {
    pub(crate) stage: &'static str,
    pub(crate) snapshot: String,
    pub(crate) taken_ms: u64,
    pub(crate) bytes_done: u64,
    pub(crate) bytes_total: u64,
    pub(crate) reason: String,
}

/// How a restore is told of, for as long as it is ordered or not finished.
pub(crate) struct Restoring {
    secrets: Option<PathBuf>,
    unfinished: AtomicBool,
    report: Mutex<Option<RestoreReport>>,
}

impl Restoring {
    pub(crate) fn new(
        secrets: Option<PathBuf>,
        unfinished: bool,
        report: Option<RestoreReport>,
    ) -> Self {
        Self {
            secrets,
            unfinished: AtomicBool::new(unfinished),
            report: Mutex::new(report),
        }
    }

    /// What is told. Blocks, shortly.
    pub(crate) fn report(&self) -> Option<RestoreReport> {
        let report = lock(&self.report).clone()?;
        let ordered = self
            .secrets
            .as_ref()
            .is_some_and(|secrets| order::restore_is_ordered(secrets));
        (ordered || self.is_unfinished()).then_some(report)
    }

    /// Whether nothing can be served yet.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished.load(Ordering::SeqCst)
    }

    /// The data is here.
    pub(super) fn finished(&self) {
        self.unfinished.store(false, Ordering::SeqCst);
    }

    /// Changes what is told.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut RestoreReport)) {
        change(lock(&self.report).get_or_insert_default());
    }
}

/// Why a snapshot was taken, in a word.
pub(crate) fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Scheduled => "scheduled",
        Reason::Requested => "requested",
    }
}
