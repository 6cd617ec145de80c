//! Commands about deployments. Every id, every default and every hash is already in them: apply
//! invents nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{DeploymentId, InstanceId, PlanId, ResourceId};

use crate::{
    size::Size,
    state::{DeploymentUser, MoveWish},
};

/// An instance to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInstance {
    /// Its id.
    pub id: InstanceId,
    /// `storage-0`.
    pub name: String,
}

/// A resource to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewResource {
    /// Its id.
    pub id: ResourceId,
    /// `storage` or `monitoring`.
    pub kind: String,
    /// Name of the hardware profile.
    pub instance_configuration_id: String,
    /// Stack pack: `store`.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// Size of each instance, CPU and disk filled in.
    pub size: Size,
    /// Over how many zones.
    pub zone_count: u32,
    /// How many instances in each.
    pub instances_per_zone: u32,
    /// Tags that an allocator must carry.
    pub required_tags: BTreeMap<String, String>,
    /// `zone_count * instances_per_zone` instances.
    pub instances: Vec<NewInstance>,
}

/// Makes a deployment and its first plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateDeployment {
    /// Its id.
    pub deployment_id: DeploymentId,
    /// The plan's id.
    pub plan_id: PlanId,
    /// Its name.
    pub name: String,
    /// Its alias.
    pub alias: String,
    /// The template it was made from.
    pub template_id: String,
    /// Made and guarded by the platform; may wait for capacity that is not there yet.
    pub system_owned: bool,
    /// Its resources.
    pub resources: Vec<NewResource>,
    /// Users of its instances.
    pub users: Vec<DeploymentUser>,
    /// Sealed credentials, kept as the secret `deployment/<id>/credentials`.
    pub sealed_credentials: String,
}

/// Asks for a deployment's deletion and makes the plan for it. A plan that waits or runs is
/// ended first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteDeployment {
    /// Which.
    pub deployment_id: DeploymentId,
    /// The plan's id.
    pub plan_id: PlanId,
    /// Refuse when the deployment has another version; zero does not check.
    pub expected_version: u64,
}

/// Makes a plan that adds resources and carries out what earlier plans left undone; with no
/// resources only the latter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendDeployment {
    /// Which.
    pub deployment_id: DeploymentId,
    /// The plan's id.
    pub plan_id: PlanId,
    /// Resources of kinds that it does not have yet.
    pub resources: Vec<NewResource>,
    /// Refuse when the deployment has another version; zero does not check.
    pub expected_version: u64,
    /// Why, for the plan's first line.
    pub reason: String,
}

/// Makes a plan that replaces the containers of these instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpgradeDeployment {
    /// Which.
    pub deployment_id: DeploymentId,
    /// The plan's id.
    pub plan_id: PlanId,
    /// Why, for the plan's first line.
    pub reason: String,
}

/// What is to become of a deployment that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change", deny_unknown_fields)]
pub enum DeploymentChange {
    /// Its instances get these sizes.
    Resize {
        /// Whole sizes by resource kind.
        sizes: BTreeMap<String, Size>,
    },
    /// Instances are stopped and started, one after the other.
    Restart {
        /// Names of instances or kinds of resources; empty: all.
        instances: Vec<String>,
    },
    /// Its instances are stopped; data and places are kept.
    Terminate,
    /// Its instances are started again.
    Restore,
    /// What an ended plan wanted is wanted again.
    Reapply {
        /// That plan.
        of_plan: PlanId,
    },
    /// Its instances and whoever uses them get another password.
    ResetPassword {
        /// The user with the hash of the new password.
        user: DeploymentUser,
        /// The credentials, sealed as the secret `deployment/<id>/credentials`.
        sealed_credentials: String,
    },
    /// Instances are to lie elsewhere, with their data. Needs the feature level
    /// [`MOVES_LEVEL`](crate::state::MOVES_LEVEL), like the two below.
    Move {
        /// Which, where, why.
        moves: Vec<MoveWish>,
    },
    /// An instance is stopped; data, place and memory are kept.
    Pause {
        /// Which.
        instance_id: InstanceId,
    },
    /// An instance that was paused is started again.
    Resume {
        /// Which.
        instance_id: InstanceId,
    },
}

/// Makes a plan that changes a deployment. Needs the feature level
/// [`OPERATIONS_LEVEL`](crate::state::OPERATIONS_LEVEL).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeDeployment {
    /// Which.
    pub deployment_id: DeploymentId,
    /// The plan's id.
    pub plan_id: PlanId,
    /// Refuse when the deployment has another version; zero does not check.
    pub expected_version: u64,
    /// What is to become of it.
    pub change: DeploymentChange,
}
