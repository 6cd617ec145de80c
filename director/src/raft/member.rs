//! One Raft member, synchronous: messages, ticks and requests in; messages, outcomes and confirmed reads out.
//!
//! Both the director's `member_task` and the simulation drive it the same way: call what happened, then [`Member::pump`].
//! Invariants: one durable write for each `Ready`, before the messages that promise it; a command is applied once, in
//! log order; nothing is proposed by a member that is not leader; a ticket is answered once, by an outcome or as lost.
//! An error of `pump` is final. A panic of the `raft` crate must end the process; the caller sees to it.
//! Not here: threads, clocks, sockets; what commands mean; how a store keeps its word.

use std::collections::{BTreeMap, BTreeSet};

use raft::eraftpb::{ConfState, HardState, MessageType, Snapshot, SnapshotMetadata};
use raft::{INVALID_ID, ProgressState, RawNode, SnapshotStatus, StateRole};

mod config;
mod membership;
mod pump;
mod reads;
mod report;

pub use config::MemberConfig;
pub use membership::MemberChange;
pub use report::{
    Effects, MemberError, Outcome, PeerProgress, ProposeError, Role, Status, StepError,
};

use super::logging;
use super::message;
use super::proposal::{self, Batch, Proposed};
use super::state_machine::{Membership, StateMachine};
use super::storage::{LogView, RaftStore, StoreError};
use reads::Reads;

/// The first snapshot of a new group. Index 1, so that whoever joins later receives it instead of an empty log.
const GENESIS: (u64, u64) = (1, 1);

/// Makes an empty store the only member of a new group, whose state begins as `state`.
///
/// # Errors
/// When the store is not empty or cannot be written.
pub fn bootstrap<S: RaftStore>(
    store: &mut S,
    member: u64,
    state: Vec<u8>,
) -> Result<(), StoreError> {
    let snapshot = Snapshot {
        data: state,
        metadata: Some(SnapshotMetadata {
            conf_state: Some(ConfState {
                voters: vec![member],
                ..ConfState::default()
            }),
            index: GENESIS.0,
            term: GENESIS.1,
        }),
    };
    store.initialize(member, Some(&snapshot))
}

/// Makes an empty store a member that waits to be added to an existing group. The id must never have been used before.
///
/// # Errors
/// When the store is not empty or cannot be written.
pub fn join<S: RaftStore>(store: &mut S, member: u64) -> Result<(), StoreError> {
    store.initialize(member, None)
}

fn membership_of(conf: &ConfState) -> Membership {
    let mut learners = conf.learners.clone();
    learners.extend_from_slice(&conf.learners_next);
    let mut membership = Membership {
        voters: conf.voters.clone(),
        learners,
        outgoing: conf.voters_outgoing.clone(),
    };
    membership.voters.sort_unstable();
    membership.learners.sort_unstable();
    membership.outgoing.sort_unstable();
    membership
}

/// One member of the group.
pub struct Member<S: RaftStore, M> {
    config: MemberConfig,
    node: RawNode<LogView<S>>,
    machine: M,
    conf: ConfState,
    applied: u64,
    bytes_since_snapshot: u64,
    snapshot_due: bool,
    /// Tickets in flight and the term in which this member proposed them.
    tickets: BTreeMap<u64, u64>,
    reads: Reads,
    effects: Effects,
    /// Ticks for which a snapshot has been under way to a peer.
    snapshot_ticks: BTreeMap<u64, usize>,
    timeout_of: Option<(u64, StateRole)>,
}

impl<S: RaftStore, M: StateMachine> Member<S, M> {
    /// Starts a member from what its store holds: the machine is restored from the snapshot, the log follows as it commits.
    ///
    /// # Errors
    /// When the store belongs to another member, cannot be read, or the machine refuses its snapshot.
    pub fn start(config: MemberConfig, store: S, mut machine: M) -> Result<Self, MemberError> {
        match store.member_id() {
            Some(id) if id == config.id => {}
            found => {
                return Err(MemberError::WrongMember {
                    configured: config.id,
                    found,
                });
            }
        }
        let metadata = store.snapshot_metadata();
        if metadata.index > 0 {
            let snapshot = store.read_snapshot()?;
            machine.restore(metadata.index, &snapshot.data)?;
        }
        let conf = metadata.conf_state.clone().unwrap_or_default();
        let raft_config = config.for_raft(metadata.index);
        let node = RawNode::new(&raft_config, LogView::new(store), &logging::logger())?;
        machine.membership(metadata.index, &membership_of(&conf));
        machine.publish(metadata.index);
        let mut member = Member {
            reads: Reads::new(config.id, config.session),
            config,
            node,
            machine,
            applied: metadata.index,
            bytes_since_snapshot: 0,
            snapshot_due: false,
            tickets: BTreeMap::new(),
            effects: Effects::default(),
            snapshot_ticks: BTreeMap::new(),
            timeout_of: None,
            conf,
        };
        member.settle_timeout();
        if member.conf.voters == [member.config.id] && member.conf.voters_outgoing.is_empty() {
            // Nobody else could win: do not wait for the election timeout.
            member.node.campaign()?;
            member.settle_timeout();
        }
        Ok(member)
    }

