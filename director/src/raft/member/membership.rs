//! Changing the group: learners in, learners promoted, members out; several at once through a joint membership.
//!
//! A change is checked against the present membership before it is proposed, because the `raft` crate silently turns a
//! change that it does not like into an empty entry. One change at a time. A leader that removed itself steps down.
//! Not here: addresses and certificates of members, which are commands of the state machine.

use raft::eraftpb::{ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2};
use raft::{Changer, INVALID_ID, StateRole};

use super::super::proposal::{Batch, MAX_COMMAND_BYTES, Proposed};
use super::super::state_machine::StateMachine;
use super::super::storage::RaftStore;
use super::{Member, ProposeError};

/// A learner may be promoted when it lacks no more than this many entries.
const PROMOTION_LAG: u64 = 1_000;
const MAX_CHANGES: usize = 16;

/// One change of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    /// Adds a member without a vote.
    AddLearner(u64),
    /// Gives a learner a vote.
    Promote(u64),
    /// Removes a member.
    Remove(u64),
}

impl MemberChange {
    fn single(self) -> ConfChangeSingle {
        let (kind, id) = match self {
            MemberChange::AddLearner(id) => (ConfChangeType::AddLearnerNode, id),
            MemberChange::Promote(id) => (ConfChangeType::AddNode, id),
            MemberChange::Remove(id) => (ConfChangeType::RemoveNode, id),
        };
        ConfChangeSingle {
            change_type: kind as i32,
            node_id: id,
        }
    }
}

fn invalid(reason: impl Into<String>) -> ProposeError {
    ProposeError::InvalidChange(reason.into())
}

impl<S: RaftStore, M: StateMachine> Member<S, M> {
    /// Proposes a change of the group; `command`, unless empty, is applied together with it and its outcome answers the ticket.
    ///
    /// # Errors
    /// When this member does not lead, a change is under way, or the change makes no sense.
    pub fn propose_change(
        &mut self,
        ticket: u64,
        changes: &[MemberChange],
        command: Vec<u8>,
    ) -> Result<(), ProposeError> {
        self.must_lead()?;
        if command.len() > MAX_COMMAND_BYTES {
            return Err(ProposeError::TooLarge);
        }
        if self.node.raft.has_pending_conf() || !self.conf.voters_outgoing.is_empty() {
            return Err(ProposeError::ChangePending);
        }
        for change in changes {
            self.check_change(*change)?;
        }
        if changes.is_empty() || changes.len() > MAX_CHANGES {
            return Err(invalid(format!("name 1 to {MAX_CHANGES} changes")));
        }
        let context = Batch {
            member: self.config.id,
            session: self.config.session,
            commands: vec![Proposed { ticket, command }],
        };
        let change = ConfChangeV2 {
            transition: ConfChangeTransition::Auto as i32,
            changes: changes.iter().map(|change| change.single()).collect(),
            context: context.encode().map_err(|_| ProposeError::TooLarge)?,
        };
        let mut changer = Changer::new(self.node.raft.prs());
        let possible = match change.enter_joint() {
            Some(auto_leave) => changer.enter_joint(auto_leave, &change.changes),
            None => changer.simple(&change.changes),
        };
        possible.map_err(|error| invalid(error.to_string()))?;
        self.node
            .propose_conf_change(Vec::new(), change)
            .map_err(|_| ProposeError::Busy)?;
        if !self.node.raft.has_pending_conf() {
            return Err(ProposeError::ChangePending);
        }
        self.tickets.insert(ticket, self.node.raft.term);
        Ok(())
    }

    fn check_change(&self, change: MemberChange) -> Result<(), ProposeError> {
        let learner = |id: &u64| self.conf.learners.contains(id);
        let voter = |id: &u64| self.conf.voters.contains(id);
        match change {
            MemberChange::AddLearner(0) | MemberChange::Promote(0) | MemberChange::Remove(0) => {
                Err(invalid("0 is not a member id"))
            }
            MemberChange::AddLearner(id) if learner(&id) || voter(&id) => {
                Err(invalid(format!("member {id} is in the group already")))
            }
            MemberChange::AddLearner(_) => Ok(()),
            MemberChange::Promote(id) if !learner(&id) => {
                Err(invalid(format!("member {id} is not a learner")))
            }
            MemberChange::Promote(id) => {
                let matched = self
                    .node
                    .raft
                    .prs()
                    .get(id)
                    .map_or(0, |progress| progress.matched);
                let behind = self.node.raft.raft_log.last_index().saturating_sub(matched);
                if matched == 0 || behind > PROMOTION_LAG {
                    return Err(ProposeError::Behind { member: id, behind });
                }
                Ok(())
            }
            MemberChange::Remove(id) if !learner(&id) && !voter(&id) => {
                Err(invalid(format!("member {id} is not in the group")))
            }
            MemberChange::Remove(id) if self.conf.voters == [id] => {
                Err(invalid(format!("member {id} is the only one with a vote")))
            }
            MemberChange::Remove(_) => Ok(()),
        }
    }

    /// Raft leaves a joint membership by itself unless leadership changed in between; then the new leader must.
    pub(super) fn leave_joint_membership(&mut self) {
        if self.conf.voters_outgoing.is_empty() || self.node.raft.has_pending_conf() {
            return;
        }
        if let Err(error) = self
            .node
            .propose_conf_change(Vec::new(), ConfChangeV2::default())
        {
            tracing::debug!(%error, "leaving the joint membership is tried again");
        }
    }

    /// The crate lets a leader that is no longer a voter go on leading.
    pub(super) fn step_down_when_removed(&mut self) {
        if self.node.raft.state == StateRole::Leader && !self.is_voter() {
            let term = self.node.raft.term;
            self.node.raft.become_follower(term, INVALID_ID);
            self.settle_timeout();
        }
    }
}
