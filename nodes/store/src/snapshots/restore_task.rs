//! The task that brings an instance's last snapshot here and serves it, as long as it is ordered.
//!
//! Invariants: which snapshot it is is written down before anything of it is brought; nothing is served before every file is
//! durable, its checksum right and the store opened, and that is written down; what fails is told and tried again. Not
//! here: whether to restore at all (core `snapshot::restore`).

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use wharf_runtime::backoff::Backoff;
use wharf_runtime::task::Shutdown;
use wharf_store_core::handover::files::{self, Need};
use wharf_store_core::snapshot::manifest::Manifest;
use wharf_store_core::snapshot::name::Name;
use wharf_store_core::snapshot::restore::{Found, Kept};

use super::error::{RepositoryError, RestoreError};
use super::order::{self, Order};
use super::repository::{Repository, TOLD_AFTER};
use crate::files::{blocking, read_json, sync_dir, write_json};
use crate::handover::{Place, arrive};
use crate::http::App;
use crate::server::Launch;

/// Files that are brought at a time.
const AT_A_TIME: usize = 3;
const FILE: &str = "restore_state.json";
const MAX_BYTES: u64 = 16 * 1024;

/// How far a restore came, if there is one. Blocks.
pub(crate) fn kept(data_dir: &std::path::Path) -> io::Result<Option<Kept>> {
    read_json(&data_dir.join(FILE), MAX_BYTES)
}

/// Writes down how far a restore came. Blocks.
pub(crate) fn keep(data_dir: &std::path::Path, kept: &Kept) -> io::Result<()> {
    write_json(&data_dir.join(FILE), kept, 0o600)
}

struct Restore {
    place: Arc<Place>,
    secrets: PathBuf,
    launch: Arc<Launch>,
    incarnation: u64,
    snapshot: Option<String>,
}

/// Restores, then waits for shutdown.
pub(crate) async fn run(place: Arc<Place>, kept: Kept, launch: Arc<Launch>, shutdown: Shutdown) {
    let (incarnation, snapshot) = match kept {
        Kept::Restoring {
            incarnation,
            snapshot,
        } => (incarnation, snapshot),
        Kept::Restored { incarnation, .. } => (incarnation, None),
    };
    let Some(secrets) = place.secrets.clone() else {
        place.restoring.tell(|report| {
            report.stage = "failed";
            report.reason =
                RestoreError::NoOrder("there is nobody who could order to go on with it")
                    .to_string();
        });
        shutdown.triggered().await;
        return;
    };
    let mut restore = Restore {
        place,
        secrets,
        launch,
        incarnation,
        snapshot,
    };
    // Asked to stop, it stops where it is: what is durable says how to go on.
    let _ = shutdown.run_until(restore.work()).await;
    shutdown.triggered().await;
}

impl Restore {
    async fn work(&mut self) {
        let mut backoff = Backoff::new(500, 10_000);
        while let Err(error) = self.attempt().await {
            tracing::warn!(%error, "the restore is tried again");
            self.place.restoring.tell(|report| {
                report.stage = if error.is_lasting() {
                    "failed"
                } else {
                    "restoring"
                };
                report.reason = error.to_string();
            });
            tokio::time::sleep(backoff.next(wharf_runtime::random::next_u64())).await;
        }
    }

    async fn keep(&self, kept: Kept) -> Result<(), RestoreError> {
        let dir = self.place.data_dir.clone();
        let done = blocking("store restore state", move || keep(&dir, &kept)).await;
        done.map_err(RestoreError::disk)
    }

    /// What is ordered.
    fn order(&mut self) -> Result<Order, RestoreError> {
        match order::restore(&self.secrets) {
            Found::Order { incarnation } => {
                if incarnation != self.incarnation {
                    // Nothing of the former one was served.
                    (self.incarnation, self.snapshot) = (incarnation, None);
                }
            }
            Found::Nothing => {
                return Err(RestoreError::NoOrder("there is no order to go on with it"));
            }
            Found::Unreadable => {
                return Err(RestoreError::NoOrder("the order cannot be read"));
            }
        }
        match order::repository(&self.secrets) {
            Ok(Some(order)) => Ok(order),
            Ok(None) => Err(RestoreError::NoOrder("no repository is told of")),
            Err(why) => Err(RepositoryError::Order(why).into()),
        }
    }

