//! The choice of berths: all instances of a plan or none. Greedy in the order given, each to the
//! best host by `Score`. Instances that have a berth are not asked about, so solving a solved
//! state changes nothing. Not here: adopting the answer (`apply/plan`).

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId, ResourceId};

use super::{
    filters::{self, Filter},
    index::{CapacityIndex, Host},
    score::{Score, Strategy},
};
use crate::{
    command::{CreateDeployment, NewBerth},
    refusal::{Refusal, RefusalKind, codes},
    size::{MIB, Size},
    state::{DeploymentRecord, InstanceRecord, ResourceRecord, State},
};

/// An instance that looks for a berth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Which.
    pub instance_id: InstanceId,
    /// Its name, for explanations.
    pub name: String,
    /// Of which deployment.
    pub deployment_id: DeploymentId,
    /// Of which resource.
    pub resource_id: ResourceId,
    /// The resource's kind, for explanations.
    pub kind: String,
    /// Its size.
    pub size: Size,
    /// Over how many zones the resource lies.
    pub zone_count: u32,
    /// How many instances in each.
    pub instances_per_zone: u32,
    /// Tags that the allocator must carry.
    pub required_tags: BTreeMap<String, String>,
    /// Ports that its last host refused.
    pub refused_ports: BTreeSet<u16>,
    /// Where it lay before.
    pub previous: Option<AllocatorId>,
    /// Where it may go; empty: anywhere.
    pub allowed: BTreeSet<AllocatorId>,
    /// Where it may not go.
    pub excluded: BTreeSet<AllocatorId>,
}

/// Why an instance has no berth: how many allocators each filter refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRoom {
    /// The instance's name.
    pub instance: String,
    /// The resource's kind.
    pub kind: String,
    /// Its size.
    pub size: Size,
    /// Allocators looked at.
    pub allocators: usize,
    /// By filter: how many, and the first one's detail.
    pub refused: BTreeMap<Filter, (usize, String)>,
}

impl NoRoom {
    /// In words, with figures.
    #[must_use]
    pub fn explain(&self) -> String {
        let need = format!(
            "no allocator has room for {} ({} MiB of memory, {} MiB of disk, {} thousandths of a core)",
            self.instance,
            self.size.memory_bytes / MIB,
            self.size.disk_bytes / MIB,
            self.size.cpu_millis
        );
        if self.allocators == 0 {
            return format!("{need}: there is no allocator");
        }
        let parts: Vec<String> = self
            .refused
            .iter()
            .map(|(filter, (count, detail))| format!("{count} {} ({detail})", filter.as_str()))
            .collect();
        format!(
            "{need}: of {} allocators, {}",
            self.allocators,
            parts.join(", ")
        )
    }

    /// As a refusal that names the field.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let part = match self.refused.keys().next_back() {
            Some(Filter::Disk) => "disk_bytes",
            Some(Filter::Cpu) => "cpu_millis",
            _ => "memory_bytes",
        };
        Refusal::new(RefusalKind::ResourceExhausted, codes::CAPACITY, self.explain())
            .field(format!("sizes.{}.{part}", self.kind))
            .hint("choose a smaller size, free capacity, or add an allocator; `wharf allocator list` shows what is free")
    }
}

/// The need of an instance.
#[must_use]
pub fn need_of(instance: &InstanceRecord, resource: &ResourceRecord) -> Need {
    Need {
        instance_id: instance.id.clone(),
        name: instance.name.clone(),
        deployment_id: instance.deployment_id.clone(),
        resource_id: instance.resource_id.clone(),
        kind: resource.kind.clone(),
        size: instance.size,
        zone_count: resource.zone_count,
        instances_per_zone: resource.instances_per_zone,
        required_tags: resource.required_tags.clone(),
        refused_ports: instance.refused_ports.clone(),
        previous: None,
        allowed: BTreeSet::new(),
        excluded: BTreeSet::new(),
    }
}

/// The needs of a deployment's instances that have no berth.
#[must_use]
pub fn needs_of(state: &State, deployment: &DeploymentRecord) -> Vec<Need> {
    state
        .resources_of(deployment)
        .flat_map(|resource| {
            state
                .instances_of(resource)
                .filter(|instance| instance.berth.is_none())
                .map(|instance| need_of(instance, resource))
        })
        .collect()
}

/// Finds a berth for every need, and hands them out in the index. On failure the index is as
/// before.
///
/// # Errors
/// The first need without a berth, with every filter's refusals.
pub fn solve(
    index: &mut CapacityIndex,
    needs: &[Need],
    strategy: Strategy,
) -> Result<Vec<NewBerth>, NoRoom> {
    let mut berths: Vec<NewBerth> = Vec::with_capacity(needs.len());
    for need in needs {
        match best(index, need, strategy) {
            Some((id, port)) => {
                index.occupy(&id, &need.deployment_id, &need.resource_id, need.size, port);
                berths.push(NewBerth {
                    instance_id: need.instance_id.clone(),
                    allocator_id: id,
                    port,
                });
            }
            None => {
                let no_room = no_room(index, need);
                for (berth, given) in berths.iter().zip(needs) {
                    index.release(
                        &berth.allocator_id,
                        &given.deployment_id,
                        &given.resource_id,
                        given.size,
                        berth.port,
                    );
                }
                return Err(no_room);
            }
        }
    }
    Ok(berths)
}

