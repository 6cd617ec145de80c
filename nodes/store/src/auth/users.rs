//! The users file that the allocator writes (0400): names with argon2 hashes or plain passwords.
//!
//! A user that is listed twice has two passwords: the old and the new one while it is being changed.
//!
//! Invariant: a plain password is hashed when the file is read and not kept. Not here: caching (`auth`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

const MAX_FILE: u64 = 1024 * 1024;
/// Passwords that one user may have at a time; each costs a check.
const MAX_PASSWORDS: usize = 4;

/// The users or keys file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// Cannot be read.
    #[error("cannot read {path}: {source}; check that it exists and is readable by this process")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not the expected JSON.
    #[error("{path} is not a valid file: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
struct File {
    users: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    username: String,
    #[serde(default)]
    password_hash: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

struct Loaded {
    /// Every hash that a user's password may have: two while it is being changed.
    hashes: HashMap<String, Vec<String>>,
    /// The most hashes that one user has.
    most: usize,
    /// Of the file, so that whoever wrote it can see that it is in force.
    digest: String,
    /// Checked when the user is unknown, so that this takes as long.
    decoy: String,
}

/// The users.
pub(super) struct Users {
    path: PathBuf,
    loaded: ArcSwap<Loaded>,
    seen: Mutex<Option<(SystemTime, u64)>>,
}

fn hasher() -> Argon2<'static> {
    // OWASP's first choice for argon2id: 19 MiB, two passes.
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

pub(super) fn hash(password: &str) -> Option<String> {
    let salt = SaltString::encode_b64(&wharf_runtime::random::bytes::<16>()).ok()?;
    Some(
        hasher()
            .hash_password(password.as_bytes(), &salt)
            .ok()?
            .to_string(),
    )
}

fn stamp(path: &Path) -> Result<(SystemTime, u64), UsersError> {
    let read = |source| UsersError::Read {
        path: path.into(),
        source,
    };
    let meta = std::fs::metadata(path).map_err(read)?;
    Ok((meta.modified().map_err(read)?, meta.len()))
}

fn load(path: &Path) -> Result<Loaded, UsersError> {
    let invalid = |reason: String| UsersError::Invalid {
        path: path.into(),
        reason,
    };
    let (_, len) = stamp(path)?;
    if len > MAX_FILE {
        return Err(invalid(format!("larger than {MAX_FILE} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|source| UsersError::Read {
        path: path.into(),
        source,
    })?;
    // The parser's message may quote the file, which holds secrets: only its place is said.
    let file: File = serde_json::from_slice(&bytes)
        .map_err(|e| invalid(format!("not the expected JSON at line {}", e.line())))?;
    let mut hashes: HashMap<String, Vec<String>> = HashMap::new();
    let holds_plain = file.users.iter().any(|entry| entry.password.is_some());
    for entry in file.users {
        let hashed = match (entry.password_hash, entry.password) {
            (Some(given), _) => {
                PasswordHash::new(&given).map_err(|_| {
                    invalid(format!(
                        "password_hash of {} is no PHC string",
                        entry.username
                    ))
                })?;
                given
            }
            (None, Some(plain)) => hash(&plain).ok_or_else(|| invalid("cannot hash".into()))?,
            (None, None) => {
                return Err(invalid(format!("user {} has no password", entry.username)));
            }
        };
        let of_user = hashes.entry(entry.username).or_default();
        if of_user.len() >= MAX_PASSWORDS {
            return Err(invalid(format!(
                "a user has more than {MAX_PASSWORDS} passwords"
            )));
        }
        of_user.push(hashed);
    }
    let decoy =
        hash(&wharf_runtime::random::token(16)).ok_or_else(|| invalid("cannot hash".into()))?;
    let most = hashes.values().map(Vec::len).max().unwrap_or(1);
    Ok(Loaded {
        hashes,
        most,
        // Salted hashes cannot be guessed from it; a plain password could, as fast as SHA-256 goes.
        digest: if holds_plain {
            String::new()
        } else {
            hex::encode(&Sha256::digest(&bytes)[..16])
        },
        decoy,
    })
}

impl Users {
    pub(super) fn open(path: PathBuf) -> Result<Self, UsersError> {
        let seen = stamp(&path)?;
        let loaded = load(&path)?;
        Ok(Self {
            path,
            loaded: ArcSwap::from_pointee(loaded),
            seen: Mutex::new(Some(seen)),
        })
    }

    pub(super) fn reload_if_changed(&self) -> Result<bool, UsersError> {
        let now = stamp(&self.path)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == Some(now) {
            return Ok(false);
        }
        self.loaded.store(Arc::new(load(&self.path)?));
        *seen = Some(now);
        Ok(true)
    }

    pub(super) fn verify(&self, username: &str, password: &str) -> bool {
        let loaded = self.loaded.load();
        let matches = |hash: &String| {
            PasswordHash::new(hash).is_ok_and(|parsed| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &parsed)
                    .is_ok()
            })
        };
        let Some(known) = loaded.hashes.get(username) else {
            // As long as for those who are known.
            for _ in 0..loaded.most {
                matches(&loaded.decoy);
            }
            return false;
        };
        // The newest is the one that most use.
        known.iter().rev().any(matches)
    }

    /// Digest of the file in force, which anybody may be told; empty when the file holds a plain password.
    pub(super) fn digest(&self) -> String {
        self.loaded.load().digest.clone()
    }
}
