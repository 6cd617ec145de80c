//! The task that carries the messages of one channel, one after the other.
//!
//! Invariants: a message is tried until it is taken, refused, or was tried as often as the policy
//! says; waits double with jitter and are never shorter than what the receiver asked for; told to
//! stop it stops at once, and drops what waits unsettled.

use tokio::sync::{mpsc, oneshot};

use super::{Attempt, Message, Outcome, Policy, Sender};
use crate::backoff::Backoff;
use crate::task::Shutdown;

pub(super) struct Job {
    pub(super) message: Message,
    pub(super) done: oneshot::Sender<Outcome>,
}

pub(super) struct Courier {
    pub(super) channel: String,
    pub(super) sender: Sender,
    pub(super) policy: Policy,
    pub(super) random: fn() -> u64,
}

impl Courier {
    pub(super) async fn run(self, mut jobs: mpsc::Receiver<Job>, stop: Shutdown) {
        while let Some(Some(job)) = stop.run_until(jobs.recv()).await {
            let Some(outcome) = stop.run_until(self.carry(&job.message)).await else {
                return;
            };
            // Nobody waits any more: it was sent all the same.
            drop(job.done.send(outcome));
        }
    }

    async fn carry(&self, message: &Message) -> Outcome {
        let millis =
            |wait: std::time::Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let mut backoff = Backoff::new(millis(self.policy.min_wait), millis(self.policy.max_wait));
        let mut attempts = 0;
        let mut last = String::new();
        loop {
            attempts += 1;
            let reason = match self.sender.attempt(message).await {
                Attempt::Sent => {
                    return Outcome {
                        is_sent: true,
                        attempts,
                        reason: last,
                    };
                }
                Attempt::Refused { reason } => reason,
                Attempt::Again { reason, after } if attempts < self.policy.attempts => {
                    let wait = backoff.next((self.random)()).max(after.unwrap_or_default());
                    tracing::warn!(
                        channel = self.channel,
                        key = message.key,
                        attempts,
                        reason,
                        wait_ms = millis(wait),
                        "a message is not delivered yet"
                    );
                    last = reason;
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Attempt::Again { reason, .. } => reason,
            };
            tracing::error!(
                channel = self.channel,
                key = message.key,
                attempts,
                reason,
                "a message is given up"
            );
            return Outcome {
                is_sent: false,
                attempts,
                reason,
            };
        }
    }
}
