//! How a member is set up: its identity, Raft's timing and limits, when snapshots are made.
//!
//! Raft's defaults are traps (one entry per message, no pre-vote, no quorum check, unbounded uncommitted log), so every
//! field that matters is set in `for_raft`. Not here: addresses, files.

use raft::{Config, ReadOnlyOption};

const MAX_MESSAGE_ENTRIES_BYTES: u64 = 64 * 1024;
const MAX_INFLIGHT_MESSAGES: usize = 256;
const MAX_UNCOMMITTED_BYTES: u64 = 4 * 1024 * 1024;
const MAX_COMMITTED_BYTES_PER_READY: u64 = 4 * 1024 * 1024;

/// The settings of a member.
#[derive(Debug, Clone)]
pub struct MemberConfig {
    /// The member's id in the group; not 0, never used twice.
    pub id: u64,
    /// A random number for this run, so that outcomes of a former run are not mistaken for this one's.
    pub session: u64,
    /// Ticks without a leader before an election; the actual timeout is up to twice as long.
    pub election_ticks: usize,
    /// Ticks between heartbeats.
    pub heartbeat_ticks: usize,
    /// Makes election timeouts a function of this seed, for simulations.
    pub election_seed: Option<u64>,
    /// Entries after the last snapshot that make a new one due.
    pub snapshot_entries: u64,
    /// Bytes of entries after the last snapshot that make a new one due.
    pub snapshot_bytes: u64,
    /// Entries kept in the log behind a snapshot, for followers that are a little behind.
    pub keep_entries: u64,
    /// Ticks after which an unanswered read request is sent again.
    pub read_retry_ticks: u64,
    /// Ticks after which a read is given up.
    pub read_expiry_ticks: u64,
    /// Ticks after which a snapshot on its way to a peer counts as lost.
    pub snapshot_send_ticks: usize,
}

impl MemberConfig {
    /// The settings for a real member with a tick of 100 ms.
    #[must_use]
    pub fn new(id: u64, session: u64) -> MemberConfig {
        MemberConfig {
            id,
            session,
            election_ticks: 10,
            heartbeat_ticks: 1,
            election_seed: None,
            snapshot_entries: 10_000,
            snapshot_bytes: 32 * 1024 * 1024,
            keep_entries: 2_000,
            read_retry_ticks: 5,
            read_expiry_ticks: 50,
            snapshot_send_ticks: 300,
        }
    }

    pub(super) fn for_raft(&self, applied: u64) -> Config {
        Config {
            id: self.id,
            election_tick: self.election_ticks,
            heartbeat_tick: self.heartbeat_ticks,
            applied,
            max_size_per_msg: MAX_MESSAGE_ENTRIES_BYTES,
            max_inflight_msgs: MAX_INFLIGHT_MESSAGES,
            check_quorum: true,
            pre_vote: true,
            read_only_option: ReadOnlyOption::Safe,
            max_uncommitted_size: MAX_UNCOMMITTED_BYTES,
            max_committed_size_per_ready: MAX_COMMITTED_BYTES_PER_READY,
            ..Config::default()
        }
    }
}

/// Mixes numbers into one that looks random.
pub(super) fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, part| {
        let mut z = (hash ^ part).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 32)
    })
}
