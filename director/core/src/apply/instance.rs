//! Applying commands about instances and their data that need no plan: stopped routing, the policy
//! for lost hosts, and what allocators told of leases and of data that was set aside.

use std::collections::BTreeSet;

use super::check_version;
use crate::{
    command::{NoteLeased, NoteSetAside, SetHostLossPolicy, SetInstanceRouting},
    outcome::Outcome,
    reconcile::assignment,
    refusal::{Refusal, RefusalKind, codes},
    state::{HostLoss, State},
};

/// Instances that one note may name.
const NOTED: usize = 4_000;

pub(super) fn set_routing(
    state: &mut State,
    body: &SetInstanceRouting,
) -> Result<Outcome, Refusal> {
    let now_ms = state.now_ms;
    let instance = state
        .instances
        .get_mut(&body.instance_id)
        .ok_or_else(|| Refusal::not_found("instance", &body.instance_id))?;
    if instance.routing_stopped == body.stopped {
        return Ok(Outcome::Unchanged);
    }
    instance.routing_stopped = body.stopped;
    let deployment_id = instance.deployment_id.clone();
    let mut version = 0;
    if let Some(deployment) = state.deployments.get_mut(&deployment_id) {
        deployment.changed_ms = now_ms;
        deployment.version = deployment.version.saturating_add(1);
        version = deployment.version;
    }
    Ok(Outcome::Version { version })
}

pub(super) fn set_host_loss(
    state: &mut State,
    body: &SetHostLossPolicy,
) -> Result<Outcome, Refusal> {
    let now_ms = state.now_ms;
    let id = &body.deployment_id;
    let deployment = state
        .deployments
        .get(id)
        .ok_or_else(|| Refusal::not_found("deployment", id))?;
    check_version("deployment", body.expected_version, deployment.version)?;
    if body.on_host_loss == HostLoss::Restore && deployment.snapshot_policy.is_none() {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::HOST_LOSS,
            format!(
                "`{}` keeps no snapshots outside of its hosts that could be restored",
                deployment.name
            ),
        )
        .field("on_host_loss")
        .hint("say first where it keeps them: `wharf deployment set --snapshot-repository`"));
    }
    if deployment.on_host_loss == body.on_host_loss {
        return Ok(Outcome::Unchanged);
    }
    let instances: Vec<_> = state
        .deployment_instances(deployment)
        .map(|instance| instance.id.clone())
        .collect();
    let storage: BTreeSet<_> = state
        .resources_of(deployment)
        .filter(|resource| !resource.is_stateless())
        .map(|resource| resource.id.clone())
        .collect();
    let mut version = 0;
    if let Some(deployment) = state.deployments.get_mut(id) {
        deployment.on_host_loss = body.on_host_loss;
        deployment.changed_ms = now_ms;
        deployment.version = deployment.version.saturating_add(1);
        version = deployment.version;
    }
    for instance_id in &instances {
        let Some(instance) = state.instances.get_mut(instance_id) else {
            continue;
        };
        // What a host told of the policy before says nothing of this one.
        instance.leased = false;
        if body.on_host_loss.leases() && storage.contains(&instance.resource_id) {
            instance.lease_bound = true;
        }
    }
    assignment::settle_hosts_of(state, &instances);
    Ok(Outcome::Version { version })
}

pub(super) fn note_leased(state: &mut State, body: &NoteLeased) -> Result<Outcome, Refusal> {
    let content = assignment::content(state, &body.allocator_id);
    let mut changed = false;
    for id in body.instance_ids.iter().take(NOTED) {
        let says = content
            .instances
            .iter()
            .any(|spec| spec.leased && spec.instance_id == id.as_str());
        let Some(instance) = state.instances.get_mut(id).filter(|_| says) else {
            continue;
        };
        let here = instance
            .berth
            .as_ref()
            .is_some_and(|berth| berth.allocator_id == body.allocator_id);
        if here && !instance.leased {
            instance.leased = true;
            changed = true;
        }
    }
    Ok(if changed {
        Outcome::Done
    } else {
        Outcome::Unchanged
    })
}

pub(super) fn note_set_aside(state: &mut State, body: &NoteSetAside) -> Result<Outcome, Refusal> {
    let assigned = state
        .assignments
        .get_mut(&body.allocator_id)
        .ok_or_else(|| Refusal::not_found("allocator", &body.allocator_id))?;
    let before = assigned.set_aside.len();
    for id in body.instance_ids.iter().take(NOTED) {
        assigned.set_aside.remove(id);
        assigned.torn.remove(id);
    }
    if assigned.set_aside.len() == before {
        return Ok(Outcome::Unchanged);
    }
    assignment::settle(state, &body.allocator_id);
    Ok(Outcome::Done)
}
