//! Messages to people: webhooks and e-mail, tried again until they arrive or are given up.
//!
//! - [`Channel`]: where messages go, read strictly from JSON
//! - [`Sender`]: one attempt, and what its answer means
//! - [`Post`]: a bounded queue and a task per channel; every message ends in one [`Outcome`]
//!
//! Invariants: messages of one channel are sent one after the other, in their order; each carries
//! its key (`Idempotency-Key`, `Message-ID`), so that a receiver knows one that comes twice; no
//! error and no log holds a password, a header's value or the path of a webhook's URL.
//! Not here: whether something is said (`wharf_proto::alerting`), its texts, keeping what waits
//! over a restart.

mod channel;
mod courier_task;
mod email;
mod post;
mod secret;
#[cfg(test)]
mod tests;
mod webhook;

use std::time::Duration;

pub use channel::{Channel, ChannelError, Email, EmailTls, Kind, Webhook, WebhookFormat};
pub use post::{Enqueued, Policy, Post, PostError};
pub use secret::Secret;

/// A message that is ready to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The same whenever the same message is sent again.
    pub key: String,
    /// One line of plain text.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// The subject in Slack's mrkdwn.
    pub slack_subject: String,
    /// The body in Slack's mrkdwn.
    pub slack_body: String,
    /// What a program reads, an object; goes into a webhook's plain JSON.
    pub fields: serde_json::Value,
}

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The receiver took it.
    Sent,
    /// It may work later.
    Again {
        /// Why it did not.
        reason: String,
        /// Not earlier than this, when the receiver said so.
        after: Option<Duration>,
    },
    /// It will never work as it is.
    Refused {
        /// Why.
        reason: String,
    },
}

/// How a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the receiver took it.
    pub is_sent: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// Of the last attempt that failed; empty when none did.
    pub reason: String,
}

/// Sends to one channel.
#[derive(Debug)]
pub struct Sender {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Webhook(Box<webhook::Sender>),
    Email(Box<email::Sender>),
}

impl Sender {
    /// Sets up what is needed; connects to nobody.
    ///
    /// # Errors
    /// When the channel's addresses or certificates cannot be used.
    pub fn new(channel: &Channel) -> Result<Self, ChannelError> {
        let inner = match &channel.kind {
            Kind::Webhook(webhook) => Inner::Webhook(Box::new(webhook::Sender::new(webhook)?)),
            Kind::Email(email) => Inner::Email(Box::new(email::Sender::new(email)?)),
        };
        Ok(Self { inner })
    }

    /// Tries once, within a time limit.
    pub async fn attempt(&self, message: &Message) -> Attempt {
        match &self.inner {
            Inner::Webhook(sender) => sender.attempt(message).await,
            Inner::Email(sender) => sender.attempt(message).await,
        }
    }
}
