//! The cut: every file of the store as it is at one moment, beside the store's own.
//!
//! Invariants: writes are held only while names are linked and lengths noted, for a bounded time; what was acknowledged before
//! is in it; what is in it is a store's directory as a crash would leave it; nothing of it is left after a start. Not here:
//! holding (the gate), reading what was cut.

use std::fs::File as Handle;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_store_core::handover::files::Kind;
use wharf_store_core::snapshot::manifest::IndexCount;

use super::error::SnapshotError;
use crate::files::blocking;
use crate::handover::NotStill;
use crate::handover::inventory::gather;
use crate::http::App;
use crate::maintenance_task;

/// The folder of a cut, below the data directory: a link needs the same file system.
const FOLDER: &str = "snapshot_cut";

/// What was cut.
pub(super) struct Cut {
    pub(super) indices: Vec<IndexCount>,
    /// For how long writes were held.
    pub(super) pause: Duration,
    pub(super) at_ms: u64,
}

/// Where it lies.
pub(super) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER)
}

/// Removes it. Blocks.
pub(super) fn clear(data_dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder(data_dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Bytes that it alone keeps: what the store has deleted since, and copies of what grew. Blocks.
pub(super) fn kept_bytes(data_dir: &Path) -> io::Result<u64> {
    let folder = folder(data_dir);
    let mut paths = Vec::new();
    gather(&folder, "", 0, &mut paths)?;
    let mut bytes = 0;
    for (path, _) in paths {
        match std::fs::symlink_metadata(folder.join(path)) {
            Ok(facts) if facts.nlink() == 1 => bytes += facts.len(),
            Ok(_) => {}
            // It may be removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn not_now(why: NotStill) -> SnapshotError {
    SnapshotError::NotNow(why.to_string())
}

/// Cuts.
pub(super) async fn cut(app: &Arc<App>) -> Result<Cut, SnapshotError> {
    let data_dir = app.config.data_dir.clone();
    let fresh = data_dir.clone();
    blocking("store snapshot folder", move || {
        clear(&fresh)?;
        std::fs::create_dir(folder(&fresh))
    })
    .await
    .map_err(SnapshotError::disk)?;
    let still = app.place.gate.still().await.map_err(not_now)?;
    // What is in files does not go as a journal that is new as a whole each time.
    let sealing = Arc::clone(app);
    blocking("store snapshot seal", move || {
        let indices = sealing.catalog.indices();
        let sealed = indices
            .iter()
            .try_for_each(|index| index.shard.seal().map(drop));
        sealed.map_err(io::Error::other)
    })
    .await
    .map_err(SnapshotError::disk)?;
    maintenance_task::trim(app).await;
    let began = Instant::now();
    let held = still.hold().await.map_err(not_now)?;
    // What was answered is durable, and in the files.
    let durable = match app.catalog.journal.barrier() {
        Ok(ticket) => ticket.await.map(|_| ()),
        Err(error) => Err(error),
    };
    durable.map_err(|e| SnapshotError::NotNow(format!("the journal takes nothing: {e}")))?;
    let at_ms = u64::try_from(app.catalog.now_ms()).unwrap_or_default();
    let (linking, dir) = (Arc::clone(app), data_dir.clone());
    let linked = blocking("store snapshot links", move || {
        let growing = link(&dir, &folder(&dir))?;
        let indices = linking.catalog.indices();
        let counts = indices.iter().map(|index| IndexCount {
            name: index.name.clone(),
            documents: index.shard.stats().docs,
        });
        Ok((growing, counts.collect::<Vec<_>>()))
    });
    let (growing, indices) = linked.await.map_err(SnapshotError::disk)?;
    held.release().map_err(not_now)?;
    let pause = began.elapsed();
    drop(still);
    blocking("store snapshot journal", move || {
        growing
            .iter()
            .try_for_each(|(path, bytes)| keep_beginning(path, *bytes))
    })
    .await
    .map_err(SnapshotError::disk)?;
    Ok(Cut {
        indices,
        pause,
        at_ms,
    })
}

/// Links every file of the store and gives those that grow, with their lengths now. Blocks.
fn link(data_dir: &Path, to: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut paths = Vec::new();
    gather(data_dir, "", 0, &mut paths)?;
    let mut growing = Vec::new();
    for (path, kind) in paths {
        let (from, to) = (data_dir.join(&path), to.join(&path));
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::hard_link(&from, &to)?;
        if kind == Kind::Grows {
            let bytes = std::fs::metadata(&to)?.len();
            growing.push((to, bytes));
        }
    }
    Ok(growing)
}

/// Puts a copy of a file's first bytes in the place of the link to it, which grows on. Blocks.
fn keep_beginning(path: &Path, bytes: u64) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".cut");
    let beside = path.with_file_name(name);
    let copied = io::copy(
        &mut Handle::open(path)?.take(bytes),
        &mut Handle::create(&beside)?,
    )?;
    if copied != bytes {
        let why = format!("{} became shorter while it was cut", path.display());
        return Err(io::Error::other(why));
    }
    std::fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_grows_or_is_replaced_afterwards_is_in_a_cut_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        for folder in ["indices/a/rows", "journal"] {
            std::fs::create_dir_all(data.join(folder)).unwrap();
        }
        let journal = "journal/00000000000000000000.wj";
        for (path, text) in [
            ("catalog.json", "one"),
            ("lock", ""),
            ("indices/a/rows/00000000.seg", "rows"),
            (journal, "begin"),
        ] {
            std::fs::write(data.join(path), text).unwrap();
        }
        let cut = folder(data);
        std::fs::create_dir(&cut).unwrap();
        let growing = link(data, &cut).unwrap();
        let mut end = Handle::options()
            .append(true)
            .open(data.join(journal))
            .unwrap();
        end.write_all(b" and end").unwrap();
        std::fs::write(data.join("next"), "two").unwrap();
        std::fs::rename(data.join("next"), data.join("catalog.json")).unwrap();
        std::fs::remove_file(data.join("indices/a/rows/00000000.seg")).unwrap();
        for (path, bytes) in &growing {
            keep_beginning(path, *bytes).unwrap();
        }
        end.write_all(b"!").unwrap();
        let kept = ["one", "rows", "begin"].map(|text| text.len() as u64);
        assert_eq!(kept_bytes(data).unwrap(), kept.iter().sum::<u64>());
        let read = |path: &str| std::fs::read_to_string(cut.join(path)).unwrap();
        assert_eq!(read("catalog.json"), "one");
        assert_eq!(read("indices/a/rows/00000000.seg"), "rows");
        assert_eq!(read(journal), "begin");
        assert!(!cut.join("lock").exists(), "it is no file of the store");
        let mut again = Vec::new();
        gather(&cut, "", 0, &mut again).unwrap();
        assert_eq!(again.len(), 3, "nothing else lies there: {again:?}");
        clear(data).unwrap();
        assert!(!cut.exists());
        clear(data).unwrap();
    }
}
