//! Filters: each says why an allocator cannot take an instance. The order is that of the text a
//! user reads: what can be changed most easily last. Not here: which of the rest is best (`score`).

use super::{index::Host, solve::Need};
use crate::size::{MIB, Size};

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

fn refuse(filter: Filter, detail: String) -> Result<(), FilterRefusal> {
    Err(FilterRefusal { filter, detail })
}

/// What a whole class of allocators is refused for: connection, maintenance, tags.
///
/// # Errors
/// Which filter refused it and why.
pub fn admit_class(host: &Host, need: &Need) -> Result<(), FilterRefusal> {
    if !host.connected {
        return refuse(
            Filter::Disconnected,
            format!("{} is not connected", host.name),
        );
    }
    if host.maintenance {
        return refuse(
            Filter::Maintenance,
            format!("{} is in maintenance mode", host.name),
        );
    }
    for (key, value) in &need.required_tags {
        if host.tags.get(key) != Some(value) {
            return refuse(
                Filter::Tags,
                format!("{} lacks the tag {key}={value}", host.name),
            );
        }
    }
    Ok(())
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

/// What a single allocator is refused for once its class and zone are admitted.
///
/// # Errors
/// Which filter refused it and why.
pub fn admit_host(host: &Host, need: &Need) -> Result<(), FilterRefusal> {
    if host.resources.contains_key(&need.resource_id) {
        return refuse(
            Filter::AntiAffinity,
            format!("{} hosts an instance of the same resource", host.name),
        );
    }
    let free = host.free();
    let Size {
        memory_bytes,
        disk_bytes,
        cpu_millis,
    } = need.size;
    if memory_bytes > free.memory_bytes {
        return refuse(
            Filter::Memory,
            format!(
                "{} has {} MiB of memory free, {} are needed",
                host.name,
                free.memory_bytes / MIB,
                memory_bytes / MIB
            ),
        );
    }
    if cpu_millis > free.cpu_millis {
        return refuse(
            Filter::Cpu,
            format!(
                "{} has {} thousandths of a core free, {cpu_millis} are needed",
                host.name, free.cpu_millis
            ),
        );
    }
    if disk_bytes > free.disk_bytes {
        return refuse(
            Filter::Disk,
            format!(
                "{} has {} MiB of disk free, {} are needed",
                host.name,
                free.disk_bytes / MIB,
                disk_bytes / MIB
            ),
        );
    }
    if host.free_port(&need.refused_ports).is_none() {
        return refuse(Filter::Port, format!("{} has no port free", host.name));
    }
    Ok(())
}
