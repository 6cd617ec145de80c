//! One snapshot: the cut, the upload of what is new, the manifest last, then what is too much.
//!
//! Invariants: a manifest is written when every object that it names is there, and only while the lease is in force; so is
//! whatever is deleted; what fails in between leaves objects that the next snapshot uses. Not here: when (`snapshot_task`),
//! what is to be uploaded or deleted (core `snapshot`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use wharf_runtime::task::Shutdown;
use wharf_store_core::handover::files::File;
use wharf_store_core::snapshot::manifest::{FORMAT, Manifest};
use wharf_store_core::snapshot::name::{self, Name};
use wharf_store_core::snapshot::retention::{UNNAMED_KEPT_MS, excess, missing, unnamed};
use wharf_store_core::snapshot::schedule::Reason;

use super::cut;
use super::error::{RepositoryError, SnapshotError};
use super::repository::Repository;
use super::told::{Opened, Running, Snapshots, Summary};
use crate::files::blocking;
use crate::handover::inventory::Inventory;
use crate::http::App;

/// Files that are uploaded at a time; each takes a part's memory.
const AT_A_TIME: usize = 3;

/// What is wanted.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) reason: Reason,
    pub(super) alias: Option<String>,
}

/// Whoever takes snapshots.
pub(super) struct Taker {
    pub(super) app: Arc<App>,
    pub(super) snapshots: Arc<Snapshots>,
    /// Of the folder of the cut: what was hashed once is not hashed again.
    inventory: Arc<Inventory>,
    stop: Shutdown,
}

fn no_room() -> SnapshotError {
    SnapshotError::NotNow(
        "the disk is nearly full, and a snapshot keeps files that are deleted".into(),
    )
}

async fn unless<T>(
    stop: &Shutdown,
    work: impl Future<Output = Result<T, RepositoryError>>,
) -> Result<T, SnapshotError> {
    let done = stop.run_until(work).await;
    Ok(done.ok_or(RepositoryError::Stopped)??)
}

impl Taker {
    pub(super) fn new(app: Arc<App>, stop: Shutdown) -> Self {
        let folder = cut::folder(&app.config.data_dir);
        Self {
            snapshots: Arc::clone(&app.place.snapshots),
            app,
            inventory: Arc::new(Inventory::new(&folder)),
            stop,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_triggered()
    }

    fn leased(&self) -> Result<(), SnapshotError> {
        let own = self.app.place.check_outside();
        own.map_err(SnapshotError::Lease)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.app.catalog.now_ms()).unwrap_or_default()
    }

    /// Takes one.
    pub(super) async fn take(
        &self,
        opened: &Opened,
        wish: Wish,
    ) -> Result<Arc<Summary>, SnapshotError> {
        let snapshots = Arc::clone(&self.snapshots);
        let _alone = snapshots.working.lock().await;
        let began = Instant::now();
        self.snapshots.run(|running| {
            *running = Some(Running {
                started_ms: self.now_ms(),
                ..Running::default()
            });
        });
        let stop = self.stop.child();
        snapshots.taking(Some(stop.clone()));
        let mut taken = self.attempt(opened, wish, &stop).await;
        if stop.is_triggered() && !self.is_stopped() && taken.is_err() {
            taken = Err(no_room());
        }
        self.snapshots.run(|running| *running = None);
        let data_dir = self.app.config.data_dir.clone();
        let cleared = blocking("store snapshot end", move || cut::clear(&data_dir));
        if let Err(error) = cleared.await {
            tracing::warn!(%error, "the folder of the cut cannot be removed; the next snapshot does it");
        }
        snapshots.taking(None);
        let summary = taken?;
        self.app.metrics.snapshots.taken(&summary, began.elapsed());
        Ok(self.snapshots.learn(summary))
    }

