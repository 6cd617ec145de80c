//! Records of sessions of people in browsers. Invariant: the secret of the cookie is a hash here, and
//! nothing here can be shown as one. Not here: who is let in (the shell), how a session ends with its
//! user (`apply/session`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Role, UserRecord};

/// A use is written down when the last one that was is older.
pub const USE_NOTED_MS: u64 = 5 * 60 * 1000;

/// A browser that somebody has logged in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRecord {
    /// 32 lower-case hex; not secret.
    pub id: String,
    /// Whose.
    pub username: String,
    /// SHA-256 of the cookie's secret, hex. The secret is 32 random bytes: no slow hash is needed.
    pub hash: String,
    /// The address that logged in, and what its browser called itself.
    pub via: String,
    /// When it was made.
    pub created_ms: u64,
    /// The last use, to within [`USE_NOTED_MS`].
    pub used_ms: u64,
    /// From when on it is worth nothing, whatever is done with it.
    pub expires_ms: u64,
}

impl SessionRecord {
    /// When it ends, unless it is used before; `idle_ms` is how long it may lie idle.
    #[must_use]
    pub const fn ends_ms(&self, idle_ms: u64) -> u64 {
        let idle = self.used_ms.saturating_add(idle_ms);
        if idle < self.expires_ms {
            idle
        } else {
            self.expires_ms
        }
    }

    /// What it may do now: what its user may, and nothing once it has ended or its user is disabled.
    #[must_use]
    pub fn roles_now(&self, user: &UserRecord, now_ms: u64, idle_ms: u64) -> BTreeSet<Role> {
        if user.disabled || now_ms >= self.ends_ms(idle_ms) {
            return BTreeSet::new();
        }
        user.roles.clone()
    }

    /// Whether its use now is to be written down.
    #[must_use]
    pub const fn use_is_due(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.used_ms) >= USE_NOTED_MS
    }
}
