//! A dry run of a vacate: the commands of the real one on a copy of the state, one instance after the
//! other without regard to the budget, each laid out and placed as the leader would. Nothing is kept.

use wharf_proto::{ids::PlanId, v1};

use super::message;
use crate::{
    apply::apply,
    command::{Body, Command, VacateInstance},
    observe::Observations,
    placement::CapacityIndex,
    plan::{Timeouts, planner},
    refusal::Refusal,
    state::{State, VacateMoveState},
};

/// What a vacate would do at first: of each instance where it would go, or why nowhere.
///
/// # Errors
/// The refusal that the command would get.
pub fn preview(
    state: &State,
    observed: &Observations,
    begin: &Command,
    now_ms: u64,
    plan_id: &mut dyn FnMut() -> PlanId,
) -> Result<v1::Vacate, Refusal> {
    let Body::BeginVacate(wish) = &begin.body else {
        return Err(Refusal::not_found("vacate", "of another command"));
    };
    let mut trial = state.clone();
    apply(&mut trial, begin).accepted()?;
    let Some(begun) = trial.vacates.get(&wish.vacate_id).cloned() else {
        return Err(Refusal::not_found("vacate", &wish.vacate_id));
    };
    let mut shown = message::vacate(&trial, observed, &begun);
    let mut index = CapacityIndex::build(&trial, |id| observed.connected(id));
    for (one, shown) in begun.moves.iter().zip(&mut shown.moves) {
        shown.reason.clear();
        let busy = trial
            .deployments
            .get(&one.deployment_id)
            .and_then(|deployment| deployment.pending_plan.clone());
        if let Some(plan) = &busy {
            shown.reason = format!("waits for the plan {plan} of `{}`", one.deployment_name);
            continue;
        }
        let body = Body::VacateInstance(VacateInstance {
            vacate_id: begun.id.clone(),
            instance_id: one.instance_id.clone(),
            plan_id: plan_id(),
        });
        let command = Command::new(now_ms, begin.actor.as_str(), None, body);
        if let Err(refusal) = apply(&mut trial, &command).accepted() {
            shown.reason = refusal.message;
            continue;
        }
        place(
            &mut trial, &begun.id, observed, &mut index, one, shown, now_ms,
        );
    }
    shown.id.clear();
    shown.reason.clear();
    Ok(shown)
}

/// Lays one move out in the copy, and takes what it needs.
fn place(
    trial: &mut State,
    vacate_id: &str,
    observed: &Observations,
    index: &mut CapacityIndex,
    one: &crate::state::VacateMoveRecord,
    shown: &mut v1::VacateMove,
    now_ms: u64,
) {
    // Former vacates knew the same instances.
    let kept = trial.vacates.get(vacate_id).and_then(|vacate| {
        let mut moves = vacate.moves.iter();
        moves.find(|kept| kept.instance_id == one.instance_id)
    });
    let plan = kept
        .filter(|kept| kept.state == VacateMoveState::Moving)
        .and_then(|kept| trial.plans.get(kept.plan_id.as_ref()?).cloned());
    let Some(plan) = plan else {
        if let Some(kept) = kept {
            kept.state.as_str().clone_into(&mut shown.state);
            shown.reason.clone_from(&kept.reason);
        }
        return;
    };
    let timeouts = Timeouts::of(trial);
    match planner::lay_out(trial, observed, index, &plan, &timeouts, now_ms) {
        Some(Body::AdoptPlan(adopt)) => {
            let adopted = Command::new(now_ms, "system", None, Body::AdoptPlan(adopt));
            if let Err(refusal) = apply(trial, &adopted).accepted() {
                shown.reason = refusal.message;
            }
        }
        Some(Body::NotePlan(note)) => shown.reason = note.reason,
        Some(Body::PlanEnded(end)) => shown.reason = end.reason,
        _ => {}
    }
    let claim = trial
        .instances
        .get(&one.instance_id)
        .and_then(|instance| instance.claim.as_ref())
        .and_then(|claim| claim.berth.as_ref());
    if let Some(berth) = claim {
        shown.to_allocator_id = berth.allocator_id.to_string();
        shown.to_host = trial
            .allocators
            .get(&berth.allocator_id)
            .map_or_else(String::new, |known| known.host.clone());
    }
    // The next instance of the deployment would come after this one.
    if let Some(deployment) = trial.deployments.get_mut(&one.deployment_id) {
        deployment.pending_plan = None;
    }
}
