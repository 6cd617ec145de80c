//! The one long-lived owner of a [`Member`]: its own OS thread, because its writes block.
//!
//! Requests come through a bounded channel and are answered through oneshots; commands that arrive together share a log
//! entry and a durable write. Raft's time is a tick of 100 ms, elections wait 10 to 20 of them: a process that ends
//! is noticed at its closed port (`peer_task`), so the timeout only has to notice hosts and links, and may be long
//! enough that saturated cores and slow disks cost no leader; ticks missed in a stall are not caught up, so that a slow
//! disk does not look like a lost leader. A panic or a final error ends the process: a restart recovers, limping does not.
//! Not here: Raft (`member.rs`), the handle that others hold (`member_task/handle.rs`), connections (`transport.rs`).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{oneshot, watch};

mod handle;

use handle::Request;
pub use handle::{Handle, ReadError, StepRefused};

use super::member::{
    Effects, Member, MemberConfig, MemberError, Outcome, ProposeError, Status, StepError,
};
use super::proposal::Proposed;
use super::state_machine::StateMachine;
use super::storage::RaftStore;
use super::transport::{Outbox, PeerOutbox};

/// Raft's unit of time.
pub const TICK: Duration = Duration::from_millis(100);
/// The exit code of a process whose member failed.
pub const EXIT_CODE: i32 = wharf_runtime::task::CRITICAL_EXIT_CODE;
const MAX_REQUESTS: usize = 4_096;
/// Requests handled between two pumps.
const MAX_GATHERED: usize = 1_024;

/// The member's thread could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The member refused what its store holds.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// The system gave no thread.
    #[error("no thread for the raft member: {0}; raise the limit of processes")]
    Thread(#[source] std::io::Error),
}

/// What is done when the member fails: called once, on its thread, with the reason.
pub type OnFailure = Box<dyn FnOnce(Failure) + Send>;

/// Why a member ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people.
    pub reason: String,
    /// The group counts on entries that are not in this log any more: it can never be used again.
    pub log_lost: bool,
}

impl Failure {
    fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            log_lost: false,
        }
    }
}

/// Ends the process with [`EXIT_CODE`]; what a director passes as [`OnFailure`].
#[must_use]
pub fn exit_process() -> OnFailure {
    Box::new(|_| std::process::exit(EXIT_CODE))
}

/// Starts a member on a thread of its own. The thread ends when [`Handle::stop`] is called or every handle is gone.
///
/// # Errors
/// When the store does not belong to the member, or the machine refuses its snapshot.
pub fn start<S, M>(
    config: MemberConfig,
    store: S,
    machine: M,
    outbox: PeerOutbox,
    on_failure: OnFailure,
) -> Result<Handle, StartError>
where
    S: RaftStore + Send + 'static,
    M: StateMachine + Send + 'static,
{
    let (requests, inbox) = sync_channel(MAX_REQUESTS);
    let (status_in, status) = watch::channel(Status {
        member: config.id,
        ..Status::default()
    });
    let (started, starting) = sync_channel(1);
    let (ended_in, ended) = watch::channel(false);
    let body = move || {
        // The member is made here: not everything in it may move between threads.
        let member = match catch_unwind(AssertUnwindSafe(|| Member::start(config, store, machine)))
        {
            Ok(Ok(member)) => member,
            Ok(Err(error)) => {
                let _ = started.send(Err(error));
                return;
            }
            Err(_) => {
                return on_failure(Failure::because(
                    "the raft member panicked while it started",
                ));
            }
        };
        let _ = started.send(Ok(()));
        drop(started);
        let run = catch_unwind(AssertUnwindSafe(|| {
            MemberThread::new(member, outbox, status_in).run(inbox)
        }));
        ended_in.send_replace(true);
        let failure = match run {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Failure {
                reason: error.to_string(),
                log_lost: matches!(error, MemberError::LogLost { .. }),
            },
            Err(_) => Failure::because("the raft member panicked; its message is above"),
        };
        tracing::error!(
            reason = failure.reason,
            "the raft member failed; this process ends"
        );
        on_failure(failure);
    };
    std::thread::Builder::new()
        .name("raft-member".into())
        .spawn(body)
        .map_err(StartError::Thread)?;
    match starting.recv() {
        Ok(Ok(())) => Ok(Handle::new(requests, status, ended)),
        Ok(Err(error)) => Err(StartError::Member(error)),
        Err(_) => Err(StartError::Thread(std::io::Error::other(
            "the raft member panicked while it started",
        ))),
    }
}

type Answer = oneshot::Sender<Result<Outcome, ProposeError>>;

struct MemberThread<S: RaftStore, M> {
    member: Member<S, M>,
    outbox: PeerOutbox,
    status: watch::Sender<Status>,
    next_ticket: u64,
    gathered: Vec<Proposed>,
    proposals: BTreeMap<u64, Answer>,
    reads: BTreeMap<u64, oneshot::Sender<Result<u64, ReadError>>>,
}