    async fn attempt(&mut self) -> Result<(), RestoreError> {
        let order = self.order()?;
        let name = order.repository.clone();
        let mut opening =
            wharf_runtime::task::spawn_blocking("store restore repository", move || {
                let repository = Repository::open(&order);
                (order, repository)
            });
        let opened = match tokio::time::timeout(TOLD_AFTER, &mut opening).await {
            Ok(opened) => opened,
            Err(_) => {
                let late = RepositoryError::late(&name, TOLD_AFTER).to_string();
                self.place.restoring.tell(|report| report.reason = late);
                // There is no second try meanwhile: each would keep a thread.
                opening.await
            }
        };
        let (order, repository) = opened.map_err(|e| RestoreError::disk(io::Error::other(e)))?;
        let repository = Arc::new(repository?);
        let (name, manifest) = self.choose(&order, &repository).await?;
        self.keep(Kept::Restoring {
            incarnation: self.incarnation,
            snapshot: Some(name.to_string()),
        })
        .await?;
        self.bring(&repository, name, &manifest).await?;
        let opened = self.launch.open().await;
        let app = opened.map_err(|e| RestoreError::Open(name.to_string(), e.to_string()))?;
        let done = self.keep(Kept::Restored {
            incarnation: self.incarnation,
            snapshot: name.to_string(),
            taken_ms: manifest.taken_ms,
            bytes: manifest.bytes,
        });
        if let Err(error) = done.await {
            close(&app).await;
            return Err(error);
        }
        self.place.restoring.finished();
        self.launch.serve(app);
        self.place.restoring.tell(|report| {
            report.stage = "serving";
            report.reason = String::new();
        });
        tracing::info!(snapshot = %name, bytes = manifest.bytes, "the snapshot is here: serving");
        Ok(())
    }

    /// The snapshot that was begun with, as long as it is there, or the last one.
    async fn choose(
        &mut self,
        order: &Order,
        repository: &Repository,
    ) -> Result<(Name, Manifest), RestoreError> {
        let names = repository.snapshots().await?;
        let begun = self.snapshot.as_deref().and_then(Name::parse);
        let name = begun
            .filter(|name| names.contains(name))
            .or_else(|| names.last().copied())
            .ok_or_else(|| RestoreError::NoSnapshot(order.repository.clone()))?;
        let manifest = repository.manifest(name).await?;
        self.snapshot = Some(name.to_string());
        Ok((name, manifest))
    }

    /// Makes what is here what the snapshot names.
    async fn bring(
        &self,
        repository: &Arc<Repository>,
        name: Name,
        manifest: &Manifest,
    ) -> Result<(), RestoreError> {
        let place = &self.place;
        let here = arrive::inventory(place).await.map_err(RestoreError::disk)?;
        let wrong = |e: &dyn std::fmt::Display| RestoreError::Open(name.to_string(), e.to_string());
        let plan = files::plan(&manifest.files, &here).map_err(|e| wrong(&e))?;
        place.restoring.tell(|report| {
            report.stage = "restoring";
            report.snapshot = name.to_string();
            report.taken_ms = manifest.taken_ms;
            report.bytes_total = manifest.bytes;
            report.bytes_done = manifest.bytes.saturating_sub(plan.bytes());
        });
        let mut folders = BTreeSet::new();
        for path in &plan.remove {
            folders.extend(arrive::parents(path));
            arrive::remove(&place.data_dir.join(path)).map_err(RestoreError::disk)?;
        }
        let needs = plan.needs.iter();
        folders.extend(needs.flat_map(|need| arrive::parents(&need.file.path)));
        let coming = plan
            .needs
            .into_iter()
            .map(|need| bring_one(Arc::clone(place), Arc::clone(repository), need));
        futures::stream::iter(coming)
            .buffer_unordered(AT_A_TIME)
            .try_collect::<()>()
            .await?;
        let dir = place.data_dir.clone();
        blocking("store restore folders", move || {
            folders
                .iter()
                .try_for_each(|folder| sync_dir(&dir.join(folder)))
        })
        .await
        .map_err(RestoreError::disk)?;
        let here = arrive::inventory(place).await.map_err(RestoreError::disk)?;
        let left = files::plan(&manifest.files, &here).map_err(|e| wrong(&e))?;
        match left.needs.first() {
            None if left.remove.is_empty() => Ok(()),
            Some(need) => Err(wrong(&format!("`{}` is not right here", need.file.path))),
            None => Err(wrong(&"files lie here that are not its own")),
        }
    }
}

/// Brings one file. What is here of it was of another one, if it is not right with that.
async fn bring_one(
    place: Arc<Place>,
    repository: Arc<Repository>,
    mut need: Need,
) -> Result<(), RestoreError> {
    loop {
        let mut into = arrive::open(&place, &need).map_err(RestoreError::disk)?;
        let came = |bytes: u64| place.restoring.tell(|report| report.bytes_done += bytes);
        repository
            .get_object(&need.file, need.from, &mut into, came)
            .await?;
        let right = arrive::arrived(&place, &need, into).await;
        if right.map_err(RestoreError::disk)? {
            return Ok(());
        }
        if need.from == 0 {
            let why = "its checksum is wrong".to_owned();
            return Err(repository.damaged(&need.file, why).into());
        }
        // What was here counted as done.
        let counted = need.file.bytes;
        place.restoring.tell(|report| {
            report.bytes_done = report.bytes_done.saturating_sub(counted);
        });
        need.from = 0;
    }
}

/// Closes a store that was opened and does not serve.
async fn close(app: &App) {
    app.catalog.journal.close().await;
}
