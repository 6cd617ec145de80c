//! A rebalance: what the core proposes is told, or begun as plans that move instances, one for each
//! deployment, as many as the budget of moves has left. Invariant: a request that is repeated begins
//! nothing more and names the plans that the first one began. Not here: which moves (the core), what a
//! plan does.

use sha2::{Digest, Sha256};
use tonic::Status;
use wharf_director_core::{
    apply::remembered,
    command::{Body, ChangeDeployment, DeploymentChange},
    outcome::Outcome,
    placement::{
        CapacityIndex,
        rebalance::{
            Proposal, Relocation,
            policy::{REASON_BYTES, last_move, standing},
            rebalance,
        },
        solve::strategy_of,
    },
    refusal::{Refusal, cut},
    state::{InstanceRecord, MoveCause, MoveWish, State},
    vacate::{MOVE_BUDGET, moves_left},
};
use wharf_proto::{
    ids::{AllocatorId, DeploymentId, InstanceId, PlanId, RequestId},
    times, v1,
};
use wharf_runtime::random;

use super::views::View;
use crate::{
    answer::internal,
    director::Director,
    propose::{Asked, ProposalError},
};

fn propose(view: &View, moves: usize) -> Proposal {
    let (state, seen) = (&view.state, &view.seen);
    let index = CapacityIndex::build(state, |id| seen.connected(id));
    // Nobody has told how much an instance has on its disk: what it may have counts.
    rebalance(state, index, strategy_of(state), moves, |_| 0)
}

/// What would be moved.
pub(super) fn preview(director: &Director, moves: usize) -> v1::RebalanceResponse {
    let view = View::of(director);
    let proposal = propose(&view, moves);
    let told = proposal.moves.iter().map(|one| told(&view.state, one, ""));
    v1::RebalanceResponse {
        moves: told.collect(),
        reason: proposal.rest,
        policy: Some(policy_of(&view)),
    }
}

/// Where rebalancing by the platform itself stands.
pub(super) fn policy(director: &Director) -> v1::Rebalancing {
    policy_of(&View::of(director))
}

fn policy_of(view: &View) -> v1::Rebalancing {
    let (state, seen) = (&view.state, &view.seen);
    let leads_ms = view.now_ms.saturating_sub(seen.leader_since_ms);
    let found = standing(state, seen, leads_ms, view.now_ms);
    let policy = found.policy;
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let waits = found.waits.into_iter().map(|one| v1::RebalancingWait {
        reason: one.reason,
        since: Some(times::timestamp(one.since_ms)),
    });
    let moves = state.open_plans().filter_map(|plan| {
        let wanted = plan.wanted.as_ref()?;
        Some(wanted.moves.iter().map(|wish| (wish, plan.id.as_str())))
    });
    let moving = moves
        .flatten()
        .filter(|(wish, _)| wish.cause == MoveCause::Rebalance)
        .map(|(wish, plan_id)| wished(state, wish, plan_id));
    v1::Rebalancing {
        automatic: policy.automatic,
        threshold_percent: number(policy.threshold),
        quiet_seconds: number(policy.quiet_ms / 1000),
        moves: u32::try_from(policy.at_once).unwrap_or(u32::MAX),
        moves_data: policy.moves_data,
        waits: waits.collect(),
        next: found
            .next
            .moves
            .iter()
            .map(|one| told(state, one, ""))
            .collect(),
        reason: found.next.rest,
        moving: moving.collect(),
    }
}

/// The last move of an instance, in words; empty when none is remembered.
pub(super) fn last_move_of(state: &State, instance: &InstanceRecord) -> String {
    let Some((plan, wish)) = last_move(state, instance) else {
        return String::new();
    };
    let from = wish.from.as_ref().and_then(|id| state.allocators.get(id));
    format!(
        "from {} at {}, plan {}; {}: {}",
        from.map_or("a host that is forgotten", |known| known.host.as_str()),
        times::rfc3339(plan.ended_ms),
        plan.id,
        wish.cause.as_str(),
        wish.reason
    )
}

/// Begins what the budget of moves has room for.
///
/// # Errors
/// When a plan can neither be begun nor is refused for what it is.
pub(super) async fn carry_out(
    director: &Director,
    asked: &Asked,
    moves: usize,
) -> Result<v1::RebalanceResponse, Status> {
    let view = View::of(director);
    if let Some(answer) = begun_before(&view.state, asked) {
        return Ok(answer);
    }
    let Proposal { moves, mut rest } = propose(&view, moves);
    let mut begun = Vec::new();
    let mut over = 0;
    for (number, (deployment_id, moves)) in
        by_deployment(&view.state, moves).into_iter().enumerate()
    {
        let left = moves_left(&director.published.state());
        let (moves, later) = moves.split_at(moves.len().min(left));
        over += later.len();
        if moves.is_empty() {
            continue;
        }
        match begin(director, &nth(asked, number), &deployment_id, moves).await? {
            Ok(plan_id) => {
                let plan_id = plan_id.to_string();
                begun.extend(moves.iter().map(|one| told(&view.state, one, &plan_id)));
            }
            // Another change of the deployment came first, or its plan cannot be laid out now.
            Err(refusal) => rest.push_str(&format!("; {}", refusal.message)),
        }
    }
    if over > 0 {
        rest.push_str(&format!(
            "; {over} of the moves {} not begun: as many instances move as {MOVE_BUDGET} allows; ask again when they have ended",
            if over == 1 { "was" } else { "were" }
        ));
    }
    Ok(v1::RebalanceResponse {
        moves: begun,
        reason: rest,
        policy: None,
    })
}

