//! The leader's memory of what roles report: the core's observations, and beside them what only
//! people look at (host facts, containers with their samples, proxies' counters). Rebuilt from
//! sessions after a leader change, never in the log. Invariants: one session per role member, a new
//! one ends the old; a late word of an ended session changes nothing; everything is bounded. Not
//! here: what follows from it (the core), the streams (`sessions/`).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use wharf_director_core::{
    authority::{AuthorityReport, AuthorityReports},
    observe::Observations,
};
use wharf_proto::{
    ids::{AllocatorId, ProxyId},
    v1,
};
use wharf_runtime::task::Shutdown;

/// Containers kept of one host.
pub const CONTAINERS_PER_HOST: usize = 5_000;

/// What people see of a host beside its record.
#[derive(Debug, Clone, Default)]
pub struct HostSeen {
    /// Facts as last told.
    pub facts: Option<v1::HostFacts>,
    /// It has told of its containers.
    pub reported: bool,
    /// Its containers by id.
    pub containers: BTreeMap<String, Arc<v1::Container>>,
    /// How many of them run.
    pub running: u32,
}

/// What people see of a proxy beside its record.
#[derive(Debug, Clone, Default)]
pub struct ProxySeen {
    /// Its version.
    pub version: String,
    /// Its last heartbeat.
    pub beat: v1::ProxyHeartbeat,
    /// Since when it uses its table, by the director's clock.
    pub table_at_ms: Option<u64>,
}

#[derive(Default)]
struct Memory {
    core: Arc<Observations>,
    hosts: BTreeMap<AllocatorId, HostSeen>,
    proxies: BTreeMap<ProxyId, ProxySeen>,
    authorities: AuthorityReports,
    sessions: BTreeMap<String, (u64, Shutdown)>,
    next_session: u64,
}

/// See the module. Shared by `Arc`.
pub struct Observatory {
    memory: Mutex<Memory>,
    decisive: watch::Sender<u64>,
    visible: watch::Sender<u64>,
}

impl std::fmt::Debug for Observatory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observatory")
    }
}

impl Default for Observatory {
    fn default() -> Self {
        Self {
            memory: Mutex::default(),
            decisive: watch::Sender::new(0),
            visible: watch::Sender::new(0),
        }
    }
}

/// An open session: the right to report for one role member.
#[derive(Debug)]
pub struct Ticket {
    key: String,
    number: u64,
    /// Triggered when a newer session of the same member opened.
    pub superseded: Shutdown,
}

impl Observatory {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        // The memory is whole after every statement.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the core decides from.
    #[must_use]
    pub fn core(&self) -> Arc<Observations> {
        Arc::clone(&self.lock().core)
    }

    /// Which authorities roles follow whose session is open.
    #[must_use]
    pub fn authorities(&self) -> AuthorityReports {
        self.lock().authorities.clone()
    }

    /// Wakes when something changed that decisions follow from.
    #[must_use]
    pub fn decisive(&self) -> watch::Receiver<u64> {
        self.decisive.subscribe()
    }

    /// Wakes when anything changed.
    #[must_use]
    pub fn visible(&self) -> watch::Receiver<u64> {
        self.visible.subscribe()
    }

    fn changed(&self, decisive: bool) {
        if decisive {
            self.decisive.send_modify(|count| *count += 1);
        }
        self.visible.send_modify(|count| *count += 1);
    }

    /// Forgets everything and ends every session: another member leads, or this one begins to.
    pub fn reset(&self, leader_since_ms: u64) {
        let mut memory = self.lock();
        for (_, ended) in memory.sessions.values() {
            ended.trigger();
        }
        let next_session = memory.next_session;
        *memory = Memory {
            core: Arc::new(Observations {
                leader_since_ms,
                ..Observations::default()
            }),
            next_session,
            ..Memory::default()
        };
        drop(memory);
        self.changed(true);
    }

    fn open(memory: &mut Memory, key: String) -> Ticket {
        memory.next_session += 1;
        let number = memory.next_session;
        let superseded = Shutdown::new();
        if let Some((_, old)) = memory
            .sessions
            .insert(key.clone(), (number, superseded.clone()))
        {
            old.trigger();
        }
        Ticket {
            key,
            number,
            superseded,
        }
    }

    fn current(memory: &Memory, ticket: &Ticket) -> bool {
        memory
            .sessions
            .get(&ticket.key)
            .is_some_and(|(number, _)| *number == ticket.number)
    }

    /// A session of an allocator begins.
    #[must_use]
    pub fn open_allocator(
        &self,
        id: &AllocatorId,
        facts: Option<v1::HostFacts>,
        now_ms: u64,
    ) -> Ticket {
        let mut memory = self.lock();
        let ticket = Self::open(&mut memory, format!("allocator/{id}"));
        let seen = Arc::make_mut(&mut memory.core)
            .allocators
            .entry(id.clone())
            .or_default();
        seen.connected = true;
        seen.since_ms = now_ms;
        seen.heard_ms = now_ms;
        if let Some(facts) = &facts {
            seen.image_id = facts.image_id.chars().take(128).collect();
        }
        memory.hosts.entry(id.clone()).or_default().facts = facts;
        memory.authorities.allocators.remove(id);
        drop(memory);
        self.changed(true);
        ticket
    }

