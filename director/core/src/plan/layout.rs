//! What a plan does, laid out: places, claims and steps from what is there to what is wanted. The
//! same for a plan that is about to be adopted, for the check of a wish before it becomes a plan,
//! and for a preview. Invariants: a storage instance leaves the host of its data by a move alone; what
//! is paused is left so; on failure the index is as before. Not here: room for one instance (`room`),
//! moves (`moves`), adopting it (`apply/plan`), carrying it out (`attempt`).

mod moves;
mod room;

pub use self::room::Lack;
pub(crate) use self::room::lack;
use self::room::{claim, rebirth};
use std::collections::BTreeSet;

use wharf_proto::ids::AllocatorId;

use crate::{
    command::{NewBerth, NewClaim, NewStep},
    placement::{self, CapacityIndex, Need, solve::need_of},
    refusal::{Refusal, RefusalKind, codes},
    state::{
        DeploymentRecord, InstanceRecord, PlanKind, ResourceRecord, State, StepKind, Want, Wanted,
        WantedResource,
    },
};

const START: [StepKind; 4] = [
    StepKind::Place,
    StepKind::Start,
    StepKind::Healthy,
    StepKind::Route,
];
const REPLACE: [StepKind; 5] = [
    StepKind::Unroute,
    StepKind::Stop,
    StepKind::Start,
    StepKind::Healthy,
    StepKind::Route,
];

/// Places, claims and steps of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Places of instances that have none, or are terminated.
    pub berths: Vec<NewBerth>,
    /// Room for instances that change.
    pub claims: Vec<NewClaim>,
    /// Steps in order.
    pub steps: Vec<NewStep>,
}

/// What a deployment is now, as something to be wanted.
#[must_use]
pub fn wanted_now(state: &State, deployment: &DeploymentRecord) -> Wanted {
    Wanted {
        resources: state
            .resources_of(deployment)
            .map(|resource| WantedResource {
                kind: resource.kind.clone(),
                size: resource.size,
                zone_count: resource.zone_count,
                instances_per_zone: resource.instances_per_zone,
            })
            .collect(),
        terminated: deployment.terminated,
        ..Wanted::default()
    }
}

/// Whether a restart that names these means the instance: by its name or by its resource's kind.
#[must_use]
pub fn names(selected: &[String], resource: &ResourceRecord, instance: &InstanceRecord) -> bool {
    selected.is_empty()
        || selected
            .iter()
            .any(|name| *name == instance.name || *name == resource.kind)
}

/// Lays a plan out. Without steps there is nothing to do.
///
/// # Errors
/// The first instance without room.
pub fn lay_out(
    state: &State,
    index: &mut CapacityIndex,
    deployment: &DeploymentRecord,
    kind: PlanKind,
    wanted: Option<&Wanted>,
) -> Result<Layout, Lack> {
    let steps_only = |steps| {
        Ok(Layout {
            steps,
            ..Layout::default()
        })
    };
    let placed = |instance: &&InstanceRecord| instance.berth.is_some();
    let runs = |instance: &&InstanceRecord| {
        instance.berth.is_some() && instance.want != Want::Keep && !instance.paused
    };
    let one = |steps: &[StepKind]| {
        let id = wanted.and_then(|wanted| wanted.paused.as_ref());
        let instance = id.and_then(|id| state.instances.get(id));
        steps_only(steps_of(instance.into_iter(), steps))
    };
    match kind {
        PlanKind::Delete => {
            let mut steps = steps_of(
                state.deployment_instances(deployment).filter(placed),
                &[StepKind::Unroute, StepKind::Stop, StepKind::Remove],
            );
            steps.push(whole(StepKind::Forget));
            steps_only(steps)
        }
        PlanKind::Upgrade => steps_only(steps_of(
            state.deployment_instances(deployment).filter(runs),
            &REPLACE,
        )),
        PlanKind::Restart => {
            let selected = wanted.map_or(&[][..], |wanted| &wanted.restarted);
            steps_only(steps_of(
                state.resources_of(deployment).flat_map(|resource| {
                    state
                        .instances_of(resource)
                        .filter(runs)
                        .filter(move |instance| names(selected, resource, instance))
                }),
                &REPLACE,
            ))
        }
        PlanKind::Terminate => {
            // What watches goes before what it watches.
            let mut instances: Vec<_> = state
                .deployment_instances(deployment)
                .filter(placed)
                .filter(|instance| instance.want != Want::Keep)
                .collect();
            instances.reverse();
            steps_only(steps_of(
                instances.into_iter(),
                &[StepKind::Unroute, StepKind::Stop, StepKind::Release],
            ))
        }
        PlanKind::Move => {
            let moves = wanted.map_or(&[][..], |wanted| &wanted.moves);
            moves::lay_out(state, index, deployment, moves)
        }
        PlanKind::Pause => one(&[StepKind::Unroute, StepKind::Stop]),
        PlanKind::Resume => one(&[StepKind::Start, StepKind::Healthy, StepKind::Route]),
        PlanKind::ResetPassword => steps_only(vec![
            whole(StepKind::Accept),
            whole(StepKind::Switch),
            whole(StepKind::Retire),
        ]),
        PlanKind::Create | PlanKind::Extend | PlanKind::Restore | PlanKind::Resize => {
            converge(state, index, deployment, kind, wanted)
        }
    }
}

