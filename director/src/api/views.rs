//! How records and observations look to people: messages of the API made from state and memory. The
//! same for single objects, lists and streams. Not here: which of them are sent.

use std::sync::Arc;

use wharf_director_core::{
    health::{self, Graces},
    observe::Observations,
    state::{
        AllocatorRecord, DeploymentRecord, InstanceRecord, PlanRecord, ProxyRecord, ResourceRecord,
        State,
    },
};
use wharf_proto::{times::timestamp, v1};

use crate::{director::Director, observations::Observatory};

/// State and memory at one time.
pub struct View {
    /// The state.
    pub state: Arc<State>,
    /// The leader's memory.
    pub seen: Arc<Observations>,
    /// The time.
    pub now_ms: u64,
    graces: Graces,
}

fn time(ms: u64) -> Option<prost_types::Timestamp> {
    (ms > 0).then(|| timestamp(ms))
}

impl View {
    /// The view now.
    #[must_use]
    pub fn of(director: &Director) -> Self {
        let state = director.published.state();
        Self {
            graces: Graces::of(&state),
            seen: director.seen.core(),
            now_ms: director.now_ms(),
            state,
        }
    }

    /// A deployment.
    #[must_use]
    pub fn deployment(&self, record: &DeploymentRecord) -> v1::Deployment {
        let view = health::deployment(&self.state, &self.seen, record, &self.graces, self.now_ms);
        let id = |id: &Option<wharf_proto::ids::PlanId>| {
            id.as_ref().map(ToString::to_string).unwrap_or_default()
        };
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
            resources: self
                .state
                .resources_of(record)
                .map(|resource| self.resource(resource))
                .collect(),
            pending_plan_id: id(&record.pending_plan),
            current_plan_id: id(&record.current_plan),
            endpoint: self.endpoint(record),
            deleting: record.deleting,
        }
    }

    /// Where a deployment answers.
    #[must_use]
    pub fn endpoint(&self, record: &DeploymentRecord) -> String {
        self.state
            .platform
            .as_ref()
            .map_or_else(String::new, |platform| {
                format!(
                    "https://{}.{}:{}",
                    record.alias, platform.domain, platform.proxy_https_port
                )
            })
    }

    fn resource(&self, record: &ResourceRecord) -> v1::Resource {
        let health = health::resource(&self.state, &self.seen, record, &self.graces, self.now_ms);
        v1::Resource {
            id: record.id.to_string(),
            kind: record.kind.clone(),
            instance_configuration_id: record.instance_configuration_id.clone(),
            engine: record.engine.clone(),
            engine_version: record.engine_version.clone(),
            size: Some(record.size.into()),
            zone_count: record.zone_count,
            instances_per_zone: record.instances_per_zone,
            health: v1::Health::from(health) as i32,
            instances: self
                .state
                .instances_of(record)
                .map(|instance| self.instance(instance))
                .collect(),
        }
    }

    fn instance(&self, record: &InstanceRecord) -> v1::Instance {
        let view = health::instance(&self.state, &self.seen, record, &self.graces, self.now_ms);
        let berth = record.berth.as_ref();
        let seen = berth
            .and_then(|berth| self.seen.instance(&berth.allocator_id, &record.id))
            .cloned()
            .unwrap_or_default();
        v1::Instance {
            id: record.id.to_string(),
            name: record.name.clone(),
            allocator_id: berth
                .map(|berth| berth.allocator_id.to_string())
                .unwrap_or_default(),
            zone: berth.map(|berth| berth.zone.clone()).unwrap_or_default(),
            state: view.state as i32,
            health: v1::Health::from(view.health) as i32,
            container_id: seen.container_id,
            generation: record.revision,
            port: berth.map_or(0, |berth| u32::from(berth.port)),
            memory_bytes: record.size.memory_bytes,
            disk_bytes: record.size.disk_bytes,
            started_at: time(seen.started_ms),
            reason: view.reason,
            last_exit: seen.last_exit.map(|exit| v1::InstanceExit {
                exit_code: exit.code,
                out_of_memory: exit.out_of_memory,
                at: time(exit.at_ms),
                log_tail: exit.log_tail,
            }),
            restarts: seen.restarts,
        }
    }

    /// An allocator.
    #[must_use]
    pub fn allocator(&self, observatory: &Observatory, record: &AllocatorRecord) -> v1::Allocator {
        let seen = self.seen.allocators.get(&record.id);
        let assignment = self.state.assignments.get(&record.id);
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
            since: time(seen.map_or(self.seen.leader_since_ms, |seen| seen.since_ms)),
            maintenance: record.maintenance,
            capacity: Some(record.capacity.into()),
            used: Some(self.state.used(&record.id).into()),
            advertised_address: record.address.clone(),
            instances: assignment.map_or(0, |assignment| {
                u32::try_from(assignment.instances.len()).unwrap_or(u32::MAX)
            }),
            assigned_generation: assignment.map_or(0, |assignment| assignment.generation),
            applied_generation: seen.map_or(0, |seen| seen.applied_generation),
            facts: observatory.facts(&record.id),
            problems: seen
                .into_iter()
                .flat_map(|seen| &seen.problems)
                .map(|problem| v1::HostProblem {
                    code: problem.code.clone(),
                    message: problem.message.clone(),
                    hint: problem.hint.clone(),
                })
                .collect(),
        }
    }

    /// A proxy.
    #[must_use]
    pub fn proxy(&self, observatory: &Observatory, record: &ProxyRecord) -> v1::Proxy {
        let seen = self.seen.proxies.get(&record.id);
        let told = observatory.proxy(&record.id);
        v1::Proxy {
            id: record.id.to_string(),
            host: record.host.clone(),
            zone: record.zone.clone(),
            connected: seen.is_some_and(|seen| seen.connected),
            since: time(seen.map_or(self.seen.leader_since_ms, |seen| seen.since_ms)),
            table_generation: seen.map_or(0, |seen| seen.table_generation),
            requests_total: told.beat.requests_total,
            errors_total: told.beat.errors_total,
            open_connections: told.beat.open_connections,
            version: told.version,
        }
    }

    /// The platform.
    #[must_use]
    pub fn status(&self, director: &Director) -> v1::PlatformStatus {
        let (state, seen) = (&self.state, &self.seen);
        let problems = health::problems(state, seen, self.now_ms);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let platform = state.platform.as_ref();
        let file = &director.config.platform;
        let healthy = state
            .deployments
            .values()
            .filter(|record| {
                let view = health::deployment(state, seen, record, &self.graces, self.now_ms);
                view.health == wharf_director_core::observe::Health::Healthy
            })
            .count();
        v1::PlatformStatus {
            platform_id: director.config.platform_id.to_string(),
            name: file.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            healthy: problems.is_empty() && platform.is_some(),
            problems: problems.iter().map(Into::into).collect(),
            directors: directors(director),
            allocators: count(state.allocators.len()),
            allocators_connected: count(
                seen.allocators
                    .values()
                    .filter(|seen| seen.connected)
                    .count(),
            ),
            proxies: count(state.proxies.len()),
            proxies_connected: count(seen.proxies.values().filter(|seen| seen.connected).count()),
            deployments: count(state.deployments.len()),
            deployments_healthy: count(healthy),
            containers: count(director.seen.container_count()),
            plans_running: count(state.open_plans().count()),
            admin_url: format!("https://{}:{}", file.advertised_address, file.ports.admin),
            proxy_url: format!("https://*.{}:{}", file.domain, file.ports.proxy_https),
            feature_level: state.feature_level,
        }
    }
}

