//! Commands about repositories and snapshots. All need the feature level
//! [`SNAPSHOTS_LEVEL`](crate::state::SNAPSHOTS_LEVEL).

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId};

use crate::state::{SnapshotPolicy, SnapshotRecord};

/// Makes or replaces a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutRepository {
    /// Its name.
    pub name: String,
    /// `s3` or `file`.
    pub kind: String,
    /// Endpoint and bucket, or the path.
    pub location: String,
    /// Below which everything lies.
    pub prefix: String,
    /// Folder on every allocator's host; empty of other kinds.
    pub path: String,
    /// What it is made of, sealed under `repository/<name>`.
    pub sealed: String,
    /// It must not exist; otherwise it must.
    pub create: bool,
    /// Refuse when the repository has another version; zero does not check.
    pub expected_version: u64,
}

/// Forgets a repository that no deployment uses; what is in it stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteRepository {
    /// Its name.
    pub name: String,
    /// Refuse when the repository has another version; zero does not check.
    pub expected_version: u64,
}

/// Says where and how often a deployment's storage nodes keep snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSnapshotPolicy {
    /// Which.
    pub deployment_id: DeploymentId,
    /// Refuse when the deployment has another version; zero does not check.
    pub expected_version: u64,
    /// The policy; none: no more snapshots are taken.
    pub policy: Option<SnapshotPolicy>,
}

/// Asks a deployment's storage nodes for a snapshot now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestSnapshot {
    /// Which.
    pub deployment_id: DeploymentId,
}

/// A storage node told of its last snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteSnapshot {
    /// Where it lies.
    pub allocator_id: AllocatorId,
    /// Which.
    pub instance_id: InstanceId,
    /// The repository that the snapshot is in.
    pub repository: String,
    /// The snapshot.
    pub snapshot: SnapshotRecord,
}

impl SetSnapshotPolicy {
    /// For the audit log.
    #[must_use]
    pub fn summary(&self) -> String {
        match &self.policy {
            Some(policy) => format!(
                "to {} every {} s, {} are kept",
                policy.repository, policy.interval_seconds, policy.keep
            ),
            None => "no more".to_owned(),
        }
    }
}