async fn begin(
    director: &Director,
    asked: &Asked,
    deployment_id: &DeploymentId,
    moves: &[Relocation],
) -> Result<Result<PlanId, Refusal>, Status> {
    let body = |state: &State| {
        let expected_version = state
            .deployments
            .get(deployment_id)
            .ok_or_else(|| Refusal::not_found("deployment", deployment_id))?
            .version;
        let moves = moves.iter().map(|one| MoveWish {
            instance_id: one.instance_id.clone(),
            from: None,
            to: vec![one.to.clone()],
            lost: false,
            cause: MoveCause::Rebalance,
            reason: cut(&one.reason, REASON_BYTES).to_owned(),
        });
        Ok(Body::ChangeDeployment(Box::new(ChangeDeployment {
            deployment_id: deployment_id.clone(),
            plan_id: PlanId::from_bytes(random::bytes()),
            expected_version,
            change: DeploymentChange::Move {
                moves: moves.collect(),
            },
        })))
    };
    match director.proposer.once(asked, body).await {
        Ok(Outcome::Deployment { plan_id, .. }) => Ok(Ok(plan_id)),
        Ok(other) => Err(internal(format!("an unexpected outcome: {other:?}"))),
        Err(ProposalError::Refused(refusal)) => Ok(Err(refusal)),
        Err(error) => Err(error.into()),
    }
}

/// The request that begins the plan of that number; the first is the client's own.
fn nth(asked: &Asked, number: usize) -> Asked {
    if number == 0 {
        return asked.clone();
    }
    let mut hasher = Sha256::new();
    hasher.update(asked.request_id.as_str());
    hasher.update((number as u64).to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize()[..16]);
    Asked {
        request_id: RequestId::from_bytes(bytes),
        ..asked.clone()
    }
}

/// What the same request began before; none when it is a new one.
fn begun_before(state: &State, asked: &Asked) -> Option<v1::RebalanceResponse> {
    let plan_of = |number: usize| {
        let asked = nth(asked, number);
        let first =
            remembered(state, &asked.request_id).filter(|one| one.digest == asked.digest)?;
        match &first.outcome {
            Outcome::Deployment { plan_id, .. } => Some(plan_id.clone()),
            _ => None,
        }
    };
    let plans: Vec<PlanId> = (0..super::placement::MAX_MOVES)
        .filter_map(plan_of)
        .collect();
    if plans.is_empty() {
        return None;
    }
    let moves = plans.iter().flat_map(|plan_id| {
        let wanted = state
            .plans
            .get(plan_id)
            .and_then(|plan| plan.wanted.as_ref());
        wanted
            .into_iter()
            .flat_map(|wanted| &wanted.moves)
            .map(|wish| wished(state, wish, plan_id.as_str()))
    });
    Some(v1::RebalanceResponse {
        moves: moves.collect(),
        reason: "this request was carried out before".to_owned(),
        policy: None,
    })
}

/// The moves of each deployment, which one plan carries out, in the order of their first.
fn by_deployment(state: &State, moves: Vec<Relocation>) -> Vec<(DeploymentId, Vec<Relocation>)> {
    let mut groups: Vec<(DeploymentId, Vec<Relocation>)> = Vec::new();
    for one in moves {
        let Some(instance) = state.instances.get(&one.instance_id) else {
            continue;
        };
        match groups
            .iter_mut()
            .find(|(id, _)| *id == instance.deployment_id)
        {
            Some((_, group)) => group.push(one),
            None => groups.push((instance.deployment_id.clone(), vec![one])),
        }
    }
    groups
}

/// A move that a plan carries out.
fn wished(state: &State, wish: &MoveWish, plan_id: &str) -> v1::RebalanceMove {
    row(
        state,
        &wish.instance_id,
        wish.from.as_ref(),
        wish.to.first(),
        &wish.reason,
        plan_id,
    )
}

fn told(state: &State, one: &Relocation, plan_id: &str) -> v1::RebalanceMove {
    row(
        state,
        &one.instance_id,
        Some(&one.from),
        Some(&one.to),
        &one.reason,
        plan_id,
    )
}

fn row(
    state: &State,
    instance_id: &InstanceId,
    from: Option<&AllocatorId>,
    to: Option<&AllocatorId>,
    reason: &str,
    plan_id: &str,
) -> v1::RebalanceMove {
    let instance = state.instances.get(instance_id);
    let deployment = instance.and_then(|one| state.deployments.get(&one.deployment_id));
    let keeps_data = instance.is_some_and(|one| !state.is_stateless(one));
    let id =
        |allocator: Option<&AllocatorId>| allocator.map(ToString::to_string).unwrap_or_default();
    let host = |allocator: Option<&AllocatorId>| {
        allocator
            .and_then(|id| state.allocators.get(id))
            .map(|record| record.host.clone())
            .unwrap_or_default()
    };
    v1::RebalanceMove {
        instance_id: instance_id.to_string(),
        instance_name: instance.map(|one| one.name.clone()).unwrap_or_default(),
        deployment_id: deployment.map(|one| one.id.to_string()).unwrap_or_default(),
        deployment_name: deployment.map(|one| one.name.clone()).unwrap_or_default(),
        from_allocator_id: id(from),
        from_host: host(from),
        to_allocator_id: id(to),
        to_host: host(to),
        reason: reason.to_owned(),
        disk_bytes: instance
            .filter(|_| keeps_data)
            .map_or(0, |one| one.size.disk_bytes),
        plan_id: plan_id.to_owned(),
    }
}
