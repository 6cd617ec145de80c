//! Changes of instances and of their deployment's password that belong to a plan's step: checked,
//! then made, with the generation of the assignments they touch. Not here: when (`plan/step`).

use wharf_proto::ids::DeploymentId;

use super::{
    berth, deployment, finish,
    plan::{own, stale},
    relocation,
};
use crate::{
    command::InstanceChange,
    placement::CapacityIndex,
    reconcile::{assignment, lease},
    refusal::{Refusal, codes},
    state::{InstanceRecord, State, Want},
};

fn placed(instance: &InstanceRecord) -> Result<(), Refusal> {
    if instance.berth.is_some() {
        return Ok(());
    }
    Err(stale(
        codes::PLACEMENT,
        format!("{} has no berth", instance.name),
    ))
}

/// A container needs a port, and what may hold data and is being removed is not started again.
fn may_run(instance: &InstanceRecord) -> Result<(), Refusal> {
    placed(instance)?;
    let no_port = instance.berth.as_ref().is_some_and(|berth| berth.port == 0);
    if no_port || (instance.want == Want::Remove && instance.proven) {
        return Err(stale(
            codes::PLACEMENT,
            format!("{} is terminated or being removed", instance.name),
        ));
    }
    Ok(())
}

/// Whether a change can be made.
///
/// # Errors
/// Why not.
pub(super) fn check(
    state: &State,
    deployment_id: &DeploymentId,
    change: &InstanceChange,
) -> Result<(), Refusal> {
    match change {
        InstanceChange::ForgetDeployment
        | InstanceChange::AcceptPassword
        | InstanceChange::SwitchPassword
        | InstanceChange::RetirePassword => Ok(()),
        InstanceChange::Copy { .. }
        | InstanceChange::TakeOver { .. }
        | InstanceChange::Substitute { .. }
        | InstanceChange::Arrive { .. }
        | InstanceChange::Vacate { .. } => relocation::check(state, deployment_id, change),
        InstanceChange::Route { instance_id, .. }
        | InstanceChange::Stop { instance_id }
        | InstanceChange::Pause { instance_id }
        | InstanceChange::Release { instance_id }
        | InstanceChange::Remove { instance_id } => {
            // What was never placed has no container to say anything about.
            placed(own(state, deployment_id, instance_id)?)
        }
        InstanceChange::Run { instance_id } | InstanceChange::Replace { instance_id } => {
            may_run(own(state, deployment_id, instance_id)?)
        }
        InstanceChange::Resize { instance_id } => {
            let instance = own(state, deployment_id, instance_id)?;
            may_run(instance)?;
            if instance.claim.is_none() {
                return Err(stale(
                    codes::PLACEMENT,
                    format!("nothing is claimed for {}", instance.name),
                ));
            }
            Ok(())
        }
        InstanceChange::Unplace { instance_id } => {
            let instance = own(state, deployment_id, instance_id)?;
            if instance.proven || instance.want == Want::Run {
                return Err(stale(
                    codes::PLACEMENT,
                    format!("{} runs or may hold data", instance.name),
                ));
            }
            Ok(())
        }
        InstanceChange::Port {
            instance_id,
            refused,
            port,
        } => {
            let instance = own(state, deployment_id, instance_id)?;
            let own = instance
                .berth
                .as_ref()
                .filter(|berth| berth.port == *refused && *refused != 0)
                .map(|berth| &berth.allocator_id);
            let host = relocation::has_port(instance, *refused).or(own);
            let fits = host.is_some_and(|id| {
                let index = CapacityIndex::of_one(state, id);
                index.host(id).is_some_and(|host| {
                    (host.ports.start..=host.ports.end).contains(port)
                        && !host.taken_ports.contains_key(port)
                })
            });
            if !fits {
                return Err(stale(
                    codes::PLACEMENT,
                    format!("the port {port} is not free"),
                ));
            }
            Ok(())
        }
    }
}

