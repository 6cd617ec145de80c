//! What an index has on disk: its segments, the files of their deleted rows, and how far the journal is in them.
//!
//! Invariants: the manifest is replaced atomically and only names files that are synced; operations with
//! a sequence number below `sealed_below` are in those files, so replay skips them.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_store_core::columns::{RowSet, SegmentError};

const NAME: &str = "manifest.json";
const MAX_LIVE_FILE: u64 = 1 << 28;

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentEntry {
    /// Number in the file name.
    pub(crate) number: u64,
    /// Number of the file with the rows that are not deleted; `None`: all are there.
    pub(crate) live: Option<u64>,
}

/// The manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) segments: Vec<SegmentEntry>,
    pub(crate) sealed_below: u64,
    pub(crate) next_number: u64,
}

/// The file of a segment.
pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// The file of a segment's live rows.
pub(crate) fn live_path(dir: &Path, number: u64, live: u64) -> PathBuf {
    dir.join(format!("{number:08}.{live}.live"))
}

impl Manifest {
    /// Reads it; an index that was never sealed has none.
    pub(crate) fn load(dir: &Path) -> io::Result<Self> {
        match std::fs::read(dir.join(NAME)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        }
    }

    /// Replaces it, durably.
    pub(crate) fn store(&self, dir: &Path) -> io::Result<()> {
        crate::files::write_json(&dir.join(NAME), self, 0o640)
    }

    fn files(&self, dir: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for segment in &self.segments {
            files.push(segment_path(dir, segment.number));
            files.extend(
                segment
                    .live
                    .map(|live| live_path(dir, segment.number, live)),
            );
        }
        files
    }

    /// Removes the files that an older manifest named and this one does not. Others may just be being written.
    pub(crate) fn remove_replaced(&self, older: &Self, dir: &Path) {
        let kept = self.files(dir);
        for path in older.files(dir).iter().filter(|p| !kept.contains(p)) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// At start: removes files that it does not name, left by a crash.
    pub(crate) fn sweep(&self, dir: &Path) {
        let kept = self.files(dir);
        let Ok(entries) = std::fs::read_dir(dir) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let ours = path.extension().is_some_and(|e| e == "seg" || e == "live");
            if ours && !kept.contains(&path) {
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

/// Writes the live rows of a segment, synced.
pub(crate) fn write_live(dir: &Path, number: u64, live: u64, rows: &RowSet) -> io::Result<()> {
    let mut bytes = Vec::new();
    for word in rows.to_words() {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    crate::files::write_synced(&live_path(dir, number, live), &bytes)
}

/// Reads what [`write_live`] wrote.
pub(crate) fn read_live(
    dir: &Path,
    number: u64,
    live: u64,
    rows: u32,
) -> Result<RowSet, SegmentError> {
    let path = live_path(dir, number, live);
    let damaged = || SegmentError::Damaged(format!("{}: checksum", path.display()));
    let io = |e: io::Error| SegmentError::Io(format!("{}: {e}", path.display()));
    if std::fs::metadata(&path).map_err(io)?.len() > MAX_LIVE_FILE {
        return Err(damaged());
    }
    let bytes = std::fs::read(&path).map_err(io)?;
    let at = bytes.len().checked_sub(4).ok_or_else(damaged)?;
    let (words, crc) = bytes.split_at(at);
    if crc != crc32fast::hash(words).to_le_bytes()
        || words.len() != (rows as usize).div_ceil(64) * 8
    {
        return Err(damaged());
    }
    let words = words
        .chunks_exact(8)
        .map(|c| c.iter().rev().fold(0u64, |w, b| (w << 8) | u64::from(*b)))
        .collect();
    Ok(RowSet::from_words(rows, words))
}
