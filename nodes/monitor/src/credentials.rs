//! What proves a caller: user and password of the deployment in the header `authorization`, or the cookie of a
//! browser that has shown them.
//!
//! Invariants: credentials are judged by the storage (`Storage::verify`), a good verdict holds for [`KEPT`], kept as
//! a salted hash and compared in constant time; a bad one is not kept, and only [`VERDICTS_AT_ONCE`] are asked for
//! at a time. A session is worth the credentials behind it: they are judged again as those of any call, and when the
//! node is given another password, verdicts and the sessions behind the old one are over at once. Wrong passwords
//! of log-ins, and of all that comes through a proxy, make that user wait at that address.
//! Not here: which methods are for whom (`gate`), when sessions end by themselves (`sessions`).

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tonic::{Code, Status};
use wharf_admin_ui::browser::{NotTheUi, check_from_ui, cookie};
use wharf_admin_ui::guesses::{Guesses, Place};
use wharf_runtime::tls::constant_time_eq;

use crate::codes;
use crate::monitor::Monitor;
use crate::sessions::{Session, SessionId, Sessions};
use crate::status::{coded_status, of_storage};

/// How long a good verdict holds.
const KEPT: Duration = Duration::from_secs(60);
/// Verdicts that are kept.
const MOST_KEPT: usize = 64;
/// Verdicts that the storage is asked for at a time.
const VERDICTS_AT_ONCE: usize = 4;
const HEADER_BYTES: usize = 4 * 1024;
/// Bytes of a user's name.
const USER_BYTES: usize = 256;
/// Bytes of a cookie's secret.
const SECRET_BYTES: usize = 32;

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// The user's name.
    pub(crate) name: String,
    /// What proved it.
    pub(crate) proof: Proof,
}

/// What proved a caller.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// These credentials.
    Credentials(HeaderValue),
    /// This session.
    Session(SessionId),
}

struct Verdict {
    hash: [u8; 32],
    until: Instant,
}

/// What is known of credentials.
pub(crate) struct Credentials {
    salt: [u8; 32],
    began: Instant,
    /// The node's own, as they were at the last call.
    own: Mutex<Option<HeaderValue>>,
    kept: Mutex<Vec<Verdict>>,
    room: Semaphore,
    guesses: Guesses,
    sessions: Mutex<Sessions>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What they guard is valid after each statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wrong() -> Status {
    coded_status(
        Code::Unauthenticated,
        codes::UNAUTHENTICATED,
        "no credentials, or not those of the deployment",
        "give user and password of the deployment; `wharf deployment credentials` shows them",
    )
}

pub(crate) fn ended() -> Status {
    coded_status(
        Code::Unauthenticated,
        codes::UNAUTHENTICATED,
        "the session has ended",
        "log in again",
    )
}

fn wait(ms: u64) -> Status {
    coded_status(
        Code::ResourceExhausted,
        codes::TOO_MANY_GUESSES,
        "too many wrong passwords",
        &format!("wait {} s", ms.div_ceil(1000)),
    )
}

/// A browser made a call for another page than the admin UI's.
pub(crate) fn not_the_ui(refused: NotTheUi) -> Status {
    coded_status(
        Code::PermissionDenied,
        codes::NOT_THE_UI,
        refused.to_string(),
        "open the pages at the monitoring node's own address; programs give user and password",
    )
}

impl Credentials {
    pub(crate) fn new() -> Self {
        Self {
            salt: wharf_runtime::random::bytes(),
            began: Instant::now(),
            own: Mutex::default(),
            kept: Mutex::default(),
            room: Semaphore::new(VERDICTS_AT_ONCE),
            guesses: Guesses::default(),
            sessions: Mutex::default(),
        }
    }

    /// Milliseconds of a clock that nobody sets.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn hash(&self, header: &HeaderValue) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update(header.as_bytes());
        hash.finalize().into()
    }

    fn is_known(&self, hash: &[u8; 32]) -> bool {
        let now = Instant::now();
        let mut kept = lock(&self.kept);
        kept.retain(|verdict| verdict.until > now);
        // All are compared: the time tells nothing of which one it is.
        let mut is_known = false;
        for verdict in kept.iter() {
            is_known |= constant_time_eq(&verdict.hash, hash);
        }
        is_known
    }

    fn keep(&self, hash: [u8; 32]) {
        let mut kept = lock(&self.kept);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        let until = Instant::now() + KEPT;
        kept.push(Verdict { hash, until });
    }

    /// Forgets what the node's own credentials have outdated.
    fn follow(&self, own: Option<HeaderValue>) {
        let Some(own) = own else { return };
        let mut seen = lock(&self.own);
        let is_same = |seen: &HeaderValue| constant_time_eq(seen.as_bytes(), own.as_bytes());
        if seen.as_ref().is_some_and(is_same) {
            return;
        }
        let is_first = seen.replace(own.clone()).is_none();
        drop(seen);
        if is_first {
            return;
        }
        lock(&self.kept).clear();
        if let Some(name) = user(&own) {
            lock(&self.sessions).end_others(&name, &own);
        }
    }

    /// Refuses while that user has to wait at that address.
    fn check_wait(&self, place: Option<&Place>) -> Result<(), Status> {
        let now_ms = self.now_ms();
        match place.map_or(0, |place| self.guesses.wait_ms(place, now_ms)) {
            0 => Ok(()),
            ms => Err(wait(ms)),
        }
    }

