//! Rebalancing that nobody asked for: whether the platform is calm enough for it, since when it is not and
//! why, and which moves begin. Invariants: nothing begins while a host is silent or came back a moment
//! ago, a zone is sick, a host is emptied, another move runs, a plan looks for room, this leader is new, or
//! something moved a short while ago; an instance does not go back to a host that it was taken off so that
//! it lies better, or because somebody asked for it, as long as the plan that did it is kept
//! ([`PLANS_KEPT`](crate::state::PLANS_KEPT) of a deployment), so that moves come to an end whatever the
//! platform looks like. Not here: which moves are worth it (`rebalance`), the clock that calls this (the leader).

use std::collections::BTreeSet;

use wharf_proto::ids::{AllocatorId, DeploymentId, PlanId};

use super::{Proposal, Relocation, THRESHOLD, Terms, propose};
use crate::{
    command::{Body, ChangeDeployment, DeploymentChange},
    failure::{sick_zones, would_be_done},
    observe::{Health, InstanceState, Observations},
    placement::{index::CapacityIndex, solve::strategy_of},
    refusal::cut,
    settings,
    state::{
        InstanceRecord, MOVES_LEVEL, MoveCause, MoveWish, PlanKind, PlanRecord, PlanStatus, State,
        VacateStatus,
    },
    vacate::moves_left,
};

/// The setting that says whether the platform rebalances by itself.
pub const MODE: &str = "placement.rebalance";
/// The setting that says whether storage nodes move then.
pub const DATA: &str = "placement.rebalance_data";
/// The setting that says how many instances move at a time then.
pub const AT_ONCE: &str = "placement.rebalance_moves";
/// The setting that says how long nothing has moved before.
pub const QUIET: &str = "placement.rebalance_quiet_seconds";

/// Before an instance is taken again whose last move of this kind failed or was cancelled.
pub const HOLD_MS: u64 = 24 * 60 * 60 * 1000;
/// Bytes of the reason of a move.
pub const REASON_BYTES: usize = 300;
/// Waits of one kind that are named.
const NAMED: usize = 8;
/// Moves that turn out to be refused before a look gives up.
const REFUSED_MOST: usize = 8;

const DATA_STAYS: &str = "data stays where it is, by placement.rebalance_data";
const NOT_WELL: &str = "not seen well";
const TRIED: &str = "an automatic move failed or was cancelled within the last day";
const REFUSED: &str = "a move would be refused now";

/// What the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The platform rebalances by itself.
    pub automatic: bool,
    /// Hundredths of memory by which hosts of a zone differ before they are touched.
    pub threshold: u64,
    /// How long nothing has moved before something does.
    pub quiet_ms: u64,
    /// Moves at a time.
    pub at_once: usize,
    /// Storage nodes move too.
    pub moves_data: bool,
}

impl Policy {
    /// The policy in force.
    #[must_use]
    pub fn of(state: &State) -> Self {
        Self {
            automatic: settings::word(state, MODE) == "automatic",
            threshold: settings::number(state, THRESHOLD),
            quiet_ms: settings::duration_ms(state, QUIET),
            at_once: usize::try_from(settings::number(state, AT_ONCE)).unwrap_or(1),
            moves_data: settings::word(state, DATA) == "move",
        }
    }
}

/// Something that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// For what, in words.
    pub reason: String,
    /// Since when.
    pub since_ms: u64,
}

/// Where automatic rebalancing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What the settings say.
    pub policy: Policy,
    /// What it waits for; empty when nothing keeps it.
    pub waits: Vec<Wait>,
    /// What would move next.
    pub next: Proposal,
}

/// Where it stands, for people. `leads_ms`: for how long this director has led.
#[must_use]
pub fn standing(state: &State, observed: &Observations, leads_ms: u64, now_ms: u64) -> Standing {
    let policy = Policy::of(state);
    if !policy.automatic {
        let next = Proposal {
            moves: Vec::new(),
            rest: format!("{MODE} is `manual`: nothing moves unless it is asked for"),
        };
        return Standing {
            policy,
            waits: Vec::new(),
            next,
        };
    }
    Standing {
        policy,
        waits: waits(state, observed, &policy, leads_ms, now_ms),
        next: chosen(state, observed, &policy, now_ms),
    }
}

/// What to propose now. `leads_ms` never jumps, whatever becomes of the wall clock. Each plan gets an id
/// of `plan_id`.
#[must_use]
pub fn due(
    state: &State,
    observed: &Observations,
    leads_ms: u64,
    now_ms: u64,
    plan_id: &mut dyn FnMut() -> PlanId,
) -> Vec<Body> {
    let policy = Policy::of(state);
    if !policy.automatic || !waits(state, observed, &policy, leads_ms, now_ms).is_empty() {
        return Vec::new();
    }
    // A deployment has one plan at a time: what is left of it comes with the next look.
    let mut touched: BTreeSet<&DeploymentId> = BTreeSet::new();
    let proposal = chosen(state, observed, &policy, now_ms);
    let moves = proposal.moves.iter();
    moves
        .filter_map(|one| {
            let instance = state.instances.get(&one.instance_id)?;
            touched
                .insert(&instance.deployment_id)
                .then(|| body(instance, one, plan_id()))
        })
        .collect()
}

