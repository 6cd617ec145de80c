//! Commands about channels to people and about the platform's own alerts.

use serde::{Deserialize, Serialize};

use crate::state::AlertRecord;

/// Makes or replaces a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutChannel {
    /// Its name.
    pub name: String,
    /// `webhook` or `email`.
    pub kind: String,
    /// The host it goes to.
    pub host: String,
    /// What it is made of, sealed under `channel/<name>`.
    pub sealed: String,
    /// It must not exist; otherwise it must.
    pub create: bool,
    /// Refuse when the channel has another version; zero does not check.
    pub expected_version: u64,
}

/// Removes a channel that nothing names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteChannel {
    /// Its name.
    pub name: String,
    /// Refuse when the channel has another version; zero does not check.
    pub expected_version: u64,
}

/// Keeps what alerts have become, before anything of it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordAlerts {
    /// Alerts as they are now.
    pub alerts: Vec<AlertRecord>,
    /// Ids of alerts of which nothing is owed.
    pub forgotten: Vec<String>,
}

/// A message was sent or given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleAlert {
    /// The alert.
    pub id: String,
    /// Which of its messages.
    pub transition: u64,
    /// Whether a receiver took it.
    pub sent: bool,
}
