//! What becomes of instances whose host is silent: who is waited for, who is replaced elsewhere and
//! when. Invariants: nothing is replaced before a grace that counts from the last that this leader itself
//! heard, so that a new leader gives everybody a whole one and a host that comes and goes is
//! never replaced; an instance that takes writes under a lease is not replaced before every lease has
//! run out; a zone that is silent for the most part is left alone; a few at a time. Not here: how a
//! replacement is carried out and given up when the original is back (`plan/relocation`).

pub mod problems;

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId, PlanId};

use crate::{
    apply::{apply, relocation::may_be_replaced},
    command::{Body, CancelPlan, ChangeDeployment, Command, DeploymentChange},
    observe::Observations,
    settings,
    state::{
        AllocatorRecord, ClaimStage, InstanceRecord, MOVES_LEVEL, MoveCause, MoveWish, PlanKind,
        State, Want,
    },
    vacate::{is_replacement, replacements_left},
};

/// How long an instance may take writes after the heartbeat was sent that its lease answers.
pub const LEASE_MS: u64 = 20_000;
/// What is added before a leased instance is replaced: two hosts' clocks do not run alike, and an
/// answer is on its way for a while.
pub const LEASE_MARGIN_MS: u64 = 5_000;
/// Before an instance that could not be replaced is tried again; doubles each time.
const RETRY_MS: u64 = 10_000;
/// The longest such pause.
const RETRY_MOST_MS: u64 = 300_000;

/// The silence of a host as this leader saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Silence {
    /// What the observations said of its begin: another number is another silence.
    mark_ms: u64,
    /// When this leader heard of the host last or, if it never did, saw the silence first, on its steady
    /// clock.
    since_ms: u64,
}

/// How often an instance was tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tried {
    times: u32,
    next_ms: u64,
}

/// A leader's own memory of silences; a new leader begins with an empty one.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    silent: BTreeMap<AllocatorId, Silence>,
    tried: BTreeMap<InstanceId, Tried>,
}

impl Watch {
    /// Takes a look. `steady_ms` never jumps, whatever becomes of the wall clock.
    pub fn look(&mut self, state: &State, observed: &Observations, steady_ms: u64) {
        self.silent
            .retain(|id, _| state.allocators.contains_key(id) && !observed.connected(id));
        for id in state.allocators.keys().filter(|id| !observed.connected(id)) {
            let seen = observed.allocators.get(id);
            let (mark_ms, unheard_ms) =
                seen.map_or((0, 0), |seen| (seen.since_ms, seen.unheard_ms));
            let fresh = Silence {
                mark_ms,
                since_ms: steady_ms.saturating_sub(unheard_ms),
            };
            let known = self
                .silent
                .entry(id.clone())
                .or_insert_with(|| fresh.clone());
            if known.mark_ms != mark_ms {
                // It was connected in between, for however short.
                *known = fresh;
            }
        }
        self.tried.retain(|id, _| {
            let berth = state
                .instances
                .get(id)
                .and_then(|known| known.berth.as_ref());
            berth.is_some_and(|berth| self.silent.contains_key(&berth.allocator_id))
        });
    }

    /// For how long a host has been silent; none when it is not.
    #[must_use]
    pub fn silence_ms(&self, id: &AllocatorId, steady_ms: u64) -> Option<u64> {
        let silence = self.silent.get(id)?;
        Some(steady_ms.saturating_sub(silence.since_ms))
    }

    /// Whether every lease that a host may hold has run out.
    #[must_use]
    pub fn is_past_leases(&self, id: &AllocatorId, steady_ms: u64) -> bool {
        let silence = self.silence_ms(id, steady_ms);
        silence.is_some_and(|silent| silent >= LEASE_MS + LEASE_MARGIN_MS)
    }

    fn waits(&self, id: &InstanceId, steady_ms: u64) -> bool {
        self.tried
            .get(id)
            .is_some_and(|tried| steady_ms < tried.next_ms)
    }

    fn note(&mut self, id: &InstanceId, steady_ms: u64) {
        let tried = self.tried.entry(id.clone()).or_default();
        let pause = RETRY_MS
            .saturating_mul(1 << tried.times.min(8))
            .min(RETRY_MOST_MS);
        tried.times = tried.times.saturating_add(1);
        tried.next_ms = steady_ms.saturating_add(pause);
    }
}

/// The allocators of a zone that instances are placed on: silent ones and all.
#[must_use]
pub fn zone_counts(state: &State, observed: &Observations, zone: &str) -> (usize, usize) {
    let hosts = placed_on(state).filter(|record| record.zone == zone);
    hosts.fold((0, 0), |(silent, all), record| {
        let more = usize::from(!observed.connected(&record.id));
        (silent + more, all + 1)
    })
}

/// The zones that are silent for the most part: that looks like a broken link, not like hosts that died.
#[must_use]
pub fn sick_zones<'a>(state: &'a State, observed: &Observations) -> BTreeSet<&'a str> {
    let mut zones: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for record in placed_on(state) {
        let (silent, all) = zones.entry(&record.zone).or_default();
        *silent += usize::from(!observed.connected(&record.id));
        *all += 1;
    }
    let sick = zones.into_iter().filter(|(zone, (silent, all))| {
        *silent >= 2 && silent * 2 > *all && settings::lost_zones(state).all(|lost| lost != *zone)
    });
    sick.map(|(zone, _)| zone).collect()
}

