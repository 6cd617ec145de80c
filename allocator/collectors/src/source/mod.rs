//! Sources: the files of the kernel that samples are read from.
//!
//! Invariants: reads are bounded; a file that is not there (any more) is `None`, never an error:
//! processes and containers vanish between two reads as a matter of course.
//! Not here: what the text means (`core::kernel`).

pub mod cgroup;
pub mod host;
pub mod process;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use wharf_collectors_core::kernel::MAX_FILE_BYTES;

/// Reads a kernel file as text, at most [`MAX_FILE_BYTES`].
pub(crate) fn read(path: impl AsRef<Path>) -> Option<String> {
    let bytes = read_bytes(path, MAX_FILE_BYTES)?;
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// Reads a kernel file, or the start of it. No size is asked for before: the kernel says 0.
pub(crate) fn read_bytes(path: impl AsRef<Path>, limit: usize) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let mut bytes = Vec::with_capacity(1024);
    file.take(limit as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