    /// One unit of Raft's time has passed.
    pub fn tick(&mut self) {
        self.node.tick();
        self.settle_timeout();
        let leads = self.node.raft.state == StateRole::Leader;
        if leads {
            self.leave_joint_membership();
            self.give_up_on_lost_snapshots();
        } else {
            self.snapshot_ticks.clear();
        }
        let expired = self
            .reads
            .tick(self.config.read_retry_ticks, self.config.read_expiry_ticks);
        self.effects.reads_expired.extend(expired);
    }

    /// A message from the authenticated member `peer` arrived.
    ///
    /// # Errors
    /// When it is refused, or when it shows that this member has lost its log ([`StepError::LogLost`]).
    pub fn step(&mut self, peer: u64, bytes: &[u8]) -> Result<(), StepError> {
        let message = message::decode(bytes, self.config.id, peer)?;
        let last = self.node.raft.raft_log.last_index();
        if message.msg_type == MessageType::MsgHeartbeat as i32
            && message.term >= self.node.raft.term
            && message.commit > last
        {
            // The `raft` crate would panic: the leader counts on entries that this store once had.
            return Err(StepError::LogLost {
                expected: message.commit,
                found: last,
            });
        }
        let from = message.from;
        if let Err(error) = self.node.step(message) {
            tracing::debug!(%error, from, "a raft message had no effect");
        }
        self.settle_timeout();
        Ok(())
    }

    /// Proposes commands, in order; returns those that were refused at once. The others are answered by [`Effects`].
    #[must_use]
    pub fn propose(&mut self, commands: Vec<Proposed>) -> Vec<(u64, ProposeError)> {
        let mut refused = Vec::new();
        let (fitting, oversized): (Vec<_>, Vec<_>) = commands
            .into_iter()
            .partition(|proposed| proposed.command.len() <= proposal::MAX_COMMAND_BYTES);
        refused.extend(
            oversized
                .into_iter()
                .map(|proposed| (proposed.ticket, ProposeError::TooLarge)),
        );
        for group in proposal::group(fitting) {
            let tickets: Vec<u64> = group.iter().map(|proposed| proposed.ticket).collect();
            match self.propose_group(group) {
                Ok(()) => {
                    let term = self.node.raft.term;
                    self.tickets
                        .extend(tickets.into_iter().map(|ticket| (ticket, term)));
                }
                Err(error) => {
                    refused.extend(tickets.into_iter().map(|ticket| (ticket, error.clone())));
                }
            }
        }
        refused
    }

    fn propose_group(&mut self, commands: Vec<Proposed>) -> Result<(), ProposeError> {
        self.must_lead()?;
        let batch = Batch {
            member: self.config.id,
            session: self.config.session,
            commands,
        };
        let bytes = batch.encode().map_err(|_| ProposeError::TooLarge)?;
        // Raft drops a proposal when too much is uncommitted or leadership is being handed over.
        self.node
            .propose(Vec::new(), bytes)
            .map_err(|_| ProposeError::Busy)
    }

    fn must_lead(&self) -> Result<(), ProposeError> {
        if self.node.raft.state == StateRole::Leader && self.is_voter() {
            return Ok(());
        }
        Err(ProposeError::NotLeader {
            leader: self.leader().filter(|leader| *leader != self.config.id),
        })
    }

    fn is_voter(&self) -> bool {
        self.conf.voters.contains(&self.config.id)
            || self.conf.voters_outgoing.contains(&self.config.id)
    }

    /// Asks for a linearizable read; [`Effects::reads`] names the ticket once the machine holds all that was
    /// committed when this was called.
    pub fn read_index(&mut self, ticket: u64) {
        self.reads.add(ticket);
    }

    /// Hands leadership to another voter, best effort.
    pub fn transfer_leader(&mut self, to: u64) {
        if self.node.raft.state == StateRole::Leader {
            self.node.transfer_leader(to);
        }
    }

