//! The allocator's files in the data directory: who it is and what it may hand out, which roles the
//! host has, and where its collectors ship to.
//!
//! Invariants: every file is replaced atomically; what holds a password has mode 0600; sizes are
//! bounded when reading. Not here: the assignment (`ledger.rs`).

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wharf_runtime::{
    data_dir::{read_limited, write_atomic},
    role_files::DirectorJoin,
    tls::CaCerts,
};

const MAX_FILE: u64 = 4 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot use {}: {source}; check its owner and mode, and that the disk has room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It does not hold what it should.
    #[error("{} is damaged: {source}; restore it, or run `wharf up` again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// It must be there.
    #[error("{} is missing; run `wharf up` with this data directory first", .0.display())]
    Missing(PathBuf),
}

/// `allocator/allocator.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocatorFile {
    /// 32 lower-case hex; the same as in the allocator's certificate.
    pub allocator_id: String,
    /// What the platform may hand out here.
    pub capacity: Capacity,
    /// Matched by the filters of instance configurations.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The engine's address as the host sees it.
    pub docker_host: String,
}

/// What may be handed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Memory.
    pub memory_bytes: u64,
    /// Disk.
    pub disk_bytes: u64,
    /// CPU in thousandths of a core; zero: all of the host's.
    #[serde(default)]
    pub cpu_millis: u32,
}

impl AllocatorFile {
    /// Where the file lies.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("allocator/allocator.json")
    }

    /// Reads the file; nothing when there is none.
    ///
    /// # Errors
    /// When it is damaged or not readable.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, FileError> {
        read(&Self::path(data_dir))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, data_dir: &Path) -> Result<(), FileError> {
        write(&Self::path(data_dir), self, 0o644)
    }
}

/// `allocator/host-roles.json`: which roles this host runs beside the allocator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRoles {
    /// Of the director's order that made it; zero: made by hand or by `wharf up`.
    #[serde(default)]
    pub generation: u64,
    /// Content id of the image that they run; empty: the allocator's own.
    #[serde(default)]
    pub image: String,
    /// A director runs here.
    #[serde(default)]
    pub director: bool,
    /// A proxy runs here.
    #[serde(default)]
    pub proxy: bool,
    /// Memory limit of each role's container; zero: derived from the host's memory.
    #[serde(default)]
    pub role_memory_bytes: u64,
    /// Limit of its processes and threads; zero: the default.
    #[serde(default)]
    pub role_pids: u32,
}

impl HostRoles {
    /// Where the file lies.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("allocator/host-roles.json")
    }

    /// Reads the file; nothing when there is none.
    ///
    /// # Errors
    /// When it is damaged or not readable.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, FileError> {
        read(&Self::path(data_dir))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, data_dir: &Path) -> Result<(), FileError> {
        write(&Self::path(data_dir), self, 0o644)
    }
}

/// Removes the keys of a director that joined and was removed: a host that is no director any more does
/// not keep the platform's. Its log stays, which nobody can open without them. Those of the host that
/// the platform was brought up on stay: `wharf up` repairs with them.
pub fn forget_director(data_dir: &Path) {
    let own = DirectorJoin::path(data_dir);
    if !own.exists() {
        return;
    }
    for name in ["identity.pem", "platform.key", "ca/authority.pem"] {
        let path = data_dir.join("director").join(name);
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "remove this file: the host is no director");
            return;
        }
    }
    // Last: what is left is tried again.
    let _ = std::fs::remove_file(own);
}

/// `allocator/destination.json`, mode 0600: where the collectors ship to.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationFile {
    /// Of the director's order.
    pub generation: u64,
    /// Empty: spool only.
    pub url: String,
    /// Sent as `X-Found-Cluster`.
    pub cluster: String,
    /// The user.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Which password it is; zero in files of older versions.
    #[serde(default)]
    pub credentials_version: u64,
    /// The authority that the server is verified with; empty: the platform's.
    pub ca_pem: String,
}

