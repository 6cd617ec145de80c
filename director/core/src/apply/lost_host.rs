//! Giving up what lies on a host that is forgotten because it is lost: its instances have no place any
//! more, and what they had is not waited for. A move whose take-over that host is part of ends with it:
//! nobody can say which of its two places took the last writes, so neither goes on with them. Invariants:
//! nothing else is given up that a plan works on; what the other host of such a move has is set aside there,
//! never removed, and the instance gets no other place before that was seen done (`plan/layout`), so that no
//! two places take writes. Not here: replacing what a silent host has (`failure`), which keeps the host and
//! sets its data aside.

use std::collections::BTreeSet;

use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId};

use super::{berth, plan};
use crate::{
    reconcile::assignment,
    refusal::{Refusal, RefusalKind, codes},
    state::{ClaimStage, InstanceRecord, PlanStatus, State, Want},
};

pub(super) fn give_up(state: &mut State, id: &AllocatorId) -> Result<(), Refusal> {
    let own: Vec<_> = state
        .allocator_instances(id)
        .map(|instance| (instance.id.clone(), instance.deployment_id.clone()))
        .collect();
    let claimed: Vec<_> = state
        .allocator_claims(id)
        .map(|(instance, _, _)| (instance.id.clone(), instance.deployment_id.clone()))
        .collect();
    let torn = torn(state, id);
    let left = left(state, id);
    let busy = own
        .iter()
        .chain(
            claimed
                .iter()
                .filter(|(instance, _)| !left.contains(instance)),
        )
        .filter_map(|(_, deployment)| state.deployments.get(deployment))
        .filter(|deployment| torn.iter().all(|(_, torn)| *torn != deployment.id))
        .find_map(|deployment| Some((deployment.name.clone(), deployment.pending_plan.clone()?)));
    if let Some((name, plan)) = busy {
        return Err(refuse(
            format!("the plan {plan} of `{name}` works on what lies there"),
            "wait for it, or end it first: `wharf plan cancel`",
        ));
    }
    for (instance, deployment) in &torn {
        if let Some(other) = past_return_elsewhere(state, deployment, id) {
            let name = state.instances.get(instance).map_or("", |one| &one.name);
            return Err(refuse(
                format!(
                    "the plan that moves {name} is taking {other} over as well, on hosts that are there"
                ),
                "wait until that is done, then ask again",
            ));
        }
    }
    for (instance, deployment) in &torn {
        tear(state, id, instance, deployment);
    }
    for instance in &left {
        berth::drop_claim(state, instance);
    }
    for (instance, deployment) in own.iter().filter(|one| !torn.contains(one)) {
        lose(state, instance, deployment);
    }
    Ok(())
}

fn refuse(message: String, hint: &str) -> Refusal {
    Refusal::new(RefusalKind::FailedPrecondition, codes::VACATE, message)
        .field("allocator")
        .hint(hint)
}

/// Instances that no plan can bring to an end without a host: it is part of their take-over, or is where they
/// went and were never seen well.
fn torn(state: &State, id: &AllocatorId) -> Vec<(InstanceId, DeploymentId)> {
    let stage = |instance: &InstanceRecord| instance.claim.as_ref().map(|claim| claim.stage);
    let here = state
        .allocator_instances(id)
        .filter(|one| stage(one).is_some_and(ClaimStage::past_return));
    let claimed = state
        .allocator_claims(id)
        .filter(|(_, claim, _)| claim.stage == ClaimStage::TakingOver)
        .map(|(instance, _, _)| instance);
    here.chain(claimed)
        .map(|one| (one.id.clone(), one.deployment_id.clone()))
        .collect()
}

/// Instances that have left a host, which need not tell so any more.
fn left(state: &State, id: &AllocatorId) -> BTreeSet<InstanceId> {
    state
        .allocator_claims(id)
        .filter(|(_, claim, _)| matches!(claim.stage, ClaimStage::Retiring | ClaimStage::Leaving))
        .map(|(instance, _, _)| instance.id.clone())
        .collect()
}

/// Another instance of a deployment that may serve from its new place already, with both places elsewhere.
fn past_return_elsewhere(
    state: &State,
    deployment: &DeploymentId,
    id: &AllocatorId,
) -> Option<String> {
    let torn: BTreeSet<InstanceId> = torn(state, id).into_iter().map(|(one, _)| one).collect();
    state
        .deployments
        .get(deployment)
        .into_iter()
        .flat_map(|known| state.deployment_instances(known))
        .filter(|one| !torn.contains(&one.id))
        .find(|one| {
            let stage = one.claim.as_ref().map(|claim| claim.stage);
            stage.is_some_and(ClaimStage::past_return)
        })
        .map(|one| one.name.clone())
}