/// Makes a change that was checked.
pub(super) fn make(state: &mut State, deployment_id: &DeploymentId, change: &InstanceChange) {
    if relocation::make(state, change) {
        return;
    }
    let instance_id = match change {
        InstanceChange::ForgetDeployment => return deployment::forget(state, deployment_id),
        InstanceChange::AcceptPassword => return finish::accept_password(state, deployment_id),
        InstanceChange::SwitchPassword => return finish::switch_password(state, deployment_id),
        InstanceChange::RetirePassword => return finish::retire_password(state, deployment_id),
        InstanceChange::Unplace { instance_id } => return berth::unplace(state, instance_id),
        InstanceChange::Run { instance_id }
        | InstanceChange::Replace { instance_id }
        | InstanceChange::Resize { instance_id }
        | InstanceChange::Stop { instance_id }
        | InstanceChange::Pause { instance_id }
        | InstanceChange::Release { instance_id }
        | InstanceChange::Remove { instance_id }
        | InstanceChange::Route { instance_id, .. }
        | InstanceChange::Port { instance_id, .. }
        | InstanceChange::Copy { instance_id }
        | InstanceChange::TakeOver { instance_id }
        | InstanceChange::Substitute { instance_id }
        | InstanceChange::Arrive { instance_id, .. }
        | InstanceChange::Vacate { instance_id } => instance_id,
    };
    if let InstanceChange::Port { refused, port, .. } = change {
        let claimed = state.instances.get(instance_id);
        if claimed.is_some_and(|known| relocation::has_port(known, *refused).is_some()) {
            return relocation::take_port(state, instance_id, *refused, *port);
        }
    }
    if matches!(change, InstanceChange::Resize { .. }) {
        berth::exchange(state, instance_id);
    }
    let Some(mut instance) = state.instances.get(instance_id).cloned() else {
        return;
    };
    match change {
        InstanceChange::Run { .. } => {
            instance.want = Want::Run;
            instance.paused = false;
            // The container may be the one that was told already.
            instance.lease_bound |= lease::binds(state, &instance);
            instance.spec_hash = assignment::spec_hash(state, &instance);
        }
        InstanceChange::Replace { .. } | InstanceChange::Resize { .. } => {
            instance.want = Want::Run;
            instance.paused = false;
            instance.lease_bound = lease::binds(state, &instance);
            instance.leased &= instance.lease_bound;
            instance.revision = instance.revision.saturating_add(1);
            instance.spec_hash = assignment::spec_hash(state, &instance);
        }
        // What is terminated has no container to stop, and no port that its host could be told of.
        InstanceChange::Stop { .. } if instance.want == Want::Keep => {}
        InstanceChange::Stop { .. } => instance.want = Want::Stop,
        InstanceChange::Pause { .. } => {
            instance.want = Want::Stop;
            instance.paused = true;
            instance.routed = false;
        }
        InstanceChange::Release { .. } => {
            release(&mut instance);
        }
        InstanceChange::Remove { .. } => {
            instance.want = Want::Remove;
            instance.routed = false;
            instance.paused = false;
        }
        InstanceChange::Route { routed, .. } => instance.routed = *routed,
        InstanceChange::Port { refused, port, .. } => {
            instance.refused_ports.insert(*refused);
            if let Some(berth) = &mut instance.berth {
                berth.port = *port;
            }
            instance.spec_hash = assignment::spec_hash(state, &instance);
        }
        _ => {}
    }
    let allocator_id = instance
        .berth
        .as_ref()
        .map(|berth| berth.allocator_id.clone());
    state.instances.insert(instance_id.clone(), instance);
    if let Some(allocator_id) = allocator_id {
        assignment::settle(state, &allocator_id);
    }
}

/// Gives memory and port back; data and place stay.
pub(super) fn release(instance: &mut InstanceRecord) {
    instance.want = Want::Keep;
    instance.paused = false;
    instance.routed = false;
    instance.refused_ports.clear();
    if let Some(berth) = &mut instance.berth {
        berth.port = 0;
    }
}
