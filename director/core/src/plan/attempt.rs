//! Carrying out running plans: which steps are begun, seen done, late. One call looks at a plan
//! once; the leader proposes what it gives and calls again when state or observations changed. A
//! new leader begins nothing anew: it sees what is there.

use super::{
    Timeouts,
    step::{self, Look, Seen},
};
use crate::{
    command::{Body, PlanEnded, StartAttempt, StepTransition},
    observe::Observations,
    refusal::codes,
    state::{PlanKind, PlanRecord, PlanStatus, State, StepKind, StepRecord, StepStatus, Want},
};

/// Least time between two notes of what a step waits for.
pub const NOTE_INTERVAL_MS: u64 = 2_000;

/// What to propose for a plan, and what it waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Commands in order.
    pub commands: Vec<Body>,
    /// What its running steps wait for, in words.
    pub waits: Vec<String>,
}

/// The commands of every running plan.
#[must_use]
pub fn run_all(state: &State, observed: &Observations, now_ms: u64) -> Decision {
    let timeouts = Timeouts::of(state);
    let look = Look::new(state, observed);
    let mut all = Decision::default();
    for plan in state
        .open_plans()
        .filter(|plan| plan.status == PlanStatus::Running)
    {
        let decision = next(&look, plan, &timeouts, now_ms);
        all.commands.extend(decision.commands);
        all.waits.extend(decision.waits);
    }
    all
}

/// The commands with which a new leader takes up the running plans, proposed once.
#[must_use]
pub fn take_up(state: &State) -> Vec<Body> {
    state
        .open_plans()
        .filter(|plan| plan.status == PlanStatus::Running)
        .map(|plan| {
            Body::StartAttempt(StartAttempt {
                plan_id: plan.id.clone(),
            })
        })
        .collect()
}

/// What to propose for one running plan.
#[must_use]
pub fn next(look: &Look<'_>, plan: &PlanRecord, timeouts: &Timeouts, now_ms: u64) -> Decision {
    let mut decision = Decision::default();
    if plan
        .steps
        .iter()
        .all(|step| step.status == StepStatus::Done)
    {
        decision.commands.push(Body::PlanEnded(PlanEnded {
            plan_id: plan.id.clone(),
            status: PlanStatus::Done,
            reason: String::new(),
            error_code: String::new(),
        }));
        return decision;
    }
    if let Some(failed) = plan
        .steps
        .iter()
        .find(|step| step.status == StepStatus::Failed)
    {
        // A leader went away between the step's failure and the plan's.
        let (_, code) = step::limit(failed.kind, timeouts);
        let reason = failed
            .log
            .last()
            .map_or_else(String::new, |line| line.text.clone());
        decision.commands.push(end(plan, code, reason));
        return decision;
    }
    for (index, record) in plan.steps.iter().enumerate() {
        match record.status {
            StepStatus::Waiting if ready(look.state, plan, index) => {
                decision
                    .commands
                    .push(begin(look.state, plan, index, record));
            }
            StepStatus::Running => {
                if let Some(failure) = look_at(look, plan, index, timeouts, now_ms, &mut decision) {
                    decision.commands.push(failure);
                    return decision;
                }
            }
            StepStatus::Waiting | StepStatus::Done | StepStatus::Failed => {}
        }
    }
    decision
}

/// Whether the steps that come before are done: all of them in an upgrade, which takes one
/// instance after the other, and for a step of the whole deployment; else those of its instance.
/// An instance starts when those of earlier resources are whole: a monitoring node reads storage.
fn ready(state: &State, plan: &PlanRecord, index: usize) -> bool {
    let step = &plan.steps[index];
    let in_order = plan.kind == PlanKind::Upgrade || step.instance_id.is_none();
    let resource = |step: &StepRecord| {
        let instance = state.instances.get(step.instance_id.as_ref()?)?;
        Some(&instance.resource_id)
    };
    plan.steps[..index]
        .iter()
        .filter(|earlier| {
            in_order
                || earlier.instance_id == step.instance_id
                || (step.kind == StepKind::Start && resource(earlier) != resource(step))
        })
        .all(|earlier| earlier.status == StepStatus::Done)
}