impl DestinationFile {
    /// Where the file lies.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("allocator/destination.json")
    }

    /// Reads the file; nothing when there is none.
    ///
    /// # Errors
    /// When it is damaged or not readable.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, FileError> {
        read(&Self::path(data_dir))
    }

    /// Writes the file, and the authority beside it when it has one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, data_dir: &Path) -> Result<(), FileError> {
        if !self.ca_pem.is_empty() {
            let path = Self::ca_path(data_dir);
            write_atomic(&path, self.ca_pem.as_bytes(), 0o644)
                .map_err(|source| FileError::Io { path, source })?;
        }
        write(&Self::path(data_dir), self, 0o600)
    }

    fn ca_path(data_dir: &Path) -> PathBuf {
        data_dir.join("allocator/destination-ca.pem")
    }

    /// What the collectors are told; nothing when they shall only spool.
    #[must_use]
    pub fn to_destination(&self, data_dir: &Path) -> Option<wharf_collectors::Destination> {
        let ca = if self.ca_pem.is_empty() {
            data_dir.join("ca.pem")
        } else {
            Self::ca_path(data_dir)
        };
        (!self.url.is_empty()).then(|| wharf_collectors::Destination {
            url: self.url.clone(),
            cluster: (!self.cluster.is_empty()).then(|| self.cluster.clone()),
            connect_to: None,
            authorities: CaCerts::load(&ca)
                .map(|ca| ca.fingerprints())
                .unwrap_or_default(),
            ca_file: Some(ca),
            username: self.username.clone(),
            password: self.password.clone(),
            credentials_version: self.credentials_version,
        })
    }
}

pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let bytes = read_limited(path, MAX_FILE).map_err(|source| FileError::Io {
        path: path.to_owned(),
        source,
    })?;
    bytes
        .map(|bytes| serde_json::from_slice(&bytes))
        .transpose()
        .map_err(|source| FileError::Damaged {
            path: path.to_owned(),
            source,
        })
}

pub(crate) fn write<T: Serialize>(path: &Path, value: &T, mode: u32) -> Result<(), FileError> {
    let damaged = |source| FileError::Damaged {
        path: path.to_owned(),
        source,
    };
    let mut bytes = serde_json::to_vec_pretty(value).map_err(damaged)?;
    bytes.push(b'\n');
    write_atomic(path, &bytes, mode).map_err(|source| FileError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn files_are_read_back_and_the_one_with_a_password_is_private() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("allocator")).unwrap();
        assert_eq!(HostRoles::read(dir.path()).unwrap(), None);
        let roles = HostRoles {
            director: true,
            image: "sha256:1".into(),
            role_memory_bytes: 1 << 30,
            ..Default::default()
        };
        roles.write(dir.path()).unwrap();
        assert_eq!(HostRoles::read(dir.path()).unwrap(), Some(roles));
        let destination = DestinationFile {
            url: "https://x".into(),
            password: "p".into(),
            ca_pem: "pem".into(),
            ..Default::default()
        };
        destination.write(dir.path()).unwrap();
        assert!(DestinationFile::read(dir.path()).unwrap() == Some(destination));
        let mode = std::fs::metadata(DestinationFile::path(dir.path()))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn only_a_director_that_joined_loses_the_platforms_keys() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("director");
        std::fs::create_dir_all(own.join("ca")).unwrap();
        let keys = ["identity.pem", "platform.key", "ca/authority.pem"];
        for name in keys.iter().chain(&["group.json"]) {
            std::fs::write(own.join(name), "x").unwrap();
        }
        forget_director(dir.path());
        assert!(own.join("platform.key").exists(), "it did not join");
        std::fs::write(DirectorJoin::path(dir.path()), "{}").unwrap();
        forget_director(dir.path());
        for name in keys.iter().chain(&["join.json"]) {
            assert!(!own.join(name).exists(), "{name} is left");
        }
        assert!(own.join("group.json").exists(), "more was removed");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("allocator")).unwrap();
        std::fs::write(AllocatorFile::path(dir.path()), "{").unwrap();
        let error = AllocatorFile::read(dir.path()).unwrap_err();
        assert!(error.to_string().contains("allocator.json"), "{error}");
    }
}
