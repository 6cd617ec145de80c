//! What a member reports: effects, errors, status. Plain values.
//!
//! Not here: anything that changes a member.

use thiserror::Error;

use super::super::message::MessageError;
use super::super::proposal::BatchError;
use super::super::state_machine::{Halt, Membership};
use super::super::storage::StoreError;

/// The answer to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The log index at which it was applied.
    pub index: u64,
    /// What the state machine answered.
    pub bytes: Vec<u8>,
}

/// What happened since the last pump.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Proposals of this run that were applied.
    pub outcomes: Vec<(u64, Outcome)>,
    /// Proposals whose outcome this member will not learn: leadership was lost. They may still be applied.
    pub lost: Vec<u64>,
    /// Reads that may be served now from the machine, with the index they were confirmed at.
    pub reads: Vec<(u64, u64)>,
    /// Reads that no leader confirmed in time.
    pub reads_expired: Vec<u64>,
    /// The index of a snapshot that was made.
    pub snapshot_made: Option<u64>,
    /// The index of a snapshot that was received and restored.
    pub snapshot_restored: Option<u64>,
}

impl Effects {
    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Effects::default()
    }
}

/// The member cannot go on.
#[derive(Debug, Error)]
pub enum MemberError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state machine refuses to go on.
    #[error("the director's state cannot be advanced: {0}")]
    Machine(#[from] Halt),
    /// A log entry cannot be understood.
    #[error("log entry {index}: {source}")]
    Entry {
        /// The entry's index.
        index: u64,
        /// What is wrong with it.
        #[source]
        source: BatchError,
    },
    /// A membership change in the log cannot be understood.
    #[error("log entry {0} holds an unknown membership change; start a release that knows it")]
    UnknownChange(u64),
    /// The `raft` crate refused.
    #[error("raft: {0}")]
    Raft(#[from] raft::Error),
    /// The store belongs to another member or to none.
    #[error("this director is member {configured}, but its raft store belongs to {}; use the data directory of this director", owner(.found))]
    WrongMember {
        /// The id asked for.
        configured: u64,
        /// The id in the store.
        found: Option<u64>,
    },
    /// The group counts on entries that this member no longer has.
    #[error(
        "this member has lost its log: the group counts on entry {expected}, the last one here is {found}; move the raft store aside and join as a new member"
    )]
    LogLost {
        /// The entry that the leader counts on.
        expected: u64,
        /// The last entry in the store.
        found: u64,
    },
}

fn owner(found: &Option<u64>) -> String {
    found.map_or_else(|| "nobody".into(), |id| format!("member {id}"))
}

/// A message was not stepped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StepError {
    /// It is malformed or for somebody else; it has no effect.
    #[error(transparent)]
    Refused(#[from] MessageError),
    /// The member must end. See [`MemberError::LogLost`].
    #[error(
        "this member has lost its log: the group counts on entry {expected}, the last one here is {found}"
    )]
    LogLost {
        /// The entry that the leader counts on.
        expected: u64,
        /// The last entry in the store.
        found: u64,
    },
}

/// Why a proposal has no outcome.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// Send it to the leader.
    #[error("this director does not lead; {}", hint(.leader))]
    NotLeader {
        /// The leader, when one is known.
        leader: Option<u64>,
    },
    /// Too much is under way.
    #[error("too many changes are under way; retry in a moment")]
    Busy,
    /// Over the limit of a command.
    #[error(
        "the change is over the limit of {} bytes; make it smaller",
        super::super::proposal::MAX_COMMAND_BYTES
    )]
    TooLarge,
    /// Leadership was lost after it was sent: it may or may not be applied.
    #[error(
        "leadership changed while the change was under way: its outcome is unknown; retry with the same request id"
    )]
    OutcomeUnknown,
    /// Another membership change has not finished.
    #[error("another membership change is under way; retry when it has finished")]
    ChangePending,
    /// The change makes no sense for the present membership.
    #[error("the membership cannot change like this: {0}")]
    InvalidChange(String),
    /// A learner that lacks much of the log would stop the group as a voter.
    #[error("member {member} is {behind} entries behind; promote it when it has caught up")]
    Behind {
        /// The learner.
        member: u64,
        /// Entries it lacks.
        behind: u64,
    },
    /// The member has ended.
    #[error("this director is stopping; retry with the same request id at another one")]
    Stopped,
}

fn hint(leader: &Option<u64>) -> String {
    leader.map_or_else(
        || "no leader is known, retry in a moment".into(),
        |id| format!("member {id} does"),
    )
}

/// A member's part in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Follows a leader, or waits for one.
    #[default]
    Follower,
    /// Receives the log without a vote.
    Learner,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}

/// How far a peer is, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerProgress {
    /// The peer.
    pub member: u64,
    /// The last entry known to be on its disk.
    pub matched: u64,
    /// Whether it answered lately.
    pub active: bool,
    /// Whether a snapshot is on its way to it.
    pub receiving_snapshot: bool,
}

/// Where a member stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The member.
    pub member: u64,
    /// Its part in the group.
    pub role: Role,
    /// Raft's term.
    pub term: u64,
    /// The leader, when one is known.
    pub leader: Option<u64>,
    /// Whether it leads and has applied everything that former leaders committed: leader work may start.
    pub serving: bool,
    /// The last committed entry.
    pub commit: u64,
    /// The last applied entry.
    pub applied: u64,
    /// The first entry in the log.
    pub first_index: u64,
    /// The last entry in the log.
    pub last_index: u64,
    /// The newest snapshot.
    pub snapshot_index: u64,
    /// When it was written, milliseconds since 1970 by this machine's clock; zero: there is none.
    pub snapshot_at_ms: u64,
    /// The group.
    pub membership: Membership,
    /// The peers, when this member leads.
    pub peers: Vec<PeerProgress>,
}
