//! Applying a wish to change a deployment that is there: checked against what it is and whether there
//! is room, then a plan. The same checks answer a dry run. Not here: the plan's steps
//! (`plan/layout`), sizes against the template (`deployment/resize`).

use std::collections::BTreeMap;

use super::{
    check_version,
    deployment::{at_rest, begin_plan, free_plan_id},
    finish::next_secret,
    moving,
    platform::check_secret,
};
use crate::{
    command::{ChangeDeployment, DeploymentChange},
    deployment::resize,
    outcome::Outcome,
    placement::CapacityIndex,
    plan::layout::{self, wanted_now},
    refusal::{Refusal, RefusalKind, codes, cut},
    size::Size,
    state::{
        DeploymentRecord, InstanceRecord, PlanKind, PlanRecord, SecretRecord, State, Want, Wanted,
    },
};

/// Names that a restart may give.
const NAMES: usize = 128;

fn refuse(code: &str, message: String) -> Refusal {
    Refusal::new(RefusalKind::FailedPrecondition, code, message).field("deployment")
}

/// A plan to be: its kind and what it wants.
pub(super) type Wish = (PlanKind, Wanted);

pub(super) fn change(
    state: &mut State,
    body: &ChangeDeployment,
    actor: &str,
) -> Result<Outcome, Refusal> {
    let id = &body.deployment_id;
    let deployment = at_rest(state, id)?;
    check_version("deployment", body.expected_version, deployment.version)?;
    free_plan_id(state, &body.plan_id)?;
    let (kind, wanted) = match &body.change {
        DeploymentChange::Resize { sizes } => resized(state, deployment, sizes)?,
        DeploymentChange::Restart { instances } => restarted(state, deployment, instances)?,
        DeploymentChange::Terminate => terminated(state, deployment)?,
        DeploymentChange::Restore => restored(state, deployment)?,
        DeploymentChange::Reapply { of_plan } => {
            let plan = state
                .plans
                .get(of_plan)
                .filter(|plan| plan.deployment_id == *id)
                .ok_or_else(|| Refusal::not_found("plan", of_plan))?;
            reapplied(state, deployment, plan)?
        }
        DeploymentChange::Move { .. }
        | DeploymentChange::Pause { .. }
        | DeploymentChange::Resume { .. } => moving::wish(state, deployment, &body.change)?,
        DeploymentChange::ResetPassword {
            sealed_credentials, ..
        } => {
            check_secret(&next_secret(id), sealed_credentials)?;
            let wanted = Wanted {
                password: true,
                ..wanted_now(state, deployment)
            };
            (PlanKind::ResetPassword, wanted)
        }
    };
    let deployment = deployment.clone();
    let mut index = CapacityIndex::build(state, |_| true);
    let layout = layout::lay_out(state, &mut index, &deployment, kind, Some(&wanted))
        .map_err(|lack| moving::explained(kind, lack))?;
    if layout.steps.is_empty() {
        return Err(nothing(&deployment, "every instance is as it is wanted"));
    }
    if let DeploymentChange::ResetPassword {
        user,
        sealed_credentials,
    } = &body.change
    {
        let record = SecretRecord {
            sealed: sealed_credentials.clone(),
            changed_ms: state.now_ms,
            version: 1,
        };
        state.secrets.insert(next_secret(id), record);
        if let Some(deployment) = state.deployments.get_mut(id) {
            deployment.next_user = Some(user.clone());
        }
    }
    let reason = match &body.change {
        DeploymentChange::Reapply { of_plan } => format!("applies the plan {of_plan} again"),
        DeploymentChange::Move { moves } => moving::reasons(moves),
        _ => String::new(),
    };
    begin_plan(state, id, &body.plan_id, kind, wanted, actor, reason);
    Ok(Outcome::Deployment {
        deployment_id: id.clone(),
        plan_id: body.plan_id.clone(),
    })
}

pub(super) fn nothing(deployment: &DeploymentRecord, why: &str) -> Refusal {
    refuse(
        codes::NOTHING_TO_DO,
        format!("nothing of `{}` would be different: {why}", deployment.name),
    )
    .hint("`wharf deployment show` has what is there")
}

