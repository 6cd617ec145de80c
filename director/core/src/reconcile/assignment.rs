//! The assignment of an allocator: derived from the instance records, so that there is no second
//! truth. Apply settles its generation whenever an instance on it changed. Secrets are added by
//! the shell when it is sent; they do not change the generation.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};
use wharf_proto::{
    ids::{AllocatorId, InstanceId},
    v1,
};

use super::{lease, snapshots};
use crate::{
    size::Size,
    state::{ClaimStage, DeploymentRecord, InstanceBerth, InstanceRecord, State, Want, hex},
};

/// Processes of an instance at most.
pub const PIDS_LIMIT: u32 = 4_096;
/// Open files of an instance at most.
pub const OPEN_FILES_LIMIT: u32 = 65_536;
/// Removed instances that an assignment still names after they are forgotten.
pub const REMOVED_KEPT: usize = 256;

/// An instance as its allocator is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssignedSpec {
    /// Its id.
    pub instance_id: String,
    /// Its name.
    pub instance_name: String,
    /// Its deployment.
    pub deployment_id: String,
    /// The deployment's name.
    pub deployment_name: String,
    /// The deployment's alias.
    pub alias: String,
    /// Its resource.
    pub resource_id: String,
    /// The resource's kind.
    pub resource_kind: String,
    /// The engine.
    pub engine: String,
    /// The engine's version.
    pub engine_version: String,
    /// Its size.
    pub size: Size,
    /// The host port.
    pub port: u16,
    /// Whether its container is to run.
    pub run: bool,
    /// The spec that its container is to run.
    pub spec_hash: String,
    /// Where its data is to be brought from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<CopyFrom>,
    /// It takes writes only while its lease lasts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leased: bool,
    /// Folder on the host that its container gets for its snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository_path: Option<String>,
    /// It begins from its last snapshot.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restore: bool,
    /// Grows when it is replaced without its data; zero: it never was.
    #[serde(skip_serializing_if = "crate::state::is_zero")]
    pub incarnation: u64,
}

/// Where the data of an instance is to be brought from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopyFrom {
    /// `HOST:PORT` of the instance at its old place.
    pub address: String,
    /// Take over as soon as the copy has caught up.
    pub take_over: bool,
    /// `HOST:PORT` of the instance at its new place.
    pub own_address: String,
}

/// The whole desired set of an allocator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AssignmentContent {
    /// Instances in the order of their ids.
    pub instances: Vec<AssignedSpec>,
    /// Instances whose containers and data are to go.
    pub remove: Vec<String>,
    /// Instances whose containers are to go and whose data is kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// Instances whose containers are to go and whose data is to be set aside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<String>,
}

impl AssignmentContent {
    /// Digest of the content.
    #[must_use]
    pub fn digest(&self) -> String {
        let bytes = serde_json::to_vec(self).expect("an assignment holds only texts and numbers");
        hex(&Sha256::digest(bytes)[..16])
    }

    /// The message for the allocator. `secrets` gives each instance's.
    pub fn to_message(
        &self,
        allocator_id: &AllocatorId,
        generation: u64,
        mut secrets: impl FnMut(&AssignedSpec) -> Option<v1::InstanceSecrets>,
    ) -> v1::Assignment {
        v1::Assignment {
            allocator_id: allocator_id.to_string(),
            generation,
            instances: self
                .instances
                .iter()
                .map(|spec| v1::AssignedInstance {
                    instance_id: spec.instance_id.clone(),
                    instance_name: spec.instance_name.clone(),
                    deployment_id: spec.deployment_id.clone(),
                    deployment_name: spec.deployment_name.clone(),
                    resource_id: spec.resource_id.clone(),
                    resource_kind: spec.resource_kind.clone(),
                    engine: spec.engine.clone(),
                    engine_version: spec.engine_version.clone(),
                    size: Some(spec.size.into()),
                    port: u32::from(spec.port),
                    run: spec.run,
                    secrets: secrets(spec),
                    spec_hash: spec.spec_hash.clone(),
                    alias: spec.alias.clone(),
                    pids_limit: PIDS_LIMIT,
                    open_files_limit: OPEN_FILES_LIMIT,
                    copy_from: spec.copy_from.as_ref().map(|from| v1::CopySource {
                        address: from.address.clone(),
                        take_over: from.take_over,
                        allocator_id: allocator_id.to_string(),
                        own_address: from.own_address.clone(),
                    }),
                    leased: spec.leased,
                    repository_path: spec.repository_path.clone().unwrap_or_default(),
                    restore: spec.restore,
                    incarnation: spec.incarnation,
                })
                .collect(),
            remove_instance_ids: self.remove.clone(),
            keep_instance_ids: self.keep.clone(),
            set_aside_instance_ids: self.set_aside.clone(),
        }
    }
}

