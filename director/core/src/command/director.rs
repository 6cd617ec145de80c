//! Commands about directors. Admitting and removing are applied together with the change of Raft's
//! membership, in the same log entry.

use serde::{Deserialize, Serialize};
use wharf_proto::ids::DirectorId;

use crate::state::DirectorFacts;

/// A director becomes a member with an empty log: a new one, or one that lost its disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmitDirector {
    /// Its id.
    pub director_id: DirectorId,
    /// The number that its log begins with; never used before.
    pub member: u64,
    /// Which of its member ids this is; zero is the first.
    pub incarnation: u8,
    /// What it made for its empty disk.
    pub join_id: String,
    /// Where it is and what it runs.
    pub facts: DirectorFacts,
}

/// A member says where it is and what it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribeDirector {
    /// Its id.
    pub director_id: DirectorId,
    /// Its number in the Raft group.
    pub member: u64,
    /// Where it is and what it runs.
    pub facts: DirectorFacts,
}

/// A director leaves for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveDirector {
    /// Its id.
    pub director_id: DirectorId,
}
