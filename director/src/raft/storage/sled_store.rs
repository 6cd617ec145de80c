//! The Raft store of a real director: the log and the hard state in sled, snapshots as files beside it.
//!
//! sled 0.34.7 holds only when it is used like this, so the rules are kept here and nowhere else:
//! one tree, one `apply_batch` per write; after a durable write `flush()` **and** `sync_data()` on an own handle of
//! `<dir>/log/db`, because sled's flush on Linux is `sync_file_range` and can be lost in a power cut; values so small
//! that a whole leaf stays far below 128 KiB, because larger pages go to blob files that sled never syncs;
//! big-endian keys; cache 64 MiB; never `flush_async`.
//! Not here: deciding what to do with a store that cannot be opened (the caller moves it aside and joins again).

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use raft::eraftpb::{Entry, HardState, Snapshot, SnapshotMetadata};
use raft_prost::Message as _;
use sled::{Batch, Db};
use thiserror::Error;

use super::entry_chunks::{EntryCursor, entry_key, put_entry};
use super::{RaftStore, StoreError, Write, snapshot_file};

const CACHE_BYTES: u64 = 64 * 1024 * 1024;
const COMPACT_BATCH: u64 = 1_000;
const FORMAT: u32 = 1;
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_RETRY: Duration = Duration::from_millis(20);

const KEY_FORMAT: &[u8] = b"format";
const KEY_MEMBER: &[u8] = b"member";
const KEY_HARD_STATE: &[u8] = b"hard_state";
const KEY_SNAPSHOT: &[u8] = b"snapshot";
const KEY_TRUNCATED: &[u8] = b"truncated";

/// Why a store could not be opened.
#[derive(Debug, Error)]
pub enum StoreOpenError {
    /// Another process has it open.
    #[error("the raft store at {path} is in use by another process; stop the other director first")]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// A newer release wrote it.
    #[error(
        "the raft store at {path} has format {found}, this release reads {FORMAT}; start a newer release"
    )]
    Format {
        /// The store's directory.
        path: PathBuf,
        /// The format found.
        found: u32,
    },
    /// Its content makes no sense: move it aside and join again under a new member id.
    #[error(
        "the raft store at {path} is damaged ({reason}); move it aside and join again as a new member"
    )]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The disk or the permissions are at fault, not the content.
    #[error(
        "the raft store at {path} cannot be opened: {source}; check the disk and the directory's owner"
    )]
    Io {
        /// The store's directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Renames a store that cannot be opened to `<dir>.<label>` and returns the new path; nothing is deleted.
pub fn move_aside(directory: &Path, label: &str) -> io::Result<PathBuf> {
    let name = directory
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("raft");
    for attempt in 0..1_000u32 {
        let suffix = if attempt == 0 {
            String::new()
        } else {
            format!("-{attempt}")
        };
        let target = directory.with_file_name(format!("{name}.{label}{suffix}"));
        if target.exists() {
            continue;
        }
        fs::rename(directory, &target)?;
        if let Some(parent) = target.parent() {
            snapshot_file::sync_directory(parent)?;
        }
        return Ok(target);
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "too many stores were moved aside already; delete old ones",
    ))
}

/// A Raft store on disk.
pub struct SledStore {
    db: Db,
    /// sled's own data file, opened a second time: only this handle's `sync_data` makes a flush durable.
    data_file: File,
    snapshots: PathBuf,
    member_id: Option<u64>,
    hard_state: HardState,
    snapshot: SnapshotMetadata,
    snapshot_at_ms: u64,
    truncated: (u64, u64),
    /// Terms of the entries after `truncated`, in order: `raft` asks for terms far more often than for entries.
    terms: VecDeque<u64>,
}

fn database(error: sled::Error) -> StoreError {
    StoreError::Database(error.to_string())
}

fn pair(left: u64, right: u64) -> Vec<u8> {
    let mut bytes = left.to_be_bytes().to_vec();
    bytes.extend_from_slice(&right.to_be_bytes());
    bytes
}

fn parse_pair(bytes: &[u8]) -> Option<(u64, u64)> {
    let left = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    let right = u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?);
    Some((left, right))
}

impl SledStore {
    /// Opens or creates the store in `directory` and checks that what it holds is whole. Blocks for up to two
    /// seconds while a predecessor that just ended still holds the lock.
    ///
    /// # Errors
    /// See [`StoreOpenError`].
    pub fn open(directory: &Path) -> Result<SledStore, StoreOpenError> {
        Self::open_within(directory, LOCK_PATIENCE)
    }

