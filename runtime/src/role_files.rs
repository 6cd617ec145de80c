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

/// `director/join.json`: a director that is to join the directors which `platform.json` names. It
/// stands in the place of `bootstrap.json`, which only the director has that began the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorJoin {
    /// 32 lower-case hex; the same as in the director's certificate.
    pub director_id: String,
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

/// Member ids of one director at most: one for each disk that it lost.
pub const INCARNATIONS: u16 = 256;

/// The number of a director's log after it lost `incarnation` disks: [`member_of`] its id with the
/// count in the last eight bits. The first 44 bits stay the id's, so that the certificate still
/// proves the number. `None` when the text is no id, or the number would be nobody's.
#[must_use]
pub fn member_after(director_id: &str, incarnation: u8) -> Option<u64> {
    let number = member_of(director_id)? ^ u64::from(incarnation);
    (number != 0).then_some(number)
}

/// Whether a number in the Raft group is one of a director's.
#[must_use]
pub fn is_member_of(director_id: &str, member: u64) -> bool {
    member != 0 && member_of(director_id).is_some_and(|first| first >> 8 == member >> 8)
}

impl DirectorJoin {
    /// Where the file lies in a data directory.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("director/join.json")
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read(data_dir: &Path) -> Result<Self, PlatformFileError> {
        read(Self::path(data_dir))
    }
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

    #[test]
    fn each_lost_disk_gives_another_number_that_the_id_proves() {
        let id = "0123456789abcdef0123456789abcdef";
        let other = "0123456788abcdef0123456789abcdef";
        let numbers: std::collections::BTreeSet<u64> = (0..=255)
            .filter_map(|incarnation| member_after(id, incarnation))
            .collect();
        assert_eq!(numbers.len(), usize::from(INCARNATIONS));
        assert!(numbers.contains(&member_of(id).unwrap()));
        assert!(numbers.iter().all(|number| is_member_of(id, *number)));
        assert!(!numbers.iter().any(|number| is_member_of(other, *number)));
        assert_eq!(member_after(&"0".repeat(32), 1), None);
        assert!(!is_member_of("xyz", 5) && !is_member_of(id, 0));
    }
}
