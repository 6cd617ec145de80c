//! Applying commands about hosts' roles. Registering is level-triggered: a hello that says what
//! the record says changes nothing; what was set by request (`allocator_change`) goes before what a
//! hello says. Generations never run behind what a role already holds.

use crate::{
    apply::enrollment,
    command::{ForgetAllocator, ForgetProxy, RegisterAllocator, RegisterProxy},
    outcome::Outcome,
    reconcile::assignment,
    refusal::{Refusal, RefusalKind, codes},
    size::Size,
    state::{
        AllocatorRecord, HostRecord, MOVES_LEVEL, ProxyRecord, State, allocator::AllocatorSaid,
    },
};

/// Bytes of a host's, a zone's or a tag's text at most.
pub const NAME_BYTES: usize = 128;
/// A generation that a role claims to hold above this is a mistake: believing it would leave no
/// room to count on.
pub const MAX_HELD_GENERATION: u64 = 1 << 53;
/// Tags of an allocator at most.
pub const TAGS: usize = 32;

fn refuse(field: &str, message: &str, hint: &str) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgument, codes::ALLOCATOR, message)
        .field(field)
        .hint(hint)
}

pub(super) fn good_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn believable(held_generation: u64) -> u64 {
    if held_generation <= MAX_HELD_GENERATION {
        held_generation
    } else {
        0
    }
}

fn check(body: &RegisterAllocator) -> Result<(), Refusal> {
    if !good_name(&body.host) {
        return Err(refuse(
            "host",
            "the host has no usable name",
            "set a host name of ASCII",
        ));
    }
    if !good_name(&body.zone) {
        return Err(refuse(
            "zone",
            "the zone has no usable name",
            "name it for example `zone-1`",
        ));
    }
    if !good_name(&body.address) {
        return Err(refuse(
            "advertised_address",
            "the host has no usable address",
            "set the address that other hosts reach it at",
        ));
    }
    if body.ports.start == 0 || body.ports.start > body.ports.end {
        return Err(refuse(
            "port_range_start",
            "the port range is empty",
            "set a port range",
        ));
    }
    let tags = body
        .tags
        .iter()
        .all(|(key, value)| good_name(key) && value.len() <= NAME_BYTES);
    if body.tags.len() > TAGS || !tags {
        return Err(refuse(
            "tags",
            "there are too many or unusable tags",
            "use short ASCII keys",
        ));
    }
    Ok(())
}

pub(super) fn register(state: &mut State, body: &RegisterAllocator) -> Result<Outcome, Refusal> {
    check(body)?;
    let id = &body.allocator_id;
    let now_ms = state.now_ms;
    let may_host =
        enrollment::host_of_allocator(state, id)?.is_none_or(HostRecord::hosts_instances);
    let known = state.allocators.get(id);
    let said = AllocatorSaid {
        zone: body.zone.clone(),
        tags: body.tags.clone(),
        capacity: body.capacity,
    };
    let mut set = known.map(|known| known.set.clone()).unwrap_or_default();
    // What the host says itself by now is its own to change again.
    set.zone.take_if(|zone| *zone == body.zone);
    set.tags.take_if(|tags| *tags == body.tags);
    set.capacity.take_if(|capacity| *capacity == body.capacity);
    let record = AllocatorRecord {
        id: id.clone(),
        host: body.host.clone(),
        zone: set.zone.clone().unwrap_or_else(|| body.zone.clone()),
        tags: set.tags.clone().unwrap_or_else(|| body.tags.clone()),
        // What the token did not carry is not the host's to claim.
        capacity: if may_host {
            set.capacity.unwrap_or(body.capacity)
        } else {
            Size::default()
        },
        address: body.address.clone(),
        ports: body.ports,
        maintenance: known.is_some_and(|known| known.maintenance),
        created_ms: known.map_or(now_ms, |known| known.created_ms),
        changed_ms: known.map_or(now_ms, |known| known.changed_ms),
        version: known.map_or(0, |known| known.version),
        // Members of older versions do not read it.
        said: (state.feature_level >= MOVES_LEVEL).then_some(said),
        set,
    };
    let held = believable(body.held_generation);
    let behind = state
        .assignments
        .get(id)
        .is_none_or(|assignment| assignment.generation < held);
    if known == Some(&record) && !behind {
        return Ok(Outcome::Unchanged);
    }
    let version = record.version.saturating_add(1);
    state.allocators.insert(
        id.clone(),
        AllocatorRecord {
            changed_ms: now_ms,
            version,
            ..record
        },
    );
    let assignment = state.assignments.entry(id.clone()).or_default();
    if assignment.generation < held {
        // The host holds a generation that this state has never given out (the directors lost
        // their data): go on behind it, so that the host does not refuse what comes.
        assignment.generation = held;
        assignment.digest.clear();
    }
    assignment::settle(state, id);
    Ok(Outcome::Allocator {
        allocator_id: id.clone(),
        version,
    })
}

pub(super) fn forget(state: &mut State, body: &ForgetAllocator) -> Result<Outcome, Refusal> {
    let id = &body.allocator_id;
    if !state.allocators.contains_key(id) {
        return Err(Refusal::not_found("allocator", id));
    }
    let hosted = state.hosted(id);
    if hosted > 0 {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::ALLOCATOR,
            match hosted {
                1 => "the allocator hosts 1 instance".to_owned(),
                _ => format!("the allocator hosts {hosted} instances"),
            },
        )
        .field("allocator")
        .hint("delete or move its instances first"));
    }
    state.allocators.remove(id);
    state.assignments.remove(id);
    Ok(Outcome::Done)
}

pub(super) fn register_proxy(state: &mut State, body: &RegisterProxy) -> Result<Outcome, Refusal> {
    if !good_name(&body.host) || !good_name(&body.zone) {
        return Err(refuse(
            "host",
            "host and zone need usable names",
            "set names of ASCII",
        ));
    }
    let id = &body.proxy_id;
    enrollment::check_proxy(state, id)?;
    let now_ms = state.now_ms;
    let held = believable(body.held_generation);
    let behind = state.routes.generation < held;
    if behind {
        state.routes.generation = held;
        state.routes.digest.clear();
    }
    let known = state.proxies.get(id);
    if !behind && known.is_some_and(|known| known.host == body.host && known.zone == body.zone) {
        return Ok(Outcome::Unchanged);
    }
    let version = known.map_or(0, |known| known.version).saturating_add(1);
    let record = ProxyRecord {
        id: id.clone(),
        host: body.host.clone(),
        zone: body.zone.clone(),
        created_ms: known.map_or(now_ms, |known| known.created_ms),
        changed_ms: now_ms,
        version,
    };
    state.proxies.insert(id.clone(), record);
    Ok(Outcome::Proxy {
        proxy_id: id.clone(),
        version,
    })
}

pub(super) fn forget_proxy(state: &mut State, body: &ForgetProxy) -> Result<Outcome, Refusal> {
    match state.proxies.remove(&body.proxy_id) {
        Some(_) => Ok(Outcome::Done),
        None => Err(Refusal::not_found("proxy", &body.proxy_id)),
    }
}
