//! Everything that was decided: ordered maps, changed only by `apply`, so that every director
//! has the same bytes. Bounded: 50 plans of a deployment, 10,000 audit lines, requests of 24 hours.
//! Not here: anything observed (`observe`), which is the leader's memory.

pub mod allocator;
pub mod authority;
pub mod channel;
pub mod claim;
pub mod deployment;
pub mod director;
pub mod enrollment;
pub mod plan;
pub mod platform;
pub mod relocation;
pub mod repository;
pub mod session;
pub mod user;
pub mod vacate;
pub mod zone;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wharf_proto::ids::{
    AllocatorId, DeploymentId, DirectorId, InstanceId, PlanId, ProxyId, RequestId, ResourceId,
};

pub use self::{
    allocator::{AllocatorRecord, AssignmentRecord, PortRange},
    authority::{AuthorityPhase, AuthorityRecord, CaRecord},
    channel::{AlertRecord, ChannelRecord},
    claim::{Claim, ClaimStage},
    deployment::{
        DeploymentError, DeploymentRecord, DeploymentUser, InstanceBerth, InstanceRecord,
        ResourceRecord, Want,
    },
    director::{DirectorFacts, DirectorRecord},
    enrollment::{EnrollmentTokenRecord, HostRecord, HostRole, TokenWorth},
    plan::{
        PlanKind, PlanRecord, PlanStatus, StepKind, StepLine, StepRecord, StepStatus, Wanted,
        WantedResource,
    },
    platform::{
        AuditEntry, AuditPlace, HealthRecord, PlatformRecord, ProxyRecord, RememberedRequest,
        RequestAge, RouteRecord, SecretRecord, SettingRecord,
    },
    relocation::{HostLoss, MoveCause, MoveWish},
    repository::{RepositoryRecord, RestoredFrom, SnapshotPolicy, SnapshotRecord},
    session::{SessionRecord, USE_NOTED_MS},
    user::{Role, TokenRecord, UserRecord},
    vacate::{VacateMoveRecord, VacateMoveState, VacateRecord, VacateStatus},
    zone::{MICRODEGREES, ZoneLocation, ZoneLocationRecord},
};
use crate::size::Size;

/// Version of the snapshot's form.
pub const SNAPSHOT_VERSION: u32 = 1;
/// Highest feature level that this version of the code knows.
pub const FEATURE_LEVEL: u64 = 7;
/// The level from which deployments are resized, restarted, terminated and plans cancelled.
pub const OPERATIONS_LEVEL: u64 = 2;
/// The level from which there may be several directors.
pub const DIRECTORS_LEVEL: u64 = 3;
/// The level from which hosts join by tokens.
pub const ENROLLMENT_LEVEL: u64 = 3;
/// The level from which directors join by tokens.
pub const DIRECTOR_TOKENS_LEVEL: u64 = 4;
/// The level from which instances are moved, paused and resumed, hosts vacated and lost ones replaced.
pub const MOVES_LEVEL: u64 = 4;
/// The level from which storage nodes keep snapshots outside of their hosts.
pub const SNAPSHOTS_LEVEL: u64 = 4;
/// The level from which the platform's authority is rotated.
pub const AUTHORITY_LEVEL: u64 = 4;
/// The level from which hosts without a container engine join.
pub const WITHOUT_ENGINE_LEVEL: u64 = 4;
/// The level from which people stay logged in within a browser.
pub const SESSIONS_LEVEL: u64 = 5;
/// The level from which one command says of many subjects how they are.
pub const HEALTH_LEVEL: u64 = 6;
/// The level from which zones have a location.
pub const ZONE_LOCATIONS_LEVEL: u64 = 6;
/// The level from which plans and what was observed note the hosts that they are about.
pub const HOSTS_NOTED_LEVEL: u64 = 7;
/// Directors at most, learners included.
pub const DIRECTORS_KEPT: usize = 9;
/// Plans kept of a deployment.
pub const PLANS_KEPT: usize = 50;
/// Plans kept of deployments that are gone, all together.
pub const FORGOTTEN_PLANS_KEPT: usize = 200;
/// Audit lines kept.
pub const AUDIT_KEPT: usize = 10_000;
/// How long the answer of a request is remembered.
pub const REQUEST_MEMORY_MS: u64 = 24 * 60 * 60 * 1000;
/// Requests remembered at most; the oldest go first.
pub const REQUESTS_KEPT: usize = 50_000;
/// Problems of subjects remembered at most.
pub const HEALTH_KEPT: usize = 10_000;
/// Users at most.
pub const USERS_KEPT: usize = 10_000;
/// Tokens of one user at most.
pub const TOKENS_OF_USER: usize = 50;
/// Sessions of one user in browsers at most.
pub const SESSIONS_OF_USER: usize = 20;
/// Tokens by which hosts join, at most.
pub const ENROLLMENT_TOKENS_KEPT: usize = 1_000;
/// Channels at most.
pub const CHANNELS_KEPT: usize = 100;
/// Repositories at most.
pub const REPOSITORIES_KEPT: usize = 100;
/// Zones with a location at most.
pub const ZONE_LOCATIONS_KEPT: usize = 1_000;
/// Alerts of the platform at most.
pub const ALERTS_KEPT: usize = 1_000;
/// Largest snapshot that is read.
pub const SNAPSHOT_BYTES: usize = 1 << 30;