const fn whole(kind: StepKind) -> NewStep {
    NewStep {
        kind,
        instance_id: None,
    }
}

/// These steps for each of these instances.
pub(crate) fn steps_of<'a>(
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

/// Hosts that an instance cannot go to: its data is still to be set aside there, which it would meet.
pub(crate) fn barred(state: &State, instance: &InstanceRecord) -> BTreeSet<AllocatorId> {
    state
        .assignments
        .iter()
        .filter(|(_, assigned)| assigned.set_aside.contains(&instance.id))
        .map(|(id, _)| id.clone())
        .collect()
}

/// Refuses a place to an instance that another host may still run: what is there is to be set aside first.
fn nowhere_left(state: &State, instance: &InstanceRecord) -> Result<(), Lack> {
    let host = state
        .assignments
        .iter()
        .filter(|(_, assigned)| assigned.torn.contains(&instance.id))
        .find_map(|(id, _)| state.allocators.get(id))
        .map(|record| record.host.clone());
    let Some(host) = host else {
        return Ok(());
    };
    Err(Lack::Move(
        Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::HOST_LOSS,
            format!(
                "{} waits for {host} to set aside what it has of it, so that no two take writes",
                instance.name
            ),
        )
        .field("instance")
        .hint(format!(
            "bring {host} back; when it is lost for good: `wharf allocator remove {host} --lost`"
        )),
    ))
}

/// Every instance to its wanted size, running and routed; a resize touches only what runs.
fn converge(
    state: &State,
    index: &mut CapacityIndex,
    deployment: &DeploymentRecord,
    kind: PlanKind,
    wanted: Option<&Wanted>,
) -> Result<Layout, Lack> {
    let strategy = placement::solve::strategy_of(state);
    let mut trial: Option<CapacityIndex> = None;
    let mut needs = Vec::new();
    let mut layout = Layout::default();
    for resource in state.resources_of(deployment) {
        let target = wanted
            .and_then(|wanted| wanted.size(&resource.kind))
            .unwrap_or(resource.size);
        for instance in state.instances_of(resource) {
            let one = std::iter::once(instance);
            let need = Need {
                size: target,
                excluded: barred(state, instance),
                ..need_of(instance, resource)
            };
            match &instance.berth {
                _ if instance.paused => {}
                None if kind == PlanKind::Resize => {}
                None => {
                    nowhere_left(state, instance)?;
                    needs.push(need);
                    layout.steps.extend(steps_of(one, &START));
                }
                Some(_) if instance.want == Want::Keep && kind == PlanKind::Resize => {}
                Some(berth) if instance.want == Want::Keep => {
                    let trial = trial.get_or_insert_with(|| index.clone());
                    let stateless = resource.is_stateless();
                    let new = rebirth(trial, instance, berth, &need, strategy, stateless)?;
                    layout.berths.push(new);
                    layout.steps.extend(steps_of(one, &START));
                }
                Some(berth) if instance.size != target => {
                    let trial = trial.get_or_insert_with(|| index.clone());
                    let stateless = resource.is_stateless();
                    let claim = claim(trial, instance, berth, &need, strategy, stateless)?;
                    layout.claims.push(claim);
                    layout.steps.extend(steps_of(one, &REPLACE));
                }
                Some(_) if kind == PlanKind::Resize => {}
                Some(_) if instance.routed && instance.want == Want::Run => {}
                Some(_) => layout.steps.extend(steps_of(one, &START)),
            }
        }
    }
    let found = match &mut trial {
        Some(trial) => placement::solve(trial, &needs, strategy),
        None => placement::solve(index, &needs, strategy),
    };
    layout.berths.extend(found.map_err(Lack::Anywhere)?);
    if let Some(trial) = trial {
        *index = trial;
    }
    Ok(layout)
}
