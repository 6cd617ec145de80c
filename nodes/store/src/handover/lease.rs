//! Until when writes may be taken, as the host's allocator says in a file.
//!
//! Invariants: the file is looked at again before a write is refused, and twice a second while all is well; reading it never fails a
//! read. Not here: what it means (core `lease`).

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use wharf_runtime::clock::boottime_ms;
use wharf_runtime::data_dir::read_limited;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::lease::{Found, Lease, MAX_GRANT_BYTES, read_grant};

const FILE: &str = "lease.json";
/// For how long what was read is used.
const USED_MS: u64 = 500;

struct Known {
    lease: Lease,
    read_ms: u64,
}

/// The lease.
pub(crate) struct LeaseFile {
    path: Option<PathBuf>,
    known: Mutex<Known>,
}

impl LeaseFile {
    /// Reads it. Without a folder of secrets there is none. Blocks.
    pub(crate) fn open(secrets: Option<PathBuf>) -> Self {
        let path = secrets.map(|dir| dir.join(FILE));
        let lease = Lease::default().told(find(path.as_ref()));
        let read_ms = boottime_ms();
        Self {
            path,
            known: Mutex::new(Known { lease, read_ms }),
        }
    }

    /// Refuses a write that must not be applied or acknowledged now. Blocks, shortly.
    pub(crate) fn check(&self) -> EsResult<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = boottime_ms();
        if known.lease.check(now).is_err() || now.saturating_sub(known.read_ms) >= USED_MS {
            known.lease = known.lease.told(find(self.path.as_ref()));
            known.read_ms = now;
        }
        // Read again: the file may have taken its time.
        known
            .lease
            .check(boottime_ms())
            .map_err(|over| EsError::new(503, "cluster_block_exception", over.to_string()))
    }
}

fn find(path: Option<&PathBuf>) -> Found {
    let Some(path) = path else {
        return Found::Nothing;
    };
    match read_limited(path, MAX_GRANT_BYTES) {
        Ok(Some(bytes)) => read_grant(&bytes),
        Ok(None) => Found::Nothing,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "STO0001: the lease cannot be read");
            Found::Unreadable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_what_the_file_says_now_and_over_when_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let free = LeaseFile::open(Some(dir.path().to_path_buf()));
        assert_eq!(free.check(), Ok(()));
        let write = |deadline: u64| {
            let text = format!(r#"{{"boottime_deadline_ms": {deadline}}}"#);
            std::fs::write(dir.path().join(FILE), text).unwrap();
        };
        write(0);
        let leased = LeaseFile::open(Some(dir.path().to_path_buf()));
        let refused = leased.check().unwrap_err();
        assert_eq!(refused.status(), 503);
        assert!(refused.to_string().contains("STO0001"), "{refused}");
        write(boottime_ms() + 600_000);
        assert_eq!(leased.check(), Ok(()), "a renewed lease counts at once");
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        assert!(
            LeaseFile::open(Some(dir.path().to_path_buf()))
                .check()
                .is_ok()
        );
        assert_eq!(leased.check(), Ok(()), "what was granted is granted");
        write(boottime_ms());
        let ended = LeaseFile::open(Some(dir.path().to_path_buf()));
        assert!(ended.check().is_err());
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        assert!(ended.check().is_err(), "once leased, always leased");
    }
}
