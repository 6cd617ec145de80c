//! Files that are read and replaced whole: written beside, synced, renamed, the directory synced.
//!
//! Invariants: a reader sees the old content or the new, also after a crash; one that cannot be understood is an error that
//! names it and never taken for a missing one. Not here: the journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wharf_runtime::data_dir::read_limited;

/// Does what blocks where it keeps no task from going on; a panic of it is an error.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = wharf_runtime::task::spawn_blocking(what, work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Reads JSON of at most `limit` bytes, if it is there. Blocks.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, limit: u64) -> io::Result<Option<T>> {
    let said = |e: &dyn std::fmt::Display| io::Error::other(format!("{}: {e}", path.display()));
    let Some(bytes) = read_limited(path, limit).map_err(|e| said(&e))? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| said(&e))
}

/// Writes JSON in place of `path`.
pub(crate) fn write_json<T: Serialize + ?Sized>(
    path: &Path,
    value: &T,
    mode: u32,
) -> io::Result<()> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    let parent = path
        .parent()
        .ok_or_else(|| io::Error::other("path has no directory"))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let beside = parent.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&beside, path)?;
    sync_dir(parent)
}

/// Writes a new file and syncs it, not yet its directory.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