fn transition(plan: &PlanRecord, index: usize, from: StepStatus, to: StepStatus) -> StepTransition {
    StepTransition {
        plan_id: plan.id.clone(),
        step: u32::try_from(index).unwrap_or(u32::MAX),
        from,
        to,
        waits_for: String::new(),
        log: Vec::new(),
        changes: Vec::new(),
    }
}

fn begin(state: &State, plan: &PlanRecord, index: usize, record: &StepRecord) -> Body {
    let instance = record
        .instance_id
        .as_ref()
        .map(|id| state.instances.get(id));
    let placed = instance.is_none_or(|found| found.is_some_and(|known| known.berth.is_some()));
    let removed = instance
        .flatten()
        .is_some_and(|known| known.want == Want::Remove);
    let builds = matches!(
        record.kind,
        StepKind::Start | StepKind::Healthy | StepKind::Route
    );
    if builds && (!placed || removed) {
        // Nothing would ever make this step possible: do not wait for its time to pass.
        let reason = format!("{} has no berth or is being removed", record.subject);
        return end(plan, codes::PLAN_START, reason);
    }
    // What was never placed is seen as gone without being told anything.
    let (changes, line) = if placed {
        step::begin(plan, record)
    } else {
        (Vec::new(), String::new())
    };
    // Forgetting ends with its command: afterwards there is nothing left to be seen.
    let to = if record.kind == StepKind::Forget {
        StepStatus::Done
    } else {
        StepStatus::Running
    };
    Body::StepTransition(Box::new(StepTransition {
        changes,
        log: (!line.is_empty()).then_some(line).into_iter().collect(),
        ..transition(plan, index, StepStatus::Waiting, to)
    }))
}

fn end(plan: &PlanRecord, code: &str, reason: String) -> Body {
    Body::PlanEnded(PlanEnded {
        plan_id: plan.id.clone(),
        status: PlanStatus::Failed,
        reason,
        error_code: code.to_owned(),
    })
}

/// Looks at a running step; gives the command that ends the plan when the step has failed.
fn look_at(
    look: &Look<'_>,
    plan: &PlanRecord,
    index: usize,
    timeouts: &Timeouts,
    now_ms: u64,
    decision: &mut Decision,
) -> Option<Body> {
    let record = &plan.steps[index];
    let (limit_ms, late_code) = step::limit(record.kind, timeouts);
    let running = |to, log: Vec<String>| StepTransition {
        log,
        ..transition(plan, index, StepStatus::Running, to)
    };
    let fail = |decision: &mut Decision, code: &str, reason: String| {
        let lines: Vec<String> = reason.lines().map(str::to_owned).collect();
        decision
            .commands
            .push(Body::StepTransition(Box::new(running(
                StepStatus::Failed,
                lines,
            ))));
        Some(end(plan, code, reason))
    };
    match step::see(look, record) {
        Seen::Done(line) => {
            let done = running(StepStatus::Done, vec![line]);
            decision.commands.push(Body::StepTransition(Box::new(done)));
            None
        }
        Seen::Change(changes, line) => {
            let changed = StepTransition {
                changes,
                ..running(StepStatus::Running, vec![line])
            };
            decision
                .commands
                .push(Body::StepTransition(Box::new(changed)));
            None
        }
        Seen::Failed(code, reason) => fail(decision, code, reason),
        Seen::Waits(reason) => {
            // A leader that was not there cannot blame the step for the time.
            let since_ms = record.started_ms.max(look.observed.leader_since_ms);
            if now_ms.saturating_sub(since_ms) > limit_ms {
                let seconds = limit_ms / 1000;
                return fail(
                    decision,
                    late_code,
                    format!(
                        "step `{}` of {} was not seen done within {seconds} s; it waited for {reason}",
                        record.kind.as_str(),
                        record.subject
                    ),
                );
            }
            decision.waits.push(reason.clone());
            // What an allocator says can change every second; the log need not follow each word.
            let noted_ms = record.log.last().map_or(0, |line| line.at_ms);
            let quiet =
                record.waits_for.is_empty() || now_ms.saturating_sub(noted_ms) >= NOTE_INTERVAL_MS;
            if record.waits_for != reason && quiet {
                let first = reason.lines().next().unwrap_or_default().to_owned();
                let noted = StepTransition {
                    waits_for: reason,
                    ..running(StepStatus::Running, vec![format!("waits for {first}")])
                };
                decision
                    .commands
                    .push(Body::StepTransition(Box::new(noted)));
            }
            None
        }
    }
}
