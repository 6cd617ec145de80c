//! The one way to change the state: a command with its time and actor stamped once, proposed through
//! Raft, answered with its typed outcome. Invariants: stamped times never run backwards on a member;
//! a repeated request gets the first answer, before its checks could refuse it. Not here: what a
//! command does (the core), how errors look on the wire (`answer`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};
use wharf_director_core::{
    apply::{level, remembered},
    command::{Body, Command, CommandError},
    outcome::{Outcome, OutcomeError},
    refusal::Refusal,
    state::State,
};
use wharf_proto::ids::RequestId;
use wharf_runtime::clock::Clock;

use crate::{
    machine::Published,
    raft::{Handle, MemberChange, ProposeError},
};

/// The actor of the leader's own commands.
pub const SYSTEM: &str = "system";
/// How long an outcome is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why a command has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// The core refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Raft did not take or finish it.
    #[error(transparent)]
    Raft(#[from] ProposeError),
    /// It cannot be written.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Its outcome cannot be read.
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
    /// It was not applied in time.
    #[error("the change was not applied in time; retry with the same request id")]
    Late,
}

/// What a client asked for, with what makes a repetition recognisable.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who asks.
    pub actor: String,
    /// The client's request id.
    pub request_id: RequestId,
    /// Digest of the request.
    pub digest: String,
}

impl Asked {
    /// A request of `actor`; `content` is the encoded message.
    #[must_use]
    pub fn new(actor: &str, request_id: RequestId, content: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update((actor.len() as u64).to_be_bytes());
        hasher.update(actor.as_bytes());
        hasher.update(content);
        Self {
            actor: actor.to_owned(),
            request_id,
            digest: hex::encode(&hasher.finalize()[..16]),
        }
    }
}

/// Proposes commands. Clones share the clock's last stamp.
#[derive(Clone)]
pub struct Proposer {
    raft: Handle,
    published: Arc<Published>,
    clock: Clock,
    last_ms: Arc<AtomicU64>,
}

impl Proposer {
    /// Proposes through this member.
    #[must_use]
    pub fn new(raft: Handle, published: Arc<Published>, clock: Clock) -> Self {
        Self {
            raft,
            published,
            clock,
            last_ms: Arc::default(),
        }
    }

    /// The time now, never before a time that was stamped or applied.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        let wall = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        let now = wall.max(self.published.state().now_ms);
        now.max(self.last_ms.fetch_max(now, Ordering::SeqCst))
    }

    /// Proposes one of the leader's own commands.
    ///
    /// # Errors
    /// See [`ProposalError`].
    pub async fn own(&self, body: Body) -> Result<Outcome, ProposalError> {
        self.of(SYSTEM, body).await
    }

    /// Proposes a command of an actor without a request id.
    ///
    /// # Errors
    /// See [`ProposalError`].
    pub async fn of(&self, actor: &str, body: Body) -> Result<Outcome, ProposalError> {
        self.propose(&Command::new(self.now_ms(), actor, None, body))
            .await
    }

    /// Carries out a client's request once: a repeated one gets the first answer, else `body` makes
    /// the command from the state.
    ///
    /// # Errors
    /// See [`ProposalError`].
    pub async fn once(
        &self,
        asked: &Asked,
        body: impl FnOnce(&State) -> Result<Body, Refusal>,
    ) -> Result<Outcome, ProposalError> {
        let state = self.published.state();
        if let Some(first) = remembered(&state, &asked.request_id)
            && first.digest == asked.digest
        {
            return Ok(first.outcome.clone().accepted()?);
        }
        let body = body(&state)?;
        let command = Command::new(
            self.now_ms(),
            asked.actor.as_str(),
            Some(asked.request_id.clone()),
            body,
        )
        .asked(asked.digest.as_str());
        self.propose(&command).await
    }

    /// Changes the Raft group together with the records of its directors. A repeated request gets the
    /// first answer.
    ///
    /// # Errors
    /// See [`ProposalError`].
    pub async fn change_group(
        &self,
        actor: &str,
        asked: Option<&Asked>,
        changes: Vec<MemberChange>,
        body: Body,
    ) -> Result<Outcome, ProposalError> {
        if let Some(asked) = asked
            && let Some(first) = remembered(&self.published.state(), &asked.request_id)
            && first.digest == asked.digest
        {
            return Ok(first.outcome.clone().accepted()?);
        }
        let request_id = asked.map(|asked| asked.request_id.clone());
        let mut command = Command::new(self.now_ms(), actor, request_id, body);
        if let Some(asked) = asked {
            command = command.asked(asked.digest.as_str());
        }
        if changes.is_empty() {
            return self.propose(&command).await;
        }
        let bytes = command.encode()?;
        let proposed = tokio::time::timeout(PATIENCE, self.raft.change_membership(changes, bytes));
        let outcome = proposed.await.map_err(|_| ProposalError::Late)??;
        Ok(Outcome::decode(&outcome.bytes)?.accepted()?)
    }

    async fn propose(&self, command: &Command) -> Result<Outcome, ProposalError> {
        // In the log it would stop members that do not know it.
        level::check(&self.published.state(), &command.body)?;
        let bytes = command.encode()?;
        let proposed = tokio::time::timeout(PATIENCE, self.raft.propose(bytes));
        let outcome = proposed.await.map_err(|_| ProposalError::Late)??;
        Ok(Outcome::decode(&outcome.bytes)?.accepted()?)
    }
}
