//! Changing an allocator by request while it runs: maintenance mode, zone, tags, capacity, what its
//! host is. Invariants: what lies there keeps the zone it was placed in and the room it was given; what
//! is set goes before what the host says of itself, until it says the same; a host that is to host
//! nothing hosts nothing. Not here: what a host says (`allocator`), moving what lies there (`vacate`).

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::ids::AllocatorId;

use super::{
    allocator::{NAME_BYTES, TAGS, good_name},
    check_version,
};
use crate::{
    command::UpdateAllocator,
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes},
    size::{MIB, Size},
    state::{AllocatorRecord, HostRole, State, VacateStatus, allocator::AllocatorSaid},
};

fn refuse(kind: RefusalKind, field: &str, message: String, hint: &str) -> Refusal {
    Refusal::new(kind, codes::ALLOCATOR_CHANGE, message)
        .field(field)
        .hint(hint)
}

pub(super) fn update(state: &mut State, body: &UpdateAllocator) -> Result<Outcome, Refusal> {
    let id = &body.allocator_id;
    let before = state
        .allocators
        .get(id)
        .ok_or_else(|| Refusal::not_found("allocator", id))?;
    check_version("allocator", body.expected_version, before.version)?;
    let mut record = before.clone();
    // A host that was registered by an older version has not said anything that was kept.
    let said = record.said.clone().unwrap_or_else(|| AllocatorSaid {
        zone: record.zone.clone(),
        tags: record.tags.clone(),
        capacity: record.capacity,
    });
    if let Some(maintenance) = body.maintenance {
        let mut running = state
            .vacates
            .values()
            .filter(|one| one.allocator_id == *id && one.status == VacateStatus::Running);
        if let Some(vacate) = running.next().filter(|_| !maintenance) {
            return Err(refuse(
                RefusalKind::FailedPrecondition,
                "maintenance",
                format!(
                    "{} is being emptied by the vacate {}",
                    record.host, vacate.id
                ),
                "wait for it, or end it first: `wharf vacate cancel`",
            ));
        }
        record.maintenance = maintenance;
    }
    if let Some(zone) = &body.zone {
        check_zone(state, before, zone)?;
        record.set.zone = (*zone != said.zone).then(|| zone.clone());
        record.zone.clone_from(zone);
    }
    if let Some(tags) = &body.tags {
        check_tags(tags)?;
        record.set.tags = (*tags != said.tags).then(|| tags.clone());
        record.tags.clone_from(tags);
    }
    let roles = body
        .roles
        .as_ref()
        .map(|roles| check_roles(state, before, roles))
        .transpose()?
        .flatten();
    let hosts = match roles {
        Some(roles) => roles.contains(&HostRole::Allocator),
        None => state
            .hosts
            .get(id)
            .is_none_or(|host| host.hosts_instances()),
    };
    if let Some(capacity) = &body.capacity {
        let capacity = complete(*capacity, before.capacity);
        check_capacity(state, before, capacity, hosts)?;
        record.set.capacity = (capacity != said.capacity).then_some(capacity);
    }
    record.capacity = if hosts {
        record.set.capacity.unwrap_or(said.capacity)
    } else {
        Size::default()
    };
    if record == *before && roles.is_none() {
        return Ok(Outcome::Unchanged);
    }
    let now_ms = state.now_ms;
    record.changed_ms = now_ms;
    record.version = record.version.saturating_add(1);
    let version = record.version;
    if let Some(roles) = roles {
        let roles = roles.clone();
        set_roles(state, id, roles);
    }
    state.allocators.insert(id.clone(), record);
    Ok(Outcome::Allocator {
        allocator_id: id.clone(),
        version,
    })
}

/// A zone says what is lost together: instances that were spread over zones would lie otherwise than
/// was decided when it changed under them.
fn check_zone(state: &State, record: &AllocatorRecord, zone: &str) -> Result<(), Refusal> {
    if !good_name(zone) {
        return Err(refuse(
            RefusalKind::InvalidArgument,
            "zone",
            "the zone has no usable name".to_owned(),
            "name it for example `zone-1`, in printable ASCII characters without spaces",
        ));
    }
    let hosted = state.hosted(&record.id);
    if *zone == record.zone || hosted == 0 {
        return Ok(());
    }
    Err(refuse(
        RefusalKind::FailedPrecondition,
        "zone",
        format!(
            "{} on {}, placed as in zone {}: the resources would no longer be spread as they were",
            lie(hosted),
            record.host,
            record.zone
        ),
        "empty it first: `wharf allocator vacate`; then change the zone and end maintenance mode",
    ))
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let usable = |(key, value): (&String, &String)| good_name(key) && value.len() <= NAME_BYTES;
    if tags.len() <= TAGS && tags.iter().all(usable) {
        return Ok(());
    }
    Err(refuse(
        RefusalKind::InvalidArgument,
        "tags",
        format!("there are more than {TAGS} tags, or unusable ones"),
        "use keys of up to 128 printable ASCII characters without spaces",
    ))
}

