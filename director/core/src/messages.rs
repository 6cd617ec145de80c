//! Records and observations as the messages of the API. Pure mapping, one function for each noun,
//! so that every service, stream and façade shows the same. Not here: what only the shell knows
//! (a host's facts, a proxy's counters), which it adds.

mod snapshots;
pub mod zones;

use std::collections::BTreeSet;

use wharf_proto::{
    ids::{AllocatorId, PlanId},
    times, v1,
};

use crate::{
    health::{self, Graces},
    observe::{CopyStage, InstanceExit, Observations},
    plan::diff,
    state::{
        AllocatorRecord, ClaimStage, DeploymentRecord, InstanceRecord, PlanRecord, ProxyRecord,
        ResourceRecord, State, StepRecord, VacateStatus,
    },
};

fn time(ms: u64) -> Option<prost_types::Timestamp> {
    (ms > 0).then(|| times::timestamp(ms))
}

fn id_text(id: Option<&PlanId>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}

/// A plan with its steps and what it wants to be different.
#[must_use]
pub fn plan(state: &State, record: &PlanRecord) -> v1::Plan {
    v1::Plan {
        id: record.id.to_string(),
        deployment_id: record.deployment_id.to_string(),
        deployment_name: record.deployment_name.clone(),
        kind: v1::PlanKind::from(record.kind) as i32,
        status: v1::PlanStatus::from(record.status) as i32,
        parent_id: id_text(record.parent.as_ref()),
        created_at: time(record.created_ms),
        ended_at: time(record.ended_ms),
        reason: record.reason.clone(),
        error_code: record.error_code.clone(),
        steps: record.steps.iter().map(step).collect(),
        version: record.version,
        actor: record.actor.clone(),
        cancelling: record.undo_from.is_some() && !record.status.ended(),
        changes: diff::of_plan(state, record),
        hosts: record.hosts.iter().cloned().collect(),
    }
}

fn step(record: &StepRecord) -> v1::PlanStep {
    v1::PlanStep {
        step_id: record.kind.as_str().to_owned(),
        subject: record.subject.clone(),
        status: v1::StepStatus::from(record.status) as i32,
        started_at: time(record.started_ms),
        ended_at: time(record.ended_ms),
        waits_for: record.waits_for.clone(),
        log: record
            .log
            .iter()
            .map(|line| v1::LogLine {
                at: time(line.at_ms),
                text: line.text.clone(),
            })
            .collect(),
    }
}

/// The URL of a deployment's storage resource; empty before the platform is set up.
#[must_use]
pub fn endpoint(state: &State, alias: &str) -> String {
    state
        .platform
        .as_ref()
        .map_or_else(String::new, |platform| {
            format!(
                "https://{alias}.{}:{}",
                platform.domain, platform.proxy_https_port
            )
        })
}

/// A deployment with resources, instances and health.
#[must_use]
pub fn deployment(
    state: &State,
    observed: &Observations,
    record: &DeploymentRecord,
    now_ms: u64,
) -> v1::Deployment {
    let graces = Graces::of(state);
    let view = health::deployment(state, observed, record, &graces, now_ms);
    v1::Deployment {
        id: record.id.to_string(),
        name: record.name.clone(),
        alias: record.alias.clone(),
        template_id: record.template_id.clone(),
        version: record.version,
        system_owned: record.system_owned,
        created_at: time(record.created_ms),
        changed_at: time(record.changed_ms),
        health: v1::Health::from(view.health) as i32,
        problems: view.problems,
        resources: state
            .resources_of(record)
            .map(|known| resource(state, observed, known, &graces, now_ms))
            .collect(),
        pending_plan_id: id_text(record.pending_plan.as_ref()),
        current_plan_id: id_text(record.current_plan.as_ref()),
        endpoint: endpoint(state, &record.alias),
        deleting: record.deleting,
        terminated: record.terminated,
        on_host_loss: record.on_host_loss.as_str().to_owned(),
        snapshots: snapshots::deployment(state, observed, record),
    }
}

