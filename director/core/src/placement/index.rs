//! The capacity index: what every allocator has free, grouped into classes (zone, connection,
//! maintenance, tags) and ordered by free memory, so that finding the best host looks at few. It
//! counts the hosts it looks at: tests hold that number flat. Built from the state and what is
//! connected; kept up to date by `refresh`. Not here: the choice itself (`solve`).

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use wharf_proto::ids::{AllocatorId, DeploymentId, ResourceId};

use crate::{
    size::Size,
    state::{AllocatorRecord, InstanceBerth, InstanceRecord, PortRange, State},
};

/// What the index keeps of an allocator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its id.
    pub id: AllocatorId,
    /// Its host's name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Its labels.
    pub tags: BTreeMap<String, String>,
    /// Its session is open.
    pub connected: bool,
    /// Nothing new is placed on it.
    pub maintenance: bool,
    /// What may be handed out.
    pub capacity: Size,
    /// What is handed out.
    pub used: Size,
    /// Its port range.
    pub ports: PortRange,
    /// Ports handed out, and ports that somebody else on the host has.
    pub taken_ports: BTreeMap<u16, u32>,
    /// Instances by resource.
    pub resources: BTreeMap<ResourceId, u32>,
    /// Instances by deployment.
    pub deployments: BTreeMap<DeploymentId, u32>,
}

impl Host {
    /// What is left.
    #[must_use]
    pub const fn free(&self) -> Size {
        self.capacity.minus(self.used)
    }

    /// The lowest port that nobody has and that was not refused.
    #[must_use]
    pub fn free_port(&self, refused: &BTreeSet<u16>) -> Option<u16> {
        (self.ports.start..=self.ports.end)
            .find(|port| !self.taken_ports.contains_key(port) && !refused.contains(port))
    }
}

/// What allocators of a class have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    pub(crate) zone: String,
    pub(crate) connected: bool,
    pub(crate) maintenance: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Hosts of a class by free memory, in both directions so that equal ones come in the order of
/// their ids either way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ranks {
    pub(crate) fullest: BTreeSet<(u64, AllocatorId)>,
    pub(crate) emptiest: BTreeSet<(u64, AllocatorId)>,
}

/// The capacity of a platform, indexed.
#[derive(Debug, Clone, Default)]
pub struct CapacityIndex {
    pub(crate) hosts: BTreeMap<AllocatorId, Host>,
    pub(crate) classes: BTreeMap<Class, Ranks>,
    /// Instances of each resource by zone.
    pub(crate) shares: BTreeMap<ResourceId, BTreeMap<String, u32>>,
    /// Instances of each deployment by zone.
    deployments: BTreeMap<DeploymentId, BTreeMap<String, u32>>,
    visits: Cell<u64>,
}

impl CapacityIndex {
    /// The index of a state. `connected` tells which allocators' sessions are open.
    #[must_use]
    pub fn build(state: &State, connected: impl Fn(&AllocatorId) -> bool) -> Self {
        let mut index = Self::default();
        for record in state.allocators.values() {
            index.put(host_of(state, record, connected(&record.id)));
        }
        index
    }

    /// The index of one allocator alone.
    #[must_use]
    pub fn of_one(state: &State, id: &AllocatorId) -> Self {
        let mut index = Self::default();
        if let Some(record) = state.allocators.get(id) {
            index.put(host_of(state, record, true));
        }
        index
    }

    /// Takes over what changed about one allocator.
    pub fn refresh(&mut self, state: &State, id: &AllocatorId, connected: bool) {
        self.take(id);
        if let Some(record) = state.allocators.get(id) {
            self.put(host_of(state, record, connected));
        }
    }

    /// The allocator.
    #[must_use]
    pub fn host(&self, id: &AllocatorId) -> Option<&Host> {
        self.hosts.get(id)
    }

    /// Every allocator, by id.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// How many hosts were looked at since the index was built.
    #[must_use]
    pub fn visits(&self) -> u64 {
        self.visits.get()
    }

    pub(crate) fn visit(&self) {
        self.visits.set(self.visits.get().saturating_add(1));
    }

    /// The instances of a resource in a zone, and in how many zones it has begun.
    pub(crate) fn share(&self, resource: &ResourceId, zone: &str) -> (u32, u32) {
        self.shares.get(resource).map_or((0, 0), |zones| {
            (
                zones.get(zone).copied().unwrap_or(0),
                u32::try_from(zones.len()).unwrap_or(u32::MAX),
            )
        })
    }

    /// Whether a zone has an instance of a deployment.
    pub(crate) fn zone_has(&self, deployment: &DeploymentId, zone: &str) -> bool {
        let zones = self.deployments.get(deployment);
        zones.is_some_and(|zones| zones.contains_key(zone))
    }

    /// Hands out a berth: returns whether the host is known.
    pub(crate) fn occupy(
        &mut self,
        id: &AllocatorId,
        deployment: &DeploymentId,
        resource: &ResourceId,
        size: Size,
        port: u16,
    ) -> bool {
        let Some(mut host) = self.take(id) else {
            return false;
        };
        host.used = host.used.plus(size);
        *host.taken_ports.entry(port).or_insert(0) += 1;
        *host.resources.entry(resource.clone()).or_insert(0) += 1;
        *host.deployments.entry(deployment.clone()).or_insert(0) += 1;
        self.put(host);
        true
    }

