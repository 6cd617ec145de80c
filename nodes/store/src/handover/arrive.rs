//! Files that come from elsewhere, whoever has them: opened to be gone on with, checked when they are here.
//!
//! Invariants: a file counts only when it is durable and its checksum right; one that is not right is removed. Not here: what
//! is missing (core `handover::files`), who gives it (`fetch`, `snapshots`).

use std::collections::BTreeMap;
use std::fs::{File as Handle, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use wharf_store_core::handover::files::{File, Need};

use super::place::Place;
use crate::files::blocking;

/// What is here.
pub(crate) async fn inventory(place: &Arc<Place>) -> io::Result<BTreeMap<String, File>> {
    let place = Arc::clone(place);
    blocking("store copy inventory", move || place.inventory.list()).await
}

/// Removes a file, if it is there. Blocks.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folders whose names a path consists of, the data directory's own included.
pub(crate) fn parents(path: &str) -> impl Iterator<Item = String> {
    let ends = path.match_indices('/').map(|(at, _)| at);
    std::iter::once(0)
        .chain(ends)
        .map(|at| path[..at].to_owned())
}

/// Opens a file that bytes are to be added to. Blocks.
pub(crate) fn open(place: &Place, need: &Need) -> io::Result<Handle> {
    let path = place.data_dir.join(&need.file.path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if need.from == 0 {
        // Another file in its place, so that nothing that is known of the old one counts.
        remove(&path)?;
        place.inventory.forget_file(&need.file.path);
    }
    OpenOptions::new().create(true).append(true).open(&path)
}

/// Makes a file durable and checks it; one that is not what is listed is removed.
pub(crate) async fn arrived(place: &Arc<Place>, need: &Need, file: Handle) -> io::Result<bool> {
    let (ours, name) = (Arc::clone(place), need.file.path.clone());
    let checked = blocking("store copy check", move || {
        file.sync_all()?;
        ours.inventory.checksum(&name)
    });
    let right = checked.await?.as_ref() == Some(&need.file);
    if !right {
        remove(&place.data_dir.join(&need.file.path))?;
    }
    Ok(right)
}
