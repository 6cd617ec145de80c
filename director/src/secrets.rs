//! Secrets: the platform key that seals them in the state, passwords and their hashes. Invariants: a
//! sealed text opens only under the name it was sealed for; nothing here prints a secret. Not here:
//! who may see one (`auth`, `api/deployments`), certificates (`certificates`).

use std::path::Path;

use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{Error as HashError, SaltString},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wharf_runtime::{data_dir::read_limited, random};

/// The user of a deployment that the platform makes.
pub const DEPLOYMENT_USER: &str = "elastic";
const PREFIX: &str = "v1.";
const NONCE_BYTES: usize = 24;

/// Why a secret cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key file is missing, unreadable or no key.
    #[error(
        "the platform key {path} cannot be used: {reason}; restore it from another director or a backup"
    )]
    Key {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The sealed text does not open.
    #[error("DIR0072: the secret {0} cannot be opened with this director's platform key")]
    Sealed(String),
    /// Hashing failed.
    #[error("the password cannot be hashed: {0}")]
    Hash(HashError),
}

/// Seals and opens secrets.
#[derive(Clone)]
pub struct PlatformKey {
    cipher: XChaCha20Poly1305,
    digests: [u8; 32],
}

impl std::fmt::Debug for PlatformKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlatformKey")
    }
}

impl PlatformKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"wharfinger digests");
        hasher.update(key);
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
            digests: hasher.finalize().into(),
        }
    }

    /// A digest that only a holder of the key can compute or check: what stays of a secret where
    /// a plain digest would help to guess it. Digests for one purpose tell nothing of another's.
    #[must_use]
    pub fn digest(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let inner = Sha256::new()
            .chain_update(self.digests)
            .chain_update((purpose.len() as u64).to_be_bytes())
            .chain_update(purpose.as_bytes())
            .chain_update(bytes)
            .finalize();
        // Hashed again under the key, so that nothing can be appended.
        Sha256::new()
            .chain_update(self.digests)
            .chain_update(inner)
            .finalize()
            .into()
    }

    /// Reads the key file: 64 hex characters. Blocks.
    ///
    /// # Errors
    /// When the file is missing or holds no key.
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        let refuse = |reason: String| SecretError::Key {
            path: path.display().to_string(),
            reason,
        };
        let bytes = read_limited(path, 1024)
            .map_err(|error| refuse(error.to_string()))?
            .ok_or_else(|| refuse("it is missing".to_owned()))?;
        let text = String::from_utf8_lossy(&bytes);
        let key: [u8; 32] = hex::decode(text.trim())
            .ok()
            .and_then(|key| key.try_into().ok())
            .ok_or_else(|| refuse("it does not hold 64 hex characters".to_owned()))?;
        Ok(Self::new(&key))
    }

    /// Seals bytes under a name.
    ///
    /// # Errors
    /// When they are too large for the cipher.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<String, SecretError> {
        let nonce = random::bytes::<NONCE_BYTES>();
        let payload = Payload {
            msg: plain,
            aad: name.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| SecretError::Sealed(name.to_owned()))?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        Ok(format!("{PREFIX}{}", STANDARD_NO_PAD.encode(bytes)))
    }

    /// Opens what was sealed under that name.
    ///
    /// # Errors
    /// When it was sealed under another name or key, or was changed.
    pub fn open(&self, name: &str, sealed: &str) -> Result<Vec<u8>, SecretError> {
        let refuse = || SecretError::Sealed(name.to_owned());
        let bytes = sealed
            .strip_prefix(PREFIX)
            .and_then(|text| STANDARD_NO_PAD.decode(text).ok())
            .filter(|bytes| bytes.len() > NONCE_BYTES)
            .ok_or_else(refuse)?;
        let (nonce, sealed) = bytes.split_at(NONCE_BYTES);
        let payload = Payload {
            msg: sealed,
            aad: name.as_bytes(),
        };
        self.cipher
            .decrypt(XNonce::from_slice(nonce), payload)
            .map_err(|_| refuse())
    }
}

/// The credentials of a deployment, as they are sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct DeploymentCredentials {
    /// Login name.
    pub username: String,
    /// Password in clear.
    pub password: String,
}

impl DeploymentCredentials {
    /// New ones with a password of their own.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            username: DEPLOYMENT_USER.to_owned(),
            password: random::password(24),
        }
    }

    /// Seals them under a name.
    ///
    /// # Errors
    /// See [`PlatformKey::seal`].
    pub fn seal(&self, key: &PlatformKey, name: &str) -> Result<String, SecretError> {
        let bytes = serde_json::to_vec(self).map_err(|_| SecretError::Sealed(name.to_owned()))?;
        key.seal(name, &bytes)
    }

    /// Opens them.
    ///
    /// # Errors
    /// See [`PlatformKey::open`].
    pub fn open(key: &PlatformKey, name: &str, sealed: &str) -> Result<Self, SecretError> {
        let bytes = key.open(name, sealed)?;
        serde_json::from_slice(&bytes).map_err(|_| SecretError::Sealed(name.to_owned()))
    }
}

/// The Argon2id hash of a password in PHC form. Takes tens of milliseconds: run it beside the
/// async threads.
///
/// # Errors
/// When the password is longer than Argon2 takes.
pub fn hash_password(password: &str) -> Result<String, SecretError> {
    let salt = SaltString::encode_b64(&random::bytes::<16>()).map_err(SecretError::Hash)?;
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(SecretError::Hash)
}

/// Whether a password is the one of a hash. As slow as hashing.
#[must_use]
pub fn verify_password(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|parsed| {
        Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_under_its_name_and_key() {
        let key = PlatformKey::new(&[7; 32]);
        let sealed = key.seal("deployment/a", b"hush").unwrap();
        assert!(!sealed.contains("hush"));
        assert_eq!(key.open("deployment/a", &sealed).unwrap(), b"hush");
        assert!(key.open("deployment/b", &sealed).is_err());
        assert!(
            PlatformKey::new(&[8; 32])
                .open("deployment/a", &sealed)
                .is_err()
        );
        let mut changed = sealed.into_bytes();
        *changed.last_mut().unwrap() ^= 1;
        assert!(
            key.open("deployment/a", &String::from_utf8(changed).unwrap())
                .is_err()
        );
    }

    #[test]
    fn a_password_is_verified_by_its_hash_and_no_other() {
        let hash = hash_password("correct horse").unwrap();
        assert!(verify_password(&hash, "correct horse"));
        assert!(!verify_password(&hash, "battery staple"));
        assert!(!verify_password("nonsense", "correct horse"));
    }

    #[test]
    fn a_key_file_that_is_none_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("platform.key");
        assert!(PlatformKey::load(&path).is_err());
        std::fs::write(&path, "abc").unwrap();
        assert!(
            PlatformKey::load(&path)
                .unwrap_err()
                .to_string()
                .contains("64 hex")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_from_outside_panics_when_opened(text in ".{0,200}") {
            let key = PlatformKey::new(&[1; 32]);
            proptest::prop_assert!(key.open("x", &text).is_err());
        }
    }
}
