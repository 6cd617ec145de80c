//! State and memory at one time, and the messages of the API made from them: the core's, with what
//! only the shell knows added. The same for single objects, lists and streams. Not here: the mapping
//! of records (`wharf_director_core::messages`), which of them are sent.

use std::sync::Arc;

use wharf_director_core::{
    health::{self, Graces},
    messages,
    observe::Observations,
    state::{AllocatorRecord, DeploymentRecord, InstanceRecord, ProxyRecord, State},
};
use wharf_proto::{times::timestamp, v1};

use super::directors::row;
use crate::{director::Director, observations::Observatory};

/// Problems that the status names: of a zone that is lost, each host is one.
const PROBLEMS_SHOWN: usize = 100;

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
        messages::deployment(&self.state, &self.seen, record, self.now_ms)
    }

    /// An instance, wherever it lies.
    #[must_use]
    pub fn instance(&self, record: &InstanceRecord) -> v1::PlacedInstance {
        messages::placed_instance(&self.state, &self.seen, record, self.now_ms)
    }

    /// How a deployment is.
    #[must_use]
    pub fn deployment_health(&self, record: &DeploymentRecord) -> v1::Health {
        health::deployment(&self.state, &self.seen, record, &self.graces, self.now_ms)
            .health
            .into()
    }

    /// What an instance does, and how it is.
    #[must_use]
    pub fn instance_health(&self, record: &InstanceRecord) -> (v1::InstanceState, v1::Health) {
        let view = health::instance(&self.state, &self.seen, record, &self.graces, self.now_ms);
        (view.state, view.health.into())
    }

    /// Data that replacements left on hosts.
    #[must_use]
    pub fn set_aside(&self) -> Vec<v1::SetAsideCopy> {
        messages::set_aside(&self.state, &self.seen)
    }

    /// Where a deployment answers.
    #[must_use]
    pub fn endpoint(&self, record: &DeploymentRecord) -> String {
        messages::endpoint(&self.state, &record.alias)
    }

    /// An allocator.
    #[must_use]
    pub fn allocator(&self, observatory: &Observatory, record: &AllocatorRecord) -> v1::Allocator {
        let told = observatory.of_host(&record.id, |host| (host.facts.clone(), host.running));
        let (facts, containers) = told.unwrap_or_default();
        v1::Allocator {
            containers,
            ..messages::allocator(&self.state, &self.seen, record, facts)
        }
    }

    /// A proxy.
    #[must_use]
    pub fn proxy(&self, observatory: &Observatory, record: &ProxyRecord) -> v1::Proxy {
        let told = observatory.proxy(&record.id);
        v1::Proxy {
            requests_total: told.beat.requests_total,
            errors_total: told.beat.errors_total,
            open_connections: told.beat.open_connections,
            version: told.version,
            table_at: told.table_at_ms.map(timestamp),
            ..messages::proxy(&self.state, &self.seen, record)
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
            .filter(|record| health::is_as_wanted(state, seen, record, &self.graces, self.now_ms))
            .count();
        v1::PlatformStatus {
            platform_id: director.config.platform_id.to_string(),
            name: file.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            healthy: problems.is_empty() && platform.is_some(),
            problems_total: count(problems.len()),
            problems: problems
                .iter()
                .take(PROBLEMS_SHOWN)
                .map(Into::into)
                .collect(),
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
    let state = director.published.state();
    status
        .membership
        .all()
        .into_iter()
        .map(|member| {
            let own = member == status.member;
            let peer = director.peers.get(member).filter(|_| !own);
            let matched = status
                .peers
                .iter()
                .find(|peer| peer.member == member)
                .map_or(0, |peer| peer.matched);
            let mut records = state.directors.values();
            let seen = records
                .find(|record| record.member == member)
                .map(|record| row(director, &status, record))
                .unwrap_or_default();
            v1::DirectorMember {
                host: seen.host,
                zone: seen.zone,
                admin_address: seen.admin_address,
                lag: seen.lag,
                last_contact: seen.last_contact,
                connected: seen.connected,
                waits_for: seen.waits_for,
                id: if own {
                    director.config.director_id.to_string()
                } else {
                    peer.as_ref()
                        .map_or_else(String::new, |peer| peer.director_id.clone())
                },
                raft_id: member,
                address: if own {
                    format!(
                        "{}:{}",
                        director.config.platform.advertised_address,
                        director.config.platform.ports.internal
                    )
                } else {
                    peer.map_or_else(String::new, |peer| peer.internal_address)
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