/// The members, as this one sees them.
fn directors(director: &Director) -> Vec<v1::DirectorMember> {
    let status = director.raft.status().borrow().clone();
    status
        .membership
        .all()
        .into_iter()
        .map(|member| {
            let own = member == status.member;
            let matched = status
                .peers
                .iter()
                .find(|peer| peer.member == member)
                .map_or(0, |peer| peer.matched);
            v1::DirectorMember {
                id: if own {
                    director.config.director_id.to_string()
                } else {
                    String::new()
                },
                raft_id: member,
                address: if own {
                    format!(
                        "{}:{}",
                        director.config.platform.advertised_address,
                        director.config.platform.ports.internal
                    )
                } else {
                    String::new()
                },
                leader: status.leader == Some(member),
                voter: status.membership.voters.contains(&member),
                term: status.term,
                applied_index: if own { status.applied } else { matched },
                commit_index: status.commit,
                last_snapshot_index: if own { status.snapshot_index } else { 0 },
            }
        })
        .collect()
}

/// A plan.
#[must_use]
pub fn plan(record: &PlanRecord) -> v1::Plan {
    v1::Plan {
        id: record.id.to_string(),
        deployment_id: record.deployment_id.to_string(),
        deployment_name: record.deployment_name.clone(),
        kind: v1::PlanKind::from(record.kind) as i32,
        status: v1::PlanStatus::from(record.status) as i32,
        parent_id: record
            .parent
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        created_at: time(record.created_ms),
        ended_at: time(record.ended_ms),
        reason: record.reason.clone(),
        error_code: record.error_code.clone(),
        steps: record
            .steps
            .iter()
            .map(|step| v1::PlanStep {
                step_id: step.kind.as_str().to_owned(),
                subject: step.subject.clone(),
                status: v1::StepStatus::from(step.status) as i32,
                started_at: time(step.started_ms),
                ended_at: time(step.ended_ms),
                waits_for: step.waits_for.clone(),
                log: step
                    .log
                    .iter()
                    .map(|line| v1::LogLine {
                        at: time(line.at_ms),
                        text: line.text.clone(),
                    })
                    .collect(),
            })
            .collect(),
        version: record.version,
    }
}
