//! Applying commands about hosts that join and leave. A token is used up by the command that enrolls,
//! so that no two hosts join by one use; names and addresses of hosts are theirs alone; a host that
//! left never comes back by its old certificates. Not here: whether a secret is right (the shell).

use std::{collections::BTreeSet, net::IpAddr};

use wharf_proto::ids::{AllocatorId, DirectorId, ProxyId, is_id};

use crate::{
    apply::{allocator::good_name, engineless, lost_host},
    command::{CreateEnrollmentToken, EnrollHost, ForgetHost, RevokeEnrollmentToken},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{
        DIRECTOR_TOKENS_LEVEL, ENROLLMENT_LEVEL, ENROLLMENT_TOKENS_KEPT, EnrollmentTokenRecord,
        HostRecord, HostRole, State, TokenWorth,
    },
};

/// Least life of a token.
pub const MIN_LIFETIME_MS: u64 = 60 * 1_000;
/// Longest life of a token.
pub const MAX_LIFETIME_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// Hosts that may join by one token at most.
pub const MAX_USES: u32 = 1_000;
/// How long a token that is worth nothing is remembered, so that who shows it is told why.
const SPENT_KEPT_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// How long a host that left is remembered: longer than any certificate of a role is valid.
const LEFT_KEPT_MS: u64 = 400 * 24 * 3_600 * 1_000;
/// Hosts remembered at most, those that left among them.
const HOSTS_KEPT: usize = 20_000;

fn wrong(code: &str, field: &str, message: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgument, code, message)
        .field(field)
        .hint(hint)
}

fn every_member_knows(state: &State, roles: &BTreeSet<HostRole>) -> Result<(), Refusal> {
    let needed = if roles.contains(&HostRole::Director) {
        DIRECTOR_TOKENS_LEVEL
    } else {
        ENROLLMENT_LEVEL
    };
    if state.feature_level >= needed {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::FailedPrecondition,
        codes::FEATURE_LEVEL,
        "not every director knows yet how hosts join",
    )
    .hint("upgrade every director, then try again"))
}

/// Names of roles, for people.
#[must_use]
pub fn role_names(roles: &BTreeSet<HostRole>) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    names.join(", ")
}

pub(super) fn create_token(
    state: &mut State,
    body: &CreateEnrollmentToken,
) -> Result<Outcome, Refusal> {
    every_member_knows(state, &body.roles)?;
    let code = codes::ENROLLMENT_TOKEN;
    let hashed = body.hash.len() == 64 && body.hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id(&body.id) || !hashed || state.enrollment_tokens.contains_key(&body.id) {
        return Err(wrong(
            code,
            "mutation.request_id",
            "the token's id is taken or wrong",
            "make a new request id for each request",
        ));
    }
    if body.roles.is_empty() {
        return Err(wrong(
            code,
            "roles",
            "a host without a role could do nothing",
            format!("there are: {}", role_names(&HostRole::ALL.into())),
        ));
    }
    if !good_name(&body.zone) {
        return Err(wrong(
            code,
            "zone",
            "the zone has no usable name",
            "name it for example `zone-b`",
        ));
    }
    if !(MIN_LIFETIME_MS..=MAX_LIFETIME_MS).contains(&body.lifetime_ms) {
        return Err(wrong(
            code,
            "lifetime_seconds",
            format!(
                "a token by which hosts join lives from {} to {} seconds",
                MIN_LIFETIME_MS / 1000,
                MAX_LIFETIME_MS / 1000
            ),
            "make one that lives shorter, and another when it is over",
        ));
    }
    if !(1..=MAX_USES).contains(&body.uses) {
        return Err(wrong(
            code,
            "uses",
            format!("from 1 to {MAX_USES} hosts can join by one token"),
            "make several tokens",
        ));
    }
    let now_ms = state.now_ms;
    state
        .enrollment_tokens
        .retain(|_, token| now_ms.saturating_sub(ended_ms(token)) < SPENT_KEPT_MS);
    if state.enrollment_tokens.len() >= ENROLLMENT_TOKENS_KEPT {
        // Those that nobody can join by go first.
        let gone = state
            .enrollment_tokens
            .values()
            .filter(|token| token.worth(now_ms) != TokenWorth::Usable)
            .min_by_key(|token| (token.expires_ms, token.id.clone()))
            .map(|token| token.id.clone());
        let Some(gone) = gone else {
            return Err(Refusal::new(
                RefusalKind::ResourceExhausted,
                code,
                format!("there are {ENROLLMENT_TOKENS_KEPT} tokens by which hosts can join"),
            )
            .hint("revoke those that are no longer needed"));
        };
        state.enrollment_tokens.remove(&gone);
    }
    state.enrollment_tokens.insert(
        body.id.clone(),
        EnrollmentTokenRecord {
            id: body.id.clone(),
            hash: body.hash.clone(),
            roles: body.roles.clone(),
            zone: body.zone.clone(),
            uses: body.uses,
            used: 0,
            created_by: cut(&body.created_by, 128).to_owned(),
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(body.lifetime_ms),
            revoked_ms: None,
        },
    );
    Ok(Outcome::Version { version: 1 })
}

