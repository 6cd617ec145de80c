//! Repositories, and what is decided and known of the snapshots that storage nodes keep there. What
//! a repository is made of is sealed; who seals and opens it is the shell. Not here: taking and
//! restoring snapshots (the storage node).

use serde::{Deserialize, Serialize};
use wharf_proto::ids::AllocatorId;

/// Where storage nodes keep their snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryRecord {
    /// Its name.
    pub name: String,
    /// `s3` or `file`.
    pub kind: String,
    /// For people: endpoint and bucket, or the path. Snapshots are found by it again.
    pub location: String,
    /// Below which everything lies; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Folder on every allocator's host; empty of other kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// `wharf.v1.Repository`, sealed under `repository/<name>`.
    pub sealed: String,
    /// When it was made.
    pub created_ms: u64,
    /// When this record changed last.
    pub changed_ms: u64,
    /// Grows with every change of this record.
    pub version: u64,
}

/// How a deployment's storage nodes keep snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotPolicy {
    /// Name of the repository.
    pub repository: String,
    /// Between two snapshots.
    pub interval_seconds: u64,
    /// So many are kept of each storage node.
    pub keep: u32,
}

/// A snapshot that is known to be whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRecord {
    /// Its name: a later one's is greater.
    pub name: String,
    /// When it was taken, by its host's clock.
    pub taken_ms: u64,
    /// Its size.
    pub bytes: u64,
    /// Documents in it.
    pub documents: u64,
}

/// What a storage node began from in place of what its lost host has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoredFrom {
    /// Name of the snapshot.
    pub snapshot: String,
    /// When that was taken.
    pub taken_ms: u64,
    /// When its host was heard of last; of one that was lost before the leader led, when that began: the
    /// snapshot counts as older than it was then, never as newer.
    pub lost_ms: u64,
    /// When it served again.
    pub restored_ms: u64,
    /// The lost host: what was written since the snapshot is there and nowhere else.
    pub allocator_id: AllocatorId,
    /// Its name, which outlives it.
    pub host: String,
}