    /// As [`SledStore::open`], waiting for the lock no longer than `patience`.
    ///
    /// # Errors
    /// See [`StoreOpenError`].
    pub fn open_within(directory: &Path, patience: Duration) -> Result<SledStore, StoreOpenError> {
        let begun = Instant::now();
        loop {
            match Self::open_once(directory) {
                Err(StoreOpenError::InUse { .. }) if begun.elapsed() < patience => {
                    // The lock of a file has no event to wait for.
                    std::thread::sleep(LOCK_RETRY);
                }
                other => return other,
            }
        }
    }

    fn open_once(directory: &Path) -> Result<SledStore, StoreOpenError> {
        let path = || directory.to_path_buf();
        let io_error = |source| StoreOpenError::Io {
            path: path(),
            source,
        };
        let damaged = |reason: String| StoreOpenError::Damaged {
            path: path(),
            reason,
        };

        let log = directory.join("log");
        let snapshots = directory.join("snapshots");
        fs::create_dir_all(&log).map_err(io_error)?;
        fs::create_dir_all(&snapshots).map_err(io_error)?;
        remove_unfinished(&log).map_err(io_error)?;

        // sled panics on some kinds of corruption; where panics unwind, that is a damaged store like any other.
        let opened = std::panic::catch_unwind(|| {
            sled::Config::new()
                .path(&log)
                .cache_capacity(CACHE_BYTES)
                .open()
        });
        let db = match opened {
            Err(_) => return Err(damaged("sled panicked while opening it".into())),
            Ok(Ok(db)) => db,
            Ok(Err(sled::Error::Io(source))) => {
                if source.to_string().contains("could not acquire lock") {
                    return Err(StoreOpenError::InUse { path: path() });
                }
                let content = matches!(
                    source.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
                );
                if content {
                    return Err(damaged(source.to_string()));
                }
                return Err(io_error(source));
            }
            Ok(Err(other)) => return Err(damaged(other.to_string())),
        };
        let data_file = File::open(log.join("db")).map_err(io_error)?;
        // sled syncs neither its settings, half of which it takes for damage, nor any name.
        File::open(log.join("conf"))
            .and_then(|file| file.sync_all())
            .map_err(io_error)?;
        let above = directory.parent().filter(|dir| !dir.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        for created in [log.as_path(), snapshots.as_path(), directory, above] {
            snapshot_file::sync_directory(created).map_err(io_error)?;
        }
        let mut store = SledStore {
            db,
            data_file,
            snapshots,
            member_id: None,
            hard_state: HardState::default(),
            snapshot: SnapshotMetadata::default(),
            snapshot_at_ms: 0,
            truncated: (0, 0),
            terms: VecDeque::new(),
        };
        store.load(directory)?;
        Ok(store)
    }

    fn load(&mut self, directory: &Path) -> Result<(), StoreOpenError> {
        let damaged = |reason: String| StoreOpenError::Damaged {
            path: directory.to_path_buf(),
            reason,
        };
        let get = |key: &[u8]| self.db.get(key).map_err(|error| damaged(error.to_string()));
        match get(KEY_FORMAT)? {
            None if self.db.is_empty() && !snapshot_file::holds_any(&self.snapshots) => {
                return Ok(());
            }
            None => return Err(damaged("it has no format number".into())),
            Some(bytes) => {
                let found = bytes.as_ref().try_into().map_or(0, u32::from_be_bytes);
                if found != FORMAT {
                    return Err(StoreOpenError::Format {
                        path: directory.to_path_buf(),
                        found,
                    });
                }
            }
        }
        let member = get(KEY_MEMBER)?
            .and_then(|bytes| Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?)));
        let hard_state = match get(KEY_HARD_STATE)? {
            Some(bytes) => {
                HardState::decode(bytes.as_ref()).map_err(|error| damaged(error.to_string()))?
            }
            None => HardState::default(),
        };
        let snapshot = match get(KEY_SNAPSHOT)? {
            Some(bytes) => SnapshotMetadata::decode(bytes.as_ref())
                .map_err(|error| damaged(error.to_string()))?,
            None => SnapshotMetadata::default(),
        };
        let truncated = match get(KEY_TRUNCATED)? {
            Some(bytes) => {
                parse_pair(&bytes).ok_or_else(|| damaged("bad compaction mark".into()))?
            }
            None => (0, 0),
        };

