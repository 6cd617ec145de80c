//! Which deployments are due for an upgrade plan: a container that runs another image than its
//! host's although its allocator had time to replace it, another spec than this version of the
//! platform makes, or one whose port somebody else has taken since. Not here: what the plan does.

use wharf_proto::ids::DeploymentId;

use super::step;
use crate::{
    observe::{InstanceState, Observations},
    reconcile::assignment,
    state::{DeploymentRecord, PlanKind, PlanRecord, PlanStatus, State, Want},
    template::TemplateCatalog,
};

/// After an upgrade that failed, the next one is not tried before this time has passed.
pub const RETRY_MS: u64 = 10 * 60 * 1000;

/// An allocator replaces containers of an older image itself; a plan is due only when it has not
/// after this time.
pub const IMAGE_GRACE_MS: u64 = 120 * 1000;

/// Deployments that are due, with the reason. At most one for each call is to be proposed when the
/// platform should not restart everything at once; the leader decides.
#[must_use]
pub fn due(state: &State, observed: &Observations, now_ms: u64) -> Vec<(DeploymentId, String)> {
    state
        .deployments
        .values()
        .filter(|deployment| {
            deployment.pending_plan.is_none()
                && deployment.current_plan.is_some()
                && !deployment.deleting
                && !failed_lately(state, deployment, now_ms)
        })
        .filter_map(|deployment| {
            reason(state, observed, deployment, now_ms)
                .map(|reason| (deployment.id.clone(), reason))
        })
        .collect()
}

/// The platform's own deployment and why it is due for a plan that extends it: its template has a
/// resource that it lacks, or an earlier plan failed and left an instance without requests. Users' deployments get
/// nothing that nobody asked for.
#[must_use]
pub fn due_extension<'a>(
    state: &'a State,
    catalog: &TemplateCatalog,
    now_ms: u64,
) -> Option<(&'a DeploymentRecord, String)> {
    let deployment = state.system_deployment().filter(|deployment| {
        deployment.pending_plan.is_none()
            && !deployment.deleting
            && !failed_lately(state, deployment, now_ms)
    })?;
    let template = catalog.get(&deployment.template_id)?;
    let lacks = template.resources.iter().find(|resource| {
        !state
            .resources_of(deployment)
            .any(|own| own.kind == resource.kind)
    });
    if let Some(lacking) = lacks {
        let reason = format!("its template has the resource `{}`", lacking.kind);
        return Some((deployment, reason));
    }
    let undone = state
        .deployment_instances(deployment)
        .find(|instance| instance.berth.is_none() || instance.want == Want::Reserved)
        .or_else(|| {
            let failed =
                last_plan(state, deployment).is_some_and(|plan| plan.status == PlanStatus::Failed);
            state
                .deployment_instances(deployment)
                .find(|instance| failed && !instance.routed)
        })?;
    Some((
        deployment,
        format!("{} was left undone by an earlier plan", undone.name),
    ))
}

fn last_plan<'a>(state: &'a State, deployment: &DeploymentRecord) -> Option<&'a PlanRecord> {
    let last = state.plan_history.get(&deployment.id)?.back()?;
    state.plans.get(last).map(AsRef::as_ref)
}

fn failed_lately(state: &State, deployment: &DeploymentRecord, now_ms: u64) -> bool {
    last_plan(state, deployment).is_some_and(|plan| {
        plan.kind != PlanKind::Delete
            && plan.status != PlanStatus::Done
            && now_ms.saturating_sub(plan.ended_ms) < RETRY_MS
    })
}

fn reason(
    state: &State,
    observed: &Observations,
    deployment: &DeploymentRecord,
    now_ms: u64,
) -> Option<String> {
    state.deployment_instances(deployment).find_map(|instance| {
        let berth = instance
            .berth
            .as_ref()
            .filter(|_| instance.want == Want::Run)?;
        if assignment::spec_hash(state, instance) != instance.spec_hash {
            return Some(format!("{} is to run another spec", instance.name));
        }
        let seen = observed.instance(&berth.allocator_id, &instance.id)?;
        let allocator = observed
            .allocators
            .get(&berth.allocator_id)
            .filter(|seen| seen.connected)?;
        if seen.error_code == step::PORT_TAKEN && seen.port == berth.port {
            return Some(format!(
                "the port {} of {} was taken on its host",
                berth.port, instance.name
            ));
        }
        let had_time = now_ms.saturating_sub(allocator.image_since_ms) > IMAGE_GRACE_MS;
        let old_image = had_time
            && seen.state == InstanceState::Running
            && seen.spec_hash == instance.spec_hash
            && !step::runs_wanted_spec(observed, instance, berth, seen);
        old_image.then(|| format!("{} runs another image than its host", instance.name))
    })
}
