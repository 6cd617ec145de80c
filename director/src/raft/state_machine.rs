//! What a Raft member drives: a deterministic state machine over opaque commands.
//!
//! Not here: any state. The director's own machine wraps its core's `apply` and publishes what it holds for readers.

use thiserror::Error;

/// The members of the group, as of one applied entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// Members that vote.
    pub voters: Vec<u64>,
    /// Members that only receive the log.
    pub learners: Vec<u64>,
    /// The voters before a joint change; empty outside of one.
    pub outgoing: Vec<u64>,
}

impl Membership {
    /// Every member named, once each, in order.
    #[must_use]
    pub fn all(&self) -> Vec<u64> {
        let mut ids = [self.voters.as_slice(), &self.learners, &self.outgoing].concat();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// The member must stop: going on would let its state differ from the others'.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Halt(pub String);

/// A replicated state. Every method is called on the member's thread, in the same order on every member.
pub trait StateMachine {
    /// Applies one command and returns its outcome; a business refusal is an outcome, an unknown command is a [`Halt`].
    fn apply(&mut self, index: u64, command: &[u8]) -> Result<Vec<u8>, Halt>;

    /// The whole state. Two members that applied the same entries return the same bytes.
    fn snapshot(&self) -> Vec<u8>;

    /// Replaces the whole state.
    fn restore(&mut self, index: u64, snapshot: &[u8]) -> Result<(), Halt>;

    /// The group's members changed; called on start, too.
    fn membership(&mut self, _index: u64, _membership: &Membership) {}

    /// Everything up to `applied` is in: make it visible to readers. Called once for a run of commands.
    fn publish(&mut self, _applied: u64) {}
}
