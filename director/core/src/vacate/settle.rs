//! A vacate as it is after what became of its plans and of what lies there. Pure: the leader asks
//! whether there is news, `apply` keeps it.

use super::{RETRY_MS, TRIES};
use crate::{
    refusal::cut,
    state::{
        InstanceRecord, PlanStatus, State, VacateMoveRecord, VacateMoveState, VacateRecord,
        VacateStatus, plan::REASON_BYTES,
    },
};

/// Instances of one vacate at most; more are taken up when these are gone.
const MOVES: usize = 4_000;

/// The record as it is now; the same when there is no news.
#[must_use]
pub(crate) fn settled(state: &State, vacate: &VacateRecord) -> VacateRecord {
    let mut now = vacate.clone();
    if vacate.status != VacateStatus::Running {
        return now;
    }
    if !state.allocators.contains_key(&vacate.allocator_id) {
        for one in now.moves.iter_mut().filter(|one| one.state.is_open()) {
            one.state = VacateMoveState::Cancelled;
        }
        end(
            state,
            &mut now,
            VacateStatus::Cancelled,
            "the host was forgotten",
        );
        return now;
    }
    for one in &mut now.moves {
        settle_move(state, vacate, one);
    }
    take_up(state, &mut now);
    if now.moves.iter().any(|one| one.state.is_open()) {
        return now;
    }
    let stays = now.count(VacateMoveState::Failed);
    let leaving = state
        .assignments
        .get(&vacate.allocator_id)
        .map_or(0, |assigned| assigned.claims.len());
    if vacate.cancelling {
        end(
            state,
            &mut now,
            VacateStatus::Cancelled,
            "its end was asked for",
        );
    } else if stays > 0 {
        let first = now
            .moves
            .iter()
            .find(|one| one.state == VacateMoveState::Failed)
            .map(|one| {
                format!(
                    "{}/{}: {}",
                    one.deployment_name, one.instance_name, one.reason
                )
            })
            .unwrap_or_default();
        let what = match stays {
            1 => "1 instance stays".to_owned(),
            _ => format!("{stays} instances stay"),
        };
        let reason = format!("{what} on {}; {first}", vacate.host);
        end(state, &mut now, VacateStatus::Failed, &reason);
    } else if leaving == 0 {
        end(state, &mut now, VacateStatus::Done, "");
    }
    now
}

fn end(state: &State, vacate: &mut VacateRecord, status: VacateStatus, reason: &str) {
    vacate.status = status;
    vacate.ended_ms = state.now_ms;
    cut(reason, REASON_BYTES).clone_into(&mut vacate.reason);
}

fn lies_there(vacate: &VacateRecord, instance: &InstanceRecord) -> bool {
    let berth = instance.berth.as_ref();
    berth.is_some_and(|berth| berth.allocator_id == vacate.allocator_id)
}

fn settle_move(state: &State, vacate: &VacateRecord, one: &mut VacateMoveRecord) {
    if one.state == VacateMoveState::Moved {
        return;
    }
    let plan = one.plan_id.as_ref().and_then(|id| state.plans.get(id));
    let runs = one.state == VacateMoveState::Moving;
    if runs && plan.is_some_and(|plan| !plan.status.ended()) {
        return;
    }
    // What was given up may have left since, by hand or with its deployment.
    let instance = state.instances.get(&one.instance_id);
    let gone = instance.is_none_or(|instance| !lies_there(vacate, instance));
    if gone {
        one.state = VacateMoveState::Moved;
        one.reason = match instance {
            None => "its deployment was deleted".to_owned(),
            Some(_) if !runs => "it went by another plan".to_owned(),
            Some(_) => String::new(),
        };
        one.to = instance
            .and_then(|instance| instance.berth.as_ref())
            .map(|berth| berth.allocator_id.clone());
        return;
    }
    if !runs {
        if vacate.cancelling && one.state.is_open() {
            one.state = VacateMoveState::Cancelled;
            one.reason.clear();
        }
        return;
    }
    let why = plan.map_or("", |plan| plan.reason.as_str());
    let status = plan.map(|plan| plan.status);
    if vacate.cancelling {
        one.state = VacateMoveState::Cancelled;
        one.reason.clear();
    } else if status == Some(PlanStatus::Cancelled) {
        one.state = VacateMoveState::Failed;
        one.reason = "its plan was ended by request".to_owned();
    } else {
        one.failures = one.failures.saturating_add(1);
        let (failures, cause) = (one.failures, cut(why, REASON_BYTES / 2));
        if failures >= TRIES {
            one.state = VacateMoveState::Failed;
            one.reason = format!("{failures} plans failed, the last: {cause}");
        } else {
            one.state = VacateMoveState::Waiting;
            one.retry_ms = state
                .now_ms
                .saturating_add(RETRY_MS.saturating_mul(u64::from(failures)));
            one.reason = format!("try {failures} of {TRIES} failed and is repeated: {cause}");
        }
    }
}

/// What lies there and is not among its moves: a plan brought it that ran before the host was to take
/// nothing new.
fn take_up(state: &State, vacate: &mut VacateRecord) {
    if vacate.cancelling {
        return;
    }
    let mut found: Vec<VacateMoveRecord> = Vec::new();
    let room = MOVES.saturating_sub(vacate.moves.len());
    for instance in state.allocator_instances(&vacate.allocator_id) {
        let known = vacate
            .moves
            .iter_mut()
            .find(|one| one.instance_id == instance.id);
        match known {
            // It came back.
            Some(one) if one.state == VacateMoveState::Moved => {
                one.state = VacateMoveState::Waiting;
                one.to = None;
                one.reason.clear();
            }
            Some(_) => {}
            None if found.len() < room => found.push(waiting(state, instance)),
            None => {}
        }
    }
    if !found.is_empty() {
        vacate.moves.extend(found);
        vacate.moves.sort_by(|a, b| {
            (&a.deployment_name, &a.instance_name, &a.instance_id).cmp(&(
                &b.deployment_name,
                &b.instance_name,
                &b.instance_id,
            ))
        });
    }
}

fn waiting(state: &State, instance: &InstanceRecord) -> VacateMoveRecord {
    let deployment = state.deployments.get(&instance.deployment_id);
    VacateMoveRecord {
        instance_id: instance.id.clone(),
        instance_name: instance.name.clone(),
        deployment_id: instance.deployment_id.clone(),
        deployment_name: deployment.map_or_else(String::new, |known| known.name.clone()),
        state: VacateMoveState::Waiting,
        plan_id: None,
        to: None,
        failures: 0,
        no_room_since_ms: 0,
        retry_ms: 0,
        reason: String::new(),
    }
}
