//! All channels of a process: a queue and a task for each.
//!
//! Invariants: a queue holds at most [`Policy::queue`] messages, and what does not fit is told at
//! once; when a channel is changed or removed, what waits for it is handed back unsettled (its
//! [`Enqueued`] resolves to `None`) and may be enqueued again, with the same key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::courier_task::{self, Job};
use super::{Channel, ChannelError, Message, Outcome, Sender};
use crate::task::{Shutdown, Tasks};

/// How hard a message is tried.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// First wait between two attempts; doubles.
    pub min_wait: Duration,
    /// Longest wait.
    pub max_wait: Duration,
    /// Attempts before it is given up.
    pub attempts: u32,
    /// Messages that may wait for a channel.
    pub queue: usize,
}

impl Default for Policy {
    /// About an hour of attempts, 256 messages.
    fn default() -> Self {
        Self {
            min_wait: Duration::from_secs(1),
            max_wait: Duration::from_secs(600),
            attempts: 14,
            queue: 256,
        }
    }
}

/// A message on its way: resolves when it was sent or given up, `None` when the channel went away.
#[derive(Debug)]
pub struct Enqueued(oneshot::Receiver<Outcome>);

impl Enqueued {
    /// Waits for the end.
    pub async fn outcome(self) -> Option<Outcome> {
        self.0.await.ok()
    }
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// No channel of this name can be used.
    #[error("there is no channel of this name that can be used; see `wharf channel list`")]
    NoChannel,
    /// Too many wait.
    #[error("too many messages wait for the channel; it does not take them")]
    Full,
}

struct Line {
    channel: Channel,
    queue: mpsc::Sender<Job>,
    stop: Shutdown,
}

/// Carries messages to channels. Clones are the same post.
#[derive(Clone)]
pub struct Post {
    lines: Arc<Mutex<BTreeMap<String, Line>>>,
    tasks: Tasks,
    policy: Policy,
    random: fn() -> u64,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("channels", &self.names())
            .finish()
    }
}

impl Post {
    /// Without channels yet; its tasks are `tasks`', waits are jittered with `random`.
    pub fn new(tasks: Tasks, policy: Policy, random: fn() -> u64) -> Self {
        Self {
            lines: Arc::default(),
            tasks,
            policy,
            random,
        }
    }

    /// Makes the channels those that are given. Ones that are the same keep their queues; what cannot
    /// be used is left out and told.
    pub fn set_channels(&self, channels: Vec<Channel>) -> Vec<(String, ChannelError)> {
        let mut broken = Vec::new();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *lines);
        for channel in channels {
            let kept = before.remove(&channel.name);
            if let Some(line) = kept {
                if line.channel == channel {
                    lines.insert(channel.name.clone(), line);
                    continue;
                }
                line.stop.trigger();
            }
            match Sender::new(&channel) {
                Ok(sender) => {
                    let line = self.start(channel, sender);
                    lines.insert(line.channel.name.clone(), line);
                }
                Err(error) => broken.push((channel.name, error)),
            }
        }
        for line in before.values() {
            line.stop.trigger();
        }
        broken
    }

    fn start(&self, channel: Channel, sender: Sender) -> Line {
        let (queue, jobs) = mpsc::channel(self.policy.queue.max(1));
        let stop = self.tasks.token().child();
        let name = format!("delivery to {}", channel.name);
        let courier = courier_task::Courier {
            channel: channel.name.clone(),
            sender,
            policy: self.policy,
            random: self.random,
        };
        self.tasks.spawn(name, courier.run(jobs, stop.clone()));
        Line {
            channel,
            queue,
            stop,
        }
    }

    /// Names of the channels that can be used, in order.
    pub fn names(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.keys().cloned().collect()
    }

    /// Takes a message for a channel.
    ///
    /// # Errors
    /// When there is no such channel, or too many messages wait for it.
    pub fn enqueue(&self, channel: &str, message: Message) -> Result<Enqueued, PostError> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.get(channel).ok_or(PostError::NoChannel)?;
        let (done, outcome) = oneshot::channel();
        line.queue
            .try_send(Job { message, done })
            .map_err(|_| PostError::Full)?;
        Ok(Enqueued(outcome))
    }
}
