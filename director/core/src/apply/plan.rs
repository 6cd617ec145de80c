//! Applying commands about plans. Each says what it starts from; a stale one is refused and the
//! leader looks again. Changes of instances go with the step they belong to, and the assignments
//! they touch get their new generation in the same command.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wharf_proto::ids::{DeploymentId, InstanceId, PlanId};

use super::{berth, change, finish};
use crate::{
    command::{AdoptPlan, NotePlan, PlanEnded, StartAttempt, StepTransition, SupersedePlan},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{
        Claim, DeploymentError, HOSTS_NOTED_LEVEL, InstanceRecord, PlanKind, PlanRecord,
        PlanStatus, State, StepKind, StepLine, StepRecord, StepStatus,
        plan::{LOG_LINE_BYTES, REASON_BYTES, STEP_LOG_LINES},
    },
};

/// Steps of a plan at most.
pub const STEPS: usize = 1_000;
/// Log lines that one transition may bring.
const LINES_PER_TRANSITION: usize = 32;

pub(super) fn stale(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Aborted, code, message)
}

pub(super) fn find<'a>(state: &'a State, id: &PlanId) -> Result<&'a Arc<PlanRecord>, Refusal> {
    state
        .plans
        .get(id)
        .ok_or_else(|| Refusal::not_found("plan", id))
}

pub(super) fn answer(state: &State, id: &PlanId) -> Outcome {
    let version = state.plans.get(id).map_or(0, |plan| plan.version);
    Outcome::Plan {
        plan_id: id.clone(),
        version,
    }
}

fn open(plan: &PlanRecord, status: PlanStatus) -> Result<(), Refusal> {
    if plan.status == status {
        return Ok(());
    }
    Err(stale(
        codes::STALE_STEP,
        format!("the plan {} is {:?}, not {status:?}", plan.id, plan.status),
    ))
}

pub(super) fn adopt(state: &mut State, body: &AdoptPlan) -> Result<Outcome, Refusal> {
    let plan = find(state, &body.plan_id)?.clone();
    open(&plan, PlanStatus::Pending)?;
    let deployment_id = plan.deployment_id.clone();
    let deployment = state
        .deployments
        .get(&deployment_id)
        .ok_or_else(|| Refusal::not_found("deployment", &deployment_id))?;
    if deployment.pending_plan.as_ref() != Some(&plan.id)
        || deployment.current_plan != plan.parent
        || body.parent != plan.parent
    {
        return Err(stale(
            codes::PLAN_PARENT,
            "the plan's parent is no longer current",
        ));
    }
    if body.steps.is_empty() || body.steps.len() > STEPS {
        return Err(stale(
            codes::STALE_STEP,
            format!("a plan has 1 to {STEPS} steps"),
        ));
    }
    for id in body
        .steps
        .iter()
        .filter_map(|step| step.instance_id.as_ref())
    {
        own(state, &deployment_id, id)?;
    }
    let (placed, claims) = berth::check(state, &plan, body)?;
    let mut described: BTreeMap<&InstanceId, String> = BTreeMap::new();
    for (new, record) in body.berths.iter().zip(placed) {
        let host = state
            .allocators
            .get(&new.allocator_id)
            .map_or("", |known| known.host.as_str());
        described.insert(
            &new.instance_id,
            format!("placed on {host} in {}, port {}", record.zone, record.port),
        );
        berth::put(state, &plan, &new.instance_id, record);
    }
    for (new, claim) in body.claims.iter().zip(claims) {
        if let Some(line) = claimed(state, &plan, &new.instance_id, &claim) {
            described.insert(&new.instance_id, line);
        }
        berth::claim(state, &new.instance_id, claim);
    }
    let now_ms = state.now_ms;
    let steps = body
        .steps
        .iter()
        .map(|step| {
            let placed = step.kind == StepKind::Place;
            let line = step.instance_id.as_ref().and_then(|id| described.get(id));
            StepRecord {
                kind: step.kind,
                instance_id: step.instance_id.clone(),
                subject: step
                    .instance_id
                    .as_ref()
                    .and_then(|id| state.instances.get(id))
                    .map(|instance| instance.name.clone())
                    .unwrap_or_default(),
                status: if placed {
                    StepStatus::Done
                } else {
                    StepStatus::Waiting
                },
                started_ms: if placed { plan.created_ms } else { 0 },
                ended_ms: if placed { now_ms } else { 0 },
                waits_for: String::new(),
                bytes_done: 0,
                got_on_ms: 0,
                log: line
                    .filter(|_| placed)
                    .map(|text| StepLine {
                        at_ms: now_ms,
                        text: text.clone(),
                    })
                    .into_iter()
                    .collect(),
                dropped_lines: 0,
            }
        })
        .collect();
    let hosts = if state.feature_level >= HOSTS_NOTED_LEVEL {
        hosts(state, body)
    } else {
        BTreeSet::new()
    };
    if plan.kind == PlanKind::Restore
        && let Some(deployment) = state.deployments.get_mut(&deployment_id)
    {
        deployment.terminated = false;
    }
    change(state, &body.plan_id, |plan| {
        plan.status = PlanStatus::Running;
        plan.adopted_ms = now_ms;
        plan.attempts = 1;
        plan.error_code.clear();
        plan.reason.clear();
        plan.steps = steps;
        plan.hosts = hosts;
    });
    Ok(answer(state, &body.plan_id))
}

