//! Records of allocators (hosts' agents) and what is assigned to each. The assignment's content is
//! derived from the instance records (`reconcile/assignment`); kept here are its generation, the
//! digest it was made from, and the index of an allocator's instances.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, InstanceId};

use crate::size::Size;

/// The host ports an allocator may publish instances at, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortRange {
    /// First port.
    pub start: u16,
    /// Last port.
    pub end: u16,
}

/// What an allocator says of itself, and what the platform decided about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocatorRecord {
    /// Its id.
    pub id: AllocatorId,
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
    /// Nothing new is placed here.
    pub maintenance: bool,
    /// When it was first seen.
    pub created_ms: u64,
    /// When this record changed last.
    pub changed_ms: u64,
    /// Grows with every change of this record.
    pub version: u64,
}

/// What is assigned to an allocator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentRecord {
    /// Grows when the content changes.
    pub generation: u64,
    /// Digest of the content at that generation.
    pub digest: String,
    /// Every instance that has its berth here.
    pub instances: BTreeSet<InstanceId>,
    /// Instances that were here and whose containers and data are to go, although they are
    /// forgotten already; bounded, oldest go first.
    pub removed: Vec<InstanceId>,
}