/// Whether there is room for a new deployment, beside what is placed and what still waits to be
/// placed. Allocators count as connected: silence is not a reason to refuse a wish.
///
/// # Errors
/// Names the size that does not fit.
pub fn preflight(state: &State, body: &CreateDeployment) -> Result<(), Refusal> {
    let mut index = CapacityIndex::build(state, |_| true);
    let strategy = strategy_of(state);
    for plan in state.open_plans() {
        let waiting = state
            .deployments
            .get(&plan.deployment_id)
            .map(|waiting| needs_of(state, waiting));
        if let Some(needs) = waiting.filter(|needs| !needs.is_empty()) {
            // What waits and does not fit either takes nothing.
            let _ = solve(&mut index, &needs, strategy);
        }
    }
    let needs: Vec<Need> = body
        .resources
        .iter()
        .flat_map(|resource| {
            resource.instances.iter().map(|instance| Need {
                instance_id: instance.id.clone(),
                name: instance.name.clone(),
                deployment_id: body.deployment_id.clone(),
                resource_id: resource.id.clone(),
                kind: resource.kind.clone(),
                size: resource.size,
                zone_count: resource.zone_count,
                instances_per_zone: resource.instances_per_zone,
                required_tags: resource.required_tags.clone(),
                refused_ports: BTreeSet::new(),
                previous: None,
                allowed: BTreeSet::new(),
                excluded: BTreeSet::new(),
            })
        })
        .collect();
    solve(&mut index, &needs, strategy)
        .map(|_| ())
        .map_err(|no_room| no_room.refusal())
}

/// The strategy that the settings name.
#[must_use]
pub fn strategy_of(state: &State) -> Strategy {
    state
        .setting("placement.strategy")
        .and_then(Strategy::parse)
        .unwrap_or_default()
}

/// Another port on the same host, when the host refused the one it has.
#[must_use]
pub fn other_port(state: &State, instance: &InstanceRecord, refused: u16) -> Option<u16> {
    let berth = instance.berth.as_ref()?;
    let index = CapacityIndex::of_one(state, &berth.allocator_id);
    let mut ports = instance.refused_ports.clone();
    ports.insert(refused);
    index.host(&berth.allocator_id)?.free_port(&ports)
}

pub(super) fn score(index: &CapacityIndex, host: &Host, need: &Need, strategy: Strategy) -> Score {
    let free = host.free().memory_bytes;
    Score {
        zone_share: index.share(&need.resource_id, &host.zone).0,
        siblings: if strategy.spreads_deployment() {
            host.deployments
                .get(&need.deployment_id)
                .copied()
                .unwrap_or(0)
        } else {
            0
        },
        apart: u8::from(!index.zone_has(&need.deployment_id, &host.zone)),
        fullness: if strategy.fills() {
            free
        } else {
            u64::MAX - free
        },
        churn: u8::from(need.previous.as_ref() != Some(&host.id)),
        id: host.id.clone(),
    }
}

/// The best host by the index: in each class, hosts come in the order of fullness, so the first
/// one without a sibling that fits is the class's best but for equals.
fn best(index: &CapacityIndex, need: &Need, strategy: Strategy) -> Option<(AllocatorId, u16)> {
    let mut found: Option<Score> = None;
    for (class, ranks) in &index.classes {
        let (share, begun) = index.share(&need.resource_id, &class.zone);
        if !filters::zone_admits(share, begun, need) {
            continue;
        }
        let first = ranks
            .fullest
            .first()
            .and_then(|(_, id)| index.hosts.get(id));
        if first.is_none_or(|host| filters::admit_class(host, need).is_err()) {
            continue;
        }
        // When filling, start at the first host whose free memory is enough.
        let least = (need.size.memory_bytes, AllocatorId::from_bytes([0; 16]));
        let walk: Box<dyn Iterator<Item = &(u64, AllocatorId)>> = if strategy.fills() {
            Box::new(ranks.fullest.range(least..))
        } else {
            Box::new(ranks.emptiest.iter())
        };
        let mut alone_at: Option<u64> = None;
        for (rank, id) in walk {
            // Nothing fuller than the first lone host's rank can be better.
            if alone_at.is_some_and(|at| *rank != at) {
                break;
            }
            let Some(host) = index.hosts.get(id) else {
                continue;
            };
            index.visit();
            if !strategy.fills() && host.free().memory_bytes < need.size.memory_bytes {
                break;
            }
            if filters::admit_host(host, need).is_err() {
                continue;
            }
            let score = score(index, host, need, strategy);
            let settled = score.siblings == 0 && (score.churn == 0 || need.previous.is_none());
            if score.siblings == 0 {
                alone_at = Some(*rank);
            }
            if found.as_ref().is_none_or(|best| score < *best) {
                found = Some(score);
            }
            if settled {
                break;
            }
        }
    }
    let id = found?.id;
    let port = index.hosts.get(&id)?.free_port(&need.refused_ports)?;
    Some((id, port))
}

/// Why nobody takes it; looks at every allocator, because only a failure needs it.
pub(super) fn no_room(index: &CapacityIndex, need: &Need) -> NoRoom {
    let mut refused: BTreeMap<Filter, (usize, String)> = BTreeMap::new();
    for host in index.hosts.values() {
        let (share, begun) = index.share(&need.resource_id, &host.zone);
        let reason = filters::admit_class(host, need)
            .and_then(|()| filters::admit_zone(&host.zone, share, begun, need))
            .and_then(|()| filters::admit_host(host, need))
            .err();
        if let Some(reason) = reason {
            refused.entry(reason.filter).or_insert((0, reason.detail)).0 += 1;
        }
    }
    NoRoom {
        instance: need.name.clone(),
        kind: need.kind.clone(),
        size: need.size,
        allocators: index.hosts.len(),
        refused,
    }
}

#[cfg(test)]
mod tests;