fn body(instance: &InstanceRecord, one: &Relocation, plan_id: PlanId) -> Body {
    let wish = MoveWish {
        instance_id: one.instance_id.clone(),
        from: None,
        to: vec![one.to.clone()],
        lost: false,
        cause: MoveCause::Rebalance,
        reason: cut(&one.reason, REASON_BYTES).to_owned(),
    };
    Body::ChangeDeployment(Box::new(ChangeDeployment {
        deployment_id: instance.deployment_id.clone(),
        plan_id,
        expected_version: 0,
        change: DeploymentChange::Move { moves: vec![wish] },
    }))
}

/// The next moves that would not be refused.
fn chosen(state: &State, observed: &Observations, policy: &Policy, now_ms: u64) -> Proposal {
    let index = CapacityIndex::build(state, |id| observed.connected(id));
    let limit = policy.at_once.min(moves_left(state)).max(1);
    let mut refused: BTreeSet<_> = BTreeSet::new();
    let look = |with_past: bool, refused: &BTreeSet<_>| {
        let stays = |instance: &InstanceRecord| {
            if !state.is_stateless(instance) && !policy.moves_data {
                Some(DATA_STAYS)
            } else if !is_well(observed, instance) {
                Some(NOT_WELL)
            } else if with_past && was_tried(state, instance, now_ms) {
                Some(TRIED)
            } else {
                refused.contains(&instance.id).then_some(REFUSED)
            }
        };
        let barred = |instance: &InstanceRecord| {
            if with_past {
                left_before(state, instance)
            } else {
                BTreeSet::new()
            }
        };
        let terms = Terms {
            strategy: strategy_of(state),
            begin: policy.threshold,
            limit,
            data: &|_| 0,
            stays: &stays,
            barred: &barred,
        };
        propose(state, index.clone(), &terms)
    };
    // Most looks find a platform that is even, and need not read the plans of every deployment.
    let first = look(false, &refused);
    if first.moves.is_empty() {
        return first;
    }
    loop {
        let proposal = look(true, &refused);
        let bad = proposal.moves.iter().find(|one| {
            let instance = state.instances.get(&one.instance_id);
            let nobody = PlanId::from_bytes([0; 16]);
            instance
                .is_none_or(|instance| !would_be_done(state, &body(instance, one, nobody), now_ms))
        });
        match bad {
            Some(one) if refused.len() < REFUSED_MOST => {
                refused.insert(one.instance_id.clone());
            }
            Some(_) => {
                return Proposal {
                    moves: Vec::new(),
                    rest: format!("the moves of {REFUSED_MOST} instances would be refused now"),
                };
            }
            None => return proposal,
        }
    }
}

fn is_well(observed: &Observations, instance: &InstanceRecord) -> bool {
    let berth = instance.berth.as_ref();
    berth
        .and_then(|berth| observed.instance(&berth.allocator_id, &instance.id))
        .is_some_and(|seen| seen.state == InstanceState::Running && seen.health == Health::Healthy)
}

/// The plans that moved or were to move an instance, newest first, with what they wished of it.
fn moves_of<'a>(
    state: &'a State,
    instance: &'a InstanceRecord,
) -> impl Iterator<Item = (&'a PlanRecord, &'a MoveWish)> {
    let history = state.plan_history.get(&instance.deployment_id);
    history
        .into_iter()
        .flat_map(|plans| plans.iter().rev())
        .filter_map(|id| state.plans.get(id))
        .filter(|plan| plan.kind == PlanKind::Move)
        .filter_map(|plan| {
            let moves = &plan.wanted.as_ref()?.moves;
            let wish = moves.iter().find(|wish| wish.instance_id == instance.id)?;
            Some((plan.as_ref(), wish))
        })
}

/// Hosts that an instance was taken off to lie better, or because somebody asked for it. One that it left
/// because it was emptied or lost may have it back.
fn left_before(state: &State, instance: &InstanceRecord) -> BTreeSet<AllocatorId> {
    moves_of(state, instance)
        .filter(|(plan, wish)| {
            plan.status == PlanStatus::Done
                && matches!(wish.cause, MoveCause::Rebalance | MoveCause::Request)
        })
        .filter_map(|(_, wish)| wish.from.clone())
        .collect()
}

fn was_tried(state: &State, instance: &InstanceRecord, now_ms: u64) -> bool {
    let last = moves_of(state, instance).find(|(_, wish)| wish.cause == MoveCause::Rebalance);
    last.is_some_and(|(plan, _)| {
        matches!(plan.status, PlanStatus::Failed | PlanStatus::Cancelled)
            && now_ms.saturating_sub(plan.ended_ms) < HOLD_MS
    })
}

/// The last move of an instance that was carried out: its plan, and what was wished.
#[must_use]
pub fn last_move<'a>(
    state: &'a State,
    instance: &'a InstanceRecord,
) -> Option<(&'a PlanRecord, &'a MoveWish)> {
    moves_of(state, instance).find(|(plan, _)| plan.status == PlanStatus::Done)
}