impl<S: RaftStore, M: StateMachine> MemberThread<S, M> {
    fn new(member: Member<S, M>, outbox: PeerOutbox, status: watch::Sender<Status>) -> Self {
        MemberThread {
            member,
            outbox,
            status,
            next_ticket: 0,
            gathered: Vec::new(),
            proposals: BTreeMap::new(),
            reads: BTreeMap::new(),
        }
    }

    fn run(mut self, inbox: Receiver<Request>) -> Result<(), MemberError> {
        self.pump()?;
        let mut next_tick = Instant::now() + TICK;
        loop {
            let wait = next_tick.saturating_duration_since(Instant::now());
            let mut request = match inbox.recv_timeout(wait) {
                Ok(request) => Some(request),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let mut stop = None;
            for _ in 0..MAX_GATHERED {
                let Some(one) = request else { break };
                if let Request::Stop(done) = one {
                    stop = Some(done);
                    break;
                }
                self.take(one)?;
                request = inbox.try_recv().ok();
            }
            self.propose_gathered();
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                self.member.tick();
            }
            for peer in self.outbox.take_overflowed() {
                self.member.report_unreachable(peer);
            }
            self.pump()?;
            if let Some(done) = stop {
                let _ = done.send(());
                return Ok(());
            }
        }
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    fn take(&mut self, request: Request) -> Result<(), MemberError> {
        match request {
            Request::Propose(command, answer) => {
                let ticket = self.ticket();
                self.gathered.push(Proposed { ticket, command });
                self.proposals.insert(ticket, answer);
            }
            Request::Change(changes, command, answer) => {
                // What was asked before is proposed before.
                self.propose_gathered();
                let ticket = self.ticket();
                match self.member.propose_change(ticket, &changes, command) {
                    Ok(()) => {
                        self.proposals.insert(ticket, answer);
                    }
                    Err(error) => {
                        let _ = answer.send(Err(error));
                    }
                }
            }
            Request::Read(answer) => {
                let ticket = self.ticket();
                self.reads.insert(ticket, answer);
                self.member.read_index(ticket);
            }
            Request::Step(peer, bytes) => match self.member.step(peer, &bytes) {
                Ok(()) => {}
                Err(StepError::Refused(error)) => {
                    tracing::warn!(%error, "a raft message was refused");
                }
                Err(StepError::LogLost { expected, found }) => {
                    return Err(MemberError::LogLost { expected, found });
                }
            },
            Request::Unreachable(peer) => self.member.report_unreachable(peer),
            Request::SnapshotSent(peer, delivered) => {
                self.member.report_snapshot(peer, delivered);
            }
            Request::ForgetLeader(leader) => self.member.forget_leader(leader),
            Request::CampaignWithoutLeader => self.member.campaign_without_leader(),
            Request::Transfer(peer) => self.member.transfer_leader(peer),
            Request::Stop(_) => {}
        }
        Ok(())
    }

    fn propose_gathered(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let commands = std::mem::take(&mut self.gathered);
        for (ticket, error) in self.member.propose(commands) {
            self.answer(ticket, Err(error));
        }
    }

    fn answer(&mut self, ticket: u64, result: Result<Outcome, ProposeError>) {
        if let Some(answer) = self.proposals.remove(&ticket) {
            // Who no longer waits does not need the answer.
            let _ = answer.send(result);
        }
    }

    fn pump(&mut self) -> Result<(), MemberError> {
        let outbox: &mut dyn Outbox = &mut self.outbox;
        let effects = self.member.pump(outbox)?;
        // Who is answered finds a status that holds the answer.
        let status = self.member.status();
        self.status.send_if_modified(|held| {
            let changed = *held != status;
            if changed {
                *held = status;
            }
            changed
        });
        if !effects.is_empty() {
            self.deliver(effects);
        }
        Ok(())
    }

    fn deliver(&mut self, effects: Effects) {
        for (ticket, outcome) in effects.outcomes {
            self.answer(ticket, Ok(outcome));
        }
        for ticket in effects.lost {
            self.answer(ticket, Err(ProposeError::OutcomeUnknown));
        }
        for (ticket, index) in effects.reads {
            if let Some(answer) = self.reads.remove(&ticket) {
                let _ = answer.send(Ok(index));
            }
        }
        for ticket in effects.reads_expired {
            if let Some(answer) = self.reads.remove(&ticket) {
                let _ = answer.send(Err(ReadError::NoLeader));
            }
        }
        if let Some(index) = effects.snapshot_made {
            tracing::info!(index, "a snapshot of the director's state was made");
        }
        if let Some(index) = effects.snapshot_restored {
            tracing::info!(
                index,
                "the director's state was restored from the leader's snapshot"
            );
        }
    }
}

#[cfg(test)]
mod tests;
