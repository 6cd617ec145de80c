//! Commands about hosts' roles: allocators and proxies. Proposed by the director that holds the
//! session when what a hello says differs from the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, ProxyId};

use crate::{size::Size, state::PortRange};

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
