//! A dry run: the command is applied to a copy of the state, and the plan that it makes is laid out
//! as the leader would, so that refusals, steps and places are those of the real thing. Nothing is
//! kept. Not here: who may ask (the shell).

use wharf_proto::v1;

use super::layout::{self, Layout};
use crate::{
    apply::apply,
    command::{Command, NewBerth},
    messages,
    observe::Observations,
    outcome::Outcome,
    placement::{CapacityIndex, Need, filters, solve::need_of},
    refusal::{Refusal, RefusalKind, codes},
    state::{DeploymentRecord, InstanceRecord, PlanKind, PlanRecord, ResourceRecord, State},
};

/// Allocators whose refusal is told, of each instance.
pub const REFUSALS: usize = 100;

/// What a dry run gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The plan with its places.
    pub plan: v1::PlanPreview,
    /// The deployment as it would be at first.
    pub deployment: v1::Deployment,
}

/// What a command would do.
///
/// # Errors
/// The refusal that the command would get.
pub fn preview(
    state: &State,
    observed: &Observations,
    command: &Command,
    now_ms: u64,
) -> Result<Preview, Refusal> {
    let mut trial = state.clone();
    let Outcome::Deployment {
        deployment_id,
        plan_id,
    } = apply(&mut trial, command).accepted()?
    else {
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::UNKNOWN_COMMAND,
            "only changes of deployments have a dry run",
        ));
    };
    let (Some(deployment), Some(record)) = (
        trial.deployments.get(&deployment_id),
        trial.plans.get(&plan_id),
    ) else {
        return Err(Refusal::not_found("deployment", deployment_id));
    };
    let index = CapacityIndex::build(&trial, |id| observed.connected(id));
    let mut plan = v1::Plan {
        id: String::new(),
        deployment_id: String::new(),
        parent_id: String::new(),
        ..messages::plan(&trial, record)
    };
    let mut places = Vec::new();
    // A deletion that runs already has its steps.
    if record.steps.is_empty() {
        let laid_out = lay_out(&trial, index.clone(), deployment, record);
        let found = laid_out.as_ref().is_ok();
        let layout = match laid_out {
            Ok(layout) => layout,
            Err(lack) => {
                plan.reason = lack.explain();
                // It would wait: these are its steps once there is room.
                let all = CapacityIndex::build(&trial, |_| true);
                lay_out(&trial, all, deployment, record).unwrap_or_default()
            }
        };
        plan.steps = steps(&trial, &layout);
        if record.kind != PlanKind::Delete {
            places = placements(&trial, &index, deployment, record, &layout, found);
        }
    }
    let mut shown = messages::deployment(&trial, observed, deployment, now_ms);
    forget_ids(&mut shown);
    Ok(Preview {
        plan: v1::PlanPreview {
            plan: Some(plan),
            placements: places,
        },
        deployment: shown,
    })
}

/// The ids of a thing that is not there would only mislead.
fn forget_ids(deployment: &mut v1::Deployment) {
    deployment.id.clear();
    deployment.pending_plan_id.clear();
    for resource in &mut deployment.resources {
        resource.id.clear();
        for instance in &mut resource.instances {
            instance.id.clear();
        }
    }
}

fn lay_out(
    state: &State,
    mut index: CapacityIndex,
    deployment: &DeploymentRecord,
    record: &PlanRecord,
) -> Result<Layout, layout::Lack> {
    layout::lay_out(
        state,
        &mut index,
        deployment,
        record.kind,
        record.wanted.as_ref(),
    )
}

fn steps(state: &State, layout: &Layout) -> Vec<v1::PlanStep> {
    layout
        .steps
        .iter()
        .map(|step| v1::PlanStep {
            step_id: step.kind.as_str().to_owned(),
            subject: step
                .instance_id
                .as_ref()
                .and_then(|id| state.instances.get(id))
                .map(|instance| instance.name.clone())
                .unwrap_or_default(),
            status: v1::StepStatus::Waiting as i32,
            ..v1::PlanStep::default()
        })
        .collect()
}

