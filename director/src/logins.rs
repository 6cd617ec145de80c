//! Users' passwords: verified against the hash in the state, verified ones remembered until the user
//! changes, guesses slowed down per user and address. Invariants: the tables are bounded; no password
//! is kept, only a digest under a key of this process; while a user at an address has to wait, not
//! even the right password is tried. Not here: how long that is (`wharf-admin-ui`), what a user may do (`auth`).

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wharf_admin_ui::guesses::Guesses;
use wharf_director_core::state::{State, UserRecord};
use wharf_runtime::{random, task, tls::constant_time_eq};

use crate::secrets;

/// Verified users that are remembered.
const VERIFIED_KEPT: usize = 1_000;
/// Hashes computed at a time: each takes a core and 19 MiB.
const HASHERS: usize = 2;
/// Hashes that wait; more are refused.
const HASHES_WAITING: usize = 64;
/// A longer user name or password is refused unseen.
const CREDENTIAL_BYTES: usize = 1_024;

/// Why a login failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginError {
    /// User or password is wrong.
    Wrong,
    /// Too many guesses: wait so long.
    Wait {
        /// Milliseconds.
        ms: u64,
    },
    /// Too many logins are being checked.
    Busy,
}

struct Verified {
    digest: [u8; 32],
    version: u64,
}

/// Checks logins.
pub struct Logins {
    key: [u8; 32],
    guesses: Guesses,
    verified: Mutex<HashMap<String, Verified>>,
    hashers: Semaphore,
    waiting: Semaphore,
    /// Hashed when there is no such user, so that an answer's time does not tell.
    nobody: String,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    /// Nobody has logged in yet.
    ///
    /// # Errors
    /// When hashing does not work.
    pub fn new() -> Result<Self, secrets::SecretError> {
        Ok(Self {
            key: random::bytes(),
            guesses: Guesses::default(),
            verified: Mutex::default(),
            hashers: Semaphore::new(HASHERS),
            waiting: Semaphore::new(HASHES_WAITING),
            nobody: secrets::hash_password(&random::token(16))?,
        })
    }

    fn digest(&self, username: &str, password: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.key);
        hasher.update((username.len() as u64).to_be_bytes());
        hasher.update(username.as_bytes());
        hasher.update(password.as_bytes());
        hasher.update(self.key);
        hasher.finalize().into()
    }

    /// The user, when the password is right and the user may log in.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn verify<'a>(
        &self,
        state: &'a State,
        username: &str,
        password: &str,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<&'a UserRecord, LoginError> {
        if username.len() > CREDENTIAL_BYTES || password.len() > CREDENTIAL_BYTES {
            return Err(LoginError::Wrong);
        }
        let place = (username.to_owned(), address);
        let wait = self.guesses.wait_ms(&place, now_ms);
        if wait > 0 {
            return Err(LoginError::Wait { ms: wait });
        }
        let user = state.users.get(username);
        let digest = self.digest(username, password);
        let verified = || user.filter(|user| self.is_verified(user, &digest));
        if let Some(user) = verified() {
            return Ok(user);
        }
        let _waits = self.waiting.try_acquire().map_err(|_| LoginError::Busy)?;
        let _turn = self.hashers.acquire().await.map_err(|_| LoginError::Busy)?;
        // Who waited for a turn may have waited for the same login's hash.
        if let Some(user) = verified() {
            return Ok(user);
        }
        let hash = user
            .map_or(&self.nobody, |user| &user.password_hash)
            .clone();
        let tried = password.to_owned();
        let right =
            task::spawn_blocking("password", move || secrets::verify_password(&hash, &tried))
                .await
                .unwrap_or(false);
        match user.filter(|user| right && !user.disabled) {
            Some(user) => {
                self.guesses.forget(&place);
                let version = user.version;
                self.keep(username.to_owned(), Verified { digest, version });
                Ok(user)
            }
            None => {
                self.guesses.count(place, now_ms);
                Err(LoginError::Wrong)
            }
        }
    }

    fn is_verified(&self, user: &UserRecord, digest: &[u8; 32]) -> bool {
        let known = lock(&self.verified);
        let known = known.get(&user.username);
        !user.disabled
            && known.is_some_and(|known| {
                known.version == user.version && constant_time_eq(&known.digest, digest)
            })
    }

    fn keep(&self, username: String, login: Verified) {
        let mut verified = lock(&self.verified);
        if verified.len() >= VERIFIED_KEPT {
            verified.clear();
        }
        verified.insert(username, login);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The tables are whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_admin_ui::guesses::FREE_GUESSES;
    use wharf_director_core::state::Role;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

    fn state(password: &str, version: u64) -> State {
        let mut state = State::default();
        let user = UserRecord {
            username: "ada".into(),
            password_hash: secrets::hash_password(password).unwrap(),
            roles: [Role::PlatformViewer].into(),
            disabled: false,
            created_ms: 1,
            changed_ms: 1,
            version,
        };
        state.users.insert("ada".into(), user);
        state
    }

    #[tokio::test]
    async fn a_changed_password_ends_what_was_verified() {
        let logins = Logins::new().unwrap();
        let before = state("one", 1);
        for _ in 0..2 {
            let user = logins.verify(&before, "ada", "one", HOME, 10).await;
            assert!(user.is_ok_and(|user| user.covers(Role::PlatformViewer)));
        }
        let after = state("two", 2);
        let old = logins.verify(&after, "ada", "one", HOME, 20).await;
        assert_eq!(old, Err(LoginError::Wrong));
        assert!(logins.verify(&after, "ada", "two", HOME, 30).await.is_ok());
    }

    #[tokio::test]
    async fn a_disabled_user_is_refused_also_when_the_password_was_verified() {
        let logins = Logins::new().unwrap();
        let mut state = state("one", 1);
        assert!(logins.verify(&state, "ada", "one", HOME, 10).await.is_ok());
        state.users.get_mut("ada").unwrap().disabled = true;
        let refused = logins.verify(&state, "ada", "one", HOME, 20).await;
        assert_eq!(refused, Err(LoginError::Wrong));
    }

    #[tokio::test]
    async fn logins_that_come_together_wait_for_one_hash() {
        let logins = Logins::new().unwrap();
        let state = state("one", 1);
        let turns = logins.hashers.acquire_many(HASHERS as u32).await.unwrap();
        let mut waiting = std::pin::pin!(logins.verify(&state, "ada", "one", HOME, 10));
        assert!(futures::poll!(&mut waiting).is_pending());
        let (digest, version) = (logins.digest("ada", "one"), state.users["ada"].version);
        logins.keep("ada".into(), Verified { digest, version });
        drop(turns);
        let polled = futures::poll!(&mut waiting);
        assert!(
            matches!(polled, std::task::Poll::Ready(Ok(_))),
            "{polled:?}, not without a hash"
        );
    }

    #[tokio::test]
    async fn guessing_has_to_wait_and_only_there() {
        let logins = Logins::new().unwrap();
        let state = state("one", 1);
        for _ in 0..FREE_GUESSES {
            let guess = logins.verify(&state, "ada", "no", AWAY, 10).await;
            assert_eq!(guess, Err(LoginError::Wrong));
        }
        let right = logins.verify(&state, "ada", "one", AWAY, 20).await;
        assert!(matches!(right, Err(LoginError::Wait { .. })), "{right:?}");
        assert!(logins.verify(&state, "ada", "one", HOME, 20).await.is_ok());
        assert!(
            logins
                .verify(&state, "ada", "one", AWAY, 2_000)
                .await
                .is_ok()
        );
    }
}