fn resource(
    state: &State,
    observed: &Observations,
    record: &ResourceRecord,
    graces: &Graces,
    now_ms: u64,
) -> v1::Resource {
    v1::Resource {
        id: record.id.to_string(),
        kind: record.kind.clone(),
        instance_configuration_id: record.instance_configuration_id.clone(),
        engine: record.engine.clone(),
        engine_version: record.engine_version.clone(),
        size: Some(record.size.into()),
        zone_count: record.zone_count,
        instances_per_zone: record.instances_per_zone,
        health: v1::Health::from(health::resource(state, observed, record, graces, now_ms)) as i32,
        instances: state
            .instances_of(record)
            .map(|known| instance(state, observed, known, graces, now_ms))
            .collect(),
    }
}

fn instance(
    state: &State,
    observed: &Observations,
    record: &InstanceRecord,
    graces: &Graces,
    now_ms: u64,
) -> v1::Instance {
    let view = health::instance(state, observed, record, graces, now_ms);
    let berth = record.berth.as_ref();
    let seen = berth.and_then(|berth| observed.instance(&berth.allocator_id, &record.id));
    v1::Instance {
        id: record.id.to_string(),
        name: record.name.clone(),
        allocator_id: berth
            .map(|berth| berth.allocator_id.to_string())
            .unwrap_or_default(),
        zone: berth.map(|berth| berth.zone.clone()).unwrap_or_default(),
        state: view.state as i32,
        health: v1::Health::from(view.health) as i32,
        container_id: seen
            .map(|seen| seen.container_id.clone())
            .unwrap_or_default(),
        generation: berth
            .and_then(|berth| state.assignments.get(&berth.allocator_id))
            .map_or(0, |assignment| assignment.generation),
        port: berth.map_or(0, |berth| u32::from(berth.port)),
        memory_bytes: record.size.memory_bytes,
        disk_bytes: record.size.disk_bytes,
        started_at: seen.and_then(|seen| time(seen.started_ms)),
        reason: view.reason,
        last_exit: seen.and_then(|seen| seen.last_exit.as_ref()).map(exit),
        restarts: seen.map_or(0, |seen| seen.restarts),
    }
}

/// An instance with where it lies, and how far it is on its way elsewhere.
#[must_use]
pub fn placed_instance(
    state: &State,
    observed: &Observations,
    record: &InstanceRecord,
    now_ms: u64,
) -> v1::PlacedInstance {
    let graces = Graces::of(state);
    let deployment = state.deployments.get(&record.deployment_id);
    v1::PlacedInstance {
        instance: Some(instance(state, observed, record, &graces, now_ms)),
        deployment_id: record.deployment_id.to_string(),
        deployment_name: deployment
            .map(|known| known.name.clone())
            .unwrap_or_default(),
        resource_kind: state
            .resources
            .get(&record.resource_id)
            .map(|known| known.kind.clone())
            .unwrap_or_default(),
        host: host_of(state, record).to_owned(),
        paused: record.paused,
        routing_stopped: record.routing_stopped,
        plan_id: id_text(plan_of(state, record)),
        copy: copy_progress(observed, record),
    }
}

/// The name of the host that an instance lies on; empty when it has no place.
#[must_use]
pub fn host_of<'a>(state: &'a State, record: &InstanceRecord) -> &'a str {
    let berth = record.berth.as_ref();
    let known = berth.and_then(|berth| state.allocators.get(&berth.allocator_id));
    known.map_or("", |known| known.host.as_str())
}

/// The plan that waits or runs and does something with an instance.
#[must_use]
pub fn plan_of<'a>(state: &'a State, record: &InstanceRecord) -> Option<&'a PlanId> {
    let deployment = state.deployments.get(&record.deployment_id)?;
    deployment.pending_plan.as_ref().filter(|id| {
        state.plans.get(*id).is_some_and(|plan| {
            let steps = plan.steps.iter();
            plan.steps.is_empty()
                || steps
                    .map(|step| step.instance_id.as_ref())
                    .any(|id| id.is_none_or(|id| *id == record.id))
        })
    })
}