/// Refuses what needs running instances of a deployment that has none.
pub(super) fn not_terminated(deployment: &DeploymentRecord) -> Result<(), Refusal> {
    if !deployment.terminated {
        return Ok(());
    }
    Err(refuse(
        codes::TERMINATED,
        format!("the deployment `{}` is terminated", deployment.name),
    )
    .hint("restore it first: `wharf deployment restore`"))
}

fn has_instances(state: &State, deployment: &DeploymentRecord) -> Result<(), Refusal> {
    let placed = state
        .deployment_instances(deployment)
        .any(|instance| instance.berth.is_some());
    if placed {
        return Ok(());
    }
    Err(refuse(
        codes::NO_INSTANCE,
        format!("the deployment `{}` has no instance", deployment.name),
    )
    .hint("apply the plan that was to make them again, `wharf plan reapply`, or delete it"))
}

fn resized(
    state: &State,
    deployment: &DeploymentRecord,
    sizes: &BTreeMap<String, Size>,
) -> Result<Wish, Refusal> {
    not_terminated(deployment)?;
    has_instances(state, deployment)?;
    resize::check(state, deployment, sizes)?;
    let changed = |instance: &&InstanceRecord| {
        let resource = state.resources.get(&instance.resource_id);
        let size = resource.and_then(|resource| sizes.get(&resource.kind));
        instance.paused && size.is_some_and(|size| *size != instance.size)
    };
    if let Some(paused) = state.deployment_instances(deployment).find(changed) {
        return Err(refuse(
            codes::PAUSED,
            format!("{} is paused and would have to start", paused.name),
        )
        .hint("resume it first: `wharf instance resume`"));
    }
    let mut wanted = wanted_now(state, deployment);
    for resource in &mut wanted.resources {
        if let Some(size) = sizes.get(&resource.kind) {
            resource.size = *size;
        }
    }
    Ok((PlanKind::Resize, wanted))
}

fn restarted(
    state: &State,
    deployment: &DeploymentRecord,
    selected: &[String],
) -> Result<Wish, Refusal> {
    not_terminated(deployment)?;
    has_instances(state, deployment)?;
    let field = |message: String, hint: String| {
        Refusal::new(RefusalKind::InvalidArgument, codes::NO_INSTANCE, message)
            .field("instances")
            .hint(hint)
    };
    if selected.len() > NAMES {
        return Err(field(
            format!("{} names are given, {NAMES} are allowed", selected.len()),
            "give kinds of resources, or none for all".to_owned(),
        ));
    }
    let mut names = Vec::new();
    let mut known = Vec::new();
    for resource in state.resources_of(deployment) {
        for instance in state.instances_of(resource) {
            known.push(instance.name.as_str());
            if !layout::names(selected, resource, instance) {
                continue;
            }
            if instance.paused {
                // It goes on waiting for being resumed; named by itself, it is asked for by mistake.
                if selected.contains(&instance.name) {
                    return Err(Refusal::new(
                        RefusalKind::FailedPrecondition,
                        codes::PAUSED,
                        format!("{} is paused", instance.name),
                    )
                    .field("instances")
                    .hint("resume it: `wharf instance resume`"));
                }
            } else if instance.berth.is_some() && instance.want != Want::Keep {
                names.push(instance.name.clone());
            } else if !selected.is_empty() {
                return Err(field(
                    format!("{} does not run", instance.name),
                    "`wharf plan reapply` starts what is not there".to_owned(),
                ));
            }
        }
    }
    let unknown = selected.iter().find(|name| {
        !known.contains(&name.as_str())
            && !state
                .resources_of(deployment)
                .any(|resource| resource.kind == **name)
    });
    if let Some(unknown) = unknown {
        return Err(field(
            format!(
                "the deployment `{}` has no instance or resource `{}`",
                deployment.name,
                cut(unknown, 64)
            ),
            format!("it has: {}", known.join(", ")),
        ));
    }
    let wanted = Wanted {
        restarted: names,
        ..wanted_now(state, deployment)
    };
    Ok((PlanKind::Restart, wanted))
}

