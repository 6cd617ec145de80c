//! Following log files over rotation.
//!
//! Invariants: every whole line of a file is given out, in order, at least once, and with the same
//! position each time; reading is bounded per turn; a file that was renamed is read to its end
//! before the next one is begun.
//! Not here: what is in a line (`core::log`), when to read (`log_task`).

pub mod follow;
pub(crate) mod journald;
pub mod registry;

pub use follow::{Follow, Line, Turn};
pub use registry::{Position, Registry};

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Device and inode: the same file under another name has the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
}

impl Identity {
    /// The identity of a file.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    fn at(path: &Path) -> Option<Self> {
        Some(Self::of(&std::fs::metadata(path).ok()?))
    }
}

/// The most rotated files beside a log that are looked at.
const MAX_ROTATED: usize = 32;

/// A log and its rotated predecessors, newest first: `x`, `x.1`, `x.2`, … Compressed ones cannot be
/// followed and end the list.
fn generations(path: &Path) -> Vec<(PathBuf, Identity)> {
    let mut found = Vec::new();
    for number in 0..=MAX_ROTATED {
        let path = if number == 0 {
            path.to_path_buf()
        } else {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        match Identity::at(&path) {
            Some(identity) => found.push((path, identity)),
            // Between a rename and the creation of the new file there is no current one.
            None if number == 0 => {}
            None => break,
        }
    }
    found
}

/// Opens a path and makes sure what it opened.
fn open(path: &Path) -> Option<(File, Identity, u64)> {
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    Some((file, Identity::of(&metadata), metadata.len()))
}