        let mut terms = VecDeque::new();
        let mut leftovers = Vec::new();
        let mut at = truncated.0;
        let mut cursor = EntryCursor::new(&self.db, 0, u64::MAX);
        while let Some(next) = cursor
            .next_entry()
            .map_err(|error| damaged(error.to_string()))?
        {
            let (entry, chunks) = next;
            if entry.index <= truncated.0 {
                // A compaction that was cut short: its mark is durable, its removals were not.
                leftovers.extend((0..chunks).map(|chunk| entry_key(entry.index, chunk)));
                continue;
            }
            if entry.index != at + 1 {
                return Err(damaged(format!("entry {} follows entry {at}", entry.index)));
            }
            at = entry.index;
            terms.push_back(entry.term);
        }
        let mut batch = Batch::default();
        for key in leftovers {
            batch.remove(&key);
        }
        self.db
            .apply_batch(batch)
            .map_err(|error| damaged(error.to_string()))?;

        if snapshot.index < truncated.0 {
            return Err(damaged("its log begins after its snapshot".into()));
        }
        if hard_state.commit > at.max(snapshot.index) || at < snapshot.index {
            return Err(damaged(format!(
                "commit {} and snapshot {} are beyond the last entry {at}",
                hard_state.commit, snapshot.index
            )));
        }
        if snapshot.index > 0 {
            snapshot_file::read(&self.snapshots, snapshot.index, snapshot.term)
                .map_err(|error| damaged(error.to_string()))?;
            snapshot_file::remove_others(&self.snapshots, snapshot.index, snapshot.term);
        }
        self.member_id = member;
        self.hard_state = hard_state;
        self.hold(snapshot);
        self.truncated = truncated;
        self.terms = terms;
        Ok(())
    }

    /// That snapshot, whose file is on disk, is the newest.
    fn hold(&mut self, snapshot: SnapshotMetadata) {
        self.snapshot_at_ms =
            snapshot_file::written_at_ms(&self.snapshots, snapshot.index, snapshot.term);
        self.snapshot = snapshot;
    }

    /// Bytes that the store occupies on disk.
    #[must_use]
    pub fn size_on_disk(&self) -> u64 {
        self.db.size_on_disk().unwrap_or(0)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(database)?;
        self.data_file
            .sync_data()
            .map_err(|source| StoreError::File {
                what: "syncing the raft log",
                source,
            })
    }

    fn put_entries(&mut self, batch: &mut Batch, entries: &[Entry]) -> Result<(), StoreError> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let last = self.last_index();
        if first.index <= self.truncated.0 || first.index > last + 1 {
            return Err(StoreError::Damaged(format!(
                "entry {} does not fit a log from {} to {last}",
                first.index,
                self.first_index()
            )));
        }
        if first.index <= last {
            self.remove_range(batch, first.index, last)?;
            let keep = (first.index - self.truncated.0 - 1) as usize;
            self.terms.truncate(keep);
        }
        for (expected, entry) in (first.index..).zip(entries) {
            if entry.index != expected {
                return Err(StoreError::Damaged("a write with a gap in it".into()));
            }
            put_entry(batch, entry)?;
            self.terms.push_back(entry.term);
        }
        Ok(())
    }

    fn remove_range(&self, batch: &mut Batch, first: u64, last: u64) -> Result<(), StoreError> {
        let range = entry_key(first, 0)..=entry_key(last, u16::MAX);
        for key in self.db.range(range).keys() {
            batch.remove(key.map_err(database)?);
        }
        Ok(())
    }
}

