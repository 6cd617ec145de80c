//! Records of people: their roles, their users, the tokens that stand for them. Passwords and tokens
//! are hashes here. Not here: who is let in (the shell).

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use wharf_proto::v1;

/// What a user may do: ECE's four roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees deployments.
    DeploymentsViewer,
    /// Changes deployments.
    DeploymentsManager,
    /// Sees everything.
    PlatformViewer,
    /// Does everything.
    PlatformAdmin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 4] = [
        Self::DeploymentsViewer,
        Self::DeploymentsManager,
        Self::PlatformViewer,
        Self::PlatformAdmin,
    ];

    /// The name that CLI and settings use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeploymentsViewer => "deployments_viewer",
            Self::DeploymentsManager => "deployments_manager",
            Self::PlatformViewer => "platform_viewer",
            Self::PlatformAdmin => "platform_admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// The caller it is in the contracts' access rules.
    #[must_use]
    pub const fn caller(self) -> v1::Caller {
        match self {
            Self::DeploymentsViewer => v1::Caller::DeploymentsViewer,
            Self::DeploymentsManager => v1::Caller::DeploymentsManager,
            Self::PlatformViewer => v1::Caller::PlatformViewer,
            Self::PlatformAdmin => v1::Caller::PlatformAdmin,
        }
    }

    /// Whether whoever has this role may do all that the other may.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self == other || self == Self::PlatformAdmin || other == Self::DeploymentsViewer
    }
}

/// A user of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    /// Login name.
    pub username: String,
    /// Argon2 hash in PHC form.
    pub password_hash: String,
    /// What the user may do; never empty.
    #[serde(alias = "role", deserialize_with = "one_or_many")]
    pub roles: BTreeSet<Role>,
    /// Cannot log in.
    #[serde(default)]
    pub disabled: bool,
    /// When it was made.
    pub created_ms: u64,
    /// When this record changed last.
    pub changed_ms: u64,
    /// Grows with every change of this record.
    pub version: u64,
}

impl UserRecord {
    /// Whether the user may do all that the role may.
    #[must_use]
    pub fn covers(&self, role: Role) -> bool {
        self.roles.iter().any(|own| own.covers(role))
    }

    /// Whether the user is an admin who can log in.
    #[must_use]
    pub fn administers(&self) -> bool {
        !self.disabled && self.roles.contains(&Role::PlatformAdmin)
    }
}

/// Snapshots of earlier versions have one role.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Role>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Roles {
        One(Role),
        Many(BTreeSet<Role>),
    }
    Ok(match Roles::deserialize(deserializer)? {
        Roles::One(role) => BTreeSet::from([role]),
        Roles::Many(roles) => roles,
    })
}

/// A token that stands for a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// 32 lower-case hex; not secret.
    pub id: String,
    /// Whose.
    pub username: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the secret, hex. The secret is 32 random bytes: no slow hash is needed.
    pub hash: String,
    /// What it may do, as far as its user still may.
    pub roles: BTreeSet<Role>,
    /// When it was made.
    pub created_ms: u64,
    /// From when on it is worth nothing.
    pub expires_ms: u64,
}

impl TokenRecord {
    /// What it may do now: nothing once it has expired or its user is disabled.
    #[must_use]
    pub fn roles_now(&self, user: &UserRecord, now_ms: u64) -> BTreeSet<Role> {
        if user.disabled || now_ms >= self.expires_ms {
            return BTreeSet::new();
        }
        let held = self.roles.iter().copied();
        held.filter(|role| user.covers(*role)).collect()
    }
}
