//! API keys: made, listed, invalidated; kept as SHA-256 of their 128-bit random secrets in one file.
//!
//! Invariants: a key counts only after the file that holds it is durable; the secret is shown once.
//! Keys carry no privileges of their own: a request for restricted ones is refused, never ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::users::UsersError;
use crate::files::write_json;

/// Keys kept at most, invalidated ones included.
const MAX_KEYS: usize = 10_000;

/// One API key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The user that made it.
    pub owner: String,
    /// When it was made.
    pub creation_ms: i64,
    /// When it ends.
    pub expiration_ms: Option<i64>,
    /// Whether it was taken back.
    pub invalidated: bool,
    /// Whatever the client attached.
    #[serde(default)]
    pub metadata: Value,
    secret_sha256: String,
}

/// A key just made, with its secret.
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// The secret, shown this once.
    pub secret: String,
}

/// Keys that an invalidation reached.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RemovedKeys {
    /// Invalidated now.
    pub now: Vec<String>,
    /// Invalid before.
    pub before: Vec<String>,
}

/// A key cannot be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyRequestError {
    /// The store is full of keys.
    #[error("there are {MAX_KEYS} API keys; invalidate some")]
    TooMany,
    /// The file cannot be written.
    #[error("cannot keep the API key: {0}; check the data directory's free space")]
    Write(#[from] std::io::Error),
}

/// All API keys.
pub struct Keys {
    path: PathBuf,
    keys: Mutex<BTreeMap<String, ApiKey>>,
}

fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

fn read(path: &Path) -> Result<BTreeMap<String, ApiKey>, UsersError> {
    let keys: Vec<ApiKey> = match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| UsersError::Invalid {
            path: path.to_path_buf(),
            reason: format!("not the expected JSON at line {}", e.line()),
        })?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(source) => {
            return Err(UsersError::Read {
                path: path.to_path_buf(),
                source,
            });
        }
    };
    Ok(keys.into_iter().map(|k| (k.id.clone(), k)).collect())
}

impl Keys {
    pub(super) fn open(path: PathBuf) -> Result<Self, UsersError> {
        let keys = Mutex::new(read(&path)?);
        Ok(Self { path, keys })
    }

    /// Takes in a file that somebody else wrote.
    pub(super) fn reload(&self) -> Result<(), UsersError> {
        let keys = read(&self.path)?;
        *self.lock() = keys;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ApiKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a key.
    pub fn create(
        &self,
        owner: &str,
        name: &str,
        expiration_ms: Option<i64>,
        metadata: Value,
        now_ms: i64,
    ) -> Result<NewKey, KeyRequestError> {
        let secret = wharf_runtime::random::token(16);
        let key = ApiKey {
            id: wharf_runtime::random::token(15),
            name: name.into(),
            owner: owner.into(),
            creation_ms: now_ms,
            expiration_ms,
            invalidated: false,
            metadata,
            secret_sha256: digest(&secret),
        };
        let mut keys = self.lock();
        let mut next = keys.clone();
        if next.len() >= MAX_KEYS {
            next.retain(|_, k| !k.invalidated && k.expiration_ms.is_none_or(|e| e > now_ms));
        }
        if next.len() >= MAX_KEYS {
            return Err(KeyRequestError::TooMany);
        }
        next.insert(key.id.clone(), key.clone());
        self.save(&next)?;
        *keys = next;
        Ok(NewKey { key, secret })
    }

    fn save(&self, keys: &BTreeMap<String, ApiKey>) -> Result<(), std::io::Error> {
        write_json(&self.path, &keys.values().collect::<Vec<_>>(), 0o600)
    }

    /// The keys that `wanted` accepts.
    pub fn list(&self, wanted: impl Fn(&ApiKey) -> bool) -> Vec<ApiKey> {
        self.lock()
            .values()
            .filter(|k| wanted(k))
            .cloned()
            .collect()
    }

    /// Takes back the keys that `wanted` accepts.
    pub fn invalidate(
        &self,
        wanted: impl Fn(&ApiKey) -> bool,
    ) -> Result<RemovedKeys, std::io::Error> {
        let mut keys = self.lock();
        let mut next = keys.clone();
        let mut removed = RemovedKeys::default();
        for key in next.values_mut().filter(|k| wanted(k)) {
            if key.invalidated {
                removed.before.push(key.id.clone());
            } else {
                key.invalidated = true;
                removed.now.push(key.id.clone());
            }
        }
        if !removed.now.is_empty() {
            self.save(&next)?;
            *keys = next;
        }
        Ok(removed)
    }

    /// The live key with this id and secret.
    pub(super) fn verify(&self, id: &str, secret: &str, now_ms: i64) -> Option<ApiKey> {
        let given = digest(secret);
        let keys = self.lock();
        let key = keys.get(id)?;
        let same: bool = key.secret_sha256.as_bytes().ct_eq(given.as_bytes()).into();
        let live = !key.invalidated && key.expiration_ms.is_none_or(|e| e > now_ms);
        (same && live).then(|| key.clone())
    }
}