fn host(state: &State, id: &AllocatorId) -> String {
    let known = state.allocators.get(id);
    known.map(|known| known.host.clone()).unwrap_or_default()
}

fn copy_progress(observed: &Observations, record: &InstanceRecord) -> Option<v1::CopyProgress> {
    let claim = record.claim.as_ref()?;
    let (here, there) = (record.berth.as_ref()?, claim.berth.as_ref()?);
    let (from, to) = match claim.stage {
        ClaimStage::Copying | ClaimStage::TakingOver => (here, there),
        ClaimStage::Retiring => (there, here),
        ClaimStage::Held | ClaimStage::Replacing | ClaimStage::Leaving => return None,
    };
    let seen = observed
        .instance(&to.allocator_id, &record.id)
        .and_then(|seen| seen.copy.clone())
        .unwrap_or_default();
    Some(v1::CopyProgress {
        from_allocator_id: from.allocator_id.to_string(),
        to_allocator_id: to.allocator_id.to_string(),
        bytes_done: seen.bytes_done,
        bytes_total: seen.bytes_total,
        stage: if claim.stage == ClaimStage::Retiring {
            CopyStage::Serving.as_str().to_owned()
        } else {
            seen.stage.as_str().to_owned()
        },
        pause_ms: seen.pause_ms,
    })
}

/// Data that replacements left on hosts, as the hosts tell.
#[must_use]
pub fn set_aside(state: &State, observed: &Observations) -> Vec<v1::SetAsideCopy> {
    let all = observed.allocators.iter();
    all.flat_map(|(id, seen)| seen.set_aside.iter().map(move |data| (id, data)))
        .map(|(id, data)| {
            let instance = state.instances.get(&data.instance_id);
            let deployment =
                instance.and_then(|instance| state.deployments.get(&instance.deployment_id));
            v1::SetAsideCopy {
                instance_id: data.instance_id.to_string(),
                instance_name: instance.map(|one| one.name.clone()).unwrap_or_default(),
                deployment_id: deployment.map(|one| one.id.to_string()).unwrap_or_default(),
                deployment_name: deployment.map(|one| one.name.clone()).unwrap_or_default(),
                allocator_id: id.to_string(),
                host: host(state, id),
                path: data.path.clone(),
                bytes: data.bytes,
                set_aside_at: time(data.set_aside_ms),
            }
        })
        .collect()
}

fn exit(exit: &InstanceExit) -> v1::InstanceExit {
    v1::InstanceExit {
        exit_code: exit.code,
        out_of_memory: exit.out_of_memory,
        at: time(exit.at_ms),
        log_tail: exit.log_tail.clone(),
    }
}

/// An allocator; the shell adds how many containers run there, and gives the host's facts.
#[must_use]
pub fn allocator(
    state: &State,
    observed: &Observations,
    record: &AllocatorRecord,
    facts: Option<v1::HostFacts>,
) -> v1::Allocator {
    let seen = observed.allocators.get(&record.id);
    let assignment = state.assignments.get(&record.id);
    v1::Allocator {
        id: record.id.to_string(),
        host: record.host.clone(),
        zone: record.zone.clone(),
        tags: record
            .tags
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        connected: seen.is_some_and(|seen| seen.connected),
        since: time(seen.map_or(observed.leader_since_ms, |seen| seen.since_ms)),
        maintenance: record.maintenance,
        capacity: Some(record.capacity.into()),
        used: Some(state.used(&record.id).into()),
        advertised_address: record.address.clone(),
        instances: instances_on(state, record),
        assigned_generation: assignment.map_or(0, |known| known.generation),
        applied_generation: seen.map_or(0, |seen| seen.applied_generation),
        facts,
        problems: seen
            .map(|seen| seen.problems.as_slice())
            .unwrap_or_default()
            .iter()
            .map(|problem| v1::HostProblem {
                code: problem.code.clone(),
                message: problem.message.clone(),
                hint: problem.hint.clone(),
            })
            .collect(),
        roles: roles(state, record),
        version: record.version,
        vacate_id: state
            .vacates
            .values()
            .find(|one| one.status == VacateStatus::Running && one.allocator_id == record.id)
            .map(|one| one.id.clone())
            .unwrap_or_default(),
        containers: 0,
    }
}