/// Where the instances of the steps lie, and where they go.
fn hosts(state: &State, body: &AdoptPlan) -> BTreeSet<String> {
    let ids = body
        .steps
        .iter()
        .filter_map(|step| step.instance_id.as_ref());
    ids.filter_map(|id| state.instances.get(id))
        .flat_map(|instance| {
            let next = instance
                .claim
                .as_ref()
                .and_then(|claim| claim.berth.as_ref());
            instance.berth.iter().chain(next)
        })
        .filter_map(|berth| state.allocators.get(&berth.allocator_id))
        .map(|allocator| allocator.host.clone())
        .collect()
}

/// Where an instance is to go and why, for the first line of its first step.
fn claimed(state: &State, plan: &PlanRecord, id: &InstanceId, claim: &Claim) -> Option<String> {
    let place = claim.berth.as_ref()?;
    let host = |id| {
        state
            .allocators
            .get(id)
            .map_or("", |known| known.host.as_str())
    };
    let from = state.instances.get(id)?.berth.as_ref()?;
    let wishes = plan.wanted.as_ref().map(|wanted| wanted.moves.as_slice());
    let why = wishes
        .unwrap_or_default()
        .iter()
        .find(|wish| wish.instance_id == *id)
        .map_or_else(String::new, |wish| {
            format!("; {}: {}", wish.cause.as_str(), wish.reason)
        });
    Some(format!(
        "goes from {} to {} in {}, port {}{why}",
        host(&from.allocator_id),
        host(&place.allocator_id),
        place.zone,
        place.port
    ))
}

pub(super) fn own<'a>(
    state: &'a State,
    deployment_id: &DeploymentId,
    id: &InstanceId,
) -> Result<&'a InstanceRecord, Refusal> {
    state
        .instances
        .get(id)
        .filter(|instance| instance.deployment_id == *deployment_id)
        .ok_or_else(|| Refusal::not_found("instance", id))
}

/// Changes a plan's record and raises its version.
pub(super) fn change(state: &mut State, id: &PlanId, f: impl FnOnce(&mut PlanRecord)) {
    if let Some(plan) = state.plans.get_mut(id) {
        let plan = Arc::make_mut(plan);
        f(plan);
        plan.version = plan.version.saturating_add(1);
    }
}

pub(super) fn supersede(state: &mut State, body: &SupersedePlan) -> Result<Outcome, Refusal> {
    let plan = find(state, &body.plan_id)?.clone();
    open(&plan, PlanStatus::Pending)?;
    let current = state
        .deployments
        .get(&plan.deployment_id)
        .and_then(|known| known.current_plan.clone());
    if current == plan.parent {
        return Err(stale(
            codes::PLAN_PARENT,
            "the plan's parent is still current",
        ));
    }
    end(
        state,
        &plan.id,
        PlanStatus::Superseded,
        "",
        "its parent is no longer current",
    );
    Ok(answer(state, &plan.id))
}

pub(super) fn note(state: &mut State, body: &NotePlan) -> Result<Outcome, Refusal> {
    let plan = find(state, &body.plan_id)?;
    if plan.status.ended() {
        return Err(stale(codes::STALE_STEP, "the plan has ended"));
    }
    let reason = cut(&body.reason, REASON_BYTES);
    let code = cut(&body.code, 16);
    if plan.reason == reason && plan.error_code == code {
        return Ok(Outcome::Unchanged);
    }
    change(state, &body.plan_id, |plan| {
        plan.reason = reason.to_owned();
        plan.error_code = code.to_owned();
    });
    Ok(answer(state, &body.plan_id))
}

pub(super) fn start_attempt(state: &mut State, body: &StartAttempt) -> Result<Outcome, Refusal> {
    open(find(state, &body.plan_id)?, PlanStatus::Running)?;
    let now_ms = state.now_ms;
    change(state, &body.plan_id, |plan| {
        plan.attempts = plan.attempts.saturating_add(1);
        for step in plan
            .steps
            .iter_mut()
            .filter(|step| step.status == StepStatus::Running)
        {
            log(step, now_ms, "taken up by a new leader");
        }
    });
    Ok(answer(state, &body.plan_id))
}

pub(super) fn log(step: &mut StepRecord, at_ms: u64, text: &str) {
    step.log.push(StepLine {
        at_ms,
        text: cut(text, LOG_LINE_BYTES).to_owned(),
    });
    let excess = step.log.len().saturating_sub(STEP_LOG_LINES);
    step.log.drain(..excess);
    step.dropped_lines = step.dropped_lines.saturating_add(excess as u64);
}