/// A part that is zero keeps what is there.
fn complete(asked: Size, now: Size) -> Size {
    let or = |asked: u64, now: u64| if asked == 0 { now } else { asked };
    Size {
        memory_bytes: or(asked.memory_bytes, now.memory_bytes),
        disk_bytes: or(asked.disk_bytes, now.disk_bytes),
        cpu_millis: if asked.cpu_millis == 0 {
            now.cpu_millis
        } else {
            asked.cpu_millis
        },
    }
}

fn check_capacity(
    state: &State,
    record: &AllocatorRecord,
    capacity: Size,
    hosts: bool,
) -> Result<(), Refusal> {
    if !hosts {
        return Err(refuse(
            RefusalKind::FailedPrecondition,
            "capacity",
            format!(
                "{} has not the role `allocator`: nothing is placed there",
                record.host
            ),
            "give it the role first: `wharf allocator set --roles`",
        ));
    }
    let used = state.used(&record.id);
    let parts = [
        (
            "memory_bytes",
            capacity.memory_bytes / MIB,
            used.memory_bytes / MIB,
            capacity.memory_bytes < used.memory_bytes,
            "MiB of memory",
        ),
        (
            "disk_bytes",
            capacity.disk_bytes / MIB,
            used.disk_bytes / MIB,
            capacity.disk_bytes < used.disk_bytes,
            "MiB of disk",
        ),
        (
            "cpu_millis",
            u64::from(capacity.cpu_millis),
            u64::from(used.cpu_millis),
            capacity.cpu_millis < used.cpu_millis,
            "thousandths of a core",
        ),
    ];
    match parts.into_iter().find(|part| part.3) {
        None => Ok(()),
        Some((part, asked, used, _, unit)) => Err(refuse(
            RefusalKind::FailedPrecondition,
            &format!("capacity.{part}"),
            format!(
                "{used} {unit} of {} are given out, {asked} would be too few",
                record.host
            ),
            "move or delete instances first: `wharf instance list` shows what lies there",
        )),
    }
}

/// The roles, when they are others than before.
fn check_roles<'a>(
    state: &State,
    record: &AllocatorRecord,
    roles: &'a BTreeSet<HostRole>,
) -> Result<Option<&'a BTreeSet<HostRole>>, Refusal> {
    let conflict = |message: String, hint: &str| {
        Err(refuse(
            RefusalKind::FailedPrecondition,
            "roles",
            message,
            hint,
        ))
    };
    let host = &record.host;
    let Some(known) = state.hosts.get(&record.id) else {
        return conflict(
            format!("the platform was brought up on {host}: its roles are its own"),
            "hosts that joined by a token can have other roles",
        );
    };
    if roles.is_empty() {
        return Err(refuse(
            RefusalKind::InvalidArgument,
            "roles",
            "a host without a role could do nothing".to_owned(),
            "to be rid of a host: `wharf allocator vacate`, then `wharf allocator remove`",
        ));
    }
    let changes = |role: &HostRole| known.roles.contains(role) != roles.contains(role);
    if changes(&HostRole::Director) {
        return conflict(
            format!("whether {host} directs is not changed so"),
            "`wharf director remove` takes a director away; a new one joins by a token with that role",
        );
    }
    if roles.contains(&HostRole::Proxy) && known.proxy_id.is_none() {
        return conflict(
            format!("{host} joined without the role `proxy`: it has no identity of a proxy"),
            "`wharf uninstall` there, then join again by a token that carries the role",
        );
    }
    let hosted = state.hosted(&record.id);
    if changes(&HostRole::Allocator) && hosted > 0 {
        return conflict(
            format!("{} on {host}", lie(hosted)),
            "empty it first: `wharf allocator vacate`",
        );
    }
    Ok((known.roles != *roles).then_some(roles))
}

fn set_roles(state: &mut State, id: &AllocatorId, roles: BTreeSet<HostRole>) {
    let now_ms = state.now_ms;
    let Some(host) = state.hosts.get_mut(id) else {
        return;
    };
    // Grows with every change: the host refuses an older order.
    host.roles_changed_ms = now_ms.max(host.roles_changed_ms.saturating_add(1));
    let proxies = roles.contains(&HostRole::Proxy);
    host.roles = roles;
    let proxy_id = host.proxy_id.clone().filter(|_| !proxies);
    if let Some(proxy_id) = proxy_id {
        // Nobody waits for a proxy that is to be gone.
        state.proxies.remove(&proxy_id);
    }
}

/// `1 instance lies`, `2 instances lie`.
fn lie(count: usize) -> String {
    match count {
        1 => "1 instance lies".to_owned(),
        _ => format!("{count} instances lie"),
    }
}

#[cfg(test)]
mod tests;