    /// An allocator says that it lives.
    pub fn allocator_beat(
        &self,
        ticket: &Ticket,
        id: &AllocatorId,
        beat: &v1::AllocatorHeartbeat,
        now_ms: u64,
    ) {
        let mut memory = self.lock();
        if !Self::current(&memory, ticket) {
            return;
        }
        let seen = Arc::make_mut(&mut memory.core)
            .allocators
            .entry(id.clone())
            .or_default();
        let before = (seen.applied_generation, seen.image_id.clone());
        seen.take_heartbeat(beat, now_ms);
        let decisive = before != (seen.applied_generation, seen.image_id.clone());
        let told = beat.authority.as_ref().map(AuthorityReport::from);
        let decisive = decisive || memory.authorities.allocators.get(id) != told.as_ref();
        match told {
            Some(told) => drop(memory.authorities.allocators.insert(id.clone(), told)),
            None => drop(memory.authorities.allocators.remove(id)),
        }
        if let Some(facts) = &beat.facts {
            memory.hosts.entry(id.clone()).or_default().facts = Some(facts.clone());
        }
        drop(memory);
        self.changed(decisive);
    }

    /// An allocator tells of its instances.
    pub fn allocator_instances(
        &self,
        ticket: &Ticket,
        id: &AllocatorId,
        report: &v1::InstanceObservations,
        now_ms: u64,
    ) {
        let mut memory = self.lock();
        if !Self::current(&memory, ticket) {
            return;
        }
        let seen = Arc::make_mut(&mut memory.core)
            .allocators
            .entry(id.clone())
            .or_default();
        seen.heard_ms = now_ms;
        seen.take_instances(report);
        drop(memory);
        self.changed(true);
    }

    /// An allocator tells of its host's containers. What it says of host and zone is replaced by
    /// what the platform knows.
    pub fn allocator_containers(
        &self,
        ticket: &Ticket,
        id: &AllocatorId,
        place: (&str, &str),
        report: v1::ContainerObservations,
    ) {
        let mut memory = self.lock();
        if !Self::current(&memory, ticket) {
            return;
        }
        let host = memory.hosts.entry(id.clone()).or_default();
        host.reported |= report.full;
        if report.full {
            host.containers.clear();
        }
        for gone in &report.gone_ids {
            host.containers.remove(gone);
        }
        for mut container in report.changed {
            if container.id.is_empty() || container.id.len() > 128 {
                continue;
            }
            if host.containers.len() >= CONTAINERS_PER_HOST
                && !host.containers.contains_key(&container.id)
            {
                continue;
            }
            container.allocator_id = id.to_string();
            place.0.clone_into(&mut container.host);
            place.1.clone_into(&mut container.zone);
            host.containers
                .insert(container.id.clone(), Arc::new(container));
        }
        let run = host
            .containers
            .values()
            .filter(|one| one.state == "running");
        host.running = u32::try_from(run.count()).unwrap_or(u32::MAX);
        drop(memory);
        self.changed(false);
    }

    /// A session of an allocator ends, after nothing was heard of it for so long.
    pub fn close_allocator(&self, ticket: &Ticket, id: &AllocatorId, now_ms: u64, unheard_ms: u64) {
        let mut memory = self.lock();
        if !Self::current(&memory, ticket) {
            return;
        }
        memory.sessions.remove(&ticket.key);
        memory.authorities.allocators.remove(id);
        if let Some(seen) = Arc::make_mut(&mut memory.core).allocators.get_mut(id) {
            seen.connected = false;
            seen.since_ms = now_ms.saturating_sub(unheard_ms);
            seen.unheard_ms = unheard_ms;
        }
        drop(memory);
        self.changed(true);
    }

    /// A session of a proxy begins.
    #[must_use]
    pub fn open_proxy(&self, id: &ProxyId, hello: &v1::ProxyHello, now_ms: u64) -> Ticket {
        let mut memory = self.lock();
        let ticket = Self::open(&mut memory, format!("proxy/{id}"));
        let seen = Arc::make_mut(&mut memory.core)
            .proxies
            .entry(id.clone())
            .or_default();
        seen.connected = true;
        seen.since_ms = now_ms;
        seen.heard_ms = now_ms;
        seen.table_generation = hello.held_generation;
        memory.authorities.proxies.remove(id);
        memory.proxies.entry(id.clone()).or_default().version =
            hello.version.chars().take(64).collect();
        drop(memory);
        self.changed(true);
        ticket
    }

