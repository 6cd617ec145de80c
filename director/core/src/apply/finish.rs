//! What the end of a plan leaves behind, whatever the end: room that was held is given back, what was
//! placed and never begun is as before, sizes say what is there. And the stages of a password: beside
//! the old one, handed out, alone. Not here: the plan's own record (`plan`).

use std::collections::BTreeSet;

use wharf_proto::ids::{DeploymentId, InstanceId};

use super::{berth, change, deployment::credentials_secret};
use crate::{
    reconcile::assignment,
    state::{DeploymentUser, PlanKind, PlanStatus, SecretRecord, State, Want},
};

/// The name of the secret that waits to become a deployment's credentials.
#[must_use]
pub(super) fn next_secret(id: &DeploymentId) -> String {
    format!("{}/next", credentials_secret(id))
}

/// Tidies a deployment up after a plan.
pub(super) fn tidy(state: &mut State, id: &DeploymentId, kind: PlanKind, status: PlanStatus) {
    let Some(deployment) = state.deployments.get(id) else {
        return;
    };
    let instances: Vec<InstanceId> = state
        .deployment_instances(deployment)
        .map(|instance| instance.id.clone())
        .collect();
    for instance_id in &instances {
        berth::drop_claim(state, instance_id);
        if status != PlanStatus::Done {
            put_back(state, instance_id, status);
        }
    }
    settle_sizes(state, id);
    if kind == PlanKind::ResetPassword {
        forget_next(state, id);
    }
    if let Some(deployment) = state.deployments.get_mut(id) {
        match (kind, status) {
            (PlanKind::Terminate, PlanStatus::Done) => deployment.terminated = true,
            (PlanKind::Delete, PlanStatus::Cancelled) => deployment.deleting = false,
            _ => {}
        }
    }
}

/// What was given a place and never told to run.
fn put_back(state: &mut State, id: &InstanceId, status: PlanStatus) {
    let Some(instance) = state.instances.get_mut(id) else {
        return;
    };
    if instance.want != Want::Reserved || instance.berth.is_none() {
        return;
    }
    if instance.proven {
        change::release(instance);
        if let Some(allocator_id) = instance.berth.as_ref().map(|own| own.allocator_id.clone()) {
            assignment::settle(state, &allocator_id);
        }
    } else if status == PlanStatus::Cancelled {
        berth::unplace(state, id);
    }
}

/// A resource has the size that all its instances have.
fn settle_sizes(state: &mut State, id: &DeploymentId) {
    let Some(deployment) = state.deployments.get(id) else {
        return;
    };
    for resource_id in deployment.resources.clone() {
        let Some(resource) = state.resources.get(&resource_id) else {
            continue;
        };
        let sizes: BTreeSet<_> = state
            .instances_of(resource)
            .map(|instance| instance.size)
            .collect();
        if let (1, Some(size)) = (sizes.len(), sizes.first().copied())
            && let Some(resource) = state.resources.get_mut(&resource_id)
        {
            resource.size = size;
        }
    }
}

/// A password that was not handed out is accepted no longer.
fn forget_next(state: &mut State, id: &DeploymentId) {
    state.secrets.remove(&next_secret(id));
    let Some(deployment) = state.deployments.get_mut(id) else {
        return;
    };
    if let Some(next) = deployment.next_user.take() {
        deployment
            .users
            .retain(|user| user.password_hash != next.password_hash);
    }
}

/// The newest user of each name.
fn newest(users: &[DeploymentUser]) -> Vec<DeploymentUser> {
    users
        .iter()
        .enumerate()
        .filter(|(place, user)| {
            !users[place + 1..]
                .iter()
                .any(|later| later.username == user.username)
        })
        .map(|(_, user)| user.clone())
        .collect()
}

pub(super) fn accept_password(state: &mut State, id: &DeploymentId) {
    if let Some(deployment) = state.deployments.get_mut(id)
        && let Some(next) = deployment.next_user.clone()
        && !deployment.users.contains(&next)
    {
        deployment.users = newest(&deployment.users);
        deployment.users.push(next);
    }
}

pub(super) fn switch_password(state: &mut State, id: &DeploymentId) {
    let now_ms = state.now_ms;
    if let Some(next) = state.secrets.remove(&next_secret(id)) {
        let name = credentials_secret(id);
        let version = state.secrets.get(&name).map_or(0, |known| known.version);
        let record = SecretRecord {
            sealed: next.sealed,
            changed_ms: now_ms,
            version: version.saturating_add(1),
        };
        state.secrets.insert(name, record);
    }
    if let Some(deployment) = state.deployments.get_mut(id) {
        deployment.next_user = None;
    }
}

pub(super) fn retire_password(state: &mut State, id: &DeploymentId) {
    if let Some(deployment) = state.deployments.get_mut(id) {
        deployment.users = newest(&deployment.users);
    }
}
