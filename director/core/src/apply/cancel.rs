//! Ending a plan by request. What was changed stays; an instance that was begun and is not healthy is
//! taken back by steps that are appended to the plan: a new one is removed, a resized one gets its
//! former size, a restored one is stopped again; one that was only restarted is left to run.
//! Invariants: nothing that may hold data is removed; a deletion that has begun to remove goes on.
//! Not here: carrying the steps out (`plan/attempt`).

use wharf_proto::ids::InstanceId;

use super::{
    change, plan,
    plan::{STEPS, answer, find},
};
use crate::{
    command::{CancelPlan, InstanceChange},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{
        ClaimStage, InstanceRecord, PlanKind, PlanRecord, PlanStatus, State, StepKind, StepRecord,
        StepStatus, Want,
    },
};

const BY_REQUEST: &str = "its end was asked for";
/// Reason of a cancellation at most.
const REASON_BYTES: usize = 500;

fn refuse(message: String, hint: &str) -> Refusal {
    Refusal::new(RefusalKind::FailedPrecondition, codes::PLAN_CANCEL, message)
        .field("plan_id")
        .hint(hint)
}

/// What becomes of an instance.
enum Way {
    /// It stays as it is.
    Stay,
    /// It is told so at once, and nothing need be seen.
    Now(Vec<InstanceChange>),
    /// By steps.
    Steps(&'static [StepKind]),
}

pub(super) fn cancel(state: &mut State, body: &CancelPlan) -> Result<Outcome, Refusal> {
    let record = find(state, &body.plan_id)?.clone();
    if record.status.ended() {
        return Err(refuse(
            format!("the plan {} has ended already", record.id),
            "`wharf plan show` has its end",
        ));
    }
    if record.undo_from.is_some() {
        return Ok(answer(state, &record.id));
    }
    let removing = record.kind != PlanKind::Move
        && record.steps.iter().any(|step| {
            matches!(step.kind, StepKind::Remove | StepKind::Forget)
                && step.status != StepStatus::Waiting
        });
    if removing {
        return Err(refuse(
            format!("the plan {} has begun to remove data", record.id),
            "let it end: `wharf plan follow`",
        ));
    }
    let torn = record.kind == PlanKind::Delete
        && record
            .wanted
            .as_ref()
            .is_some_and(|wanted| !wanted.moves.is_empty());
    if torn {
        return Err(refuse(
            format!(
                "the plan {} ended a move in the middle of its take-over: what there was is no longer whole",
                record.id
            ),
            "let it end: `wharf plan follow`",
        ));
    }
    let why = match body.reason.as_str() {
        "" => BY_REQUEST,
        reason => cut(reason, REASON_BYTES),
    };
    if record.status == PlanStatus::Pending {
        plan::end(state, &record.id, PlanStatus::Cancelled, "", why);
        return Ok(answer(state, &record.id));
    }
    let instances: Vec<InstanceRecord> = state
        .deployments
        .get(&record.deployment_id)
        .map(|deployment| state.deployment_instances(deployment).cloned().collect())
        .unwrap_or_default();
    if record.kind == PlanKind::Move && has_moved(&record, &instances) {
        return Err(refuse(
            format!(
                "what the plan {} moves has been taken over and is not moved back by it",
                record.id
            ),
            "let it end, `wharf plan follow`, and move it back: `wharf instance move`; when one of its hosts is lost for good: `wharf allocator remove HOST --lost`",
        ));
    }
    let mut undo = Vec::new();
    let mut now = Vec::new();
    for instance in &instances {
        match way(&record, instance) {
            Way::Stay => {}
            Way::Now(changes) => now.extend(changes),
            Way::Steps(kinds) => undo.extend(kinds.iter().map(|kind| step(*kind, instance))),
        }
    }
    undo.truncate(STEPS);
    for made in now {
        if change::check(state, &record.deployment_id, &made).is_ok() {
            change::make(state, &record.deployment_id, &made);
        }
    }
    let now_ms = state.now_ms;
    let whole = undo.is_empty();
    plan::change(state, &record.id, |plan| {
        for step in &mut plan.steps {
            if step.status == StepStatus::Running {
                step.status = StepStatus::Failed;
                step.ended_ms = now_ms;
                step.waits_for.clear();
                plan::log(step, now_ms, why);
            }
        }
        plan.undo_from = Some(u32::try_from(plan.steps.len()).unwrap_or(u32::MAX));
        plan.reason = why.to_owned();
        plan.steps.extend(undo);
    });
    if whole {
        plan::end(state, &record.id, PlanStatus::Cancelled, "", why);
    }
    Ok(answer(state, &record.id))
}

fn step(kind: StepKind, instance: &InstanceRecord) -> StepRecord {
    StepRecord {
        kind,
        instance_id: Some(instance.id.clone()),
        subject: instance.name.clone(),
        status: StepStatus::Waiting,
        started_ms: 0,
        ended_ms: 0,
        waits_for: String::new(),
        bytes_done: 0,
        got_on_ms: 0,
        log: Vec::new(),
        dropped_lines: 0,
    }
}

/// Whether every instance that a plan moves has come so far that it goes on, or is there.
fn has_moved(plan: &PlanRecord, instances: &[InstanceRecord]) -> bool {
    let moves = plan.wanted.as_ref().map(|wanted| wanted.moves.as_slice());
    moves.unwrap_or_default().iter().all(|wish| {
        let instance = instances.iter().find(|one| one.id == wish.instance_id);
        match instance.and_then(|one| one.claim.as_ref()) {
            Some(claim) => claim.stage.past_return() || claim.stage == ClaimStage::Leaving,
            None => true,
        }
    })
}

/// What becomes of an instance that is on its way elsewhere; none when it goes like any other.
fn way_of_move(plan: &PlanRecord, instance: &InstanceRecord) -> Option<Way> {
    if plan.kind != PlanKind::Move {
        return None;
    }
    let stage = instance.claim.as_ref()?.stage;
    Some(match stage {
        ClaimStage::Held if plan.begun(&instance.id, StepKind::Stop) => return None,
        ClaimStage::Held if plan.begun(&instance.id, StepKind::Unroute) => {
            Way::Now(vec![route(&instance.id)])
        }
        ClaimStage::Held => Way::Stay,
        ClaimStage::Copying => Way::Steps(&[StepKind::Remove]),
        ClaimStage::Replacing => Way::Steps(&[StepKind::Route, StepKind::Remove]),
        ClaimStage::TakingOver => {
            Way::Steps(&[StepKind::TakeOver, StepKind::Route, StepKind::Remove])
        }
        ClaimStage::Retiring => Way::Steps(&[StepKind::Route, StepKind::Remove]),
        ClaimStage::Leaving => Way::Steps(&[StepKind::Remove]),
    })
}

fn way(plan: &PlanRecord, instance: &InstanceRecord) -> Way {
    let id = &instance.id;
    if let Some(way) = way_of_move(plan, instance) {
        return way;
    }
    let touched = plan.steps.iter().any(|step| {
        step.instance_id.as_ref() == Some(id)
            && step.kind != StepKind::Place
            && step.status != StepStatus::Waiting
    });
    if !touched {
        return Way::Stay;
    }
    let started = plan.begun(id, StepKind::Start);
    if plan.done(id, StepKind::Healthy) {
        return Way::Now(vec![route(id)]);
    }
    if instance.claim.is_some() {
        return match (started, instance.want) {
            (true, _) => Way::Steps(&[
                StepKind::Stop,
                StepKind::Start,
                StepKind::Healthy,
                StepKind::Route,
            ]),
            (false, Want::Stop) => {
                Way::Steps(&[StepKind::Start, StepKind::Healthy, StepKind::Route])
            }
            _ => Way::Now(vec![route(id)]),
        };
    }
    match plan.kind {
        PlanKind::Terminate | PlanKind::Delete => match instance.want {
            Want::Run => Way::Now(vec![route(id)]),
            _ => Way::Stay,
        },
        // What was paused and is not yet well is paused again.
        PlanKind::Resume => Way::Steps(&[StepKind::Unroute, StepKind::Stop]),
        PlanKind::Restore if instance.proven => Way::Steps(&[StepKind::Stop, StepKind::Release]),
        PlanKind::Create | PlanKind::Extend | PlanKind::Restore if !instance.proven => {
            Way::Steps(&[StepKind::Stop, StepKind::Remove, StepKind::Unplace])
        }
        _ => Way::Now(vec![
            InstanceChange::Run {
                instance_id: id.clone(),
            },
            route(id),
        ]),
    }
}

fn route(id: &InstanceId) -> InstanceChange {
    InstanceChange::Route {
        instance_id: id.clone(),
        routed: true,
    }
}