/// The state of a platform.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The feature level that every member supports.
    pub feature_level: u64,
    /// The time of the last command; never runs backwards.
    pub now_ms: u64,
    /// Commands applied so far; tells readers whether anything changed.
    pub revision: u64,
    /// The platform's identity; none before it is set up.
    pub platform: Option<PlatformRecord>,
    /// Directors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub directors: BTreeMap<DirectorId, DirectorRecord>,
    /// Directors that were removed: their certificates count no more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed_directors: BTreeSet<DirectorId>,
    /// Deployments.
    pub deployments: BTreeMap<DeploymentId, DeploymentRecord>,
    /// Which deployment has an alias.
    pub aliases: BTreeMap<String, DeploymentId>,
    /// Resources of all deployments.
    pub resources: BTreeMap<ResourceId, ResourceRecord>,
    /// Instances of all deployments.
    pub instances: BTreeMap<InstanceId, InstanceRecord>,
    /// Plans.
    pub plans: BTreeMap<PlanId, Arc<PlanRecord>>,
    /// Plans of each deployment, oldest first; of deployments that are gone too.
    pub plan_history: BTreeMap<DeploymentId, VecDeque<PlanId>>,
    /// Allocators.
    pub allocators: BTreeMap<AllocatorId, AllocatorRecord>,
    /// What is assigned to each allocator.
    pub assignments: BTreeMap<AllocatorId, AssignmentRecord>,
    /// Proxies.
    pub proxies: BTreeMap<ProxyId, ProxyRecord>,
    /// The routes' generation.
    pub routes: RouteRecord,
    /// Users of the platform by name.
    pub users: BTreeMap<String, UserRecord>,
    /// Tokens of users by id.
    #[serde(default)]
    pub tokens: BTreeMap<String, TokenRecord>,
    /// Sessions of users in browsers by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sessions: BTreeMap<String, SessionRecord>,
    /// Tokens by which hosts join, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub enrollment_tokens: BTreeMap<String, EnrollmentTokenRecord>,
    /// Hosts that joined by one, by their allocators; also those that left.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<AllocatorId, HostRecord>,
    /// Where zones are, by their names; also of zones whose hosts are all gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub zone_locations: BTreeMap<String, ZoneLocationRecord>,
    /// Hosts that are or were emptied, by the id of the vacate.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vacates: BTreeMap<String, VacateRecord>,
    /// Its certificate authorities; none before the first change of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<AuthorityRecord>,
    /// Channels to people by name.
    #[serde(default)]
    pub channels: BTreeMap<String, ChannelRecord>,
    /// Where storage nodes keep their snapshots, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repositories: BTreeMap<String, RepositoryRecord>,
    /// Alerts of the platform by id.
    #[serde(default)]
    pub alerts: BTreeMap<String, AlertRecord>,
    /// Settings by key.
    pub settings: BTreeMap<String, SettingRecord>,
    /// Sealed secrets by name, for example `deployment/<id>/credentials`.
    pub secrets: BTreeMap<String, SecretRecord>,
    /// The last problem of a subject, by `kind/subject`.
    pub health: BTreeMap<String, HealthRecord>,
    /// The last [`AUDIT_KEPT`] audit lines, oldest first.
    pub audit: VecDeque<Arc<AuditEntry>>,
    /// The number of the next audit line.
    pub audit_next: u64,
    /// Requests of the last 24 hours and their answers.
    pub requests: BTreeMap<RequestId, Arc<RememberedRequest>>,
    /// The same requests in the order of arrival.
    pub request_ages: VecDeque<RequestAge>,
}

