//! Hosts without a container engine: what they may be, how they are found, and that nobody looks for an
//! allocator there. Their director and proxy are services of the host's system, so nothing is ordered
//! there: what changes its roles is refused by name. Not here: joining and leaving (`enrollment`).

use std::collections::BTreeSet;

use wharf_proto::ids::{AllocatorId, DirectorId, ProxyId};

use crate::{
    command::EnrollHost,
    refusal::{Refusal, RefusalKind, codes},
    state::{HostRecord, HostRole, State},
};

/// Refuses roles that need an engine.
pub(super) fn check(body: &EnrollHost) -> Result<(), Refusal> {
    if !body.without_engine {
        return Ok(());
    }
    match needs_engine(&body.roles) {
        None => Ok(()),
        Some(role) => Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::HOST,
            format!(
                "the role {} needs a container engine, which the host is to do without",
                role.as_str()
            ),
        )
        .field("roles")
        .hint("`--roles director,proxy` at most, or install Docker there and leave --engine out")),
    }
}

/// A role that cannot be without an engine: instances are containers, and what watches a host is a part
/// of its allocator.
#[must_use]
pub fn needs_engine(roles: &BTreeSet<HostRole>) -> Option<HostRole> {
    let needs = |role: &&HostRole| matches!(role, HostRole::Allocator | HostRole::Collector);
    roles.iter().find(needs).copied()
}

/// Whether a host without an engine was ever heard of, by its director or its proxy.
pub(super) fn came(state: &State, host: &HostRecord) -> bool {
    let proxy = host.proxy_id.as_ref();
    let director = host.director_id.as_ref();
    host.without_engine
        && (proxy.is_some_and(|id| state.proxies.contains_key(id))
            || director.is_some_and(|id| state.directors.contains_key(id)))
}

/// The host without an engine of that id or name that did not leave.
#[must_use]
pub fn find<'a>(state: &'a State, text: &str) -> Option<&'a HostRecord> {
    let mut here = state.hosts.values().filter(|host| {
        host.without_engine
            && host.left_ms.is_none()
            && (host.host == text || host.allocator_id.as_str() == text)
    });
    here.next().filter(|_| here.next().is_none())
}

/// Why there is no allocator of that name to do something with.
#[must_use]
pub fn no_allocator(state: &State, named: &str) -> Refusal {
    let Some(host) = find(state, named) else {
        return Refusal::not_found("allocator", named);
    };
    Refusal::new(
        RefusalKind::FailedPrecondition,
        codes::HOST,
        format!(
            "the host `{}` has no container engine, and so no allocator that could be changed",
            host.host
        ),
    )
    .field("allocator")
    .hint("its roles are those that it joined with: `wharf uninstall` on it, then join again with others")
}

/// The host whose proxy, or director, speaks for it, because it has no engine.
#[must_use]
pub fn spoken_for<'a>(
    state: &'a State,
    proxy: Option<&ProxyId>,
    director: Option<&DirectorId>,
) -> Option<&'a HostRecord> {
    let speaks = |host: &&HostRecord| {
        let is = proxy.is_some() && host.proxy_id.as_ref() == proxy;
        host.without_engine && (is || director.is_some() && host.director_id.as_ref() == director)
    };
    state.hosts.values().find(speaks)
}

/// The director of such a host was removed: a host that was nothing else has left by it.
pub(super) fn director_removed(host: &mut HostRecord, now_ms: u64) {
    if host.roles.is_empty() {
        host.left_ms = Some(now_ms);
    }
}

/// Ids of hosts that an allocator is to be heard of from.
pub(crate) fn with_allocator(
    state: &State,
) -> impl Iterator<Item = (AllocatorId, String)> + use<'_> {
    let here = state.hosts.values();
    here.filter(|host| host.left_ms.is_none() && !host.without_engine)
        .map(|host| (host.allocator_id.clone(), host.host.clone()))
}

#[cfg(test)]
mod tests;
