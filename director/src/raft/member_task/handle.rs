//! What the rest of the director holds of its Raft member: a cloneable handle.
//!
//! Every request is bounded: a full queue is refused with a retryable error, never waited for.
//! Not here: what happens to a request (`member_task.rs`).

use std::sync::mpsc::{SyncSender, TrySendError};

use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::super::member::{MemberChange, Outcome, ProposeError, Status};
use super::super::proposal::MAX_COMMAND_BYTES;

pub(super) enum Request {
    Propose(Vec<u8>, oneshot::Sender<Result<Outcome, ProposeError>>),
    Change(
        Vec<MemberChange>,
        Vec<u8>,
        oneshot::Sender<Result<Outcome, ProposeError>>,
    ),
    Read(oneshot::Sender<Result<u64, ReadError>>),
    Step(u64, Vec<u8>),
    Unreachable(u64),
    SnapshotSent(u64, bool),
    ForgetLeader(u64),
    CampaignWithoutLeader,
    Transfer(u64),
    Stop(oneshot::Sender<()>),
}

/// Why a linearizable read is not possible.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// No leader confirmed it in time.
    #[error("no leader confirmed the read in time; retry, or check that most directors are up")]
    NoLeader,
    /// Too much is under way.
    #[error("too many requests are under way; retry in a moment")]
    Busy,
    /// The member has ended.
    #[error("this director is stopping; retry at another one")]
    Stopped,
}

/// A message was not taken; Raft sends it again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StepRefused {
    /// The queue is full.
    #[error("the raft member is busy; the message is dropped and will be sent again")]
    Busy,
    /// The member has ended.
    #[error("the raft member has stopped")]
    Stopped,
}

/// Asks a member. Clones ask the same member.
#[derive(Clone)]
pub struct Handle {
    requests: SyncSender<Request>,
    status: watch::Receiver<Status>,
    ended: watch::Receiver<bool>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Handle")
            .field("member", &self.status.borrow().member)
            .finish_non_exhaustive()
    }
}

impl Handle {
    pub(super) fn new(
        requests: SyncSender<Request>,
        status: watch::Receiver<Status>,
        ended: watch::Receiver<bool>,
    ) -> Handle {
        Handle {
            requests,
            status,
            ended,
        }
    }

    /// Proposes a command and waits until it is applied here; returns what the state machine answered.
    ///
    /// # Errors
    /// See [`ProposeError`]; with `OutcomeUnknown` the command may still be applied, so it must carry a request id.
    pub async fn propose(&self, command: Vec<u8>) -> Result<Outcome, ProposeError> {
        if command.len() > MAX_COMMAND_BYTES {
            return Err(ProposeError::TooLarge);
        }
        let (answer, outcome) = oneshot::channel();
        self.ask_to_propose(Request::Propose(command, answer))?;
        // A dropped answer means that the member ended after it took the command.
        outcome.await.unwrap_or(Err(ProposeError::OutcomeUnknown))
    }

    /// Changes the group; `command`, unless empty, is applied together with the change.
    ///
    /// # Errors
    /// As [`Handle::propose`].
    pub async fn change_membership(
        &self,
        changes: Vec<MemberChange>,
        command: Vec<u8>,
    ) -> Result<Outcome, ProposeError> {
        let (answer, outcome) = oneshot::channel();
        self.ask_to_propose(Request::Change(changes, command, answer))?;
        outcome.await.unwrap_or(Err(ProposeError::OutcomeUnknown))
    }

    fn ask_to_propose(&self, request: Request) -> Result<(), ProposeError> {
        self.requests
            .try_send(request)
            .map_err(|error| match error {
                TrySendError::Full(_) => ProposeError::Busy,
                TrySendError::Disconnected(_) => ProposeError::Stopped,
            })
    }

    /// Waits until the state machine holds everything that was committed anywhere when this was called; works on followers, too.
    ///
    /// # Errors
    /// When no leader confirms it in time.
    pub async fn read_index(&self) -> Result<u64, ReadError> {
        let (answer, index) = oneshot::channel();
        self.requests
            .try_send(Request::Read(answer))
            .map_err(|error| match error {
                TrySendError::Full(_) => ReadError::Busy,
                TrySendError::Disconnected(_) => ReadError::Stopped,
            })?;
        index.await.unwrap_or(Err(ReadError::Stopped))
    }

    /// Where the member stands, and a way to wait for changes of it.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Hands over a message that `peer` sent, as its certificate names it.
    ///
    /// # Errors
    /// When it is dropped, which Raft tolerates.
    pub fn step(&self, peer: u64, message: Vec<u8>) -> Result<(), StepRefused> {
        self.requests
            .try_send(Request::Step(peer, message))
            .map_err(|error| match error {
                TrySendError::Full(_) => StepRefused::Busy,
                TrySendError::Disconnected(_) => StepRefused::Stopped,
            })
    }

    /// Says that messages to a peer were lost.
    pub fn report_unreachable(&self, peer: u64) {
        let _ = self.requests.try_send(Request::Unreachable(peer));
    }

    /// Says how sending a snapshot to a peer went.
    pub fn report_snapshot(&self, peer: u64, delivered: bool) {
        let _ = self
            .requests
            .try_send(Request::SnapshotSent(peer, delivered));
    }

    /// Says that the leader's process is known to have ended.
    pub fn forget_leader(&self, leader: u64) {
        let _ = self.requests.try_send(Request::ForgetLeader(leader));
    }

    /// Starts an election unless a leader is known.
    pub fn campaign_without_leader(&self) {
        let _ = self.requests.try_send(Request::CampaignWithoutLeader);
    }

    /// Hands leadership to another voter, best effort.
    pub fn transfer_leader(&self, peer: u64) {
        let _ = self.requests.try_send(Request::Transfer(peer));
    }

    /// Ends the member and waits until its thread is done with the store.
    pub async fn stop(&self) {
        let mut ended = self.ended.clone();
        loop {
            let (done, stopped) = oneshot::channel();
            match self.requests.try_send(Request::Stop(done)) {
                Ok(()) => {
                    let _ = stopped.await;
                    break;
                }
                Err(TrySendError::Disconnected(_)) => break,
                Err(TrySendError::Full(_)) => tokio::task::yield_now().await,
            }
        }
        // The store is closed when the thread's member is dropped; the sender's end says so, too.
        let _ = ended.wait_for(|ended| *ended).await;
    }
}
