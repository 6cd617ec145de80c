//! A Raft store in memory that can crash: the second implementation of [`RaftStore`], for simulations and tests.
//!
//! A [`SimulatedDisk`] outlives the member that uses it. What was not written durably may be lost in a crash, one
//! operation at a time from the end, as the seed decides; a planted fault ends an operation before, during or after it
//! became durable. Same seed, same calls: same result.
//! Not here: files, clocks, threads beyond the lock that lets a test look at the disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raft::eraftpb::{Entry, HardState, Snapshot, SnapshotMetadata};
use raft_prost::Message as _;

use super::storage::{RaftStore, StoreError, Write};

/// Where inside a write a planted crash happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// Nothing of the write is durable.
    Before,
    /// The write is durable, but the member never learns it.
    After,
}

#[derive(Debug, Clone, Default)]
struct Image {
    member_id: Option<u64>,
    hard_state: HardState,
    snapshot: Snapshot,
    truncated: (u64, u64),
    entries: BTreeMap<u64, Entry>,
}

impl Image {
    fn last_index(&self) -> u64 {
        self.entries
            .last_key_value()
            .map_or(self.truncated.0, |(index, _)| *index)
    }

    fn persist(&mut self, write: &Write<'_>) -> Result<(), StoreError> {
        if let Some(snapshot) = write.snapshot.filter(|snapshot| !snapshot.is_empty()) {
            let metadata = snapshot.get_metadata();
            self.truncated = (metadata.index, metadata.term);
            self.entries.clear();
            self.snapshot = snapshot.clone();
        }
        if let Some(first) = write.entries.first() {
            if first.index <= self.truncated.0 || first.index > self.last_index() + 1 {
                return Err(StoreError::Damaged("a write with a gap before it".into()));
            }
            self.entries.split_off(&first.index);
            for entry in write.entries {
                self.entries.insert(entry.index, entry.clone());
            }
        }
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state.clone();
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Disk {
    durable: Image,
    /// Images after each write since the last durable one; the newest is what the member sees.
    unsynced: Vec<Image>,
    random: u64,
    /// Writes until the planted crash.
    fault: Option<(u64, CrashPoint)>,
    dead: bool,
    writes: u64,
}

impl Disk {
    fn current(&self) -> &Image {
        self.unsynced.last().unwrap_or(&self.durable)
    }

    fn next_random(&mut self) -> u64 {
        // splitmix64: the whole generator is its state, so a seed is a run.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn change(
        &mut self,
        durable: bool,
        edit: impl FnOnce(&mut Image) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.dead {
            return Err(StoreError::Crashed);
        }
        self.writes += 1;
        let crash = match &mut self.fault {
            Some((0, point)) => Some(*point),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        if crash == Some(CrashPoint::Before) {
            self.dead = true;
            return Err(StoreError::Crashed);
        }
        let mut image = self.current().clone();
        edit(&mut image)?;
        if durable {
            self.unsynced.clear();
            self.durable = image;
        } else {
            self.unsynced.push(image);
        }
        if crash == Some(CrashPoint::After) {
            self.dead = true;
            return Err(StoreError::Crashed);
        }
        Ok(())
    }
}

/// The disk of one simulated member.
#[derive(Debug, Clone)]
pub struct SimulatedDisk {
    disk: Arc<Mutex<Disk>>,
}

impl SimulatedDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> SimulatedDisk {
        SimulatedDisk {
            disk: Arc::new(Mutex::new(Disk {
                random: seed,
                ..Disk::default()
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the store on this disk.
    #[must_use]
    pub fn open(&self) -> MemStore {
        MemStore { disk: self.clone() }
    }

    /// Loses a random number of the newest writes that were not durable, and removes any planted fault.
    pub fn crash(&self) {
        let mut disk = self.lock();
        let kept = disk.next_random() as usize % (disk.unsynced.len() + 1);
        if kept > 0 {
            disk.durable = disk.unsynced[kept - 1].clone();
        }
        disk.unsynced.clear();
        disk.fault = None;
        disk.dead = false;
    }

    /// Lets the write after the next `writes` crash.
    pub fn plant_crash(&self, writes: u64, point: CrashPoint) {
        self.lock().fault = Some((writes, point));
    }

    /// The commit index that would survive a crash now.
    #[must_use]
    pub fn durable_commit(&self) -> u64 {
        self.lock().durable.hard_state.commit
    }

    /// How many writes were attempted so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// Drops acknowledged entries from the end of the durable log: a planted fault that a checker must notice.
    pub fn lose_last_entries(&self, count: usize) {
        let mut disk = self.lock();
        for _ in 0..count {
            disk.durable.entries.pop_last();
        }
        let last = disk.durable.last_index();
        let commit = disk.durable.hard_state.commit.min(last);
        disk.durable.hard_state.commit = commit;
        disk.unsynced.clear();
    }
}

/// The store on a [`SimulatedDisk`].
#[derive(Debug)]
pub struct MemStore {
    disk: SimulatedDisk,
}

impl RaftStore for MemStore {
    fn member_id(&self) -> Option<u64> {
        self.disk.lock().current().member_id
    }

    fn initialize(&mut self, member_id: u64, genesis: Option<&Snapshot>) -> Result<(), StoreError> {
        if self.member_id().is_some() {
            return Err(StoreError::Damaged("it belongs to a member already".into()));
        }
        self.disk.lock().change(true, |image| {
            image.member_id = Some(member_id);
            if let Some(snapshot) = genesis {
                let metadata = snapshot.get_metadata();
                image.hard_state.term = metadata.term;
                image.hard_state.commit = metadata.index;
            }
            image.persist(&Write {
                snapshot: genesis,
                ..Write::default()
            })
        })
    }

    fn hard_state(&self) -> HardState {
        self.disk.lock().current().hard_state.clone()
    }

    fn snapshot_metadata(&self) -> SnapshotMetadata {
        self.disk.lock().current().snapshot.get_metadata().clone()
    }

    /// A simulation has no clock: the index stands for it.
    fn snapshot_at_ms(&self) -> u64 {
        self.snapshot_metadata().index
    }

    fn read_snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(self.disk.lock().current().snapshot.clone())
    }

    fn entries(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, StoreError> {
        let disk = self.disk.lock();
        let mut bytes = 0u64;
        let mut found: Vec<Entry> = Vec::new();
        for (_, entry) in disk.current().entries.range(low..high) {
            bytes += entry.encoded_len() as u64;
            if !found.is_empty() && bytes > max_bytes {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> Option<u64> {
        let disk = self.disk.lock();
        let image = disk.current();
        if index == image.truncated.0 {
            return Some(image.truncated.1);
        }
        image.entries.get(&index).map(|entry| entry.term)
    }

    fn first_index(&self) -> u64 {
        self.disk.lock().current().truncated.0 + 1
    }

    fn last_index(&self) -> u64 {
        self.disk.lock().current().last_index()
    }

    fn persist(&mut self, write: &Write<'_>) -> Result<(), StoreError> {
        let durable = write.durable || write.snapshot.is_some_and(|snapshot| !snapshot.is_empty());
        self.disk
            .lock()
            .change(durable, |image| image.persist(write))
    }

    fn save_snapshot(
        &mut self,
        snapshot: &Snapshot,
        hard_state: &HardState,
    ) -> Result<(), StoreError> {
        self.disk.lock().change(true, |image| {
            image.snapshot = snapshot.clone();
            image.hard_state = hard_state.clone();
            Ok(())
        })
    }

    fn compact(&mut self, index: u64) -> Result<(), StoreError> {
        if index < self.first_index() {
            return Ok(());
        }
        let Some(term) = self.term(index) else {
            return Err(StoreError::Damaged(format!(
                "compaction to unknown index {index}"
            )));
        };
        self.disk.lock().change(true, |image| {
            if index > image.snapshot.get_metadata().index {
                return Err(StoreError::Damaged("compaction beyond the snapshot".into()));
            }
            image.entries = image.entries.split_off(&(index + 1));
            image.truncated = (index, term);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64) -> Entry {
        Entry {
            index,
            term: 1,
            ..Entry::default()
        }
    }

    #[test]
    fn a_crash_loses_only_what_was_not_durable() {
        for seed in 0..20 {
            let disk = SimulatedDisk::new(seed);
            let mut store = disk.open();
            store.initialize(1, None).unwrap();
            let durable = Write {
                entries: &[entry(1)],
                durable: true,
                ..Write::default()
            };
            store.persist(&durable).unwrap();
            let loose = HardState {
                commit: 1,
                ..HardState::default()
            };
            store
                .persist(&Write {
                    hard_state: Some(&loose),
                    ..Write::default()
                })
                .unwrap();
            disk.crash();
            assert_eq!(disk.open().last_index(), 1, "seed {seed}");
        }
    }

    #[test]
    fn a_planted_crash_stops_the_store_before_or_after_the_write() {
        for (point, expected) in [(CrashPoint::Before, 0), (CrashPoint::After, 1)] {
            let disk = SimulatedDisk::new(1);
            let mut store = disk.open();
            store.initialize(1, None).unwrap();
            disk.plant_crash(0, point);
            let write = Write {
                entries: &[entry(1)],
                durable: true,
                ..Write::default()
            };
            assert!(matches!(store.persist(&write), Err(StoreError::Crashed)));
            assert!(matches!(store.persist(&write), Err(StoreError::Crashed)));
            disk.crash();
            assert_eq!(disk.open().last_index(), expected);
        }
    }
}
