//! A vacate as the API shows it: the record, with what its moves wait for and how far their data has
//! come. Pure mapping.

use wharf_proto::{ids::AllocatorId, times, v1};

use super::waits_for;
use crate::{
    observe::Observations,
    state::{InstanceRecord, State, VacateMoveRecord, VacateMoveState, VacateRecord, VacateStatus},
};

fn time(ms: u64) -> Option<prost_types::Timestamp> {
    (ms > 0).then(|| times::timestamp(ms))
}

/// A vacate with its moves.
#[must_use]
pub fn vacate(state: &State, observed: &Observations, record: &VacateRecord) -> v1::Vacate {
    let moves: Vec<v1::VacateMove> = record
        .moves
        .iter()
        .map(|one| one_move(state, observed, record, one))
        .collect();
    v1::Vacate {
        id: record.id.clone(),
        allocator_id: record.allocator_id.to_string(),
        host: record.host.clone(),
        status: v1::VacateStatus::from(record.status) as i32,
        created_at: time(record.created_ms),
        ended_at: time(record.ended_ms),
        actor: record.actor.clone(),
        parallelism: record.parallelism,
        host_down: record.host_down,
        reason: reason(state, record, &moves),
        moves,
        cancelling: record.cancelling && record.status == VacateStatus::Running,
        version: record.version,
    }
}

fn reason(state: &State, record: &VacateRecord, moves: &[v1::VacateMove]) -> String {
    if record.status != VacateStatus::Running {
        return record.reason.clone();
    }
    let open = moves
        .iter()
        .find(|one| one.state == VacateMoveState::Moving.as_str())
        .or_else(|| {
            let waits = VacateMoveState::Waiting.as_str();
            moves.iter().find(|one| one.state == waits)
        });
    if let Some(one) = open {
        let name = format!("{}/{}", one.deployment_name, one.instance_name);
        return if one.reason.is_empty() {
            format!("waits for {name} to move")
        } else {
            format!("waits for {name}: {}", one.reason)
        };
    }
    let leaving = state
        .assignments
        .get(&record.allocator_id)
        .map_or(0, |assigned| assigned.claims.len());
    format!(
        "waits for {leaving} plans that still need room on {}",
        record.host
    )
}

fn host(state: &State, id: &AllocatorId) -> String {
    let known = state.allocators.get(id);
    known.map_or_else(|| id.to_string(), |known| known.host.clone())
}

/// Where an instance goes while it moves.
fn target<'a>(record: &VacateRecord, instance: &'a InstanceRecord) -> Option<&'a AllocatorId> {
    let claimed = instance
        .claim
        .as_ref()
        .and_then(|claim| claim.berth.as_ref());
    [claimed, instance.berth.as_ref()]
        .into_iter()
        .flatten()
        .map(|berth| &berth.allocator_id)
        .find(|id| **id != record.allocator_id)
}

fn one_move(
    state: &State,
    observed: &Observations,
    record: &VacateRecord,
    one: &VacateMoveRecord,
) -> v1::VacateMove {
    let moving = one.state == VacateMoveState::Moving;
    let instance = state.instances.get(&one.instance_id);
    let to = one.to.as_ref().or_else(|| {
        instance
            .filter(|_| moving)
            .and_then(|instance| target(record, instance))
    });
    let copy = to
        .filter(|_| moving)
        .and_then(|to| observed.instance(to, &one.instance_id))
        .and_then(|seen| seen.copy.as_ref());
    let reason = match one.state {
        VacateMoveState::Waiting if record.status == VacateStatus::Running => {
            waits_for(state, record, one)
        }
        VacateMoveState::Moving if one.reason.is_empty() => plan_waits_for(state, one),
        _ => one.reason.clone(),
    };
    v1::VacateMove {
        instance_id: one.instance_id.to_string(),
        instance_name: one.instance_name.clone(),
        deployment_id: one.deployment_id.to_string(),
        deployment_name: one.deployment_name.clone(),
        state: one.state.as_str().to_owned(),
        plan_id: one
            .plan_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        to_allocator_id: to.map(ToString::to_string).unwrap_or_default(),
        to_host: to.map(|id| host(state, id)).unwrap_or_default(),
        bytes_done: copy.map_or(0, |copy| copy.bytes_done),
        bytes_total: copy.map_or(0, |copy| copy.bytes_total),
        reason,
    }
}

fn plan_waits_for(state: &State, one: &VacateMoveRecord) -> String {
    let plan = one.plan_id.as_ref().and_then(|id| state.plans.get(id));
    plan.map_or_else(String::new, |plan| {
        plan.steps
            .iter()
            .find(|step| !step.waits_for.is_empty())
            .map_or_else(|| plan.reason.clone(), |step| step.waits_for.clone())
    })
}
