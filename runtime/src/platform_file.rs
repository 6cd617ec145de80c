//! `platform.json`: what every role of a host must know of its platform. Written by `wharf up`,
//! read by the roles at start. Holds no secret. Not here: a role's own file beside it.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{data_dir::write_atomic, net::split_host_port};

/// Directors that the file names at most.
const MOST_DIRECTORS: usize = 16;

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformFile {
    /// 32 lower-case hex.
    pub platform_id: String,
    /// Names containers and the data directory; two platforms of a machine differ in it.
    pub name: String,
    /// Deployments answer at `<alias>.<domain>`.
    pub domain: String,
    /// The address that other hosts and the proxy reach this host at.
    pub advertised_address: String,
    /// The address that listeners bind.
    pub bind_address: String,
    /// Availability zone of this host.
    pub zone: String,
    /// Name of this host.
    pub host: String,
    /// Ports of this host's roles.
    pub ports: Ports,
    /// `address:port` of every director's internal listener.
    pub directors: Vec<String>,
}

/// Ports of a host's roles. Every default is DESIGN's; a base moves all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// Admin API and UI of the director, TLS.
    pub admin: u16,
    /// Platform-internal gRPC, mutual TLS.
    pub internal: u16,
    /// `/health` and `/metrics` of the director, loopback.
    pub director_metrics: u16,
    /// The same of the allocator.
    pub allocator_metrics: u16,
    /// The same of the proxy.
    pub proxy_metrics: u16,
    /// Client traffic, TLS.
    pub proxy_https: u16,
    /// Client traffic without TLS, loopback.
    pub proxy_http: u16,
    /// First host port of instances.
    pub instances_start: u16,
    /// Last host port of instances.
    pub instances_end: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            admin: 12443,
            internal: 12190,
            director_metrics: 12191,
            allocator_metrics: 12192,
            proxy_metrics: 12193,
            proxy_https: 9243,
            proxy_http: 9200,
            instances_start: 18000,
            instances_end: 19999,
        }
    }
}

impl Ports {
    /// Highest base that leaves room for every port.
    pub const MAX_BASE: u16 = 62_000;

    /// Ports that all lie within 3,000 of a base, for a second platform on a machine; `None` when
    /// the base is under 1024 or above [`Self::MAX_BASE`].
    #[must_use]
    pub fn from_base(base: u16) -> Option<Self> {
        (1024..=Self::MAX_BASE).contains(&base).then(|| Self {
            admin: base + 443,
            internal: base + 190,
            director_metrics: base + 191,
            allocator_metrics: base + 192,
            proxy_metrics: base + 193,
            proxy_https: base + 243,
            proxy_http: base + 200,
            instances_start: base + 1000,
            instances_end: base + 2999,
        })
    }

    /// The ports that roles listen on, with what each is for.
    #[must_use]
    pub fn of_roles(&self) -> [(&'static str, u16); 7] {
        [
            ("director, admin", self.admin),
            ("director, internal", self.internal),
            ("director, metrics", self.director_metrics),
            ("allocator, metrics", self.allocator_metrics),
            ("proxy, metrics", self.proxy_metrics),
            ("proxy, https", self.proxy_https),
            ("proxy, http", self.proxy_http),
        ]
    }
}

/// Why the file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PlatformFileError {
    /// It is not there or not readable.
    #[error("cannot read {}: {source}; has `wharf up` been run with this data directory?", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}; check its owner, and that the disk has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It does not hold what it should.
    #[error("{} is damaged: {source}; run `wharf up` again", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
}

impl PlatformFile {
    /// Where the file lies in a data directory.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("platform.json")
    }

    /// Reads the file of a data directory.
    ///
    /// # Errors
    /// When it is missing or damaged; the message says what to do.
    pub fn read(data_dir: &Path) -> Result<Self, PlatformFileError> {
        let path = Self::path(data_dir);
        let bytes = std::fs::read(&path).map_err(|source| PlatformFileError::Read {
            path: path.clone(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|source| PlatformFileError::Parse { path, source })
    }

    /// Lets the file of a data directory name these directors, so that every role finds them when it
    /// starts; true when it named others. A host whose directors nobody tells of keeps those that it has.
    ///
    /// # Errors
    /// When it is missing or damaged, or cannot be written.
    pub fn follow(data_dir: &Path, directors: &[String]) -> Result<bool, PlatformFileError> {
        let held = Self::read(data_dir)?;
        let usable = |address: &String| address.len() <= 256 && split_host_port(address).is_ok();
        let directors: Vec<String> = directors
            .iter()
            .filter(|address| usable(address))
            .take(MOST_DIRECTORS)
            .cloned()
            .collect();
        if directors.is_empty() || directors == held.directors {
            return Ok(false);
        }
        let path = Self::path(data_dir);
        let written = serde_json::to_vec_pretty(&Self { directors, ..held })
            .map_err(io::Error::other)
            .and_then(|bytes| write_atomic(&path, &bytes, 0o644));
        written.map_err(|source| PlatformFileError::Write { path, source })?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_a_base_are_all_different_and_near_it() {
        let ports = Ports::from_base(22_000).unwrap();
        let mut all: Vec<u16> = ports.of_roles().iter().map(|(_, port)| *port).collect();
        all.extend([ports.instances_start, ports.instances_end]);
        assert!(
            all.iter().all(|port| (22_000..25_000).contains(port)),
            "{all:?}"
        );
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "two ports of one base are the same");
    }

    #[test]
    fn a_base_without_room_is_refused() {
        assert_eq!(Ports::from_base(80), None);
        assert_eq!(Ports::from_base(Ports::MAX_BASE + 1), None);
        assert!(Ports::from_base(Ports::MAX_BASE).is_some());
    }

    #[test]
    fn the_file_follows_the_directors_and_nothing_else_of_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = PlatformFile {
            platform_id: "a".repeat(32),
            name: "p".into(),
            domain: "localhost".into(),
            advertised_address: "10.0.0.1".into(),
            bind_address: "0.0.0.0".into(),
            zone: "z".into(),
            host: "h".into(),
            ports: Ports::default(),
            directors: vec!["10.0.0.1:12190".into()],
        };
        let bytes = serde_json::to_vec(&file).unwrap();
        std::fs::write(PlatformFile::path(dir.path()), bytes).unwrap();
        let told = ["10.0.0.2:12190", "nonsense", "[fd00::3]:12190"].map(str::to_owned);
        assert!(PlatformFile::follow(dir.path(), &told).unwrap());
        let read = PlatformFile::read(dir.path()).unwrap();
        assert_eq!(read.directors, ["10.0.0.2:12190", "[fd00::3]:12190"]);
        let unchanged = PlatformFile {
            directors: file.directors.clone(),
            ..read
        };
        assert_eq!(unchanged, file);
        assert!(!PlatformFile::follow(dir.path(), &told).unwrap());
        assert!(
            !PlatformFile::follow(dir.path(), &[]).unwrap(),
            "nobody told"
        );
        assert_eq!(PlatformFile::read(dir.path()).unwrap().directors.len(), 2);
    }

    #[test]
    fn a_missing_file_says_what_to_run() {
        let error = PlatformFile::read(Path::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().contains("wharf up"), "{error}");
    }
}