fn terminated(state: &State, deployment: &DeploymentRecord) -> Result<Wish, Refusal> {
    if deployment.system_owned {
        return Err(refuse(
            codes::SYSTEM_OWNED,
            format!(
                "the deployment `{}` belongs to the platform and is not terminated",
                deployment.name
            ),
        )
        .hint("it goes with the platform: `make down`"));
    }
    not_terminated(deployment)?;
    has_instances(state, deployment)?;
    let wanted = Wanted {
        terminated: true,
        ..wanted_now(state, deployment)
    };
    Ok((PlanKind::Terminate, wanted))
}

/// Whether it is stopped and nobody paused it.
fn is_stopped(instance: &InstanceRecord) -> bool {
    matches!(instance.want, Want::Keep | Want::Stop) && !instance.paused
}

fn restored(state: &State, deployment: &DeploymentRecord) -> Result<Wish, Refusal> {
    let stopped = state.deployment_instances(deployment).any(is_stopped);
    if !stopped && !deployment.terminated {
        return Err(nothing(deployment, "it is not terminated"));
    }
    let wanted = Wanted {
        terminated: false,
        ..wanted_now(state, deployment)
    };
    Ok((PlanKind::Restore, wanted))
}

/// What an ended plan wanted, from what there is now.
fn reapplied(
    state: &State,
    deployment: &DeploymentRecord,
    plan: &PlanRecord,
) -> Result<Wish, Refusal> {
    let refuse = |message: String, hint: &str| {
        Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::PLAN_REAPPLY,
            message,
        )
        .field("plan_id")
        .hint(hint))
    };
    if !plan.status.ended() {
        return refuse(
            format!("the plan {} has not ended", plan.id),
            "wait for it, or cancel it first: `wharf plan cancel`",
        );
    }
    let Some(wanted) = &plan.wanted else {
        return refuse(
            format!(
                "the plan {} is of an older version and does not say what it wanted",
                plan.id
            ),
            "ask for the change itself",
        );
    };
    match plan.kind {
        PlanKind::ResetPassword => {
            return refuse(
                "a password is not made twice".to_owned(),
                "make another one: `wharf deployment reset-password`",
            );
        }
        PlanKind::Delete => {
            return refuse(
                "a deletion is asked for again by itself".to_owned(),
                "`wharf deployment delete`",
            );
        }
        PlanKind::Restart => return restarted(state, deployment, &wanted.restarted),
        PlanKind::Move => {
            return refuse(
                "a move is decided from where instances lie now".to_owned(),
                "ask for it anew: `wharf instance move`, `wharf allocator vacate`",
            );
        }
        PlanKind::Pause | PlanKind::Resume => {
            return moving::again(state, deployment, plan.kind, wanted);
        }
        _ => {}
    }
    if wanted.terminated {
        return if deployment.terminated {
            Err(nothing(deployment, "it is terminated"))
        } else {
            terminated(state, deployment)
        };
    }
    let mut wanted = Wanted {
        restarted: Vec::new(),
        moves: Vec::new(),
        paused: None,
        ..wanted.clone()
    };
    // Resources that came since stay as they are.
    for now in wanted_now(state, deployment).resources {
        if wanted.size(&now.kind).is_none() {
            wanted.resources.push(now);
        }
    }
    resize::check_disks(state, deployment, |kind| wanted.size(kind))?;
    let any = |of: &dyn Fn(&InstanceRecord) -> bool| state.deployment_instances(deployment).any(of);
    let kind = if any(&is_stopped) {
        PlanKind::Restore
    } else if any(&|one| one.berth.is_none() || (!one.routed && !one.paused)) {
        if deployment.current_plan.is_none() {
            PlanKind::Create
        } else {
            PlanKind::Extend
        }
    } else {
        PlanKind::Resize
    };
    Ok((kind, wanted))
}
