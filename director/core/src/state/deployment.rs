//! Records of what users asked for: deployments, their resources and instances. An instance
//! record holds what was decided for it (where, which port, run or not); what was seen of it is
//! never here but in `observe`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId, PlanId, ResourceId};

use super::{Claim, HostLoss, RestoredFrom, SnapshotPolicy, SnapshotRecord};
use crate::{size::Size, template::MONITORING};

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
    /// Its instances are stopped by request; their data and places are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminated: bool,
    /// The password that a plan is about to bring; sealed credentials wait as the secret
    /// `deployment/<id>/credentials/next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_user: Option<DeploymentUser>,
    /// What becomes of a storage node whose host is lost.
    #[serde(default, skip_serializing_if = "HostLoss::is_wait")]
    pub on_host_loss: HostLoss,
    /// Where and how often its storage nodes keep snapshots; none: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_policy: Option<SnapshotPolicy>,
    /// Number of requests for a snapshot now so far.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub snapshot_requested: u64,
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

impl ResourceRecord {
    /// Whether its instances keep nothing on their hosts, so that they may be placed elsewhere.
    #[must_use]
    pub fn is_stateless(&self) -> bool {
        self.kind == MONITORING
    }
}

/// Where an instance was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceBerth {
    /// On which allocator.
    pub allocator_id: AllocatorId,
    /// In which zone that was.
    pub zone: String,
    /// The host port it is published at; zero while it is terminated.
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
    /// There is to be no container; data and place are kept, memory and port are given back.
    Keep,
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
    /// Room that is held for it while a plan changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// It was healthy once, so it may hold data: only a deletion removes that. True in records of
    /// older versions, which did not note it.
    #[serde(default = "yes")]
    pub proven: bool,
    /// Stopped by request, and only by request started again; data, place and memory are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Proxies send it nothing, by request, whatever `routed` says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub routing_stopped: bool,
    /// Its container was told that it serves under a lease: it does until it is replaced, whatever the
    /// policy has become.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lease_bound: bool,
    /// Its host told that it serves under a lease; only then may it be replaced without its host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leased: bool,
    /// Grows when it is replaced without its data.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub incarnation: u64,
    /// Its last snapshot, as it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_snapshot: Option<SnapshotRecord>,
    /// What it began from when its host was lost last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<RestoredFrom>,
}

const fn yes() -> bool {
    true
}

impl InstanceRecord {
    /// What its place takes of its host.
    #[must_use]
    pub fn held(&self) -> Size {
        if self.berth.as_ref().is_some_and(|berth| berth.port == 0) {
            return Size {
                disk_bytes: self.size.disk_bytes,
                ..Size::default()
            };
        }
        match &self.claim {
            Some(Claim {
                size, berth: None, ..
            }) => self.size.most(*size),
            _ => self.size,
        }
    }
}