    /// `leader` is known to be gone, not merely silent: this member no longer holds to it, so that it may vote for
    /// another before the election timeout. Safe whether or not it is true, as any election is.
    pub fn forget_leader(&mut self, leader: u64) {
        let raft = &mut self.node.raft;
        if raft.state == StateRole::Follower && raft.leader_id == leader {
            let term = raft.term;
            raft.become_follower(term, INVALID_ID);
            self.settle_timeout();
        }
    }

    /// Starts an election when this member has a vote and knows no leader.
    pub fn campaign_without_leader(&mut self) {
        let raft = &self.node.raft;
        if raft.state != StateRole::Leader && raft.leader_id == INVALID_ID && self.is_voter() {
            self.campaign();
        }
    }

    /// Starts an election now.
    pub fn campaign(&mut self) {
        if let Err(error) = self.node.campaign() {
            tracing::debug!(%error, "no election was started");
        }
        self.settle_timeout();
    }

    /// Messages to a peer were lost.
    pub fn report_unreachable(&mut self, peer: u64) {
        self.node.report_unreachable(peer);
    }

    /// A snapshot has been handed to a peer, or has not.
    pub fn report_snapshot(&mut self, peer: u64, delivered: bool) {
        let status = if delivered {
            SnapshotStatus::Finish
        } else {
            SnapshotStatus::Failure
        };
        self.node.report_snapshot(peer, status);
    }

    /// The machine, to read from.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The store, to look at.
    pub fn store(&self) -> &S {
        self.node.store().store()
    }

    fn leader(&self) -> Option<u64> {
        Some(self.node.raft.leader_id).filter(|leader| *leader != INVALID_ID)
    }

    /// Where this member stands.
    pub fn status(&self) -> Status {
        let raft = &self.node.raft;
        let store = self.node.store().store();
        let leads = raft.state == StateRole::Leader;
        let mut peers: Vec<PeerProgress> = Vec::new();
        if leads {
            peers.extend(raft.prs().iter().map(|(id, progress)| PeerProgress {
                member: *id,
                matched: progress.matched,
                active: *id == self.config.id || progress.recent_active,
                receiving_snapshot: progress.state == ProgressState::Snapshot,
            }));
            peers.sort_unstable_by_key(|peer| peer.member);
        }
        Status {
            member: self.config.id,
            role: match raft.state {
                StateRole::Leader => Role::Leader,
                StateRole::Follower if self.is_voter() => Role::Follower,
                StateRole::Follower => Role::Learner,
                StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
            },
            term: raft.term,
            leader: self.leader(),
            serving: leads && self.is_voter() && raft.apply_to_current_term(),
            commit: raft.raft_log.committed,
            applied: self.applied,
            first_index: store.first_index(),
            last_index: raft.raft_log.last_index(),
            snapshot_index: store.snapshot_metadata().index,
            snapshot_at_ms: store.snapshot_at_ms(),
            membership: membership_of(&self.conf),
            peers,
        }
    }

    /// Gives the election timeout a value that depends on nothing but seed, member, term and role.
    fn settle_timeout(&mut self) {
        let Some(seed) = self.config.election_seed else {
            return;
        };
        let now = (self.node.raft.term, self.node.raft.state);
        if self.timeout_of == Some(now) {
            return;
        }
        self.timeout_of = Some(now);
        let role = now.1 as u64;
        let span = self.config.election_ticks;
        let random = config::mix(&[seed, self.config.id, now.0, role]) as usize % span;
        self.node
            .raft
            .set_randomized_election_timeout(span + random);
    }

    /// A lost snapshot leaves a peer waiting for ever, as nothing else is sent to it.
    fn give_up_on_lost_snapshots(&mut self) {
        let waiting: BTreeSet<u64> = self
            .node
            .raft
            .prs()
            .iter()
            .filter(|(_, progress)| progress.state == ProgressState::Snapshot)
            .map(|(id, _)| *id)
            .collect();
        self.snapshot_ticks.retain(|id, _| waiting.contains(id));
        for id in waiting {
            let ticks = self.snapshot_ticks.entry(id).or_insert(0);
            *ticks += 1;
            if *ticks >= self.config.snapshot_send_ticks {
                *ticks = 0;
                self.node.report_snapshot(id, SnapshotStatus::Failure);
            }
        }
    }

    fn stored_hard_state(&self, commit: u64) -> HardState {
        let mut hard_state = self.node.store().store().hard_state();
        hard_state.commit = hard_state.commit.max(commit);
        hard_state
    }
}
