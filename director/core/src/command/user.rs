//! Commands about people: users and the tokens that stand for them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::state::Role;

/// Makes a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// Login name.
    pub username: String,
    /// Argon2 hash in PHC form.
    pub password_hash: String,
    /// What the user may do.
    pub roles: BTreeSet<Role>,
}

/// Changes a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// Login name.
    pub username: String,
    /// New hash; none keeps it.
    pub password_hash: Option<String>,
    /// New roles; none keeps them.
    pub roles: Option<BTreeSet<Role>>,
    /// Whether the user can no longer log in; none keeps it.
    pub disabled: Option<bool>,
    /// Refuse when the user has another version; zero does not check.
    pub expected_version: u64,
}

/// Removes a user, with the user's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteUser {
    /// Login name.
    pub username: String,
    /// Refuse when the user has another version; zero does not check.
    pub expected_version: u64,
}

/// Makes a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// Its id, 32 lower-case hex.
    pub id: String,
    /// Whose.
    pub username: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the secret, hex.
    pub hash: String,
    /// What it may do.
    pub roles: BTreeSet<Role>,
    /// For how long, from when it is made.
    pub lifetime_ms: u64,
}

/// Takes a token back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeToken {
    /// Its id.
    pub id: String,
    /// Only when it is this user's; none: anybody's.
    pub owner: Option<String>,
}
