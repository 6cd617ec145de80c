//! Laying out a pending plan: berths from the placement, steps from the kind of plan. Gives the
//! command that adopts it, says what it waits for, or gives it up. Not here: carrying it out
//! (`attempt`).

use super::Timeouts;
use crate::{
    command::{AdoptPlan, Body, NewStep, NotePlan, PlanEnded, SupersedePlan},
    observe::Observations,
    placement::{self, CapacityIndex, solve::strategy_of},
    refusal::codes,
    state::{
        DeploymentRecord, InstanceRecord, PlanKind, PlanRecord, PlanStatus, State, StepKind, Want,
    },
};

/// The command for every pending plan that can be moved on. The index is changed so that two plans
/// of one call do not get the same room.
#[must_use]
pub fn plan_all(
    state: &State,
    observed: &Observations,
    index: &mut CapacityIndex,
    now_ms: u64,
) -> Vec<Body> {
    let timeouts = Timeouts::of(state);
    state
        .open_plans()
        .filter(|plan| plan.status == PlanStatus::Pending)
        .filter_map(|plan| lay_out(state, observed, index, plan, &timeouts, now_ms))
        .collect()
}

/// The command that moves a pending plan on; none when there is nothing new to say.
#[must_use]
pub fn lay_out(
    state: &State,
    observed: &Observations,
    index: &mut CapacityIndex,
    plan: &PlanRecord,
    timeouts: &Timeouts,
    now_ms: u64,
) -> Option<Body> {
    let deployment = state.deployments.get(&plan.deployment_id)?;
    if deployment.current_plan != plan.parent {
        return Some(Body::SupersedePlan(SupersedePlan {
            plan_id: plan.id.clone(),
        }));
    }
    let adopt = |berths, steps| {
        Some(Body::AdoptPlan(Box::new(AdoptPlan {
            plan_id: plan.id.clone(),
            parent: plan.parent.clone(),
            berths,
            steps,
        })))
    };
    match plan.kind {
        PlanKind::Delete => adopt(Vec::new(), delete_steps(state, deployment)),
        PlanKind::Upgrade => {
            let steps = upgrade_steps(state, deployment);
            if steps.is_empty() {
                return Some(failed(
                    plan,
                    codes::PLAN_START,
                    "the deployment has no running instance to replace".to_owned(),
                ));
            }
            adopt(Vec::new(), steps)
        }
        PlanKind::Create | PlanKind::Extend => {
            let needs = placement::needs_of(state, deployment);
            match placement::solve(index, &needs, strategy_of(state)) {
                Ok(berths) => {
                    let steps = create_steps(state, deployment);
                    if steps.is_empty() {
                        return Some(failed(
                            plan,
                            codes::PLAN_START,
                            "every instance of the deployment runs already".to_owned(),
                        ));
                    }
                    adopt(berths, steps)
                }
                Err(no_room) => {
                    let since_ms = plan.created_ms.max(observed.leader_since_ms);
                    let waited_ms = now_ms.saturating_sub(since_ms);
                    let reason = no_room.explain();
                    // The first plan of `system` waits for the first host. A later one must not
                    // stand in the way of those after it.
                    let first = deployment.system_owned && plan.kind == PlanKind::Create;
                    if waited_ms > timeouts.place_ms && !first {
                        return Some(failed(plan, codes::PLAN_NO_ROOM, reason));
                    }
                    (plan.reason != reason || plan.error_code != codes::CAPACITY).then(|| {
                        Body::NotePlan(NotePlan {
                            plan_id: plan.id.clone(),
                            reason,
                            code: codes::CAPACITY.to_owned(),
                        })
                    })
                }
            }
        }
    }
}

fn failed(plan: &PlanRecord, code: &str, reason: String) -> Body {
    Body::PlanEnded(PlanEnded {
        plan_id: plan.id.clone(),
        status: PlanStatus::Failed,
        reason,
        error_code: code.to_owned(),
    })
}

fn steps_of<'a>(
    instances: impl Iterator<Item = &'a InstanceRecord>,
    kinds: &[StepKind],
) -> Vec<NewStep> {
    instances
        .flat_map(|instance| {
            kinds.iter().map(|kind| NewStep {
                kind: *kind,
                instance_id: Some(instance.id.clone()),
            })
        })
        .collect()
}

/// Place, start, healthy, route of every instance that proxies do not send requests to yet, in the
/// order of resources.
fn create_steps(state: &State, deployment: &DeploymentRecord) -> Vec<NewStep> {
    steps_of(
        state
            .deployment_instances(deployment)
            .filter(|instance| !(instance.routed && instance.want == Want::Run)),
        &[
            StepKind::Place,
            StepKind::Start,
            StepKind::Healthy,
            StepKind::Route,
        ],
    )
}

/// Unroute, stop, remove of every instance that was placed, then forget.
fn delete_steps(state: &State, deployment: &DeploymentRecord) -> Vec<NewStep> {
    let placed = state
        .deployment_instances(deployment)
        .filter(|instance| instance.berth.is_some());
    let mut steps = steps_of(
        placed,
        &[StepKind::Unroute, StepKind::Stop, StepKind::Remove],
    );
    steps.push(NewStep {
        kind: StepKind::Forget,
        instance_id: None,
    });
    steps
}

/// Unroute, stop, start, healthy, route: one instance after the other.
fn upgrade_steps(state: &State, deployment: &DeploymentRecord) -> Vec<NewStep> {
    let placed = state
        .deployment_instances(deployment)
        .filter(|instance| instance.berth.is_some());
    steps_of(
        placed,
        &[
            StepKind::Unroute,
            StepKind::Stop,
            StepKind::Start,
            StepKind::Healthy,
            StepKind::Route,
        ],
    )
}