fn placements(
    state: &State,
    index: &CapacityIndex,
    deployment: &DeploymentRecord,
    record: &PlanRecord,
    layout: &Layout,
    found: bool,
) -> Vec<v1::PlacementPreview> {
    let mut all = Vec::new();
    for resource in state.resources_of(deployment) {
        for instance in state.instances_of(resource) {
            let new = layout
                .berths
                .iter()
                .chain(
                    layout
                        .claims
                        .iter()
                        .filter_map(|claim| claim.berth.as_ref()),
                )
                .find(|new| new.instance_id == instance.id);
            let size = record
                .wanted
                .as_ref()
                .and_then(|wanted| wanted.size(&resource.kind))
                .unwrap_or(instance.size);
            let mut need = Need {
                size,
                excluded: layout::barred(state, instance),
                ..need_of(instance, resource)
            };
            let moves = record.wanted.as_ref().map(|wanted| wanted.moves.as_slice());
            let wish = moves
                .unwrap_or_default()
                .iter()
                .find(|wish| wish.instance_id == instance.id);
            if let (Some(wish), Some(berth)) = (wish, &instance.berth) {
                need.allowed = wish.to.iter().cloned().collect();
                need.excluded.insert(berth.allocator_id.clone());
            }
            // What leaves its place counts there no more.
            let own = instance.berth.as_ref().map(|berth| &berth.allocator_id);
            let elsewhere = new.is_some_and(|new| Some(&new.allocator_id) != own);
            let leaves = own.is_some() && (wish.is_some() || elsewhere);
            let left = leaves.then(|| {
                let mut left = index.clone();
                left.lift(instance);
                left
            });
            let left = left.as_ref().unwrap_or(index);
            all.push(placement(
                index, left, instance, resource, &need, new, found,
            ));
        }
    }
    all
}

/// `left` is the index without what the instance has where it lies, when it is to leave that.
fn placement(
    index: &CapacityIndex,
    left: &CapacityIndex,
    instance: &InstanceRecord,
    resource: &ResourceRecord,
    need: &Need,
    new: Option<&NewBerth>,
    found: bool,
) -> v1::PlacementPreview {
    let own = instance.berth.as_ref().map(|berth| &berth.allocator_id);
    let chosen = match new {
        Some(new) => found.then_some(&new.allocator_id),
        None => own,
    };
    let stays = chosen.is_some() && chosen == own;
    let bound = stays && !resource.is_stateless();
    let refusals = left
        .hosts()
        .filter(|host| Some(&host.id) != chosen && !bound && (new.is_some() || own.is_none()))
        .take(REFUSALS)
        .map(|host| {
            let (share, begun) = left.share(&need.resource_id, &host.zone);
            let lacking = (own == Some(&host.id))
                .then(|| layout::lack(index, &host.id, instance, &need.kind, need.size))
                .flatten()
                .map(|lack| lack.explain());
            let reason = lacking
                .or_else(|| filters::admit_class(host, need).err().map(|no| no.detail))
                .or_else(|| {
                    let zone = filters::admit_zone(&host.zone, share, begun, need);
                    zone.err().map(|no| no.detail)
                })
                .or_else(|| filters::admit_host(host, need).err().map(|no| no.detail))
                .unwrap_or_else(|| "it has room, another one is preferred".to_owned());
            v1::AllocatorRefusal {
                allocator_id: host.id.to_string(),
                reason,
                host: host.name.clone(),
            }
        })
        .collect();
    let host = chosen.and_then(|id| index.host(id));
    v1::PlacementPreview {
        instance_name: instance.name.clone(),
        allocator_id: chosen.map(ToString::to_string).unwrap_or_default(),
        zone: host.map(|host| host.zone.clone()).unwrap_or_default(),
        stays,
        refusals,
        host: host.map(|host| host.name.clone()).unwrap_or_default(),
    }
}
