//! Files that `wharf up` writes for the director and the proxy of a host, beside `platform.json`.
//! The allocator's own are in its package, because it changes them itself.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::platform_file::PlatformFileError;

/// `director/bootstrap.json`, mode 0600: the first commands of a fresh Raft log. Read once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorBootstrap {
    /// 32 lower-case hex; the same as in the director's certificate.
    pub director_id: String,
    /// Its number in the Raft group, [`member_of`] its id.
    pub raft_id: u64,
    /// The first user, a platform admin.
    pub admin_username: String,
    /// Argon2id hash in PHC form; the password itself is nowhere on disk but in the profile.
    pub admin_password_hash: String,
    /// The allocator that `wharf up` enrolled.
    pub allocator_id: String,
    /// The proxy that `wharf up` enrolled.
    pub proxy_id: String,
    /// Template of the deployment `system`.
    pub system_template: String,
}

/// `proxy/proxy.json`: who the proxy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyFile {
    /// 32 lower-case hex; the same as in the proxy's certificate.
    pub proxy_id: String,
}

/// The number in the Raft group of a director: the first 52 bits of its id, which a number in
/// JavaScript can hold. So a certificate, which names the id, proves the number too. `None` when the
/// text is no id.
#[must_use]
pub fn member_of(director_id: &str) -> Option<u64> {
    let digits = director_id.get(..13)?;
    // Raft keeps zero for "nobody".
    u64::from_str_radix(digits, 16)
        .ok()
        .map(|number| number.max(1))
}

impl DirectorBootstrap {
    /// Where the file lies in a data directory.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("director/bootstrap.json")
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read(data_dir: &Path) -> Result<Self, PlatformFileError> {
        read(Self::path(data_dir))
    }
}

impl ProxyFile {
    /// Where the file lies in a data directory.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("proxy/proxy.json")
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read(data_dir: &Path) -> Result<Self, PlatformFileError> {
        read(Self::path(data_dir))
    }
}

fn read<T: DeserializeOwned>(path: PathBuf) -> Result<T, PlatformFileError> {
    let bytes = std::fs::read(&path).map_err(|source| PlatformFileError::Read {
        path: path.clone(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|source| PlatformFileError::Parse { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_members_number_follows_from_its_id() {
        assert_eq!(member_of("0000000000010000ffffffffffffffff"), Some(16));
        assert_eq!(member_of(&"f".repeat(32)), Some((1 << 52) - 1));
        assert_eq!(member_of(&"0".repeat(32)), Some(1));
        assert_eq!(member_of("xyz"), None);
    }
}