    /// A proxy says that it lives.
    pub fn proxy_beat(&self, ticket: &Ticket, id: &ProxyId, beat: v1::ProxyHeartbeat, now_ms: u64) {
        let mut memory = self.lock();
        if !Self::current(&memory, ticket) {
            return;
        }
        let seen = Arc::make_mut(&mut memory.core)
            .proxies
            .entry(id.clone())
            .or_default();
        seen.heard_ms = now_ms;
        let decisive = seen.table_generation != beat.table_generation;
        seen.table_generation = beat.table_generation;
        let told = beat.authority.as_ref().map(AuthorityReport::from);
        let decisive = decisive || memory.authorities.proxies.get(id) != told.as_ref();
        match told {
            Some(told) => drop(memory.authorities.proxies.insert(id.clone(), told)),
            None => drop(memory.authorities.proxies.remove(id)),
        }
        let told = memory.proxies.entry(id.clone()).or_default();
        told.table_at_ms = beat.table_age_ms.map(|age| now_ms.saturating_sub(age));
        told.beat = beat;
        drop(memory);
        self.changed(decisive);
    }

    /// A session of a proxy ends.
    pub fn close_proxy(&self, ticket: &Ticket, id: &ProxyId, now_ms: u64) {
        let mut memory = self.lock();
        if !Self::current(&memory, ticket) {
            return;
        }
        memory.sessions.remove(&ticket.key);
        memory.authorities.proxies.remove(id);
        if let Some(seen) = Arc::make_mut(&mut memory.core).proxies.get_mut(id) {
            seen.connected = false;
            seen.since_ms = now_ms;
        }
        drop(memory);
        self.changed(true);
    }

    /// Something of a host; none before it told anything.
    #[must_use]
    pub fn of_host<T>(&self, id: &AllocatorId, of: impl FnOnce(&HostSeen) -> T) -> Option<T> {
        self.lock().hosts.get(id).map(of)
    }

    /// What people see of a proxy.
    #[must_use]
    pub fn proxy(&self, id: &ProxyId) -> ProxySeen {
        self.lock().proxies.get(id).cloned().unwrap_or_default()
    }

    /// Every container of every host.
    #[must_use]
    pub fn containers(&self) -> Vec<Arc<v1::Container>> {
        self.lock()
            .hosts
            .values()
            .flat_map(|host| host.containers.values().cloned())
            .collect()
    }

    /// Something of every host, by its allocator.
    #[must_use]
    pub fn map_hosts<T>(&self, of: impl Fn(&HostSeen) -> T) -> BTreeMap<AllocatorId, T> {
        let memory = self.lock();
        let mapped = memory.hosts.iter();
        mapped.map(|(id, host)| (id.clone(), of(host))).collect()
    }

    /// How many containers there are.
    #[must_use]
    pub fn container_count(&self) -> usize {
        self.lock()
            .hosts
            .values()
            .map(|host| host.containers.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> AllocatorId {
        AllocatorId::from_bytes([1; 16])
    }

    #[test]
    fn a_newer_session_ends_the_older_whose_words_no_longer_count() {
        let seen = Observatory::default();
        let old = seen.open_allocator(&id(), None, 1);
        let new = seen.open_allocator(&id(), None, 2);
        assert!(old.superseded.is_triggered() && !new.superseded.is_triggered());
        seen.close_allocator(&old, &id(), 3, 0);
        assert!(seen.core().connected(&id()));
        let beat = v1::AllocatorHeartbeat {
            applied_generation: 7,
            ..Default::default()
        };
        seen.allocator_beat(&old, &id(), &beat, 4);
        assert_eq!(seen.core().allocators[&id()].applied_generation, 0);
        seen.close_allocator(&new, &id(), 5, 2);
        assert!(!seen.core().connected(&id()));
        let core = seen.core();
        let allocator = &core.allocators[&id()];
        assert_eq!(
            (allocator.since_ms, allocator.unheard_ms),
            (3, 2),
            "since it was heard of last"
        );
    }

    #[test]
    fn containers_are_merged_and_carry_the_platforms_names() {
        let seen = Observatory::default();
        let ticket = seen.open_allocator(&id(), None, 1);
        let container = |id: &str| v1::Container {
            id: id.into(),
            host: "liar".into(),
            ..Default::default()
        };
        let report = v1::ContainerObservations {
            full: true,
            changed: vec![container("a"), container("b")],
            gone_ids: vec![],
        };
        seen.allocator_containers(&ticket, &id(), ("h1", "z1"), report);
        let report = v1::ContainerObservations {
            full: false,
            changed: vec![container("c")],
            gone_ids: vec!["a".into()],
        };
        seen.allocator_containers(&ticket, &id(), ("h1", "z1"), report);
        let found = seen.containers();
        let ids: Vec<&str> = found.iter().map(|found| found.id.as_str()).collect();
        assert_eq!(ids, ["b", "c"]);
        assert!(found.iter().all(|found| found.host == "h1"));
    }

    #[test]
    fn a_new_leader_begins_with_an_empty_memory_and_ends_old_sessions() {
        let seen = Observatory::default();
        let ticket = seen.open_allocator(&id(), None, 1);
        seen.reset(9);
        assert!(ticket.superseded.is_triggered());
        assert_eq!(seen.core().leader_since_ms, 9);
        assert!(seen.core().allocators.is_empty());
    }
}
