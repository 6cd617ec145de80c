//! Applying commands about sessions of people in browsers. A session is worth something from its
//! log-in until it lies idle, is over its age, is ended, or its user is disabled, deleted or has another
//! password. Invariants: a use does not wake one that has ended; a user has at most
//! [`SESSIONS_OF_USER`], the one that lies idle longest makes room. Not here: cookies (the shell).

use wharf_proto::ids::is_id;

use crate::{
    apply::check_version,
    command::{BeginSession, EndSession, NoteSessionUsed},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    settings,
    state::{SESSIONS_OF_USER, SessionRecord, State},
};

/// The setting of how long a session may lie idle.
pub const IDLE: &str = "sessions.idle_seconds";
/// The setting of how long a session lasts at most.
pub const LIFETIME: &str = "sessions.lifetime_seconds";
/// Bytes kept of where a session was begun.
pub const VIA_BYTES: usize = 256;

/// How long a session may lie idle.
#[must_use]
pub fn idle_ms(state: &State) -> u64 {
    settings::duration_ms(state, IDLE)
}

pub(super) fn begin(state: &mut State, body: &BeginSession) -> Result<Outcome, Refusal> {
    let user = state
        .users
        .get(&body.username)
        .filter(|user| !user.disabled)
        .ok_or_else(|| Refusal::not_found("user", &body.username))?;
    check_version("user", body.user_version, user.version)?;
    let hashed = body.hash.len() == 64 && body.hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id(&body.id) || !hashed || state.sessions.contains_key(&body.id) {
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::SESSION_ID,
            "the session's id is taken or wrong",
        )
        .field("mutation.request_id")
        .hint("make a new request id for each log-in"));
    }
    let (now_ms, idle_ms) = (state.now_ms, idle_ms(state));
    let lifetime_ms = settings::duration_ms(state, LIFETIME);
    let users = &state.users;
    state.sessions.retain(|_, session| {
        now_ms < session.ends_ms(idle_ms) && users.contains_key(&session.username)
    });
    make_room(state, &body.username);
    state.sessions.insert(
        body.id.clone(),
        SessionRecord {
            id: body.id.clone(),
            username: body.username.clone(),
            hash: body.hash.clone(),
            via: cut(&body.via, VIA_BYTES).to_owned(),
            created_ms: now_ms,
            used_ms: now_ms,
            expires_ms: now_ms.saturating_add(lifetime_ms),
        },
    );
    Ok(Outcome::Version { version: 1 })
}

/// Ends the sessions of a user that lie idle longest, so that one more is within the bound.
fn make_room(state: &mut State, username: &str) {
    let own = state.sessions.values();
    let mut own: Vec<(u64, String)> = own
        .filter(|session| session.username == username)
        .map(|session| (session.used_ms, session.id.clone()))
        .collect();
    own.sort();
    let too_many = (own.len() + 1).saturating_sub(SESSIONS_OF_USER);
    for (_, id) in own.into_iter().take(too_many) {
        state.sessions.remove(&id);
    }
}

pub(super) fn end(state: &mut State, body: &EndSession) -> Result<Outcome, Refusal> {
    let found = state.sessions.get(&body.id).filter(|session| {
        body.owner
            .as_ref()
            .is_none_or(|own| *own == session.username)
    });
    if found.is_none() {
        return Err(Refusal::not_found("session", &body.id)
            .hint("it has ended already, or it is somebody else's"));
    }
    state.sessions.remove(&body.id);
    Ok(Outcome::Done)
}

/// Ends every session of a user: what was proven at their log-in is no longer so.
pub(super) fn end_all(state: &mut State, username: &str) {
    state
        .sessions
        .retain(|_, session| session.username != username);
}

pub(super) fn note_used(state: &mut State, body: &NoteSessionUsed) -> Result<Outcome, Refusal> {
    let (now_ms, idle_ms) = (state.now_ms, idle_ms(state));
    match state.sessions.get_mut(&body.id) {
        Some(session) if now_ms < session.ends_ms(idle_ms) && session.used_ms < now_ms => {
            session.used_ms = now_ms;
            Ok(Outcome::Done)
        }
        _ => Ok(Outcome::Unchanged),
    }
}

#[cfg(test)]
mod tests;