/// The allocators that instances are placed on.
fn placed_on(state: &State) -> impl Iterator<Item = &AllocatorRecord> {
    let all = state.allocators.values();
    all.filter(|record| record.capacity.memory_bytes > 0)
}

/// Whether an instance is one that a lost host takes away from its users.
fn is_missed(state: &State, instance: &InstanceRecord) -> bool {
    let stage = instance.claim.as_ref().map(|claim| claim.stage);
    let deployment = state.deployments.get(&instance.deployment_id);
    instance.want == Want::Run
        && !instance.paused
        && deployment.is_some_and(|deployment| !deployment.deleting && !deployment.terminated)
        // The new place has taken over, or may have: there is no way but forward.
        && !stage.is_some_and(ClaimStage::past_return)
}

/// Why an instance is not replaced however long its host is silent; none when it may be.
#[must_use]
pub fn stands_against(state: &State, instance: &InstanceRecord) -> Option<String> {
    may_be_replaced(state, instance)
        .err()
        .map(|refusal| refusal.message)
}

/// What to propose now: replacements, and the ends of moves that wait for a lost host. Each plan gets
/// an id of `plan_id`.
#[must_use]
pub fn decide(
    state: &State,
    observed: &Observations,
    watch: &mut Watch,
    now_ms: u64,
    steady_ms: u64,
    plan_id: &mut dyn FnMut() -> PlanId,
) -> Vec<Body> {
    let mut bodies = Vec::new();
    if state.feature_level < MOVES_LEVEL {
        return bodies;
    }
    let grace_ms = settings::duration_ms(state, "health.loss_grace_seconds");
    let mut free = replacements_left(state);
    let mut touched: BTreeSet<DeploymentId> = BTreeSet::new();
    let sick = sick_zones(state, observed);
    for record in state.allocators.values() {
        let silent_ms = watch.silence_ms(&record.id, steady_ms);
        let Some(silent_ms) = silent_ms.filter(|silent| *silent >= grace_ms) else {
            continue;
        };
        if sick.contains(record.zone.as_str()) {
            continue;
        }
        let leases_over = watch.is_past_leases(&record.id, steady_ms);
        let why = format!(
            "{} has been silent for {} s, the grace is {} s",
            record.host,
            silent_ms / 1000,
            grace_ms / 1000
        );
        for instance in state.allocator_instances(&record.id) {
            let stateless = state.is_stateless(instance);
            if !is_missed(state, instance)
                || (!stateless && !leases_over)
                || stands_against(state, instance).is_some()
                || watch.waits(&instance.id, steady_ms)
                || !touched.insert(instance.deployment_id.clone())
            {
                continue;
            }
            if let Some(plan) = pending(state, instance) {
                let end = out_of_the_way(state, instance, plan, &why);
                bodies.extend(end.filter(|body| {
                    watch.note(&instance.id, steady_ms);
                    would_be_done(state, body, now_ms)
                }));
                continue;
            }
            if free == 0 {
                continue;
            }
            watch.note(&instance.id, steady_ms);
            let body = replacement(instance, why.clone(), plan_id());
            if would_be_done(state, &body, now_ms) {
                free -= 1;
                bodies.push(body);
            }
        }
    }
    bodies
}

/// A wish that would be refused, for want of room or because a plan cannot go back, is not written down
/// each time.
pub(crate) fn would_be_done(state: &State, body: &Body, now_ms: u64) -> bool {
    let command = Command::new(now_ms, "system", None, body.clone());
    apply(&mut state.clone(), &command).accepted().is_ok()
}

fn pending<'a>(state: &'a State, instance: &InstanceRecord) -> Option<&'a PlanId> {
    let deployment = state.deployments.get(&instance.deployment_id)?;
    deployment.pending_plan.as_ref()
}

/// The end of a move that waits for the lost host to give its data: it would wait for ever.
fn out_of_the_way(
    state: &State,
    instance: &InstanceRecord,
    plan_id: &PlanId,
    why: &str,
) -> Option<Body> {
    let plan = state.plans.get(plan_id)?;
    let moves = plan.kind == PlanKind::Move
        && plan.undo_from.is_none()
        && !is_replacement(plan)
        && plan
            .wanted
            .as_ref()?
            .moves
            .iter()
            .any(|wish| wish.instance_id == instance.id);
    moves.then(|| {
        Body::CancelPlan(CancelPlan {
            plan_id: plan_id.clone(),
            reason: format!("{why}: {} is replaced, not moved", instance.name),
        })
    })
}

fn replacement(instance: &InstanceRecord, reason: String, plan_id: PlanId) -> Body {
    let wish = MoveWish {
        instance_id: instance.id.clone(),
        from: None,
        to: Vec::new(),
        lost: true,
        cause: MoveCause::HostLost,
        reason,
    };
    Body::ChangeDeployment(Box::new(ChangeDeployment {
        deployment_id: instance.deployment_id.clone(),
        plan_id,
        expected_version: 0,
        change: DeploymentChange::Move { moves: vec![wish] },
    }))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
