//! Stages of an instance that comes to lie elsewhere: its data is copied, the new place takes over,
//! the old one retires and leaves; or the old place is lost and a replacement succeeds it. Invariants:
//! a stage follows the one before it; the exchange of the two places replaces no container; data that
//! a lost host holds is set aside, never removed. Not here: when (`plan/step`), room (`berth`).

use std::collections::BTreeSet;

use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId};

use super::{
    AuditLine, berth,
    plan::{own, stale},
    repository::SNAPSHOT_NAME_BYTES,
    write,
};
use crate::{
    command::{InstanceChange, Restored},
    reconcile::{assignment, lease},
    refusal::{Refusal, codes, cut},
    state::{Claim, ClaimStage, HostLoss, InstanceRecord, RestoredFrom, State, Want},
};

/// The stages that a change starts from; none for a change of another kind.
fn stages(change: &InstanceChange) -> Option<(&InstanceId, &'static [ClaimStage])> {
    Some(match change {
        InstanceChange::Copy { instance_id } | InstanceChange::Substitute { instance_id } => {
            (instance_id, &[ClaimStage::Held])
        }
        InstanceChange::TakeOver { instance_id } => (instance_id, &[ClaimStage::Copying]),
        InstanceChange::Arrive { instance_id, .. } => (
            instance_id,
            &[ClaimStage::TakingOver, ClaimStage::Replacing],
        ),
        InstanceChange::Vacate { instance_id } => (
            instance_id,
            &[
                ClaimStage::Copying,
                ClaimStage::Replacing,
                ClaimStage::Retiring,
            ],
        ),
        _ => return None,
    })
}

/// Whether a change can be made; changes of another kind always.
///
/// # Errors
/// Why not.
pub(super) fn check(
    state: &State,
    deployment_id: &DeploymentId,
    change: &InstanceChange,
) -> Result<(), Refusal> {
    let Some((instance_id, from)) = stages(change) else {
        return Ok(());
    };
    let instance = own(state, deployment_id, instance_id)?;
    let claimed = instance
        .claim
        .as_ref()
        .filter(|claim| claim.berth.is_some() && from.contains(&claim.stage));
    if claimed.is_none() || instance.berth.is_none() || instance.want != Want::Run {
        return Err(stale(
            codes::PLACEMENT,
            format!("{} is not that far on its way elsewhere", instance.name),
        ));
    }
    if matches!(change, InstanceChange::Substitute { .. }) {
        may_be_replaced(state, instance)?;
    }
    Ok(())
}

/// Whether an instance may start elsewhere without what its host has: it keeps nothing there, or its
/// deployment says so and its host told that it takes no writes without a lease.
///
/// # Errors
/// Why not.
pub(crate) fn may_be_replaced(state: &State, instance: &InstanceRecord) -> Result<(), Refusal> {
    let stateless = state.is_stateless(instance);
    if stateless {
        return Ok(());
    }
    let policy = state
        .deployments
        .get(&instance.deployment_id)
        .map_or(HostLoss::Wait, |known| known.on_host_loss);
    let host = instance
        .berth
        .as_ref()
        .and_then(|berth| state.allocators.get(&berth.allocator_id))
        .map_or("its host", |known| known.host.as_str());
    let (message, hint) = match policy {
        HostLoss::Empty if instance.leased => return Ok(()),
        HostLoss::Restore if instance.leased && instance.last_snapshot.is_some() => return Ok(()),
        HostLoss::Restore if instance.last_snapshot.is_none() => (
            format!(
                "{} waits for {host}: no snapshot of it is known that could be restored",
                instance.name
            ),
            "bring the host back; `wharf deployment show` says why there is no snapshot",
        ),
        HostLoss::Empty | HostLoss::Restore => (
            format!(
                "{host} never told that {} takes no writes without a lease: it may take some still",
                instance.name
            ),
            "wait for the host",
        ),
        HostLoss::Wait => (
            format!(
                "{} waits for {host}: its data is there and nowhere else",
                instance.name
            ),
            "bring the host back, or say what is to become of the data: `wharf deployment set --on-host-loss`",
        ),
    };
    Err(Refusal::new(
        crate::refusal::RefusalKind::FailedPrecondition,
        codes::HOST_LOSS,
        message,
    )
    .field("instance")
    .hint(hint))
}