/// What an allocator is to do.
#[must_use]
pub fn content(state: &State, allocator_id: &AllocatorId) -> AssignmentContent {
    let mut content = AssignmentContent::default();
    for instance in state.allocator_instances(allocator_id) {
        match instance.want {
            Want::Reserved => {}
            Want::Remove => content.remove.push(instance.id.to_string()),
            Want::Keep => content.keep.push(instance.id.to_string()),
            Want::Run | Want::Stop => {
                let spec = instance.berth.as_ref().and_then(|berth| {
                    spec_of(state, instance, berth, instance.size, &instance.spec_hash)
                });
                content.instances.extend(spec);
            }
        }
    }
    for (instance, claim, berth) in state.allocator_claims(allocator_id) {
        if claim.stage == ClaimStage::Leaving {
            content.remove.push(instance.id.to_string());
        } else if claim.stage.runs() {
            let spec = spec_of(state, instance, berth, claim.size, &claim.spec_hash);
            content.instances.extend(spec.map(|spec| AssignedSpec {
                run: true,
                copy_from: copy_from(state, instance, claim.stage),
                restore: claim.restore,
                incarnation: incarnation_at(state, instance, claim.stage),
                ..spec
            }));
        }
    }
    content
        .instances
        .sort_unstable_by(|a, b| a.instance_id.cmp(&b.instance_id));
    if let Some(assignment) = state.assignments.get(allocator_id) {
        content
            .remove
            .extend(assignment.removed.iter().map(ToString::to_string));
        content
            .set_aside
            .extend(assignment.set_aside.iter().map(ToString::to_string));
    }
    content.remove.sort_unstable();
    content.remove.dedup();
    content
}

/// A replacement is another incarnation than the one whose data its lost host has.
fn incarnation_at(state: &State, instance: &InstanceRecord, stage: ClaimStage) -> u64 {
    let anew = stage == ClaimStage::Replacing && !state.is_stateless(instance);
    instance.incarnation.saturating_add(u64::from(anew))
}

/// Where a container at a claimed place brings its data from: the instance at its own place.
fn copy_from(state: &State, instance: &InstanceRecord, stage: ClaimStage) -> Option<CopyFrom> {
    let take_over = match stage {
        ClaimStage::Copying => false,
        ClaimStage::TakingOver => true,
        _ => return None,
    };
    Some(CopyFrom {
        address: address_of(state, instance.berth.as_ref()?)?,
        take_over,
        own_address: address_of(state, instance.claim.as_ref()?.berth.as_ref()?)?,
    })
}

/// `HOST:PORT` that an instance is published at.
fn address_of(state: &State, berth: &InstanceBerth) -> Option<String> {
    let host = &state.allocators.get(&berth.allocator_id)?.address;
    let brackets = if host.contains(':') {
        ("[", "]")
    } else {
        ("", "")
    };
    Some(format!("{}{host}{}:{}", brackets.0, brackets.1, berth.port))
}

