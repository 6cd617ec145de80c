//! One member on a real disk: restarts at every write, kill -9 under load, damage, sled's blob files.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use raft::eraftpb::{Entry, HardState, Snapshot, SnapshotMetadata};

use super::ledger::{Ledger, command, position};
use super::world::Random;
use crate::raft::member::{Member, MemberConfig, MemberError, bootstrap};
use crate::raft::proposal::Proposed;
use crate::raft::storage::Write;
use crate::raft::transport::Outgoing;
use crate::raft::{RaftStore, SledStore, StoreError, StoreOpenError, move_aside};

/// Fails at its n-th write, before or after doing it, and from then on.
struct Failing<S> {
    store: S,
    left: u64,
    after: bool,
    dead: bool,
}

impl<S: RaftStore> Failing<S> {
    fn write(
        &mut self,
        write: impl FnOnce(&mut S) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.dead {
            return Err(StoreError::Crashed);
        }
        if self.left > 0 {
            self.left -= 1;
            return write(&mut self.store);
        }
        self.dead = true;
        if self.after {
            write(&mut self.store)?;
        }
        Err(StoreError::Crashed)
    }
}

impl<S: RaftStore> RaftStore for Failing<S> {
    fn member_id(&self) -> Option<u64> {
        self.store.member_id()
    }
    fn initialize(&mut self, member: u64, genesis: Option<&Snapshot>) -> Result<(), StoreError> {
        self.store.initialize(member, genesis)
    }
    fn hard_state(&self) -> HardState {
        self.store.hard_state()
    }
    fn snapshot_metadata(&self) -> SnapshotMetadata {
        self.store.snapshot_metadata()
    }
    fn snapshot_at_ms(&self) -> u64 {
        self.store.snapshot_at_ms()
    }
    fn read_snapshot(&self) -> Result<Snapshot, StoreError> {
        self.store.read_snapshot()
    }
    fn entries(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, StoreError> {
        self.store.entries(low, high, max_bytes)
    }
    fn term(&self, index: u64) -> Option<u64> {
        self.store.term(index)
    }
    fn first_index(&self) -> u64 {
        self.store.first_index()
    }
    fn last_index(&self) -> u64 {
        self.store.last_index()
    }
    fn persist(&mut self, write: &Write<'_>) -> Result<(), StoreError> {
        self.write(|store| store.persist(write))
    }
    fn save_snapshot(
        &mut self,
        snapshot: &Snapshot,
        hard_state: &HardState,
    ) -> Result<(), StoreError> {
        self.write(|store| store.save_snapshot(snapshot, hard_state))
    }
    fn compact(&mut self, index: u64) -> Result<(), StoreError> {
        self.write(|store| store.compact(index))
    }
}

fn config(session: u64) -> MemberConfig {
    MemberConfig {
        snapshot_entries: 7,
        keep_entries: 3,
        ..MemberConfig::new(1, session)
    }
}

fn fresh(directory: &Path) -> SledStore {
    let mut store = SledStore::open(directory).unwrap();
    bootstrap(&mut store, 1, Ledger::default_state()).unwrap();
    store
}

/// Runs until the store fails or `count` requests are answered; returns the highest acknowledged request.
fn run<S: RaftStore>(
    store: S,
    session: u64,
    first: u64,
    count: u64,
    mut acknowledge: impl FnMut(u64),
) -> Result<Member<S, Ledger>, MemberError> {
    let mut member = Member::start(config(session), store, Ledger::default())?;
    let mut sent: Vec<Outgoing> = Vec::new();
    member.pump(&mut sent)?;
    for request in first..first + count {
        let refused = member.propose(vec![Proposed {
            ticket: request,
            command: command(request),
        }]);
        assert!(refused.is_empty(), "{refused:?}");
        for (ticket, outcome) in member.pump(&mut sent)?.outcomes {
            assert_eq!(position(&outcome.bytes), ticket - 1);
            acknowledge(ticket);
        }
    }
    Ok(member)
}

#[test]
fn a_restart_after_a_crash_at_any_write_loses_nothing_acknowledged() {
    for after in [false, true] {
        for writes in (0..42).step_by(4) {
            let directory = tempfile::tempdir().unwrap();
            let failing = Failing {
                store: fresh(directory.path()),
                left: writes,
                after,
                dead: false,
            };
            let mut acknowledged = 0;
            let failed = run(failing, 1, 1, 100, |request| acknowledged = request);
            assert!(matches!(
                failed,
                Err(MemberError::Store(StoreError::Crashed))
            ));
            drop(failed);

            let store = SledStore::open(directory.path()).unwrap();
            // Requests that were sent twice keep their place, so going on from the next one shows every loss.
            let member = run(store, 2, acknowledged + 1, 20, |_| {}).unwrap();
            let expected: Vec<u64> = (1..=acknowledged + 20).collect();
            assert_eq!(member.machine().requests, expected, "after {writes} writes");
        }
    }
}

#[test]
fn a_single_member_serves_again_at_once_and_its_log_stays_short() {
    let directory = tempfile::tempdir().unwrap();
    drop(run(fresh(directory.path()), 1, 1, 100, |_| {}).unwrap());
    let store = SledStore::open(directory.path()).unwrap();
    assert!(store.last_index() - store.first_index() < 12);
    let mut member = Member::start(config(2), store, Ledger::default()).unwrap();
    member.pump(&mut Vec::new()).unwrap();
    let status = member.status();
    assert!(status.serving);
    assert_eq!(member.machine().requests.len(), 100);
    assert_eq!(
        fs::read_dir(directory.path().join("snapshots"))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn commands_that_come_together_share_an_entry() {
    let directory = tempfile::tempdir().unwrap();
    let mut member = Member::start(config(1), fresh(directory.path()), Ledger::default()).unwrap();
    member.pump(&mut Vec::new()).unwrap();
    let together: Vec<Proposed> = (1..=200)
        .map(|ticket| Proposed {
            ticket,
            command: command(ticket),
        })
        .collect();
    assert!(member.propose(together).is_empty());
    let outcomes = member.pump(&mut Vec::new()).unwrap().outcomes;
    assert_eq!(outcomes.len(), 200);
    let first = outcomes[0].1.index;
    assert!(outcomes.iter().all(|(_, outcome)| outcome.index == first));
}

#[test]
fn replaying_a_log_gives_the_same_state() {
    let mut hashes = Vec::new();
    for session in [1, 2] {
        let directory = tempfile::tempdir().unwrap();
        let member = run(fresh(directory.path()), session, 1, 50, |_| {}).unwrap();
        hashes.push(member.machine().hash);
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn entries_of_any_size_read_back_and_never_reach_files_that_sled_does_not_sync() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = fresh(directory.path());
    let mut random = Random(4);
    let mut written = Vec::new();
    for index in 2..400u64 {
        let size = match random.below(4) {
            0 => random.below(100),
            1 => random.below(64 * 1024),
            2 => 5_900 + random.below(300),
            _ => random.below(20_000),
        };
        let size = if index == 200 { 1_100_000 } else { size };
        let entry = Entry {
            index,
            term: 1,
            data: vec![index as u8; size as usize],
            ..Entry::default()
        };
        store
            .persist(&Write {
                entries: std::slice::from_ref(&entry),
                durable: index % 20 == 0,
                ..Write::default()
            })
            .unwrap();
        written.push(entry);
    }
    drop(store);
    let store = SledStore::open(directory.path()).unwrap();
    let read: Vec<Entry> = store.entries(2, 400, u64::MAX).unwrap();
    assert!(read == written);
    assert_eq!(store.entries(2, 400, 1).unwrap().len(), 1);
    let blobs = directory.path().join("log/blobs");
    let count = fs::read_dir(blobs).map_or(0, |listing| listing.count());
    assert_eq!(count, 0, "sled wrote blob files, which it never syncs");
}

#[test]
fn a_conflicting_tail_is_replaced_and_a_received_snapshot_replaces_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = fresh(directory.path());
    let entries = |range: std::ops::Range<u64>, term, size| -> Vec<Entry> {
        range
            .map(|index| Entry {
                index,
                term,
                data: vec![term as u8; size],
                ..Entry::default()
            })
            .collect()
    };
    let persist = |store: &mut SledStore, entries: &[Entry]| {
        store.persist(&Write {
            entries,
            durable: true,
            ..Write::default()
        })
    };
    persist(&mut store, &entries(2..10, 1, 20_000)).unwrap();
    persist(&mut store, &entries(5..7, 2, 10)).unwrap();
    assert!(persist(&mut store, &entries(9..10, 2, 10)).is_err());
    assert_eq!(
        (store.last_index(), store.term(4), store.term(6)),
        (6, Some(1), Some(2))
    );
    drop(store);
    let mut store = SledStore::open(directory.path()).unwrap();
    assert_eq!(store.entries(5, 7, u64::MAX).unwrap(), entries(5..7, 2, 10));
    let snapshot = Snapshot {
        data: vec![9; 300_000],
        metadata: Some(SnapshotMetadata {
            index: 50,
            term: 3,
            ..store.snapshot_metadata()
        }),
    };
    let hard_state = HardState {
        term: 3,
        vote: 0,
        commit: 50,
    };
    store
        .persist(&Write {
            entries: &entries(51..53, 3, 10),
            hard_state: Some(&hard_state),
            snapshot: Some(&snapshot),
            durable: true,
        })
        .unwrap();
    drop(store);
    let store = SledStore::open(directory.path()).unwrap();
    assert_eq!((store.first_index(), store.last_index()), (51, 52));
    assert_eq!(store.term(50), Some(3));
    assert_eq!(store.read_snapshot().unwrap(), snapshot);
}

#[test]
fn a_damaged_store_is_an_error_of_its_own_and_can_be_moved_aside() {
    for damage in ["zeros", "noise", "snapshot"] {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("raft");
        drop(run(fresh(&directory), 1, 1, 30, |_| {}).unwrap());
        let db = directory.join("log/db");
        let length = fs::metadata(&db).unwrap().len() as usize;
        match damage {
            "zeros" => fs::write(&db, vec![0; length]).unwrap(),
            "noise" => {
                let mut random = Random(1);
                let noise: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
                fs::write(&db, noise).unwrap();
            }
            _ => {
                for entry in fs::read_dir(directory.join("snapshots")).unwrap() {
                    fs::write(entry.unwrap().path(), b"half").unwrap();
                }
            }
        }
        let opened = SledStore::open(&directory);
        assert!(
            matches!(opened, Err(StoreOpenError::Damaged { .. })),
            "{damage}: {:?}",
            opened.err()
        );
        let aside = move_aside(&directory, "damaged").unwrap();
        assert!(aside.join("log/db").exists());
        fresh(&directory);
    }
}

#[test]
fn a_store_opens_once_and_only_for_its_member() {
    let directory = tempfile::tempdir().unwrap();
    let store = fresh(directory.path());
    assert!(matches!(
        SledStore::open_within(directory.path(), Duration::ZERO),
        Err(StoreOpenError::InUse { .. })
    ));
    let foreign = Member::start(MemberConfig::new(2, 1), store, Ledger::default());
    assert!(matches!(
        foreign.err(),
        Some(MemberError::WrongMember {
            configured: 2,
            found: Some(1)
        })
    ));
}

const CHILD_DIRECTORY: &str = "WHARF_RAFT_KILL_TEST";

/// The process that is killed: proposes for ever and notes what was acknowledged.
#[test]
fn killed_child() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let store = SledStore::open(&directory.join("raft")).unwrap();
    let first = fs::read_to_string(directory.join("next"))
        .unwrap()
        .parse()
        .unwrap();
    let mut noted = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.join("acknowledged"))
        .unwrap();
    // A message that cannot be noted ends the child like the kill it waits for.
    let _ = run(store, first, first, u64::MAX / 2, |request| {
        writeln!(noted, "{request}").unwrap();
    });
}

#[test]
fn kill_9_under_load_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    drop(fresh(&directory.path().join("raft")));
    let mut acknowledged = 0u64;
    let mut random = Random(9);
    for round in 0..6 {
        fs::write(
            directory.path().join("next"),
            (acknowledged + 1).to_string(),
        )
        .unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "raft::tests::durability::killed_child",
                "--nocapture",
            ])
            .env(CHILD_DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let enough = acknowledged + 5 + random.below(60);
        let noted = || -> u64 {
            let text =
                fs::read_to_string(directory.path().join("acknowledged")).unwrap_or_default();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            whole.lines().last().map_or(0, |line| line.parse().unwrap())
        };
        while noted() < enough {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the child ended by itself"
            );
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = noted();
        let store = SledStore::open(&directory.path().join("raft")).unwrap();
        let member = run(store, 1_000_000 + round, acknowledged + 1, 1, |_| {}).unwrap();
        let requests = &member.machine().requests;
        assert_eq!(
            requests[..acknowledged as usize],
            (1..=acknowledged).collect::<Vec<_>>()
        );
        acknowledged += 1;
    }
}
