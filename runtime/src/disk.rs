//! How large a file system is and how much room it has.
//!
//! Invariants: `available_bytes` is what an unprivileged writer can still use. Not here: quotas, and
//! which file systems there are.

use std::io;
use std::path::Path;

/// Room of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Size of the file system.
    pub total_bytes: u64,
    /// Free, the part kept for root included.
    pub free_bytes: u64,
    /// Free for everybody.
    pub available_bytes: u64,
    /// File nodes in all; zero where the file system does not count them.
    pub total_inodes: u64,
    /// File nodes that are free.
    pub free_inodes: u64,
}

/// Asks the file system that holds `path`. Blocks for as long as that takes.
///
/// # Errors
/// When the path does not exist or the file system does not answer.
pub fn space(path: impl AsRef<Path>) -> io::Result<DiskSpace> {
    let stat = rustix::fs::statvfs(path.as_ref())?;
    Ok(DiskSpace {
        total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        free_bytes: stat.f_bfree.saturating_mul(stat.f_frsize),
        available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        total_inodes: stat.f_files,
        free_inodes: stat.f_ffree,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_of_the_working_directory_has_a_size() {
        let space = space(".").unwrap();
        assert!(space.total_bytes >= space.free_bytes);
        assert!(space.free_bytes >= space.available_bytes);
        assert!(space.total_bytes > 0);
        assert!(super::space("/does/not/exist").is_err());
    }
}