fn spec_of(
    state: &State,
    instance: &InstanceRecord,
    berth: &InstanceBerth,
    size: Size,
    spec_hash: &str,
) -> Option<AssignedSpec> {
    let resource = state.resources.get(&instance.resource_id)?;
    let deployment = state.deployments.get(&instance.deployment_id)?;
    Some(AssignedSpec {
        instance_id: instance.id.to_string(),
        instance_name: instance.name.clone(),
        deployment_id: deployment.id.to_string(),
        deployment_name: deployment.name.clone(),
        alias: deployment.alias.clone(),
        resource_id: resource.id.to_string(),
        resource_kind: resource.kind.clone(),
        engine: resource.engine.clone(),
        engine_version: resource.engine_version.clone(),
        size,
        port: berth.port,
        run: instance.want == Want::Run,
        spec_hash: spec_hash.to_owned(),
        copy_from: None,
        leased: lease::serves_under_lease(state, instance),
        repository_path: snapshots::host_path(state, instance).map(str::to_owned),
        restore: false,
        incarnation: instance.incarnation,
    })
}

/// Hash of what makes a container of an instance another one. Every member must compute the same:
/// a change of this function needs a feature level.
#[must_use]
pub fn spec_hash(state: &State, instance: &InstanceRecord) -> String {
    let mut hasher = Sha256::new();
    let mut part = |text: &str| {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    };
    part(instance.id.as_str());
    part(&instance.name);
    part(&instance.revision.to_string());
    part(&instance.size.memory_bytes.to_string());
    part(&instance.size.disk_bytes.to_string());
    part(&instance.size.cpu_millis.to_string());
    part(
        &instance
            .berth
            .as_ref()
            .map_or(0, |berth| berth.port)
            .to_string(),
    );
    if let Some(resource) = state.resources.get(&instance.resource_id) {
        part(&resource.kind);
        part(&resource.engine);
        part(&resource.engine_version);
    }
    if let Some(deployment) = state.deployments.get(&instance.deployment_id) {
        part(&deployment.name);
        part(&deployment.alias);
    }
    part(&format!("{PIDS_LIMIT}/{OPEN_FILES_LIMIT}"));
    if let Some(path) = snapshots::host_path(state, instance) {
        part(path);
    }
    hex(&hasher.finalize()[..16])
}

/// Raises the generation of an allocator's assignment when its content is another one.
pub(crate) fn settle(state: &mut State, allocator_id: &AllocatorId) {
    let digest = content(state, allocator_id).digest();
    if let Some(assignment) = state.assignments.get_mut(allocator_id)
        && assignment.digest != digest
    {
        assignment.digest = digest;
        assignment.generation = assignment.generation.saturating_add(1);
    }
}

/// The same for every host that these instances lie on or are claimed to.
pub(crate) fn settle_hosts_of(state: &mut State, instances: &[InstanceId]) {
    let mut hosts = BTreeSet::new();
    for instance in instances.iter().filter_map(|id| state.instances.get(id)) {
        let claimed = instance
            .claim
            .as_ref()
            .and_then(|claim| claim.berth.as_ref());
        let places = instance.berth.iter().chain(claimed);
        hosts.extend(places.map(|berth| berth.allocator_id.clone()));
    }
    for host in &hosts {
        settle(state, host);
    }
}

/// Remembers that an instance's remains are to go although it is forgotten.
pub(crate) fn remember_removed(state: &mut State, allocator_id: &AllocatorId, id: InstanceId) {
    if let Some(assignment) = state.assignments.get_mut(allocator_id) {
        assignment.removed.push(id);
        let excess = assignment.removed.len().saturating_sub(REMOVED_KEPT);
        assignment.removed.drain(..excess);
    }
}

/// What a storage node says of the users that it has in force, when they are these.
#[must_use]
pub fn users_digest(deployment: &DeploymentRecord) -> String {
    hex(&Sha256::digest(users_json(deployment))[..16])
}

/// The file `users.json` of a deployment's instances.
#[must_use]
pub fn users_json(deployment: &DeploymentRecord) -> String {
    serde_json::json!({ "users": deployment.users }).to_string()
}
