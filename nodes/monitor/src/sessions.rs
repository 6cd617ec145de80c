//! Sessions of browsers: what each stands for, and when it has ended. The time is an argument.
//!
//! Invariants: at most [`MOST`], the one that was used longest ago goes first; a cookie's secret is kept as a hash
//! and compared in constant time; a session is worth its credentials and no longer than [`LIFETIME_MS`], or
//! [`IDLE_MS`] without a use. They are in memory alone: a restart ends them, and nothing of them is on a disk.
//! Not here: whether credentials are right (`credentials`), cookies (`wharf-admin-ui`).

use http::HeaderValue;
use sha2::{Digest as _, Sha256};
use wharf_runtime::tls::constant_time_eq;

/// A session that is not used ends after this.
pub(crate) const IDLE_MS: u64 = 8 * 3_600_000;
/// A session ends after this whatever is done.
pub(crate) const LIFETIME_MS: u64 = 7 * 24 * 3_600_000;
/// Sessions at a time.
const MOST: usize = 256;
/// Characters of a secret at most that are looked at.
const SECRET_CHARS: usize = 128;

/// Which session; tells nothing of its secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId([u8; 32]);

impl SessionId {
    fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    fn is(self, other: Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId")
    }
}

/// A log-in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) username: String,
    /// What was shown at the log-in: is it wrong now, then the session is over.
    pub(crate) authorization: HeaderValue,
    pub(crate) begun_ms: u64,
    pub(crate) used_ms: u64,
}

impl Session {
    /// When it ends unless it is used before.
    pub(crate) fn idle_ms(&self) -> u64 {
        self.expires_ms().min(self.used_ms + IDLE_MS)
    }

    /// When it ends whatever is done.
    pub(crate) fn expires_ms(&self) -> u64 {
        self.begun_ms + LIFETIME_MS
    }
}

/// Those that have not ended.
#[derive(Default)]
pub(crate) struct Sessions(Vec<Session>);

impl Sessions {
    /// One more, behind this secret.
    pub(crate) fn begin(
        &mut self,
        secret: &str,
        username: String,
        mut authorization: HeaderValue,
        now_ms: u64,
    ) -> Session {
        self.drop_ended(now_ms);
        if self.0.len() >= MOST
            && let Some(oldest) = (0..self.0.len()).min_by_key(|at| self.0[*at].used_ms)
        {
            self.0.remove(oldest);
        }
        authorization.set_sensitive(true);
        let session = Session {
            id: SessionId::of(secret),
            username,
            authorization,
            begun_ms: now_ms,
            used_ms: now_ms,
        };
        self.0.push(session.clone());
        session
    }

    /// The session behind a secret, which is used now.
    pub(crate) fn use_one(&mut self, secret: &str, now_ms: u64) -> Option<Session> {
        if secret.len() > SECRET_CHARS {
            return None;
        }
        self.drop_ended(now_ms);
        let id = SessionId::of(secret);
        let mut found = None;
        // All are compared: the time tells nothing of which one it is.
        for session in &mut self.0 {
            if session.id.is(id) {
                session.used_ms = session.used_ms.max(now_ms);
                found = Some(session.clone());
            }
        }
        found
    }

    /// One that has not ended.
    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.0.iter().find(|session| session.id.is(id))
    }

    /// That session is over.
    pub(crate) fn end(&mut self, id: SessionId) {
        self.0.retain(|session| !session.id.is(id));
    }

    /// That user's credentials are these now: sessions behind others are over.
    pub(crate) fn end_others(&mut self, username: &str, authorization: &HeaderValue) {
        let right = authorization.as_bytes();
        self.0.retain(|session| {
            session.username != username
                || constant_time_eq(session.authorization.as_bytes(), right)
        });
    }

    fn drop_ended(&mut self, now_ms: u64) {
        self.0.retain(|session| now_ms < session.idle_ms());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    fn of_ada(sessions: &mut Sessions, secret: &str, now_ms: u64) -> Session {
        sessions.begin(secret, "ada".into(), header("Basic one"), now_ms)
    }

    #[test]
    fn a_session_is_found_by_its_secret_alone_and_until_it_is_ended() {
        let mut sessions = Sessions::default();
        let begun = of_ada(&mut sessions, "secret", 5);
        let found = sessions.use_one("secret", 6).expect("it has begun");
        assert_eq!((found.username.as_str(), found.used_ms), ("ada", 6));
        for wrong in ["", "secre", "secret ", "Secret"] {
            assert!(sessions.use_one(wrong, 6).is_none(), "`{wrong}`");
        }
        assert!(sessions.get(begun.id).is_some());
        sessions.end(begun.id);
        assert!(sessions.use_one("secret", 6).is_none(), "it was ended");
        assert!(sessions.get(begun.id).is_none());
        let told = format!("{begun:?}");
        assert!(!told.contains("one") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
        let mut sessions = Sessions::default();
        of_ada(&mut sessions, "idle", 0);
        assert!(sessions.use_one("idle", IDLE_MS - 1).is_some(), "in time");
        let next = IDLE_MS - 1 + IDLE_MS;
        assert!(
            sessions.use_one("idle", next).is_none(),
            "idle for too long"
        );

        of_ada(&mut sessions, "busy", 0);
        let mut now_ms = 0;
        while now_ms + IDLE_MS / 2 < LIFETIME_MS {
            now_ms += IDLE_MS / 2;
            let used = sessions.use_one("busy", now_ms);
            assert!(used.is_some(), "it is used at {now_ms}");
        }
        let last = sessions.use_one("busy", LIFETIME_MS - 1);
        assert_eq!(last.expect("the last moment").idle_ms(), LIFETIME_MS);
        assert!(sessions.use_one("busy", LIFETIME_MS).is_none(), "too old");
    }

    #[test]
    fn another_password_of_the_user_ends_sessions_behind_the_old_one_alone() {
        let mut sessions = Sessions::default();
        of_ada(&mut sessions, "old", 0);
        sessions.begin("new", "ada".into(), header("Basic two"), 0);
        sessions.begin("other", "bob".into(), header("Basic three"), 0);
        sessions.end_others("ada", &header("Basic two"));
        let mut lives = |secret: &str| sessions.use_one(secret, 1).is_some();
        assert_eq!(
            [lives("old"), lives("new"), lives("other")],
            [false, true, true]
        );
    }

    #[test]
    fn so_many_are_kept_and_the_one_that_was_used_longest_ago_goes() {
        let mut sessions = Sessions::default();
        for number in 0..MOST {
            of_ada(&mut sessions, &number.to_string(), number as u64);
        }
        assert!(sessions.use_one("0", MOST as u64).is_some());
        of_ada(&mut sessions, "more", MOST as u64);
        assert_eq!(sessions.0.len(), MOST);
        assert!(sessions.use_one("1", MOST as u64).is_none(), "it went");
        for kept in ["0", "2", "more"] {
            assert!(sessions.use_one(kept, MOST as u64).is_some(), "{kept}");
        }
    }

    proptest! {
        #[test]
        fn no_text_from_outside_is_a_session(text in ".{0,200}") {
            let mut sessions = Sessions::default();
            of_ada(&mut sessions, "the secret, which nothing else is", 0);
            prop_assert!(sessions.use_one(&text, 1).is_none());
        }
    }
}
