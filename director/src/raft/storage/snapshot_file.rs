//! Snapshot files: one file per snapshot, written tmp -> fsync -> rename -> fsync of the directory.
//!
//! A file is `magic, version, length of metadata, metadata, length of data, data, crc32 of all before`, little endian.
//! Its name carries index and term, so that a new snapshot never overwrites the one the log still refers to.
//! Not here: which snapshot is current (the log's metadata says so) and when to make one (`member.rs`).

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use raft::eraftpb::{Snapshot, SnapshotMetadata};
use raft_prost::Message as _;

use super::StoreError;

const MAGIC: &[u8; 8] = b"WHARFSNP";
const VERSION: u32 = 1;

/// The largest snapshot that is written or read.
pub const MAX_SNAPSHOT_BYTES: usize = 256 * 1024 * 1024;

fn file_error(what: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::File { what, source }
}

/// The path of the snapshot at an index and term.
#[must_use]
pub fn path_of(directory: &Path, index: u64, term: u64) -> PathBuf {
    directory.join(format!("{index:020}-{term:020}.snap"))
}

/// Makes a rename or creation in `directory` durable.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Writes a snapshot durably; a file of the same index and term is replaced.
pub fn write(directory: &Path, snapshot: &Snapshot) -> Result<(), StoreError> {
    if snapshot.data.len() > MAX_SNAPSHOT_BYTES {
        return Err(StoreError::Damaged(format!(
            "a snapshot of {} bytes is over the limit of {MAX_SNAPSHOT_BYTES}",
            snapshot.data.len()
        )));
    }
    let metadata = snapshot.get_metadata();
    let target = path_of(directory, metadata.index, metadata.term);
    let temporary = target.with_extension("tmp");
    let encoded = metadata.encode_to_vec();
    let mut head = Vec::with_capacity(encoded.len() + 24);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
    head.extend_from_slice(&encoded);
    head.extend_from_slice(&(snapshot.data.len() as u64).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head);
    crc.update(&snapshot.data);

    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(&head)?;
        file.write_all(&snapshot.data)?;
        file.write_all(&crc.finalize().to_le_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &target)?;
        sync_directory(directory)
    })();
    written.map_err(file_error("writing a snapshot"))
}

/// When a snapshot was written, milliseconds since 1970; zero when there is none or the file does not tell.
pub fn written_at_ms(directory: &Path, index: u64, term: u64) -> u64 {
    fs::metadata(path_of(directory, index, term))
        .and_then(|file| file.modified())
        .ok()
        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

/// Reads the snapshot at an index and term and checks every byte of it.
pub fn read(directory: &Path, index: u64, term: u64) -> Result<Snapshot, StoreError> {
    let path = path_of(directory, index, term);
    let mut file = File::open(&path).map_err(file_error("opening a snapshot"))?;
    let length = file
        .metadata()
        .map_err(file_error("reading a snapshot"))?
        .len();
    if length > MAX_SNAPSHOT_BYTES as u64 + 1024 * 1024 {
        return Err(StoreError::Damaged(format!(
            "snapshot {index} is too large"
        )));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.read_to_end(&mut bytes)
        .map_err(file_error("reading a snapshot"))?;
    let snapshot = parse(bytes)
        .ok_or_else(|| StoreError::Damaged(format!("snapshot {index} has bad bytes")))?;
    if (snapshot.get_metadata().index, snapshot.get_metadata().term) != (index, term) {
        return Err(StoreError::Damaged(format!(
            "snapshot {index} holds another index"
        )));
    }
    Ok(snapshot)
}

fn parse(mut bytes: Vec<u8>) -> Option<Snapshot> {
    let body = bytes.len().checked_sub(4)?;
    let expected = u32::from_le_bytes(bytes[body..].try_into().ok()?);
    if crc32fast::hash(&bytes[..body]) != expected {
        return None;
    }
    if bytes.get(..8)? != MAGIC || bytes.get(8..12)? != VERSION.to_le_bytes() {
        return None;
    }
    let metadata_length = u32::from_le_bytes(bytes.get(12..16)?.try_into().ok()?) as usize;
    let metadata_end = 16usize.checked_add(metadata_length)?;
    let metadata = SnapshotMetadata::decode(bytes.get(16..metadata_end)?).ok()?;
    let data_start = metadata_end.checked_add(8)?;
    let data_length = u64::from_le_bytes(bytes.get(metadata_end..data_start)?.try_into().ok()?);
    if u64::try_from(body.checked_sub(data_start)?).ok()? != data_length {
        return None;
    }
    bytes.truncate(body);
    bytes.drain(..data_start);
    Some(Snapshot {
        data: bytes,
        metadata: Some(metadata),
    })
}

/// Whether a snapshot was ever finished here.
#[must_use]
pub fn holds_any(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|listing| {
        listing
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|end| end == "snap"))
    })
}

/// Removes every snapshot file but the one named; a file that cannot be removed is only logged.
pub fn remove_others(directory: &Path, index: u64, term: u64) {
    let keep = path_of(directory, index, term);
    let Ok(listing) = fs::read_dir(directory) else {
        return;
    };
    for path in listing.flatten().map(|entry| entry.path()) {
        let ours = path
            .extension()
            .is_some_and(|extension| extension == "snap" || extension == "tmp");
        if ours
            && path != keep
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(path = %path.display(), %error, "an old snapshot stays on disk");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use raft::eraftpb::ConfState;

    fn snapshot(index: u64, data: Vec<u8>) -> Snapshot {
        Snapshot {
            data,
            metadata: Some(SnapshotMetadata {
                conf_state: Some(ConfState {
                    voters: vec![1, 2],
                    ..ConfState::default()
                }),
                index,
                term: 3,
            }),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_written_snapshot_reads_back_and_any_changed_byte_is_noticed(
            data in proptest::collection::vec(any::<u8>(), 0..2000), at in any::<prop::sample::Index>()
        ) {
            let directory = tempfile::tempdir().unwrap();
            let written = snapshot(7, data);
            write(directory.path(), &written).unwrap();
            prop_assert_eq!(&read(directory.path(), 7, 3).unwrap(), &written);
            let path = path_of(directory.path(), 7, 3);
            let mut bytes = fs::read(&path).unwrap();
            let position = at.index(bytes.len());
            bytes[position] ^= 0x40;
            fs::write(&path, bytes).unwrap();
            prop_assert!(read(directory.path(), 7, 3).is_err());
        }
    }

    #[test]
    fn only_the_current_snapshot_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        for index in [1, 2, 3] {
            write(directory.path(), &snapshot(index, vec![1])).unwrap();
        }
        fs::write(directory.path().join("x.tmp"), b"half").unwrap();
        remove_others(directory.path(), 3, 3);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(read(directory.path(), 3, 3).is_ok());
    }
}
