//! Carrying out running plans: which steps are begun, seen done, late. One call looks at a plan
//! once; the leader proposes what it gives and calls again when state or observations changed. A
//! new leader begins nothing anew: it sees what is there.

use super::{
    Timeouts, relocation, restoring,
    step::{self, Look, Seen},
};
use crate::{
    command::{Body, CancelPlan, PlanEnded, StartAttempt, StepTransition},
    health::Graces,
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
    let look = Look::new(state, observed, now_ms);
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
    if let Some(reason) = relocation::original_is_back(look, plan) {
        decision.commands.push(Body::CancelPlan(CancelPlan {
            plan_id: plan.id.clone(),
            reason,
        }));
        return decision;
    }
    let live = &plan.steps[plan.live_from().min(plan.steps.len())..];
    if live.iter().all(|step| step.status == StepStatus::Done) {
        decision.commands.push(Body::PlanEnded(PlanEnded {
            plan_id: plan.id.clone(),
            status: if plan.undo_from.is_some() {
                PlanStatus::Cancelled
            } else {
                PlanStatus::Done
            },
            reason: if plan.undo_from.is_some() {
                let end = match plan.kind {
                    PlanKind::Move => "what was not taken over stays where it was",
                    _ => "what was begun is taken back",
                };
                format!("{}; {end}", plan.reason)
            } else {
                String::new()
            },
            error_code: String::new(),
        }));
        return decision;
    }
    let forward = relocation::goes_forward(look, plan);
    let failed = live.iter().find(|step| step.status == StepStatus::Failed);
    if let Some(failed) = failed.filter(|_| !forward) {
        // A leader went away between the step's failure and the plan's.
        let (_, code) = step::limit(failed.kind, timeouts);
        let reason = failed
            .log
            .last()
            .map_or_else(String::new, |line| line.text.clone());
        decision.commands.push(end(plan, code, reason));
        return decision;
    }
    for (index, record) in plan.steps.iter().enumerate().skip(plan.live_from()) {
        match record.status {
            StepStatus::Waiting if ready(look.state, plan, index) => {
                decision
                    .commands
                    .push(begin(look.state, plan, index, record));
            }
            StepStatus::Running => {
                let failure = look_at(look, plan, index, timeouts, now_ms, &mut decision);
                if let Some(failure) = failure.filter(|_| !forward) {
                    decision.commands.push(failure);
                    return decision;
                }
            }
            StepStatus::Waiting | StepStatus::Done | StepStatus::Failed => {}
        }
    }
    decision
}

/// Whether the steps that come before are done: all of them in an upgrade, a resize or a restart,
/// which take one instance after the other, and for a step of the whole deployment; else those of its instance.
/// An instance starts when those of earlier resources are whole: a monitoring node reads storage.
fn ready(state: &State, plan: &PlanRecord, index: usize) -> bool {
    let step = &plan.steps[index];
    let in_order = matches!(
        plan.kind,
        PlanKind::Upgrade | PlanKind::Resize | PlanKind::Restart
    ) || step.instance_id.is_none();
    let resource = |step: &StepRecord| {
        let instance = state.instances.get(step.instance_id.as_ref()?)?;
        Some(&instance.resource_id)
    };
    plan.steps[plan.live_from().min(index)..index]
        .iter()
        .filter(|earlier| {
            in_order
                || earlier.instance_id == step.instance_id
                || (step.kind == StepKind::Start
                    && plan.kind != PlanKind::Move
                    && resource(earlier) != resource(step))
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
        bytes_done: 0,
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
        .is_some_and(|known| known.want == Want::Remove && known.proven);
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
        step::begin(state, plan, index)
    } else {
        (Vec::new(), String::new())
    };
    // Forgetting ends with its command: afterwards there is nothing left to be seen.
    let to = if matches!(record.kind, StepKind::Forget | StepKind::Unplace) {
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
        // What cannot be taken back stays as it is; the wish to end it is met.
        status: if plan.undo_from.is_some() {
            PlanStatus::Cancelled
        } else {
            PlanStatus::Failed
        },
        reason,
        error_code: code.to_owned(),
    })
}

/// Whether what is to be taken back lies on a host that is not connected: its assignment says so
/// already, and nobody is to wait for it. What would run on two hosts meanwhile is waited for.
fn out_of_reach(look: &Look<'_>, plan: &PlanRecord, step: &StepRecord, now_ms: u64) -> bool {
    let instance = step
        .instance_id
        .as_ref()
        .and_then(|id| look.state.instances.get(id));
    let Some(instance) = instance else {
        return false;
    };
    if plan.kind == PlanKind::Move && step.kind == StepKind::Remove {
        return relocation::leaves_out_of_reach(look, instance);
    }
    if plan.undo_from.is_none() {
        return false;
    }
    let moved = instance
        .claim
        .as_ref()
        .is_some_and(|claim| claim.berth.is_some());
    let silent_ms = instance.berth.as_ref().and_then(|berth| {
        look.observed
            .allocator_silence_ms(&berth.allocator_id, now_ms)
    });
    !moved && silent_ms.is_some_and(|silent| silent > Graces::of(look.state).allocator_ms)
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
    let (mut limit_ms, late_code) = step::limit(record.kind, timeouts);
    let restores = plan.kind == PlanKind::Move && restoring::is_at_it(look, record);
    if restores {
        limit_ms = limit_ms.max(timeouts.copy_ms);
    }
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
    match step::see(look, plan, record) {
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
        Seen::Waits(reason) if out_of_reach(look, plan, record, now_ms) => {
            let told = format!("{reason}; it is told when it is connected again");
            let done = running(StepStatus::Done, vec![told]);
            decision.commands.push(Body::StepTransition(Box::new(done)));
            None
        }
        Seen::Waits(reason) => {
            // A leader that was not there cannot blame the step for the time.
            let mut since_ms = record.started_ms.max(look.observed.leader_since_ms);
            if record.kind == StepKind::Copy || restores {
                // A copy, from a host or a repository, may take as long as it needs, if it gets on.
                since_ms = since_ms.max(record.got_on_ms);
            }
            if plan.kind == PlanKind::Move {
                since_ms = since_ms.max(relocation::there_since_ms(look, record));
            }
            let late = now_ms.saturating_sub(since_ms) > limit_ms;
            if late && !relocation::is_patient(look, plan, record) {
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
                    bytes_done: relocation::bytes_done(look, record),
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
