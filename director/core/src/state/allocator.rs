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
    /// What the host said of itself last; zone, tags and capacity above are what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<AllocatorSaid>,
    /// What was set by request and goes before what the host says.
    #[serde(default, skip_serializing_if = "AllocatorSet::is_nothing")]
    pub set: AllocatorSet,
}

/// What a host said of itself that can be set otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocatorSaid {
    /// Its zone.
    pub zone: String,
    /// Its labels.
    pub tags: BTreeMap<String, String>,
    /// What it offers, whatever its roles.
    pub capacity: Size,
}

/// What was set by request; what is none is as the host says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocatorSet {
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Its labels, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// What is handed out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Size>,
}

impl AllocatorSet {
    /// Whether everything is as the host says.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
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
    /// Instances that have their berth elsewhere and a claim here.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub claims: BTreeSet<InstanceId>,
    /// Instances that were here and whose containers and data are to go, although they are
    /// forgotten already; bounded, oldest go first.
    pub removed: Vec<InstanceId>,
    /// Instances that were replaced elsewhere while this host was away: their data is to be set
    /// aside here; kept until the host tells that it did.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub set_aside: BTreeSet<InstanceId>,
    /// Those of them that may take writes there until they are: a move was given up in the middle of its
    /// take-over. They are placed nowhere before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub torn: BTreeSet<InstanceId>,
}
