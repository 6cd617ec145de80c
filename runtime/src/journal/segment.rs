//! One segment file: its name, its place in the index, creating it durably.
//!
//! Invariants: a segment's name is the zero-padded sequence number of its first record, so names sort
//! as records do; a segment exists in the directory durably before a record is acknowledged from it.
//! Not here: what is in it (`frame`).

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::frame::{SEGMENT_HEADER, segment_header};

const SUFFIX: &str = ".wj";

/// What the index knows of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) first_seq: u64,
    /// One past the last record.
    pub(crate) next_seq: u64,
    pub(crate) bytes: u64,
}

impl Segment {
    /// Makes the file with its header, durably, and returns it open for writing at its end.
    pub(crate) fn create(dir: &Path, first_seq: u64) -> io::Result<(Self, File)> {
        let path = segment_path(dir, first_seq);
        let made = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|mut file| {
                file.write_all(&segment_header(first_seq))?;
                file.sync_all()?;
                sync_dir(dir)?;
                Ok(file)
            });
        match made {
            Ok(file) => {
                let bytes = SEGMENT_HEADER as u64;
                Ok((
                    Self {
                        path,
                        first_seq,
                        next_seq: first_seq,
                        bytes,
                    },
                    file,
                ))
            }
            Err(error) => {
                // Half a header would only be cut at the next start; a full disk needs the room now.
                drop(std::fs::remove_file(&path));
                Err(error)
            }
        }
    }
}

pub(crate) fn segment_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}{SUFFIX}"))
}

pub(crate) fn segment_seq(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 20 && digits.bytes().all(|c| c.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// Makes names created or removed in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
