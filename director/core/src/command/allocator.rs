//! Commands about hosts' roles: allocators and proxies. Proposed by the director that holds the
//! session when what a hello says differs from the record.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, ProxyId};

use crate::{
    size::Size,
    state::{HostRole, PortRange},
};

/// An allocator said hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterAllocator {
    /// Its id.
    pub allocator_id: AllocatorId,
    /// Name of its host.
    pub host: String,
    /// Availability zone.
    pub zone: String,
    /// Labels that filters look at.
    pub tags: BTreeMap<String, String>,
    /// What the platform may hand out.
    pub capacity: Size,
    /// The address that proxies reach its instances at.
    pub address: String,
    /// Ports of its instances.
    pub ports: PortRange,
    /// The generation of the assignment it holds: generations of a new record go on from there.
    pub held_generation: u64,
}

/// Changes what the platform decided about an allocator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateAllocator {
    /// Which.
    pub allocator_id: AllocatorId,
    /// Maintenance mode; none keeps it.
    pub maintenance: Option<bool>,
    /// Refuse when the allocator has another version; zero does not check.
    pub expected_version: u64,
    /// Its zone; none keeps it. This and the three below need the feature level
    /// [`MOVES_LEVEL`](crate::state::MOVES_LEVEL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Its labels, all of them; none keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// What is handed out of it; a zero part keeps what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Size>,
    /// What its host is, all of it; none keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<BTreeSet<HostRole>>,
}

impl UpdateAllocator {
    /// A change of nothing, to be filled in.
    #[must_use]
    pub const fn of(allocator_id: AllocatorId, expected_version: u64) -> Self {
        Self {
            allocator_id,
            maintenance: None,
            expected_version,
            zone: None,
            tags: None,
            capacity: None,
            roles: None,
        }
    }

    /// Whether it asks for more than members of older versions know.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.zone.is_some()
            || self.tags.is_some()
            || self.capacity.is_some()
            || self.roles.is_some()
    }

    /// What the audit log says of it.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut changes = Vec::new();
        if let Some(on) = self.maintenance {
            let word = if on { "on" } else { "off" };
            changes.push(format!("maintenance {word}"));
        }
        if let Some(zone) = &self.zone {
            changes.push(format!("zone {zone}"));
        }
        if let Some(tags) = &self.tags {
            let tags: Vec<String> = tags
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            changes.push(format!("tags {}", tags.join(",")));
        }
        if let Some(capacity) = &self.capacity {
            changes.push(format!("capacity {capacity}"));
        }
        if let Some(roles) = &self.roles {
            let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            changes.push(format!("roles {}", roles.join(", ")));
        }
        changes.join("; ")
    }
}

/// Forgets an allocator that hosts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgetAllocator {
    /// Which.
    pub allocator_id: AllocatorId,
}

/// A proxy said hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterProxy {
    /// Its id.
    pub proxy_id: ProxyId,
    /// Name of its host.
    pub host: String,
    /// Availability zone.
    pub zone: String,
    /// The generation of the table it holds: generations never run behind it.
    pub held_generation: u64,
}

/// Forgets a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgetProxy {
    /// Which.
    pub proxy_id: ProxyId,
}
