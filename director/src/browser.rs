//! The session behind a browser's cookie, which no script reads, and what is said to a call that the admin UI did
//! not make. Invariants: the state has a hash of the cookie's secret only; a repeated log-in makes the same
//! cookie again, because both parts follow from its request id under the platform key. Not here: what a cookie
//! looks like and how a call proves that it comes from the UI (`wharf-admin-ui`), beginning and ending sessions
//! (`api/sessions`), how long they last (core).

use std::collections::BTreeSet;

use http::{HeaderMap, request::Parts};
use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use wharf_admin_ui::browser::{self, NotTheUi};
use wharf_director_core::{
    apply::session::idle_ms,
    state::{Role, SessionRecord, State},
};
use wharf_proto::ids::is_id;
use wharf_runtime::tls::constant_time_eq;

use crate::{answer::coded_status, codes, secrets::PlatformKey};

/// Hex characters of a secret.
const SECRET_CHARS: usize = 64;

/// A new session.
pub struct Minted {
    /// Its id.
    pub id: String,
    /// What the browser keeps.
    pub cookie: String,
    /// What the state keeps.
    pub hash: String,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The session of a log-in: always the same for the same request.
#[must_use]
pub fn mint(key: &PlatformKey, username: &str, request_id: &str) -> Minted {
    let seed = format!("{}:{username}:{request_id}", username.len());
    let id = hex::encode(&key.digest("session id", seed.as_bytes())[..16]);
    let secret = hex::encode(key.digest("session secret", seed.as_bytes()));
    Minted {
        hash: hash(&secret),
        cookie: format!("{id}_{secret}"),
        id,
    }
}

fn not_the_ui(refused: NotTheUi) -> Status {
    coded_status(
        Code::PermissionDenied,
        codes::NOT_THE_UI,
        refused.to_string(),
        "open the admin UI at the director's own address; programs use a token",
    )
}

/// Refuses a call that a browser makes for a page of another site.
///
/// # Errors
/// When its origin is not the address that it was sent to.
pub fn check_origin(head: &Parts) -> Result<(), Status> {
    browser::check_origin(head).map_err(not_the_ui)
}

/// Refuses a call with a cookie that the admin UI did not make.
///
/// # Errors
/// When it lacks the header that the UI sends.
pub fn check_from_ui(headers: &HeaderMap) -> Result<(), Status> {
    browser::check_from_ui(headers).map_err(not_the_ui)
}

/// The session that a cookie is, with what it may do now. None: it is none of ours, has ended, or its
/// user may not log in.
#[must_use]
pub fn find<'a>(
    state: &'a State,
    cookie: &str,
    now_ms: u64,
) -> Option<(&'a SessionRecord, BTreeSet<Role>)> {
    let (id, secret) = cookie.split_once('_')?;
    if !is_id(id) || secret.len() != SECRET_CHARS {
        return None;
    }
    let session = state.sessions.get(id)?;
    if !constant_time_eq(session.hash.as_bytes(), hash(secret).as_bytes()) {
        return None;
    }
    let user = state.users.get(&session.username)?;
    let roles = session.roles_now(user, now_ms, idle_ms(state));
    (!roles.is_empty()).then_some((session, roles))
}

#[cfg(test)]
mod tests {
    use wharf_director_core::state::UserRecord;

    use super::*;

    fn state(minted: &Minted) -> State {
        let mut state = State::default();
        let user = UserRecord {
            username: "ada".into(),
            password_hash: String::new(),
            roles: [Role::PlatformViewer].into(),
            disabled: false,
            created_ms: 1,
            changed_ms: 1,
            version: 1,
        };
        let session = SessionRecord {
            id: minted.id.clone(),
            username: "ada".into(),
            hash: minted.hash.clone(),
            via: "::1".into(),
            created_ms: 1,
            used_ms: 1,
            expires_ms: 100,
        };
        state.users.insert("ada".into(), user);
        state.sessions.insert(session.id.clone(), session);
        state
    }

    #[test]
    fn a_cookie_is_worth_its_users_roles_until_the_session_ends() {
        let minted = mint(&PlatformKey::new(&[7; 32]), "ada", "a1");
        let mut state = state(&minted);
        let (session, roles) = find(&state, &minted.cookie, 99).expect("it lasts until 100");
        assert_eq!((session.username.as_str(), roles.len()), ("ada", 1));
        assert!(find(&state, &minted.cookie, 100).is_none(), "it is over");
        let mut wrong = minted.cookie.clone();
        let last = if wrong.pop() == Some('0') { '1' } else { '0' };
        wrong.push(last);
        assert!(find(&state, &wrong, 99).is_none(), "another secret");
        state.users.get_mut("ada").unwrap().disabled = true;
        assert!(find(&state, &minted.cookie, 99).is_none(), "disabled");
        assert!(!format!("{minted:?}").contains(&minted.cookie));
    }

    proptest::proptest! {
        #[test]
        fn no_text_from_outside_is_a_session(text in ".{0,200}") {
            let minted = mint(&PlatformKey::new(&[7; 32]), "ada", "a1");
            proptest::prop_assert!(find(&state(&minted), &text, 1).is_none());
        }
    }
}
