//! Zones as sums of their hosts. Not here: where a zone's hosts are placed upon (`placement`).

use std::collections::BTreeMap;

use wharf_proto::{ids::AllocatorId, v1};

use super::instances_on;
use crate::{observe::Observations, size::Size, state::State};

/// What a host tells of itself that only the shell keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostFigures {
    /// Its memory.
    pub memory_bytes: u64,
    /// What of it is in use.
    pub memory_used_bytes: u64,
    /// Containers that run there.
    pub containers: u32,
}

/// Every zone that has a host, in the order of their names.
#[must_use]
pub fn zones(
    state: &State,
    observed: &Observations,
    figures: &BTreeMap<AllocatorId, HostFigures>,
) -> Vec<v1::Zone> {
    let mut zones: BTreeMap<&str, (v1::Zone, Size, Size)> = BTreeMap::new();
    for record in state.allocators.values() {
        let (zone, capacity, used) = zones.entry(&record.zone).or_default();
        zone.hosts += 1;
        zone.connected += u32::from(observed.connected(&record.id));
        zone.maintenance += u32::from(record.maintenance);
        zone.instances += instances_on(state, record);
        *capacity = capacity.plus(record.capacity);
        *used = used.plus(state.used(&record.id));
        let told = figures.get(&record.id).copied().unwrap_or_default();
        zone.memory_bytes = zone.memory_bytes.saturating_add(told.memory_bytes);
        zone.memory_used_bytes = zone
            .memory_used_bytes
            .saturating_add(told.memory_used_bytes);
        zone.containers += told.containers;
    }
    let all = zones.into_iter();
    all.map(|(name, (zone, capacity, used))| v1::Zone {
        name: name.to_owned(),
        capacity: Some(capacity.into()),
        used: Some(used.into()),
        ..zone
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command::Body,
        fixture::{World, allocator_id, register},
        size::GIB,
    };

    #[test]
    fn a_zone_is_the_sum_of_its_hosts() {
        let mut world = World::with_host();
        let capacity = world.state.allocators[&allocator_id(1)].capacity;
        for (number, zone) in [(2, "zone-1"), (3, "zone-2")] {
            world.ok(Body::RegisterAllocator(register(number, zone, capacity)));
        }
        world.create("logs");
        world.settle();
        let told = HostFigures {
            memory_bytes: 8 * GIB,
            memory_used_bytes: 3 * GIB,
            containers: 5,
        };
        let figures = [1, 2, 3].map(|number| (allocator_id(number), told));
        let found = zones(&world.state, &world.observed, &figures.into());
        let names: Vec<(&str, u32, u32)> = found
            .iter()
            .map(|zone| (zone.name.as_str(), zone.hosts, zone.containers))
            .collect();
        assert_eq!(names, [("zone-1", 2, 10), ("zone-2", 1, 5)]);
        let first = &found[0];
        assert_eq!(first.memory_bytes, 16 * GIB, "memory of both hosts");
        assert_eq!(first.memory_used_bytes, 6 * GIB, "what both use");
        let whole = first.capacity.as_ref().unwrap().memory_bytes;
        assert_eq!(whole, 2 * capacity.memory_bytes, "what both offer");
        let instances: u32 = found.iter().map(|zone| zone.instances).sum();
        let used: u64 = found
            .iter()
            .filter_map(|zone| zone.used.as_ref())
            .map(|used| used.memory_bytes)
            .sum();
        let placed = world.state.instances.values();
        assert_eq!(
            instances as usize,
            placed.len(),
            "every instance is in a zone"
        );
        assert!(used > 0, "and takes memory there");
    }
}
