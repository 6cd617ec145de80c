//! The data directory of a role: made with the right mode, locked by one process, written atomically.
//!
//! Invariants: at most one process holds a directory (the lock goes with the process, however it ends);
//! [`write_atomic`] leaves the old file or the whole new one, durably, and never a wider mode than asked;
//! what [`make_dir`] has made is there after a power cut, or all that is synced in it would not be.
//! Not here: what the files mean.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "lock";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error(
        "the data directory {0} is in use by another process; stop that one or choose another directory"
    )]
    InUse(PathBuf),
    /// The system refused.
    #[error(
        "cannot use the data directory {dir}: {source}; check its owner and mode, and that the disk has room"
    )]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A directory that this process alone uses while this value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Held open for its lock.
    lock: File,
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started may have the file for a moment.
        let _ = self.lock.unlock();
    }
}

impl DataDir {
    /// Makes `path` (mode 0700) when it is missing, and locks it.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be made or written.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let path = path.into();
        let io_error = |source| DataDirError::Io {
            dir: path.clone(),
            source,
        };
        make_dir(&path, 0o700).map_err(io_error)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK_FILE))
            .map_err(io_error)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path)),
            Err(TryLockError::Error(error)) => Err(io_error(error)),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes a directory, and those above it, with `mode` where they are missing, and the name of each that it
/// made durable. Blocks.
///
/// # Errors
/// When one cannot be made or synced.
pub fn make_dir(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    let path = path.as_ref();
    let mut missing = Vec::new();
    for dir in path.ancestors().filter(|dir| !dir.as_os_str().is_empty()) {
        if dir.try_exists()? {
            break;
        }
        missing.push(dir);
    }
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    for made in missing {
        let above = made.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Replaces `path` by a file of `bytes` with `mode`: temporary file → fsync → rename → fsync of the
/// directory. Blocks.
///
/// # Errors
/// When any of these steps fails; the old file is then still there.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace(path.as_ref(), bytes, mode, true)
}

/// The same without either fsync, for what is worth nothing after a power cut: a reader sees the old file or the
/// whole new one for as long as the machine runs. Blocks.
///
/// # Errors
/// When the file cannot be written; the old one is then still there.
pub fn write_until_power_cut(path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace(path.as_ref(), bytes, mode, false)
}

fn replace(path: &Path, bytes: &[u8], mode: u32, durable: bool) -> io::Result<()> {
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("the path names no file"))?;
    let temporary = dir.join(format!(
        ".{}.{}.tmp",
        name.to_string_lossy(),
        hex::encode(crate::random::bytes::<8>())
    ));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            if durable {
                file.sync_all()?;
            }
            fs::rename(&temporary, path)
        });
    if let Err(error) = written {
        // The temporary file may not even exist; the first error is the one to tell.
        drop(fs::remove_file(&temporary));
        return Err(error);
    }
    if durable {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Reads a file that may be missing (`None`) but not larger than `limit` bytes. Blocks.
///
/// # Errors
/// When it cannot be read or is larger.
pub fn read_limited(path: impl AsRef<Path>, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the file is larger than {limit} bytes"),
        ));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_directory_is_used_by_one_holder_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let held = DataDir::open(&path).unwrap();
        assert!(matches!(DataDir::open(&path), Err(DataDirError::InUse(_))));
        assert_eq!(
            fs::metadata(held.path()).unwrap().permissions().mode() & 0o777,
            0o700
        );
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_directory_is_let_go_although_a_process_that_is_being_started_has_its_lock() {
        let parent = tempfile::tempdir().unwrap();
        let held = DataDir::open(parent.path()).unwrap();
        let elsewhere = held.lock.try_clone().unwrap();
        drop(held);
        DataDir::open(parent.path()).unwrap();
        drop(elsewhere);
    }

    #[test]
    fn directories_are_made_where_they_are_missing_with_their_mode() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        make_dir(&path, 0o750).unwrap();
        make_dir(&path, 0o700).unwrap();
        for made in [path.clone(), parent.path().join("a")] {
            let mode = fs::metadata(&made).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o750, "{}", made.display());
        }
        fs::write(path.join("file"), "").unwrap();
        assert!(make_dir(path.join("file"), 0o700).is_err());
    }

    #[test]
    fn an_atomic_write_replaces_the_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_atomic(&path, b"one", 0o600).unwrap();
        write_atomic(&path, b"two", 0o600).unwrap();
        assert_eq!(read_limited(&path, 3).unwrap().unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A directory in the way: the write fails and cleans up.
        fs::create_dir(dir.path().join("taken")).unwrap();
        assert!(write_atomic(dir.path().join("taken"), b"x", 0o600).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn reading_stops_at_the_limit_and_a_missing_file_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_limited(dir.path().join("none"), 10).unwrap(), None);
        fs::write(dir.path().join("large"), [0; 11]).unwrap();
        assert!(read_limited(dir.path().join("large"), 10).is_err());
    }
}