/// When a token ended or will.
fn ended_ms(token: &EnrollmentTokenRecord) -> u64 {
    token.revoked_ms.unwrap_or(token.expires_ms)
}

pub(super) fn revoke_token(
    state: &mut State,
    body: &RevokeEnrollmentToken,
) -> Result<Outcome, Refusal> {
    let now_ms = state.now_ms;
    let token = state
        .enrollment_tokens
        .get_mut(&body.id)
        .ok_or_else(|| Refusal::not_found("token", &body.id))?;
    if token.revoked_ms.is_some() {
        return Ok(Outcome::Unchanged);
    }
    token.revoked_ms = Some(now_ms);
    Ok(Outcome::Done)
}

/// Whether a host may join by a token now.
///
/// # Errors
/// When the token is worth nothing any more, or does not carry a role.
pub fn check_token(
    token: &EnrollmentTokenRecord,
    roles: &BTreeSet<HostRole>,
    now_ms: u64,
) -> Result<(), Refusal> {
    let why = match token.worth(now_ms) {
        TokenWorth::Usable => None,
        TokenWorth::Used => Some("the token has been used"),
        TokenWorth::Expired => Some("the token has expired"),
        TokenWorth::Revoked => Some("the token was revoked"),
    };
    if let Some(why) = why {
        return Err(
            Refusal::new(RefusalKind::FailedPrecondition, codes::TOKEN_SPENT, why)
                .field("token")
                .hint("make another with `wharf token create --roles ... --zone ...`"),
        );
    }
    if let Some(role) = roles.iter().find(|role| !token.roles.contains(role)) {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::TOKEN_ROLE,
            format!("the token does not carry the role {}", role.as_str()),
        )
        .field("roles")
        .hint(format!("it carries: {}", role_names(&token.roles))));
    }
    Ok(())
}

