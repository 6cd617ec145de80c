//! Zones as sums of their hosts, with the location that they were given. Not here: where a zone's hosts are
//! placed upon (`placement`), what is a location (`apply/zone`).

use std::collections::BTreeMap;

use wharf_proto::{ids::AllocatorId, v1};

use super::instances_on;
use crate::{
    observe::Observations,
    size::Size,
    state::{State, ZoneLocation},
};

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

/// A zone's location as the API shows it.
#[must_use]
pub fn location(location: &ZoneLocation) -> v1::ZoneLocation {
    v1::ZoneLocation {
        latitude_degrees: Some(location.latitude_degrees()),
        longitude_degrees: Some(location.longitude_degrees()),
        place: location.place.clone(),
    }
}

/// Every zone that has a host or a location, in the order of their names.
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
    for name in state.zone_locations.keys() {
        zones.entry(name).or_default();
    }
    let all = zones.into_iter();
    all.map(|(name, (zone, capacity, used))| {
        let located = state.zone_locations.get(name);
        v1::Zone {
            name: name.to_owned(),
            capacity: Some(capacity.into()),
            used: Some(used.into()),
            location: located.map(|record| location(&record.location)),
            location_version: located.map_or(0, |record| record.version),
            ..zone
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command::{Body, SetZoneLocation, UpdateAllocator},
        fixture::{World, allocator_id, register},
        size::GIB,
    };

    #[test]
    fn a_zone_tells_its_location_also_when_its_last_host_went_to_another() {
        let mut world = World::with_host();
        let seoul = ZoneLocation {
            latitude_microdegrees: 37_566_500,
            longitude_microdegrees: 126_978_000,
            place: "Seoul".to_owned(),
        };
        world.ok(Body::SetZoneLocation(SetZoneLocation {
            zone: "zone-1".to_owned(),
            location: seoul,
            expected_version: 0,
        }));
        world.ok(Body::UpdateAllocator(UpdateAllocator {
            zone: Some("zone-2".to_owned()),
            ..UpdateAllocator::of(allocator_id(1), 0)
        }));
        let found = zones(&world.state, &world.observed, &BTreeMap::new());
        let names: Vec<(&str, u32, u64)> = found
            .iter()
            .map(|zone| (zone.name.as_str(), zone.hosts, zone.location_version))
            .collect();
        assert_eq!(names, [("zone-1", 0, 1), ("zone-2", 1, 0)]);
        let told = found[0].location.as_ref().expect("it was given one");
        assert_eq!(
            (told.latitude_degrees, told.longitude_degrees),
            (Some(37.5665), Some(126.978))
        );
        assert_eq!(told.place, "Seoul");
        assert_eq!(found[1].location, None, "nobody gave it one");
    }

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
