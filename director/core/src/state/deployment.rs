//! Records of what users asked for: deployments, their resources and instances. An instance
//! record holds what was decided for it (where, which port, run or not); what was seen of it is
//! never here but in `observe`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId, PlanId, ResourceId};

use crate::size::Size;

/// A user that the deployment's instances accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentUser {
    /// Login name.
    pub username: String,
    /// Argon2 hash in PHC form.
    pub password_hash: String,
    /// Roles inside the engine: `superuser`.
    pub roles: Vec<String>,
}

/// The failure that a deployment shows until a later plan succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentError {
    /// The plan that failed.
    pub plan_id: PlanId,
    /// For example `DIR0062`.
    pub code: String,
    /// The last reason, with the end of the instance's log when there was one.
    pub message: String,
    /// When it failed.
    pub at_ms: u64,
}

/// What a user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentRecord {
    /// Its id.
    pub id: DeploymentId,
    /// Its name, for people.
    pub name: String,
    /// Host name label, unique on the platform.
    pub alias: String,
    /// The template it was made from.
    pub template_id: String,
    /// Grows with every change of this record.
    pub version: u64,
    /// Made and guarded by the platform.
    pub system_owned: bool,
    /// When it was asked for.
    pub created_ms: u64,
    /// When this record changed last.
    pub changed_ms: u64,
    /// Its resources, in the template's order.
    pub resources: Vec<ResourceId>,
    /// Users of its instances.
    pub users: Vec<DeploymentUser>,
    /// The plan that waits or runs.
    pub pending_plan: Option<PlanId>,
    /// The last plan that was carried out.
    pub current_plan: Option<PlanId>,
    /// Its deletion was asked for.
    pub deleting: bool,
    /// The last failure, cleared by a plan that succeeds.
    pub last_error: Option<DeploymentError>,
}

/// One clustered part of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceRecord {
    /// Its id.
    pub id: ResourceId,
    /// Whose part it is.
    pub deployment_id: DeploymentId,
    /// `storage` or `monitoring`.
    pub kind: String,
    /// Name of the hardware profile.
    pub instance_configuration_id: String,
    /// Stack pack: `store`.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// Size of each instance.
    pub size: Size,
    /// Over how many zones.
    pub zone_count: u32,
    /// How many instances in each.
    pub instances_per_zone: u32,
    /// Tags that an allocator must carry to host it.
    pub required_tags: BTreeMap<String, String>,
    /// Its instances, in the order of their names.
    pub instances: Vec<InstanceId>,
}

/// Where an instance was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceBerth {
    /// On which allocator.
    pub allocator_id: AllocatorId,
    /// In which zone that was.
    pub zone: String,
    /// The host port it is published at.
    pub port: u16,
}

/// What is wanted of an instance's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// Placed at most; nothing runs.
    Reserved,
    /// The container is to run.
    Run,
    /// The container is to be stopped, the data kept.
    Stop,
    /// Container and data are to be removed.
    Remove,
}

/// One container of a resource, as decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceRecord {
    /// Its id.
    pub id: InstanceId,
    /// Whose instance it is.
    pub deployment_id: DeploymentId,
    /// Of which resource.
    pub resource_id: ResourceId,
    /// `storage-0`.
    pub name: String,
    /// Its place among the resource's instances.
    pub ordinal: u32,
    /// Its size.
    pub size: Size,
    /// Where it lies; none until placed.
    pub berth: Option<InstanceBerth>,
    /// What is wanted of its container.
    pub want: Want,
    /// Whether proxies may send requests to it (when it is healthy).
    pub routed: bool,
    /// Grows when its container is to be replaced.
    pub revision: u64,
    /// The spec that its container is to run, decided when it was told to; kept, so that another
    /// way to compute it replaces nothing before a plan says so.
    pub spec_hash: String,
    /// Ports that its host refused because somebody else has them.
    pub refused_ports: BTreeSet<u16>,
}
