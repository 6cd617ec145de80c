//! What a Raft member keeps on disk, as a trait, and how the `raft` crate reads it.
//!
//! Invariants: `persist` is one atomic write and, when it was asked to be durable, is durable when it
//! returns; a snapshot is durable before anything refers to it; the log is contiguous from
//! `first_index` to `last_index` and `first_index - 1` is never above the snapshot's index.
//! An error of a write is final: the caller ends the member, because nobody knows what reached the disk.
//! Not here: the sled implementation (`storage/sled_store.rs`) and the crashable one of the simulation
//! (`simulation_store.rs`).

use std::cell::Cell;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot, SnapshotMetadata};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use thiserror::Error;

mod entry_chunks;
pub mod sled_store;
pub mod snapshot_file;

pub use sled_store::{SledStore, StoreOpenError, move_aside};

/// A store that failed while it was in use. The member must end; a restart recovers from what is durable.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The key-value store refused an operation.
    #[error(
        "the raft store failed ({0}); free disk space or replace the disk, then restart the director"
    )]
    Database(String),
    /// A file of the store could not be read or written.
    #[error("{what}: {source}; free disk space or replace the disk, then restart the director")]
    File {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What was read is not what was written.
    #[error("the raft store is damaged ({0}); move it aside and let this director join again")]
    Damaged(String),
    /// The simulation crashed the store at this operation.
    #[error("the simulated store crashed")]
    Crashed,
}

/// One write of a `Ready`: applied as a whole or not at all.
#[derive(Debug, Default)]
pub struct Write<'a> {
    /// Entries to append; what is stored at and after the first one's index is replaced.
    pub entries: &'a [Entry],
    /// The hard state to store.
    pub hard_state: Option<&'a HardState>,
    /// A snapshot received from the leader; it replaces the whole log.
    pub snapshot: Option<&'a Snapshot>,
    /// Whether the write must survive a power cut once `persist` has returned.
    pub durable: bool,
}

/// The durable half of a Raft member.
pub trait RaftStore {
    /// The member whose log this is; none before `initialize`.
    fn member_id(&self) -> Option<u64>;

    /// Binds an empty store to a member; `genesis` is the first snapshot of a new group, none when this member joins one.
    fn initialize(&mut self, member_id: u64, genesis: Option<&Snapshot>) -> Result<(), StoreError>;

    /// Term, vote and commit index as last persisted.
    fn hard_state(&self) -> HardState;

    /// Index, term and membership of the newest snapshot; index 0 when there is none.
    fn snapshot_metadata(&self) -> SnapshotMetadata;

    /// When the newest snapshot was written, milliseconds since 1970; zero when there is none.
    fn snapshot_at_ms(&self) -> u64;

    /// The newest snapshot with its data.
    fn read_snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Entries in `[low, high)`, at least one, no more than about `max_bytes`. The caller keeps the range inside the log.
    fn entries(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, StoreError>;

    /// The term of an entry of the log, or of the last compacted one.
    fn term(&self, index: u64) -> Option<u64>;

    /// The first index in the log; 1 when nothing was ever compacted.
    fn first_index(&self) -> u64;

    /// The last index in the log; `first_index - 1` when the log is empty.
    fn last_index(&self) -> u64;

    /// Performs one write. See [`Write`].
    fn persist(&mut self, write: &Write<'_>) -> Result<(), StoreError>;

    /// Stores a snapshot that this member made itself, and the hard state with it, durably. The log is left alone.
    fn save_snapshot(
        &mut self,
        snapshot: &Snapshot,
        hard_state: &HardState,
    ) -> Result<(), StoreError>;

    /// Drops entries up to and including `index`, which must not be above the snapshot's index.
    fn compact(&mut self, index: u64) -> Result<(), StoreError>;
}

/// The `raft` crate's view of a [`RaftStore`].
pub(crate) struct LogView<S> {
    store: S,
    snapshot_wanted: Cell<bool>,
}

impl<S: RaftStore> LogView<S> {
    pub(crate) fn new(store: S) -> Self {
        LogView {
            store,
            snapshot_wanted: Cell::new(false),
        }
    }

    pub(crate) fn store(&self) -> &S {
        &self.store
    }

    pub(crate) fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Whether a peer asked for a snapshot that the stored one cannot serve; asking clears it.
    pub(crate) fn take_snapshot_wanted(&self) -> bool {
        self.snapshot_wanted.replace(false)
    }
}

fn is_member(conf: &ConfState, id: u64) -> bool {
    conf.voters.contains(&id)
        || conf.learners.contains(&id)
        || conf.voters_outgoing.contains(&id)
        || conf.learners_next.contains(&id)
}

fn foreign(error: StoreError) -> raft::Error {
    raft::Error::Store(StorageError::Other(Box::new(error)))
}

impl<S: RaftStore> Storage for LogView<S> {
    fn initial_state(&self) -> raft::Result<RaftState> {
        // The membership as of the snapshot: later changes are applied again from the log.
        let conf_state = self
            .store
            .snapshot_metadata()
            .conf_state
            .unwrap_or_default();
        Ok(RaftState::new(self.store.hard_state(), conf_state))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low < self.store.first_index() {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        if high > self.store.last_index() + 1 {
            return Err(raft::Error::Store(StorageError::Unavailable));
        }
        if low >= high {
            return Ok(Vec::new());
        }
        let max_bytes = max_size.into().unwrap_or(u64::MAX);
        self.store.entries(low, high, max_bytes).map_err(foreign)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        match self.store.term(index) {
            Some(term) => Ok(term),
            None if index < self.store.first_index() => {
                Err(raft::Error::Store(StorageError::Compacted))
            }
            None => Err(raft::Error::Store(StorageError::Unavailable)),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.store.first_index())
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.store.last_index())
    }

    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        let later = || {
            self.snapshot_wanted.set(true);
            raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable)
        };
        let metadata = self.store.snapshot_metadata();
        // A receiver refuses a snapshot whose membership does not name it, for ever: make a newer one first.
        let names_receiver = metadata
            .conf_state
            .as_ref()
            .is_some_and(|conf| is_member(conf, to));
        if metadata.index == 0 || metadata.index < request_index || !names_receiver {
            return Err(later());
        }
        match self.store.read_snapshot() {
            Ok(snapshot) => Ok(snapshot),
            Err(error) => {
                // The `raft` crate panics on any other error; a newer snapshot heals a damaged file.
                tracing::error!(%error, "the stored snapshot cannot be read; making a new one");
                Err(later())
            }
        }
    }
}
