//! Records of channels to people and of the platform's own alerts. What a channel is made of is
//! sealed; who seals and opens it is the shell.

use serde::{Deserialize, Serialize};
use wharf_proto::alerting::Alert;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelRecord {
    /// Its name.
    pub name: String,
    /// `webhook` or `email`.
    pub kind: String,
    /// The host it goes to.
    pub host: String,
    /// `wharf.v1.Channel`, sealed under `channel/<name>`.
    pub sealed: String,
    /// When it was made.
    pub created_ms: u64,
    /// When this record changed last.
    pub changed_ms: u64,
    /// Grows with every change of this record.
    pub version: u64,
}

/// An alert of the platform, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRecord {
    /// Its life; the id is `kind/id/code`.
    pub alert: Alert,
    /// The problem's code.
    pub code: String,
    /// `deployment`, `allocator`, `collector`, ...
    pub subject_kind: String,
    /// Its name, for people.
    pub subject: String,
    /// What is, or was, wrong.
    pub message: String,
    /// What the user can do.
    pub hint: String,
}