    /// Takes a berth back.
    pub(crate) fn release(
        &mut self,
        id: &AllocatorId,
        deployment: &DeploymentId,
        resource: &ResourceId,
        size: Size,
        port: u16,
    ) {
        let Some(mut host) = self.take(id) else {
            return;
        };
        host.used = host.used.minus(size);
        decrease(&mut host.taken_ports, &port);
        decrease(&mut host.resources, resource);
        decrease(&mut host.deployments, deployment);
        self.put(host);
    }

    /// Takes everything of an instance out: its place and the room that is held for it.
    pub(crate) fn lift(&mut self, instance: &InstanceRecord) {
        if let Some(berth) = &instance.berth {
            self.release(
                &berth.allocator_id,
                &instance.deployment_id,
                &instance.resource_id,
                instance.held(),
                berth.port,
            );
        }
        if let Some((claim, berth)) = instance
            .claim
            .as_ref()
            .and_then(|claim| Some((claim, claim.berth.as_ref()?)))
        {
            self.release(
                &berth.allocator_id,
                &instance.deployment_id,
                &instance.resource_id,
                claim.size,
                berth.port,
            );
        }
    }

    fn put(&mut self, host: Host) {
        let free = host.free().memory_bytes;
        let ranks = self.classes.entry(class_of(&host)).or_default();
        ranks.fullest.insert((free, host.id.clone()));
        ranks.emptiest.insert((u64::MAX - free, host.id.clone()));
        for (resource, count) in &host.resources {
            let zones = self.shares.entry(resource.clone()).or_default();
            *zones.entry(host.zone.clone()).or_insert(0) += count;
        }
        for (deployment, count) in &host.deployments {
            let zones = self.deployments.entry(deployment.clone()).or_default();
            *zones.entry(host.zone.clone()).or_insert(0) += count;
        }
        self.hosts.insert(host.id.clone(), host);
    }

    fn take(&mut self, id: &AllocatorId) -> Option<Host> {
        let host = self.hosts.remove(id)?;
        let class = class_of(&host);
        let free = host.free().memory_bytes;
        if let Some(ranks) = self.classes.get_mut(&class) {
            ranks.fullest.remove(&(free, host.id.clone()));
            ranks.emptiest.remove(&(u64::MAX - free, host.id.clone()));
            if ranks.fullest.is_empty() {
                self.classes.remove(&class);
            }
        }
        for (resource, count) in &host.resources {
            lessen(&mut self.shares, resource, &host.zone, *count);
        }
        for (deployment, count) in &host.deployments {
            lessen(&mut self.deployments, deployment, &host.zone, *count);
        }
        Some(host)
    }
}

/// Takes `count` of a key's instances out of a zone; what has none is left out.
fn lessen<K: Ord>(
    shares: &mut BTreeMap<K, BTreeMap<String, u32>>,
    key: &K,
    zone: &str,
    count: u32,
) {
    if let Some(zones) = shares.get_mut(key) {
        if let Some(share) = zones.get_mut(zone) {
            *share = share.saturating_sub(count);
            if *share == 0 {
                zones.remove(zone);
            }
        }
        if zones.is_empty() {
            shares.remove(key);
        }
    }
}

fn decrease<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn class_of(host: &Host) -> Class {
    Class {
        zone: host.zone.clone(),
        connected: host.connected,
        maintenance: host.maintenance,
        tags: host.tags.clone(),
    }
}

fn host_of(state: &State, record: &AllocatorRecord, connected: bool) -> Host {
    let mut host = Host {
        id: record.id.clone(),
        name: record.host.clone(),
        zone: record.zone.clone(),
        tags: record.tags.clone(),
        connected,
        maintenance: record.maintenance,
        capacity: record.capacity,
        used: Size::default(),
        ports: record.ports,
        taken_ports: BTreeMap::new(),
        resources: BTreeMap::new(),
        deployments: BTreeMap::new(),
    };
    for instance in state.allocator_instances(&record.id) {
        add(
            &mut host,
            instance,
            instance.held(),
            instance.berth.as_ref(),
        );
    }
    for (instance, claim, berth) in state.allocator_claims(&record.id) {
        add(&mut host, instance, claim.size, Some(berth));
    }
    host
}

fn add(host: &mut Host, instance: &InstanceRecord, size: Size, berth: Option<&InstanceBerth>) {
    host.used = host.used.plus(size);
    *host
        .resources
        .entry(instance.resource_id.clone())
        .or_insert(0) += 1;
    *host
        .deployments
        .entry(instance.deployment_id.clone())
        .or_insert(0) += 1;
    // What is terminated has no port.
    for port in berth
        .map(|berth| berth.port)
        .into_iter()
        .filter(|port| *port != 0)
        .chain(instance.refused_ports.iter().copied())
    {
        *host.taken_ports.entry(port).or_insert(0) += 1;
    }
}
