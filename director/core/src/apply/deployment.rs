//! Applying commands about deployments: each makes a plan; nothing runs before a plan's step says
//! so. Forgetting a deployment, the last step of its deletion, is here too.

use std::{collections::BTreeSet, sync::Arc};

use wharf_proto::ids::{DeploymentId, PlanId};

use crate::{
    apply::{check_version, plan, platform},
    command::{
        ACTOR_BYTES, CreateDeployment, DeleteDeployment, ExtendDeployment, NewResource,
        UpgradeDeployment,
    },
    deployment::validate,
    outcome::Outcome,
    placement,
    plan::layout::wanted_now,
    reconcile::assignment,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{
        ClaimStage, DeploymentRecord, FORGOTTEN_PLANS_KEPT, HostLoss, InstanceRecord, MoveWish,
        PLANS_KEPT, PlanKind, PlanRecord, PlanStatus, ResourceRecord, SecretRecord, State, Want,
        Wanted,
    },
};

/// Users of a deployment at most.
pub const USERS: usize = 16;

/// The name of the secret that holds a deployment's credentials.
#[must_use]
pub fn credentials_secret(id: &DeploymentId) -> String {
    format!("deployment/{id}/credentials")
}

pub(super) fn create(
    state: &mut State,
    body: &CreateDeployment,
    actor: &str,
) -> Result<Outcome, Refusal> {
    if state.platform.is_none() {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::NOT_BOOTSTRAPPED,
            "the platform is not set up yet",
        )
        .hint("wait until `wharf status` answers"));
    }
    validate::create(state, body)?;
    if body.users.len() > USERS {
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::USER,
            format!("a deployment has at most {USERS} users"),
        )
        .field("users"));
    }
    let secret_name = credentials_secret(&body.deployment_id);
    platform::check_secret(&secret_name, &body.sealed_credentials)?;
    // The platform's own deployment is asked for before the first allocator says hello; its plan
    // waits for room.
    if !body.system_owned {
        placement::preflight(state, body)?;
    }
    let now_ms = state.now_ms;
    insert_resources(state, &body.deployment_id, &body.resources);
    state
        .aliases
        .insert(body.alias.clone(), body.deployment_id.clone());
    state.secrets.insert(
        secret_name,
        SecretRecord {
            sealed: body.sealed_credentials.clone(),
            changed_ms: now_ms,
            version: 1,
        },
    );
    state.deployments.insert(
        body.deployment_id.clone(),
        DeploymentRecord {
            id: body.deployment_id.clone(),
            name: body.name.clone(),
            alias: body.alias.clone(),
            template_id: cut(&body.template_id, 64).to_owned(),
            version: 1,
            system_owned: body.system_owned,
            created_ms: now_ms,
            changed_ms: now_ms,
            resources: body
                .resources
                .iter()
                .map(|resource| resource.id.clone())
                .collect(),
            users: body.users.clone(),
            pending_plan: None,
            current_plan: None,
            deleting: false,
            last_error: None,
            terminated: false,
            next_user: None,
            on_host_loss: HostLoss::Wait,
            snapshot_policy: None,
            snapshot_requested: 0,
        },
    );
    let wanted = wanted(state, &body.deployment_id);
    begin_plan(
        state,
        &body.deployment_id,
        &body.plan_id,
        PlanKind::Create,
        wanted,
        actor,
        String::new(),
    );
    Ok(Outcome::Deployment {
        deployment_id: body.deployment_id.clone(),
        plan_id: body.plan_id.clone(),
    })
}

pub(super) fn delete(
    state: &mut State,
    body: &DeleteDeployment,
    actor: &str,
) -> Result<Outcome, Refusal> {
    let id = &body.deployment_id;
    let deployment = state
        .deployments
        .get(id)
        .ok_or_else(|| Refusal::not_found("deployment", id))?;
    let done = |plan_id: PlanId| Outcome::Deployment {
        deployment_id: id.clone(),
        plan_id,
    };
    if deployment.system_owned {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::SYSTEM_OWNED,
            format!(
                "the deployment `{}` belongs to the platform",
                deployment.name
            ),
        )
        .field("deployment")
        .hint("it goes with the platform: `make down PURGE=1`"));
    }
    if let Some(pending) = deployment
        .pending_plan
        .clone()
        .filter(|_| deployment.deleting)
    {
        return Ok(done(pending));
    }
    check_version("deployment", body.expected_version, deployment.version)?;
    free_plan_id(state, &body.plan_id)?;
    let torn = torn_moves(state, deployment);
    if let Some(pending) = deployment.pending_plan.clone() {
        plan::end(
            state,
            &pending,
            PlanStatus::Failed,
            codes::PLAN_REPLACED,
            "the deployment's deletion was asked for",
        );
    }
    if let Some(deployment) = state.deployments.get_mut(id) {
        deployment.deleting = true;
    }
    let wanted = Wanted {
        deleted: true,
        moves: torn,
        ..wanted(state, id)
    };
    let reason = String::new();
    begin_plan(
        state,
        id,
        &body.plan_id,
        PlanKind::Delete,
        wanted,
        actor,
        reason,
    );
    Ok(done(body.plan_id.clone()))
}

