//! Data that a replacement left on this host: kept below `set-aside/`, read-only, for people to look at.
//!
//! Invariants: what lies below `set-aside/` is whole, was synced before it came there, and is never
//! changed or removed by the allocator; its note (`set-aside.json`) says whose it was. Everything before
//! the one rename can be done again, so a crash at any point leaves the data either where it was or
//! there. An instance that is to run after all before the rename has its data back as it was. Not here:
//! when (the core).

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use wharf_proto::ids::InstanceId;
use wharf_runtime::data_dir::{read_limited, write_atomic};

use crate::secrets;

const FOLDER: &str = "set-aside";
const NOTE: &str = "set-aside.json";
const MAX_NOTE: u64 = 4096;
/// Reported at most; there is one for each replacement while the host was away.
const MOST: usize = 1_000;
/// Deepest folder of an instance's data.
const DEEPEST: usize = 32;

/// Data of an instance that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Whose it was.
    pub instance_id: String,
    /// Its folder.
    pub path: PathBuf,
    /// Of its files.
    pub bytes: u64,
    /// When, by this host's clock.
    pub at_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    instance_id: String,
    bytes: u64,
    set_aside_at_ms: i64,
}

/// Puts an instance's data out of the way; nothing is done when there is none. Blocks.
///
/// # Errors
/// When the system refuses; the next call goes on.
pub(crate) fn set_aside(data_dir: &Path, instance_id: &InstanceId, now_ms: i64) -> io::Result<()> {
    let from = secrets::directory(data_dir, instance_id.as_str());
    if !from.try_exists()? {
        return Ok(());
    }
    match fs::remove_dir_all(from.join("secrets")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let data = from.join("data");
    let bytes = if data.try_exists()? {
        close(&data, 0)?
    } else {
        0
    };
    let note = Note {
        instance_id: instance_id.to_string(),
        bytes,
        set_aside_at_ms: now_ms,
    };
    let text = serde_json::to_vec(&note).map_err(io::Error::other)?;
    write_atomic(from.join(NOTE), &text, 0o400)?;
    let folder = data_dir.join(FOLDER);
    make_folder(data_dir, &folder)?;
    let to = free_name(&folder, instance_id, now_ms)?;
    fs::rename(&from, &to)?;
    sync(&folder)?;
    sync(&data_dir.join("instances"))?;
    lock(&to)
}

/// What lies there. Blocks.
///
/// # Errors
/// When the folder cannot be read; what is in it and is not ours is left out.
pub(crate) fn list(data_dir: &Path) -> io::Result<Vec<SetAside>> {
    let entries = match fs::read_dir(data_dir.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let note = read_limited(path.join(NOTE), MAX_NOTE).ok().flatten();
        let note = note.and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        let Some(note) = note.filter(|note| note.instance_id.parse::<InstanceId>().is_ok()) else {
            continue;
        };
        // The rename was the last thing that an allocator did before it was killed.
        lock(&path)?;
        all.push(SetAside {
            instance_id: note.instance_id,
            path,
            bytes: note.bytes,
            at_ms: note.set_aside_at_ms,
        });
    }
    all.sort_by(|a, b| (a.at_ms, &a.path).cmp(&(b.at_ms, &b.path)));
    // The newest are those that somebody looks for.
    let first = all.len().saturating_sub(MOST);
    Ok(all.split_off(first))
}

/// Takes back what was begun, for an instance that is to run here after all. Blocks.
///
/// # Errors
/// When the system refuses.
pub(crate) fn give_back(directory: &Path) -> io::Result<()> {
    let data = directory.join("data");
    let closed = match fs::symlink_metadata(&data) {
        Ok(found) => found.permissions().mode() & 0o200 == 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if closed {
        open(&data, 0, true)?;
    }
    match fs::remove_file(directory.join(NOTE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder and all in it read-only and durable; the folder itself first, which is how
/// [`give_back`] knows that it was begun. Bytes of its files.
fn close(folder: &Path, depth: usize) -> io::Result<u64> {
    deep_enough(folder, depth)?;
    fs::set_permissions(folder, Permissions::from_mode(0o500))?;
    let mut bytes = 0_u64;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            bytes = bytes.saturating_add(close(&entry.path(), depth + 1)?);
        } else if kind.is_file() {
            // Neither a link, which leads elsewhere, nor a socket, which is no data.
            fs::set_permissions(entry.path(), Permissions::from_mode(0o400))?;
            let file = File::open(entry.path())?;
            file.sync_all()?;
            bytes = bytes.saturating_add(file.metadata()?.len());
        }
    }
    sync(folder)?;
    Ok(bytes)
}

/// The opposite; `top` is opened last, so that it tells of a half until there is none.
fn open(folder: &Path, depth: usize, top: bool) -> io::Result<()> {
    deep_enough(folder, depth)?;
    if !top {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            open(&entry.path(), depth + 1, false)?;
        } else if kind.is_file() {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o600))?;
        }
    }
    if top {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn deep_enough(folder: &Path, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        let what = format!("{} lies deeper than {DEEPEST} folders", folder.display());
        return Err(io::Error::other(what));
    }
    Ok(())
}

fn make_folder(data_dir: &Path, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(data_dir),
    }
}

/// By the instance and the time, or the next time that nothing has.
fn free_name(folder: &Path, instance_id: &InstanceId, now_ms: i64) -> io::Result<PathBuf> {
    let mut at = now_ms;
    loop {
        let path = folder.join(format!("{instance_id}-{at}"));
        if !path.try_exists()? {
            return Ok(path);
        }
        at = at.saturating_add(1);
    }
}

/// A folder that holds a note is changed by nobody any more. Only after the rename, which needs the
/// right to write to it.
fn lock(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & 0o200 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o500))?;
    sync(path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