/// What keeps the platform from rebalancing by itself now.
fn waits(
    state: &State,
    observed: &Observations,
    policy: &Policy,
    leads_ms: u64,
    now_ms: u64,
) -> Vec<Wait> {
    let mut waits = Vec::new();
    let mut add = |since_ms: u64, reason: String| waits.push(Wait { reason, since_ms });
    if state.feature_level < MOVES_LEVEL {
        add(
            state.now_ms,
            format!(
                "the feature level {MOVES_LEVEL}, the platform is at {}",
                state.feature_level
            ),
        );
    }
    let calm_ms = settings::duration_ms(state, "health.loss_grace_seconds");
    if leads_ms < calm_ms {
        add(
            observed.leader_since_ms,
            format!(
                "this director to lead for {} s, it leads for {} s",
                calm_ms / 1000,
                leads_ms / 1000
            ),
        );
    }
    waits.extend(hosts(state, observed, calm_ms, now_ms));
    for vacate in state.vacates.values() {
        if vacate.status == VacateStatus::Running {
            waits.push(Wait {
                reason: format!("the vacate of {}", vacate.host),
                since_ms: vacate.created_ms,
            });
        }
    }
    let mut plans: Vec<Wait> = state
        .open_plans()
        .filter_map(|plan| {
            let what = match (plan.kind, plan.status) {
                (PlanKind::Move, _) => "moves",
                (_, PlanStatus::Pending) => "looks for room",
                _ => return None,
            };
            let (id, name) = (&plan.id, &plan.deployment_name);
            Some(Wait {
                reason: format!("the plan {id} of `{name}`, which {what}"),
                since_ms: plan.created_ms,
            })
        })
        .collect();
    shorten(&mut plans, "plans");
    waits.extend(plans);
    waits.extend(quiet(state, policy, now_ms));
    waits
}

/// Hosts that are silent or were so a moment ago, and zones that are silent for the most part. One that
/// hosts nothing and takes nothing may be off for as long as it likes.
fn hosts(state: &State, observed: &Observations, calm_ms: u64, now_ms: u64) -> Vec<Wait> {
    let mut waits = Vec::new();
    let mut sick: BTreeSet<&str> = BTreeSet::new();
    let silent = sick_zones(state, observed);
    for record in state.allocators.values() {
        if record.capacity.memory_bytes == 0
            || (record.maintenance && state.hosted(&record.id) == 0)
        {
            continue;
        }
        let since_ms = observed
            .allocators
            .get(&record.id)
            .map_or(0, |seen| seen.since_ms)
            .max(observed.leader_since_ms);
        let for_ms = now_ms.saturating_sub(since_ms);
        if !observed.connected(&record.id) {
            if silent.contains(record.zone.as_str()) {
                sick.insert(&record.zone);
            }
            waits.push(Wait {
                reason: format!(
                    "{}, which is silent; when it is lost for good: `wharf allocator remove {0} --lost`",
                    record.host
                ),
                since_ms,
            });
        } else if for_ms < calm_ms {
            waits.push(Wait {
                reason: format!(
                    "{} to be connected for {} s, it is for {} s",
                    record.host,
                    calm_ms / 1000,
                    for_ms / 1000
                ),
                since_ms,
            });
        }
    }
    shorten(&mut waits, "hosts");
    let since_ms = waits.iter().map(|one| one.since_ms).max().unwrap_or(0);
    waits.extend(sick.into_iter().map(|zone| Wait {
        reason: format!("zone {zone}, most of whose hosts are silent"),
        since_ms,
    }));
    waits
}

fn shorten(waits: &mut Vec<Wait>, of: &str) {
    if waits.len() > NAMED {
        let more = waits.split_off(NAMED);
        waits.push(Wait {
            reason: format!("{} more {of}", more.len()),
            since_ms: more.iter().map(|one| one.since_ms).min().unwrap_or(0),
        });
    }
}

/// The time that is left until nothing has moved for long enough.
fn quiet(state: &State, policy: &Policy, now_ms: u64) -> Option<Wait> {
    // The end of a plan changes its deployment: older ones need not be asked.
    let recent = state
        .deployments
        .values()
        .filter(|one| now_ms.saturating_sub(one.changed_ms) < policy.quiet_ms);
    let ended_ms = recent
        .filter_map(|deployment| state.plan_history.get(&deployment.id))
        .flatten()
        .filter_map(|id| state.plans.get(id))
        .filter(|plan| plan.kind == PlanKind::Move)
        .map(|plan| plan.ended_ms)
        .max()?;
    let rested_ms = now_ms.saturating_sub(ended_ms);
    (ended_ms > 0 && rested_ms < policy.quiet_ms).then(|| Wait {
        reason: format!(
            "nothing to have moved for {} s, the last move ended {} s ago",
            policy.quiet_ms / 1000,
            rested_ms / 1000
        ),
        since_ms: ended_ms,
    })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
