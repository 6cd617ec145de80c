//! Emptying hosts: which moves begin now, under the parallelism of each vacate and one budget of the
//! platform. Invariants: an instance has one plan at a time, and the state names it, so that a new leader
//! doubles nothing; a deployment has one plan at a time, others wait for it; what was cancelled begins no
//! move. Not here: what a move does (`plan`), keeping what became of it (`apply/vacate`).

pub mod message;
pub mod preview;
mod settle;

use std::collections::BTreeSet;

use wharf_proto::ids::{DeploymentId, PlanId};

pub(crate) use self::settle::settled;
use crate::{
    command::{Body, SettleVacate, VacateInstance},
    refusal::cut,
    settings,
    state::{
        MOVES_LEVEL, PlanKind, PlanRecord, State, VacateMoveRecord, VacateMoveState, VacateRecord,
        VacateStatus,
    },
};

/// Plans that may fail before an instance is given up.
pub const TRIES: u32 = 3;
/// Before an instance is tried again.
pub const RETRY_MS: u64 = 10_000;
/// The setting that says how many instances may move at a time.
pub const MOVE_BUDGET: &str = "placement.move_budget";
/// The setting that says how many lost instances may be replaced at a time.
pub const REPLACE_BUDGET: &str = "placement.replace_budget";

/// Instances that plans move now: with their host, and without it because it is lost. A plan that moves
/// several counts with all of them until it ends.
#[must_use]
pub fn open_moves(state: &State) -> (usize, usize) {
    let plans = state
        .open_plans()
        .filter(|plan| plan.kind == PlanKind::Move);
    let wishes = plans
        .filter_map(|plan| plan.wanted.as_ref())
        .flat_map(|wanted| &wanted.moves);
    wishes.fold((0, 0), |(moving, replaced), wish| {
        let lost = usize::from(wish.lost);
        (moving + 1 - lost, replaced + lost)
    })
}

/// How many more instances may be moved now, with their host.
#[must_use]
pub fn moves_left(state: &State) -> usize {
    left(state, MOVE_BUDGET, open_moves(state).0)
}

/// How many more instances of lost hosts may be replaced now.
#[must_use]
pub fn replacements_left(state: &State) -> usize {
    left(state, REPLACE_BUDGET, open_moves(state).1)
}

fn left(state: &State, budget: &str, open: usize) -> usize {
    let budget = usize::try_from(settings::number(state, budget)).unwrap_or(usize::MAX);
    budget.saturating_sub(open)
}

/// Whether a plan replaces what a lost host has.
#[must_use]
pub fn is_replacement(plan: &PlanRecord) -> bool {
    let wanted = plan.wanted.as_ref();
    wanted.is_some_and(|wanted| wanted.moves.iter().any(|wish| wish.lost))
}

/// How many more plans of a vacate may begin now.
#[must_use]
pub fn free_moves(state: &State, vacate: &VacateRecord) -> usize {
    let left = if vacate.host_down {
        replacements_left(state)
    } else {
        moves_left(state)
    };
    let own = match vacate.parallelism {
        0 => usize::MAX,
        most => most as usize,
    };
    let running = vacate.count(VacateMoveState::Moving);
    left.min(own.saturating_sub(running))
}

/// What an instance that waits waits for; empty when it is its turn.
#[must_use]
pub fn waits_for(state: &State, vacate: &VacateRecord, one: &VacateMoveRecord) -> String {
    let pending = state
        .deployments
        .get(&one.deployment_id)
        .and_then(|deployment| deployment.pending_plan.as_ref());
    if let Some(plan) = pending {
        return format!("the plan {plan} of `{}`", one.deployment_name);
    }
    if !one.reason.is_empty() {
        return one.reason.clone();
    }
    if free_moves(state, vacate) == 0 {
        let (moving, replacing) = open_moves(state);
        return format!(
            "its turn: {} of this vacate move, {moving} moves and {replacing} replacements run on the platform",
            vacate.count(VacateMoveState::Moving)
        );
    }
    String::new()
}

/// What to propose now. `may_replace` says whether what a host that is down holds may start elsewhere
/// by now: leases that it may hold have run out. Each plan gets an id of `plan_id`.
#[must_use]
pub fn due(
    state: &State,
    now_ms: u64,
    may_replace: impl Fn(&VacateRecord) -> bool,
    plan_id: &mut dyn FnMut() -> PlanId,
) -> Vec<Body> {
    let mut bodies = Vec::new();
    if state.feature_level < MOVES_LEVEL {
        return bodies;
    }
    // Of all vacates of one look together: the state does not know yet what is proposed here.
    let mut begun = 0;
    let mut touched: BTreeSet<&DeploymentId> = BTreeSet::new();
    for vacate in state.vacates.values() {
        if vacate.status != VacateStatus::Running {
            continue;
        }
        let now = settled(state, vacate);
        if now != *vacate {
            bodies.push(Body::SettleVacate(SettleVacate {
                vacate_id: vacate.id.clone(),
                end: ending(&now),
            }));
            continue;
        }
        if vacate.cancelling || (vacate.host_down && !may_replace(vacate)) {
            continue;
        }
        let mut free = free_moves(state, vacate).saturating_sub(begun);
        for one in &vacate.moves {
            if free == 0 {
                break;
            }
            let at_rest = state
                .deployments
                .get(&one.deployment_id)
                .is_some_and(|deployment| deployment.pending_plan.is_none());
            let turn = one.state == VacateMoveState::Waiting && one.retry_ms <= now_ms;
            if turn && at_rest && touched.insert(&one.deployment_id) {
                free -= 1;
                begun += 1;
                bodies.push(Body::VacateInstance(VacateInstance {
                    vacate_id: vacate.id.clone(),
                    instance_id: one.instance_id.clone(),
                    plan_id: plan_id(),
                }));
            }
        }
    }
    bodies
}

/// How a vacate ended, in words; empty while it runs.
fn ending(vacate: &VacateRecord) -> String {
    if vacate.status == VacateStatus::Running {
        return String::new();
    }
    let (word, host) = (vacate.status.as_str(), &vacate.host);
    let moved = vacate.count(VacateMoveState::Moved);
    let text = format!(
        "the vacate of {host}: {word}, {moved} of {} moved",
        vacate.moves.len()
    );
    if vacate.reason.is_empty() {
        return text;
    }
    cut(&format!("{text}; {}", vacate.reason), 300).to_owned()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