pub(super) fn step(state: &mut State, body: &StepTransition) -> Result<Outcome, Refusal> {
    let plan = find(state, &body.plan_id)?.clone();
    open(&plan, PlanStatus::Running)?;
    let index = body.step as usize;
    let step = plan
        .steps
        .get(index)
        .ok_or_else(|| stale(codes::STALE_STEP, "there is no such step"))?;
    let ended = matches!(step.status, StepStatus::Done | StepStatus::Failed);
    if step.status != body.from || ended || body.to == StepStatus::Waiting {
        return Err(stale(
            codes::STALE_STEP,
            format!(
                "step {index} is {:?}, it cannot go from {:?} to {:?}",
                step.status, body.from, body.to
            ),
        ));
    }
    for change in &body.changes {
        change::check(state, &plan.deployment_id, change)?;
    }
    let now_ms = state.now_ms;
    change(state, &plan.id, |plan| {
        if let Some(step) = plan.steps.get_mut(index) {
            if step.status == StepStatus::Waiting {
                step.started_ms = now_ms;
            }
            step.status = body.to;
            let over = matches!(body.to, StepStatus::Done | StepStatus::Failed);
            if over {
                step.ended_ms = now_ms;
            }
            step.waits_for = if over {
                String::new()
            } else {
                cut(&body.waits_for, REASON_BYTES).to_owned()
            };
            if body.bytes_done > step.bytes_done || !body.changes.is_empty() {
                step.got_on_ms = now_ms;
            }
            step.bytes_done = body.bytes_done;
            for text in body.log.iter().take(LINES_PER_TRANSITION) {
                log(step, now_ms, text);
            }
        }
    });
    for change in &body.changes {
        change::make(state, &plan.deployment_id, change);
    }
    let step = plan.steps.get(index);
    if let Some(instance_id) = step.and_then(|step| step.instance_id.as_ref())
        && step.is_some_and(|step| step.kind == StepKind::Healthy)
        && body.to == StepStatus::Done
    {
        berth::prove(state, instance_id);
    }
    if !state.deployments.contains_key(&plan.deployment_id) {
        // The deployment is forgotten: nothing would ever end its plan.
        end(state, &plan.id, PlanStatus::Done, "", "");
    }
    Ok(answer(state, &plan.id))
}

pub(super) fn ended(state: &mut State, body: &PlanEnded) -> Result<Outcome, Refusal> {
    let plan = find(state, &body.plan_id)?;
    if plan.status.ended() {
        return Err(stale(codes::STALE_STEP, "the plan has ended already"));
    }
    let forward = state
        .deployments
        .get(&plan.deployment_id)
        .into_iter()
        .flat_map(|deployment| state.deployment_instances(deployment))
        .filter_map(|instance| instance.claim.as_ref())
        .any(|claim| claim.stage.past_return());
    if forward {
        return Err(stale(
            codes::STALE_STEP,
            "an instance may serve from its new place already: there is no end but forward",
        ));
    }
    let all_done = plan.status == PlanStatus::Running
        && plan
            .steps
            .iter()
            .all(|step| step.status == StepStatus::Done);
    match body.status {
        PlanStatus::Done if all_done && plan.undo_from.is_none() => {}
        PlanStatus::Failed => {}
        PlanStatus::Cancelled if plan.undo_from.is_some() => {}
        _ => {
            return Err(stale(
                codes::STALE_STEP,
                "the plan's steps are not all done",
            ));
        }
    }
    end(
        state,
        &body.plan_id,
        body.status,
        &body.error_code,
        &body.reason,
    );
    Ok(answer(state, &body.plan_id))
}

/// Ends a plan and says so on its deployment.
pub(super) fn end(state: &mut State, id: &PlanId, status: PlanStatus, code: &str, reason: &str) {
    let now_ms = state.now_ms;
    let Some(plan) = state.plans.get(id) else {
        return;
    };
    let (deployment_id, kind) = (plan.deployment_id.clone(), plan.kind);
    change(state, id, |plan| {
        plan.status = status;
        plan.ended_ms = now_ms;
        plan.reason = cut(reason, REASON_BYTES).to_owned();
        plan.error_code = cut(code, 16).to_owned();
        for step in plan
            .steps
            .iter_mut()
            .filter(|step| step.status == StepStatus::Running)
        {
            step.status = StepStatus::Failed;
            step.ended_ms = now_ms;
        }
    });
    finish::tidy(state, &deployment_id, kind, status);
    if let Some(deployment) = state.deployments.get_mut(&deployment_id) {
        if deployment.pending_plan.as_ref() == Some(id) {
            deployment.pending_plan = None;
        }
        deployment.changed_ms = now_ms;
        deployment.version = deployment.version.saturating_add(1);
        match status {
            PlanStatus::Done => {
                deployment.current_plan = Some(id.clone());
                deployment.last_error = None;
            }
            PlanStatus::Failed => {
                deployment.last_error = Some(DeploymentError {
                    plan_id: id.clone(),
                    code: cut(code, 16).to_owned(),
                    message: cut(reason, REASON_BYTES).to_owned(),
                    at_ms: now_ms,
                });
            }
            PlanStatus::Pending
            | PlanStatus::Running
            | PlanStatus::Superseded
            | PlanStatus::Cancelled => {}
        }
    }
}
