//! Commands about sessions of people in browsers. Members know them from
//! [`SESSIONS_LEVEL`](crate::state::SESSIONS_LEVEL) on.

use serde::{Deserialize, Serialize};

/// Begins a session of somebody whose password was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginSession {
    /// Its id, 32 lower-case hex.
    pub id: String,
    /// Whose.
    pub username: String,
    /// The user's version that the password was right for: it may have been changed since.
    pub user_version: u64,
    /// SHA-256 of the cookie's secret, hex.
    pub hash: String,
    /// From where.
    pub via: String,
}

/// Ends a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndSession {
    /// Its id.
    pub id: String,
    /// Only when it is this user's; none: anybody's.
    pub owner: Option<String>,
}

/// A session was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteSessionUsed {
    /// Its id.
    pub id: String,
}