/// Makes a change that was checked; whether it was one of these.
pub(super) fn make(state: &mut State, change: &InstanceChange) -> bool {
    match change {
        InstanceChange::Copy { instance_id } => begin(state, instance_id, ClaimStage::Copying),
        InstanceChange::Substitute { instance_id } => {
            begin(state, instance_id, ClaimStage::Replacing);
        }
        InstanceChange::TakeOver { instance_id } => {
            stage(state, instance_id, ClaimStage::TakingOver);
        }
        InstanceChange::Vacate { instance_id } => stage(state, instance_id, ClaimStage::Leaving),
        InstanceChange::Arrive {
            instance_id,
            restored,
        } => arrive(state, instance_id, restored.as_ref()),
        _ => return false,
    }
    true
}

/// The claimed place runs a container beside the one at the berth.
fn begin(state: &mut State, id: &InstanceId, stage: ClaimStage) {
    let Some(instance) = state.instances.get(id) else {
        return;
    };
    let Some(spec_hash) = claimed_spec_hash(state, instance) else {
        return;
    };
    let restore = stage == ClaimStage::Replacing
        && !state.is_stateless(instance)
        && state
            .deployments
            .get(&instance.deployment_id)
            .is_some_and(|known| known.on_host_loss == HostLoss::Restore);
    let Some(claim) = state
        .instances
        .get_mut(id)
        .and_then(|instance| instance.claim.as_mut())
    else {
        return;
    };
    claim.stage = stage;
    claim.spec_hash = spec_hash;
    // Decided once: a policy that is changed meanwhile is for the next loss.
    claim.restore = restore;
    let there = claim.berth.as_ref().map(|berth| berth.allocator_id.clone());
    let bound = state
        .instances
        .get(id)
        .is_some_and(|instance| lease::binds(state, instance));
    if let Some(instance) = state.instances.get_mut(id) {
        instance.lease_bound |= bound;
    }
    let Some(host) = there else {
        return;
    };
    if let Some(assigned) = state.assignments.get_mut(&host) {
        // What was there of it is gone; what comes now is not to go.
        assigned.removed.retain(|removed| removed != id);
    }
    assignment::settle(state, &host);
}

/// The hash of the spec that the container at the claimed place is to run: that of the instance when
/// it lies there, so that the exchange replaces nothing.
pub(super) fn claimed_spec_hash(state: &State, instance: &InstanceRecord) -> Option<String> {
    let claim = instance.claim.as_ref()?;
    let there = InstanceRecord {
        berth: Some(claim.berth.clone()?),
        size: claim.size,
        ..instance.clone()
    };
    Some(assignment::spec_hash(state, &there))
}

fn stage(state: &mut State, id: &InstanceId, stage: ClaimStage) {
    let claim = state
        .instances
        .get_mut(id)
        .and_then(|instance| instance.claim.as_mut());
    let Some(claim) = claim else {
        return;
    };
    claim.stage = stage;
    if let Some(host) = claim.berth.as_ref().map(|berth| berth.allocator_id.clone()) {
        assignment::settle(state, &host);
    }
}