/// The moves that a deletion tears off in the middle of a take-over: nobody knows which of the two
/// places has the last writes, so the deletion that names them is not cancelled.
fn torn_moves(state: &State, deployment: &DeploymentRecord) -> Vec<MoveWish> {
    let pending = deployment.pending_plan.as_ref();
    let wanted = pending
        .and_then(|id| state.plans.get(id))
        .and_then(|plan| plan.wanted.as_ref());
    let moves = wanted.map(|wanted| wanted.moves.as_slice());
    moves
        .unwrap_or_default()
        .iter()
        .filter(|wish| {
            state
                .instances
                .get(&wish.instance_id)
                .and_then(|instance| instance.claim.as_ref())
                .is_some_and(|claim| claim.stage == ClaimStage::TakingOver)
        })
        .cloned()
        .collect()
}

/// What the deployment is, as what a plan wants.
fn wanted(state: &State, id: &DeploymentId) -> Wanted {
    state
        .deployments
        .get(id)
        .map(|deployment| wanted_now(state, deployment))
        .unwrap_or_default()
}

fn insert_resources(state: &mut State, deployment_id: &DeploymentId, resources: &[NewResource]) {
    for new in resources {
        for (ordinal, instance) in new.instances.iter().enumerate() {
            state.instances.insert(
                instance.id.clone(),
                InstanceRecord {
                    id: instance.id.clone(),
                    deployment_id: deployment_id.clone(),
                    resource_id: new.id.clone(),
                    name: cut(&instance.name, 80).to_owned(),
                    ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
                    size: new.size,
                    berth: None,
                    want: Want::Reserved,
                    routed: false,
                    revision: 1,
                    spec_hash: String::new(),
                    refused_ports: BTreeSet::new(),
                    claim: None,
                    proven: false,
                    paused: false,
                    routing_stopped: false,
                    lease_bound: false,
                    leased: false,
                    incarnation: 0,
                    last_snapshot: None,
                    restored_from: None,
                },
            );
        }
        state.resources.insert(
            new.id.clone(),
            ResourceRecord {
                id: new.id.clone(),
                deployment_id: deployment_id.clone(),
                kind: new.kind.clone(),
                instance_configuration_id: new.instance_configuration_id.clone(),
                engine: new.engine.clone(),
                engine_version: new.engine_version.clone(),
                size: new.size,
                zone_count: new.zone_count,
                instances_per_zone: new.instances_per_zone,
                required_tags: new.required_tags.clone(),
                instances: new
                    .instances
                    .iter()
                    .map(|instance| instance.id.clone())
                    .collect(),
            },
        );
    }
}

pub(super) fn extend(
    state: &mut State,
    body: &ExtendDeployment,
    actor: &str,
) -> Result<Outcome, Refusal> {
    let id = &body.deployment_id;
    let deployment = at_rest(state, id)?;
    check_version("deployment", body.expected_version, deployment.version)?;
    free_plan_id(state, &body.plan_id)?;
    validate::resources(state, &body.resources, state.resources_of(deployment))?;
    insert_resources(state, id, &body.resources);
    if let Some(deployment) = state.deployments.get_mut(id) {
        let added = body.resources.iter().map(|resource| resource.id.clone());
        deployment.resources.extend(added);
    }
    let wanted = wanted(state, id);
    begin_plan(
        state,
        id,
        &body.plan_id,
        PlanKind::Extend,
        wanted,
        actor,
        body.reason.clone(),
    );
    Ok(Outcome::Deployment {
        deployment_id: id.clone(),
        plan_id: body.plan_id.clone(),
    })
}

/// The deployment, if nothing is being done to it.
pub(super) fn at_rest<'a>(
    state: &'a State,
    id: &DeploymentId,
) -> Result<&'a DeploymentRecord, Refusal> {
    let deployment = state
        .deployments
        .get(id)
        .ok_or_else(|| Refusal::not_found("deployment", id))?;
    if deployment.deleting {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::DELETING,
            format!("the deployment `{}` is being deleted", deployment.name),
        )
        .field("deployment"));
    }
    if let Some(pending) = &deployment.pending_plan {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::PLAN_PENDING,
            format!("the plan {pending} is not yet carried out"),
        )
        .field("deployment")
        .hint("wait for it, `wharf plan follow`, or end it: `wharf plan cancel`"));
    }
    Ok(deployment)
}

pub(super) fn upgrade(
    state: &mut State,
    body: &UpgradeDeployment,
    actor: &str,
) -> Result<Outcome, Refusal> {
    let id = &body.deployment_id;
    at_rest(state, id)?;
    free_plan_id(state, &body.plan_id)?;
    let wanted = wanted(state, id);
    begin_plan(
        state,
        id,
        &body.plan_id,
        PlanKind::Upgrade,
        wanted,
        actor,
        body.reason.clone(),
    );
    Ok(Outcome::Deployment {
        deployment_id: id.clone(),
        plan_id: body.plan_id.clone(),
    })
}