/// Why a snapshot is not readable.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Larger than any state may be.
    #[error("DIR0002: the snapshot has {0} bytes; a state has at most {SNAPSHOT_BYTES}")]
    TooLarge(usize),
    /// It has another version.
    #[error(
        "DIR0002: the snapshot has version {0}, this director reads {SNAPSHOT_VERSION}; run the version that wrote it"
    )]
    Version(u32),
    /// It is damaged or of a newer version.
    #[error(
        "DIR0002: the snapshot cannot be read ({0}); let this director rejoin with an empty data directory"
    )]
    Damaged(#[from] serde_json::Error),
    /// It needs features that this version lacks.
    #[error(
        "DIR0002: the snapshot has feature level {0}, this director supports {FEATURE_LEVEL}; upgrade it"
    )]
    FeatureLevel(u64),
}

#[derive(Serialize)]
struct SnapshotOut<'a> {
    version: u32,
    state: &'a State,
}

#[derive(Deserialize)]
struct SnapshotVersion {
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotIn {
    #[serde(rename = "version")]
    _version: u32,
    state: State,
}

impl State {
    /// The whole state as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(&SnapshotOut {
            version: SNAPSHOT_VERSION,
            state: self,
        })
        .expect("every key of the state is a text")
    }

    /// Reads bytes that [`Self::encode`] made.
    ///
    /// # Errors
    /// When they are damaged or of a version that this code does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        if bytes.len() > SNAPSHOT_BYTES {
            return Err(SnapshotError::TooLarge(bytes.len()));
        }
        let SnapshotVersion { version } = serde_json::from_slice(bytes)?;
        if version != SNAPSHOT_VERSION {
            return Err(SnapshotError::Version(version));
        }
        let SnapshotIn { state, .. } = serde_json::from_slice(bytes)?;
        if state.feature_level > FEATURE_LEVEL {
            return Err(SnapshotError::FeatureLevel(state.feature_level));
        }
        Ok(state)
    }

    /// SHA-256 of the whole state, hex: equal on two members that applied the same commands.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.encode()))
    }

    /// The deployment with that id, alias or name; a name only when one deployment alone has it.
    #[must_use]
    pub fn find_deployment(&self, text: &str) -> Option<&DeploymentRecord> {
        if let Some(found) = self.deployments.get(text) {
            return Some(found);
        }
        if let Some(id) = self.aliases.get(text) {
            return self.deployments.get(id);
        }
        let mut named = self
            .deployments
            .values()
            .filter(|deployment| deployment.name == text);
        named.next().filter(|_| named.next().is_none())
    }

    /// The allocator with that id or host name.
    #[must_use]
    pub fn find_allocator(&self, text: &str) -> Option<&AllocatorRecord> {
        if let Some(found) = self.allocators.get(text) {
            return Some(found);
        }
        let mut named = self
            .allocators
            .values()
            .filter(|allocator| allocator.host == text);
        named.next().filter(|_| named.next().is_none())
    }

    /// The instance with that id, or that name of a deployment as in `logs/storage-0`.
    #[must_use]
    pub fn find_instance(&self, text: &str) -> Option<&InstanceRecord> {
        if let Some(found) = self.instances.get(text) {
            return Some(found);
        }
        let (deployment, name) = text.rsplit_once('/')?;
        self.deployment_instances(self.find_deployment(deployment)?)
            .find(|instance| instance.name == name)
    }

    /// The director with that id or host name.
    #[must_use]
    pub fn find_director(&self, text: &str) -> Option<&DirectorRecord> {
        if let Some(found) = self.directors.get(text) {
            return Some(found);
        }
        let mut named = self
            .directors
            .values()
            .filter(|director| director.facts.host == text);
        named.next().filter(|_| named.next().is_none())
    }

    /// The deployment's resources, in order.
    pub fn resources_of<'a>(
        &'a self,
        deployment: &'a DeploymentRecord,
    ) -> impl Iterator<Item = &'a ResourceRecord> + 'a {
        deployment
            .resources
            .iter()
            .filter_map(|id| self.resources.get(id))
    }

    /// The resource's instances, in order.
    pub fn instances_of<'a>(
        &'a self,
        resource: &'a ResourceRecord,
    ) -> impl Iterator<Item = &'a InstanceRecord> + 'a {
        resource
            .instances
            .iter()
            .filter_map(|id| self.instances.get(id))
    }

    /// Every instance of a deployment, in order.
    pub fn deployment_instances<'a>(
        &'a self,
        deployment: &'a DeploymentRecord,
    ) -> impl Iterator<Item = &'a InstanceRecord> + 'a {
        self.resources_of(deployment)
            .flat_map(|resource| self.instances_of(resource))
    }

    /// The instances that have their berth on an allocator.
    pub fn allocator_instances<'a>(
        &'a self,
        allocator_id: &AllocatorId,
    ) -> impl Iterator<Item = &'a InstanceRecord> + 'a {
        self.assignments
            .get(allocator_id)
            .into_iter()
            .flat_map(|assignment| assignment.instances.iter())
            .filter_map(|id| self.instances.get(id))
    }

    /// Whether an instance keeps nothing on its host. One whose resource is not known counts as keeping
    /// data: to wait for a host in vain costs less than to start without what lies there.
    #[must_use]
    pub fn is_stateless(&self, instance: &InstanceRecord) -> bool {
        let resource = self.resources.get(&instance.resource_id);
        resource.is_some_and(ResourceRecord::is_stateless)
    }

    /// Instances that lie on an allocator, or are on their way there or away.
    #[must_use]
    pub fn hosted(&self, allocator_id: &AllocatorId) -> usize {
        self.assignments.get(allocator_id).map_or(0, |assignment| {
            assignment.instances.len() + assignment.claims.len()
        })
    }

    /// What the instances on an allocator take of its capacity.
    #[must_use]
    pub fn used(&self, allocator_id: &AllocatorId) -> Size {
        let own = self
            .allocator_instances(allocator_id)
            .fold(Size::default(), |sum, instance| sum.plus(instance.held()));
        self.allocator_claims(allocator_id)
            .fold(own, |sum, (_, claim, _)| sum.plus(claim.size))
    }

    /// The instances that lie elsewhere and have a claim on an allocator, with it and its berth.
    pub fn allocator_claims<'a>(
        &'a self,
        allocator_id: &AllocatorId,
    ) -> impl Iterator<Item = (&'a InstanceRecord, &'a Claim, &'a InstanceBerth)> + 'a {
        self.assignments
            .get(allocator_id)
            .into_iter()
            .flat_map(|assignment| assignment.claims.iter())
            .filter_map(|id| {
                let instance = self.instances.get(id)?;
                let claim = instance.claim.as_ref()?;
                Some((instance, claim, claim.berth.as_ref()?))
            })
    }

    /// The plans that wait or run, in the order of their ids.
    pub fn open_plans(&self) -> impl Iterator<Item = &Arc<PlanRecord>> {
        self.deployments
            .values()
            .filter_map(|deployment| deployment.pending_plan.as_ref())
            .filter_map(|id| self.plans.get(id))
    }

    /// The deployment that the platform made for itself: where collectors ship to.
    #[must_use]
    pub fn system_deployment(&self) -> Option<&DeploymentRecord> {
        self.deployments
            .values()
            .find(|deployment| deployment.system_owned)
    }

    /// A setting's value, or the default of that setting.
    #[must_use]
    pub fn setting<'a>(&'a self, key: &str) -> Option<&'a str> {
        self.settings.get(key).map(|setting| setting.value.as_str())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(crate) const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests;