/// sled refuses to open when a snapshot of its page table was being written; the half file holds nothing needed.
fn remove_unfinished(log: &Path) -> io::Result<()> {
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        if path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating"))
        {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

impl RaftStore for SledStore {
    fn member_id(&self) -> Option<u64> {
        self.member_id
    }

    fn initialize(&mut self, member_id: u64, genesis: Option<&Snapshot>) -> Result<(), StoreError> {
        if self.member_id.is_some() {
            return Err(StoreError::Damaged("it belongs to a member already".into()));
        }
        let mut batch = Batch::default();
        batch.insert(KEY_FORMAT, &FORMAT.to_be_bytes());
        batch.insert(KEY_MEMBER, &member_id.to_be_bytes());
        if let Some(snapshot) = genesis {
            snapshot_file::write(&self.snapshots, snapshot)?;
            let metadata = snapshot.get_metadata().clone();
            let hard_state = HardState {
                term: metadata.term,
                vote: 0,
                commit: metadata.index,
            };
            batch.insert(KEY_SNAPSHOT, metadata.encode_to_vec());
            batch.insert(KEY_TRUNCATED, pair(metadata.index, metadata.term));
            batch.insert(KEY_HARD_STATE, hard_state.encode_to_vec());
            self.truncated = (metadata.index, metadata.term);
            self.hold(metadata);
            self.hard_state = hard_state;
        }
        self.db.apply_batch(batch).map_err(database)?;
        self.sync()?;
        self.member_id = Some(member_id);
        Ok(())
    }

    fn hard_state(&self) -> HardState {
        self.hard_state.clone()
    }

    fn snapshot_metadata(&self) -> SnapshotMetadata {
        self.snapshot.clone()
    }

    fn snapshot_at_ms(&self) -> u64 {
        self.snapshot_at_ms
    }

    fn read_snapshot(&self) -> Result<Snapshot, StoreError> {
        snapshot_file::read(&self.snapshots, self.snapshot.index, self.snapshot.term)
    }

    fn entries(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, StoreError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = 0u64;
        let mut cursor = EntryCursor::new(&self.db, low, high.saturating_sub(1));
        let mut expected = low;
        while expected < high {
            let Some((entry, _)) = cursor.next_entry()? else {
                break;
            };
            if entry.index != expected {
                return Err(StoreError::Damaged(format!("entry {expected} is missing")));
            }
            bytes += entry.encoded_len() as u64;
            if !entries.is_empty() && bytes > max_bytes {
                return Ok(entries);
            }
            entries.push(entry);
            expected += 1;
        }
        if expected < high {
            return Err(StoreError::Damaged(format!("entry {expected} is missing")));
        }
        Ok(entries)
    }

    fn term(&self, index: u64) -> Option<u64> {
        if index == self.truncated.0 {
            return Some(self.truncated.1);
        }
        let position = index.checked_sub(self.truncated.0 + 1)?;
        self.terms.get(usize::try_from(position).ok()?).copied()
    }

    fn first_index(&self) -> u64 {
        self.truncated.0 + 1
    }

    fn last_index(&self) -> u64 {
        self.truncated.0 + self.terms.len() as u64
    }

    fn persist(&mut self, write: &Write<'_>) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        let snapshot = write.snapshot.filter(|snapshot| !snapshot.is_empty());
        if let Some(snapshot) = snapshot {
            snapshot_file::write(&self.snapshots, snapshot)?;
            let metadata = snapshot.get_metadata().clone();
            self.remove_range(&mut batch, 0, u64::MAX)?;
            batch.insert(KEY_SNAPSHOT, metadata.encode_to_vec());
            batch.insert(KEY_TRUNCATED, pair(metadata.index, metadata.term));
            self.terms.clear();
            self.truncated = (metadata.index, metadata.term);
            self.hold(metadata);
        }
        self.put_entries(&mut batch, write.entries)?;
        if let Some(hard_state) = write.hard_state {
            batch.insert(KEY_HARD_STATE, hard_state.encode_to_vec());
            self.hard_state = hard_state.clone();
        }
        self.db.apply_batch(batch).map_err(database)?;
        if write.durable || snapshot.is_some() {
            self.sync()?;
        }
        if snapshot.is_some() {
            snapshot_file::remove_others(&self.snapshots, self.snapshot.index, self.snapshot.term);
        }
        Ok(())
    }

    fn save_snapshot(
        &mut self,
        snapshot: &Snapshot,
        hard_state: &HardState,
    ) -> Result<(), StoreError> {
        snapshot_file::write(&self.snapshots, snapshot)?;
        let metadata = snapshot.get_metadata().clone();
        let mut batch = Batch::default();
        batch.insert(KEY_SNAPSHOT, metadata.encode_to_vec());
        batch.insert(KEY_HARD_STATE, hard_state.encode_to_vec());
        self.db.apply_batch(batch).map_err(database)?;
        self.sync()?;
        self.hard_state = hard_state.clone();
        self.hold(metadata);
        snapshot_file::remove_others(&self.snapshots, self.snapshot.index, self.snapshot.term);
        Ok(())
    }

    fn compact(&mut self, index: u64) -> Result<(), StoreError> {
        if index <= self.truncated.0 {
            return Ok(());
        }
        let Some(term) = self.term(index).filter(|_| index <= self.snapshot.index) else {
            return Err(StoreError::Damaged(format!(
                "compaction to {index} is beyond snapshot {}",
                self.snapshot.index
            )));
        };
        let mut batch = Batch::default();
        batch.insert(KEY_TRUNCATED, pair(index, term));
        self.db.apply_batch(batch).map_err(database)?;
        self.sync()?;
        let first = self.first_index();
        self.terms.drain(..(index - self.truncated.0) as usize);
        self.truncated = (index, term);
        let mut from = first;
        while from <= index {
            let to = index.min(from + COMPACT_BATCH - 1);
            let mut batch = Batch::default();
            self.remove_range(&mut batch, from, to)?;
            self.db.apply_batch(batch).map_err(database)?;
            from = to + 1;
        }
        Ok(())
    }
}
