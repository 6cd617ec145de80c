//! Who is asking: basic credentials from the users file and API keys.
//!
//! Invariants: a password is checked against argon2 once and then known by the SHA-256 of the header,
//! for ten minutes and until users or keys change; an unknown user costs as much as a wrong password; comparisons
//! are constant-time. Not here: what a principal may do to which index (all principals are equal), TLS.

mod keys;
mod users;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

pub use keys::{ApiKey, KeyRequestError, NewKey, RemovedKeys};
pub use users::UsersError;

use keys::Keys;
use users::Users;

/// Verified credentials that are remembered at most.
const CACHED: usize = 4096;
const CACHED_FOR_MS: i64 = 600_000;
/// Longest Authorization header that is looked at.
const MAX_HEADER: usize = 4096;

/// A caller whose credentials were right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// User name; for an API key the user that made it.
    pub username: String,
    /// Id of the API key, if one was used.
    pub api_key: Option<String>,
}

/// Credentials were missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No header.
    #[error("missing authentication credentials for REST request [{0}]")]
    Missing(String),
    /// Wrong user, password or key.
    #[error("unable to authenticate user for REST request [{0}]")]
    Wrong(String),
}

struct Known {
    principal: Principal,
    until_ms: i64,
}

/// Checks credentials.
pub struct Authenticator {
    users: Option<Users>,
    keys: Keys,
    known: Mutex<HashMap<[u8; 32], Known>>,
    /// Grows when what is known is forgotten: a check that began before must not remember its verdict.
    epoch: AtomicU64,
    /// argon2 takes 19 MiB a check: few at a time.
    checks: Semaphore,
}

impl Authenticator {
    /// Reads users (`None`: everybody is `elastic`) and API keys.
    pub fn open(users_file: Option<PathBuf>, keys_file: PathBuf) -> Result<Self, UsersError> {
        Ok(Self {
            users: users_file.map(Users::open).transpose()?,
            keys: Keys::open(keys_file)?,
            known: Mutex::new(HashMap::new()),
            epoch: AtomicU64::new(0),
            checks: Semaphore::new(2),
        })
    }

    /// The API keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the API keys again: the file came from elsewhere.
    pub(crate) fn reload_keys(&self) -> Result<(), UsersError> {
        self.keys.reload()?;
        self.forget();
        Ok(())
    }

    /// Forgets every verified credential; call after users or keys changed.
    pub fn forget(&self) {
        let mut known = self.known();
        self.epoch.fetch_add(1, Ordering::SeqCst);
        known.clear();
    }

    /// Digest of the users file that is in force; empty without one.
    pub fn users_digest(&self) -> String {
        self.users.as_ref().map(Users::digest).unwrap_or_default()
    }

    /// Reads the users file again when it changed.
    pub fn reload_users(&self) -> Result<bool, UsersError> {
        let Some(users) = &self.users else {
            return Ok(false);
        };
        let changed = users.reload_if_changed()?;
        if changed {
            self.forget();
        }
        Ok(changed)
    }

    /// Who the Authorization header says, for a request to `target` (named in the error).
    pub async fn check(
        self: &Arc<Self>,
        header: Option<&[u8]>,
        target: &str,
        now_ms: i64,
    ) -> Result<Principal, AuthError> {
        if self.users.is_none() {
            return Ok(Principal {
                username: "elastic".into(),
                api_key: None,
            });
        }
        let header = header.ok_or_else(|| AuthError::Missing(target.into()))?;
        let wrong = || AuthError::Wrong(target.into());
        if header.len() > MAX_HEADER {
            return Err(wrong());
        }
        let digest: [u8; 32] = Sha256::digest(header).into();
        if let Some(known) = self.known().get(&digest)
            && known.until_ms > now_ms
        {
            return Ok(known.principal.clone());
        }
        let epoch = self.epoch.load(Ordering::SeqCst);
        let text = std::str::from_utf8(header).map_err(|_| wrong())?;
        let (scheme, rest) = text.split_once(' ').ok_or_else(wrong)?;
        let decoded = STANDARD
            .decode(rest.trim())
            .ok()
            .and_then(|raw| String::from_utf8(raw).ok())
            .ok_or_else(wrong)?;
        let (name, secret) = decoded.split_once(':').ok_or_else(wrong)?;
        let (principal, until_ms) = if scheme.eq_ignore_ascii_case("basic") {
            let permit = self.checks.acquire().await.map_err(|_| wrong())?;
            let (this, name, secret) = (Arc::clone(self), name.to_owned(), secret.to_owned());
            let user = name.clone();
            let right = wharf_runtime::task::spawn_blocking("store password check", move || {
                this.users
                    .as_ref()
                    .is_some_and(|users| users.verify(&name, &secret))
            })
            .await
            .unwrap_or(false);
            drop(permit);
            if !right {
                return Err(wrong());
            }
            (
                Principal {
                    username: user,
                    api_key: None,
                },
                now_ms + CACHED_FOR_MS,
            )
        } else if scheme.eq_ignore_ascii_case("apikey") {
            let key = self.keys.verify(name, secret, now_ms).ok_or_else(wrong)?;
            let until = key
                .expiration_ms
                .unwrap_or(i64::MAX)
                .min(now_ms + CACHED_FOR_MS);
            (
                Principal {
                    username: key.owner,
                    api_key: Some(key.id),
                },
                until,
            )
        } else {
            return Err(wrong());
        };
        let mut known = self.known();
        if self.epoch.load(Ordering::SeqCst) != epoch {
            return Ok(principal);
        }
        if known.len() >= CACHED {
            known.retain(|_, k| k.until_ms > now_ms);
            if known.len() >= CACHED {
                known.clear();
            }
        }
        known.insert(
            digest,
            Known {
                principal: principal.clone(),
                until_ms,
            },
        );
        Ok(principal)
    }
}

#[cfg(test)]
mod tests;