/// The claimed place is the instance's; the old one sends requests on until it is told to leave, or
/// was lost and is told when it comes back.
fn arrive(state: &mut State, id: &InstanceId, restored: Option<&Restored>) {
    let Some(mut instance) = state.instances.get(id).cloned() else {
        return;
    };
    let Some(claim) = instance.claim.take() else {
        return;
    };
    let (Some(here), Some(former)) = (claim.berth, instance.berth.take()) else {
        return;
    };
    let there = former.allocator_id.clone();
    let spec_hash = std::mem::replace(&mut instance.spec_hash, claim.spec_hash);
    let size = std::mem::replace(&mut instance.size, claim.size);
    instance.refused_ports = BTreeSet::new();
    // The new host has yet to tell.
    instance.leased = false;
    let new = here.allocator_id.clone();
    instance.berth = Some(here);
    let lost = claim.stage == ClaimStage::Replacing;
    if !lost {
        instance.claim = Some(Claim {
            size,
            berth: Some(former),
            stage: ClaimStage::Retiring,
            spec_hash,
            restore: false,
        });
    }
    let stateless = state.is_stateless(&instance);
    if lost && !stateless {
        begin_anew(state, &mut instance, claim.restore, restored, &there);
        tell_restored(state, &instance);
    }
    state.instances.insert(id.clone(), instance);
    if let Some(assigned) = state.assignments.get_mut(&new) {
        assigned.claims.remove(id);
    }
    berth::arrive(state, id, &new);
    if lost && stateless {
        berth::leave(state, id, &there);
    } else if let Some(assigned) = state.assignments.get_mut(&there) {
        assigned.instances.remove(id);
        if lost {
            assigned.set_aside.insert(id.clone());
        } else {
            assigned.claims.insert(id.clone());
        }
    }
    assignment::settle(state, &new);
    assignment::settle(state, &there);
}

/// An instance whose data is on a lost host is another one from here on: what it keeps comes after what
/// it kept there.
fn begin_anew(
    state: &State,
    instance: &mut InstanceRecord,
    restore: bool,
    restored: Option<&Restored>,
    lost: &AllocatorId,
) {
    instance.incarnation = instance.incarnation.saturating_add(1);
    if !restore {
        instance.last_snapshot = None;
        instance.restored_from = None;
        return;
    }
    let known = instance.last_snapshot.as_ref().map(|last| Restored {
        snapshot: last.name.clone(),
        taken_ms: last.taken_ms,
        lost_ms: state.now_ms,
    });
    instance.restored_from = restored.cloned().or(known).map(|from| RestoredFrom {
        snapshot: cut(&from.snapshot, SNAPSHOT_NAME_BYTES).to_owned(),
        taken_ms: from.taken_ms,
        lost_ms: from.lost_ms,
        restored_ms: state.now_ms,
        allocator_id: lost.clone(),
        host: state
            .allocators
            .get(lost)
            .map_or_else(String::new, |host| host.host.clone()),
    });
}

/// What an instance began from is in the audit log, whoever leads by then.
fn tell_restored(state: &mut State, instance: &InstanceRecord) {
    let Some(from) = &instance.restored_from else {
        return;
    };
    let subject = format!("deployment/{}", instance.deployment_id);
    let detail = crate::health::snapshots::restored(&instance.name, from);
    let line = AuditLine {
        actor: "system",
        action: "instance_restored",
        subject: &subject,
        result: "done",
        detail: &detail,
        place: None,
    };
    write(state, &line);
}

/// Another port for the container at the claimed place; whether there is such a container with that
/// port.
pub(super) fn has_port(instance: &InstanceRecord, refused: u16) -> Option<&AllocatorId> {
    let claim = instance.claim.as_ref()?;
    let begun = matches!(claim.stage, ClaimStage::Copying | ClaimStage::Replacing);
    let berth = claim.berth.as_ref()?;
    (begun && berth.port == refused).then_some(&berth.allocator_id)
}

/// Gives the container at the claimed place another port.
pub(super) fn take_port(state: &mut State, id: &InstanceId, refused: u16, port: u16) {
    let Some(mut instance) = state.instances.get(id).cloned() else {
        return;
    };
    instance.refused_ports.insert(refused);
    if let Some(berth) = instance
        .claim
        .as_mut()
        .and_then(|claim| claim.berth.as_mut())
    {
        berth.port = port;
    }
    let spec_hash = claimed_spec_hash(state, &instance).unwrap_or_default();
    let host = instance.claim.as_mut().and_then(|claim| {
        claim.spec_hash = spec_hash;
        Some(claim.berth.as_ref()?.allocator_id.clone())
    });
    state.instances.insert(id.clone(), instance);
    if let Some(host) = host {
        assignment::settle(state, &host);
    }
}
