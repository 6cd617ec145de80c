//! Filters: each says why an allocator cannot take an instance. The order is that of the text a
//! user reads: what can be changed most easily last. Placing stops at the first refusal, explaining
//! gathers all: both ask the same checks. Not here: which of the rest is best (`score`).

use super::{index::Host, solve::Need};
use crate::size::MIB;

/// Which filter refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filter {
    /// Its session is not open.
    Disconnected,
    /// It is in maintenance mode.
    Maintenance,
    /// It lacks a tag.
    Tags,
    /// Its zone has its share of the resource already.
    Zone,
    /// It is not where the instance is to go.
    Target,
    /// It hosts an instance of the same resource.
    AntiAffinity,
    /// Too little memory is free.
    Memory,
    /// Too little CPU is free.
    Cpu,
    /// Too little disk is free.
    Disk,
    /// No port is free.
    Port,
}

impl Filter {
    /// What the filter means, in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "not connected",
            Self::Maintenance => "in maintenance mode",
            Self::Tags => "lack a required tag",
            Self::Zone => "in a zone that has its share",
            Self::Target => "not where it is to go",
            Self::AntiAffinity => "host an instance of the same resource",
            Self::Memory => "too little free memory",
            Self::Cpu => "too little free CPU",
            Self::Disk => "too little free disk",
            Self::Port => "no free port",
        }
    }
}

/// A refusal of one allocator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterRefusal {
    /// Which filter.
    pub filter: Filter,
    /// Why, with figures.
    pub detail: String,
}

/// One reason to refuse an allocator.
type Check = fn(&Host, &Need) -> Option<FilterRefusal>;

/// What a whole class of allocators has in common.
const CLASS: [Check; 3] = [connection, maintenance, tags];
/// What differs from allocator to allocator.
const HOST: [Check; 6] = [target, anti_affinity, memory, cpu, disk, port];

fn first(checks: &[Check], host: &Host, need: &Need) -> Result<(), FilterRefusal> {
    match checks.iter().find_map(|check| check(host, need)) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

/// What a whole class of allocators is refused for: connection, maintenance, tags.
///
/// # Errors
/// Which filter refused it and why.
pub fn admit_class(host: &Host, need: &Need) -> Result<(), FilterRefusal> {
    first(&CLASS, host, need)
}

/// Whether the zone may take another instance of the resource: the instances of a resource lie in
/// exactly `zone_count` zones, `instances_per_zone` in each.
#[must_use]
pub fn zone_admits(zone_share: u32, zones_begun: u32, need: &Need) -> bool {
    if zone_share == 0 {
        zones_begun < need.zone_count
    } else {
        zone_share < need.instances_per_zone
    }
}

/// The same, with the refusal in words.
///
/// # Errors
/// Why the zone takes no instance more.
pub fn admit_zone(
    zone: &str,
    zone_share: u32,
    zones_begun: u32,
    need: &Need,
) -> Result<(), FilterRefusal> {
    if zone_admits(zone_share, zones_begun, need) {
        return Ok(());
    }
    let detail = if zone_share == 0 {
        format!(
            "zone {zone} is none of the zones that the resource lies in, and it may lie in {}",
            need.zone_count
        )
    } else {
        format!("zone {zone} has {zone_share} of the resource")
    };
    Err(FilterRefusal {
        filter: Filter::Zone,
        detail,
    })
}

/// What a single allocator is refused for once its class and zone are admitted.
///
/// # Errors
/// Which filter refused it and why.
pub fn admit_host(host: &Host, need: &Need) -> Result<(), FilterRefusal> {
    first(&HOST, host, need)
}

/// Everything that speaks against an allocator, in the order of the filters.
#[must_use]
pub fn refusals(host: &Host, need: &Need, zone_share: u32, zones_begun: u32) -> Vec<FilterRefusal> {
    let zone = admit_zone(&host.zone, zone_share, zones_begun, need).err();
    CLASS
        .iter()
        .filter_map(|check| check(host, need))
        .chain(zone)
        .chain(HOST.iter().filter_map(|check| check(host, need)))
        .collect()
}

fn refuse(filter: Filter, detail: String) -> Option<FilterRefusal> {
    Some(FilterRefusal { filter, detail })
}

fn connection(host: &Host, _: &Need) -> Option<FilterRefusal> {
    if host.connected {
        return None;
    }
    refuse(
        Filter::Disconnected,
        format!("{} is not connected", host.name),
    )
}

fn maintenance(host: &Host, _: &Need) -> Option<FilterRefusal> {
    if !host.maintenance {
        return None;
    }
    refuse(
        Filter::Maintenance,
        format!("{} is in maintenance mode", host.name),
    )
}

fn tags(host: &Host, need: &Need) -> Option<FilterRefusal> {
    let lacking = need
        .required_tags
        .iter()
        .find(|(key, value)| host.tags.get(*key) != Some(*value));
    let (key, value) = lacking?;
    refuse(
        Filter::Tags,
        format!("{} lacks the tag {key}={value}", host.name),
    )
}

fn target(host: &Host, need: &Need) -> Option<FilterRefusal> {
    if need.excluded.contains(&host.id) {
        return refuse(
            Filter::Target,
            format!(
                "{} is where {} is to leave, or has data of it still to set aside",
                host.name, need.name
            ),
        );
    }
    if need.allowed.is_empty() || need.allowed.contains(&host.id) {
        return None;
    }
    refuse(
        Filter::Target,
        format!("{} is none of the allocators that were named", host.name),
    )
}

fn anti_affinity(host: &Host, need: &Need) -> Option<FilterRefusal> {
    if !host.resources.contains_key(&need.resource_id) {
        return None;
    }
    refuse(
        Filter::AntiAffinity,
        format!("{} hosts an instance of the same resource", host.name),
    )
}

fn memory(host: &Host, need: &Need) -> Option<FilterRefusal> {
    let (free, needed) = (host.free().memory_bytes, need.size.memory_bytes);
    if needed <= free {
        return None;
    }
    refuse(
        Filter::Memory,
        format!(
            "{} has {} MiB of memory free, {} are needed",
            host.name,
            free / MIB,
            needed / MIB
        ),
    )
}

fn cpu(host: &Host, need: &Need) -> Option<FilterRefusal> {
    let (free, needed) = (host.free().cpu_millis, need.size.cpu_millis);
    if needed <= free {
        return None;
    }
    refuse(
        Filter::Cpu,
        format!(
            "{} has {free} thousandths of a core free, {needed} are needed",
            host.name
        ),
    )
}

fn disk(host: &Host, need: &Need) -> Option<FilterRefusal> {
    let (free, needed) = (host.free().disk_bytes, need.size.disk_bytes);
    if needed <= free {
        return None;
    }
    refuse(
        Filter::Disk,
        format!(
            "{} has {} MiB of disk free, {} are needed",
            host.name,
            free / MIB,
            needed / MIB
        ),
    )
}

fn port(host: &Host, need: &Need) -> Option<FilterRefusal> {
    if host.free_port(&need.refused_ports).is_some() {
        return None;
    }
    refuse(Filter::Port, format!("{} has no port free", host.name))
}