pub(super) fn enroll(state: &mut State, body: &EnrollHost) -> Result<Outcome, Refusal> {
    every_member_knows(state, &body.roles)?;
    let now_ms = state.now_ms;
    let token = state
        .enrollment_tokens
        .get(&body.token_id)
        .ok_or_else(|| Refusal::not_found("token", &body.token_id))?;
    check_token(token, &body.roles, now_ms)?;
    check_host(state, body)?;
    // Whoever was enrolled under that name and never came is replaced.
    let (host, address) = (body.host.clone(), body.address.clone());
    let came = |one: &HostRecord| {
        state.allocators.contains_key(&one.allocator_id)
            || directs(state, one.director_id.as_ref())
            || engineless::came(state, one)
    };
    let never: Vec<AllocatorId> = state
        .hosts
        .values()
        .filter(|one| one.left_ms.is_none() && (one.host == host || one.address == address))
        .filter(|one| !came(one))
        .map(|one| one.allocator_id.clone())
        .collect();
    for id in never {
        if let Some(one) = state.hosts.get_mut(&id) {
            one.left_ms = Some(now_ms);
            state.removed_directors.extend(one.director_id.clone());
        }
    }
    state.hosts.retain(|_, one| {
        one.left_ms
            .is_none_or(|at| now_ms.saturating_sub(at) < LEFT_KEPT_MS)
    });
    if state.hosts.len() >= HOSTS_KEPT {
        return Err(Refusal::new(
            RefusalKind::ResourceExhausted,
            codes::HOST,
            format!("{HOSTS_KEPT} hosts joined in the last year"),
        ));
    }
    if let Some(token) = state.enrollment_tokens.get_mut(&body.token_id) {
        token.used = token.used.saturating_add(1);
    }
    state.hosts.insert(
        body.allocator_id.clone(),
        HostRecord {
            allocator_id: body.allocator_id.clone(),
            proxy_id: body.proxy_id.clone(),
            director_id: body.director_id.clone(),
            host,
            address,
            roles: body.roles.clone(),
            roles_changed_ms: 0,
            token_id: body.token_id.clone(),
            enrolled_ms: now_ms,
            left_ms: None,
            without_engine: body.without_engine,
        },
    );
    Ok(Outcome::Done)
}

/// Whether a director is in the group.
fn directs(state: &State, id: Option<&DirectorId>) -> bool {
    id.is_some_and(|id| state.directors.contains_key(id))
}

fn check_host(state: &State, body: &EnrollHost) -> Result<(), Refusal> {
    let code = codes::HOST;
    if body.roles.is_empty()
        || body.roles.contains(&HostRole::Proxy) != body.proxy_id.is_some()
        || body.roles.contains(&HostRole::Director) != body.director_id.is_some()
    {
        return Err(wrong(
            code,
            "roles",
            "the roles of the host are not those that it has ids for",
            "this is an error of the director, report it",
        ));
    }
    engineless::check(body)?;
    if !good_name(&body.host) {
        return Err(wrong(
            code,
            "host",
            "the host has no usable name",
            "give --host-name with up to 128 printable ASCII characters",
        ));
    }
    let usable = |ip: IpAddr| !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast();
    if !body.address.parse().is_ok_and(usable) {
        return Err(wrong(
            code,
            "advertised_address",
            format!(
                "`{}` is no address that other hosts reach",
                cut(&body.address, 64)
            ),
            "give --advertise with an IP address of this host",
        ));
    }
    let without_engine = state
        .hosts
        .values()
        .filter(|known| known.left_ms.is_none() && engineless::came(state, known));
    let without_engine =
        without_engine.map(|known| (&known.allocator_id, &known.host, &known.address));
    let taken = state
        .allocators
        .values()
        .map(|known| (&known.id, &known.host, &known.address))
        .chain(without_engine)
        .find(|(id, host, address)| {
            **id != body.allocator_id && (**host == body.host || **address == body.address)
        });
    if let Some((_, host, address)) = taken {
        let (field, what) = if *host == body.host {
            ("host", format!("a host named `{host}` is known already"))
        } else {
            (
                "advertised_address",
                format!("the host `{host}` has the address {address}"),
            )
        };
        return Err(Refusal::new(RefusalKind::AlreadyExists, code, what)
            .field(field)
            .hint(format!(
                "give --host-name or --advertise, or forget the other host: wharf allocator remove {host}"
            )));
    }
    let mut directors = state.directors.values();
    // Members of older versions do not look at this: all must decide alike.
    if state.feature_level >= DIRECTOR_TOKENS_LEVEL
        && let Some(known) = directors.find(|one| one.facts.host == body.host)
    {
        let what = format!("a director runs on a host named `{}`", known.facts.host);
        return Err(Refusal::new(RefusalKind::AlreadyExists, code, what)
            .field("host")
            .hint(format!(
                "give --host-name, or take that director out: wharf director remove {}",
                known.facts.host
            )));
    }
    if state.hosts.contains_key(&body.allocator_id) {
        return Err(wrong(
            code,
            "mutation.request_id",
            "the host's id is taken",
            "make a new request id for each request",
        ));
    }
    Ok(())
}