/// Ends a move in the middle of its take-over, with an outcome that says what is where.
fn tear(state: &mut State, lost: &AllocatorId, id: &InstanceId, deployment_id: &DeploymentId) {
    let Some(instance) = state.instances.get_mut(id) else {
        return;
    };
    let claimed = instance.claim.take().and_then(|claim| claim.berth);
    let places = [instance.berth.take(), claimed];
    let name = instance.name.clone();
    let mut kept = None;
    for host in places.into_iter().flatten().map(|place| place.allocator_id) {
        let Some(assigned) = state.assignments.get_mut(&host) else {
            continue;
        };
        assigned.instances.remove(id);
        assigned.claims.remove(id);
        if host != *lost {
            assigned.set_aside.insert(id.clone());
            assigned.torn.insert(id.clone());
            assignment::settle(state, &host);
            kept = Some(host);
        }
    }
    let host = |id: &AllocatorId| {
        let known = state.allocators.get(id);
        known.map_or_else(|| id.to_string(), |known| known.host.clone())
    };
    let kept = kept.map_or_else(
        || "nothing is left of it".to_owned(),
        |kept| format!("what {} has of it is set aside there", host(&kept)),
    );
    let outcome = format!(
        "{} was given up in the middle of the take-over of {name}: {kept}, and {name} has no place until its deployment is applied again",
        host(lost)
    );
    lose(state, id, deployment_id);
    let pending = state
        .deployments
        .get(deployment_id)
        .and_then(|deployment| deployment.pending_plan.clone());
    if let Some(plan) = pending {
        plan::end(state, &plan, PlanStatus::Failed, codes::HOST_LOSS, &outcome);
    }
}

/// An instance has no place any more, and there is no data that only a deletion may remove.
fn lose(state: &mut State, id: &InstanceId, deployment_id: &DeploymentId) {
    let now_ms = state.now_ms;
    let keeps_data = state
        .instances
        .get(id)
        .is_some_and(|instance| !state.is_stateless(instance));
    if let Some(instance) = state.instances.get_mut(id) {
        if keeps_data {
            // What begins elsewhere is another life: the lost host may still take snapshots of this one.
            instance.incarnation = instance.incarnation.saturating_add(1);
            instance.last_snapshot = None;
            instance.restored_from = None;
        }
        instance.berth = None;
        instance.claim = None;
        instance.want = Want::Reserved;
        instance.routed = false;
        instance.paused = false;
        instance.leased = false;
        instance.proven = false;
        instance.refused_ports.clear();
    }
    if let Some(deployment) = state.deployments.get_mut(deployment_id) {
        deployment.changed_ms = now_ms;
        deployment.version = deployment.version.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command::{Body, CreateEnrollmentToken, DeploymentChange, EnrollHost, ForgetHost},
        fixture::{World, allocator_id, register, size},
        state::{HostRole, SnapshotRecord},
    };

    /// A platform whose deployment lies on a host that joined.
    fn joined() -> World {
        let mut world = World::new();
        world.proxy(1);
        let (id, roles) = ("ab".repeat(16), [HostRole::Allocator].into());
        world.ok(Body::CreateEnrollmentToken(CreateEnrollmentToken {
            id: id.clone(),
            hash: "0".repeat(64),
            roles,
            zone: "zone-1".to_owned(),
            lifetime_ms: 3_600_000,
            uses: 1,
            created_by: "admin".to_owned(),
        }));
        world.ok(Body::EnrollHost(EnrollHost {
            token_id: id,
            allocator_id: allocator_id(7),
            proxy_id: None,
            director_id: None,
            host: "host-7".to_owned(),
            address: "10.0.0.7".to_owned(),
            roles: [HostRole::Allocator].into(),
            without_engine: false,
        }));
        world.host(7, "zone-1");
        world.create("logs");
        world.settle();
        world
    }

    fn forget(lost: bool) -> Body {
        Body::ForgetHost(ForgetHost {
            allocator_id: allocator_id(7),
            lost,
        })
    }

    #[test]
    fn only_as_lost_is_a_host_forgotten_with_what_lies_there_and_that_can_start_elsewhere() {
        let mut world = joined();
        let refused = world.apply(forget(false)).accepted().unwrap_err();
        assert_eq!(refused.code, codes::HOST);
        let id = world.state.find_deployment("logs").unwrap().id.clone();
        let restart = DeploymentChange::Restart {
            instances: Vec::new(),
        };
        let plan = world.change(&id, restart).unwrap();
        let refused = world.apply(forget(true)).accepted().unwrap_err();
        assert!(refused.message.contains(plan.as_str()), "{refused}");
        world.settle();
        let storage = world.instance(&id, "storage-0").id.clone();
        if let Some(instance) = world.state.instances.get_mut(&storage) {
            instance.last_snapshot = Some(SnapshotRecord {
                name: "0000000000-0000000000005".to_owned(),
                taken_ms: 5,
                bytes: 1,
                documents: 1,
            });
        }
        world.ok(forget(true));
        world.observed.allocators.remove(&allocator_id(7));
        let instance = world.instance(&id, "storage-0");
        assert_eq!((&instance.berth, instance.want), (&None, Want::Reserved));
        // The host may live and take snapshots still: what begins elsewhere is another life.
        assert_eq!((instance.incarnation, &instance.last_snapshot), (1, &None));
        world.ok(Body::RegisterAllocator(register(2, "zone-1", size(8192))));
        world.host(2, "zone-1");
        let create = world.state.plan_history[&id][0].clone();
        world
            .change(&id, DeploymentChange::Reapply { of_plan: create })
            .unwrap();
        world.settle();
        let berth = world.instance(&id, "storage-0").berth.clone().unwrap();
        assert_eq!(berth.allocator_id, allocator_id(2));
    }
}
