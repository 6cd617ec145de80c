//! Moving a pending plan on: gives the command that adopts it as it was laid out, says what it waits
//! for, or gives it up. Not here: what a plan does (`layout`), carrying it out (`attempt`).

use super::{Timeouts, layout};
use crate::{
    command::{AdoptPlan, Body, NotePlan, PlanEnded, SupersedePlan},
    observe::Observations,
    placement::CapacityIndex,
    refusal::codes,
    state::{PlanKind, PlanRecord, PlanStatus, State},
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
    match layout::lay_out(state, index, deployment, plan.kind, plan.wanted.as_ref()) {
        Ok(layout) if layout.steps.is_empty() => Some(failed(
            plan,
            codes::PLAN_START,
            "there is nothing left to do: every instance is as it is wanted".to_owned(),
        )),
        Ok(layout) => Some(Body::AdoptPlan(Box::new(AdoptPlan {
            plan_id: plan.id.clone(),
            parent: plan.parent.clone(),
            berths: layout.berths,
            claims: layout.claims,
            steps: layout.steps,
        }))),
        Err(lack) => {
            let since_ms = plan.created_ms.max(observed.leader_since_ms);
            let waited_ms = now_ms.saturating_sub(since_ms);
            let reason = lack.explain();
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

fn failed(plan: &PlanRecord, code: &str, reason: String) -> Body {
    Body::PlanEnded(PlanEnded {
        plan_id: plan.id.clone(),
        status: PlanStatus::Failed,
        reason,
        error_code: code.to_owned(),
    })
}
