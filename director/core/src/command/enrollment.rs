//! Commands about hosts that join and leave, and the tokens by which they do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, DirectorId, ProxyId};

use crate::state::HostRole;

/// Makes a token by which hosts join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateEnrollmentToken {
    /// 32 lower-case hex.
    pub id: String,
    /// SHA-256 of the secret, hex.
    pub hash: String,
    /// What a host may become by it.
    pub roles: BTreeSet<HostRole>,
    /// The zone of hosts that join by it.
    pub zone: String,
    /// How long it is valid.
    pub lifetime_ms: u64,
    /// Hosts that may join by it.
    pub uses: u32,
    /// Who makes it.
    pub created_by: String,
}

/// Takes a token back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeEnrollmentToken {
    /// Which.
    pub id: String,
}

/// A host joins by a token, whose secret was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollHost {
    /// The token.
    pub token_id: String,
    /// Id of the host's allocator.
    pub allocator_id: AllocatorId,
    /// Id of its proxy, when it is to have one.
    pub proxy_id: Option<ProxyId>,
    /// Id of its director, when it is to have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub director_id: Option<DirectorId>,
    /// Its name.
    pub host: String,
    /// The IP address that others reach it at.
    pub address: String,
    /// What it is to be.
    pub roles: BTreeSet<HostRole>,
    /// It has no container engine, and so no allocator. Needs the feature level
    /// [`WITHOUT_ENGINE_LEVEL`](crate::state::WITHOUT_ENGINE_LEVEL).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_engine: bool,
}

/// Forgets a host that joined and hosts nothing, with its allocator and its proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgetHost {
    /// Its allocator.
    pub allocator_id: AllocatorId,
    /// It is lost: what lies there is given up. Needs the feature level
    /// [`MOVES_LEVEL`](crate::state::MOVES_LEVEL).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

fn names(roles: &BTreeSet<HostRole>) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    names.join(", ")
}

impl CreateEnrollmentToken {
    /// What the audit log says of it.
    #[must_use]
    pub fn summary(&self) -> String {
        let (roles, zone, uses) = (names(&self.roles), &self.zone, self.uses);
        format!("roles: {roles}; zone {zone}; for {uses} hosts")
    }
}

impl EnrollHost {
    /// What the audit log says of it.
    #[must_use]
    pub fn summary(&self) -> String {
        let (roles, address, token) = (names(&self.roles), &self.address, &self.token_id);
        let engine = if self.without_engine {
            "; without an engine"
        } else {
            ""
        };
        format!("roles: {roles}; at {address}; by the token {token}{engine}")
    }
}
