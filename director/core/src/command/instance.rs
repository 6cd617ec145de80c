//! Commands about instances and their data that need no plan. All need the feature level
//! [`MOVES_LEVEL`](crate::state::MOVES_LEVEL).

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId};

use crate::state::HostLoss;

/// Proxies send requests to an instance no more, or again; it goes on running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetInstanceRouting {
    /// Which.
    pub instance_id: InstanceId,
    /// No more.
    pub stopped: bool,
}

/// Says what becomes of a deployment's storage nodes when their host is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetHostLossPolicy {
    /// Which.
    pub deployment_id: DeploymentId,
    /// Refuse when the deployment has another version; zero does not check.
    pub expected_version: u64,
    /// The policy.
    pub on_host_loss: HostLoss,
}

/// An allocator applied the assignment that says that these serve under a lease: from now on they
/// take no writes without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteLeased {
    /// On which allocator.
    pub allocator_id: AllocatorId,
    /// Which.
    pub instance_ids: Vec<InstanceId>,
}

/// An allocator told that it set the data of these aside: it need not be told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteSetAside {
    /// Which allocator.
    pub allocator_id: AllocatorId,
    /// Which.
    pub instance_ids: Vec<InstanceId>,
}
