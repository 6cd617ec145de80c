//! Where moved instances go and by which steps. A storage node that runs takes its data along; what
//! keeps nothing on its host is placed anew; one whose host is lost starts elsewhere without it.
//! Invariants: room is held at both places; the place it leaves is never chosen; zones count as if it
//! had left. Not here: carrying the steps out (`plan/step`, `plan/relocation`).

use std::collections::BTreeSet;

use super::{Lack, Layout, barred, steps_of};
use crate::{
    command::NewClaim,
    placement::{self, CapacityIndex, Need, solve::need_of},
    refusal::{Refusal, RefusalKind, codes},
    state::{
        DeploymentRecord, InstanceBerth, InstanceRecord, MoveWish, ResourceRecord, State, StepKind,
        Want,
    },
};

/// A storage node with its data.
const WITH_DATA: [StepKind; 5] = [
    StepKind::Place,
    StepKind::Copy,
    StepKind::TakeOver,
    StepKind::Route,
    StepKind::Remove,
];
/// What keeps nothing: it stops at its old place first.
const ANEW: [StepKind; 6] = [
    StepKind::Place,
    StepKind::Unroute,
    StepKind::Stop,
    StepKind::Start,
    StepKind::Healthy,
    StepKind::Route,
];
/// What lies on a lost host, which is not waited for.
const LOST: [StepKind; 5] = [
    StepKind::Unroute,
    StepKind::Place,
    StepKind::Start,
    StepKind::Healthy,
    StepKind::Route,
];

/// Claims and steps of a plan that moves instances.
///
/// # Errors
/// The first that cannot go.
pub(super) fn lay_out(
    state: &State,
    index: &mut CapacityIndex,
    deployment: &DeploymentRecord,
    moves: &[MoveWish],
) -> Result<Layout, Lack> {
    let mut trial = index.clone();
    let mut layout = Layout::default();
    for wish in moves {
        let Some((instance, resource, berth)) = find(state, deployment, wish)? else {
            continue;
        };
        let kinds: &[StepKind] = match (wish.lost, resource.is_stateless()) {
            (true, _) => &LOST,
            (false, true) => &ANEW,
            (false, false) => &WITH_DATA,
        };
        let claim = claim(state, &mut trial, instance, resource, berth, wish)?;
        layout.claims.push(claim);
        layout
            .steps
            .extend(steps_of(std::iter::once(instance), kinds));
    }
    *index = trial;
    Ok(layout)
}

fn refuse(message: String, hint: &str) -> Lack {
    Lack::Move(
        Refusal::new(RefusalKind::FailedPrecondition, codes::MOVE, message)
            .field("instance")
            .hint(hint),
    )
}

type Found<'a> = (&'a InstanceRecord, &'a ResourceRecord, &'a InstanceBerth);

/// The instance of a wish; none when it lies where it may lie already.
fn find<'a>(
    state: &'a State,
    deployment: &DeploymentRecord,
    wish: &MoveWish,
) -> Result<Option<Found<'a>>, Lack> {
    let known = state
        .instances
        .get(&wish.instance_id)
        .filter(|instance| instance.deployment_id == deployment.id)
        .and_then(|instance| Some((instance, state.resources.get(&instance.resource_id)?)));
    let Some((instance, resource)) = known else {
        return Err(Lack::Move(Refusal::not_found(
            "instance",
            &wish.instance_id,
        )));
    };
    let Some(berth) = &instance.berth else {
        return Err(refuse(
            format!("{} lies nowhere yet", instance.name),
            "`wharf plan reapply` places what is not there",
        ));
    };
    if wish.to.contains(&berth.allocator_id) {
        return Ok(None);
    }
    if instance.paused {
        return Err(refuse(
            format!(
                "{} is paused: nothing runs that could hand over",
                instance.name
            ),
            "resume it first: `wharf instance resume`",
        ));
    }
    if instance.want != Want::Run {
        return Err(refuse(
            format!("{} does not run: it cannot hand over", instance.name),
            "restore its deployment first: `wharf deployment restore`",
        ));
    }
    Ok(Some((instance, resource, berth)))
}

/// Room elsewhere, beside what it has.
fn claim(
    state: &State,
    index: &mut CapacityIndex,
    instance: &InstanceRecord,
    resource: &ResourceRecord,
    berth: &InstanceBerth,
    wish: &MoveWish,
) -> Result<NewClaim, Lack> {
    let own = &berth.allocator_id;
    let mut excluded = barred(state, instance);
    excluded.insert(own.clone());
    let need = Need {
        refused_ports: BTreeSet::new(),
        allowed: wish.to.iter().cloned().collect(),
        excluded,
        ..need_of(instance, resource)
    };
    let (deployment_id, resource_id) = (&need.deployment_id, &need.resource_id);
    index.release(own, deployment_id, resource_id, instance.held(), berth.port);
    let strategy = placement::solve::strategy_of(state);
    let found = placement::solve(index, std::slice::from_ref(&need), strategy);
    index.occupy(own, deployment_id, resource_id, instance.held(), berth.port);
    let mut places = found.map_err(Lack::Anywhere)?;
    Ok(NewClaim {
        instance_id: instance.id.clone(),
        size: instance.size,
        berth: Some(places.remove(0)),
    })
}
