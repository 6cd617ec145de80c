//! Wishes to move, pause or resume instances: checked against what they are, then what a plan wants.
//! Not here: whether there is room (`plan/layout`), stages of a move (`relocation`).

use std::collections::BTreeSet;

use wharf_proto::ids::InstanceId;

use super::{
    operation::{Wish, not_terminated, nothing},
    relocation::may_be_replaced,
};
use crate::{
    command::DeploymentChange,
    plan::layout::{Lack, wanted_now},
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{
        DeploymentRecord, InstanceRecord, MoveWish, PlanKind, State, Want, Wanted,
        plan::REASON_BYTES,
    },
};

/// Instances that one plan may move.
const MOVES: usize = 128;
/// Allocators that a move may name.
const TARGETS: usize = 1_000;
/// Bytes of the reason of a move.
const MOVE_REASON_BYTES: usize = 300;

/// What a plan is to want.
pub(super) fn wish(
    state: &State,
    deployment: &DeploymentRecord,
    change: &DeploymentChange,
) -> Result<Wish, Refusal> {
    match change {
        DeploymentChange::Move { moves } => moved(state, deployment, moves),
        DeploymentChange::Pause { instance_id } => paused(state, deployment, instance_id),
        DeploymentChange::Resume { instance_id } => resumed(state, deployment, instance_id),
        _ => Err(nothing(deployment, "it is another change")),
    }
}

/// What an ended plan of these kinds wanted.
pub(super) fn again(
    state: &State,
    deployment: &DeploymentRecord,
    kind: PlanKind,
    wanted: &Wanted,
) -> Result<Wish, Refusal> {
    let Some(id) = &wanted.paused else {
        return Err(refuse(
            RefusalKind::FailedPrecondition,
            codes::PLAN_REAPPLY,
            "the plan does not say which instance it was about".to_owned(),
        ));
    };
    if kind == PlanKind::Pause {
        paused(state, deployment, id)
    } else {
        resumed(state, deployment, id)
    }
}

fn refuse(kind: RefusalKind, code: &str, message: String) -> Refusal {
    Refusal::new(kind, code, message).field("instance")
}

fn own<'a>(
    state: &'a State,
    deployment: &DeploymentRecord,
    id: &InstanceId,
) -> Result<&'a InstanceRecord, Refusal> {
    state
        .instances
        .get(id)
        .filter(|instance| instance.deployment_id == deployment.id)
        .ok_or_else(|| Refusal::not_found("instance", id))
}

fn moved(
    state: &State,
    deployment: &DeploymentRecord,
    moves: &[MoveWish],
) -> Result<Wish, Refusal> {
    let bad = |message: String, hint: &str| {
        refuse(RefusalKind::InvalidArgument, codes::MOVE, message).hint(hint)
    };
    if moves.is_empty() || moves.len() > MOVES {
        return Err(bad(
            format!("a plan moves 1 to {MOVES} instances, not {}", moves.len()),
            "move the others afterwards",
        ));
    }
    not_terminated(deployment)?;
    let mut seen = BTreeSet::new();
    let mut wished = moves.to_vec();
    for wish in &mut wished {
        let instance = own(state, deployment, &wish.instance_id)?;
        if !seen.insert(wish.instance_id.clone()) {
            return Err(bad(
                format!("{} is named twice", instance.name),
                "name each instance once",
            ));
        }
        if wish.to.len() > TARGETS || wish.reason.len() > MOVE_REASON_BYTES {
            return Err(bad(
                format!(
                    "a move names at most {TARGETS} allocators and {MOVE_REASON_BYTES} bytes of reason"
                ),
                "name fewer",
            ));
        }
        if let Some(unknown) = wish
            .to
            .iter()
            .find(|id| !state.allocators.contains_key(*id))
        {
            return Err(Refusal::not_found("allocator", unknown).field("to_allocator"));
        }
        if wish.lost {
            may_be_replaced(state, instance)?;
        }
        let lies = instance.berth.as_ref();
        wish.from = lies.map(|berth| berth.allocator_id.clone());
    }
    let wanted = Wanted {
        moves: wished,
        ..wanted_now(state, deployment)
    };
    Ok((PlanKind::Move, wanted))
}

fn paused(state: &State, deployment: &DeploymentRecord, id: &InstanceId) -> Result<Wish, Refusal> {
    let instance = own(state, deployment, id)?;
    if deployment.system_owned {
        return Err(refuse(
            RefusalKind::FailedPrecondition,
            codes::SYSTEM_OWNED,
            format!(
                "{} belongs to the platform's own deployment and is not paused",
                instance.name
            ),
        )
        .hint("restart it: `wharf deployment restart`"));
    }
    if instance.paused {
        return Err(refuse(
            RefusalKind::FailedPrecondition,
            codes::PAUSED,
            format!("{} is paused already", instance.name),
        )
        .hint("`wharf instance resume` starts it again"));
    }
    if instance.berth.is_none() || instance.want != Want::Run {
        return Err(refuse(
            RefusalKind::FailedPrecondition,
            codes::NO_INSTANCE,
            format!("{} does not run", instance.name),
        )
        .hint("`wharf deployment show` says why"));
    }
    let wanted = Wanted {
        paused: Some(id.clone()),
        ..wanted_now(state, deployment)
    };
    Ok((PlanKind::Pause, wanted))
}

fn resumed(state: &State, deployment: &DeploymentRecord, id: &InstanceId) -> Result<Wish, Refusal> {
    let instance = own(state, deployment, id)?;
    if !instance.paused {
        return Err(refuse(
            RefusalKind::FailedPrecondition,
            codes::PAUSED,
            format!("{} is not paused", instance.name),
        )
        .hint("`wharf instance list` says what is"));
    }
    let wanted = Wanted {
        paused: Some(id.clone()),
        ..wanted_now(state, deployment)
    };
    Ok((PlanKind::Resume, wanted))
}

/// Why there is no room, for what was asked.
pub(super) fn explained(kind: PlanKind, lack: Lack) -> Refusal {
    match lack {
        Lack::Anywhere(_) if kind == PlanKind::Move => lack.refusal().field("to_allocator").hint(
            "free capacity, name another allocator, or add one; the dry run says what each lacks",
        ),
        _ => lack.refusal(),
    }
}

/// Why instances move, for the plan's first line.
pub(super) fn reasons(moves: &[MoveWish]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for wish in moves {
        let reason = format!("{}: {}", wish.cause.as_str(), wish.reason);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    cut(&reasons.join("; "), REASON_BYTES).to_owned()
}
