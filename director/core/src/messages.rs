//! Records and observations as the messages of the API. Pure mapping, one function for each noun,
//! so that every service, stream and façade shows the same. Not here: what only the shell knows
//! (a host's facts, a proxy's counters), which it adds.

use wharf_proto::{ids::PlanId, times, v1};

use crate::{
    health::{self, Graces},
    observe::{InstanceExit, Observations},
    state::{
        AllocatorRecord, DeploymentRecord, InstanceRecord, PlanRecord, ProxyRecord, ResourceRecord,
        State, StepRecord,
    },
};

fn time(ms: u64) -> Option<prost_types::Timestamp> {
    (ms > 0).then(|| times::timestamp(ms))
}

fn id_text(id: Option<&PlanId>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}

/// A plan with its steps.
#[must_use]
pub fn plan(record: &PlanRecord) -> v1::Plan {
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

fn exit(exit: &InstanceExit) -> v1::InstanceExit {
    v1::InstanceExit {
        exit_code: exit.code,
        out_of_memory: exit.out_of_memory,
        at: time(exit.at_ms),
        log_tail: exit.log_tail.clone(),
    }
}

/// An allocator; the shell adds the host's facts.
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
        instances: assignment.map_or(0, |known| {
            u32::try_from(known.instances.len()).unwrap_or(u32::MAX)
        }),
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
    }
}

/// A proxy; the shell adds counters and version.
#[must_use]
pub fn proxy(observed: &Observations, record: &ProxyRecord) -> v1::Proxy {
    let seen = observed.proxies.get(&record.id);
    v1::Proxy {
        id: record.id.to_string(),
        host: record.host.clone(),
        zone: record.zone.clone(),
        connected: seen.is_some_and(|seen| seen.connected),
        since: time(seen.map_or(observed.leader_since_ms, |seen| seen.since_ms)),
        table_generation: seen.map_or(0, |seen| seen.table_generation),
        ..v1::Proxy::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

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
        let message = plan(world.plan(&plan_id));
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
