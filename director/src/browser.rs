//! What a browser shows of a log-in: a cookie that only this host's pages over TLS send and no script
//! reads, and the proof that a call comes from the admin UI and not from another site's page.
//! Invariants: the state has a hash of the cookie's secret only; a repeated log-in makes the same
//! cookie again, because both parts follow from its request id under the platform key; a cookie alone
//! lets nobody in. Not here: beginning and ending sessions (`api/sessions`), how long they last (core).

use std::collections::BTreeSet;

use http::{
    HeaderMap, HeaderName,
    header::{COOKIE, HOST, ORIGIN},
    request::Parts,
};
use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use wharf_director_core::{
    apply::session::idle_ms,
    state::{Role, SessionRecord, State},
};
use wharf_proto::ids::is_id;
use wharf_runtime::tls::constant_time_eq;

use crate::{answer::coded_status, codes, secrets::PlatformKey};

/// What the admin UI sends with each call: a page of another site needs leave for it, which nobody
/// gets.
const FROM_UI: HeaderName = HeaderName::from_static("x-wharf-session");
/// Cookies of these names are taken over TLS, for the whole host and from the host itself alone.
const PREFIX: &str = "__Host-wharf-";
/// What a cookie may be used for.
const LIMITS: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";
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

/// The `set-cookie` that gives a browser its session. It names the platform: cookies of a host do not
/// tell its ports apart, and a machine may have several platforms.
#[must_use]
pub fn giving(platform_id: &str, cookie: &str) -> String {
    format!("{PREFIX}{platform_id}={cookie}; {LIMITS}")
}

/// The `set-cookie` that takes it away.
#[must_use]
pub fn taking(platform_id: &str) -> String {
    format!("{PREFIX}{platform_id}=; Max-Age=0; {LIMITS}")
}

/// The session's cookie of this platform among those of a call.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, platform_id: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| name.strip_prefix(PREFIX) == Some(platform_id))
        .map(|(_, cookie)| cookie)
}

fn not_the_ui(message: &str) -> Status {
    coded_status(
        Code::PermissionDenied,
        codes::NOT_THE_UI,
        message,
        "open the admin UI at the director's own address; programs use a token",
    )
}

/// Refuses a call that a browser makes for a page of another site.
///
/// # Errors
/// When its origin is not the address that it was sent to.
pub fn check_origin(head: &Parts) -> Result<(), Status> {
    let Some(origin) = head.headers.get(ORIGIN) else {
        return Ok(());
    };
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = head.uri.authority().map(|authority| authority.as_str());
    let same = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.strip_prefix("https://"))
        .zip(own.or(host))
        .is_some_and(|(origin, own)| origin.eq_ignore_ascii_case(own));
    if same {
        return Ok(());
    }
    Err(not_the_ui("the call comes from the page of another site"))
}

/// Refuses a call with a cookie that the admin UI did not make.
///
/// # Errors
/// When it lacks the header that the UI sends.
pub fn check_from_ui(headers: &HeaderMap) -> Result<(), Status> {
    if headers.get(FROM_UI).is_some_and(|value| value == "1") {
        return Ok(());
    }
    Err(not_the_ui(
        "the call has the cookie of a log-in and not the header `x-wharf-session: 1`",
    ))
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
    use http::Request;
    use wharf_director_core::state::UserRecord;

    use super::*;

    const PLATFORM: &str = "0123456789abcdef0123456789abcdef";

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

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
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

    #[test]
    fn the_cookie_is_found_among_others_and_one_of_another_platform_is_not_taken() {
        let given = giving(PLATFORM, "secret");
        let pair = given.split(';').next().expect("a pair");
        for headers in [
            vec![format!("a=b; {pair}; c=d")],
            vec!["a=b".to_owned(), pair.to_owned()],
        ] {
            let mut map = HeaderMap::new();
            for value in &headers {
                map.append(COOKIE, value.parse().unwrap());
            }
            assert_eq!(cookie(&map, PLATFORM), Some("secret"), "{headers:?}");
            assert_eq!(cookie(&map, "fedcba9876543210fedcba9876543210"), None);
        }
    }

    #[test]
    fn the_cookie_is_for_this_host_over_tls_and_no_script_reads_it() {
        for text in [giving(PLATFORM, "x"), taking(PLATFORM)] {
            assert!(text.starts_with("__Host-"), "{text}");
            for word in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
                assert!(text.contains(word), "`{text}` lacks `{word}`");
            }
            assert!(!text.contains("Domain"), "{text}");
        }
        assert!(taking(PLATFORM).contains("Max-Age=0"));
    }

    #[test]
    fn a_call_for_another_sites_page_is_refused_whatever_tells_the_own_address() {
        let own = [
            "https://h1:12443/wharf.v1.Users/WhoAmI",
            "/wharf.v1.Users/WhoAmI",
        ];
        for uri in own {
            let at = |origin: &str| {
                let headers = [("host", "h1:12443"), ("origin", origin)];
                check_origin(&head(uri, &headers)).is_ok()
            };
            assert!(at("https://h1:12443") && at("https://H1:12443"), "{uri}");
            for other in [
                "https://h1",
                "http://h1:12443",
                "https://h1:1",
                "null",
                "",
                "https://evil",
            ] {
                assert!(!at(other), "`{other}` was taken at {uri}");
            }
        }
        let none = head(own[0], &[]);
        assert!(check_origin(&none).is_ok(), "programs send no origin");
        assert!(check_origin(&head("/x", &[("origin", "https://h1")])).is_err());
    }

    #[test]
    fn only_the_header_of_the_ui_lets_a_cookie_in() {
        for (value, taken) in [("1", true), ("0", false), ("", false)] {
            let head = head("/", &[("x-wharf-session", value)]);
            assert_eq!(check_from_ui(&head.headers).is_ok(), taken, "{value}");
        }
        assert!(check_from_ui(&HeaderMap::new()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_from_outside_is_a_session(text in ".{0,200}") {
            let minted = mint(&PlatformKey::new(&[7; 32]), "ada", "a1");
            proptest::prop_assert!(find(&state(&minted), &text, 1).is_none());
        }

        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(COOKIE, value.clone());
                let _ = cookie(&headers, PLATFORM);
                let mut head = head("/", &[]);
                head.headers.insert(ORIGIN, value);
                let _ = check_origin(&head);
            }
        }
    }
}