    /// Whether the storage takes these credentials; a wrong password counts among those of a place, if there is one.
    async fn are_right(
        &self,
        monitor: &Monitor,
        header: &HeaderValue,
        place: Option<&Place>,
    ) -> Result<bool, Status> {
        self.check_wait(place)?;
        let hash = self.hash(header);
        if self.is_known(&hash) {
            return Ok(true);
        }
        let turn = self.room.acquire().await.map_err(|_| wrong())?;
        // Who waited for a turn may have waited for the same verdict, or guesses that came together.
        self.check_wait(place)?;
        if self.is_known(&hash) {
            return Ok(true);
        }
        let verdict = monitor.storage.verify(header).await;
        let is_right = verdict.map_err(|error| of_storage(&error))?;
        if is_right {
            self.keep(hash);
        }
        match place {
            Some(place) if is_right => self.guesses.forget(place),
            Some(place) => self.guesses.count(place.clone(), self.now_ms()),
            None => {}
        }
        drop(turn);
        Ok(is_right)
    }

    /// Whoever these headers prove. Wrong passwords count among those from this address, when there is one.
    pub(crate) async fn principal(
        &self,
        monitor: &Monitor,
        headers: &HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<Principal, Status> {
        self.follow(monitor.storage.authorization());
        match headers.get(AUTHORIZATION) {
            Some(header) => self.by_header(monitor, header, from).await,
            None => self.by_cookie(monitor, headers).await,
        }
    }

    async fn by_header(
        &self,
        monitor: &Monitor,
        header: &HeaderValue,
        from: Option<IpAddr>,
    ) -> Result<Principal, Status> {
        let name = user(header).ok_or_else(wrong)?;
        let place = from.map(|address| (name.clone(), address));
        if !self.are_right(monitor, header, place.as_ref()).await? {
            return Err(wrong());
        }
        let mut header = header.clone();
        header.set_sensitive(true);
        let proof = Proof::Credentials(header);
        Ok(Principal { name, proof })
    }

    async fn by_cookie(&self, monitor: &Monitor, headers: &HeaderMap) -> Result<Principal, Status> {
        let secret = cookie(headers, &monitor.config.deployment_id).ok_or_else(wrong)?;
        check_from_ui(headers).map_err(not_the_ui)?;
        let session = lock(&self.sessions).use_one(secret, self.now_ms());
        let session = session.ok_or_else(ended)?;
        let authorization = &session.authorization;
        if !self.are_right(monitor, authorization, None).await? {
            lock(&self.sessions).end(session.id);
            return Err(ended());
        }
        Ok(Principal {
            name: session.username,
            proof: Proof::Session(session.id),
        })
    }

    /// A new session behind these credentials, and the secret of its cookie. None: they name no user.
    pub(crate) fn begin(&self, authorization: &HeaderValue) -> Option<(Session, String)> {
        let username = user(authorization)?;
        let secret = wharf_runtime::random::token(SECRET_BYTES);
        let mut sessions = lock(&self.sessions);
        let session = sessions.begin(&secret, username, authorization.clone(), self.now_ms());
        Some((session, secret))
    }

    /// A session that has not ended.
    pub(crate) fn session(&self, id: SessionId) -> Option<Session> {
        lock(&self.sessions).get(id).cloned()
    }

    /// That session is over.
    pub(crate) fn end(&self, id: SessionId) {
        lock(&self.sessions).end(id);
    }
}

/// The user's name of a basic header.
fn user(header: &HeaderValue) -> Option<String> {
    if header.len() > HEADER_BYTES {
        return None;
    }
    let pair = header.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = base64::engine::general_purpose::STANDARD
        .decode(pair)
        .ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (name, _) = pair.split_once(':')?;
    (!name.is_empty() && name.len() <= USER_BYTES).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    #[test]
    fn a_good_verdict_is_known_again_and_nothing_else_is() {
        let credentials = Credentials::new();
        let right = header("Basic ZWxhc3RpYzp4");
        let hash = credentials.hash(&right);
        assert!(!credentials.is_known(&hash));
        credentials.keep(hash);
        assert!(credentials.is_known(&hash));
        assert_eq!(user(&right).as_deref(), Some("elastic"));
        let other = header("Basic ZWxhc3RpYzp5");
        assert!(!credentials.is_known(&credentials.hash(&other)));
    }

    #[test]
    fn another_password_of_the_node_ends_verdicts_and_sessions_behind_the_old_one() {
        let credentials = Credentials::new();
        let [old, new] = ["Basic ZWxhc3RpYzp4", "Basic ZWxhc3RpYzp5"].map(header);
        let hash = credentials.hash(&old);
        credentials.keep(hash);
        let (session, _) = credentials.begin(&old).unwrap();
        for known in [None, Some(old.clone()), None, Some(old)] {
            credentials.follow(known);
            assert!(credentials.is_known(&hash), "nothing has changed");
            assert!(credentials.session(session.id).is_some());
        }
        let (early, _) = credentials.begin(&new).unwrap();
        credentials.follow(Some(new));
        assert!(!credentials.is_known(&hash), "it is asked for again");
        assert!(credentials.session(session.id).is_none(), "it is over");
        assert!(
            credentials.session(early.id).is_some(),
            "of the new password"
        );
    }

    #[test]
    fn a_secret_is_never_written() {
        let credentials = Credentials::new();
        let mut shown = header("Basic ZWxhc3RpYzp4");
        shown.set_sensitive(true);
        let (session, secret) = credentials.begin(&shown).unwrap();
        let told = format!("{session:?} {:?}", Proof::Credentials(shown));
        assert!(!told.contains(&secret) && !told.contains("ZWxh"), "{told}");
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(text in "[ -~]{0,40}") {
            let _ = user(&HeaderValue::from_str(&text).expect("visible letters"));
        }
    }
}
