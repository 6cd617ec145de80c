//! Applying commands about plans. Each says what it starts from; a stale one is refused and the
//! leader looks again. Changes of instances go with the step they belong to, and the assignments
//! they touch get their new generation in the same command.

use std::{collections::BTreeMap, sync::Arc};

use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId, PlanId};

use crate::{
    apply::deployment,
    command::{
        AdoptPlan, InstanceChange, NotePlan, PlanEnded, StartAttempt, StepTransition, SupersedePlan,
    },
    outcome::Outcome,
    placement::CapacityIndex,
    reconcile::assignment,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{
        DeploymentError, InstanceBerth, InstanceRecord, PlanRecord, PlanStatus, State, StepKind,
        StepLine, StepRecord, StepStatus, Want,
        plan::{LOG_LINE_BYTES, REASON_BYTES, STEP_LOG_LINES},
    },
};

/// Steps of a plan at most.
pub const STEPS: usize = 1_000;
/// Log lines that one transition may bring.
const LINES_PER_TRANSITION: usize = 32;

fn stale(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Aborted, code, message)
}

fn find<'a>(state: &'a State, id: &PlanId) -> Result<&'a Arc<PlanRecord>, Refusal> {
    state
        .plans
        .get(id)
        .ok_or_else(|| Refusal::not_found("plan", id))
}

fn answer(state: &State, id: &PlanId) -> Outcome {
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
    let placed = check_berths(state, &deployment_id, body)?;
    let mut described: BTreeMap<&InstanceId, String> = BTreeMap::new();
    for (berth, record) in body.berths.iter().zip(placed) {
        let host = state
            .allocators
            .get(&berth.allocator_id)
            .map_or("", |known| known.host.as_str());
        described.insert(
            &berth.instance_id,
            format!("placed on {host} in {}, port {}", record.zone, record.port),
        );
        if let Some(instance) = state.instances.get_mut(&berth.instance_id) {
            instance.berth = Some(record);
        }
        if let Some(assigned) = state.assignments.get_mut(&berth.allocator_id) {
            assigned.instances.insert(berth.instance_id.clone());
        }
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
    change(state, &body.plan_id, |plan| {
        plan.status = PlanStatus::Running;
        plan.adopted_ms = now_ms;
        plan.attempts = 1;
        plan.error_code.clear();
        plan.reason.clear();
        plan.steps = steps;
    });
    Ok(answer(state, &body.plan_id))
}

/// Checks that every berth still fits: capacity, port, anti-affinity; the planner may have looked
/// at an older state.
fn check_berths(
    state: &State,
    deployment_id: &DeploymentId,
    body: &AdoptPlan,
) -> Result<Vec<InstanceBerth>, Refusal> {
    let mut indexes: BTreeMap<&AllocatorId, CapacityIndex> = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut records = Vec::with_capacity(body.berths.len());
    for berth in &body.berths {
        let instance = own(state, deployment_id, &berth.instance_id)?;
        let index = indexes
            .entry(&berth.allocator_id)
            .or_insert_with(|| CapacityIndex::of_one(state, &berth.allocator_id));
        let host = index
            .host(&berth.allocator_id)
            .ok_or_else(|| Refusal::not_found("allocator", &berth.allocator_id))?;
        let port_is_free = (host.ports.start..=host.ports.end).contains(&berth.port)
            && !host.taken_ports.contains_key(&berth.port);
        if instance.berth.is_some()
            || !seen.insert(&berth.instance_id)
            || host.maintenance
            || host.resources.contains_key(&instance.resource_id)
            || !instance.size.fits_in(host.free())
            || !port_is_free
        {
            return Err(stale(
                codes::PLACEMENT,
                format!("{} no longer fits on {}", instance.name, host.name),
            ));
        }
        records.push(InstanceBerth {
            allocator_id: berth.allocator_id.clone(),
            zone: host.zone.clone(),
            port: berth.port,
        });
        index.occupy(
            &berth.allocator_id,
            deployment_id,
            &instance.resource_id,
            instance.size,
            berth.port,
        );
    }
    Ok(records)
}

fn own<'a>(
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
fn change(state: &mut State, id: &PlanId, f: impl FnOnce(&mut PlanRecord)) {
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

fn log(step: &mut StepRecord, at_ms: u64, text: &str) {
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
        check_change(state, &plan.deployment_id, change)?;
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
            for text in body.log.iter().take(LINES_PER_TRANSITION) {
                log(step, now_ms, text);
            }
        }
    });
    for change in &body.changes {
        make_change(state, &plan.deployment_id, change);
    }
    if !state.deployments.contains_key(&plan.deployment_id) {
        // The deployment is forgotten: nothing would ever end its plan.
        end(state, &plan.id, PlanStatus::Done, "", "");
    }
    Ok(answer(state, &plan.id))
}