/// Whether nothing lies on a host, so that it may leave.
///
/// # Errors
/// When instances do.
pub fn check_empty(state: &State, id: &AllocatorId) -> Result<(), Refusal> {
    let hosted = state.hosted(id);
    let torn = state.assignments.get(id).map_or(0, |kept| kept.torn.len());
    let Some(host) = state.hosts.get(id).filter(|_| hosted + torn > 0) else {
        return Ok(());
    };
    if hosted == 0 {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::HOST,
            format!(
                "the host `{}` has not set aside yet what it has of {torn} instances that were given up",
                host.host
            ),
        )
        .field("allocator")
        .hint(format!(
            "wait for it; when it is lost for good: `wharf allocator remove {} --lost`",
            host.host
        )));
    }
    Err(Refusal::new(
        RefusalKind::FailedPrecondition,
        codes::HOST,
        format!("the host `{}` has {hosted} instances", host.host),
    )
    .field("allocator")
    .hint(format!(
        "empty it first: `wharf allocator vacate {0}`; when it is lost for good and its data given up: `wharf allocator remove {0} --lost`",
        host.host
    )))
}

pub(super) fn forget(state: &mut State, body: &ForgetHost) -> Result<Outcome, Refusal> {
    let id = &body.allocator_id;
    let now_ms = state.now_ms;
    let Some(host) = state.hosts.get(id).cloned() else {
        if !state.allocators.contains_key(id) {
            return Err(Refusal::not_found("allocator", id));
        }
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::HOST,
            "the platform was brought up on this host, it did not join",
        )
        .field("allocator")
        .hint("`wharf down` on that host ends the whole platform"));
    };
    if host.left_ms.is_some() {
        return Ok(Outcome::Unchanged);
    }
    if directs(state, host.director_id.as_ref()) {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::HOST,
            format!("the director of the host `{}` is in the group", host.host),
        )
        .field("allocator")
        .hint(format!(
            "`wharf director remove {}` first; `wharf uninstall --remove-director` on it does both",
            host.host
        )));
    }
    if !body.lost {
        check_empty(state, id)?;
    } else if state.hosted(id) > 0 {
        lost_host::give_up(state, id)?;
    }
    state.allocators.remove(id);
    state.assignments.remove(id);
    if let Some(proxy_id) = &host.proxy_id {
        state.proxies.remove(proxy_id);
    }
    if let Some(host) = state.hosts.get_mut(id) {
        host.left_ms = Some(now_ms);
        // One that never came may not come now.
        state.removed_directors.extend(host.director_id.clone());
    }
    Ok(Outcome::Done)
}

fn left(host: &HostRecord) -> Refusal {
    Refusal::new(
        RefusalKind::FailedPrecondition,
        codes::HOST_LEFT,
        format!("the host `{}` left the platform", host.host),
    )
    .hint("`wharf uninstall` on it, then `wharf install --join` with a new token")
}

/// The host of an allocator as it was enrolled; none for one that did not join by a token.
///
/// # Errors
/// When it left.
pub fn host_of_allocator<'a>(
    state: &'a State,
    id: &AllocatorId,
) -> Result<Option<&'a HostRecord>, Refusal> {
    match state.hosts.get(id) {
        Some(host) if host.left_ms.is_some() => Err(left(host)),
        found => Ok(found),
    }
}

/// Refuses a proxy whose host left.
///
/// # Errors
/// When it left.
pub fn check_proxy(state: &State, id: &ProxyId) -> Result<(), Refusal> {
    let host = state
        .hosts
        .values()
        .find(|host| host.proxy_id.as_ref() == Some(id));
    match host {
        Some(host) if host.left_ms.is_some() => Err(left(host)),
        Some(host) if !host.roles.contains(&HostRole::Proxy) => Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::HOST_LEFT,
            format!("the host `{}` is no proxy any more", host.host),
        )
        .hint("`wharf allocator set --roles` gives the role back")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