pub(super) fn free_plan_id(state: &State, id: &PlanId) -> Result<(), Refusal> {
    if state.plans.contains_key(id) {
        return Err(Refusal::new(
            RefusalKind::AlreadyExists,
            codes::ID_TAKEN,
            format!("the plan id {id} is taken"),
        )
        .hint("send the request again"));
    }
    Ok(())
}

/// Makes a plan pending.
pub(super) fn begin_plan(
    state: &mut State,
    id: &DeploymentId,
    plan: &PlanId,
    kind: PlanKind,
    wanted: Wanted,
    actor: &str,
    reason: String,
) {
    let now_ms = state.now_ms;
    let Some(deployment) = state.deployments.get_mut(id) else {
        return;
    };
    deployment.pending_plan = Some(plan.clone());
    deployment.changed_ms = now_ms;
    if kind != PlanKind::Create {
        deployment.version = deployment.version.saturating_add(1);
    }
    let record = PlanRecord {
        id: plan.clone(),
        deployment_id: id.clone(),
        deployment_name: deployment.name.clone(),
        kind,
        status: PlanStatus::Pending,
        parent: deployment.current_plan.clone(),
        created_ms: now_ms,
        adopted_ms: 0,
        ended_ms: 0,
        reason: cut(&reason, crate::state::plan::REASON_BYTES).to_owned(),
        error_code: String::new(),
        attempts: 0,
        steps: Vec::new(),
        version: 1,
        actor: cut(actor, ACTOR_BYTES).to_owned(),
        wanted: Some(wanted),
        undo_from: None,
        hosts: BTreeSet::new(),
    };
    state.plans.insert(plan.clone(), Arc::new(record));
    let history = state.plan_history.entry(id.clone()).or_default();
    history.push_back(plan.clone());
    while history.len() > PLANS_KEPT {
        if let Some(oldest) = history.pop_front() {
            state.plans.remove(&oldest);
        }
    }
}

/// Forgets a deployment with all that belongs to it; its plans stay for a while.
pub(super) fn forget(state: &mut State, id: &DeploymentId) {
    let Some(deployment) = state.deployments.remove(id) else {
        return;
    };
    state.aliases.remove(&deployment.alias);
    let mut touched = BTreeSet::new();
    for resource_id in &deployment.resources {
        let Some(resource) = state.resources.remove(resource_id) else {
            continue;
        };
        remove_secrets(state, &format!("resource/{resource_id}/"));
        for instance_id in &resource.instances {
            remove_secrets(state, &format!("instance/{instance_id}/"));
            let Some(instance) = state.instances.remove(instance_id) else {
                continue;
            };
            if let Some(claimed) = instance.claim.and_then(|claim| claim.berth)
                && let Some(assignment) = state.assignments.get_mut(&claimed.allocator_id)
            {
                assignment.claims.remove(instance_id);
            }
            let Some(berth) = instance.berth else {
                continue;
            };
            if let Some(assignment) = state.assignments.get_mut(&berth.allocator_id) {
                assignment.instances.remove(instance_id);
            }
            if instance.want != Want::Reserved {
                assignment::remember_removed(state, &berth.allocator_id, instance_id.clone());
            }
            touched.insert(berth.allocator_id);
        }
    }
    remove_secrets(state, &format!("deployment/{id}/"));
    state.health.remove(&format!("deployment/{id}"));
    for allocator_id in &touched {
        assignment::settle(state, allocator_id);
    }
    prune_forgotten(state);
}

fn remove_secrets(state: &mut State, prefix: &str) {
    let names: Vec<String> = state
        .secrets
        .range(prefix.to_owned()..)
        .map(|(name, _)| name.clone())
        .take_while(|name| name.starts_with(prefix))
        .collect();
    for name in names {
        state.secrets.remove(&name);
    }
}

fn prune_forgotten(state: &mut State) {
    let mut old: Vec<(u64, DeploymentId, PlanId)> = state
        .plan_history
        .iter()
        .filter(|(id, _)| !state.deployments.contains_key(*id))
        .flat_map(|(id, plans)| plans.iter().map(move |plan| (id, plan)))
        .map(|(id, plan)| {
            let created = state.plans.get(plan).map_or(0, |plan| plan.created_ms);
            (created, id.clone(), plan.clone())
        })
        .collect();
    old.sort_unstable();
    let excess = old.len().saturating_sub(FORGOTTEN_PLANS_KEPT);
    for (_, deployment_id, plan_id) in old.into_iter().take(excess) {
        state.plans.remove(&plan_id);
        if let Some(history) = state.plan_history.get_mut(&deployment_id) {
            history.retain(|kept| *kept != plan_id);
            if history.is_empty() {
                state.plan_history.remove(&deployment_id);
            }
        }
    }
}