fn placed(instance: &InstanceRecord) -> Result<(), Refusal> {
    if instance.berth.is_some() {
        return Ok(());
    }
    Err(stale(
        codes::PLACEMENT,
        format!("{} has no berth", instance.name),
    ))
}

fn check_change(
    state: &State,
    deployment_id: &DeploymentId,
    change: &InstanceChange,
) -> Result<(), Refusal> {
    match change {
        InstanceChange::ForgetDeployment => Ok(()),
        InstanceChange::Route { instance_id, .. }
        | InstanceChange::Stop { instance_id }
        | InstanceChange::Remove { instance_id } => {
            // What was never placed has no container to say anything about.
            placed(own(state, deployment_id, instance_id)?)
        }
        InstanceChange::Run { instance_id } | InstanceChange::Replace { instance_id } => {
            let instance = own(state, deployment_id, instance_id)?;
            if instance.want == Want::Remove {
                return Err(stale(
                    codes::PLACEMENT,
                    format!("{} is being removed", instance.name),
                ));
            }
            placed(instance)
        }
        InstanceChange::Port {
            instance_id,
            refused,
            port,
        } => {
            let instance = own(state, deployment_id, instance_id)?;
            let berth = instance
                .berth
                .as_ref()
                .filter(|berth| berth.port == *refused);
            let fits = berth.is_some_and(|berth| {
                let index = CapacityIndex::of_one(state, &berth.allocator_id);
                index.host(&berth.allocator_id).is_some_and(|host| {
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

fn make_change(state: &mut State, deployment_id: &DeploymentId, change: &InstanceChange) {
    let instance_id = match change {
        InstanceChange::ForgetDeployment => return deployment::forget(state, deployment_id),
        InstanceChange::Run { instance_id }
        | InstanceChange::Replace { instance_id }
        | InstanceChange::Stop { instance_id }
        | InstanceChange::Remove { instance_id }
        | InstanceChange::Route { instance_id, .. }
        | InstanceChange::Port { instance_id, .. } => instance_id,
    };
    let Some(mut instance) = state.instances.get(instance_id).cloned() else {
        return;
    };
    match change {
        InstanceChange::ForgetDeployment => {}
        InstanceChange::Run { .. } => {
            instance.want = Want::Run;
            instance.spec_hash = assignment::spec_hash(state, &instance);
        }
        InstanceChange::Replace { .. } => {
            instance.want = Want::Run;
            instance.revision = instance.revision.saturating_add(1);
            instance.spec_hash = assignment::spec_hash(state, &instance);
        }
        InstanceChange::Stop { .. } => instance.want = Want::Stop,
        InstanceChange::Remove { .. } => {
            instance.want = Want::Remove;
            instance.routed = false;
        }
        InstanceChange::Route { routed, .. } => instance.routed = *routed,
        InstanceChange::Port { refused, port, .. } => {
            instance.refused_ports.insert(*refused);
            if let Some(berth) = &mut instance.berth {
                berth.port = *port;
            }
            instance.spec_hash = assignment::spec_hash(state, &instance);
        }
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

pub(super) fn ended(state: &mut State, body: &PlanEnded) -> Result<Outcome, Refusal> {
    let plan = find(state, &body.plan_id)?;
    if plan.status.ended() {
        return Err(stale(codes::STALE_STEP, "the plan has ended already"));
    }
    let all_done = plan.status == PlanStatus::Running
        && plan
            .steps
            .iter()
            .all(|step| step.status == StepStatus::Done);
    match body.status {
        PlanStatus::Done if all_done => {}
        PlanStatus::Failed => {}
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
    let deployment_id = plan.deployment_id.clone();
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
            PlanStatus::Pending | PlanStatus::Running | PlanStatus::Superseded => {}
        }
    }
}
