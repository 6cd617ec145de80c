//! Records of directors: who they are, where they are reached, what they run. Which of them vote is
//! Raft's own membership, not here. Invariant: a member id belongs to one director and is never
//! given twice; a director that was removed never comes back.

use serde::{Deserialize, Serialize};
use wharf_proto::ids::DirectorId;

use crate::authority::AuthorityReport;

/// A director that belongs to the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorRecord {
    /// Its id, as in its certificate.
    pub id: DirectorId,
    /// Its number in the Raft group.
    pub member: u64,
    /// How often it lost its log: counts its member ids.
    pub incarnation: u8,
    /// What it made for its empty disk; empty for the one that began the platform.
    pub join_id: String,
    /// Where it is and what it runs.
    pub facts: DirectorFacts,
    /// When it was first a member.
    pub created_ms: u64,
    /// When this record changed last.
    pub changed_ms: u64,
    /// Grows with every change of this record.
    pub version: u64,
}

/// Where a director is and what it runs, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorFacts {
    /// Name of its host.
    pub host: String,
    /// Availability zone.
    pub zone: String,
    /// `HOST:PORT` for roles and other directors.
    pub internal_address: String,
    /// `HOST:PORT` for people.
    pub admin_address: String,
    /// The version of its code.
    pub build: String,
    /// Highest feature level that it supports.
    pub feature_level: u64,
    /// Which authorities it follows, once the first change of them has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<AuthorityReport>,
}