/// How many instances are assigned to an allocator.
#[must_use]
pub fn instances_on(state: &State, record: &AllocatorRecord) -> u32 {
    let assignment = state.assignments.get(&record.id);
    assignment.map_or(0, |known| {
        u32::try_from(known.instances.len()).unwrap_or(u32::MAX)
    })
}

/// What the allocator's host is: as it joined or was set, or as it was brought up.
fn roles(state: &State, record: &AllocatorRecord) -> Vec<String> {
    let joined = state.hosts.get(&record.id).map(|host| &host.roles);
    let mut roles: BTreeSet<&str> = match joined {
        Some(roles) => roles.iter().map(|role| role.as_str()).collect(),
        None => ["allocator"].into(),
    };
    let here = |host: &str| host == record.host;
    if joined.is_none() && state.proxies.values().any(|proxy| here(&proxy.host)) {
        roles.insert("proxy");
    }
    if state
        .directors
        .values()
        .any(|director| here(&director.facts.host))
    {
        roles.insert("director");
    }
    roles.into_iter().map(str::to_owned).collect()
}

/// A proxy; the shell adds counters and version.
#[must_use]
pub fn proxy(state: &State, observed: &Observations, record: &ProxyRecord) -> v1::Proxy {
    let seen = observed.proxies.get(&record.id);
    let table_generation = seen.map_or(0, |seen| seen.table_generation);
    v1::Proxy {
        id: record.id.to_string(),
        host: record.host.clone(),
        zone: record.zone.clone(),
        connected: seen.is_some_and(|seen| seen.connected),
        since: time(seen.map_or(observed.leader_since_ms, |seen| seen.since_ms)),
        table_generation,
        table_behind: seen.map(|_| state.routes.generation.saturating_sub(table_generation)),
        ..v1::Proxy::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    #[test]
    fn how_far_a_table_is_behind_is_told_of_proxies_that_were_heard_alone() {
        let mut world = World::with_host();
        world.create("logs");
        world.settle();
        let record = world.state.proxies.values().next().unwrap().clone();
        let behind = |world: &World| proxy(&world.state, &world.observed, &record).table_behind;
        assert_eq!(behind(&world), Some(0));
        let seen = world.observed.proxies.get_mut(&record.id).unwrap();
        seen.table_generation -= 1;
        assert_eq!(behind(&world), Some(1));
        world.observed.proxies.clear();
        assert_eq!(behind(&world), None);
    }

    #[test]
    fn a_running_deployment_shows_its_instance_its_plan_and_its_endpoint() {
        let mut world = World::with_host();
        let (id, plan_id) = world.create("logs");
        world.settle();
        let record = &world.state.deployments[&id];
        let message = deployment(&world.state, &world.observed, record, world.now_ms);
        assert_eq!(message.health(), v1::Health::Healthy);
        assert_eq!(message.endpoint, "https://logs.localhost:9243");
        assert_eq!(message.current_plan_id, plan_id.to_string());
        assert_eq!(
            message.resources[0].instances[0].state(),
            v1::InstanceState::Running
        );
        let message = plan(&world.state, world.plan(&plan_id));
        let steps: Vec<&str> = message
            .steps
            .iter()
            .map(|step| step.step_id.as_str())
            .collect();
        assert_eq!(steps, ["place", "start", "healthy", "route"]);
        assert!(
            message
                .steps
                .iter()
                .all(|step| step.status() == v1::StepStatus::Done)
        );
        assert!(message.ended_at.is_some());
        let host = world.state.allocators.values().next().unwrap();
        let message = allocator(&world.state, &world.observed, host, None);
        assert_eq!((message.instances, message.connected), (1, true));
        assert_eq!(message.applied_generation, message.assigned_generation);
    }
}
