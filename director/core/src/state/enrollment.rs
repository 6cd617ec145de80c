//! Records of how hosts join: tokens, and the hosts that joined by one. Secrets are hashes here; a
//! host that left is remembered for as long as its certificates could be shown again. Not here: the
//! text of a token (`wharf_proto::join_token`), certificates (the shell).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, DirectorId, ProxyId};

/// What a host can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostRole {
    /// It takes part in deciding.
    Director,
    /// Instances are placed on it.
    Allocator,
    /// It routes clients.
    Proxy,
    /// It is watched, and nothing is placed on it.
    Collector,
}

impl HostRole {
    /// Every role.
    pub const ALL: [Self; 4] = [
        Self::Director,
        Self::Allocator,
        Self::Proxy,
        Self::Collector,
    ];

    /// The name that people use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Director => "director",
            Self::Allocator => "allocator",
            Self::Proxy => "proxy",
            Self::Collector => "collector",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// A token by which hosts join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollmentTokenRecord {
    /// 32 lower-case hex; not secret.
    pub id: String,
    /// SHA-256 of the secret, hex. The secret is 32 random bytes: no slow hash is needed.
    pub hash: String,
    /// What a host may become by it.
    pub roles: BTreeSet<HostRole>,
    /// The zone of hosts that join by it.
    pub zone: String,
    /// Hosts that may join by it.
    pub uses: u32,
    /// Hosts that did.
    pub used: u32,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_ms: u64,
    /// From when on it is worth nothing.
    pub expires_ms: u64,
    /// When it was taken back.
    pub revoked_ms: Option<u64>,
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenWorth {
    /// A host may join by it.
    Usable,
    /// As many hosts joined as may.
    Used,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl TokenWorth {
    /// The word that people see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl EnrollmentTokenRecord {
    /// What it is worth now.
    #[must_use]
    pub fn worth(&self, now_ms: u64) -> TokenWorth {
        if self.revoked_ms.is_some() {
            TokenWorth::Revoked
        } else if self.used >= self.uses {
            TokenWorth::Used
        } else if now_ms >= self.expires_ms {
            TokenWorth::Expired
        } else {
            TokenWorth::Usable
        }
    }
}

/// A host that joined by a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRecord {
    /// Of its allocator; the host's key, also where there is none because there is no engine.
    pub allocator_id: AllocatorId,
    /// Of its proxy, when it has one.
    pub proxy_id: Option<ProxyId>,
    /// Of its director, when it joined with that role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub director_id: Option<DirectorId>,
    /// Its name.
    pub host: String,
    /// The IP address that it was enrolled with.
    pub address: String,
    /// What it may be.
    pub roles: BTreeSet<HostRole>,
    /// When its roles were changed by request, which it is told; zero: they are those of its token.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub roles_changed_ms: u64,
    /// By which token.
    pub token_id: String,
    /// When.
    pub enrolled_ms: u64,
    /// When it left or was forgotten: its certificates are worth nothing since.
    pub left_ms: Option<u64>,
    /// It has no container engine: its director and proxy are services of its system, and no allocator
    /// speaks for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_engine: bool,
}

impl HostRecord {
    /// Whether instances may be placed on it.
    #[must_use]
    pub fn hosts_instances(&self) -> bool {
        self.roles.contains(&HostRole::Allocator)
    }
}