    async fn attempt(
        &self,
        opened: &Opened,
        wish: Wish,
        stop: &Shutdown,
    ) -> Result<Summary, SnapshotError> {
        let (order, repository) = (&opened.order, opened.repository()?);
        self.leased()?;
        if self.app.catalog.is_flooded() {
            return Err(no_room());
        }
        let started_ms = self.now_ms();
        let mut names = unless(stop, repository.snapshots()).await?;
        let last = names.last().copied();
        if let Some(later) = last.filter(|last| last.incarnation() > order.incarnation) {
            return Err(SnapshotError::Superseded(later.to_string()));
        }
        let there = unless(stop, repository.objects(started_ms))
            .await?
            .into_iter()
            .map(|object| (object.sha256, object.bytes))
            .collect();
        let cut = cut::cut(&self.app).await?;
        self.app.metrics.snapshots.paused(cut.pause);
        let name = name::next(order.incarnation, cut.at_ms, last)
            .ok_or_else(|| SnapshotError::NotNow("the clock of this host is wrong".into()))?;
        self.snapshots.run(|running| {
            if let Some(running) = running {
                running.name = wish.alias.clone().unwrap_or_else(|| name.to_string());
            }
        });
        let inventory = Arc::clone(&self.inventory);
        let listed = blocking("store snapshot sums", move || inventory.list());
        // Asked to stop, it is not waited for: it reads only.
        let listed = stop.run_until(listed).await;
        let listed = listed.ok_or(RepositoryError::Stopped)?;
        let files: Vec<File> = listed.map_err(SnapshotError::disk)?.into_values().collect();
        self.upload(repository, &files, &there, stop).await?;
        let manifest = Manifest {
            format: FORMAT,
            instance_id: order.instance_id().to_owned(),
            incarnation: name.incarnation(),
            taken_ms: name.taken_ms(),
            started_ms,
            ended_ms: self.now_ms(),
            reason: wish.reason,
            alias: wish.alias,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            documents: cut.indices.iter().map(|index| index.documents).sum(),
            indices: cut.indices,
            files,
        };
        // What was written here would never be read: better to be told now.
        manifest
            .check(order.instance_id(), name)
            .map_err(|e| SnapshotError::NotNow(e.to_string()))?;
        // Another place may have begun meanwhile.
        self.leased()?;
        unless(stop, repository.put_manifest(name, &manifest)).await?;
        names.insert(name);
        let summary = Summary::of(name, manifest);
        // The snapshot is there, whatever becomes of older ones.
        if let Err(error) = self.thin(repository, &names, order.keep, stop).await {
            tracing::warn!(%error, "old snapshots are deleted with the next one");
        }
        Ok(summary)
    }

    async fn upload(
        &self,
        repository: &Repository,
        files: &[File],
        there: &BTreeMap<String, u64>,
        stop: &Shutdown,
    ) -> Result<(), SnapshotError> {
        let new: Vec<File> = missing(files, there).into_iter().cloned().collect();
        self.snapshots.run(|running| {
            if let Some(running) = running {
                running.files = new.len() as u64;
                running.bytes = new.iter().map(|file| file.bytes).sum();
            }
        });
        let folder = cut::folder(&self.app.config.data_dir);
        // Once one fails the others end too, each by itself: it has parts to take back.
        let stop = &stop.child();
        let uploads = new.into_iter().map(|file| {
            let from = folder.join(&file.path);
            async move {
                if stop.is_triggered() {
                    return Err(RepositoryError::Stopped);
                }
                let went = |bytes: u64| {
                    self.app.metrics.snapshots.uploaded.add(bytes);
                    self.snapshots.run(|running| {
                        if let Some(running) = running {
                            running.bytes_done += bytes;
                        }
                    });
                };
                repository.put_object(&file, &from, stop, went).await?;
                self.app.metrics.snapshots.objects.inc();
                self.snapshots.run(|running| {
                    if let Some(running) = running {
                        running.files_done += 1;
                    }
                });
                Ok::<(), RepositoryError>(())
            }
        });
        let mut all = futures::stream::iter(uploads).buffer_unordered(AT_A_TIME);
        let mut outcome = Ok(());
        while let Some(one) = all.next().await {
            if one.is_err() && outcome.is_ok() {
                stop.trigger();
                outcome = one;
            }
        }
        Ok(outcome?)
    }

    /// Deletes snapshots that are too many.
    async fn thin(
        &self,
        repository: &Repository,
        names: &BTreeSet<Name>,
        keep: u32,
        stop: &Shutdown,
    ) -> Result<(), SnapshotError> {
        for name in excess(names, keep) {
            self.leased()?;
            unless(stop, repository.delete_manifest(name)).await?;
        }
        Ok(())
    }

    /// Deletes objects that no manifest names; none when a manifest cannot be read.
    pub(super) async fn sweep(&self, opened: &Opened) -> Result<usize, SnapshotError> {
        let repository = opened.repository()?;
        let _alone = self.snapshots.working.lock().await;
        self.leased()?;
        // Listed before the manifests are: what is named later was not there yet.
        let objects = unless(&self.stop, repository.objects(self.now_ms())).await?;
        let mut named = BTreeSet::new();
        for name in unless(&self.stop, repository.snapshots()).await? {
            let manifest = unless(&self.stop, repository.manifest(name)).await?;
            named.extend(manifest.files.into_iter().map(|file| file.sha256));
        }
        let mut gone = 0;
        for object in unnamed(&objects, &named) {
            self.leased()?;
            unless(&self.stop, repository.delete_object(&object.sha256)).await?;
            gone += 1;
        }
        let unfinished = repository.sweep_unfinished(Duration::from_millis(UNNAMED_KEPT_MS));
        Ok(gone + unfinished.await.map_err(SnapshotError::disk)?)
    }
}
